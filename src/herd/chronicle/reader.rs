//! Somebody who reads events: what it wants, what it has been told, what it has missed.

use axum::body::Bytes;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::super::api::EventsQuery;
use super::Entry;
use crate::limits;

/// Somebody who reads on.
#[derive(Debug)]
pub struct Reader {
    pub wanted: Wanted,
    pub to: Sender<Bytes>,
    buffer: Vec<u8>,
    /// Events in the buffer.
    buffered: u64,
    /// Events left out since the last piece it took.
    pub missed: u64,
}

/// Which events a reader wants.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Kinds or families of them; none: all.
    kinds: Vec<String>,
    pub hops: bool,
}

impl Reader {
    pub fn new(wanted: Wanted, to: Sender<Bytes>) -> Self {
        Self { wanted, to, buffer: Vec::new(), buffered: 0, missed: 0 }
    }

    pub fn tell(&mut self, entry: &Entry) {
        if !self.wanted.wants(&entry.kind) {
            return;
        }
        // Nothing goes before the gap, which goes when there is room.
        if self.missed > 0 {
            self.missed += 1;
            return;
        }
        self.buffer.extend_from_slice(&entry.line);
        self.buffered += 1;
        if self.buffer.len() >= limits::EVENTS_CHUNK_BYTES {
            self.flush();
        }
    }

    pub fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let events = std::mem::take(&mut self.buffered);
        if let Err(TrySendError::Full(_)) = self.to.try_send(std::mem::take(&mut self.buffer).into()) {
            self.missed = events;
        }
    }

    /// Tells it what it has missed, if there is room again.
    pub fn state_gap(&mut self, gap: Bytes) {
        if self.to.try_send(gap).is_ok() {
            self.missed = 0;
        }
    }
}

impl Wanted {
    pub fn of(query: &EventsQuery) -> Self {
        let kinds: Vec<String> = query.kinds.split(',').filter(|kind| !kind.is_empty()).map(Into::into).collect();
        let hops = query.flood || kinds.iter().any(|kind| is_hop(kind));
        Self { kinds, hops }
    }

    pub fn wants(&self, kind: &str) -> bool {
        if is_hop(kind) && !self.hops {
            return false;
        }
        kind == GAP || self.kinds.is_empty() || self.kinds.iter().any(|wanted| is_of(kind, wanted))
    }
}

pub const OPENED: &str = "stream.opened";
pub const GAP: &str = "gap";

/// Whether `kind` is `wanted`, or one of its family: `link.up` is of `link`.
pub fn is_of(kind: &str, wanted: &str) -> bool {
    kind.strip_prefix(wanted).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

pub fn is_hop(kind: &str) -> bool {
    is_of(kind, "flood")
}
