//! Where to start so that the merged output has its last N records: found by reading the files backward, a
//! block at a time, so that a few gigabytes of logs cost no more than their ends.

use std::collections::BinaryHeap;
use std::io;
use std::os::unix::fs::FileExt;

use super::record::{self, NO_RUN, Record, Run};
use super::stream::{Key, Piece, Start};

const BLOCK_BYTES: usize = 64 * 1024;

/// Where each log starts, and whether something stands before that.
#[derive(Debug, PartialEq, Eq)]
pub struct Tail {
    pub starts: Vec<Start>,
    pub leaves_out: bool,
    /// Of those that are shown, from the first to the last.
    pub times: Vec<Run>,
}

/// The starts at which the logs, merged, have `wanted` records that are `shown`. `processes` says of each log whose it
/// is: the order of events within one, the time between them.
///
/// # Errors
///
/// If a file cannot be read.
pub fn tail(
    logs: &[Vec<Piece>],
    processes: &[usize],
    wanted: usize,
    shown: impl Fn(usize, Option<&Record>) -> bool,
) -> io::Result<Tail> {
    let mut logs = logs.iter().map(|pieces| Backward::new(pieces)).collect::<io::Result<Vec<_>>>()?;
    let mut heads = vec![BinaryHeap::new(); processes.iter().max().map_or(0, |last| last + 1)];
    for (nth, log) in logs.iter_mut().enumerate() {
        heads[processes[nth]].extend(log.previous()?.map(|key| (key, nth)));
    }
    let mut times = Vec::new();
    while times.len() < wanted {
        let latest = heads.iter_mut().filter(|heads| !heads.is_empty());
        let latest = latest.max_by_key(|heads| heads.peek().map(|&(_, nth)| logs[nth].time));
        let Some((_, nth)) = latest.and_then(BinaryHeap::pop) else { break };
        let log = &mut logs[nth];
        if shown(nth, Record::read(&log.line).as_ref()) {
            times.push(log.time);
        }
        log.take();
        heads[processes[nth]].extend(log.previous()?.map(|key| (key, nth)));
    }
    times.reverse();
    let starts = logs.iter().map(|log| log.start).collect();
    Ok(Tail { starts, times, leaves_out: heads.iter().any(|heads| !heads.is_empty()) })
}

/// One log, read from its end to its start.
struct Backward<'a> {
    pieces: &'a [Piece],
    /// The file being read.
    nth: usize,
    /// Where the lines that were taken begin.
    start: Start,
    /// The line before, once read, and where it begins.
    line: Vec<u8>,
    line_at: u64,
    /// Bytes of the file up to the lines that were given out.
    block: Vec<u8>,
    block_at: u64,
    /// The part of the file that belongs to one run: from where, and which.
    segment: (u64, Run),
    /// Of the record that was read last; a line that is no record goes with it.
    key: Key,
    /// The earliest that was read: what stands before it is no later, wherever the clock went.
    time: Run,
}

impl<'a> Backward<'a> {
    fn new(pieces: &'a [Piece]) -> io::Result<Self> {
        let end = pieces.last().map_or(0, |piece| piece.end);
        let mut log = Self {
            pieces,
            nth: pieces.len().saturating_sub(1),
            start: Start { piece: pieces.len().saturating_sub(1), offset: end, run: NO_RUN },
            line: Vec::new(),
            line_at: end,
            block: Vec::new(),
            block_at: end,
            segment: (end, NO_RUN),
            key: Key { run: [u8::MAX; 27], seq: u64::MAX },
            time: [u8::MAX; 27],
        };
        if !pieces.is_empty() {
            log.segment = log.segment_before(end)?;
            log.start.run = log.segment.1;
        }
        Ok(log)
    }

    /// Reads the line before; it is not taken yet.
    fn previous(&mut self) -> io::Result<Option<Key>> {
        while self.line_at == 0 {
            if self.nth == 0 {
                return Ok(None);
            }
            self.nth -= 1;
            let end = self.pieces[self.nth].end;
            (self.line_at, self.block_at) = (end, end);
            self.block.clear();
            self.segment = self.segment_before(end)?;
        }
        if self.pieces.is_empty() {
            return Ok(None);
        }
        self.read_line()?;
        if self.line_at < self.segment.0 {
            self.segment = self.segment_before(self.line_at + 1)?;
        }
        // The heading of a file is no event and has no number: it goes with the record after it, as a torn line.
        if let Some(record) = Record::read(&self.line).filter(|record| record.run_begins().is_none()) {
            self.key = Key { run: self.segment.1, seq: record.seq };
            self.time = record.stamp().min(self.time);
        }
        Ok(Some(self.key))
    }

    /// Takes the line that was read.
    fn take(&mut self) {
        self.start = Start { piece: self.nth, offset: self.line_at, run: self.segment.1 };
    }

    /// Moves the last line of what is left of the file from the block to `line`.
    fn read_line(&mut self) -> io::Result<()> {
        // The line's own ending, which the very last line may lack.
        let mut searched = 0;
        loop {
            let body = self.block.strip_suffix(b"\n").unwrap_or(&self.block);
            let unsearched = body.len().saturating_sub(searched);
            let ending = memchr::memrchr(b'\n', &body[..unsearched]);
            if ending.is_some() || self.block_at == 0 {
                let start = ending.map_or(0, |at| at + 1);
                self.line.clear();
                self.line.extend_from_slice(&body[start..]);
                self.block.truncate(start);
                self.line_at = self.block_at + start as u64;
                return Ok(());
            }
            searched = body.len();
            self.grow()?;
        }
    }

    /// Reads the block before.
    fn grow(&mut self) -> io::Result<()> {
        let more = self.block_at.min(BLOCK_BYTES as u64);
        self.block_at -= more;
        let mut block = vec![0; usize::try_from(more).unwrap_or(BLOCK_BYTES)];
        self.pieces[self.nth].file.read_exact_at(&mut block, self.block_at)?;
        block.append(&mut self.block);
        self.block = block;
        Ok(())
    }

    /// The run that the byte before `end` belongs to, and where its header is. Reads as far back as the header.
    fn segment_before(&self, end: u64) -> io::Result<(u64, Run)> {
        let file = &self.pieces[self.nth].file;
        let mut block = Vec::new();
        let mut to = end;
        while to > 0 {
            let from = to.saturating_sub(BLOCK_BYTES as u64);
            // Overlaps with the block after, for a header that lies across their border.
            let past = (to + 2 * record::PREFIX_BYTES_MAX as u64).min(end.max(to)).min(self.pieces[self.nth].end);
            block.resize(usize::try_from(past - from).unwrap_or(0), 0);
            file.read_exact_at(&mut block, from)?;
            if let Some((at, run)) = last_header(&block, from, end) {
                return Ok((at, run));
            }
            to = from;
        }
        Ok((0, NO_RUN))
    }
}

/// The last header in a block that begins before `end`: where its line begins in the file, and its run.
fn last_header(block: &[u8], block_at: u64, end: u64) -> Option<(u64, Run)> {
    record::headers_backward(block).find_map(|text| {
        // A block may begin inside a line, and what stands there may look like a record. A record that does
        // begin with the block is found whole with the block before.
        let begin = match memchr::memrchr(b'\n', &block[..text]) {
            Some(ending) => ending + 1,
            None if block_at == 0 => 0,
            None => return None,
        };
        let line = block[begin..].split(|byte| *byte == b'\n').next()?;
        let run = Record::read(line)?.run_begins()?;
        let at = block_at + begin as u64;
        (at < end).then_some((at, run))
    })
}
