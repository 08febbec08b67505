//! `herdctl serve`: five real processes of one herd.toml behave as five threads do.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::commands::{Field, wait};

const SERVERS: [&str; 5] = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];
const PATIENCE: Duration = Duration::from_secs(20);

/// Five processes; they die with the test.
struct Served {
    field: Field,
    processes: Vec<(&'static str, Child)>,
}

impl Served {
    fn new() -> Self {
        let field = Field::new();
        // A loopback address of this process alone, so that the ports can be known beforehand.
        let [.., high, low] = std::process::id().to_be_bytes();
        let mut port = 11000;
        field.edit(|mut toml| {
            while toml.contains("127.0.0.1:0") {
                toml = toml.replacen("127.0.0.1:0", &format!("127.77.{high}.{}:{port}", low.clamp(1, 254)), 1);
                port += 1;
            }
            format!("secret_file = \"herd.secret\"\n{toml}")
        });
        fs::write(field.path("herd.secret"), "open sesame\n").unwrap();
        fs::set_permissions(field.path("herd.secret"), fs::Permissions::from_mode(0o600)).unwrap();
        Self { field, processes: Vec::new() }
    }

    fn start(&mut self, server: &'static str) {
        let mut command = self.field.command(&["serve", server]);
        command.env("NOTIFY_SOCKET", self.field.path("notify")).stdin(Stdio::null());
        let process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        self.processes.push((server, process));
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
    let heard = || {
        let mut news = [0; 64];
        let bytes = runner.recv(&mut news).unwrap();
        String::from_utf8(news[..bytes].to_vec()).unwrap()
    };
    for server in SERVERS {
        herd.start(server);
    }
    for _ in SERVERS {
        assert_eq!(heard(), "READY=1");
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
    assert_eq!(heard(), "READY=1");
    herd.level(&SERVERS, 2);

    let mut jaquez = herd.take("Jaquez");
    kill(Pid::from_raw(i32::try_from(jaquez.id()).unwrap()), Signal::SIGTERM).unwrap();
    assert_eq!(heard(), "STOPPING=1");
    assert_eq!(wait(&mut jaquez), 0);
}

#[test]
fn a_herd_whose_servers_could_not_know_each_other_is_not_served() {
    let field = Field::new();
    let refused = field.run("serve Clark --json");
    assert_eq!(refused.code, 5, "{refused:?}");
    assert!(refused.failure()["message"].as_str().unwrap().contains("has no `secret_file`"), "{refused:?}");
    fs::write(field.path("herd.secret"), "open sesame\n").unwrap();
    fs::set_permissions(field.path("herd.secret"), fs::Permissions::from_mode(0o600)).unwrap();
    field.edit(|toml| format!("secret_file = \"herd.secret\"\n{toml}"));
    let refused = field.run("serve Clark --json");
    assert!(
        refused.code == 5 && refused.failure()["message"].as_str().unwrap().starts_with("port 0 of "),
        "{refused:?}"
    );
}
