//! A line of a log as it is shown: for a person, or as one JSON document.

use std::borrow::Cow;

use regex::{Captures, Regex};
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use super::sieve::fate;
use crate::cli::term::{self, Pen};
use crate::cli::{escape, human};
use crate::logbook::record::{Level, Record};
use crate::logbook::stream::Gap;

/// How lines are shown.
#[derive(Debug, Clone)]
pub struct Show {
    names: Vec<Name>,
    /// What stands before a line, a name each, as wide as the widest.
    labels: Vec<String>,
    pen: Pen,
    json: bool,
    prefix: bool,
    /// What is highlighted in the text.
    grep: Option<Regex>,
}

/// Whose log it is.
#[derive(Debug, Clone)]
pub struct Name {
    pub name: String,
    /// The server's place in herd.toml; none for the herd itself.
    pub place: Option<usize>,
    /// Where the server is a process of its own, that one: its numbers are.
    pub process: Option<String>,
}

impl Name {
    /// As it stands before a line: `Clark`, `herd`, or the process's own `Clark/herd`.
    pub fn label(&self) -> String {
        match &self.process {
            Some(process) if *process != self.name => format!("{process}/{}", self.name),
            _ => self.name.clone(),
        }
    }
}

#[derive(Serialize)]
struct Document<'a> {
    t: Option<&'a str>,
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    process: Option<&'a str>,
    server: &'a str,
    level: Option<&'a str>,
    msg: &'a str,
}

impl Show {
    /// `prefix`: whether time, number and name stand before the text.
    pub fn new(names: Vec<Name>, pen: Pen, json: bool, prefix: bool) -> Self {
        let all: Vec<String> = names.iter().map(Name::label).collect();
        let labels = labels(&names, &all, pen);
        Self { names, labels, pen, json, prefix, grep: None }
    }

    /// With labels as wide as these names need.
    #[must_use]
    pub fn of_width(mut self, shown: &[String]) -> Self {
        self.labels = labels(&self.names, shown, self.pen);
        self
    }

    /// With what matches `grep` made to stand out.
    #[must_use]
    pub fn highlighting(mut self, grep: Option<Regex>) -> Self {
        self.grep = grep.filter(|_| self.pen.styled);
        self
    }

    /// One line, without its ending, of the log with this index.
    pub fn line(&self, log: usize, line: &[u8]) -> String {
        let record = Record::read(line);
        let text = record.map_or(line, |record| record.text);
        if self.json {
            return self.document(log, record, &escape::line(text));
        }
        let text = self.highlighted(escape::line(text));
        let fate = record.filter(|_| self.names[log].place.is_none()).and_then(|record| fate(&record));
        let message = match fate {
            Some((_, state)) => self.pen.ink(colour(state), &format!("── {text} ──")),
            None => self.message(record.map(|record| record.level), &text),
        };
        if !self.prefix {
            return message;
        }
        // A line that is no record has neither; it stands under the one that it follows.
        let (time, seq) =
            record.map_or_else(Default::default, |record| (record.time[11..26].to_owned(), format!("#{}", record.seq)));
        let when = self.pen.ink(term::DIM, &format!("{time:15} {seq:<6}"));
        format!("{when} {} {message}", self.labels[log])
    }

    /// Where another run begins: its heading without the name of the log that it was found in.
    pub fn run(&self, log: usize, heading: &Record) -> String {
        let text = escape::line(heading.text);
        let text = text.rsplit_once(", server ").map_or(&*text, |(run, _)| run);
        if self.json {
            return self.document(log, Some(*heading), text);
        }
        let process = self.names[log].process.as_ref().map(|process| format!("{}: ", escape::text(process)));
        self.pen.ink(term::DIM, &format!("── {}{text} ──", process.unwrap_or_default()))
    }

    /// What is missing from a log.
    pub fn gap(&self, log: usize, gap: &Gap) -> String {
        let what = match gap {
            Gap::Lost { after } => {
                format!("the file was replaced; records after #{after} may be missing here")
            }
            Gap::Truncated => "the file was cut off; records may be missing here".to_owned(),
        };
        self.remark(&self.names[log].label(), &what)
    }

    /// What is missing from a log that is told from elsewhere.
    pub fn missing(&self, log: usize, why: &str) -> String {
        self.remark(&self.names[log].label(), &escape::text(why))
    }

    /// How many records were left out.
    pub fn skipped(&self, records: Option<u64>, logs: &str) -> String {
        let records = records.map_or_else(|| "some records".to_owned(), |n| human::count(n, "record"));
        self.remark("herd", &format!("{records} not shown: the reader is slower than the herd; all are in {logs}"))
    }

    fn remark(&self, who: &str, what: &str) -> String {
        if self.json {
            let document = Document { t: None, seq: None, process: None, server: who, level: Some("gap"), msg: what };
            return json(&document);
        }
        self.pen.ink(term::WARN, &format!("── {}: {what} ──", escape::text(who)))
    }

    fn document(&self, log: usize, record: Option<Record>, msg: &str) -> String {
        json(&Document {
            t: record.map(|record| record.time),
            seq: record.map(|record| record.seq),
            process: self.names[log].process.as_deref(),
            server: &self.names[log].name,
            level: record.map(|record| record.level.name()),
            msg,
        })
    }

    fn highlighted<'a>(&self, text: Cow<'a, str>) -> Cow<'a, str> {
        match &self.grep {
            Some(grep) => {
                let found = |found: &Captures<'_>| self.pen.ink(term::FOUND, &found[0]);
                Cow::Owned(grep.replace_all(&text, found).into_owned())
            }
            None => text,
        }
    }

    fn message(&self, level: Option<Level>, text: &str) -> String {
        match level {
            Some(Level::In) => format!("IN  {text}"),
            Some(Level::Out) => format!("OUT {text}"),
            Some(Level::Warn) => self.pen.ink(term::WARN, &format!("WARN {text}")),
            Some(Level::Error) => self.pen.ink(term::BAD, &format!("ERROR {text}")),
            Some(Level::Debug) => self.pen.ink(term::DIM, text),
            Some(Level::Info) | None => text.to_owned(),
        }
    }
}

fn colour(state: &str) -> anstyle::Style {
    match state {
        "running" => term::GOOD,
        "paused" => term::WARN,
        "stopped" => term::DIM,
        _ => term::BAD,
    }
}

fn labels(names: &[Name], shown: &[String], pen: Pen) -> Vec<String> {
    let widest = shown.iter().map(|name| escape::text(name).width()).max().unwrap_or(0);
    names.iter().map(|name| label(name, widest, pen)).collect()
}

fn label(name: &Name, widest: usize, pen: Pen) -> String {
    let style = name.place.map_or(term::BOLD, term::of_server);
    pen.ink(style, &format!("{} |", human::pad(&escape::text(&name.label()), widest)))
}

fn json(document: &Document) -> String {
    escape::json(serde_json::to_string(document).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Vec<Name> {
        let name = |name: &str, place| Name { name: name.into(), place, process: None };
        vec![name("Clark", Some(3)), name("Campbell", Some(2)), name("herd", None)]
    }

    fn show(json: bool, prefix: bool) -> Show {
        Show::new(names(), Pen { styled: false }, json, prefix)
    }

    const IN: &[u8] = b"2026-11-23T15:04:05.123456Z #10437 IN    client 127.0.0.1:52144 | IAMAT kiwi +34-118 1";

    #[test]
    fn a_record_is_one_line_with_time_number_and_name() {
        assert_eq!(
            show(false, true).line(0, IN),
            "15:04:05.123456 #10437 Clark    | IN  client 127.0.0.1:52144 | IAMAT kiwi +34-118 1"
        );
        assert_eq!(
            show(false, true).line(2, b"2026-11-23T15:04:05.123456Z #7 ERROR Clark crashed: it panicked"),
            "15:04:05.123456 #7     herd     | ── Clark crashed: it panicked ──"
        );
    }

    #[test]
    fn without_prefix_only_the_text_is_left() {
        assert_eq!(show(false, false).line(0, IN), "IN  client 127.0.0.1:52144 | IAMAT kiwi +34-118 1");
    }

    #[test]
    fn a_torn_line_is_shown_as_it_is() {
        let shown = show(false, true).line(1, b"2026-11-23T15:04:05.12\x1b[2J\xff");
        assert_eq!(shown, "                       Campbell | 2026-11-23T15:04:05.12\\x1b[2J\\xff");
    }

    #[test]
    fn a_record_as_json() {
        let said = |line| serde_json::from_str::<serde_json::Value>(&show(true, true).line(0, line)).unwrap();
        assert_eq!(
            said(IN),
            serde_json::json!({"t": "2026-11-23T15:04:05.123456Z", "seq": 10437, "server": "Clark", "level": "in",
                "msg": "client 127.0.0.1:52144 | IAMAT kiwi +34-118 1"})
        );
        assert_eq!(said(b"torn\x1b")["msg"], "torn\\x1b");
        assert!(said(b"torn")["seq"].is_null());
    }

    #[test]
    fn the_same_server_has_the_same_colour_in_any_selection() {
        let shown = |names: Vec<Name>| Show::new(names, Pen { styled: true }, false, true).line(0, IN);
        let colour = |text: String| text.split("Clark").next().unwrap().rsplit("\u{1b}[").next().unwrap().to_owned();
        let (among_all, alone) = (colour(shown(names())), colour(shown(names()[..1].to_vec())));
        assert_eq!(among_all, alone);
        assert!(among_all.ends_with('m'), "{among_all}");
    }
}
