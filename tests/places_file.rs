//! The user's own places: a file of each format, what is left out of it and why, and what is refused.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use herdctl::config::PlacesFile;
use herdctl::places::Circle;
use herdctl::places::file::{Dataset, Format};
use serde_json::Value;

use crate::support::canary::Folder;

const SAMPLEVILLE: Circle = Circle { lat: 34.05, lng: -118.45, radius_km: 10.0 };

fn file(text: impl AsRef<[u8]>) -> (Folder, PathBuf) {
    let folder = Folder::new();
    let path = folder.path().join("places");
    fs::write(&path, text).unwrap();
    (folder, path)
}

fn read(text: impl AsRef<[u8]>) -> Dataset {
    let (_folder, path) = file(text);
    Dataset::read(&PlacesFile { path, attribution: None }).unwrap_or_else(|why| panic!("{why}"))
}

#[track_caller]
fn refused(text: impl AsRef<[u8]>) -> String {
    let (_folder, path) = file(text);
    let why = Dataset::read(&PlacesFile { path: path.clone(), attribution: None }).unwrap_err();
    assert!(!why.hint().is_empty());
    why.to_string().replace(&path.display().to_string(), "FILE")
}

/// The names and the first types of the places around Sampleville, nearest first.
fn names(data: &Dataset) -> Vec<(String, String)> {
    let answer: Value = serde_json::from_str(&data.nearby(SAMPLEVILLE, 20).json).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let results = answer["results"].as_array().unwrap();
    results.iter().map(|place| (text(&place["name"]), text(&place["types"][0]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(name, kind)| (name.to_owned(), kind.to_owned())).collect()
}

fn geonames(name: &str, lat: &str, lng: &str, class: &str, code: &str) -> String {
    format!(
        "1\t{name}\t{name}\t\t{lat}\t{lng}\t{class}\t{code}\tUS\t\tCA\t037\t\t\t0\t\t10\tAmerica/Los_Angeles\t2020-01-01\n"
    )
}

#[test]
fn a_geonames_dump() {
    let text = [
        geonames("Sampleville", "34.05", "-118.45", "P", "PPL"),
        geonames("Sample \"Quoted\" Museum", "34.051", "-118.45", "S", "MUS"),
        geonames("Sample Airport", "34.052", "-118.45", "S", "AIRP"),
        geonames("Sample Park", "34.053", "-118.45", "L", "PRK"),
        geonames("Mount Sample", "34.054", "-118.45", "T", "MT"),
        geonames("No such latitude", "95", "-118.45", "T", "MT"),
        "only\tthree\tcolumns\n".to_owned(),
    ];
    let data = read(text.concat());
    assert_eq!(data.format(), Format::GeoNames);
    assert_eq!(
        names(&data),
        pairs(&[
            ("Sampleville", "locality"),
            ("Sample \"Quoted\" Museum", "museum"),
            ("Sample Airport", "airport"),
            ("Sample Park", "park"),
            ("Mount Sample", "natural_feature"),
        ])
    );
    assert_eq!(
        data.bad().first,
        [(6, "its latitude is not from -90 to 90".to_owned()), (7, "it has 3 columns, not 19".to_owned())]
    );
    // GeoNames asks to be credited, whether the user thought of it or not.
    assert!(data.nearby(SAMPLEVILLE, 1).json.contains("geonames.org"));
}

#[test]
fn an_answer_has_the_shape_of_google_s() {
    let text = geonames("Sample Museum", "34.05", "-118.45", "S", "MUS");
    let (_folder, path) = file(text);
    let credit = "<a href=\"https://a.example\">A & B</a>";
    let data = Dataset::read(&PlacesFile { path, attribution: Some(credit.into()) }).unwrap();
    let answer: Value = serde_json::from_str(&data.nearby(SAMPLEVILLE, 5).json).unwrap();
    assert_eq!(
        answer,
        serde_json::json!({
            "html_attributions": [credit],
            "results": [{
                "geometry": {
                    "location": { "lat": 34.05, "lng": -118.45 },
                    "viewport": {
                        "northeast": { "lat": 34.05135, "lng": -118.44865 },
                        "southwest": { "lat": 34.04865, "lng": -118.45135 },
                    },
                },
                "name": "Sample Museum",
                "place_id": "herd:file:+3405000-11845000",
                "reference": "herd:file:+3405000-11845000",
                "scope": "APP",
                "types": ["museum", "point_of_interest", "establishment"],
            }],
            "status": "OK",
        })
    );
    let nothing: Value = serde_json::from_str(&data.nearby(Circle { lat: 0.0, ..SAMPLEVILLE }, 5).json).unwrap();
    assert_eq!(nothing, serde_json::json!({ "html_attributions": [], "results": [], "status": "ZERO_RESULTS" }));
}

#[test]
fn two_places_at_one_point_have_two_identities_whatever_they_are() {
    let at = |name, code| geonames(name, "34.05", "-118.45", "S", code);
    let data = read([at("A", "MUS"), at("B", "HTL"), at("C", "MUS")].concat());
    let answer: Value = serde_json::from_str(&data.nearby(SAMPLEVILLE, 5).json).unwrap();
    let ids: Vec<&str> =
        answer["results"].as_array().unwrap().iter().map(|r| r["place_id"].as_str().unwrap()).collect();
    let first = "herd:file:+3405000-11845000";
    assert_eq!(ids, [first, &format!("{first}:2"), &format!("{first}:3")]);
}

#[test]
fn csv_with_a_header_in_any_order_and_between_commas_semicolons_or_tabs() {
    let comma = "\u{feff}Latitude,Type,Longitude,Name\r\n34.05,cafe,-118.45,\"Sample, the \"\"Café\"\"\"\r\n34.051,Coffee Shop;bar,-118.45,Two\r\n";
    let data = read(comma);
    assert_eq!(data.format(), Format::Csv(b','));
    assert_eq!(names(&data), pairs(&[("Sample, the \"Café\"", "cafe"), ("Two", "coffee_shop")]));
    let semicolon = "name;lat;lon\nOne, only;34.05;-118.45\n";
    assert_eq!(names(&read(semicolon)), pairs(&[("One, only", "point_of_interest")]));
    let tab = "x\ty\ttitle\n-118.45\t34.05\tOne, only; really\n";
    assert_eq!(names(&read(tab)), pairs(&[("One, only; really", "point_of_interest")]));
}

#[test]
fn bad_rows_are_counted_and_the_first_are_named() {
    let mut text = "name,lat,lng\nFine,34.05,-118.45\n".to_owned();
    text += "No numbers,north,west\n,34,-118\nNowhere,34\nFar,34,-181\n\"two\nlines\",34,-118\nNot a number,NaN,inf\n";
    let data = read(text.as_bytes());
    assert_eq!((data.len(), data.bad().count), (1, 6));
    let first: Vec<(u64, &str)> = data.bad().first.iter().map(|(line, why)| (*line, why.as_str())).collect();
    assert_eq!(
        first,
        [
            (3, "its latitude is no number"),
            (4, "it has no name"),
            (5, "its longitude is no number"),
            (6, "its longitude is not from -180 to 180"),
            (7, "its name holds a control character"),
        ]
    );
    assert!(data.to_string().ends_with("(CSV), 6 records left out"), "{data}");
    assert!(data.bad().to_string().ends_with("  and 1 more\n"), "{}", data.bad());
    let latin = read(b"name,lat,lng\nFine,34.05,-118.45\nCaf\xe9,34.05,-118.45\n");
    assert_eq!(latin.bad().first, [(3, "its name is not UTF-8".to_owned())]);
}

#[test]
fn geojson_points_of_osm_overture_and_others() {
    let text = r#"{ "type": "FeatureCollection", "generator": "x",
  "features": [
    { "type": "Feature", "properties": { "name": "Inn", "tourism": "hotel", "type": 5 },
      "geometry": { "type": "Point", "coordinates": [-118.45, 34.05, 12.5] } },
    { "type": "Feature", "geometry": { "type": "Polygon", "coordinates": [[[0, 0]]] }, "properties": { "name": "Area" } },
    { "type": "Feature", "properties": { "names": { "primary": "Diner" }, "categories": { "primary": "restaurant" } },
      "geometry": { "type": "Point", "coordinates": [-118.45, 34.051] } },
    { "type": "Feature", "properties": { "title": "Spot", "category": "<b>" },
      "geometry": { "type": "Point", "coordinates": [-118.45, 34.052] } },
    { "type": "Feature", "properties": null, "geometry": { "type": "Point", "coordinates": [-118.45, 34.05] } },
    { "type": "Feature", "properties": { "name": "No geometry" }, "geometry": null },
    17,
    { "type": "Feature", "properties": { "name": "Words" }, "geometry": { "type": "Point", "coordinates": ["a", "b"] } }
  ],
  "after": { "features": [] } }
"#;
    let data = read(text);
    assert_eq!(data.format(), Format::GeoJson);
    assert_eq!(names(&data), pairs(&[("Inn", "lodging"), ("Diner", "restaurant"), ("Spot", "point_of_interest")]));
    let first: Vec<(u64, &str)> = data.bad().first.iter().map(|(line, why)| (*line, why.as_str())).collect();
    assert_eq!(data.bad().count, 5);
    assert_eq!(first[..3], [(5, "its geometry is not a Point"), (10, "it has no name"), (11, "it has no geometry")]);
    assert_eq!((first[3].0, first[4]), (12, (13, "its coordinates are not two numbers")));
}

#[test]
fn geojson_with_a_feature_a_line() {
    let feature = r#"{"type":"Feature","properties":{"name":"Inn","amenity":"pub"},"geometry":{"type":"Point","coordinates":[-118.45,34.05]}}"#;
    for begin in ["", "\u{1e}"] {
        let data = read(format!("{begin}{feature}\n{begin}{{\"type\":\n\n{begin}{feature}\n"));
        assert_eq!(data.format(), Format::GeoJsonLines);
        assert_eq!(names(&data), pairs(&[("Inn", "bar"), ("Inn", "bar")]));
        assert_eq!((data.bad().count, data.bad().first[0].0), (1, 2));
    }
}

#[test]
fn a_file_without_places_is_refused_with_the_reason() {
    assert_eq!(refused(""), "the places file FILE names no columns for name, latitude and longitude");
    assert_eq!(refused("\x7fELF\0\0\0"), "the places file FILE names no columns for name, latitude and longitude");
    assert_eq!(refused("name,lat,lon\n"), "the places file FILE holds no places");
    assert_eq!(
        refused("name,lat,lon\nA,b,c\n"),
        "the places file FILE holds no places; 1 record left out:\n  line 2: its latitude is no number\n"
    );
    assert_eq!(refused("{}"), "the places file FILE holds no places");
    let broken = "{\"type\":\"FeatureCollection\",\n\"features\":[\n{\"type\":\"Feature\"},\n{\"type\":";
    assert_eq!(refused(broken), "the places file FILE breaks off in line 4: EOF while parsing a value");
    assert_eq!(
        refused("{\"features\":7}"),
        "the places file FILE breaks off in line 1: invalid type: integer `7`, expected a list of features"
    );
    let folder = Folder::new();
    let of = |path: PathBuf| Dataset::read(&PlacesFile { path, attribution: None }).unwrap_err().to_string();
    assert!(of(folder.path().join("none")).contains("cannot be read: No such file"));
    assert!(of(folder.path().to_owned()).ends_with("is not a file"));
}

#[test]
fn what_is_wrong_with_a_record_cannot_hurt_a_terminal() {
    let wrong = "x".repeat(100_000);
    let text = format!(
        "{{\"features\":[{{\"type\":\"Feature\",\"geometry\":{{\"type\":\"Point\",\"coordinates\":[1,2]}},\"properties\":\"\\u001b[31m{wrong}\"}},\n{{\"properties\":{{\"name\":\"ok\"}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":[1,2]}}}}]}}"
    );
    let data = read(text);
    let (_, why) = &data.bad().first[0];
    assert!(why.len() < 300 && !why.contains(char::is_control), "{why}");
}

/// Two hundred thousand places: how long that may take is measured by a bench; here it must only work, and be found.
#[test]
fn a_large_file_of_each_format_is_read_whole() {
    let count = 20_000;
    let at = |number: u32| (f64::from(number / 200) / 100.0, f64::from(number % 200) / 100.0);
    let (mut dump, mut csv) = (String::new(), "name,latitude,longitude,type\n".to_owned());
    let mut json = "{\"type\":\"FeatureCollection\",\"features\":[\n".to_owned();
    for number in 0..count {
        let (lat, lng) = at(number);
        dump += &geonames(&format!("Place {number}"), &lat.to_string(), &lng.to_string(), "P", "PPL");
        let _ = writeln!(csv, "Place {number},{lat},{lng},cafe");
        let comma = if number + 1 < count { "," } else { "" };
        let _ = writeln!(
            json,
            "{{\"type\":\"Feature\",\"properties\":{{\"name\":\"Place {number}\"}},\"geometry\":{{\"type\":\"Point\",\"coordinates\":[{lng},{lat}]}}}}{comma}"
        );
    }
    json += "]}";
    for text in [dump, csv, json] {
        let data = read(text);
        assert_eq!((data.len(), data.bad().count), (20_000, 0), "{data}");
        let (lat, lng) = at(12_345);
        let answer: Value = serde_json::from_str(&data.nearby(Circle { lat, lng, radius_km: 0.1 }, 20).json).unwrap();
        assert_eq!(answer["results"][0]["name"], "Place 12345");
    }
}
