//! The `[bus]` part of herd.toml: where herds are joined, and which servers see to it.
//!
//! What the bus asks for to let somebody in never stands in herd.toml: who writes it there is told where it belongs,
//! and it is not shown again.

use std::ops::Range;
use std::path::Path;

use reqwest::Url;

use super::fields::{Field, Fields, Text};
use super::mistakes::{Found, Kind, quoted};
use super::names::{closest, folded};
use super::notes::Notes;
use super::{Bus, Server};
use crate::limits::{BUS_BRIDGES_RANGE, BUS_BUCKET_BYTES_MAX, BUS_REPLICAS_RANGE, URL_BYTES_MAX};

/// What people call the secret that must not stand here.
const KEYS_OF_NOBODY: [&str; 6] = ["password", "pass", "token", "creds", "credentials", "nkey"];
/// Without a name of its own, herds that share a bus share this bucket.
const BUCKET: &str = "herd_locations";

/// `None` if there is no such table, or nothing in it that could be used. `servers` are those of the herd.
pub(super) fn bus(file: &mut Fields<'_>, folder: &Path, servers: &[Server]) -> Option<Bus> {
    let table = file.get("bus")?;
    let mut bus = table.table("[bus]", "a table, whose keys stand below a line `[bus]`")?;
    if !cfg!(feature = "bus") {
        note_not_built(&table);
    }
    for key in KEYS_OF_NOBODY {
        if let Some(field) = bus.refuse(key) {
            refuse_secret(field.key.clone(), field.value_span(), field.notes);
        }
    }
    let url = bus.need("url", "url = \"nats://127.0.0.1:4222\"").and_then(|field| url(&field.text()?, field.notes));
    let read = Bus {
        url: url.unwrap_or_default(),
        creds_file: bus.get("creds_file").and_then(|field| field.path()).map(|path| folder.join(path)),
        servers: bus.get("servers").and_then(|field| bridges(&field, servers)).unwrap_or_else(|| vec![0]),
        bucket: bus.get("bucket").and_then(|field| bucket(&field)).unwrap_or_else(|| BUCKET.to_owned()),
        replicas: bus.number("replicas", 1, BUS_REPLICAS_RANGE),
    };
    bus.close();
    Some(read).filter(|bus| !bus.url.is_empty())
}

fn note_not_built(table: &Field<'_>) {
    let message = "this herdctl was built without the bus";
    let found = Found::new(Kind::NotBuilt, table.key.clone(), message).label("nobody would join it");
    table.notes.add(found.help("build it with the feature `bus`, which is there by default"));
}

fn refuse_secret(place: Range<usize>, secret: Range<usize>, notes: &Notes<'_>) {
    notes.hide(secret);
    notes.add(
        Found::new(Kind::SecretInFile, place, "what the bus asks for does not stand in herd.toml")
            .label("not shown")
            .help("put it into a file that only you can read and name that: creds_file = \"bus.creds\""),
    );
}

/// The address of a NATS server; the port may be left out.
fn url(Text { text, span }: &Text<'_>, notes: &Notes<'_>) -> Option<String> {
    let url = Url::parse(text).ok();
    if url.as_ref().is_none_or(|url| !url.username().is_empty() || url.password().is_some()) && text.contains('@') {
        refuse_secret(span.clone(), span.clone(), notes);
        return None;
    }
    let flaw = match &url {
        _ if text.len() > URL_BYTES_MAX => "it is longer than any address",
        None => "it is no URL",
        Some(url) if !matches!(url.scheme(), "nats" | "tls") => "neither nats nor tls",
        Some(url) if url.host_str().is_none_or(str::is_empty) => "it names no host",
        Some(url) if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() => {
            "it goes on after the host"
        }
        Some(url) => return Some(url.as_str().trim_end_matches('/').to_owned()),
    };
    notes.add(
        Found::new(Kind::NotAUrl, span.clone(), "this is no address of a bus")
            .label(flaw)
            .help("for example \"nats://127.0.0.1:4222\", or \"tls://nats.example.com\""),
    );
    None
}

/// The servers that are named, each once.
fn bridges(field: &Field<'_>, servers: &[Server]) -> Option<Vec<usize>> {
    let items = field.list("a bridge", "bridge", &BUS_BRIDGES_RANGE)?;
    let mut bridges: Vec<usize> = items.iter().filter_map(|item| bridge(item, servers)).collect();
    bridges.sort_unstable();
    bridges.dedup();
    Some(bridges)
}

fn bridge(item: &Field<'_>, servers: &[Server]) -> Option<usize> {
    let Text { text, span } = item.text()?;
    let found = servers.iter().position(|server| folded(&server.name) == folded(text));
    // If the servers are wrong themselves, that has been said.
    if found.is_none() && !servers.is_empty() {
        let names = servers.iter().map(|server| server.name.as_str());
        let help = closest(text, names).map(|meant| format!("did you mean {}?", quoted(meant)));
        item.notes.add(
            Found::new(Kind::UnknownServer, span, format!("unknown server {} in `[bus]`", quoted(text)))
                .label("no server has this name")
                .maybe_help(help),
        );
    }
    found
}

/// The name of a key-value bucket, as NATS has them.
fn bucket(field: &Field<'_>) -> Option<String> {
    let Text { text, span } = field.text()?;
    let flaw = if text.is_empty() {
        "it is empty"
    } else if text.len() > BUS_BUCKET_BYTES_MAX {
        "it is longer than 64 bytes"
    } else if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
        "letters, digits, - and _ are allowed"
    } else {
        return Some(text.to_owned());
    };
    field.notes.add(
        Found::new(Kind::NotAName, span, format!("{} is no name for a bucket", quoted(text)))
            .label(flaw)
            .help(format!("for example `{BUCKET}`")),
    );
    None
}
