//! One server's log, read forward through its rotated files (`Clark.log.2`, `Clark.log.1`, `Clark.log`) and,
//! when followed, on through rotation, truncation, and files that are not there yet.
//!
//! A file is known by device and inode, so that a rename changes nothing: what was opened is read to its end.
//! Holds one block of one file in memory, never a file.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::record::{NO_RUN, Record, Run};

const BLOCK_BYTES: usize = 64 * 1024;
/// A line longer than this is cut in pieces: no writer of ours writes one.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// No log keeps more rotated files.
const ROTATED_MAX: u32 = 1000;
/// So often the files are listed again when they were renamed while being listed.
const LISTINGS_MAX: u32 = 5;

/// Where a record stands among all: by its run, then by its number in the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub run: Run,
    pub seq: u64,
}

/// One line, and where it belongs. A line that is no record goes with the record before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub key: Key,
    pub line: Vec<u8>,
}

/// What a stream says beside its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Gap {
    /// The file was replaced by one that does not follow it, after this record.
    Lost { after: u64 },
    /// The file was cut off.
    Truncated,
}

/// A place in a chain of files: where reading starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    /// The file, counted from the oldest.
    pub piece: usize,
    pub offset: u64,
    /// The run that the bytes at `offset` belong to.
    pub run: Run,
}

/// A file of a chain.
#[derive(Debug)]
pub struct Piece {
    pub file: File,
    pub id: Id,
    /// Bytes past this are not read: they were not there when the reading began.
    pub end: u64,
}

/// Device and inode.
pub type Id = (u64, u64);

/// The files of one log, oldest first, as they are at this moment; none if there is no log yet.
///
/// # Errors
///
/// If a file is there and cannot be opened.
pub fn chain(path: &Path) -> io::Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    for _ in 0..LISTINGS_MAX {
        pieces = list(path)?;
        // A rotation while we looked shifts all names by one: the newest file is then not the newest.
        let newest = pieces.last().map(|piece: &Piece| piece.id);
        if newest == id_at(path)? {
            break;
        }
    }
    Ok(pieces)
}

fn list(path: &Path) -> io::Result<Vec<Piece>> {
    let mut pieces: Vec<Piece> = Vec::new();
    for nth in 0..=ROTATED_MAX {
        match File::open(rotated(path, nth)) {
            Ok(file) => {
                let metadata = file.metadata()?;
                let piece = Piece { file, id: id(&metadata), end: metadata.len() };
                if pieces.iter().all(|known| known.id != piece.id) {
                    pieces.push(piece);
                }
            }
            // Between two steps of a rotation the newest is missing for a moment.
            Err(why) if why.kind() == ErrorKind::NotFound && nth == 0 => {}
            Err(why) if why.kind() == ErrorKind::NotFound => break,
            Err(why) => return Err(why),
        }
    }
    pieces.reverse();
    Ok(pieces)
}

/// `Clark.log` for 0, `Clark.log.1` for 1.
fn rotated(path: &Path, nth: u32) -> PathBuf {
    if nth == 0 {
        return path.to_owned();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{nth}"));
    name.into()
}

fn id(metadata: &fs::Metadata) -> Id {
    (metadata.dev(), metadata.ino())
}

fn id_at(path: &Path) -> io::Result<Option<Id>> {
    match fs::metadata(path) {
        Ok(metadata) => Ok(Some(id(&metadata))),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

/// One log, read forward.
#[derive(Debug)]
pub struct Stream {
    path: PathBuf,
    /// The file being read is the first.
    pieces: VecDeque<Piece>,
    /// The next byte to read of it.
    offset: u64,
    /// What was read and not yet given out.
    buffer: Vec<u8>,
    /// The first byte of it that was not given out, and the first that was not searched for a line ending.
    given: usize,
    searched: usize,
    last: Key,
}

impl Stream {
    /// Reads `pieces`, the files of the log at `path`, from `start` on.
    pub fn new(path: &Path, pieces: Vec<Piece>, start: Start) -> Self {
        Self {
            path: path.to_owned(),
            pieces: pieces.into_iter().skip(start.piece).collect(),
            offset: start.offset,
            buffer: Vec::new(),
            given: 0,
            searched: 0,
            last: Key { run: start.run, seq: 0 },
        }
    }

    /// The next whole line; `None`: there is none yet.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn next_line(&mut self) -> io::Result<Option<Entry>> {
        loop {
            if let Some(end) = memchr::memchr(b'\n', &self.buffer[self.searched..]) {
                return Ok(Some(self.give(self.searched + end, 1)));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() - self.given >= LINE_BYTES_MAX {
                return Ok(Some(self.give(self.given + LINE_BYTES_MAX, 0)));
            }
            if self.read()? > 0 {
                continue;
            }
            if self.pieces.len() < 2 {
                return Ok(None);
            }
            self.pieces.pop_front();
            self.offset = 0;
            if let Some(torn) = self.rest() {
                return Ok(Some(torn));
            }
        }
    }

    /// What stands after the last line ending: a line that is torn, or is still being written.
    pub fn rest(&mut self) -> Option<Entry> {
        (self.given < self.buffer.len()).then(|| self.give(self.buffer.len(), 0))
    }

    /// How much there is to read, in bytes.
    pub fn unread(&self) -> u64 {
        let files: u64 = self.pieces.iter().map(|piece| piece.end).sum();
        files.saturating_sub(self.offset) + (self.buffer.len() - self.given) as u64
    }

    /// Looks whether the files have grown, were rotated, or were cut off.
    ///
    /// # Errors
    ///
    /// If a file is there and cannot be opened.
    pub fn refresh(&mut self) -> io::Result<Option<Gap>> {
        let Some(newest) = self.pieces.back_mut() else {
            self.pieces = chain(&self.path)?.into();
            return Ok(None);
        };
        newest.end = newest.file.metadata()?.len();
        let (known, end) = (newest.id, newest.end);
        match id_at(&self.path)? {
            // Between two steps of a rotation.
            None => Ok(None),
            Some(id) if id == known => Ok(self.cut_off(end).then_some(Gap::Truncated)),
            Some(_) => self.rotate(known),
        }
    }

    /// Whether the only file is shorter than what was read of it; if so, it is read from its start.
    fn cut_off(&mut self, end: u64) -> bool {
        let is_cut = self.pieces.len() == 1 && end < self.offset;
        if is_cut {
            self.offset = 0;
            self.clear();
        }
        is_cut
    }

    /// Takes up the files that came after the one with this id.
    fn rotate(&mut self, known: Id) -> io::Result<Option<Gap>> {
        let mut newer = chain(&self.path)?;
        let Some(at) = newer.iter().position(|piece| piece.id == known) else {
            // Removed altogether. It may have been the only one before these, or not: nobody can tell.
            self.pieces.extend(newer);
            return Ok(Some(Gap::Lost { after: self.last.seq }));
        };
        // Written to until it was renamed.
        if let Some(last) = self.pieces.back_mut() {
            last.end = last.file.metadata()?.len();
        }
        self.pieces.extend(newer.drain(at + 1..));
        Ok(None)
    }

    /// Goes on at a line near the end and leaves out all before it, if that is more than `bytes`; says whether.
    ///
    /// # Errors
    ///
    /// If a file cannot be read.
    pub fn skip_to_last(&mut self, bytes: u64) -> io::Result<bool> {
        if self.unread() <= bytes {
            return Ok(false);
        }
        if self.last.run == NO_RUN {
            // What is read from its end on begins with a heading, perhaps after the end of a torn line; it must
            // not be skipped unread.
            if self.next_line()?.is_some_and(|first| first.line.is_empty()) {
                self.next_line()?;
            }
        }
        while self.pieces.len() > 1 {
            self.pieces.pop_front();
            self.offset = 0;
            self.clear();
            self.last = Key { run: self.run_at_start()?.unwrap_or(self.last.run), seq: self.last.seq };
        }
        let Some(end) = self.pieces.front().map(|piece| piece.end) else { return Ok(true) };
        let from = end.saturating_sub(bytes);
        if from > self.offset {
            self.offset = from;
            self.clear();
            // The line in whose middle this may be.
            let last = self.last;
            self.next_line()?;
            self.last = last;
        }
        Ok(true)
    }

    fn run_at_start(&self) -> io::Result<Option<Run>> {
        let Some(piece) = self.pieces.front() else { return Ok(None) };
        run_at_start(piece)
    }

    fn give(&mut self, end: usize, ending: usize) -> Entry {
        let line = self.buffer[self.given..end].to_vec();
        self.given = end + ending;
        self.searched = self.given;
        if let Some(record) = Record::read(&line) {
            self.last = match record.run_begins() {
                // The heading of a file is no event and has no number: it goes with the record before it.
                Some(run) if run == self.last.run => self.last,
                Some(run) => Key { run, seq: 0 },
                None => Key { run: self.last.run, seq: record.seq },
            };
        }
        Entry { key: self.last, line }
    }

    fn read(&mut self) -> io::Result<usize> {
        let Some(piece) = self.pieces.front() else { return Ok(0) };
        let left = usize::try_from(piece.end.saturating_sub(self.offset)).unwrap_or(BLOCK_BYTES);
        self.buffer.drain(..self.given);
        self.searched -= self.given;
        self.given = 0;
        let start = self.buffer.len();
        self.buffer.resize(start + left.min(BLOCK_BYTES), 0);
        let read = read_some(&piece.file, &mut self.buffer[start..], self.offset);
        let n = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(start + n);
        self.offset += n as u64;
        read
    }

    fn clear(&mut self) {
        self.buffer.clear();
        self.given = 0;
        self.searched = 0;
    }
}

/// The run in whose header a file begins.
///
/// # Errors
///
/// If the file cannot be read.
pub fn run_at_start(piece: &Piece) -> io::Result<Option<Run>> {
    let mut start = [0; 256];
    let n = read_some(&piece.file, &mut start, 0)?;
    let line = start[..n].split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(Record::read(line).and_then(|record| record.run_begins()))
}

fn read_some(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    loop {
        match file.read_at(buffer, offset) {
            Err(why) if why.kind() == ErrorKind::Interrupted => {}
            read => return read,
        }
    }
}

impl Start {
    /// All that there is.
    pub const ALL: Self = Self { piece: 0, offset: 0, run: NO_RUN };
}
