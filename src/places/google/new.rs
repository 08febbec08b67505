//! Places API (New): what it is asked, and its answers told in the shape of Legacy, which clients are promised.
//!
//! The names on both sides are Google's own (`places:searchNearby`, and Nearby Search (Legacy)). New leaves out what
//! is empty or zero, as proto3 JSON does: no place at all is `{}`, and a point on the equator has no latitude.

use serde::Deserialize;

use super::failure::{Failure, reason};
use super::legacy::Envelope;
use crate::config::FieldMask;
use crate::limits::PLACES_RESULTS_MAX;
use crate::places::json::{self, Object};
use crate::places::{Circle, metres};

pub(super) const PATH: &str = "/v1/places:searchNearby";

/// Billed as Nearby Search Pro. A request is billed by the dearest field in its mask, and `*` is the dearest.
const BASIC: &str = "places.id,places.displayName,places.location,places.viewport,places.types,\
                     places.shortFormattedAddress,places.formattedAddress,places.businessStatus,places.plusCode,\
                     places.iconMaskBaseUri,places.iconBackgroundColor,places.attributions";
/// Billed as Nearby Search Enterprise.
const FULL: &str = ",places.photos,places.rating,places.userRatingCount,places.priceLevel,\
                    places.currentOpeningHours.openNow";

pub(super) fn mask(fields: FieldMask) -> String {
    match fields {
        FieldMask::Basic => BASIC.to_owned(),
        FieldMask::Full => [BASIC, FULL].concat(),
    }
}

/// The body of the request. It asks for all that one request can give, whatever the bound: the price is the same, and
/// queries that differ in their bounds share one request.
pub(super) fn question(circle: Circle) -> String {
    serde_json::json!({
        "locationRestriction": { "circle": {
            "center": { "latitude": circle.lat, "longitude": circle.lng },
            "radius": metres(circle.radius_km),
        } },
        "maxResultCount": PLACES_RESULTS_MAX,
        "rankPreference": "POPULARITY",
    })
    .to_string()
}

/// Reads an answer that came with this HTTP status.
///
/// # Errors
///
/// What it says has gone wrong, or that it is no answer at all.
pub fn read(body: &[u8], http: u16) -> Result<Envelope, Failure> {
    match serde_json::from_slice::<Answer>(body) {
        Ok(Answer { error: Some(error), .. }) => Err(error.failure(http)),
        Ok(answer) if (200..300).contains(&http) => Envelope::read(answer.told().into_bytes(), http),
        _ => Err(failure_of_status(http)),
    }
}

/// With nothing to read but the HTTP status.
fn failure_of_status(http: u16) -> Failure {
    match http {
        429 => Failure::Limited,
        _ => Failure::Strange(http),
    }
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    places: Vec<Place>,
    error: Option<Error>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(default)]
    status: String,
    #[serde(default)]
    details: Vec<Detail>,
}

#[derive(Deserialize)]
struct Detail {
    reason: Option<String>,
}

impl Error {
    fn failure(&self, http: u16) -> Failure {
        let reason = self.details.iter().find_map(|detail| reason(detail.reason.as_deref()?));
        match (http, self.status.as_str()) {
            // A wrong key is an invalid argument.
            (_, "INVALID_ARGUMENT") if reason.as_deref().is_some_and(|why| why.starts_with("API_KEY_")) => {
                Failure::Refused(reason)
            }
            (_, "UNAUTHENTICATED" | "PERMISSION_DENIED") | (401 | 403, _) => Failure::Refused(reason),
            (_, "RESOURCE_EXHAUSTED") | (429, _) => Failure::Limited,
            (_, "INVALID_ARGUMENT") => Failure::Misunderstood,
            (500.., _) | (_, "UNAVAILABLE" | "INTERNAL") => Failure::ItsOwn(http),
            (400, _) => Failure::Misunderstood,
            _ => Failure::Strange(http),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Place {
    id: Option<String>,
    name: Option<String>,
    display_name: Option<Text>,
    location: Option<Point>,
    viewport: Option<Viewport>,
    types: Option<Vec<String>>,
    short_formatted_address: Option<String>,
    formatted_address: Option<String>,
    business_status: Option<String>,
    plus_code: Option<PlusCode>,
    icon_mask_base_uri: Option<String>,
    icon_background_color: Option<String>,
    rating: Option<f64>,
    user_rating_count: Option<f64>,
    price_level: Option<String>,
    current_opening_hours: Option<Hours>,
    regular_opening_hours: Option<Hours>,
    photos: Option<Vec<Photo>>,
    attributions: Option<Vec<Attribution>>,
}

#[derive(Deserialize)]
struct Text {
    text: Option<String>,
}

#[derive(Deserialize)]
struct Point {
    #[serde(default)]
    latitude: f64,
    #[serde(default)]
    longitude: f64,
}

#[derive(Deserialize)]
struct Viewport {
    low: Option<Point>,
    high: Option<Point>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlusCode {
    global_code: Option<String>,
    compound_code: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hours {
    open_now: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Photo {
    name: Option<String>,
    width_px: Option<f64>,
    height_px: Option<f64>,
    #[serde(default)]
    author_attributions: Vec<Author>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Author {
    display_name: Option<String>,
    uri: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Attribution {
    provider: Option<String>,
    provider_uri: Option<String>,
}

// Told in the words of Legacy, the keys of each object in order.

impl Answer {
    fn told(&self) -> String {
        json::document(400 + 2000 * self.places.len(), |answer| {
            answer.field("html_attributions").array(|credits| {
                for credit in self.credits() {
                    credits.item().string(&credit);
                }
            });
            answer.field("results").array(|results| {
                for place in &self.places {
                    results.item().object(|result| place.tell(result));
                }
            });
            answer.field("status").string(if self.places.is_empty() { "ZERO_RESULTS" } else { "OK" });
        })
    }

    /// Each once, in the order of the places.
    fn credits(&self) -> Vec<String> {
        let mut credits = Vec::new();
        for given in self.places.iter().filter_map(|place| place.attributions.as_ref()).flatten() {
            let credit = link(given.provider_uri.as_deref(), given.provider.as_deref());
            if let Some(credit) = credit.filter(|credit| !credits.contains(credit)) {
                credits.push(credit);
            }
        }
        credits
    }
}

impl Place {
    fn tell(&self, result: &mut Object<'_>) {
        let status = self.business_status.as_deref();
        let known = ["OPERATIONAL", "CLOSED_TEMPORARILY", "CLOSED_PERMANENTLY"];
        tell_text(result, "business_status", status.filter(|status| known.contains(status)));
        if self.location.is_some() || self.viewport.is_some() {
            result.field("geometry").object(|geometry| self.tell_geometry(geometry));
        }
        let mask = self.icon_mask_base_uri.as_deref();
        tell_text(result, "icon", mask.map(|mask| format!("{mask}.png")).as_deref());
        tell_text(result, "icon_background_color", self.icon_background_color.as_deref());
        tell_text(result, "icon_mask_base_uri", mask);
        tell_text(result, "name", self.display_name.as_ref().and_then(|name| name.text.as_deref()));
        if let Some(open) = self.open_now() {
            result.field("opening_hours").object(|hours| hours.field("open_now").boolean(open));
        }
        if let Some(photo) = self.photos.as_ref().and_then(|photos| photos.first()) {
            result.field("photos").array(|photos| photos.item().object(|object| photo.tell(object)));
        }
        tell_text(result, "place_id", self.identity());
        self.tell_plus_code(result);
        tell_number(result, "price_level", self.price_level.as_deref().and_then(price));
        tell_number(result, "rating", self.rating);
        tell_text(result, "reference", self.identity());
        result.field("scope").string("GOOGLE");
        if let Some(types) = &self.types {
            result.field("types").array(|array| types.iter().for_each(|kind| array.item().string(kind)));
        }
        tell_number(result, "user_ratings_total", self.user_rating_count);
        let address = self.short_formatted_address.as_deref().or(self.formatted_address.as_deref());
        tell_text(result, "vicinity", address);
    }

    fn tell_geometry(&self, geometry: &mut Object<'_>) {
        tell_point(geometry, "location", self.location.as_ref());
        if let Some(Viewport { low, high }) = &self.viewport {
            geometry.field("viewport").object(|viewport| {
                tell_point(viewport, "northeast", high.as_ref());
                tell_point(viewport, "southwest", low.as_ref());
            });
        }
    }

    fn tell_plus_code(&self, result: &mut Object<'_>) {
        if let Some(PlusCode { global_code, compound_code }) = &self.plus_code {
            result.field("plus_code").object(|code| {
                tell_text(code, "compound_code", compound_code.as_deref());
                tell_text(code, "global_code", global_code.as_deref());
            });
        }
    }

    fn identity(&self) -> Option<&str> {
        let of_name = || self.name.as_deref()?.strip_prefix("places/");
        self.id.as_deref().or_else(of_name)
    }

    fn open_now(&self) -> Option<bool> {
        let open = |hours: &Option<Hours>| hours.as_ref().and_then(|hours| hours.open_now);
        open(&self.current_opening_hours).or_else(|| open(&self.regular_opening_hours))
    }
}

impl Photo {
    fn tell(&self, photo: &mut Object<'_>) {
        tell_number(photo, "height", self.height_px);
        photo.field("html_attributions").array(|credits| {
            for author in &self.author_attributions {
                if let Some(credit) = link(author.uri.as_deref(), author.display_name.as_deref()) {
                    credits.item().string(&credit);
                }
            }
        });
        let reference = self.name.as_deref().and_then(|name| name.rsplit('/').next());
        tell_text(photo, "photo_reference", reference);
        tell_number(photo, "width", self.width_px);
    }
}

fn tell_text(object: &mut Object<'_>, key: &'static str, text: Option<&str>) {
    if let Some(text) = text {
        object.field(key).string(text);
    }
}

fn tell_number(object: &mut Object<'_>, key: &'static str, number: Option<f64>) {
    if let Some(number) = number {
        object.field(key).number(number);
    }
}

fn tell_point(object: &mut Object<'_>, key: &'static str, point: Option<&Point>) {
    if let Some(Point { latitude, longitude }) = point {
        object.field(key).object(|object| {
            object.field("lat").number(*latitude);
            object.field("lng").number(*longitude);
        });
    }
}

fn price(level: &str) -> Option<f64> {
    Some(match level.strip_prefix("PRICE_LEVEL_")? {
        "FREE" => 0.0,
        "INEXPENSIVE" => 1.0,
        "MODERATE" => 2.0,
        "EXPENSIVE" => 3.0,
        "VERY_EXPENSIVE" => 4.0,
        _ => return None,
    })
}

/// A credit as Legacy gives it: a link around a name. What could close the tag early is written as HTML does.
fn link(uri: Option<&str>, name: Option<&str>) -> Option<String> {
    let name = name.or(uri)?;
    let Some(uri) = uri else { return Some(html(name)) };
    // New leaves the scheme out.
    let scheme = if uri.starts_with("//") { "https:" } else { "" };
    Some(format!("<a href=\"{scheme}{}\">{}</a>", html(uri), html(name)))
}

fn html(text: &str) -> String {
    text.replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(body: &str) -> serde_json::Value {
        serde_json::from_str(&read(body.as_bytes(), 200).unwrap().cut(20).json).unwrap()
    }

    #[test]
    fn what_proto3_leaves_out_is_zero_or_absent() {
        let answer = told(r#"{"places":[{"location":{"longitude":10}},{"name":"places/X","location":{}},{}]}"#);
        let results = &answer["results"];
        assert_eq!(results[0]["geometry"]["location"], serde_json::json!({ "lat": 0, "lng": 10 }));
        assert_eq!(results[1]["geometry"]["location"], serde_json::json!({ "lat": 0, "lng": 0 }));
        assert_eq!((&results[1]["place_id"], &results[1]["reference"]), (&"X".into(), &"X".into()));
        assert_eq!(results[2], serde_json::json!({ "scope": "GOOGLE" }));
        assert_eq!(told("{}")["status"], "ZERO_RESULTS");
        assert_eq!(told(r#"{"places":[]}"#)["status"], "ZERO_RESULTS");
    }

    #[test]
    fn words_that_legacy_does_not_have_are_left_out() {
        let place = |field: &str| told(&format!(r#"{{"places":[{{{field}}}]}}"#))["results"][0].clone();
        assert_eq!(place(r#""businessStatus":"CLOSED_TEMPORARILY""#)["business_status"], "CLOSED_TEMPORARILY");
        assert!(place(r#""businessStatus":"FUTURE_OPENING""#).get("business_status").is_none());
        for (level, number) in
            [("FREE", 0), ("INEXPENSIVE", 1), ("MODERATE", 2), ("EXPENSIVE", 3), ("VERY_EXPENSIVE", 4)]
        {
            assert_eq!(place(&format!(r#""priceLevel":"PRICE_LEVEL_{level}""#))["price_level"], number);
        }
        assert!(place(r#""priceLevel":"PRICE_LEVEL_UNSPECIFIED""#).get("price_level").is_none());
        assert_eq!(place(r#""regularOpeningHours":{"openNow":false}"#)["opening_hours"]["open_now"], false);
        assert!(place(r#""currentOpeningHours":{}"#).get("opening_hours").is_none());
        assert_eq!(place(r#""formattedAddress":"long""#)["vicinity"], "long");
    }

    #[test]
    fn credits_come_once_and_cannot_leave_their_tag() {
        let credit = r#"{"provider":"A \"B\" <i>","providerUri":"https://a.example/?\"><script>"}"#;
        let answer =
            told(&format!(r#"{{"places":[{{"attributions":[{credit},{credit}]}},{{"attributions":[{credit}]}}]}}"#));
        assert_eq!(
            answer["html_attributions"],
            serde_json::json!([
                "<a href=\"https://a.example/?&quot;&gt;&lt;script&gt;\">A &quot;B&quot; &lt;i&gt;</a>"
            ])
        );
    }

    #[test]
    fn errors_become_the_words_of_legacy() {
        let failure = |http: u16, status: &str, reason: &str| {
            let body = serde_json::json!({ "error": {
                "code": http, "status": status, "message": "project 12345",
                "details": [{ "@type": "type.googleapis.com/google.rpc.Help" }, { "reason": reason }],
            } });
            read(body.to_string().as_bytes(), http).unwrap_err()
        };
        assert_eq!(
            failure(400, "INVALID_ARGUMENT", "API_KEY_INVALID"),
            Failure::Refused(Some("API_KEY_INVALID".into()))
        );
        assert_eq!(failure(400, "INVALID_ARGUMENT", "FIELD_MASK"), Failure::Misunderstood);
        assert_eq!(failure(401, "UNAUTHENTICATED", "x y"), Failure::Refused(None));
        assert!(failure(403, "PERMISSION_DENIED", "SERVICE_DISABLED").is_closed_interface());
        assert!(failure(403, "PERMISSION_DENIED", "API_KEY_SERVICE_BLOCKED").is_closed_interface());
        assert!(!failure(403, "PERMISSION_DENIED", "BILLING_DISABLED").is_closed_interface());
        assert_eq!(failure(429, "RESOURCE_EXHAUSTED", "RATE_LIMIT_EXCEEDED"), Failure::Limited);
        for (http, status) in [(500, "INTERNAL"), (503, "UNAVAILABLE"), (502, "")] {
            assert_eq!(failure(http, status, ""), Failure::ItsOwn(http));
            assert_eq!(failure(http, status, "").status(), "UNKNOWN_ERROR");
        }
    }

    #[test]
    fn what_is_no_answer_is_none() {
        for (body, http, failure) in [
            ("<html>", 502, Failure::Strange(502)),
            ("{\"places\":[{\"id\":\"x\"", 200, Failure::Strange(200)),
            ("{\"places\":{}}", 200, Failure::Strange(200)),
            ("[]", 200, Failure::Strange(200)),
            ("{}", 302, Failure::Strange(302)),
            ("", 429, Failure::Limited),
        ] {
            assert_eq!(read(body.as_bytes(), http), Err(failure), "{body} {http}");
        }
    }
}
