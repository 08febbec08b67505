//! Where a herd lives: `.herd/` beside its `herd.toml`, with the lock, the control socket and the log of a
//! detached supervisor. Ours alone: 0700, refused if it is another user's or open to their writing.
//!
//! The socket is in there unless the path is too long for one or the file system has none; then it is in
//! the user's runtime folder, and the lock says where.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::fcntl::OFlag;
use nix::sys::stat::{Mode, umask};
use nix::unistd::getuid;
use sha2::{Digest, Sha256};

use super::api::{self, Failure, Kind};
use super::lock::{self, Lock, Standing};
use crate::limits;

/// The folder's name.
pub const FOLDER: &str = ".herd";
const SOCKET: &str = "herd.sock";
/// What the folder's name of a server that is served alone ends with.
const TENANT: &str = ".serve";
const LOG: &str = "supervisor.log";
/// `sun_path` of unix(7) holds so many bytes with its closing NUL.
const SOCKET_PATH_BYTES_MAX: usize = 107;

/// Where the control socket is of the herd that this `herd.toml` describes. Whether anyone listens is found by connecting.
#[must_use]
pub fn socket(config: &Path) -> PathBuf {
    standing(config).map_or_else(|| folder_of(config).join(SOCKET), |standing| standing.socket)
}

/// Where the control socket is of the process that serves this server of the herd alone; or where it will be, if it has
/// not been started yet and the folder can hold one.
#[must_use]
pub fn socket_of_served(config: &Path, server: &str) -> PathBuf {
    let folder = folder_of_served(config, server);
    lock::read(&folder).map_or_else(|| folder.join(SOCKET), |standing| standing.socket)
}

/// Whether a process of its own ever served this server on this machine.
#[must_use]
pub fn was_served(config: &Path, server: &str) -> bool {
    folder_of_served(config, server).exists()
}

/// What the supervisor of this `herd.toml` says of itself; it may have died since.
#[must_use]
pub fn standing(config: &Path) -> Option<Standing> {
    lock::read(&folder_of(config))
}

/// Opens `.herd/supervisor.log` for appending, made anew if it has grown long, and tells where it is.
///
/// # Errors
///
/// If the folder or the file is not to be had.
pub fn supervisor_log(config: &Path) -> Result<(File, PathBuf), Failure> {
    let path = folder(config)?.join(LOG);
    let open = || {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o600)
            .custom_flags(OFlag::O_NOFOLLOW.bits())
            .open(&path)?;
        if file.metadata()?.len() > limits::SUPERVISOR_LOG_BYTES_MAX {
            file.set_len(0)?;
        }
        Ok(file)
    };
    match open() {
        Ok(file) => Ok((file, path)),
        Err(why) => Err(failed("open", &path, &why)),
    }
}

/// The folder, taken: its lock is held and its control socket bound. Dropped, it leaves no socket behind.
#[derive(Debug)]
pub struct Den {
    /// Where the control socket is.
    socket: PathBuf,
    /// Released after the socket is gone.
    lock: Lock,
}

impl Den {
    /// Takes the folder beside `config`; in it one of its own for a server that is served alone, the `tenant`.
    ///
    /// # Errors
    ///
    /// [`Kind::Taken`] if a herd runs here; [`Kind::Failed`] if folder, lock or socket are not to be had.
    pub fn take(
        config: &Path,
        tenant: Option<&str>,
        config_hash: &str,
        started: &str,
    ) -> Result<(Self, UnixListener), Failure> {
        let mut folder = folder(config)?;
        if let Some(tenant) = tenant {
            folder = folder_of_served(config, tenant);
            private(&folder, 0o022)?;
        }
        let mut lock = Lock::take(&folder, config, config_hash)?;
        let (listener, socket) = bind(&folder, config, tenant.unwrap_or_default())?;
        let standing = Standing {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").into(),
            protocol: api::PROTOCOL,
            socket: socket.clone(),
            config: config.into(),
            config_hash: config_hash.into(),
            started: started.into(),
        };
        let said = lock.say(&standing);
        let den = Self { socket, lock };
        said.map_err(|why| failed("write the lock in", &folder, &why))?;
        Ok((den, listener))
    }

    /// The supervisor that was here before and did not leave cleanly.
    pub fn leftover(&self) -> Option<&Standing> {
        self.lock.leftover.as_ref()
    }
}

impl Drop for Den {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

fn folder_of(config: &Path) -> PathBuf {
    config.parent().unwrap_or(Path::new("/")).join(FOLDER)
}

/// No name of the herd's own ends like this.
fn folder_of_served(config: &Path, server: &str) -> PathBuf {
    folder_of(config).join(format!("{server}{TENANT}"))
}

/// The folder, made if need be, and proven ours.
fn folder(config: &Path) -> Result<PathBuf, Failure> {
    let folder = folder_of(config);
    private(&folder, 0o022)?;
    // Not a reason to fail: it only keeps the folder out of the user's git.
    let _ = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(folder.join(".gitignore"))
        .and_then(|mut f| f.write_all(b"*\n"));
    Ok(folder)
}

/// Makes `folder` for us alone, or finds it a true folder, ours, with none of the `forbidden` bits in its mode.
fn private(folder: &Path, forbidden: u32) -> Result<(), Failure> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(why) if why.kind() != io::ErrorKind::AlreadyExists => return Err(failed("make", folder, &why)),
        _ => {}
    }
    let found = fs::symlink_metadata(folder).map_err(|why| failed("look at", folder, &why))?;
    let refused = |why: String| Err(Failure::new(Kind::Failed, format!("{} {why}", folder.display())));
    if !found.is_dir() {
        return refused("is not a folder".into());
    }
    if found.uid() != getuid().as_raw() {
        return refused(format!("belongs to uid {}", found.uid()));
    }
    if found.mode() & forbidden != 0 {
        return refused(format!("is open to other users (mode {:o})", found.mode() & 0o777))
            .map_err(|failure: Failure| failure.hint(format!("chmod 700 {}", folder.display())));
    }
    Ok(())
}

/// Binds the control socket in the first place that can hold one. The lock is held, so a socket found there is a dead one's.
fn bind(folder: &Path, config: &Path, tenant: &str) -> Result<(UnixListener, PathBuf), Failure> {
    let mut trouble = None;
    let places: [&dyn Fn() -> Result<PathBuf, Failure>; 3] =
        [&|| Ok(folder.join(SOCKET)), &|| runtime_place(config, tenant), &|| temporary_place(config, tenant)];
    for place in places {
        match place().and_then(|path| Ok((bind_at(&path).map_err(|why| failed("bind", &path, &why))?, path))) {
            Ok(bound) => return Ok(bound),
            Err(failure) => trouble = trouble.or(Some(failure)),
        }
    }
    Err(trouble.unwrap_or_else(|| Failure::new(Kind::Failed, "no place for a control socket")))
}

fn bind_at(path: &Path) -> io::Result<UnixListener> {
    if path.as_os_str().len() > SOCKET_PATH_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is too long for a socket"));
    }
    match fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
        _ => {}
    }
    let listener = with_umask(|| UnixListener::bind(path))?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Runs `bind` so that what it makes is ours alone from its first moment. The mask belongs to the whole process.
fn with_umask<T>(bind: impl FnOnce() -> T) -> T {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock();
    let before = umask(Mode::from_bits_truncate(0o177));
    let made = bind();
    umask(before);
    made
}

fn runtime_place(config: &Path, tenant: &str) -> Result<PathBuf, Failure> {
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .filter(|dir| !dir.is_empty())
        .ok_or_else(|| Failure::new(Kind::Failed, "no XDG_RUNTIME_DIR"))?;
    place_in(&PathBuf::from(runtime).join("herdctl"), config, tenant)
}

fn temporary_place(config: &Path, tenant: &str) -> Result<PathBuf, Failure> {
    place_in(Path::new(&format!("/tmp/herdctl-{}", getuid())), config, tenant)
}

/// A name for this herd in a folder that all herds of the user share.
fn place_in(folder: &Path, config: &Path, tenant: &str) -> Result<PathBuf, Failure> {
    private(folder, 0o077)?;
    // A path holds no NUL, so no two pairs are one.
    let who = match tenant {
        "" => config.as_os_str().as_bytes().to_vec(),
        tenant => [config.as_os_str().as_bytes(), b"\0", tenant.as_bytes()].concat(),
    };
    Ok(folder.join(format!("{}.sock", hash16(&who))))
}

/// The first sixteen hexadecimal digits of a SHA-256.
pub fn hash16(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    let (head, _) = hash.split_first_chunk().expect("a SHA-256 has 32 bytes");
    format!("{:016x}", u64::from_be_bytes(*head))
}

fn failed(what: &str, path: &Path, why: &io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("cannot {what} {}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn project() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("herd.toml");
        (folder, config)
    }

    fn mode(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().mode() & 0o777
    }

    #[test]
    fn all_in_the_den_is_ours_alone_and_gone_after() {
        let (folder, config) = project();
        let (den, _listener) = Den::take(&config, None, "hash", "now").unwrap();
        assert_eq!(socket(&config), folder.path().join(".herd/herd.sock"));
        assert_eq!((mode(&folder.path().join(".herd")), mode(&socket(&config))), (0o700, 0o600));
        assert_eq!(fs::read(folder.path().join(".herd/.gitignore")).unwrap(), b"*\n");
        drop(den);
        assert!(!socket(&config).exists());
        assert!(folder.path().join(".herd/lock").exists(), "the lock is never unlinked");
    }

    #[test]
    fn a_dead_ones_socket_is_replaced() {
        let (_folder, config) = project();
        let dead = Den::take(&config, None, "hash", "now").unwrap();
        let (socket_path, lock_text) = (socket(&config), fs::read(folder_of(&config).join("lock")).unwrap());
        drop(dead);
        drop(UnixListener::bind(&socket_path).unwrap());
        fs::write(folder_of(&config).join("lock"), lock_text).unwrap();
        let (den, _listener) = Den::take(&config, None, "hash", "now").unwrap();
        assert_eq!(den.leftover().unwrap().pid, std::process::id());
        UnixStream::connect(&socket_path).unwrap();
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_with_the_remedy() {
        let (_folder, config) = project();
        fs::create_dir(folder_of(&config)).unwrap();
        fs::set_permissions(folder_of(&config), Permissions::from_mode(0o777)).unwrap();
        let failure = Den::take(&config, None, "hash", "now").unwrap_err();
        assert_eq!(failure.exit, 1);
        assert!(failure.hint.unwrap().starts_with("chmod 700 /"));
    }

    #[test]
    fn a_symbolic_link_is_no_den() {
        let (folder, config) = project();
        std::os::unix::fs::symlink(folder.path(), folder_of(&config)).unwrap();
        assert!(Den::take(&config, None, "hash", "now").unwrap_err().message.ends_with("is not a folder"));
    }

    #[test]
    fn a_path_too_long_for_a_socket_has_it_elsewhere_and_the_lock_says_where() {
        let (folder, _) = project();
        let deep = folder.path().join("d".repeat(200));
        fs::create_dir(&deep).unwrap();
        let config = deep.join("herd.toml");
        let (den, _listener) = Den::take(&config, None, "hash", "now").unwrap();
        assert!(!socket(&config).starts_with(&deep));
        UnixStream::connect(socket(&config)).unwrap();
        assert_eq!(mode(&den.socket), 0o600);
    }
}
