//! What can be found to be wrong in a world, each with the promise that it breaks.

use std::fmt;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Promise {
    /// Servers that can reach each other end with equal atlases.
    Agreement,
    /// ... and those hold exactly the newest of what the living knew when the failures ended.
    NothingLost,
    /// A report counts as news exactly when it is newer.
    OnlyNewsIsLearnt,
    /// A server's answer never goes back in time.
    NeverBack,
    /// `HEARD e` is said only by who has heard everything up to `e`.
    HeardIsTrue,
    /// An answer waits until as many neighbours have the report as is asked, and the disk if that is asked.
    AnsweredIsSafe,
    /// An archive at rest holds what its server knows.
    ArchiveIsWhole,
    /// A report is not told back to the run of a neighbour from which it was heard.
    NotToldBack,
    /// Only the newest report of a client is told.
    OnlyTheNewestIsTold,
    /// Without failures, an update costs at most 2E − (N − 1) lines.
    BoundedTalk,
    /// A herd without failures comes to rest, and then nothing but heartbeats is said.
    Rest,
    /// Neighbours understand each other.
    NoBreach,
}

#[derive(Debug, Clone)]
pub struct Failure {
    pub promise: Promise,
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is broken: {}", self.promise, self.what)
    }
}

pub type Checked = Result<(), Failure>;

/// Fails with `what` unless `kept`.
pub fn check(promise: Promise, kept: bool, what: impl FnOnce() -> String) -> Checked {
    if kept { Ok(()) } else { Err(Failure { promise, what: what() }) }
}
