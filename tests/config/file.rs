//! What is said about a file that cannot be read, or is no TOML.

use std::fs;
use std::path::Path;

use herdctl::config::load;
use herdctl::limits;
use snapbox::{IntoData as _, assert_data_eq, str};

use super::{mistakes, shown};
use crate::support::canary::Folder;

#[test]
fn h001_a_file_that_is_not_there() {
    let why = load(Path::new("no/such/herd.toml")).unwrap_err().render(false);
    assert_data_eq!(
        why,
        str![[r#"
error[H001]: no/such/herd.toml cannot be read: No such file or directory (os error 2)
--> no/such/herd.toml
 = help: `herdctl init` writes a herd.toml to begin with

1 error
"#]]
        .raw()
    );
}

#[test]
fn h001_a_file_that_is_a_folder() {
    let folder = Folder::new();
    let why = load(folder.path()).unwrap_err();
    assert_eq!((why.errors(), why.iter().next().unwrap().code), (1, "H001"));
}

#[test]
fn h001_bytes_that_are_not_utf_8() {
    let why = load_bytes(b"herd = \"ucla\"\n# caf\xe9 \xff\n");
    assert_data_eq!(
        why,
        str![[r#"
error[H001]: the file is not UTF-8
 --> herd.toml:2:6
  |
2 | # caf� �
  |      ^ byte 0xe9
  |
  = help: save it as UTF-8

1 error
"#]]
        .raw()
    );
}

#[test]
fn h001_a_file_without_end() {
    let why = load_bytes(&vec![b'#'; limits::HERD_FILE_BYTES_MAX + 1]);
    assert_data_eq!(
        why,
        str![[r#"
error[H001]: herd.toml is longer than 1048576 bytes
--> herd.toml
 = help: is it a herd.toml?

1 error
"#]]
        .raw()
    );
    // The longest that is read: its only mistakes are what it lacks.
    let longest = load_bytes(&vec![b'#'; limits::HERD_FILE_BYTES_MAX]);
    assert_data_eq!(
        longest,
        str![[r#"
error[H005]: herd.toml has no `herd`
--> herd.toml
 = help: for example `herd = "ucla"`

error[H005]: herd.toml has no `servers`
--> herd.toml
 = help: for example `servers = [{ name = "Clark", address = "127.0.0.1:11003" }]`

2 errors
"#]]
        .raw()
    );
}

/// What a person sees of a file with these bytes, wherever it happens to be.
fn load_bytes(bytes: &[u8]) -> String {
    let folder = Folder::new();
    let path = folder.path().join("herd.toml");
    fs::write(&path, bytes).unwrap();
    load(&path).unwrap_err().render(false).replace(path.to_str().unwrap(), "herd.toml")
}

#[test]
fn h002_several_syntax_errors_are_shown_at_once() {
    let why = shown(
        r#"herd = ucla
herd = "again"
ack = "heard
servers = [
    { name = "Clark" address = 127.0.0.1:11003 },
    { name = "Bona", address = "127.0.0.1:11001" },
]
[limits
lookups_max = 0
"#,
    );
    assert_data_eq!(
        why,
        str![[r#"
error[H002]: string values must be quoted
 --> herd.toml:1:8
  |
1 | herd = ucla
  |        ^^^^ put this between quotes
  |
  = help: text stands between quotes, as in "Clark" or "127.0.0.1:11003"

error[H002]: duplicate key
 --> herd.toml:2:1
  |
2 | herd = "again"
  | ^^^^ set before

error[H002]: invalid basic string
 --> herd.toml:3:13
  |
3 | ack = "heard
  |             ^ expected `"`

error[H002]: missing comma between key-value pairs
 --> herd.toml:5:22
  |
5 |     { name = "Clark" address = 127.0.0.1:11003 },
  |                      ^ expected `,`

error[H002]: invalid float
 --> herd.toml:5:37
  |
5 |     { name = "Clark" address = 127.0.0.1:11003 },
  |                                     ^^^^^^^^^^
  |
  = help: text stands between quotes, as in "Clark" or "127.0.0.1:11003"

error[H002]: unclosed table
 --> herd.toml:8:8
  |
8 | [limits
  |        ^ expected `]`

6 errors
"#]]
        .raw()
    );
}

/// Half a file cannot tell what the other half would have said.
#[test]
fn h002_an_unclosed_list_does_not_look_like_missing_keys() {
    let why = mistakes("servers = [{ name = \"Clark\", address = \"127.0.0.1:11003\" }\n\nherd = \"ucla\"\n");
    assert!(why.errors() > 0 && why.iter().all(|mistake| mistake.code == "H002"), "{why}");
}

/// What stands beside a syntax error is still looked at, as far as it can be known.
#[test]
fn h002_other_mistakes_are_shown_beside_syntax_errors() {
    let why = mistakes("herd = ucla\nacks = 1\nservers = [{ name = \"a b\", address = \"::1\" }]\n");
    let codes: Vec<&str> = why.iter().map(|mistake| mistake.code).collect();
    assert_eq!(codes, ["H002", "H004", "H009", "H015"], "{why}");
}
