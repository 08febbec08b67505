//! The thread that reads and writes one archive: loads it, then writes a batch, says so, waits for the next.
//!
//! redb takes no more after an error of the disk, so then the file is closed and opened again, after longer and
//! longer waits. How far it has got stands in the file, so no batch is missed and none need be kept.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::sync::mpsc;

use super::file::{ArchiveFile, Disk, Owner};
use super::flaw::Flaw;
use super::progress::{Batch, News};
use crate::limits;
use crate::server::state::random;

/// The keeper's thread.
pub(crate) struct Keeper(JoinHandle<()>);

impl Keeper {
    pub(super) fn spawn<D: Disk>(
        path: PathBuf,
        owner: Owner,
        disk: D,
        batches: mpsc::Receiver<Batch>,
        news: mpsc::Sender<News>,
    ) -> io::Result<Self> {
        let name = format!("{}.archive", owner.server);
        let keeping = move || {
            // Whoever should hear the end of it has gone.
            let _ = Keeping { path, owner, disk, run: random(), batches, news }.keep();
        };
        thread::Builder::new().name(name).spawn(keeping).map(Self)
    }

    /// Waits until the file is closed. The server's end of the archive has gone before.
    pub(crate) fn join(self) {
        self.0.thread().unpark();
        // A panic of redb is contained where it happens; one of ours has been printed.
        let _ = self.0.join();
    }
}

struct Keeping<D> {
    path: PathBuf,
    owner: Owner,
    disk: D,
    /// The mark of this run in the file: only what this run has told counts as told.
    run: u64,
    batches: mpsc::Receiver<Batch>,
    news: mpsc::Sender<News>,
}

/// The server has gone.
struct Gone;

impl<D: Disk> Keeping<D> {
    fn keep(mut self) -> Result<(), Gone> {
        let mut file = match contained(|| self.load()) {
            Ok(Some(file)) => file,
            Ok(None) => return Err(Gone),
            Err(flaw) => return self.say(News::Refused(flaw)),
        };
        self.say(News::Open(0))?;
        let mut failures = 0;
        while let Some(batch) = self.batches.blocking_recv() {
            // Nothing is written for a server that was killed.
            self.is_wanted()?;
            match contained(|| file.store(&batch, self.run)) {
                Ok(()) => {
                    failures = 0;
                    self.say(News::Stored)?;
                }
                Err(flaw) => {
                    drop(batch);
                    close(file);
                    self.say(News::Trouble(flaw))?;
                    file = self.reopen(&mut failures)?;
                    self.say(News::Open(file.edition_of(self.run).unwrap_or_default()))?;
                }
            }
        }
        close(file);
        Ok(())
    }

    /// Opens the file, or makes it, and says what it holds; nothing if nobody hears it.
    fn load(&self) -> Result<Option<ArchiveFile>, Flaw> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = ArchiveFile::open(&self.path, &self.owner, &self.disk)?;
        if self.say(News::Expect(file.clients()?)).is_err() {
            return Ok(None);
        }
        let heard = file.load(|lines| self.say(News::Loaded(lines)).is_ok())?;
        Ok(heard.then_some(file))
    }

    /// Opens the file again, as often as it takes.
    fn reopen(&self, failures: &mut u32) -> Result<ArchiveFile, Gone> {
        loop {
            thread::park_timeout(pause(*failures));
            *failures += 1;
            self.is_wanted()?;
            match contained(|| ArchiveFile::open(&self.path, &self.owner, &self.disk)) {
                Ok(file) => return Ok(file),
                Err(flaw) => self.say(News::Trouble(flaw))?,
            }
        }
    }

    fn is_wanted(&self) -> Result<(), Gone> {
        if self.news.is_closed() { Err(Gone) } else { Ok(()) }
    }

    fn say(&self, news: News) -> Result<(), Gone> {
        self.news.blocking_send(news).map_err(|_| Gone)
    }
}

/// How long to wait before the file is opened again after `failures` in a row.
fn pause(failures: u32) -> Duration {
    limits::ARCHIVE_RETRY_FIRST.saturating_mul(1 << failures.min(16)).min(limits::ARCHIVE_RETRY_MAX)
}

/// redb promises no panic on a file that others have changed only where it checks; where it does not, its panic is a
/// flaw of the file, and not of the server.
pub(super) fn contained<T>(act: impl FnOnce() -> Result<T, Flaw>) -> Result<T, Flaw> {
    catch_unwind(AssertUnwindSafe(act))
        .unwrap_or_else(|_| Err(Flaw::Damaged("it cannot be read as what it was".into())))
}

/// Closing writes, and may fail like any other writing; what was committed is safe.
fn close(file: ArchiveFile) {
    let _ = catch_unwind(AssertUnwindSafe(move || drop(file)));
}
