//! Where `WHATSAT` gets its places: the providers, behind one small interface.
//!
//! Whatever the provider, the answer is JSON in the shape of a Google Places Nearby Search (Legacy), and a
//! provider that fails still gives one, with Google's status word. Knows nothing of servers and clients, and
//! nothing here outlives the server that opened it.

pub mod embedded;
pub mod gazetteer;
pub mod json;

use crate::config;
use embedded::Embedded;

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

/// Where the places of one server come from, from its start to its end.
#[derive(Debug)]
pub enum Places {
    Embedded(Embedded),
}

impl Places {
    #[must_use]
    pub fn open(config: &config::Places) -> Self {
        match config.provider {
            config::Provider::Embedded => Self::Embedded(Embedded::open()),
        }
    }

    /// The places in `circle`, at most `bound` of them, as Google Nearby Search JSON: no newline at its end, no
    /// two in a row. It cannot fail: if the provider does, the answer is a [`failure`].
    ///
    /// The status tells about the circle, not about the cut: with a bound of 0 it is `OK` over no results
    /// where there are places, and `ZERO_RESULTS` where there are none.
    #[expect(clippy::unused_async, reason = "the embedded provider answers at once; a live one will not")]
    pub async fn nearby(&self, circle: Circle, bound: usize) -> String {
        match self {
            Self::Embedded(embedded) => embedded.nearby(circle, bound),
        }
    }
}

/// The answer of a provider that failed: Google's own envelope of a failure, with its `status` word and an
/// `error_message` of ours.
#[must_use]
pub fn failure(status: &str, message: &str) -> String {
    json::document(256, |answer| {
        answer.field("error_message").string(message);
        answer.field("html_attributions").array(|_| {});
        answer.field("results").array(|_| {});
        answer.field("status").string(status);
    })
}
