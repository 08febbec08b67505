//! The key of a live provider: where it is found, and that it is never shown.
//!
//! It comes from a file that only its owner can read, or from the environment; never from an argument, which every
//! user of the machine can read, and never from herd.toml, which is shared. Nothing here prints it.

use std::env;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use reqwest::header::HeaderValue;

use crate::keyfile::{self, Flaw};
use crate::limits::PLACES_KEY_BYTES_MAX;

/// Where a key is looked for when no file is named, in this order.
pub const VARIABLES: [&str; 2] = ["HERDCTL_PLACES_KEY", "GOOGLE_PLACES_API_KEY"];

/// A key: visible ASCII, not empty. It has no `Display`, and its `Debug` tells its length only.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Arc<str>);

impl Key {
    /// Looks in `file` if one is named, else in the environment of this process.
    ///
    /// # Errors
    ///
    /// [`NoKey`] says what to do; it never quotes what was found.
    pub fn find(file: Option<&Path>) -> Result<Self, NoKey> {
        Self::find_in(file, |name| env::var_os(name))
    }

    /// The same with another environment.
    ///
    /// # Errors
    ///
    /// As [`Key::find`].
    pub fn find_in(file: Option<&Path>, variable: impl Fn(&str) -> Option<OsString>) -> Result<Self, NoKey> {
        if let Some(path) = file {
            return Self::read(path);
        }
        let found = VARIABLES.iter().find_map(|&name| Some((name, variable(name).filter(|value| !value.is_empty())?)));
        let (name, value) = found.ok_or(NoKey::Nowhere)?;
        value.to_str().and_then(Self::proven).ok_or(NoKey::Malformed(name.to_owned()))
    }

    fn read(path: &Path) -> Result<Self, NoKey> {
        let malformed = || NoKey::Malformed(path.display().to_string());
        let bytes = keyfile::read_secret(path, PLACES_KEY_BYTES_MAX as u64 + 2).map_err(|flaw| match flaw {
            Flaw::Unreadable(why) => NoKey::Unreadable(path.to_owned(), why),
            Flaw::NotAFile => NoKey::NotAFile(path.to_owned()),
            Flaw::Exposed => NoKey::Exposed(path.to_owned()),
            Flaw::TooLong(_) => malformed(),
        })?;
        let text = String::from_utf8(bytes).map_err(|_| malformed())?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        Self::proven(line).ok_or_else(malformed)
    }

    fn proven(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= PLACES_KEY_BYTES_MAX;
        (fits && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.into()))
    }

    /// As a header that no log shows.
    pub(super) fn header(&self) -> HeaderValue {
        let mut value = HeaderValue::from_str(&self.0).expect("visible ASCII is a header's value");
        value.set_sensitive(true);
        value
    }

    /// As a parameter of a URL, which must not be shown either.
    pub(super) fn parameter(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({} bytes)", self.0.len())
    }
}

/// Why there is no key.
#[derive(Debug)]
pub enum NoKey {
    /// No file is named, and no variable is set.
    Nowhere,
    Unreadable(PathBuf, io::Error),
    /// It is a folder, a pipe or a device.
    NotAFile(PathBuf),
    /// Others than its owner may read it.
    Exposed(PathBuf),
    /// What is in this file or variable is no key.
    Malformed(String),
}

impl fmt::Display for NoKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere => write!(f, "the places provider `google` needs a key, and there is none"),
            Self::Unreadable(path, why) => write!(f, "the key file {} cannot be read: {why}", path.display()),
            Self::NotAFile(path) => write!(f, "the key file {} is not a file", path.display()),
            Self::Exposed(path) => write!(f, "others than you can read the key file {}", path.display()),
            Self::Malformed(place) => write!(f, "{place} holds no key: a key is one word of visible ASCII"),
        }
    }
}

impl NoKey {
    /// What a person can do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Nowhere => format!(
                "put it into a file that only you can read, with key_file = \"google.key\" in [places]; or set {}",
                VARIABLES[0]
            ),
            Self::Exposed(path) => format!("chmod 600 '{}'", path.display()),
            _ => "the file holds the key and nothing else".to_owned(),
        }
    }
}

impl std::error::Error for NoKey {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable(_, why) => Some(why),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn file(text: &str, mode: u32) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("google.key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        (folder, path)
    }

    #[test]
    fn a_file_comes_before_the_environment_and_is_trimmed_of_one_newline() {
        for text in ["CANARY", "CANARY\n", "CANARY\r\n"] {
            let (_folder, path) = file(text, 0o600);
            let key = Key::find_in(Some(&path), |_| Some("other".into())).unwrap();
            assert_eq!(key.parameter(), "CANARY");
        }
        for text in ["", "\n", "CANARY\n\n", "CAN ARY", "CANARY\nCANARY\n", &"C".repeat(513), "CÄNARY"] {
            let (_folder, path) = file(text, 0o600);
            let why = Key::find_in(Some(&path), |_| None).unwrap_err();
            assert!(matches!(why, NoKey::Malformed(_)), "{text:?}: {why}");
            assert!(!format!("{why} {why:?} {}", why.hint()).contains("CANARY"));
        }
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_chmod() {
        for mode in [0o640, 0o604, 0o644, 0o660, 0o610] {
            let (_folder, path) = file("CANARY", mode);
            let why = Key::find_in(Some(&path), |_| None).unwrap_err();
            assert_eq!(why.hint(), format!("chmod 600 '{}'", path.display()), "{mode:o}");
        }
        let (_folder, path) = file("CANARY", 0o400);
        assert!(Key::find_in(Some(&path), |_| None).is_ok());
    }

    #[test]
    fn what_is_no_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(Key::find_in(Some(folder.path()), |_| None), Err(NoKey::NotAFile(_))));
        let none = folder.path().join("none");
        assert!(matches!(Key::find_in(Some(&none), |_| None), Err(NoKey::Unreadable(..))));
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(Key::find_in(Some(&pipe), |_| None), Err(NoKey::NotAFile(_))));
    }

    #[test]
    fn our_variable_comes_before_google_s() {
        let both = |name: &str| Some(OsString::from(name));
        assert_eq!(Key::find_in(None, both).unwrap().parameter(), "HERDCTL_PLACES_KEY");
        let google_s = |name: &str| (name == "GOOGLE_PLACES_API_KEY").then(|| OsString::from("CANARY"));
        assert_eq!(Key::find_in(None, google_s).unwrap().parameter(), "CANARY");
        let empty = |name: &str| (name == "HERDCTL_PLACES_KEY").then(OsString::new);
        assert!(matches!(Key::find_in(None, empty), Err(NoKey::Nowhere)));
    }

    #[test]
    fn a_key_is_not_shown() {
        let key = Key::find_in(None, |_| Some("CANARY".into())).unwrap();
        assert_eq!(format!("{key:?} {:?}", key.header()), "Key(6 bytes) Sensitive");
    }
}
