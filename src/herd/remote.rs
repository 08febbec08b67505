//! The control channel of a served server for commands on other hosts: the routes of the control socket, on the address
//! that `control` names in herd.toml, for whoever shows the token. Inside TLS if there is `[tls]`; without it, it is an
//! address of this machine alone.
//!
//! Who is refused waits a moment for it, and keeps a place meanwhile: nobody tries many tokens a second. A browser is
//! always refused, for whatever page made it ask is none of ours.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::{Next, from_fn_with_state, map_response};
use axum::response::{IntoResponse, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tracing::{info, warn};

use super::api::{Failure, Kind};
use super::control::{self, Control};
use super::entrance::Entrance;
use super::guest::Guest;
use super::token::Token;
use super::{Event, ports};
use crate::config::Config;
use crate::limits;
use crate::tls::Tls;

/// A control address that is bound and not served yet.
pub struct Remote {
    listener: std::net::TcpListener,
    at: SocketAddr,
    token: Token,
    tls: Option<Tls>,
}

impl Remote {
    /// Binds the control address of this server; nothing if it has none.
    ///
    /// # Errors
    ///
    /// [`Kind::BadConfig`] if there is no token; [`Kind::Taken`] if the address is not to be had.
    pub fn bind(config: &Config, served: usize) -> Result<Option<Self>, Failure> {
        let server = &config.servers[served];
        let Some(at) = server.control_listen() else { return Ok(None) };
        let token = Token::of(config)?;
        let tls = config.tls.as_ref().map(|files| Tls::load(files, &server.name)).transpose();
        let tls = tls.map_err(|flaw| Failure::new(Kind::BadConfig, format!("[tls] {flaw}")))?;
        let listener = ports::bind_local(at).map_err(|why| {
            Failure::new(Kind::Taken, format!("cannot listen on {at} (`control` of {}): {why}", server.name))
        })?;
        Ok(Some(Self { listener, at, token, tls }))
    }

    /// Serves it on the present runtime.
    ///
    /// # Errors
    ///
    /// If the runtime does not take the socket.
    pub fn serve(self, events: mpsc::Sender<Event>) -> io::Result<Control> {
        let sealed = if self.tls.is_some() { "TLS" } else { "no TLS, for it is this machine's alone" };
        info!("control channel on {}, with a token, {sealed}", self.at);
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        let entrance = Entrance::new("the control address", listener, limits::CONTROL_CONNECTIONS_MAX);
        let routes = guarded(control::routes(events), self.token);
        Ok(Control::begin(Gate { entrance, tls: self.tls, handshakes: JoinSet::new() }, routes))
    }
}

fn guarded(routes: Router, token: Token) -> Router {
    routes.layer(from_fn_with_state(Arc::new(token), guard)).layer(map_response(control::signed))
}

async fn guard(State(token): State<Arc<Token>>, request: Request, next: Next) -> Response {
    match flaw(request.headers(), &token) {
        None => next.run(request).await,
        Some((status, message)) => {
            sleep(limits::CONTROL_REFUSAL_AFTER).await;
            (status, Json(Failure::new(Kind::Failed, message))).into_response()
        }
    }
}

/// Why this request is not let through.
fn flaw(headers: &HeaderMap, token: &Token) -> Option<(StatusCode, &'static str)> {
    if headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site") {
        return Some((StatusCode::FORBIDDEN, "the control channel is not for browsers"));
    }
    match headers.get(AUTHORIZATION).map(HeaderValue::as_bytes) {
        None => Some((StatusCode::UNAUTHORIZED, "the control channel wants a token, and none was shown")),
        Some(shown) if token.is_shown_by(shown) => None,
        Some(_) => Some((StatusCode::UNAUTHORIZED, "the token that was shown is not the one of this control channel")),
    }
}

/// A connection, inside TLS or not.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

type Visitor = Guest<Pin<Box<dyn Wire>>>;

/// The listening socket. Handshakes go on side by side, so that one who is slow over it holds up nobody.
struct Gate {
    entrance: Entrance,
    tls: Option<Tls>,
    handshakes: JoinSet<Option<Visitor>>,
}

impl axum::serve::Listener for Gate {
    type Io = Visitor;
    type Addr = ();

    async fn accept(&mut self) -> (Visitor, ()) {
        loop {
            tokio::select! {
                (stream, place) = self.entrance.admit() => match self.acceptor() {
                    None => return (Guest::new(Box::pin(stream), place), ()),
                    Some(acceptor) => {
                        self.handshakes.spawn_local(async move {
                            let sealed = sealed(acceptor, stream).await?;
                            Some(Guest::new(sealed, place))
                        });
                    }
                },
                Some(done) = self.handshakes.join_next() => if let Ok(Some(visitor)) = done {
                    return (visitor, ());
                },
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

impl Gate {
    /// With the certificate as it is now; one that cannot be used changes nothing.
    fn acceptor(&mut self) -> Option<TlsAcceptor> {
        let tls = self.tls.as_mut()?;
        match tls.reload() {
            Ok(None) => {}
            Ok(Some(renewed)) => *tls = renewed,
            Err(flaw) => warn!("the certificate of the control channel stays what it was: {flaw}"),
        }
        Some(TlsAcceptor::from(Arc::clone(&tls.serving)))
    }
}

async fn sealed(acceptor: TlsAcceptor, stream: TcpStream) -> Option<Pin<Box<dyn Wire>>> {
    match timeout(limits::HANDSHAKE_MAX, acceptor.accept(stream)).await {
        Ok(Ok(sealed)) => Some(Box::pin(sealed)),
        Ok(Err(why)) => {
            warn!("no TLS with who connected to the control address: {why}");
            None
        }
        Err(_) => None,
    }
}
