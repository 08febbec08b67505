//! Answers from data that are held here: the nearest places of a gazetteer in Google's envelope.
//!
//! Whose data they are, what a place is called and what kind it is, a provider says through [`Data`].

use super::gazetteer::{DEGREE, Gazetteer, POLE, Place, TURN};
use super::search::nearest;
use super::{Answer, Circle, json};

/// A result is about 800 bytes long, twice its name included.
const RESULT_BYTES: usize = 900;
const ENVELOPE_BYTES: usize = 400;

/// What a provider adds to the bare places of a gazetteer.
pub(super) trait Data {
    fn gazetteer(&self) -> Gazetteer<'_>;
    /// What goes with the places wherever they go.
    fn credit(&self) -> Option<&str>;
    /// Appends an identity that no other place has, and that cannot be taken for one of Google's.
    fn identify(&self, number: usize, place: &Place<'_>, id: &mut String);
    /// What the place is, in Google's words, the best one first.
    fn types(&self, place: &Place<'_>) -> impl Iterator<Item = &str>;
}

/// The `bound` places of `circle` nearest to its centre, as [`super::Places::nearby`] answers; `info` is said beside
/// them.
pub(super) fn answer(data: &impl Data, circle: Circle, bound: usize, info: Option<&str>) -> Answer {
    let gazetteer = data.gazetteer();
    // One place at least: the status tells whether the circle is empty.
    let mut found = nearest(&gazetteer, circle, bound.max(1));
    let status = if found.is_empty() { "ZERO_RESULTS" } else { "OK" };
    let credit = if found.is_empty() { None } else { data.credit() };
    found.truncate(bound);

    let mut id = String::new();
    let json = json::document(ENVELOPE_BYTES + RESULT_BYTES * found.len(), |answer| {
        answer.field("html_attributions").array(|credits| {
            if let Some(credit) = credit {
                credits.item().string(credit);
            }
        });
        if let Some(info) = info {
            answer.field("info_messages").array(|messages| messages.item().string(info));
        }
        answer.field("results").array(|results| {
            for &number in &found {
                let place = gazetteer.place(number);
                id.clear();
                data.identify(number, &place, &mut id);
                results.item().object(|result| print(result, data, &place, &id));
            }
        });
        answer.field("status").string(status);
    });
    Answer { json, status, places: found.len() }
}

fn print(result: &mut json::Object<'_>, data: &impl Data, place: &Place<'_>, id: &str) {
    let political = data.types(place).any(|kind| kind == "political");
    let margin = if political { LOCALITY_MARGIN } else { SPOT_MARGIN };
    result.field("geometry").object(|geometry| {
        geometry.field("location").object(|point| print_point(point, place.lat, place.lng));
        geometry.field("viewport").object(|viewport| {
            viewport.field("northeast").object(|corner| print_point(corner, place.lat + margin, place.lng + margin));
            viewport.field("southwest").object(|corner| print_point(corner, place.lat - margin, place.lng - margin));
        });
    });
    result.field("name").string(place.name);
    result.field("place_id").string(id);
    result.field("reference").string(id);
    result.field("scope").string("APP");
    result.field("types").array(|types| {
        for kind in data.types(place) {
            types.item().string(kind);
        }
    });
    if political {
        // The narrowest political name is its own.
        result.field("vicinity").string(place.name);
    }
}

// From a place to the edges of its viewport: only points are known here. 0.01° shows a village; what Google gives
// for a shop is 0.00135°.
const LOCALITY_MARGIN: i32 = DEGREE / 100;
const SPOT_MARGIN: i32 = 135;

/// Prints a point that may lie past a pole, where it is the pole's, or past the antimeridian.
fn print_point(point: &mut json::Object<'_>, lat: i32, lng: i32) {
    let turns = if lng > TURN / 2 { -1 } else { i32::from(lng < -TURN / 2) };
    point.field("lat").degrees(lat.clamp(-POLE, POLE));
    point.field("lng").degrees(lng + turns * TURN);
}

/// Appends latitude and longitude in 1e-5°, as a place's identity holds them; and `:2` for the second place there.
pub(super) fn push_point(place: &Place<'_>, rank: usize, id: &mut String) {
    let mut digits = itoa::Buffer::new();
    for units in [place.lat, place.lng] {
        id.push(if units < 0 { '-' } else { '+' });
        id.push_str(digits.format(units.unsigned_abs()));
    }
    if rank > 0 {
        id.push(':');
        id.push_str(digits.format(rank + 1));
    }
}
