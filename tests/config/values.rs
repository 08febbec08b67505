//! What is said about keys and values, whatever they are for.

use snapbox::{IntoData as _, assert_data_eq, str};

use super::{TWO, shown, shown_of_servers, shown_of_two};

#[test]
fn h004_an_unknown_key_with_what_was_meant() {
    let why = shown_of_two("\"\" = 1\n[log]\ndir = \"logs\"\n[limts]\n[limits]\nlookup_max = 3\nzebra = true\n");
    assert_data_eq!(why, str![[r#"
error[H004]: unknown key `` in herd.toml
 --> herd.toml:4:1
  |
4 | "" = 1
  | ^^ no such key
  |
  = help: known here: `herd`, `ack`, `secret_file`, `servers`, `links`, `heard`, `flooding`, `tls`, `control`, `log`, `archive`, `bus`, `places`, `metrics`, `limits`

error[H004]: unknown key `dir` in [log]
 --> herd.toml:6:1
  |
6 | dir = "logs"
  | ^^^ did you mean `directory`?
  |
  = help: known here: `directory`, `traffic`, `when_behind`, `file_bytes_max`, `files_max`

error[H004]: unknown key `limts` in herd.toml
 --> herd.toml:7:2
  |
7 | [limts]
  |  ^^^^^ did you mean `limits`?
  |
  = help: known here: `herd`, `ack`, `secret_file`, `servers`, `links`, `heard`, `flooding`, `tls`, `control`, `log`, `archive`, `bus`, `places`, `metrics`, `limits`

error[H004]: unknown key `lookup_max` in [limits]
 --> herd.toml:9:1
  |
9 | lookup_max = 3
  | ^^^^^^^^^^ did you mean `lookups_max`?
  |
  = help: known here: `line_bytes_max`, `connections_max`, `unread_bytes_max`, `unread_seconds_max`, `idle_seconds_max`, `lookups_max`, `clients_max`, `future_seconds_max`

error[H004]: unknown key `zebra` in [limits]
  --> herd.toml:10:1
   |
10 | zebra = true
   | ^^^^^ no such key
   |
   = help: known here: `line_bytes_max`, `connections_max`, `unread_bytes_max`, `unread_seconds_max`, `idle_seconds_max`, `lookups_max`, `clients_max`, `future_seconds_max`

5 errors
"#]].raw());
    let why = shown_of_servers(r#"{ name = "Clark", address = "127.0.0.1:11003", adress = 1 }"#);
    assert_data_eq!(
        why,
        str![[r#"
error[H004]: unknown key `adress` in a server
 --> herd.toml:3:48
  |
3 | { name = "Clark", address = "127.0.0.1:11003", adress = 1 }
  |                                                ^^^^^^ did you mean `address`?
  |
  = help: known here: `name`, `address`, `listen`, `metrics`, `control`

1 error
"#]]
        .raw()
    );
}

#[test]
fn h005_a_missing_key() {
    assert_data_eq!(
        shown(""),
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
    let why = shown_of_servers("{ name = \"Clark\" },\n{ address = \"127.0.0.1:11001\" },\n{}");
    assert_data_eq!(
        why,
        str![[r#"
error[H005]: a server has no `address`
 --> herd.toml:3:1
  |
3 | { name = "Clark" },
  | ^^^^^^^^^^^^^^^^^^ `address` is missing
  |
  = help: for example `address = "127.0.0.1:11003"`

error[H005]: a server has no `name`
 --> herd.toml:4:1
  |
4 | { address = "127.0.0.1:11001" },
  | ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `name` is missing
  |
  = help: for example `name = "Clark"`

error[H005]: a server has no `name`
 --> herd.toml:5:1
  |
5 | {}
  | ^^ `name` is missing
  |
  = help: for example `name = "Clark"`

error[H005]: a server has no `address`
 --> herd.toml:5:1
  |
5 | {}
  | ^^ `address` is missing
  |
  = help: for example `address = "127.0.0.1:11003"`

4 errors
"#]]
        .raw()
    );
}

#[test]
fn h006_a_value_of_the_wrong_type() {
    let why = shown(
        r#"herd = 7
ack = true
servers = ["Clark", { name = 1, address = 2.5 }, { name = ["Bona"], address = 1979-05-27 }]
links = "all"
log = "logs"
[limits]
lookups_max = "8"
line_bytes_max = 1e3
"#,
    );
    assert_data_eq!(
        why,
        str![[r#"
error[H006]: `herd` takes a text between quotes
 --> herd.toml:1:8
  |
1 | herd = 7
  |        ^ this is a whole number

error[H006]: `ack` takes a text between quotes
 --> herd.toml:2:7
  |
2 | ack = true
  |       ^^^^ this is true or false

error[H006]: a server takes a table, such as `{ name = "Clark", address = "127.0.0.1:11003" }`
 --> herd.toml:3:12
  |
3 | servers = ["Clark", { name = 1, address = 2.5 }, { name = ["Bona"], address = 1979-05-27 }]
  |            ^^^^^^^ this is a text

error[H006]: `name` takes a text between quotes
 --> herd.toml:3:30
  |
3 | servers = ["Clark", { name = 1, address = 2.5 }, { name = ["Bona"], address = 1979-05-27 }]
  |                              ^ this is a whole number

error[H006]: `address` takes a text between quotes
 --> herd.toml:3:43
  |
3 | servers = ["Clark", { name = 1, address = 2.5 }, { name = ["Bona"], address = 1979-05-27 }]
  |                                           ^^^ this is a number with a point

error[H006]: `name` takes a text between quotes
 --> herd.toml:3:59
  |
3 | servers = ["Clark", { name = 1, address = 2.5 }, { name = ["Bona"], address = 1979-05-27 }]
  |                                                           ^^^^^^^^ this is a list

error[H006]: `address` takes a text between quotes
 --> herd.toml:3:79
  |
3 | servers = ["Clark", { name = 1, address = 2.5 }, { name = ["Bona"], address = 1979-05-27 }]
  |                                                                               ^^^^^^^^^^ this is a date or time

error[H006]: `links` takes a list between square brackets
 --> herd.toml:4:9
  |
4 | links = "all"
  |         ^^^^^ this is a text

error[H006]: `log` takes a table, whose keys stand below a line `[log]`
 --> herd.toml:5:7
  |
5 | log = "logs"
  |       ^^^^^^ this is a text

error[H006]: `lookups_max` takes a whole number from 1 to 1024
 --> herd.toml:7:15
  |
7 | lookups_max = "8"
  |               ^^^ this is a text

error[H006]: `line_bytes_max` takes a whole number from 256 to 1048576
 --> herd.toml:8:18
  |
8 | line_bytes_max = 1e3
  |                  ^^^ this is a number with a point

11 errors
"#]]
        .raw()
    );
}

#[test]
fn h007_a_number_out_of_range() {
    let why = shown_of_two(
        r#"[log]
files_max = 0
file_bytes_max = 99999999999999999999999999999999999999999999
[limits]
line_bytes_max = 255
idle_seconds_max = -1
lookups_max = 0xFFFF
"#,
    );
    assert_data_eq!(
        why,
        str![[r#"
error[H007]: `files_max` is out of range: `0`
 --> herd.toml:5:13
  |
5 | files_max = 0
  |             ^ from 1 to 1000
  |
  = help: without this key it is 4

error[H007]: `file_bytes_max` is out of range: `99999999999999999999999999999999999999999999`
 --> herd.toml:6:18
  |
6 | file_bytes_max = 99999999999999999999999999999999999999999999
  |                  ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ from 65536 to 1099511627776
  |
  = help: without this key it is 67108864

error[H007]: `line_bytes_max` is out of range: `255`
 --> herd.toml:8:18
  |
8 | line_bytes_max = 255
  |                  ^^^ from 256 to 1048576
  |
  = help: without this key it is 65536

error[H007]: `idle_seconds_max` is out of range: `-1`
 --> herd.toml:9:20
  |
9 | idle_seconds_max = -1
  |                    ^^ from 0 to 31536000
  |
  = help: without this key it is 0

error[H007]: `lookups_max` is out of range: `0xFFFF`
  --> herd.toml:10:15
   |
10 | lookups_max = 0xFFFF
   |               ^^^^^^ from 1 to 1024
   |
   = help: without this key it is 8

5 errors
"#]]
        .raw()
    );
}

#[test]
fn h008_an_unknown_word() {
    let why = shown_of_two("[log]\ntraffic = \"client\"\nwhen_behind = \"drop\"\n[places]\nprovider = \"Embedded\"\n");
    assert_data_eq!(
        why,
        str![[r#"
error[H008]: `traffic` cannot be `client`
 --> herd.toml:5:11
  |
5 | traffic = "client"
  |           ^^^^^^^^ did you mean `clients`?
  |
  = help: known here: `all`, `clients`, `off`

error[H008]: `when_behind` cannot be `drop`
 --> herd.toml:6:15
  |
6 | when_behind = "drop"
  |               ^^^^^^ unknown word
  |
  = help: known here: `wait`, `count`

error[H008]: `provider` cannot be `Embedded`
 --> herd.toml:8:12
  |
8 | provider = "Embedded"
  |            ^^^^^^^^^^ did you mean `embedded`?
  |
  = help: known here: `embedded`, `google`, `file`

3 errors
"#]]
        .raw()
    );
}

#[test]
fn h019_what_is_no_path() {
    let why = shown(&format!("secret_file = \"\"\n{TWO}[log]\ndirectory = \"a\\u0000b\"\n"));
    assert_data_eq!(
        why,
        str![[r#"
error[H019]: `` is no path
 --> herd.toml:1:15
  |
1 | secret_file = ""
  |               ^^ it is empty

error[H019]: `a\u{0}b` is no path
 --> herd.toml:6:13
  |
6 | directory = "a\u0000b"
  |             ^^^^^^^^^^ it holds a character that cannot be seen

2 errors
"#]]
        .raw()
    );
}
