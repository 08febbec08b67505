//! A process's own logs, told over its control channel: to who reads the logs of a herd from another host. Each reader has
//! a thread that reads files and waits for who reads; the supervisor waits for neither.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use axum::body::Bytes;
use tokio::sync::mpsc::{Sender, channel};

use super::Herd;
use super::api::{Failure, Kind, LINE, LogsQuery, MISSING, NOW, RUN};
use super::child::Child;
use super::chronicle::Subscription;
use super::panics::printable;
use super::status::rfc3339;
use crate::limits;
use crate::logbook::merge::{Item, Merge};
use crate::logbook::record::{NO_RUN, Record};
use crate::logbook::stream::{self, Gap, Piece, Start, Stream};
use crate::logbook::tail;

/// Who reads the logs here.
#[derive(Debug, Default)]
pub struct Readers {
    many: Arc<AtomicUsize>,
    is_over: Arc<AtomicBool>,
}

/// A place among the readers.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One log: its name and where it is.
type Log = (String, PathBuf);

/// Begins to tell the logs of this process.
///
/// # Errors
///
/// [`Kind::Usage`] if `since` is no time; [`Kind::Taken`] if there are too many readers; [`Kind::Failed`] if the system
/// gives no thread.
pub fn tell(herd: &Herd, query: LogsQuery) -> Result<Subscription, Failure> {
    let since = query.since.as_deref().map(as_logged).transpose()?;
    let query = LogsQuery { since, ..query };
    let readers = &herd.readers;
    let place = Place(readers.many.clone());
    if readers.many.fetch_add(1, Ordering::Relaxed) >= limits::LOG_READERS_MAX {
        let most = limits::LOG_READERS_MAX;
        return Err(Failure::new(Kind::Taken, format!("{most} readers of logs are connected already")));
    }
    let (to, live) = channel(limits::LOG_CHUNKS_MAX);
    let (logs, is_over) = (logs_of(herd), readers.is_over.clone());
    let reading = move || {
        let _place = place;
        // Whoever reads has gone, or the files cannot be read: the end says so.
        let _ = Telling { query, logs, to, piece: Vec::new() }.tell(&is_over);
    };
    let thread = thread::Builder::new().name("log reader".into()).spawn(reading);
    thread.map_err(|why| Failure::new(Kind::Failed, format!("the system gives no thread: {why}")))?;
    Ok(Subscription { before: VecDeque::new(), live })
}

/// A time in RFC 3339 as records spell theirs, so that its bytes order among them.
fn as_logged(time: &str) -> Result<String, Failure> {
    let parsed: Result<jiff::Timestamp, _> = time.parse();
    parsed.map(rfc3339).map_err(|_| Failure::new(Kind::Usage, format!("since: \"{}\" is no time", printable(time))))
}

impl Readers {
    /// Ends every reading: the process leaves.
    pub fn close(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

/// Those that this process writes.
fn logs_of(herd: &Herd) -> Vec<Log> {
    let here = herd.children.iter().filter(|child| !child.is_elsewhere()).map(Child::name);
    let path = |name: &str| (name.to_owned(), herd.config.log.directory.join(format!("{name}.log")));
    here.chain(["herd"]).map(path).collect()
}

/// One reader's logs, on their way to it.
struct Telling {
    query: LogsQuery,
    logs: Vec<Log>,
    to: Sender<Bytes>,
    /// What is not yet handed on.
    piece: Vec<u8>,
}

impl Telling {
    fn tell(mut self, is_over: &AtomicBool) -> io::Result<()> {
        let chains = self.logs.iter().map(|(_, path)| stream::chain(path)).collect::<io::Result<Vec<_>>>()?;
        let starts = self.starts(&chains)?;
        if let Some(run) = starts.iter().map(|start| start.run).max().filter(|run| *run != NO_RUN) {
            self.piece.extend([&[RUN], &run[..], b"\n"].concat());
        }
        let streams = self.logs.iter().zip(chains).zip(starts);
        let mut merge =
            Merge::new(streams.map(|(((_, path), pieces), start)| Stream::new(path, pieces, start)).collect());
        while merge.take_in(Instant::now())? {
            self.put(&mut merge, Instant::now())?;
        }
        self.put(&mut merge, Instant::now())?;
        self.piece.extend_from_slice(&[NOW, b'\n']);
        self.hand_on()?;
        while self.query.follow && !self.to.is_closed() {
            // What is logged until it is over is told too.
            let is_last = is_over.load(Ordering::Relaxed);
            for (log, gap) in merge.refresh()? {
                self.put_gap(log, &gap);
            }
            let now = Instant::now();
            let is_more = merge.take_in(now)?;
            // A record may be in its file later than a later one in the other.
            let ripe = if is_last { now } else { now.checked_sub(limits::LOG_REORDER_MAX).unwrap_or(now) };
            self.put(&mut merge, ripe)?;
            self.hand_on()?;
            if is_last {
                break;
            }
            if !is_more {
                thread::sleep(limits::LOG_LOOK_EVERY);
            }
        }
        Ok(())
    }

    fn starts(&self, chains: &[Vec<Piece>]) -> io::Result<Vec<Start>> {
        let Some(lines) = self.query.lines else { return Ok(vec![Start::ALL; chains.len()]) };
        let is_wanted = |_, record: Option<&Record>| {
            record.map_or(self.query.since.is_none(), |record| record.run_begins().is_none() && self.wants(record))
        };
        Ok(tail::tail(chains, &vec![0; chains.len()], lines, is_wanted)?.starts)
    }

    fn wants(&self, record: &Record) -> bool {
        (self.query.heartbeats || !record.is_heartbeat())
            && self.query.since.as_deref().is_none_or(|since| record.time >= since)
    }

    /// Tells what is ripe.
    fn put(&mut self, merge: &mut Merge, ripe: Instant) -> io::Result<()> {
        while let Some(item) = merge.next(ripe) {
            let Item::Line { log, line, .. } = item else { continue };
            let record = Record::read(&line);
            let is_wanted = match &record {
                Some(record) => record.run_begins().is_some() || self.wants(record),
                None => self.query.since.is_none() && !line.is_empty(),
            };
            if is_wanted {
                self.put_line(LINE, log, &line);
            }
            if self.piece.len() >= limits::EVENTS_CHUNK_BYTES {
                self.hand_on()?;
            }
        }
        Ok(())
    }

    fn put_gap(&mut self, log: usize, gap: &Gap) {
        let what = match gap {
            Gap::Lost { after } => format!("the file was replaced; records after #{after} may be missing here"),
            Gap::Truncated => "the file was cut off; records may be missing here".into(),
        };
        self.put_line(MISSING, log, what.as_bytes());
    }

    fn put_line(&mut self, sign: u8, log: usize, text: &[u8]) {
        let name = self.logs[log].0.as_bytes();
        self.piece.extend([&[sign], name, b"\t", text, b"\n"].concat());
    }

    fn hand_on(&mut self) -> io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::take(&mut self.piece);
        self.to.blocking_send(piece.into()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_spelled_as_records_spell_theirs() {
        let spelled = |time| as_logged(time).map_err(|failure| failure.message);
        for time in ["2026-11-23T06:05:52Z", "2026-11-23T07:05:52+01:00", "2026-11-23T06:05:52.000000Z"] {
            assert_eq!(spelled(time), Ok("2026-11-23T06:05:52.000000Z".into()));
        }
        assert_eq!(spelled("5\u{1b}m"), Err("since: \"5\\u{1b}m\" is no time".into()));
    }
}
