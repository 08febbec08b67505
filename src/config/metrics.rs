//! The `[metrics]` part of herd.toml, and the addresses that servers may have for their own: who may read the metrics.

use std::net::SocketAddr;
use std::ops::Range;

use super::address::{ip_of, is_loopback};
use super::fields::Fields;
use super::mistakes::{Found, Kind};
use super::notes::Notes;
use super::{Access, Metrics};

/// `own` are the addresses that servers have for their own metrics.
pub(super) fn metrics(mut metrics: Fields<'_>, own: &[(SocketAddr, Range<usize>)]) -> Metrics {
    let access = metrics.choice("access", &[("local", Access::Local), ("network", Access::Network)]);
    let listen = metrics.get("listen").and_then(|field| ip_of(&field));
    if access == Access::Local {
        listen.iter().chain(own).for_each(|(address, span)| note_open(*address, span, metrics.notes));
    }
    metrics.close();
    Metrics { listen: listen.map(|(address, _)| address), access }
}

fn note_open(address: SocketAddr, span: &Range<usize>, notes: &Notes<'_>) {
    if is_loopback(address.ip()) {
        return;
    }
    let message = format!("anybody who can reach {address} could read the metrics");
    let found = Found::new(Kind::OpenMetrics, span.clone(), message).label("not an address of this machine alone");
    notes.add(
        found.help("`access = \"network\"` in `[metrics]` if that is meant, or an address such as `127.0.0.1:9464`"),
    );
}
