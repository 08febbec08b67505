//! What every format comes to: places that a gazetteer takes, and a note of the records that are none.

use std::ops::Range;

use super::kinds::Kinds;
use super::{BadRecords, Why};
use crate::limits::{BAD_RECORDS_NAMED_MAX, PLACE_NAME_BYTES_MAX, PLACES_MAX};
use crate::places::gazetteer::{DEGREE, Place};

#[derive(Default)]
pub(super) struct Gathered {
    /// All names, one behind the other.
    names: String,
    spots: Vec<Spot>,
    pub(super) kinds: Kinds,
    pub(super) bad: BadRecords,
}

struct Spot {
    lat: i32,
    lng: i32,
    name: Range<usize>,
    tag: [u8; 2],
}

impl Gathered {
    /// Takes a place, or notes why the record on this line is none. Its types are in Google's words, best first.
    pub(super) fn add(&mut self, line: u64, name: &str, point: [f64; 2], types: &[&str]) -> Result<(), Why> {
        let name = name.trim();
        if let Some(why) = flaw(name, point) {
            self.refuse(line, why);
            return Ok(());
        }
        if self.spots.len() == PLACES_MAX {
            return Err(Why::TooMany);
        }
        let start = self.names.len();
        self.names.push_str(name);
        let [lat, lng] = point.map(units);
        self.spots.push(Spot { lat, lng, name: start..self.names.len(), tag: self.kinds.tag(types) });
        Ok(())
    }

    /// Notes that the record on this line is no place.
    pub(super) fn refuse(&mut self, line: u64, why: impl Into<String>) {
        self.bad.count += 1;
        if self.bad.first.len() < BAD_RECORDS_NAMED_MAX {
            self.bad.first.push((line, why.into()));
        }
    }

    pub(super) fn len(&self) -> usize {
        self.spots.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.spots.is_empty()
    }

    pub(super) fn places(&self) -> impl Iterator<Item = Place<'_>> {
        self.spots.iter().map(|spot| Place {
            lat: spot.lat,
            lng: spot.lng,
            name: &self.names[spot.name.clone()],
            tag: spot.tag,
        })
    }
}

fn flaw(name: &str, [lat, lng]: [f64; 2]) -> Option<&'static str> {
    if name.is_empty() {
        Some("it has no name")
    } else if name.len() > PLACE_NAME_BYTES_MAX {
        Some("its name is too long")
    } else if name.contains(char::is_control) {
        Some("its name holds a control character")
    } else if !(-90.0..=90.0).contains(&lat) {
        Some("its latitude is not from -90 to 90")
    } else if !(-180.0..=180.0).contains(&lng) {
        Some("its longitude is not from -180 to 180")
    } else {
        None
    }
}

/// Degrees in 1e-5°, which is a metre.
#[expect(clippy::cast_possible_truncation, reason = "a coordinate on the globe")]
fn units(degrees: f64) -> i32 {
    (degrees * f64::from(DEGREE)).round() as i32
}
