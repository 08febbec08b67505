//! Places in tables: GeoNames dumps, and CSV with a header.

use std::io::BufRead;

use csv::{ByteRecord, ReaderBuilder};

use super::gather::Gathered;
use super::{Why, kinds};
use crate::limits::PLACE_TYPES_MAX;

/// See "The main 'geoname' table" in <https://download.geonames.org/export/dump/readme.txt>.
pub(super) const GEONAMES_COLUMNS: usize = 19;
const NAME: usize = 1;
const LATITUDE: usize = 4;
const LONGITUDE: usize = 5;
const CLASS: usize = 6;
const CODE: usize = 7;

pub(super) fn geonames(file: impl BufRead, gathered: &mut Gathered) -> Result<(), Why> {
    // Quotes are plain characters there.
    let mut table =
        ReaderBuilder::new().delimiter(b'\t').quoting(false).has_headers(false).flexible(true).from_reader(file);
    let mut row = ByteRecord::new();
    while table.read_byte_record(&mut row).map_err(unreadable)? {
        let line = line(&row);
        if row.len() != GEONAMES_COLUMNS {
            gathered.refuse(line, format!("it has {} columns, not {GEONAMES_COLUMNS}", row.len()));
            continue;
        }
        let types = kinds::of_geonames(&row[CLASS], &row[CODE]);
        add(gathered, &row, Columns { name: NAME, lat: LATITUDE, lng: LONGITUDE, kind: None }, line, types)?;
    }
    Ok(())
}

pub(super) fn csv(file: impl BufRead, delimiter: u8, gathered: &mut Gathered) -> Result<(), Why> {
    let mut table = ReaderBuilder::new().delimiter(delimiter).has_headers(true).flexible(true).from_reader(file);
    let columns = Columns::of(table.byte_headers().map_err(unreadable)?).ok_or(Why::NoColumns)?;
    let mut row = ByteRecord::new();
    while table.read_byte_record(&mut row).map_err(unreadable)? {
        let said = columns.kind.and_then(|kind| std::str::from_utf8(row.get(kind)?).ok()).unwrap_or_default();
        let words: Vec<String> = said.split([';', '|', ',']).filter_map(kinds::word).take(PLACE_TYPES_MAX).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        add(gathered, &row, columns, line(&row), &kinds::complete(&words))?;
    }
    Ok(())
}

/// Which columns hold what.
#[derive(Clone, Copy)]
struct Columns {
    name: usize,
    lat: usize,
    lng: usize,
    kind: Option<usize>,
}

impl Columns {
    /// By the header, in any case.
    fn of(header: &ByteRecord) -> Option<Self> {
        let named = |names: &[&str]| {
            let is_it =
                |name: &&str| header.iter().position(|title| title.trim_ascii().eq_ignore_ascii_case(name.as_bytes()));
            names.iter().find_map(is_it)
        };
        Some(Self {
            name: named(&["name", "title", "label", "place", "place_name"])?,
            lat: named(&["latitude", "lat", "y"])?,
            lng: named(&["longitude", "lng", "lon", "long", "x"])?,
            kind: named(&["types", "type", "category", "kind", "class", "amenity"]),
        })
    }
}

fn add(gathered: &mut Gathered, row: &ByteRecord, columns: Columns, line: u64, types: &[&str]) -> Result<(), Why> {
    let text = |column: usize| std::str::from_utf8(row.get(column).unwrap_or_default());
    let number = |column: usize| text(column).ok()?.trim().parse::<f64>().ok();
    let Ok(name) = text(columns.name) else {
        gathered.refuse(line, "its name is not UTF-8");
        return Ok(());
    };
    match (number(columns.lat), number(columns.lng)) {
        (Some(lat), Some(lng)) => gathered.add(line, name, [lat, lng], types),
        (None, _) => {
            gathered.refuse(line, "its latitude is no number");
            Ok(())
        }
        (_, None) => {
            gathered.refuse(line, "its longitude is no number");
            Ok(())
        }
    }
}

fn line(row: &ByteRecord) -> u64 {
    row.position().map_or(0, csv::Position::line)
}

fn unreadable(why: csv::Error) -> Why {
    match why.into_kind() {
        csv::ErrorKind::Io(why) => Why::Unreadable(why),
        _ => unreachable!("bytes in rows of any length cannot be wrong"),
    }
}
