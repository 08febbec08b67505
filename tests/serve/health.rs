//! What a runner asks of a served server, and is told: alive, ready, and systemd's watchdog.

use std::os::unix::net::UnixDatagram;

use nix::sys::signal::Signal;

use super::{PATIENCE, Served, heard};
use crate::support::wait_until;

#[test]
fn a_server_that_is_alone_becomes_ready_and_one_with_a_neighbour_when_it_knows_what_that_knows() {
    let mut herd = Served::new();
    herd.start("Clark");
    let asked = |herd: &Served, server: &str, path| herd.get(server, path).unwrap_or_default();
    wait_until("Clark to look for its neighbours", || {
        asked(&herd, "Clark", "/readyz") == (503, "Clark looks for its neighbours (0/2 links up)\n".into())
    });
    assert_eq!(asked(&herd, "Clark", "/healthz"), (200, "alive\n".into()));
    wait_until("Clark to be ready all alone", || asked(&herd, "Clark", "/readyz") == (200, "ready\n".into()));
    assert_eq!(herd.field.run("--socket .herd/Clark.serve/herd.sock iamat kiwi +34.07-118.45 --to Clark").code, 0);

    herd.start("Bona");
    wait_until("Bona to be ready", || asked(&herd, "Bona", "/readyz") == (200, "ready\n".into()));
    let bona = herd.ps("Bona").unwrap();
    assert_eq!(bona["servers"][0]["knows"], 1, "it was ready and knew nothing: {bona}");

    assert_eq!(herd.field.run("--socket .herd/Bona.serve/herd.sock pause Bona").code, 0);
    assert_eq!(asked(&herd, "Bona", "/readyz"), (503, "Bona is paused\n".into()));
    assert_eq!(asked(&herd, "Bona", "/healthz"), (200, "alive\n".into()));
    assert_eq!(herd.field.run("--socket .herd/Bona.serve/herd.sock resume Bona").code, 0);
    assert_eq!(asked(&herd, "Bona", "/readyz"), (200, "ready\n".into()));
    let started = herd.field.run("--socket .herd/Bona.serve/herd.sock restart Bona --hard --wait");
    assert!(started.out.contains("knows 1 location"), "{started:?}");
}

#[test]
fn a_watchdog_is_told_that_the_process_is_alive_and_only_if_it_is_meant() {
    let mut herd = Served::new();
    let runner = UnixDatagram::bind(herd.field.path("notify")).unwrap();
    runner.set_read_timeout(Some(PATIENCE)).unwrap();
    herd.start_with("Clark", &[("WATCHDOG_USEC", "100000")]);
    let mut news: Vec<String> = (0..5).map(|_| heard(&runner)).collect();
    news.sort_unstable();
    assert_eq!(news, ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1", "WATCHDOG=1"]);
    assert_eq!(herd.end("Clark", Signal::SIGTERM), 0);
    while heard(&runner) != "STOPPING=1" {}

    // Meant for another process: a child of it would have to say nothing.
    herd.start_with("Clark", &[("WATCHDOG_USEC", "1000"), ("WATCHDOG_PID", "1")]);
    assert_eq!(heard(&runner), "READY=1");
    wait_until("Clark to answer", || herd.ps("Clark").is_some());
    assert_eq!(herd.end("Clark", Signal::SIGTERM), 0);
    assert_eq!(heard(&runner), "STOPPING=1");
}
