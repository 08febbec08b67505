//! What happens in a herd of processes, as one stream: each process counts for itself, and none holds up the others.

use std::collections::HashMap;

use serde_json::Value;

use super::herdwide::elsewhere;
use super::{SERVERS, Served, TOKEN};
use crate::commands::Field;
use crate::schemas;
use crate::support::wait_until;
use crate::watching::Talk;

fn is(event: &Value, kind: &str, server: &str) -> bool {
    event["kind"] == kind && event["server"] == server
}

/// Each process counts for itself, and says whose numbers these are.
fn each_has_its_own_order(events: &[Value]) {
    let mut last: HashMap<(String, String), u64> = HashMap::new();
    for event in events {
        schemas::check("event", event);
        let of = |key: &str| event[key].as_str().unwrap_or_else(|| panic!("no {key}: {event}")).to_owned();
        let seq = event["seq"].as_u64().unwrap();
        let before = last.insert((of("process"), of("run")), seq);
        assert!(before.is_none_or(|before| before <= seq), "{before:?} {event}");
    }
}

/// Whether they go by time, where that leaves each process its own order.
fn go_by_time(events: &[Value]) -> bool {
    let mut latest: HashMap<&str, &str> = HashMap::new();
    let times = events.iter().map(|event| {
        let at = latest.entry(event["process"].as_str().unwrap()).or_default();
        *at = event["t"].as_str().unwrap().max(at);
        *at
    });
    times.is_sorted()
}

/// From a herd that has come up: what has been, what happens, and a process that goes and comes.
fn is_one_stream(herd: &mut Served, from: &Field) {
    wait_until("the herd to be ready", || from.run("wait --ready --timeout 100ms").code == 0);
    let began = jiff::Timestamp::now();
    let mut live = Talk::begin(from, &format!("events --json --flood --since {began:.6}"));
    assert_eq!(from.run("kill Bona").code, 0);
    let mut told = live.until("the kill of Bona", |event| is(event, "server.killed", "Bona"));

    assert_eq!(from.run("start Bona --wait").code, 0);
    let since = format!("events --json --kind server --since {began:.6} --count 3");
    let events = |line: &str| -> Vec<Value> {
        from.run(line).out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let been = events(&since);
    assert_eq!(been.len(), 3, "{been:#?}");
    assert!(is(&been[1], "server.killed", "Bona") && been[1]["process"] == "Bona", "{been:#?}");
    each_has_its_own_order(&been);
    // Each came up at another time, and is asked at once.
    wait_until("all that has been to go by time", || go_by_time(&events("events --json --since 10m --count 40")));

    let mut clark = herd.take("Clark");
    clark.kill().unwrap();
    clark.wait().unwrap();
    told.extend(live.until("Clark to be missed", |event| is(event, "gap", "Clark")));
    let gap = &told[told.len() - 1];
    assert!(gap["note"].as_str().unwrap().starts_with("it cannot be asked: "), "{gap}");
    assert_eq!(from.run("kill Jaquez").code, 0);
    told.extend(live.until("the kill of Jaquez", |event| is(event, "server.killed", "Jaquez")));
    herd.start("Clark");
    told.extend(live.until("Clark's new run", |event| is(event, "server.running", "Clark")));
    assert!(told.iter().any(|event| event["note"] == "another herd has come up"), "{told:#?}");
    each_has_its_own_order(&told);

    assert_eq!(from.run("iamat kiwi +1+1 --to Campbell").code, 0);
    let hops = live.until("a hop", |event| is(event, "flood.heard", "Bona"));
    assert_eq!(hops[hops.len() - 1]["process"], "Bona", "{hops:#?}");

    let number = from.run("events --since 5 --json").failure();
    assert!(number["error"] == "usage" && number["message"].as_str().unwrap().contains("since which time"), "{number}");
    for server in SERVERS {
        herd.end(server, nix::sys::signal::Signal::SIGTERM);
    }
    while live.next().is_some() {}
    assert_eq!(from.run("events").code, 3);
}

#[test]
fn the_processes_of_this_machine_are_one_stream() {
    let mut herd = Served::new();
    SERVERS.iter().for_each(|server| herd.start(server));
    let here = super::herdwide::beside(&herd);
    is_one_stream(&mut herd, &here);
}

#[test]
fn the_processes_of_other_hosts_are_one_stream() {
    let mut herd = Served::with_control();
    SERVERS.iter().for_each(|server| herd.start(server));
    let there = elsewhere(&herd, TOKEN);
    is_one_stream(&mut herd, &there);
}
