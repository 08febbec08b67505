//! What a step may expect, in words: `converged within 2s`, `Clark killed`, `kiwi unknown at Clark`.
//!
//! | words | what must be so |
//! |---|---|
//! | `ready` | all servers run and all links are up |
//! | `converged` | all running servers know the same |
//! | `SERVER running` (`paused`, `stopped`, `killed`, `down`) | that server's state |
//! | `link A B up` (`down`) | that link |
//! | `CLIENT newest at SERVER,…` (`old`, `unknown`; `all` servers that run) | what they know of a client |
//! | `says PATTERN` | a line that the step's command said; `*` stands for anything |
//! | `fails`, `fails PATTERN` | the step's command fails, with these words |
//!
//! Each but the last two may end with `within DURATION`: then it must become so in that time, else it is so at once.

use std::time::Duration;

use regex::Regex;

use super::super::human::parse_duration;
use super::super::{escape, names, wait};
use crate::herd::api::{Failure, Knows, Ps, State, Whereis};

/// The forms, for whoever has written another.
pub const FORMS: &str = "ready; converged; Clark killed; link Clark Bona down; kiwi newest at all; kiwi unknown at \
                         Clark; says AT Clark *; fails; and `within 2s` behind any but the last two";

#[derive(Debug)]
pub struct Expectation {
    /// As it was written.
    pub typed: String,
    pub what: What,
    /// How long it may take to become so.
    pub within: Duration,
}

#[derive(Debug)]
pub enum What {
    Ready,
    Converged,
    State { server: String, state: Wanted },
    Link { ends: [String; 2], up: bool },
    Client { client: String, knows: Knows, at: Vec<String> },
    Says(Regex),
    Fails(Regex),
}

/// A state, or any in which a server is down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    Is(State),
    Down,
}

impl Expectation {
    /// # Errors
    ///
    /// What is wrong with it, in a few words.
    pub fn parse(typed: &str) -> Result<Self, String> {
        let (words, within) = match typed.rsplit_once(" within ") {
            Some((words, within)) if !is_about_a_command(typed) => (words, parse_duration(within.trim())?),
            _ => (typed, Duration::ZERO),
        };
        Ok(Self { typed: typed.to_owned(), what: What::parse(words)?, within })
    }

    /// Whether it is about what the step's command said.
    pub fn is_about_a_command(&self) -> bool {
        matches!(self.what, What::Says(_) | What::Fails(_))
    }

    /// The servers that it names.
    pub fn servers(&self) -> impl Iterator<Item = &str> {
        let named: &[String] = match &self.what {
            What::State { server, .. } => std::slice::from_ref(server),
            What::Link { ends, .. } => ends,
            What::Client { at, .. } => at,
            What::Ready | What::Converged | What::Says(_) | What::Fails(_) => &[],
        };
        named.iter().map(String::as_str)
    }

    /// The client that must be looked for.
    pub fn client(&self) -> Option<&str> {
        if let What::Client { client, .. } = &self.what { Some(client) } else { None }
    }

    /// What keeps the herd from being so, in words; nothing if it is so. `whereis` is about [`client`](Self::client).
    ///
    /// # Errors
    ///
    /// `unknown_name`: the herd has no such server, or no such link.
    pub fn missing(&self, ps: &Ps, whereis: Option<&Whereis>) -> Result<Option<String>, Failure> {
        Ok(match &self.what {
            What::Ready => all_of(&wait::unready(ps)),
            What::Converged => all_of(&wait::diverged(ps)),
            What::State { server, state } => {
                let server = &ps.servers[place(server, ps)?];
                (!state.holds(server.state)).then(|| format!("{} is {}", server.name, server.state))
            }
            What::Link { ends, up } => link(ends, *up, ps)?,
            What::Client { client, knows, at } => knowledge(client, *knows, at, ps, whereis)?,
            What::Says(_) | What::Fails(_) => None,
        })
    }
}

impl What {
    fn parse(words: &str) -> Result<Self, String> {
        let state = |server: &str, state| Ok(Self::State { server: server.to_owned(), state });
        let split: Vec<&str> = words.split_whitespace().collect();
        match split[..] {
            ["ready"] => Ok(Self::Ready),
            ["converged"] => Ok(Self::Converged),
            ["says", _, ..] => Ok(Self::Says(pattern(words.trim_start().trim_start_matches("says").trim()))),
            ["fails"] => Ok(Self::Fails(pattern("*"))),
            ["fails", ..] => Ok(Self::Fails(pattern(words.trim_start().trim_start_matches("fails").trim()))),
            ["link", one, other, word @ ("up" | "down")] => {
                Ok(Self::Link { ends: [one.to_owned(), other.to_owned()], up: word == "up" })
            }
            [client, word @ ("newest" | "old" | "unknown"), "at", at] => Ok(Self::Client {
                client: client.to_owned(),
                knows: match word {
                    "newest" => Knows::Newest,
                    "old" => Knows::Old,
                    _ => Knows::Nothing,
                },
                at: if at == "all" { Vec::new() } else { at.split(',').map(str::to_owned).collect() },
            }),
            [server, "running"] => state(server, Wanted::Is(State::Running)),
            [server, "paused"] => state(server, Wanted::Is(State::Paused)),
            [server, "stopped"] => state(server, Wanted::Is(State::Stopped)),
            [server, "killed"] => state(server, Wanted::Is(State::Killed)),
            [server, "down"] => state(server, Wanted::Down),
            _ => Err("nothing that can be expected".into()),
        }
    }
}

impl Wanted {
    fn holds(self, state: State) -> bool {
        match self {
            Self::Is(wanted) => state == wanted,
            Self::Down => wait::is_down(state),
        }
    }
}

/// `within` may stand in a pattern.
fn is_about_a_command(typed: &str) -> bool {
    matches!(typed.split_whitespace().next(), Some("says" | "fails"))
}

/// A pattern for a whole line, in which `*` stands for anything.
fn pattern(typed: &str) -> Regex {
    let parts: Vec<String> = typed.split('*').map(regex::escape).collect();
    Regex::new(&format!("^{}$", parts.join(".*"))).expect("an escaped text is a regular expression")
}

fn all_of(missing: &[String]) -> Option<String> {
    (!missing.is_empty()).then(|| missing.join("; "))
}

/// The place of the server that is meant.
pub fn place(typed: &str, ps: &Ps) -> Result<usize, Failure> {
    let known: Vec<&str> = ps.servers.iter().map(|server| server.name.as_str()).collect();
    names::pick(typed, &known, &ps.config)
}

fn link(ends: &[String; 2], up: bool, ps: &Ps) -> Result<Option<String>, Failure> {
    let [one, other] = [place(&ends[0], ps)?, place(&ends[1], ps)?].map(|place| ps.servers[place].name.as_str());
    let found = ps
        .links
        .iter()
        .find(|link| [&*link.from, &*link.to] == [one, other] || [&*link.to, &*link.from] == [one, other]);
    let Some(link) = found else { return Ok(Some(format!("there is no link {one} – {other}"))) };
    let is = if link.up { "up" } else { "down" };
    Ok((link.up != up).then(|| format!("link {one} – {other} is {is}")))
}

/// Every server that is meant must know just that.
fn knowledge(
    client: &str,
    wanted: Knows,
    at: &[String],
    ps: &Ps,
    whereis: Option<&Whereis>,
) -> Result<Option<String>, Failure> {
    let meant: Vec<&str> = if at.is_empty() {
        ps.servers.iter().filter(|server| server.state == State::Running).map(|server| server.name.as_str()).collect()
    } else {
        let places = at.iter().map(|typed| place(typed, ps)).collect::<Result<Vec<_>, _>>()?;
        places.into_iter().map(|place| ps.servers[place].name.as_str()).collect()
    };
    let found = whereis.and_then(|whereis| whereis.clients.first());
    let is = |server: &str| {
        let known = found.into_iter().flat_map(|client| &client.servers).find(|one| one.server == server);
        known.map(|one| one.knows)
    };
    let wrong: Vec<String> = meant
        .into_iter()
        .filter_map(|server| match is(server) {
            Some(knows) if knows == wanted => None,
            Some(knows) => Some(format!("{} is {} at {server}", escape::text(client), word(knows))),
            None => Some(format!("{server} could not be asked")),
        })
        .collect();
    Ok(all_of(&wrong))
}

fn word(knows: Knows) -> &'static str {
    match knows {
        Knows::Newest => "newest",
        Knows::Old => "old",
        Knows::Nothing => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_understood() {
        let within = Expectation::parse("converged within 2s").unwrap();
        assert!(matches!(within.what, What::Converged) && within.within == Duration::from_secs(2));
        let client = Expectation::parse("kiwi unknown at Clark,Bona").unwrap();
        assert_eq!((client.client(), client.servers().collect::<Vec<_>>()), (Some("kiwi"), vec!["Clark", "Bona"]));
        assert!(matches!(Expectation::parse("link Clark Bona down").unwrap().what, What::Link { up: false, .. }));
        assert!(client.within.is_zero() && !client.is_about_a_command());
    }

    #[test]
    fn what_cannot_be_expected_is_refused() {
        for typed in ["", "converged soon", "converged within", "Clark", "Clark sleeping", "link Clark up", "says"] {
            assert!(Expectation::parse(typed).is_err(), "{typed}");
        }
        assert!(Expectation::parse("converged within 2").unwrap_err().contains("unit"));
    }

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_does() {
        let What::Says(pattern) = Expectation::parse("says AT * kiwi +1.5-2 within 3s *").unwrap().what else {
            panic!()
        };
        assert!(pattern.is_match("AT Clark +0.1 kiwi +1.5-2 within 3s 4"));
        assert!(!pattern.is_match("AT Clark +0.1 kiwi +1x5-2 within 3s 4"));
    }
}
