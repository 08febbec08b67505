//! What a served server's runner is told: systemd's notify protocol, a datagram of a few words to the socket that
//! `NOTIFY_SOCKET` names (sd_notify(3)). Who is not asked says nothing, and nobody waits for the runner.

use std::env;
use std::io;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tracing::warn;

use super::Up;

/// It listens.
pub const READY: &str = "READY=1";
/// It is leaving.
pub const STOPPING: &str = "STOPPING=1";

/// Tells the runner of a served server, if it wants to know.
pub fn tell(up: &Up, news: &str) {
    let Some(socket) = env::var_os("NOTIFY_SOCKET").filter(|_| up.served.is_some()) else { return };
    if let Err(why) = send(socket.as_bytes(), news) {
        warn!("NOTIFY_SOCKET does not take {news}: {why}");
    }
}

/// A name that begins with @ is an abstract one.
fn send(socket: &[u8], news: &str) -> io::Result<()> {
    let address = match socket.strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(std::path::Path::new(std::ffi::OsStr::from_bytes(socket)))?,
    };
    let datagrams = UnixDatagram::unbound()?;
    datagrams.set_nonblocking(true)?;
    datagrams.send_to_addr(news.as_bytes(), &address).map(drop)
}
