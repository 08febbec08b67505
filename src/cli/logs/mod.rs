//! `logs`: the servers' log files, merged in the order of events; where each server is a process of its own, in that order
//! of each, and between them by time.
//!
//! Reads files only, so it works with no herd running. The same follower shows the logs of a foreground `up`.
//! Never loads a file into memory and never leaves anything out without saying so.

mod show;
pub mod sieve;

use std::io;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::args::{self, Lines};
use super::names;
use super::output::{Output, Stop};
use super::session::Session;
use super::{Done, Exit};
use crate::cli::when;
use crate::config::Config;
use crate::herd::api::{Failure, Kind};
use crate::logbook::braid::{Braid, HOLD};
use crate::logbook::merge::Item;
use crate::logbook::record::{NO_RUN, Record, Run};
use crate::logbook::stream::{self, Piece, Start, Stream};
use crate::logbook::tail;
use jiff::{SignedDuration, Timestamp};
use show::{Name, Show};
use sieve::{Picked, Sieve};

/// The name of the supervisor's own log.
const HERD: &str = "herd";
/// So many records are shown if nothing else is asked for.
const LINES: Lines = Lines::Last(200);
/// How often files are looked at that are followed.
pub const LOOK_EVERY: Duration = Duration::from_millis(50);
/// A record may be in its file so much later than a later one in another file: for a terminal, …
const REORDER: Duration = Duration::from_millis(50);
/// … and for who wants all, of a disk that is slow. Only a gap in the numbers is waited for.
const GAP_MAX: Duration = Duration::from_secs(3);

/// `herdctl logs`
///
/// # Errors
///
/// `bad_config`; `unknown_name`; `failed`: a log cannot be read.
pub fn run(args: &args::Logs, session: &mut Session) -> Done {
    let book = Book::of(session)?;
    let (book, picked) = book.only(&args.servers, args.follow, session)?;
    let wanted = sieve(args, picked)?;
    let lines = args.lines.unwrap_or(if wanted.asks() { Lines::All } else { LINES });
    let show = Show::new(book.names(), session.out.pen(), session.out.json, !args.no_prefix);
    let show = match &wanted.picked {
        Some(picked) => show.of_width(&picked.names),
        None => show,
    };
    let show = show.highlighting(wanted.grep.clone().filter(|_| !wanted.invert));
    let chains = book.chains()?;
    if chains.iter().all(Vec::is_empty) && !args.follow {
        session.out.message(&format!("no logs yet in {}", session.path(&book.folder)));
        return Ok(Exit::Fine);
    }
    let (starts, leaves_out) = starts(&wanted, &book, &chains, lines)?;
    if let (true, Lines::Last(n)) = (leaves_out, lines) {
        session.out.message(&format!("the last {n} records; all of them: herdctl logs -n all"));
    }
    let mut reader = Reader::new(&book, chains, &starts, show, wanted, session.path(&book.folder));
    let read = if args.follow { reader.follow(&mut session.out) } else { reader.print(&mut session.out) };
    read.map_err(|trouble| trouble.stop(&book))?;
    Ok(Exit::Fine)
}

/// What was asked for.
fn sieve(args: &args::Logs, picked: Option<Picked>) -> Result<Sieve, Failure> {
    let now = Timestamp::now();
    let time = |flag: &str, typed: &Option<String>| {
        let time = typed.as_deref().map(|typed| when::parse(typed, now)).transpose();
        let time = time.map_err(|why| Failure::new(Kind::Usage, format!("{flag}: {why}")))?;
        Ok::<_, Failure>(time.map(when::rfc3339))
    };
    Ok(Sieve {
        heartbeats: args.heartbeats,
        since: time("--since", &args.since)?,
        until: time("--until", &args.until)?,
        grep: args.grep.clone(),
        invert: args.invert,
        level: args.level,
        picked,
    })
}

/// Where to begin for so many lines, and whether something wanted stands before that.
fn starts(wanted: &Sieve, book: &Book, chains: &[Vec<Piece>], lines: Lines) -> Result<(Vec<Start>, bool), Failure> {
    match lines {
        Lines::All => Ok((vec![Start::ALL; chains.len()], false)),
        Lines::Last(n) => {
            let shown = |log, record: Option<&Record>| match record {
                Some(record) => wanted.shows(log, record),
                None => wanted.shows_torn(log),
            };
            let tail = tail::tail(chains, &book.processes(), n, shown).map_err(|why| book.unreadable(&why))?;
            Ok((tail.starts, tail.leaves_out))
        }
    }
}

/// The logs of one herd, those of one process beside each other.
struct Book {
    folder: PathBuf,
    logs: Vec<Name>,
}

impl Book {
    /// From herd.toml; from the running herd where only its socket was named.
    fn of(session: &mut Session) -> Result<Self, Failure> {
        let target = session.target()?;
        if target.config.is_some() {
            let config = session.config()?.0;
            let is_one = target.processes.is_empty();
            return Ok(if is_one { Self::of_config(&config) } else { Self::of_processes(&config) });
        }
        let ps = session.client()?.ps()?;
        Ok(Self::new(ps.logs.into(), ps.servers.into_iter().map(|server| server.name)))
    }

    fn of_config(config: &Config) -> Self {
        Self::new(config.log.directory.clone(), config.servers.iter().map(|server| server.name.clone()))
    }

    /// Each process has a folder in the herd's; what stands beside them is of a supervisor that was up before.
    fn of_processes(config: &Config) -> Self {
        let mut book = Self::of_config(config);
        for (place, server) in config.servers.iter().enumerate() {
            let process = Some(server.name.clone());
            book.logs.push(Name { name: server.name.clone(), place: Some(place), process: process.clone() });
            book.logs.push(Name { name: HERD.into(), place: None, process });
        }
        book
    }

    fn new(folder: PathBuf, servers: impl Iterator<Item = String>) -> Self {
        let herd = Name { name: HERD.into(), place: None, process: None };
        let servers = servers.enumerate().map(|(place, name)| Name { name, place: Some(place), process: None });
        Self { folder, logs: servers.chain([herd]).collect() }
    }

    /// Those that are named; all where none is. The herd's own comes along, for what became of those servers, and
    /// all do for who follows: only all numbers together tell that none is missing.
    fn only(mut self, typed: &[String], follow: bool, session: &Session) -> Result<(Self, Option<Picked>), Failure> {
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
        self.logs.retain(|log| follow || log.place.is_none() || names.contains(&log.name));
        let all = || 0..self.logs.len();
        let logs = all().filter(|&nth| names.contains(&self.logs[nth].name)).collect();
        let herds = all().filter(|&nth| self.logs[nth].place.is_none()).collect();
        Ok((self, Some(Picked { logs, herds, names })))
    }

    fn names(&self) -> Vec<Name> {
        self.logs.clone()
    }

    /// Of each log, the number of the process that writes it.
    fn processes(&self) -> Vec<usize> {
        let (mut processes, mut last) = (Vec::new(), 0);
        for (nth, log) in self.logs.iter().enumerate() {
            last += usize::from(nth > 0 && self.logs[nth - 1].process != log.process);
            processes.push(last);
        }
        processes
    }

    fn path(&self, log: &Name) -> PathBuf {
        let folder = log.process.as_ref().map_or_else(|| self.folder.clone(), |process| self.folder.join(process));
        folder.join(format!("{}.log", log.name))
    }

    fn chains(&self) -> Result<Vec<Vec<Piece>>, Failure> {
        let chain = |log| stream::chain(&self.path(log)).map_err(|why| self.unreadable(&why));
        self.logs.iter().map(chain).collect()
    }

    fn braid(&self, chains: Vec<Vec<Piece>>, starts: &[Start]) -> Braid {
        let mut processes: Vec<Vec<Stream>> = Vec::new();
        for (((log, process), pieces), start) in self.logs.iter().zip(self.processes()).zip(chains).zip(starts) {
            processes.resize_with(process + 1, Vec::new);
            processes[process].push(Stream::new(&self.path(log), pieces, *start));
        }
        Braid::new(processes)
    }

    fn unreadable(&self, why: &io::Error) -> Failure {
        Failure::new(Kind::Failed, format!("cannot read the logs in {}: {why}", self.folder.display()))
    }
}

/// Why reading came to an end: a file, or whoever reads our answer.
enum Trouble {
    File(io::Error),
    Answer(Stop),
}

impl Trouble {
    fn stop(self, book: &Book) -> Stop {
        match self {
            Self::File(why) => book.unreadable(&why).into(),
            Self::Answer(stop) => stop,
        }
    }
}

impl From<io::Error> for Trouble {
    fn from(why: io::Error) -> Self {
        Self::File(why)
    }
}

impl From<Stop> for Trouble {
    fn from(stop: Stop) -> Self {
        Self::Answer(stop)
    }
}

/// What happens when more is logged than is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// All is shown, however late.
    All,
    /// Some is left out, and said to be.
    NeverLag,
}

/// Merged logs on their way to a person.
struct Reader {
    logs: Braid,
    show: Show,
    wanted: Sieve,
    /// Of each log, the number of its process.
    processes: Vec<usize>,
    /// The run of each process whose records are being shown.
    runs: Vec<Run>,
    /// That it has begun, which is still to be shown.
    begun: Vec<Option<String>>,
    /// Where the logs are, for a person.
    folder: String,
}

impl Reader {
    fn new(book: &Book, chains: Vec<Vec<Piece>>, starts: &[Start], show: Show, wanted: Sieve, folder: String) -> Self {
        let processes = book.processes();
        let many = processes.last().map_or(0, |last| last + 1);
        let mut runs = vec![NO_RUN; many];
        for (start, &process) in starts.iter().zip(&processes) {
            runs[process] = runs[process].max(start.run);
        }
        Self { logs: book.braid(chains, starts), show, wanted, processes, runs, begun: vec![None; many], folder }
    }

    /// Shows what there is.
    fn print(&mut self, out: &mut Output) -> Result<(), Trouble> {
        while self.logs.take_in(Instant::now())? {
            self.put(Instant::now(), Instant::now(), out)?;
        }
        self.logs.take_rests(Instant::now());
        self.put(Instant::now(), Instant::now(), out)?;
        out.flush()?;
        Ok(())
    }

    /// Shows what there is and what comes, until the reader leaves.
    fn follow(&mut self, out: &mut Output) -> Result<(), Trouble> {
        // What stood there when we came is in order but for its end, which was written while others still wrote.
        let settled = SignedDuration::try_from(GAP_MAX).ok().and_then(|gap| Timestamp::now().checked_sub(gap).ok());
        self.logs.is_settled_before(settled.map(when::rfc3339).as_deref());
        loop {
            if !self.look(Some(GAP_MAX), Pace::All, out)? {
                std::thread::sleep(LOOK_EVERY);
            }
        }
    }

    /// Looks at the files once, shows what has come and has waited for others so long, and says whether there is more
    /// to be shown at once. Nothing is taken to be missing that a look at the files since then would have found: a
    /// reader may have been busy, or its own reader slow, for longer than that.
    fn look(&mut self, wait: Option<Duration>, pace: Pace, out: &mut Output) -> Result<bool, Trouble> {
        for (log, gap) in self.logs.refresh()? {
            out.stream(&self.show.gap(log, &gap))?;
        }
        if pace == Pace::NeverLag {
            self.logs.hurry()?;
        }
        let now = Instant::now();
        let is_more = self.logs.take_in(now)?;
        let before = |wait: Option<Duration>| wait.and_then(|wait| now.checked_sub(wait)).unwrap_or(now);
        let shown = self.put(before(wait), before(wait.map(|wait| wait.min(HOLD))), out)?;
        out.flush()?;
        Ok(is_more && shown > 0)
    }

    /// Shows what is ripe, and says how many lines that was, hidden ones included.
    fn put(&mut self, ripe: Instant, held: Instant, out: &mut Output) -> Result<usize, Trouble> {
        let mut taken = 0;
        while let Some(item) = self.logs.next(ripe, held) {
            taken += 1;
            match item {
                Item::Line { log, line, .. } => self.put_line(log, &line, out)?,
                Item::Skipped { records } => out.stream(&self.show.skipped(records, &self.folder))?,
            }
        }
        Ok(taken)
    }

    fn put_line(&mut self, log: usize, line: &[u8], out: &mut Output) -> Result<(), Stop> {
        let (record, process) = (Record::read(line), self.processes[log]);
        if let Some((record, run)) = record.and_then(|record| Some((record, record.run_begins()?))) {
            // Each file of a process says it; once is enough.
            if std::mem::replace(&mut self.runs[process], run) != run {
                self.begun[process] = Some(self.show.run(log, &record));
            }
            // Where not everything is shown, a run without anything to show is none.
            return if self.wanted.asks() { Ok(()) } else { self.put_begun(process, out) };
        }
        // An empty line is the end of a torn one, written by who came after.
        let is_shown = match &record {
            Some(record) => self.wanted.shows(log, record),
            None => !line.is_empty() && self.wanted.shows_torn(log),
        };
        if is_shown {
            self.put_begun(process, out)?;
            out.stream(&self.show.line(log, line))?;
        }
        Ok(())
    }

    fn put_begun(&mut self, process: usize, out: &mut Output) -> Result<(), Stop> {
        self.begun[process].take().map_or(Ok(()), |begun| out.stream(&begun))
    }
}

/// What the servers log from now on, for a foreground `up` or a pane: a reader that may be slow.
pub struct Live {
    reader: Reader,
    book: Book,
}

impl Live {
    /// Begins at the present ends of the files.
    ///
    /// # Errors
    ///
    /// `failed`: a log is there and cannot be read.
    pub fn begin(config: &Config, out: &Output, logs: String) -> Result<Self, Failure> {
        let book = Book::of_config(config);
        let chains = book.chains()?;
        let starts: Vec<Start> = chains.iter().map(|pieces| end_of(pieces)).collect();
        let show = Show::new(book.names(), out.pen(), out.json, true);
        Ok(Self { reader: Reader::new(&book, chains, &starts, show, Sieve::default(), logs), book })
    }

    /// Begins with the last few records, heartbeats left out.
    ///
    /// # Errors
    ///
    /// As `herdctl logs`.
    pub fn recent(records: usize, session: &mut Session, out: &Output) -> Result<Self, Failure> {
        let book = Book::of(session)?;
        let (wanted, chains) = (Sieve::default(), book.chains()?);
        let (starts, _) = starts(&wanted, &book, &chains, Lines::Last(records))?;
        let show = Show::new(book.names(), out.pen(), out.json, true);
        let folder = session.path(&book.folder);
        Ok(Self { reader: Reader::new(&book, chains, &starts, show, wanted, folder), book })
    }

    /// Shows what has come. What a slow terminal cannot take is left out and counted.
    ///
    /// # Errors
    ///
    /// As `herdctl logs`.
    pub fn look(&mut self, out: &mut Output) -> Result<(), Stop> {
        self.hurried(out, Some(REORDER)).map(|_| ()).map_err(|trouble| trouble.stop(&self.book))
    }

    /// Shows the last of it: the servers are gone.
    ///
    /// # Errors
    ///
    /// As `herdctl logs`.
    pub fn finish(&mut self, out: &mut Output) -> Result<(), Stop> {
        while self.hurried(out, None).map_err(|trouble| trouble.stop(&self.book))? {}
        Ok(())
    }

    fn hurried(&mut self, out: &mut Output, wait: Option<Duration>) -> Result<bool, Trouble> {
        self.reader.look(wait, Pace::NeverLag, out)
    }
}

fn end_of(pieces: &[Piece]) -> Start {
    let offset = pieces.last().map_or(0, |piece| piece.end);
    Start { piece: pieces.len().saturating_sub(1), offset, run: NO_RUN }
}

#[cfg(test)]
mod tests;
