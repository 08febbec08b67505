//! Where connections come in: who is let in, who is not, and what happens when there are no descriptors left.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tracing::{info, warn};

use super::connection;
use super::socket::Socket;
use super::state::Server;
use crate::limits;

/// Where connections come in; closed for a while when there are no descriptors left.
#[derive(Default)]
pub(super) struct Door {
    closed: bool,
    /// Nothing could be accepted of late; said once.
    in_trouble: bool,
}

impl Door {
    pub(super) fn is_open(&self) -> bool {
        !self.closed
    }

    pub(super) fn open(&mut self) {
        self.closed = false;
    }

    pub(super) fn admit(
        &mut self,
        server: &Rc<Server>,
        tasks: &mut JoinSet<()>,
        accepted: io::Result<(TcpStream, SocketAddr)>,
    ) {
        match accepted {
            Ok((stream, address)) => {
                self.end_trouble();
                self.seat(server, tasks, stream, address);
            }
            // The caller gave up before it was let in.
            Err(why) if why.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(why) => self.wait_for_descriptors(&why),
        }
    }

    fn seat(&self, server: &Rc<Server>, tasks: &mut JoinSet<()>, stream: TcpStream, address: SocketAddr) {
        let Some(admission) = server.admission() else {
            warn!("client {address} dropped: there are connections_max clients already");
            return;
        };
        if let Err(why) = prepare(&stream) {
            warn!("client {address} dropped: {why}");
            return;
        }
        let socket = Socket::new(stream, &server.power_cut);
        tasks.spawn_local(connection::serve(Rc::clone(server), socket, address, admission));
    }

    fn wait_for_descriptors(&mut self, why: &io::Error) {
        self.closed = true;
        if !std::mem::replace(&mut self.in_trouble, true) {
            warn!("cannot accept connections: {why}; trying on");
        }
    }

    fn end_trouble(&mut self) {
        if std::mem::take(&mut self.in_trouble) {
            info!("accepting connections again");
        }
    }
}

/// An answer leaves when it is written; a phone that has vanished without a word is found out by the kernel.
fn prepare(stream: &TcpStream) -> io::Result<()> {
    let keepalive = TcpKeepalive::new().with_time(limits::KEEPALIVE_AFTER);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)?;
    stream.set_nodelay(true)
}
