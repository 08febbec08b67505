//! `[metrics] listen`: the metrics on a TCP address, for a Prometheus that cannot reach the control socket, and whether
//! this process is alive and ready, for whoever runs it.
//!
//! Nothing but `GET /metrics`, `/healthz` and `/readyz` is answered here, and nothing can be changed. A browser is refused: whatever page made
//! it ask is none of ours.

use std::io;
use std::net::{SocketAddr, TcpListener};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HOST, ORIGIN};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::mpsc;
use tokio::task::spawn_local;
use tracing::{info, warn};

use super::api::Failure;
use super::asked::Asked;
use super::control::ask;
use super::entrance::Entrance;
use super::{Event, health, metrics};
use crate::limits;

/// Serves the metrics until the herd ends. That they cannot be served takes nothing from the herd.
pub fn begin(listener: TcpListener, events: mpsc::Sender<Event>) {
    info!("metrics on http://{}/metrics", listener.local_addr().map_or_else(|_| "?".into(), |at| at.to_string()));
    spawn_local(async move {
        if let Err(why) = serve(listener, events).await {
            warn!("metrics are not served: {why}");
        }
    });
}

/// Serves the metrics on the present runtime, for as long as it lives.
///
/// # Errors
///
/// If the runtime does not take the socket.
async fn serve(listener: TcpListener, events: mpsc::Sender<Event>) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let door = Entrance::new("the address of the metrics", listener, limits::METRICS_CONNECTIONS_MAX);
    let router = Router::new()
        .route("/metrics", get(page))
        .merge(health::routes())
        .layer(from_fn(no_browser))
        .with_state(events);
    axum::serve(door, router).await
}

/// `GET /metrics`, here and on the control socket.
pub async fn page(State(events): State<mpsc::Sender<Event>>) -> Result<Response, Failure> {
    let text = ask(&events, Asked::Metrics).await?;
    Ok(([(CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}

/// A browser says where its page came from, or, lured by a name that points here, names another host.
async fn no_browser(request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_browser = headers.contains_key(ORIGIN) || headers.contains_key("sec-fetch-site");
    if is_browser || !is_address(host) {
        return (StatusCode::FORBIDDEN, "metrics are for Prometheus, by address\n").into_response();
    }
    next.run(request).await
}

/// Whether a `Host` is an IP address or this machine, and no name that somebody else could have chosen.
fn is_address(host: &str) -> bool {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let is_ip = host.parse::<SocketAddr>().is_ok() || name.parse::<std::net::IpAddr>().is_ok();
    is_ip || name == "localhost" || host.starts_with('[')
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn only_addresses_are_hosts() {
        for fine in ["127.0.0.1:9464", "127.0.0.1", "[::1]:9464", "localhost:9464", "10.1.2.3:80"] {
            assert!(is_address(fine), "{fine}");
        }
        for other in ["", "evil.example:9464", "127.0.0.1.evil.example", "localhost.evil.example:9464"] {
            assert!(!is_address(other), "{other}");
        }
    }
}
