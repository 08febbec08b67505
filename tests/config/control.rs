//! What is said about control addresses.

use snapbox::{assert_data_eq, str};

use super::shown_of_servers;

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
