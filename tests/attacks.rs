//! Those who mean harm, over real sockets. Who only breaks the protocol, or is slow, is in `failures`; who comes in crowds,
//! or takes all the time there is, in `crowds`.

mod crowds;

use std::sync::atomic::Ordering::Relaxed;

use herdctl::limits;
use herdctl::protocol::hello::{Dialing, Identity};

use crate::support::{Herd, wait_until};

/// The hello of a server to Clark, from this run of it and with this nonce.
fn hello<'a>(herd: &'a Herd, server: &'a str, nonce: u8) -> Dialing<'a> {
    Dialing::new(Identity { herd: "test", server, run: 7, secret: herd.secret(), also: None }, "Clark", [nonce; 16])
}

#[test]
fn a_server_of_the_herd_passes_only_where_it_has_a_link() {
    let herd = Herd::five_with(|config| config.herd = "test".into());
    herd.wait_linked();
    // It knows the secret; but Bailey and Clark are not linked.
    let dialing = hello(&herd, "Bailey", 1);
    let mut client = herd.client("Clark");
    client.say(format!("{}\nAT Bailey +0.000000000 evil +1-1 5\n", dialing.hello()));
    assert_eq!(String::from_utf8(client.hear_out()).unwrap(), format!("? {}\n", dialing.hello()));
    wait_until("the reason to be logged", || herd.log("Clark").contains("is Bailey, which is not"));
    assert_eq!(herd.client("Clark").ask("WHATSAT evil 10 5"), "? WHATSAT evil 10 5\n");
    herd.wait_linked();
}

#[test]
fn what_was_overheard_of_a_handshake_opens_nothing() {
    let mut herd = Herd::two(|_| {});
    herd.kill("Bona");
    let overheard = {
        let dialing = hello(&herd, "Bona", 1);
        let mut bona = herd.client("Clark");
        let hello = dialing.hello().to_owned();
        let answer = bona.ask(&hello);
        let (_, proof) = dialing.hear(answer.trim_end().as_bytes()).unwrap();
        bona.say(format!("{proof}\nHEARD 0\n"));
        assert_eq!(bona.hear(), "HEARD 0\n");
        (hello, proof)
    };
    // The same bytes again: the listener's part is another each time, so the proof is of something else.
    let (hello, proof) = overheard;
    let mut replayed = herd.client("Clark");
    assert!(replayed.ask(&hello).starts_with("PEER 1 test Clark Bona "));
    replayed.say(format!("{proof}\nHEARD 0\nAT Bona +0.000000000 evil +1-1 5\n"));
    assert_eq!(String::from_utf8(replayed.hear_out()).unwrap(), format!("? {proof}\n"));
    assert_eq!(herd.client("Clark").ask("WHATSAT evil 10 5"), "? WHATSAT evil 10 5\n");
}

#[test]
fn a_hello_longer_than_any_is_no_hello() {
    let herd = Herd::two(|_| {});
    let mut client = herd.client("Clark");
    let long = format!("PEER 1 test {} Clark 7 0", "B".repeat(2 * limits::HELLO_BYTES_MAX));
    assert_eq!(client.ask(&long), format!("? {long}\n"), "it is a client's line, and a wrong one");
    assert!(client.ask("IAMAT kiwi +1-1 5").starts_with("AT Clark "));
    herd.wait_linked();
}

#[test]
fn a_client_says_nothing_that_could_be_taken_for_a_record_or_obeyed_by_a_terminal() {
    let herd = Herd::two(|_| {});
    let mut client = herd.client("Clark");
    let forged = "\r2026-01-01T00:00:00.000000Z #1 ERROR all is lost";
    client.say(b"IAMAT \x1b[31mred\xc2\x9b\xe2\x80\xae +1-1 5\n");
    assert!(client.hear().starts_with("AT Clark "));
    client.say(format!("{forged}\x07\x00\n"));
    assert!(client.hear().starts_with("? "));
    for server in ["Clark", "Bona"] {
        wait_until("it to be logged", || herd.log(server).contains("\\x1b[31mred"));
        let log = herd.log(server);
        let hostile = log.bytes().find(|byte| !matches!(byte, b' '..=b'~' | b'\n'));
        // What the program itself writes may be more than ASCII: a line that marks the beginning of a file.
        assert!(
            hostile.is_none_or(|byte| byte >= 0x80 && !log.contains('\u{9b}') && !log.contains('\u{202e}')),
            "{log}"
        );
        assert!(!log.lines().any(|line| line.contains("ERROR all is lost") && !line.contains(" | ")), "{log}");
    }
}

#[test]
fn a_flood_of_new_names_fills_no_more_than_was_allowed_anywhere() {
    const ALLOWED: usize = 500;
    const SAID: usize = 20 * ALLOWED;
    let herd = Herd::two(|config| config.limits.clients_max = ALLOWED.try_into().unwrap());
    herd.wait_linked();
    let mut client = herd.client("Clark");
    let mut answered = 0;
    for some in (0..SAID).collect::<Vec<_>>().chunks(500) {
        client.say(some.iter().map(|name| format!("IAMAT flood-{name} +1-1 5\n")).collect::<String>());
        answered += some.iter().filter(|_| client.hear().starts_with("AT ")).count();
    }
    assert_eq!(answered, ALLOWED);
    herd.wait_converged(ALLOWED as u64);
    assert!(herd.running().all(|vitals| vitals.knows.load(Relaxed) == ALLOWED as u64));
    // Who was there before is served as before.
    assert!(client.ask("IAMAT flood-1 +2-2 6").starts_with("AT "));
    assert!(client.ask("WHATSAT flood-1 10 0").starts_with("AT "));
}
