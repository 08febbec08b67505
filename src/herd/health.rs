//! Whether this process is alive and whether it is ready, in one line of text, for whoever runs it and decides by that
//! whether to start it again or to send it clients: `/healthz` and `/readyz`, on the control socket and on the address
//! of the metrics.
//!
//! *Alive*: the herd's loop answers. *Ready*: each server that was started answers clients, and has once been told all
//! that a neighbour knew; or has no neighbour; or has been alone for [`limits::ALONE_AFTER`], as the first server of a
//! herd is, for which nobody may wait in vain. What was ready stays so in a partition: it serves what it knows.

use std::time::Duration;

use axum::Router;
use axum::extract::State as Shared;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::api::State;
use super::asked::Asked;
use super::child::Child;
use super::{Event, Herd, status};
use crate::limits;

type Answer = (StatusCode, String);

/// `GET /healthz` and `GET /readyz`.
pub fn routes() -> Router<mpsc::Sender<Event>> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

async fn healthz(Shared(events): Shared<mpsc::Sender<Event>>) -> Answer {
    if is_alive(&events).await { fine("alive") } else { bad("the herd's loop does not answer") }
}

async fn readyz(Shared(events): Shared<mpsc::Sender<Event>>) -> Answer {
    match missing(&events).await {
        None => bad("the herd's loop does not answer"),
        Some(missing) if missing.is_empty() => fine("ready"),
        Some(missing) => bad(&missing.join("; ")),
    }
}

/// Whether the herd's loop answers.
pub async fn is_alive(events: &mpsc::Sender<Event>) -> bool {
    missing(events).await.is_some()
}

/// What the loop says is missing; nothing if it says nothing.
async fn missing(events: &mpsc::Sender<Event>) -> Option<Vec<String>> {
    let (to, answer) = oneshot::channel();
    events.try_send(Event::Asked(Asked::Health(to))).ok()?;
    timeout(limits::HEALTH_ANSWER_MAX, answer).await.ok()?.ok()
}

fn fine(word: &str) -> Answer {
    (StatusCode::OK, format!("{word}\n"))
}

fn bad(why: &str) -> Answer {
    (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n"))
}

/// What keeps this process from being ready, in words.
pub fn unready(herd: &Herd) -> Vec<String> {
    if herd.leaving.is_some() {
        return vec!["the herd is going down".into()];
    }
    let mut started = herd.children.iter().enumerate().filter(|(_, child)| child.was_started()).peekable();
    if started.peek().is_none() {
        return vec!["no server was started".into()];
    }
    started.filter_map(|(index, child)| missing_of(herd, index, child)).collect()
}

/// What keeps one server from being ready, in words.
pub fn missing_of(herd: &Herd, index: usize, child: &Child) -> Option<String> {
    let name = child.name();
    let Some(vitals) = child.vitals().filter(|_| child.state() == State::Running) else {
        return Some(format!("{name} is {}", child.state()));
    };
    let links = status::links(&herd.config, index).count();
    let live = vitals.links_live();
    let runs_for = child.born().map_or(Duration::ZERO, |born| born.elapsed());
    match () {
        () if links == 0 || vitals.has_caught_up() => None,
        () if live > 0 => {
            Some(format!("{name} is still being told what its neighbours know ({live}/{links} links up)"))
        }
        () if runs_for >= limits::ALONE_AFTER => None,
        () => Some(format!("{name} looks for its neighbours (0/{links} links up)")),
    }
}
