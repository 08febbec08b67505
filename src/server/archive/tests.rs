//! The archive against a disk that fails on command, dies in the middle of a commit, or gives back other bytes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use redb::StorageBackend;
use redb::backends::FileBackend;

use super::file::{ArchiveFile, Disk, Owner, RealDisk};
use super::{Archive, Effect, Flaw, Keeper, News};
use crate::limits;
use crate::protocol::atlas::{Atlas, Edition, Source};
use crate::protocol::line::Report;

/// What Linux says of a full disk.
const NO_SPACE: i32 = 28;

/// A disk that takes so many more writes and then is full, until it is given more.
#[derive(Debug, Clone)]
struct SmallDisk(Arc<AtomicU64>);

#[derive(Debug)]
struct SmallFile(SmallDisk, FileBackend);

impl SmallDisk {
    fn taking(writes: u64) -> Self {
        Self(Arc::new(AtomicU64::new(writes)))
    }

    fn take(&self) -> Result<(), io::Error> {
        let left = self.0.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1));
        left.map(|_| ()).map_err(|_| io::Error::from_raw_os_error(NO_SPACE))
    }
}

impl Disk for SmallDisk {
    type Storage = SmallFile;

    fn storage(&self, file: File) -> Result<SmallFile, redb::Error> {
        Ok(SmallFile(self.clone(), FileBackend::new(file)?))
    }
}

impl StorageBackend for SmallFile {
    fn len(&self) -> Result<u64, io::Error> {
        self.1.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        self.1.read(offset, out)
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.take()?;
        self.1.set_len(len)
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.take()?;
        self.1.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.take()?;
        self.1.write(offset, data)
    }

    fn close(&self) -> Result<(), io::Error> {
        self.1.close()
    }
}

fn owner() -> Owner {
    Owner { herd: "test".into(), server: "Clark".into() }
}

fn learn(atlas: &mut Atlas, client: u64, time: Edition) {
    let line = format!("AT Clark +0.000000000 client-{client} +34.068930-118.445127 {time}");
    assert!(atlas.learn(Report::parse(line.as_bytes()).unwrap(), Source::CLIENT));
}

fn lines_of(atlas: &Atlas) -> BTreeSet<String> {
    atlas.after(0).map(|entry| String::from_utf8_lossy(entry.line).into_owned()).collect()
}

/// What a file holds, as the next start reads it.
fn read(path: &Path) -> Result<BTreeSet<String>, Flaw> {
    let file = ArchiveFile::open(path, &owner(), &RealDisk)?;
    let mut lines = BTreeSet::new();
    file.load(|piece| {
        lines.extend(String::from_utf8_lossy(&piece).lines().map(str::to_owned));
        true
    })?;
    Ok(lines)
}

/// As `read`, with what redb panics at being damage: so does the keeper take it.
fn read_or_panic(path: &Path) -> Result<BTreeSet<String>, Flaw> {
    super::keeper::contained(|| read(path))
}

/// An archive that is followed by hand.
struct Followed {
    archive: Archive,
    keeper: Option<Keeper>,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Followed {
    fn on(disk: impl Disk) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/data/Clark.redb");
        let (archive, keeper) = Archive::start(path.clone(), owner(), disk).unwrap();
        Self { archive, keeper: Some(keeper), path, _folder: folder }
    }

    fn next(&mut self) -> News {
        self.archive.news.blocking_recv().expect("a keeper that lives")
    }

    /// Hears until the effect of some news is this.
    fn until(&mut self, atlas: &Atlas, wanted: &Effect) {
        loop {
            self.archive.tell(atlas, &mut Vec::new());
            let news = self.next();
            if self.archive.progress.hear(news) == *wanted {
                return;
            }
        }
    }

    /// Tells and hears until everything is on the disk.
    fn settle(&mut self, atlas: &Atlas) {
        while self.archive.progress.trouble().is_some() || !self.archive.progress.is_done(atlas) {
            self.archive.tell(atlas, &mut Vec::new());
            let news = self.next();
            self.archive.progress.hear(news);
        }
    }

    /// The server goes; the file is closed when this returns.
    fn end(mut self) -> (PathBuf, tempfile::TempDir) {
        drop(self.archive);
        self.keeper.take().unwrap().join();
        (self.path, self._folder)
    }
}

#[test]
fn what_was_stored_is_loaded_byte_for_byte() {
    let (mut followed, mut atlas) = (Followed::on(RealDisk), Atlas::new());
    for time in 1..=3 {
        (0..500).for_each(|client| learn(&mut atlas, client * time, time));
        followed.settle(&atlas);
        assert_eq!(followed.archive.progress.whole(), atlas.edition());
    }
    let (path, _folder) = followed.end();
    assert_eq!(read(&path).unwrap(), lines_of(&atlas));
    assert!(!path.with_extension("redb.new").exists(), "nothing is left of the making of it");
}

#[test]
fn a_batch_that_was_cut_releases_nobody() {
    let (mut followed, mut atlas) = (Followed::on(RealDisk), Atlas::new());
    let bytes = "AT Clark +0.000000000 client-0 +34.068930-118.445127 1".len();
    let clients = (limits::ARCHIVE_BATCH_BYTES * 3 / 2 / bytes) as u64;
    (0..clients).for_each(|client| learn(&mut atlas, client, 1));
    followed.until(&atlas, &Effect::Stored);
    // The last client's report has not been written, and now it never will be: its next one will.
    assert!(followed.archive.progress.told().unwrap() < clients);
    learn(&mut atlas, clients - 1, 2);
    assert_eq!(followed.archive.progress.whole(), 0);
    followed.settle(&atlas);
    assert_eq!(followed.archive.progress.whole(), clients + 1);
    let (path, _folder) = followed.end();
    assert_eq!(read(&path).unwrap(), lines_of(&atlas));
}

/// The disk fills up at each write of a commit in turn. What was stored before is in the file as a death at that
/// moment would leave it; with room again, everything is.
#[test]
fn a_full_disk_loses_nothing_and_catches_up_when_there_is_room() {
    for writes in 0.. {
        let disk = SmallDisk::taking(u64::MAX);
        let (mut followed, mut atlas) = (Followed::on(disk.clone()), Atlas::new());
        (0..200).for_each(|client| learn(&mut atlas, client, 1));
        followed.settle(&atlas);
        let before = lines_of(&atlas);
        (100..300).for_each(|client| learn(&mut atlas, client, 2));

        disk.0.store(writes, Relaxed);
        followed.archive.tell(&atlas, &mut Vec::new());
        let news = followed.next();
        let effect = followed.archive.progress.hear(news);
        if effect == Effect::Stored {
            assert!(writes > 3, "a commit takes more than {writes} writes");
            return;
        }
        assert_eq!(effect, Effect::Trouble("No space left on device (os error 28)".into()));
        assert!(followed.archive.progress.is_done(&atlas), "a server that stops does not wait for this disk");
        let died = followed.path.with_file_name("died.redb");
        fs::copy(&followed.path, &died).unwrap();
        let left = read(&died).unwrap();
        assert!(left == before || left == lines_of(&atlas), "after {writes} writes");

        // The server goes on meanwhile; the same trouble is said once.
        learn(&mut atlas, 1000, 3);
        let again = followed.next();
        assert!(matches!(again, News::Trouble(_) | News::Open(_)), "{again:?}");
        assert_eq!(followed.archive.progress.hear(again), Effect::Nothing);
        disk.0.store(u64::MAX, Relaxed);
        followed.until(&atlas, &Effect::Recovered);
        followed.settle(&atlas);
        let (path, _folder) = followed.end();
        assert_eq!(read(&path).unwrap(), lines_of(&atlas));
    }
}

#[test]
fn who_is_forgotten_is_out_of_the_file_and_who_is_known_again_is_in_it() {
    let disk = SmallDisk::taking(u64::MAX);
    let (mut followed, mut atlas) = (Followed::on(disk.clone()), Atlas::new());
    (0..100).for_each(|client| learn(&mut atlas, client, 1));
    followed.settle(&atlas);
    let forget = |atlas: &mut Atlas, archive: &mut Archive, clients: [u64; 2]| {
        let mut forgotten = clients.map(|client| format!("client-{client}").into_bytes()).to_vec();
        forgotten.iter().for_each(|client| assert!(atlas.forget(client)));
        learn(atlas, clients[1], 2);
        archive.tell(atlas, &mut forgotten);
        assert!(forgotten.is_empty());
    };
    forget(&mut atlas, &mut followed.archive, [1, 2]);
    followed.settle(&atlas);
    // And when the disk is full just then.
    disk.0.store(2, Relaxed);
    forget(&mut atlas, &mut followed.archive, [3, 4]);
    followed.until(&atlas, &Effect::Trouble("No space left on device (os error 28)".into()));
    disk.0.store(u64::MAX, Relaxed);
    followed.settle(&atlas);
    let (path, _folder) = followed.end();
    let left = read(&path).unwrap();
    assert_eq!(left, lines_of(&atlas));
    assert_eq!(left.len(), 98);
}

#[test]
fn a_file_that_is_moved_away_is_missed_and_made_anew() {
    let (mut followed, mut atlas) = (Followed::on(RealDisk), Atlas::new());
    (0..100).for_each(|client| learn(&mut atlas, client, 1));
    followed.settle(&atlas);
    fs::rename(&followed.path, followed.path.with_file_name("away")).unwrap();
    learn(&mut atlas, 5, 2);
    followed.until(&atlas, &Effect::Trouble("its file has been moved or deleted".into()));
    followed.until(&atlas, &Effect::Recovered);
    followed.settle(&atlas);
    let (path, _folder) = followed.end();
    assert_eq!(read(&path).unwrap(), lines_of(&atlas), "also what had been stored before");
}

#[test]
fn a_server_that_has_gone_has_closed_its_file_and_only_one_has_it_open() {
    let (mut followed, mut atlas) = (Followed::on(RealDisk), Atlas::new());
    learn(&mut atlas, 1, 1);
    followed.settle(&atlas);
    let (path, _folder) = followed.end();
    assert_eq!(read(&path).unwrap(), lines_of(&atlas));
    let held = ArchiveFile::open(&path, &owner(), &RealDisk).unwrap();
    assert!(matches!(read(&path), Err(Flaw::Held)));
    drop(held);
}

#[test]
fn a_file_of_somebody_else_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("Clark.redb");
    drop(ArchiveFile::open(&path, &owner(), &RealDisk).unwrap());
    for (other, whose) in [
        (Owner { server: "Bona".into(), ..owner() }, "it belongs to server Clark of herd test"),
        (Owner { herd: "other".into(), ..owner() }, "it belongs to server Clark of herd test"),
    ] {
        let bytes = fs::read(&path).unwrap();
        let refused = ArchiveFile::open(&path, &other, &RealDisk).err().unwrap();
        assert_eq!(refused.to_string(), whose);
        assert!(read(&path).is_ok() && fs::read(&path).unwrap().len() == bytes.len());
    }
}

/// A file that has been changed is refused and not touched, or the change was where nothing stands.
#[test]
fn a_damaged_file_is_refused_and_not_written() {
    let (mut followed, mut atlas) = (Followed::on(RealDisk), Atlas::new());
    for time in 1..4 {
        (0..400).for_each(|client| learn(&mut atlas, client, time));
        followed.settle(&atlas);
    }
    let (path, _folder) = followed.end();
    let (whole, expected) = (fs::read(&path).unwrap(), lines_of(&atlas));
    let check = |what: &str, damaged: &[u8]| -> bool {
        fs::write(&path, damaged).unwrap();
        match read_or_panic(&path) {
            Ok(lines) => {
                assert!(lines == expected, "{what}: read as something else");
                false
            }
            Err(Flaw::Damaged(_) | Flaw::Format(_)) => {
                assert!(fs::read(&path).unwrap() == damaged, "{what}: refused, and yet written to");
                true
            }
            Err(flaw) => panic!("{what}: {flaw}"),
        }
    };
    assert!(!check("nothing", &whole));
    for length in [0, 1, 100, 4096, whole.len() / 2, whole.len() - 4096, whole.len() - 1] {
        assert!(check(&format!("cut to {length} bytes"), &whole[..length]));
    }
    assert!(check("noughts", &vec![0; whole.len()]));
    assert!(check("some text", b"herd = \"ucla\"\n"));
    let mut refused = 0;
    for at in (0..320).chain((320..whole.len()).step_by(4096 - 61)) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        refused += u32::from(check(&format!("byte {at} of {}", whole.len()), &damaged));
    }
    assert!(refused > 20, "{refused}");
}
