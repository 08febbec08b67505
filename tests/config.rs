//! `herd.toml`: what a right one means, and what is said about each kind of wrong one, to the letter.

use std::fs;
use std::path::{Path, PathBuf};

use herdctl::cli::{check, init};
use herdctl::config::{
    Ack, Archive, Config, Fallback, FieldMask, Google, GoogleApi, Link, Log, Mistakes, Places, PlacesFile, Provider,
    Proxy, Severity, TEMPLATE, Traffic, WhenBehind, closest, find, load, parse,
};
use herdctl::limits;
use snapbox::{IntoData as _, assert_data_eq, str};

use crate::support::canary::Folder;

/// A herd of two to which a case adds what it is about; three lines.
const TWO: &str = r#"herd = "ucla"
servers = [{ name = "Clark", address = "127.0.0.1:11003" }, { name = "Bona", address = "127.0.0.1:11001" }]
links = [["Clark", "Bona"]]
"#;

fn proven(text: &str) -> (Config, Mistakes) {
    parse(text, Path::new("/herds/one/herd.toml")).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn mistakes(text: &str) -> Mistakes {
    match parse(text, Path::new("herd.toml")) {
        Ok((_, warnings)) => warnings,
        Err(mistakes) => mistakes,
    }
}

/// What a person sees of this file.
fn shown(text: &str) -> String {
    mistakes(text).render(false)
}

/// What a person sees of a herd of two with this added.
fn shown_of_two(added: &str) -> String {
    shown(&format!("{TWO}{added}"))
}

/// What a person sees of a herd with these servers; two lines stand before them.
fn shown_of_servers(servers: &str) -> String {
    shown(&format!("herd = \"ucla\"\nservers = [\n{servers}\n]\n"))
}

/// What a person sees of a herd of three with these links, which stand on the last line.
fn shown_of_links(links: &str) -> String {
    shown(&format!(
        r#"herd = "ucla"
servers = [
    {{ name = "Bailey", address = "127.0.0.1:11000" }},
    {{ name = "Clark",  address = "127.0.0.1:11003" }},
    {{ name = "Jaquez", address = "127.0.0.1:11004" }},
]
links = {links}
"#
    ))
}

// What a right file means.

#[test]
fn the_template_is_the_default_herd_without_a_warning() {
    let (herd, warnings) = proven(TEMPLATE);
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!(herd.path, Path::new("/herds/one/herd.toml"));
    assert_eq!(herd.directory(), Path::new("/herds/one"));
    assert_eq!(herd.herd, "ucla");
    assert_eq!((herd.ack, herd.secret_file.as_deref()), (Ack::Heard, None));
    let servers: Vec<(&str, String)> = herd.servers.iter().map(|s| (s.name.as_str(), s.address.to_string())).collect();
    let expected = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];
    for (i, name) in expected.into_iter().enumerate() {
        assert_eq!(servers[i], (name, format!("127.0.0.1:{}", 11000 + i)));
    }
    let [bailey, bona, campbell, clark, jaquez] = [0, 1, 2, 3, 4];
    let links: Vec<(usize, usize)> = herd.links.iter().map(|link| (link.dialer, link.listener)).collect();
    assert_eq!(
        links,
        [(clark, jaquez), (bona, clark), (bailey, campbell), (bona, campbell), (campbell, jaquez), (bailey, bona)]
    );
    assert_eq!(herd.log, default_log(Path::new("/herds/one/logs")));
    assert_eq!(herd.archive, None);
    assert_eq!(herd.places, Places { provider: Provider::Embedded });
    assert_eq!(herd.limits, default_limits());
}

#[test]
fn what_is_left_out_has_the_defaults_of_the_template() {
    let (template, _) = proven(TEMPLATE);
    let (bare, _) = proven(TWO);
    assert_eq!(
        (bare.ack, bare.log, bare.places, bare.limits),
        (template.ack, template.log, template.places, template.limits)
    );
}

/// A setting that is commented out says its default, so taking out the comment sign changes nothing.
#[test]
fn the_template_s_comments_tell_the_true_defaults() {
    let spelled_out: String = TEMPLATE
        .lines()
        .map(|line| line.strip_prefix("# ").filter(|line| line.contains("_max = ")).unwrap_or(line))
        .flat_map(|line| [line, "\n"])
        .collect();
    assert_eq!(spelled_out.matches("\nline_bytes_max").count(), 1);
    assert_eq!(proven(&spelled_out).0, proven(TEMPLATE).0);
}

fn default_log(directory: &Path) -> Log {
    Log {
        directory: directory.to_path_buf(),
        traffic: Traffic::All,
        when_behind: WhenBehind::Wait,
        file_bytes_max: limits::LOG_FILE_BYTES_MAX,
        files_max: limits::LOG_FILES_MAX,
    }
}

fn default_limits() -> herdctl::config::Limits {
    herdctl::config::Limits {
        line_bytes_max: limits::LINE_BYTES_MAX,
        connections_max: limits::CONNECTIONS_MAX,
        unread_bytes_max: limits::UNREAD_BYTES_MAX,
        unread_seconds_max: limits::UNREAD_SECONDS_MAX,
        idle_seconds_max: limits::IDLE_SECONDS_MAX,
        lookups_max: limits::LOOKUPS_MAX,
        clients_max: limits::CLIENTS_MAX,
        future_seconds_max: limits::FUTURE_SECONDS_MAX,
    }
}

#[test]
fn every_setting_can_be_set() {
    let (herd, warnings) = proven(
        r#"herd = "other"
ack = "stored"
secret_file = "keys/secret"
[[servers]]
name = "Solo"
address = "[::1]:0"
[log]
directory = "/var/log/herd"
traffic = "clients"
when_behind = "count"
file_bytes_max = 0x10_0000
files_max = 2
[archive]
path = "kept/here"
[places]
provider = "embedded"
[limits]
line_bytes_max = 1000
connections_max = 2
unread_bytes_max = 5000
unread_seconds_max = 4
idle_seconds_max = 5
lookups_max = 6
clients_max = 7
future_seconds_max = 8
"#,
    );
    assert!(warnings.is_empty(), "{warnings}");
    assert_eq!((herd.herd.as_str(), herd.ack), ("other", Ack::Stored));
    assert_eq!(herd.secret_file.as_deref(), Some(Path::new("/herds/one/keys/secret")));
    assert_eq!((herd.servers[0].name.as_str(), herd.servers[0].listen), ("Solo", "[::1]:0".parse().unwrap()));
    let log = Log {
        traffic: Traffic::Clients,
        when_behind: WhenBehind::Count,
        file_bytes_max: 1 << 20,
        files_max: 2,
        ..default_log(Path::new("/var/log/herd"))
    };
    assert_eq!(herd.log, log);
    assert_eq!(herd.archive, Some(Archive { directory: "/herds/one/kept/here".into() }));
    let l = herd.limits;
    assert_eq!((l.line_bytes_max, l.connections_max, l.unread_bytes_max, l.lookups_max), (1000, 2, 5000, 6));
    assert_eq!((l.unread_seconds_max, l.idle_seconds_max, l.clients_max, l.future_seconds_max), (4, 5, 7, 8));
}

#[test]
fn names_are_found_in_any_case() {
    let (herd, _) = proven(TEMPLATE);
    for (index, server) in herd.servers.iter().enumerate() {
        for name in [server.name.clone(), server.name.to_lowercase(), server.name.to_uppercase()] {
            assert_eq!(herd.server_named(&name), Some(index));
            let meant = closest(&name, herd.servers.iter().map(|server| server.name.as_str()));
            assert_eq!(meant, Some(server.name.as_str()));
        }
    }
    assert_eq!(herd.server_named("Clar"), None);
    assert_eq!(herd.server_named(""), None);
}

#[test]
fn neighbours_come_in_the_order_of_the_links() {
    let (herd, _) = proven(TEMPLATE);
    let of = |name: &str| -> Vec<&str> {
        herd.neighbours(herd.server_named(name).unwrap()).map(|other| herd.servers[other].name.as_str()).collect()
    };
    assert_eq!(of("clark"), ["Jaquez", "Bona"]);
    assert_eq!(of("campbell"), ["Bailey", "Bona", "Jaquez"]);
    assert_eq!(of("bailey"), ["Campbell", "Bona"]);
}

#[test]
fn the_first_in_the_file_dials_whatever_the_order_of_a_pair() {
    let turned = TWO.replace(r#"["Clark", "Bona"]"#, r#"["BONA", "clark"]"#);
    assert_eq!(proven(&turned).0, proven(TWO).0);
    assert_eq!(proven(TWO).0.links, [Link { dialer: 0, listener: 1 }]);
}

#[test]
fn a_byte_order_mark_and_windows_line_endings_change_nothing() {
    let windows = format!("\u{feff}{}", TEMPLATE.replace('\n', "\r\n"));
    assert_eq!(proven(&windows).0, proven(TEMPLATE).0);
}

// What is said about a wrong one: every code, to the letter.

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

#[test]
fn h003_an_unknown_server_in_a_link() {
    let why = shown_of_links(r#"[["Clark", "Jaquezz"], ["Ostrom", "bialey"], ["Clark", "Bailey"]]"#);
    assert_data_eq!(
        why,
        str![[r#"
error[H003]: unknown server `Jaquezz` in a link
 --> herd.toml:7:20
  |
7 | links = [["Clark", "Jaquezz"], ["Ostrom", "bialey"], ["Clark", "Bailey"]]
  |                    ^^^^^^^^^ no server has this name
  |
  = help: did you mean `Jaquez`?

error[H003]: unknown server `Ostrom` in a link
 --> herd.toml:7:33
  |
7 | links = [["Clark", "Jaquezz"], ["Ostrom", "bialey"], ["Clark", "Bailey"]]
  |                                 ^^^^^^^^ no server has this name

error[H003]: unknown server `bialey` in a link
 --> herd.toml:7:43
  |
7 | links = [["Clark", "Jaquezz"], ["Ostrom", "bialey"], ["Clark", "Bailey"]]
  |                                           ^^^^^^^^ no server has this name
  |
  = help: did you mean `Bailey`?

3 errors
"#]]
        .raw()
    );
}

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
  = help: known here: `herd`, `ack`, `secret_file`, `servers`, `links`, `heard`, `tls`, `control`, `log`, `archive`, `bus`, `places`, `metrics`, `limits`

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
  = help: known here: `herd`, `ack`, `secret_file`, `servers`, `links`, `heard`, `tls`, `control`, `log`, `archive`, `bus`, `places`, `metrics`, `limits`

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
fn h010_a_port_in_the_ephemeral_range_is_a_warning() {
    let why = shown(&TWO.replace("11001", "32768").replace("11003", "32767"));
    assert_data_eq!(why, str![[r#"
warning[H010]: port 32768 of `Bona` is one that the system gives to others
 --> herd.toml:2:88
  |
2 | servers = [{ name = "Clark", address = "127.0.0.1:32767" }, { name = "Bona", address = "127.0.0.1:32768" }]
  |                                                                                        ^^^^^^^^^^^^^^^^^ outgoing connections take ports from 32768
  |
  = help: choose a lower port: a neighbour that dials this one while it is down may connect to itself

1 warning
"#]].raw());
}

#[test]
fn h011_islands_are_a_warning() {
    assert_data_eq!(
        shown_of_links(r#"[["Clark", "Bailey"]]"#),
        str![[r#"
warning[H011]: the herd falls into 2 islands: Bailey, Clark; Jaquez
 --> herd.toml:7:1
  |
7 | links = [["Clark", "Bailey"]]
  | ^^^^^ no link joins them
  |
  = help: what one island hears the others never learn; add a link, such as `["Bailey", "Jaquez"]`

1 warning
"#]]
        .raw()
    );
    let why = shown(&TWO.replace("links = [[\"Clark\", \"Bona\"]]\n", ""));
    assert_data_eq!(
        why,
        str![[r#"
warning[H011]: the herd falls into 2 islands: Clark; Bona
 --> herd.toml:2:1
  |
2 | servers = [{ name = "Clark", address = "127.0.0.1:11003" }, { name = "Bona", address = "127.0.0.1:11001" }]
  | ^^^^^^^ no link joins them
  |
  = help: what one island hears the others never learn; add a link, such as `["Clark", "Bona"]`

1 warning
"#]]
        .raw()
    );
}

#[test]
fn h011_many_large_islands_are_cut_short() {
    let servers: String = (0..70).map(|n| format!("{{name=\"S{n}\",address=\"127.0.0.1:0\"}},\n")).collect();
    let links: String = (0..63).map(|n| format!("[\"S{n}\",\"S{}\"],", n + 7)).collect();
    let why = shown(&format!("herd=\"ucla\"\nlinks=[{links}]\nservers = [{servers}]"));
    assert_data_eq!(why, str![[r#"
warning[H011]: the herd falls into 7 islands: S0, S7, S14, S21, S28, and 5 more; S1, S8, S15, S22, S29, and 5 more; S2, S9, S16, S23, S30, and 5 more; S3, S10, S17, S24, S31, and 5 more; and 3 more
 --> herd.toml:2:1
  |
2 | links=[["S0","S7"],["S1","S8"],["S2","S9"],["S3","S10"],["S4","S11"],["S5","S12"],["S6","S13"],["S7","S14"],["S8","S15"],["S9","S16"]...
  | ^^^^^ no link joins them
  |
  = help: what one island hears the others never learn; add a link, such as `["S0", "S1"]`

1 warning
"#]].raw());
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

#[test]
fn h014_two_servers_at_one_address() {
    let why = shown_of_servers(
        "{ name = \"Clark\", address = \"[::1]:11000\" },\n{ name = \"Bona\", address = \"[0:0::1]:11000\" }",
    );
    assert_data_eq!(
        why,
        str![[r#"
warning[H011]: the herd falls into 2 islands: Clark; Bona
 --> herd.toml:2:1
  |
2 | servers = [
  | ^^^^^^^ no link joins them
  |
  = help: what one island hears the others never learn; add a link, such as `["Clark", "Bona"]`

error[H014]: two servers have the address `[::1]:11000`
 --> herd.toml:4:28
  |
4 | { name = "Bona", address = "[0:0::1]:11000" }
  |                            ^^^^^^^^^^^^^^^^ `Clark` has it, on line 3
  |
  = help: every server needs a port of its own

1 error, 1 warning
"#]]
        .raw()
    );
    assert_eq!(shown(&TWO.replace("11001", "0").replace("11003", "0")), "");
}

#[test]
fn h015_what_is_no_address() {
    let why = shown_of_servers(
        r#"{ name = "A", address = "clark..ucla.edu:11000" },
{ name = "B", address = "clark.ucla.edu" },
{ name = "C", address = "127.0.0.1" },
{ name = "D", address = "::1" },
{ name = "E", address = "[::1]" },
{ name = "F", address = "127.0.0.1:70000" },
{ name = "G", address = "127.0.0.1:http" },
{ name = "H", address = "11000" },
{ name = "I", address = "127.0.1:11000" },
{ name = "J", address = "::1:99999:x" },
{ name = "K", address = "" },
{ name = "L", address = "127.0.0.1:1", listen = "localhost:1" },
{ name = "M", address = "127.0.0.1:2", listen = "clark.ucla.edu:2" },"#,
    );
    assert_data_eq!(
        why,
        str![[r#"
warning[H011]: the herd falls into 13 islands: A; B; C; D; and 9 more
 --> herd.toml:2:1
  |
2 | servers = [
  | ^^^^^^^ no link joins them
  |
  = help: what one island hears the others never learn; add a link, such as `["A", "B"]`

error[H015]: `clark..ucla.edu:11000` is no address
 --> herd.toml:3:25
  |
3 | { name = "A", address = "clark..ucla.edu:11000" },
  |                         ^^^^^^^^^^^^^^^^^^^^^^^ not an IP address
  |
  = help: an IP address and a port, such as `127.0.0.1:11003`

error[H015]: `clark.ucla.edu` is no address
 --> herd.toml:4:25
  |
4 | { name = "B", address = "clark.ucla.edu" },
  |                         ^^^^^^^^^^^^^^^^ the port is missing
  |
  = help: for example `clark.ucla.edu:11003`

error[H015]: `127.0.0.1` is no address
 --> herd.toml:5:25
  |
5 | { name = "C", address = "127.0.0.1" },
  |                         ^^^^^^^^^^^ the port is missing
  |
  = help: for example `127.0.0.1:11003`

error[H015]: `::1` is no address
 --> herd.toml:6:25
  |
6 | { name = "D", address = "::1" },
  |                         ^^^^^ the port is missing
  |
  = help: for example `[::1]:11003`

error[H015]: `[::1]` is no address
 --> herd.toml:7:25
  |
7 | { name = "E", address = "[::1]" },
  |                         ^^^^^^^ the port is missing
  |
  = help: for example `[::1]:11003`

error[H015]: `127.0.0.1:70000` is no address
 --> herd.toml:8:25
  |
8 | { name = "F", address = "127.0.0.1:70000" },
  |                         ^^^^^^^^^^^^^^^^^ the port is past 65535
  |
  = help: an IP address and a port, such as `127.0.0.1:11003`

error[H015]: `127.0.0.1:http` is no address
 --> herd.toml:9:25
  |
9 | { name = "G", address = "127.0.0.1:http" },
  |                         ^^^^^^^^^^^^^^^^ the port is not a number
  |
  = help: an IP address and a port, such as `127.0.0.1:11003`

error[H015]: `11000` is no address
  --> herd.toml:10:25
   |
10 | { name = "H", address = "11000" },
   |                         ^^^^^^^ neither an IP address nor a port
   |
   = help: an IP address and a port, such as `127.0.0.1:11003`

error[H015]: `127.0.1:11000` is no address
  --> herd.toml:11:25
   |
11 | { name = "I", address = "127.0.1:11000" },
   |                         ^^^^^^^^^^^^^^^ not an IP address
   |
   = help: an IP address and a port, such as `127.0.0.1:11003`

error[H015]: `::1:99999:x` is no address
  --> herd.toml:12:25
   |
12 | { name = "J", address = "::1:99999:x" },
   |                         ^^^^^^^^^^^^^ the port is not a number
   |
   = help: an IP address and a port, such as `127.0.0.1:11003`

error[H015]: `` is no address
  --> herd.toml:13:25
   |
13 | { name = "K", address = "" },
   |                         ^^ neither an IP address nor a port
   |
   = help: an IP address and a port, such as `127.0.0.1:11003`

error[H015]: `localhost:1` is no address
  --> herd.toml:14:49
   |
14 | { name = "L", address = "127.0.0.1:1", listen = "localhost:1" },
   |                                                 ^^^^^^^^^^^^^ a host name cannot be listened on
   |
   = help: write `127.0.0.1:1`

error[H015]: `clark.ucla.edu:2` is no address
  --> herd.toml:15:49
   |
15 | { name = "M", address = "127.0.0.1:2", listen = "clark.ucla.edu:2" },
   |                                                 ^^^^^^^^^^^^^^^^^^ a host name cannot be listened on
   |
   = help: an IP address and a port, such as `127.0.0.1:11003`

13 errors, 1 warning
"#]]
        .raw()
    );
}

#[test]
fn h030_who_is_reached_by_a_name_or_elsewhere_listens_somewhere() {
    let why = shown_of_servers(
        r#"{ name = "A", address = "clark-0.herd:11000" },
{ name = "B", address = "10.0.0.1:11001", listen = "0.0.0.0:0" },
{ name = "C", address = "clark-2.herd:11002", listen = "[::]:11002" },
{ name = "D", address = "clark-2.herd:11002", listen = "0.0.0.0:11002" },"#,
    );
    assert_data_eq!(
        why,
        str![[r#"
warning[H011]: the herd falls into 4 islands: A; B; C; D
 --> herd.toml:2:1
  |
2 | servers = [
  | ^^^^^^^ no link joins them
  |
  = help: what one island hears the others never learn; add a link, such as `["A", "B"]`

error[H030]: `A` is reached by a host name, and has no `listen`
 --> herd.toml:3:25
  |
3 | { name = "A", address = "clark-0.herd:11000" },
  |                         ^^^^^^^^^^^^^^^^^^^^ a host name cannot be listened on
  |
  = help: for example `listen = "0.0.0.0:11000"`

error[H030]: `B` listens on any port, and not on 11001
 --> herd.toml:4:52
  |
4 | { name = "B", address = "10.0.0.1:11001", listen = "0.0.0.0:0" },
  |                                                    ^^^^^^^^^^^ port 0 is any port
  |
  = help: for example `listen = "0.0.0.0:11001"`

error[H014]: two servers have the address `clark-2.herd:11002`
 --> herd.toml:6:25
  |
6 | { name = "D", address = "clark-2.herd:11002", listen = "0.0.0.0:11002" },
  |                         ^^^^^^^^^^^^^^^^^^^^ `C` has it, on line 5
  |
  = help: every server needs a port of its own

3 errors, 1 warning
"#]]
    );
}

#[test]
fn h033_a_control_channel_that_others_could_overhear() {
    let why = shown_of_servers(
        r#"{ name = "A", address = "127.0.0.1:11000", control = "10.0.0.4:9101" },
{ name = "B", address = "b.example:11001", listen = "0.0.0.0:11001", control = "b.example:9101" },
{ name = "C", address = "127.0.0.1:11002", control = "127.0.0.1:9102" },
{ name = "D", address = "127.0.0.1:11003", control = "127.0.0.1:0" },"#,
    );
    assert_data_eq!(
        why,
        str![[r#"
warning[H011]: the herd falls into 4 islands: A; B; C; D
 --> herd.toml:2:1
  |
2 | servers = [
  | ^^^^^^^ no link joins them
  |
  = help: what one island hears the others never learn; add a link, such as `["A", "B"]`

error[H033]: the control channel of `A` is not encrypted
 --> herd.toml:3:54
  |
3 | { name = "A", address = "127.0.0.1:11000", control = "10.0.0.4:9101" },
  |                                                      ^^^^^^^^^^^^^^^ others could read the token on its way
  |
  = help: add a table `[tls]`; without it a control address is one of this machine alone

error[H033]: the control channel of `B` is not encrypted
 --> herd.toml:4:80
  |
4 | { name = "B", address = "b.example:11001", listen = "0.0.0.0:11001", control = "b.example:9101" },
  |                                                                                ^^^^^^^^^^^^^^^^ others could read the token on its way
  |
  = help: add a table `[tls]`; without it a control address is one of this machine alone

error[H030]: the control channel of `D` would listen on any port
 --> herd.toml:6:54
  |
6 | { name = "D", address = "127.0.0.1:11003", control = "127.0.0.1:0" },
  |                                                      ^^^^^^^^^^^^^ port 0 is any port
  |
  = help: whoever asks there must know it: give it a port

3 errors, 1 warning
"#]]
    );
}

#[test]
fn a_server_may_be_reached_by_a_name_and_listen_elsewhere() {
    let text = r#"
        herd = "ucla"
        secret_file = "herd.secret"
        servers = [
            { name = "Clark", address = "clark-0.herd:11003", listen = "0.0.0.0:11003", metrics = "127.0.0.1:9465" },
            { name = "Bona", address = "127.0.0.1:11001" },
        ]
        links = [["Clark", "Bona"]]
    "#;
    let (herd, warnings) = herdctl::config::parse(text, Path::new("herd.toml")).unwrap();
    assert!(warnings.is_empty(), "{warnings}");
    let [clark, bona] = &herd.servers[..] else { panic!("{herd:?}") };
    assert_eq!(clark.address.to_string(), "clark-0.herd:11003");
    assert_eq!((clark.listen, clark.metrics), ("0.0.0.0:11003".parse().unwrap(), "127.0.0.1:9465".parse().ok()));
    assert_eq!((bona.address.ip(), bona.metrics), (Some(bona.listen), None));
}

#[test]
fn h025_a_servers_own_metrics_that_others_could_read() {
    let why = shown_of_servers(r#"{ name = "A", address = "127.0.0.1:11004", metrics = "0.0.0.0:9464" }"#);
    assert_data_eq!(
        why,
        str![[r#"
error[H025]: anybody who can reach 0.0.0.0:9464 could read the metrics
 --> herd.toml:3:54
  |
3 | { name = "A", address = "127.0.0.1:11004", metrics = "0.0.0.0:9464" }
  |                                                      ^^^^^^^^^^^^^^ not an address of this machine alone
  |
  = help: `access = "network"` in `[metrics]` if that is meant, or an address such as `127.0.0.1:9464`

1 error
"#]]
    );
}

#[test]
fn h014_a_control_address_is_one_of_its_own() {
    let why = shown_of_servers(
        r#"{ name = "A", address = "127.0.0.1:11004", control = "127.0.0.1:11004" },
{ name = "B", address = "127.0.0.1:11005", control = "127.0.0.1:11004" },"#,
    );
    assert_data_eq!(
        why,
        str![[r#"
warning[H011]: the herd falls into 2 islands: A; B
 --> herd.toml:2:1
  |
2 | servers = [
  | ^^^^^^^ no link joins them
  |
  = help: what one island hears the others never learn; add a link, such as `["A", "B"]`

error[H014]: `A` has the address `127.0.0.1:11004` twice
 --> herd.toml:3:54
  |
3 | { name = "A", address = "127.0.0.1:11004", control = "127.0.0.1:11004" },
  |                                                      ^^^^^^^^^^^^^^^^^ `A` has it, on line 3
  |
  = help: every server needs a port of its own

error[H014]: two servers have the address `127.0.0.1:11004`
 --> herd.toml:4:54
  |
4 | { name = "B", address = "127.0.0.1:11005", control = "127.0.0.1:11004" },
  |                                                      ^^^^^^^^^^^^^^^^^ `A` has it, on line 3
  |
  = help: every server needs a port of its own

2 errors, 1 warning
"#]]
    );
}

#[test]
fn h023_a_token_that_stands_here_is_not_shown() {
    assert_data_eq!(
        shown_of_two("[control]\ntoken = \"sesame\"\n"),
        str![[r#"
error[H023]: the token does not stand in herd.toml
 --> herd.toml:5:1
  |
5 | token = ********
  | ^^^^^ not shown
  |
  = help: put it into a file that only you can read and name that: token_file = "herd.token"

1 error
"#]]
    );
}

#[test]
fn h016_a_link_that_is_no_pair() {
    let why = shown_of_links(r#"["Clark", ["Bailey"], ["Bailey", "Clark", "Jaquez"], { a = 1 }, [1, "Nobody"]]"#);
    assert_data_eq!(
        why,
        str![[r#"
error[H016]: a link is a pair of servers
 --> herd.toml:7:10
  |
7 | links = ["Clark", ["Bailey"], ["Bailey", "Clark", "Jaquez"], { a = 1 }, [1, "Nobody"]]
  |          ^^^^^^^ a text
  |
  = help: for example `["Clark", "Jaquez"]`

error[H016]: a link is a pair of servers
 --> herd.toml:7:19
  |
7 | links = ["Clark", ["Bailey"], ["Bailey", "Clark", "Jaquez"], { a = 1 }, [1, "Nobody"]]
  |                   ^^^^^^^^^^ 1 item
  |
  = help: for example `["Clark", "Jaquez"]`

error[H016]: a link is a pair of servers
 --> herd.toml:7:31
  |
7 | links = ["Clark", ["Bailey"], ["Bailey", "Clark", "Jaquez"], { a = 1 }, [1, "Nobody"]]
  |                               ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ 3 items
  |
  = help: for example `["Clark", "Jaquez"]`

error[H016]: a link is a pair of servers
 --> herd.toml:7:62
  |
7 | links = ["Clark", ["Bailey"], ["Bailey", "Clark", "Jaquez"], { a = 1 }, [1, "Nobody"]]
  |                                                              ^^^^^^^^^ a table
  |
  = help: for example `["Clark", "Jaquez"]`

error[H006]: an end of a link takes a text between quotes
 --> herd.toml:7:74
  |
7 | links = ["Clark", ["Bailey"], ["Bailey", "Clark", "Jaquez"], { a = 1 }, [1, "Nobody"]]
  |                                                                          ^ this is a whole number

error[H003]: unknown server `Nobody` in a link
 --> herd.toml:7:77
  |
7 | links = ["Clark", ["Bailey"], ["Bailey", "Clark", "Jaquez"], { a = 1 }, [1, "Nobody"]]
  |                                                                             ^^^^^^^^ no server has this name

6 errors
"#]]
        .raw()
    );
}

#[test]
fn h017_a_link_with_itself() {
    assert_data_eq!(
        shown_of_links(r#"[["Clark", "clark"]]"#),
        str![[r#"
error[H017]: `Clark` is linked with itself
 --> herd.toml:7:10
  |
7 | links = [["Clark", "clark"]]
  |          ^^^^^^^^^^^^^^^^^^ both ends are the same server
  |
  = help: leave it out: a server knows what it knows

1 error
"#]]
        .raw()
    );
}

#[test]
fn h018_a_link_given_twice_also_turned_round() {
    let why =
        shown_of_links("[\n  [\"Clark\", \"Jaquez\"],\n  [\"Bailey\", \"Clark\"],\n  [\"jaquez\", \"clark\"],\n]");
    assert_data_eq!(
        why,
        str![[r#"
error[H018]: `Clark` and `Jaquez` are linked twice
  --> herd.toml:10:3
   |
10 |   ["jaquez", "clark"],
   |   ^^^^^^^^^^^^^^^^^^^ the first is on line 8
   |
   = help: a link goes both ways: leave one of them out

1 error
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

#[test]
fn h020_what_is_no_url() {
    let url = |url: &str| shown_of_two(&format!("[places]\nprovider = \"google\"\nurl = \"{url}\"\n"));
    let long = format!("https://{}.example", "x".repeat(2048));
    for (wrong, why) in [
        ("places.example", "it is no URL"),
        ("https://", "it is no URL"),
        ("http://places.example", "not encrypted, and not this machine"),
        ("http://127.0.0.1.example:80", "not encrypted, and not this machine"),
        ("http://0.0.0.0:80", "not encrypted, and not this machine"),
        ("ftp://127.0.0.1", "neither https nor http"),
        ("https://places.example/v1", "it goes on after the host"),
        ("https://places.example/#x", "it holds a name, a password or a query"),
        (&long, "it is longer than any address"),
    ] {
        let shown = url(wrong);
        assert!(shown.starts_with("error[H020]: this is no address for a provider\n"), "{shown}");
        assert!(shown.contains(why), "{wrong}: {shown}");
    }
    for right in [
        "https://places.example",
        "https://places.example:8443/",
        "http://localhost:1",
        "http://[::1]:1",
        "http://127.9.9.9",
    ] {
        let (herd, warnings) = proven(&format!("{TWO}[places]\nprovider = \"google\"\nurl = \"{right}\"\n"));
        let Provider::Google(google) = herd.places.provider else { panic!("google was asked for") };
        assert_eq!((google.url.as_deref(), warnings.is_empty()), (Some(right.trim_end_matches('/')), true));
    }
}

#[test]
fn h021_an_attribution_is_one_line() {
    let attribution = |text: &str| {
        shown_of_two(&format!("[places]\nprovider = \"file\"\nfile = \"p.csv\"\nattribution = \"{text}\"\n"))
    };
    for (wrong, why) in [
        (" ", "it is empty"),
        ("a\\nb", "it holds a control character"),
        (&"x".repeat(1025), "longer than 1,024 bytes"),
    ] {
        let shown = attribution(wrong);
        assert!(
            shown.starts_with("error[H021]: an attribution is one line of text\n") && shown.contains(why),
            "{shown}"
        );
    }
}

#[test]
fn h022_a_key_of_another_provider() {
    let text =
        format!("{TWO}[places]\nprovider = \"file\"\nfile = \"p.csv\"\napi = \"new\"\nfallback = \"embedded\"\n");
    let (herd, warnings) = proven(&text);
    assert_eq!(herd.places.provider, Provider::File(PlacesFile { path: "/herds/one/p.csv".into(), attribution: None }));
    let why = warnings.render(false);
    assert_data_eq!(
        why,
        str![[r#"
warning[H022]: `api` has no effect with provider = "file"
 --> /herds/one/herd.toml:7:1
  |
7 | api = "new"
  | ^^^

warning[H022]: `fallback` has no effect with provider = "file"
 --> /herds/one/herd.toml:8:1
  |
8 | fallback = "embedded"
  | ^^^^^^^^

2 warnings
"#]]
        .raw()
    );
    // With a provider that is not known there is nothing to say about its keys.
    assert!(shown_of_two("[places]\nprovider = \"gogle\"\napi = \"new\"\n").ends_with("\n1 error"));
    assert!(shown_of_two("[places]\nprovider = \"file\"\n").contains("error[H005]: [places] has no `file`"));
}

#[test]
fn h023_a_secret_does_not_stand_here() {
    let why = shown_of_two("[places]\nprovider = \"google\"\napi_key = \"Käse\" # not so\n");
    assert_data_eq!(
        why,
        str![[r#"
error[H023]: a provider's key does not stand in herd.toml
 --> herd.toml:6:1
  |
6 | api_key = ******* # not so
  | ^^^^^^^ not shown
  |
  = help: put it into a file that only you can read and name that: key_file = "google.key"

1 error
"#]]
        .raw()
    );
    let in_place_of_its_file =
        shown_of_two("[places]\nprovider = \"google\"\nkey_file = \"AIzaSyCANARYcanaryCANARYcanaryCANARYcan\"\n");
    assert!(in_place_of_its_file.starts_with("error[H023]") && !in_place_of_its_file.contains("CANARY"));
}

#[test]
fn a_bus_is_an_address_and_its_bridges() {
    let read = |added: &str| parse(&format!("{TWO}{added}"), Path::new("/herd.toml")).unwrap().0.bus;
    assert_eq!(read(""), None);
    let bus = read("[bus]\nurl = \"nats://bus.example:4222\"\n").unwrap();
    let plain = (bus.url.as_str(), bus.bucket.as_str(), bus.replicas, bus.servers.as_slice());
    assert_eq!(plain, ("nats://bus.example:4222", "herd_locations", 1, &[0][..]));
    let names = TWO.matches("name = \"").count();
    assert_eq!(names, 2);
    let bus =
        read("[bus]\nurl = \"tls://b\"\ncreds_file = \"c\"\nservers = [\"clark\", \"Clark\"]\nreplicas = 3\n").unwrap();
    assert_eq!((bus.servers.len(), bus.creds_file, bus.replicas), (1, Some("/c".into()), 3));
}

#[test]
fn a_bus_that_cannot_be_meant_is_refused() {
    for (added, why) in [
        ("[bus]\n", "error[H005]: [bus] has no `url`"),
        ("[bus]\nurl = \"4222\"\n", "it is no URL"),
        ("[bus]\nurl = \"http://b\"\n", "neither nats nor tls"),
        ("[bus]\nurl = \"nats://\"\n", "it names no host"),
        ("[bus]\nurl = \"nats://b/x\"\n", "it goes on after the host"),
        ("[bus]\nurl = \"nats://b\"\nservers = [\"Clrk\"]\n", "did you mean `Clark`?"),
        ("[bus]\nurl = \"nats://b\"\nservers = []\n", "error[H007]: `servers` holds 0 bridges"),
        ("[bus]\nurl = \"nats://b\"\nbucket = \"a.b\"\n", "error[H009]: `a.b` is no name for a bucket"),
        ("[bus]\nurl = \"nats://b\"\nreplicas = 6\n", "from 1 to 5"),
        ("[bus]\nurl = \"nats://b\"\nserver = []\n", "did you mean `servers`?"),
        ("bus = 1\n", "`bus` takes a table"),
    ] {
        let shown = shown_of_two(added);
        assert!(shown.contains(why) && shown.ends_with("\n1 error"), "{added}: {shown}");
    }
    for secret in
        ["url = \"nats://herd:CANARY@b\"", "url = \"nats://CANARY@b\"", "url = \"nats://b\"\npassword = \"CANARY\""]
    {
        let shown = shown_of_two(&format!("[bus]\n{secret}\n"));
        assert!(shown.starts_with("error[H023]") && !shown.contains("CANARY"), "{shown}");
    }
}

#[test]
fn what_google_is_asked_is_set_word_by_word() {
    let (herd, warnings) = proven(&format!(
        "{TWO}[places]\nprovider = \"google\"\nkey_file = \"k\"\napi = \"auto\"\nfields = \"full\"\nfallback = \"embedded\"\nproxy = \"none\"\n"
    ));
    assert!(warnings.is_empty(), "{warnings}");
    let expected = Google {
        key_file: Some("/herds/one/k".into()),
        api: GoogleApi::Auto,
        fields: FieldMask::Full,
        fallback: Fallback::Embedded,
        proxy: Proxy::None,
        url: None,
    };
    assert_eq!(herd.places.provider, Provider::Google(expected));
}

#[test]
fn h024_answers_that_wait_for_no_archive() {
    let why = shown(&format!("ack = \"stored\"\n{TWO}"));
    assert_data_eq!(
        why,
        str![[r#"
error[H024]: `ack` is "stored", and there is no archive
 --> herd.toml:1:1
  |
1 | ack = "stored"
  | ^^^ no IAMAT would ever be answered
  |
  = help: add a table `[archive]` with `path = "data"`

1 error
"#]]
        .raw()
    );
    let (herd, _) = proven(&format!("ack = \"stored\"\n{TWO}\n[archive]\npath = \"/data\"\n"));
    assert_eq!((herd.ack, herd.archive), (Ack::Stored, Some(Archive { directory: "/data".into() })));
    assert!(shown(&format!("{TWO}\n[archive]\n")).contains("[archive] has no `path`"));
}

#[test]
fn h031_servers_with_fewer_neighbours_than_are_waited_for_are_a_warning() {
    let why = shown_of_links("[[\"Bailey\", \"Clark\"], [\"Clark\", \"Jaquez\"]]\nheard = 2");
    assert_data_eq!(
        why,
        str![[r#"
warning[H031]: `heard` is 2, and some servers have fewer neighbours: Bailey, Jaquez
 --> herd.toml:8:9
  |
8 | heard = 2
  |         ^ what these answer waits only for those they have
  |
  = help: add links, or promise less

1 warning
"#]]
        .raw()
    );
}

#[test]
fn h032_neighbours_of_whom_nobody_asks_what_they_have_heard() {
    assert_data_eq!(
        shown(&format!("ack = \"sent\"\nheard = 1\n{TWO}")),
        str![[r#"
error[H032]: `heard` says nothing with `ack = "sent"`
 --> herd.toml:2:1
  |
2 | heard = 1
  | ^^^^^ no answer waits until a neighbour has heard
  |
  = help: leave it out, or set `ack = "heard"` or `ack = "stored"`

1 error
"#]]
        .raw()
    );
}

#[test]
fn neighbours_that_no_server_has_cannot_be_waited_for() {
    assert_data_eq!(
        shown(&format!("heard = 0\n{TWO}")),
        str![[r#"
error[H007]: `heard` is out of range: `0`
 --> herd.toml:1:9
  |
1 | heard = 0
  |         ^ from 1 to 4095
  |
  = help: without this key it is 1

1 error
"#]]
        .raw()
    );
    assert_data_eq!(
        shown(&format!("heard = 2\n{TWO}")),
        str![[r#"
error[H007]: `heard` is 2, and no server has so many neighbours
 --> herd.toml:1:9
  |
1 | heard = 2
  |         ^ at most 1
  |
  = help: a server can wait for those alone that it is linked with

1 error
"#]]
        .raw()
    );
    // With a link to be mended, nobody can tell.
    let unlinked = TWO.replace("\"Bona\"]]", "\"Bonna\"]]");
    assert!(!shown(&format!("heard = 2\n{unlinked}")).contains("heard"));
    let (herd, warnings) = proven(&TEMPLATE.replace("# heard = 1", "heard = 2"));
    assert!(warnings.is_empty() && herd.heard == 2, "{warnings}");
}

// How they are said.

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
  = help: known here: `herd`, `ack`, `secret_file`, `servers`, `links`, `heard`, `tls`, `control`, `log`, `archive`, `bus`, `places`, `metrics`, `limits`

error[H004]: unknown key `tab` in herd.toml
 --> herd.toml:4:2
  |
4 |     "tab" = 1
  |     ^^^^^ no such key
  |
  = help: known here: `herd`, `ack`, `secret_file`, `servers`, `links`, `heard`, `tls`, `control`, `log`, `archive`, `bus`, `places`, `metrics`, `limits`

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
 = help: known here: `herd`, `ack`, `secret_file`, `servers`, `links`, `heard`, `tls`, `control`, `log`, `archive`, `bus`, `places`, `metrics`, `limits`

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

// Which file is meant.

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

// The commands.

#[test]
fn check_says_what_the_herd_is_after_its_warnings() {
    let verdict = written(TEMPLATE);
    assert!(verdict.0.ok());
    assert_eq!(verdict.0.text(false), format!("✔ {}: 5 servers, 6 links\n", verdict.1.display()));
    assert_eq!(
        verdict.0.json(),
        "{\"schema\":\"herd.check/1\",\"ok\":true,\"errors\":0,\"warnings\":0,\"mistakes\":[],\
         \"places\":{\"ok\":true,\"provider\":\"the embedded places of GeoNames\",\"asked\":false,\"status\":\"READY\",\
         \"places\":null,\"took_ms\":null,\"message\":null,\"advice\":null},\"trust\":[]}\n"
    );
    let (warned, path) = written(&TWO.replace("11001", "40000"));
    assert!(warned.ok());
    assert!(warned.text(false).ends_with(&format!("\n\n1 warning\n✔ {}: 2 servers, 1 link\n", path.display())));
}

#[test]
fn check_says_the_same_as_json() {
    let (verdict, _) = written("herd = \"ucla\"\nservers = []\n");
    assert!(!verdict.ok());
    assert_data_eq!(verdict.json(), str![[r#"
{"schema":"herd.check/1","ok":false,"errors":1,"warnings":0,"mistakes":[{"code":"H007","severity":"error","message":"`servers` holds 0 servers","line":2,"column":1,"label":"from 1 to 4096","help":null}],"places":null,"trust":[]}

"#]].raw());
}

fn written(text: &str) -> (check::Verdict, PathBuf) {
    let folder = Folder::new();
    let path = folder.path().join("herd.toml");
    fs::write(&path, text).unwrap();
    (check::check(&path, false), path)
}

#[test]
fn init_writes_a_right_herd_toml_and_never_over_another() {
    let folder = Folder::new();
    let path = init::init(folder.path(), TEMPLATE, false).unwrap();
    assert!(check::check(&path, false).ok());
    fs::write(&path, "mine").unwrap();
    assert_eq!(init::init(folder.path(), TEMPLATE, false).unwrap_err().kind(), std::io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    init::init(folder.path(), TEMPLATE, true).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), TEMPLATE);
}
