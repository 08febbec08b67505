//! A herd of real servers in this process, clients that talk to it over real TCP, and waiting with a deadline.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use herdctl::config::{self, Config, Shape};
use herdctl::places::Provider;
use herdctl::server::events;
use herdctl::server::fault::{Fault, Faults};
use herdctl::server::question::Question;
use herdctl::server::vitals::{Phase, Vitals};
use herdctl::server::{self, Seat, Secret, Signal, Trouble};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::sync::{Notify, mpsc, oneshot, watch};

#[path = "support/canary.rs"]
pub mod canary;
#[path = "support/certificates.rs"]
pub mod certificates;

use canary::{Folder, Watched};

/// Long enough for the slowest machine; nothing waits so long unless it is broken.
pub const DEADLINE: Duration = Duration::from_secs(20);

const TWO: &str = r#"
    herd = "test"
    servers = [ { name = "Bona", address = "127.0.0.1:0" }, { name = "Clark", address = "127.0.0.1:0" } ]
    links = [ ["Bona", "Clark"] ]
"#;

/// Waits until `ready` holds; says what it waited for if it never does.
#[track_caller]
pub fn wait_until(what: &str, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        assert!(start.elapsed() < DEADLINE, "waited {DEADLINE:?} for {what}");
        thread::park_timeout(Duration::from_millis(1));
    }
}

/// Servers on free ports, each on its own thread, with logs in a folder of their own.
pub struct Herd {
    pub config: Arc<Config>,
    members: Vec<Option<Member>>,
    /// What is wrong with the links towards each server; it outlives the servers.
    faults: Vec<watch::Sender<Faults>>,
    since: jiff::Timestamp,
    pub secret: Secret,
    provider: Provider,
    folder: Folder,
}

struct Member {
    vitals: Arc<Vitals>,
    signals: mpsc::Sender<Signal>,
    questions: mpsc::Sender<Question>,
    thread: JoinHandle<Result<(), Trouble>>,
}

impl Herd {
    /// The five of the shipped herd.toml, all running and linked.
    pub fn five() -> Self {
        Self::five_with(|_| {})
    }

    /// The five, with another configuration.
    pub fn five_with(adjust: impl FnOnce(&mut Config)) -> Self {
        let herd = Self::start_all(config::TEMPLATE, adjust);
        herd.wait_linked();
        herd
    }

    /// A herd of another shape, all running and linked.
    pub fn of(shape: Shape, adjust: impl FnOnce(&mut Config)) -> Self {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        // Both ends of every link are here, and the usual limit is 1024.
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).unwrap();
        let herd = Self::start_all(&shape.herd_toml(), adjust);
        herd.wait_linked();
        herd
    }

    /// One server with no neighbours.
    pub fn one(adjust: impl FnOnce(&mut Config)) -> Self {
        Self::start_all("herd = \"test\"\nservers = [ { name = \"Clark\", address = \"127.0.0.1:0\" } ]\n", adjust)
    }

    /// Two neighbours, Bona and Clark, running and linked.
    pub fn two(adjust: impl FnOnce(&mut Config)) -> Self {
        let herd = Self::start_all(TWO, adjust);
        herd.wait_linked();
        herd
    }

    /// One of Bona and Clark, and where the other would listen: whoever takes its place.
    pub fn two_without(absent: &str, adjust: impl FnOnce(&mut Config)) -> (Self, TcpListener) {
        let (mut herd, mut listeners) = Self::bind_all(TWO, adjust);
        let absent = herd.index(absent);
        let place = listeners.remove(absent);
        herd.spawn(1 - absent, listeners.remove(0));
        (herd, place)
    }

    fn start_all(text: &str, adjust: impl FnOnce(&mut Config)) -> Self {
        let (mut herd, listeners) = Self::bind_all(text, adjust);
        for (index, listener) in listeners.into_iter().enumerate() {
            herd.spawn(index, listener);
        }
        herd
    }

    /// On free ports; nothing runs.
    fn bind_all(text: &str, adjust: impl FnOnce(&mut Config)) -> (Self, Vec<TcpListener>) {
        let mut herd = Self::prepare(text, adjust);
        let listeners: Vec<TcpListener> =
            (0..herd.members.len()).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let mut config = Config::clone(&herd.config);
        for (server, listener) in config.servers.iter_mut().zip(&listeners) {
            server.move_to(listener.local_addr().unwrap());
        }
        herd.config = Arc::new(config);
        (herd, listeners)
    }

    fn prepare(text: &str, adjust: impl FnOnce(&mut Config)) -> Self {
        let folder = Folder::new();
        let (mut config, _) =
            config::parse(text, &folder.path().join("herd.toml")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        adjust(&mut config);
        Self {
            members: config.servers.iter().map(|_| None).collect(),
            faults: config.servers.iter().map(|_| watch::Sender::default()).collect(),
            provider: Provider::load(&config.places).unwrap_or_else(|why| panic!("{why}")),
            config: Arc::new(config),
            since: jiff::Timestamp::now(),
            secret: Secret::fixed(canary::SECRET),
            folder,
        }
    }

    fn spawn(&mut self, index: usize, listener: TcpListener) {
        listener.set_nonblocking(true).unwrap();
        let (sender, signals) = mpsc::channel(8);
        let (asker, questions) = mpsc::channel(8);
        let vitals = Arc::new(Vitals::new(self.config.neighbours(index), Arc::new(Notify::new())));
        let seat = Seat {
            config: Arc::clone(&self.config),
            index,
            listener,
            herd_up_since: self.since,
            secret: self.secret.clone(),
            provider: self.provider.clone(),
            vitals: Arc::clone(&vitals),
            herald: events::queue(Arc::default()).0,
            signals,
            faults: self.faults[index].subscribe(),
            questions,
        };
        let thread = thread::Builder::new().name(self.name(index).into()).spawn(|| server::main(seat)).unwrap();
        self.members[index] = Some(Member { vitals, signals: sender, questions: asker, thread });
    }

    /// Starts a server that is down, on the address it had.
    pub fn start(&mut self, name: &str) {
        let index = self.index(name);
        assert!(self.members[index].is_none(), "{name} is running");
        // The kernel may still be taking the old socket down.
        let mut listener = None;
        wait_until("the address to be free", || {
            listener = TcpListener::bind(self.config.servers[index].listen).ok();
            listener.is_some()
        });
        self.spawn(index, listener.unwrap());
    }

    /// Ends a server; returns how its thread ended.
    pub fn end(&mut self, name: &str, signal: Signal) -> thread::Result<Result<(), Trouble>> {
        self.signal(name, signal);
        let index = self.index(name);
        self.members[index].take().unwrap().thread.join()
    }

    /// Ends some servers at the same instant.
    pub fn end_together(&mut self, names: &[&str], signal: Signal) {
        names.iter().for_each(|name| self.signal(name, signal));
        for name in names {
            let index = self.index(name);
            self.members[index].take().unwrap().thread.join().unwrap().unwrap();
        }
    }

    pub fn kill(&mut self, name: &str) {
        self.end(name, Signal::Kill).unwrap().unwrap();
    }

    pub fn signal(&self, name: &str, signal: Signal) {
        let member = self.member(name);
        member.signals.try_send(signal).unwrap();
        member.thread.thread().unpark();
    }

    /// Sets what is wrong with what `from` says to `to`.
    pub fn fault(&self, from: &str, to: &str, fault: Fault) {
        let (from, to) = (self.index(from), self.index(to));
        let neighbours: Vec<usize> = self.config.neighbours(to).collect();
        let nth = neighbours.iter().position(|&neighbour| neighbour == from).expect("neighbours");
        self.faults[to].send_modify(|faults| {
            faults.resize(neighbours.len(), Fault::default());
            faults[nth] = fault;
        });
    }

    /// The same both ways.
    pub fn fault_both(&self, one: &str, other: &str, fault: Fault) {
        self.fault(one, other, fault);
        self.fault(other, one, fault);
    }

    /// Asks a server about its table.
    #[track_caller]
    pub fn ask<T>(&self, name: &str, question: impl FnOnce(oneshot::Sender<T>) -> Question) -> T {
        let (to, answer) = oneshot::channel();
        self.member(name).questions.try_send(question(to)).unwrap();
        answer.blocking_recv().unwrap()
    }

    pub fn vitals(&self, name: &str) -> &Vitals {
        &self.member(name).vitals
    }

    pub fn address(&self, name: &str) -> SocketAddr {
        self.config.servers[self.index(name)].listen
    }

    pub fn secret(&self) -> &[u8] {
        &self.secret.keys().expect("it was given one").spoken
    }

    /// What a server has logged so far.
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder().join(format!("logs/{name}.log"))).unwrap_or_default()
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A client of that server.
    pub fn client(&self, name: &str) -> Client {
        Client::connect(self.address(name))
    }

    pub fn names(&self) -> Vec<String> {
        self.config.servers.iter().map(|server| server.name.clone()).collect()
    }

    /// Waits until every link between running servers is live at both ends.
    #[track_caller]
    pub fn wait_linked(&self) {
        wait_until("all links", || {
            self.config
                .links
                .iter()
                .all(|link| self.is_live(link.dialer, link.listener) && self.is_live(link.listener, link.dialer))
        });
    }

    /// Whether `from` calls its link to `to` live; a link to or from a server that is down counts as it should be.
    fn is_live(&self, from: usize, to: usize) -> bool {
        let (Some(from), Some(_)) = (&self.members[from], &self.members[to]) else { return true };
        from.vitals.neighbours.iter().any(|neighbour| neighbour.server == to && neighbour.live.load(Relaxed))
    }

    /// Waits until all running servers know `clients` clients and agree on them.
    #[track_caller]
    pub fn wait_converged(&self, clients: u64) {
        wait_until(&format!("all to know the same {clients} clients"), || {
            let mut digests = self
                .members
                .iter()
                .flatten()
                .map(|member| (member.vitals.knows.load(Relaxed), member.vitals.digest.load(Relaxed)));
            let first = digests.next().unwrap();
            first.0 == clients && digests.all(|digest| digest == first)
        });
    }

    /// What the servers that run show.
    pub fn running(&self) -> impl Iterator<Item = &Vitals> {
        self.members.iter().flatten().map(|member| &*member.vitals)
    }

    /// Whether each server calls its links to servers that run live, and those to others not.
    pub fn links_are_true(&self) -> bool {
        self.members.iter().flatten().all(|member| {
            let truth = |server: usize| self.members[server].is_some();
            member.vitals.neighbours.iter().all(|neighbour| neighbour.live.load(Relaxed) == truth(neighbour.server))
        })
    }

    fn member(&self, name: &str) -> &Member {
        self.members[self.index(name)].as_ref().unwrap_or_else(|| panic!("{name} is down"))
    }

    fn index(&self, name: &str) -> usize {
        self.config.server_named(name).unwrap()
    }

    fn name(&self, index: usize) -> &str {
        &self.config.servers[index].name
    }
}

impl Drop for Herd {
    fn drop(&mut self) {
        for member in self.members.iter_mut().filter_map(Option::take) {
            let _ = member.signals.try_send(Signal::Kill);
            member.thread.thread().unpark();
            let _ = member.thread.join();
        }
    }
}

impl Herd {
    /// Waits until a server serves again after [`Signal::Continue`], or stands still after [`Signal::Stop`].
    #[track_caller]
    pub fn wait_phase(&self, name: &str, phase: Phase) {
        wait_until(&format!("{name} to be {phase:?}"), || self.vitals(name).phase() == phase);
    }
}

/// A client that says bytes and hears lines.
pub struct Client {
    pub stream: TcpStream,
    reader: BufReader<Watched<TcpStream>>,
}

impl Client {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::of(TcpStream::connect(address).unwrap())
    }

    /// A client that has been accepted, or connected elsewhere.
    #[track_caller]
    pub fn of(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let reader = BufReader::new(Watched::new(stream.try_clone().unwrap()));
        Self { stream, reader }
    }

    #[track_caller]
    pub fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    /// The next line, with its LF; empty at the end of the stream.
    #[track_caller]
    pub fn hear(&mut self) -> String {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).unwrap();
        String::from_utf8_lossy(&line).into_owned()
    }

    #[track_caller]
    pub fn ask(&mut self, line: &str) -> String {
        self.say(format!("{line}\n"));
        self.hear()
    }

    /// A whole WHATSAT answer: the AT line, and the JSON up to the empty line.
    #[track_caller]
    pub fn hear_places(&mut self) -> (String, serde_json::Value) {
        let at = self.hear();
        let mut json = String::new();
        loop {
            let line = self.hear();
            assert!(!line.is_empty(), "the stream ended inside an answer: {at}{json}");
            if line == "\n" {
                return (at, serde_json::from_str(&json).unwrap());
            }
            json.push_str(&line);
        }
    }

    /// Says that nothing more will be said.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Everything up to the end of the stream, which must come as an end and not as a reset.
    #[track_caller]
    pub fn hear_out(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        self.reader.read_to_end(&mut rest).unwrap();
        rest
    }

    /// Whether the other end has gone, by end or by reset.
    pub fn is_gone(&mut self) -> bool {
        let mut byte = [0];
        match self.reader.read(&mut byte) {
            Ok(read) => read == 0,
            Err(why) => !matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
        }
    }
}
