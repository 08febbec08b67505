//! What a server has done since its start, in numbers: atomics of [`Vitals`](super::vitals::Vitals), written once a
//! burst by the server and read by the herd.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Counters of one incarnation; they only rise.
#[derive(Debug, Default)]
pub struct Counts {
    /// Reports that changed the atlas, from clients.
    pub accepted_from_clients: AtomicU64,
    /// Reports that changed the atlas, from neighbours.
    pub accepted_from_neighbours: AtomicU64,
    /// Reports from neighbours that were known already.
    pub known: AtomicU64,
    /// Reports older than what was known, from anybody.
    pub stale: AtomicU64,
    /// Answers `AT …` to an `IAMAT`.
    pub answers_report: AtomicU64,
    /// Answers with places to a `WHATSAT`.
    pub answers_places: AtomicU64,
    /// Answers `? …`.
    pub answers_refusal: AtomicU64,
    /// Connections let in, neighbours' included.
    pub connections: AtomicU64,
    /// Log records handed to the appender.
    pub log_records: AtomicU64,
    /// Lookups of places, by the status of the answer: [`LOOKUP_STATUSES`], then any other.
    pub lookups: [AtomicU64; LOOKUP_STATUSES.len() + 1],
    /// From when a command had been read until its answer was given to the socket.
    pub answer: Histogram,
    /// From when the first server had accepted a report until this one knew it; one observation a burst.
    pub convergence: Histogram,
}

/// The words that Google has for how a lookup went.
pub const LOOKUP_STATUSES: [&str; 7] =
    ["OK", "ZERO_RESULTS", "OVER_QUERY_LIMIT", "REQUEST_DENIED", "INVALID_REQUEST", "NOT_FOUND", "UNKNOWN_ERROR"];

/// Upper ends of the buckets of a [`Histogram`], in microseconds; above the last there is one more.
pub const BUCKETS_US: [u64; 16] = [
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

impl Counts {
    /// Counts an answer to a `WHATSAT` by its status.
    pub fn looked_up(&self, status: &str) {
        let place = LOOKUP_STATUSES.iter().position(|&word| word == status);
        add(&self.lookups[place.unwrap_or(LOOKUP_STATUSES.len())], 1);
    }
}

/// How long something took, in fixed buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    buckets: [AtomicU64; BUCKETS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    /// Counts `times` observations that took so long each.
    pub fn observe(&self, took: Duration, times: u64) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.partition_point(|&end| end < us);
        add(&self.buckets[bucket], times);
        add(&self.sum_us, us.saturating_mul(times));
    }

    /// Observations in each bucket, and the sum of all in microseconds.
    #[must_use]
    pub fn read(&self) -> ([u64; BUCKETS_US.len() + 1], u64) {
        (std::array::from_fn(|bucket| self.buckets[bucket].load(Relaxed)), self.sum_us.load(Relaxed))
    }
}

/// Adds to a counter; one that would not change is not touched.
pub fn add(counter: &AtomicU64, more: u64) {
    if more > 0 {
        counter.fetch_add(more, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_is_in_the_first_bucket_that_holds_it() {
        let histogram = Histogram::default();
        for us in [0, 100, 101, 250, 10_000_000, 10_000_001] {
            histogram.observe(Duration::from_micros(us), 2);
        }
        let (buckets, sum_us) = histogram.read();
        assert_eq!((buckets[0], buckets[1], buckets[15], buckets[16]), (4, 4, 2, 2));
        assert_eq!(buckets.iter().sum::<u64>(), 12);
        assert_eq!(sum_us, 2 * (100 + 101 + 250 + 10_000_000 + 10_000_001));
    }

    #[test]
    fn a_lookup_is_counted_by_its_status() {
        let counts = Counts::default();
        for status in ["ZERO_RESULTS", "OK", "NEW", ""] {
            counts.looked_up(status);
        }
        let read = |place: usize| counts.lookups[place].load(Relaxed);
        assert_eq!((read(0), read(1), read(LOOKUP_STATUSES.len())), (1, 1, 2));
    }
}
