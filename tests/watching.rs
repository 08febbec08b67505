//! What a person watches: events in their true order, logs at full speed, metrics, `--watch`. The real binary and
//! real herds.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;

use serde_json::Value;

use crate::commands::{Field, wait};
use crate::schemas;
use crate::support::canary::Watched;
use crate::support::wait_until;

/// A command that goes on talking, line by line; it ends with this.
pub struct Talk {
    process: Child,
    lines: BufReader<Watched<ChildStdout>>,
}

impl Talk {
    pub fn begin(field: &Field, line: &str) -> Self {
        let args: Vec<&str> = line.split_whitespace().collect();
        let mut process = field.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(Watched::new(process.stdout.take().unwrap()));
        Self { process, lines }
    }

    /// The next line; none at the end.
    pub fn next(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.lines.read_line(&mut line).unwrap() > 0).then_some(line)
    }

    pub fn document(&mut self) -> Option<Value> {
        self.next().map(|line| serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line}")))
    }

    /// Documents up to the first for which `is_last` holds, that one included.
    pub fn until(&mut self, what: &str, is_last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut documents = Vec::new();
        loop {
            let document = self.document().unwrap_or_else(|| panic!("the end came before {what}: {documents:#?}"));
            documents.push(document);
            if is_last(&documents[documents.len() - 1]) {
                return documents;
            }
        }
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn is(event: &Value, kind: &str, server: &str) -> bool {
    event["kind"] == kind && event["server"] == server
}

fn seq(document: &Value) -> u64 {
    document["seq"].as_u64().unwrap_or_else(|| panic!("no number: {document}"))
}

fn assert_rising(documents: &[Value]) {
    for pair in documents.windows(2) {
        assert!(seq(&pair[0]) < seq(&pair[1]), "{} is followed by {}", pair[0], pair[1]);
    }
}

#[test]
fn a_flood_is_told_hop_by_hop_in_the_order_in_which_it_happened() {
    let field = Field::new();
    assert_eq!(field.run("up -d").code, 0);
    // Begun before: what `since` tells again and what comes are one stream.
    let mut talk = Talk::begin(&field, "events --flood --since 1 --json");
    let mut events = talk.until("the herd to be ready", |event| event["kind"] == "herd.ready");
    assert_eq!(field.run("iamat kiwi +34.068930-118.445127 --to Clark").code, 0);
    events.extend(talk.until("the answer", |event| event["kind"] == "flood.answered"));
    assert_eq!(field.run("kill Clark").code, 0);
    assert_eq!(field.run("start Clark --wait").code, 0);
    events.extend(talk.until("Clark to run again", |event| is(event, "server.running", "Clark")));
    assert_rising(&events);
    events.iter().for_each(|event| schemas::check("event", event));
    assert!(events.iter().all(|event| event["run"] == events[0]["run"]));

    // No hop is heard before it was told, and each was news to every server but one hop of it.
    let place = |kind: &str, server: &Value, peer: &Value| {
        let found = |event: &&Value| event["kind"] == kind && event["server"] == *server && event["peer"] == *peer;
        events.iter().find(found).map(seq)
    };
    let heard: Vec<&Value> = events.iter().filter(|event| event["kind"] == "flood.heard").collect();
    assert!(heard.len() >= 2, "{heard:#?}");
    for event in heard.iter().filter(|event| !event["peer"].is_null()) {
        let told = place("flood.told", &event["peer"], &event["server"]).expect("what is heard was told");
        assert!(told < seq(event), "{event}");
    }
    let killed = events.iter().find(|event| is(event, "server.killed", "Clark")).unwrap();
    assert_eq!(killed["by"], "cli");

    // The number of an event is that of the record that says the same.
    let log = field.run("logs Bona -n all --json");
    let down = events.iter().find(|event| is(event, "link.down", "Bona") && event["peer"] == "Clark").unwrap();
    let record = log.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let record = record.into_iter().find(|record| record["seq"] == down["seq"]).expect("its record");
    assert!(record["msg"].as_str().unwrap().starts_with("link Clark down: "), "{record}");

    // What was is told again, just so.
    let from = events.len() / 2;
    let again = field.run(&format!("events --flood --since {} --count 5 --json", seq(&events[from])));
    let again: Vec<Value> = again.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(again, events[from + 1..from + 6]);
    let states = field.run("events --kind server --since 1h --count 5");
    assert_eq!(states.out.lines().filter(|line| line.contains(" server.")).count(), 5, "{states:?}");

    // The stream ends with the herd, and says so.
    assert_eq!(field.run("down").code, 0);
    let last = talk.until("the end", |event| event["kind"] == "herd.down");
    assert_rising(&last);
    assert_eq!((talk.next(), wait(&mut talk.process)), (None, 0));
    assert_eq!(field.run("events --count 1").code, 3);
    assert_eq!(field.run("events --since soon").code, 2);
}

/// The setting in herd.toml, in place of the comment that shows its default.
fn set(field: &Field, key: &str, value: &str) {
    let toml = std::fs::read_to_string(field.path("herd.toml")).unwrap();
    let is_key = |line: &&str| line.trim_start_matches("# ").starts_with(&format!("{key} = "));
    let line = toml.lines().find(is_key).unwrap_or_else(|| panic!("no {key}"));
    std::fs::write(field.path("herd.toml"), toml.replacen(line, &format!("{key} = {value}"), 1)).unwrap();
}

/// Says so many lines to a server at once, and reads what it answers; nothing is asked of a server that is killed.
fn flood(address: &str, lines: usize) {
    let Ok(mut stream) = TcpStream::connect(address) else { return };
    let mut answers = stream.try_clone().unwrap();
    let reading = thread::spawn(move || _ = answers.read_to_end(&mut Vec::new()));
    let _ = stream.write_all("no command at all\n".repeat(lines).as_bytes());
    let _ = stream.shutdown(Shutdown::Write);
    reading.join().unwrap();
}

#[test]
fn a_hundred_thousand_records_are_merged_exactly_through_kill_start_and_rotation() {
    let field = Field::new();
    set(&field, "file_bytes_max", "1_000_000");
    set(&field, "files_max", "1000");
    assert_eq!(field.run("up -d").code, 0);
    let addresses: Vec<String> = field.json("ps --json")["servers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|server| server["addr"].as_str().unwrap().to_owned())
        .collect();
    let mut follower = Talk::begin(&field, "logs -f -n all --heartbeats --json");
    let flooding: Vec<_> =
        addresses.into_iter().map(|address| thread::spawn(move || flood(&address, 13_000))).collect();
    assert_eq!(field.run("kill Clark").code, 0);
    assert_eq!(field.run("start Clark --wait").code, 0);
    flooding.into_iter().for_each(|flood| flood.join().unwrap());
    assert_eq!(field.run("down").code, 0);

    let is_record = |record: &Value| record["seq"].as_u64().is_some_and(|seq| seq > 0);
    let records = |text: &str| -> Vec<Value> {
        text.lines().map(|line| serde_json::from_str(line).unwrap()).filter(is_record).collect()
    };
    let all = records(&field.run("logs -n all --heartbeats --json").out);
    assert!(all.len() >= 100_000, "{}", all.len());
    assert_rising(&all);
    let numbers: BTreeSet<u64> = all.iter().map(seq).collect();
    let (first, last) = (numbers.first().unwrap(), numbers.last().unwrap());
    assert_eq!(numbers.len() as u64, last - first + 1, "none is lost");
    assert!(field.path("logs/Bona.log.1").exists(), "the logs were rotated");

    let mut followed = follower.until("the last record", |record| record["seq"].as_u64() == Some(*last));
    followed.retain(is_record);
    assert_rising(&followed);
    assert_eq!(followed.len(), all.len(), "the follower has lost some");

    // What is asked for, and nothing else.
    let killed = field.run("logs Clark -n all --grep ^Clark --no-prefix");
    assert!(killed.out.contains("── Clark killed ──\n"), "{}", killed.out);
    let warned = field.run("logs -n all --level info --grep IAMAT");
    assert_eq!(warned.out, "");
    let time = all[all.len() / 2]["t"].as_str().unwrap();
    let since = records(&field.run(&format!("logs --since {time} --heartbeats --json")).out);
    let until = records(&field.run(&format!("logs --until {time} --heartbeats --json")).out);
    let at = all.iter().filter(|record| record["t"] == time).count();
    assert_eq!(since.len() + until.len(), all.len() + at);
    assert_eq!(field.run("logs --since soon").code, 2);
    assert_eq!(field.run("logs --grep (").code, 2);
}

/// `GET` on the control socket, by hand; the body.
pub fn get(field: &Field, path: &str) -> String {
    let mut stream = UnixStream::connect(field.path(".herd/herd.sock")).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: herd\r\nConnection: close\r\n\r\n").unwrap();
    body_of(stream)
}

fn body_of(mut stream: impl Read) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    body.to_owned()
}

/// Samples by name and labels, of a page that keeps the rules of the text format.
fn samples(page: &str) -> Vec<(String, f64)> {
    let (mut family, mut kind, mut families, mut samples) = (String::new(), String::new(), BTreeSet::new(), Vec::new());
    let is_name = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    for line in page.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').expect("a family has help");
            assert!(is_name(name) && text.ends_with('.'), "{line}");
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            family = name.to_owned();
        } else if let Some(typed) = line.strip_prefix("# TYPE ") {
            kind = typed.strip_prefix(&format!("{family} ")).expect("TYPE follows HELP").to_owned();
            assert_eq!(kind == "counter", family.ends_with("_total"), "{line}");
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a sample has a value");
            let bare = name.split('{').next().unwrap();
            let suffix = bare.strip_prefix(&family).unwrap_or_else(|| panic!("{line} is not of {family}"));
            let expected: &[&str] = if kind == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(expected.contains(&suffix), "{line}");
            samples.push((name.to_owned(), value.parse().unwrap_or_else(|_| panic!("{line}"))));
        }
    }
    let names: BTreeSet<_> = samples.iter().map(|(name, _)| name).collect();
    assert_eq!(names.len(), samples.len(), "a sample comes twice");
    samples
}

#[test]
fn metrics_count_what_happens_and_keep_the_format() {
    let field = Field::new();
    set(&field, "listen", "\"127.0.0.1:0\"");
    assert_eq!(field.run("up -d").code, 0);
    for n in 0..3 {
        assert_eq!(field.run(&format!("iamat kiwi +34.068930-118.445127 --to Clark --at {n}")).code, 0);
    }
    assert_eq!(field.run("iamat kiwi +34.068930-118.445127 --to Clark --at 1").code, 0);
    assert_eq!(field.run("whatsat kiwi 10 1 --to Clark").code, 0);
    assert_eq!(field.run("send Clark nonsense").code, 8);
    assert_eq!(field.run("kill Bailey").code, 0);
    let page = get(&field, "/metrics");
    assert_promtool_passes(&page);
    let samples = samples(&page);
    let value = |name: &str| {
        let found = samples.iter().find(|(sample, _)| sample == name);
        found.unwrap_or_else(|| panic!("no {name} in {page}")).1
    };
    for (name, expected) in [
        ("herd_server_up{server=\"Bailey\"}", 0.0),
        ("herd_server_up{server=\"Clark\"}", 1.0),
        ("herd_reports_accepted_total{server=\"Clark\",from=\"client\"}", 3.0),
        ("herd_reports_stale_total{server=\"Clark\"}", 1.0),
        ("herd_answers_total{server=\"Clark\",kind=\"report\"}", 4.0),
        ("herd_answers_total{server=\"Clark\",kind=\"places\"}", 1.0),
        ("herd_answers_total{server=\"Clark\",kind=\"refusal\"}", 1.0),
        ("herd_atlas_clients{server=\"Jaquez\"}", 1.0),
        ("herd_lookups_total{server=\"Clark\",status=\"OK\"}", 1.0),
        ("herd_answer_seconds_count{server=\"Clark\"}", 6.0),
        ("herd_answer_seconds_bucket{server=\"Clark\",le=\"+Inf\"}", 6.0),
        ("herd_link_up{server=\"Clark\",peer=\"Bona\"}", 1.0),
    ] {
        assert_eq!(value(name), expected, "{name}");
    }
    assert!(value("herd_convergence_seconds_count{server=\"Campbell\"}") >= 1.0);

    // On its own address: the metrics and how the herd fares, nothing else, and not for a browser.
    let log = std::fs::read_to_string(field.path("logs/herd.log")).unwrap();
    let address = log.split("metrics on http://").nth(1).and_then(|rest| rest.split("/metrics").next()).unwrap();
    let ask = |head: &str| {
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "{head}Connection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().to_owned()
    };
    assert_eq!(ask(&format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\n")), "200");
    assert_eq!(ask(&format!("GET /v1/ps HTTP/1.1\r\nHost: {address}\r\n")), "404");
    assert_eq!(ask(&format!("POST /v1/down HTTP/1.1\r\nHost: {address}\r\n")), "404");
    assert_eq!(ask(&format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n")), "200");
    assert_eq!(ask(&format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\n")), "503", "Bailey is killed");
    assert_eq!(field.run("start Bailey").code, 0);
    wait_until("the herd to be ready", || ask(&format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\n")) == "200");
    assert_eq!(ask(&format!("POST /readyz HTTP/1.1\r\nHost: {address}\r\n")), "405");
    assert_eq!(ask("GET /metrics HTTP/1.1\r\nHost: evil.example\r\n"), "403");
    assert_eq!(ask(&format!("GET /metrics HTTP/1.1\r\nHost: {address}\r\nOrigin: http://evil.example\r\n")), "403");
}

/// Prometheus' own checker: format, names, units, help.
fn assert_promtool_passes(page: &str) {
    let promtool =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let Ok(mut promtool) = promtool else {
        assert!(std::env::var_os("CI").is_none(), "promtool is missing");
        return eprintln!("promtool is missing: the metrics are not checked by it");
    };
    promtool.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let checked = promtool.wait_with_output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
}

#[test]
fn ps_is_watched_until_the_herd_goes() {
    let field = Field::new();
    assert_eq!(field.run("up -d").code, 0);
    let mut watched = Talk::begin(&field, "ps --watch --json");
    let clark = |ps: &Value| ps["servers"][3]["state"].clone();
    assert_eq!(clark(&watched.document().unwrap()), "running");
    assert_eq!(field.run("kill Clark").code, 0);
    let last = watched.until("Clark to be killed", |ps| ps["servers"][3]["state"] == "killed");
    assert!(last.iter().all(|ps| ps["schema"] == "herd.ps/1"));
    let mut plain = Talk::begin(&field, "ps --watch");
    assert!(plain.next().unwrap().starts_with("herd "));
    assert_eq!(field.run("down").code, 0);
    while watched.next().is_some() {}
    assert_eq!(wait(&mut watched.process), 0);
    let mut rest = String::new();
    plain.lines.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains('\u{1b}'));
    assert_eq!(field.run("ps --watch").code, 3);
}

#[test]
fn links_are_watched_and_said_again_only_when_they_change() {
    let field = Field::new();
    assert_eq!(field.run("up -d").code, 0);
    let mut watched = Talk::begin(&field, "links --watch --json");
    let first = watched.document().unwrap();
    assert_eq!((first["schema"].as_str(), first["faults"].as_array().map(Vec::len)), (Some("herd.links/1"), Some(0)));
    assert_eq!(field.run("cut Clark Jaquez").code, 0);
    let mut seen = vec![first];
    let is_down = |link: &Value| link["from"] == "Clark" && link["to"] == "Jaquez" && link["up"] == false;
    let is_cut =
        |links: &Value| links["faults"][0]["kind"] == "cut" && links["links"].as_array().unwrap().iter().any(is_down);
    seen.extend(watched.until("the cut", is_cut));
    assert_eq!(field.run("heal --all").code, 0);
    seen.extend(watched.until("the link to be up again", |links| {
        links["faults"].as_array().unwrap().is_empty() && !links["links"].as_array().unwrap().iter().any(is_down)
    }));
    assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:#?}");
    seen.iter().for_each(|links| schemas::check("links", links));
    assert_eq!(field.run("down").code, 0);
    while watched.next().is_some() {}
    assert_eq!(wait(&mut watched.process), 0);
}

#[test]
fn a_client_is_tracked_through_the_herd() {
    let field = Field::new();
    assert_eq!(field.run("up -d").code, 0);
    let mut track = Talk::begin(&field, "whereis --watch kiwi --json");
    let knows = |whereis: &Value, wanted: &str| {
        let servers = whereis["clients"][0]["servers"].as_array().unwrap();
        servers.iter().filter(|server| server["knows"] == wanted).count()
    };
    let nowhere = track.document().unwrap();
    assert_eq!(knows(&nowhere, "nothing"), 5);
    assert_eq!(field.run("iamat mango +1+1 --to Clark").code, 0);
    assert_eq!(field.run("iamat kiwi +34.068930-118.445127 --to Clark").code, 0);
    let is_known = |whereis: &Value| {
        let servers = whereis["clients"][0]["servers"].as_array().unwrap();
        servers.iter().all(|server| server["knows"] == "newest" && !server["heard_at"].is_null())
    };
    let seen = track.until("all to know it", is_known);
    seen.iter().for_each(|whereis| schemas::check("whereis", whereis));
    let last = &seen[seen.len() - 1]["clients"][0]["servers"];
    // From the client itself at Clark, and from a neighbour everywhere else.
    for server in last.as_array().unwrap() {
        assert_eq!(server["via"].is_null(), server["server"] == "Clark", "{server}");
    }
    assert_eq!(field.run("whereis --watch").code, 2);
    assert_eq!(field.run("whereis --watch --all").code, 2);
}

#[test]
fn servers_names_are_for_completion_with_and_without_a_herd() {
    let field = Field::new();
    let names = "Bailey\nBona\nCampbell\nClark\nJaquez\n";
    assert_eq!(field.run("__names").out, names);
    assert_eq!(field.run("up -d").code, 0);
    assert_eq!(field.run("__names").out, names);
    let nowhere = field.run("-c nowhere/herd.toml __names");
    assert_eq!((nowhere.code, nowhere.out.as_str(), nowhere.err.as_str()), (0, "", ""));
}
