//! `herdctl init`: a commented herd.toml to begin with, and nothing else.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What a person does next.
pub const NEXT: [&str; 3] = ["herdctl check", "herdctl up -d", "herdctl ps"];

/// Writes `text` as the herd.toml of the folder `dir`, which must exist, and says where it is.
///
/// # Errors
///
/// [`io::ErrorKind::AlreadyExists`] if there is one and `force` is not given; else what the system says.
pub fn init(dir: &Path, text: &str, force: bool) -> io::Result<PathBuf> {
    let path = dir.join("herd.toml");
    let mut how = OpenOptions::new();
    how.write(true);
    if force {
        how.create(true).truncate(true);
    } else {
        // One call that looks and creates: nobody's file is lost between the two.
        how.create_new(true);
    }
    how.open(&path)?.write_all(text.as_bytes())?;
    Ok(path)
}
