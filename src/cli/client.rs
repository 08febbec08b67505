//! The control channel, from the side that asks: HTTP over the herd's Unix socket.
//!
//! Every call has a deadline, and every way in which it can fail has its own words and exit code. What answers
//! may be another version, hang, or be no herd at all.

mod confluence;
mod herdwide;
mod merge;
mod remote;
mod stream;
mod target;
mod tributary;

use std::error::Error as _;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::runtime::Runtime;

use super::{escape, human};
use crate::config;
use crate::herd::api::{
    Change, Dash, DashOrder, Down, DownOrder, Failure, FaultChange, FaultOrder, ForgetOrder, Forgotten, HealOrder,
    Kind, Links, Order, PROTOCOL, PartitionOrder, Ps, Whereis, WhereisOrder,
};
use herdwide::{Herdwide, Wish};
pub use stream::{Lines, Marks, Piece};
pub use target::{Remote, Target};

/// No document of the control channel is longer; what is, comes from something else.
const DOCUMENT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// So much longer than a herd may take to end it may take to say so.
const FAREWELL: Duration = Duration::from_secs(5);
/// So long we look whether a supervisor that has said farewell is really gone.
const GONE_MAX: Duration = Duration::from_secs(2);

/// A way to one herd.
pub struct Client {
    pub target: Target,
    http: reqwest::Client,
    /// Where every path begins.
    base: String,
    herdwide: Option<Herdwide>,
    runtime: Runtime,
    deadline: Duration,
}

/// Who answers on the control socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Running {
    pub pid: Option<i32>,
    pub version: String,
    pub protocol: u32,
}

impl Client {
    /// Nothing is connected yet.
    ///
    /// # Errors
    ///
    /// `failed`: the system refuses what a client needs.
    pub fn new(target: Target, deadline: Duration) -> Result<Self, Failure> {
        let cannot = |why: &dyn std::fmt::Display| Failure::new(Kind::Failed, format!("cannot make a client: {why}"));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|why| cannot(&why))?;
        let (http, base) = match &target.remote {
            None => (reqwest::Client::builder().unix_socket(target.socket.as_path()), "http://herd".into()),
            Some(remote) => remote.client()?,
        };
        let http = http.build().map_err(|why| cannot(&why))?;
        let herdwide = match (&target.config, &target.processes[..]) {
            (Some(path), processes @ [_, ..]) => {
                let (config, _) =
                    config::load(path).map_err(|_| Failure::new(Kind::BadConfig, "herd.toml is wrong"))?;
                Some(Herdwide::new(config, processes, deadline)?)
            }
            _ => None,
        };
        Ok(Self { target, http, base, herdwide, runtime, deadline })
    }

    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        if let Some(herd) = &mut self.herdwide {
            herd.set_deadline(deadline);
        }
        self
    }

    /// # Errors
    ///
    /// As every call: `not_running`, `timeout`, `version`, what the herd says, `failed` for all else.
    pub fn ps(&self) -> Result<Ps, Failure> {
        if let Some(herd) = &self.herdwide {
            return herd.ps();
        }
        self.call(&Call::get("/v1/ps"))
    }

    /// Gives an order to members of the herd; `verb` is the route's.
    ///
    /// # Errors
    ///
    /// As [`ps`](Self::ps); `unknown_name` before anything was done.
    pub fn order(&self, verb: &str, order: &Order) -> Result<Change, Failure> {
        if let Some(herd) = &self.herdwide {
            return herd.order(verb, order);
        }
        self.call(&Call::post(&format!("/v1/{verb}"), order)?)
    }

    /// Sets what is wrong with a link.
    ///
    /// # Errors
    ///
    /// As [`order`](Self::order); `usage` for what makes no sense.
    pub fn set_fault(&self, order: &FaultOrder) -> Result<FaultChange, Failure> {
        self.wish(&Wish::Fault(order))
    }

    /// Cuts the links between groups.
    ///
    /// # Errors
    ///
    /// As [`set_fault`](Self::set_fault).
    pub fn partition(&self, order: &PartitionOrder) -> Result<FaultChange, Failure> {
        self.wish(&Wish::Partition(order))
    }

    /// Heals.
    ///
    /// # Errors
    ///
    /// As [`set_fault`](Self::set_fault).
    pub fn heal(&self, order: &HealOrder) -> Result<FaultChange, Failure> {
        self.wish(&Wish::Heal(order))
    }

    fn wish(&self, wish: &Wish<'_>) -> Result<FaultChange, Failure> {
        match (&self.herdwide, wish) {
            (Some(herd), wish) => herd.wish(wish),
            (None, Wish::Fault(order)) => self.fault("fault", order),
            (None, Wish::Partition(order)) => self.fault("partition", order),
            (None, Wish::Heal(order)) => self.fault("heal", order),
        }
    }

    /// Sets, partitions or heals; `verb` is the route's.
    ///
    /// # Errors
    ///
    /// As [`order`](Self::order); `usage` for what makes no sense.
    fn fault(&self, verb: &str, order: &impl Serialize) -> Result<FaultChange, Failure> {
        self.call(&Call::post(&format!("/v1/{verb}"), order)?)
    }

    /// # Errors
    ///
    /// As [`ps`](Self::ps).
    pub fn links(&self) -> Result<Links, Failure> {
        if let Some(herd) = &self.herdwide {
            return herd.links();
        }
        self.call(&Call::get("/v1/links"))
    }

    /// The herd in Prometheus' text format.
    ///
    /// # Errors
    ///
    /// As [`ps`](Self::ps).
    pub fn metrics(&self) -> Result<String, Failure> {
        if let Some(herd) = &self.herdwide {
            return herd.metrics();
        }
        let answer = self.ask(&Call::get("/metrics"))?;
        if !answer.status.is_success() {
            return Err(self.refusal(&answer));
        }
        String::from_utf8(answer.body).map_err(|why| self.garbage(&why.to_string()))
    }

    /// # Errors
    ///
    /// As [`ps`](Self::ps).
    pub fn whereis(&self, order: &WhereisOrder) -> Result<Whereis, Failure> {
        if let Some(herd) = &self.herdwide {
            return Ok(herd.whereis(order));
        }
        self.call(&Call::post("/v1/whereis", order)?)
    }

    /// # Errors
    ///
    /// As [`ps`](Self::ps).
    pub fn forget(&self, order: &ForgetOrder) -> Result<Forgotten, Failure> {
        if let Some(herd) = &self.herdwide {
            return herd.forget(order);
        }
        self.call(&Call::post("/v1/forget", order)?)
    }

    /// Has the herd serve its page.
    ///
    /// # Errors
    ///
    /// As [`ps`](Self::ps); `taken` if the port is.
    pub fn dash(&self, order: &DashOrder) -> Result<Dash, Failure> {
        self.call(&Call::post("/v1/dash", order)?)
    }

    /// Ends the herd and returns when its supervisor is gone, so that the next `up` finds everything free.
    ///
    /// # Errors
    ///
    /// As [`ps`](Self::ps), except `version`: any herd can be ended.
    pub fn down(&self, timeout: Duration, force: bool) -> Result<Down, Failure> {
        if let Some(herd) = &self.herdwide {
            return herd.down(timeout, force);
        }
        let pid = self.peer().and_then(|peer| peer.pid);
        let timeout_ms = u64::try_from(timeout.as_millis()).ok();
        let mut call = Call::post("/v1/down", &DownOrder { timeout_ms, force })?;
        call.any_version = true;
        call.deadline = Some(timeout + FAREWELL);
        let down = self.call(&call)?;
        if let Some(pid) = pid {
            wait_until_gone(pid);
        }
        Ok(down)
    }

    /// Who answers, whatever its version.
    ///
    /// # Errors
    ///
    /// As [`ps`](Self::ps), except `version`.
    pub fn running(&self) -> Result<Running, Failure> {
        let call = Call { any_version: true, ..Call::get("/v1/version") };
        let answer = self.ask(&call)?;
        let protocol = self.protocol_of(&answer)?;
        Ok(Running { pid: self.peer().and_then(|peer| peer.pid), version: answer.version(), protocol })
    }

    fn call<T: DeserializeOwned>(&self, call: &Call) -> Result<T, Failure> {
        let answer = self.ask(call)?;
        let protocol = self.protocol_of(&answer)?;
        if protocol != PROTOCOL && !call.any_version {
            return Err(self.other_version(&answer.version(), protocol));
        }
        if answer.status.is_success() {
            serde_json::from_slice(&answer.body).map_err(|why| self.garbage(&why.to_string()))
        } else {
            Err(self.refusal(&answer))
        }
    }

    /// What the herd says instead of doing what it was asked.
    fn refusal(&self, answer: &Answer) -> Failure {
        match serde_json::from_slice::<Failure>(&answer.body) {
            // The exit code is ours to keep: one kind, one code.
            Ok(failure) => Failure { exit: failure.error.exit(), ..failure },
            Err(why) => self.garbage(&why.to_string()),
        }
    }

    fn ask(&self, call: &Call) -> Result<Answer, Failure> {
        self.is_one_process()?;
        self.refuse_foreign()?;
        let deadline = call.deadline.unwrap_or(self.deadline);
        let exchange = async { tokio::time::timeout(deadline, self.exchange(call)).await };
        match self.runtime.block_on(exchange) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(trouble)) => Err(self.explain(&trouble)),
            Err(_) => Err(self.no_answer(deadline)),
        }
    }

    async fn exchange(&self, call: &Call) -> Result<Answer, Trouble> {
        Self::read(self.request(call).send().await?).await
    }

    fn request(&self, call: &Call) -> reqwest::RequestBuilder {
        // The host is never looked up by its name here: every connection goes to the socket, or the control address.
        let request = self.http.request(call.method.clone(), format!("{}{}", self.base, call.path));
        match &call.body {
            Some(body) => request.header("content-type", "application/json").body(body.clone()),
            None => request,
        }
    }

    async fn read(mut response: reqwest::Response) -> Result<Answer, Trouble> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            if body.len() + chunk.len() > DOCUMENT_BYTES_MAX {
                return Err(Trouble::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), headers: response.headers().clone(), body })
    }

    /// That there is one to ask, and only one.
    fn is_one_process(&self) -> Result<(), Failure> {
        if let Some(flaw) = &self.target.flaw {
            return Err(flaw.clone());
        }
        if self.herdwide.is_none() {
            return Ok(());
        }
        let message = "each server of this herd is a process of its own, and this is asked of one of them";
        Err(Failure::new(Kind::Usage, message).hint("herdctl --socket .herd/SERVER.serve/herd.sock …"))
    }

    /// A socket of somebody else's herd is not spoken to: who answers there could say anything.
    fn refuse_foreign(&self) -> Result<(), Failure> {
        if self.target.remote.is_some() {
            return Ok(());
        }
        let own = nix::unistd::geteuid();
        let socket = &self.target.socket;
        let owner = match fs::symlink_metadata(socket) {
            Ok(metadata) => metadata.uid(),
            // The folder is closed to us: its owner is who we would meet.
            Err(why) if why.kind() == ErrorKind::PermissionDenied => owner_of_folder(socket).unwrap_or(own.as_raw()),
            Err(_) => return Ok(()),
        };
        if owner == own.as_raw() || own.is_root() {
            return Ok(());
        }
        Err(Failure::new(Kind::Failed, format!("{} belongs to uid {owner}", self.socket_name())))
    }

    fn protocol_of(&self, answer: &Answer) -> Result<u32, Failure> {
        let protocol = answer.header("herd-protocol").and_then(|text| text.parse().ok());
        protocol.ok_or_else(|| self.garbage("its answer names no protocol"))
    }

    fn explain(&self, trouble: &Trouble) -> Failure {
        let Trouble::Http(why) = trouble else { return self.garbage("its answer has no end") };
        if !why.is_connect() {
            return self.garbage(&deepest(why));
        }
        if let Some(ErrorKind::NotFound | ErrorKind::ConnectionRefused) = io_cause(why) {
            return self.not_running();
        }
        let message = format!("cannot reach {}: {}", self.socket_name(), deepest(why));
        Failure::new(Kind::Failed, message)
    }

    fn not_running(&self) -> Failure {
        if self.target.remote.is_some() {
            return Failure::new(Kind::NotRunning, format!("nobody answers at {}", self.target.name));
        }
        Failure::new(Kind::NotRunning, format!("no herd is running for {}", self.target.name)).hint("herdctl up")
    }

    fn no_answer(&self, deadline: Duration) -> Failure {
        let limit = human::limit(deadline);
        let Some(pid) = self.peer().and_then(|peer| peer.pid) else {
            return Failure::new(Kind::Timeout, format!("no answer from {} in {limit}", self.socket_name()));
        };
        Failure::new(Kind::Timeout, format!("no answer from pid {pid} in {limit}"))
            .hint(format!("herdctl logs herd shows what it did last; kill -9 {pid} ends it"))
    }

    fn other_version(&self, version: &str, protocol: u32) -> Failure {
        let ours = env!("CARGO_PKG_VERSION");
        let message = format!(
            "this is herdctl {ours} (protocol {PROTOCOL}), the running herd was started by {version} (protocol {protocol})"
        );
        let remedy = "restart it: herdctl down && herdctl up -d";
        let hint = match self.peer().and_then(|peer| peer.pid) {
            Some(pid) if cfg!(target_os = "linux") => format!("/proc/{pid}/exe …, or {remedy}"),
            _ => remedy.to_owned(),
        };
        Failure::new(Kind::Version, message).hint(hint)
    }

    fn garbage(&self, why: &str) -> Failure {
        let message = format!("what answers on {} does not speak as a herd: {}", self.socket_name(), escape::text(why));
        Failure::new(Kind::Failed, message).hint("herdctl ps shows whether the herd still runs")
    }

    fn socket_name(&self) -> String {
        if self.target.remote.is_some() {
            return self.target.name.clone();
        }
        human::path(&self.target.socket, std::env::current_dir().ok().as_deref(), None)
    }

    /// Asks the kernel, not the supervisor: it answers for a hung one too.
    fn peer(&self) -> Option<Peer> {
        if self.target.remote.is_some() {
            return None;
        }
        self.runtime.block_on(async {
            let connect = tokio::net::UnixStream::connect(&self.target.socket);
            let stream = tokio::time::timeout(Duration::from_secs(1), connect).await.ok()?.ok()?;
            Some(Peer { pid: stream.peer_cred().ok()?.pid() })
        })
    }
}

struct Peer {
    pid: Option<i32>,
}

struct Call {
    method: Method,
    path: String,
    body: Option<Vec<u8>>,
    /// Made to a herd of any version.
    any_version: bool,
    deadline: Option<Duration>,
}

impl Call {
    fn get(path: &str) -> Self {
        Self { method: Method::GET, path: path.into(), body: None, any_version: false, deadline: None }
    }

    fn post(path: &str, order: &impl Serialize) -> Result<Self, Failure> {
        let body = serde_json::to_vec(order)
            .map_err(|why| Failure::new(Kind::Failed, format!("cannot write the order: {why}")))?;
        Ok(Self { method: Method::POST, body: Some(body), ..Self::get(path) })
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    fn version(&self) -> String {
        escape::text(self.header("herd-version").unwrap_or("an unknown version")).into_owned()
    }
}

enum Trouble {
    Http(reqwest::Error),
    TooLong,
}

impl From<reqwest::Error> for Trouble {
    fn from(why: reqwest::Error) -> Self {
        Self::Http(why)
    }
}

fn owner_of_folder(socket: &Path) -> Option<u32> {
    let folder = socket.ancestors().skip(1).find_map(|folder| fs::symlink_metadata(folder).ok())?;
    Some(folder.uid())
}

/// The system's own reason, wherever in the chain it stands.
fn io_cause(why: &reqwest::Error) -> Option<ErrorKind> {
    causes(why).filter_map(|why| why.downcast_ref::<io::Error>()).map(io::Error::kind).last()
}

/// The last reason of the chain: the one that is not "an error happened".
fn deepest(why: &reqwest::Error) -> String {
    causes(why).last().map_or_else(|| why.to_string(), ToString::to_string)
}

fn causes(why: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(why.source(), |&why| why.source())
}

fn wait_until_gone(pid: i32) {
    let patience = Instant::now() + GONE_MAX;
    while is_alive(pid) && Instant::now() < patience {
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// A zombie is gone: it holds no lock, no port and no socket, whoever has yet to bury it.
fn is_alive(pid: i32) -> bool {
    let known = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), None) != Err(nix::errno::Errno::ESRCH);
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let state = state.as_deref().and_then(|stat| stat.rsplit_once(") ")).and_then(|(_, rest)| rest.chars().next());
    known && !matches!(state, Some('Z' | 'X'))
}
