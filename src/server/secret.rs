//! The herd's secret: what a server proves itself with, and what it takes of its neighbours.
//!
//! It is one line; while it is being changed there is a second one, which is accepted and not spoken. A file is read
//! again at every handshake; links that are up stay up. Nothing here prints a secret.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::reread::Reread;
use crate::keyfile;
use crate::limits::SECRET_BYTES_MAX;

/// The keys of the proofs between neighbours.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    pub spoken: Arc<[u8]>,
    /// Accepted as well.
    pub also: Option<Arc<[u8]>>,
}

/// A secret, and where it is read again; shared by all servers of a herd.
#[derive(Clone)]
pub struct Secret {
    keys: Option<Keys>,
    /// `None`: it stays what it is.
    file: Option<Arc<Path>>,
}

/// Why something is no secret.
#[derive(Debug)]
pub enum Flaw {
    File(PathBuf, keyfile::Flaw),
    /// Of this file, or of what was given.
    Lines(Option<PathBuf>),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Self::File(path, _) | Self::Lines(Some(path)) = self {
            write!(f, "{}: ", path.display())?;
        }
        match self {
            Self::File(_, why) => write!(f, "{why}"),
            Self::Lines(_) => write!(f, "a secret is one line that is not empty, or two while it is being changed"),
        }
    }
}

impl std::error::Error for Flaw {}

impl Flaw {
    /// What a person can do, if that is more than obvious.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::File(path, why) => why.hint(path),
            Self::Lines(_) => None,
        }
    }
}

impl Keys {
    /// One that is spoken and accepted.
    pub(super) fn one(secret: &[u8]) -> Self {
        Self { spoken: secret.into(), also: None }
    }

    /// One line, or two; a line ending at the end is not part of either.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let lines: Vec<&[u8]> = text.split(|&byte| byte == b'\n').collect();
        let (spoken, also) = match lines[..] {
            [spoken] => (spoken, None),
            [spoken, also] if !also.is_empty() => (spoken, Some(also.into())),
            _ => return None,
        };
        (!spoken.is_empty()).then(|| Self { spoken: spoken.into(), also })
    }
}

impl Secret {
    /// One that is spoken and accepted, and does not change.
    #[must_use]
    pub fn fixed(secret: &[u8]) -> Self {
        Self { keys: Some(Keys::one(secret)), file: None }
    }

    /// None: each connection inside TLS has a key of its own, and proves no more than its certificates do.
    #[must_use]
    pub fn of_connections() -> Self {
        Self { keys: None, file: None }
    }

    /// What was given in one piece: a line or two.
    ///
    /// # Errors
    ///
    /// [`Flaw::Lines`]
    pub fn given(text: &[u8]) -> Result<Self, Flaw> {
        Ok(Self { keys: Some(Keys::parse(text).ok_or(Flaw::Lines(None))?), file: None })
    }

    /// What is in this file, now and later.
    ///
    /// # Errors
    ///
    /// [`Flaw`]
    pub fn of_file(path: &Path) -> Result<Self, Flaw> {
        Ok(Self { keys: Some(read(path)?), file: Some(path.into()) })
    }

    /// What is spoken and accepted, whatever the connection.
    #[must_use]
    pub fn keys(&self) -> Option<&Keys> {
        self.keys.as_ref()
    }
}

fn read(path: &Path) -> Result<Keys, Flaw> {
    let text = keyfile::read_secret(path, SECRET_BYTES_MAX).map_err(|why| Flaw::File(path.into(), why))?;
    Keys::parse(&text).ok_or_else(|| Flaw::Lines(Some(path.into())))
}

impl Reread for Secret {
    const NAME: &'static str = "the secret";

    fn again(&self) -> Result<Option<Self>, String> {
        let Some(path) = &self.file else { return Ok(None) };
        let now = Self::of_file(path).map_err(|why| format!("secret_file {why}"))?;
        Ok((now.keys != self.keys).then_some(now))
    }

    fn news(&self) -> String {
        let accepted = self.keys.iter().map(|keys| 1 + usize::from(keys.also.is_some())).sum::<usize>();
        format!("one is spoken, {accepted} accepted")
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::super::reread::Kept;
    use super::*;

    fn parsed(text: &[u8]) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        Keys::parse(text).map(|keys| (keys.spoken.to_vec(), keys.also.map(|also| also.to_vec())))
    }

    #[test]
    fn a_secret_is_a_line_and_a_second_one_is_accepted_beside_it() {
        assert_eq!(parsed(b"open sesame"), Some((b"open sesame".to_vec(), None)));
        assert_eq!(parsed(b"open sesame\n"), Some((b"open sesame".to_vec(), None)));
        for two in [&b"new\nold\n"[..], b"new\nold"] {
            assert_eq!(parsed(two), Some((b"new".to_vec(), Some(b"old".to_vec()))));
        }
        for none in [&b""[..], b"\n", b"\n\n", b"new\n\n", b"\nold", b"a\nb\nc"] {
            assert_eq!(parsed(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_file_that_changes_changes_the_secret_and_one_that_breaks_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        };
        write("old", 0o600);
        let current = Kept::new(Secret::of_file(&path).unwrap());
        let keys_now = || current.now().keys().cloned().unwrap();
        assert_eq!(keys_now().spoken[..], *b"old");
        write("new\nold\n", 0o600);
        let keys = keys_now();
        assert_eq!((&keys.spoken[..], keys.also.as_deref()), (&b"new"[..], Some(&b"old"[..])));
        for (text, mode) in [("", 0o600), ("other", 0o644)] {
            write(text, mode);
            assert!(keys_now() == keys, "{text:?}");
        }
        assert!(Secret::of_file(&path).is_err());
        fs::remove_file(&path).unwrap();
        assert!(keys_now() == keys);
        write("new", 0o600);
        assert_eq!(keys_now().also, None);
    }
}
