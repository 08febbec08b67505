//! The token of the control addresses: what a command on another host shows, and what a served server wants to see.
//!
//! From the file that `[control]` names, or from the environment; never from an argument, which every user of the
//! machine can read. Whoever has it can do to the herd what its operator can.

use std::env;
use std::fmt;
use std::path::Path;

use subtle::ConstantTimeEq;

use super::api::{Failure, Kind};
use crate::config::Config;
use crate::keyfile;
use crate::limits::{CONTROL_TOKEN_BYTES_MAX, CONTROL_TOKEN_BYTES_MIN};

/// Where the token is looked for when no file is named.
pub const VARIABLE: &str = "HERDCTL_CONTROL_TOKEN";

const REMEDY: &str =
    "(umask 077; head -c 32 /dev/urandom | base64 > herd.token), and token_file = \"herd.token\" in [control]";

/// A token, which is never printed.
#[derive(Clone)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// The token of this herd.
    ///
    /// # Errors
    ///
    /// [`Kind::BadConfig`] if there is none, if there are two, or if the one cannot be used.
    pub fn of(config: &Config) -> Result<Self, Failure> {
        Self::of_these(config, env::var(VARIABLE).ok().filter(|value| !value.is_empty()))
    }

    fn of_these(config: &Config, given: Option<String>) -> Result<Self, Failure> {
        let bad = |message: String| Failure::new(Kind::BadConfig, message);
        match (&config.control.token_file, given) {
            (Some(path), Some(_)) => {
                let message = format!("there are two tokens, in token_file {} and in {VARIABLE}", path.display());
                Err(bad(message).hint("leave one of them out"))
            }
            (Some(path), None) => Self::read(path),
            (None, Some(given)) => Self::new(given).map_err(|flaw| bad(format!("{VARIABLE}: {flaw}"))),
            (None, None) => {
                let path = config.path.display();
                let message = format!("{path} names control addresses and no `token_file`, and {VARIABLE} is not set");
                Err(bad(message).hint(REMEDY))
            }
        }
    }

    fn read(path: &Path) -> Result<Self, Failure> {
        let bad = |flaw: String| Failure::new(Kind::BadConfig, format!("token_file {}: {flaw}", path.display()));
        let text = keyfile::read_secret(path, CONTROL_TOKEN_BYTES_MAX as u64 + 1).map_err(|flaw| {
            let failure = bad(flaw.to_string());
            match flaw.hint(path) {
                Some(hint) => failure.hint(hint),
                None => failure,
            }
        })?;
        Self::new(String::from_utf8_lossy(&text).into_owned()).map_err(|flaw| bad(flaw.into()))
    }

    /// One line of characters that a header can hold.
    fn new(text: String) -> Result<Self, &'static str> {
        let text = text.strip_suffix('\n').unwrap_or(&text);
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            Err("a token is one line of ASCII letters, digits and signs, without spaces")
        } else if !(CONTROL_TOKEN_BYTES_MIN..=CONTROL_TOKEN_BYTES_MAX).contains(&text.len()) {
            Err("a token has 16 to 512 characters")
        } else {
            Ok(Self(text.to_owned()))
        }
    }

    /// The header `Authorization` that shows it (RFC 6750).
    #[must_use]
    pub fn shown(&self) -> String {
        format!("Bearer {}", self.0)
    }

    /// Whether this header shows it. Takes as long whatever is said, so that nobody can guess it piece by piece.
    #[must_use]
    pub fn is_shown_by(&self, header: &[u8]) -> bool {
        self.shown().as_bytes().ct_eq(header).into()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const GOOD: &str = "0123456789abcdef";

    fn herd(token_file: Option<&Path>) -> Config {
        let text = "herd = \"h\"\nservers = [{ name = \"Clark\", address = \"127.0.0.1:1\" }]\n";
        let (mut config, _) = crate::config::parse(text, Path::new("/herd.toml")).unwrap();
        config.control.token_file = token_file.map(Into::into);
        config
    }

    #[test]
    fn a_token_comes_from_a_file_of_ones_own_or_from_the_environment_and_not_from_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("herd.token");
        fs::write(&path, format!("{GOOD}\n")).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        let shown = |token: Result<Token, Failure>| token.unwrap().shown();
        assert_eq!(shown(Token::of_these(&herd(Some(&path)), None)), format!("Bearer {GOOD}"));
        assert_eq!(shown(Token::of_these(&herd(None), Some(GOOD.into()))), format!("Bearer {GOOD}"));
        let both = Token::of_these(&herd(Some(&path)), Some(GOOD.into())).unwrap_err();
        assert!(both.message.starts_with("there are two tokens"), "{both:?}");
        assert!(Token::of_these(&herd(None), None).unwrap_err().hint.unwrap().contains("umask 077"));
        fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        let open = Token::of_these(&herd(Some(&path)), None).unwrap_err();
        assert_eq!(open.hint, Some(format!("chmod 600 {}", path.display())));
    }

    #[test]
    fn only_the_whole_token_is_the_token_and_it_is_not_printed() {
        let token = Token::new(GOOD.into()).unwrap();
        assert!(token.is_shown_by(b"Bearer 0123456789abcdef"));
        for other in
            ["", "Bearer ", GOOD, "bearer 0123456789abcdef", "Bearer 0123456789abcde", "Bearer 0123456789abcdef0"]
        {
            assert!(!token.is_shown_by(other.as_bytes()), "{other}");
        }
        assert!(!format!("{token:?}").contains(GOOD));
    }

    #[test]
    fn what_is_short_long_or_no_word_is_no_token() {
        for wrong in
            ["0123456789abcde", "0123456789 abcdef", "0123456789abcdéf", "0123456789abcdef\n\n", &"a".repeat(513)]
        {
            assert!(Token::new(wrong.into()).is_err(), "{wrong}");
        }
        assert!(Token::new("a".repeat(512)).is_ok());
    }
}
