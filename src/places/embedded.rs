//! The embedded provider: the localities of GeoNames, packed into the program at build time (`pack.rs`).
//!
//! It needs no key, no network and no memory but its answer: the gazetteer is read where the program file is
//! mapped, and all servers share it. There are no populations in it, so what is nearest comes first.

use std::collections::BinaryHeap;
use std::f64::consts::{FRAC_PI_2, PI};

use super::gazetteer::{DEGREE, Gazetteer, POLE, Place, TURN};
use super::{Circle, json};

/// The mean radius of the Earth (R1 of WGS 84). A sphere of it is within 0.3 % of the ellipsoid.
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// What CC BY 4.0 asks for, in the place that Google keeps for it.
const CREDIT: &str = "Places: <a href=\"https://www.geonames.org/\">GeoNames</a>, \
                      <a href=\"https://creativecommons.org/licenses/by/4.0/\">CC BY 4.0</a>";

/// A result is about 800 bytes long, twice its name included.
const RESULT_BYTES: usize = 900;
const ENVELOPE_BYTES: usize = 400;

static PLACES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/places.bin"));

/// A provider that answers from a gazetteer.
#[derive(Debug)]
pub struct Embedded {
    gazetteer: Gazetteer<'static>,
}

impl Embedded {
    /// The localities in the program.
    ///
    /// # Panics
    ///
    /// Never: the build script has read the block back.
    #[must_use]
    pub fn open() -> Self {
        Self::over(Gazetteer::open(PLACES).expect("the build script wrote a whole gazetteer"))
    }

    /// Any gazetteer.
    #[must_use]
    pub fn over(gazetteer: Gazetteer<'static>) -> Self {
        Self { gazetteer }
    }

    /// All there is to search.
    #[must_use]
    pub fn gazetteer(&self) -> &Gazetteer<'static> {
        &self.gazetteer
    }

    /// The `bound` places of `circle` nearest to its centre, as [`super::Places::nearby`] answers.
    #[must_use]
    pub fn nearby(&self, circle: Circle, bound: usize) -> String {
        // One place at least: the status tells whether the circle is empty.
        let mut found = self.nearest(circle, bound.max(1));
        let status = if found.is_empty() { "ZERO_RESULTS" } else { "OK" };
        let credit = (!found.is_empty()).then_some(CREDIT);
        found.truncate(bound);

        let mut id = String::new();
        json::document(ENVELOPE_BYTES + RESULT_BYTES * found.len(), |answer| {
            answer.field("html_attributions").array(|credits| {
                if let Some(credit) = credit {
                    credits.item().string(credit);
                }
            });
            answer.field("results").array(|results| {
                for &number in &found {
                    let place = self.gazetteer.place(number);
                    identify(&place, self.gazetteer.rank_at_point(number), &mut id);
                    results.item().object(|result| print(result, &place, &id));
                }
            });
            answer.field("status").string(status);
        })
    }

    /// The numbers of the `bound` places of `circle` nearest to its centre, the nearest first; of two at the
    /// same distance the one that comes first in the gazetteer.
    #[must_use]
    pub fn nearest(&self, circle: Circle, bound: usize) -> Vec<usize> {
        let frame = Frame::around(circle);
        let centre = Centre::of(circle);
        let rim = half_versine(circle.radius_km / EARTH_RADIUS_KM);
        let mut nearest = Nearest { bound, heap: BinaryHeap::new() };
        for (south, west) in frame.cells() {
            let turns = (west + 180).div_euclid(360) * TURN;
            for (number, lat, lng) in self.gazetteer.band(south, west, frame.south..=frame.north) {
                let lng = lng + turns;
                if (frame.west..=frame.east).contains(&lng) {
                    let far = centre.half_versine_to(lat, lng);
                    if far <= rim {
                        nearest.offer(far, number);
                    }
                }
            }
        }
        nearest.into_numbers()
    }
}

/// The smallest frame of parallels and meridians around a circle, in 1e-5° and a little wider: it spares
/// most places the trigonometry. It may reach past the antimeridian, on either side, but never more than
/// once around, so no place is met twice.
struct Frame {
    south: i32,
    north: i32,
    west: i32,
    east: i32,
}

impl Frame {
    fn around(circle: Circle) -> Self {
        let reach = circle.radius_km / EARTH_RADIUS_KM;
        let (lat, lng) = (units(circle.lat), units(circle.lng));
        let (high, wide) = (units(reach.to_degrees()) + 2, units(half_width(circle.lat, reach).to_degrees()) + 2);
        let west = lng - wide;
        Self {
            south: (lat - high).max(-POLE),
            north: (lat + high).min(POLE),
            west,
            east: (lng + wide).min(west + TURN - 1),
        }
    }

    /// The cells it touches, each by its south-western corner in whole degrees.
    fn cells(&self) -> impl Iterator<Item = (i32, i32)> + use<> {
        let [south, north, west, east] =
            [self.south, self.north, self.west, self.east].map(|units| units.div_euclid(DEGREE));
        // The pole itself is filed in the row south of it.
        let rows = south.min(89)..=north.min(89);
        rows.flat_map(move |row| (west..=east).map(move |column| (row, column)))
    }
}

/// How many radians of longitude a circle reaches from its centre: all there are if it holds a pole.
fn half_width(lat: f64, reach: f64) -> f64 {
    let lat = lat.to_radians();
    if lat.abs() + reach < FRAC_PI_2 { (reach.sin() / lat.cos()).min(1.0).asin() } else { PI }
}

/// Degrees to 1e-5°.
#[expect(clippy::cast_possible_truncation, reason = "a coordinate or a part of a turn; anything else saturates")]
fn units(degrees: f64) -> i32 {
    (degrees * f64::from(DEGREE)).round() as i32
}

/// The point from which distances are taken.
///
/// A distance is told by its half-versine, `sin²(distance / 2R)`: it grows with the distance, and it is
/// what the haversine formula has before its last step, which is left out.
struct Centre {
    lat: f64,
    lng: f64,
    cos_lat: f64,
}

impl Centre {
    fn of(circle: Circle) -> Self {
        Self { lat: circle.lat, lng: circle.lng, cos_lat: circle.lat.to_radians().cos() }
    }

    fn half_versine_to(&self, lat: i32, lng: i32) -> f64 {
        let (lat, lng) = (f64::from(lat) / f64::from(DEGREE), f64::from(lng) / f64::from(DEGREE));
        let (north, east) = ((lat - self.lat).to_radians(), (lng - self.lng).to_radians());
        half_versine(north) + self.cos_lat * lat.to_radians().cos() * half_versine(east)
    }
}

fn half_versine(angle: f64) -> f64 {
    let sine = (angle / 2.0).sin();
    sine * sine
}

/// The `bound` nearest of what it is offered.
struct Nearest {
    bound: usize,
    /// Half-versines as their bits, which are in the same order as long as none is negative; and numbers.
    /// The farthest is on top.
    heap: BinaryHeap<(u64, usize)>,
}

impl Nearest {
    fn offer(&mut self, half_versine: f64, number: usize) {
        let candidate = (half_versine.to_bits(), number);
        if self.heap.len() < self.bound {
            self.heap.push(candidate);
        } else if let Some(mut farthest) = self.heap.peek_mut()
            && candidate < *farthest
        {
            *farthest = candidate;
        }
    }

    fn into_numbers(self) -> Vec<usize> {
        self.heap.into_sorted_vec().into_iter().map(|(_, number)| number).collect()
    }
}

/// The identity of a place, stable as long as GeoNames does not move it, and never to be taken for one of
/// Google's: country, latitude and longitude in 1e-5°, and for the second place at one point `:2`.
fn identify(place: &Place, rank_at_point: usize, id: &mut String) {
    let mut digits = itoa::Buffer::new();
    id.clear();
    id.push_str("herd:geonames:");
    id.extend(place.country.map(char::from));
    id.push(':');
    for units in [place.lat, place.lng] {
        id.push(if units < 0 { '-' } else { '+' });
        id.push_str(digits.format(units.unsigned_abs()));
    }
    if rank_at_point > 0 {
        id.push(':');
        id.push_str(digits.format(rank_at_point + 1));
    }
}

fn print(result: &mut json::Object<'_>, place: &Place, id: &str) {
    result.field("geometry").object(|geometry| {
        geometry.field("location").object(|point| print_point(point, place.lat, place.lng));
        geometry.field("viewport").object(|viewport| {
            viewport.field("northeast").object(|corner| print_point(corner, place.lat + MARGIN, place.lng + MARGIN));
            viewport.field("southwest").object(|corner| print_point(corner, place.lat - MARGIN, place.lng - MARGIN));
        });
    });
    result.field("name").string(place.name);
    result.field("place_id").string(id);
    result.field("reference").string(id);
    result.field("scope").string("APP");
    result.field("types").array(|types| {
        types.item().string("locality");
        types.item().string("political");
    });
    result.field("vicinity").string(place.name);
}

/// From a place to the edges of its viewport: GeoNames has points only, and 0.01° shows a village.
const MARGIN: i32 = DEGREE / 100;

/// Prints a point that may lie past a pole, where it is the pole's, or past the antimeridian.
fn print_point(point: &mut json::Object<'_>, lat: i32, lng: i32) {
    let turns = if lng > TURN / 2 { -1 } else { i32::from(lng < -TURN / 2) };
    point.field("lat").degrees(lat.clamp(-POLE, POLE));
    point.field("lng").degrees(lng + turns * TURN);
}
