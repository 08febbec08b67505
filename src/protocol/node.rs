//! One server hearing one line of a client: what to answer, what to learn.
//!
//! `hear` cannot fail: what is no command is answered `? ` and the line. It does not say "flood": whoever
//! follows the atlas sees that its edition has moved.

use super::atlas::{Atlas, Edition, Source};
use super::line::{Command, Parts, Report, Sighting, Time, fields, lines};
use super::query::Query;

/// A server's name and what it knows.
#[derive(Debug)]
pub struct Node {
    /// `AT <server> `, which begins each of its reports.
    prefix: Vec<u8>,
    atlas: Atlas,
    /// The last edition that a client of this server was made to wait for.
    own: Edition,
    /// After so many clients a new one is refused; 0: never.
    clients_max: u64,
    /// A time further ahead of the clock than so many seconds is refused; 0: none is.
    future_seconds_max: u64,
    /// The line of the report being made; kept, so that nothing is allocated a line.
    draft: Vec<u8>,
}

/// What follows from a client's line. An answer, where there is one, has been appended with its LF.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Answered. The answer may be written once the others know what this edition knows (0: at once).
    Say { after: Edition },
    /// To be answered when the places have been looked up.
    Ask(Query),
    /// Answered `? …`: no command, or a client that nobody has reported.
    Refuse,
    /// Answered `? …`: a new client, and the atlas holds as many as it may.
    Full,
    /// Answered `? …`: a time too far ahead of this server's clock.
    Future,
    /// Answered `? …`; the connection is to be closed, for somebody is speaking HTTP.
    HangUp,
}

impl Node {
    /// A server that knows nothing yet; `clients_max` 0 means no limit.
    #[must_use]
    pub fn new(name: &str, clients_max: u64) -> Self {
        let prefix = format!("AT {name} ").into_bytes();
        Self { prefix, atlas: Atlas::new(), own: 0, clients_max, future_seconds_max: 0, draft: Vec::new() }
    }

    /// Refuses times further ahead of its clock than so many seconds; 0 refuses none.
    #[must_use]
    pub fn with_future_max(self, future_seconds_max: u64) -> Self {
        Self { future_seconds_max, ..self }
    }

    /// Looks ahead at a burst of lines, so that hearing them waits less for memory.
    pub fn look_ahead(&self, burst: &[u8]) {
        self.atlas.look_ahead(lines(burst).filter_map(|line| fields(line).nth(1)));
    }

    /// Hears one line of a client, without its LF, at the time `now`; appends the answer to `answers`.
    pub fn hear(&mut self, line: &[u8], now: Time, answers: &mut Vec<u8>) -> Reply {
        let reply = match Command::parse(line) {
            Command::IAmAt(sighting) => self.sight(sighting, now),
            Command::WhatsAt { client, radius_km, bound } => self.ask(client, radius_km, bound),
            Command::Http => Reply::HangUp,
            Command::Unknown => Reply::Refuse,
        };
        match &reply {
            Reply::Say { .. } => append_line(answers, &self.draft),
            Reply::Ask(_) => {}
            Reply::Refuse | Reply::Full | Reply::Future | Reply::HangUp => refuse(line, answers),
        }
        reply
    }

    /// What this server knows.
    #[must_use]
    pub fn atlas(&self) -> &Atlas {
        &self.atlas
    }

    /// The last edition that a client of this server was made to wait for, by a new report or by an old one: until
    /// neighbours have heard it, somebody may be waiting.
    #[must_use]
    pub fn own(&self) -> Edition {
        self.own
    }

    /// What this server knows, for a neighbour to add to. Neighbours are not held to `clients_max`: an atlas
    /// that refused what its neighbour holds could never be equal to it.
    pub fn atlas_mut(&mut self) -> &mut Atlas {
        &mut self.atlas
    }

    /// An answer waits for the edition that holds the client's newest report, whether this line made it or
    /// not: a client that says the same again on another connection must not be told so any sooner.
    fn sight(&mut self, sighting: Sighting<'_>, now: Time) -> Reply {
        if self.is_full_for(sighting.client) {
            return Reply::Full;
        }
        if self.future_seconds_max != 0 && sighting.at > now.plus_seconds(self.future_seconds_max) {
            return Reply::Future;
        }
        let report = draft(&mut self.draft, &self.prefix, sighting, now);
        let after = match self.atlas.learn(report, Source::CLIENT) {
            true => self.atlas.edition(),
            false => self.atlas.newest(sighting.client).map_or(0, |(_, edition)| edition),
        };
        self.own = self.own.max(after);
        Reply::Say { after }
    }

    fn ask(&self, client: &[u8], radius_km: f64, bound: usize) -> Reply {
        let known = self.atlas.newest(client).and_then(|(report, _)| Some((report, report.place()?)));
        known.map_or(Reply::Refuse, |(report, place)| {
            Reply::Ask(Query { at_line: report.line().to_vec(), place, radius_km, bound })
        })
    }

    fn is_full_for(&self, client: &[u8]) -> bool {
        let full = self.clients_max != 0 && self.atlas.len() as u64 >= self.clients_max;
        full && self.atlas.newest(client).is_none()
    }
}

/// Answers `? ` and the line as it came, without its LF.
pub fn refuse(line: &[u8], answers: &mut Vec<u8>) {
    answers.extend_from_slice(b"? ");
    append_line(answers, line);
}

fn append_line(answers: &mut Vec<u8>, line: &[u8]) {
    answers.extend_from_slice(line);
    answers.push(b'\n');
}

/// Writes `AT <server> <skew> <client> <location> <time>` into `line`.
fn draft<'a>(line: &'a mut Vec<u8>, prefix: &[u8], sighting: Sighting<'_>, now: Time) -> Report<'a> {
    line.clear();
    line.extend_from_slice(prefix);
    now.write_skew(sighting.at, line);
    line.push(b' ');
    let start = line.len();
    line.extend_from_slice(sighting.client);
    let end = line.len();
    line.push(b' ');
    line.extend_from_slice(sighting.location);
    line.push(b' ');
    let time = line.len();
    line.extend_from_slice(sighting.time);
    // A line is far shorter than 4 GiB: its parts come from a read of bounded length.
    Report::known(line, Parts { client: (start, end), time }.map(|place| place as u32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::line::Place;
    use proptest::prelude::*;

    const NOW: Time = Time::new(1_621_464_828, 223_371_889);

    fn hear(node: &mut Node, line: &[u8]) -> (Reply, String) {
        let mut answers = Vec::new();
        let reply = node.hear(line, NOW, &mut answers);
        (reply, String::from_utf8_lossy(&answers).into_owned())
    }

    #[test]
    fn an_iamat_is_answered_with_the_clients_own_bytes() {
        let mut node = Node::new("Clark", 0);
        let (reply, answer) = hear(&mut node, b"\tIAMAT   kiwi +34.068930-118.445127  1621464827.959498503 \r");
        assert_eq!(answer, "AT Clark +0.263873386 kiwi +34.068930-118.445127 1621464827.959498503\n");
        assert_eq!(reply, Reply::Say { after: 1 });
    }

    #[test]
    fn what_its_own_clients_wait_for_is_told_from_what_it_passes_on() {
        let mut node = Node::new("Clark", 0);
        hear(&mut node, b"IAMAT mango +1-1 7");
        let passed_on = Report::parse(b"AT Bona +0.000000000 kiwi +1-1 5").unwrap();
        assert!(node.atlas_mut().learn(passed_on, Source::link(1)));
        assert_eq!((node.own(), node.atlas().edition()), (1, 2));
        hear(&mut node, b"IAMAT mango +1-1 6");
        assert_eq!(node.own(), 1);
        hear(&mut node, b"IAMAT kiwi +1-1 4");
        assert_eq!(node.own(), 2, "an old one waits for what was passed on");
        hear(&mut node, b"IAMAT kiwi +1-1 6");
        assert_eq!(node.own(), 3);
    }

    #[test]
    fn an_older_iamat_is_answered_and_changes_nothing() {
        let mut node = Node::new("Clark", 0);
        hear(&mut node, b"IAMAT mango +1-1 7");
        hear(&mut node, b"IAMAT kiwi +1-1 5");
        let digest = node.atlas().digest();
        let (reply, answer) = hear(&mut node, b"IAMAT kiwi +2-2 4");
        assert_eq!(answer, "AT Clark +1621464824.223371889 kiwi +2-2 4\n");
        assert_eq!(reply, Reply::Say { after: 2 }, "it waits for what is known of kiwi, not of mango");
        assert_eq!((node.atlas().digest(), node.atlas().edition()), (digest, 2));
    }

    #[test]
    fn a_whatsat_asks_with_the_newest_line_or_is_refused() {
        let mut node = Node::new("Clark", 0);
        assert_eq!(hear(&mut node, b"WHATSAT kiwi 10 5"), (Reply::Refuse, "? WHATSAT kiwi 10 5\n".into()));
        hear(&mut node, b"IAMAT kiwi +34.06-118.44 1");
        let (reply, answer) = hear(&mut node, b"WHATSAT kiwi 10.5 5");
        let Reply::Ask(query) = reply else { panic!("{reply:?}") };
        assert_eq!(query.at_line, b"AT Clark +1621464827.223371889 kiwi +34.06-118.44 1");
        assert_eq!(query.place, Place { latitude: 34.06, longitude: -118.44 });
        assert_eq!((query.radius_km, query.bound, answer.as_str()), (10.5, 5, ""));
    }

    #[test]
    fn anything_else_comes_back_as_it_came() {
        let mut node = Node::new("Clark", 0);
        for line in [
            "",
            " ",
            "IAMAT",
            " IAMAT kiwi +1-1 \r",
            "AT Clark +0.263873386 kiwi +34-118 1",
            "PEER 1 h a b 1 2",
            "TOLD 1 0",
            "HEARD 0",
            "PROOF x",
        ] {
            assert_eq!(hear(&mut node, line.as_bytes()), (Reply::Refuse, format!("? {line}\n")));
        }
        assert_eq!(hear(&mut node, b"POST / HTTP/1.1\r"), (Reply::HangUp, "? POST / HTTP/1.1\r\n".into()));
        assert!(node.atlas().is_empty());
    }

    #[test]
    fn a_time_far_ahead_is_refused_if_there_is_a_limit() {
        let mut node = Node::new("Clark", 0).with_future_max(60);
        let ahead = |seconds: u64| format!("IAMAT kiwi +1-1 {}.223371889", 1_621_464_828 + seconds);
        assert_eq!(hear(&mut node, ahead(60).as_bytes()).0, Reply::Say { after: 1 });
        assert_eq!(hear(&mut node, ahead(61).as_bytes()), (Reply::Future, format!("? {}\n", ahead(61))));
        assert_eq!(hear(&mut Node::new("Clark", 0), b"IAMAT kiwi +1-1 9999999999999").0, Reply::Say { after: 1 });
    }

    #[test]
    fn a_full_atlas_refuses_new_clients_and_serves_those_it_has() {
        let mut node = Node::new("Clark", 1);
        hear(&mut node, b"IAMAT kiwi +1-1 1");
        assert_eq!(hear(&mut node, b"IAMAT mango +1-1 1"), (Reply::Full, "? IAMAT mango +1-1 1\n".into()));
        assert_eq!(hear(&mut node, b"IAMAT kiwi +1-1 2").0, Reply::Say { after: 2 });
    }

    proptest! {
        /// parse ∘ print: what a server answers is a report, with the client's fields unchanged.
        #[test]
        fn an_answer_is_a_report_of_the_same_fields(
            client in "[^ \t\r\n\x0b\x0c]{1,40}",
            location in r"[+-][0-8]?[0-9](\.[0-9]{1,12})?[+-](1[0-7][0-9]|[0-9]{1,2})(\.[0-9]{1,12})?",
            time in r"[0-9]{1,18}(\.[0-9]{1,9})?",
            now in any::<(u64, u32)>(),
        ) {
            let now = Time::new(now.0, now.1 % 1_000_000_000);
            let mut node = Node::new("Clark", 0);
            let mut answers = Vec::new();
            let reply = node.hear(format!("IAMAT {client} {location} {time}").as_bytes(), now, &mut answers);
            prop_assert_eq!(reply, Reply::Say { after: 1 });
            let report = Report::parse(answers.strip_suffix(b"\n").unwrap()).unwrap();
            prop_assert_eq!(report.client(), client.as_bytes());
            prop_assert_eq!(report.at(), Time::parse(time.as_bytes()).unwrap());
            let tail = format!(" {location} {time}");
            prop_assert!(report.line().ends_with(tail.as_bytes()));
        }

        /// Whatever a client says, each line is answered with one line or asks for places, and nothing breaks.
        #[test]
        fn any_bytes_are_heard(lines in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..20)) {
            let mut node = Node::new("Clark", 3);
            for line in lines {
                let line: Vec<u8> = line.into_iter().filter(|&byte| byte != b'\n').collect();
                let mut answers = Vec::new();
                let reply = node.hear(&line, NOW, &mut answers);
                prop_assert_eq!(answers.iter().filter(|&&byte| byte == b'\n').count(), usize::from(!matches!(reply, Reply::Ask(_))));
            }
        }
    }
}
