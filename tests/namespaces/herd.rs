//! A herd of hosts: a `herdctl serve` on each, watched over its own control socket, which is a file and needs no network.

use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Stdio};
use std::{fs, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::network::Network;
use crate::commands::{Field, wait};
use crate::serve;
use crate::support::{Client, wait_until};

pub const FIVE: [&str; 5] = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];
const LINKS_OF_FIVE: &str = r#"[["Clark", "Jaquez"], ["Clark", "Bona"], ["Campbell", "Bailey"],
    ["Campbell", "Bona"], ["Campbell", "Jaquez"], ["Bona", "Bailey"]]"#;
const PORT: u16 = 11000;

/// Its processes end with it, and so do its hosts.
pub struct Herd {
    pub field: Field,
    processes: Vec<(&'static str, Child)>,
    pub network: Network,
    servers: Vec<&'static str>,
}

impl Herd {
    /// The five of the shipped herd.toml, all running and linked, with this line of herd.toml besides; nothing where
    /// there can be no network.
    pub fn five(line: &str) -> Option<Self> {
        Self::linked(Self::prepared(&FIVE, LINKS_OF_FIVE, line)?)
    }

    /// Two neighbours, Bona, who dials, and Clark, running and linked.
    pub fn two(line: &str) -> Option<Self> {
        Self::linked(Self::prepared(&["Bona", "Clark"], r#"[["Bona", "Clark"]]"#, line)?)
    }

    /// The five, none of them started.
    pub fn five_asleep(line: &str) -> Option<Self> {
        Self::prepared(&FIVE, LINKS_OF_FIVE, line)
    }

    fn prepared(servers: &[&'static str], links: &str, line: &str) -> Option<Self> {
        let network = Network::of(servers)?;
        let field = Field::new();
        let at = |server: &str| network.address(server);
        let server = |name: &&str| {
            let control =
                if line.contains("control.") { format!(", control = \"{}:12000\"", at(name)) } else { String::new() };
            format!("    {{ name = \"{name}\", address = \"{}:{PORT}\"{control} }},\n", at(name))
        };
        let servers_toml: String = servers.iter().map(server).collect();
        field.edit(|_| {
            format!(
                "herd = \"test\"\nsecret_file = \"herd.secret\"\n{line}\nservers = [\n{servers_toml}]\nlinks = {links}\n"
            )
        });
        serve::secret(&field.path("herd.secret"), "open sesame\n");
        Some(Self { field, processes: Vec::new(), network, servers: servers.to_vec() })
    }

    fn linked(mut self) -> Option<Self> {
        self.start_all();
        Some(self)
    }

    pub fn start_all(&mut self) {
        self.servers.clone().into_iter().for_each(|server| self.start(server));
        self.wait_linked();
    }

    pub fn start(&mut self, server: &'static str) {
        let mut command = self.field.command(&["serve", server]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = self.network.on(server, || command.spawn().unwrap());
        self.processes.push((server, process));
    }

    pub fn signal(&self, server: &str, signal: Signal) {
        kill(self.pid(server), signal).unwrap();
    }

    /// As a debugger does: nothing of it runs any more, and its sockets stay.
    pub fn stop(&self, server: &str) {
        self.signal(server, Signal::SIGSTOP);
        wait_until(&format!("{server} to stand still"), || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid(server))).unwrap();
            stat.rsplit(") ").next().unwrap().starts_with('T')
        });
    }

    /// Sends a signal that ends it, and gives the exit code.
    pub fn end(&mut self, server: &str, signal: Signal) -> i32 {
        self.signal(server, signal);
        let place = self.processes.iter().position(|(name, _)| *name == server).unwrap();
        wait(&mut self.processes.swap_remove(place).1)
    }

    /// kill -9.
    pub fn kill(&mut self, server: &str) {
        self.end(server, Signal::SIGKILL);
    }

    fn pid(&self, server: &str) -> Pid {
        let (_, process) = self.processes.iter().find(|(name, _)| *name == server).expect("it runs");
        Pid::from_raw(process.id().cast_signed())
    }

    pub fn address(&self, server: &str) -> SocketAddr {
        (self.network.address(server), PORT).into()
    }

    /// A client on the server's own host, which no trouble of the network keeps from it.
    #[track_caller]
    pub fn client(&self, server: &str) -> Client {
        self.client_on(server, server)
    }

    /// A client on another host.
    #[track_caller]
    pub fn client_on(&self, host: &str, server: &str) -> Client {
        let address = self.address(server);
        Client::of(self.network.on(host, || TcpStream::connect(address).unwrap()))
    }

    /// What a server says of itself; nothing while it does not run. Not to be asked of one that stands still.
    pub fn ps(&self, server: &str) -> Option<Value> {
        let socket = self.field.path(&format!(".herd/{server}.serve/herd.sock"));
        let (status, body) = serve::get(&socket, "/v1/ps")?;
        (status == 200).then(|| serde_json::from_str(&body).unwrap())
    }

    /// A number that a server shows of itself; nothing while it does not run.
    fn shows(&self, server: &str, what: &str) -> Option<u64> {
        self.ps(server)?["servers"][0][what].as_u64()
    }

    pub fn links_up(&self, server: &str) -> u64 {
        self.shows(server, "links_up").unwrap_or_else(|| panic!("{server} does not run"))
    }

    pub fn knows(&self, server: &str) -> u64 {
        self.shows(server, "knows").unwrap_or_else(|| panic!("{server} does not run"))
    }

    pub fn unconfirmed(&self, server: &str) -> u64 {
        self.shows(server, "unconfirmed").unwrap_or_else(|| panic!("{server} does not run"))
    }

    /// What a server has logged so far.
    pub fn log(&self, server: &str) -> String {
        fs::read_to_string(self.field.path(&format!("logs/{server}/{server}.log"))).unwrap_or_default()
    }

    /// The log is written a moment after what it tells.
    #[track_caller]
    pub fn wait_log(&self, server: &str, text: &str) {
        wait_until(&format!("{server}'s log to say {text:?}"), || self.log(server).contains(text));
    }

    /// Waits until a server calls so many of its links live.
    #[track_caller]
    pub fn wait_links(&self, server: &str, links_up: u64) {
        wait_until(&format!("{server} to have {links_up} links"), || self.shows(server, "links_up") == Some(links_up));
    }

    /// Waits until every server calls all its links live.
    #[track_caller]
    pub fn wait_linked(&self) {
        for server in &self.servers {
            wait_until(&format!("all links of {server}"), || {
                self.shows(server, "links_up").is_some_and(|up| Some(up) == self.shows(server, "links"))
            });
        }
    }

    /// Waits until all that run know so many clients, and the same of them.
    #[track_caller]
    pub fn wait_converged(&self, clients: u64) {
        let running = || self.processes.iter().map(|(server, _)| *server);
        wait_until(&format!("all to know the same {clients} clients"), || {
            let all: Vec<Option<Value>> = running().map(|server| self.ps(server)).collect();
            let digest = |ps: &Option<Value>| ps.as_ref().map(|ps| ps["servers"][0]["digest"].clone());
            all.iter().all(|ps| {
                ps.as_ref().is_some_and(|ps| ps["servers"][0]["knows"] == clients) && digest(ps) == digest(&all[0])
            })
        });
    }

    /// What comes from one host to another is met by these rules of nft, in the place of those before: `drop`, say.
    /// Nothing else changes for either.
    pub fn filter(&self, from: &str, to: &str, verdict: &str) {
        self.network.filter(to, &[format!("ip saddr {} {verdict}", self.network.address(from))]);
    }

    /// The same both ways.
    pub fn filter_both(&self, one: &str, other: &str, verdict: &str) {
        self.filter(one, other, verdict);
        self.filter(other, one, verdict);
    }

    /// Takes all rules from these hosts.
    pub fn heal(&self, hosts: &[&str]) {
        hosts.iter().for_each(|host| self.network.filter(host, &[]));
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        for (_, process) in &mut self.processes {
            let _ = process.kill();
            let _ = process.wait();
        }
        if thread::panicking() {
            for server in &self.servers {
                let log = self.log(server);
                let last: Vec<&str> = log.lines().rev().take(10).collect();
                println!("{server}, the last first:\n  {}", last.join("\n  "));
            }
        }
    }
}
