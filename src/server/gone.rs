//! How a client's connection ends.

use std::fmt;
use std::io;

use super::state::Full;

/// Why a client's connection ended.
pub(super) enum Gone {
    Closed,
    Broken(io::Error),
    LineTooLong,
    Http,
    TooMany(Full),
    Idle,
    NotReading,
    Stopping,
}

impl Gone {
    /// Whether this side closes first, with a last answer that must be given time to arrive.
    pub(super) fn is_ours(&self) -> bool {
        matches!(self, Self::LineTooLong | Self::Http | Self::TooMany(_) | Self::Stopping)
    }
}

impl fmt::Display for Gone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => write!(f, "closed by the client"),
            Self::Broken(why) => write!(f, "{why}"),
            Self::LineTooLong => write!(f, "dropped, it said a line longer than line_bytes_max"),
            Self::Http => write!(f, "dropped, it spoke HTTP"),
            Self::TooMany(full) => write!(f, "dropped, {full}"),
            Self::Idle => write!(f, "dropped, it said no line for idle_seconds_max"),
            Self::NotReading => write!(f, "dropped, it read no answer for unread_seconds_max"),
            Self::Stopping => write!(f, "the server stops"),
        }
    }
}
