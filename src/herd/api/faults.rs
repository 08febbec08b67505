//! The documents of faults, and of who knows what.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::age::left;
use super::{LinkStatus, State, Summary};

/// What can be wrong with a link, or with one direction of it. A value of zero is nothing, and removes what was.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Wrong {
    /// Closed and refused; with `silent`, everything is swallowed and nobody says so.
    Cut {
        #[serde(default)]
        silent: bool,
    },
    /// Everything arrives late, in order.
    Delay {
        delay_ms: u64,
        #[serde(default)]
        jitter_ms: u64,
    },
    /// Whole reports do not arrive.
    Loss {
        percent: f64,
    },
    /// Whole reports arrive twice.
    Dup {
        percent: f64,
    },
    /// Whole reports are overtaken by the next of their batch.
    Reorder {
        percent: f64,
    },
    Throttle {
        bytes_per_second: u64,
    },
}

impl fmt::Display for Wrong {
    /// `delay 250ms ±50ms`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut { silent: true } => write!(f, "cut, silent"),
            Self::Cut { silent: false } => write!(f, "cut"),
            Self::Delay { delay_ms, jitter_ms: 0 } => write!(f, "delay {delay_ms}ms"),
            Self::Delay { delay_ms, jitter_ms } => write!(f, "delay {delay_ms}ms ±{jitter_ms}ms"),
            Self::Loss { percent } => write!(f, "loss {percent}%"),
            Self::Dup { percent } => write!(f, "dup {percent}%"),
            Self::Reorder { percent } => write!(f, "reorder {percent}%"),
            Self::Throttle { bytes_per_second } => write!(f, "throttle {bytes_per_second} bytes/s"),
        }
    }
}

/// The body of `POST /v1/fault`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultOrder {
    pub from: String,
    pub to: String,
    /// Only what `from` says to `to`; not with a cut that closes.
    #[serde(default)]
    pub one_way: bool,
    #[serde(flatten)]
    pub wrong: Wrong,
    /// Heals by itself after so long.
    #[serde(default)]
    pub for_ms: Option<u64>,
    /// Of its chance; made at random if there is none.
    #[serde(default)]
    pub seed: Option<u64>,
}

/// The body of `POST /v1/partition`: one of groups, `isolate` and `random`. Replaces an earlier partition outright.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PartitionOrder {
    /// Servers that are not named form one more group.
    #[serde(default)]
    pub groups: Vec<Vec<String>>,
    #[serde(default)]
    pub isolate: Option<String>,
    /// Two groups by chance.
    #[serde(default)]
    pub random: bool,
    #[serde(default)]
    pub seed: Option<u64>,
    #[serde(default)]
    pub silent: bool,
    #[serde(default)]
    pub for_ms: Option<u64>,
}

/// The body of `POST /v1/heal`: one link, all links of one server, or all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealOrder {
    /// One name is a server, two are a link.
    #[serde(default)]
    pub servers: Vec<String>,
    #[serde(default)]
    pub all: bool,
}

/// A fault that is there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultStatus {
    pub id: u64,
    #[serde(flatten)]
    pub wrong: Wrong,
    pub from: String,
    pub to: String,
    /// Only what `from` says to `to`.
    pub one_way: bool,
    /// A part of a partition.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub partition: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_ms: Option<u64>,
}

impl FaultStatus {
    /// `Bona → Campbell`, or `Bona – Campbell` where it is both ways.
    pub fn ends(&self) -> String {
        format!("{} {} {}", self.from, if self.one_way { "→" } else { "–" }, self.to)
    }

    /// `delay 250ms ±50ms, seed 7313 (22s left)`
    pub fn what(&self) -> String {
        let seed = self.seed.map(|seed| format!(", seed {seed}")).unwrap_or_default();
        let left =
            self.expires_in_ms.filter(|&ms| ms > 0).map(|ms| format!(" ({} left)", left(ms))).unwrap_or_default();
        format!("{}{seed}{left}", self.wrong)
    }
}

/// What `fault`, `partition` and `heal` did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultChange {
    /// `herd.fault/1`
    pub schema: String,
    pub changed: bool,
    /// The faults that are there now because of this order.
    pub set: Vec<FaultStatus>,
    /// The faults that are gone because of this order, healed or replaced.
    pub healed: Vec<FaultStatus>,
    /// The running servers that can reach each other, by the links that are not cut.
    pub islands: Vec<Vec<String>>,
    /// The seed of a partition by chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    pub summary: Summary,
}

/// `GET /v1/links`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Links {
    /// `herd.links/1`
    pub schema: String,
    pub links: Vec<LinkStatus>,
    pub faults: Vec<FaultStatus>,
}

/// The body of `POST /v1/whereis`: one client, or those that moved last.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WhereisOrder {
    #[serde(default)]
    pub client: Option<String>,
    #[serde(default)]
    pub all: bool,
}

/// Who knows what, read from the servers' own tables.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereis {
    /// `herd.whereis/1`
    pub schema: String,
    pub clients: Vec<ClientStatus>,
    /// The most clients that one server knows; more than are shown if only those that moved last are.
    pub known: u64,
    /// Servers that could not be asked, and why.
    pub silent: Vec<SilentServer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientStatus {
    /// Its name; bytes that are not UTF-8 are spelled out.
    pub client: String,
    /// All servers that answered hold the same report.
    pub agreed: bool,
    pub servers: Vec<Knowledge>,
}

/// What one server knows of one client.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Knowledge {
    pub server: String,
    pub knows: Knows,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// When the client was there, as it said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// The server that heard it from the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said_to: Option<String>,
    /// With `--watch`, if it came meanwhile: the neighbour that told it, or nothing if the client itself did, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// … and when this server heard it: RFC 3339, UTC, microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard_at: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Knows {
    /// The newest report that any server has.
    Newest,
    /// A report that another server knows to be old.
    Old,
    #[default]
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SilentServer {
    pub server: String,
    pub state: State,
    /// Why it was not asked, or that it did not answer.
    pub why: String,
}

/// The body of `POST /v1/forget`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetOrder {
    pub client: String,
}

/// What `forget` did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// `herd.forget/1`
    pub schema: String,
    pub changed: bool,
    pub client: String,
    /// The servers that knew it and do not any more.
    pub forgot: Vec<String>,
    /// Whether it can come back: what could bring it back, in words. Empty: no server knows it, and nothing is on its way.
    pub may_return: Vec<String>,
}
