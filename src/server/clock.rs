//! The one clock: every time that a server says, logs or measures by is read here.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::protocol::line::Time;

/// The wall clock, for skews and log records.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the one clock")]
pub fn now() -> Time {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Time::new(since_epoch.as_secs(), since_epoch.subsec_nanos())
}

/// The monotonic clock, for deadlines and durations.
#[must_use]
pub fn instant() -> Instant {
    Instant::now()
}
