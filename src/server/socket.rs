//! What every connection does with its socket, a client's and a neighbour's alike: read through the server's one
//! buffer, write what the kernel takes, and close without losing the last answer.
//!
//! [`Socket`] is reset instead of closed when the power is cut.
//!
//! A socket is split by borrow, never with the owned kind of split, whose dropped half says FIN where a killed
//! process says RST.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, ErrorKind};
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Poll, ready};
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::time::{sleep_until, timeout};

use crate::limits;

/// A connection. When the power has been cut, dropping it resets it, and what the kernel had not sent yet is gone.
pub(super) struct Socket {
    stream: TcpStream,
    power_cut: Rc<Cell<bool>>,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, power_cut: &Rc<Cell<bool>>) -> Self {
        Self { stream, power_cut: Rc::clone(power_cut) }
    }
}

impl Deref for Socket {
    type Target = TcpStream;

    fn deref(&self) -> &TcpStream {
        &self.stream
    }
}

impl DerefMut for Socket {
    fn deref_mut(&mut self) -> &mut TcpStream {
        &mut self.stream
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

    /// Appends what has come, at most one burst, to `inbox`; 0 at the end of the stream. Cancel-safe.
    pub(super) async fn read(&self, from: &mut ReadHalf<'_>, inbox: &mut Vec<u8>) -> io::Result<usize> {
        poll_fn(|context| {
            let mut scratch = self.0.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch);
            ready!(Pin::new(&mut *from).poll_read(context, &mut buffer))?;
            inbox.extend_from_slice(buffer.filled());
            Poll::Ready(Ok(buffer.filled().len()))
        })
        .await
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
    pub(super) fn write(&mut self, to: &WriteHalf<'_>) -> io::Result<bool> {
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
pub(super) async fn linger(mut stream: Socket, scratch: &Scratch) {
    let until_closed = async {
        stream.shutdown().await?;
        let (mut read, _write) = stream.split();
        let mut ignored = Vec::new();
        while scratch.read(&mut read, &mut ignored).await? > 0 {
            ignored.clear();
        }
        io::Result::Ok(())
    };
    // However it ends, the connection is over.
    let _ = timeout(limits::LINGER_MAX, until_closed).await;
}

/// Waits until `deadline`, or for ever if there is none.
pub(super) async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
