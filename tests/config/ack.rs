//! What is said about when an answer is given.

use herdctl::config::{Ack, Archive, TEMPLATE};
use snapbox::{IntoData as _, assert_data_eq, str};

use super::{TWO, proven, shown, shown_of_links};

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
