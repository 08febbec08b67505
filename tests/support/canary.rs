//! The key that must never be seen. Every `herdctl` that a test runs has it in its environment, every herd of a test
//! keeps its secret under the same word, and all that they say, log and leave behind is searched for it.
//!
//! `tests/tidy.rs` sees to it that no test runs the program, or gives it a folder, by another way.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use memchr::memmem;
use tempfile::TempDir;

/// The key. It has the length and the beginning of one of Google's.
pub const KEY: &str = "AIzaCANARYcanaryCANARYcanaryCANARYcanar";
/// The secret of a herd.
pub const SECRET: &[u8] = b"CANARY, the secret of a herd in a test";
/// What both hold, so that a part of one is found, too.
const WORD: &[u8] = b"CANARY";
/// The files that may hold the word, for it is read from there: the key of a provider, and what opens a bus.
pub const KEY_FILE: &str = "google.key";
pub const CREDS_FILE: &str = "bus.creds";

/// The real binary in this folder, with the key where a key is looked for, and without what would come from whoever
/// runs the tests.
pub fn herdctl(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_herdctl"));
    command.current_dir(folder).stdin(Stdio::null());
    carry(&mut command);
    command
}

/// Gives a command the key, and takes from it what would come from whoever runs the tests.
pub fn carry(command: &mut Command) {
    for name in ["HERD_CONFIG", "HERD_SOCKET", "HERDCTL_SECRET", "NO_COLOR", "CLICOLOR_FORCE", "HERD_NO_INPUT"] {
        command.env_remove(name);
    }
    command.envs(["HERDCTL_PLACES_KEY", "GOOGLE_PLACES_API_KEY"].map(|name| (name, KEY)));
    // A proxy's password is no less a secret; nobody listens there.
    command.envs(["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].map(|name| (name, "http://bob:CANARY@127.0.0.1:9")));
}

/// Fails if the key is in there.
#[track_caller]
pub fn look(what: &str, bytes: &[u8]) {
    let Some(at) = memmem::find(bytes, WORD) else { return };
    let around = &bytes[at.saturating_sub(200)..(at + 100).min(bytes.len())];
    panic!("{what} holds the key: …{}…", String::from_utf8_lossy(around));
}

/// What goes through it has been looked at.
pub struct Watched<R> {
    from: R,
    /// The last bytes of what came before: the word may come in two pieces.
    tail: Vec<u8>,
}

impl<R: Read> Watched<R> {
    pub fn new(from: R) -> Self {
        Self { from, tail: Vec::new() }
    }
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.tail.extend_from_slice(&buffer[..read]);
        look("what is said", &self.tail);
        self.tail.drain(..self.tail.len().saturating_sub(WORD.len() - 1));
        Ok(read)
    }
}

/// A folder of its own for a test. When it goes, every file in it is looked at.
#[derive(Debug)]
pub struct Folder(TempDir);

impl Folder {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !thread::panicking() {
            look_in(self.path());
        }
    }
}

/// Looks at every file below a folder but those that it is read from; a herd may still be at work there.
pub fn look_in(folder: &Path) {
    let Some(entries) = unless_gone(fs::read_dir(folder)) else { return };
    for entry in entries {
        let Some(entry) = unless_gone(entry) else { continue };
        let (path, kind) = (entry.path(), unless_gone(entry.file_type()));
        if kind.is_some_and(|kind| kind.is_dir()) {
            look_in(&path);
        } else if kind.is_some_and(|kind| kind.is_file()) && !may_hold_it(&path) {
            look(&path.display().to_string(), &unless_gone(fs::read(&path)).unwrap_or_default());
        }
    }
}

fn may_hold_it(path: &Path) -> bool {
    path.ends_with(KEY_FILE) || path.ends_with(CREDS_FILE)
}

fn unless_gone<T>(found: io::Result<T>) -> Option<T> {
    match found {
        // What its owner can no longer read, others cannot either: a test has taken the permission away.
        Err(why) if matches!(why.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied) => None,
        found => Some(found.unwrap()),
    }
}
