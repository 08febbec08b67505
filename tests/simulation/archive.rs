//! The archive of a simulated server: by the server's own rules of what goes to the disk, and on a disk that outlives it.

use std::collections::BTreeMap;

use herdctl::config::Ack;
use herdctl::protocol::atlas::{Edition, Source};
use herdctl::protocol::line::Report;
use herdctl::server::archive::{Batch, Flaw, News, Progress};

use super::plan::Millis;
use super::promise::Checked;
use super::rng::Rng;
use super::sabotage::Sabotage;
use super::server::{Life, Server};
use super::witness::{client, is_newer};
use super::world::{Happening, World};

/// Lets some reports come together for the next commit, unless somebody waits for it.
const REST: Millis = 50;
/// After trouble, the file is opened again so much later.
const RETRY: Millis = 100;

/// What is left of a server when it has been killed. A commit is made whole or not at all.
#[derive(Default)]
pub struct Disk {
    reports: BTreeMap<Vec<u8>, Vec<u8>>,
    run: u64,
    edition: Edition,
    /// It takes nothing at present.
    pub full: bool,
}

/// A living server's end of its archive.
#[derive(Default)]
pub struct Archive {
    progress: Progress,
    keeper: Keeper,
}

/// What the one who writes does.
#[derive(Default)]
enum Keeper {
    #[default]
    Idle,
    Resting,
    Writing(Batch),
    /// The file is closed after trouble.
    Closed,
}

impl Disk {
    /// Whether it knows of this report, or of a newer one of that client.
    pub fn covers(&self, line: &[u8]) -> bool {
        self.reports.get(client(line)).is_some_and(|known| !is_newer(line, known))
    }

    /// By client, its newest report.
    pub fn reports(&self) -> &BTreeMap<Vec<u8>, Vec<u8>> {
        &self.reports
    }

    /// The server dies. A commit that was under way is made, or is not.
    pub fn outlive(&mut self, life: Life, rng: &mut Rng) {
        if let Some(Archive { keeper: Keeper::Writing(batch), .. }) = life.archive
            && !self.full
            && rng.percent(50)
        {
            self.write(&batch, life.run);
        }
    }

    fn write(&mut self, batch: &Batch, run: u64) {
        for line in batch.lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            self.reports.insert(client(line).to_vec(), line.to_vec());
        }
        (self.run, self.edition) = (run, batch.edition);
    }

    /// Up to where this run has told it.
    fn edition_of(&self, run: u64) -> Edition {
        if self.run == run { self.edition } else { 0 }
    }
}

impl Archive {
    /// Whether all is on the disk that the server knows.
    pub fn is_done(&self, life: &Life) -> bool {
        self.progress.trouble().is_none() && self.progress.is_done(life.node.atlas())
    }
}

impl World {
    /// A server that starts knows what its archive held at the last commit, before anybody can ask it.
    pub(super) fn load(&mut self, server: usize) {
        if !self.plan.rules.archive {
            return;
        }
        let sabotaged = self.sabotage == Some(Sabotage::ForgetTheArchivesRun);
        let Server { disk, life, .. } = &mut self.servers[server];
        let life = life.as_mut().expect("it starts");
        for line in disk.reports.values() {
            let report = Report::parse(line).expect("an AT line");
            life.node.atlas_mut().learn(report, Source::CLIENT);
            life.witness.hear(line, life.node.atlas().edition(), None);
        }
        let mut archive = Archive::default();
        archive.progress.is_loaded(life.node.atlas());
        if sabotaged {
            archive.progress.hear(News::Open(disk.edition));
        }
        life.confirmations.stored(archive.progress.whole());
        life.archive = Some(archive);
        self.counts.loads += u64::from(!disk.reports.is_empty());
        let (behind, ahead) = (self.is_behind(server), self.is_ahead(server));
        self.counts.loads_behind += u64::from(behind);
        self.counts.loads_ahead += u64::from(ahead);
    }

    /// Some neighbour that lives knows more of a client that this one has loaded.
    fn is_behind(&self, server: usize) -> bool {
        let mine = &self.life(server).witness;
        let knows_more = |life: &Life| {
            mine.all()
                .any(|(name, known)| life.witness.of(name).is_some_and(|theirs| is_newer(&theirs.line, &known.line)))
        };
        let neighbours = self.wires.iter().filter_map(|wire| match wire.ends {
            [one, other] if one == server => Some(other),
            [one, other] if other == server => Some(one),
            _ => None,
        });
        neighbours.filter_map(|neighbour| self.servers[neighbour].life.as_ref()).any(knows_more)
    }

    /// Nobody else who lives knows of some report that this one has loaded.
    fn is_ahead(&self, server: usize) -> bool {
        let others: Vec<_> = (0..self.servers.len())
            .filter(|&other| other != server)
            .filter_map(|other| self.servers[other].life.as_ref())
            .collect();
        self.life(server).witness.all().any(|(_, known)| !others.iter().any(|life| life.witness.covers(&known.line)))
    }

    /// Hands the disk what follows, if it is free.
    pub(super) fn store(&mut self, server: usize) -> Checked {
        let bytes_max = self.plan.weather.store_bytes_max;
        let life = self.servers[server].life.as_mut().expect("only the living store");
        let Some(archive) = life.archive.as_mut().filter(|archive| matches!(archive.keeper, Keeper::Idle)) else {
            return Ok(());
        };
        let Some(batch) = archive.progress.tell(life.node.atlas(), bytes_max, &mut Vec::new()) else { return Ok(()) };
        archive.keeper = Keeper::Writing(batch);
        let takes = self.rng.between(1, self.plan.weather.commit_max);
        let run = life.run;
        self.at(self.now + takes, Happening::Disk(server, run));
        if self.sabotage == Some(Sabotage::StoredTooSoon) {
            return self.hear_keeper(server, News::Stored);
        }
        Ok(())
    }

    /// The one who writes has come to the end of what it does.
    pub(super) fn disk(&mut self, server: usize, run: u64) -> Checked {
        let Server { life: Some(life), disk, paused, .. } = &mut self.servers[server] else { return Ok(()) };
        if life.run != run {
            return Ok(());
        }
        if *paused {
            // Whoever is paused hears its news later.
            self.at(self.now + REST, Happening::Disk(server, run));
            return Ok(());
        }
        let archive = life.archive.as_mut().expect("it has stored");
        match std::mem::take(&mut archive.keeper) {
            Keeper::Writing(_) if disk.full => {
                archive.keeper = Keeper::Closed;
                self.counts.disk_troubles += 1;
                self.at(self.now + RETRY, Happening::Disk(server, run));
                self.hear_keeper(server, News::Trouble(Flaw::Gone))
            }
            Keeper::Writing(batch) => {
                disk.write(&batch, run);
                self.counts.commits += 1;
                if self.plan.rules.ack != Ack::Stored {
                    archive.keeper = Keeper::Resting;
                    self.at(self.now + REST, Happening::Disk(server, run));
                }
                self.hear_keeper(server, News::Stored)
            }
            Keeper::Closed => {
                let told = disk.edition_of(run);
                self.hear_keeper(server, News::Open(told))
            }
            Keeper::Idle | Keeper::Resting => self.store(server),
        }
    }

    fn hear_keeper(&mut self, server: usize, news: News) -> Checked {
        let in_pieces = self.sabotage == Some(Sabotage::StoredInPieces);
        let life = self.life_mut(server);
        let progress = &mut life.archive.as_mut().expect("it has news").progress;
        progress.hear(news);
        let stored = if in_pieces { progress.told().unwrap_or_default() } else { progress.whole() };
        life.confirmations.stored(stored);
        self.settle(server)?;
        self.store(server)
    }
}
