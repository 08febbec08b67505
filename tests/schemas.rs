//! Every document that `--json` prints, against the schema of it that is checked in (`tests/schemas/*.json`).
//!
//! The schemas use a part of JSON Schema: `type`, `const`, `enum`, `required`, `properties`, `items`. Fields may be
//! added to a document without a word; one that goes, or changes its type, breaks this.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::commands::Field;

/// Holds `document` against `tests/schemas/<name>.json`.
#[track_caller]
pub fn check(name: &str, document: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/schemas/{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    let schema: Value = serde_json::from_str(&text).unwrap_or_else(|why| panic!("{name}: {why}"));
    if let Err(why) = fits(document, &schema, "$") {
        panic!("{name}: {why}\n{document:#}");
    }
}

fn fits(value: &Value, schema: &Value, place: &str) -> Result<(), String> {
    const WORDS: [&str; 8] = ["$schema", "title", "description", "type", "const", "enum", "required", "properties"];
    for word in schema.as_object().into_iter().flat_map(|schema| schema.keys()) {
        assert!(WORDS.contains(&word.as_str()) || word == "items", "{place}: the schema says {word}");
    }
    let expected = &schema["type"];
    let kinds: Vec<&str> = expected.as_array().map_or_else(
        || expected.as_str().into_iter().collect(),
        |kinds| kinds.iter().filter_map(Value::as_str).collect(),
    );
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_a(value, kind)) {
        return Err(format!("{place} is no {kinds:?}: {value}"));
    }
    if !schema["const"].is_null() && schema["const"] != *value {
        return Err(format!("{place} is not {}: {value}", schema["const"]));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Err(format!("{place} is none of {}: {value}", schema["enum"]));
    }
    let required = schema["required"].as_array().filter(|_| value.is_object());
    for key in required.into_iter().flatten().filter_map(Value::as_str) {
        if value.get(key).is_none() {
            return Err(format!("{place} has no {key}"));
        }
    }
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        if let Some(value) = value.get(key) {
            fits(value, schema, &format!("{place}.{key}"))?;
        }
    }
    for (nth, item) in value.as_array().into_iter().flatten().enumerate() {
        fits(item, &schema["items"], &format!("{place}[{nth}]"))?;
    }
    Ok(())
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        other => panic!("the schema knows {other:?}"),
    }
}

#[test]
fn every_document_fits_its_schema() {
    let field = Field::new();
    check("init", &field.json("init another --json"));
    check("check", &field.json("check --json"));
    check("version", &field.json("version --json"));
    check("error", &field.run("ps --json").failure());
    check("up", &field.json("up -d --json"));
    check("version", &field.json("version --json"));
    check("ps", &field.json("ps --json"));
    check("change", &field.json("kill Clark --json"));
    check("ps", &field.json("ps --json"));
    check("error", &field.run("kill clrk --json").failure());
    check("change", &field.json("start Clark --wait --json"));
    check("iamat", &field.json("iamat kiwi +34.068930-118.445127 --json"));
    check("whatsat", &field.json("whatsat kiwi 10 3 --json"));
    check("fault", &field.json("delay Bona Clark 250ms --jitter 50ms --for 1h --json"));
    check("fault", &field.json("partition Clark,Jaquez --json"));
    check("links", &field.json("links --json"));
    check("whereis", &field.json("whereis --all --json"));
    check("fault", &field.json("heal --all --json"));
    check("whereis", &field.json("whereis kiwi --json"));
    check("forget", &field.json("forget kiwi --json"));
    for event in field.run("events --since 1 --count 10 --json").out.lines() {
        check("event", &serde_json::from_str(event).unwrap());
    }
    for record in field.run("logs -n 50 --json").out.lines() {
        check("log", &serde_json::from_str(record).unwrap());
    }
    check("dash", &field.json("dash --port 0 --json"));
    check("down", &field.json("down --json"));
}

#[test]
fn every_schema_that_the_program_names_is_checked_in_under_its_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let name = regex::Regex::new(r"herd\.([a-z_]+)/([0-9]+)").unwrap();
    let mut named = BTreeSet::new();
    sources(&root.join("src"), &mut |text| {
        named.extend(name.captures_iter(text).map(|found| (found[1].to_owned(), found[0].to_owned())));
    });
    assert!(named.len() > 15, "the search finds what there is: {named:?}");
    for (file, schema) in named {
        let path = root.join(format!("tests/schemas/{file}.json"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{schema}: {}: {why}", path.display()));
        let document: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(document["properties"]["schema"]["const"], schema.as_str(), "{}", path.display());
    }
}

fn sources(folder: &Path, see: &mut dyn FnMut(&str)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, see);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            see(&std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn a_document_that_does_not_fit_is_noticed() {
    let schema = serde_json::json!({"type": "object", "required": ["a"], "properties":
        {"a": {"type": ["integer", "null"]}, "b": {"type": "array", "items": {"enum": ["x", "y"]}}}});
    let fits = |text: &str| super::schemas::fits(&serde_json::from_str(text).unwrap(), &schema, "$");
    for fine in [r#"{"a": 1}"#, r#"{"a": null, "b": [], "new": 1}"#, r#"{"a": 2, "b": ["x", "y"]}"#] {
        assert_eq!(fits(fine), Ok(()), "{fine}");
    }
    for wrong in ["[]", "{}", r#"{"a": 1.5}"#, r#"{"a": "1"}"#, r#"{"a": 1, "b": ["z"]}"#, r#"{"a": 1, "b": {}}"#] {
        assert!(fits(wrong).is_err(), "{wrong}");
    }
}
