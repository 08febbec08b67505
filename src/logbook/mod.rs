//! What stands in the log files, read: a record, a log through its rotated files, several logs of one process in the order
//! of events, and those of several processes by time. Reads files only, and knows no herd: commands read here, and a
//! process does that is asked for its own logs.

pub mod braid;
pub mod merge;
pub mod record;
pub mod stream;
pub mod tail;
