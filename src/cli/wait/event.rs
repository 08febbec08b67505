//! `wait --event`: reads what happens until the event that is waited for, and remembers what nearly was it.

use std::time::{Duration, Instant};

use crate::cli::client::{Client, Piece};
use crate::cli::output::Output;
use crate::cli::session::Session;
use crate::cli::{Done, Exit, args, escape, events, human, names};
use crate::herd::api::{Event, EventsQuery, Failure, Kind};

/// Waits until an event of this kind happens, or has happened after `--since`; answers with the event.
///
/// # Errors
///
/// As every call on the control channel; `timeout` with what came instead, `unknown_name`, `not_running`: the herd
/// went meanwhile.
pub fn run(kind: &str, args: &args::Wait, limit: Duration, session: &mut Session) -> Done {
    let client = session.client()?.with_deadline(limit);
    let server = args.server.as_deref().map(|typed| named(typed, &client)).transpose()?;
    let mut wanted = Wanted { kind, server, elsewhere: 0, gap: false };
    let until = Instant::now() + limit;
    let query = EventsQuery {
        since: events::since(args.since.as_deref())?,
        run: None,
        kinds: kind.into(),
        flood: false,
        client: None,
    };
    let mut lines = client.events(&query)?;
    loop {
        match lines.next(Some(until.saturating_duration_since(Instant::now())))? {
            Piece::Lines(piece) => {
                if let Some((line, event)) = wanted.find(&piece)? {
                    return answer(line, &event, &mut session.out);
                }
                // A herd in which much happens, but not this, must not make it wait for ever.
                if Instant::now() >= until {
                    return Err(wanted.too_late(limit).into());
                }
            }
            Piece::Nothing => return Err(wanted.too_late(limit).into()),
            Piece::End => return Err(wanted.gone().into()),
        }
    }
}

/// The server that is meant, as herd.toml writes it.
fn named(typed: &str, client: &Client) -> Result<String, Failure> {
    let ps = client.ps()?;
    let known: Vec<&str> = ps.servers.iter().map(|server| server.name.as_str()).collect();
    Ok(known[names::pick(typed, &known, &ps.config)?].to_owned())
}

fn answer(line: &[u8], event: &Event, out: &mut Output) -> Done {
    let text = if out.json {
        escape::json(String::from_utf8_lossy(line).into_owned())
    } else {
        events::text(event, out.pen())
    };
    out.answer(&text)?;
    Ok(Exit::Fine)
}

struct Wanted<'a> {
    kind: &'a str,
    server: Option<String>,
    /// How often it happened, but not to the server that is meant.
    elsewhere: u64,
    /// Whether events were missing, any of which could have been it.
    gap: bool,
}

impl Wanted<'_> {
    /// The first event in a piece of the stream that is wanted, and its line.
    fn find<'p>(&mut self, piece: &'p [u8]) -> Result<Option<(&'p [u8], Event)>, Failure> {
        for line in piece.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let event: Event = serde_json::from_slice(line)
                .map_err(|why| Failure::new(Kind::Failed, format!("the herd says what is no event: {why}")))?;
            if self.is(&event) {
                return Ok(Some((line, event)));
            }
        }
        Ok(None)
    }

    fn is(&mut self, event: &Event) -> bool {
        match event.kind.as_str() {
            "stream.opened" => return false,
            "gap" => {
                self.gap = true;
                return false;
            }
            _ => {}
        }
        let Some(server) = &self.server else { return true };
        let is_meant = [&event.server, &event.peer].contains(&&Some(server.clone()));
        self.elsewhere += u64::from(!is_meant);
        is_meant
    }

    fn too_late(&self, limit: Duration) -> Failure {
        let kind = escape::text(self.kind);
        let of = self.server.as_ref().map(|server| format!(" of {server}")).unwrap_or_default();
        let mut message = format!("no event {kind}{of} in {}", human::limit(limit));
        if self.elsewhere > 0 {
            message += &format!("; {} of other servers", human::count(self.elsewhere, "such event"));
        }
        if self.gap {
            message += "; some events are missing, and one of them may have been it";
        }
        Failure::new(Kind::Timeout, message).hint("herdctl events shows what happens; its --help names the kinds")
    }

    fn gone(&self) -> Failure {
        Failure::new(Kind::NotRunning, format!("the herd has gone, with no event {}", escape::text(self.kind)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(server: &str, peer: &str) -> Event {
        Event { kind: "link.down".into(), server: Some(server.into()), peer: Some(peer.into()), ..Event::default() }
    }

    fn wanted(server: Option<&str>) -> Wanted<'static> {
        Wanted { kind: "link.down", server: server.map(Into::into), elsewhere: 0, gap: false }
    }

    #[test]
    fn a_server_is_meant_at_either_end_and_no_server_means_any() {
        let mut clark = wanted(Some("Clark"));
        assert!(clark.is(&link("Clark", "Bona")) && clark.is(&link("Bona", "Clark")));
        assert!(!clark.is(&link("Bona", "Bailey")));
        assert!(wanted(None).is(&link("Bona", "Bailey")));
    }

    #[test]
    fn what_came_instead_is_said() {
        let mut clark = wanted(Some("Clark"));
        let said = |wanted: &Wanted| wanted.too_late(Duration::from_secs(2)).message;
        assert_eq!(said(&clark), "no event link.down of Clark in 2s");
        assert!(!clark.is(&link("Bona", "Bailey")) && !clark.is(&Event { kind: "gap".into(), ..Event::default() }));
        assert_eq!(
            said(&clark),
            "no event link.down of Clark in 2s; 1 such event of other servers; some events are missing, and one of \
             them may have been it"
        );
    }
}
