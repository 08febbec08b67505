//! What undoes itself after a time: faults, `kill --for` and `pause --for`. Each is a task that sleeps, looks whether
//! things are still as the order left them, and only then acts.

use std::time::{Duration, Instant};

use tokio::task::spawn_local;
use tokio::time::{sleep, sleep_until};
use tracing::{info, warn};

use super::Shared;
use super::api::by::By;
use super::api::{Order, State};
use super::orders::{self, Verb};

/// Heals the next fault that is due, and sees to those after it.
pub fn heal_when_due(herd: &Shared) {
    let Some(due) = herd.borrow().faults.next_due() else { return };
    let herd = herd.clone();
    spawn_local(async move {
        sleep_until(due.into()).await;
        let is_mine = {
            let herd = &mut *herd.borrow_mut();
            let is_mine = herd.faults.next_due().is_some_and(|next| next <= Instant::now());
            if is_mine {
                herd.faults.heal_due(&herd.config);
                herd.changed.notify_waiters();
            }
            is_mine
        };
        if is_mine {
            heal_when_due(&herd);
        }
    });
}

/// Starts a killed server again, or lets a paused one go on, unless somebody has done anything to it before.
pub fn undo(herd: &Shared, server: usize, done: State, after: Duration, by: By) {
    let (verb, name) = match done {
        State::Killed => (Verb::Start, herd.borrow().children[server].name().to_owned()),
        State::Paused => (Verb::Resume, herd.borrow().children[server].name().to_owned()),
        _ => return,
    };
    let since = herd.borrow().children[server].since();
    let herd = herd.clone();
    spawn_local(async move {
        sleep(after).await;
        let is_as_it_was = {
            let herd = herd.borrow();
            let child = &herd.children[server];
            herd.leaving.is_none() && child.state() == done && child.since() == since
        };
        if is_as_it_was {
            info!("{name} was {done} for {} ms, which are over", after.as_millis());
            let order = Order { servers: vec![name], ..Order::default() };
            if let Err(failure) = orders::carry_out(&herd, verb, &order, by).await {
                warn!("{}", failure.message);
            }
        }
    });
}
