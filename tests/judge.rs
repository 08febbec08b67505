//! `herdctl chaos` on real herds over real sockets: one that is right is found right, and one that has a real bug is
//! found out. The bugs are in a front before each server (see [`front`]); nothing of them is in the program. The rules
//! themselves are tested in [`histories`].

mod front;
pub mod histories;

use std::process::Output;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use herdctl::config;
use herdctl::herd::api::{Down, Failure};
use herdctl::herd::{Body, Interrupt, Supervisor, Up};
use herdctl::server::{Seat, Trouble};
use serde_json::Value;

use crate::support::canary::{self, Folder};

use front::Lie;

/// Two neighbours: with nobody else to put it right, a mistake stays.
const TWO: &str = r#"
    herd = "test"
    servers = [ { name = "Bona", address = "127.0.0.1:0" }, { name = "Clark", address = "127.0.0.1:0" } ]
    links = [ ["Bona", "Clark"] ]
"#;

/// A herd under its own supervisor in this process, each server with another body than the real one.
struct Herd {
    folder: Folder,
    interrupt: Interrupt,
    thread: Option<JoinHandle<Result<Down, Failure>>>,
}

impl Herd {
    fn with(body: Body) -> Self {
        let folder = Folder::new();
        let path = folder.path().join("herd.toml");
        std::fs::write(&path, TWO).unwrap();
        let (config, _) = config::load(&path).unwrap();
        let up = Up {
            config,
            port_offset: 0,
            only: Vec::new(),
            wait_ms: 20_000,
            no_wait: false,
            served: None,
            foreground: false,
        };
        let supervisor = Supervisor::new(up).body(body);
        let interrupt = supervisor.interrupt();
        let (ready, is_ready) = mpsc::sync_channel(1);
        let thread = thread::spawn(move || supervisor.run(|_| ready.send(()).unwrap()));
        is_ready.recv().expect("the herd to be ready");
        Self { folder, interrupt, thread: Some(thread) }
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        self.interrupt.press();
        let _ = self.thread.take().unwrap().join();
    }
}

/// Runs chaos in a folder: its exit code and its `herd.chaos/1`.
fn chaos(folder: &Folder, line: &str) -> (i32, Value) {
    let output = run(folder, line);
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let document = serde_json::from_str(&out).unwrap_or_else(|why| panic!("{line}: {why}: {out}{err}"));
    (output.status.code().unwrap(), document)
}

/// Runs chaos in a folder where it must refuse: its exit code and its `herd.error/1`.
fn refused(folder: &Folder, line: &str) -> (i32, Value) {
    let output = run(folder, line);
    assert!(output.stdout.is_empty(), "{line}");
    (output.status.code().unwrap(), serde_json::from_slice(&output.stderr).unwrap())
}

fn run(folder: &Folder, line: &str) -> Output {
    let mut command = canary::herdctl(folder.path());
    let output = command.args(["chaos", "--json"]).args(line.split_whitespace()).output().unwrap();
    canary::look(line, &output.stdout);
    canary::look(line, &output.stderr);
    output
}

/// How often that rule was broken.
fn broken(document: &Value, rule: &str) -> u64 {
    let finding = document["findings"].as_array().unwrap().iter().find(|finding| finding["rule"] == rule);
    finding.unwrap()["violations"].as_u64().unwrap()
}

#[test]
fn a_herd_that_is_right_keeps_its_promises_through_a_short_chaos() {
    let folder = Folder::new();
    let (code, document) = chaos(&folder, "--own --for 4s --seed 7 --history all.ndjson");
    assert_eq!((code, &document["held"], &document["schema"]), (0, &true.into(), &"herd.chaos/1".into()), "{document}");
    crate::schemas::check("chaos", &document);
    let history = std::fs::read_to_string(folder.path().join("all.ndjson")).unwrap();
    crate::schemas::check("history", &serde_json::from_str(history.lines().next().unwrap()).unwrap());
    assert_eq!(document["seed"], 7);
    assert!(document["counts"]["updates_answered"].as_u64() > Some(100), "{document}");
    assert!(document["counts"]["orders"].as_u64() > Some(5), "{document}");

    let (code, again) = chaos(&folder, "--check all.ndjson");
    assert_eq!(code, 0);
    for field in ["held", "counts", "findings", "worst", "violations"] {
        assert_eq!(document[field], again[field], "{field}");
    }
}

#[test]
fn an_honest_front_is_found_honest() {
    fn body(seat: Seat) -> Result<(), Trouble> {
        front::run(seat, Lie::None)
    }
    let herd = Herd::with(body);
    let (code, document) = chaos(&herd.folder, "--for 3s --seed 1 --clients 10");
    assert_eq!(code, 0, "{document}");
}

#[test]
fn a_report_that_a_resumed_link_skips_is_found() {
    fn body(seat: Seat) -> Result<(), Trouble> {
        front::run(seat, Lie::SkipOneOnResume)
    }
    let herd = Herd::with(body);
    let (code, document) = chaos(&herd.folder, "--for 3s --seed 1 --faults kill,restart --settle 3s");
    assert_eq!(code, 8, "{document}");
    assert!(broken(&document, "equal") > 0 && broken(&document, "converged") > 0, "{document}");
}

#[test]
fn an_answer_that_no_neighbour_has_heard_is_found() {
    fn body(seat: Seat) -> Result<(), Trouble> {
        front::run(seat, Lie::AnswerTooSoon)
    }
    let herd = Herd::with(body);
    let (code, document) = chaos(&herd.folder, "--for 4s --seed 1 --faults kill,restart --settle 3s");
    assert_eq!(code, 8, "{document}");
    assert!(broken(&document, "kept") > 0, "{document}");
}

#[test]
fn a_server_that_takes_an_older_report_is_found() {
    fn body(seat: Seat) -> Result<(), Trouble> {
        front::run(seat, Lie::TakeOlder)
    }
    let herd = Herd::with(body);
    let (code, document) = chaos(&herd.folder, "--for 3s --seed 1 --faults pause");
    assert_eq!(code, 8, "{document}");
    assert!(broken(&document, "never_back") > 0, "{document}");
}

#[test]
fn a_batch_that_a_link_drops_is_found() {
    fn body(seat: Seat) -> Result<(), Trouble> {
        front::run(seat, Lie::DropABatch)
    }
    let herd = Herd::with(body);
    let (code, document) = chaos(&herd.folder, "--for 3s --seed 1 --faults pause --settle 3s");
    assert_eq!(code, 8, "{document}");
    assert!(broken(&document, "equal") > 0, "{document}");
}

#[test]
fn what_cannot_be_done_or_judged_is_refused() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("herd.toml"), TWO).unwrap();
    std::fs::write(folder.path().join("none.ndjson"), "{}\n").unwrap();
    for (line, code, part) in [
        ("", 3, "no herd is running"),
        ("--clients 0", 2, "--clients"),
        ("--rate 1000000", 2, "--rate"),
        ("--rate 20000 --for 24h", 2, "more than can be judged"),
        ("--faults kill,quake", 2, "known are kill"),
        ("--check all.ndjson --own", 2, "cannot be used with"),
        ("--check nothing.ndjson", 1, "cannot read"),
        ("--check none.ndjson", 1, "line 1: no record"),
    ] {
        let (found, failure) = refused(&folder, line);
        assert_eq!(found, code, "{line}: {failure}");
        assert!(failure["message"].as_str().unwrap().contains(part), "{line}: {failure}");
    }
}
