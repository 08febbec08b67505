//! Where connections come in: who is let in, who is not, and what happens when there are no descriptors left.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::rc::Rc;
use std::time::Instant;

use nix::sys::resource::{Resource, getrlimit};
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::clock;
use super::connection;
use super::socket::Socket;
use super::state::Server;
use super::vitals::Shortage;
use crate::limits;

/// Where connections come in; closed for a while when there are no descriptors left.
pub(super) struct Door {
    closed: bool,
    /// What was short of late; said once, and again when it gets worse.
    short_of: Shortage,
    /// While it is short of anything: when it looks whether it still is, however much else happens meanwhile.
    pub(super) look_at: Option<Instant>,
    /// Descriptors from this one on are kept from clients, or a crowd of them would leave none to the operator.
    kept_from: u64,
}

impl Door {
    pub(super) fn new() -> Self {
        // Without a limit there is nothing to keep.
        let allowed = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
        let kept = limits::DESCRIPTORS_KEPT.min(allowed / limits::DESCRIPTORS_KEPT_PART);
        Self { closed: false, short_of: Shortage::Nothing, look_at: None, kept_from: allowed - kept }
    }

    /// Whether there are descriptors again, though nobody has come to show it.
    pub(super) fn look(&mut self, server: &Rc<Server>, listener: &TcpListener) {
        self.closed = false;
        self.look_at = Some(clock::instant() + limits::ACCEPT_PAUSE);
        match listener.as_fd().try_clone_to_owned() {
            Ok(one_more) if !self.is_kept(&one_more) => self.has_enough(server),
            Ok(_) => server.vitals.show_shortage(Shortage::DescriptorsForClients),
            Err(_) => server.vitals.show_shortage(Shortage::Descriptors),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        !self.closed
    }

    pub(super) fn admit(
        &mut self,
        server: &Rc<Server>,
        tasks: &mut JoinSet<()>,
        accepted: io::Result<(TcpStream, SocketAddr)>,
    ) {
        match accepted {
            Ok((stream, address)) => {
                let is_kept = self.is_kept(&stream);
                if !is_kept {
                    self.has_enough(server);
                } else if self.becomes(server, Shortage::DescriptorsForClients) {
                    warn!("no descriptors are left for clients; only neighbours are let in");
                }
                seat(server, tasks, stream, address, is_kept);
            }
            // The caller gave up before it was let in.
            Err(why) if why.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(why) => {
                self.closed = true;
                if self.becomes(server, Shortage::Descriptors) {
                    warn!("cannot accept connections: {why}; trying on");
                }
            }
        }
    }

    /// The kernel gives the lowest that is free, so the number says how many are in use.
    fn is_kept(&self, descriptor: &impl AsRawFd) -> bool {
        u64::from(descriptor.as_raw_fd().unsigned_abs()) >= self.kept_from
    }

    /// Whether that is worse than what has been said.
    fn becomes(&mut self, server: &Rc<Server>, shortage: Shortage) -> bool {
        let is_worse = shortage > self.short_of;
        self.short_of = self.short_of.max(shortage);
        self.look_at.get_or_insert_with(|| clock::instant() + limits::ACCEPT_PAUSE);
        server.vitals.show_shortage(shortage);
        is_worse
    }

    fn has_enough(&mut self, server: &Rc<Server>) {
        self.look_at = None;
        if std::mem::replace(&mut self.short_of, Shortage::Nothing) != Shortage::Nothing {
            server.vitals.show_shortage(Shortage::Nothing);
            info!("accepting connections again");
        }
    }
}

fn seat(server: &Rc<Server>, tasks: &mut JoinSet<()>, stream: TcpStream, address: SocketAddr, is_kept: bool) {
    let seated = server.admission(is_kept).map_err(|full| full.to_string());
    match seated.and_then(|admission| prepare(&stream).map(|()| admission).map_err(|why| why.to_string())) {
        Ok(admission) => {
            // Seated here and not by its task, or a crowd would be let in before any of them is counted.
            let (socket, seat) = (Socket::new(stream, &server.power_cut), server.seat_client(admission));
            tasks.spawn_local(connection::serve(Rc::clone(server), socket, address, seat));
        }
        Err(why) => warn!("client {address} dropped: {why}"),
    }
}

/// An answer leaves when it is written; a phone that has vanished without a word is found out by the kernel.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(limits::KEEPALIVE_AFTER);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    stream.set_nodelay(true)
}
