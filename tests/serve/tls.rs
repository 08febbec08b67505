//! A herd of processes is one herd from another host inside TLS too: each is known by its own certificate.

use std::fs;

use super::herdwide::elsewhere;
use super::{SERVERS, Served, TOKEN};
use crate::support::certificates::{Authority, TLS};
use crate::support::wait_until;

#[test]
fn inside_tls_each_process_is_known_by_its_certificate() {
    let mut herd = Served::with_control();
    herd.field.edit(|toml| format!("{toml}\n{TLS}"));
    let authority = Authority::new();
    authority.furnish(&herd.field.path("tls"), &SERVERS);
    SERVERS.iter().for_each(|server| herd.start(server));
    let there = elsewhere(&herd, TOKEN);
    fs::create_dir(there.path("tls")).unwrap();
    fs::write(there.path("tls/authority.pem"), authority.pem()).unwrap();
    wait_until("the herd to be ready", || there.run("wait --ready --timeout 200ms").code == 0);
    assert_eq!(there.run("kill Bona").code, 0);
    let event = there.json("wait --event server.killed --server Bona --since 1m --json");
    assert_eq!(event["process"], "Bona", "{event}");
    let logs = there.run("logs herd -n all --json");
    assert!(SERVERS.iter().all(|server| logs.out.contains(&format!("\"process\":\"{server}\""))), "{logs:?}");
    assert!(logs.out.contains("Bona killed") && !logs.out.contains("\"gap\""), "{logs:?}");

    // Who trusts somebody else is told so, and asks nobody.
    fs::write(there.path("tls/authority.pem"), Authority::new().pem()).unwrap();
    let ps = there.json("ps --json");
    assert!(ps["servers"].as_array().unwrap().iter().all(|server| server["state"] == "unreachable"), "{ps}");
    let events = there.run("events --json").failure();
    assert!(events["message"].as_str().unwrap().contains("certificate"), "{events}");
    fs::write(there.path("tls/authority.pem"), authority.pem()).unwrap();
    assert_eq!(there.json("down --json")["servers"], 4);
}
