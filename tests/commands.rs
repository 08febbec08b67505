//! The program as a person or a script meets it: the real binary, real herds, and things on the control socket
//! that are no herd.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::canary::{self, Folder, Watched};

/// Nothing in these tests takes longer on a machine that works.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder with a herd.toml whose ports are free ones; the herd that runs in it ends with it.
pub struct Field {
    folder: Folder,
}

impl Field {
    pub fn new() -> Self {
        let field = Self { folder: Folder::new() };
        assert_eq!(field.run("init").code, 0);
        let toml = fs::read_to_string(field.path("herd.toml")).unwrap();
        let free = (11000..11005).fold(toml, |toml, port| toml.replace(&format!(":{port}"), ":0"));
        fs::write(field.path("herd.toml"), free).unwrap();
        field
    }

    /// Rewrites its herd.toml.
    pub fn edit(&self, change: impl FnOnce(String) -> String) {
        let toml = fs::read_to_string(self.path("herd.toml")).unwrap();
        fs::write(self.path("herd.toml"), change(toml)).unwrap();
    }

    pub fn path(&self, file: &str) -> PathBuf {
        self.folder.path().join(file)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        herdctl(self.folder.path(), args)
    }

    /// Runs a command line without quotes in it.
    pub fn run(&self, line: &str) -> Said {
        self.args(&line.split_whitespace().collect::<Vec<_>>())
    }

    pub fn args(&self, args: &[&str]) -> Said {
        Said::of(&self.command(args).output().unwrap())
    }

    pub fn json(&self, line: &str) -> Value {
        let said = self.run(line);
        assert_eq!(said.code, 0, "{line}: {}", said.err);
        serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{line}: {why}: {}", said.out))
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        let _ = self.command(&["down", "--force", "-q"]).output();
    }
}

fn herdctl(folder: &Path, args: &[&str]) -> Command {
    let mut command = canary::herdctl(folder);
    command.args(args);
    command
}

#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| {
            canary::look("what a command says", bytes);
            String::from_utf8_lossy(bytes).into_owned()
        };
        Self { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// The failure on stderr; stdout must be empty.
    pub fn failure(&self) -> Value {
        assert_eq!(self.out, "");
        let failure: Value = serde_json::from_str(&self.err).unwrap_or_else(|why| panic!("{why}: {}", self.err));
        assert_eq!(failure["exit"], self.code);
        failure
    }
}

/// Waits for a process that should end by itself.
pub fn wait(child: &mut Child) -> i32 {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code().unwrap_or(-1);
        }
        if Instant::now() > deadline {
            let _ = child.kill();
            panic!("it did not end");
        }
        thread::park_timeout(Duration::from_millis(5));
    }
}

#[test]
fn a_herd_from_its_first_to_its_last_command() {
    let field = Field::new();
    let up = field.run("up -d");
    assert_eq!(up.code, 0, "{}", up.err);
    assert!(up.out.contains("5/5 listening, 6/6 links up") && up.out.contains("logs in ./logs"), "{}", up.out);
    assert_eq!(field.run("ps --check").code, 0);

    let told = field.run("iamat kiwi.cs.ucla.edu +34.068930-118.445127 --to CLARK");
    assert!(told.out.starts_with("AT Clark +") && told.out.lines().count() == 1, "{told:?}");
    assert!(told.err.contains(" ms, Clark)"), "{told:?}");
    let asked = field.json("whatsat kiwi.cs.ucla.edu 10 2 --to bailey --json");
    assert_eq!((asked["at"]["server"].as_str(), asked["places"].as_array().unwrap().len()), (Some("Clark"), 2));

    let killed = field.run("kill clark");
    assert!(killed.out.starts_with("✗ Clark killed: 2 links and 0 client connections gone, 1 location"), "{killed:?}");
    assert!(killed.err.contains("herdctl start Clark"), "{killed:?}");
    assert_eq!(field.json("kill Clark --json")["changed"], false);
    let check = field.run("ps --check");
    assert!(check.code == 8 && check.out.contains("by herdctl kill"), "{check:?}");
    let silent = field.run("iamat kiwi +1+1 --to Clark");
    assert!(silent.code == 1 && silent.err.contains("hint: herdctl start Clark"), "{silent:?}");

    let back = field.run("start Clark --wait");
    assert!(back.out.contains("2/2 links up, knows 1 location"), "{back:?}");
    assert_eq!(field.json("ps --json")["summary"]["converged"], true);
    assert!(field.run("restart Clark --hard --wait").out.contains("Clark restarted in "));

    let down = field.run("down");
    assert!(down.code == 0 && down.out.starts_with("stopped 5 servers in "), "{down:?}");
    let again = field.json("down --json");
    assert_eq!(again["changed"], false);
    assert_eq!(field.run("ps").code, 3);
}

#[test]
fn a_paused_server_answers_nobody_until_it_is_resumed() {
    let field = Field::new();
    assert_eq!(field.run("up -d").code, 0);
    assert!(field.run("pause Bona").out.contains("Bona paused"));
    let hung = field.run("iamat kiwi +1+1 --to Bona --timeout 200ms");
    assert_eq!(hung.code, 7, "{hung:?}");
    assert!(hung.err.contains("no answer from Bona in 200ms: it is paused\n  hint: herdctl resume Bona"), "{hung:?}");
    assert_eq!(field.run("resume --all").code, 0);
    assert_eq!(field.run("iamat kiwi +1+1 --to Bona").code, 0);
}

#[test]
fn a_second_up_is_already_so() {
    let field = Field::new();
    assert_eq!(field.json("up -d --json")["changed"], true);
    for line in ["up -d", "up"] {
        let again = field.run(line);
        assert!(again.code == 0 && again.out.is_empty() && again.err.contains("is already up (pid "), "{again:?}");
    }
    assert_eq!(field.json("up -d --json")["changed"], false);
    let toml = fs::read_to_string(field.path("herd.toml")).unwrap();
    fs::write(field.path("herd.toml"), toml.replacen("\"ucla\"", "\"other\"", 1)).unwrap();
    assert_eq!(field.run("up -d").code, 6);
}

#[test]
fn sent_lines_are_answered_in_order_and_a_refusal_is_a_no() {
    let field = Field::new();
    assert_eq!(field.run("up -d").code, 0);
    let fine = field.args(&["send", "clark", "IAMAT a +1+1 1", "IAMAT b +2+2 2"]);
    let clients: Vec<_> = fine.out.lines().filter_map(|line| line.split(' ').nth(3)).collect();
    assert_eq!((fine.code, clients), (0, vec!["a", "b"]));

    let mut pipe = field.command(&["send", "Clark", "-"]);
    let mut pipe = pipe.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // More than all buffers on the way hold, so that sending and reading must go on side by side.
    let lines = "IAMAT \u{1b}bad\n".repeat(200_000);
    let mut stdin = pipe.stdin.take().unwrap();
    let writing = thread::spawn(move || stdin.write_all(lines.as_bytes()));
    let mut answers = Vec::new();
    Watched::new(pipe.stdout.take().unwrap()).read_to_end(&mut answers).unwrap();
    writing.join().unwrap().unwrap();
    assert_eq!(wait(&mut pipe), 8);
    assert_eq!(answers, "? IAMAT \u{1b}bad\n".repeat(200_000).as_bytes(), "a pipe gets the server's own bytes");

    let typo = field.args(&["send", "Clrk", "IAMAT a +1+1 1"]);
    assert!(typo.code == 4 && typo.err.contains("did you mean: Clark?"), "{typo:?}");
    let unknown = field.run("whatsat nobody 10 5");
    assert_eq!((unknown.code, unknown.out.as_str()), (8, "? WHATSAT nobody 10 5\n"));
    assert_eq!(field.run("whatsat nobody 10 5 --json").failure()["error"], "check_failed");
}

#[test]
fn a_foreground_herd_shows_its_logs_and_ends_with_ctrl_c() {
    let field = Field::new();
    let mut up = field.command(&["up"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(Watched::new(up.stdout.take().unwrap())).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("ready in ")));
    assert!(lines.any(|line| line.contains("Clark") && line.contains("listening on")));
    assert_eq!(field.run("iamat kiwi +1+1 --to Clark").code, 0);
    assert!(lines.any(|line| line.contains(" | IN  client ") && line.contains("IAMAT kiwi +1+1")));
    kill(Pid::from_raw(up.id().cast_signed()), Signal::SIGINT).unwrap();
    assert!(lines.last().unwrap().starts_with("stopped 5 servers in "));
    assert_eq!(wait(&mut up), 0);
}

#[test]
fn a_terminal_that_takes_nothing_holds_nobody_up() {
    let field = Field::new();
    // Never read: the pipe is full after a few hundred records.
    let mut up = field.command(&["up"]).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while field.run("ps --check").code != 0 {
        assert!(Instant::now() < deadline);
    }
    let flood: Vec<String> = (0..3000).map(|n| format!("IAMAT c{n} +1+1 1")).collect();
    let args: Vec<&str> = ["send", "Clark"].into_iter().chain(flood.iter().map(String::as_str)).collect();
    assert_eq!(field.args(&args).out.lines().count(), 3000);
    assert_eq!(field.run("ps --check").code, 0);
    kill(Pid::from_raw(up.id().cast_signed()), Signal::SIGTERM).unwrap();
    assert_eq!(wait(&mut up), 0);
}

#[test]
fn a_reader_who_leaves_ends_a_command_quietly() {
    let field = Field::new();
    let record = |n: u32| format!("2026-11-23T06:05:52.123456Z #{n} INFO  {}\n", "x".repeat(200));
    fs::create_dir_all(field.path("logs")).unwrap();
    fs::write(field.path("logs/Clark.log"), (1..5000).map(record).collect::<String>()).unwrap();
    let mut logs = field.command(&["logs", "-n", "all"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = String::new();
    BufReader::new(Watched::new(logs.stdout.take().unwrap())).read_line(&mut first).unwrap();
    let mut said = String::new();
    Watched::new(logs.stderr.take().unwrap()).read_to_string(&mut said).unwrap();
    assert_eq!((wait(&mut logs), said.as_str()), (0, ""));
    assert!(first.starts_with("06:05:52.123456 #1 "), "{first}");
}

#[test]
fn logs_work_without_a_herd_and_go_on_with_a_new_one() {
    let field = Field::new();
    assert_eq!(field.run("logs").err.lines().next(), Some("no logs yet in ./logs"));
    let mut follow = field.command(&["logs", "clark", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let stdout = BufReader::new(Watched::new(follow.stdout.take().unwrap()));
    let (say, said) = std::sync::mpsc::sync_channel(1000);
    thread::spawn(move || stdout.lines().map_while(Result::ok).try_for_each(|line| say.send(line)));
    for _ in 0..2 {
        assert_eq!(field.run("up -d").code, 0);
        let mut missing = vec!["── herd up since ", "Clark | listening on"];
        while !missing.is_empty() {
            let line = said.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{missing:?} does not come"));
            missing.retain(|part| !line.contains(part));
        }
        assert_eq!(field.run("down").code, 0);
    }
    follow.kill().unwrap();
    wait(&mut follow);
    let all = field.run("logs -n all --json");
    let records: Vec<Value> = all.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.iter().any(|record| record["server"] == "Bona" && record["level"] == "in"));
    let last = field.run("logs -n 3 --json");
    assert_eq!(
        last.out.lines().collect::<Vec<_>>(),
        all.out.lines().rev().take(3).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>()
    );
    assert_eq!(field.run("logs Clrk").code, 4);
    assert_eq!(field.run("kill Clrk --json").failure()["error"], "not_running");
}

#[test]
fn nothing_is_coloured_in_a_pipe_unless_it_is_asked_for() {
    let field = Field::new();
    let is_plain = |said: &Said| !(said.out.clone() + &said.err).contains('\u{1b}');
    for line in ["--help", "kill --help", "help", "help exit-codes", "ps", "check", "klil", "logs", "version"] {
        assert!(is_plain(&field.run(line)), "{line}");
        assert!(is_plain(&Said::of(
            &field.command(&[line]).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1").output().unwrap()
        )));
    }
    assert!(!is_plain(&field.run("--color always help")));
    assert!(!is_plain(&field.run("ps --color always")));
    assert!(!is_plain(&Said::of(&field.command(&["ps"]).env("CLICOLOR_FORCE", "1").output().unwrap())));
}

#[test]
fn every_mistake_has_its_code() {
    let field = Field::new();
    let codes: Vec<_> =
        ["ps", "kill Clark", "bogus", "up --only Clrk", "up --wait-timeout 5"].map(|line| field.run(line).code).into();
    assert_eq!(codes, [3, 3, 2, 4, 2]);
    assert_eq!(field.run("init").code, 6);
    assert_eq!(field.run("-c nowhere.toml ps").code, 5);
    fs::write(field.path("herd.toml"), "x=").unwrap();
    for line in ["check", "up", "up -d", "logs"] {
        assert_eq!(field.run(line).code, 5, "{line}");
    }
    assert_eq!(field.run("up --json").failure()["error"], "bad_config");
    let empty = Folder::new();
    let nowhere = Said::of(&herdctl(empty.path(), &["ps"]).env("HOME", empty.path()).output().unwrap());
    assert!(
        nowhere.code == 5 && nowhere.err.contains("  looked in: ") && nowhere.err.contains("hint: herdctl init"),
        "{nowhere:?}"
    );
    assert_eq!(Said::of(&herdctl(empty.path(), &["version"]).output().unwrap()).code, 0);
}

#[test]
fn a_taken_port_starts_nothing() {
    let field = Field::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let toml = fs::read_to_string(field.path("herd.toml")).unwrap();
    let port = taken.local_addr().unwrap().port();
    fs::write(field.path("herd.toml"), toml.replacen("127.0.0.1:0", &format!("127.0.0.1:{port}"), 1)).unwrap();
    for line in ["up", "up -d"] {
        let said = field.run(line);
        assert!(said.code == 6 && said.err.contains(&port.to_string()), "{said:?}");
    }
    assert_eq!(field.run("ps").code, 3);
}

/// Something on a Unix socket that answers each request with these bytes; nothing at all if there are none.
fn fake(folder: &Path, answer: &str) -> PathBuf {
    let path = folder.join("fake.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let answer = answer.to_owned();
    thread::spawn(move || {
        let mut kept = Vec::new();
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request);
            if answer.is_empty() {
                kept.push(stream);
            } else {
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    path
}

fn http(headers: &str, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

/// What `ps` says with this on the control socket.
fn ps_of_fake(answer: &str) -> Said {
    let folder = Folder::new();
    let socket = fake(folder.path(), answer);
    let args = ["ps", "--timeout", "300ms", "--socket", socket.to_str().unwrap()];
    Said::of(&herdctl(folder.path(), &args).output().unwrap())
}

#[test]
fn a_herd_that_hangs_is_named_by_its_pid() {
    let said = ps_of_fake("");
    let pid = std::process::id();
    assert!(said.code == 7 && said.err.starts_with(&format!("error: no answer from pid {pid} in 300ms\n")), "{said:?}");
}

#[test]
fn another_version_is_named_with_the_remedy() {
    let said = ps_of_fake(&http("herd-protocol: 2\r\nherd-version: 9.8.7\r\n", "{}"));
    assert_eq!(said.code, 9, "{said:?}");
    assert!(said.err.contains("was started by 9.8.7 (protocol 2)\n"), "{said:?}");
    assert!(said.err.contains("restart it: herdctl down && herdctl up -d"), "{said:?}");
}

#[test]
fn what_is_no_herd_is_not_believed() {
    let answers = [
        "\u{1b}[2J garbage".to_owned(),
        http("", "{}"),
        http("herd-protocol: 1\r\n", "\u{1b}[2J"),
        http("herd-protocol: 1\r\n", "{\"schema\":\"herd.ps/1\"}"),
        http("herd-protocol: 1\r\n", "{}").replace("200 OK", "500 Internal Server Error"),
        "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_owned(),
    ];
    for answer in answers {
        let said = ps_of_fake(&answer);
        assert!(said.code == 1 && said.err.contains("does not speak as a herd"), "{answer:?}: {said:?}");
        assert!(!said.err.contains('\u{1b}'), "{said:?}");
    }
}

#[test]
fn a_herd_of_another_version_can_still_be_ended() {
    let folder = Folder::new();
    let down = r#"{"schema":"herd.down/1","changed":true,"servers":2,"clients":1,"took_ms":3,"forced":[],"logs":"/l"}"#;
    let socket = fake(folder.path(), &http("herd-protocol: 2\r\nherd-version: 9.8.7\r\n", down));
    let args = ["down", "--json", "--socket", socket.to_str().unwrap()];
    let said = Said::of(&herdctl(folder.path(), &args).output().unwrap());
    assert_eq!((said.code, said.out.trim_end()), (0, down));
}

#[test]
fn a_bench_measures_and_judges_the_running_herd() {
    let field = Field::new();
    assert_eq!(field.run("up -d").code, 0);
    let found =
        field.json("bench --json --duration 300ms --warm-up 10ms --clients 50 --connections 4 --depth 2 --to all");
    crate::schemas::check("bench", &found);
    assert_eq!(
        (&found["schema"], &found["clients"], &found["rate"]),
        (&"herd.bench/1".into(), &50.into(), &Value::Null)
    );
    assert_eq!((&found["refused"], &found["unanswered"]), (&0.into(), &0.into()));
    for kind in ["iamat", "convergence"] {
        let latencies = &found[kind];
        let figure = |name: &str| latencies[name].as_u64().unwrap_or_else(|| panic!("{kind}: {found}"));
        assert!(figure("count") > 0 && figure("p50_us") <= figure("p99_us") && figure("p99_us") <= figure("max_us"));
        let rows = latencies["histogram"].as_array().unwrap();
        let counted: u64 = rows.iter().map(|row| row["count"].as_u64().unwrap()).sum();
        assert_eq!(counted, figure("count"), "{kind}: every latency is in one row");
    }

    let open_loop = "bench --rate 500 --mix 1:0 --duration 300ms --warm-up 10ms --clients 50 --connections 4 -q";
    let judged = |condition: &str| field.args(&[&words(open_loop)[..], &["--fail-if", condition]].concat());
    let good = judged("p99>1h");
    assert_eq!(good.code, 0, "{}", good.err);
    assert!(
        good.out.contains("IAMAT") && !good.out.contains("WHATSAT") && good.out.contains("good p99>1h"),
        "{}",
        good.out
    );
    assert_eq!(judged("throughput<1000000000").code, 8);
    assert_eq!(judged("whatsat.p99>1h").code, 8, "what was not measured is not good");
    assert_eq!(judged("p98>1h").code, 2);
}

fn words(line: &str) -> Vec<&str> {
    line.split_whitespace().collect()
}
