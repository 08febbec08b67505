//! What all processes of a herd are told at once: to forget a client, and to end.

use super::herdwide::{beside, elsewhere};
use super::{SERVERS, Served, TOKEN};
use crate::commands::{Field, wait};
use crate::schemas;
use crate::support::wait_until;

fn forget_and_end(herd: &mut Served, from: &Field) {
    wait_until("the herd to be ready", || from.run("wait --ready --timeout 100ms").code == 0);
    assert_eq!(from.run("iamat kiwi +1+1 --to Clark").code, 0);
    assert_eq!(from.run("wait --converged").code, 0);
    let forgotten = from.json("forget kiwi --json");
    schemas::check("forget", &forgotten);
    assert_eq!((&forgotten["forgot"], &forgotten["may_return"]), (&SERVERS.to_vec().into(), &serde_json::json!([])));
    assert_eq!(from.run("whereis kiwi").code, 8);
    assert_eq!(from.json("forget kiwi --json")["changed"], false);

    let mut clark = herd.take("Clark");
    clark.kill().unwrap();
    clark.wait().unwrap();
    assert_eq!(from.run("iamat emu +1+1 --to Bona").code, 0);
    let forgotten = from.json("forget emu --json");
    let why = forgotten["may_return"][0].as_str().unwrap();
    assert!(why.starts_with("Clark cannot be asked, and may still know it: "), "{forgotten}");

    // Clark has ended already; the others do now.
    let down = from.json("down --json");
    schemas::check("down", &down);
    assert_eq!((&down["changed"], &down["servers"]), (&true.into(), &4.into()));
    for server in SERVERS.iter().filter(|server| **server != "Clark") {
        assert_eq!(wait(&mut herd.take(server)), 0, "{server}");
    }
    assert_eq!(from.json("down --json")["changed"], false);
    assert_eq!(from.run("forget kiwi").code, 3);
}

#[test]
fn the_processes_of_this_machine_forget_and_end() {
    let mut herd = Served::new();
    SERVERS.iter().for_each(|server| herd.start(server));
    let here = beside(&herd);
    forget_and_end(&mut herd, &here);
}

#[test]
fn the_processes_of_other_hosts_forget_and_end() {
    let mut herd = Served::with_control();
    SERVERS.iter().for_each(|server| herd.start(server));
    let there = elsewhere(&herd, TOKEN);
    forget_and_end(&mut herd, &there);
}

#[test]
fn who_cannot_be_told_to_end_is_said() {
    let mut herd = Served::with_control();
    herd.start("Bona");
    let there = elsewhere(&herd, TOKEN);
    wait_until("Bona", || there.run("ps").code == 0);
    // It accepts and says nothing.
    let _silent = std::net::TcpListener::bind(herd.control_of("Clark")).unwrap();
    let down = there.run("down --json --timeout 100ms");
    assert_eq!(down.code, 7, "{down:?}");
    let message = down.failure()["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("Clark: no answer from ") && message.ends_with("; done: Bona"), "{message}");
    wait(&mut herd.take("Bona"));
}
