//! The herd's secret: where it comes from, that strangers find none to guess, and how it is changed while a herd runs.

use std::fs;

use crate::commands::Field;
use crate::hosts::{Hosts, SERVERS};
use crate::support::canary::SECRET;

#[test]
fn the_secret_is_changed_host_by_host_and_step_by_step_while_links_break_and_come_back() {
    let mut hosts = Hosts::new(79, "secret_file = \"herd.secret\"");
    for server in SERVERS {
        hosts.put_secret(server, "old\n");
        hosts.start(server);
    }
    hosts.level(0);
    let mut said = 0;
    for step in ["old\nnew\n", "new\nold\n", "new\n"] {
        for server in SERVERS {
            hosts.put_secret(server, step);
            // A link between what has changed and what has not, whichever host comes next.
            assert_eq!(hosts.run("Clark", "cut Clark Bona").code, 0);
            assert_eq!(hosts.run("Clark", "heal Clark Bona").code, 0);
            said += 1;
            assert_eq!(hosts.run(server, &format!("iamat client-{said} +1+1 --to {server}")).code, 0);
            hosts.level(said);
        }
        // A process that starts in the middle.
        hosts.kill("Campbell");
        hosts.start("Campbell");
        hosts.level(said);
    }
    let log = hosts.log("Clark");
    let changes: Vec<&str> = log.lines().filter(|line| line.contains("the secret has changed")).collect();
    assert!(
        changes.len() == 3
            && changes[0].contains("is spoken, 2 accepted")
            && changes[2].contains("is spoken, 1 accepted"),
        "{changes:?}"
    );

    // Who comes with the secret of before is a stranger now.
    hosts.kill("Jaquez");
    hosts.put_secret("Jaquez", "old\n");
    hosts.start("Jaquez");
    hosts.wait("its neighbours to refuse it", || {
        ["Clark", "Campbell"]
            .iter()
            .all(|dialer| hosts.log(dialer).contains("Jaquez: it does not know the herd's secret"))
    });
    assert_eq!(hosts.ps("Jaquez").unwrap()["servers"][0]["links_up"], 0);
    // It needs no restart once it is told.
    hosts.put_secret("Jaquez", "new\n");
    hosts.level(said);
}

#[test]
fn a_secret_from_the_environment_is_used_and_shown_nowhere() {
    let mut hosts = Hosts::new(80, "");
    let secret = std::str::from_utf8(SECRET).unwrap();
    for server in SERVERS {
        hosts.start_with(server, &[("HERDCTL_SECRET", secret)]);
    }
    hosts.level(0);
    assert_eq!(hosts.run("Clark", "iamat kiwi +1+1 --to Clark").code, 0);
    hosts.level(1);
}

#[test]
fn a_herd_that_others_can_reach_does_not_come_up_with_a_secret_made_at_random() {
    let field = Field::new();
    field.edit(|toml| toml.replacen("127.0.0.1:0", "0.0.0.0:0", 1));
    let says = "Bailey listens beyond this machine, at 0.0.0.0:0, and the herd has no `secret_file`";
    for line in ["up --json", "up -d --json"] {
        let refused = field.run(line);
        assert_eq!(refused.code, 5, "{line}: {refused:?}");
        let failure = refused.failure();
        assert!(failure["message"].as_str().unwrap().starts_with(says), "{line}: {failure}");
        assert!(failure["hint"].as_str().unwrap().contains("secret_file = \"herd.secret\""), "{failure}");
    }
    let check = field.run("check");
    assert!(check.code == 5 && check.out.contains(&format!("✗ secret: {says}")), "{check:?}");
    // What only looks at herd.toml works all the same.
    assert_eq!(field.run("kill Clark").code, 3);

    field.edit(|toml| format!("secret_file = \"herd.secret\"\n{toml}"));
    assert!(field.run("check").out.contains("✗ secret: secret_file /"));
    crate::support::certificates::put(&field.path("herd.secret"), "new\nold\n", 0o600);
    let check = field.run("check");
    assert!(check.code == 0 && check.out.contains("herd.secret, and a second one that is accepted"), "{check:?}");
    let both = field.command(&["check"]).env("HERDCTL_SECRET", "x").output().unwrap();
    assert!(String::from_utf8_lossy(&both.stdout).contains("✗ secret: there are two secrets"), "{both:?}");
    fs::remove_file(field.path("herd.secret")).unwrap();
}
