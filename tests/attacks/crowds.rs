//! Those who use up what there is: connections, descriptors, seats, time.

use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use herdctl::limits;
use herdctl::protocol::hello::{Dialing, Identity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use serde_json::Value;

use crate::commands::Field;
use crate::support::{Client, Herd, canary, wait_until};

/// A herd in a process of its own, so that the descriptors of both ends are not those of one process.
struct Apart {
    field: Field,
    ps: Value,
}

impl Apart {
    /// All five, linked; with so many descriptors for the whole process, if that is said.
    fn up(descriptors: Option<u32>) -> Self {
        let field = Field::new();
        let up = field.command(&["up", "-d"]);
        let mut limited = Command::new("sh");
        let limit = descriptors.map_or(String::new(), |most| format!("ulimit -n {most}; "));
        limited.args(["-c", &format!("{limit}exec \"$@\""), "sh"]).arg(up.get_program()).args(up.get_args());
        canary::carry(&mut limited);
        let done = limited.current_dir(field.path("")).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let ps = field.json("ps --json");
        Self { field, ps }
    }

    fn client(&self, name: &str) -> Client {
        Client::of(self.connection(name))
    }

    fn connection(&self, name: &str) -> TcpStream {
        TcpStream::connect(server(&self.ps, name)["addr"].as_str().unwrap()).unwrap()
    }

    /// How many clients a server has, as the operator sees it.
    fn clients(&self, name: &str) -> usize {
        server(&self.field.json("ps --json"), name)["clients"].as_u64().unwrap().try_into().unwrap()
    }

    fn links_up(&self) -> u64 {
        self.field.json("ps --json")["summary"]["links_up"].as_u64().unwrap()
    }

    fn log(&self, name: &str) -> String {
        fs::read_to_string(self.field.path(&format!("logs/{name}.log"))).unwrap()
    }

    /// Bytes of the process's memory.
    fn memory(&self) -> usize {
        let status = fs::read_to_string(format!("/proc/{}/status", self.ps["pid"])).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        1024 * line.trim().trim_end_matches(" kB").parse::<usize>().unwrap()
    }
}

fn server<'a>(ps: &'a Value, name: &str) -> &'a Value {
    ps["servers"].as_array().unwrap().iter().find(|server| server["name"] == name).unwrap()
}

#[test]
fn ten_thousand_that_say_nothing_keep_nobody_waiting_and_cost_next_to_nothing() {
    const MEANT: usize = 10_000;
    const BYTES_EACH_MAX: usize = 3072;
    let (_, allowed) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, allowed, allowed).unwrap();
    // Other tests of this process need some, too.
    let crowd = MEANT.min(usize::try_from(allowed / 2).unwrap_or(MEANT));
    let herd = Apart::up(None);
    let before = herd.memory();
    let silent: Vec<TcpStream> = (0..crowd).map(|_| herd.connection("Clark")).collect();
    wait_until("all of them to be there", || herd.clients("Clark") >= crowd);
    let bytes = herd.memory().saturating_sub(before) / crowd;
    println!("{crowd} connections that say nothing: {bytes} bytes each");
    assert!(bytes <= BYTES_EACH_MAX, "{bytes} bytes for each of {crowd}");
    assert!(herd.client("Clark").ask("IAMAT kiwi +1-1 5").starts_with("AT Clark "));
    wait_until("the others to know", || herd.client("Bailey").ask("WHATSAT kiwi 10 0").starts_with("AT Clark "));
    assert_eq!(herd.links_up(), 6);
    drop(silent);
    wait_until("all of them to be gone", || herd.clients("Clark") == 0);
}

#[test]
fn a_crowd_that_uses_up_the_descriptors_leaves_some_to_the_operator_and_the_neighbours() {
    let herd = Apart::up(Some(160));
    let mut early = herd.client("Clark");
    assert!(early.ask("IAMAT kiwi +1-1 5").starts_with("AT Clark "));
    let mut crowd: Vec<Client> = (0..200).map(|_| herd.client("Clark")).collect();
    wait_until("the log to say so", || herd.log("Clark").contains("no descriptors are left for clients; only neigh"));

    let note = || server(&herd.field.json("ps --json"), "Clark")["note"].as_str().unwrap_or_default().to_owned();
    wait_until("the operator to be told", || {
        note() == "no descriptors are left for clients; only neighbours are let in"
    });

    assert!(early.ask("IAMAT kiwi +1-1 6").starts_with("AT Clark "), "who is in is answered");
    assert!(crowd[0].ask("x").starts_with("? x"), "who is in is answered");
    assert!(crowd.last_mut().unwrap().is_gone(), "who came late is sent away, and does not wait for ever");
    assert_eq!(herd.links_up(), 6);
    // The operator gets through, and neighbours find each other again.
    assert_eq!(herd.field.run("restart Bona --hard --wait").code, 0);
    wait_until("Bona to be linked again", || herd.links_up() == 6);

    // It is noticed although nobody comes, and while those who were let in go one after another.
    crowd.truncate(herd.clients("Clark") - 1);
    let mut next = Instant::now();
    wait_until("the log to say so", || {
        if Instant::now() >= next && !crowd.is_empty() {
            drop(crowd.remove(0));
            next = Instant::now() + limits::ACCEPT_PAUSE / 5;
        }
        herd.log("Clark").contains("accepting connections again")
    });
    assert!(!crowd.is_empty(), "it was noticed only when all had gone");
    wait_until("nothing more to be said of it", || note().is_empty());
    assert!(herd.client("Clark").ask("x").starts_with("? x"), "a new client is let in");
}

#[test]
fn a_crowd_at_every_door_that_leaves_no_descriptor_at_all_is_outlived() {
    let herd = Apart::up(Some(160));
    let names = ["Bailey", "Bona", "Campbell", "Clark", "Jaquez"];
    let mut early = herd.client("Clark");
    assert!(early.ask("IAMAT kiwi +1-1 5").starts_with("AT Clark "));
    let _crowd: Vec<Client> = (0..600).map(|nth| herd.client(names[nth % 5])).collect();
    wait_until("a server to say so", || {
        names.iter().any(|name| herd.log(name).contains("cannot accept connections: Too many open files"))
    });
    assert!(early.ask("IAMAT kiwi +1-1 6").starts_with("AT Clark "));
    // Whoever might have been a neighbour has not said so in time.
    wait_until("the operator to get through", || herd.field.run("ps --check --timeout 1s").code == 0);
    assert!(early.ask("IAMAT kiwi +1-1 7").starts_with("AT Clark "));
}

#[test]
fn a_byte_now_and_then_is_nothing_said() {
    let herd = Herd::one(|config| config.limits.idle_seconds_max = 1);
    let mut slow = herd.client("Clark");
    assert_eq!(slow.ask("x"), "? x\n");
    wait_slowly("it to be dropped", &mut [slow], || {
        herd.log("Clark").contains("dropped, it said no line for idle_seconds_max")
    });
}

#[test]
fn those_who_take_all_the_time_there_is_keep_no_neighbour_out() {
    const FULL: usize = 5;
    let mut herd = Herd::two(|config| config.limits.connections_max = FULL);
    herd.kill("Bona");
    // The first are clients; each of the others says that it is about to say that it is a neighbour.
    let mut slow: Vec<Client> = (0..FULL + limits::NEIGHBOURS_WAITING_MAX).map(|_| herd.client("Clark")).collect();
    wait_until("the house to be full", || herd.vitals("Clark").clients.load(Relaxed) as usize == slow.len());
    herd.start("Bona");
    wait_slowly("Bona to be let in", &mut slow, || herd.vitals("Clark").links_live() == 1);
}

#[test]
fn a_proof_that_takes_all_the_time_there_is_is_given_up() {
    let mut herd = Herd::two(|_| {});
    herd.kill("Bona");
    let me = Identity { herd: "test", server: "Bona", run: 7, secret: herd.secret(), also: None };
    let mut slow = herd.client("Clark");
    assert!(slow.ask(Dialing::new(me, "Clark", [1; 16]).hello()).starts_with("PEER 1 test Clark Bona "));
    wait_slowly("it to be given up", &mut [slow], || {
        herd.log("Clark").contains("it claimed to be a neighbour, but it does not answer")
    });
}

/// Waits, and meanwhile has them say a byte now and then.
#[track_caller]
fn wait_slowly(what: &str, slow: &mut [Client], mut ready: impl FnMut() -> bool) {
    let mut looks = 0;
    wait_until(what, || {
        looks += 1;
        for client in slow.iter_mut().filter(|_| looks % 20 == 0) {
            // It may have been sent away.
            let _ = client.stream.write_all(b"P");
        }
        ready()
    });
}
