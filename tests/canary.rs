//! The search for the key that must never be seen finds it, wherever it is.

use std::fs;
use std::io::{self, Read};
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::support::canary::{Folder, KEY, KEY_FILE, SECRET, Watched, herdctl, look, look_in};

fn is_found(looking: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(looking)).is_err()
}

#[test]
fn the_key_is_found_wherever_it_is_seen() {
    assert!(is_found(|| look("a text", format!("key={KEY}&x").as_bytes())));
    assert!(is_found(|| look("a secret", SECRET)));
    assert!(is_found(|| look("a part of it", &KEY.as_bytes()[..12])));
    assert!(!is_found(|| look("an innocent", b"a canary sings")));
}

#[test]
fn the_key_is_found_in_two_pieces_of_a_stream() {
    let said = b"all is well\nCAN".chain(&b"ARY"[..]);
    assert!(is_found(|| drop(io::copy(&mut Watched::new(said), &mut io::sink()))));
    let mut heard = String::new();
    Watched::new(&b"all is well"[..]).read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "all is well");
}

#[test]
fn the_key_is_found_in_any_file_that_a_test_leaves_behind() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path().join(".herd/deep")).unwrap();
    fs::write(folder.path().join(KEY_FILE), KEY).unwrap();
    assert!(!is_found(|| look_in(folder.path())));
    let leak = folder.path().join(".herd/deep/lock");
    fs::write(&leak, KEY).unwrap();
    assert!(is_found(|| drop(folder)));
    assert!(!leak.exists(), "the folder goes all the same");
}

#[test]
fn the_program_has_the_key_at_hand_in_every_test() {
    let folder = Folder::new();
    let toml = "herd = \"test\"\nservers = [{ name = \"Clark\", address = \"127.0.0.1:0\" }]\n[places]\nprovider = \"google\"\n";
    fs::write(folder.path().join("herd.toml"), toml).unwrap();
    assert!(herdctl(folder.path()).arg("check").output().unwrap().status.success());
    let without = herdctl(folder.path()).arg("check").env_clear().output().unwrap();
    assert_eq!(without.status.code(), Some(5));
}
