//! `herdctl check --places`: asks the configured provider one question, and says what came back in a person's words:
//! it works; or what is in the way, and what to do about it. Starts no server.

use std::fmt::Write as _;
use std::time::Instant;

use serde::Serialize;
use tokio::runtime::Builder;

use crate::config::{self, Config, counted};
use crate::places::google::Google;
use crate::places::google::failure::Failure;
use crate::places::{Circle, Places, Provider, Unready};

/// Where there is something for every provider: the campus of UCLA and what is around it.
const QUESTION: Circle = Circle { lat: 34.068_93, lng: -118.445_127, radius_km: 10.0 };

/// What was found out about the provider of a herd.
#[derive(Debug)]
pub struct Finding {
    about: String,
    warning: Option<String>,
    trouble: Option<Trouble>,
    asked: Option<Asked>,
}

/// Why it cannot be used, and what can be done.
#[derive(Debug)]
struct Trouble {
    status: &'static str,
    message: String,
    advice: String,
}

/// What it answered.
#[derive(Debug)]
struct Asked {
    places: usize,
    took_ms: u64,
}

/// In `herd.check/1`.
#[derive(Debug, Serialize)]
pub struct Document<'a> {
    ok: bool,
    provider: &'a str,
    /// Whether the provider itself was asked.
    asked: bool,
    /// Google's word for what came of it; `UNREADY` if it cannot even be asked.
    status: &'static str,
    places: Option<usize>,
    took_ms: Option<u64>,
    message: Option<&'a str>,
    advice: Option<&'a str>,
}

/// Reads what the provider needs, and with `ask` asks it.
pub fn look(config: &Config, ask: bool) -> Finding {
    let provider = match Provider::load(&config.places) {
        Ok(provider) => provider,
        Err(why) => return Finding::unready(config, &why),
    };
    let mut finding = Finding { about: provider.about(), warning: provider.warning(), trouble: None, asked: None };
    if ask {
        match question(&provider) {
            Ok(asked) => finding.asked = Some(asked),
            Err(why) => finding.trouble = Some(Trouble::of(&why)),
        }
    }
    finding
}

fn question(provider: &Provider) -> Result<Asked, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build().map_err(|_| Failure::NoClient)?;
    let start = Instant::now();
    let answer = runtime.block_on(async {
        match provider {
            Provider::Google(settings, key) => Google::open(settings, key.clone(), 1).nearby(QUESTION, 20).await,
            local => Ok(Places::open(local, 1).nearby(QUESTION, 20).await),
        }
    });
    runtime.shutdown_background();
    let took_ms = u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX);
    Ok(Asked { places: answer?.places, took_ms })
}

impl Finding {
    fn unready(config: &Config, why: &Unready) -> Self {
        let about = match config.places.provider {
            config::Provider::Embedded => "embedded",
            config::Provider::Google(_) => "google",
            config::Provider::File(_) => "file",
        };
        let (message, advice) = (why.to_string().trim_end().to_owned(), why.hint());
        let trouble = Some(Trouble { status: "UNREADY", message, advice });
        Self { about: about.to_owned(), warning: None, trouble, asked: None }
    }

    /// Whether WHATSATs can be answered, as far as was looked.
    pub fn ok(&self) -> bool {
        self.trouble.is_none()
    }

    /// Whether a herd could not even come up.
    pub fn is_unready(&self) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.status == "UNREADY")
    }

    /// For a person; empty if there is nothing to say. Lines end with LF.
    pub fn text(&self) -> String {
        let mut text = String::new();
        match (&self.trouble, &self.asked) {
            (Some(trouble), _) => {
                let _ = writeln!(text, "✗ places: {}\n  {}", trouble.message, trouble.advice);
            }
            (None, Some(asked)) => {
                let places = counted(asked.places, "place");
                let _ = writeln!(text, "✔ places: {}: {places} around UCLA, in {} ms", self.about, asked.took_ms);
            }
            (None, None) => {}
        }
        if let Some(warning) = &self.warning {
            let _ = writeln!(text, "! places: {warning}");
        }
        text
    }

    /// For a program.
    pub fn document(&self) -> Document<'_> {
        let status = match (&self.trouble, &self.asked) {
            (Some(trouble), _) => trouble.status,
            (None, Some(Asked { places: 0, .. })) => "ZERO_RESULTS",
            (None, Some(_)) => "OK",
            (None, None) => "READY",
        };
        Document {
            ok: self.ok(),
            provider: &self.about,
            asked: self.asked.is_some() || (self.trouble.is_some() && !self.is_unready()),
            status,
            places: self.asked.as_ref().map(|asked| asked.places),
            took_ms: self.asked.as_ref().map(|asked| asked.took_ms),
            message: self.trouble.as_ref().map(|trouble| trouble.message.as_str()).or(self.warning.as_deref()),
            advice: self.trouble.as_ref().map(|trouble| trouble.advice.as_str()),
        }
    }
}

impl Trouble {
    fn of(why: &Failure) -> Self {
        Self { status: why.status(), message: why.to_string(), advice: advice(why).to_owned() }
    }
}

/// What a person can do.
fn advice(why: &Failure) -> &'static str {
    match why {
        Failure::Refused(Some(reason)) => advice_on_key(reason),
        Failure::Refused(None) => {
            "is the key right, Places enabled for its project, and billing on? Projects made since October 2026 have no \
             Legacy: leave out api = \"legacy\""
        }
        Failure::Limited => {
            "see the quotas of Places API in the Google Cloud console; a limit a minute passes, a limit a day or a \
             missing payment does not"
        }
        Failure::NoClient => "install the system's certificates (ca-certificates), or set SSL_CERT_FILE",
        Failure::Unreachable(_) | Failure::Nameless => {
            "is there a network? A proxy is taken from HTTPS_PROXY, unless [places] says proxy = \"none\""
        }
        Failure::Distrusted => {
            "is a proxy in between that decrypts? If you trust it, SSL_CERT_FILE can name a file with its certificate"
        }
        Failure::Slow(_) | Failure::Broken => "the network or the provider is slow or breaks off: try again",
        Failure::ItsOwn(_) => "the provider is in trouble itself: try again later",
        Failure::Strange(500..) => "the provider, or a proxy before it, is in trouble itself: try again later",
        Failure::TooLong | Failure::Strange(_) => {
            "is something else in between, a proxy or a login page? Or is `url` wrong?"
        }
        Failure::Misunderstood => "this is a mistake in herdctl: please report it",
        Failure::Busy | Failure::Resting { .. } => "try again",
    }
}

fn advice_on_key(reason: &str) -> &'static str {
    match reason {
        "SERVICE_DISABLED" => {
            "enable \"Places API (New)\" for the key's project; an old key that only has Legacy needs api = \"auto\" \
             in [places], and Legacy enabled"
        }
        "API_KEY_SERVICE_BLOCKED" => "the key's API restrictions leave Places out: allow \"Places API (New)\" there",
        "API_KEY_IP_ADDRESS_BLOCKED" => "the key is restricted to other machines: add this one's public address",
        "API_KEY_HTTP_REFERRER_BLOCKED" | "API_KEY_ANDROID_APP_BLOCKED" | "API_KEY_IOS_APP_BLOCKED" => {
            "the key is restricted to web sites or apps: use one that is restricted to IP addresses"
        }
        "BILLING_DISABLED" => "turn on billing for the key's project; Google wants it even for free use",
        "API_KEY_INVALID" | "API_KEY_EXPIRED" => {
            "copy the key again from the Google Cloud console: it has 39 characters"
        }
        _ => "see the key and its restrictions in the Google Cloud console",
    }
}
