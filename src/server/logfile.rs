//! A log file that stays within its share of the disk and survives a full one.
//!
//! `Clark.log` is always the one being written, so that `tail -F` goes on; at its limit it becomes
//! `Clark.log.1`, that one `Clark.log.2`, and the oldest goes. What cannot be written is counted, and the count is
//! written as soon as something can be: nothing is left out silently. Lives on the appender's own thread.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use nix::fcntl::{FallocateFlags, fallocate};

use super::clock;
use super::record;
use crate::limits;

/// What a log file is opened with.
pub struct Settings {
    pub path: PathBuf,
    /// A file that would grow past this is rotated first.
    pub bytes_max: u64,
    /// Files kept, the one being written included; at least 1.
    pub files_max: u32,
    /// The record that begins each file: which run of the herd this is.
    pub heading: String,
}

pub struct LogFile {
    settings: Settings,
    file: File,
    size: u64,
    /// Room on the disk was asked for up to here.
    reserved: u64,
    /// The last write failed half-way, so the next record needs a line of its own.
    torn: bool,
    /// Records lost since the last one that could be written.
    missing: u64,
    /// Records lost since the start.
    lost: Arc<AtomicU64>,
}

impl LogFile {
    /// Opens for appending, making the folder if it is not there. Returns the file and its count of records lost.
    ///
    /// # Errors
    ///
    /// Those of making the folder and opening the file.
    pub fn open(settings: Settings) -> io::Result<(Self, Arc<AtomicU64>)> {
        if let Some(folder) = settings.path.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut file = append(&settings.path)?;
        let size = file.metadata()?.len();
        let torn = size > 0 && !ends_with_newline(&mut file)?;
        let lost = Arc::new(AtomicU64::new(0));
        let mut log = Self { settings, file, size, reserved: 0, torn, missing: 0, lost: Arc::clone(&lost) };
        log.put_heading()?;
        Ok((log, lost))
    }

    fn put(&mut self, block: &[u8]) -> io::Result<()> {
        if self.size + block.len() as u64 > self.settings.bytes_max && self.size > 0 {
            self.rotate()?;
        }
        if self.missing > 0 {
            let text = format!("{} records could not be written here", self.missing);
            self.append_whole(record::line(clock::now(), record::Level::Warn, &text).as_bytes())?;
            self.missing = 0;
        }
        self.append_whole(block)
    }

    /// How much of a block fits into a file: all of it, or whole records of half a file, but one at least.
    fn fitting(&self, block: &[u8]) -> usize {
        let half = usize::try_from(self.settings.bytes_max / 2).unwrap_or(usize::MAX);
        if block.len() <= half {
            return block.len();
        }
        let end = memchr::memrchr(b'\n', &block[..half]).or_else(|| memchr::memchr(b'\n', block));
        end.map_or(block.len(), |end| end + 1)
    }

    fn put_heading(&mut self) -> io::Result<()> {
        let heading = record::heading(clock::now(), &self.settings.heading);
        self.append_whole(heading.as_bytes())
    }

    fn append_whole(&mut self, block: &[u8]) -> io::Result<()> {
        if self.torn {
            self.file.write_all(b"\n")?;
            (self.torn, self.size) = (false, self.size + 1);
        }
        self.reserve(block.len() as u64);
        let result = self.file.write_all(block);
        match result {
            Ok(()) => self.size += block.len() as u64,
            Err(_) => {
                self.torn = true;
                // Some of it may have been taken.
                self.size = self.file.metadata().map_or(self.size, |file| file.len());
            }
        }
        result
    }

    /// Asks for much room at once, which costs the file system less than page by page. A file that stays short takes no more
    /// than it holds, and a longer one keeps what it did not need until it is turned over or goes. What cannot be had, or
    /// not on this file system, is not missed before it is written.
    fn reserve(&mut self, bytes: u64) {
        let end = self.size + bytes;
        if end <= self.reserved.max(limits::LOG_RESERVE_BYTES) {
            return;
        }
        let from = self.reserved.max(self.size);
        self.reserved = (from + limits::LOG_RESERVE_BYTES).min(self.settings.bytes_max).max(end);
        let (offset, length) = (from.cast_signed(), (self.reserved - from).cast_signed());
        let _ = fallocate(&self.file, FallocateFlags::FALLOC_FL_KEEP_SIZE, offset, length);
    }

    fn rotate(&mut self) -> io::Result<()> {
        let Settings { path, files_max, .. } = &self.settings;
        let oldest = if *files_max == 1 { path.clone() } else { numbered(path, files_max - 1) };
        // Removed, not replaced: a file that takes another's place is written out at once by ext4, and all would wait.
        gone(fs::remove_file(oldest))?;
        for number in (1..*files_max).rev() {
            let older = if number == 1 { path.clone() } else { numbered(path, number - 1) };
            gone(fs::rename(&older, numbered(path, number)))?;
        }
        self.file = append(path)?;
        (self.size, self.reserved, self.torn) = (0, 0, false);
        self.put_heading()
    }
}

impl Write for LogFile {
    /// Takes the whole block whatever happens: the appender has nowhere to put an error.
    fn write(&mut self, block: &[u8]) -> io::Result<usize> {
        let mut rest = block;
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(self.fitting(rest));
            if self.put(piece).is_err() {
                let records = memchr::memchr_iter(b'\n', piece).count() as u64;
                self.missing += records;
                self.lost.fetch_add(records, Relaxed);
            }
            rest = later;
        }
        Ok(block.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// That there was nothing is as good.
fn gone(result: io::Result<()>) -> io::Result<()> {
    result.or_else(|why| if why.kind() == io::ErrorKind::NotFound { Ok(()) } else { Err(why) })
}

/// `Clark.log.2` for `Clark.log` and 2.
fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    name.into()
}

fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().append(true).read(true).create(true).open(path)
}

fn ends_with_newline(file: &mut File) -> io::Result<bool> {
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(folder: &Path, bytes_max: u64, files_max: u32) -> Settings {
        Settings { path: folder.join("logs/Clark.log"), bytes_max, files_max, heading: "a heading".into() }
    }

    fn read(path: &Path) -> String {
        fs::read_to_string(path).unwrap()
    }

    #[test]
    fn the_disk_used_is_bounded_and_the_newest_file_keeps_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 200, 3);
        let path = settings.path.clone();
        let (mut log, lost) = LogFile::open(settings).unwrap();
        for n in 0..100 {
            log.write_all(format!("record {n} of a hundred\n").as_bytes()).unwrap();
        }
        assert!(read(&path).ends_with("record 99 of a hundred\n"));
        assert!(read(&path).contains("a heading"));
        assert!(numbered(&path, 2).exists() && !numbered(&path, 3).exists());
        assert!(
            fs::read_dir(path.parent().unwrap()).unwrap().all(|file| file.unwrap().metadata().unwrap().len() <= 200)
        );
        assert_eq!(lost.load(Relaxed), 0);
    }

    #[test]
    fn a_long_file_has_room_ahead_and_a_short_one_takes_none() {
        use std::os::unix::fs::MetadataExt;
        const BLOCK: u64 = 64 * 1024;
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 3 * limits::LOG_RESERVE_BYTES, 2);
        let path = settings.path.clone();
        let (mut log, _) = LogFile::open(settings).unwrap();
        for _ in 0..limits::LOG_RESERVE_BYTES / BLOCK - 1 {
            log.write_all(&[b'\n'; BLOCK as usize]).unwrap();
        }
        assert_eq!(log.reserved, 0);
        let (mut rotations, mut ahead) = (0, 0);
        for _ in 0..3 * limits::LOG_RESERVE_BYTES / BLOCK {
            let before = log.size;
            log.write_all(&[b'\n'; BLOCK as usize]).unwrap();
            rotations += u32::from(log.size < before);
            ahead += u32::from(log.reserved > log.size);
            assert!(log.reserved == 0 || log.reserved >= log.size, "one block after another");
            assert!(log.reserved <= log.settings.bytes_max);
            let file = path.metadata().unwrap();
            assert_eq!(file.len(), log.size, "what is not written does not show");
            assert!(file.blocks() * 512 <= log.settings.bytes_max + BLOCK);
        }
        assert!(rotations == 1 && ahead > 64, "{rotations} {ahead}");
        assert!(numbered(&path, 1).exists());
    }

    #[test]
    fn a_block_longer_than_a_file_is_more_than_one() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 1000, 50);
        let path = settings.path.clone();
        let (mut log, lost) = LogFile::open(settings).unwrap();
        let long = format!("{}\n", "x".repeat(700));
        let block: String = (0..500).map(|n| format!("record {n}\n")).chain([long.clone()]).collect();
        log.write_all(block.as_bytes()).unwrap();
        let files =
            (1..50).rev().map(|number| numbered(&path, number)).filter(|path| path.exists()).chain([path.clone()]);
        let texts: Vec<String> = files.map(|path| read(&path)).collect();
        assert!(texts.len() > 5 && texts.iter().all(|text| text.len() <= 1000));
        let records =
            texts.iter().flat_map(|text| text.split_inclusive('\n')).filter(|line| !line.ends_with("a heading\n"));
        assert_eq!((records.collect::<String>(), lost.load(Relaxed)), (block, 0));
    }

    #[test]
    fn one_file_begins_again() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 150, 1);
        let path = settings.path.clone();
        let (mut log, _) = LogFile::open(settings).unwrap();
        for n in 0..50 {
            log.write_all(format!("record {n}\n").as_bytes()).unwrap();
        }
        assert!(read(&path).ends_with("record 49\n"));
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_line_torn_by_a_crash_does_not_swallow_the_next() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 10_000, 2);
        fs::create_dir_all(settings.path.parent().unwrap()).unwrap();
        fs::write(&settings.path, "half a rec").unwrap();
        let path = settings.path.clone();
        LogFile::open(settings).unwrap();
        let text = read(&path);
        assert_eq!(text.lines().next(), Some("half a rec"));
        assert!(text.lines().nth(1).unwrap().ends_with("a heading"));
    }

    #[test]
    fn a_line_torn_by_a_full_disk_stays_alone_however_long_it_is_full() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 10_000, 2);
        let path = settings.path.clone();
        let (mut log, _) = LogFile::open(settings).unwrap();
        // The disk has taken half of a record, and now takes nothing.
        log.file.write_all(b"half a rec").unwrap();
        (log.torn, log.size) = (true, log.size + 10);
        log.file = File::open(&path).unwrap();
        log.write_all(b"one\n").unwrap();
        log.write_all(b"two\n").unwrap();
        log.file = append(&path).unwrap();
        log.write_all(b"three\n").unwrap();
        let text = read(&path);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1] == "half a rec" && lines[2].ends_with("2 records could not be written here"), "{text}");
        assert_eq!((lines[3], lines.len(), log.size), ("three", 4, text.len() as u64));
    }

    #[test]
    fn what_could_not_be_written_is_counted_and_said() {
        let folder = tempfile::tempdir().unwrap();
        let settings = settings(folder.path(), 10_000, 2);
        let path = settings.path.clone();
        let (mut log, lost) = LogFile::open(settings).unwrap();
        // A file opened for reading alone takes nothing, as a full disk does.
        log.file = File::open(&path).unwrap();
        log.write_all(b"one\ntwo\n").unwrap();
        assert_eq!(lost.load(Relaxed), 2);
        log.file = append(&path).unwrap();
        log.write_all(b"three\n").unwrap();
        let text = read(&path);
        assert!(text.contains("WARN  2 records could not be written here\nthree\n"), "{text}");
    }
}
