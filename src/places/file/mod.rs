//! The user's own places: a GeoNames dump, GeoJSON points or a CSV with a header, told apart by what is in them.
//!
//! A file is read once for the whole process, into the same kind of gazetteer as the embedded places, and all servers
//! search it where it lies. A record that is no place is left out, counted, and named if it is among the first; a
//! file without any good one is refused.
//!
//! Reading order: here, `gather` what all formats come to, `table` and `geojson` the formats, [`kinds`] what a place
//! is called in Google's words.

mod gather;
mod geojson;
pub mod kinds;
mod table;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use super::gazetteer::{self, Gazetteer, Place};
use super::local::{self, Data};
use super::{Answer, Circle, embedded};
use crate::config::{PlacesFile, counted};
use crate::limits::PLACES_FILE_BYTES_MAX;
use gather::Gathered;
use kinds::Kinds;

/// The places of a file, read only.
pub struct Dataset {
    path: PathBuf,
    format: Format,
    /// What [`gazetteer::write`] has written; the tag of a place is its kind.
    block: Vec<u8>,
    kinds: Kinds,
    attribution: Option<String>,
    places: usize,
    bad: BadRecords,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `US.txt`, `cities500.txt`: a table of 19 columns between tabs.
    GeoNames,
    /// A `FeatureCollection`.
    GeoJson,
    /// A `Feature` on each line (RFC 8142).
    GeoJsonLines,
    /// With a header, between this byte.
    Csv(u8),
}

/// What was left out of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BadRecords {
    pub count: usize,
    /// The first few: the line on which each begins, from 1, and what is wrong with it.
    pub first: Vec<(u64, String)>,
}

impl Dataset {
    /// Reads the file. 200,000 places take well under a second.
    ///
    /// # Errors
    ///
    /// [`Unusable`]: there is no place to be had from it.
    pub fn read(config: &PlacesFile) -> Result<Self, Unusable> {
        let path = &config.path;
        let unusable = |why| Unusable { path: path.clone(), why };
        let mut file = open(path).map_err(unusable)?;
        let mut gathered = Gathered::default();
        let format = gather(&mut file, &mut gathered).map_err(unusable)?;
        if gathered.is_empty() {
            return Err(unusable(Why::NoneGood(gathered.bad)));
        }
        let Ok(block) = gazetteer::write(gathered.places()) else {
            unreachable!("only places that a gazetteer takes are gathered")
        };
        let of_geonames = (format == Format::GeoNames).then(|| embedded::CREDIT.to_owned());
        Ok(Self {
            path: path.clone(),
            format,
            block,
            places: gathered.len(),
            kinds: gathered.kinds,
            attribution: config.attribution.clone().or(of_geonames),
            bad: gathered.bad,
        })
    }

    /// The `bound` places of `circle` nearest to its centre, as [`super::Places::nearby`] answers.
    #[must_use]
    pub fn nearby(&self, circle: Circle, bound: usize) -> Answer {
        local::answer(self, circle, bound, None)
    }

    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// How many places there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places
    }

    /// Never: a file without places is refused.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places == 0
    }

    #[must_use]
    pub fn bad(&self) -> &BadRecords {
        &self.bad
    }
}

/// The file, if it is one, and not longer than a file of places is.
fn open(path: &Path) -> Result<BufReader<io::Take<File>>, Why> {
    // Asked before opening: a pipe would be waited for.
    let about = path.metadata().map_err(Why::Unreadable)?;
    if !about.is_file() {
        return Err(Why::NotAFile);
    }
    if about.len() > PLACES_FILE_BYTES_MAX {
        return Err(Why::TooLong);
    }
    let file = File::open(path).map_err(Why::Unreadable)?;
    Ok(BufReader::with_capacity(64 * 1024, file.take(PLACES_FILE_BYTES_MAX)))
}

/// Reads everything, in whichever format it is.
fn gather(file: &mut impl BufRead, gathered: &mut Gathered) -> Result<Format, Why> {
    let head = file.fill_buf().map_err(Why::Unreadable)?;
    if head.starts_with(b"\xef\xbb\xbf") {
        file.consume(3);
    }
    let format = recognise(file.fill_buf().map_err(Why::Unreadable)?);
    match format {
        Format::GeoNames => table::geonames(file, gathered)?,
        Format::Csv(delimiter) => table::csv(file, delimiter, gathered)?,
        Format::GeoJson => geojson::collection(file, gathered)?,
        Format::GeoJsonLines => geojson::lines(file, gathered)?,
    }
    Ok(format)
}

fn recognise(head: &[u8]) -> Format {
    let text = head.trim_ascii_start();
    let line = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let count = |wanted: u8| line.iter().filter(|&&byte| byte == wanted).count();
    if text.starts_with(b"\x1e") || (text.starts_with(b"{") && geojson::is_feature(line)) {
        Format::GeoJsonLines
    } else if text.starts_with(b"{") {
        Format::GeoJson
    } else if count(b'\t') == table::GEONAMES_COLUMNS - 1 {
        Format::GeoNames
    } else {
        // A comma may stand in a name, a tab does not.
        let most = [b'\t', b';', b','].into_iter().rev().max_by_key(|&delimiter| count(delimiter));
        Format::Csv(most.unwrap_or(b','))
    }
}

impl Data for Dataset {
    fn gazetteer(&self) -> Gazetteer<'_> {
        Gazetteer::open(&self.block).expect("the block was written whole")
    }

    fn credit(&self) -> Option<&str> {
        self.attribution.as_deref()
    }

    fn identify(&self, number: usize, place: &Place<'_>, id: &mut String) {
        id.push_str("herd:file:");
        local::push_point(place, self.gazetteer().before_at_point(number).count(), id);
    }

    fn types(&self, place: &Place<'_>) -> impl Iterator<Item = &str> {
        self.kinds.types(place.tag)
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dataset({self})")
    }
}

/// In a few words.
impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} ({})", counted(self.places, "place"), self.path.display(), self.format)?;
        match self.bad.count {
            0 => Ok(()),
            bad => write!(f, ", {} left out", counted(bad, "record")),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GeoNames => "a GeoNames dump",
            Self::GeoJson => "GeoJSON",
            Self::GeoJsonLines => "GeoJSON, a feature a line",
            Self::Csv(b'\t') => "a table between tabs",
            Self::Csv(_) => "CSV",
        })
    }
}

/// The first few, a line each.
impl fmt::Display for BadRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, why) in &self.first {
            writeln!(f, "  line {line}: {why}")?;
        }
        match self.count - self.first.len() {
            0 => Ok(()),
            more => writeln!(f, "  and {more} more"),
        }
    }
}

/// A file that holds no places for us.
#[derive(Debug)]
pub struct Unusable {
    path: PathBuf,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Unreadable(io::Error),
    NotAFile,
    TooLong,
    TooMany,
    /// A table without the columns that make a place.
    NoColumns,
    /// It is no JSON from this line on.
    Broken {
        line: u64,
        why: String,
    },
    NoneGood(BadRecords),
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        match &self.why {
            Why::Unreadable(why) => write!(f, "the places file {path} cannot be read: {why}"),
            Why::NotAFile => write!(f, "the places file {path} is not a file"),
            Why::TooLong => write!(f, "the places file {path} is longer than {PLACES_FILE_BYTES_MAX} bytes"),
            Why::TooMany => write!(f, "the places file {path} holds more than {} places", crate::limits::PLACES_MAX),
            Why::NoColumns => write!(f, "the places file {path} names no columns for name, latitude and longitude"),
            Why::Broken { line, why } => write!(f, "the places file {path} breaks off in line {line}: {why}"),
            Why::NoneGood(bad) if bad.count == 0 => write!(f, "the places file {path} holds no places"),
            Why::NoneGood(bad) => {
                let bad_ones = counted(bad.count, "record");
                write!(f, "the places file {path} holds no places; {bad_ones} left out:\n{bad}")
            }
        }
    }
}

impl std::error::Error for Unusable {}

impl Unusable {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self.why {
            Why::TooLong | Why::TooMany => "cut it down to the part of the world that you need",
            Why::Broken { .. } => "was it downloaded whole?",
            _ => {
                "a places file is a GeoNames dump (US.txt), GeoJSON with points, or a CSV whose first line names its \
                 columns, such as name,latitude,longitude,type"
            }
        }
        .to_owned()
    }
}
