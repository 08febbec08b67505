//! The control channel: HTTP/1.1 and JSON over the Unix socket. It turns requests into events of the herd's
//! loop and the loop's answers into replies, and decides nothing.
//!
//! Who may connect is settled before a byte is read: the socket is in a folder of ours, and the peer's uid,
//! as the kernel tells it, must be ours. All is bounded: connections, bodies, waits. There is no token here:
//! commands on other hosts ([`super::remote`]) and the dashboard ([`super::dash`]) have these routes, or some of them, each
//! behind a guard of its own.

use std::io;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode, Uri};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::Event;
use super::api::by::{By, CLI};
use super::api::{
    self, Change, Dash, DashOrder, Down, DownOrder, EventsQuery, Failure, FaultChange, ForgetOrder, Forgotten, Kind,
    Links, LogsQuery, Order, Ps, Version, Whereis, WhereisOrder,
};
use super::asked::Asked;
use super::entrance::Trouble;
use super::faults::Wish;
use super::guest::Guest;
use super::health;
use super::orders::Verb;
use super::panics::printable;
use super::scrape;
use super::ticker::Ticker;
use crate::limits;

/// The control channel, being served.
#[derive(Debug)]
pub struct Control {
    goodbye: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

impl Control {
    /// Serves the socket on the present runtime.
    ///
    /// # Errors
    ///
    /// If the runtime does not take the socket.
    pub fn serve(listener: std::os::unix::net::UnixListener, events: mpsc::Sender<Event>) -> io::Result<Self> {
        let door = Door {
            listener: UnixListener::from_std(listener)?,
            room: Arc::new(Semaphore::new(limits::CONTROL_CONNECTIONS_MAX)),
            trouble: Trouble::default(),
        };
        Ok(Self::begin(door, routes(events)))
    }

    /// Serves these routes to whoever comes through this door.
    pub fn begin(door: impl axum::serve::Listener<Addr = ()>, routes: Router) -> Self {
        let (goodbye, told) = oneshot::channel();
        let serving = axum::serve(door, routes).with_graceful_shutdown(async {
            let _ = told.await;
        });
        let served = tokio::task::spawn_local(async move {
            // It ends by being told to, and has no errors.
            let _ = serving.await;
        });
        Self { goodbye, served }
    }

    /// Takes no more connections, and lets those that are open have their last answer.
    pub async fn close(self) {
        let _ = self.goodbye.send(());
        let _ = timeout(limits::CONTROL_FAREWELL_MAX, self.served).await;
    }
}

/// What the handlers share: the way to the loop.
type Loop = State<mpsc::Sender<Event>>;
type Body = Result<Bytes, BytesRejection>;

/// All that may be asked by who may do anything.
pub fn routes(events: mpsc::Sender<Event>) -> Router {
    let router = shared_routes(CLI)
        .merge(health::routes())
        .route("/metrics", get(scrape::page))
        .route("/v1/logs", get(logged))
        .route("/v1/down", post(down))
        .route("/v1/forget", post(forget))
        .route("/v1/panic", post(|events: Loop, body: Body| order(Verb::Panic, CLI, events, body)))
        .route("/v1/dash", post(dash));
    finished(router).with_state(events)
}

/// What may be asked here and, with its token, by the page of the dashboard; whose orders they are.
pub fn shared_routes(by: By) -> Router<mpsc::Sender<Event>> {
    let mut router = Router::new()
        .route("/v1/ps", get(ps))
        .route("/v1/version", get(version))
        .route("/v1/events", get(happened))
        .route("/v1/fault", post(|events: Loop, body: Body| wish(events, body, Wish::Fault)))
        .route("/v1/partition", post(|events: Loop, body: Body| wish(events, body, Wish::Partition)))
        .route("/v1/heal", post(|events: Loop, body: Body| wish(events, body, Wish::Heal)))
        .route("/v1/links", get(links))
        .route("/v1/whereis", post(whereis));
    for verb in Verb::COMMANDS {
        router =
            router.route(&format!("/v1/{verb}"), post(move |events: Loop, body: Body| order(verb, by, events, body)));
    }
    router
}

/// What all routes have in common, wherever they are served.
pub fn finished(router: Router<mpsc::Sender<Event>>) -> Router<mpsc::Sender<Event>> {
    router
        .fallback(unknown_route)
        .method_not_allowed_fallback(unknown_route)
        .layer(DefaultBodyLimit::max(limits::CONTROL_BODY_BYTES_MAX))
        .layer(map_response(signed))
}

async fn ps(State(events): Loop) -> Result<Json<Ps>, Failure> {
    ask(&events, Asked::Ps).await.map(Json)
}

async fn happened(State(events): Loop, query: Result<Query<EventsQuery>, QueryRejection>) -> Result<Response, Failure> {
    let Query(query) = query.map_err(|why| Failure::new(Kind::Usage, printable(&why.body_text())))?;
    let subscription = ask(&events, |to| Asked::Events(query, to)).await??;
    let body = axum::body::Body::new(Ticker::new(subscription));
    Ok(([(CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

async fn logged(State(events): Loop, query: Result<Query<LogsQuery>, QueryRejection>) -> Result<Response, Failure> {
    let Query(query) = query.map_err(|why| Failure::new(Kind::Usage, printable(&why.body_text())))?;
    let subscription = ask(&events, |to| Asked::Logs(query, to)).await??;
    let body = axum::body::Body::new(Ticker::new(subscription));
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], body).into_response())
}

async fn version() -> Json<Version> {
    Json(Version {
        schema: "herd.version/1".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        protocol: api::PROTOCOL,
        pid: std::process::id(),
    })
}

async fn order(verb: Verb, by: By, State(events): Loop, body: Body) -> Result<Json<Change>, Failure> {
    let order: Order = parsed(body)?;
    ask(&events, |to| Asked::Order(verb, order, by, to)).await?.map(Json)
}

async fn wish<T: DeserializeOwned>(
    State(events): Loop,
    body: Body,
    wish: fn(T) -> Wish,
) -> Result<Json<FaultChange>, Failure> {
    let wish = wish(read(body)?);
    ask(&events, |to| Asked::Wish(wish, to)).await?.map(Json)
}

async fn links(State(events): Loop) -> Result<Json<Links>, Failure> {
    ask(&events, Asked::Links).await.map(Json)
}

async fn whereis(State(events): Loop, body: Body) -> Result<Json<Whereis>, Failure> {
    let order: WhereisOrder = read(body)?;
    ask(&events, |to| Asked::Whereis(order, to)).await?.map(Json)
}

async fn forget(State(events): Loop, body: Body) -> Result<Json<Forgotten>, Failure> {
    let order: ForgetOrder = read(body)?;
    ask(&events, |to| Asked::Forget(order, to)).await?.map(Json)
}

async fn down(State(events): Loop, body: Body) -> Result<Json<Down>, Failure> {
    let order: DownOrder = parsed(body)?;
    ask(&events, |to| Asked::Down(order, to)).await.map(Json)
}

async fn dash(State(events): Loop, body: Body) -> Result<Json<Dash>, Failure> {
    let order: DashOrder = parsed(body)?;
    ask(&events, |to| Asked::Dash(order, to)).await?.map(Json)
}

async fn unknown_route(uri: Uri) -> Failure {
    let mut failure = Failure::new(
        Kind::UnknownRoute,
        format!(
            "this supervisor (herdctl {}) has no {} with this method",
            env!("CARGO_PKG_VERSION"),
            printable(uri.path())
        ),
    );
    failure.protocol = Some(api::PROTOCOL);
    failure
}

/// Puts a question to the loop and waits for its answer.
pub async fn ask<T>(
    events: &mpsc::Sender<Event>,
    question: impl FnOnce(oneshot::Sender<T>) -> Asked,
) -> Result<T, Failure> {
    let (to, answer) = oneshot::channel();
    events
        .try_send(Event::Asked(question(to)))
        .map_err(|_| Failure::new(Kind::Failed, "the supervisor is busy or leaving"))?;
    match timeout(limits::CONTROL_ANSWER_MAX, answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(Failure::new(Kind::Failed, "the herd has gone down")),
        Err(_) => Err(Failure::new(Kind::Timeout, "the supervisor did not answer in time")),
    }
}

/// A body as JSON; no body means that nothing is specified.
fn parsed<T: DeserializeOwned + Default>(body: Body) -> Result<T, Failure> {
    match &body {
        Ok(bytes) if bytes.is_empty() => Ok(T::default()),
        _ => read(body),
    }
}

/// A body as JSON.
fn read<T: DeserializeOwned>(body: Body) -> Result<T, Failure> {
    let body = body.map_err(|why| Failure::new(Kind::Usage, why.body_text()))?;
    serde_json::from_slice(&body)
        .map_err(|why| Failure::new(Kind::Usage, format!("the body is no order: {}", printable(&why.to_string()))))
}

/// Every reply says who speaks.
pub async fn signed<B>(mut response: Response<B>) -> Response<B> {
    let headers = response.headers_mut();
    headers.insert("herd-protocol", HeaderValue::from(api::PROTOCOL));
    headers.insert("herd-version", HeaderValue::from_static(env!("CARGO_PKG_VERSION")));
    response
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        reply(status_of(self.error), &self)
    }
}

fn reply(status: StatusCode, document: &impl Serialize) -> Response {
    (status, Json(document)).into_response()
}

fn status_of(kind: Kind) -> StatusCode {
    match kind {
        Kind::Usage | Kind::BadConfig => StatusCode::BAD_REQUEST,
        Kind::UnknownName | Kind::UnknownRoute => StatusCode::NOT_FOUND,
        Kind::NotRunning | Kind::Taken | Kind::CheckFailed => StatusCode::CONFLICT,
        Kind::Timeout => StatusCode::GATEWAY_TIMEOUT,
        Kind::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
        Kind::Interrupted => StatusCode::SERVICE_UNAVAILABLE,
        Kind::Failed => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The listening socket, with as many places as there may be connections.
struct Door {
    listener: UnixListener,
    room: Arc<Semaphore>,
    trouble: Trouble,
}

/// What the door is, for the log.
const SOCKET: &str = "the control socket";

impl axum::serve::Listener for Door {
    type Io = Guest<UnixStream>;
    type Addr = ();

    async fn accept(&mut self) -> (Guest<UnixStream>, ()) {
        let place = self.room.clone().acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) if is_ours(&stream) => {
                    self.trouble.end(SOCKET);
                    return (Guest::new(stream, place), ());
                }
                Ok(_) => warn!("another user's connection to the control socket was refused"),
                Err(why) => {
                    self.trouble.begin(SOCKET, &why);
                    sleep(limits::ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<()> {
        Ok(())
    }
}

/// Whether the peer is the same user (`SO_PEERCRED`).
fn is_ours(stream: &UnixStream) -> bool {
    stream.peer_cred().is_ok_and(|peer| peer.uid() == nix::unistd::getuid().as_raw())
}
