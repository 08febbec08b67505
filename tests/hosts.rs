//! Five hosts: each server is a `herdctl serve` with a folder of its own, as on a machine of its own, and shares with
//! the others nothing but what is put there.

use std::fs;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::commands::{Field, Said};
use crate::support::certificates::put;

pub const SERVERS: [&str; 5] = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];
const PATIENCE: Duration = Duration::from_secs(20);

/// Their processes die with the test.
pub struct Hosts {
    field: Field,
    processes: Vec<(&'static str, Child)>,
}

impl Hosts {
    /// Each with a copy of the default herd.toml and these lines before its first; none is started.
    pub fn new(number: u8, lines: &str) -> Self {
        let hosts = Self { field: Field::new(), processes: Vec::new() };
        // A loopback address of this process and test alone, so that the ports can be known beforehand.
        let [.., low] = std::process::id().to_be_bytes();
        let toml = fs::read_to_string(hosts.field.path("herd.toml")).unwrap();
        let toml = (11000..11005).fold(toml, |toml, port| {
            toml.replacen("127.0.0.1:0", &format!("127.{number}.{}.{}:{port}", 78, low.clamp(1, 254)), 1)
        });
        for server in SERVERS {
            fs::create_dir_all(hosts.path(server, "")).unwrap();
            fs::write(hosts.path(server, "herd.toml"), format!("{lines}\n{toml}")).unwrap();
        }
        hosts
    }

    /// A file of a host.
    pub fn path(&self, server: &str, file: &str) -> PathBuf {
        self.field.path(&format!("hosts/{server}/{file}"))
    }

    /// Puts a secret in the place of the one before.
    pub fn put_secret(&self, server: &str, secret: &str) {
        put(&self.path(server, "herd.secret"), secret, 0o600);
    }

    pub fn start(&mut self, server: &'static str) {
        self.start_with(server, &[]);
    }

    /// The same, with something in its environment.
    pub fn start_with(&mut self, server: &'static str, environment: &[(&str, &str)]) {
        let config = self.path(server, "herd.toml");
        let mut command = self.field.command(&["serve", server, "--config", config.to_str().unwrap()]);
        command.envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        self.processes.push((server, command.spawn().unwrap()));
    }

    pub fn kill(&mut self, server: &str) {
        let place = self.processes.iter().position(|(name, _)| *name == server).expect("it runs");
        let mut process = self.processes.swap_remove(place).1;
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Runs a command on a host.
    pub fn run(&self, server: &str, line: &str) -> Said {
        let socket = self.path(server, &format!(".herd/{server}.serve/herd.sock"));
        let args: Vec<&str> =
            ["--socket", socket.to_str().unwrap()].into_iter().chain(line.split_whitespace()).collect();
        self.field.args(&args)
    }

    /// What a server says of itself; nothing while it does not run.
    pub fn ps(&self, server: &str) -> Option<Value> {
        let said = self.run(server, "ps --json");
        (said.code == 0).then(|| serde_json::from_str(&said.out).unwrap())
    }

    /// What it has logged.
    pub fn log(&self, server: &str) -> String {
        fs::read_to_string(self.path(server, &format!("logs/{server}/{server}.log"))).unwrap_or_default()
    }

    /// Until all servers know so many clients, and all the same, over whole links.
    #[track_caller]
    pub fn level(&self, knows: u64) {
        self.wait("all to be level", || {
            let all: Vec<Value> = SERVERS.iter().filter_map(|server| self.ps(server)).collect();
            all.len() == SERVERS.len()
                && all.iter().all(|ps| {
                    let server = &ps["servers"][0];
                    (&server["knows"], &server["digest"]) == (&knows.into(), &all[0]["servers"][0]["digest"])
                        && server["links_up"] == server["links"]
                })
        });
    }

    #[track_caller]
    pub fn wait(&self, what: &str, mut ready: impl FnMut() -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !ready() {
            assert!(
                Instant::now() < deadline,
                "waited {PATIENCE:?} for {what}: {:#?}",
                SERVERS.map(|server| self.ps(server))
            );
            thread::park_timeout(Duration::from_millis(20));
        }
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        for (_, process) in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
