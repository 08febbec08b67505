//! Which file is meant.

use std::fs;
use std::path::Path;

use herdctl::config::{find, load};

use crate::support::canary::Folder;

#[test]
fn the_nearest_herd_toml_upward_is_found() {
    let root = Folder::new();
    let deep = root.path().join("a/b/c");
    fs::create_dir_all(&deep).unwrap();
    fs::write(root.path().join("herd.toml"), "").unwrap();
    // A folder of that name is not meant.
    fs::create_dir(root.path().join("a/b/herd.toml")).unwrap();
    assert_eq!(find(&deep), Ok(root.path().join("herd.toml")));
    fs::write(root.path().join("a/herd.toml"), "").unwrap();
    assert_eq!(find(&deep), Ok(root.path().join("a/herd.toml")));
}

#[test]
fn a_relative_folder_is_looked_for_in_the_working_directory() {
    let here = std::env::current_dir().unwrap();
    assert_eq!(find(Path::new("src/config")), Ok(here.join("herd.toml")));
    let (herd, _) = load(Path::new("herd.toml")).unwrap();
    assert_eq!(herd.path, here.join("herd.toml"));
    assert_eq!(herd.log.directory, here.join("logs"));
}
