//! The places of a `WHATSAT`: the provider is asked, and shows how it fares; then the whole answer.
//!
//! Only the connection that asked waits. However the provider fares, there is an answer within the deadline, and it
//! is never `?`: the command was valid. How a live provider is spared is the provider's own affair
//! ([`places::google`](crate::places::google)).

use std::sync::Arc;

use memchr::{memchr, memchr_iter};

use crate::places::google::legacy::Envelope;
use crate::places::{Circle, Places, Provider};
use crate::protocol::query::Query;

use super::vitals::Vitals;

pub(super) struct Lookups {
    places: Places,
    may_be_kept: bool,
    vitals: Arc<Vitals>,
}

impl Lookups {
    /// Looks up with `provider`, which is asked for at most `at_once` answers at a time.
    pub(super) fn new(provider: &Provider, at_once: usize, vitals: Arc<Vitals>) -> Self {
        Self { places: Places::open(provider, at_once), may_be_kept: provider.may_be_kept(), vitals }
    }

    /// The whole answer, to be written at once.
    pub(super) async fn answer(&self, query: &Query) -> Vec<u8> {
        // A provider in memory never waits; without this, a client that pipelines questions would keep the
        // server to itself.
        tokio::task::yield_now().await;
        let circle = Circle { lat: query.place.latitude, lng: query.place.longitude, radius_km: query.radius_km };
        let json = self.places.nearby(circle, query.bound).await;
        self.vitals.show_places(self.places.condition());
        query.answer(&json)
    }

    /// What the log says of an answer: its `AT` line, and its places on one line, for hundreds of records for one
    /// answer would bury everything else. Of what may not be kept, only what came of it.
    pub(super) fn logged(&self, answer: &[u8]) -> Vec<u8> {
        let at_line = memchr(b'\n', answer).unwrap_or(answer.len());
        let mut text = Vec::with_capacity(answer.len());
        text.extend_from_slice(&answer[..at_line]);
        text.push(b'\n');
        if self.may_be_kept {
            push_on_one_line(&answer[at_line..], &mut text);
        } else {
            let json = &answer[text.len().min(answer.len())..];
            text.extend_from_slice(summary(json).as_bytes());
        }
        text.push(b'\n');
        text
    }
}

/// Appends lines with a space between them, without their margins.
fn push_on_one_line(lines: &[u8], text: &mut Vec<u8>) {
    let mut start = 0;
    for end in memchr_iter(b'\n', lines).chain([lines.len()]) {
        let line = lines[start..end].trim_ascii();
        if !line.is_empty() {
            text.extend_from_slice(line);
            text.push(b' ');
        }
        start = end + 1;
    }
    text.pop();
}

/// `(5 places, 3412 bytes)`, or `(REQUEST_DENIED, 168 bytes)`
fn summary(json: &[u8]) -> String {
    let bytes = json.len();
    match Envelope::read(json.to_vec(), 200) {
        Ok(envelope) => format!("({} places, {bytes} bytes)", envelope.results()),
        Err(why) => format!("({}, {bytes} bytes)", why.status()),
    }
}
