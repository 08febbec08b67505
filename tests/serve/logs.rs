//! The logs of a herd of processes: one, by time, and of each process in the order of its own numbers.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::thread;

use herdctl::limits;
use nix::sys::signal::Signal;
use serde_json::Value;

use super::herdwide::elsewhere;
use super::{SERVERS, Served, TOKEN};
use crate::commands::Said;
use crate::schemas;
use crate::support::wait_until;
use crate::watching::Talk;

fn records(said: &Said) -> Vec<Value> {
    assert_eq!(said.code, 0, "{}", said.err);
    said.out.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
}

/// Each process's records rise from its first to its last, and none is missing where heartbeats are shown too.
fn each_is_whole(records: &[Value]) {
    let mut last: HashMap<(String, String), u64> = HashMap::new();
    let mut run: HashMap<String, String> = HashMap::new();
    for record in records {
        schemas::check("log", record);
        if record["level"] == "gap" {
            continue;
        }
        let process = record["process"].as_str().unwrap_or_else(|| panic!("no process: {record}")).to_owned();
        let (seq, msg) = (record["seq"].as_u64().unwrap(), record["msg"].as_str().unwrap());
        if msg.starts_with("herd up since ") {
            run.insert(process, msg.to_owned());
            continue;
        }
        let of = (process.clone(), run[&process].clone());
        let before = last.insert(of, seq).unwrap_or(0);
        assert_eq!(before + 1, seq, "{record}");
    }
}

#[test]
fn the_logs_of_processes_on_one_machine_are_one_log() {
    let mut herd = Served::new();
    SERVERS.iter().for_each(|server| herd.start(server));
    let here = &herd.field;
    wait_until("the herd to be ready", || here.run("wait --ready --timeout 100ms").code == 0);
    let mut follow = Talk::begin(here, "logs -f -n all --heartbeats --json");
    assert_eq!(here.run("iamat kiwi +34.07-118.45 --to Clark").code, 0);
    let mut followed = follow.until("the line at Clark", |record| {
        record["server"] == "Clark" && record["msg"].as_str().unwrap().contains("IAMAT kiwi")
    });
    assert_eq!(here.run("kill Bona").code, 0);
    followed.extend(follow.until("the kill", |record| record["server"] == "herd" && record["msg"] == "Bona killed"));
    assert_eq!(followed[followed.len() - 1]["process"], "Bona");

    // On through another life of a process.
    herd.end("Jaquez", Signal::SIGTERM);
    herd.start("Jaquez");
    followed.extend(follow.until("Jaquez again", |record| {
        record["server"] == "Jaquez" && record["msg"].as_str().unwrap().starts_with("listening on ")
    }));
    each_is_whole(&followed);

    // Their end stands in the files.
    for server in SERVERS {
        herd.end(server, Signal::SIGTERM);
    }
    let here = &herd.field;
    let all = here.run("logs -n all --heartbeats --json");
    each_is_whole(&records(&all));
    let last = here.run("logs -n 7 --heartbeats --json");
    let ends = |said: &Said, n: usize| said.out.lines().rev().take(n).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(ends(&last, 7), ends(&all, 7));
    let middle = records(&all)[records(&all).len() / 2]["t"].as_str().unwrap().to_owned();
    let mut since = records(&here.run(&format!("logs --since {middle} --heartbeats --json")));
    // Which run it is, is said of any.
    since.retain(|record| record["seq"] != 0);
    assert!(!since.is_empty() && since.iter().all(|record| record["t"].as_str().unwrap() >= middle.as_str()));

    let clark = here.run("logs clark -n all");
    assert!(clark.out.contains(" Clark/herd | ── Clark running ──"), "{}", clark.out);
    assert!(clark.out.contains("── Clark: herd up since ") && !clark.out.contains("Bona/herd"), "{}", clark.out);
    let own = records(&here.run("logs herd -n all --json"));
    assert!(SERVERS.iter().all(|server| own.iter().any(|record| record["process"] == *server)), "{own:#?}");
    assert!(own.iter().all(|record| record["server"] == "herd"), "{own:#?}");
}

fn has(record: &Value, server: &str, msg: &str) -> bool {
    record["server"] == server && record["msg"].as_str().unwrap().contains(msg)
}

#[test]
fn the_logs_of_processes_on_other_hosts_are_told_over_their_control_addresses() {
    let mut herd = Served::with_control();
    SERVERS.iter().for_each(|server| herd.start(server));
    let there = elsewhere(&herd, TOKEN);
    wait_until("the herd to be ready", || there.run("wait --ready --timeout 100ms").code == 0);
    let mut follow = Talk::begin(&there, "logs -f -n all --heartbeats --json");
    assert_eq!(there.run("iamat kiwi +34.07-118.45 --to Clark").code, 0);
    let mut followed = follow.until("the line at Clark", |record| has(record, "Clark", "IAMAT kiwi"));
    assert_eq!(there.run("kill Bona").code, 0);
    followed.extend(follow.until("the kill", |record| has(record, "herd", "Bona killed")));
    assert_eq!(followed[followed.len() - 1]["process"], "Bona");

    // The last few, of which the file says the same.
    let last = |from: &crate::commands::Field| from.run("logs -n 9 --level info --json").out;
    wait_until("the same at both", || last(&there).lines().count() == 9 && last(&there) == last(&herd.field));
    let mut kiwi = records(&there.run("logs clark -n 1 --grep IAMAT --json"));
    kiwi.retain(|record| record["seq"] != 0);
    assert!(kiwi.len() == 1 && has(&kiwi[0], "Clark", "IAMAT kiwi"), "{kiwi:#?}");
    assert_eq!(there.run("logs -n 20000").code, 2);
    let wrong = records(&elsewhere(&herd, "another-token-than-that").run("logs --json"));
    assert!(
        wrong.len() == 5 && wrong.iter().all(|record| has(record, record["server"].as_str().unwrap(), "the token"))
    );

    // A process goes, which is said, and comes back with another run.
    let mut clark = herd.take("Clark");
    clark.kill().unwrap();
    clark.wait().unwrap();
    followed.extend(follow.until("Clark to be missed", |record| record["level"] == "gap"));
    assert!(has(&followed[followed.len() - 1], "Clark", "its logs cannot be read: nobody answers at "));
    herd.start("Clark");
    followed.extend(follow.until("Clark again", |record| has(record, "Clark", "listening on ")));
    each_is_whole(&followed);
}

/// Answers one question with the beginning of an answer.
fn break_off(listener: &TcpListener) {
    const BEGINNING: &str = "-Clark\t2026-11-23T06:05:52.000001Z #1 INFO  one\n";
    listener.set_nonblocking(true).unwrap();
    let mut asked = None;
    wait_until("a question", || {
        asked = listener.accept().ok();
        asked.is_some()
    });
    let (mut stream, _) = asked.unwrap();
    let mut question = Vec::new();
    while !question.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        question.extend(byte);
    }
    let head = "HTTP/1.1 200 OK\r\nherd-protocol: 1\r\nconnection: close\r\n\r\n";
    stream.write_all([head, BEGINNING].concat().as_bytes()).unwrap();
}

#[test]
fn logs_that_break_off_are_said_to() {
    let herd = Served::with_control();
    let there = elsewhere(&herd, TOKEN);
    let listener = TcpListener::bind(herd.control_of("Clark")).unwrap();
    let all = thread::scope(|scope| {
        scope.spawn(|| break_off(&listener));
        records(&there.run("logs clark -n all --json"))
    });
    assert!(all.len() == 2 && has(&all[0], "Clark", "one"), "no other process is asked: {all:#?}");
    assert!(has(&all[1], "Clark", "its logs cannot be read: the answer broke off"), "{all:#?}");
}

/// Each has a thread, so there are only so many; who leaves makes room.
#[test]
fn more_readers_of_logs_than_a_process_takes_are_refused() {
    let mut herd = Served::new();
    herd.start("Clark");
    let ask = |path: &str| herd.get("Clark", path);
    wait_until("its logs", || ask("/v1/logs?lines=18446744073709551615").is_some_and(|(status, _)| status == 200));
    let socket = herd.field.path(".herd/Clark.serve/herd.sock");
    let follow = || {
        let mut reader = UnixStream::connect(&socket).unwrap();
        reader.write_all(b"GET /v1/logs?follow=true HTTP/1.1\r\nHost: herd\r\n\r\n").unwrap();
        let mut status = [0; 12];
        reader.read_exact(&mut status).unwrap();
        (status == *b"HTTP/1.1 200").then_some(reader)
    };
    let mut readers = Vec::new();
    // One that was here before may not have been missed yet.
    wait_until("all places to be taken", || {
        readers.extend(follow());
        readers.len() == limits::LOG_READERS_MAX
    });
    let (status, why) = ask("/v1/logs").unwrap();
    assert!(status != 200 && why.contains(&format!("{} readers of logs", limits::LOG_READERS_MAX)), "{status}: {why}");
    readers.pop();
    wait_until("a place to be free", || ask("/v1/logs?lines=1").is_some_and(|(status, _)| status == 200));
}
