//! A network on this machine: each host is a network namespace with one cable to a switch.
//!
//! The namespaces have no names. They are held by open files of this process and by the processes in them, so whatever
//! becomes of a test, the system takes them back.

use std::fs::File;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::process::{self, Command, Stdio};
use std::thread;

use nix::sched::{CloneFlags, setns, unshare};

/// The host on which no server runs.
pub const ELSEWHERE: &str = "elsewhere";

pub struct Network {
    switch: Namespace,
    hosts: Vec<(&'static str, Namespace)>,
}

impl Network {
    /// These hosts and one more, all connected; nothing where this machine does not give it, after saying so.
    pub fn of(names: &[&'static str]) -> Option<Self> {
        let switch = Namespace::new().map_err(|why| println!("left out: network namespaces: {why}")).ok()?;
        // Each kind of thing that the tests ask of the two programs.
        let link = "link add bridge type bridge\nlink set bridge up\n";
        let firewall = "add table ip probe\n";
        for (program, arguments, input) in [("ip", "-batch -", link), ("nft", "-f -", firewall)] {
            let done = switch.run(program, arguments, input);
            done.map_err(|why| println!("left out: {program}: {why}")).ok()?;
        }
        let mut network = Self { switch, hosts: Vec::new() };
        for name in names.iter().copied().chain([ELSEWHERE]) {
            network.hosts.push((name, Namespace::new().unwrap()));
            network.connect(name);
        }
        Some(network)
    }

    pub fn address(&self, host: &str) -> Ipv4Addr {
        Ipv4Addr::new(10, 77, 0, self.number(host) + 1)
    }

    /// Does this on a host: what is connected, bound or started in there is that host's.
    pub fn on<T: Send>(&self, host: &str, act: impl FnOnce() -> T + Send) -> T {
        self.host(host).inside(act)
    }

    /// Runs a program on a host, which must succeed.
    #[track_caller]
    pub fn run(&self, host: &str, program: &str, arguments: &str) -> String {
        self.host(host).run(program, arguments, "").unwrap_or_else(|why| panic!("{program} {arguments}: {why}"))
    }

    /// Pulls a host's cable: nothing comes, nothing goes, and nobody is told.
    pub fn unplug(&self, host: &str) {
        self.set_port(host, "down");
    }

    pub fn plug(&self, host: &str) {
        self.set_port(host, "up");
    }

    /// Another machine in a host's place, with its addresses: one that knows of no connection.
    pub fn replace(&mut self, host: &str) {
        self.switch.run("ip", &format!("link del port{}", self.number(host)), "").unwrap();
        let place = usize::from(self.number(host));
        self.hosts[place].1 = Namespace::new().unwrap();
        self.connect(self.hosts[place].0);
    }

    /// Hangs rules into what comes to a host, in the place of all that hung there: a line each, in the words of nft.
    #[track_caller]
    pub fn filter(&self, host: &str, rules: &[String]) {
        let rules: String = rules.iter().map(|rule| format!("add rule ip faults heard {rule}\n")).collect();
        let table = "add table ip faults\ndelete table ip faults\nadd table ip faults\n\
                     add chain ip faults heard { type filter hook input priority 0; }\n";
        self.host(host).run("nft", "-f -", &(table.to_owned() + &rules)).unwrap_or_else(|why| panic!("{rules}: {why}"));
    }

    /// How many packets the rules of a host have counted.
    pub fn counted(&self, host: &str) -> u64 {
        let rules = self.run(host, "nft", "list table ip faults");
        let counts = rules.split("counter packets ").skip(1);
        counts.map(|rest| rest.split(' ').next().unwrap().parse::<u64>().unwrap()).sum()
    }

    fn connect(&self, host: &str) {
        let (number, namespace) = (self.number(host), self.host(host));
        // A machine in the place of another has its hardware address, too: nobody is to be told of a new one.
        let cable = format!(
            "link add port{number} type veth peer name eth0 address 02:00:00:00:00:{:02x} netns {}\n\
             link set port{number} master bridge up\n",
            number + 1,
            namespace.path()
        );
        let inside = format!("address add {}/24 dev eth0\nlink set eth0 up\nlink set lo up\n", self.address(host));
        self.switch.run("ip", "-batch -", &cable).unwrap();
        namespace.run("ip", "-batch -", &inside).unwrap();
    }

    fn set_port(&self, host: &str, state: &str) {
        self.switch.run("ip", &format!("link set port{} {state}", self.number(host)), "").unwrap();
    }

    fn number(&self, host: &str) -> u8 {
        let place = self.hosts.iter().position(|(name, _)| *name == host);
        u8::try_from(place.unwrap_or_else(|| panic!("no host is called {host}"))).unwrap()
    }

    fn host(&self, name: &str) -> &Namespace {
        &self.hosts[usize::from(self.number(name))].1
    }
}

/// It is there for as long as this is, or a process in it.
struct Namespace(File);

impl Namespace {
    fn new() -> Result<Self, String> {
        // A thread of its own leaves ours where it is.
        let made = thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).map_err(|why| why.to_string())?;
            File::open("/proc/thread-self/ns/net").map_err(|why| why.to_string())
        });
        made.join().expect("it does not panic").map(Self)
    }

    /// Where another program of this machine finds it.
    fn path(&self) -> String {
        format!("/proc/{}/fd/{}", process::id(), self.0.as_raw_fd())
    }

    fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let entered = || {
            setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
            act()
        };
        thread::scope(|scope| scope.spawn(entered).join().unwrap())
    }

    /// What a program says in there; or why it could not be run, or what it complains of.
    fn run(&self, program: &str, arguments: &str, input: &str) -> Result<String, String> {
        let mut command = Command::new(program);
        command.args(arguments.split_whitespace()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut running = self.inside(|| command.spawn()).map_err(|why| why.to_string())?;
        let written = running.stdin.take().expect("it is piped").write_all(input.as_bytes());
        let output = running.wait_with_output().map_err(|why| why.to_string())?;
        match output.status.success() && written.is_ok() {
            true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
        }
    }
}
