//! Every limit with its unit and its reason. Those a user may set have a key in `herd.toml` under
//! `[limits]` or `[log]`; the numbers here are their defaults. Imports nothing of ours.

use std::time::Duration;

// What a user may set.

/// `line_bytes_max`: the protocol's 64 KiB.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// `connections_max`: room for ten thousand idle phones and as many again on the way in.
pub const CONNECTIONS_MAX: usize = 16_384;
/// `unread_bytes_max`: some fifty full WHATSAT answers, or fifteen thousand IAMAT answers.
pub const UNREAD_BYTES_MAX: usize = 1024 * 1024;
/// `unread_seconds_max`: a phone in a lift comes back within this; a stuck program does not.
pub const UNREAD_SECONDS_MAX: u64 = 30;
/// `idle_seconds_max`: off.
pub const IDLE_SECONDS_MAX: u64 = 0;
/// `lookups_max`: place providers ask for few requests at once.
pub const LOOKUPS_MAX: usize = 8;
/// `clients_max`: off.
pub const CLIENTS_MAX: u64 = 0;
/// `file_bytes_max` of `[log]`.
pub const LOG_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// `files_max` of `[log]`: with five servers some 1.3 GB of disk at the most.
pub const LOG_FILES_MAX: u32 = 4;

// Links (protocol.md §3).

/// An end with nothing to say repeats `TOLD` so often.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
/// An end that has heard nothing for so long calls the link dead.
pub const LINK_SILENCE_MAX: Duration = Duration::from_secs(3);
/// A new connection has so long to say the hello and the proof.
pub const HANDSHAKE_MAX: Duration = Duration::from_secs(3);
/// A dial that has not connected by then is given up and tried again.
pub const DIAL_MAX: Duration = Duration::from_secs(2);
/// The first wait before dialling again; doubled each time, with jitter.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(10);
/// The longest wait before dialling again: a server that comes back is linked within half a second.
pub const BACKOFF_MAX: Duration = Duration::from_millis(500);
/// An answer that no neighbour has confirmed by then is written all the same, counted and logged.
pub const CONFIRM_MAX: Duration = Duration::from_millis(250);
/// A link writes its batches in pieces of about this size, so that `HEARD` and heartbeats get through.
pub const LINK_BATCH_BYTES: usize = 64 * 1024;
