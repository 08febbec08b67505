//! How a connection to a neighbour begins: dialled or answered, both ends prove themselves, or there is no link.
//!
//! What is said and checked is [`protocol::hello`](crate::protocol::hello)'s; here are the sockets and the deadlines.

use std::fmt;
use std::io;
use std::rc::Rc;

use memchr::memchr;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::timeout;

use super::clock;
use super::fault::{CUT, Inlet};
use super::record::Level;
use super::socket::Socket;
use super::state::Server;
use crate::limits;
use crate::protocol::hello::{Answering, Dialing, Nonce, Proven, Refusal};
use crate::protocol::node;

/// A proven connection.
pub(super) struct Made<'a> {
    pub(super) stream: Socket,
    pub(super) neighbour: usize,
    pub(super) proven: Proven,
    pub(super) inlet: Inlet<'a>,
    /// What has come after the handshake.
    pub(super) inbox: Vec<u8>,
}

/// Why there is no link.
pub(super) enum NoLink {
    Io(io::Error),
    Refused(Refusal),
    /// The other end answered the hello with `?`.
    RefusedUs,
    /// It took longer than a handshake may.
    Slow,
    /// The kernel connected the socket to itself.
    Itself,
    /// A fault.
    Cut,
}

impl fmt::Display for NoLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(why) => write!(f, "{why}"),
            Self::Refused(why) => write!(f, "it {why}"),
            Self::RefusedUs => write!(f, "it refused our hello; its log says why"),
            Self::Slow => write!(f, "it does not answer"),
            Self::Itself => write!(f, "nobody listens there"),
            Self::Cut => f.write_str(CUT),
        }
    }
}

impl From<io::Error> for NoLink {
    fn from(why: io::Error) -> Self {
        Self::Io(why)
    }
}

impl From<Refusal> for NoLink {
    fn from(why: Refusal) -> Self {
        Self::Refused(why)
    }
}

/// Connects to a neighbour and proves itself.
pub(super) async fn dial(server: &Rc<Server>, neighbour: usize) -> Result<Made<'_>, NoLink> {
    if server.neighbours[neighbour].fault.get().is_closed() {
        return Err(NoLink::Cut);
    }
    let address = server.neighbours[neighbour].address;
    let connecting = timeout(limits::DIAL_MAX, TcpStream::connect(address));
    let mut stream = Socket::new(connecting.await.map_err(|_| NoLink::Slow)??, &server.power_cut);
    // Dialling a dead port of the ephemeral range can reach the dialling socket itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(NoLink::Itself);
    }
    stream.set_nodelay(true)?;
    let (mut inlet, mut inbox) = (Inlet::new(server, neighbour), Vec::new());
    let proving = prove_as_dialer(server, neighbour, &mut stream, &mut inlet, &mut inbox);
    let proven = timeout(limits::HANDSHAKE_MAX, proving).await.map_err(|_| NoLink::Slow)??;
    Ok(Made { stream, neighbour, proven, inlet, inbox })
}

async fn prove_as_dialer(
    server: &Rc<Server>,
    neighbour: usize,
    stream: &mut TcpStream,
    inlet: &mut Inlet<'_>,
    inbox: &mut Vec<u8>,
) -> Result<Proven, NoLink> {
    let name = &server.neighbours[neighbour].name;
    let keys = server.secret.keys();
    let dialing = Dialing::new(server.identity(&keys), name, nonce()?);
    let (mut read, mut write) = stream.split();
    say(server, &mut write, name, dialing.hello()).await?;
    let line = hear_line(server, &mut read, inlet, name, inbox).await?;
    if line.starts_with(b"?") {
        return Err(NoLink::RefusedUs);
    }
    let (proven, proof) = dialing.hear(&line)?;
    say(server, &mut write, name, &proof).await?;
    Ok(proven)
}

/// Answers a hello; what has come after it is in `inbox`.
pub(super) async fn prove_as_listener<'a>(
    server: &'a Rc<Server>,
    stream: &mut TcpStream,
    who: &str,
    hello: &[u8],
    inbox: &mut Vec<u8>,
) -> Result<(usize, Proven, Inlet<'a>), NoLink> {
    server.journal.neighbour_traffic(clock::now(), Level::In, who, &with_newline(hello));
    let (mut read, mut write) = stream.split();
    let expected = |from: &str| server.neighbour_that_dials(from).is_some();
    let keys = server.secret.keys();
    let answering = Answering::new(server.identity(&keys), hello, nonce()?, expected);
    let (answering, from, line) = match answering {
        Ok(answering) => answering,
        Err(why) => return refuse(server, &mut write, who, hello, why).await,
    };
    let neighbour = server.neighbour_that_dials(&from).expect("expected above");
    let mut inlet = Inlet::new(server, neighbour);
    if inlet.is_troubled() {
        // The hello comes the way that all else comes: late, or not at all.
        inlet.take_back([&with_newline(hello), &**inbox].concat());
        inbox.clear();
        hear_line(server, &mut read, &mut inlet, who, inbox).await?;
    }
    say(server, &mut write, who, &line).await?;
    let proof = hear_line(server, &mut read, &mut inlet, who, inbox).await?;
    match answering.hear(&proof) {
        Ok(proven) => Ok((neighbour, proven, inlet)),
        Err(why) => refuse(server, &mut write, who, &proof, why).await,
    }
}

async fn refuse<T>(
    server: &Rc<Server>,
    write: &mut WriteHalf<'_>,
    who: &str,
    line: &[u8],
    why: Refusal,
) -> Result<T, NoLink> {
    let mut answer = Vec::new();
    node::refuse(line, &mut answer);
    server.journal.neighbour_traffic(clock::now(), Level::Out, who, &answer);
    write.write_all(&answer).await?;
    Err(why.into())
}

async fn say(server: &Rc<Server>, write: &mut WriteHalf<'_>, who: &str, line: &str) -> io::Result<()> {
    let line = with_newline(line.as_bytes());
    server.journal.neighbour_traffic(clock::now(), Level::Out, who, &line);
    write.write_all(&line).await
}

/// Hears one line of a handshake, without its LF; what comes after it stays in `inbox`.
async fn hear_line(
    server: &Rc<Server>,
    read: &mut ReadHalf<'_>,
    inlet: &mut Inlet<'_>,
    who: &str,
    inbox: &mut Vec<u8>,
) -> io::Result<Vec<u8>> {
    loop {
        let end = memchr(b'\n', inbox);
        if end.unwrap_or(inbox.len()) > limits::HELLO_BYTES_MAX {
            return Err(io::Error::other("its line is too long for a hello"));
        }
        if let Some(end) = end {
            server.journal.neighbour_traffic(clock::now(), Level::In, who, &inbox[..=end]);
            let mut line: Vec<u8> = inbox.drain(..=end).collect();
            line.pop();
            return Ok(line);
        }
        if inlet.read(read, inbox).await? == 0 {
            return Err(io::Error::other("it closed the connection"));
        }
    }
}

fn with_newline(line: &[u8]) -> Vec<u8> {
    [line, b"\n"].concat()
}

fn nonce() -> io::Result<Nonce> {
    let mut nonce = Nonce::default();
    getrandom::fill(&mut nonce).map_err(io::Error::other)?;
    Ok(nonce)
}
