//! How Google can fail to answer, Google's word for each, and ours.
//!
//! Nothing of a request is kept in here, so whatever prints a failure prints no key and no place. Of Google's own
//! texts only words of the kind `SERVICE_DISABLED` are kept: its messages may hold project numbers and addresses.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use crate::limits;
use crate::places::Condition;

/// Why there is no answer of Google's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No HTTP client could be made: no certificates to trust.
    NoClient,
    /// Its name cannot be looked up: most often there is no network.
    Nameless,
    /// It cannot be connected to.
    Unreachable(Option<io::ErrorKind>),
    /// Its certificate is not one that this machine trusts.
    Distrusted,
    /// It did not answer within this time.
    Slow(Duration),
    /// The connection broke while it answered.
    Broken,
    /// Its answer is longer than any real one.
    TooLong,
    /// What came, with this HTTP status, is no answer of a places provider.
    Strange(u16),
    /// It says that it has failed itself, with this HTTP status.
    ItsOwn(u16),
    /// The key is missing, wrong, or not allowed to do this; perhaps with Google's word for it.
    Refused(Option<String>),
    /// Too many requests, or none left.
    Limited,
    /// It did not understand the request.
    Misunderstood,
    /// Other lookups took all the time that there is.
    Busy,
    /// It was not asked, because it failed like this before.
    Resting { after: Box<Failure>, seconds: u64 },
}

impl Failure {
    /// Google's status word.
    #[must_use]
    pub fn status(&self) -> &'static str {
        match self {
            Self::Refused(_) => "REQUEST_DENIED",
            Self::Limited => "OVER_QUERY_LIMIT",
            Self::Misunderstood => "INVALID_REQUEST",
            Self::Resting { after, .. } => after.status(),
            _ => "UNKNOWN_ERROR",
        }
    }

    /// Whether asking once more, soon, may help.
    pub(super) fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Nameless => true,
            Self::ItsOwn(status) => matches!(status, 200 | 500 | 502 | 503 | 504),
            Self::Strange(status) => matches!(status, 500 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// Whether the key is fine and only this interface is closed to it.
    pub(super) fn is_closed_interface(&self) -> bool {
        matches!(self, Self::Refused(Some(reason)) if reason == "SERVICE_DISABLED" || reason.ends_with("_BLOCKED"))
    }

    /// What it says about the provider; nothing if it says something about us.
    pub(super) fn condition(&self) -> Option<Condition> {
        match self {
            Self::Refused(_) => Some(Condition::Refused),
            Self::Limited => Some(Condition::Limited),
            Self::Busy | Self::Resting { .. } => None,
            _ => Some(Condition::Failing),
        }
    }
}

/// One line for a client: what happened, in our own words.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoClient => write!(f, "no certificates to trust are found on this machine"),
            Self::Nameless => write!(f, "the places provider's name cannot be looked up"),
            Self::Unreachable(Some(why)) => write!(f, "the places provider cannot be reached: {why}"),
            Self::Unreachable(None) => write!(f, "the places provider cannot be reached"),
            Self::Distrusted => write!(f, "the places provider's certificate is not trusted"),
            Self::Slow(time) => write!(f, "the places provider did not answer within {} s", time.as_secs()),
            Self::Broken => write!(f, "the places provider broke off its answer"),
            Self::TooLong => write!(f, "the places provider's answer is too long"),
            Self::Strange(status) => write!(f, "the places provider's answer is not understood (HTTP {status})"),
            Self::ItsOwn(status) => write!(f, "the places provider has failed (HTTP {status})"),
            Self::Refused(Some(reason)) => write!(f, "the places provider refuses the key ({reason})"),
            Self::Refused(None) => write!(f, "the places provider refuses the key"),
            Self::Limited => write!(f, "the places provider's quota is used up, or it is asked too often"),
            Self::Misunderstood => write!(f, "the places provider did not understand the request"),
            Self::Busy => {
                write!(f, "too many lookups at once: this one had no turn within {} s", limits::LOOKUP_MAX.as_secs())
            }
            Self::Resting { after, seconds } => write!(f, "{after}; it is asked again in {seconds} s"),
        }
    }
}

impl Error for Failure {}

impl From<reqwest::Error> for Failure {
    fn from(why: reqwest::Error) -> Self {
        // The URL may hold the key. Nothing of the error itself is kept.
        let why = why.without_url();
        let says = |word| causes(&why).any(|cause| cause.to_string().contains(word));
        if why.is_builder() {
            Self::NoClient
        } else if says("certificate") {
            Self::Distrusted
        } else if says("dns error") {
            Self::Nameless
        } else if why.is_connect() {
            Self::Unreachable(io_kind(&why))
        } else if why.is_timeout() {
            Self::Slow(limits::PLACES_REQUEST_MAX)
        } else {
            Self::Broken
        }
    }
}

/// The system's word for what went wrong below.
fn io_kind(why: &reqwest::Error) -> Option<io::ErrorKind> {
    let kinds = causes(why).filter_map(|cause| cause.downcast_ref::<io::Error>().map(io::Error::kind));
    let timeout = why.is_timeout().then_some(io::ErrorKind::TimedOut);
    kinds.filter(|kind| *kind != io::ErrorKind::Other).last().or(timeout)
}

fn causes(why: &reqwest::Error) -> impl Iterator<Item = &(dyn Error + 'static)> {
    std::iter::successors(why.source(), |&cause| cause.source())
}

/// A word like `API_KEY_INVALID`, if that is what it is.
pub(super) fn reason(word: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    // Shorter than any project's name would have to be told apart from; longer than any of Google's.
    (word.len() <= 64 && !word.is_empty() && word.bytes().all(plain)).then(|| word.to_owned())
}
