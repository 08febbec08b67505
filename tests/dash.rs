//! The dashboard over real sockets: who is let in, and that whoever is not changes nothing.

mod browser;
mod page;

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use serde_json::{Value, json};

use crate::commands::Field;

/// A herd with its dashboard open.
struct Served {
    field: Field,
    addr: String,
    url: String,
}

impl Served {
    fn new() -> Self {
        let field = Field::new();
        assert_eq!(field.run("up -d").code, 0);
        let dash = field.json("dash --port 0 --json");
        let text = |key: &str| dash[key].as_str().unwrap().to_owned();
        Self { addr: text("addr"), url: text("url"), field }
    }

    fn token(&self) -> &str {
        token_of(&self.url)
    }

    /// Asks with these headers and no others.
    fn ask(&self, request: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut text = format!("{request} HTTP/1.1\r\nconnection: close\r\ncontent-length: {}\r\n", body.len());
        headers.iter().for_each(|(name, value)| text += &format!("{name}: {value}\r\n"));
        let mut stream = TcpStream::connect(&self.addr).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
        Answer::read(&mut stream)
    }

    /// As the page asks.
    fn ask_as_page(&self, request: &str, token: &str, body: &str) -> Answer {
        let headers = [("host", self.addr.as_str()), ("x-herd-token", token), ("content-type", "application/json")];
        self.ask(request, &headers, body)
    }

    /// What an intruder would have changed.
    fn state(&self) -> Value {
        let ps = self.field.json("ps --json");
        let servers = ps["servers"].as_array().unwrap().iter();
        let servers: Vec<Value> = servers.map(|server| json!([server["state"], server["since"]])).collect();
        json!([servers, ps["faults"]])
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Answer {
    fn read(stream: &mut TcpStream) -> Self {
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        Self { status, head: head.to_lowercase(), body: body.into() }
    }
}

fn token_of(url: &str) -> &str {
    url.split_once("#t=").or_else(|| url.split_once("#look=")).unwrap().1
}

#[test]
fn the_page_is_there_for_a_browser_and_says_what_may_be_done_with_it() {
    let served = Served::new();
    for host in [served.addr.clone(), served.addr.replace("127.0.0.1", "localhost")] {
        let page = served.ask("GET /", &[("host", &host)], "");
        assert_eq!(page.status, 200, "{}", page.head);
        assert!(page.body.starts_with("<!doctype html>") && !page.body.contains(served.token()));
    }
    // Refusals are armoured as well.
    for answer in [served.ask("GET /", &[("host", &served.addr)], ""), served.ask("GET /", &[("host", "evil")], "")] {
        for expected in [
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "x-frame-options: deny",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(answer.head.contains(expected), "{expected}: {}", answer.head);
        }
        assert!(!answer.head.contains("access-control") && !answer.head.contains("set-cookie"), "{}", answer.head);
    }
    assert!(served.addr.starts_with("127.0.0.1:"));
    let elsewhere = served.addr.replace("127.0.0.1", "127.0.0.2");
    assert!(TcpStream::connect(elsewhere).is_err(), "it listens on 127.0.0.1 only");
}

#[test]
fn whoever_is_not_the_page_is_refused_and_changes_nothing() {
    let served = Served::new();
    let before = served.state();
    let (addr, token) = (served.addr.as_str(), served.token());
    let origin = format!("http://{addr}");
    let (host, ours) = (("host", addr), ("x-herd-token", token));
    let json = ("content-type", "application/json");
    let form = ("content-type", "application/x-www-form-urlencoded");
    let probes: &[(u16, &[(&str, &str)])] = &[
        (403, &[("host", "evil.example"), ours, json]),
        (403, &[("host", "127.0.0.1"), ours, json]),
        (403, &[ours, json]),
        (403, &[host, ours, json, ("origin", "http://evil.example")]),
        (403, &[host, ours, json, ("origin", "null")]),
        (403, &[host, ours, json, ("sec-fetch-site", "cross-site")]),
        (403, &[host, ours, json, ("origin", &origin), ("sec-fetch-site", "same-site")]),
        (401, &[host, json]),
        (401, &[host, json, ("origin", &origin), ("sec-fetch-site", "same-origin")]),
        (401, &[host, json, ("x-herd-token", "0123456789abcdef0123456789abcdef")]),
        (401, &[host, json, ("x-herd-token", &token[..31])]),
        (401, &[host, json, ("cookie", token), ("authorization", token)]),
        (415, &[host, ours, form]),
        (415, &[host, ours, ("content-type", "text/plain")]),
    ];
    for (status, headers) in probes {
        for (route, body) in [
            ("POST /v1/kill", r#"{"servers":["Clark"]}"#),
            ("POST /v1/fault", r#"{"from":"Clark","to":"Bona","kind":"cut"}"#),
            ("POST /v1/partition", r#"{"random":true}"#),
        ] {
            let answer = served.ask(route, headers, body);
            // Without a Host it is no request of HTTP/1.1, and need not even be looked at.
            let is_refused = answer.status == *status || (answer.status == 400 && !headers.contains(&host));
            assert!(is_refused, "{route} {headers:?}: {}", answer.head);
        }
    }
    // Not in the address either, where it would be seen.
    assert_eq!(served.ask(&format!("GET /v1/ps?t={token}"), &[host], "").status, 401);
    let asked_first = [host, ("origin", "http://evil.example"), ("access-control-request-method", "POST")];
    assert_eq!(served.ask("OPTIONS /v1/kill", &asked_first, "").status, 403);
    assert_eq!(served.state(), before);
    // And the page itself is not.
    assert_eq!(served.ask_as_page("POST /v1/kill", token, r#"{"servers":["Clark"]}"#).status, 200);
    assert_ne!(served.state(), before);
}

#[test]
fn no_route_of_the_control_channel_is_open_to_who_has_no_token_and_some_to_nobody() {
    let served = Served::new();
    let gets = ["ps", "version", "events", "links", "log?server=Clark"];
    let posts = "kill stop start restart pause resume fault partition heal whereis";
    let inside = ["down", "forget", "panic", "dash", "nothing"];
    let posts: Vec<String> = posts.split(' ').chain(inside).map(|route| format!("POST /v1/{route}")).collect();
    let gets = gets.iter().map(|route| format!("GET /v1/{route}")).chain(["GET /metrics".into()]);
    for request in posts.iter().cloned().chain(gets) {
        assert_eq!(served.ask(&request, &[("host", &served.addr)], "").status, 401, "{request}");
    }
    for route in inside {
        let body = r#"{"client":"kiwi","all":true}"#;
        assert_eq!(served.ask_as_page(&format!("POST /v1/{route}"), served.token(), body).status, 404, "{route}");
    }
    assert_eq!(served.field.run("ps --check").code, 0);
}

#[test]
fn an_address_to_look_lets_nobody_change_anything() {
    let served = Served::new();
    let look = served.field.json("dash --read-only --json");
    let look = token_of(look["url"].as_str().unwrap());
    assert_ne!(look, served.token());
    assert_eq!(served.ask_as_page("GET /v1/ps", look, "").status, 200);
    assert_eq!(served.ask_as_page("POST /v1/whereis", look, r#"{"all":true}"#).status, 200);
    let before = served.state();
    assert_eq!(served.ask_as_page("POST /v1/kill", look, r#"{"all":true}"#).status, 403);
    assert_eq!(served.state(), before);
}

#[test]
fn what_the_page_orders_is_the_dashboards_doing_and_not_a_commands() {
    let served = Served::new();
    assert_eq!(served.ask_as_page("POST /v1/kill", served.token(), r#"{"servers":["Clark"]}"#).status, 200);
    let killed = served.field.json("events --kind server.killed --since 1h --count 1 --json");
    assert_eq!((&killed["server"], &killed["by"]), (&"Clark".into(), &"dash".into()));
    assert!(served.field.run("ps").out.contains("by the dashboard"));
    assert_eq!(served.field.run("start Clark").code, 0);
    assert_eq!(served.field.run("kill Clark").code, 0);
    assert!(served.field.run("ps").out.contains("by herdctl kill"));
}

#[test]
fn the_log_is_shown_of_servers_and_of_nothing_else() {
    let served = Served::new();
    let log = served.ask_as_page("GET /v1/log?server=Clark", served.token(), "");
    assert!(log.status == 200 && log.body.contains(" INFO  "), "{}", log.body);
    for other in ["", "clrk", "../herd.toml", "..%2f.herd%2flock", "/etc/passwd", "Clark%00"] {
        let said = served.ask_as_page(&format!("GET /v1/log?server={other}"), served.token(), "");
        assert_eq!(said.status, 404, "{other}: {}", said.body);
    }
    assert_eq!(served.ask_as_page("GET /v1/log", served.token(), "").status, 400);
}

#[test]
fn a_crowd_and_a_flood_of_bytes_take_nothing_from_the_herd() {
    let served = Served::new();
    let huge = format!("{{\"servers\":[\"{}\"]}}", "x".repeat(20_000));
    assert_eq!(served.ask_as_page("POST /v1/kill", served.token(), &huge).status, 400);
    // More than there is room for: those that are too many wait, and the herd's own way in is another.
    let crowd: Vec<TcpStream> = (0..50).map(|_| TcpStream::connect(&served.addr).unwrap()).collect();
    assert_eq!(served.field.run("ps --check").code, 0);
    drop(crowd);
    assert_eq!(served.ask_as_page("GET /v1/ps", served.token(), "").status, 200);
}

#[test]
fn the_token_lives_as_long_as_the_herd() {
    let served = Served::new();
    let again = served.field.json("dash --json");
    assert_eq!((again["changed"].as_bool(), again["url"].as_str()), (Some(false), Some(served.url.as_str())));
    let other = served.field.run("dash --port 1 --json").failure();
    assert_eq!(other["error"], "taken");
    assert_eq!(served.field.run("down").code, 0);
    assert!(TcpStream::connect(&served.addr).is_err(), "it ends with the herd");
    assert_eq!(served.field.run("dash").code, 3);
    assert_eq!(served.field.run("up -d").code, 0);
    let new = served.field.json("dash --port 0 --json");
    assert_ne!(token_of(new["url"].as_str().unwrap()), served.token());
}

#[test]
fn a_port_that_is_taken_is_refused_and_the_next_try_may_be_fine() {
    let field = Field::new();
    assert_eq!(field.run("up -d").code, 0);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let refused = field.run(&format!("dash --port {} --json", taken.local_addr().unwrap().port())).failure();
    assert_eq!((refused["error"].as_str(), refused["hint"].as_str()), (Some("taken"), Some("herdctl dash --port 0")));
    assert_eq!(field.json("dash --port 0 --json")["changed"], true);
}

/// What a program is given as an argument, every user of the machine can see.
#[test]
fn a_browser_is_opened_without_showing_the_token_to_anybody() {
    let served = Served::new();
    let opener = served.field.path("xdg-open");
    fs::write(&opener, "#!/bin/sh\nprintf %s \"$1\" > opened\n").unwrap();
    fs::set_permissions(&opener, fs::Permissions::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", served.field.path("").display(), std::env::var("PATH").unwrap_or_default());
    let said = served.field.command(&["dash", "--open"]).env("PATH", path).output().unwrap();
    assert!(said.status.success(), "{said:?}");
    assert!(!String::from_utf8_lossy(&said.stdout).contains(served.token()), "{said:?}");
    let opened = fs::read_to_string(served.field.path("opened")).unwrap();
    assert!(!opened.contains(served.token()), "{opened}");
    assert!(fs::read_to_string(&opened).unwrap().contains(&format!("0;url={}\"", served.url)));
    assert_eq!(fs::metadata(&opened).unwrap().permissions().mode() & 0o777, 0o600);
}
