//! The herd's secret: 32 random bytes for each `up`, or the contents of the file that `herd.toml` names.
//! Never logged, never sent; a file that others can read is refused.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::api::{Failure, Kind};
use crate::config::Config;
use crate::limits::SECRET_BYTES_MAX;
use crate::server::Secret;

const RANDOM_BYTES: usize = 32;

/// The secret of this run.
///
/// # Errors
///
/// [`Kind::BadConfig`] if the file cannot be read, is empty, is too long, or is open to others; [`Kind::Failed`]
/// if the system has no random bytes.
pub fn of(config: &Config) -> Result<Secret, Failure> {
    match &config.secret_file {
        Some(path) => read(path),
        None => random(),
    }
}

fn random() -> Result<Secret, Failure> {
    let mut bytes = [0; RANDOM_BYTES];
    getrandom::fill(&mut bytes)
        .map_err(|why| Failure::new(Kind::Failed, format!("no random bytes for the secret: {why}")))?;
    Ok(Secret(Arc::from(bytes)))
}

fn read(path: &Path) -> Result<Secret, Failure> {
    let refused = |why: String| Failure::new(Kind::BadConfig, format!("secret_file {}: {why}", path.display()));
    let file = File::open(path).map_err(|why| refused(why.to_string()))?;
    let metadata = file.metadata().map_err(|why| refused(why.to_string()))?;
    if !metadata.is_file() {
        return Err(refused("not a file".into()));
    }
    if metadata.mode() & 0o077 != 0 {
        return Err(refused("others can read or write it".into()).hint(format!("chmod 600 {}", path.display())));
    }
    let mut bytes = Vec::new();
    file.take(SECRET_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(|why| refused(why.to_string()))?;
    if bytes.len() as u64 > SECRET_BYTES_MAX {
        return Err(refused(format!("longer than {SECRET_BYTES_MAX} bytes")));
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    if bytes.is_empty() {
        return Err(refused("empty".into()));
    }
    Ok(Secret(Arc::from(bytes)))
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A file with these contents and this mode, read as a secret.
    fn check(contents: &[u8], mode: u32) -> Result<Vec<u8>, Failure> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, contents).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        read(&path).map(|secret| secret.0.to_vec())
    }

    #[test]
    fn one_newline_at_the_end_is_not_part_of_it() {
        assert_eq!(check(b"open sesame\n\n", 0o600).unwrap(), b"open sesame\n");
    }

    #[test]
    fn a_file_that_others_can_read_is_refused_with_the_remedy() {
        let failure = check(b"open sesame", 0o640).unwrap_err();
        assert_eq!(failure.error, Kind::BadConfig);
        assert!(failure.hint.unwrap().starts_with("chmod 600 /"));
    }

    #[test]
    fn nothing_is_no_secret() {
        assert!(check(b"\n", 0o600).unwrap_err().message.ends_with("empty"));
    }

    #[test]
    fn two_random_secrets_differ() {
        assert_ne!(random().unwrap().0, random().unwrap().0);
    }
}
