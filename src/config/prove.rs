//! The shape of herd.toml: its keys, their types, words, ranges and defaults.
//!
//! Reads everything once, top-down; what is wrong is noted and reading goes on. A [`Config`] comes out only
//! if nothing was.

use std::path::Path;

use toml::de::DeTable;

use super::ack::{ack, heard};
use super::bus::bus;
use super::control::control;
use super::fields::Fields;
use super::graph::{Graph, graph};
use super::metrics::metrics;
use super::mistakes::{Found, Kind, Mistakes};
use super::names::is_name;
use super::notes::Notes;
use super::places::places;
use super::tls::tls;
use super::{Ack, Archive, Config, Flooding, Limits, Log, Traffic, WhenBehind};
use crate::limits;

pub(super) fn prove(text: &str, path: &Path) -> Result<(Config, Mistakes), Mistakes> {
    let notes = Notes::new(text, path);
    let (file, broken) = DeTable::parse_recoverable(text);
    for why in &broken {
        notes.add_syntax(why);
    }
    let config = herd(Fields::of_file("herd.toml", file.get_ref(), &notes), path);
    notes.verdict(config)
}

/// The whole file. `None` if something that has no default is missing or wrong.
fn herd(mut file: Fields<'_>, path: &Path) -> Option<Config> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let folder = path.parent().unwrap_or(&path);

    let name = file.need("herd", "herd = \"ucla\"").and_then(|field| field.text());
    let name = name.filter(|name| is_name(name, "herd", file.notes));
    let ack = ack(&mut file);
    let secret_file = file.get("secret_file").and_then(|field| field.path()).map(|path| folder.join(path));
    let graph = graph(&mut file);
    let heard = heard(&mut file, ack, graph.as_ref());
    let flooding = file.choice("flooding", &[("plain", Flooding::Plain), ("tree", Flooding::Tree)]);
    let tls = tls(&mut file, folder, graph.as_ref().map_or(&[], |graph| &graph.servers));
    let (servers, named) = graph.as_ref().map_or((&[][..], &[][..]), |graph| (&graph.servers, &graph.controls));
    let control = control(&mut file, folder, servers, named, tls.is_some());
    let log = log(file.table("log", "[log]"), folder);
    let archive = archive(&mut file, folder, ack);
    let bus = bus(&mut file, folder, graph.as_ref().map_or(&[], |graph| &graph.servers));
    let places = places(file.table("places", "[places]"), folder);
    let metrics = metrics(file.table("metrics", "[metrics]"), graph.as_ref().map_or(&[], |graph| &graph.metrics));
    let limits = limits(file.table("limits", "[limits]"));
    file.close();

    let Graph { servers, links, .. } = graph?;
    let places = places?;
    Some(Config {
        herd: name?.text.to_owned(),
        servers,
        links,
        ack,
        heard,
        flooding,
        secret_file,
        tls,
        control,
        log,
        archive,
        bus,
        places,
        metrics,
        limits,
        path,
    })
}

fn log(mut log: Fields<'_>, folder: &Path) -> Log {
    let read = Log {
        directory: folder.join(log.get("directory").and_then(|field| field.path()).unwrap_or("logs")),
        traffic: log.choice("traffic", &[("all", Traffic::All), ("clients", Traffic::Clients), ("off", Traffic::Off)]),
        when_behind: log.choice("when_behind", &[("wait", WhenBehind::Wait), ("count", WhenBehind::Count)]),
        file_bytes_max: log.number("file_bytes_max", limits::LOG_FILE_BYTES_MAX, limits::LOG_FILE_BYTES_RANGE),
        files_max: log.number("files_max", limits::LOG_FILES_MAX, limits::LOG_FILES_RANGE),
    };
    log.close();
    read
}

/// `None` if there is no such table, or nothing in it that could be used.
fn archive(file: &mut Fields<'_>, folder: &Path, ack: Ack) -> Option<Archive> {
    let Some(table) = file.get("archive") else {
        if ack == Ack::Stored {
            stored_nowhere(file);
        }
        return None;
    };
    let mut archive = table.table("[archive]", "a table, whose keys stand below a line `[archive]`")?;
    let path = archive.need("path", "path = \"data\"").and_then(|field| field.path());
    archive.close();
    path.map(|path| Archive { directory: folder.join(path) })
}

fn stored_nowhere(file: &mut Fields<'_>) {
    let place = file.get("ack").map(|ack| ack.key);
    let found = Found::new(Kind::StoredNowhere, place, "`ack` is \"stored\", and there is no archive");
    file.notes
        .add(found.label("no IAMAT would ever be answered").help("add a table `[archive]` with `path = \"data\"`"));
}

fn limits(mut limits: Fields<'_>) -> Limits {
    let read = Limits {
        line_bytes_max: limits.number("line_bytes_max", limits::LINE_BYTES_MAX, limits::LINE_BYTES_RANGE),
        connections_max: limits.number("connections_max", limits::CONNECTIONS_MAX, limits::CONNECTIONS_RANGE),
        unread_bytes_max: limits.number("unread_bytes_max", limits::UNREAD_BYTES_MAX, limits::UNREAD_BYTES_RANGE),
        unread_seconds_max: limits.number(
            "unread_seconds_max",
            limits::UNREAD_SECONDS_MAX,
            limits::UNREAD_SECONDS_RANGE,
        ),
        idle_seconds_max: limits.number("idle_seconds_max", limits::IDLE_SECONDS_MAX, limits::IDLE_SECONDS_RANGE),
        lookups_max: limits.number("lookups_max", limits::LOOKUPS_MAX, limits::LOOKUPS_RANGE),
        clients_max: limits.number("clients_max", limits::CLIENTS_MAX, limits::CLIENTS_RANGE),
        future_seconds_max: limits.number(
            "future_seconds_max",
            limits::FUTURE_SECONDS_MAX,
            limits::FUTURE_SECONDS_RANGE,
        ),
    };
    limits.close();
    read
}
