//! What is said about where servers listen and are reached.

use std::path::Path;

use snapbox::{IntoData as _, assert_data_eq, str};

use super::{TWO, shown, shown_of_servers};

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
