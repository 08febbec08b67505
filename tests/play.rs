//! `herdctl play`: the scenarios that come with the program, and what is said of those that are wrong or not held.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::commands::{Field, wait};
use crate::schemas;
use crate::support::wait_until;

/// The file in which a test puts its scenario.
const FILE: &str = "scenario.toml";

/// A herd that runs.
fn up() -> Field {
    let field = Field::new();
    assert_eq!(field.run("up -d").code, 0);
    field
}

fn write(field: &Field, scenario: &str) {
    fs::write(field.path(FILE), scenario).unwrap();
}

/// A scenario of these steps.
fn of(steps: &str) -> String {
    format!("name = \"A <test> & \\\"more\\\"\"\n{steps}")
}

#[test]
fn the_scenarios_that_come_with_it_hold() {
    let field = Field::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        let (file, held) = (file.display().to_string(), "as expected:");
        let said = field.args(&["play", "--own", "--seed", "7", &file]);
        assert!(said.code == 0 && said.out.contains(held), "{file}: {}{}", said.out, said.err);
        assert!(!said.out.contains('✗'), "{file}: {}", said.out);
    }
}

#[test]
fn what_is_not_as_expected_ends_the_play_and_nothing_stays_broken() {
    let field = up();
    write(
        &field,
        &of("[[step]]\ndo = \"cut Clark Bona\"\nexpect = \"link clark bona down within 4s\"\n\
             [[step]]\ndo = \"pause Campbell\"\n[[step]]\ndo = \"kill Jaquez\"\n\
             [[step]]\nexpect = [\"Bailey killed\", \"Jaquez down\"]\n\
             [[step]]\ndo = \"kill Bailey\"\n"),
    );
    let said = field.run(&format!("play {FILE} --json --junit result.xml"));
    assert_eq!(said.code, 8, "{said:?}");
    let play: Value = serde_json::from_str(&said.out).unwrap();
    schemas::check("play", &play);
    let held: Vec<_> = play["steps"].as_array().unwrap().iter().map(|step| step["held"].as_bool().unwrap()).collect();
    assert_eq!(
        (held, &play["held"], &play["seed"]),
        (vec![true, true, true, false, false], &false.into(), &Value::Null)
    );
    let wrong = &play["steps"][3];
    assert_eq!(wrong["checks"][0]["why"], "Bailey is running");
    assert_eq!((&wrong["checks"][1]["held"], &wrong["line"]), (&true.into(), &9.into()));
    assert_eq!((&play["steps"][4]["began_us"], &play["steps"][4]["do"]), (&Value::Null, &"kill Bailey".into()));

    let junit = fs::read_to_string(field.path("result.xml")).unwrap();
    assert!(
        junit.contains(
            "<testsuite name=\"A &lt;test&gt; &amp; &quot;more&quot;\" tests=\"5\" failures=\"1\" skipped=\"1\""
        ),
        "{junit}"
    );
    assert!(junit.contains("<failure message=\"Bailey killed: Bailey is running\"/>"), "{junit}");

    assert_eq!(field.run("wait --ready").code, 0);
    assert_eq!(field.json("ps --json")["summary"]["faults"], 0);
}

#[test]
fn a_command_that_fails_is_not_as_expected_unless_it_is() {
    let field = up();
    write(
        &field,
        &of("[[step]]\ndo = \"kill Clrk\"\nexpect = \"fails no server named *\"\n[[step]]\ndo = \"kill Clrk\"\n"),
    );
    let said = field.run(&format!("play {FILE}"));
    assert_eq!(said.code, 8, "{said:?}");
    assert!(said.out.contains("✔ fails no server named *"), "{}", said.out);
    assert!(
        said.out.contains("✗ kill Clrk: no server named") && said.out.contains("the step at line 5"),
        "{}",
        said.out
    );
}

#[test]
fn all_that_is_wrong_with_a_file_is_said_before_anything_is_done() {
    let field = up();
    write(
        &field,
        "nme = \"x\"\n[[step]]\nat = \"2s\"\ndo = \"klil Clark\"\n[[step]]\nat = \"1s\"\ndo = \"down\"\n\
         [[step]]\nexpect = [\"converged soon\", \"says AT *\"]\n[[step]]\nat = \"3s\"\n\
         [[step]]\ndo = \"kill Clark --socket x\"\n",
    );
    let said = field.run(&format!("play {FILE}"));
    assert_eq!((said.code, said.out.as_str()), (5, ""), "{said:?}");
    for (line, what) in [
        (1, "unknown key `nme`"),
        (4, "`klil Clark` cannot be done"),
        (6, "`1s` is before the step before"),
        (7, "`down` cannot be done"),
        (9, "`converged soon` cannot be expected"),
        (9, "`says AT *` cannot be expected"),
        (10, "a step without anything to do or to expect"),
        (13, "`kill Clark --socket x` cannot be done"),
    ] {
        assert!(said.err.contains(what), "{what}: {}", said.err);
        assert!(said.err.contains(&format!("{FILE}:{line}:")), "{FILE}:{line}: {}", said.err);
    }
    assert!(said.err.contains("nothing was done"), "{}", said.err);
    assert_eq!(field.run("ps --check").code, 0);
    assert_eq!(field.run(&format!("play {FILE} --check --json")).failure()["error"], "bad_config");
    assert_eq!(field.run("play nowhere.toml").code, 5);
}

#[test]
fn a_server_that_is_not_there_is_said_before_anything_is_done() {
    let field = up();
    write(&field, &of("[[step]]\ndo = \"kill Clark\"\n[[step]]\nexpect = \"Clrk killed\"\n"));
    assert!(field.run(&format!("play {FILE} --check")).out.ends_with("scenario.toml is right: 2 steps\n"));
    schemas::check("check", &field.json(&format!("play {FILE} --check --json")));
    let said = field.run(&format!("play {FILE}"));
    assert!(said.code == 4 && said.err.contains("did you mean: Clark?"), "{said:?}");
    assert_eq!(field.run("ps --check").code, 0);
}

#[test]
fn a_herd_that_is_not_whole_is_not_played_to() {
    let field = up();
    assert_eq!(field.run("cut Clark Bona --silent").code, 0);
    write(&field, &of("[[step]]\ndo = \"kill Clark\"\n"));
    let said = field.run(&format!("play {FILE}"));
    assert!(said.code == 8 && said.err.contains("herdctl heal --all"), "{said:?}");
    assert_eq!(field.json("ps --json")["summary"]["faults"], 1);
}

#[test]
fn ctrl_c_ends_it_early_and_heals() {
    let field = up();
    write(&field, &of("[[step]]\ndo = \"kill Clark\"\n[[step]]\nat = \"1h\"\ndo = \"kill Bona\"\n"));
    let begun = Instant::now();
    let mut play = field.command(&["play", FILE]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    wait_until("Clark to be killed", || field.run("ps --check").code == 8);
    kill(Pid::from_raw(play.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(wait(&mut play), 8);
    assert!(begun.elapsed() < Duration::from_hours(1));
    assert_eq!(field.run("wait --ready").code, 0);
}
