//! How long an answer waits for neighbours on other hosts.

use std::time::Instant;

use herdctl::limits;

use super::herd::Herd;

#[test]
fn an_answer_waits_for_a_neighbour_whose_host_has_vanished_but_not_for_ever() {
    let Some(herd) = Herd::two("") else { return };
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +1-1 5");
    herd.network.unplug("Bona");
    let start = Instant::now();
    assert!(client.ask("IAMAT kiwi +1-1 6").starts_with("AT Clark"));
    assert!(start.elapsed() >= limits::CONFIRM_MAX, "{:?}", start.elapsed());
    assert_eq!(herd.unconfirmed("Clark"), 1);
    herd.wait_log("Clark", "1 answers written that no neighbour has confirmed");
    // The same again on another connection must not be answered any sooner.
    let start = Instant::now();
    assert!(herd.client("Clark").ask("IAMAT kiwi +1-1 7").starts_with("AT Clark"));
    assert!(start.elapsed() >= limits::CONFIRM_MAX / 2);
    herd.network.plug("Bona");
    herd.wait_converged(1);
}

#[test]
fn with_ack_sent_a_neighbour_whose_host_has_vanished_delays_no_answer() {
    let Some(herd) = Herd::two("ack = \"sent\"") else { return };
    let mut client = herd.client("Clark");
    herd.network.unplug("Bona");
    client.ask("IAMAT kiwi +1-1 5");
    assert_eq!((herd.unconfirmed("Clark"), herd.links_up("Clark")), (0, 1));
    herd.network.plug("Bona");
    herd.wait_converged(1);
}

#[test]
fn with_heard_2_an_answer_waits_for_two_hosts_and_of_fewer_for_those_that_are_linked() {
    let Some(herd) = Herd::five("heard = 2") else { return };
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +1-1 5");
    assert_eq!(herd.unconfirmed("Clark"), 0);
    herd.network.unplug("Bona");
    let start = Instant::now();
    client.ask("IAMAT kiwi +1-1 6");
    assert!(start.elapsed() >= limits::CONFIRM_MAX / 2, "Jaquez is not enough");
    assert_eq!(herd.unconfirmed("Clark"), 1);
    herd.wait_log("Clark", "answers wait for 1 neighbour only");
    client.ask("IAMAT kiwi +1-1 7");
    assert_eq!(herd.unconfirmed("Clark"), 1);
}

#[test]
fn with_no_neighbour_alive_an_answer_waits_for_nobody() {
    let Some(mut herd) = Herd::two("") else { return };
    herd.kill("Bona");
    herd.wait_links("Clark", 0);
    herd.client("Clark").ask("IAMAT kiwi +1-1 5");
    assert_eq!(herd.unconfirmed("Clark"), 0);
}
