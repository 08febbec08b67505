//! The ports of a herd: bound all at once before any server runs, and who holds one that is taken.
//!
//! A server gets its listener bound and listening, so nothing can fail between `bind` and its first
//! answer. Who holds a port is read from `/proc`, where there is one, and is a help, never a decision.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use socket2::{Domain, Socket, Type};
use tracing::warn;

use super::api::{Failure, Kind};
use super::panics::printable;
use crate::config::{Config, Server};
use crate::limits;

/// `config` with every port moved up by `offset`; port 0 stays "any".
///
/// # Errors
///
/// [`Kind::Usage`] if a port would be past 65535.
pub fn moved(mut config: Config, offset: u16) -> Result<Config, Failure> {
    for server in &mut config.servers {
        let moved = |port: u16| match port {
            0 => Ok(0),
            port => port.checked_add(offset).ok_or_else(|| {
                Failure::new(Kind::Usage, format!("port {port} of {} plus {offset} is no port", server.name))
            }),
        };
        let (address, listen) = (moved(server.address.port())?, moved(server.listen.port())?);
        server.address.set_port(address);
        server.listen.set_port(listen);
    }
    Ok(config)
}

/// Binds the port of the one server that is served, or every server's; each with its place in the herd.
///
/// # Errors
///
/// As [`bind_all`].
pub fn bind_own(config: &mut Config, served: Option<usize>) -> Result<Vec<(usize, TcpListener)>, Failure> {
    match served {
        Some(served) => Ok(vec![(served, bind(&config.servers[served])?)]),
        None => Ok(bind_all(config)?.into_iter().enumerate().collect()),
    }
}

/// Binds every server's port, or none; writes the ports that were really bound into `config`.
///
/// # Errors
///
/// [`Kind::Taken`] with the server, the port and, if it can be found, who holds it.
pub fn bind_all(config: &mut Config) -> Result<Vec<TcpListener>, Failure> {
    let bound = config.servers.iter().map(bind).collect::<Result<Vec<_>, _>>();
    let bound = bound.map_err(|why| Failure { message: format!("{}; nothing was started", why.message), ..why })?;
    for (server, listener) in config.servers.iter_mut().zip(&bound) {
        let bound = listener.local_addr();
        let bound =
            bound.map_err(|why| Failure::new(Kind::Failed, format!("{} has no address: {why}", server.name)))?;
        server.listen = bound;
        if server.address.port() == 0 {
            server.address.set_port(bound.port());
        }
    }
    Ok(bound)
}

/// Binds one server's port.
///
/// # Errors
///
/// As [`bind_all`].
pub fn bind(server: &Server) -> Result<TcpListener, Failure> {
    listen(server.listen).map_err(|why| refused(server, &why))
}

/// Binds the address of the metrics.
///
/// # Errors
///
/// [`Kind::Taken`] if it is not to be had.
pub fn bind_metrics(address: SocketAddr) -> Result<TcpListener, Failure> {
    listen(address).map_err(|why| {
        let message = format!("cannot listen on {address} ([metrics]): {why}; nothing was started");
        Failure::new(Kind::Taken, message).hint(
            "another `listen` below [metrics], or a `metrics` of its own in each server that is served on this machine",
        )
    })
}

/// Ten thousand clients need as many descriptors, and the usual soft limit is 1024.
pub fn raise_descriptors() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(why) = raised {
        warn!("cannot raise the limit of open files: {why}");
    }
}

/// Binds an address of the supervisor's own.
///
/// # Errors
///
/// What the system says.
pub fn bind_local(address: SocketAddr) -> io::Result<TcpListener> {
    listen(address)
}

/// A listening socket, non-blocking. The address can be bound again at once after a server's death.
fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(limits::BACKLOG)?;
    Ok(socket.into())
}

fn refused(server: &Server, why: &io::Error) -> Failure {
    let (name, address) = (&server.name, server.listen);
    if why.kind() != io::ErrorKind::AddrInUse {
        return Failure::new(Kind::Taken, format!("cannot listen on {address} ({name}): {why}"));
    }
    let port = address.port();
    let elsewhere = "herdctl up --port-offset 100";
    match holder(port) {
        None => Failure::new(Kind::Taken, format!("port {port} ({name}) is in use")).hint(elsewhere),
        Some(Holder { pid, herd: Some(herd), .. }) => {
            let herd = herd.display();
            Failure::new(Kind::Taken, format!("port {port} ({name}) is in use by another herd: {herd}, pid {pid}"))
                .hint(format!("herdctl -c {herd} down      or: {elsewhere}"))
        }
        Some(Holder { pid, command, .. }) => {
            Failure::new(Kind::Taken, format!("port {port} ({name}) is in use by pid {pid}: {command}")).hint(elsewhere)
        }
    }
}

/// Who listens on a port.
#[derive(Debug, PartialEq)]
struct Holder {
    pid: u32,
    /// Its command line, safe to print.
    command: String,
    /// Its herd.toml, if it is a herd.
    herd: Option<PathBuf>,
}

/// Finds who listens on `port`: the socket's inode in `/proc/net`, then the process that has it open. Only
/// processes of the same user can be seen.
fn holder(port: u16) -> Option<Holder> {
    let inodes: Vec<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    if inodes.is_empty() {
        return None;
    }
    fs::read_dir("/proc").ok()?.flatten().find_map(|process| {
        let pid = process.file_name().to_str()?.parse().ok()?;
        let open = open_files(&process.path());
        let holds = open.iter().any(|file| inodes.iter().any(|inode| file == Path::new(inode)));
        holds.then(|| Holder { pid, command: command(&process.path()), herd: herd(&open) })
    })
}

/// The inodes of the sockets that listen on `port`, in the text of `/proc/net/tcp` (proc(5)).
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let port = format!(":{port:04X}");
    table
        .lines()
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
            (local.ends_with(&port) && *state == LISTEN).then(|| inode.to_string())
        })
        .collect()
}

fn open_files(process: &Path) -> Vec<PathBuf> {
    let Ok(files) = fs::read_dir(process.join("fd")) else { return Vec::new() };
    files.flatten().filter_map(|file| fs::read_link(file.path()).ok()).collect()
}

fn command(process: &Path) -> String {
    let bytes = fs::read(process.join("cmdline")).unwrap_or_default();
    let words: Vec<_> =
        bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty()).map(String::from_utf8_lossy).collect();
    printable(&words.join(" "))
}

/// A supervisor holds the lock beside its herd.toml.
fn herd(open: &[PathBuf]) -> Option<PathBuf> {
    let folder = open.iter().find_map(|file| file.to_str()?.strip_suffix("/.herd/lock"))?;
    super::lock::read(&Path::new(folder).join(super::den::FOLDER)).map(|standing| standing.config)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(address: SocketAddr) -> Server {
        Server::at("Clark", address)
    }

    #[test]
    fn a_taken_port_names_the_server_the_port_and_who_holds_it() {
        let first = bind(&server("127.0.0.1:0".parse().unwrap())).unwrap();
        let address = first.local_addr().unwrap();
        let failure = bind(&server(address)).unwrap_err();
        assert_eq!(failure.exit, 6);
        assert!(
            failure.message.starts_with(&format!("port {} (Clark) is in use", address.port())),
            "{}",
            failure.message
        );
        if cfg!(target_os = "linux") {
            assert!(failure.message.contains(&format!("pid {}", std::process::id())), "{}", failure.message);
        }
        assert_eq!(failure.hint.unwrap(), "herdctl up --port-offset 100");
    }

    #[test]
    fn a_freed_port_can_be_bound_again_at_once() {
        let first = bind(&server("127.0.0.1:0".parse().unwrap())).unwrap();
        let address = first.local_addr().unwrap();
        drop(first);
        assert_eq!(bind(&server(address)).unwrap().local_addr().unwrap(), address);
    }

    #[test]
    fn only_listening_sockets_of_the_port_count() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2AF8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 100 0 0 10 0
   1: 0100007F:2AF8 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 4712 1 0 100 0 0 10 0
   2: 0100007F:2AF9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4713 1 0 100 0 0 10 0
";
        assert_eq!(listening_inodes(table, 11000), ["4711"]);
    }
}
