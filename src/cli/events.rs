//! `events`: what happens in the herd, in its one true order, a line each; where each server is a process of its own, in
//! the order of each, and between them by time.

use jiff::Timestamp;

use super::args;
use super::client::{Lines, Piece};
use super::output::{Output, Stop};
use super::session::Session;
use super::term::{self, Pen};
use super::{Done, Exit, escape, human, when};
use crate::herd::api::{Event, EventsQuery, Failure, Kind};

/// `herdctl events`
///
/// # Errors
///
/// As every call on the control channel; `not_running`: the herd went while `--count` events had not come.
pub fn run(args: &args::Events, session: &mut Session) -> Done {
    let query = query(args)?;
    let client = session.client()?;
    let mut lines = client.events(&query)?;
    if !session.out.json && args.since.is_none() {
        session.out.message("events as they happen; Ctrl-C to leave");
    }
    let shown = show(&mut lines, args.count, &mut session.out)?;
    if args.count.is_some_and(|count| shown < count) {
        let message = format!("the herd has gone after {}", human::count(shown, "event"));
        return Err(Failure::new(Kind::NotRunning, message).into());
    }
    Ok(Exit::Fine)
}

fn query(args: &args::Events) -> Result<EventsQuery, Failure> {
    let since = since(args.since.as_deref())?;
    Ok(EventsQuery { since, run: None, kinds: args.kind.join(","), flood: args.flood, client: None })
}

/// `--since`, as the herd is asked: a number, or RFC 3339.
pub fn since(typed: Option<&str>) -> Result<Option<String>, Failure> {
    let Some(typed) = typed.filter(|typed| !typed.bytes().all(|byte| byte.is_ascii_digit())) else {
        return Ok(typed.map(Into::into));
    };
    let time = when::parse(typed, Timestamp::now())
        .map_err(|why| Failure::new(Kind::Usage, format!("--since: {why}, or the number of an event")))?;
    Ok(Some(when::rfc3339(time)))
}

/// Shows events until the herd goes or `count` have been shown, and says how many were. A gap is shown and not
/// counted.
fn show(lines: &mut Lines<'_>, count: Option<u64>, out: &mut Output) -> Result<u64, Stop> {
    let (most, mut shown) = (count.unwrap_or(u64::MAX), 0);
    while shown < most
        && let Piece::Lines(piece) = lines.next(None)?
    {
        for line in piece.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            let event: Event = serde_json::from_slice(line)
                .map_err(|why| Failure::new(Kind::Failed, format!("the herd says what is no event: {why}")))?;
            if event.kind == "stream.opened" || shown == most {
                continue;
            }
            shown += u64::from(event.kind != "gap");
            let text = if out.json {
                escape::json(String::from_utf8_lossy(line).into_owned())
            } else {
                text(&event, out.pen())
            };
            out.stream(&text)?;
        }
        out.flush()?;
    }
    Ok(shown)
}

/// `15:04:05.123456 #10442 server.killed     Clark by cli`
pub fn text(event: &Event, pen: Pen) -> String {
    if event.kind == "gap" {
        return pen.ink(term::WARN, &format!("── {} ──", gap(event)));
    }
    let time = event.t.get(11..26).unwrap_or(&event.t);
    let number = match &event.process {
        None => human::pad(&format!("#{}", event.seq), 6),
        Some(process) => human::pad(&format!("{}#{}", escape::text(process), event.seq), 14),
    };
    let when = pen.ink(term::DIM, &format!("{time:15} {number}"));
    let kind = escape::text(&event.kind).into_owned();
    let style = colour(&kind);
    format!("{when} {} {}", pen.ink(style, &human::pad(&kind, 16)), what(event)).trim_end().to_owned()
}

fn gap(event: &Event) -> String {
    let missed = event.missed.map_or_else(
        || "events are missing here".to_owned(),
        |missed| {
            let are = if missed == 1 { "is" } else { "are" };
            format!("{} {are} missing here", human::count(missed, "event"))
        },
    );
    let whose = event.server.as_deref().map(|server| format!(" of {}", escape::text(server)));
    let why = event.note.as_deref().map(|why| format!(": {}", escape::text(why)));
    [missed, whose.unwrap_or_default(), why.unwrap_or_default()].concat()
}

fn what(event: &Event) -> String {
    let word = |word: &Option<String>| word.as_deref().map(|word| escape::text(word).into_owned());
    let arrow = match event.kind.as_str() {
        "flood.heard" => "←",
        "flood.told" | "fault.set" | "fault.healed" => "→",
        _ => "–",
    };
    let server = word(&event.server);
    let ends = match (server, word(&event.peer)) {
        (Some(server), Some(peer)) => Some(format!("{server} {arrow} {peer}")),
        (server, peer) => server.or(peer),
    };
    let by = word(&event.by).map(|by| format!("by {by}"));
    let words = [ends, word(&event.addr), word(&event.client), word(&event.news), word(&event.answer), by];
    let mut text = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
    if let Some(note) = word(&event.note) {
        text = if text.is_empty() { note } else { format!("{text}: {note}") };
    }
    text
}

fn colour(kind: &str) -> anstyle::Style {
    match kind {
        "server.running" | "link.up" | "fault.healed" | "places.fine" | "herd.ready" => term::GOOD,
        "server.killed" | "server.crashed" | "server.failed" | "link.down" | "link.refused" => term::BAD,
        "server.paused" | "server.stopping" | "fault.set" | "places.failing" | "places.refused" | "places.limited"
        | "herd.leaving" => term::WARN,
        _ => anstyle::Style::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: &str) -> Event {
        Event { seq: 10442, t: "2026-11-22T15:04:05.123456Z".into(), kind: kind.into(), ..Event::default() }
    }

    #[track_caller]
    fn check(event: &Event, expected: &str) {
        assert_eq!(text(event, Pen { styled: false }), expected);
    }

    #[test]
    fn an_event_is_one_line() {
        let clark = Some("Clark".to_owned());
        let killed = Event { server: clark.clone(), by: Some("cli".into()), ..event("server.killed") };
        check(&killed, "15:04:05.123456 #10442 server.killed    Clark by cli");
        let down = Event {
            server: clark.clone(),
            peer: Some("Bona".into()),
            note: Some("closed by the neighbour".into()),
            ..event("link.down")
        };
        check(&down, "15:04:05.123456 #10442 link.down        Clark – Bona: closed by the neighbour");
        let heard = Event {
            server: clark,
            peer: Some("Bona".into()),
            client: Some("kiwi".into()),
            news: Some("known".into()),
            ..event("flood.heard")
        };
        check(&heard, "15:04:05.123456 #10442 flood.heard      Clark ← Bona kiwi known");
        check(&event("herd.up"), "15:04:05.123456 #10442 herd.up");
        let own = Event { process: Some("Clark".into()), ..event("herd.up") };
        check(&own, "15:04:05.123456 Clark#10442    herd.up");
    }

    #[test]
    fn a_gap_is_stated() {
        check(&Event { missed: Some(120), ..event("gap") }, "── 120 events are missing here ──");
        let one = Event { missed: Some(1), server: Some("Clark".into()), ..event("gap") };
        check(&one, "── 1 event is missing here of Clark ──");
        let unknown = Event { note: Some("older events are not kept".into()), ..event("gap") };
        check(&unknown, "── events are missing here: older events are not kept ──");
    }

    #[test]
    fn hostile_names_stay_text() {
        let hostile = Event { client: Some("\u{1b}[2J\u{202e}\n".into()), ..event("flood.heard\u{7}") };
        let shown = text(&hostile, Pen { styled: false });
        assert!(!shown.contains(|c: char| c.is_control() || c == '\u{202e}'), "{shown:?}");
    }
}
