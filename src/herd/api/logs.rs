//! The logs of a process, as they are told to who cannot read its files.

use serde::{Deserialize, Serialize};

/// What `GET /v1/logs` may be asked, as the query of its URL. It is answered line by line; an empty line says that nothing
/// was logged for a while. What a line is, its first sign says:
///
/// * `-LOG TAB LINE`: a line as it stands in this log, headings of runs included;
/// * `!LOG TAB TEXT`: lines of this log are missing here, and why;
/// * `@TIME`: the run that what follows belongs to, up to the next heading;
/// * `=`: what follows was logged after the question.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogsQuery {
    /// Nothing earlier, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The last so many records of all its logs; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
    /// What is logged from then on too, until who asked leaves or the process ends.
    #[serde(default)]
    pub follow: bool,
    /// Links' heartbeats too.
    #[serde(default)]
    pub heartbeats: bool,
}

pub const LINE: u8 = b'-';
pub const MISSING: u8 = b'!';
pub const RUN: u8 = b'@';
pub const NOW: u8 = b'=';
