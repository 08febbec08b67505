//! What a server knows, kept on disk: one more thing that is told what follows an edition.
//!
//! The disk blocks, so it has a thread of its own (`keeper`), which alone touches the file (`file`). What goes there is
//! a batch, copied only when the keeper is free; what comes back is news. So a slow disk makes the archive lag, and
//! costs one number: it never holds the server up, and nothing piles up in between.
//!
//! How far the file has been told is [`Progress`]. A disk that takes nothing is trouble, said once, while the server goes
//! on; once it takes something again, what follows the last commit is told. A file that cannot be trusted ends the server
//! before it has answered anything.

pub(super) mod file;
mod flaw;
mod keeper;
mod progress;
#[cfg(test)]
mod tests;

use std::io;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tracing::{info, warn};

use super::clock;
use super::state::{Leaving, Server};
use crate::config::{Ack, Config};
use crate::limits;
use crate::protocol::atlas::Atlas;
use crate::protocol::line::Report;
use file::{Disk, Owner};
pub use flaw::{Flaw, Refusal};
pub(super) use keeper::Keeper;
pub use progress::{Batch, Effect, News, Progress};

/// The server's end of its archive.
pub(super) struct Archive {
    path: PathBuf,
    batches: mpsc::Sender<Batch>,
    news: mpsc::Receiver<News>,
    progress: Progress,
}

impl Archive {
    /// Starts a keeper for the server's file; none if the herd has no archive.
    ///
    /// # Errors
    ///
    /// If the system gives no thread.
    pub(super) fn open(config: &Config, index: usize, disk: impl Disk) -> io::Result<Option<(Self, Keeper)>> {
        let Some(archive) = &config.archive else { return Ok(None) };
        let server = &config.servers[index].name;
        let path = archive.directory.join(format!("{server}.redb"));
        let owner = Owner { herd: config.herd.clone(), server: server.clone() };
        Self::start(path, owner, disk).map(Some)
    }

    fn start(path: PathBuf, owner: Owner, disk: impl Disk) -> io::Result<(Self, Keeper)> {
        let (batches, told) = mpsc::channel(1);
        let (news, heard) = mpsc::channel(limits::ARCHIVE_NEWS_MAX);
        let keeper = Keeper::spawn(path.clone(), owner, disk, told, news)?;
        Ok((Self { path, batches, news: heard, progress: Progress::default() }, keeper))
    }

    /// What the keeper says next.
    ///
    /// # Panics
    ///
    /// If the keeper has gone, which is a bug in it.
    pub(super) async fn news(&mut self) -> News {
        self.news.recv().await.expect("the archive's keeper goes after its server")
    }

    /// Takes the server to be loaded: what the atlas holds now is what the file holds.
    pub(super) fn is_loaded(&mut self, atlas: &Atlas) {
        self.progress.is_loaded(atlas);
    }

    pub(super) fn refusal(&self, flaw: Flaw) -> super::Trouble {
        super::Trouble::Archive { path: self.path.clone(), why: Refusal(flaw) }
    }

    /// Hands what follows to the keeper, and who is forgotten, if it is free and there is something.
    fn tell(&mut self, atlas: &Atlas, forgotten: &mut Vec<Vec<u8>>) {
        if let Some(batch) = self.progress.tell(atlas, limits::ARCHIVE_BATCH_BYTES, forgotten) {
            // A keeper that is free has room for it; one that has gone takes its server with it.
            let _ = self.batches.try_send(batch);
        }
    }
}

/// Takes what the file held into the atlas, as said by a client: the neighbours are told what they lack.
///
/// # Errors
///
/// [`Flaw::Damaged`] on what is no report.
pub(super) fn learn(server: &Server, lines: &[u8]) -> Result<(), Flaw> {
    let mut node = server.node.borrow_mut();
    for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
        let report = Report::parse(line).ok_or_else(|| Flaw::Damaged("it holds what is no report".into()))?;
        node.atlas_mut().learn(report, crate::protocol::atlas::Source::CLIENT);
    }
    drop(node);
    server.learned();
    Ok(())
}

/// Keeps the archive told until the server leaves and there is nothing more to tell.
pub(super) async fn follow(server: Rc<Server>, mut archive: Archive) {
    show(&server, &archive);
    loop {
        archive.tell(server.node.borrow().atlas(), &mut server.forgotten.borrow_mut());
        if server.leaving.get() == Leaving::Archive && archive.progress.is_done(server.node.borrow().atlas()) {
            return;
        }
        let idle = archive.progress.is_idle();
        tokio::select! {
            news = archive.news() => {
                let effect = archive.progress.hear(news);
                show(&server, &archive);
                say(&server, &archive, &effect);
                if effect == Effect::Stored {
                    rest(&server).await;
                }
            }
            () = server.moved.notified(), if idle => {}
            () = server.leave.notified() => {}
        }
    }
}

/// Lets some reports come together for the next commit, unless somebody waits for it.
async fn rest(server: &Server) {
    if server.config.ack != Ack::Stored && !server.is_leaving() {
        tokio::select! {
            () = sleep(limits::ARCHIVE_REST) => {}
            () = server.leave.notified() => {}
        }
    }
}

fn show(server: &Server, archive: &Archive) {
    let progress = &archive.progress;
    server.confirmations.stored(progress.whole());
    let shown = &server.vitals.archive;
    shown.stored.store(progress.whole(), Relaxed);
    shown.trouble.store(progress.trouble().unwrap_or_default(), Relaxed);
}

fn say(server: &Server, archive: &Archive, effect: &Effect) {
    if matches!(effect, Effect::Stored | Effect::Recovered) {
        let now = clock::now();
        let micros = now.seconds().saturating_mul(1_000_000).saturating_add(u64::from(now.nanos() / 1000));
        server.vitals.archive.committed_at_us.store(micros, Relaxed);
    }
    let path = archive.path.display();
    match effect {
        Effect::Trouble(why) if server.config.ack == Ack::Stored => {
            warn!("the archive {path} is not written: {why}; answers to IAMATs wait, everything else goes on");
        }
        Effect::Trouble(why) => warn!("the archive {path} is not written: {why}; the server goes on"),
        Effect::Recovered => info!("the archive is written again"),
        Effect::Nothing | Effect::Stored => {}
    }
}
