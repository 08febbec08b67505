//! What the control channel asks of the loop, and who answers it: at once, or a task that waits.

use tokio::sync::oneshot;
use tokio::task::spawn_local;

use super::api::by::By;
use super::api::{
    Change, Dash, DashOrder, Down, DownOrder, EventsQuery, Failure, FaultChange, ForgetOrder, Forgotten, Links,
    LogsQuery, Order, Ps, Whereis, WhereisOrder,
};
use super::chronicle::Subscription;
use super::faults::{self, Wish};
use super::orders::{self, Verb};
use super::{Shared, dash, health, leave, logs, metrics, whereis};

/// A question or an order, and where its answer goes.
#[derive(Debug)]
pub enum Asked {
    Ps(oneshot::Sender<Ps>),
    Order(Verb, Order, By, oneshot::Sender<Result<Change, Failure>>),
    Wish(Wish, oneshot::Sender<Result<FaultChange, Failure>>),
    Links(oneshot::Sender<Links>),
    Whereis(WhereisOrder, oneshot::Sender<Result<Whereis, Failure>>),
    Forget(ForgetOrder, oneshot::Sender<Result<Forgotten, Failure>>),
    Metrics(oneshot::Sender<String>),
    /// What keeps this process from being ready, in words.
    Health(oneshot::Sender<Vec<String>>),
    Events(EventsQuery, oneshot::Sender<Result<Subscription, Failure>>),
    Logs(LogsQuery, oneshot::Sender<Result<Subscription, Failure>>),
    Dash(DashOrder, oneshot::Sender<Result<Dash, Failure>>),
    Down(DownOrder, oneshot::Sender<Down>),
}

/// Answers at once, or starts a task that will. Whoever asked may have gone: then the answer is dropped.
pub fn answer(herd: &Shared, asked: Asked) {
    match asked {
        Asked::Ps(to) => {
            let _ = to.send(herd.borrow_mut().ps());
        }
        Asked::Order(verb, order, by, to) => {
            answer_later(herd, to, async move |herd| orders::carry_out(&herd, verb, &order, by).await);
        }
        Asked::Wish(wish, to) => answer_later(herd, to, async move |herd| faults::grant(&herd, &wish).await),
        Asked::Links(to) => {
            herd.borrow_mut().observe();
            let _ = to.send(faults::links(&herd.borrow()));
        }
        Asked::Whereis(order, to) => {
            answer_later(herd, to, async move |herd| whereis::whereis(&herd, &order).await);
        }
        Asked::Forget(order, to) => answer_later(herd, to, async move |herd| whereis::forget(&herd, &order).await),
        Asked::Metrics(to) => {
            herd.borrow_mut().observe();
            let _ = to.send(metrics::page(&herd.borrow()));
        }
        Asked::Health(to) => {
            herd.borrow_mut().observe();
            let _ = to.send(health::unready(&herd.borrow()));
        }
        Asked::Events(query, to) => {
            let _ = to.send(herd.borrow().chronicle.subscribe(&query));
        }
        Asked::Logs(query, to) => {
            let _ = to.send(logs::tell(&herd.borrow(), query));
        }
        Asked::Dash(order, to) => {
            let _ = to.send(dash::open(&mut herd.borrow_mut(), &order));
        }
        Asked::Down(order, to) => leave(herd, order, Some(to), "by the command line"),
    }
}

/// Answers when `answer` is there, however long that takes.
fn answer_later<T: 'static>(herd: &Shared, to: oneshot::Sender<T>, answer: impl AsyncFnOnce(Shared) -> T + 'static) {
    let herd = herd.clone();
    spawn_local(async move {
        let _ = to.send(answer(herd).await);
    });
}
