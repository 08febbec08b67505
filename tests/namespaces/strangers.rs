//! A host on the same network that does not know the herd's secret.

use herdctl::protocol::hello::{Dialing, Identity};

use super::herd::Herd;
use super::network::ELSEWHERE;
use crate::commands::Field;
use crate::serve;
use crate::support::wait_until;

#[test]
fn a_host_that_does_not_know_the_secret_cannot_pass_for_a_neighbour() {
    let Some(mut herd) = Herd::two("") else { return };
    herd.kill("Bona");
    // One with the right names and a guess gets as far as the proof.
    let me = Identity { herd: "test", server: "Bona", run: 7, secret: b"a guess", also: None };
    let dialing = Dialing::new(me, "Clark", [1; 16]);
    let mut client = herd.client_on(ELSEWHERE, "Clark");
    let answer = client.ask(dialing.hello());
    assert!(answer.starts_with("PEER 1 test Clark Bona "), "{answer}");
    client.say(format!("PROOF {}\nHEARD 0\nAT Bona +0.000000000 evil +1-1 5\n", "0".repeat(64)));
    assert_eq!(String::from_utf8(client.hear_out()).unwrap(), format!("? PROOF {}\n", "0".repeat(64)));
    // One that sends the listener's own proof back.
    let mut client = herd.client_on(ELSEWHERE, "Clark");
    let answer = client.ask(dialing.hello());
    let proof = answer.trim_end().rsplit(' ').next().unwrap().to_owned();
    client.say(format!("PROOF {proof}\n"));
    assert_eq!(String::from_utf8(client.hear_out()).unwrap(), format!("? PROOF {proof}\n"));
    assert_eq!(herd.client("Clark").ask("WHATSAT evil 10 5"), "? WHATSAT evil 10 5\n");
    assert_eq!(herd.links_up("Clark"), 0);
    herd.start("Bona");
    herd.wait_linked();
}

/// The program itself, in Bona's place, with another secret: it is told nothing, and nothing it knows is taken.
#[test]
fn a_whole_server_with_another_secret_gets_no_link() {
    let Some(mut herd) = Herd::two("") else { return };
    herd.client("Clark").ask("IAMAT kiwi +1-1 5");
    herd.kill("Bona");
    let (there, own) = (Field::new(), herd.network.address(ELSEWHERE));
    let toml = std::fs::read_to_string(herd.field.path("herd.toml")).unwrap();
    let bona = herd.address("Bona").to_string();
    there.edit(|_| toml.replace(&bona, &format!("{own}:11000")));
    serve::secret(&there.path("herd.secret"), "a guess\n");
    let mut impostor = there.command(&["serve", "Bona"]);
    impostor.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let mut impostor = herd.network.on(ELSEWHERE, || impostor.spawn().unwrap());
    let log = || std::fs::read_to_string(there.path("logs/Bona/Bona.log")).unwrap_or_default();
    wait_until("it to be refused", || log().contains("no link to Clark: it does not know the herd's secret"));
    herd.wait_log("Clark", "claimed to be a neighbour, but ");
    impostor.kill().unwrap();
    impostor.wait().unwrap();
    assert!(!log().contains("kiwi"), "a stranger was told: {}", log());
    assert_eq!(herd.links_up("Clark"), 0);
}
