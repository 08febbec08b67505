//! When an `IAMAT` is answered: `ack`, and how many neighbours must have `heard` it by then.

use super::fields::{Field, Fields};
use super::graph::{Graph, some_of};
use super::mistakes::{Found, Kind};
use super::{Ack, Link, Server};
use crate::limits;

/// How many servers a warning lists.
const SERVERS_SHOWN_MAX: usize = 5;

pub(super) fn ack(file: &mut Fields<'_>) -> Ack {
    file.choice("ack", &[("heard", Ack::Heard), ("stored", Ack::Stored), ("sent", Ack::Sent)])
}

/// So many neighbours, of those that the graph gives; 1 if nothing is said or nothing that could be.
pub(super) fn heard(file: &mut Fields<'_>, ack: Ack, graph: Option<&Graph>) -> usize {
    let heard = file.number("heard", 1, limits::HEARD_RANGE);
    let Some(field) = file.get("heard") else { return heard };
    if ack == Ack::Sent {
        note_unasked(&field);
    } else if let Some(Graph { servers, links, .. }) = graph.filter(|_| !file.notes.has_errors()) {
        // With a server or a link still to be mended, nobody could tell.
        note_few_neighbours(&field, heard, servers, links);
    }
    heard
}

fn note_unasked(heard: &Field<'_>) {
    let found = Found::new(Kind::HeardUnasked, heard.key.clone(), "`heard` says nothing with `ack = \"sent\"`");
    heard.notes.add(
        found
            .label("no answer waits until a neighbour has heard")
            .help("leave it out, or set `ack = \"heard\"` or `ack = \"stored\"`"),
    );
}

fn note_few_neighbours(field: &Field<'_>, heard: usize, servers: &[Server], links: &[Link]) {
    let mut neighbours = vec![0; servers.len()];
    for end in links.iter().flat_map(|link| [link.dialer, link.listener]) {
        neighbours[end] += 1;
    }
    let few: Vec<&str> =
        servers.iter().zip(&neighbours).filter(|(_, has)| **has < heard).map(|(server, _)| &*server.name).collect();
    let most = neighbours.iter().max().copied().unwrap_or_default();
    if few.is_empty() || heard == 1 {
        return;
    }
    let place = field.value_span();
    field.notes.add(if heard > most {
        Found::new(Kind::OutOfRange, place, format!("`heard` is {heard}, and no server has so many neighbours"))
            .label(format!("at most {most}"))
            .help("a server can wait for those alone that it is linked with")
    } else {
        let names = some_of(&few, ", ", SERVERS_SHOWN_MAX);
        Found::new(
            Kind::FewNeighbours,
            place,
            format!("`heard` is {heard}, and some servers have fewer neighbours: {names}"),
        )
        .label("what these answer waits only for those they have")
        .help("add links, or promise less")
    });
}
