//! What the fake says: fictional places around a point, in the words of either interface, and every kind of no.

use serde_json::{Value, json};

use crate::places::Circle;
use crate::places::json::{Object, document};

const KINDS: [&str; 5] = ["museum", "park", "cafe", "library", "restaurant"];

/// A place that does not exist.
struct Fiction {
    name: String,
    id: String,
    lat: f64,
    lng: f64,
    kind: &'static str,
}

/// Places on a spiral inside the circle, the same ones for the same circle.
fn fictions(circle: Circle, count: usize) -> impl Iterator<Item = Fiction> {
    (0..count).map(move |number| {
        let part = (number as f64 + 1.0) / (count as f64 + 1.0);
        let (sine, cosine) = (number as f64 * 2.4).sin_cos();
        let degrees = circle.radius_km / 111.2 * part;
        let kind = KINDS[number % KINDS.len()];
        Fiction {
            name: format!("Sample {kind} {}", number + 1),
            id: format!("ChIJfake{number:019}"),
            lat: round((circle.lat + degrees * cosine).clamp(-89.9, 89.9)),
            lng: round((circle.lng + degrees * sine + 540.0).rem_euclid(360.0) - 180.0),
            kind,
        }
    })
}

fn round(degrees: f64) -> f64 {
    (degrees * 1e7).round() / 1e7
}

/// An answer of Places API (New).
pub(super) fn new(circle: Circle, count: usize) -> String {
    if count == 0 {
        return "{}".to_owned();
    }
    let place = |fiction: Fiction| {
        json!({
            "name": format!("places/{}", fiction.id),
            "id": fiction.id,
            "types": [fiction.kind, "point_of_interest", "establishment"],
            "formattedAddress": "1 Sample Plaza, Sampleville",
            "location": { "latitude": fiction.lat, "longitude": fiction.lng },
            "viewport": {
                "low": { "latitude": fiction.lat - 0.0013, "longitude": fiction.lng - 0.0013 },
                "high": { "latitude": fiction.lat + 0.0013, "longitude": fiction.lng + 0.0013 },
            },
            "businessStatus": "OPERATIONAL",
            "displayName": { "text": fiction.name, "languageCode": "en" },
            "shortFormattedAddress": "1 Sample Plaza",
        })
    };
    let places: Vec<Value> = fictions(circle, count).map(place).collect();
    format!("{:#}\n", json!({ "places": places }))
}

/// An answer of Places API (Legacy).
pub(super) fn legacy(circle: Circle, count: usize) -> String {
    let mut answer = document(2000, |answer| {
        answer.field("html_attributions").array(|_| {});
        if count == 20 {
            answer.field("next_page_token").string("SAMPLE_NEXT_PAGE_TOKEN");
        }
        answer.field("results").array(|results| {
            for fiction in fictions(circle, count) {
                results.item().object(|result| tell(result, &fiction));
            }
        });
        answer.field("status").string(if count == 0 { "ZERO_RESULTS" } else { "OK" });
    });
    answer.push('\n');
    answer
}

fn tell(result: &mut Object<'_>, fiction: &Fiction) {
    result.field("business_status").string("OPERATIONAL");
    result.field("geometry").object(|geometry| {
        geometry.field("location").object(|point| {
            point.field("lat").number(fiction.lat);
            point.field("lng").number(fiction.lng);
        });
    });
    result.field("name").string(&fiction.name);
    result.field("place_id").string(&fiction.id);
    result.field("rating").number(4.5);
    result.field("reference").string(&fiction.id);
    result.field("scope").string("GOOGLE");
    result.field("types").array(|types| {
        for kind in [fiction.kind, "point_of_interest", "establishment"] {
            types.item().string(kind);
        }
    });
    result.field("vicinity").string("1 Sample Plaza");
}

/// Google's no, of Places API (New). The message holds what must not reach a client.
pub(super) fn new_error(http: u16, status: &str, reason: &str) -> String {
    let details = json!([{
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": { "consumer": "projects/123456789012" },
    }]);
    let message = "This request of project 123456789012 has been refused. Visit https://console.example/?project=1";
    format!("{:#}\n", json!({ "error": { "code": http, "message": message, "status": status, "details": details } }))
}

/// Google's no, of Places API (Legacy).
pub(super) fn legacy_error(status: &str, message: &str) -> String {
    let mut answer = document(200, |answer| {
        answer.field("error_message").string(message);
        answer.field("html_attributions").array(|_| {});
        answer.field("results").array(|_| {});
        answer.field("status").string(status);
    });
    answer.push('\n');
    answer
}
