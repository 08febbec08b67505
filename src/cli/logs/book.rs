//! The logs of one herd: which there are, where, and whose.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::far::Far;
use super::show::Name;
use super::sieve::{Picked, Sieve};
use super::{Begun, HERD};
use crate::cli::args::Lines;
use crate::cli::client::Target;
use crate::cli::names;
use crate::cli::session::{ANSWER_MAX, Session};
use crate::config::Config;
use crate::herd::api::{Failure, Kind, LogsQuery};
use crate::logbook::braid::{Braid, Source};
use crate::logbook::merge::Merge;
use crate::logbook::record::Record;
use crate::logbook::stream::{self, Piece, Stream};
use crate::logbook::tail::{self, Tail};

/// Of processes on other hosts so many are held at most, to find the last of all.
const FAR_LINES_MAX: usize = 10_000;

/// The logs of one herd, those of one process beside each other.
pub struct Book {
    pub folder: PathBuf,
    pub logs: Vec<Name>,
    /// The processes whose files are on other hosts.
    pub far: BTreeMap<String, Target>,
    /// How long these may take to answer.
    pub deadline: Duration,
}

impl Book {
    /// From herd.toml; from the running herd where only its socket was named.
    pub fn of(session: &mut Session) -> Result<Self, Failure> {
        let target = session.target()?;
        if target.config.is_some() {
            let config = session.config()?.0;
            let is_one = target.processes.is_empty();
            let deadline = session.deadline(ANSWER_MAX);
            return Ok(if is_one { Self::of_config(&config) } else { Self::of_processes(&config, &target, deadline) });
        }
        let ps = session.client()?.ps()?;
        Ok(Self::new(ps.logs.into(), ps.servers.into_iter().map(|server| server.name)))
    }

    pub fn of_config(config: &Config) -> Self {
        Self::new(config.log.directory.clone(), config.servers.iter().map(|server| server.name.clone()))
    }

    /// Each process has a folder in the herd's; what stands beside them is of a supervisor that was up before.
    pub fn of_processes(config: &Config, target: &Target, deadline: Duration) -> Self {
        let mut book = Self { deadline, ..Self::of_config(config) };
        for (place, (server, target)) in config.servers.iter().zip(&target.processes).enumerate() {
            let process = Some(server.name.clone());
            if target.is_elsewhere() && !book.folder.join(&server.name).is_dir() {
                book.far.insert(server.name.clone(), target.clone());
            }
            book.logs.push(Name { name: server.name.clone(), place: Some(place), process: process.clone() });
            book.logs.push(Name { name: HERD.into(), place: None, process });
        }
        book
    }

    pub fn new(folder: PathBuf, servers: impl Iterator<Item = String>) -> Self {
        let herd = Name { name: HERD.into(), place: None, process: None };
        let servers = servers.enumerate().map(|(place, name)| Name { name, place: Some(place), process: None });
        Self { folder, logs: servers.chain([herd]).collect(), far: BTreeMap::new(), deadline: ANSWER_MAX }
    }

    /// Those that are named; all where none is. The herd's own comes along, for what became of those servers, and
    /// all do for who follows: only all numbers together tell that none is missing. Of processes only those that are
    /// meant: none knows what becomes of another's server.
    pub fn only(
        mut self,
        typed: &[String],
        follow: bool,
        session: &Session,
    ) -> Result<(Self, Option<Picked>), Failure> {
        if typed.is_empty() {
            return Ok((self, None));
        }
        let mut known: Vec<&str> = Vec::new();
        for log in &self.logs {
            if !known.contains(&log.name.as_str()) {
                known.push(&log.name);
            }
        }
        let place = session.target().map_or_else(|_| "herd.toml".to_owned(), |target| target.name);
        let picked = typed.iter().map(|typed| names::pick(typed, &known, &place)).collect::<Result<Vec<_>, _>>()?;
        let names: Vec<String> = picked.iter().map(|&name| known[name].to_owned()).collect();
        self.logs.retain(|log| {
            let (is_named, is_own) = (names.contains(&log.name), log.place.is_none());
            match &log.process {
                Some(process) => {
                    is_named || names.contains(process) || (follow && names.iter().any(|name| name == HERD))
                }
                None => is_named || is_own || follow,
            }
        });
        let all = || 0..self.logs.len();
        let logs = all().filter(|&nth| names.contains(&self.logs[nth].name)).collect();
        let herds = all().filter(|&nth| self.logs[nth].place.is_none()).collect();
        Ok((self, Some(Picked { logs, herds, names })))
    }

    pub fn names(&self) -> Vec<Name> {
        self.logs.clone()
    }

    /// Of each log, the number of the process that writes it.
    pub fn processes(&self) -> Vec<usize> {
        let (mut processes, mut last) = (Vec::new(), 0);
        for (nth, log) in self.logs.iter().enumerate() {
            last += usize::from(nth > 0 && self.logs[nth - 1].process != log.process);
            processes.push(last);
        }
        processes
    }

    pub fn path(&self, log: &Name) -> PathBuf {
        let folder = log.process.as_ref().map_or_else(|| self.folder.clone(), |process| self.folder.join(process));
        folder.join(format!("{}.log", log.name))
    }

    pub fn chains(&self) -> Result<Vec<Vec<Piece>>, Failure> {
        let chain = |log| stream::chain(&self.path(log)).map_err(|why| self.unreadable(&why));
        self.logs.iter().map(chain).collect()
    }

    pub fn tail(&self, wanted: &Sieve, chains: &[Vec<Piece>], most: usize) -> Result<Tail, Failure> {
        let shown = |log, record: Option<&Record>| match record {
            Some(record) => wanted.shows(log, record),
            None => wanted.shows_torn(log),
        };
        tail::tail(chains, &self.processes(), most, shown).map_err(|why| self.unreadable(&why))
    }

    /// Begins to ask the processes on other hosts.
    pub fn begin_far(&self, wanted: &Sieve, lines: Lines, follow: bool) -> Result<BTreeMap<usize, Far>, Failure> {
        let lines = match lines {
            Lines::Last(most) if most > FAR_LINES_MAX && !self.far.is_empty() => {
                let why = format!("of processes on other hosts the last {FAR_LINES_MAX} records at most, or all");
                return Err(Failure::new(Kind::Usage, format!("-n: {why}")));
            }
            // Which are the last that are wanted, is found out here.
            Lines::Last(most) => Some(most).filter(|_| !wanted.asks() && wanted.picked.is_none()),
            Lines::All => None,
        };
        let query = LogsQuery { since: wanted.since.clone(), lines, follow, heartbeats: wanted.heartbeats };
        let mut far = BTreeMap::new();
        for (name, target) in &self.far {
            let is_its = |log: &&Name| log.process.as_ref() == Some(name);
            let place = |is_own: bool| self.logs.iter().filter(is_its).position(|log| log.place.is_none() == is_own);
            let places = [place(false), place(true)];
            let mut numbered = self.logs.iter().zip(self.processes());
            let Some((_, process)) = numbered.find(|(log, _)| is_its(log)) else { continue };
            far.insert(process, Far::begin(target, self.deadline, query.clone(), places)?);
        }
        Ok(far)
    }

    pub fn braid(&self, chains: Vec<Vec<Piece>>, begun: Begun) -> Braid {
        let mut processes: Vec<Vec<Stream>> = Vec::new();
        for (((log, process), pieces), start) in self.logs.iter().zip(self.processes()).zip(chains).zip(begun.starts) {
            processes.resize_with(process + 1, Vec::new);
            processes[process].push(Stream::new(&self.path(log), pieces, start));
        }
        let mut far = begun.far;
        let source = |(process, streams): (usize, Vec<Stream>)| {
            let many = streams.len();
            let source: Box<dyn Source> = match far.remove(&process) {
                Some(far) => Box::new(far),
                None => Box::new(Merge::new(streams)),
            };
            (many, source)
        };
        Braid::new(processes.into_iter().enumerate().map(source).collect())
    }

    pub fn unreadable(&self, why: &io::Error) -> Failure {
        Failure::new(Kind::Failed, format!("cannot read the logs in {}: {why}", self.folder.display()))
    }
}
