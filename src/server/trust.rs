//! By what a server and its neighbours know each other: the herd's secret, certificates, or both.

use std::io;

use super::reread::{Kept, Reread};
use super::secret::{Keys, Secret};
use super::socket::Socket;
use super::tls::Session;
use crate::tls::{self, Tls};

/// What a server shows, and what it wants to see.
pub(super) struct Trust {
    secret: Kept<Secret>,
    /// `None`: links are plain.
    tls: Option<Kept<Tls>>,
}

impl Trust {
    pub(super) fn new(secret: Secret, tls: Option<Tls>) -> Self {
        Self { secret: Kept::new(secret), tls: tls.map(Kept::new) }
    }

    /// Whether neighbours speak inside TLS, and only so.
    pub(super) fn wants_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The keys of a handshake that begins on this connection.
    pub(super) fn keys(&self, socket: &Socket) -> Keys {
        let secret = self.secret.now();
        let of_connection = || Keys::one(&socket.session().expect("no secret, so there are certificates").bond());
        secret.keys().cloned().unwrap_or_else(of_connection)
    }

    /// For a connection that is made to this server; nothing if it is to be plain.
    pub(super) fn dialling(&self, to: &str) -> io::Result<Option<Session>> {
        let session = |tls: &Kept<Tls>| {
            let tls = tls.now();
            Session::dialling(&tls, tls.name_of(to))
        };
        self.tls.as_ref().map(session).transpose()
    }

    /// For a connection that has begun with TLS; nothing if that is not spoken here.
    pub(super) fn accepting(&self) -> io::Result<Option<Session>> {
        self.tls.as_ref().map(|tls| Session::accepting(&tls.now())).transpose()
    }

    /// That who shows a certificate on this connection is that server.
    ///
    /// # Errors
    ///
    /// Whose it is.
    pub(super) fn is_shown(&self, socket: &Socket, server: &str) -> Result<(), rustls::Error> {
        let Some((tls, session)) = self.tls.as_ref().zip(socket.session()) else { return Ok(()) };
        let shown = session.shown().ok_or(rustls::Error::NoCertificatesPresented)?;
        tls::is_for(&shown, &tls.last().name_of(server))
    }
}

impl Reread for Tls {
    const NAME: &'static str = "the certificate";

    fn again(&self) -> Result<Option<Self>, String> {
        self.reload().map_err(|flaw| flaw.to_string())
    }

    fn news(&self) -> String {
        format!("it ends at {}", tls::moment(self.ends))
    }
}
