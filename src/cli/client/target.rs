//! Which herd a command means, and by which ways it is reached: one control socket, or one a process.

use std::path::PathBuf;

use crate::config::Address;
use crate::herd::api::Failure;
use crate::herd::token::Token;

/// Which herd is meant.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its herd.toml, absolute; `None` where only its socket was named.
    pub config: Option<PathBuf>,
    pub socket: PathBuf,
    /// How a person would call it.
    pub name: String,
    /// The control address on another host, instead of the socket.
    pub remote: Option<Remote>,
    /// Why it cannot be asked at all: it has a control address, and there is no token to show there.
    pub flaw: Option<Failure>,
    /// Where the servers are processes of their own: theirs, in the order of herd.toml.
    pub processes: Vec<Self>,
}

/// A control address, and what is shown there.
#[derive(Debug, Clone)]
pub struct Remote {
    pub at: Address,
    pub token: Token,
    /// The name in its certificate, and whose certificates are trusted; `None`: no TLS.
    pub tls: Option<(String, PathBuf)>,
}

impl Target {
    /// Whether it is reached by its control address, if at all, and not by a socket here.
    pub fn is_elsewhere(&self) -> bool {
        self.remote.is_some() || self.flaw.is_some()
    }

    /// One process, by its socket.
    pub fn of_socket(name: String, socket: PathBuf) -> Self {
        Self { config: None, socket, name, remote: None, flaw: None, processes: Vec::new() }
    }
}
