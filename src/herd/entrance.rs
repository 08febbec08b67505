//! A way into the supervisor over TCP, for the metrics and the dashboard: a listening socket with as many places as there
//! may be connections. Who waits for a place waits in the system's queue.

use std::io;
use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tracing::warn;

use super::guest::Guest;
use crate::limits;

pub struct Entrance {
    pub listener: TcpListener,
    pub room: Arc<Semaphore>,
    /// What it is, for the log.
    pub what: &'static str,
}

impl axum::serve::Listener for Entrance {
    type Io = Guest<TcpStream>;
    type Addr = ();

    async fn accept(&mut self) -> (Self::Io, ()) {
        let place = self.room.clone().acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => return (Guest::new(stream, place), ()),
                Err(why) => {
                    warn!("cannot accept on {}: {why}", self.what);
                    sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}
