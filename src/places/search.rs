//! The search in a gazetteer: the places of a circle nearest to its centre.
//!
//! It reads only the cells that the circle touches, and in them only the rows that it reaches. It knows nothing of
//! what the places are.

use std::collections::BinaryHeap;
use std::f64::consts::{FRAC_PI_2, PI};

use super::Circle;
use super::gazetteer::{DEGREE, Gazetteer, POLE, TURN};

/// The mean radius of the Earth (R1 of WGS 84). A sphere of it is within 0.3 % of the ellipsoid.
const EARTH_RADIUS_KM: f64 = 6_371.008_8;

/// The numbers of the `bound` places of `circle` nearest to its centre, the nearest first; of two at the same
/// distance the one that comes first in the gazetteer.
#[must_use]
pub fn nearest(gazetteer: &Gazetteer<'_>, circle: Circle, bound: usize) -> Vec<usize> {
    let frame = Frame::around(circle);
    let centre = Centre::of(circle, &frame);
    let rim = half_versine(circle.radius_km / EARTH_RADIUS_KM);
    let mut nearest = Nearest { bound, heap: BinaryHeap::new() };
    for (south, west) in frame.cells() {
        let turns = (west + 180).div_euclid(360) * TURN;
        for (number, lat, lng) in gazetteer.band(south, west, frame.south..=frame.north) {
            let lng = lng + turns;
            if (frame.west..=frame.east).contains(&lng) {
                if centre.at_least(lat, lng) > rim.min(nearest.farthest()) {
                    continue;
                }
                let far = centre.half_versine_to(lat, lng);
                if far <= rim {
                    nearest.offer(far, number);
                }
            }
        }
    }
    nearest.into_numbers()
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

/// 1e-5° to degrees.
fn degrees(units: i32) -> f64 {
    f64::from(units) / f64::from(DEGREE)
}

/// The point from which distances are taken.
///
/// A distance is told by its half-versine, `sin²(distance / 2R)`: it grows with the distance, and it is
/// what the haversine formula has before its last step, which is left out.
struct Centre {
    lat: f64,
    lng: f64,
    cos_lat: f64,
    /// What a degree to the north and one to the east add to a half-versine at the least, when squared, anywhere in
    /// the frame.
    north_least: f64,
    east_least: f64,
}

impl Centre {
    fn of(circle: Circle, frame: &Frame) -> Self {
        let cos_lat = circle.lat.to_radians().cos();
        let [south, north] = [frame.south, frame.north].map(|lat| degrees(lat).to_radians().cos());
        let flat = flatness(degrees(frame.north - frame.south));
        Self {
            lat: circle.lat,
            lng: circle.lng,
            cos_lat,
            north_least: flat,
            east_least: flatness(degrees(frame.east - frame.west)) * cos_lat * south.min(north).max(0.0),
        }
    }

    /// Never more than [`half_versine_to`](Self::half_versine_to), without its trigonometry: it spares most of it,
    /// once the nearest are near.
    fn at_least(&self, lat: i32, lng: i32) -> f64 {
        let (north, east) = (degrees(lat) - self.lat, degrees(lng) - self.lng);
        north * north * self.north_least + east * east * self.east_least
    }

    fn half_versine_to(&self, lat: i32, lng: i32) -> f64 {
        let (lat, lng) = (degrees(lat), degrees(lng));
        let (north, east) = ((lat - self.lat).to_radians(), (lng - self.lng).to_radians());
        half_versine(north) + self.cos_lat * lat.to_radians().cos() * half_versine(east)
    }
}

fn half_versine(angle: f64) -> f64 {
    let sine = (angle / 2.0).sin();
    sine * sine
}

/// By how much the half-versine of an angle is at least that angle's square, both in degrees, for all angles up to
/// `most`: `sin²x ≥ x² (1 - x²/3)`, and a little less for what rounding takes.
fn flatness(most: f64) -> f64 {
    let half = most.to_radians() / 2.0;
    (1.0 - half * half / 3.0).max(0.0) * (0.5_f64.to_radians()).powi(2) * (1.0 - 1e-9)
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

    /// What is farther than this is of no interest.
    fn farthest(&self) -> f64 {
        match self.heap.peek() {
            Some(&(farthest, _)) if self.heap.len() >= self.bound => f64::from_bits(farthest),
            _ => f64::INFINITY,
        }
    }

    fn into_numbers(self) -> Vec<usize> {
        self.heap.into_sorted_vec().into_iter().map(|(_, number)| number).collect()
    }
}
