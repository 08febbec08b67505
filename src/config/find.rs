//! Which herd.toml is meant when none is named: the nearest one upward. Looks, and never reads.

use std::env;
use std::path::{Path, PathBuf};

/// The nearest herd.toml in `from` or a folder above it, stopping at `$HOME` or where a filesystem ends.
///
/// # Errors
///
/// The folders that were looked in, if none holds one.
pub fn find(from: &Path) -> Result<PathBuf, Vec<PathBuf>> {
    search(from, env::home_dir().as_deref())
}

fn search(from: &Path, home: Option<&Path>) -> Result<PathBuf, Vec<PathBuf>> {
    let from = std::path::absolute(from).unwrap_or_else(|_| from.to_path_buf());
    let start = filesystem(&from);
    let mut looked_in = Vec::new();
    for folder in from.ancestors() {
        if filesystem(folder) != start {
            break;
        }
        let candidate = folder.join("herd.toml");
        // A folder of that name is not meant; a link that leads nowhere is, and reading it will say so.
        if candidate.symlink_metadata().is_ok_and(|found| !found.is_dir()) {
            return Ok(candidate);
        }
        looked_in.push(folder.to_path_buf());
        if home.is_some_and(|home| same_folder(home, folder)) {
            break;
        }
    }
    Err(looked_in)
}

fn same_folder(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// A number that is the same for all folders of one filesystem.
#[cfg(unix)]
fn filesystem(folder: &Path) -> Option<u64> {
    folder.metadata().ok().map(|folder| std::os::unix::fs::MetadataExt::dev(&folder))
}

#[cfg(not(unix))]
fn filesystem(_: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_search_ends_at_home_and_says_where_it_looked() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        let deep = home.join("project/deep");
        fs::create_dir_all(&deep).unwrap();
        // Above home, so it must not be found.
        fs::write(root.path().join("herd.toml"), "").unwrap();
        assert_eq!(search(&deep, Some(&home)), Err(vec![deep.clone(), home.join("project"), home.clone()]));
        assert_eq!(search(&deep, None), Ok(root.path().join("herd.toml")));
    }

    #[test]
    fn home_is_known_under_another_name() {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        fs::create_dir(&home).unwrap();
        fs::write(root.path().join("herd.toml"), "").unwrap();
        let alias = root.path().join("alias");
        std::os::unix::fs::symlink(&home, &alias).unwrap();
        assert_eq!(search(&home, Some(&alias)), Err(vec![home]));
    }

    #[test]
    fn the_search_stays_on_its_filesystem() {
        let Err(looked_in) = search(Path::new("/proc/self"), None) else {
            panic!("a herd.toml in /proc");
        };
        assert!(looked_in.iter().all(|folder| folder.starts_with("/proc")), "{looked_in:?}");
    }
}
