//! What every connection does with its socket, a client's and a neighbour's alike: read through the server's one
//! buffer, write what the kernel takes, and close without losing the last answer.
//!
//! [`Socket`] is reset instead of closed when the power is cut. A neighbour's may speak inside TLS; whoever reads and
//! writes does not see it.
//!
//! A socket is split by borrow, never with the owned kind of split, whose dropped half says FIN where a killed
//! process says RST.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{sleep_until, timeout};

use super::tls::Session;
use crate::limits;

/// A connection, plain or inside TLS. When the power has been cut, dropping it resets it, and what the kernel had not
/// sent yet is gone.
pub(super) struct Socket {
    stream: TcpStream,
    tls: Option<Box<Session>>,
    power_cut: Rc<Cell<bool>>,
}

/// What comes in, plain.
pub(super) struct ReadEnd<'a> {
    half: ReadHalf<'a>,
    tls: Option<&'a Session>,
}

/// What goes out; given plain.
pub(super) struct WriteEnd<'a> {
    half: WriteHalf<'a>,
    tls: Option<&'a Session>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, power_cut: &Rc<Cell<bool>>) -> Self {
        Self { stream, tls: None, power_cut: Rc::clone(power_cut) }
    }

    pub(super) fn split(&mut self) -> (ReadEnd<'_>, WriteEnd<'_>) {
        let tls = self.tls.as_deref();
        let (read, write) = self.stream.split();
        (ReadEnd { half: read, tls }, WriteEnd { half: write, tls })
    }

    /// From here on all is said inside TLS. What has come of it so far is in `inbox`; in its place comes what was in it.
    ///
    /// # Errors
    ///
    /// Why the ends have not agreed, of which the other end has been told.
    pub(super) async fn secure(&mut self, session: Session, scratch: &Scratch, inbox: &mut Vec<u8>) -> io::Result<()> {
        self.tls = Some(Box::new(session));
        let (mut read, write) = self.split();
        let session = read.tls.expect("it has just been put there");
        let came = std::mem::take(inbox);
        if !came.is_empty() {
            session.open(&came, inbox, read.half.as_ref())?;
        }
        loop {
            write.flush(session).await?;
            if !session.is_handshaking() {
                return Ok(());
            }
            if poll_fn(|context| scratch.poll_read(context, &mut read, inbox)).await? == Some(0) {
                return Err(io::Error::other("it closed the connection"));
            }
        }
    }

    /// What is said inside TLS, if anything is.
    pub(super) fn session(&self) -> Option<&Session> {
        self.tls.as_deref()
    }
}

impl WriteEnd<'_> {
    /// Writes what the kernel takes now. What it did not take must be offered again, and nothing else.
    pub(super) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self.tls {
            None => self.half.try_write(bytes),
            Some(session) => session.try_write(bytes, self.half.as_ref()),
        }
    }

    /// Waits until the kernel may take something.
    pub(super) async fn writable(&self) -> io::Result<()> {
        // By polling, for tokio's own future of it is as large as all else that a connection keeps while it is idle.
        poll_fn(|context| self.half.as_ref().poll_write_ready(context)).await
    }

    pub(super) async fn write_all(&self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.try_write(bytes) {
                Ok(taken) => bytes = &bytes[taken..],
                Err(why) if why.kind() == ErrorKind::WouldBlock => self.writable().await?,
                Err(why) => return Err(why),
            }
        }
        Ok(())
    }

    async fn flush(&self, session: &Session) -> io::Result<()> {
        loop {
            match session.try_flush(self.half.as_ref()) {
                Err(why) if why.kind() == ErrorKind::WouldBlock => self.writable().await?,
                flushed => return flushed,
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.power_cut.get() {
            // Should the kernel refuse, the connection ends as that of a killed process does.
            let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
        }
    }
}

/// One read buffer for all connections of a server: an idle connection holds none.
pub(super) struct Scratch(RefCell<Box<[u8]>>);

impl Scratch {
    pub(super) fn new() -> Self {
        Self(RefCell::new(vec![0; limits::READ_BYTES].into()))
    }

    /// Appends what has come, at most one burst, to `inbox`; 0 at the end of the stream. Cancel-safe. No `async fn`, which
    /// would hold its arguments twice in every idle connection.
    pub(super) fn read(&self, from: &mut ReadEnd<'_>, inbox: &mut Vec<u8>) -> impl Future<Output = io::Result<usize>> {
        poll_fn(|context| {
            loop {
                if let Some(read) = ready!(self.poll_read(context, from, inbox))? {
                    return Poll::Ready(Ok(read));
                }
            }
        })
    }

    /// The same of one read; nothing if what came inside TLS is not whole yet, or was for TLS alone.
    fn poll_read(
        &self,
        context: &mut Context<'_>,
        from: &mut ReadEnd<'_>,
        inbox: &mut Vec<u8>,
    ) -> Poll<io::Result<Option<usize>>> {
        let mut scratch = self.0.borrow_mut();
        let mut buffer = ReadBuf::new(&mut scratch);
        ready!(Pin::new(&mut from.half).poll_read(context, &mut buffer))?;
        let came = buffer.filled();
        Poll::Ready(match from.tls {
            None => {
                inbox.extend_from_slice(came);
                Ok(Some(came.len()))
            }
            Some(session) => session.open(came, inbox, from.half.as_ref()),
        })
    }
}

/// Bytes that wait for the kernel to take them.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    taken: usize,
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    pub(super) fn push(&mut self, bytes: Vec<u8>) {
        if self.bytes.is_empty() {
            self.bytes = bytes;
        } else {
            self.bytes.extend_from_slice(&bytes);
        }
    }

    /// Writes what the kernel takes now; says whether it took anything.
    pub(super) fn write(&mut self, to: &WriteEnd<'_>) -> io::Result<bool> {
        let before = self.taken;
        while self.taken < self.bytes.len() {
            match to.try_write(&self.bytes[self.taken..]) {
                Ok(taken) => self.taken += taken,
                Err(why) if why.kind() == ErrorKind::WouldBlock => return Ok(self.taken > before),
                Err(why) => return Err(why),
            }
        }
        let took = !self.bytes.is_empty();
        *self = Self::default();
        Ok(took)
    }
}

/// Closes this side and waits, briefly, until the other has closed too: with unread input, closing at once would
/// reset the connection, and the last answer could be lost on its way.
pub(super) async fn linger(mut socket: Socket, scratch: &Scratch) {
    let until_closed = async {
        if let Some(session) = &socket.tls {
            session.farewell(&socket.stream);
        }
        socket.stream.shutdown().await?;
        let (mut read, _write) = socket.split();
        let mut ignored = Vec::new();
        while scratch.read(&mut read, &mut ignored).await? > 0 {
            ignored.clear();
        }
        io::Result::Ok(())
    };
    // However it ends, the connection is over.
    let _ = timeout(limits::LINGER_MAX, until_closed).await;
}

/// Waits until `deadline`, or for ever if there is none, which takes no room.
pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => Box::pin(sleep_until(deadline.into())).await,
        None => std::future::pending().await,
    }
}
