//! The control address of a served server: who is let in.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{PATIENCE, Served, TOKEN};
use crate::support::wait_until;

/// Asks with these headers and no others; status and body.
fn ask(at: &str, path: &str, headers: &[(&str, &str)]) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(at).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: herd\r\nconnection: close\r\n{headers}\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.contains("herd-protocol: 1\r\n"), "{head}");
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

#[test]
fn a_control_address_is_for_who_has_the_token_and_for_no_browser() {
    let mut herd = Served::with_control();
    herd.start("Clark");
    let at = herd.control_of("Clark");
    let token = format!("Bearer {TOKEN}");
    let shown = [("authorization", token.as_str())];
    wait_until("the control address", || ask(&at, "/healthz", &shown) == Some((200, "alive\n".into())));
    let (status, ps) = ask(&at, "/v1/ps", &shown).unwrap();
    assert!(status == 200 && ps.contains("\"Clark\""), "{ps}");
    let (status, logs) = ask(&at, "/v1/logs?lines=1000", &shown).unwrap();
    assert!(status == 200 && logs.contains("\n-herd\t") && logs.contains("\n=\n"), "{logs}");
    for path in ["/v1/ps", "/v1/logs", "/healthz", "/metrics", "/nowhere"] {
        let refused = |headers: &[(&str, &str)]| ask(&at, path, headers).unwrap();
        let none = refused(&[]);
        assert!(none.0 == 401 && none.1.contains("wants a token, and none was shown"), "{path}: {none:?}");
        for wrong in ["Bearer ", "Bearer the-token-of-these-test", TOKEN, &token.to_lowercase()] {
            let wrong = refused(&[("authorization", wrong)]);
            assert!(wrong.0 == 401 && wrong.1.contains("is not the one of this control channel"), "{path}: {wrong:?}");
        }
        let browser = refused(&[shown[0], ("origin", "http://evil.example")]);
        assert!(browser.0 == 403 && browser.1.contains("not for browsers"), "{path}: {browser:?}");
    }
    let log = std::fs::read_to_string(herd.field.path("logs/Clark/herd.log")).unwrap();
    assert!(log.contains(&format!("control channel on {at}, with a token, no TLS")) && !log.contains(TOKEN), "{log}");
}

#[test]
fn without_a_token_nothing_is_served() {
    let herd = Served::with_control();
    std::fs::remove_file(herd.field.path("herd.token")).unwrap();
    let refused = herd.field.run("serve Clark --json");
    assert!(refused.code == 5 && refused.failure()["message"].as_str().unwrap().contains("token_file"), "{refused:?}");
    herd.field.edit(|toml| toml.replace("\n[control]\ntoken_file = \"herd.token\"\n", "\n"));
    let refused = herd.field.run("serve Clark");
    assert!(refused.code == 5 && refused.err.contains("HERDCTL_CONTROL_TOKEN is not set"), "{refused:?}");
    assert!(refused.err.contains("umask 077"), "{refused:?}");
}
