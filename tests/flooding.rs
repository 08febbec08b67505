//! A herd of real servers: every update reaches every server, and whoever was away catches up.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use herdctl::config::topology::Topology;
use herdctl::config::{Flooding, Shape};
use herdctl::server::fault::{Delay, Fault};
use herdctl::server::vitals::Neighbour;

use crate::support::{Herd, wait_until};

#[test]
fn an_update_at_any_server_is_known_at_all() {
    let herd = Herd::five();
    for (number, name) in herd.names().into_iter().enumerate() {
        let answer = herd.client(&name).ask(&format!("IAMAT phone-of-{name} +34.068930-118.445127 5"));
        herd.wait_converged(number as u64 + 1);
        for other in herd.names() {
            let mut client = herd.client(&other);
            client.say(format!("WHATSAT phone-of-{name} 10 1\n"));
            let (at, places) = client.hear_places();
            assert_eq!(at, answer, "said at {name}, asked at {other}");
            assert_eq!(places["status"], "OK");
        }
    }
}

#[test]
fn an_update_costs_no_more_lines_than_promised() {
    let mut herd = Herd::five();
    herd.client("Clark").ask("IAMAT kiwi +1-1 5");
    herd.wait_converged(1);
    wait_until_all_heard(&herd);
    let said = reports_said(&mut herd);
    let (servers, links) = (5, 6);
    assert!((servers - 1..=2 * links - (servers - 1)).contains(&said), "{said} lines");
}

#[test]
fn a_hundred_and_two_hundred_servers_flood_within_the_promised_number_of_lines() {
    for (topology, servers) in [(Topology::SmallWorld, 100), (Topology::Random, 200)] {
        let shape = Shape { topology, servers, degree: 4, seed: 1 };
        let mut herd = Herd::of(shape, |_| {});
        for (number, name) in ["S1", "S50", "S100"].into_iter().enumerate() {
            herd.client(name).ask(&format!("IAMAT kiwi-{name} +1-1 5"));
            herd.wait_converged(number as u64 + 1);
        }
        wait_until_all_heard(&herd);
        let links = herd.config.links.len();
        let said = reports_said(&mut herd);
        assert!((3 * (servers - 1)..=3 * (2 * links - (servers - 1))).contains(&said), "{said} lines of {servers}");
    }
}

#[test]
fn in_a_tree_who_is_always_late_holds_back_until_it_is_needed() {
    let mut herd = Herd::five_with(|config| config.flooding = Flooding::Tree);
    let late = Delay { by: Duration::from_millis(20), jitter: Duration::ZERO, seed: 1 };
    herd.fault("Jaquez", "Campbell", Fault { delay: late, ..Fault::default() });
    let (mut phone, mut time) = (herd.client("Clark"), 0);
    let mut move_on = || {
        time += 1;
        phone.ask(&format!("IAMAT kiwi +1-1 {time}"));
        time
    };
    wait_until("Campbell asks Jaquez to hold back, for it hears all from Bona", || {
        (0..20).for_each(|_| _ = move_on());
        is_held(&herd, "Jaquez", "Campbell")
    });
    move_on();
    herd.wait_converged(1);
    herd.kill("Bona");
    wait_until("without Bona it needs Jaquez", || !is_held(&herd, "Jaquez", "Campbell"));
    for word in ["HOLD", "FLOW"] {
        wait_until(word, || herd.log("Jaquez").contains(&format!("IN    Campbell | {word}\n")));
    }
    let last = move_on();
    herd.wait_converged(1);
    herd.start("Bona");
    herd.wait_converged(1);
    for name in herd.names() {
        let answer = herd.client(&name).ask("WHATSAT kiwi 1 0");
        assert!(answer.trim_end().ends_with(&format!(" kiwi +1-1 {last}")), "{name}: {answer}");
    }
}

/// Whether `who` has been asked by its neighbour `by` to hold back.
fn is_held(herd: &Herd, who: &str, by: &str) -> bool {
    let by = herd.names().iter().position(|name| name == by);
    let asks = |neighbour: &&Neighbour| Some(neighbour.server) == by;
    herd.vitals(who).neighbours.iter().find(asks).expect("a neighbour").held.load(Relaxed)
}

#[test]
fn a_server_that_was_down_is_told_what_it_missed() {
    let mut herd = Herd::five();
    herd.client("Bailey").ask("IAMAT before +1-1 5");
    herd.wait_converged(1);
    herd.kill("Clark");
    herd.client("Bailey").ask("IAMAT before +2-2 6");
    herd.client("Jaquez").ask("IAMAT while +3-3 7");
    herd.start("Clark");
    herd.wait_linked();
    herd.wait_converged(2);
    let mut client = herd.client("Clark");
    client.say("WHATSAT before 1 0\n");
    assert!(client.hear_places().0.ends_with(" before +2-2 6\n"));
}

#[test]
fn what_only_a_killed_server_was_told_is_known_when_it_was_answered() {
    for round in 0..20 {
        let mut herd = Herd::five();
        let answer = herd.client("Campbell").ask(&format!("IAMAT kiwi +1-1 {round}"));
        herd.kill("Campbell");
        herd.wait_converged(1);
        let mut client = herd.client("Jaquez");
        client.say("WHATSAT kiwi 1 0\n");
        assert_eq!(client.hear_places().0, answer);
    }
}

#[test]
fn the_newest_wins_wherever_it_was_said_and_whenever_it_comes() {
    let herd = Herd::five();
    let names = herd.names();
    for n in 0..50 {
        // Said in no order of time, at all servers in turn.
        let time = (n * 37) % 50;
        herd.client(&names[n % 5]).ask(&format!("IAMAT kiwi +1-1 {time}"));
    }
    herd.wait_converged(1);
    for name in names {
        let mut client = herd.client(&name);
        client.say("WHATSAT kiwi 1 0\n");
        assert!(client.hear_places().0.ends_with(" kiwi +1-1 49\n"));
    }
}

/// Neighbours with nothing to say keep their link from the first second on, before any report has come.
#[test]
fn a_link_with_nothing_to_say_is_kept() {
    let herd = Herd::two(|_| {});
    wait_until("a heartbeat each way", || {
        let bona = herd.log("Bona");
        ["IN    Clark | TOLD 0 0", "OUT   Clark | TOLD 0 0"].iter().all(|beat| bona.contains(beat))
    });
    assert!(!herd.log("Bona").contains(" down"), "{}", herd.log("Bona"));
}

/// What is still on its way has been heard once every neighbour has said so.
fn wait_until_all_heard(herd: &Herd) {
    wait_until("every neighbour to have heard", || {
        herd.names().iter().all(|name| {
            let vitals = herd.vitals(name);
            let edition = vitals.edition.load(Relaxed);
            vitals.neighbours.iter().all(|neighbour| neighbour.heard.load(Relaxed) == edition)
        })
    });
}

/// How many reports the servers have said to each other. Ends the herd: a server that has ended has written all of
/// its log.
fn reports_said(herd: &mut Herd) -> usize {
    herd.names().iter().for_each(|name| herd.kill(name));
    let said = |line: &&str| line.contains(" OUT   ") && line.contains("| AT ") && !line.contains("client ");
    herd.names().iter().map(|name| herd.log(name).lines().filter(said).count()).sum()
}
