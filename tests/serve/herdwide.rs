//! Commands that are given to a herd of processes: through their sockets, and from another host through their control
//! addresses.

use std::fs;
use std::net::TcpListener;

use serde_json::Value;

use super::{SERVERS, Served, TOKEN, secret};
use crate::commands::Field;
use crate::support::wait_until;

/// A folder as on another host: with the same herd.toml and nothing else.
pub fn elsewhere(herd: &Served, token: &str) -> Field {
    let other = Field::new();
    let toml = fs::read_to_string(herd.field.path("herd.toml")).unwrap();
    other.edit(|_| toml);
    secret(&other.path("herd.token"), token);
    other
}

/// A folder with the same herd.toml and the sockets of the processes, so that both can be had at the same time.
pub fn beside(herd: &Served) -> Field {
    let here = Field::new();
    let toml = fs::read_to_string(herd.field.path("herd.toml")).unwrap();
    here.edit(|_| toml);
    // Their sockets are beside their herd.toml.
    std::os::unix::fs::symlink(herd.field.path(".herd"), here.path(".herd")).unwrap();
    here
}

fn state<'a>(ps: &'a Value, server: &str) -> &'a Value {
    let servers = ps["servers"].as_array().unwrap();
    servers.iter().find(|one| one["name"] == server).unwrap()
}

/// The commands of a whole life, on five processes.
fn is_one_herd(herd: &mut Served, from: &Field) {
    wait_until("the herd to be ready", || from.run("wait --ready --timeout 100ms").code == 0);
    let ps = from.run("ps --check");
    assert!(ps.code == 0 && ps.out.contains("5 processes"), "{ps:?}");
    assert!(ps.out.contains("5 running · 6/6 links up · 1 island · converged"), "{ps:?}");
    assert_eq!(from.run("iamat kiwi +34.07-118.45 --to Clark").code, 0);
    assert_eq!(from.run("wait --converged").code, 0);
    let known = from.json("whereis kiwi --json");
    assert_eq!((&known["clients"][0]["agreed"], known["silent"].as_array().unwrap().len()), (&true.into(), 0));

    let cut = from.json("partition Clark,Jaquez --json");
    assert_eq!(cut["islands"].as_array().unwrap().len(), 2, "{cut}");
    assert_eq!(cut["set"].as_array().unwrap().len(), 2, "each link once: {cut}");
    assert_eq!(from.run("iamat kiwi +1+1 --to Clark").code, 0);
    let known = from.json("whereis kiwi --json");
    assert_eq!(known["clients"][0]["agreed"], false, "{known}");
    assert_eq!(from.json("ps --json")["summary"]["islands"], 2);
    assert_eq!(from.json("heal --all --json")["healed"].as_array().unwrap().len(), 2);
    assert_eq!(from.run("wait --converged").code, 0);
    wait_until("the links to be up", || from.run("ps --check").code == 0);
    let silent = from.json("partition Clark,Jaquez --silent --json");
    assert_eq!(silent["summary"]["islands"], 2, "apart at once, and noticed later: {silent}");
    assert_eq!(from.json("heal --all --json")["healed"].as_array().unwrap().len(), 2);
    assert_eq!(from.run("wait --converged").code, 0);
    assert_eq!(from.json("links --json")["faults"].as_array().unwrap().len(), 0);

    let late = from.json("delay Bona Clark 20ms --jitter 5ms --json");
    assert!(late["set"][0]["one_way"] == false && late["set"][0]["seed"].is_u64(), "by one chance: {late}");
    assert_eq!(from.run("heal Bona Clark").code, 0);

    assert!(from.run("kill Clark Bona").out.contains("Clark killed"));
    assert_eq!(from.json("ps --json")["summary"]["running"], 3);
    assert_eq!(from.run("start --all --wait").code, 0);
    wait_until("the herd to be ready again", || from.run("wait --ready --timeout 100ms").code == 0);
    assert_eq!(from.run("kill Clrk").code, 4);

    let mut clark = herd.take("Clark");
    clark.kill().unwrap();
    clark.wait().unwrap();
    wait_until("its neighbours to notice", || from.json("ps --json")["summary"]["links_up"] == 4);
    let ps = from.json("ps --json");
    assert_eq!((&state(&ps, "Clark")["state"], &ps["summary"]["running"]), (&"unreachable".into(), &4.into()));
    assert!(!state(&ps, "Clark")["note"].as_str().unwrap().is_empty());
    assert_eq!(from.run("ps --check").code, 8);
    let unsure = from.run("wait --converged --timeout 100ms");
    assert!(unsure.code == 7 && unsure.err.contains("Clark cannot be asked"), "{unsure:?}");
    let missed = from.run("partition Clark,Jaquez --json");
    let missed = missed.failure()["message"].as_str().unwrap().to_owned();
    assert!(missed.contains("Clark: ") && missed.ends_with("done: Bailey Bona Campbell Jaquez"), "{missed}");
    assert_eq!(from.json("whereis kiwi --json")["silent"][0]["server"], "Clark");
}

#[test]
fn processes_of_this_machine_are_one_herd() {
    let mut herd = Served::new();
    SERVERS.iter().for_each(|server| herd.start(server));
    let here = beside(&herd);
    is_one_herd(&mut herd, &here);
}

#[test]
fn from_another_host_they_are_reached_by_their_control_addresses() {
    let mut herd = Served::with_control();
    SERVERS.iter().for_each(|server| herd.start(server));
    let there = elsewhere(&herd, TOKEN);
    is_one_herd(&mut herd, &there);
}

#[test]
fn a_wrong_token_and_a_silent_address_are_said_and_hold_up_nothing() {
    let mut herd = Served::with_control();
    herd.start("Clark");
    let right = elsewhere(&herd, TOKEN);
    wait_until("Clark", || right.run("ps").code == 0);
    let wrong = elsewhere(&herd, "another-token-than-that");
    let note = state(&wrong.json("ps --json"), "Clark")["note"].as_str().unwrap().to_owned();
    assert!(note.contains("not the one of this control channel"), "{note}");
    // It accepts and says nothing.
    let _silent = TcpListener::bind(herd.control_of("Bona")).unwrap();
    let ps = right.json("ps --json --timeout 300ms");
    assert_eq!(state(&ps, "Clark")["state"], "running");
    assert!(state(&ps, "Bona")["note"].as_str().unwrap().contains("300ms"), "{ps}");
    assert!(state(&ps, "Jaquez")["note"].as_str().unwrap().starts_with("nobody answers at"), "{ps}");
}

#[test]
fn a_token_that_cannot_be_used_is_said_of_those_that_are_reached_with_it() {
    let mut herd = Served::with_control();
    let note = |field: &Field, server| {
        let ps = field.json("ps --json");
        state(&ps, server)["note"].as_str().unwrap_or_default().to_owned()
    };
    let there = elsewhere(&herd, "short");
    assert!(
        note(&there, "Clark").ends_with("herd.token: a token has 16 to 512 characters"),
        "{}",
        note(&there, "Clark")
    );
    let told = there.run("events --json").failure();
    assert!(told["error"] == "bad_config" && told["message"].as_str().unwrap().contains("16 to 512"), "{told}");
    // Who has a socket here needs none.
    herd.start("Bona");
    wait_until("Bona", || herd.ps("Bona").is_some());
    secret(&herd.field.path("herd.token"), "short");
    assert_eq!(state(&herd.field.json("ps --json"), "Bona")["state"], "running");
    assert!(note(&herd.field, "Clark").ends_with("a token has 16 to 512 characters"));
}
