//! What is said over a socket inside TLS: sealed before it is written, opened after it was read.
//!
//! rustls does all of it, and sees no socket: a link writes what the kernel takes now and reads through the server's one
//! buffer, whether it speaks plainly or not. What is written counts as taken when all of it has left sealed.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::io::{self, ErrorKind, Read, Write};

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConnection, Connection, ServerConnection};
use tokio::net::TcpStream;

use crate::tls::{self, Tls};

/// The first bytes of every connection inside TLS: a record of a handshake, in a version of SSL 3 or later (RFC 8446,
/// 5.1). Too few of them are no line either.
pub(super) fn is_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [0x16, 0x03, ..])
}

/// One end of TLS on one socket.
pub(super) struct Session {
    connection: RefCell<Connection>,
    /// Bytes that have been sealed and of which the kernel has not taken all.
    sealed: Cell<usize>,
}

/// What the other end has done wrong, as rustls says it.
#[derive(Debug)]
struct Breach(rustls::Error);

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&tls::words(&self.0))
    }
}

impl std::error::Error for Breach {}

/// Whether this ended a connection because one end refused the other, and not because something was in the way.
pub(super) fn is_breach(why: &io::Error) -> bool {
    why.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Breach>)
}

impl Session {
    /// The end that was connected to.
    pub(super) fn accepting(tls: &Tls) -> io::Result<Self> {
        Ok(Self::of(ServerConnection::new(tls.accepting.clone()).map_err(breach)?.into()))
    }

    /// The end that connects, to the server of that name.
    pub(super) fn dialling(tls: &Tls, name: ServerName<'static>) -> io::Result<Self> {
        Ok(Self::of(ClientConnection::new(tls.dialling.clone(), name).map_err(breach)?.into()))
    }

    fn of(connection: Connection) -> Self {
        Self { connection: RefCell::new(connection), sealed: Cell::new(0) }
    }

    /// Whether the ends have yet to agree.
    pub(super) fn is_handshaking(&self) -> bool {
        self.connection.borrow().is_handshaking()
    }

    /// The certificate that the other end has shown and that holds; whose it must be is not looked at.
    pub(super) fn shown(&self) -> Option<CertificateDer<'static>> {
        let connection = self.connection.borrow();
        connection.peer_certificates().and_then(|chain| Some(chain.first()?.clone().into_owned()))
    }

    /// A number that both ends have and nobody else, of this connection alone (RFC 9266).
    pub(super) fn bond(&self) -> [u8; 32] {
        let connection = self.connection.borrow();
        connection.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).expect("they have agreed")
    }

    /// Opens what has come and appends it to `inbox`: how many bytes, 0 at the end; nothing if more must come.
    ///
    /// # Errors
    ///
    /// [`is_breach`]; the other end has been told, as far as `socket` takes it.
    pub(super) fn open(&self, mut came: &[u8], inbox: &mut Vec<u8>, socket: &TcpStream) -> io::Result<Option<usize>> {
        if came.is_empty() {
            // Cut off or said: a link resumes where it stopped, so that the difference is none.
            return Ok(Some(0));
        }
        let (mut connection, before) = (self.connection.borrow_mut(), inbox.len());
        let mut is_over = false;
        while !came.is_empty() && !is_over {
            connection.read_tls(&mut came)?;
            let state = connection.process_new_packets().map_err(|why| {
                let _ = flush(&mut connection, socket);
                breach(why)
            })?;
            is_over = state.peer_has_closed();
            let start = inbox.len();
            inbox.resize(start + state.plaintext_bytes_to_read(), 0);
            connection.reader().read_exact(&mut inbox[start..])?;
        }
        let opened = inbox.len() - before;
        Ok((opened > 0 || is_over).then_some(opened))
    }

    /// Seals and writes as much as the kernel takes, and says how much of `bytes` that was.
    ///
    /// # Errors
    ///
    /// `WouldBlock`: nothing of it counts as taken, and the same bytes must be offered again. Others are the socket's.
    pub(super) fn try_write(&self, bytes: &[u8], socket: &TcpStream) -> io::Result<usize> {
        let mut connection = self.connection.borrow_mut();
        if self.sealed.get() == 0 {
            self.sealed.set(connection.writer().write(bytes)?);
        }
        flush(&mut connection, socket)?;
        Ok(self.sealed.take())
    }

    /// Writes what the handshake has to say.
    ///
    /// # Errors
    ///
    /// As [`Self::try_write`].
    pub(super) fn try_flush(&self, socket: &TcpStream) -> io::Result<()> {
        flush(&mut self.connection.borrow_mut(), socket)
    }

    /// Says that nothing more will be said, as far as the kernel takes it.
    pub(super) fn farewell(&self, socket: &TcpStream) {
        let mut connection = self.connection.borrow_mut();
        connection.send_close_notify();
        let _ = flush(&mut connection, socket);
    }
}

fn breach(why: rustls::Error) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, Breach(why))
}

fn flush(connection: &mut Connection, socket: &TcpStream) -> io::Result<()> {
    while connection.wants_write() {
        connection.write_tls(&mut Kernel(socket))?;
    }
    Ok(())
}

/// What the kernel takes now.
struct Kernel<'a>(&'a TcpStream);

impl Write for Kernel<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.try_write(bytes)
    }

    fn write_vectored(&mut self, parts: &[io::IoSlice<'_>]) -> io::Result<usize> {
        self.0.try_write_vectored(parts)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
