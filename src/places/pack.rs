//! The build script: packs the GeoNames localities of the crate `cities-json` into `$OUT_DIR/places.bin`.
//!
//! What can be wrong with them is found here, at build time, so that the library need not look. The same
//! crate version gives the same bytes everywhere. The data are GeoNames', CC BY 4.0; see NOTICE.

use std::collections::HashSet;
use std::path::Path;
use std::{env, fs};

use cities_json::{CITIES, City};
use gazetteer::{DEGREE, Gazetteer, Place};

mod gazetteer;

fn main() {
    // Otherwise cargo packs again whenever any file of the package changes. It knows of the modules by itself.
    println!("cargo::rerun-if-changed=src/places/pack.rs");

    let mut places: Vec<_> = CITIES.iter().map(place).collect();
    places.sort_unstable();
    let mut seen = HashSet::new();
    places.retain(|place| seen.insert(twins_share(place)));

    let block = gazetteer::write(places.iter().copied()).unwrap_or_else(|refused| panic!("{refused}"));
    prove(&block, &places);
    let directory = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&directory).join("places.bin"), block).expect("OUT_DIR can be written");
}

fn place(city: &City) -> Place<'_> {
    Place { lat: units(city.lat, city), lng: units(city.lng, city), name: &city.name, tag: country(city) }
}

/// ISO 3166-1 alpha-2, in capitals: the tag of an embedded place.
fn country(city: &City) -> [u8; 2] {
    let country: [u8; 2] = city.country.as_bytes().try_into().unwrap_or_default();
    assert!(country.iter().all(u8::is_ascii_uppercase), "a country is two capital letters: {city:?}");
    country
}

/// Degrees in 1e-5°, which is as fine as GeoNames gives them: nothing is rounded away.
fn units(degrees: f64, city: &City) -> i32 {
    let units = (degrees * f64::from(DEGREE)).round();
    assert!(degrees.abs() <= 180.0, "not on the globe: {city:?}");
    assert!((units / f64::from(DEGREE) - degrees).abs() < 1e-9, "finer than 1e-5°: {city:?}");
    #[expect(clippy::cast_possible_truncation, reason = "at most 180° in 1e-5°, just asserted")]
    let units = units as i32;
    units
}

/// GeoNames lists some localities twice, a few kilometres apart. Two of one name and country in the same
/// tenth of a degree are taken for one; the southern is kept.
fn twins_share<'a>(place: &Place<'a>) -> (&'a str, [u8; 2], i32, i32) {
    let tenth = |units: i32| units.div_euclid(DEGREE / 10);
    (place.name, place.tag, tenth(place.lat), tenth(place.lng))
}

/// What was written reads back as what went in, each place is found where it is filed, and no two have one
/// identity: found here, or by every user.
fn prove(block: &[u8], places: &[Place]) {
    let gazetteer = Gazetteer::open(block).expect("the block is whole");
    let mut read: Vec<_> = gazetteer.places().collect();
    read.sort_unstable();
    assert!(read == places, "the gazetteer reads back other places than were written");

    let mut identities = HashSet::new();
    for number in 0..places.len() {
        let place = gazetteer.place(number);
        let (south, west) = (place.lat.div_euclid(DEGREE), place.lng.div_euclid(DEGREE));
        let mut band = gazetteer.band(south, west, place.lat..=place.lat);
        assert!(band.any(|found| found == (number, place.lat, place.lng)), "filed in another cell: {place:?}");
        let identity = (place.tag, place.lat, place.lng, gazetteer.rank_at_point(number));
        assert!(identities.insert(identity), "two places with one identity: {place:?}");
    }
}
