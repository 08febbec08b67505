//! `herdctl serve`: five real processes of one herd.toml behave as five threads do.

mod control;
mod events;
mod farewell;
mod health;
mod herdwide;
mod logs;
mod names;
mod tls;
mod top;
mod watch;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::commands::{Field, wait};

const SERVERS: [&str; 5] = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];
const PATIENCE: Duration = Duration::from_secs(20);

const TOKEN: &str = "the-token-of-these-tests";

/// A file that only we can read.
pub fn secret(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Five processes; they die with the test.
struct Served {
    field: Field,
    processes: Vec<(&'static str, Child)>,
}

impl Served {
    fn new() -> Self {
        let field = Field::new();
        // A loopback address of this process alone, and ports of this herd alone, so that they can be known beforehand.
        let [.., high, low] = std::process::id().to_be_bytes();
        static HERDS: AtomicU16 = AtomicU16::new(0);
        let mut port = 11000 + 20 * HERDS.fetch_add(1, Relaxed);
        field.edit(|mut toml| {
            while toml.contains("127.0.0.1:0") {
                toml = toml.replacen("127.0.0.1:0", &format!("127.77.{high}.{}:{port}", low.clamp(1, 254)), 1);
                port += 1;
            }
            format!("secret_file = \"herd.secret\"\n{toml}")
        });
        secret(&field.path("herd.secret"), "open sesame\n");
        Self { field, processes: Vec::new() }
    }

    /// The same, with a control address for each server and a token.
    fn with_control() -> Self {
        let herd = Self::new();
        herd.field.edit(|toml| {
            let with = |line: &str| match line.rsplit_once("\" },") {
                Some((server, rest)) if line.starts_with("    { name = ") => {
                    let (address, port) = server.rsplit_once("\"").unwrap().1.split_once(':').unwrap();
                    format!("{server}\", control = \"{address}:{}\" }},{rest}\n", port.parse::<u16>().unwrap() + 10)
                }
                _ => format!("{line}\n"),
            };
            toml.lines().map(with).collect::<String>() + "[control]\ntoken_file = \"herd.token\"\n"
        });
        secret(&herd.field.path("herd.token"), TOKEN);
        herd
    }

    /// Where a server's process answers commands of other hosts.
    fn control_of(&self, server: &str) -> String {
        let toml = fs::read_to_string(self.field.path("herd.toml")).unwrap();
        let line = toml.lines().find(|line| line.starts_with(&format!("    {{ name = \"{server}\""))).unwrap();
        line.split("control = \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }

    fn start(&mut self, server: &'static str) {
        self.start_with(server, &[]);
    }

    fn start_with(&mut self, server: &'static str, environment: &[(&str, &str)]) {
        let mut command = self.field.command(&["serve", server]);
        command.env("NOTIFY_SOCKET", self.field.path("notify")).stdin(Stdio::null());
        command.envs(environment.iter().copied());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.processes.push((server, process));
    }

    /// Sends a signal and gives the exit code.
    fn end(&mut self, server: &str, signal: Signal) -> i32 {
        let mut process = self.take(server);
        kill(Pid::from_raw(i32::try_from(process.id()).unwrap()), signal).unwrap();
        wait(&mut process)
    }

    /// What a server's own control socket answers to a plain GET: status and body; nothing while there is none.
    fn get(&self, server: &str, path: &str) -> Option<(u16, String)> {
        get(&self.field.path(&format!(".herd/{server}.serve/herd.sock")), path)
    }

    fn take(&mut self, server: &str) -> Child {
        let place = self.processes.iter().position(|(name, _)| *name == server).unwrap();
        self.processes.swap_remove(place).1
    }

    /// What a server's own control socket says; nothing while there is none.
    fn ps(&self, server: &str) -> Option<Value> {
        let said = self.field.run(&format!("--socket .herd/{server}.serve/herd.sock ps --json"));
        (said.code == 0).then(|| serde_json::from_str(&said.out).unwrap())
    }

    /// Until each of these knows so many clients, all the same of them, over whole links.
    fn level(&self, servers: &[&str], knows: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let all: Vec<Value> = servers.iter().filter_map(|server| self.ps(server)).collect();
            let is_level = all.len() == servers.len()
                && all.iter().all(|ps| {
                    ps["servers"].as_array().unwrap().len() == 1
                        && ps["servers"][0]["knows"] == knows
                        && ps["servers"][0]["digest"] == all[0]["servers"][0]["digest"]
                        && (servers.len() < SERVERS.len() || ps["summary"]["links_up"] == ps["summary"]["links"])
                });
            if is_level {
                return;
            }
            assert!(Instant::now() < deadline, "not level: {all:#?}");
            thread::park_timeout(Duration::from_millis(20));
        }
    }
}

/// What a control socket answers to a plain GET: status and body; nothing while there is none.
pub fn get(socket: &Path, path: &str) -> Option<(u16, String)> {
    let mut stream = UnixStream::connect(socket).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: herd\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// The next word to the runner.
fn heard(runner: &UnixDatagram) -> String {
    let mut news = [0; 64];
    let bytes = runner.recv(&mut news).unwrap();
    String::from_utf8(news[..bytes].to_vec()).unwrap()
}

impl Drop for Served {
    fn drop(&mut self) {
        for (_, process) in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

#[test]
fn five_processes_behave_as_five_threads_do() {
    let mut herd = Served::new();
    let runner = UnixDatagram::bind(herd.field.path("notify")).unwrap();
    runner.set_read_timeout(Some(PATIENCE)).unwrap();
    for server in SERVERS {
        herd.start(server);
    }
    for _ in SERVERS {
        assert_eq!(heard(&runner), "READY=1");
    }
    herd.level(&SERVERS, 0);
    assert_eq!(herd.field.run("--socket .herd/Clark.serve/herd.sock iamat kiwi +34.07-118.45 --to Clark").code, 0);
    herd.level(&SERVERS, 1);
    let asked = herd.field.json("--socket .herd/Bailey.serve/herd.sock whatsat kiwi 10 2 --to Bailey --json");
    assert_eq!(asked["at"]["server"], "Clark");

    let elsewhere = herd.field.run("--socket .herd/Clark.serve/herd.sock kill Bona --json");
    assert_eq!(elsewhere.failure()["message"], "Bona runs in another process");

    let known = herd.field.json("--socket .herd/Clark.serve/herd.sock whereis kiwi --json");
    assert_eq!(
        (&known["clients"][0]["agreed"], &known["silent"][0]["why"]),
        (&true.into(), &"runs in another process".into())
    );
    let forgotten = herd.field.json("--socket .herd/Clark.serve/herd.sock forget nobody --json");
    assert!(
        forgotten["may_return"][0].as_str().unwrap().contains("another process, and may still know it"),
        "{forgotten}"
    );

    let mut clark = herd.take("Clark");
    clark.kill().unwrap();
    clark.wait().unwrap();
    assert_eq!(herd.field.run("--socket .herd/Bona.serve/herd.sock iamat emu +1+1 --to Bona").code, 0);
    herd.level(&["Bailey", "Bona", "Campbell"], 2);
    herd.start("Clark");
    assert_eq!(heard(&runner), "READY=1");
    herd.level(&SERVERS, 2);

    assert_eq!(herd.end("Jaquez", Signal::SIGTERM), 0);
    assert_eq!(heard(&runner), "STOPPING=1");
}

#[test]
fn a_herd_whose_servers_could_not_know_each_other_is_not_served() {
    let field = Field::new();
    let refused = field.run("serve Clark --json");
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(
        refused.failure()["message"].as_str().unwrap().contains("has no `secret_file` and no [tls], HERDCTL_SECRET"),
        "{refused:?}"
    );
    secret(&field.path("herd.secret"), "open sesame\n");
    field.edit(|toml| format!("secret_file = \"herd.secret\"\n{toml}"));
    let refused = field.run("serve Clark --json");
    assert!(
        refused.code == 5 && refused.failure()["message"].as_str().unwrap().starts_with("port 0 of "),
        "{refused:?}"
    );
}
