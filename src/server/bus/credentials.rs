//! What a herd shows to be let in by the bus: from a file that only its owner can read, or from the environment.
//!
//! Never from herd.toml, which is shared. Read at each joining, so that it can be changed under a running herd.
//! Nothing here prints it.

use std::env;
use std::path::Path;

use super::trouble::Trouble;
use crate::keyfile::{self, Flaw};
use crate::limits;

/// Where credentials are looked for when no file is named.
pub(super) const VARIABLE: &str = "HERDCTL_BUS_CREDENTIALS";

/// What is shown to the bus.
#[derive(PartialEq, Eq)]
pub(super) enum Credentials {
    None,
    /// A `.creds` file as `nsc` writes it: a JWT and the seed of a key that signs.
    Signed(String),
    Password {
        user: String,
        password: String,
    },
    Token(String),
}

impl Credentials {
    /// Looks in `file` if one is named, else in the environment of this process.
    ///
    /// # Errors
    ///
    /// If a file is named and cannot be used, or there is something that is no credentials.
    pub(super) fn find(file: Option<&Path>) -> Result<Self, Trouble> {
        let text = match file {
            Some(path) => read(path)?,
            None => match env::var(VARIABLE) {
                Ok(text) => text,
                Err(env::VarError::NotPresent) => return Ok(Self::None),
                Err(env::VarError::NotUnicode(_)) => return Err(Trouble::NoCredentials),
            },
        };
        Self::parse(&text).ok_or(Trouble::NoCredentials)
    }

    /// A `.creds` file, or one line: `user:password` or a token.
    fn parse(text: &str) -> Option<Self> {
        if text.contains("-----BEGIN NATS USER JWT-----") {
            return Some(Self::Signed(text.to_owned()));
        }
        let line = text.strip_suffix('\n').unwrap_or(text);
        if line.is_empty() || line.chars().any(|c| c.is_control() || c == ' ') {
            return None;
        }
        Some(match line.split_once(':') {
            Some((user, password)) => Self::Password { user: user.to_owned(), password: password.to_owned() },
            None => Self::Token(line.to_owned()),
        })
    }
}

fn read(path: &Path) -> Result<String, Trouble> {
    let bytes = keyfile::read_secret(path, limits::SECRET_BYTES_MAX).map_err(|flaw| match flaw {
        Flaw::Exposed => Trouble::Exposed,
        _ => Trouble::NoCredentials,
    })?;
    String::from_utf8(bytes).map_err(|_| Trouble::NoCredentials)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_line_is_a_password_or_a_token_and_more_is_what_nsc_writes() {
        let password =
            |user: &str, password: &str| Credentials::Password { user: user.into(), password: password.into() };
        assert!(Credentials::parse("herd:se:cret\n") == Some(password("herd", "se:cret")));
        assert!(Credentials::parse("CANARY") == Some(Credentials::Token("CANARY".into())));
        let signed = "-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------\n";
        assert!(Credentials::parse(signed) == Some(Credentials::Signed(signed.into())));
        for none in ["", "\n", "two words", "two\nlines\n"] {
            assert!(Credentials::parse(none).is_none(), "{none:?}");
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bus.creds");
        assert!(Credentials::find(Some(&path)).err() == Some(Trouble::NoCredentials));
        fs::write(&path, "herd:CANARY\n").unwrap();
        for (mode, refused) in [(0o644, Some(Trouble::Exposed)), (0o640, Some(Trouble::Exposed)), (0o600, None)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(Credentials::find(Some(&path)).err() == refused, "{mode:o}");
        }
    }
}
