//! The places of a `WHATSAT`: the provider is asked, and shows how it fares; then the whole answer.
//!
//! Only the connection that asked waits. However the provider fares, there is an answer within the deadline, and it
//! is never `?`: the command was valid. How a live provider is spared is the provider's own affair
//! ([`places::google`]).

use std::sync::Arc;

use memchr::memchr;

use crate::places::{self, Circle, Places, Provider};
use crate::protocol::query::Query;

use super::vitals::Vitals;

pub(super) struct Lookups {
    places: Places,
    vitals: Arc<Vitals>,
}

/// The whole answer to a `WHATSAT`, to be written at once.
pub(super) struct Answer {
    pub bytes: Vec<u8>,
    pub told: Told,
}

/// What the log says of an answer's places: hundreds of lines for each would bury everything else, and Google's terms
/// forbid to keep what is Google's.
#[derive(Clone, Copy)]
pub(super) struct Told {
    status: &'static str,
    places: usize,
}

impl Lookups {
    /// Looks up with `provider`, which is asked for at most `at_once` answers at a time.
    pub(super) fn new(provider: &Provider, at_once: usize, vitals: Arc<Vitals>) -> Self {
        Self { places: Places::open(provider, at_once), vitals }
    }

    /// A provider in memory never waits.
    pub(super) async fn answer(&self, query: &Query) -> Answer {
        let circle = Circle { lat: query.place.latitude, lng: query.place.longitude, radius_km: query.radius_km };
        let places::Answer { json, status, places } = self.places.nearby(circle, query.bound).await;
        self.vitals.show_places(self.places.condition());
        self.vitals.counts.looked_up(status);
        Answer { bytes: query.answer(&json), told: Told { status, places } }
    }
}

impl Told {
    /// The `AT` line of `answer`, and `(5 places, 3412 bytes)` or `(REQUEST_DENIED, 168 bytes)` for the rest.
    pub(super) fn of(self, answer: &[u8]) -> Vec<u8> {
        let at_line = memchr(b'\n', answer).map_or(answer.len(), |end| end + 1);
        let bytes = answer.len() - at_line;
        let rest = match self.status {
            "OK" => format!("({} places, {bytes} bytes)\n", self.places),
            status => format!("({status}, {bytes} bytes)\n"),
        };
        [&answer[..at_line], rest.as_bytes()].concat()
    }
}
