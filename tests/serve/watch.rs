//! What is shown again and again of a herd of processes, and waiting for what happens in any of them.

use std::thread;

use serde_json::Value;

use super::herdwide::elsewhere;
use super::{SERVERS, Served, TOKEN};
use crate::support::wait_until;
use crate::watching::Talk;

fn server<'a>(ps: &'a Value, name: &str) -> &'a Value {
    ps["servers"].as_array().unwrap().iter().find(|server| server["name"] == name).unwrap()
}

#[test]
fn what_is_watched_follows_all_processes() {
    let mut herd = Served::with_control();
    SERVERS.iter().for_each(|server| herd.start(server));
    let there = elsewhere(&herd, TOKEN);
    wait_until("the herd to be ready", || there.run("wait --ready --timeout 100ms").code == 0);
    let mut ps = Talk::begin(&there, "ps --watch --json");
    ps.until("the herd", |ps| ps["summary"]["running"] == 5);
    let mut links = Talk::begin(&there, "links --watch --json");
    links.until("the links", |links| links["links"].as_array().unwrap().len() == 6);
    let mut kiwi = Talk::begin(&there, "whereis kiwi --watch --json");
    kiwi.until("the first look", |whereis| whereis["silent"].as_array().unwrap().is_empty());

    assert_eq!(there.run("iamat kiwi +1+1 --to Campbell").code, 0);
    let track = kiwi.until("all to know", |whereis| {
        let servers = whereis["clients"][0]["servers"].as_array();
        servers.is_some_and(|all| all.len() == 5 && all.iter().all(|one| one["heard_at"].is_string()))
    });
    let known = &track[track.len() - 1]["clients"][0];
    let bailey = known["servers"].as_array().unwrap().iter().find(|one| one["server"] == "Bailey").unwrap();
    assert!(known["agreed"] == true && bailey["via"].is_string(), "{known}");

    assert_eq!(there.run("cut Bona Clark").code, 0);
    links.until("the cut", |links| links["faults"].as_array().unwrap().len() == 1);
    assert_eq!(there.run("kill Jaquez").code, 0);
    ps.until("the kill", |ps| server(ps, "Jaquez")["state"] == "killed");
    let mut clark = herd.take("Clark");
    clark.kill().unwrap();
    clark.wait().unwrap();
    ps.until("Clark to be missed", |ps| server(ps, "Clark")["state"] == "unreachable");
    herd.start("Clark");
    ps.until("Clark to be back", |ps| server(ps, "Clark")["state"] == "running");
}

#[test]
fn processes_that_are_started_later_are_found() {
    let mut herd = Served::new();
    herd.start("Clark");
    wait_until("the first process", || herd.field.run("ps").code == 0);
    let mut ps = Talk::begin(&herd.field, "ps --watch --json");
    ps.until("the first look", |ps| ps["summary"]["running"] == 1);
    SERVERS.iter().filter(|server| **server != "Clark").for_each(|server| herd.start(server));
    ps.until("all to be seen", |ps| ps["summary"]["running"] == 5);
}

#[test]
fn an_event_of_any_process_is_waited_for() {
    let mut herd = Served::new();
    SERVERS.iter().for_each(|server| herd.start(server));
    let here = &herd.field;
    wait_until("the herd to be ready", || here.run("wait --ready --timeout 100ms").code == 0);
    let began = jiff::Timestamp::now();
    let waited = thread::scope(|scope| {
        let waiting =
            scope.spawn(|| here.run(&format!("wait --event server.killed --server Bona --since {began:.6} --json")));
        assert_eq!(here.run("kill Clark").code, 0);
        assert_eq!(here.run("kill Bona").code, 0);
        waiting.join().unwrap()
    });
    let event: Value = serde_json::from_str(&waited.out).unwrap_or_else(|why| panic!("{why}: {waited:?}"));
    assert_eq!((&event["kind"], &event["process"]), (&"server.killed".into(), &"Bona".into()));
    let never = here.run("wait --event herd.wrong --timeout 300ms");
    assert!(never.code == 7 && never.err.contains("no event herd.wrong in 300ms"), "{never:?}");
    assert_eq!(here.run("wait --event server.killed --since 5 --timeout 300ms").code, 2);
}
