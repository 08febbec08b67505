//! One simulated server: a process that can be killed, with the protocol's own node and links inside.

use std::collections::BTreeMap;

use herdctl::protocol::atlas::{Edition, Source};
use herdctl::protocol::hello::{Answering, Dialing, Identity};
use herdctl::protocol::link::{Acquaintance, Link};
use herdctl::protocol::node::Node;
use herdctl::server::confirm::{Confirmations, Patience};

use super::archive::{Archive, Disk};
use super::plan::Act;
use super::witness::Witness;

pub struct Server {
    pub name: &'static str,
    /// `None`: killed.
    pub life: Option<Life>,
    pub paused: bool,
    /// What clients said while it was paused.
    pub inbox: Vec<Act>,
    /// What its archive is on.
    pub disk: Disk,
}

/// All that is gone when the server is killed.
pub struct Life {
    pub run: u64,
    pub node: Node,
    /// What a correct server would know by now.
    pub witness: Witness,
    /// By neighbour: what is known of its run.
    pub known: BTreeMap<usize, Acquaintance>,
    /// By link: the connection that is proven, and which end of it this is.
    pub live: BTreeMap<usize, (usize, usize)>,
    pub archive: Option<Archive>,
    pub confirmations: Confirmations,
    pub patience: Patience,
    /// Whether the next look of its patience is on the agenda.
    pub look_awaited: bool,
    /// Answers that wait for a neighbour, or for the disk.
    pub waiting: Vec<Waiting>,
    /// By client: the last line with which a `WHATSAT` was answered.
    pub answered: BTreeMap<String, Vec<u8>>,
    connections: u32,
}

pub struct Waiting {
    pub line: Vec<u8>,
    pub after: Edition,
}

/// Where one end of a connection is in its life.
pub enum Stage {
    Closed,
    /// A listener that has heard nothing.
    Listening,
    /// A dialer that has said its run, in a world without proofs.
    Calling,
    Dialing(Dialing<'static>),
    Answering(Answering<'static>),
    Live(Link),
}

impl Server {
    pub fn new(name: &'static str) -> Self {
        Self { name, life: None, paused: false, inbox: Vec::new(), disk: Disk::default() }
    }

    /// Who it is while it lives.
    pub fn identity(&self) -> Option<Identity<'static>> {
        let run = self.life.as_ref()?.run;
        Some(Identity { herd: "simulated", server: self.name, run, secret: b"known to all", also: None })
    }
}

impl Life {
    pub fn new(name: &str, run: u64, confirmations: Confirmations) -> Self {
        Self {
            run,
            node: Node::new(name, 0),
            witness: Witness::default(),
            known: BTreeMap::new(),
            live: BTreeMap::new(),
            archive: None,
            confirmations,
            patience: Patience::default(),
            look_awaited: false,
            waiting: Vec::new(),
            answered: BTreeMap::new(),
            connections: 0,
        }
    }

    /// Names the next connection to a neighbour, or a neighbour.
    pub fn next_source(&mut self) -> Source {
        self.connections += 1;
        Source::link(self.connections)
    }
}

impl Stage {
    pub fn link(&self) -> Option<&Link> {
        match self {
            Self::Live(link) => Some(link),
            _ => None,
        }
    }

    pub fn link_mut(&mut self) -> Option<&mut Link> {
        match self {
            Self::Live(link) => Some(link),
            _ => None,
        }
    }

    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}
