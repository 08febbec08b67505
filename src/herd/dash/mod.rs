//! The dashboard: a page in a browser, served on 127.0.0.1 by the herd itself, from the moment somebody asks for it.
//!
//! The page is text in this binary and speaks to routes of the control channel, through a `guard` that the control
//! socket does not need: a browser can be made to speak to loopback by any page of the world, and any user of this
//! machine can connect. What ends the herd, forgets a client or breaks a server on purpose has no route here.

mod guard;
mod page;
mod tail;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::Arc;

use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::get;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tracing::info;

use super::api::by::DASH;
use super::api::{Dash, DashOrder, Failure, Kind};
use super::entrance::Entrance;
use super::{Event, Herd, control, ports};
use crate::config::Config;
use crate::limits;
use guard::Guard;

/// The page, being served.
#[derive(Debug)]
pub struct Door {
    guard: Arc<Guard>,
}

/// Serves the page, unless it is served already, and says where.
///
/// # Errors
///
/// [`Kind::Taken`] if the port is not to be had; [`Kind::Failed`] if the system gives no socket or no random bytes.
pub fn open(herd: &mut Herd, order: &DashOrder) -> Result<Dash, Failure> {
    let changed = herd.dash.is_none();
    let door = match herd.dash.take() {
        Some(door) if order.port.is_none_or(|port| port == 0 || port == door.guard.port) => door,
        Some(door) => {
            let served = door.guard.port;
            herd.dash = Some(door);
            return Err(Failure::new(Kind::Taken, format!("the dashboard is served on port {served} already")));
        }
        None => Door::open(&herd.config, herd.events.clone(), order.port)?,
    };
    let guard = &herd.dash.insert(door).guard;
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, guard.port));
    Ok(Dash {
        schema: "herd.dash/1".into(),
        changed,
        url: guard.url(order.read_only),
        addr: addr.to_string(),
        read_only: order.read_only,
    })
}

impl Door {
    fn open(config: &Arc<Config>, events: mpsc::Sender<Event>, port: Option<u16>) -> Result<Self, Failure> {
        let no_socket = |why: io::Error| Failure::new(Kind::Failed, format!("cannot serve the dashboard: {why}"));
        let listener = bind(port)?;
        let guard = Arc::new(Guard::new(listener.local_addr().map_err(no_socket)?.port())?);
        let listener = tokio::net::TcpListener::from_std(listener).map_err(no_socket)?;
        info!("dashboard on http://127.0.0.1:{}, see: herdctl dash", guard.port);
        let serving = axum::serve(
            Entrance::new("the dashboard's address", listener, limits::DASH_CONNECTIONS_MAX),
            router(config.clone(), events, guard.clone()),
        );
        spawn_local(async move {
            // It ends with the runtime, and has no errors.
            let _ = serving.await;
        });
        Ok(Self { guard })
    }
}

/// The usual port, or any if that is taken; or the one that was asked for.
fn bind(port: Option<u16>) -> Result<TcpListener, Failure> {
    let at = |port| ports::bind_local(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let bound = match port {
        Some(port) => at(port),
        None => at(limits::DASH_PORT).or_else(|_| at(0)),
    };
    bound.map_err(|why| {
        let port = port.unwrap_or(limits::DASH_PORT);
        Failure::new(Kind::Taken, format!("cannot listen on 127.0.0.1:{port}: {why}")).hint("herdctl dash --port 0")
    })
}

fn router(config: Arc<Config>, events: mpsc::Sender<Event>, guard: Arc<Guard>) -> axum::Router {
    let log = get(move |query| tail::log(config.clone(), query));
    let router = page::routes(control::shared_routes(DASH).route("/v1/log", log));
    control::finished(router)
        .layer(from_fn_with_state(guard, guard::guard))
        .layer(map_response(guard::armoured))
        .with_state(events)
}
