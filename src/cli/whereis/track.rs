//! `whereis --watch`: a client's track through the herd. What each server knows is asked for when a hop of one of its
//! reports is told, not again and again; from the hops it is known who told whom, and when.

use std::collections::HashMap;

use jiff::Timestamp;

use super::word;
use crate::cli::output::Output;
use crate::cli::ps::{Cell, Table};
use crate::cli::session::Session;
use crate::cli::watch::{Frame, watch_with};
use crate::cli::{Done, human, term};
use crate::herd::api::{ClientStatus, Event, EventsQuery, Failure, Knowledge, Knows, Whereis, WhereisOrder};

/// How a server came to know what it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Heard {
    /// The neighbour that told it; none: the client itself.
    via: Option<String>,
    at: String,
}

/// What was heard last, by server.
#[derive(Debug, Default)]
struct Track(HashMap<String, Heard>);

/// Shows the client's track until the herd or the reader goes.
///
/// # Errors
///
/// As every call on the control channel.
pub fn watch(client: &str, session: &mut Session) -> Done {
    let query = EventsQuery {
        kinds: "herd,server,flood.heard".into(),
        flood: true,
        client: Some(client.into()),
        ..EventsQuery::default()
    };
    let order = WhereisOrder { client: Some(client.into()), all: false };
    let mut track = Track::default();
    watch_with(session, &query, |herd, out, events| {
        track.follow(events);
        let mut whereis = herd.whereis(&order)?;
        track.mark(&mut whereis);
        frame(&whereis, Timestamp::now(), out)
    })
}

impl Track {
    fn follow(&mut self, events: &[Event]) {
        for event in events {
            let Some(server) = &event.server else { continue };
            if event.kind == "flood.heard" && event.news.as_deref() == Some("new") {
                self.0.insert(server.clone(), Heard { via: event.peer.clone(), at: event.t.clone() });
            } else if event.kind.starts_with("server.") && !has_memory(&event.kind) {
                // What it knew went with its life.
                self.0.remove(server);
            }
        }
    }

    fn mark(&self, whereis: &mut Whereis) {
        for known in whereis.clients.iter_mut().flat_map(|client| &mut client.servers) {
            if let Some(heard) = self.0.get(&known.server).filter(|_| known.knows != Knows::Nothing) {
                (known.via, known.heard_at) = (heard.via.clone(), Some(heard.at.clone()));
            }
        }
    }
}

/// A server that was paused, or runs again after that, knows what it knew.
fn has_memory(kind: &str) -> bool {
    matches!(kind, "server.paused" | "server.running" | "server.stopping")
}

fn frame(whereis: &Whereis, now: Timestamp, out: &Output) -> Result<Frame, Failure> {
    if out.json {
        return out.json_of(whereis).map(|json| vec![json]);
    }
    Ok(table(whereis, now).lines(out.pen()))
}

fn table(whereis: &Whereis, now: Timestamp) -> Table {
    let answered = whereis.clients.iter().flat_map(|client: &ClientStatus| &client.servers).map(|one| row(one, now));
    let silent = whereis.silent.iter().map(|server| {
        vec![Cell::plain(&server.server), Cell { text: "?".into(), style: Some(term::DIM) }, Cell::plain(&server.why)]
    });
    let heads = vec!["SERVER", "KNOWS", "LOCATION", "AS OF", "VIA", "HEARD AGO"];
    Table { heads, rows: answered.chain(silent).collect() }
}

fn row(one: &Knowledge, now: Timestamp) -> Vec<Cell> {
    let (word, style) = word(one.knows);
    let or_dash = |text: &Option<String>| Cell::plain(text.as_deref().unwrap_or("–"));
    let heard = one.heard_at.as_deref().and_then(|at| at.parse::<Timestamp>().ok());
    let via = one.via.as_deref().or(heard.map(|_| "the client"));
    let ago = heard.map(|at| human::age(u64::try_from(now.duration_since(at).as_millis()).unwrap_or(0)));
    vec![
        Cell::plain(&one.server),
        Cell { text: word.into(), style: Some(style) },
        or_dash(&one.location),
        or_dash(&one.time),
        Cell::plain(via.unwrap_or("–")),
        Cell::plain(ago.as_deref().unwrap_or("–")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::term::Pen;

    fn event(kind: &str, server: &str, peer: Option<&str>, news: Option<&str>) -> Event {
        Event {
            kind: kind.into(),
            t: "2026-11-22T15:04:05.000000Z".into(),
            server: Some(server.into()),
            peer: peer.map(Into::into),
            news: news.map(Into::into),
            ..Event::default()
        }
    }

    fn whereis() -> Whereis {
        let known = |server: &str, knows| Knowledge {
            server: server.into(),
            knows,
            location: Some("+34-118".into()),
            time: Some("7".into()),
            ..Knowledge::default()
        };
        let servers = vec![
            known("Bona", Knows::Newest),
            known("Clark", Knows::Newest),
            Knowledge { server: "Jaquez".into(), ..Knowledge::default() },
        ];
        let clients = vec![ClientStatus { client: "kiwi".into(), agreed: false, servers }];
        Whereis { schema: "herd.whereis/1".into(), clients, known: 1, silent: Vec::new() }
    }

    #[test]
    fn a_report_shows_who_told_it_and_when() {
        let (mut track, mut seen) = (Track::default(), whereis());
        track.follow(&[
            event("flood.heard", "Clark", None, Some("new")),
            event("flood.heard", "Bona", Some("Clark"), Some("new")),
            event("flood.heard", "Bona", Some("Campbell"), Some("known")),
            event("flood.heard", "Jaquez", Some("Clark"), Some("new")),
        ]);
        track.mark(&mut seen);
        let now = "2026-11-22T15:04:12Z".parse().unwrap();
        assert_eq!(
            table(&seen, now).lines(Pen { styled: false }).join("\n"),
            "\
SERVER  KNOWS  LOCATION  AS OF  VIA         HEARD AGO
Bona    yes    +34-118   7      Clark       7s
Clark   yes    +34-118   7      the client  7s
Jaquez  –      –         –      –           –"
        );
    }

    #[test]
    fn what_was_heard_goes_with_the_servers_life_and_stays_through_a_pause() {
        let mut track = Track::default();
        track.follow(&[event("flood.heard", "Clark", None, Some("new"))]);
        track.follow(&[event("server.paused", "Clark", None, None), event("server.running", "Clark", None, None)]);
        assert!(track.0.contains_key("Clark"));
        track.follow(&[event("server.killed", "Clark", None, None)]);
        assert!(track.0.is_empty());
    }
}
