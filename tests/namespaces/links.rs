//! What happens to the network between hosts: cables are pulled, and firewalls drop, refuse, lose and slow down.

use std::time::{Duration, Instant};

use herdctl::limits;

use super::herd::{FIVE, Herd};
use crate::faults::tell_many;
use crate::support::wait_until;

/// The links between Clark and Jaquez on one side and the rest on the other.
const ACROSS: [(&str, &str); 2] = [("Clark", "Bona"), ("Campbell", "Jaquez")];

#[test]
fn a_host_that_vanishes_is_noticed_by_silence_at_both_ends_and_the_others_answer_meanwhile() {
    let Some(herd) = Herd::five("") else { return };
    let mut clients = ["Bailey", "Bona", "Campbell", "Jaquez"].map(|server| herd.client(server));
    let start = Instant::now();
    herd.network.unplug("Clark");
    let mut time = 0;
    wait_until("all ends to notice", || {
        time += 1;
        for client in &mut clients {
            let asked = Instant::now();
            assert!(client.ask(&format!("IAMAT kiwi +1-1 {time}")).starts_with("AT "));
            assert!(asked.elapsed() < limits::LINK_SILENCE_MAX / 2, "an answer took {:?}", asked.elapsed());
        }
        herd.links_up("Clark") == 0 && herd.links_up("Bona") == 2 && herd.links_up("Jaquez") == 1
    });
    let took = start.elapsed();
    assert!(took > limits::LINK_SILENCE_MAX - limits::HEARTBEAT_EVERY - Duration::from_millis(100), "{took:?}");
    assert!(took < limits::LINK_SILENCE_MAX + Duration::from_secs(1), "{took:?}");
    for server in ["Bona", "Jaquez"] {
        herd.wait_log(server, "link Clark down: heard nothing for 2.9 s");
    }
    assert!(herd.client("Clark").ask("IAMAT mango +1-1 5").starts_with("AT Clark"), "it serves who is beside it");
    herd.network.plug("Clark");
    herd.wait_linked();
    herd.wait_converged(2);
}

#[test]
fn a_silence_that_is_short_loses_nothing_and_ends_no_link() {
    let Some(herd) = Herd::two("") else { return };
    herd.filter_both("Bona", "Clark", "counter drop");
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +1-1 5");
    assert_eq!(herd.unconfirmed("Clark"), 1, "nobody could say that it heard");
    assert_eq!(herd.knows("Bona"), 0);
    assert!(herd.network.counted("Bona") > 0, "a test in which nothing was dropped proves nothing");
    herd.heal(&["Bona", "Clark"]);
    herd.wait_converged(1);
    assert!(["Bona", "Clark"].iter().all(|name| !herd.log(name).contains(" down: ")), "the same connection");
}

#[test]
fn a_firewall_can_drop_one_way_only() {
    let Some(herd) = Herd::two("") else { return };
    herd.filter("Bona", "Clark", "drop");
    herd.wait_links("Clark", 0);
    herd.wait_log("Clark", "link Bona down: heard nothing for 2.9 s");
    assert!(herd.client("Bona").ask("IAMAT kiwi +1-1 5").starts_with("AT Bona"));
    assert_eq!(herd.knows("Clark"), 0);
    herd.heal(&["Clark"]);
    herd.wait_linked();
    herd.wait_converged(1);
}

#[test]
fn a_firewall_that_drops_keeps_the_hello_out_and_the_link_comes_up_when_it_heals() {
    let Some(mut herd) = Herd::two("") else { return };
    for (from, deaf) in [("Bona", "Clark"), ("Clark", "Bona")] {
        herd.kill("Bona");
        herd.wait_links("Clark", 0);
        herd.filter(from, deaf, "drop");
        herd.start("Bona");
        // The log is one of both lives.
        let tries = || herd.log("Bona").matches("no link to Clark: it does not answer").count();
        let before = tries();
        wait_until("Bona to give a dial up", || tries() > before);
        assert_eq!(herd.links_up("Clark") + herd.links_up("Bona"), 0, "{deaf} hears nothing");
        herd.heal(&[deaf]);
        herd.wait_linked();
    }
}

#[test]
fn a_firewall_that_refuses_is_seen_before_silence_would_be_and_heals_without_a_trace() {
    let Some(herd) = Herd::two("") else { return };
    let start = Instant::now();
    // A refusal comes in the name of who is behind the firewall; it is let through, as by a firewall in between.
    herd.filter_both("Bona", "Clark", "tcp flags & rst == 0 reject with tcp reset");
    for server in ["Bona", "Clark"] {
        herd.wait_links(server, 0);
    }
    assert!(start.elapsed() < limits::LINK_SILENCE_MAX, "by the refusal, not by silence: {:?}", start.elapsed());
    assert!(herd.client("Clark").ask("IAMAT kiwi +1-1 5").starts_with("AT Clark"), "nobody to wait for");
    assert_eq!(herd.unconfirmed("Clark"), 0);
    herd.wait_log("Bona", "no link to Clark: Connection refused");
    assert!(["Bona", "Clark"].iter().all(|server| !herd.log(server).contains("heard nothing for")));
    assert_eq!(herd.knows("Bona"), 0);
    herd.heal(&["Bona", "Clark"]);
    herd.wait_linked();
    herd.wait_converged(1);
}

#[test]
fn a_herd_converges_whatever_packets_its_network_loses() {
    let Some(herd) = Herd::five("") else { return };
    for server in FIVE {
        herd.network.filter(server, &["iifname eth0 numgen random mod 100 < 20 counter drop".into()]);
    }
    for (nth, server) in FIVE.iter().enumerate() {
        tell_many(&mut herd.client(server), "shared", 200, nth + 1);
        tell_many(&mut herd.client(server), server, 200, 1);
    }
    herd.wait_converged(1200);
    assert!(FIVE.iter().all(|server| herd.network.counted(server) > 0), "a test without losses proves nothing");
}

#[test]
fn a_slow_cable_slows_a_link_which_stays_up_and_slows_nobody_else() {
    let Some(herd) = Herd::two("") else { return };
    herd.network.run("Clark", "tc", "qdisc add dev eth0 root tbf rate 160kbit burst 2kb latency 400ms");
    let start = Instant::now();
    let mut client = herd.client("Clark");
    let asked = Instant::now();
    tell_many(&mut client, "c", 1000, 1);
    assert!(asked.elapsed() < limits::LINK_SILENCE_MAX, "whoever is beside it waits: {:?}", asked.elapsed());
    herd.wait_converged(1000);
    // A thousand reports of 30 bytes and more, at 20,000 bytes a second.
    assert!(start.elapsed() > Duration::from_millis(1200), "{:?}", start.elapsed());
    assert!(!herd.log("Bona").contains(" down: "));
}

#[test]
fn a_partition_makes_islands_that_know_different_things_and_one_herd_again() {
    let Some(herd) = Herd::five("") else { return };
    for (one, other) in ACROSS {
        herd.filter_both(one, other, "drop");
    }
    for (server, links_up) in [("Clark", 1), ("Bona", 2), ("Campbell", 2), ("Jaquez", 1)] {
        herd.wait_links(server, links_up);
    }
    herd.client("Clark").ask("IAMAT left +1-1 5");
    herd.client("Bailey").ask("IAMAT right +1-1 5");
    herd.client("Bailey").ask("IAMAT right2 +1-1 5");
    wait_until("each island to agree", || {
        ["Clark", "Jaquez"].iter().all(|server| herd.knows(server) == 1)
            && ["Bailey", "Bona", "Campbell"].iter().all(|server| herd.knows(server) == 2)
    });
    herd.heal(&["Bona", "Campbell", "Clark", "Jaquez"]);
    herd.wait_linked();
    herd.wait_converged(3);
}
