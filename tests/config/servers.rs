//! What is said about the list of servers and their names.

use std::path::Path;

use herdctl::config::parse;
use snapbox::{IntoData as _, assert_data_eq, str};

use super::{TWO, shown, shown_of_servers};

#[test]
fn h007_no_servers() {
    assert_data_eq!(
        shown("herd = \"ucla\"\nservers = []\n"),
        str![[r#"
error[H007]: `servers` holds 0 servers
 --> herd.toml:2:1
  |
2 | servers = []
  | ^^^^^^^ from 1 to 4096

1 error
"#]]
        .raw()
    );
}

#[test]
fn h007_too_many_servers() {
    let servers: String = (0..=4096).map(|n| format!("{{name=\"S{n}\",address=\"127.0.0.1:0\"}},\n")).collect();
    let links: String = (1..=4096).map(|n| format!("[\"S0\",\"S{n}\"],")).collect();
    let why = shown(&format!("herd=\"ucla\"\nservers = [{servers}]\nlinks=[{links}]"));
    assert_data_eq!(
        why,
        str![[r#"
error[H007]: `servers` holds 4097 servers
 --> herd.toml:2:1
  |
2 | servers = [{name="S0",address="127.0.0.1:0"},
  | ^^^^^^^ from 1 to 4096

1 error
"#]]
        .raw()
    );
}

#[test]
fn h009_a_name_that_is_not_one_word() {
    let why = shown(
        r#"herd = "u c l a"
servers = [
    { name = "",         address = "127.0.0.1:1" },
    { name = "two words", address = "127.0.0.1:2" },
    { name = "a|b",      address = "127.0.0.1:3" },
    { name = "../Clark", address = "127.0.0.1:4" },
    { name = "-Clark",   address = "127.0.0.1:5" },
    { name = "\u001b[31m", address = "127.0.0.1:6" },
    { name = "Herd",     address = "127.0.0.1:7" },
    { name = "a-name-that-is-longer-than-any-name-should-be", address = "127.0.0.1:8" },
]
"#,
    );
    assert_data_eq!(
        why,
        str![[r#"
error[H009]: `u c l a` is no name for a herd
 --> herd.toml:1:8
  |
1 | herd = "u c l a"
  |        ^^^^^^^^^ it holds white space
  |
  = help: a name is one word, such as `Clark`

error[H009]: `` is no name for a server
 --> herd.toml:3:14
  |
3 |     { name = "",         address = "127.0.0.1:1" },
  |              ^^ it is empty
  |
  = help: a name is one word, such as `Clark`

error[H009]: `two words` is no name for a server
 --> herd.toml:4:14
  |
4 |     { name = "two words", address = "127.0.0.1:2" },
  |              ^^^^^^^^^^^ it holds white space
  |
  = help: a name is one word, such as `Clark`

error[H009]: `a|b` is no name for a server
 --> herd.toml:5:14
  |
5 |     { name = "a|b",      address = "127.0.0.1:3" },
  |              ^^^^^ it holds one of | / \
  |
  = help: a name is one word, such as `Clark`

error[H009]: `../Clark` is no name for a server
 --> herd.toml:6:14
  |
6 |     { name = "../Clark", address = "127.0.0.1:4" },
  |              ^^^^^^^^^^ it holds one of | / \
  |
  = help: a name is one word, such as `Clark`

error[H009]: `-Clark` is no name for a server
 --> herd.toml:7:14
  |
7 |     { name = "-Clark",   address = "127.0.0.1:5" },
  |              ^^^^^^^^ it begins with - or .
  |
  = help: a name is one word, such as `Clark`

error[H009]: `\u{1b}[31m` is no name for a server
 --> herd.toml:8:14
  |
8 |     { name = "\u001b[31m", address = "127.0.0.1:6" },
  |              ^^^^^^^^^^^^ it holds a character that cannot be seen
  |
  = help: a name is one word, such as `Clark`

error[H009]: `Herd` is no name for a server
 --> herd.toml:9:14
  |
9 |     { name = "Herd",     address = "127.0.0.1:7" },
  |              ^^^^^^ the supervisor logs under this name
  |
  = help: choose another name

error[H009]: `a-name-that-is-longer-than-any-name-should-be` is no name for a server
  --> herd.toml:10:14
   |
10 |     { name = "a-name-that-is-longer-than-any-name-should-be", address = "127.0.0.1:8" },
   |              ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ it is longer than 32 bytes
   |
   = help: a name is one word, such as `Clark`

9 errors
"#]]
        .raw()
    );
    // The herd itself may be called so.
    assert!(parse(&TWO.replace("ucla", "herd"), Path::new("herd.toml")).is_ok());
}

#[test]
fn h013_two_servers_of_one_name() {
    let why = shown_of_servers(
        "{ name = \"Clark\", address = \"127.0.0.1:1\" },\n{ name = \"CLARK\", address = \"127.0.0.1:2\" }",
    );
    assert_data_eq!(
        why,
        str![[r#"
error[H013]: two servers are called `CLARK`
 --> herd.toml:4:10
  |
4 | { name = "CLARK", address = "127.0.0.1:2" }
  |          ^^^^^^^ the first is on line 3
  |
  = help: names differ in more than upper and lower case

1 error
"#]]
        .raw()
    );
}
