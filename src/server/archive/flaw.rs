//! What can be wrong with an archive, in words for a person and as a number for the vitals.

use std::fmt;
use std::io;

/// Why an archive cannot be read or written.
#[derive(Debug)]
pub enum Flaw {
    /// The system said so: a full disk, no permission.
    Io(io::Error),
    /// What is in the file is not what was written there; nothing has been changed in it.
    Damaged(String),
    /// It was written by another server or herd, whose name this is.
    Foreign(String),
    /// It was written by a version of this program that keeps its archive in another form.
    Format(String),
    /// Another program, or another herd of this one, has it open.
    Held,
    /// Its file has been moved or deleted while the server was running.
    Gone,
}

impl Flaw {
    /// The error of the system, or a number below 0 for what the system does not name.
    pub(super) fn code(&self) -> i32 {
        match self {
            Self::Io(why) => why.raw_os_error().unwrap_or(-1),
            Self::Damaged(_) => -2,
            Self::Foreign(_) => -3,
            Self::Format(_) => -4,
            Self::Held => -5,
            Self::Gone => -6,
        }
    }

    /// What a code means; nothing for 0.
    #[must_use]
    pub fn meaning(code: i32) -> Option<String> {
        Some(match code {
            0 => return None,
            1.. => io::Error::from_raw_os_error(code).to_string(),
            -2 => "its file is damaged".into(),
            -3 => "its file is another server's".into(),
            -4 => "its file is of another version".into(),
            -5 => Self::Held.to_string(),
            -6 => Self::Gone.to_string(),
            _ => "its file cannot be read or written".into(),
        })
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(why) => write!(f, "{why}"),
            Self::Damaged(how) => write!(f, "it is damaged ({how})"),
            Self::Foreign(whose) => write!(f, "it belongs to {whose}"),
            Self::Format(format) => write!(f, "it has the form {format}, which this version does not read"),
            Self::Held => write!(f, "it is open elsewhere"),
            Self::Gone => write!(f, "its file has been moved or deleted"),
        }
    }
}

impl std::error::Error for Flaw {}

impl From<io::Error> for Flaw {
    fn from(why: io::Error) -> Self {
        match why.kind() {
            // So does redb say that a file is none of its own.
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged(why.to_string()),
            _ => Self::Io(why),
        }
    }
}

impl From<redb::Error> for Flaw {
    fn from(why: redb::Error) -> Self {
        match why {
            redb::Error::Io(why) => why.into(),
            redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Self::Held,
            redb::Error::UpgradeRequired(version) => Self::Format(format!("redb {version}")),
            redb::Error::Corrupted(how) => Self::Damaged(how),
            why => Self::Damaged(why.to_string()),
        }
    }
}

/// A flaw found at a start, and what can be done: the server does not start with such a file, and changes nothing in it.
#[derive(Debug)]
pub struct Refusal(pub(super) Flaw);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; to start without it, move it away or take [archive] out of herd.toml", self.0)
    }
}

impl std::error::Error for Refusal {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source()
    }
}
