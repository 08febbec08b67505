//! The servers and the links between them: who there is, who talks with whom, and what is odd about it.
//!
//! A server with a flaw is still one that a link may name, so that one mistake does not look like three.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::Range;

use super::address::{Address, address_of, ip_of};
use super::fields::{Field, Fields, Text};
use super::mistakes::{Found, Kind, quoted};
use super::names::{closest, folded, is_name};
use super::notes::Notes;
use super::render::counted;
use super::{Link, Server};
use crate::limits::{EPHEMERAL_PORT_FIRST, LINKS_MAX, SERVERS_RANGE};

/// The log file of the supervisor stands beside those of the servers.
const RESERVED: &str = "herd";

/// How many islands a warning lists, and how many servers of each.
const ISLANDS_SHOWN_MAX: usize = 4;
const ISLANDERS_SHOWN_MAX: usize = 5;

/// A server as far as it could be read.
struct Draft<'a> {
    name: Option<Text<'a>>,
    /// The name is free of flaws.
    sound: bool,
    address: Option<(Address, Range<usize>)>,
    listen: Option<(SocketAddr, Range<usize>)>,
    metrics: Option<(SocketAddr, Range<usize>)>,
    control: Option<(Address, Range<usize>)>,
}

/// Who there is, and who talks with whom.
pub(super) struct Graph {
    pub(super) servers: Vec<Server>,
    pub(super) links: Vec<Link>,
    /// Where servers have metrics of their own, and where that is said.
    pub(super) metrics: Vec<(SocketAddr, Range<usize>)>,
    /// Which of the servers have a control address, and where it stands.
    pub(super) controls: Vec<(usize, Range<usize>)>,
}

/// Reads `servers` and `links`. `None` if the servers are not whole; then something was noted.
pub(super) fn graph(file: &mut Fields<'_>) -> Option<Graph> {
    let notes = file.notes;
    let servers = file.need("servers", "servers = [{ name = \"Clark\", address = \"127.0.0.1:11003\" }]");
    let links = file.get("links");
    let servers_key = servers.as_ref()?.key.clone();
    let links_key = links.as_ref().map(|links| links.key.clone());

    let drafts: Vec<Draft> =
        servers?.list("a server", "server", &SERVERS_RANGE)?.iter().map(|server| draft(server)).collect();
    note_same_addresses(&drafts, notes);
    note_ephemeral_ports(&drafts, notes);
    let by_name = by_name(&drafts, notes);
    let (links, whole) = match links {
        Some(field) => read_links(&field, &drafts, &by_name),
        None => (Vec::new(), true),
    };
    let names: Option<Vec<&str>> = drafts.iter().map(Draft::sound_name).collect();
    // With a link or a name still to be mended, nobody can tell what is connected.
    if let (true, Some(names)) = (whole && by_name.len() == drafts.len(), names) {
        note_islands(&names, &links, links_key.unwrap_or(servers_key), notes);
    }
    let servers = drafts.iter().map(Draft::finish).collect::<Option<_>>()?;
    let metrics = drafts.iter().filter_map(|draft| draft.metrics.clone()).collect();
    let controls = drafts.iter().enumerate().filter_map(|(nth, draft)| Some((nth, draft.control.as_ref()?.1.clone())));
    Some(Graph { servers, links, metrics, controls: controls.collect() })
}

impl<'a> Draft<'a> {
    fn finish(&self) -> Option<Server> {
        let address = self.address.as_ref()?.0.clone();
        let listen = self.listen.as_ref().map(|(listen, _)| *listen).or(address.ip())?;
        let metrics = self.metrics.as_ref().map(|(metrics, _)| *metrics);
        let control = self.control.as_ref().map(|(control, _)| control.clone());
        Some(Server { name: self.sound_name()?.to_owned(), address, listen, metrics, control })
    }

    fn sound_name(&self) -> Option<&'a str> {
        self.name.as_ref().filter(|_| self.sound).map(|name| name.text)
    }

    /// What messages call it.
    fn shown(&self) -> String {
        self.name.as_ref().map_or_else(|| "a server without a name".into(), |name| quoted(name.text))
    }
}

fn draft<'a>(server: &Field<'a>) -> Draft<'a> {
    let Some(mut server) =
        server.table("a server", "a table, such as `{ name = \"Clark\", address = \"127.0.0.1:11003\" }`")
    else {
        return Draft { name: None, sound: false, address: None, listen: None, metrics: None, control: None };
    };
    let name = server.need("name", "name = \"Clark\"").and_then(|field| field.text());
    let address = server.need("address", "address = \"127.0.0.1:11003\"");
    let draft = Draft {
        sound: name.as_ref().is_some_and(|name| is_server_name(name, server.notes)),
        name,
        address: address.and_then(|field| address_of(&field)),
        listen: server.get("listen").and_then(|field| ip_of(&field)),
        metrics: server.get("metrics").and_then(|field| ip_of(&field)),
        control: server.get("control").and_then(|field| address_of(&field)),
    };
    note_unlistenable(&draft, &mut server);
    server.close();
    draft
}

/// Where others find a server, it must listen.
fn note_unlistenable(draft: &Draft<'_>, server: &mut Fields<'_>) {
    let Some((address, span)) = &draft.address else { return };
    let port = address.port();
    let (kind, span, message, label) = match &draft.listen {
        None if address.ip().is_none() && server.get("listen").is_none() => {
            let message = format!("{} is reached by a host name, and has no `listen`", draft.shown());
            (Kind::NoListen, span, message, "a host name cannot be listened on")
        }
        Some((listen, span)) if listen.port() == 0 && port != 0 => {
            let message = format!("{} listens on any port, and not on {port}", draft.shown());
            (Kind::NoListen, span, message, "port 0 is any port")
        }
        _ => return,
    };
    let help = match address.is_loopback() {
        true => format!("write `127.0.0.1:{port}`"),
        false => format!("for example `listen = \"0.0.0.0:{port}\"`"),
    };
    server.notes.add(Found::new(kind, span.clone(), message).label(label).help(help));
}

fn is_server_name(name: &Text<'_>, notes: &Notes<'_>) -> bool {
    let reserved = folded(name.text) == RESERVED;
    if reserved {
        notes.add(
            Found::new(Kind::NotAName, name.span.clone(), format!("{} is no name for a server", quoted(name.text)))
                .label("the supervisor logs under this name")
                .help("choose another name"),
        );
    }
    !reserved && is_name(name, "server", notes)
}

/// The index of every server by its folded name; of two of the same name, that of the first.
fn by_name(drafts: &[Draft<'_>], notes: &Notes<'_>) -> HashMap<String, usize> {
    let mut by_name = HashMap::with_capacity(drafts.len());
    for (index, draft) in drafts.iter().enumerate() {
        let Some(name) = &draft.name else { continue };
        let first = *by_name.entry(folded(name.text)).or_insert(index);
        if let Some(first) = drafts[first].name.as_ref().filter(|_| first != index) {
            notes.add(
                Found::new(Kind::SameName, name.span.clone(), format!("two servers are called {}", quoted(name.text)))
                    .label(format!("the first is on line {}", notes.line(first.span.start)))
                    .help("names differ in more than upper and lower case"),
            );
        }
    }
    by_name
}

fn note_same_addresses(drafts: &[Draft<'_>], notes: &Notes<'_>) {
    let mut first_with = HashMap::with_capacity(drafts.len());
    let named = drafts.iter().flat_map(|draft| [(draft, &draft.address), (draft, &draft.control)]);
    for (draft, address) in named {
        // Port 0 is another port each time.
        let Some((address, span)) = address.as_ref().filter(|(address, _)| address.port() != 0) else { continue };
        let (first, place) = *first_with.entry(address).or_insert((draft, span.start));
        if place != span.start {
            let message = match draft.name.as_ref().map(|name| name.span.start) {
                name if name == first.name.as_ref().map(|name| name.span.start) => {
                    format!("{} has the address `{address}` twice", draft.shown())
                }
                _ => format!("two servers have the address `{address}`"),
            };
            notes.add(
                Found::new(Kind::SameAddress, span.clone(), message)
                    .label(format!("{} has it, on line {}", first.shown(), notes.line(place)))
                    .help("every server needs a port of its own"),
            );
        }
    }
}

fn note_ephemeral_ports(drafts: &[Draft<'_>], notes: &Notes<'_>) {
    for draft in drafts {
        let Some((address, span)) = &draft.address else { continue };
        if address.port() >= EPHEMERAL_PORT_FIRST {
            let message =
                format!("port {} of {} is one that the system gives to others", address.port(), draft.shown());
            notes.add(
                Found::new(Kind::EphemeralPort, span.clone(), message)
                    .label(format!("outgoing connections take ports from {EPHEMERAL_PORT_FIRST}"))
                    .help(
                        "choose a lower port: a neighbour that dials this one while it is down may connect to itself",
                    ),
            );
        }
    }
}

/// The links, and whether all of them could be read.
fn read_links(field: &Field<'_>, drafts: &[Draft<'_>], by_name: &HashMap<String, usize>) -> (Vec<Link>, bool) {
    let Some(pairs) = field.list("a link", "link", &(0..=LINKS_MAX)) else {
        return (Vec::new(), false);
    };
    let all = pairs.len();
    let mut first_with = HashMap::with_capacity(all);
    let mut links = Vec::with_capacity(all);
    for pair in pairs {
        let Some(link) = link(&pair, drafts, by_name) else { continue };
        let place = *first_with.entry(link).or_insert(pair.key.start);
        if place == pair.key.start {
            links.push(link);
        } else {
            note_same_link(&pair, &drafts[link.dialer], &drafts[link.listener], place);
        }
    }
    let whole = links.len() == all;
    (links, whole)
}

fn note_same_link(pair: &Field<'_>, dialer: &Draft<'_>, listener: &Draft<'_>, first: usize) {
    let message = format!("{} and {} are linked twice", dialer.shown(), listener.shown());
    pair.notes.add(
        Found::new(Kind::SameLink, pair.key.clone(), message)
            .label(format!("the first is on line {}", pair.notes.line(first)))
            .help("a link goes both ways: leave one of them out"),
    );
}

fn link(pair: &Field<'_>, drafts: &[Draft<'_>], by_name: &HashMap<String, usize>) -> Option<Link> {
    // Both ends are looked at before either is found wanting.
    let [a, b] = pair.pair("an end of a link")?.map(|end| link_end(&end, drafts, by_name));
    let (a, b) = (a?, b?);
    if a == b {
        pair.notes.add(
            Found::new(Kind::SelfLink, pair.key.clone(), format!("{} is linked with itself", drafts[a].shown()))
                .label("both ends are the same server")
                .help("leave it out: a server knows what it knows"),
        );
        return None;
    }
    Some(Link { dialer: a.min(b), listener: a.max(b) })
}

fn link_end(end: &Field<'_>, drafts: &[Draft<'_>], by_name: &HashMap<String, usize>) -> Option<usize> {
    let Text { text, span } = end.text()?;
    let known = by_name.get(&folded(text)).copied();
    if known.is_none() {
        // Comparing with every server is slow; a hundred thousand wrong ends must not take minutes.
        let compared = if end.notes.full() { &[] } else { drafts };
        let names = compared.iter().filter_map(|draft| Some(draft.name.as_ref()?.text));
        let help = closest(text, names).map(|meant| format!("did you mean {}?", quoted(meant)));
        end.notes.add(
            Found::new(Kind::UnknownServer, span, format!("unknown server {} in a link", quoted(text)))
                .label("no server has this name")
                .maybe_help(help),
        );
    }
    known
}

fn note_islands(names: &[&str], links: &[Link], place: Range<usize>, notes: &Notes<'_>) {
    let islands = islands(names.len(), links);
    let [first, second, ..] = islands.as_slice() else { return };
    let example = format!("`[\"{}\", \"{}\"]`", names[first[0]], names[second[0]]);
    let shown: Vec<String> = islands.iter().map(|island| island_shown(island, names)).collect();
    let message = format!(
        "the herd falls into {}: {}",
        counted(islands.len(), "island"),
        some_of(&shown, "; ", ISLANDS_SHOWN_MAX)
    );
    notes.add(
        Found::new(Kind::Islands, place, message)
            .label("no link joins them")
            .help(format!("what one island hears the others never learn; add a link, such as {example}")),
    );
}

fn island_shown(island: &[usize], names: &[&str]) -> String {
    let names: Vec<&str> = island.iter().map(|&server| names[server]).collect();
    some_of(&names, ", ", ISLANDERS_SHOWN_MAX)
}

/// The first few of `words`, and how many are left.
pub(super) fn some_of(words: &[impl AsRef<str>], between: &str, shown_max: usize) -> String {
    let shown: Vec<&str> = words.iter().take(shown_max).map(AsRef::as_ref).collect();
    let shown = shown.join(between);
    match words.len().saturating_sub(shown_max) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}

/// The servers that can reach each other over links, island by island, in the order of the file.
fn islands(servers: usize, links: &[Link]) -> Vec<Vec<usize>> {
    let mut neighbours = vec![Vec::new(); servers];
    for link in links {
        neighbours[link.dialer].push(link.listener);
        neighbours[link.listener].push(link.dialer);
    }
    let mut seen = vec![false; servers];
    let mut islands = Vec::new();
    for start in 0..servers {
        if seen[start] {
            continue;
        }
        seen[start] = true;
        let mut island = vec![start];
        let mut next = 0;
        while let Some(&server) = island.get(next) {
            next += 1;
            for &neighbour in &neighbours[server] {
                if !std::mem::replace(&mut seen[neighbour], true) {
                    island.push(neighbour);
                }
            }
        }
        island.sort_unstable();
        islands.push(island);
    }
    islands
}
