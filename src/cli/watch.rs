//! `--watch`: an answer again and again, whenever something has happened and every second. On a terminal it is
//! redrawn in its place; elsewhere a new one follows the old, if it is another, and with `--json` each is a line.

use std::time::{Duration, Instant};

use super::client::{Client, Lines, Piece};
use super::output::{Output, Stop};
use super::session::Session;
use super::{Done, Exit, term};
use crate::herd::api::{Event, EventsQuery, Failure};

/// Without an event, so often.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// With ever so many events, not more often than this.
const DRAW_EVERY: Duration = Duration::from_millis(50);
/// What makes an answer another one.
const KINDS: &str = "herd,server,link,fault,places";

/// One answer, in the shape that is wanted: lines for a person, or one JSON document.
pub type Frame = Vec<String>;

/// Shows what `look` sees until the herd or the reader goes.
///
/// # Errors
///
/// As every call on the control channel.
pub fn watch(session: &mut Session, mut look: impl FnMut(&Client, &Output) -> Result<Frame, Failure>) -> Done {
    let query = EventsQuery { kinds: KINDS.to_owned(), ..EventsQuery::default() };
    watch_with(session, &query, |client, out, _| look(client, out))
}

/// [`watch`], with the events that `query` asks for: `look` is given those that came since it looked last.
///
/// # Errors
///
/// As [`watch`].
pub fn watch_with(
    session: &mut Session,
    query: &EventsQuery,
    mut look: impl FnMut(&Client, &Output, &[Event]) -> Result<Frame, Failure>,
) -> Done {
    let client = session.client()?;
    let mut events = client.events(query)?;
    let (mut last, mut seen) = (None, Vec::new());
    loop {
        let frame = match look(&client, &session.out, &seen) {
            // A herd on its way down may answer anything.
            Err(_) if last.is_some() && ends(&mut events)? => return gone(session),
            frame => frame?,
        };
        // What has not changed is not said again; on a terminal it may stand there in another size.
        if last.as_ref() != Some(&frame) || session.out.is_terminal() {
            show(&frame, last.as_ref(), &mut session.out)?;
        }
        last = Some(frame);
        let drawn_at = Instant::now();
        seen = match events.next(Some(LOOK_EVERY))? {
            Piece::Lines(lines) => read(&lines),
            Piece::Nothing => Vec::new(),
            Piece::End => return gone(session),
        };
        std::thread::sleep(DRAW_EVERY.saturating_sub(drawn_at.elapsed()));
    }
}

/// The events in these lines.
fn read(lines: &[u8]) -> Vec<Event> {
    lines.split(|&byte| byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect()
}

/// Whether the events end, as they do when the herd goes.
fn ends(events: &mut Lines<'_>) -> Result<bool, Failure> {
    let patience = Instant::now() + LOOK_EVERY;
    while Instant::now() < patience {
        if events.next(Some(DRAW_EVERY))? == Piece::End {
            return Ok(true);
        }
    }
    Ok(false)
}

fn gone(session: &mut Session) -> Done {
    session.out.message("the herd has gone");
    Ok(Exit::Fine)
}

fn show(frame: &Frame, last: Option<&Frame>, out: &mut Output) -> Result<(), Stop> {
    if out.json {
        return out.answer(&frame.join("\n"));
    }
    if out.is_terminal() {
        let (columns, rows) = term::size();
        return out.draw(frame, last.is_none(), columns, rows);
    }
    if last.is_some() {
        out.stream("")?;
    }
    out.answer(&frame.join("\n"))
}
