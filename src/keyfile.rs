//! Files that a server is opened with: secrets, keys and certificates, read whole, with a limit, and never waited for.
//!
//! A file that holds a secret is read only if nobody but its owner can read it. One exception, which is PostgreSQL's,
//! for secrets that a container's volume brings: a file of root's may be readable by its group, for someone other than
//! root could not read it otherwise. Nothing here prints what is in a file.

use std::fmt;
use std::fs::{Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use nix::unistd::geteuid;

/// Why a file is not read.
#[derive(Debug)]
pub enum Flaw {
    Unreadable(io::Error),
    /// It is a folder, a pipe or a device.
    NotAFile,
    /// Others than its owner can read or write it.
    Exposed,
    /// It is longer than this many bytes.
    TooLong(u64),
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "{why}"),
            Self::NotAFile => write!(f, "not a file"),
            Self::Exposed => write!(f, "others can read or write it"),
            Self::TooLong(bytes_max) => write!(f, "longer than {bytes_max} bytes"),
        }
    }
}

impl Flaw {
    /// What a person can do, if that is more than obvious.
    #[must_use]
    pub fn hint(&self, path: &Path) -> Option<String> {
        matches!(self, Self::Exposed).then(|| format!("chmod 600 {}", path.display()))
    }

    /// Whether there is no such file.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        matches!(self, Self::Unreadable(why) if why.kind() == io::ErrorKind::NotFound)
    }
}

/// What is in a file that anybody may read.
///
/// # Errors
///
/// Any [`Flaw`] but [`Flaw::Exposed`].
pub fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Flaw> {
    read_if(path, bytes_max, |_| true)
}

/// What is in a file that holds a secret.
///
/// # Errors
///
/// [`Flaw`]
pub fn read_secret(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Flaw> {
    read_if(path, bytes_max, |about| is_private(about.mode(), about.uid(), geteuid().as_raw()))
}

fn read_if(path: &Path, bytes_max: u64, may_be_used: impl Fn(&Metadata) -> bool) -> Result<Vec<u8>, Flaw> {
    // A pipe would otherwise be waited for.
    let how = OFlag::O_NONBLOCK.bits();
    let file = OpenOptions::new().read(true).custom_flags(how).open(path).map_err(Flaw::Unreadable)?;
    let about = file.metadata().map_err(Flaw::Unreadable)?;
    if !about.is_file() {
        return Err(Flaw::NotAFile);
    }
    if !may_be_used(&about) {
        return Err(Flaw::Exposed);
    }
    let mut bytes = Vec::new();
    file.take(bytes_max + 1).read_to_end(&mut bytes).map_err(Flaw::Unreadable)?;
    if bytes.len() as u64 > bytes_max { Err(Flaw::TooLong(bytes_max)) } else { Ok(bytes) }
}

fn is_private(mode: u32, owner: u32, me: u32) -> bool {
    mode & 0o077 == 0 || (owner == 0 && me != 0 && mode & 0o037 == 0)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_secret_that_others_can_read_or_write_is_refused_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "secret").unwrap();
        for (mode, is_fine) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(read_secret(&path, 9).is_ok(), is_fine, "{mode:o}");
            assert_eq!(read(&path, 9).unwrap(), b"secret", "{mode:o}");
        }
        let why = read_secret(&path, 9).unwrap_err();
        assert_eq!(why.hint(&path), Some(format!("chmod 600 {}", path.display())));
    }

    #[test]
    fn root_may_share_its_file_with_a_group_that_is_not_root() {
        assert!(is_private(0o440, 0, 1000));
        assert!(!is_private(0o440, 0, 0) && !is_private(0o440, 1000, 1000));
        assert!(!is_private(0o444, 0, 1000) && !is_private(0o460, 0, 1000));
    }

    #[test]
    fn what_is_no_file_or_too_long_is_not_read_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(read(folder.path(), 9), Err(Flaw::NotAFile)));
        assert!(read(&folder.path().join("none"), 9).unwrap_err().is_absence());
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        assert!(matches!(read(&pipe, 9), Err(Flaw::NotAFile)));
        fs::write(folder.path().join("long"), "0123456789").unwrap();
        assert!(matches!(read(&folder.path().join("long"), 9), Err(Flaw::TooLong(9))));
        assert_eq!(read(&folder.path().join("long"), 10).unwrap().len(), 10);
    }
}
