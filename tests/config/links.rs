//! What is said about who talks with whom.

use snapbox::{IntoData as _, assert_data_eq, str};

use super::{TWO, shown, shown_of_links};

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
