//! The places of a `WHATSAT`: a permit, the provider, a deadline; then the whole answer.
//!
//! Only the connection that asked waits. However the provider fares, there is an answer within the deadline, and it
//! is never `?`: the command was valid.

use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::limits;
use crate::places::{self, Circle, Places};
use crate::protocol::query::Query;

pub(super) struct Lookups {
    places: Places,
    permits: Semaphore,
}

impl Lookups {
    /// Looks up in `places`, at most `at_once` lookups at a time.
    pub(super) fn new(places: Places, at_once: usize) -> Self {
        Self { places, permits: Semaphore::new(at_once) }
    }

    /// The whole answer, to be written at once.
    pub(super) async fn answer(&self, query: &Query) -> Vec<u8> {
        let json = timeout(limits::LOOKUP_MAX, self.look_up(query)).await;
        let json = json.unwrap_or_else(|_| {
            let seconds = limits::LOOKUP_MAX.as_secs();
            let message = format!("herdctl: the places provider did not answer within {seconds} s");
            places::failure("UNKNOWN_ERROR", &message)
        });
        query.answer(&json)
    }

    async fn look_up(&self, query: &Query) -> String {
        // A provider in memory never waits; without this, a client that pipelines questions would keep the
        // server to itself.
        tokio::task::yield_now().await;
        let _permit = self.permits.acquire().await;
        let circle = Circle { lat: query.place.latitude, lng: query.place.longitude, radius_km: query.radius_km };
        self.places.nearby(circle, query.bound).await
    }
}
