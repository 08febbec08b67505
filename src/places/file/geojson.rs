//! Places in GeoJSON (RFC 7946): the points of a `FeatureCollection`, or a `Feature` on each line.
//!
//! A collection is never held whole: one feature after the other is cut out of the stream and read for itself, so that
//! a wrong one is left out and the next is read.

use std::cell::Cell;
use std::fmt;
use std::io::{self, BufRead, Read};
use std::rc::Rc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::gather::Gathered;
use super::{Why, kinds};
use crate::config::harmless;

/// Whether this line is a feature of its own.
pub(super) fn is_feature(line: &[u8]) -> bool {
    serde_json::from_slice::<Feature>(line).is_ok_and(|feature| feature.kind.as_deref() == Some("Feature"))
}

/// Reads a feature from each line.
pub(super) fn lines(mut file: impl BufRead, gathered: &mut Gathered) -> Result<(), Why> {
    let mut text = Vec::new();
    for line in 1.. {
        text.clear();
        if file.read_until(b'\n', &mut text).map_err(Why::Unreadable)? == 0 {
            break;
        }
        let record = text.strip_prefix(b"\x1e").unwrap_or(&text).trim_ascii();
        if !record.is_empty() {
            add(gathered, line, serde_json::from_slice(record))?;
        }
    }
    Ok(())
}

/// Reads the features of a collection.
pub(super) fn collection(file: impl BufRead, gathered: &mut Gathered) -> Result<(), Why> {
    let line = Rc::new(Cell::new(1));
    let mut json = serde_json::Deserializer::from_reader(Counted::new(file, Rc::clone(&line)));
    let mut trouble = None;
    let read = Collection { line: Rc::clone(&line), gathered, trouble: &mut trouble }.deserialize(&mut json);
    match (trouble, read.and_then(|()| json.end())) {
        (Some(why), _) => Err(why),
        (None, Ok(())) => Ok(()),
        (None, Err(why)) if why.is_io() => Err(Why::Unreadable(why.into())),
        (None, Err(why)) => Err(Why::Broken { line: line.get(), why: words(&why) }),
    }
}

/// What is wrong, without the position in what was being read. It may quote the file: what it quotes is kept short,
/// and such that a terminal can show it.
fn words(why: &serde_json::Error) -> String {
    const SHOWN_CHARS_MAX: usize = 120;
    let text = why.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(words, _)| words);
    match text.char_indices().nth(SHOWN_CHARS_MAX) {
        Some((cut, _)) => format!("{}…", harmless(&text[..cut])),
        None => harmless(text),
    }
}

/// Counts the lines that have been read. `serde_json` reads byte by byte, so a byte must cost next to nothing: it comes
/// out of a buffer here.
struct Counted<R> {
    file: R,
    buffer: Vec<u8>,
    /// How much of the buffer has been read.
    at: usize,
    line: Rc<Cell<u64>>,
}

impl<R> Counted<R> {
    fn new(file: R, line: Rc<Cell<u64>>) -> Self {
        Self { file, buffer: Vec::new(), at: 0, line }
    }
}

impl<R: BufRead> Counted<R> {
    #[cold]
    fn refill(&mut self) -> io::Result<()> {
        self.buffer.clear();
        self.buffer.extend_from_slice(self.file.fill_buf()?);
        self.file.consume(self.buffer.len());
        self.at = 0;
        Ok(())
    }
}

impl<R: BufRead> Read for Counted<R> {
    #[inline]
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.at == self.buffer.len() {
            self.refill()?;
        }
        // One byte at a time is what is asked for.
        let (Some(&byte), Some(place)) = (self.buffer.get(self.at), into.first_mut()) else { return Ok(0) };
        *place = byte;
        self.at += 1;
        if byte == b'\n' {
            self.line.set(self.line.get() + 1);
        }
        Ok(1)
    }
}

/// A `FeatureCollection`, while it is being read.
struct Collection<'a> {
    line: Rc<Cell<u64>>,
    gathered: &'a mut Gathered,
    /// Why there is no going on.
    trouble: &'a mut Option<Why>,
}

impl<'de> DeserializeSeed<'de> for Collection<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Collection<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a GeoJSON FeatureCollection")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        let Self { line, gathered, trouble } = self;
        while let Some(key) = map.next_key::<String>()? {
            if key == "features" {
                map.next_value_seed(Features(Collection { line: Rc::clone(&line), gathered, trouble }))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

struct Features<'a>(Collection<'a>);

impl<'de> DeserializeSeed<'de> for Features<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Features<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of features")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut features: S) -> Result<(), S::Error> {
        let Collection { line, gathered, trouble } = self.0;
        while let Some(text) = features.next_element::<Box<RawValue>>()? {
            let lines = memchr::memchr_iter(b'\n', text.get().as_bytes()).count() as u64;
            let first = line.get() - lines;
            if let Err(why) = add(gathered, first, serde_json::from_str(text.get())) {
                *trouble = Some(why);
                return Err(serde::de::Error::custom("no more is wanted"));
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
struct Feature<'a> {
    #[serde(rename = "type", borrow)]
    kind: Option<std::borrow::Cow<'a, str>>,
    #[serde(borrow)]
    geometry: Option<Geometry<'a>>,
    #[serde(borrow)]
    properties: Option<Properties<'a>>,
}

#[derive(Deserialize)]
struct Geometry<'a> {
    #[serde(rename = "type", borrow)]
    kind: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    coordinates: Option<&'a RawValue>,
}

/// What tools call the name and the kind of a place. Each may be anything, and is looked at only if it is wanted.
#[derive(Default, Deserialize)]
struct Properties<'a> {
    // QGIS, uMap and most others.
    #[serde(borrow)]
    name: Option<&'a RawValue>,
    #[serde(borrow)]
    title: Option<&'a RawValue>,
    #[serde(borrow, rename = "type")]
    kind: Option<&'a RawValue>,
    #[serde(borrow)]
    category: Option<&'a RawValue>,
    // Overture.
    #[serde(borrow)]
    names: Option<&'a RawValue>,
    #[serde(borrow)]
    categories: Option<&'a RawValue>,
    // OpenStreetMap.
    #[serde(borrow)]
    amenity: Option<&'a RawValue>,
    #[serde(borrow)]
    tourism: Option<&'a RawValue>,
    #[serde(borrow)]
    shop: Option<&'a RawValue>,
    #[serde(borrow)]
    leisure: Option<&'a RawValue>,
    #[serde(borrow)]
    historic: Option<&'a RawValue>,
    #[serde(borrow)]
    place: Option<&'a RawValue>,
    #[serde(borrow)]
    natural: Option<&'a RawValue>,
    #[serde(borrow)]
    aeroway: Option<&'a RawValue>,
    #[serde(borrow)]
    railway: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Primary {
    primary: Option<String>,
}

fn add(gathered: &mut Gathered, line: u64, feature: serde_json::Result<Feature<'_>>) -> Result<(), Why> {
    match feature.map_err(|why| words(&why)).and_then(|feature| {
        let point = point(feature.geometry.as_ref())?;
        Ok((point, feature.properties.unwrap_or_default()))
    }) {
        Ok((point, properties)) => {
            let name = properties.name().unwrap_or_default();
            let word = properties.word();
            let words: Vec<&str> = word.iter().map(String::as_str).collect();
            gathered.add(line, &name, point, &kinds::complete(&words))
        }
        Err(why) => {
            gathered.refuse(line, why);
            Ok(())
        }
    }
}

/// Latitude and longitude; GeoJSON has them the other way round.
fn point(geometry: Option<&Geometry<'_>>) -> Result<[f64; 2], String> {
    let Some(geometry) = geometry else { return Err("it has no geometry".to_owned()) };
    if geometry.kind != "Point" {
        return Err("its geometry is not a Point".to_owned());
    }
    let numbers: Option<Vec<f64>> = geometry.coordinates.and_then(|text| serde_json::from_str(text.get()).ok());
    match numbers.as_deref() {
        Some([lng, lat, ..]) => Ok([*lat, *lng]),
        _ => Err("its coordinates are not two numbers".to_owned()),
    }
}

impl Properties<'_> {
    fn name(&self) -> Option<String> {
        text(self.name).or_else(|| text(self.title)).or_else(|| primary(self.names))
    }

    /// What kind of place it is, in one word.
    fn word(&self) -> Option<String> {
        let said = [
            (self.amenity, "amenity"),
            (self.tourism, "tourism"),
            (self.shop, "shop"),
            (self.leisure, "leisure"),
            (self.historic, "historic"),
            (self.aeroway, "aeroway"),
            (self.railway, "railway"),
            (self.natural, "natural"),
            (self.place, "place"),
        ];
        let of_osm = said.iter().find_map(|(value, key)| Some(kinds::of_osm(key, &text(*value)?)));
        let other = || primary(self.categories).or_else(|| text(self.category)).or_else(|| text(self.kind));
        of_osm.flatten().or_else(|| kinds::word(&other()?))
    }
}

fn text(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(value?.get()).ok()
}

fn primary(value: Option<&RawValue>) -> Option<String> {
    serde_json::from_str::<Primary>(value?.get()).ok()?.primary
}
