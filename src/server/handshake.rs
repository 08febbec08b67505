//! How a connection to a neighbour begins: dialled or answered, both ends prove themselves, or there is no link.
//!
//! What is said and checked is [`protocol::hello`](crate::protocol::hello)'s; here are the sockets and the deadlines.
//! With certificates all of it is said inside TLS, and who says its name must have shown the certificate of that name.

use std::fmt;
use std::io;
use std::rc::Rc;

use memchr::memchr;
use tokio::time::timeout;

use super::clock;
use super::fault::{CUT, Inlet};
use super::record::Level;
use super::socket::{ReadEnd, Socket, WriteEnd, linger};
use super::state::Server;
use super::tls::is_breach;
use crate::limits;
use crate::protocol::hello::{Answering, Dialing, Nonce, Proven, REFUSED_OF_TLS, Refusal};
use crate::protocol::node;
use crate::tls;

/// A proven connection.
pub(super) struct Made<'a> {
    pub(super) stream: Socket,
    pub(super) neighbour: usize,
    pub(super) proven: Proven,
    pub(super) inlet: Inlet<'a>,
    /// What has come after the handshake.
    pub(super) inbox: Vec<u8>,
}

/// How a connection began that is, or means to be, a neighbour's.
pub(super) enum Opening {
    /// With a hello, here without its LF.
    Plain(Vec<u8>),
    /// With the hello of TLS.
    Tls,
}

/// Why there is no link.
pub(super) enum NoLink {
    Io(io::Error),
    Refused(Refusal),
    /// Its certificate is not that of the server that it says it is.
    Impostor(rustls::Error),
    /// It speaks plainly, and this end does not.
    Plain,
    /// It speaks TLS, and this end does not.
    Tls,
    /// The other end does not speak plainly.
    WantsTls,
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
            Self::Impostor(why) => write!(f, "{}", tls::words(why)),
            Self::Plain => write!(f, "it speaks plainly, and [tls] wants links inside TLS"),
            Self::Tls => write!(f, "it speaks TLS, and herd.toml has no [tls]"),
            Self::WantsTls => write!(f, "it wants links inside TLS, and herd.toml has no [tls]"),
            Self::RefusedUs => write!(f, "it refused our hello; its log says why"),
            Self::Slow => write!(f, "it does not answer"),
            Self::Itself => write!(f, "nobody listens there"),
            Self::Cut => f.write_str(CUT),
        }
    }
}

impl NoLink {
    /// Whether one end did not take the other for what it says it is.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Io(why) => is_breach(why),
            Self::Refused(_) | Self::Impostor(_) | Self::Plain | Self::Tls | Self::WantsTls | Self::RefusedUs => true,
            Self::Slow | Self::Itself | Self::Cut => false,
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
    let stream = server.neighbours[neighbour].way.dial().await?;
    // Dialling a dead port of the ephemeral range can reach the dialling socket itself.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(NoLink::Itself);
    }
    stream.set_nodelay(true)?;
    let mut stream = Socket::new(stream, &server.power_cut);
    let (mut inlet, mut inbox) = (Inlet::new(server, neighbour), Vec::new());
    let proving = prove_as_dialer(server, neighbour, &mut stream, &mut inlet, &mut inbox);
    match timeout(limits::HANDSHAKE_MAX, proving).await.unwrap_or(Err(NoLink::Slow)) {
        Ok(proven) => Ok(Made { stream, neighbour, proven, inlet, inbox }),
        Err(why) => {
            if server.trust.wants_tls() && why.is_refusal() {
                // What the other end has been told of it must arrive.
                linger(stream, &server.scratch).await;
            }
            Err(why)
        }
    }
}

async fn prove_as_dialer(
    server: &Rc<Server>,
    neighbour: usize,
    stream: &mut Socket,
    inlet: &mut Inlet<'_>,
    inbox: &mut Vec<u8>,
) -> Result<Proven, NoLink> {
    let name = &server.neighbours[neighbour].name;
    if let Some(session) = server.trust.dialling(name)? {
        stream.secure(session, &server.scratch, inbox).await?;
    }
    let keys = server.trust.keys(stream);
    let dialing = Dialing::new(server.identity(&keys), name, nonce()?);
    let (mut read, write) = stream.split();
    say(server, &write, name, dialing.hello()).await?;
    let line = hear_line(server, &mut read, Some(inlet), name, inbox).await?;
    if line == REFUSED_OF_TLS {
        return Err(NoLink::WantsTls);
    }
    if line.starts_with(b"?") {
        return Err(NoLink::RefusedUs);
    }
    let (proven, proof) = dialing.hear(&line)?;
    say(server, &write, name, &proof).await?;
    Ok(proven)
}

/// Answers who began like this; what has come of it since is in `inbox`.
pub(super) async fn prove_as_listener<'a>(
    server: &'a Rc<Server>,
    stream: &mut Socket,
    who: &str,
    opening: Opening,
    inbox: &mut Vec<u8>,
) -> Result<(usize, Proven, Inlet<'a>), NoLink> {
    let hello = hear_hello(server, stream, who, opening, inbox).await?;
    let keys = server.trust.keys(stream);
    let expected = |from: &str| server.neighbour_that_dials(from).is_some();
    let (answering, from, line) = match Answering::new(server.identity(&keys), &hello, nonce()?, expected) {
        Ok(answering) => answering,
        Err(why) => return refuse(server, stream, who, &hello, why.into()).await,
    };
    if let Err(why) = server.trust.is_shown(stream, &from) {
        return refuse(server, stream, who, &hello, NoLink::Impostor(why)).await;
    }
    let neighbour = server.neighbour_that_dials(&from).expect("expected above");
    let mut inlet = Inlet::new(server, neighbour);
    let (mut read, write) = stream.split();
    if inlet.is_troubled() {
        // The hello comes the way that all else comes: late, or not at all.
        inlet.take_back([&with_newline(&hello), &**inbox].concat());
        inbox.clear();
        hear_line(server, &mut read, Some(&mut inlet), who, inbox).await?;
    }
    say(server, &write, who, &line).await?;
    let proof = hear_line(server, &mut read, Some(&mut inlet), who, inbox).await?;
    match answering.hear(&proof) {
        Ok(proven) => Ok((neighbour, proven, inlet)),
        Err(why) => refuse(server, stream, who, &proof, why.into()).await,
    }
}

/// The hello, without its LF, if it comes as hellos come here: plainly, or inside TLS.
async fn hear_hello(
    server: &Rc<Server>,
    stream: &mut Socket,
    who: &str,
    opening: Opening,
    inbox: &mut Vec<u8>,
) -> Result<Vec<u8>, NoLink> {
    match (opening, server.trust.accepting()?) {
        (Opening::Plain(hello), None) => {
            server.journal.neighbour_traffic(clock::now(), Level::In, who, &with_newline(&hello));
            Ok(hello)
        }
        (Opening::Tls, Some(session)) => {
            stream.secure(session, &server.scratch, inbox).await?;
            Ok(hear_line(server, &mut stream.split().0, None, who, inbox).await?)
        }
        (Opening::Plain(_) | Opening::Tls, session) => {
            stream.split().1.write_all(&with_newline(REFUSED_OF_TLS)).await?;
            Err(if session.is_some() { NoLink::Plain } else { NoLink::Tls })
        }
    }
}

async fn refuse<T>(server: &Rc<Server>, stream: &mut Socket, who: &str, line: &[u8], why: NoLink) -> Result<T, NoLink> {
    let mut answer = Vec::new();
    node::refuse(line, &mut answer);
    server.journal.neighbour_traffic(clock::now(), Level::Out, who, &answer);
    stream.split().1.write_all(&answer).await?;
    Err(why)
}

async fn say(server: &Rc<Server>, write: &WriteEnd<'_>, who: &str, line: &str) -> io::Result<()> {
    let line = with_newline(line.as_bytes());
    server.journal.neighbour_traffic(clock::now(), Level::Out, who, &line);
    write.write_all(&line).await
}

/// Hears one line of a handshake, without its LF; what comes after it stays in `inbox`. There is no inlet as long as
/// nobody knows whose connection it is.
async fn hear_line(
    server: &Rc<Server>,
    read: &mut ReadEnd<'_>,
    mut inlet: Option<&mut Inlet<'_>>,
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
        let read = match &mut inlet {
            Some(inlet) => inlet.read(read, inbox).await?,
            None => server.scratch.read(read, inbox).await?,
        };
        if read == 0 {
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
