//! How mistakes are said.

use std::path::Path;

use herdctl::config::{Severity, parse};
use herdctl::limits;
use snapbox::{IntoData as _, assert_data_eq, str};

use super::{TWO, mistakes, shown};

#[test]
fn all_mistakes_come_in_one_run_in_the_order_of_the_file() {
    let why = shown(
        r#"herd = "two words"
ack = "herd"
servers = [
    { name = "Bailey", address = "localhost:11000", port = 1 },
    { name = "bailey", address = "127.0.0.1:40000" },
    { nmae = "Clark",  address = "127.0.0.1:40000" },
]
links = [["Bailey", "Clrk"], ["Bailey", "Bailey"]]

[limits]
lookups_max = 0
unread_seconds = 10
"#,
    );
    assert_data_eq!(why, str![[r#"
error[H009]: `two words` is no name for a herd
 --> herd.toml:1:8
  |
1 | herd = "two words"
  |        ^^^^^^^^^^^ it holds white space
  |
  = help: a name is one word, such as `Clark`

error[H008]: `ack` cannot be `herd`
 --> herd.toml:2:7
  |
2 | ack = "herd"
  |       ^^^^^^ did you mean `heard`?
  |
  = help: known here: `heard`, `stored`, `sent`

error[H030]: `Bailey` is reached by a host name, and has no `listen`
 --> herd.toml:4:34
  |
4 |     { name = "Bailey", address = "localhost:11000", port = 1 },
  |                                  ^^^^^^^^^^^^^^^^^ a host name cannot be listened on
  |
  = help: write `127.0.0.1:11000`

error[H004]: unknown key `port` in a server
 --> herd.toml:4:53
  |
4 |     { name = "Bailey", address = "localhost:11000", port = 1 },
  |                                                     ^^^^ no such key
  |
  = help: known here: `name`, `address`, `listen`, `metrics`, `control`

error[H013]: two servers are called `bailey`
 --> herd.toml:5:14
  |
5 |     { name = "bailey", address = "127.0.0.1:40000" },
  |              ^^^^^^^^ the first is on line 4
  |
  = help: names differ in more than upper and lower case

warning[H010]: port 40000 of `bailey` is one that the system gives to others
 --> herd.toml:5:34
  |
5 |     { name = "bailey", address = "127.0.0.1:40000" },
  |                                  ^^^^^^^^^^^^^^^^^ outgoing connections take ports from 32768
  |
  = help: choose a lower port: a neighbour that dials this one while it is down may connect to itself

error[H005]: a server has no `name`
 --> herd.toml:6:5
  |
6 |     { nmae = "Clark",  address = "127.0.0.1:40000" },
  |     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ `name` is missing
  |
  = help: for example `name = "Clark"`

error[H004]: unknown key `nmae` in a server
 --> herd.toml:6:7
  |
6 |     { nmae = "Clark",  address = "127.0.0.1:40000" },
  |       ^^^^ did you mean `name`?
  |
  = help: known here: `name`, `address`, `listen`, `metrics`, `control`

error[H014]: two servers have the address `127.0.0.1:40000`
 --> herd.toml:6:34
  |
6 |     { nmae = "Clark",  address = "127.0.0.1:40000" },
  |                                  ^^^^^^^^^^^^^^^^^ `bailey` has it, on line 5
  |
  = help: every server needs a port of its own

warning[H010]: port 40000 of a server without a name is one that the system gives to others
 --> herd.toml:6:34
  |
6 |     { nmae = "Clark",  address = "127.0.0.1:40000" },
  |                                  ^^^^^^^^^^^^^^^^^ outgoing connections take ports from 32768
  |
  = help: choose a lower port: a neighbour that dials this one while it is down may connect to itself

error[H003]: unknown server `Clrk` in a link
 --> herd.toml:8:21
  |
8 | links = [["Bailey", "Clrk"], ["Bailey", "Bailey"]]
  |                     ^^^^^^ no server has this name

error[H017]: `Bailey` is linked with itself
 --> herd.toml:8:30
  |
8 | links = [["Bailey", "Clrk"], ["Bailey", "Bailey"]]
  |                              ^^^^^^^^^^^^^^^^^^^^ both ends are the same server
  |
  = help: leave it out: a server knows what it knows

error[H007]: `lookups_max` is out of range: `0`
  --> herd.toml:11:15
   |
11 | lookups_max = 0
   |               ^ from 1 to 1024
   |
   = help: without this key it is 8

error[H004]: unknown key `unread_seconds` in [limits]
  --> herd.toml:12:1
   |
12 | unread_seconds = 10
   | ^^^^^^^^^^^^^^ did you mean `unread_seconds_max`?
   |
   = help: known here: `line_bytes_max`, `connections_max`, `unread_bytes_max`, `unread_seconds_max`, `idle_seconds_max`, `lookups_max`, `clients_max`, `future_seconds_max`

12 errors, 2 warnings
"#]].raw());
}

#[test]
fn bytes_that_a_terminal_would_obey_are_shown_as_something_else() {
    let why = shown(
        "herd = \"\u{202e}alcu\"\n\"k\u{1b}[2J\" = \"\u{9b}31m\" # \u{1b}]0;title\u{7}\n\"\\u001b[2J\\n\" = 1\n\t\"tab\" = 1\r\n",
    );
    assert_data_eq!(
        why,
        str![[r#"
error[H009]: `\u{202e}alcu` is no name for a herd
 --> herd.toml:1:8
  |
1 | herd = "�alcu"
  |        ^^^^^^^ it holds a character that cannot be seen
  |
  = help: a name is one word, such as `Clark`

error[H002]: invalid basic string
 --> herd.toml:2:3
  |
2 | "k�[2J" = "�31m" # �]0;title�
  |   ^ expected non-double-quote visible characters, `\`

error[H002]: invalid comment character
 --> herd.toml:2:20
  |
2 | "k�[2J" = "�31m" # �]0;title�
  |                    ^ expected printable characters

error[H002]: invalid comment character
 --> herd.toml:2:29
  |
2 | "k�[2J" = "�31m" # �]0;title�
  |                             ^ expected printable characters

error[H004]: unknown key `\u{1b}[2J\n` in herd.toml
 --> herd.toml:3:1
  |
3 | "\u001b[2J\n" = 1
  | ^^^^^^^^^^^^^ no such key
  |
  = help: known here: `herd`, `ack`, `secret_file`, `servers`, `links`, `heard`, `flooding`, `tls`, `control`, `log`, `archive`, `bus`, `places`, `metrics`, `limits`

error[H004]: unknown key `tab` in herd.toml
 --> herd.toml:4:2
  |
4 |     "tab" = 1
  |     ^^^^^ no such key
  |
  = help: known here: `herd`, `ack`, `secret_file`, `servers`, `links`, `heard`, `flooding`, `tls`, `control`, `log`, `archive`, `bus`, `places`, `metrics`, `limits`

6 errors
"#]]
        .raw()
    );
    let path = Path::new("/tmp/\u{1b}[2J/herd.toml");
    let Err(why) = parse("", path) else { panic!("an empty herd") };
    assert!(!why.render(false).contains('\u{1b}'), "{why}");
}

#[test]
fn a_line_too_long_to_show_is_pointed_at() {
    let why = shown(&format!("{TWO}{}a = 1\n", " ".repeat(limits::LINE_SHOWN_BYTES_MAX)));
    assert_data_eq!(
        why,
        str![[r#"
error[H004]: unknown key `a` in herd.toml
--> herd.toml:4:4097
 = note: no such key
 = help: known here: `herd`, `ack`, `secret_file`, `servers`, `links`, `heard`, `flooding`, `tls`, `control`, `log`, `archive`, `bus`, `places`, `metrics`, `limits`

1 error
"#]]
        .raw()
    );
}

#[test]
fn past_fifty_mistakes_the_others_are_counted() {
    let keys: String = (0..60).map(|n| format!("key_{n:02} = 0\n")).collect();
    let why = mistakes(&format!("{keys}{}", TWO.replace("11001", "40000")));
    assert_eq!((why.errors(), why.warnings(), why.iter().len()), (60, 1, 50));
    assert!(why.iter().all(|mistake| mistake.severity == Severity::Error));
    assert!(why.render(false).ends_with("\n\nand 11 more\n60 errors, 1 warning"), "{why}");
}

#[test]
fn colours_change_nothing_but_colours() {
    let why = mistakes("herd = 1\n");
    let styled = why.render(true);
    assert!(styled.contains("\u{1b}["));
    assert_eq!(anstream::adapter::strip_str(&styled).to_string(), why.render(false));
}

/// As long as a file may be, and wrong in as many places as possible.
#[test]
fn the_worst_files_are_still_refused_in_a_few_pages() {
    let servers = format!("herd=\"u\"\nservers=[{}]\n", "{name=\"Abcdefgh\"},".repeat(4096));
    let in_links = format!("{servers}links=[");
    let after_blanks = " ".repeat(limits::HERD_FILE_BYTES_MAX / 2);
    for (head, unit) in [
        (&in_links, "[\"Abcdefgi\",\"Abcdefgj\"],"),
        (&in_links, "[\"Abcdefgh\",\"abcdefgh\"],\n"),
        (&in_links, "[[[["),
        (&in_links, "{a=["),
        (&servers, "=\n"),
        (&servers, "\u{b}\n"),
        (&servers, "a."),
        (&servers, "[a]\n"),
        (&servers, "\"\"\""),
        (&after_blanks, "= "),
    ] {
        let room = limits::HERD_FILE_BYTES_MAX - head.len();
        let why = mistakes(&format!("{head}{}", unit.repeat(room / unit.len())));
        assert!(why.errors() > 0 && why.iter().len() <= limits::MISTAKES_SHOWN_MAX);
        assert!(why.render(false).len() < 100_000, "{unit}");
    }
}
