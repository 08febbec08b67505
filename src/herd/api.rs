//! What crosses the control channel: one type a document, used by the supervisor that writes it, by the
//! commands that read it, and printed as it is by `--json`. Fields may be added, never renamed.

mod age;
pub mod by;
mod faults;
mod logs;

use std::fmt;

pub use age::age;
pub use faults::{
    ClientStatus, FaultChange, FaultOrder, FaultStatus, ForgetOrder, Forgotten, HealOrder, Knowledge, Knows, Links,
    PartitionOrder, SilentServer, Whereis, WhereisOrder, Wrong,
};
pub use logs::{LINE, LogsQuery, MISSING, NOW, RUN};
use serde::{Deserialize, Serialize};

/// The version of this channel. `down` and `version` stay compatible for ever.
pub const PROTOCOL: u32 = 1;

/// `GET /v1/ps`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ps {
    /// `herd.ps/1`
    pub schema: String,
    /// The herd.toml in use, absolute.
    pub config: String,
    pub herd: String,
    /// 0 where each server is a process of its own.
    pub pid: u32,
    pub version: String,
    pub protocol: u32,
    pub uptime_ms: u64,
    /// Where the logs are, absolute.
    pub logs: String,
    pub summary: Summary,
    pub servers: Vec<ServerStatus>,
    pub links: Vec<LinkStatus>,
    #[serde(default)]
    pub faults: Vec<FaultStatus>,
    /// What `up` found and a person should know, such as what an earlier supervisor left behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub servers: usize,
    pub running: usize,
    pub paused: usize,
    pub down: usize,
    pub links: usize,
    pub links_up: usize,
    /// Links with something wrong, once for each thing that is.
    #[serde(default)]
    pub faults: usize,
    /// Connected components of running servers over links that are live and not cut.
    pub islands: usize,
    /// Every two running servers of one island hold equal atlases.
    pub converged: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServerStatus {
    pub name: String,
    pub state: State,
    /// When it entered this state: RFC 3339, UTC, microseconds.
    pub since: String,
    pub since_ms: u64,
    pub addr: String,
    /// Who brought it into this state: `cli`, `dash`, or nothing when it was no one's order.
    pub by: Option<String>,
    /// How often it has been started again since `up`.
    pub restarts: u32,
    /// How long this incarnation has been up.
    pub uptime_ms: Option<u64>,
    pub links_up: usize,
    pub links: usize,
    /// Client connections now.
    pub clients: u32,
    /// Clients in its atlas.
    pub knows: u64,
    pub edition: u64,
    /// The atlas's digest, sixteen hexadecimal digits.
    pub digest: String,
    /// Answers written before a neighbour had confirmed.
    pub unconfirmed: u64,
    /// Log records that could not be written.
    pub log_lost: u64,
    /// What is on the disk of what it knows; nothing without an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<ArchiveStatus>,
    /// How it stands with the bus; nothing in a server that is no bridge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bus: Option<BusStatus>,
    /// What a person should know: why it crashed, what a pause means.
    pub note: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveStatus {
    /// The edition up to which it is on the disk.
    pub stored: u64,
    /// How many editions it is behind.
    pub lag: u64,
    /// When something was last stored in this incarnation: RFC 3339, UTC, microseconds.
    pub committed: Option<String>,
    /// Why nothing is stored at present.
    pub trouble: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BusStatus {
    pub state: BusState,
    /// The edition up to which the bus has been told.
    pub told: u64,
    /// How many editions it is behind.
    pub lag: u64,
    /// Reports that the bus said and that were news.
    pub learned: u64,
    /// What the bus holds that is no report.
    pub refused: u64,
    /// Reports that are longer than the bus takes.
    pub too_long: u64,
    /// Why it is away.
    pub trouble: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BusState {
    /// It is being connected to, or what it holds is being read.
    Joining,
    Joined,
    Away,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    Starting,
    Running,
    Paused,
    Stopping,
    Stopped,
    Killed,
    /// A panic was caught.
    Crashed,
    /// It could not start: a port or a log file was not to be had.
    Failed,
    /// Its process does not answer, and nobody here can tell more.
    Unreachable,
}

impl fmt::Display for State {
    /// The word that JSON has for it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Crashed => "crashed",
            Self::Failed => "failed",
            Self::Unreachable => "unreachable",
        })
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkStatus {
    /// The end that dials.
    pub from: String,
    pub to: String,
    /// Both ends call the link live.
    pub up: bool,
    /// Editions of `from` that `to` has not confirmed, and the other way round; none where an end is down.
    pub lag: Option<[u64; 2]>,
    /// `to` has asked `from` to be told a little later, for it knows that already; and the other way round.
    #[serde(default)]
    pub held: [bool; 2],
}

/// The body of `POST /v1/kill`, `/v1/stop`, `/v1/start`, `/v1/restart`, `/v1/pause`, `/v1/resume`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Order {
    /// Names in any case; all of them are checked before anything is done.
    #[serde(default)]
    pub servers: Vec<String>,
    #[serde(default)]
    pub all: bool,
    /// `restart`: kill instead of stop.
    #[serde(default)]
    pub hard: bool,
    /// `start`, `restart`: answer only when its links are live and it knows what its neighbours know.
    #[serde(default)]
    pub wait: bool,
    /// `kill`: as a power cut does, connections reset and unsent bytes gone.
    #[serde(default)]
    pub power: bool,
    /// `kill`: one of those that run, by chance.
    #[serde(default)]
    pub random: bool,
    /// Of that chance; made at random if there is none.
    #[serde(default)]
    pub seed: Option<u64>,
    /// `kill`, `pause`: start it again, or let it go on, after so long.
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// What an order did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// `herd.change/1`
    pub schema: String,
    pub changed: bool,
    pub results: Vec<ChangeResult>,
    /// The seed of a choice by chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// It undoes itself after so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    pub summary: Summary,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChangeResult {
    pub server: String,
    pub from: State,
    pub to: State,
    pub changed: bool,
    pub took_us: u64,
    /// Links that this took away.
    pub peers_reset: usize,
    /// Client connections that this took away.
    pub clients_reset: u32,
    /// Locations that went with its memory.
    pub locations_lost: u64,
    /// What it listens on, after a start.
    pub addr: String,
    pub links_up: usize,
    pub links: usize,
    pub knows: u64,
}

/// `GET /v1/version`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// `herd.version/1`
    pub schema: String,
    pub version: String,
    pub protocol: u32,
    pub pid: u32,
}

/// One line of `GET /v1/events`: something that happened, in the one order of the whole process.
///
/// Kinds are a family and a word, and there may be more of them at any time:
///
/// | kind | what happened |
/// |---|---|
/// | `herd.up` `herd.ready` `herd.leaving` `herd.down` | the supervisor |
/// | `server.running` … | a server entered this [`State`] |
/// | `link.refused` | `server` dialled `peer`, and one of them does not trust the other: `note` |
/// | `link.up` `link.down` | `server` calls its link to `peer` live, or dead because of `note` |
/// | `fault.set` `fault.healed` | a fault of the link from `server` to `peer` |
/// | `places.failing` `places.refused` `places.limited` `places.fine` | the provider of places that `server` asks fares otherwise than before, as `note` says |
/// | `client.connected` `client.gone` | somebody at `addr`; a neighbour too, until it has proved itself |
/// | `flood.heard` | a report of `client` came to `server`, from `peer` or from the client itself; `news` says what it was |
/// | `flood.told` | `server` tells `peer` a report of `client` |
/// | `flood.answered` | `server` answers the client at `addr`; `answer` says what |
/// | `gap` | `missed` events of `server`, or of all, are missing before what comes next |
/// | `stream.opened` | the first line |
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// `herd.event/1`
    pub schema: String,
    /// Which `up` of the herd this is: its time, as the log files have it. Numbers start anew with each.
    pub run: String,
    /// Rises from line to line; the number of the log record that says the same, where there is one.
    pub seq: u64,
    /// Of a herd whose servers are processes of their own: the server whose process tells it, and whose `run` and `seq` these
    /// are. Then `seq` rises among the lines of one process, and all lines go by `t`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
    /// RFC 3339, UTC, microseconds.
    pub t: String,
    pub kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// The other end of a link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// A client's name, at most its first 128 bytes; what is not UTF-8 in it is `\xNN`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Where somebody connected from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addr: Option<String>,
    /// Whose order it was: `cli` or `dash`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// `new`; `known`: a duplicate, dropped; `stale`: older than what is known, dropped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub news: Option<String>,
    /// `report`, `places` or `refusal`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Of `fault.set` and `fault.healed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<FaultStatus>,
    /// How many events are missing; none: nobody can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed: Option<u64>,
    /// Why, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What `GET /v1/events` may be asked, as the query of its URL. It is answered line by line until whoever asked
/// leaves or the herd is gone; an empty line says that nothing has happened for a while.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventsQuery {
    /// Begin after this number, or with this time (RFC 3339); none: begin now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// The run that the number is of: after another `up`, all that is kept is told, behind a gap.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// Kinds or families, with commas between; none: all.
    #[serde(default)]
    pub kinds: String,
    /// The hops of every report too.
    #[serde(default)]
    pub flood: bool,
    /// Of hops, those of this client's reports only; its name as an event has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}

/// The body of `POST /v1/down`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DownOrder {
    /// How long the servers may take to leave by themselves; none: [`limits::LEAVE_MAX`](crate::limits::LEAVE_MAX).
    #[serde(default)]
    pub timeout_ms: Option<u64>,
    /// Kill them instead of asking.
    #[serde(default)]
    pub force: bool,
}

/// `POST /v1/down`: the supervisor answers, then leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Down {
    /// `herd.down/1`
    pub schema: String,
    pub changed: bool,
    pub servers: usize,
    pub clients: u32,
    pub took_ms: u64,
    /// Servers that did not leave by themselves in time and were killed.
    pub forced: Vec<String>,
    pub logs: String,
}

/// The body of `POST /v1/dash`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DashOrder {
    /// Where on 127.0.0.1; 0: anywhere; none: [`limits::DASH_PORT`](crate::limits::DASH_PORT), or anywhere if that is
    /// taken.
    #[serde(default)]
    pub port: Option<u16>,
    /// An address that lets its reader look, and change nothing.
    #[serde(default)]
    pub read_only: bool,
}

/// `POST /v1/dash`: the page is served from now on, for as long as the herd is up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dash {
    /// `herd.dash/1`
    pub schema: String,
    /// It was not served before.
    pub changed: bool,
    /// With the token that opens it, which is as good as a key to the herd.
    pub url: String,
    pub addr: String,
    pub read_only: bool,
}

/// Any answer that is not a success, and what every command prints on stderr under `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `herd.error/1`
    pub schema: String,
    pub error: Kind,
    pub exit: u8,
    pub message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub did_you_mean: Vec<String>,
    /// With `taken`: the process that already runs this very herd, configured the same. What was asked
    /// for is so already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub already_up: Option<u32>,
    /// With `unknown_route`: what the supervisor speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<u32>,
}

/// The kinds of failure, one exit code each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Failed,
    Usage,
    NotRunning,
    UnknownName,
    BadConfig,
    Taken,
    Timeout,
    CheckFailed,
    Version,
    Interrupted,
    UnknownRoute,
}

impl Kind {
    /// The exit code of a command that ends with this.
    pub fn exit(self) -> u8 {
        match self {
            Self::Failed | Self::UnknownRoute => 1,
            Self::Usage => 2,
            Self::NotRunning => 3,
            Self::UnknownName => 4,
            Self::BadConfig => 5,
            Self::Taken => 6,
            Self::Timeout => 7,
            Self::CheckFailed => 8,
            Self::Version => 9,
            Self::Interrupted => 130,
        }
    }
}

impl Failure {
    pub fn new(error: Kind, message: impl Into<String>) -> Self {
        Self {
            schema: "herd.error/1".into(),
            error,
            exit: error.exit(),
            message: message.into(),
            hint: None,
            did_you_mean: Vec::new(),
            already_up: None,
            protocol: None,
        }
    }

    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}
