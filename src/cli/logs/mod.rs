//! `logs`: the servers' log files, merged in the order of events; where each server is a process of its own, in that order
//! of each, and between them by time.
//!
//! Reads files, so it works with no herd running; only processes on other hosts, whose files are there, are asked. The same follower shows the logs of a foreground `up`.
//! Never loads a file into memory and never leaves anything out without saying so.

mod book;
mod far;
mod show;
pub mod sieve;

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, Instant};

use super::args::{self, Lines};
use super::output::{Output, Stop};
use super::session::Session;
use super::{Done, Exit};
use crate::cli::when;
use crate::config::Config;
use crate::herd::api::{Failure, Kind};
use crate::logbook::braid::{Braid, HOLD};
use crate::logbook::merge::Item;
use crate::logbook::record::{NO_RUN, Record, Run};
use crate::logbook::stream::{Piece, Start};
use book::Book;
use far::Far;
use jiff::{SignedDuration, Timestamp};
use show::Show;
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
    if chains.iter().all(Vec::is_empty) && book.far.is_empty() && !args.follow {
        session.out.message(&format!("no logs yet in {}", session.path(&book.folder)));
        return Ok(Exit::Fine);
    }
    let begun = begin(&wanted, &book, &chains, lines, args.follow)?;
    if let (true, Lines::Last(n)) = (begun.leaves_out, lines) {
        session.out.message(&format!("the last {n} records; all of them: herdctl logs -n all"));
    }
    let mut reader = Reader::new(&book, chains, begun, show, wanted, session.path(&book.folder));
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

/// Where a reader begins.
struct Begun {
    /// In each log.
    starts: Vec<Start>,
    /// The logs that are told from other hosts, by the number of their process.
    far: BTreeMap<usize, Far>,
    /// Whether something wanted stands before that.
    leaves_out: bool,
}

/// Where to begin for so many lines.
fn begin(wanted: &Sieve, book: &Book, chains: &[Vec<Piece>], lines: Lines, follow: bool) -> Result<Begun, Failure> {
    let mut far = book.begin_far(wanted, lines, follow)?;
    let Lines::Last(most) = lines else {
        return Ok(Begun { starts: vec![Start::ALL; chains.len()], far, leaves_out: false });
    };
    let tail = book.tail(wanted, chains, most)?;
    if far.is_empty() {
        return Ok(Begun { starts: tail.starts, far, leaves_out: tail.leaves_out });
    }
    let first = |process: usize| book.processes().iter().position(|&of| of == process).unwrap_or(0);
    let mut times = vec![tail.times];
    times.extend(far.iter_mut().map(|(&process, far)| far.gather(wanted, first(process), most)));
    let shares = shares(&times, most);
    for ((&process, far), share) in far.iter_mut().zip(&shares[1..]) {
        far.keep_last(wanted, first(process), *share);
    }
    let leaves_out = tail.leaves_out || times.iter().map(Vec::len).sum::<usize>() >= most;
    Ok(Begun { starts: book.tail(wanted, chains, shares[0])?.starts, far, leaves_out })
}

/// How many each has of the last so many, by time.
fn shares(times: &[Vec<Run>], most: usize) -> Vec<usize> {
    let mut shares = vec![0; times.len()];
    let before = |nth: usize, share: usize| times[nth].len().checked_sub(share + 1).map(|last| times[nth][last]);
    for _ in 0..most {
        let latest = (0..times.len()).filter_map(|nth| Some((before(nth, shares[nth])?, nth))).max();
        let Some((_, nth)) = latest else { break };
        shares[nth] += 1;
    }
    shares
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
    fn new(book: &Book, chains: Vec<Vec<Piece>>, begun: Begun, show: Show, wanted: Sieve, folder: String) -> Self {
        let processes = book.processes();
        let many = processes.last().map_or(0, |last| last + 1);
        let mut runs = vec![NO_RUN; many];
        for (start, &process) in begun.starts.iter().zip(&processes) {
            runs[process] = runs[process].max(start.run);
        }
        begun.far.iter().for_each(|(&process, far)| runs[process] = far.run);
        Self { logs: book.braid(chains, begun), show, wanted, processes, runs, begun: vec![None; many], folder }
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
                Item::Missing { log, why } => out.stream(&self.show.missing(log, &why))?,
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
        let begun = Begun::at_the_ends(&chains);
        let show = Show::new(book.names(), out.pen(), out.json, true);
        Ok(Self { reader: Reader::new(&book, chains, begun, show, Sieve::default(), logs), book })
    }

    /// Begins with the last few records, heartbeats left out.
    ///
    /// # Errors
    ///
    /// As `herdctl logs`.
    pub fn recent(records: usize, session: &mut Session, out: &Output) -> Result<Self, Failure> {
        let book = Book::of(session)?;
        let (wanted, chains) = (Sieve::default(), book.chains()?);
        let begun = begin(&wanted, &book, &chains, Lines::Last(records), true)?;
        let show = Show::new(book.names(), out.pen(), out.json, true);
        let folder = session.path(&book.folder);
        Ok(Self { reader: Reader::new(&book, chains, begun, show, wanted, folder), book })
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

impl Begun {
    fn at_the_ends(chains: &[Vec<Piece>]) -> Self {
        let end = |pieces: &Vec<Piece>| {
            let offset = pieces.last().map_or(0, |piece| piece.end);
            Start { piece: pieces.len().saturating_sub(1), offset, run: NO_RUN }
        };
        Self { starts: chains.iter().map(end).collect(), far: BTreeMap::new(), leaves_out: true }
    }
}

#[cfg(test)]
mod tests;
