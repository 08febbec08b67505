//! A way into the supervisor over TCP, for the metrics, the dashboard and commands on other hosts: a listening socket with as many places as there
//! may be connections. Who waits for a place waits in the system's queue.

use std::io;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::{info, warn};

use super::guest::Guest;
use crate::limits;

pub struct Entrance {
    listener: TcpListener,
    room: Arc<Semaphore>,
    /// What it is, for the log.
    what: &'static str,
    trouble: Trouble,
}

impl Entrance {
    /// So many connections at a time come in.
    pub fn new(what: &'static str, listener: TcpListener, connections_max: usize) -> Self {
        Self { listener, room: Arc::new(Semaphore::new(connections_max)), what, trouble: Trouble::default() }
    }

    /// The next connection, and its place.
    pub async fn admit(&mut self) -> (TcpStream, OwnedSemaphorePermit) {
        let place = self.room.clone().acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    self.trouble.end(self.what);
                    return (stream, place);
                }
                Err(why) => {
                    self.trouble.begin(self.what, &why);
                    sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }
}

/// Nobody could be let in of late; said once.
#[derive(Debug, Default)]
pub struct Trouble(bool);

impl Trouble {
    pub fn begin(&mut self, what: &str, why: &io::Error) {
        if !std::mem::replace(&mut self.0, true) {
            warn!("cannot accept on {what}: {why}; trying on");
        }
    }

    pub fn end(&mut self, what: &str) {
        if std::mem::take(&mut self.0) {
            info!("accepting on {what} again");
        }
    }
}

impl axum::serve::Listener for Entrance {
    type Io = Guest<TcpStream>;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, ()) {
        let (stream, place) = self.admit().await;
        (Guest::new(stream, place), ())
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}
