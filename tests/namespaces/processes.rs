//! What happens to a host's process, or to the whole host: killed, stopped, told to leave, without power.

use std::io::{ErrorKind, Read};

use nix::sys::signal::Signal;

use super::herd::Herd;
use super::network::ELSEWHERE;
use crate::support::{Client, wait_until};

#[test]
fn a_killed_process_closes_everything_at_once_the_others_flood_on_and_it_catches_up() {
    let Some(mut herd) = Herd::five("") else { return };
    let mut clients: Vec<Client> = (0..50).map(|_| herd.client_on(ELSEWHERE, "Clark")).collect();
    for client in &mut clients {
        client.ask("IAMAT kiwi +1-1 5");
    }
    herd.kill("Clark");
    assert!(clients.iter_mut().all(Client::is_gone));
    herd.wait_links("Bona", 2);
    herd.wait_links("Jaquez", 1);
    let log = herd.log("Clark");
    assert!(!log.contains(" gone, ") && !log.contains("stopping"), "a killed process says no goodbye: {log}");

    assert!(herd.client("Jaquez").ask("IAMAT kiwi +2-2 6").starts_with("AT Jaquez"));
    herd.wait_converged(1);
    herd.start("Clark");
    herd.wait_linked();
    herd.wait_converged(1);
    assert!(herd.client("Clark").ask("WHATSAT kiwi 1 0").contains(" kiwi +2-2 6"));
}

#[test]
fn a_stopped_process_can_be_killed_and_unread_input_resets_its_connections() {
    let Some(mut herd) = Herd::two("") else { return };
    let mut client = herd.client_on(ELSEWHERE, "Clark");
    client.ask("IAMAT kiwi +1-1 5");
    herd.stop("Clark");
    client.say("IAMAT kiwi +1-1 6\n");
    herd.kill("Clark");
    let mut byte = [0];
    assert_eq!(client.stream.read(&mut byte).unwrap_err().kind(), ErrorKind::ConnectionReset);
    herd.wait_links("Bona", 0);
}

#[test]
fn a_process_that_is_told_to_leave_answers_what_it_has_heard_and_tells_its_neighbours() {
    let Some(mut herd) = Herd::five("") else { return };
    let mut client = herd.client_on(ELSEWHERE, "Clark");
    assert!(client.ask("IAMAT kiwi +1-1 5").starts_with("AT Clark"));
    assert_eq!(herd.end("Clark", Signal::SIGTERM), 0);
    assert_eq!(client.hear_out(), b"", "an end, and no reset");
    herd.wait_converged(1);
    assert!(herd.log("Clark").contains("INFO  stopped"));
    herd.wait_log("Bona", "link Clark down: closed by the neighbour");
}

#[test]
fn a_stopped_process_accepts_and_says_nothing_is_noticed_and_catches_up() {
    let Some(herd) = Herd::five("") else { return };
    herd.stop("Clark");
    let mut client = herd.client_on(ELSEWHERE, "Clark");
    client.say("IAMAT mango +1-1 5\n");
    herd.wait_links("Bona", 2);
    herd.wait_links("Jaquez", 1);
    herd.wait_log("Bona", "link Clark down: heard nothing for 2.9 s");
    herd.client("Bailey").ask("IAMAT kiwi +1-1 5");

    herd.signal("Clark", Signal::SIGCONT);
    assert!(client.hear().starts_with("AT Clark"), "what was said meanwhile is heard");
    herd.wait_linked();
    herd.wait_converged(2);
}

/// Nobody says goodbye for it, and the machine that comes back in its place knows of no connection.
#[test]
fn a_host_that_loses_its_power_comes_back_as_a_stranger_to_every_connection_and_catches_up() {
    let Some(mut herd) = Herd::two("") else { return };
    let mut client = herd.client_on(ELSEWHERE, "Clark");
    client.ask("IAMAT kiwi +1-1 5");
    herd.network.unplug("Clark");
    herd.kill("Clark");
    assert_eq!(herd.links_up("Bona"), 1, "nobody has told it");
    herd.network.replace("Clark");
    client.say("IAMAT kiwi +1-1 6\n");
    let mut byte = [0];
    assert_eq!(client.stream.read(&mut byte).unwrap_err().kind(), ErrorKind::ConnectionReset);
    herd.start("Clark");
    herd.wait_log("Bona", "link Clark down: ");
    herd.wait_linked();
    herd.wait_converged(1);
}

#[test]
fn a_neighbour_that_connects_again_replaces_its_old_connection() {
    let Some(mut herd) = Herd::two("") else { return };
    herd.client("Bona").ask("IAMAT kiwi +1-1 5");
    herd.wait_converged(1);
    // A firewall that takes away whatever ends a connection, and nothing else.
    herd.filter("Bona", "Clark", "tcp flags & (fin | rst) != 0 counter drop");
    herd.kill("Bona");
    wait_until("the end of the old one to be taken away", || herd.network.counted("Clark") > 0);
    assert_eq!(herd.links_up("Clark"), 1, "nobody has told it");
    herd.start("Bona");
    herd.wait_log("Clark", "link Bona down: the neighbour has connected again");
    herd.wait_linked();
    herd.wait_converged(1);
}

#[test]
fn a_crowd_of_clients_on_another_host_keeps_no_neighbour_out() {
    let Some(mut herd) = Herd::two("limits.connections_max = 10") else { return };
    herd.kill("Bona");
    herd.wait_links("Clark", 0);
    let mut crowd: Vec<Client> = (0..10).map(|_| herd.client_on(ELSEWHERE, "Clark")).collect();
    for client in &mut crowd {
        assert!(client.ask("IAMAT kiwi +1-1 5").starts_with("AT Clark"));
    }
    let mut late = herd.client_on(ELSEWHERE, "Clark");
    late.say("IAMAT late +1-1 5\n");
    assert!(late.is_gone(), "one client too many");
    herd.wait_log("Clark", "there are connections_max clients already");
    herd.start("Bona");
    herd.wait_linked();
    herd.wait_converged(1);
}
