//! What a served server's runner is told: systemd's notify protocol, datagrams of a few words to the socket that
//! `NOTIFY_SOCKET` names (sd_notify(3), sd_watchdog_enabled(3)). Who is not asked says nothing, and nobody waits for the
//! runner.

use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;
use std::time::Duration;

use tokio::time::sleep;
use tracing::warn;

use super::Shared;
use super::health;

/// It listens.
pub const READY: &str = "READY=1";
/// It is leaving.
pub const STOPPING: &str = "STOPPING=1";
/// It is alive.
const WATCHDOG: &str = "WATCHDOG=1";

/// Whoever runs this process and wants to know how it fares.
#[derive(Debug, Default)]
pub struct Runner {
    socket: Option<OsString>,
    /// Without a word for so long, this process is taken for dead.
    watchdog: Option<Duration>,
}

impl Runner {
    /// As the environment of this process names it.
    pub fn of_process() -> Self {
        let is_ours = env::var("WATCHDOG_PID").map_or(true, |pid| pid == std::process::id().to_string());
        let watchdog = env::var("WATCHDOG_USEC").ok().filter(|_| is_ours).and_then(|usec| usec.parse().ok());
        Self {
            socket: env::var_os("NOTIFY_SOCKET").filter(|socket| !socket.is_empty()),
            watchdog: watchdog.filter(|&usec| usec > 0).map(Duration::from_micros),
        }
    }

    /// Tells it, if it wants to know.
    pub fn tell(&self, news: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(why) = send(socket.as_bytes(), news) {
            warn!("NOTIFY_SOCKET does not take {news}: {why}");
        }
    }
}

/// Says again and again that this process is alive, if its runner watches it: as long as the herd's loop answers, and
/// twice as often as is asked for.
pub async fn be_watched(herd: Shared) {
    let Some(watchdog) = herd.borrow().runner.watchdog else { return };
    let events = herd.borrow().events.clone();
    loop {
        if health::is_alive(&events).await {
            herd.borrow().runner.tell(WATCHDOG);
        }
        sleep(watchdog / 2).await;
    }
}

/// A name that begins with @ is an abstract one.
fn send(socket: &[u8], news: &str) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(Path::new(OsStr::from_bytes(socket)))?,
    };
    let datagrams = UnixDatagram::unbound()?;
    datagrams.set_nonblocking(true)?;
    datagrams.send_to_addr(news.as_bytes(), &address).map(drop)
}
