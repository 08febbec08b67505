//! `.herd/lock`: who runs this herd. Held with flock(2) for the supervisor's life and never unlinked, for
//! after an unlink a second process could lock a second file of the same name.
//!
//! Its contents say where the control socket is. Clients read them and connect; they never take the lock,
//! which would make a concurrent `up` fail.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use nix::fcntl::OFlag;
use serde::{Deserialize, Serialize};
use socket2::{Domain, SockAddr, Socket, Type};

use super::api::{Failure, Kind};
use crate::limits;

const NAME: &str = "lock";

/// What the lock says about its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    pub pid: u32,
    pub version: String,
    pub protocol: u32,
    /// The control socket.
    pub socket: PathBuf,
    /// The herd.toml in use, absolute.
    pub config: PathBuf,
    /// Equal for two `up`s that ask for the same herd.
    pub config_hash: String,
    /// RFC 3339, UTC, microseconds.
    pub started: String,
}

/// What the lock in this `.herd/` says; nothing if no herd has run here or the last one left cleanly.
pub fn read(folder: &Path) -> Option<Standing> {
    let mut file = OpenOptions::new().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(folder.join(NAME)).ok()?;
    contents(&mut file)
}

/// The lock, held until this is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    file: File,
    /// The supervisor that held it last and did not leave cleanly.
    pub leftover: Option<Standing>,
}

impl Lock {
    /// Takes the lock in `.herd/`.
    ///
    /// # Errors
    ///
    /// [`Kind::Taken`] if a herd runs here; it has `already_up` if that herd's `config_hash` is this one.
    pub fn take(folder: &Path, config: &Path, config_hash: &str) -> Result<Self, Failure> {
        let path = folder.join(NAME);
        let failed = |why: io::Error| Failure::new(Kind::Failed, format!("cannot lock {}: {why}", path.display()));
        let mut file = open(&path).map_err(failed)?;
        let deadline = Instant::now() + limits::LOCK_SETTLE_MAX;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(why)) => return Err(failed(why)),
                Err(TryLockError::WouldBlock) => {}
            }
            // The holder may have just begun, and not have said yet who it is; or be about to die of a SIGKILL.
            let holder = contents(&mut file);
            if let Some(holder) = holder.as_ref().filter(|holder| answers(&holder.socket)) {
                return Err(already_up(holder, config, config_hash));
            }
            if Instant::now() >= deadline {
                return Err(silent(&path, holder.as_ref()));
            }
            thread::sleep(limits::LOCK_LOOK_EVERY);
        }
        let leftover = contents(&mut file);
        file.set_len(0).map_err(failed)?;
        Ok(Self { file, leftover })
    }

    /// Says who holds it.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn say(&mut self, standing: &Standing) -> io::Result<()> {
        let mut text = serde_json::to_vec(standing)?;
        text.push(b'\n');
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)
    }
}

impl Drop for Lock {
    /// An empty lock is what a clean end leaves.
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
}

fn contents(file: &mut File) -> Option<Standing> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(limits::LOCK_BYTES_MAX).read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

/// Whether a supervisor answers on this socket. That something accepts is not enough: a process that is being
/// killed still does, for a moment.
fn answers(socket: &Path) -> bool {
    const QUESTION: &[u8] = b"GET /v1/version HTTP/1.1\r\nHost: herd\r\nConnection: close\r\n\r\n";
    let ask = || {
        let stream = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        // Connecting must not wait, as it would where the queue is full.
        stream.set_nonblocking(true)?;
        stream.connect(&SockAddr::unix(socket)?)?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(limits::LOCK_ANSWER_MAX))?;
        let mut stream = UnixStream::from(stream);
        stream.write_all(QUESTION)?;
        stream.read(&mut [0])
    };
    ask().is_ok_and(|bytes| bytes > 0)
}

/// The lock is held by someone who does not answer.
fn silent(lock: &Path, holder: Option<&Standing>) -> Failure {
    let lock = lock.display();
    match holder {
        Some(Standing { pid, .. }) => {
            Failure::new(Kind::Taken, format!("pid {pid} runs this herd and does not answer"))
                .hint(format!("kill {pid}, then try again"))
        }
        None => Failure::new(Kind::Taken, format!("another herdctl holds {lock} and does not say who it is"))
            .hint("another `herdctl up` is just starting, or hangs: try again"),
    }
}

fn already_up(holder: &Standing, config: &Path, config_hash: &str) -> Failure {
    let (pid, config) = (holder.pid, config.display());
    if holder.config_hash == config_hash {
        let mut failure = Failure::new(Kind::Taken, format!("herd {config} is already up (pid {pid})"))
            .hint("herdctl ps · herdctl down");
        failure.already_up = Some(pid);
        return failure;
    }
    Failure::new(Kind::Taken, format!("herd {config} is already up (pid {pid}), with another configuration"))
        .hint("herdctl down && herdctl up")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    fn standing(socket: &Path) -> Standing {
        Standing {
            pid: 4312,
            version: "0.1.0".into(),
            protocol: 1,
            socket: socket.into(),
            config: "/srv/herd/herd.toml".into(),
            config_hash: "same".into(),
            started: "2026-11-23T06:05:52.123456Z".into(),
        }
    }

    /// What a second `up` with this hash is told while a first holds the lock, and answers or not.
    fn check_second(hash: &str, answer: bool) -> Failure {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("herd.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let config = Path::new("/srv/herd/herd.toml");
        let mut lock = Lock::take(folder.path(), config, "same").unwrap();
        lock.say(&standing(&socket)).unwrap();
        if answer {
            thread::spawn(move || answer_one(&listener));
            return Lock::take(folder.path(), config, hash).unwrap_err();
        }
        Lock::take(folder.path(), config, hash).unwrap_err()
    }

    /// Answers what it has read: whoever closes with a question unread has reset the connection, and may have said nothing.
    fn answer_one(listener: &UnixListener) {
        let (mut stream, _) = listener.accept().unwrap();
        let mut question = Vec::new();
        while !question.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            question.extend(byte);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    }

    #[test]
    fn a_second_up_of_the_same_herd_is_told_that_it_is_already_so() {
        let failure = check_second("same", true);
        assert_eq!((failure.error, failure.already_up), (Kind::Taken, Some(4312)));
    }

    #[test]
    fn a_second_up_of_a_changed_herd_is_refused() {
        let failure = check_second("changed", true);
        assert_eq!((failure.exit, failure.already_up), (6, None));
        assert!(failure.message.ends_with("with another configuration"), "{}", failure.message);
    }

    #[test]
    fn a_holder_that_hangs_is_named() {
        let failure = check_second("same", false);
        assert_eq!((failure.exit, failure.already_up), (6, None));
        assert_eq!(failure.message, "pid 4312 runs this herd and does not answer");
    }

    #[test]
    fn what_a_dead_supervisor_left_is_taken_over_and_told() {
        let folder = tempfile::tempdir().unwrap();
        let left = standing(&folder.path().join("herd.sock"));
        std::fs::write(folder.path().join(NAME), serde_json::to_vec(&left).unwrap()).unwrap();
        let lock = Lock::take(folder.path(), Path::new("/srv/herd/herd.toml"), "same").unwrap();
        assert_eq!(lock.leftover.as_ref(), Some(&left));
        drop(lock);
        assert_eq!(read(folder.path()), None, "a clean end leaves nothing");
    }

    #[test]
    fn a_lock_that_is_a_symbolic_link_is_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = folder.path().join("elsewhere");
        std::fs::write(&elsewhere, "precious").unwrap();
        std::os::unix::fs::symlink(&elsewhere, folder.path().join(NAME)).unwrap();
        assert_eq!(Lock::take(folder.path(), Path::new("/x"), "").unwrap_err().error, Kind::Failed);
        assert_eq!(std::fs::read(&elsewhere).unwrap(), b"precious");
    }
}
