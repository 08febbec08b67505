//! `logs`: the servers' log files, merged in the order of events.
//!
//! Reads files only, so it works with no herd running. The same follower shows the logs of a foreground `up`.
//! Never loads a file into memory and never leaves anything out without saying so.

mod merge;
mod record;
mod show;
pub mod sieve;
mod stream;
mod tail;

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
use jiff::{SignedDuration, Timestamp};
use merge::{Item, Merge};
use record::{NO_RUN, Record, Run};
use show::{Name, Show};
use sieve::{Picked, Sieve};
use stream::{Piece, Start, Stream};

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
    let (starts, leaves_out) = starts(&wanted, &chains, lines).map_err(|why| book.unreadable(&why))?;
    if let (true, Lines::Last(n)) = (leaves_out, lines) {
        session.out.message(&format!("the last {n} records; all of them: herdctl logs -n all"));
    }
    let run = starts.iter().map(|start| start.run).max().unwrap_or(NO_RUN);
    let mut reader =
        Reader { merge: book.merge(chains, &starts), show, wanted, run, begun: None, logs: session.path(&book.folder) };
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
fn starts(wanted: &Sieve, chains: &[Vec<Piece>], lines: Lines) -> io::Result<(Vec<Start>, bool)> {
    match lines {
        Lines::All => Ok((vec![Start::ALL; chains.len()], false)),
        Lines::Last(n) => {
            let shown = |log, record: Option<&Record>| match record {
                Some(record) => wanted.shows(log, record),
                None => wanted.shows_torn(log),
            };
            let tail = tail::tail(chains, n, shown)?;
            Ok((tail.starts, tail.leaves_out))
        }
    }
}

/// The logs of one herd.
struct Book {
    folder: PathBuf,
    logs: Vec<Name>,
}

impl Book {
    /// From herd.toml; from the running herd where only its socket was named.
    fn of(session: &mut Session) -> Result<Self, Failure> {
        if session.target()?.config.is_some() {
            return Ok(Self::of_config(&session.config()?.0));
        }
        let ps = session.client()?.ps()?;
        Ok(Self::new(ps.logs.into(), ps.servers.into_iter().map(|server| server.name)))
    }

    fn of_config(config: &Config) -> Self {
        Self::new(config.log.directory.clone(), config.servers.iter().map(|server| server.name.clone()))
    }

    fn new(folder: PathBuf, servers: impl Iterator<Item = String>) -> Self {
        let herd = Name { name: HERD.into(), place: None };
        let servers = servers.enumerate().map(|(place, name)| Name { name, place: Some(place) });
        Self { folder, logs: servers.chain([herd]).collect() }
    }

    /// Those that are named; all where none is. The herd's own comes along, for what became of those servers, and
    /// all do for who follows: only all numbers together tell that none is missing.
    fn only(mut self, typed: &[String], follow: bool, session: &Session) -> Result<(Self, Option<Picked>), Failure> {
        if typed.is_empty() {
            return Ok((self, None));
        }
        let known: Vec<&str> = self.logs.iter().map(|log| log.name.as_str()).collect();
        let place = session.target().map_or_else(|_| "herd.toml".to_owned(), |target| target.name);
        let picked = typed.iter().map(|typed| names::pick(typed, &known, &place)).collect::<Result<Vec<_>, _>>()?;
        let names: Vec<String> = picked.iter().map(|&log| self.logs[log].name.clone()).collect();
        self.logs.retain(|log| follow || log.place.is_none() || names.contains(&log.name));
        let is_picked = |nth: &usize| names.contains(&self.logs[*nth].name);
        let logs = (0..self.logs.len()).filter(is_picked).collect();
        let herd = self.logs.len() - 1;
        Ok((self, Some(Picked { logs, herd, names })))
    }

    fn names(&self) -> Vec<Name> {
        self.logs.clone()
    }

    fn path(&self, log: &Name) -> PathBuf {
        self.folder.join(format!("{}.log", log.name))
    }

    fn chains(&self) -> Result<Vec<Vec<Piece>>, Failure> {
        let chain = |log| stream::chain(&self.path(log)).map_err(|why| self.unreadable(&why));
        self.logs.iter().map(chain).collect()
    }

    fn merge(&self, chains: Vec<Vec<Piece>>, starts: &[Start]) -> Merge {
        let streams = self.logs.iter().zip(chains).zip(starts);
        Merge::new(streams.map(|((log, pieces), start)| Stream::new(&self.path(log), pieces, *start)).collect())
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
    merge: Merge,
    show: Show,
    wanted: Sieve,
    /// The run whose records are being shown.
    run: Run,
    /// That it has begun, which is still to be shown.
    begun: Option<String>,
    /// Where the logs are, for a person.
    logs: String,
}

impl Reader {
    /// Shows what there is.
    fn print(&mut self, out: &mut Output) -> Result<(), Trouble> {
        while self.merge.take_in(Instant::now())? {
            self.put(Instant::now(), out)?;
        }
        self.merge.take_rests(Instant::now());
        self.put(Instant::now(), out)?;
        out.flush()?;
        Ok(())
    }

    /// Shows what there is and what comes, until the reader leaves.
    fn follow(&mut self, out: &mut Output) -> Result<(), Trouble> {
        // What stood there when we came is in order but for its end, which was written while others still wrote.
        let settled = SignedDuration::try_from(GAP_MAX).ok().and_then(|gap| Timestamp::now().checked_sub(gap).ok());
        self.merge.is_settled_before(settled.map(when::rfc3339));
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
        for (log, gap) in self.merge.refresh()? {
            out.stream(&self.show.gap(log, &gap))?;
        }
        if pace == Pace::NeverLag {
            self.merge.hurry()?;
        }
        let now = Instant::now();
        let is_more = self.merge.take_in(now)?;
        let ripe = wait.and_then(|wait| now.checked_sub(wait)).unwrap_or(now);
        let shown = self.put(ripe, out)?;
        out.flush()?;
        Ok(is_more && shown > 0)
    }

    /// Shows what is ripe, and says how many lines that was, hidden ones included.
    fn put(&mut self, ripe: Instant, out: &mut Output) -> Result<usize, Trouble> {
        let mut taken = 0;
        while let Some(item) = self.merge.next(ripe) {
            taken += 1;
            match item {
                Item::Line { log, line } => self.put_line(log, &line, out)?,
                Item::Skipped { records } => out.stream(&self.show.skipped(records, &self.logs))?,
            }
        }
        Ok(taken)
    }

    fn put_line(&mut self, log: usize, line: &[u8], out: &mut Output) -> Result<(), Stop> {
        let record = Record::read(line);
        if let Some((record, run)) = record.and_then(|record| Some((record, record.run_begins()?))) {
            // Each file says it; once is enough.
            if std::mem::replace(&mut self.run, run) != run {
                self.begun = Some(self.show.run(log, &record));
            }
            // Where not everything is shown, a run without anything to show is none.
            return if self.wanted.asks() { Ok(()) } else { self.put_begun(out) };
        }
        // An empty line is the end of a torn one, written by who came after.
        let is_shown = match &record {
            Some(record) => self.wanted.shows(log, record),
            None => !line.is_empty() && self.wanted.shows_torn(log),
        };
        if is_shown {
            self.put_begun(out)?;
            out.stream(&self.show.line(log, line))?;
        }
        Ok(())
    }

    fn put_begun(&mut self, out: &mut Output) -> Result<(), Stop> {
        self.begun.take().map_or(Ok(()), |begun| out.stream(&begun))
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
        let merge = book.merge(chains, &starts);
        let wanted = Sieve::default();
        Ok(Self { reader: Reader { merge, show, wanted, run: NO_RUN, begun: None, logs }, book })
    }

    /// Begins with the last few records, heartbeats left out.
    ///
    /// # Errors
    ///
    /// As `herdctl logs`.
    pub fn recent(records: usize, session: &mut Session, out: &Output) -> Result<Self, Failure> {
        let book = Book::of(session)?;
        let wanted = Sieve::default();
        let chains = book.chains()?;
        let (starts, _) = starts(&wanted, &chains, Lines::Last(records)).map_err(|why| book.unreadable(&why))?;
        let show = Show::new(book.names(), out.pen(), out.json, true);
        let run = starts.iter().map(|start| start.run).max().unwrap_or(NO_RUN);
        let logs = session.path(&book.folder);
        let merge = book.merge(chains, &starts);
        Ok(Self { reader: Reader { merge, show, wanted, run, begun: None, logs }, book })
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
