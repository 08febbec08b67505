//! Servers by name: without regard to case, and a typo gets a suggestion, never a server.

use crate::config;
use crate::herd::api::{Failure, Kind};

/// More names than this are not listed in an error.
const LISTED_MAX: usize = 20;

/// The index of the server that is meant.
///
/// # Errors
///
/// `unknown_name`, with the closest name; `place` says where the name was looked for.
pub fn pick(typed: &str, names: &[&str], place: &str) -> Result<usize, Failure> {
    let same = |name: &&str| name.to_lowercase() == typed.to_lowercase();
    names.iter().position(same).ok_or_else(|| unknown(typed, names, place))
}

fn unknown(typed: &str, names: &[&str], place: &str) -> Failure {
    let mut failure = Failure::new(Kind::UnknownName, format!("no server named {} in {place}", quoted(typed)));
    failure.did_you_mean.extend(config::closest(typed, names.iter().copied()).map(str::to_owned));
    let listed = names.iter().take(LISTED_MAX).copied().collect::<Vec<_>>().join(" ");
    let more = if names.len() > LISTED_MAX { " …" } else { "" };
    failure.hint(format!("servers: {listed}{more}"))
}

/// What was typed, between quotes and harmless.
pub fn quoted(typed: &str) -> String {
    format!("\"{}\"", super::escape::text(typed))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 3] = ["Bona", "Clark", "Ännchen"];

    #[test]
    fn case_does_not_matter() {
        let picked = ["clark", "CLARK", "ännchen"].map(|typed| pick(typed, &NAMES, "herd.toml").unwrap());
        assert_eq!(picked, [1, 1, 2]);
    }

    #[test]
    fn a_typo_is_suggested() {
        let failure = pick("clrk", &NAMES, "~/herd/herd.toml").unwrap_err();
        assert_eq!(failure.message, "no server named \"clrk\" in ~/herd/herd.toml");
        assert_eq!(failure.did_you_mean, ["Clark"]);
        assert_eq!(failure.hint.as_deref(), Some("servers: Bona Clark Ännchen"));
        assert_eq!(failure.exit, 4);
    }
}
