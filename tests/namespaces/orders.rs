//! Commands that are given on one host to the whole herd, over the control addresses, while a host cannot be reached.

use std::fs;

use serde_json::Value;

use super::herd::{FIVE, Herd};
use super::network::ELSEWHERE;
use crate::commands::{Field, Said};
use crate::serve;
use crate::support::certificates::{Authority, TLS};
use crate::support::wait_until;

/// Where the herd's operator sits: a host with the herd.toml, the token and the authority's certificate.
struct Desk<'a> {
    herd: &'a Herd,
    field: Field,
}

impl<'a> Desk<'a> {
    fn of(herd: &'a Herd, authority: &Authority) -> Self {
        let field = Field::new();
        let toml = fs::read_to_string(herd.field.path("herd.toml")).unwrap();
        field.edit(|_| toml);
        fs::copy(herd.field.path("herd.token"), field.path("herd.token")).unwrap();
        authority.furnish(&field.path("tls"), &[]);
        Self { herd, field }
    }

    fn run(&self, line: &str) -> Said {
        self.herd.network.on(ELSEWHERE, || self.field.run(line))
    }

    fn json(&self, line: &str) -> Value {
        self.herd.network.on(ELSEWHERE, || self.field.json(line))
    }
}

#[test]
fn a_host_that_cannot_be_reached_is_said_by_every_command_and_holds_up_none() {
    let line = "control.token_file = \"herd.token\"";
    let Some(mut herd) = Herd::five_asleep(line) else { return };
    let authority = Authority::new();
    herd.field.edit(|toml| format!("{toml}\n{TLS}"));
    authority.furnish(&herd.field.path("tls"), &FIVE);
    serve::secret(&herd.field.path("herd.token"), "the-token-of-these-tests");
    herd.start_all();
    let desk = Desk::of(&herd, &authority);
    wait_until("the herd to be ready", || desk.run("wait --ready --timeout 100ms").code == 0);
    assert_eq!(desk.run("iamat kiwi +34.07-118.45 --to Jaquez").code, 0);
    assert_eq!(desk.run("wait --converged").code, 0);
    assert_eq!(desk.run("ps --check").code, 0);

    herd.network.unplug("Clark");
    herd.wait_links("Bona", 2);
    herd.wait_links("Jaquez", 1);
    let ps = desk.json("ps --json --timeout 300ms");
    let clark = ps["servers"].as_array().unwrap().iter().find(|server| server["name"] == "Clark").unwrap();
    assert_eq!((&clark["state"], &ps["summary"]["running"]), (&"unreachable".into(), &4.into()));
    assert!(!clark["note"].as_str().unwrap().is_empty(), "{ps}");
    assert_eq!((&ps["summary"]["links_up"], &ps["summary"]["converged"]), (&4.into(), &false.into()));
    assert_eq!(desk.run("ps --check --timeout 300ms").code, 8);
    let unsure = desk.run("wait --converged --timeout 300ms");
    assert!(unsure.code == 7 && unsure.err.contains("Clark cannot be asked"), "{unsure:?}");
    let known = desk.json("whereis kiwi --json --timeout 300ms");
    assert_eq!(known["silent"][0]["server"], "Clark", "{known}");
    assert_eq!((&known["clients"][0]["agreed"], known["silent"].as_array().unwrap().len()), (&true.into(), 1));
    let missed = desk.run("partition Clark,Jaquez --json --timeout 300ms");
    let missed = missed.failure()["message"].as_str().unwrap().to_owned();
    assert!(missed.contains("Clark: ") && missed.ends_with("done: Bailey Bona Campbell Jaquez"), "{missed}");

    herd.network.plug("Clark");
    assert_eq!(desk.run("heal --all").code, 0);
    herd.wait_linked();
    assert_eq!(desk.run("wait --converged").code, 0);
    assert_eq!(desk.run("ps --check").code, 0);
}
