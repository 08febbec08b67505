//! One process's part of the stream of a herd of processes: read on a thread of its own, taken up again when it was lost,
//! where it was lost. That the process cannot be asked is a gap, said once each time.

use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio::sync::mpsc::Sender;

use super::herdwide::of_process;
use super::{Client, Lines, Piece};
use crate::cli::when;
use crate::herd::api::{Event, EventsQuery, Failure, Kind};

/// Who cannot be asked is asked again so often.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// So often it is looked whether anyone still reads.
const NOTICE: Duration = Duration::from_secs(1);

/// One event, as it is handed on.
pub struct Told {
    /// RFC 3339; of what stands between events, nothing: when it was said says nothing of what comes after it.
    pub at: String,
    /// JSON, ended by LF.
    pub line: Vec<u8>,
    pub arrived: Instant,
}

/// What has become of the process.
pub enum News {
    Told(Vec<Told>),
    /// It cannot be asked, for this reason; the gap where it is new.
    Away(Failure, Option<Told>),
}

/// One process, and how far it has told.
pub struct Tributary {
    pub server: String,
    pub client: Client,
    pub query: EventsQuery,
    /// The run and the number of the last event.
    pub last: Option<(String, u64)>,
}

impl Tributary {
    /// Hands on what the process tells, until nobody takes it.
    pub fn flow(mut self, to: &Sender<News>) {
        let began = when::rfc3339(Timestamp::now());
        let mut is_away = false;
        while !to.is_closed() {
            let query = self.query_from(&began);
            let lost = match self.client.events(&query) {
                Ok(mut lines) => {
                    is_away = false;
                    hand_on(&mut lines, &self.server, &mut self.last, to).err()
                }
                Err(failure) => Some(failure),
            };
            if let Some(failure) = lost.map(|why| of_process(&self.server, &self.client.target, why)) {
                let gap = (!is_away).then(|| self.gap(&failure));
                is_away = true;
                if to.blocking_send(News::Away(failure, gap)).is_err() {
                    return;
                }
            }
            thread::sleep(RETRY_EVERY);
        }
    }

    /// From the last event on; what a process that was away from the beginning tells, from the beginning on.
    fn query_from(&self, began: &str) -> EventsQuery {
        let query = self.query.clone();
        match &self.last {
            Some((run, seq)) => EventsQuery { since: Some(seq.to_string()), run: Some(run.clone()), ..query },
            None => EventsQuery { since: query.since.or_else(|| Some(began.to_owned())), ..query },
        }
    }

    fn gap(&self, failure: &Failure) -> Told {
        let (run, seq) = self.last.clone().unwrap_or_default();
        let event = Event {
            schema: "herd.event/1".into(),
            run,
            seq,
            t: when::rfc3339(Timestamp::now()),
            kind: "gap".into(),
            note: Some(format!("it cannot be asked: {}", failure.message)),
            ..Event::default()
        };
        told(event, &self.server)
    }
}

/// Hands on until the process has gone, which is no failure, or nobody reads.
fn hand_on(
    lines: &mut Lines<'_>,
    server: &str,
    last: &mut Option<(String, u64)>,
    to: &Sender<News>,
) -> Result<(), Failure> {
    loop {
        let piece = match lines.next(Some(NOTICE))? {
            Piece::Lines(piece) => piece,
            Piece::Nothing if to.is_closed() => return Ok(()),
            Piece::Nothing => continue,
            Piece::End => return Ok(()),
        };
        let events = piece.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(read);
        let events: Vec<Event> = events.collect::<Result<_, _>>()?;
        if let Some(event) = events.last() {
            *last = Some((event.run.clone(), event.seq));
        }
        let events = events.into_iter().map(|event| told(event, server)).collect();
        if to.blocking_send(News::Told(events)).is_err() {
            return Ok(());
        }
    }
}

fn read(line: &[u8]) -> Result<Event, Failure> {
    serde_json::from_slice(line).map_err(|why| Failure::new(Kind::Failed, format!("it says what is no event: {why}")))
}

/// An event with the name of the process whose number it has; what is missing is missing of that process.
fn told(event: Event, server: &str) -> Told {
    let missing_of = (event.kind == "gap").then(|| server.to_owned());
    let is_between = missing_of.is_some() || event.kind == "stream.opened";
    let event = Event { process: Some(server.to_owned()), server: event.server.or(missing_of), ..event };
    let mut line = serde_json::to_vec(&event).expect("strings and numbers are JSON");
    line.push(b'\n');
    let at = if is_between { String::new() } else { event.t };
    Told { at, line, arrived: Instant::now() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(event: Event, process: &str, server: Option<&str>) {
        let told: Event = serde_json::from_slice(&told(event, "Clark").line).unwrap();
        assert_eq!((told.process.as_deref(), told.server.as_deref()), (Some(process), server));
    }

    #[test]
    fn an_event_names_its_process_and_a_gap_whose_events_are_missing() {
        let event = |kind: &str| Event { kind: kind.into(), ..Event::default() };
        check(event("herd.up"), "Clark", None);
        check(Event { server: Some("Bona".into()), ..event("fault.set") }, "Clark", Some("Bona"));
        check(Event { missed: Some(7), ..event("gap") }, "Clark", Some("Clark"));
    }

    #[test]
    fn what_was_before_is_not_as_late_as_the_question() {
        let at = |kind: &str| told(Event { kind: kind.into(), t: "now".into(), ..Event::default() }, "Clark").at;
        assert_eq!(["stream.opened", "gap", "herd.up"].map(at), ["", "", "now"]);
    }
}
