//! The supervisor, driven through its control socket as `herdctl` drives it, with stand-ins on the servers'
//! threads: they obey signals and can be as stubborn as their names say. No server socket is spoken to.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use herdctl::config::{self, Ack, Config, Limits, Link, Log, Places, Server, Traffic, WhenBehind};
use herdctl::herd::api::{Change, Down, Failure, Kind, Ps, ServerStatus, State};
use herdctl::herd::{Interrupt, Supervisor, Up, den, detach};
use herdctl::limits;
use herdctl::server::vitals::Phase;
use herdctl::server::{Seat, Signal, Trouble};
use nix::sys::signal::{Signal as Unix, kill};
use nix::unistd::Pid;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::sync::mpsc::error::TryRecvError;

use crate::support::canary::Folder;
use crate::support::wait_until;

/// Far more than anything here takes, and less than a person's patience.
const PATIENCE: Duration = Duration::from_secs(20);

// What stands in for a server.

/// Obeys signals like a server. By its name it may be a Wedge (nothing ends it), a Mule (only a kill does),
/// Deaf (it never pauses), a Loner (its links never live), Odd (it knows something else), Rash (it panics at
/// its start), Poor (it has no log file), Brief (it leaves at once) or a Bomb (it takes the whole process with it).
fn stand_in(mut seat: Seat) -> Result<(), Trouble> {
    let name = seat.config.servers[seat.index].name.clone();
    match name.as_str() {
        "Rash" => panic!("too \x1b[31mfast"),
        "Brief" => return Ok(()),
        "Poor" => {
            return Err(Trouble::Log { path: "/full/Poor.log".into(), why: std::io::ErrorKind::StorageFull.into() });
        }
        "Bomb" => {
            eprintln!("famous last words");
            #[expect(clippy::disallowed_methods, reason = "the process must die without a word")]
            std::process::abort()
        }
        _ => {}
    }
    let vitals = seat.vitals.clone();
    vitals.knows.store(41, Relaxed);
    vitals.clients.store(3, Relaxed);
    vitals.digest.store(if name == "Odd" { 1 } else { 2 }, Relaxed);
    for neighbour in &vitals.neighbours {
        neighbour.live.store(name != "Loner", Relaxed);
    }
    vitals.set_phase(Phase::Serving);
    loop {
        match seat.signals.try_recv() {
            Ok(Signal::Stop) if name == "Deaf" => {}
            Ok(Signal::Stop) => vitals.set_phase(Phase::Paused),
            Ok(Signal::Continue) => vitals.set_phase(Phase::Serving),
            Ok(Signal::Terminate) if vitals.phase() == Phase::Paused || name == "Mule" => {}
            Ok(Signal::Panic) => panic!("told to"),
            Ok(_) | Err(TryRecvError::Disconnected) if name == "Wedge" => thread::park(),
            Ok(Signal::Terminate | Signal::Kill | Signal::PowerCut) | Err(TryRecvError::Disconnected) => return Ok(()),
            Err(TryRecvError::Empty) => thread::park(),
        }
    }
}

// What the tests are written with.

/// A herd.toml's meaning: these servers on any free ports, linked in a chain.
fn chain(folder: &Path, names: &[&str]) -> Up {
    let any = "127.0.0.1:0".parse().unwrap();
    let config = Config {
        path: folder.join("herd.toml"),
        herd: "test".into(),
        servers: names.iter().map(|name| Server::at(name, any)).collect(),
        links: (1..names.len()).map(|listener| Link { dialer: listener - 1, listener }).collect(),
        ack: Ack::Heard,
        heard: 1,
        flooding: herdctl::config::Flooding::Plain,
        secret_file: None,
        tls: None,
        control: herdctl::config::Control::default(),
        log: Log {
            directory: folder.join("logs"),
            traffic: Traffic::All,
            when_behind: WhenBehind::Wait,
            file_bytes_max: limits::LOG_FILE_BYTES_MAX,
            files_max: limits::LOG_FILES_MAX,
        },
        archive: None,
        bus: None,
        places: Places::default(),
        metrics: herdctl::config::Metrics::default(),
        limits: Limits {
            line_bytes_max: limits::LINE_BYTES_MAX,
            connections_max: limits::CONNECTIONS_MAX,
            unread_bytes_max: limits::UNREAD_BYTES_MAX,
            unread_seconds_max: limits::UNREAD_SECONDS_MAX,
            idle_seconds_max: limits::IDLE_SECONDS_MAX,
            lookups_max: limits::LOOKUPS_MAX,
            clients_max: limits::CLIENTS_MAX,
            future_seconds_max: limits::FUTURE_SECONDS_MAX,
        },
    };
    Up { config, port_offset: 0, only: Vec::new(), wait_ms: 10_000, no_wait: false, served: None, foreground: false }
}

/// A herd that is up, on a thread of its own.
struct Herd {
    folder: Folder,
    config: PathBuf,
    ready: Ps,
    interrupt: Interrupt,
    running: JoinHandle<Result<Down, Failure>>,
}

impl Herd {
    fn of(names: &[&str]) -> Self {
        Self::with(names, |_| {})
    }

    fn with(names: &[&str], ask: impl FnOnce(&mut Up)) -> Self {
        let folder = Folder::new();
        let mut up = chain(folder.path(), names);
        ask(&mut up);
        Self::run(folder, Supervisor::new(up).body(stand_in))
    }

    fn run(folder: Folder, supervisor: Supervisor) -> Self {
        let config = folder.path().join("herd.toml");
        let interrupt = supervisor.interrupt();
        let (tell, told) = mpsc::sync_channel(8);
        let running = thread::spawn(move || supervisor.run(|ps| tell.send(ps.clone()).unwrap()));
        let ready = told.recv_timeout(PATIENCE).expect("the herd is ready in time");
        Self { folder, config, ready, interrupt, running }
    }

    fn ask<T: serde::de::DeserializeOwned>(&self, method: Method, route: &str, body: &Value) -> (StatusCode, T) {
        ask(&den::socket(&self.config), method, route, body)
    }

    fn ps(&self) -> Ps {
        self.ask(Method::GET, "ps", &Value::Null).1
    }

    fn server(&self, name: &str) -> ServerStatus {
        self.ps().servers.into_iter().find(|server| server.name == name).unwrap()
    }

    fn order(&self, verb: &str, order: &Value) -> Change {
        let (status, answer): (_, Value) = self.ask(Method::POST, verb, order);
        assert_eq!(status, 200, "{answer}");
        serde_json::from_value(answer).unwrap()
    }

    fn refused(&self, verb: &str, order: &Value) -> Failure {
        let (status, failure): (_, Failure) = self.ask(Method::POST, verb, order);
        assert!(!status.is_success());
        failure
    }

    /// The outcome of `run` after an order to leave.
    fn down(self) -> Down {
        let (status, told): (_, Down) = self.ask(Method::POST, "down", &json!({"timeout_ms": 1000}));
        assert_eq!(status, 200);
        let down = self.running.join().unwrap().unwrap();
        assert_eq!(down, told, "who asked and who ran it hear the same");
        down
    }
}

/// One request on a control socket.
fn ask<T: serde::de::DeserializeOwned>(socket: &Path, method: Method, route: &str, body: &Value) -> (StatusCode, T) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let (status, _, answer) = ask_raw(socket, method, &format!("/v1/{route}"), body).expect("the supervisor answers");
    (
        status,
        serde_json::from_slice(&answer).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&answer))),
    )
}

type Reply = (StatusCode, reqwest::header::HeaderMap, Vec<u8>);

fn ask_raw(socket: &Path, method: Method, path: &str, body: String) -> reqwest::Result<Reply> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = reqwest::Client::builder().unix_socket(socket.to_owned()).timeout(PATIENCE).build()?;
        let reply = client.request(method, format!("http://herd{path}")).body(body).send().await?;
        let (status, headers) = (reply.status(), reply.headers().clone());
        Ok((status, headers, reply.bytes().await?.to_vec()))
    })
}

/// Runs a herd that is expected not to become ready.
fn fails(up: Up) -> Failure {
    Supervisor::new(up).body(stand_in).run(|ps| panic!("ready: {ps:?}")).unwrap_err()
}

// Coming up and going down.

#[test]
fn it_is_ready_when_all_serve_and_all_links_are_up() {
    let herd = Herd::of(&["Bona", "Clark", "Jaquez"]);
    let Ps { summary, servers, links, notes, .. } = &herd.ready;
    assert_eq!((summary.running, summary.links_up, summary.islands, summary.converged), (3, 2, 1, true));
    assert!(servers.iter().all(|server| server.state == State::Running && !server.addr.ends_with(":0")));
    assert!(links.iter().all(|link| link.up));
    assert!(notes.is_empty());
    let (socket, lock) = (den::socket(&herd.config), herd.folder.path().join(".herd/lock"));
    let again = herd.ps();
    assert_eq!(
        again.servers.iter().map(|s| &s.addr).collect::<Vec<_>>(),
        servers.iter().map(|s| &s.addr).collect::<Vec<_>>()
    );
    let Herd { folder, config, running, interrupt, ready } = herd;
    let down = Herd { folder: Folder::new(), config, ready, interrupt, running }.down();
    assert_eq!((down.servers, down.clients, down.forced.len()), (3, 9, 0));
    assert!(!socket.exists());
    assert_eq!(std::fs::read(lock).unwrap(), b"", "a clean end leaves an empty lock");
    drop(folder);
}

#[test]
fn a_herd_that_is_never_linked_says_which_link_is_missing_and_goes_down() {
    let folder = Folder::new();
    let mut up = chain(folder.path(), &["Bona", "Clark", "Loner"]);
    up.wait_ms = 1500;
    let failure = fails(up.clone());
    assert_eq!((failure.exit, failure.message.as_str()), (7, "not ready in 1500 ms: no link Clark–Loner"));
    assert!(!den::socket(&up.config.path).exists());
    assert_eq!(den::standing(&up.config.path), None);
}

#[test]
fn a_server_without_its_log_fails_the_herd_at_once() {
    let folder = Folder::new();
    let mut up = chain(folder.path(), &["Bona", "Poor"]);
    up.wait_ms = u64::from(u32::MAX);
    let failure = fails(up);
    assert_eq!(failure.error, Kind::Failed);
    assert!(failure.message.starts_with("Poor failed: cannot write the log /full/Poor.log: "), "{}", failure.message);
}

#[test]
fn a_panic_at_the_start_fails_the_herd_with_its_words_made_harmless() {
    let folder = Folder::new();
    let failure = fails(chain(folder.path(), &["Bona", "Rash"]));
    assert!(
        failure.message.starts_with(r"Rash crashed: too \u{1b}[31mfast (tests/supervisor.rs:"),
        "{}",
        failure.message
    );
}

#[test]
fn a_server_that_leaves_untold_has_failed() {
    let folder = Folder::new();
    assert_eq!(fails(chain(folder.path(), &["Brief"])).message, "Brief failed: left without being told to");
}

#[test]
fn without_waiting_a_herd_is_up_at_once() {
    let herd = Herd::with(&["Bona", "Loner"], |up| up.no_wait = true);
    assert_eq!(herd.ready.summary.links_up, 0);
    herd.down();
}

#[test]
fn a_taken_port_starts_nothing() {
    let folder = Folder::new();
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut up = chain(folder.path(), &["Bomb", "Clark"]);
    up.config.servers[1].move_to(holder.local_addr().unwrap());
    let failure = fails(up.clone());
    assert_eq!(failure.exit, 6);
    let port = holder.local_addr().unwrap().port();
    assert!(failure.message.starts_with(&format!("port {port} (Clark) is in use")), "{}", failure.message);
    assert!(!den::socket(&up.config.path).exists());
}

#[test]
fn a_port_offset_past_the_last_port_is_refused() {
    let folder = Folder::new();
    let mut up = chain(folder.path(), &["Bona"]);
    up.config.servers[0].move_to("127.0.0.1:65000".parse().unwrap());
    up.port_offset = 1000;
    assert_eq!(fails(up).error, Kind::Usage);
}

#[test]
fn a_second_up_is_told_that_it_is_so_already_or_that_it_differs() {
    let herd = Herd::of(&["Bona", "Clark"]);
    let again = chain(herd.folder.path(), &["Bona", "Clark"]);
    let failure = fails(again.clone());
    assert_eq!((failure.exit, failure.already_up), (6, Some(std::process::id())));
    let mut changed = again;
    changed.port_offset = 100;
    changed.config.ack = Ack::Sent;
    let failure = fails(changed);
    assert_eq!((failure.exit, failure.already_up), (6, None));
    assert_eq!(herd.ps().summary.running, 2, "the first goes on");
    herd.down();
}

#[test]
fn twenty_ups_at_once_make_one_herd() {
    let folder = Folder::new();
    let (tell, told) = mpsc::sync_channel(8);
    let ups: Vec<_> = (0..20)
        .map(|_| {
            let (up, tell) = (chain(folder.path(), &["Bona", "Clark"]), tell.clone());
            thread::spawn(move || Supervisor::new(up).body(stand_in).run(|ps| tell.send(ps.pid).unwrap()))
        })
        .collect();
    drop(tell);
    told.recv_timeout(PATIENCE).expect("one is ready");
    wait_until("nineteen are refused", || ups.iter().filter(|up| up.is_finished()).count() == 19);
    let _: (_, Down) = ask(&den::socket(&folder.path().join("herd.toml")), Method::POST, "down", &Value::Null);
    let outcomes: Vec<_> = ups.into_iter().map(|up| up.join().unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).all(|failure| failure.already_up.is_some()));
    assert!(told.try_recv().is_err(), "none but the first was ever ready");
}

#[test]
fn only_some_are_started_and_the_rest_can_be() {
    let herd = Herd::with(&["Bona", "Clark", "Jaquez"], |up| up.only = vec![0, 1]);
    assert_eq!((herd.ready.summary.running, herd.ready.summary.links_up), (2, 1));
    let jaquez = herd.server("Jaquez");
    assert_eq!(jaquez.state, State::Stopped);
    let change = herd.order("start", &json!({"servers": ["Jaquez"], "wait": true}));
    assert_eq!((change.results[0].addr.as_str(), change.results[0].links_up), (jaquez.addr.as_str(), 1));
    assert_eq!(herd.server("Jaquez").restarts, 0);
    herd.down();
}

#[test]
fn an_interrupt_is_a_graceful_end() {
    let herd = Herd::of(&["Bona", "Clark"]);
    herd.interrupt.press();
    assert_eq!(herd.running.join().unwrap().unwrap().forced, Vec::<String>::new());
}

#[test]
fn who_does_not_leave_in_time_is_forced_and_named() {
    assert_eq!(Herd::of(&["Bona", "Mule", "Clark"]).down().forced, ["Mule"]);
}

#[test]
fn down_by_force_asks_nobody() {
    let herd = Herd::of(&["Bona", "Mule"]);
    let (_, down): (_, Down) = herd.ask(Method::POST, "down", &json!({"force": true}));
    assert_eq!(down.servers, 2);
    assert!(down.took_ms < 1000, "{down:?}");
    herd.running.join().unwrap().unwrap();
}

#[test]
fn a_second_down_joins_the_first_and_can_hurry_it() {
    let herd = Herd::of(&["Bona", "Mule"]);
    let downs = thread::scope(|scope| {
        let patient = scope.spawn(|| herd.ask::<Down>(Method::POST, "down", &json!({"timeout_ms": 15_000})).1);
        wait_until("Bona has left", || herd.server("Bona").state == State::Stopped);
        let failure = herd.refused("start", &json!({"servers": ["Bona"]}));
        assert_eq!(failure.message, "the herd is going down");
        let hasty = herd.ask::<Down>(Method::POST, "down", &json!({"force": true})).1;
        [patient.join().unwrap(), hasty]
    });
    assert_eq!(downs[0], downs[1]);
    assert_eq!(downs[0].forced, ["Mule"]);
    assert!(downs[0].took_ms < 15_000);
    herd.running.join().unwrap().unwrap();
}

#[test]
fn a_server_that_nothing_ends_does_not_hold_up_the_end() {
    assert_eq!(Herd::of(&["Bona", "Wedge"]).down().forced, ["Wedge"]);
}

// Orders.

#[test]
fn a_killed_server_is_dead_and_comes_back_where_it_was() {
    let herd = Herd::of(&["Bona", "Clark", "Jaquez"]);
    let address = herd.server("Clark").addr;

    let killed = herd.order("kill", &json!({"servers": ["clARK"]}));
    let result = &killed.results[0];
    assert!(killed.changed);
    assert_eq!((result.server.as_str(), result.from, result.to), ("Clark", State::Running, State::Killed));
    assert_eq!((result.peers_reset, result.clients_reset, result.locations_lost), (2, 3, 41));
    assert_eq!((killed.summary.running, killed.summary.down, killed.summary.islands), (2, 1, 2));
    let clark = herd.server("Clark");
    assert_eq!((clark.state, clark.by.as_deref(), clark.uptime_ms, clark.knows), (State::Killed, Some("cli"), None, 0));

    assert!(!herd.order("kill", &json!({"servers": ["Clark"]})).changed, "it is dead already");

    let started = herd.order("start", &json!({"servers": ["Clark"], "wait": true}));
    assert_eq!((started.results[0].to, started.results[0].addr.as_str()), (State::Running, address.as_str()));
    assert_eq!((started.summary.links_up, started.summary.islands, started.summary.converged), (2, 1, true));
    assert_eq!(herd.server("Clark").restarts, 1);
    assert!(!herd.order("start", &json!({"servers": ["Clark"]})).changed, "it runs already");
    herd.down();
}

#[test]
fn stop_and_restart_and_all() {
    let herd = Herd::of(&["Bona", "Clark"]);
    assert_eq!(herd.order("stop", &json!({"servers": ["Bona"]})).results[0].to, State::Stopped);
    let restarted = herd.order("restart", &json!({"all": true, "hard": true, "wait": true}));
    assert_eq!(
        restarted.results.iter().map(|result| (result.from, result.to)).collect::<Vec<_>>(),
        [(State::Stopped, State::Running), (State::Running, State::Running)]
    );
    assert_eq!(herd.order("kill", &json!({"all": true})).summary.down, 2);
    assert_eq!(herd.order("start", &json!({"all": true})).summary.running, 2);
    assert_eq!(herd.server("Clark").restarts, 2);
    herd.down();
}

#[test]
fn names_are_all_checked_before_anything_is_done() {
    let herd = Herd::of(&["Bona", "Clark"]);
    let failure = herd.refused("kill", &json!({"servers": ["Bona", "clrk"]}));
    assert_eq!((failure.exit, failure.did_you_mean.as_slice()), (4, ["Clark".to_owned()].as_slice()));
    assert!(failure.message.starts_with("no server named \"clrk\" in /"), "{}", failure.message);
    assert_eq!(failure.hint.unwrap(), "servers: Bona Clark");
    assert_eq!(herd.ps().summary.running, 2);
    assert_eq!(herd.refused("kill", &json!({})).exit, 2);
    assert_eq!(herd.refused("kill", &json!({"servers": ["Bona"], "all": true})).exit, 2);
    herd.down();
}

#[test]
fn a_panic_ends_one_server_and_is_told() {
    let herd = Herd::of(&["Bona", "Clark"]);
    let change = herd.order("panic", &json!({"servers": ["Clark"]}));
    assert_eq!(change.results[0].to, State::Crashed);
    let clark = herd.server("Clark");
    assert_eq!((clark.state, clark.by), (State::Crashed, None));
    assert!(clark.note.as_ref().unwrap().starts_with("told to (tests/supervisor.rs:"), "{:?}", clark.note);
    assert_eq!(herd.server("Bona").state, State::Running);
    herd.order("restart", &json!({"servers": ["Clark"], "wait": true}));
    assert_eq!(herd.server("Clark").note, None);
    herd.down();
}

#[test]
fn a_paused_server_shows_it_and_goes_on_or_ends() {
    let herd = Herd::of(&["Bona", "Clark"]);
    let paused = herd.order("pause", &json!({"servers": ["Clark"]}));
    assert_eq!((paused.results[0].to, paused.summary.paused), (State::Paused, 1));
    assert_eq!(herd.server("Clark").note.unwrap(), "accepts, does not answer");
    assert!(!herd.order("pause", &json!({"servers": ["Clark"]})).changed);
    assert!(!herd.order("start", &json!({"servers": ["Clark"]})).changed);
    assert_eq!(herd.order("resume", &json!({"servers": ["Clark"]})).results[0].to, State::Running);
    assert!(!herd.order("resume", &json!({"servers": ["Clark"]})).changed);
    for end in ["kill", "stop"] {
        herd.order("pause", &json!({"servers": ["Clark"]}));
        assert!(herd.order(end, &json!({"servers": ["Clark"]})).changed, "{end}");
        let failure = herd.refused("pause", &json!({"servers": ["Clark"]}));
        assert_eq!((failure.exit, failure.hint.as_deref()), (1, Some("herdctl start Clark")));
        assert!(herd.order("pause", &json!({"all": true})).changed, "those that can are");
        assert!(herd.order("resume", &json!({"all": true})).changed);
        herd.order("start", &json!({"servers": ["Clark"]}));
    }
    herd.down();
}

#[test]
fn a_server_that_does_not_pause_is_told_of_and_goes_on() {
    let herd = Herd::of(&["Bona", "Deaf"]);
    let failure = herd.refused("pause", &json!({"all": true}));
    assert_eq!(failure.error, Kind::Timeout);
    assert_eq!(failure.message, "Deaf is not paused in time; it may hang; done: Bona");
    assert_eq!(herd.server("Deaf").state, State::Running);
    herd.down();
}

#[test]
fn a_server_that_outlives_a_kill_is_told_of_and_delays_nobody() {
    let herd = Herd::of(&["Bona", "Wedge"]);
    let (tell, told) = mpsc::sync_channel(8);
    thread::scope(|scope| {
        scope.spawn(|| tell.send(herd.refused("kill", &json!({"servers": ["Wedge"]}))).unwrap());
        wait_until("it is being killed", || herd.server("Wedge").state == State::Stopping);
        assert!(told.try_recv().is_err(), "ps is answered while the kill waits");
        assert!(herd.order("kill", &json!({"servers": ["Bona"]})).changed, "and so are other orders");
        let failure = told.recv_timeout(PATIENCE).unwrap();
        assert_eq!(failure.exit, 7);
        assert!(failure.message.contains("its thread still runs"), "{}", failure.message);
    });
    let wedge = herd.server("Wedge");
    assert_eq!(wedge.state, State::Stopping);
    assert!(wedge.note.unwrap().ends_with("its thread still runs"));
    assert_eq!(herd.refused("start", &json!({"servers": ["Wedge"]})).message, "Wedge is still stopping");
    herd.down();
}

#[test]
fn a_port_lost_while_a_server_was_dead_is_told() {
    let herd = Herd::of(&["Bona", "Clark"]);
    herd.order("kill", &json!({"servers": ["Clark"]}));
    let thief = TcpListener::bind(herd.server("Clark").addr).unwrap();
    let failure = herd.refused("start", &json!({"servers": ["Clark"]}));
    assert_eq!(failure.exit, 6);
    let clark = herd.server("Clark");
    assert_eq!((clark.state, clark.note), (State::Failed, Some(failure.message)));
    drop(thief);
    assert!(herd.order("start", &json!({"servers": ["Clark"]})).changed);
    herd.down();
}

#[test]
fn servers_that_know_different_things_are_not_converged() {
    let herd = Herd::of(&["Bona", "Odd"]);
    assert!(!herd.ready.summary.converged);
    assert!(herd.order("kill", &json!({"servers": ["Odd"]})).summary.converged);
    herd.down();
}

// The control channel.

#[test]
fn an_unknown_route_names_the_protocol_and_every_reply_is_signed() {
    let herd = Herd::of(&["Bona"]);
    let socket = den::socket(&herd.config);
    for (method, path, expected) in [
        (Method::GET, "/v2/ps", 404),
        (Method::POST, "/v1/ps", 404),
        (Method::GET, "/v1/ps", 200),
        (Method::GET, "/v1/version", 200),
    ] {
        let (status, headers, body) = ask_raw(&socket, method, path, String::new()).unwrap();
        assert_eq!(status, expected, "{path}");
        assert_eq!(
            (&headers["herd-protocol"], &headers["herd-version"]),
            (&"1".parse().unwrap(), &env!("CARGO_PKG_VERSION").parse().unwrap())
        );
        if expected == 404 {
            let failure: Failure = serde_json::from_slice(&body).unwrap();
            assert_eq!((failure.error, failure.protocol), (Kind::UnknownRoute, Some(1)));
        }
    }
    herd.down();
}

#[test]
fn what_is_no_order_is_refused_in_the_same_words_as_anything_else() {
    let herd = Herd::of(&["Bona"]);
    let socket = den::socket(&herd.config);
    for body in ["{", "[]", r#"{"servers":"Bona"}"#, "\u{1b}", &" ".repeat(limits::CONTROL_BODY_BYTES_MAX + 1)] {
        let (status, _, answer) = ask_raw(&socket, Method::POST, "/v1/kill", body.into()).unwrap();
        let failure: Failure = serde_json::from_slice(&answer).unwrap();
        assert_eq!((status.as_u16(), failure.error), (400, Kind::Usage), "{failure:?}");
        assert!(!failure.message.contains('\u{1b}'));
    }
    assert_eq!(herd.ps().summary.running, 1);
    herd.down();
}

#[test]
fn idle_connections_are_bounded_and_a_freed_place_is_taken() {
    let herd = Herd::of(&["Bona"]);
    let socket = den::socket(&herd.config);
    let mut idle: Vec<_> =
        (0..limits::CONTROL_CONNECTIONS_MAX).map(|_| UnixStream::connect(&socket).unwrap()).collect();
    let (tell, told) = mpsc::sync_channel(8);
    thread::scope(|scope| {
        scope.spawn(|| tell.send(herd.ps().summary.running).unwrap());
        assert!(told.recv_timeout(Duration::from_millis(100)).is_err(), "all places are taken");
        idle.pop();
        assert_eq!(told.recv_timeout(PATIENCE), Ok(1));
    });
    drop(idle);
    herd.down();
}

// With real servers.

/// The herd of the shipped herd.toml, on any free ports.
fn five() -> Herd {
    let folder = Folder::new();
    let (mut config, _) = config::parse(config::TEMPLATE, &folder.path().join("herd.toml")).unwrap();
    for server in &mut config.servers {
        server.move_to("127.0.0.1:0".parse().unwrap());
    }
    let up = Up { config, ..chain(folder.path(), &[]) };
    Herd::run(folder, Supervisor::new(up))
}

/// Says where a client is, to the server at `address`.
fn iamat(address: &str, client: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    writeln!(stream, "IAMAT {client} +34.068930-118.445127 1479413884.392014450").unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert!(answer.starts_with("AT "), "{answer}");
}

#[test]
fn real_servers_are_killed_come_back_and_know_again() {
    let herd = five();
    assert_eq!((herd.ready.summary.running, herd.ready.summary.links_up), (5, 6));
    iamat(&herd.server("Bailey").addr, "kiwi");
    wait_until("all know", || herd.ps().servers.iter().all(|server| server.knows == 1));
    let killed = herd.order("kill", &json!({"servers": ["Clark"]}));
    assert_eq!((killed.results[0].peers_reset, killed.results[0].locations_lost), (2, 1));
    assert_eq!(herd.ps().summary.islands, 1, "it hung on two links, the rest on more");
    iamat(&herd.server("Bona").addr, "emu");
    let back = herd.order("start", &json!({"servers": ["Clark"], "wait": true}));
    assert_eq!((back.results[0].links_up, back.results[0].knows), (2, 2));
    assert_eq!(herd.order("panic", &json!({"servers": ["Jaquez"]})).results[0].to, State::Crashed);
    let again = herd.order("restart", &json!({"servers": ["Jaquez", "Bona"], "wait": true}));
    assert_eq!((again.results.len(), again.summary.running, again.summary.converged), (2, 5, true));
    let log = herd.folder.path().join("logs/herd.log");
    wait_until("the log tells of it", || std::fs::read_to_string(&log).unwrap().contains("kill Clark (cli)"));
    herd.down();
}

#[test]
fn a_real_server_pauses_goes_on_and_stops_even_when_paused() {
    let herd = five();
    let clark = json!({"servers": ["Clark"]});
    assert_eq!(herd.order("pause", &clark).results[0].to, State::Paused);
    let client = TcpStream::connect(herd.server("Clark").addr).expect("the kernel still accepts");
    assert_eq!(herd.order("resume", &clark).results[0].to, State::Running);
    wait_until("the client is in", || herd.server("Clark").clients == 1);
    for end in ["stop", "kill"] {
        herd.order("pause", &clark);
        assert_eq!(herd.order(end, &clark).results.len(), 1);
        herd.order("start", &clark);
    }
    drop(client);
    herd.down();
}

#[test]
fn a_real_herd_leaves_while_clients_are_connected() {
    let herd = five();
    let address = herd.server("Clark").addr;
    let clients: Vec<_> = (0..200).map(|_| TcpStream::connect(&address).unwrap()).collect();
    wait_until("all are in", || herd.server("Clark").clients == 200);
    let down = herd.down();
    assert_eq!((down.servers, down.clients), (5, 200));
    drop(clients);
}

// As processes.

/// What [`as_process`] and [`detach::start`] make of this test binary: a supervisor over the folder that is the last argument.
#[test]
#[ignore = "not a test: other tests start it as a process"]
fn child() {
    // The test runner has begun a line of its own.
    println!();
    let args: Vec<_> = std::env::args().collect();
    let folder = Path::new(args.last().unwrap());
    let names = std::fs::read_to_string(folder.join("names")).unwrap();
    let mut up = chain(folder, &names.split_whitespace().collect::<Vec<_>>());
    up.foreground = !args.contains(&detach::COMMAND.to_owned());
    if up.foreground {
        let outcome = Supervisor::new(up).body(stand_in).run_with_signals(|_| {});
        #[expect(clippy::disallowed_methods, reason = "this process is a child of a test")]
        std::process::exit(outcome.map_or_else(|failure| failure.exit.into(), |_| 0));
    }
    let _ = detach::supervise(Supervisor::new(up).body(stand_in));
}

/// What makes the test binary run [`child`] and nothing else; it takes what it does not know for names of tests.
fn child_args(folder: &Path) -> [&str; 6] {
    ["supervisor::child", "--exact", "--ignored", "--nocapture", "--test-threads=1", folder.to_str().unwrap()]
}

fn folder_for(names: &str) -> Folder {
    let folder = Folder::new();
    std::fs::write(folder.path().join("names"), names).unwrap();
    folder
}

fn detached(folder: &Path) -> Result<Ps, Failure> {
    detach::start(&child_args(folder).map(Into::into))
}

fn signal(pid: u32, signal: Unix) {
    kill(Pid::from_raw(pid.cast_signed()), signal).unwrap();
}

#[test]
fn a_detached_herd_is_ready_and_leaves_on_sigterm() {
    let folder = folder_for("Bona Clark");
    let config = folder.path().join("herd.toml");
    let ps = detached(folder.path()).unwrap();
    assert_ne!(ps.pid, std::process::id());
    let (_, again): (_, Ps) = ask(&den::socket(&config), Method::GET, "ps", &Value::Null);
    assert_eq!((again.pid, again.summary.running), (ps.pid, 2));
    assert_eq!(detached(folder.path()).unwrap_err().already_up, Some(ps.pid));
    signal(ps.pid, Unix::SIGTERM);
    wait_until("it has left cleanly", || den::standing(&config).is_none());
}

#[test]
fn after_a_kill_of_the_supervisor_up_needs_no_manual_step() {
    let folder = folder_for("Bona Clark");
    let config = folder.path().join("herd.toml");
    let mut before = None;
    for _ in 0..5 {
        let ps = detached(folder.path()).unwrap();
        let note =
            before.map(|pid: u32| format!("the last supervisor (pid {pid}) died without cleaning up; starting fresh"));
        assert_eq!(ps.notes, Vec::from_iter(note));
        signal(ps.pid, Unix::SIGKILL);
        before = Some(ps.pid);
    }
    assert!(den::standing(&config).is_some(), "a killed one cleans nothing up");
}

#[test]
fn a_detached_herd_that_cannot_start_tells_its_parent_why() {
    let folder = folder_for("Bona Poor");
    let failure = detached(folder.path()).unwrap_err();
    assert!(failure.message.starts_with("Poor failed: cannot write the log"), "{}", failure.message);
}

#[test]
fn a_supervisor_that_dies_at_its_start_leaves_its_last_words() {
    let folder = folder_for("Bomb");
    let failure = detached(folder.path()).unwrap_err();
    assert_eq!(failure.error, Kind::Failed);
    assert_eq!(failure.message, "the supervisor died at its start; its last words:\nfamous last words");
}

/// A foreground supervisor as a process, its control socket open.
fn as_process(folder: &Path) -> std::process::Child {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(child_args(folder))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let config = folder.join("herd.toml");
    wait_until("it is up", || {
        den::standing(&config).is_some_and(|standing| UnixStream::connect(standing.socket).is_ok())
    });
    child
}

#[test]
fn one_signal_ends_a_foreground_herd_cleanly() {
    for what in [Unix::SIGINT, Unix::SIGTERM, Unix::SIGHUP] {
        let folder = folder_for("Bona Clark");
        let mut child = as_process(folder.path());
        signal(child.id(), what);
        assert_eq!(child.wait().unwrap().code(), Some(0), "{what}");
        assert_eq!(den::standing(&folder.path().join("herd.toml")), None);
    }
}

#[test]
fn a_second_signal_ends_a_herd_that_hangs() {
    let folder = folder_for("Bona Wedge");
    let mut child = as_process(folder.path());
    let mut ended = None;
    wait_until("it has quit", || {
        signal(child.id(), Unix::SIGINT);
        ended = child.try_wait().unwrap();
        ended.is_some()
    });
    assert_eq!(ended.unwrap().code(), Some(130));
}
