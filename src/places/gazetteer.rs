//! The gazetteer: places in one block of bytes, filed by cells of one degree; its layout, its writer and
//! its reader.
//!
//! They stand in one file because they must agree: the build script includes it to write the block that the
//! library reads where it lies, with nothing to load. So it imports nothing of ours, and it never decides
//! which places are worth keeping.
//!
//! ```text
//! u32           n, how many places there are
//! u32 × 64,801  the number of the first place of each cell, by row and column; the last is n
//! 16 B × n      the places: latitude i32, longitude i32, name offset u32, tag 2 B, name length u16
//! the rest      the names, UTF-8, each text once
//! ```
//!
//! Numbers are little-endian, coordinates in 1e-5°. The cells go from south to north, and from 180° W to the
//! east; the places of a cell by latitude, longitude, name and tag.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::{Range, RangeInclusive};

/// One degree, in the unit of all coordinates here: 1e-5°, which is 1.1 m of latitude.
pub const DEGREE: i32 = 100_000;
/// The way round the globe.
pub const TURN: i32 = 360 * DEGREE;
/// The north pole; the south pole is at its negative.
pub const POLE: i32 = 90 * DEGREE;

const ROWS: usize = 180;
const COLUMNS: usize = 360;
const CELLS: usize = ROWS * COLUMNS;

/// A place as the gazetteer knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place<'a> {
    /// Degrees north, in 1e-5°.
    pub lat: i32,
    /// Degrees east, in 1e-5°; 180° is written as -180°.
    pub lng: i32,
    /// Never empty, and free of control characters.
    pub name: &'a str,
    /// Two bytes whose meaning is the provider's own: a country, a kind.
    pub tag: [u8; 2],
}

/// Files `places` in one block of bytes, the same for any order of them.
///
/// # Errors
///
/// [`Refused`], with the first place that cannot be written.
pub fn write<'a>(places: impl IntoIterator<Item = Place<'a>>) -> Result<Vec<u8>, Refused> {
    let mut places = places.into_iter().map(proven).collect::<Result<Vec<_>, _>>()?;
    places.sort_unstable_by_key(|place| (cell_of(place.lat, place.lng), *place));
    let (offsets, names) = store_names(&places);

    let mut block = Vec::with_capacity(4 * (CELLS + 2) + RECORD_BYTES * places.len() + names.len());
    block.extend(stored(places.len()).to_le_bytes());
    for cell in 0..=CELLS {
        let first = places.partition_point(|place| cell_of(place.lat, place.lng) < cell);
        block.extend(stored(first).to_le_bytes());
    }
    for place in &places {
        block.extend(record(place, offsets[place.name]));
    }
    block.extend(names.as_bytes());
    Ok(block)
}

/// A place that the gazetteer does not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its name.
    pub name: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no place for a gazetteer: {:?}: {}", self.name, self.why)
    }
}

impl std::error::Error for Refused {}

fn proven(mut place: Place<'_>) -> Result<Place<'_>, Refused> {
    let why = if place.name.is_empty() || place.name.chars().any(char::is_control) {
        "its name is empty or holds control characters"
    } else if name_length(place.name).is_none() {
        "its name is longer than 65,535 bytes"
    } else if !(-POLE..=POLE).contains(&place.lat) || !(-TURN / 2..=TURN / 2).contains(&place.lng) {
        "it is not on the globe"
    } else {
        if place.lng == TURN / 2 {
            place.lng = -TURN / 2;
        }
        return Ok(place);
    };
    Err(Refused { name: place.name.to_owned(), why })
}

/// All names in one text, each once, and where each begins.
fn store_names<'a>(places: &[Place<'a>]) -> (BTreeMap<&'a str, u32>, String) {
    let mut offsets: BTreeMap<_, _> = places.iter().map(|place| (place.name, 0)).collect();
    let mut names = String::new();
    for (name, offset) in &mut offsets {
        *offset = stored(names.len());
        names.push_str(name);
    }
    (offsets, names)
}

/// A count or an offset as it is stored.
///
/// # Panics
///
/// Past 4 GiB: no list of places that fits a program comes near it.
fn stored(count: usize) -> u32 {
    u32::try_from(count).expect("a gazetteer is smaller than 4 GiB")
}

fn name_length(name: &str) -> Option<u16> {
    u16::try_from(name.len()).ok()
}

/// The number of the cell in which a point lies; the north pole lies in the row south of it.
fn cell_of(lat: i32, lng: i32) -> usize {
    let row = usize::try_from((lat + POLE) / DEGREE).expect("a latitude on the globe").min(ROWS - 1);
    let column = usize::try_from((lng + TURN / 2).rem_euclid(TURN) / DEGREE).expect("a positive remainder");
    row * COLUMNS + column
}

/// Reads a block that [`write()`] has written, where it lies.
#[derive(Debug, Clone, Copy)]
pub struct Gazetteer<'a> {
    firsts: &'a [[u8; 4]],
    records: &'a [Record],
    names: &'a [u8],
}

impl<'a> Gazetteer<'a> {
    /// `None` if the block is shorter than its own first number says.
    #[must_use]
    pub fn open(block: &'a [u8]) -> Option<Self> {
        let (count, rest) = block.split_first_chunk()?;
        let (firsts, rest) = rest.split_at_checked(4 * (CELLS + 1))?;
        let (records, names) = rest.split_at_checked(number(*count).checked_mul(RECORD_BYTES)?)?;
        Some(Self { firsts: firsts.as_chunks().0, records: records.as_chunks().0, names })
    }

    /// All places, by number.
    #[must_use]
    pub fn places(self) -> impl ExactSizeIterator<Item = Place<'a>> {
        let names = self.names;
        self.records.iter().map(|record| place(record, names))
    }

    /// The place with this number.
    ///
    /// # Panics
    ///
    /// If there is none, or the block was not written by [`write()`].
    #[must_use]
    pub fn place(&self, number: usize) -> Place<'a> {
        place(&self.records[number], self.names)
    }

    /// The places before this one that lie at the very same point.
    pub fn before_at_point(&self, number: usize) -> impl Iterator<Item = Place<'a>> {
        let (names, here) = (self.names, &self.records[number]);
        let at_point = move |record: &&Record| (lat(record), lng(record)) == (lat(here), lng(here));
        self.records[..number].iter().rev().take_while(at_point).map(move |record| place(record, names))
    }

    /// How many places before this one lie at the very same point with the same tag: with the point and the tag it
    /// tells any two places apart.
    #[must_use]
    pub fn rank_at_point(&self, number: usize) -> usize {
        let tag = tag(&self.records[number]);
        self.before_at_point(number).filter(|before| before.tag == tag).count()
    }

    /// The places in one cell whose latitude lies within `lats`: their numbers, latitudes and longitudes.
    ///
    /// The cell is in the row of its southern edge and the column of its western one, both in whole degrees.
    pub fn band(&self, south: i32, west: i32, lats: RangeInclusive<i32>) -> impl Iterator<Item = (usize, i32, i32)> {
        let cell = self.cell(cell_of(south * DEGREE, west * DEGREE));
        let records = &self.records[cell.clone()];
        let first = records.partition_point(|record| lat(record) < *lats.start());
        let within = records[first..].iter().take_while(move |record| lat(record) <= *lats.end());
        (cell.start + first..).zip(within).map(|(number, record)| (number, lat(record), lng(record)))
    }

    fn cell(&self, cell: usize) -> Range<usize> {
        number(self.firsts[cell])..number(self.firsts[cell + 1])
    }
}

// One place in the block.

const RECORD_BYTES: usize = 16;
type Record = [u8; RECORD_BYTES];

fn record(place: &Place, name_offset: u32) -> Record {
    let mut record = [0; RECORD_BYTES];
    record[..4].copy_from_slice(&place.lat.to_le_bytes());
    record[4..8].copy_from_slice(&place.lng.to_le_bytes());
    record[8..12].copy_from_slice(&name_offset.to_le_bytes());
    record[12..14].copy_from_slice(&place.tag);
    record[14..].copy_from_slice(&name_length(place.name).unwrap_or(0).to_le_bytes());
    record
}

fn place<'a>(record: &Record, names: &'a [u8]) -> Place<'a> {
    let [.., o0, o1, o2, o3, _, _, l0, l1] = *record;
    let name = &names[number([o0, o1, o2, o3])..][..usize::from(u16::from_le_bytes([l0, l1]))];
    let name = std::str::from_utf8(name).expect("names are written as UTF-8");
    Place { lat: lat(record), lng: lng(record), name, tag: tag(record) }
}

fn lat(record: &Record) -> i32 {
    let [a, b, c, d, ..] = *record;
    i32::from_le_bytes([a, b, c, d])
}

fn lng(record: &Record) -> i32 {
    let [_, _, _, _, a, b, c, d, ..] = *record;
    i32::from_le_bytes([a, b, c, d])
}

fn tag(record: &Record) -> [u8; 2] {
    [record[12], record[13]]
}

fn number(stored: [u8; 4]) -> usize {
    usize::try_from(u32::from_le_bytes(stored)).expect("a platform of 32 bits or more")
}
