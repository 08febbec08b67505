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

// The supervisor and its control channel.

/// Connections that a server's listening socket holds before they are accepted: a thousand phones at once, and more.
pub const LISTEN_BACKLOG: i32 = 4096;
/// Events waiting for the supervisor's loop, which never waits itself; more than every server and every control connection can cause.
pub const EVENTS_MAX: usize = 1024;
/// Signals waiting for one server: a hung one reads none, and its queue's end means "kill".
pub const SIGNALS_MAX: usize = 16;
/// A server that was started has so long to answer; opening a log file on a slow disk takes a part of it.
pub const SERVING_MAX: Duration = Duration::from_secs(5);
/// A server that was told to leave has so long to say what it owes.
pub const STOP_MAX: Duration = Duration::from_secs(5);
/// A killed server's thread has so long to end; it takes microseconds unless the thread is stuck.
pub const KILL_MAX: Duration = Duration::from_secs(2);
/// A server that was told to pause or to go on has so long to do it.
pub const PAUSE_MAX: Duration = Duration::from_secs(2);
/// `start --wait` has so long until the server knows what its neighbours know.
pub const SETTLE_MAX: Duration = Duration::from_secs(10);
/// How often `start --wait` looks again: an atlas rings no bell when it grows.
pub const SETTLE_LOOK_EVERY: Duration = Duration::from_millis(1);
/// Connections to the control socket.
pub const CONTROL_CONNECTIONS_MAX: usize = 32;
/// The body of a request on the control socket: the names of a thousand servers.
pub const CONTROL_BODY_BYTES_MAX: usize = 16 * 1024;
/// The longest that a control request waits for its answer; above every wait that an order can cause.
pub const CONTROL_ANSWER_MAX: Duration = Duration::from_secs(30);
/// A control connection that has been silent for so long is closed; above [`CONTROL_ANSWER_MAX`], during which its client says nothing.
pub const CONTROL_SILENCE_MAX: Duration = Duration::from_secs(60);
/// After `down`, control connections have so long to take their last answer.
pub const CONTROL_FAREWELL_MAX: Duration = Duration::from_millis(500);
/// The longest `down --timeout` that is honoured.
pub const DOWN_MAX: Duration = Duration::from_secs(20);
/// A supervisor that has just taken the lock has so long to write who it is.
pub const LOCK_SETTLE_MAX: Duration = Duration::from_secs(1);
/// And so long to answer on its socket, each time it is asked.
pub const LOCK_ANSWER_MAX: Duration = Duration::from_millis(300);
/// How often the lock is looked at meanwhile.
pub const LOCK_LOOK_EVERY: Duration = Duration::from_millis(10);
/// A lock file longer than this is none of ours.
pub const LOCK_BYTES_MAX: u64 = 64 * 1024;
/// `up -d` waits so long for the first word of the process it started.
pub const DETACH_FIRST_WORD_MAX: Duration = Duration::from_secs(10);
/// And so long after the herd should be ready or have failed.
pub const DETACH_GRACE: Duration = Duration::from_secs(10);
/// `supervisor.log` starts anew when it is longer than this.
pub const SUPERVISOR_LOG_BYTES_MAX: u64 = 1024 * 1024;
/// How much of `supervisor.log` is shown when a supervisor dies at its start.
pub const SUPERVISOR_LOG_TAIL_LINES: usize = 10;
/// Two signals closer together than this are one wish: a closing terminal and `timeout(1)` both send theirs twice.
pub const PRESS_APART_MIN: Duration = Duration::from_millis(100);
/// The longest note that a person is shown about a crash, in characters.
pub const NOTE_CHARS_MAX: usize = 300;
/// An accept that failed for want of descriptors would fail again at once.
pub const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(50);
/// No secret is longer; a mistaken path may name something endless.
pub const SECRET_BYTES_MAX: u64 = 64 * 1024;
