//! `herdctl check`: by what the servers of a herd would know each other, and what is wrong with it. Starts no server.

use std::path::Path;

use serde::Serialize;

use crate::config::{self, Config, counted};
use crate::herd::secret::{self, Source};
use crate::tls::{Flaw, Tls, moment};

/// What was found out about one of the things by which servers know each other. In `herd.check/1`.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// `secret` or `tls`
    pub what: &'static str,
    pub ok: bool,
    /// What there is, or what is wrong with it.
    pub message: String,
    /// What can be done.
    pub advice: Option<String>,
}

/// Looks at all that herd.toml names.
pub fn look(config: &Config) -> Vec<Finding> {
    let certificates = config.tls.as_ref().map(|files| certificates(config, files));
    secret(config).into_iter().chain(certificates).collect()
}

/// Nothing if it is made at random, as is right for a herd of one process.
fn secret(config: &Config) -> Option<Finding> {
    let (message, advice) = match secret::of(config) {
        Ok((_, Source::Chance | Source::Certificates)) => return None,
        Ok((secret, source)) => {
            let place = match (source, &config.secret_file) {
                (Source::File, Some(path)) => format!("secret_file {}", path.display()),
                _ => secret::VARIABLE.to_owned(),
            };
            let accepted = if secret.keys().is_some_and(|keys| keys.also.is_some()) {
                ", and a second one that is accepted"
            } else {
                ""
            };
            return Some(Finding { what: "secret", ok: true, message: place + accepted, advice: None });
        }
        Err(why) => (why.message, why.hint),
    };
    Some(Finding { what: "secret", ok: false, message, advice })
}

/// Of many hosts each has the certificates of its own servers only: those that are here must be good.
fn certificates(config: &Config, files: &config::Tls) -> Finding {
    let names: Vec<&str> = config.servers.iter().map(|server| server.name.as_str()).collect();
    let is_here = |name: &&&str| exists(&files.certificate_of(name)) || exists(&files.key_of(name));
    let here: Vec<&str> = names.iter().filter(is_here).copied().collect();
    // Where none is, the first says what is missing.
    let looked_at = if here.is_empty() { &names[..1] } else { &here };
    let loaded: Result<Vec<Tls>, Flaw> = looked_at.iter().map(|name| Tls::load(files, name)).collect();
    match loaded {
        Ok(loaded) => {
            let ends = loaded.iter().map(|tls| moment(tls.ends)).min().unwrap_or_default();
            let days = ends.duration_since(jiff::Timestamp::now()).as_hours() / 24;
            let certificates = match names.len() - here.len() {
                0 => counted(here.len(), "certificate"),
                _ => format!("certificates of {} (the others are not here)", here.join(", ")),
            };
            let message = format!("{certificates}, the first ends in {days} days, at {ends}");
            Finding { what: "tls", ok: true, message, advice: None }
        }
        Err(flaw) => Finding { what: "tls", ok: false, message: flaw.to_string(), advice: flaw.hint() },
    }
}

fn exists(path: &Path) -> bool {
    path.symlink_metadata().is_ok()
}

impl Finding {
    /// For a person; lines end with LF.
    pub fn text(&self) -> String {
        let mark = if self.ok { "✔" } else { "✗" };
        let advice = self.advice.as_ref().map(|advice| format!("  {advice}\n")).unwrap_or_default();
        format!("{mark} {}: {}\n{advice}", self.what, self.message)
    }
}
