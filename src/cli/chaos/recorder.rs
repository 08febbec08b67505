//! The one history of a run: whoever does or sees something says it here, and one clock puts it in order.
//!
//! Each record is judged as it is made and, if asked for, written to a file; nothing is kept but what the judge keeps.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::herd::api::{Failure, Kind};
use crate::judge::checker::Judge;
use crate::judge::history::{Begin, Deed, End, Micros, Order, Record, Sample, Say, Seen};
use crate::judge::verdict::Verdict;

/// Shared by the clients' thread and the one that gives orders.
pub struct Recorder {
    begun: Instant,
    pages: Mutex<Pages>,
}

struct Pages {
    judge: Judge,
    file: Option<BufWriter<File>>,
    calls: u64,
    orders: u64,
    trouble: Option<Failure>,
}

impl Recorder {
    /// Begins a history, in a new file if one is named.
    pub fn new(begin: Begin, file: Option<&Path>) -> Result<Self, Failure> {
        let file =
            file.map(|path| File::create(path).map_err(|why| cannot_write(&why)).map(BufWriter::new)).transpose()?;
        let judge = Judge::new(begin.clone()).map_err(|why| Failure::new(Kind::Failed, why.to_string()))?;
        let mut pages = Pages { judge, file, calls: 0, orders: 0, trouble: None };
        pages.write(&Record::Begin(begin));
        Ok(Self { begun: Instant::now(), pages: Mutex::new(pages) })
    }

    /// The time of the history.
    pub fn now(&self) -> Micros {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// How often a server has been started again; none while that is not certain.
    pub fn run_of(&self, server: &str) -> Option<u32> {
        self.pages().judge.run_of(server)
    }

    /// What was found up to now.
    pub fn so_far(&self) -> Verdict {
        self.pages().judge.so_far().clone()
    }

    /// Everybody who was reported by anyone.
    pub fn clients(&self) -> Vec<String> {
        let mut names: Vec<String> = self.pages().judge.clients().map(str::to_owned).collect();
        names.sort_unstable();
        names
    }

    /// A line is about to be said; its call's number.
    pub fn say(&self, server: &str, run: Option<u32>, line: &str) -> u64 {
        self.put(|t, pages| {
            pages.calls += 1;
            let say = Say { call: pages.calls, t, server: server.into(), run, line: line.into() };
            (Record::Say(say), pages.calls)
        })
    }

    pub fn hear(&self, call: u64, line: String) {
        self.put(|t, _| (Record::Hear { call, t, line }, ()));
    }

    pub fn end(&self, call: u64, why: End) {
        self.put(|t, _| (Record::End { call, t, why }, ()));
    }

    pub fn refused(&self, server: &str, since: Micros) {
        self.put(|t, _| (Record::Refused { t, since, server: server.into() }, ()));
    }

    pub fn unasked(&self, server: &str, line: String) {
        self.put(|t, _| (Record::Unasked { t, server: server.into(), line }, ()));
    }

    /// An order is about to be given; its number.
    pub fn order(&self, deed: Deed, servers: Vec<String>, links: Vec<[String; 2]>, what: String) -> u64 {
        self.put(|t, pages| {
            pages.orders += 1;
            (Record::Order(Order { order: pages.orders, t, deed, servers, links, what }), pages.orders)
        })
    }

    pub fn done(&self, order: u64, failed: Option<String>) {
        self.put(|t, _| (Record::Done { order, t, failed }, ()));
    }

    pub fn sample(&self, since: Micros, rss_kb: Option<u64>, servers: Vec<Seen>, links: Vec<bool>) {
        self.put(|t, _| (Record::Sample(Sample { t, since, rss_kb, servers, links }), ()));
    }

    pub fn mark(&self, mark: impl FnOnce(Micros) -> Record) {
        self.put(|t, _| (mark(t), ()));
    }

    /// Ends the history.
    ///
    /// # Errors
    ///
    /// If its file could not be written.
    pub fn close(self) -> Result<Verdict, Failure> {
        self.mark(|t| Record::Finish { t });
        let mut pages = self.pages.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(Err(why)) = pages.file.as_mut().map(Write::flush) {
            pages.trouble.get_or_insert(cannot_write(&why));
        }
        pages.trouble.map_or_else(|| Ok(pages.judge.finish()), Err)
    }

    /// What went wrong with the record itself.
    pub fn trouble(&self) -> Option<Failure> {
        self.pages().trouble.clone()
    }

    fn put<T>(&self, make: impl FnOnce(Micros, &mut Pages) -> (Record, T)) -> T {
        let mut pages = self.pages();
        // Inside the lock, so that the history is in the order of its times.
        let (record, given) = make(self.now(), &mut pages);
        pages.write(&record);
        if let Err(why) = pages.judge.take(&record) {
            pages.trouble.get_or_insert(Failure::new(Kind::Failed, format!("the history is not sound: {why}")));
        }
        given
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pages {
    fn write(&mut self, record: &Record) {
        if let Some(Err(why)) = self.file.as_mut().map(|file| record.write(file)) {
            self.file = None;
            self.trouble.get_or_insert(cannot_write(&why));
        }
    }
}

fn cannot_write(why: &std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("cannot write the history: {why}"))
}
