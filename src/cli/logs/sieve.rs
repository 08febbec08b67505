//! Which records are shown: by time, level and text. What is no record goes with the one before it and is shown only
//! where nothing is asked for.

use regex::Regex;

use crate::cli::escape;
use crate::logbook::record::{Level, Record};

/// What is wanted of the logs.
#[derive(Debug, Clone, Default)]
pub struct Sieve {
    /// Links' heartbeats too.
    pub heartbeats: bool,
    /// RFC 3339: nothing earlier.
    pub since: Option<String>,
    /// RFC 3339: nothing later.
    pub until: Option<String>,
    pub grep: Option<Regex>,
    /// What does not match, instead of what does.
    pub invert: bool,
    /// Nothing that matters less.
    pub level: Option<Importance>,
    /// The logs that were asked for; none: all.
    pub picked: Option<Picked>,
}

/// Some logs of all. Of the herd's own, and its processes', if they are none of them, what became of these servers is
/// shown.
#[derive(Debug, Clone)]
pub struct Picked {
    pub logs: Vec<usize>,
    pub herds: Vec<usize>,
    pub names: Vec<String>,
}

/// How much a record matters, most last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Importance {
    /// Everything, the lines of the protocol too
    Traffic,
    /// What happens to servers, links and connections
    Info,
    Warn,
    Error,
}

impl Sieve {
    /// Whether anything but heartbeats may be left out.
    pub fn asks(&self) -> bool {
        self.since.is_some() || self.until.is_some() || self.grep.is_some() || self.level.is_some()
    }

    pub fn shows(&self, log: usize, record: &Record) -> bool {
        record.run_begins().is_none()
            && (self.heartbeats || !record.is_heartbeat())
            && self.since.as_deref().is_none_or(|since| record.time >= since)
            && self.until.as_deref().is_none_or(|until| record.time <= until)
            && self.level.is_none_or(|level| importance(record.level) >= level)
            && self.picked.as_ref().is_none_or(|picked| picked.wants(log, Some(record)))
            && self.matches(record)
    }

    /// Whether a line that is no record is shown, in the log with this index.
    pub fn shows_torn(&self, log: usize) -> bool {
        !self.asks() && self.picked.as_ref().is_none_or(|picked| picked.wants(log, None))
    }

    fn matches(&self, record: &Record) -> bool {
        self.grep.as_ref().is_none_or(|grep| grep.is_match(&escape::line(record.text)) != self.invert)
    }
}

impl Picked {
    fn wants(&self, log: usize, record: Option<&Record>) -> bool {
        let is_fate = || record.and_then(fate).is_some_and(|(server, _)| self.names.iter().any(|name| name == server));
        self.logs.contains(&log) || (self.herds.contains(&log) && is_fate())
    }
}

/// A record of the herd that says what has become of a server: which, and its new state. `Clark killed`.
pub fn fate<'a>(record: &Record<'a>) -> Option<(&'a str, &'a str)> {
    const FATES: [&str; 6] = ["running", "paused", "stopped", "killed", "crashed", "failed"];
    if !matches!(record.level, Level::Info | Level::Warn | Level::Error) {
        return None;
    }
    let (server, rest) = std::str::from_utf8(record.text).ok()?.split_once(' ')?;
    let state = rest.split_once(": ").map_or(rest, |(state, _)| state);
    FATES.contains(&state).then_some((server, state))
}

fn importance(level: Level) -> Importance {
    match level {
        Level::Error => Importance::Error,
        Level::Warn => Importance::Warn,
        Level::Info => Importance::Info,
        Level::Debug | Level::In | Level::Out => Importance::Traffic,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(text: &'static str) -> Record<'static> {
        Record::read(text.as_bytes()).unwrap()
    }

    const IN: &str = "2026-11-23T15:04:05.123456Z #1 IN    client 127.0.0.1:5 | IAMAT kiwi +34-118 1";
    const WARN: &str = "2026-11-23T15:04:06.000000Z #2 WARN  link Bona: something was lost";
    const KILLED: &str = "2026-11-23T15:04:07.000000Z #3 INFO  Clark killed";

    #[track_caller]
    fn check(sieve: &Sieve, expected: [bool; 3]) {
        assert_eq!([IN, WARN, KILLED].map(|text| sieve.shows(0, &record(text))), expected, "{sieve:?}");
    }

    #[test]
    fn records_are_chosen_by_time_level_and_text() {
        let any = Sieve::default;
        check(&any(), [true, true, true]);
        check(&Sieve { since: Some("2026-11-23T15:04:06.000000Z".into()), ..any() }, [false, true, true]);
        check(&Sieve { until: Some("2026-11-23T15:04:06.000000Z".into()), ..any() }, [true, true, false]);
        check(&Sieve { level: Some(Importance::Info), ..any() }, [false, true, true]);
        check(&Sieve { level: Some(Importance::Warn), ..any() }, [false, true, false]);
        let grep = Some(Regex::new("kiwi|Clark").unwrap());
        check(&Sieve { grep: grep.clone(), ..any() }, [true, false, true]);
        check(&Sieve { grep, invert: true, ..any() }, [false, true, false]);
        let picked = |logs, server: &str| Some(Picked { logs, herds: vec![0], names: vec![server.into()] });
        check(&Sieve { picked: picked(vec![0], "Bona"), ..any() }, [true, true, true]);
        check(&Sieve { picked: picked(vec![1], "Clark"), ..any() }, [false, false, true]);
        check(&Sieve { picked: picked(vec![1], "Bona"), ..any() }, [false, false, false]);
    }

    #[test]
    fn what_becomes_of_a_server_is_told_from_what_somebody_says() {
        assert_eq!(fate(&record(KILLED)), Some(("Clark", "killed")));
        let crashed = "2026-11-23T15:04:07.000000Z #3 ERROR Clark crashed: told to panic";
        assert_eq!(fate(&record(crashed)), Some(("Clark", "crashed")));
        for other in [IN, WARN, "2026-11-23T15:04:07.000000Z #3 IN    Clark killed"] {
            assert_eq!(fate(&record(other)), None);
        }
    }
}
