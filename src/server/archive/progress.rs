//! How far an archive has been told, and how far the disk is: what goes there next, and what its news come to.
//!
//! Pure, so that the simulation of whole herds stores by these rules and by no others.

use super::Flaw;
use crate::protocol::atlas::{Atlas, Edition};

/// What a server knows of its archive.
#[derive(Debug, Default)]
pub struct Progress {
    /// Up to here the file has been told; nothing is told before it is open.
    told: Option<Edition>,
    /// Up to here every report is in the file, itself or a newer one of its client (as of a link: `Link::confirmed`).
    whole: Edition,
    /// The batch that is being written.
    writing: Option<Writing>,
    /// Clients to be taken out of the file, those of the batch that is being written first.
    forgotten: Vec<Vec<u8>>,
    /// The trouble that has been said, by its code.
    trouble: Option<i32>,
}

/// What follows an edition, on its way to the disk.
#[derive(Debug)]
pub struct Batch {
    /// Clients to be taken out first.
    pub forgotten: Vec<Vec<u8>>,
    /// Whole lines, each ended by LF.
    pub lines: Vec<u8>,
    /// Where it ends.
    pub edition: Edition,
}

/// A batch on its way to the disk.
#[derive(Debug)]
struct Writing {
    /// Where it ends.
    edition: Edition,
    /// It holds all there was.
    whole: bool,
    /// So many clients are taken out with it.
    forgotten: usize,
}

/// What the keeper of an archive has to say.
#[derive(Debug)]
pub enum News {
    /// The file holds about so many reports.
    Expect(usize),
    /// A piece of what the file holds: whole lines, each ended by LF.
    Loaded(Vec<u8>),
    /// The file cannot be used; the server cannot start with it.
    Refused(Flaw),
    /// The file is open, and holds what was told up to this edition in this run: 0 after a start.
    Open(Edition),
    /// The batch is on the disk.
    Stored,
    /// The disk does not take anything at present.
    Trouble(Flaw),
}

/// What news came to.
#[derive(Debug, PartialEq, Eq)]
pub enum Effect {
    Nothing,
    /// More is on the disk.
    Stored,
    /// And that after trouble.
    Recovered,
    /// Another trouble than the one before, in words.
    Trouble(String),
}

impl Progress {
    /// What the atlas holds now is what the file holds.
    pub fn is_loaded(&mut self, atlas: &Atlas) {
        (self.told, self.whole) = (Some(atlas.edition()), atlas.edition());
    }

    /// What is to be written next, about `bytes_max` bytes of it, and who is forgotten with it; nothing while something
    /// is being written, or if nothing follows.
    pub fn tell(&mut self, atlas: &Atlas, bytes_max: usize, forgotten: &mut Vec<Vec<u8>>) -> Option<Batch> {
        let told = self.told.filter(|_| self.writing.is_none())?;
        self.forgotten.append(forgotten);
        if told >= atlas.edition() && self.forgotten.is_empty() {
            return None;
        }
        let (batch, whole) = Batch::after(told, atlas, &self.forgotten, bytes_max);
        self.writing = Some(Writing { edition: batch.edition, whole, forgotten: self.forgotten.len() });
        Some(batch)
    }

    /// Takes note of what the keeper says once the file is open.
    pub fn hear(&mut self, news: News) -> Effect {
        match news {
            News::Open(edition) => {
                // Whoever is to be forgotten may be known again, and the file told so: then it must be told once more.
                let edition = if self.forgotten.is_empty() { edition } else { 0 };
                (self.told, self.writing) = (Some(edition), None);
                self.whole = self.whole.min(edition);
                Effect::Nothing
            }
            News::Stored => {
                let Some(written) = self.writing.take() else { return Effect::Nothing };
                self.told = Some(written.edition);
                self.forgotten.drain(..written.forgotten);
                if written.whole {
                    self.whole = written.edition;
                }
                if self.trouble.take().is_some() { Effect::Recovered } else { Effect::Stored }
            }
            News::Trouble(flaw) => {
                (self.told, self.writing) = (None, None);
                let known = self.trouble.replace(flaw.code()) == Some(flaw.code());
                if known { Effect::Nothing } else { Effect::Trouble(flaw.to_string()) }
            }
            // Only said before the file is open for the first time.
            News::Expect(_) | News::Loaded(_) | News::Refused(_) => Effect::Nothing,
        }
    }

    /// Up to where the file has been told; `None` while it is not open.
    #[must_use]
    pub fn told(&self) -> Option<Edition> {
        self.told
    }

    /// Up to where every report is in the file, itself or a newer one of its client.
    #[must_use]
    pub fn whole(&self) -> Edition {
        self.whole
    }

    /// The trouble that there is, by its code.
    #[must_use]
    pub fn trouble(&self) -> Option<i32> {
        self.trouble
    }

    /// Whether the keeper could write something now.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.writing.is_none() && self.told.is_some()
    }

    /// Nothing more can be done for what the server knows now.
    #[must_use]
    pub fn is_done(&self, atlas: &Atlas) -> bool {
        let all_told = self.told == Some(atlas.edition()) && self.forgotten.is_empty();
        self.trouble.is_some() || (self.writing.is_none() && all_told)
    }
}

impl Batch {
    /// About so many bytes of what follows `told`, and whether that is all.
    fn after(told: Edition, atlas: &Atlas, forgotten: &[Vec<u8>], bytes_max: usize) -> (Self, bool) {
        let (mut lines, mut edition) = (Vec::new(), told);
        let forgotten = forgotten.to_vec();
        for entry in atlas.after(told) {
            if lines.len() >= bytes_max {
                return (Self { forgotten, lines, edition }, false);
            }
            edition = entry.edition;
            lines.extend_from_slice(entry.line);
            lines.push(b'\n');
        }
        (Self { forgotten, lines, edition: atlas.edition() }, true)
    }
}
