//! Where a herd has its secret from: the file that `herd.toml` names, the environment, or chance; with certificates it
//! needs none.
//!
//! Chance is for a herd of one process that nobody else can reach: one that listens beyond this machine needs a secret
//! of its own, or certificates. Never in an argument, which every user of the machine can read.

use std::env;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use super::api::{Failure, Kind};
use crate::config::Config;
use crate::config::address::is_loopback;
use crate::server::secret::{Flaw, Secret};

/// Where the secret is looked for when no file is named.
pub const VARIABLE: &str = "HERDCTL_SECRET";

const RANDOM_BYTES: usize = 32;
const REMEDY: &str = "(umask 077; head -c 32 /dev/urandom | base64 > herd.secret), and secret_file = \"herd.secret\"";

/// Where a secret was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    File,
    Environment,
    /// It was made at random, for this run.
    Chance,
    /// There is none: certificates are enough.
    Certificates,
}

/// The secret of this run, and where it was found.
///
/// # Errors
///
/// [`Kind::BadConfig`] if there are two, if the one cannot be used, or if there is none and strangers could connect;
/// [`Kind::Failed`] if the system has no random bytes.
pub fn of(config: &Config) -> Result<(Secret, Source), Failure> {
    of_these(config, given())
}

fn of_these(config: &Config, given: Option<OsString>) -> Result<(Secret, Source), Failure> {
    match (&config.secret_file, given) {
        (Some(path), Some(_)) => {
            let message = format!("there are two secrets, in secret_file {} and in {VARIABLE}", path.display());
            Err(Failure::new(Kind::BadConfig, message).hint("leave one of them out"))
        }
        (Some(path), None) => Ok((Secret::of_file(path).map_err(|why| refused("secret_file ", &why))?, Source::File)),
        (None, Some(text)) => {
            let secret = Secret::given(text.as_bytes()).map_err(|why| refused(&format!("{VARIABLE}: "), &why))?;
            Ok((secret, Source::Environment))
        }
        (None, None) if config.tls.is_some() => Ok((Secret::of_connections(), Source::Certificates)),
        (None, None) => {
            nobody_else_can_reach(config)?;
            Ok((random()?, Source::Chance))
        }
    }
}

/// That servers in processes of their own have a secret to share; whether it can be used is not looked at.
///
/// # Errors
///
/// [`Kind::BadConfig`] if each would make one of its own.
pub fn can_be_shared(config: &Config) -> Result<(), Failure> {
    if config.secret_file.is_some() || config.tls.is_some() || given().is_some() {
        return Ok(());
    }
    let path = config.path.display();
    let message = format!(
        "{path} has no `secret_file` and no [tls], {VARIABLE} is not set, and servers in processes of their own must know each other"
    );
    Err(Failure::new(Kind::BadConfig, message).hint(REMEDY))
}

fn given() -> Option<OsString> {
    env::var_os(VARIABLE).filter(|value| !value.is_empty())
}

fn nobody_else_can_reach(config: &Config) -> Result<(), Failure> {
    let open = config.servers.iter().find(|server| !is_loopback(server.listen.ip()));
    let Some(server) = open else { return Ok(()) };
    let message = format!(
        "{} listens beyond this machine, at {}, and the herd has no `secret_file`, no {VARIABLE} and no [tls]",
        server.name, server.listen
    );
    Err(Failure::new(Kind::BadConfig, message).hint(REMEDY))
}

fn refused(whose: &str, why: &Flaw) -> Failure {
    let failure = Failure::new(Kind::BadConfig, format!("{whose}{why}"));
    match why.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn random() -> Result<Secret, Failure> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|why| Failure::new(Kind::Failed, format!("no random bytes for the secret: {why}")))?;
    Ok(Secret::fixed(&bytes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config;

    fn herd(address: &str, more: &str) -> Config {
        let toml = format!("herd = \"h\"\n{more}\nservers = [{{ name = \"Clark\", address = \"{address}\" }}]\n");
        config::parse(&toml, Path::new("/herds/herd.toml")).unwrap_or_else(|why| panic!("{why}")).0
    }

    #[track_caller]
    fn refusal(config: &Config, given: Option<&str>) -> String {
        of_these(config, given.map(Into::into)).err().expect("a refusal").message
    }

    #[test]
    fn who_listens_beyond_this_machine_needs_a_secret_of_its_own_or_certificates() {
        for open in ["192.0.2.7:11003", "0.0.0.0:0", "[::]:11003"] {
            let why = refusal(&herd(open, ""), None);
            assert!(why.starts_with(&format!("Clark listens beyond this machine, at {open}, and")), "{why}");
            assert!(of_these(&herd(open, ""), Some("open sesame".into())).is_ok());
        }
        for closed in ["127.0.0.1:0", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert!(of_these(&herd(closed, ""), None).is_ok_and(|(_, source)| source == Source::Chance));
        }
        let mut certified = herd("0.0.0.0:0", "");
        let tls = "tls = { authority = \"a\", certificate = \"c\", key = \"k\" }";
        certified.tls = herd("127.0.0.1:0", tls).tls;
        assert!(of_these(&certified, None).is_ok_and(|(_, source)| source == Source::Certificates));
    }

    #[test]
    fn two_secrets_are_one_too_many_and_what_is_no_secret_is_named_and_not_shown() {
        let both = refusal(&herd("127.0.0.1:0", "secret_file = \"s\""), Some("CANARY"));
        assert_eq!(both, "there are two secrets, in secret_file /herds/s and in HERDCTL_SECRET");
        let none = refusal(&herd("127.0.0.1:0", "secret_file = \"s\""), None);
        assert!(none.starts_with("secret_file /herds/s: No such file"), "{none}");
        let lines = refusal(&herd("127.0.0.1:0", ""), Some("CANARY\nCANARY\nCANARY\n"));
        assert!(lines.starts_with("HERDCTL_SECRET: a secret is one line") && !lines.contains("CANARY"), "{lines}");
    }

    #[test]
    fn two_random_secrets_differ() {
        assert!(random().unwrap().keys() != random().unwrap().keys());
    }
}
