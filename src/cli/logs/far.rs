//! The logs of a process on another host, told over its control channel: a thread reads on, and takes them up again where
//! they were lost. That the process cannot be asked is said in their place, once each time.

use std::collections::VecDeque;
use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

use super::HERD;
use super::sieve::Sieve;
use crate::cli::client::{Client, Piece, Target};
use crate::cli::when;
use crate::herd::api::{Failure, Kind, LINE, LogsQuery, MISSING, NOW, RUN};
use crate::logbook::braid::Source;
use crate::logbook::merge::Item;
use crate::logbook::record::{NO_RUN, Record, Run};
use crate::logbook::stream::Gap;

/// So many pieces wait to be taken, …
const PIECES_MAX: usize = 8;
/// … and of what is taken so many lines are held, and those of one piece more.
const LINES_MAX: usize = 10_000;
/// Who cannot be asked is asked again so often.
const RETRY_EVERY: Duration = Duration::from_millis(500);
/// What a process has logged before is waited for so long at each look.
const LOOK_MAX: Duration = Duration::from_millis(100);

/// What has come; `is_own`: of the process's own log, not its server's.
enum News {
    Line {
        is_own: bool,
        line: Vec<u8>,
    },
    Missing {
        is_own: bool,
        why: String,
    },
    /// The run that what follows belongs to.
    Run(Run),
    /// What follows is new.
    Now,
}

/// The logs of one process, as far as they are shown.
pub struct Far {
    news: Receiver<Vec<News>>,
    queue: VecDeque<Item>,
    /// The run that the first of them belongs to.
    pub run: Run,
    /// The places of its server's log and its own, among its logs that are shown.
    places: [Option<usize>; 2],
    /// What was logged before has not all come.
    is_early: bool,
    has_ended: bool,
}

impl Far {
    /// Begins to read; nothing is waited for.
    ///
    /// # Errors
    ///
    /// `failed`: the system gives no thread, or refuses what a client needs.
    pub fn begin(
        target: &Target,
        deadline: Duration,
        query: LogsQuery,
        places: [Option<usize>; 2],
    ) -> Result<Self, Failure> {
        let client = Client::new(target.clone(), deadline)?;
        let (to, news) = sync_channel(PIECES_MAX);
        let reading = Reading { client, query, to, mark: Mark::default() };
        let thread = thread::Builder::new().name("far logs".into()).spawn(move || reading.read());
        thread.map_err(|why| Failure::new(Kind::Failed, format!("the system gives no thread: {why}")))?;
        Ok(Self { news, queue: VecDeque::new(), run: NO_RUN, places, is_early: true, has_ended: false })
    }

    /// Takes what was logged before, and of it keeps no more than the last so many records that are `wanted`, of logs of
    /// which the first has this index; gives their times.
    pub fn gather(&mut self, wanted: &Sieve, first: usize, most: usize) -> Vec<Run> {
        let mut kept = VecDeque::new();
        let mut times: VecDeque<Run> = VecDeque::new();
        while self.is_early {
            self.take(true);
            let came = std::mem::take(&mut self.queue);
            for item in came.into_iter().filter(|item| matters(item, wanted, first)) {
                times.extend(counted(&item, wanted, first));
                kept.push_back(item);
                if times.len() > most {
                    times.pop_front();
                    self.run = leave_out_first(&mut kept, wanted, first).unwrap_or(self.run);
                }
            }
        }
        self.queue = kept;
        times.into()
    }

    /// Of what was gathered keeps the last so many records.
    pub fn keep_last(&mut self, wanted: &Sieve, first: usize, most: usize) {
        let many = self.queue.iter().filter(|item| counted(item, wanted, first).is_some()).count();
        for _ in most..many {
            self.run = leave_out_first(&mut self.queue, wanted, first).unwrap_or(self.run);
        }
    }

    /// Takes a piece if there is one, or waits a moment for it; says whether there was.
    fn take(&mut self, waits: bool) -> bool {
        let news = match waits {
            true => self.news.recv_timeout(LOOK_MAX).map_err(|why| why == RecvTimeoutError::Disconnected),
            false => self.news.try_recv().map_err(|why| why == TryRecvError::Disconnected),
        };
        let (now, has_come) = (Instant::now(), news.is_ok());
        match news {
            Ok(news) => news.into_iter().for_each(|news| self.take_one(news, now)),
            Err(has_ended) => self.has_ended |= has_ended,
        }
        self.is_early &= !self.has_ended;
        has_come
    }

    fn take_one(&mut self, news: News, now: Instant) {
        let arrived = (!self.is_early).then_some(now);
        let place = |is_own: bool| self.places[usize::from(is_own)];
        let item = match news {
            News::Line { is_own, line } => place(is_own).map(|log| Item::Line { log, line, arrived }),
            News::Missing { is_own, why } => place(is_own).or(place(!is_own)).map(|log| Item::Missing { log, why }),
            News::Run(run) => {
                self.run = if self.is_early && self.queue.is_empty() { run } else { self.run };
                None
            }
            News::Now => {
                self.is_early = false;
                None
            }
        };
        self.queue.extend(item);
    }
}

/// Whether it may be shown, or says which run has begun: what does neither is not held.
fn matters(item: &Item, wanted: &Sieve, first: usize) -> bool {
    let Item::Line { log, line, .. } = item else { return true };
    match Record::read(line) {
        Some(record) => record.run_begins().is_some() || wanted.shows(first + log, &record),
        None => wanted.shows_torn(first + log),
    }
}

/// The time of what is a record that is wanted.
fn counted(item: &Item, wanted: &Sieve, first: usize) -> Option<Run> {
    let Item::Line { log, line, .. } = item else { return None };
    Record::read(line).filter(|record| wanted.shows(first + log, record)).map(|record| record.stamp())
}

/// Leaves out all up to the first record that counts, and says which run has begun there.
fn leave_out_first(queue: &mut VecDeque<Item>, wanted: &Sieve, first: usize) -> Option<Run> {
    let at = queue.iter().position(|item| counted(item, wanted, first).is_some())?;
    let begun = |item: Item| item.line().and_then(Record::read).and_then(|record| record.run_begins());
    queue.drain(..=at).filter_map(begun).next_back()
}

impl Source for Far {
    fn is_settled_before(&mut self, _: Option<&str>) {}

    fn refresh(&mut self) -> io::Result<Vec<(usize, Gap)>> {
        Ok(Vec::new())
    }

    /// What a slow reader has not taken waits in the process, whose servers do not wait for it.
    fn hurry(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn take_in(&mut self, _: Instant) -> io::Result<bool> {
        let mut has_come = true;
        while has_come && self.queue.len() < LINES_MAX && !self.has_ended {
            has_come = self.take(self.is_early && self.queue.is_empty());
        }
        Ok(self.is_early || (has_come && !self.has_ended))
    }

    fn take_rests(&mut self, _: Instant) {}

    fn next(&mut self, _: Instant) -> Option<Item> {
        self.queue.pop_front()
    }
}

/// Nobody takes what is read.
struct Left;

/// The thread's side.
struct Reading {
    client: Client,
    query: LogsQuery,
    to: SyncSender<Vec<News>>,
    mark: Mark,
}

impl Reading {
    fn read(mut self) {
        let mut is_away = false;
        loop {
            match self.hand_on() {
                Err(Left) => return,
                Ok(Ok(())) => is_away = false,
                Ok(Err(failure)) => {
                    let why = format!("its logs cannot be read: {}", failure.message);
                    let missing = (!is_away).then_some(News::Missing { is_own: false, why });
                    is_away = true;
                    if self.to.send(missing.into_iter().chain([News::Now]).collect()).is_err() {
                        return;
                    }
                }
            }
            if !self.query.follow || self.to.send(Vec::new()).is_err() {
                return;
            }
            thread::sleep(RETRY_EVERY);
        }
    }

    /// Hands on until the process has gone, which is no failure.
    fn hand_on(&mut self) -> Result<Result<(), Failure>, Left> {
        let query = self.query_from_here();
        self.mark.begin_answer();
        let Self { client, to, mark, .. } = self;
        let mut lines = match client.logs(&query) {
            Ok(lines) => lines,
            Err(failure) => return Ok(Err(failure)),
        };
        loop {
            let piece = match lines.next(Some(RETRY_EVERY)) {
                Ok(Piece::Lines(piece)) => piece,
                Ok(Piece::Nothing) => Vec::new(),
                Ok(Piece::End) if mark.is_early => return Ok(Err(Failure::new(Kind::Failed, "the answer broke off"))),
                Ok(Piece::End) => return Ok(Ok(())),
                Err(failure) => return Ok(Err(failure)),
            };
            let news = piece.split(|&byte| byte == b'\n').filter_map(|line| mark.read(line)).collect();
            to.send(news).map_err(|_| Left)?;
        }
    }

    /// What was asked for; after a loss all of a while before it, for what is known is known by its number.
    fn query_from_here(&self) -> LogsQuery {
        let query = self.query.clone();
        let Some(last) = &self.mark.last else { return query };
        let time: Option<Timestamp> = std::str::from_utf8(&last.time).ok().and_then(|time| time.parse().ok());
        let since = time.and_then(|time| time.checked_sub(SignedDuration::from_mins(1)).ok()).map(when::rfc3339);
        LogsQuery { lines: None, since, ..query }
    }
}

/// How far the process has told.
struct Mark {
    /// The last record that was handed on.
    last: Option<Last>,
    /// The run that is being told.
    run: Run,
    /// What is being told was told before.
    is_known: bool,
    /// What was logged before the question has not all come.
    is_early: bool,
}

struct Last {
    run: Run,
    seq: u64,
    time: Run,
}

impl Default for Mark {
    fn default() -> Self {
        Self { last: None, run: NO_RUN, is_known: false, is_early: true }
    }
}

impl Mark {
    fn begin_answer(&mut self) {
        *self = Self { is_known: self.last.is_some(), last: self.last.take(), ..Self::default() };
    }

    /// What a line of the answer says, if it is not known.
    fn read(&mut self, line: &[u8]) -> Option<News> {
        let (&sign, rest) = line.split_first()?;
        let named = || {
            let tab = memchr::memchr(b'\t', rest)?;
            Some((&rest[..tab] == HERD.as_bytes(), &rest[tab + 1..]))
        };
        match sign {
            NOW => {
                self.is_early = false;
                Some(News::Now)
            }
            RUN => {
                self.run = *rest.first_chunk()?;
                Some(News::Run(self.run))
            }
            MISSING => {
                named().map(|(is_own, why)| News::Missing { is_own, why: String::from_utf8_lossy(why).into_owned() })
            }
            LINE => {
                let (is_own, line) = named()?;
                self.is_news(line).then(|| News::Line { is_own, line: line.to_vec() })
            }
            _ => None,
        }
    }

    /// Whether a line was not told before. One that is no record goes with the record before it.
    fn is_news(&mut self, line: &[u8]) -> bool {
        let Some(record) = Record::read(line) else { return !self.is_known };
        if let Some(begun) = record.run_begins() {
            self.run = begun;
            let is_new = self.last.as_ref().is_none_or(|last| begun > last.run);
            self.is_known &= !is_new;
            return is_new;
        }
        self.is_known = self.last.as_ref().is_some_and(|last| (self.run, record.seq) <= (last.run, last.seq));
        if !self.is_known {
            self.last = Some(Last { run: self.run, seq: record.seq, time: record.stamp() });
        }
        !self.is_known
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN_LINE: &[u8] = b"@2026-11-23T06:00:00.000000Z";
    const ONE: &[u8] = b"-Clark\t2026-11-23T06:05:52.000001Z #1 INFO  one";
    const TWO: &[u8] = b"-herd\t2026-11-23T06:05:52.000002Z #2 INFO  two";

    /// What one answer says.
    fn told(lines: &[&[u8]], mark: &mut Mark) -> Vec<String> {
        mark.begin_answer();
        let text = |news| match news {
            News::Line { is_own, line } => {
                let text = Record::read(&line).map_or(&line[..], |record| record.text);
                format!("{is_own} {}", String::from_utf8_lossy(text))
            }
            News::Run(_) => "run".into(),
            News::Missing { why, .. } => why,
            News::Now => "now".into(),
        };
        lines.iter().filter_map(|line| mark.read(line)).map(text).collect()
    }

    #[test]
    fn what_is_known_is_not_told_again() {
        let mut mark = Mark::default();
        assert_eq!(told(&[RUN_LINE, ONE, b"=", TWO, b""], &mut mark), ["run", "false one", "now", "true two"]);
        assert_eq!(told(&[RUN_LINE, ONE, TWO, b"=", b"!Clark\tcut off"], &mut mark), ["run", "now", "cut off"]);
        let heading = b"-Clark\t2026-11-23T07:00:00.000001Z #0 INFO  herd up since 2026-11-23T07:00:00.000000Z, pid 7";
        let again = told(&[RUN_LINE, TWO, heading, ONE], &mut mark);
        assert!(again.len() == 3 && again[1].contains("up since") && again[2] == "false one", "{again:?}");
    }

    #[test]
    fn a_torn_line_goes_with_the_record_before_it() {
        const TORN: &[u8] = b"-Clark\t2026-11-23T06:0";
        let torn = "false 2026-11-23T06:0";
        let mut mark = Mark::default();
        assert_eq!(told(&[RUN_LINE, ONE, TORN], &mut mark), ["run", "false one", torn]);
        assert_eq!(told(&[RUN_LINE, ONE, TORN, TWO, TORN], &mut mark), ["run", "true two", torn]);
    }

    #[test]
    fn what_will_not_be_shown_is_not_held() {
        let (to, news) = sync_channel(2);
        let line = |nth: u32| {
            let text = if nth.is_multiple_of(1000) { "kiwi" } else { "mango" };
            let line = format!("2026-11-23T06:05:52.000001Z #{} INFO  {text}", nth + 1);
            News::Line { is_own: false, line: line.into_bytes() }
        };
        assert!(to.send((0..5000).map(line).chain([News::Now]).collect()).is_ok());
        let places = [Some(0), None];
        let mut far = Far { news, queue: VecDeque::new(), run: NO_RUN, places, is_early: true, has_ended: false };
        let wanted = Sieve { grep: regex::Regex::new("kiwi").ok(), ..Sieve::default() };
        assert_eq!((far.gather(&wanted, 0, 3).len(), far.queue.len()), (3, 3));
    }

    #[test]
    fn what_has_come_is_taken_at_once_up_to_what_is_held() {
        let (to, news) = sync_channel(PIECES_MAX);
        let piece = || (0..LINES_MAX / 4).map(|_| News::Missing { is_own: false, why: String::new() }).collect();
        assert!((0..PIECES_MAX).all(|_| to.send(piece()).is_ok()));
        let places = [Some(0), None];
        let mut far = Far { news, queue: VecDeque::new(), run: NO_RUN, places, is_early: false, has_ended: false };
        assert!(far.take_in(Instant::now()).unwrap(), "there is more");
        assert_eq!(far.queue.len(), LINES_MAX);
        far.queue.clear();
        far.take_in(Instant::now()).unwrap();
        assert_eq!(far.queue.len(), LINES_MAX, "all that was sent");
        far.queue.clear();
        assert!(!far.take_in(Instant::now()).unwrap());
    }

    #[test]
    fn anything_may_come() {
        let none: [&[u8]; 5] = [b"", b"-", b"-Clark", b"@x", b"?Clark\tx"];
        assert!(told(&none, &mut Mark::default()).is_empty());
    }
}
