//! What goes wrong around a server, and what must not follow from it.

use std::io::{ErrorKind, Read};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use herdctl::config::Ack;
use herdctl::limits;
use herdctl::protocol::hello::{Answering, Dialing, Identity};
use herdctl::server::Signal;
use herdctl::server::vitals::Phase;

use crate::support::{Client, Herd, wait_until};

#[test]
fn a_killed_server_closes_everything_at_once_and_the_others_see_it() {
    let mut herd = Herd::five();
    let mut clients: Vec<Client> = (0..50).map(|_| herd.client("Clark")).collect();
    for client in &mut clients {
        client.ask("IAMAT kiwi +1-1 5");
    }
    herd.kill("Clark");
    assert!(clients.iter_mut().all(Client::is_gone));
    wait_until("its neighbours to see it", || {
        ["Bona", "Jaquez"].iter().all(|name| herd.vitals(name).links_live() + 1 == herd.vitals(name).neighbours.len())
    });
    let log = herd.log("Clark");
    assert!(!log.contains(" gone, ") && !log.contains("stopping"), "a killed server says no goodbye: {log}");
}

#[test]
fn unread_input_makes_a_killed_server_reset_its_connections_as_the_kernel_does() {
    let mut herd = Herd::one(|_| {});
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +1-1 5");
    herd.signal("Clark", Signal::Stop);
    herd.wait_phase("Clark", Phase::Paused);
    client.say("IAMAT kiwi +1-1 6\n");
    herd.kill("Clark");
    let mut byte = [0];
    assert_eq!(client.stream.read(&mut byte).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_stopping_server_answers_what_it_has_heard_and_tells_its_neighbours() {
    let mut herd = Herd::five();
    let mut client = herd.client("Clark");
    let answer = client.ask("IAMAT kiwi +1-1 5");
    assert!(answer.starts_with("AT Clark"));
    herd.end("Clark", Signal::Terminate).unwrap().unwrap();
    assert_eq!(client.hear_out(), b"", "an end, and no reset");
    herd.wait_converged(1);
    assert!(herd.log("Clark").contains("INFO  stopped"));
    wait_until("the log to say so", || herd.log("Bona").contains("link Clark down: closed by the neighbour"));
}

#[test]
fn a_panic_ends_one_server_and_only_that() {
    let mut herd = Herd::five();
    let panicked = herd.end("Bona", Signal::Panic);
    assert!(panicked.is_err());
    herd.client("Bailey").ask("IAMAT kiwi +1-1 5");
    herd.wait_converged(1);
    herd.start("Bona");
    herd.wait_linked();
    herd.wait_converged(1);
}

#[test]
fn a_paused_server_accepts_and_says_nothing_is_noticed_and_catches_up() {
    let herd = Herd::five();
    herd.signal("Clark", Signal::Stop);
    herd.wait_phase("Clark", Phase::Paused);
    let mut client = herd.client("Clark");
    client.say("IAMAT mango +1-1 5\n");

    let seen_dead = |name| herd.vitals(name).links_live() + 1 == herd.vitals(name).neighbours.len();
    wait_until("its neighbours to call the links dead", || seen_dead("Bona") && seen_dead("Jaquez"));
    wait_until("the log to say why", || herd.log("Bona").contains("link Clark down: heard nothing for 2.9 s"));
    herd.client("Bailey").ask("IAMAT kiwi +1-1 5");

    herd.signal("Clark", Signal::Continue);
    assert!(client.hear().starts_with("AT Clark"), "what was said meanwhile is heard");
    herd.wait_linked();
    herd.wait_converged(2);
}

#[test]
fn a_paused_server_can_be_killed() {
    let mut herd = Herd::one(|_| {});
    herd.signal("Clark", Signal::Stop);
    herd.wait_phase("Clark", Phase::Paused);
    herd.kill("Clark");
}

#[test]
fn an_answer_waits_for_a_neighbour_but_not_for_ever() {
    let herd = Herd::two(|_| {});
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +1-1 5");
    herd.signal("Bona", Signal::Stop);
    herd.wait_phase("Bona", Phase::Paused);
    let start = Instant::now();
    assert!(client.ask("IAMAT kiwi +1-1 6").starts_with("AT Clark"));
    assert!(start.elapsed() >= limits::CONFIRM_MAX, "{:?}", start.elapsed());
    assert_eq!(herd.vitals("Clark").unconfirmed.load(Relaxed), 1);
    wait_until("the log to say so", || herd.log("Clark").contains("1 answers written that no neighbour has confirmed"));
    // The same again on another connection must not be answered any sooner.
    let start = Instant::now();
    assert!(client.ask("IAMAT kiwi +1-1 7").starts_with("AT Clark"));
    assert!(start.elapsed() >= limits::CONFIRM_MAX / 2);
    herd.signal("Bona", Signal::Continue);
    herd.wait_converged(1);
}

#[test]
fn with_ack_sent_a_paused_neighbour_delays_no_answer() {
    let herd = Herd::two(|config| config.ack = Ack::Sent);
    let mut client = herd.client("Clark");
    herd.signal("Bona", Signal::Stop);
    herd.wait_phase("Bona", Phase::Paused);
    client.ask("IAMAT kiwi +1-1 5");
    assert_eq!(herd.vitals("Clark").unconfirmed.load(Relaxed), 0);
    herd.signal("Bona", Signal::Continue);
    herd.wait_converged(1);
}

#[test]
fn with_heard_2_an_answer_waits_for_two_neighbours_and_of_fewer_for_those_that_are_linked() {
    let mut herd = Herd::five_with(|config| config.heard = 2);
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +1-1 5");
    assert_eq!(herd.vitals("Clark").unconfirmed.load(Relaxed), 0);
    herd.signal("Bona", Signal::Stop);
    herd.wait_phase("Bona", Phase::Paused);
    let start = Instant::now();
    client.ask("IAMAT kiwi +1-1 6");
    assert!(start.elapsed() >= limits::CONFIRM_MAX / 2, "Jaquez is not enough");
    assert_eq!(herd.vitals("Clark").unconfirmed.load(Relaxed), 1);
    herd.kill("Bona");
    wait_until("the log to say so", || herd.log("Clark").contains("answers wait for 1 neighbour only"));
    client.ask("IAMAT kiwi +1-1 7");
    assert_eq!(herd.vitals("Clark").unconfirmed.load(Relaxed), 1);
}

#[test]
fn with_no_neighbour_alive_an_answer_waits_for_nobody() {
    let mut herd = Herd::two(|_| {});
    herd.kill("Bona");
    wait_until("the link to be down", || herd.vitals("Clark").links_live() == 0);
    herd.client("Clark").ask("IAMAT kiwi +1-1 5");
    assert_eq!(herd.vitals("Clark").unconfirmed.load(Relaxed), 0);
}

#[test]
fn a_client_that_does_not_read_is_slowed_then_dropped_and_slows_nobody() {
    let herd = Herd::one(|config| {
        config.limits.unread_bytes_max = 64 * 1024;
        config.limits.unread_seconds_max = 1;
    });
    let mut greedy = herd.client("Clark");
    greedy.ask("IAMAT kiwi +34.068930-118.445127 5");
    greedy.stream.set_nonblocking(true).unwrap();
    let questions = "WHATSAT kiwi 50 20\n".repeat(1000);
    let mut other = herd.client("Clark");
    wait_until("the reader that does not read to be dropped", || {
        // Says as much as the kernel takes and reads nothing.
        let _ = std::io::Write::write(&mut greedy.stream, questions.as_bytes());
        assert!(other.ask("IAMAT mango +1-1 5").starts_with("AT Clark"));
        herd.log("Clark").contains("dropped, it read no answer for unread_seconds_max")
    });
}

#[test]
fn a_client_that_reads_slowly_gets_everything() {
    let herd = Herd::one(|config| config.limits.unread_bytes_max = 4096);
    let mut client = herd.client("Clark");
    client.ask("IAMAT kiwi +34.068930-118.445127 5");
    let mut writer = client.stream.try_clone().unwrap();
    let talker = std::thread::spawn(move || {
        for _ in 0..200 {
            std::io::Write::write_all(&mut writer, b"WHATSAT kiwi 50 20\nx\n").unwrap();
        }
    });
    for _ in 0..200 {
        assert_eq!(client.hear_places().1["results"].as_array().unwrap().len(), 20);
        assert_eq!(client.hear(), "? x\n");
    }
    talker.join().unwrap();
}

#[test]
fn an_idle_client_is_dropped_when_the_limit_says_so() {
    let herd = Herd::one(|config| config.limits.idle_seconds_max = 1);
    let mut idle = herd.client("Clark");
    assert_eq!(idle.hear_out(), b"");
    wait_until("the log to say why", || herd.log("Clark").contains("dropped, it said no line for idle_seconds_max"));
}

#[test]
fn a_crowd_of_clients_neither_grows_a_server_nor_keeps_a_neighbour_out() {
    let mut herd = Herd::two(|config| config.limits.connections_max = 10);
    herd.kill("Bona");
    let mut crowd: Vec<Client> = (0..10).map(|_| herd.client("Clark")).collect();
    for client in &mut crowd {
        assert!(client.ask("IAMAT kiwi +1-1 5").starts_with("AT Clark"));
    }
    let mut late = herd.client("Clark");
    late.say("IAMAT late +1-1 5\n");
    assert!(late.is_gone(), "one client too many");
    wait_until("the log to say so", || herd.log("Clark").contains("there are connections_max clients already"));
    herd.start("Bona");
    herd.wait_linked();
    herd.wait_converged(1);
}

#[test]
fn strangers_cannot_pass_for_neighbours() {
    let herd = Herd::two(|_| {});
    let secret = herd.secret().to_vec();
    let me = |herd: &'static str, server: &'static str, secret| Identity { herd, server, run: 7, secret, also: None };
    let attempts = [
        ("another herd", Dialing::new(me("other", "Bona", &secret), "Clark", [1; 16])),
        ("another name", Dialing::new(me("test", "Mallory", &secret), "Clark", [1; 16])),
        ("another server's port", Dialing::new(me("test", "Bona", &secret), "Jaquez", [1; 16])),
    ];
    for (what, dialing) in attempts {
        let mut client = herd.client("Clark");
        client.say(format!("{}\nAT Bona +0.000000000 evil +1-1 5\n", dialing.hello()));
        assert_eq!(String::from_utf8(client.hear_out()).unwrap(), format!("? {}\n", dialing.hello()), "{what}");
    }
    // One that does not know the secret gets as far as the proof.
    let dialing = Dialing::new(me("test", "Bona", b"a guess"), "Clark", [1; 16]);
    let mut client = herd.client("Clark");
    let answer = client.ask(dialing.hello());
    assert!(answer.starts_with("PEER 1 test Clark Bona "), "{answer}");
    client.say(format!("PROOF {}\nHEARD 0\nAT Bona +0.000000000 evil +1-1 5\n", "0".repeat(64)));
    assert_eq!(String::from_utf8(client.hear_out()).unwrap(), format!("? PROOF {}\n", "0".repeat(64)));
    // One that sends the listener's own proof back.
    let mut client = herd.client("Clark");
    let answer = client.ask(dialing.hello());
    let proof = answer.trim_end().rsplit(' ').next().unwrap().to_owned();
    client.say(format!("PROOF {proof}\n"));
    assert_eq!(String::from_utf8(client.hear_out()).unwrap(), format!("? PROOF {proof}\n"));

    assert_eq!(herd.client("Clark").ask("WHATSAT evil 10 5"), "? WHATSAT evil 10 5\n");
    wait_until("the reasons to be logged", || {
        let log = herd.log("Clark");
        ["belongs to herd other", "is Mallory, which", "wants to speak to Jaquez", "does not know the herd's secret"]
            .iter()
            .all(|why| log.contains(why))
    });
    herd.wait_linked();
}

#[test]
fn a_neighbour_that_breaks_the_protocol_is_dropped_and_changes_nothing() {
    let mut herd = Herd::two(|_| {});
    herd.kill("Bona");
    let too_long = format!("AT Bona +0.000000000 {} +1-1 5", "x".repeat(70_000));
    for junk in ["GET / HTTP/1.1", "AT nonsense", "TOLD x 0", "HEARD", &"x".repeat(200_000), &too_long] {
        let secret = herd.secret().to_vec();
        let dialing = Dialing::new(
            Identity { herd: "test", server: "Bona", run: 7, secret: &secret, also: None },
            "Clark",
            [1; 16],
        );
        let mut client = herd.client("Clark");
        let answer = client.ask(dialing.hello());
        let (_, proof) = dialing.hear(answer.trim_end().as_bytes()).unwrap();
        client.say(format!("{proof}\nHEARD 0\n"));
        assert_eq!(client.hear(), "HEARD 0\n");
        client.say(format!("{junk}\n"));
        assert!(client.is_gone() || client.is_gone(), "{junk}");
    }
    wait_until("the log to name the breach", || herd.log("Clark").contains("said what no neighbour says: AT nonsense"));
    assert!(herd.client("Clark").ask("x").starts_with("? x"));
    assert_eq!(herd.vitals("Clark").knows.load(Relaxed), 0);
}

#[test]
fn a_neighbour_that_connects_again_replaces_its_old_connection() {
    let mut herd = Herd::two(|_| {});
    herd.kill("Bona");
    let secret = herd.secret().to_vec();
    let connect = || {
        let dialing = Dialing::new(
            Identity { herd: "test", server: "Bona", run: 7, secret: &secret, also: None },
            "Clark",
            [1; 16],
        );
        let mut client = herd.client("Clark");
        let answer = client.ask(dialing.hello());
        let (_, proof) = dialing.hear(answer.trim_end().as_bytes()).unwrap();
        client.say(format!("{proof}\nHEARD 0\n"));
        assert_eq!(client.hear(), "HEARD 0\n");
        client
    };
    let mut old = connect();
    let mut new = connect();
    wait_until("the old one to be dropped", || herd.log("Clark").contains("the neighbour has connected again"));
    while !old.hear().is_empty() {}
    new.say("AT Bona +0.000000000 kiwi +1-1 5\nTOLD 1 1\n");
    while new.hear() != "HEARD 1\n" {}
    assert_eq!(herd.vitals("Clark").links_live(), 1);
    // It resumes where it stopped, for this is the same run.
    drop(new);
    wait_until("the link to be down", || herd.vitals("Clark").links_live() == 0);
    let dialing =
        Dialing::new(Identity { herd: "test", server: "Bona", run: 7, secret: &secret, also: None }, "Clark", [1; 16]);
    let mut again = herd.client("Clark");
    let answer = again.ask(dialing.hello());
    let (_, proof) = dialing.hear(answer.trim_end().as_bytes()).unwrap();
    again.say(format!("{proof}\n"));
    assert_eq!(again.hear(), "HEARD 1\n");
    // What it has said it has, over whatever connection that was.
    again.say("HEARD 0\n");
    assert_eq!(again.hear(), "TOLD 1 0\n");
}

#[test]
fn a_listener_that_cannot_prove_itself_gets_no_link() {
    let mut herd = Herd::two(|_| {});
    herd.kill("Clark");
    // An impostor takes Clark's place.
    let listener = loop {
        if let Ok(listener) = std::net::TcpListener::bind(herd.address("Clark")) {
            break listener;
        }
    };
    let (stream, _) = listener.accept().unwrap();
    let mut bona = Client::of(stream);
    let hello = bona.hear();
    let me = Identity { herd: "test", server: "Clark", run: 9, secret: b"a guess", also: None };
    let (_, from, line) = Answering::new(me, hello.trim_end().as_bytes(), [2; 16], |_| true).unwrap();
    assert_eq!(from, "Bona");
    bona.say(format!("{line}\n"));
    assert_eq!(bona.hear_out(), b"", "no proof, and no report, for a stranger");
    wait_until("the log to say why", || {
        herd.log("Bona").contains("no link to Clark: it does not know the herd's secret")
    });
    assert_eq!(herd.vitals("Bona").links_live(), 0);
}

#[test]
fn a_hello_that_never_ends_is_given_up() {
    let herd = Herd::two(|_| {});
    let mut client = herd.client("Clark");
    let secret = herd.secret().to_vec();
    let dialing =
        Dialing::new(Identity { herd: "test", server: "Bona", run: 7, secret: &secret, also: None }, "Clark", [1; 16]);
    client.ask(dialing.hello());
    let start = Instant::now();
    assert_eq!(client.hear_out(), b"");
    assert!(start.elapsed() >= limits::HANDSHAKE_MAX / 2);
    herd.wait_linked();
}
