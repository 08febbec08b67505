//! A server's log: events through `tracing`, traffic as a block a burst, both into the same file through the same
//! `tracing-appender`, in the form of [`record`].
//!
//! A `tracing` event a line of traffic would cost twenty times what the rest of the server does. So traffic is
//! formatted a burst at a time into one block, which is handed to the appender when it is full, when an event comes,
//! and [`limits::LOG_REST`] after it was begun: to wake the appender costs more than to format a hundred lines, and what
//! neighbours wait for is not kept waiting by it. The appender writes on a thread of its own, from a queue of bounded
//! length. When the disk falls behind, `when_behind` decides: the server waits, or goes on and says what was left out.

use std::cell::RefCell;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::mem;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing::subscriber::DefaultGuard;
use tracing_appender::non_blocking::{ErrorCounter, NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::clock;
use super::logfile::{LogFile, Settings};
use super::record::{self, Level};
use crate::config::{Log, Traffic, WhenBehind};
use crate::limits;
use crate::protocol::line::Time;

/// The log of one server, or of the supervisor.
pub struct Journal {
    page: Rc<RefCell<Page>>,
    traffic: Traffic,
    /// Records that the disk did not take.
    lost: Arc<AtomicU64>,
    /// Flushes what is queued when the journal goes.
    _worker: WorkerGuard,
}

impl Journal {
    /// Opens `<log directory>/<name>.log`; `since` is when the herd came up.
    ///
    /// # Errors
    ///
    /// Those of making the folder and opening the file.
    pub fn open(log: &Log, name: &str, since: jiff::Timestamp) -> io::Result<Self> {
        let since = since.strftime("%Y-%m-%dT%H:%M:%S.%6fZ");
        let (file, lost) = LogFile::open(Settings {
            path: log.directory.join(format!("{name}.log")),
            bytes_max: log.file_bytes_max,
            files_max: log.files_max,
            heading: format!("herd up since {since}, pid {}, server {name}", std::process::id()),
        })?;
        let (writer, worker) = NonBlockingBuilder::default()
            .buffered_lines_limit(limits::LOG_QUEUE_BLOCKS)
            .lossy(log.when_behind == WhenBehind::Count)
            .thread_name(&format!("{name}.log"))
            .finish(file);
        Ok(Self { page: Rc::new(RefCell::new(Page::new(writer))), traffic: log.traffic, lost, _worker: worker })
    }

    /// Makes this the log of the present thread, which its `tracing` events go to, for as long as the guard lives.
    #[must_use]
    pub fn install(&self) -> Installed {
        PAGE.set(Some(Rc::clone(&self.page)));
        Installed { _events: tracing::subscriber::set_default(tracing_subscriber::registry().with(Events)) }
    }

    /// Logs lines of a client, which end with LF each. `who` is printable. Returns the number of the first, if
    /// clients' lines are logged; the others' follow.
    pub fn client_traffic(&self, at: Time, direction: Level, who: &str, lines: &[u8]) -> Option<u64> {
        (self.traffic != Traffic::Off).then(|| self.page.borrow_mut().log_traffic(at, direction, who, lines))
    }

    /// Logs lines of a neighbour, which end with LF each; returns the number of the first, if they are logged.
    pub fn neighbour_traffic(&self, at: Time, direction: Level, name: &str, lines: &[u8]) -> Option<u64> {
        (self.traffic == Traffic::All).then(|| self.page.borrow_mut().log_traffic(at, direction, name, lines))
    }

    /// Records of traffic, since the start.
    pub fn lines(&self) -> u64 {
        self.page.borrow().lines
    }

    /// Records that are in no file, since the start.
    pub fn lost(&self) -> u64 {
        self.page.borrow().left_out + self.lost.load(Relaxed)
    }
}

/// Hands over the traffic that the present thread has logged: for when it is about to stand still.
pub fn hand_over() {
    with_page(Page::hand_over);
}

/// Hands over what the present thread logs, a little later; never ends.
pub async fn follow() {
    let Some(begun) = PAGE.with_borrow(|page| page.as_ref().map(|page| Rc::clone(&page.borrow().begun))) else {
        return;
    };
    loop {
        begun.notified().await;
        sleep(limits::LOG_REST).await;
        hand_over();
    }
}

/// The log of a thread, while it has one.
pub struct Installed {
    _events: DefaultGuard,
}

impl Drop for Installed {
    fn drop(&mut self) {
        PAGE.set(None);
    }
}

thread_local! {
    /// What is logged, and handed over, without a journal at hand.
    static PAGE: RefCell<Option<Rc<RefCell<Page>>>> = const { RefCell::new(None) };
}

fn with_page(act: impl FnOnce(&mut Page)) {
    PAGE.with_borrow(|page| {
        if let Some(page) = page {
            act(&mut page.borrow_mut());
        }
    });
}

impl Drop for Journal {
    fn drop(&mut self) {
        self.page.borrow_mut().hand_over();
    }
}

/// Records on their way to the appender.
struct Page {
    writer: NonBlocking,
    /// Traffic that has not been handed over, and how many records it is.
    block: Vec<u8>,
    records: u64,
    /// Rung when the block is begun.
    begun: Rc<Notify>,
    /// Records of traffic, since the start.
    lines: u64,
    /// Blocks that the queue had no room for, as the appender counts them.
    refused: ErrorCounter,
    /// Records left out because the queue had no room: not yet said in the log, and since the start.
    unsaid: u64,
    left_out: u64,
}

impl Page {
    fn new(writer: NonBlocking) -> Self {
        Self {
            refused: writer.error_counter(),
            writer,
            block: Vec::new(),
            records: 0,
            begun: Rc::default(),
            lines: 0,
            unsaid: 0,
            left_out: 0,
        }
    }

    /// Lines far shorter than their records could make a block of a burst a hundred times as large as the burst, so
    /// a large burst is more than one block.
    fn log_traffic(&mut self, at: Time, direction: Level, who: &str, mut lines: &[u8]) -> u64 {
        let count = memchr::memchr_iter(b'\n', lines).count();
        let first = record::next_numbers(count as u64);
        let mut number = first;
        if self.block.is_empty() {
            self.begun.notify_one();
        }
        while !lines.is_empty() {
            let (piece, rest) = lines.split_at(block_of(lines, count));
            lines = rest;
            let records = record::append_traffic(at, direction, who, piece, number, &mut self.block);
            (self.records, number) = (self.records + records, number + records);
            if self.block.len() >= limits::LOG_BLOCK_BYTES {
                self.hand_over();
            }
        }
        self.lines += number - first;
        first
    }

    /// An event is handed over at once, behind the traffic before it.
    fn log_event(&mut self, record: &str) {
        self.hand_over();
        self.say_what_was_left_out();
        self.queue(record.as_bytes(), 1);
    }

    fn hand_over(&mut self) {
        if self.block.is_empty() {
            return;
        }
        self.say_what_was_left_out();
        let (mut block, records) = (mem::take(&mut self.block), mem::take(&mut self.records));
        self.queue(&block, records);
        block.clear();
        self.block = block;
    }

    /// Puts so many records into the queue, or counts them as left out.
    fn queue(&mut self, block: &[u8], records: u64) {
        if !write(&mut self.writer, &self.refused, block) {
            self.left_out += records;
            self.unsaid += records;
        }
    }

    fn say_what_was_left_out(&mut self) {
        if self.unsaid == 0 {
            return;
        }
        let text = format!("{} records left out: the disk is slower than the traffic", self.unsaid);
        let record = record::line(clock::now(), Level::Warn, &text);
        if write(&mut self.writer, &self.refused, record.as_bytes()) {
            self.unsaid = 0;
        }
    }
}

/// Whether the queue took the block.
fn write(writer: &mut NonBlocking, refused: &ErrorCounter, block: &[u8]) -> bool {
    let before = refused.dropped_lines();
    writer.write_all(block).is_ok() && refused.dropped_lines() == before
}

/// How many bytes of `lines`, which are `count` at most, go into one block: whole lines, at least one.
fn block_of(lines: &[u8], count: usize) -> usize {
    if count <= limits::LOG_BLOCK_LINES && lines.len() <= limits::LOG_BLOCK_TRAFFIC_BYTES {
        return lines.len();
    }
    let within = &lines[..lines.len().min(limits::LOG_BLOCK_TRAFFIC_BYTES)];
    let ends = memchr::memchr_iter(b'\n', within).take(limits::LOG_BLOCK_LINES);
    let end = ends.last().or_else(|| memchr::memchr(b'\n', lines));
    end.map_or(lines.len(), |end| end + 1)
}

/// What takes the `tracing` events of one thread.
struct Events;

impl<S: tracing::Subscriber> Layer<S> for Events {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO if event.metadata().target().starts_with(env!("CARGO_PKG_NAME")) => Level::Info,
            _ => return,
        };
        let mut text = Text::default();
        event.record(&mut text);
        let record = record::line(clock::now(), level, &text.0);
        let number = record::latest();
        with_page(|page| page.log_event(&record));
        record::note_latest(number);
    }
}

/// An event's message, then its other fields as `name=value`.
#[derive(Default)]
struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.0, "{value:?}"),
            name => write!(self.0, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn log(folder: &Path, traffic: Traffic) -> Log {
        Log {
            directory: folder.to_owned(),
            traffic,
            when_behind: WhenBehind::Wait,
            file_bytes_max: 100_000_000,
            files_max: 2,
        }
    }

    fn logged(traffic: Traffic, write: impl FnOnce(&Journal)) -> String {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(&log(folder.path(), traffic), "Clark", jiff::Timestamp::UNIX_EPOCH).unwrap();
        let guard = journal.install();
        write(&journal);
        drop((guard, journal));
        std::fs::read_to_string(folder.path().join("Clark.log")).unwrap()
    }

    #[test]
    fn events_and_traffic_are_in_one_order_in_one_file() {
        let text = logged(Traffic::All, |journal| {
            tracing::info!("link {} up", "Bona");
            journal.neighbour_traffic(clock::now(), Level::In, "Bona", b"HEARD 0\n");
            journal.client_traffic(clock::now(), Level::Out, "client 1.2.3.4:5", b"? x\n? y\n");
            tracing::warn!(target: "elsewhere", "a warning of a \u{1b}[31mlibrary");
            tracing::info!(target: "elsewhere", "chatter");
        });
        let said: Vec<&str> = text.lines().map(|line| line.splitn(3, ' ').nth(2).unwrap()).collect();
        let pid = std::process::id();
        assert_eq!(
            said,
            [
                format!("INFO  herd up since 1970-01-01T00:00:00.000000Z, pid {pid}, server Clark").as_str(),
                "INFO  link Bona up",
                "IN    Bona | HEARD 0",
                "OUT   client 1.2.3.4:5 | ? x",
                "OUT   client 1.2.3.4:5 | ? y",
                r"WARN  a warning of a \u{1b}[31mlibrary",
            ]
        );
    }

    #[test]
    fn traffic_is_a_setting() {
        let both = |journal: &Journal| {
            journal.neighbour_traffic(clock::now(), Level::In, "Bona", b"HEARD 0\n");
            journal.client_traffic(clock::now(), Level::In, "client x", b"hello\n");
        };
        let clients = logged(Traffic::Clients, both);
        assert!(clients.contains("hello") && !clients.contains("HEARD"));
        let off = logged(Traffic::Off, both);
        assert!(!off.contains("hello") && !off.contains("HEARD"));
    }

    /// A disk that takes nothing until its other end is dropped.
    struct Stalled(std::sync::mpsc::Receiver<()>);

    impl io::Write for Stalled {
        fn write(&mut self, block: &[u8]) -> io::Result<usize> {
            let _ = self.0.recv();
            Ok(block.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn events_that_a_slow_disk_leaves_out_are_counted() {
        let (disk, stalled) = std::sync::mpsc::sync_channel(0);
        let (writer, worker) =
            NonBlockingBuilder::default().buffered_lines_limit(2).lossy(true).finish(Stalled(stalled));
        let mut page = Page::new(writer);
        // Two wait, and a third at most is being written; one of them may say what has been left out.
        (0..10).for_each(|_| page.log_event("an event\n"));
        assert!((7..=8).contains(&page.left_out) && page.unsaid > 0, "{} {}", page.left_out, page.unsaid);
        drop((disk, page, worker));
    }

    #[test]
    fn a_large_burst_is_logged_whole_in_more_than_one_block() {
        let mut burst = b"\n".repeat(3 * limits::LOG_BLOCK_TRAFFIC_BYTES);
        burst.extend(b"x".repeat(3 * limits::LOG_BLOCK_TRAFFIC_BYTES));
        burst.extend(b"\nend\n");
        let text = logged(Traffic::All, |journal| _ = journal.client_traffic(clock::now(), Level::In, "c", &burst));
        assert_eq!(text.lines().count(), 1 + 3 * limits::LOG_BLOCK_TRAFFIC_BYTES + 2);
        assert!(text.ends_with(" | end\n"));
    }
}
