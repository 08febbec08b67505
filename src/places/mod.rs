//! Where `WHATSAT` gets its places: the providers, behind one small interface.
//!
//! Whatever the provider, the answer is JSON in the shape of a Google Places Nearby Search (Legacy), and a
//! provider that fails still gives one, with Google's status word. Knows nothing of servers and clients.
//!
//! A [`Provider`] is made once for a process: what is read of files is read there, and all servers share it, read
//! only. [`Places`] is opened by each server for itself and ends with it: an HTTP client belongs to one incarnation.

pub mod embedded;
pub mod file;
pub mod gazetteer;
pub mod google;
pub mod json;
pub mod key;
mod local;
pub mod search;

use std::fmt;
use std::sync::Arc;

use crate::config::{self, Fallback};
use embedded::Embedded;
use file::Dataset;
use google::Google;
use google::failure::Failure;
use key::{Key, NoKey};

/// A circle on the globe.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Circle {
    /// Degrees north of its centre, -90 to 90.
    pub lat: f64,
    /// Degrees east of its centre, -180 to 180.
    pub lng: f64,
    /// Kilometres along the ground from the centre to the rim, which belongs to the circle.
    pub radius_km: f64,
}

/// What a provider says of a circle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The shape of a Google Places Nearby Search (Legacy).
    pub json: String,
    /// The status in it: one of Google's words.
    pub status: &'static str,
    /// How many results are in it.
    pub places: usize,
}

/// The configured provider with what it needs, whole and proven; the same for all servers of a process.
#[derive(Debug, Clone)]
pub enum Provider {
    Embedded,
    /// Its settings and its key.
    Google(Arc<config::Google>, Key),
    File(Arc<Dataset>),
}

impl Provider {
    /// Reads the key or the file that the configuration names. It may take a second; nothing is asked of anybody.
    ///
    /// # Errors
    ///
    /// [`Unready`]: without it, no `WHATSAT` would ever be answered.
    pub fn load(config: &config::Places) -> Result<Self, Unready> {
        Ok(match &config.provider {
            config::Provider::Embedded => Self::Embedded,
            config::Provider::Google(google) => {
                let key = Key::find(google.key_file.as_deref()).map_err(Unready::Key)?;
                Self::Google(Arc::new(google.clone()), key)
            }
            config::Provider::File(file) => Self::File(Arc::new(Dataset::read(file).map_err(Unready::File)?)),
        })
    }

    /// What a person should know of it, in a few words.
    #[must_use]
    pub fn about(&self) -> String {
        match self {
            Self::Embedded => "the embedded places of GeoNames".to_owned(),
            Self::Google(settings, _) => match &settings.url {
                None => "Google Places".to_owned(),
                Some(url) => format!("Google Places at {url}"),
            },
            Self::File(data) => data.to_string(),
        }
    }

    /// What a person should look at, though it can be used.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        match self {
            Self::File(data) if data.bad().count > 0 => {
                let first: Vec<_> = data.bad().first.iter().map(|(line, why)| format!("line {line}: {why}")).collect();
                Some(format!("{data}: {}", first.join("; ")))
            }
            _ => None,
        }
    }
}

/// Why a provider cannot be used.
#[derive(Debug)]
pub enum Unready {
    Key(NoKey),
    File(file::Unusable),
}

impl fmt::Display for Unready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(why) => why.fmt(f),
            Self::File(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for Unready {}

impl Unready {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Key(why) => why.hint(),
            Self::File(why) => why.hint(),
        }
    }
}

/// Where the places of one server come from, from its start to its end.
#[derive(Debug)]
pub enum Places {
    Embedded(Embedded),
    Google {
        google: Google,
        /// What stands in for it when it fails.
        fallback: Option<Embedded>,
    },
    File(Arc<Dataset>),
}

/// How a provider fares, as far as the last question showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(u8)]
pub enum Condition {
    /// It answers, or has not been asked.
    #[default]
    Fine,
    /// It does not answer, or nothing that can be understood.
    Failing,
    /// It refuses the key.
    Refused,
    /// Its quota is used up, or it is asked too often.
    Limited,
}

impl Condition {
    /// In one word.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Failing => "failing",
            Self::Refused => "refused",
            Self::Limited => "limited",
        }
    }

    /// What a person should know; nothing if all is well.
    #[must_use]
    pub fn note(self) -> Option<&'static str> {
        match self {
            Self::Fine => None,
            Self::Failing => Some("places: the provider does not answer"),
            Self::Refused => Some("places: the provider refuses the key"),
            Self::Limited => Some("places: the provider's quota is used up"),
        }
    }
}

impl Places {
    /// Opens the provider for one server, which asks a live one for at most `at_once` answers at the same time.
    #[must_use]
    pub fn open(provider: &Provider, at_once: usize) -> Self {
        match provider {
            Provider::Embedded => Self::Embedded(Embedded::open()),
            Provider::Google(settings, key) => Self::Google {
                google: Google::open(settings, key.clone(), at_once),
                fallback: (settings.fallback == Fallback::Embedded).then(Embedded::open),
            },
            Provider::File(data) => Self::File(Arc::clone(data)),
        }
    }

    /// The places in `circle`, at most `bound` of them, as Google Nearby Search JSON. There is always an answer, and
    /// within [`LOOKUP_MAX`](crate::limits::LOOKUP_MAX): if the provider fails, it is a [`failure`].
    ///
    /// The status tells about the circle, not about the cut: with a bound of 0 it is `OK` over no results
    /// where there are places, and `ZERO_RESULTS` where there are none.
    pub async fn nearby(&self, circle: Circle, bound: usize) -> Answer {
        match self {
            Self::Embedded(embedded) => embedded.nearby(circle, bound),
            Self::File(data) => data.nearby(circle, bound),
            Self::Google { google, fallback } => match (google.nearby(circle, bound).await, fallback) {
                (Ok(answer), _) => answer,
                (Err(why), None) => failure(&why),
                (Err(_), Some(embedded)) => embedded.stand_in(circle, bound, STAND_IN),
            },
        }
    }

    /// How the provider fares. Only a live one can fail.
    #[must_use]
    pub fn condition(&self) -> Condition {
        match self {
            Self::Google { google, .. } => google.condition(),
            Self::Embedded(_) | Self::File(_) => Condition::Fine,
        }
    }
}

/// What an answer of the embedded places says when they stand in for another provider.
const STAND_IN: &str = "herdctl: live provider unavailable, answered from embedded GeoNames";

/// The answer of a provider that failed: Google's own envelope of a failure, with its status word and an
/// `error_message` of ours.
#[must_use]
pub fn failure(why: &Failure) -> Answer {
    let json = json::document(256, |answer| {
        answer.field("error_message").string(&format!("herdctl: {why}"));
        answer.field("html_attributions").array(|_| {});
        answer.field("results").array(|_| {});
        answer.field("status").string(why.status());
    });
    Answer { json, status: why.status(), places: 0 }
}

/// Google counts in metres. To the micrometre: a product with 1,000 shows no digits that nobody has said.
fn metres(kilometres: f64) -> f64 {
    (kilometres * 1e9).round() / 1e6
}
