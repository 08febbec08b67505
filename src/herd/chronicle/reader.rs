//! Somebody who reads events: what it wants, what it has been told, what it has missed.

use axum::body::Bytes;
use memchr::memmem;
use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::TrySendError;

use super::super::api::EventsQuery;
use super::Entry;
use super::told::client_name;
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
    /// Of whose reports hops are wanted, as it stands in an event's line; none: of all.
    client: Option<Vec<u8>>,
}

impl Reader {
    pub fn new(wanted: Wanted, to: Sender<Bytes>) -> Self {
        Self { wanted, to, buffer: Vec::new(), buffered: 0, missed: 0 }
    }

    pub fn tell(&mut self, entry: &Entry) {
        if !self.wanted.wants(entry) {
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
        Self { kinds, hops, client: query.client.as_deref().map(in_line) }
    }

    pub fn wants(&self, entry: &Entry) -> bool {
        let kind = entry.kind.as_str();
        if is_hop(kind) && !(self.hops && self.is_of_client(&entry.line)) {
            return false;
        }
        kind == GAP || self.kinds.is_empty() || self.kinds.iter().any(|wanted| is_of(kind, wanted))
    }

    fn is_of_client(&self, line: &[u8]) -> bool {
        self.client.as_ref().is_none_or(|client| memmem::find(line, client).is_some())
    }
}

/// A client's name as the line of an event has it. Nothing else in a line can look like this: a quotation mark within
/// a text is escaped.
fn in_line(client: &str) -> Vec<u8> {
    let start = &client.as_bytes()[..client.len().min(limits::EVENT_CLIENT_BYTES_MAX)];
    let name = serde_json::to_string(&client_name(start)).expect("a string is JSON");
    format!("\"client\":{name}").into_bytes()
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
