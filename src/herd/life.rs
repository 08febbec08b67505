//! The herd's life: one loop over one channel of events, from the first of them until all servers have left.
//!
//! The loop never waits but for the next event. What takes time is a task of the same thread.

use std::io::{self, Write};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_local;
use tracing::{info, warn};

use super::api::{Down, DownOrder, Failure, Kind, Ps};
use super::asked::{self, Asked};
use super::child::Ending;
use super::{Shared, Up, orders, runner, status};
use crate::limits;

/// All that can happen to a supervisor.
#[derive(Debug)]
pub enum Event {
    /// The control channel wants something.
    Asked(Asked),
    /// A server's thread is about to return.
    Ended { index: usize, life: u32, ending: Ending },
    /// Ctrl-C, SIGTERM or a hangup, for the first time.
    Pressed,
    /// All are ready, or will not be.
    Ready(Result<(), Failure>),
    /// All servers have left.
    Left(Down),
}

/// A herd on its way down.
#[derive(Debug)]
pub struct Leaving {
    /// Who to tell when it is done.
    pub farewells: Vec<oneshot::Sender<Down>>,
    /// No more asking.
    pub force: bool,
}

/// How a herd's life ended.
pub struct Outcome {
    pub down: Down,
    /// Why it never became ready.
    pub trouble: Option<Failure>,
}

/// The loop. It never waits but for the next event.
pub async fn live(herd: &Shared, mut inbox: mpsc::Receiver<Event>, up: &Up, ready: impl FnOnce(Ps)) -> Outcome {
    let mut ready = Some(ready);
    let mut trouble = None;
    loop {
        let event = inbox.recv().await.expect("the herd itself holds a sender");
        match event {
            Event::Asked(asked) => asked::answer(herd, asked),
            Event::Ended { index, life, ending } => {
                let fell = ending.trouble();
                let mut borrowed = herd.borrow_mut();
                borrowed.children[index].ended(life, ending);
                borrowed.changed.notify_waiters();
                let name = borrowed.children[index].name().to_owned();
                drop(borrowed);
                // Alone in its process it ends the process, and whoever runs that may start it again.
                if let Some(why) = fell.filter(|_| up.served.is_some()) {
                    trouble = Some(Failure::new(Kind::Failed, format!("{name} failed: {why}")));
                    leave(herd, DownOrder::default(), None, "because its server failed");
                }
            }
            Event::Pressed => {
                if up.foreground {
                    let _ = writeln!(io::stderr(), "stopping… (Ctrl-C again to quit at once)");
                }
                leave(herd, DownOrder::default(), None, "by a signal");
            }
            Event::Ready(Ok(())) => {
                if let Some(ready) = ready.take() {
                    info!("ready after {} ms", status::ms_since(herd.borrow().up_at));
                    herd.borrow().note("herd.ready", None);
                    ready(herd.borrow_mut().ps());
                    herd.borrow().runner.tell(runner::READY);
                }
            }
            Event::Ready(Err(failure)) => {
                warn!("not ready: {}", failure.message);
                trouble = Some(failure);
                leave(herd, DownOrder::default(), None, "because it did not become ready");
            }
            Event::Left(down) => {
                info!("down after {} ms", down.took_ms);
                herd.borrow().note("herd.down", None);
                return Outcome { down, trouble };
            }
        }
    }
}

/// Begins to leave, or joins those who wait for it.
pub fn leave(herd: &Shared, order: DownOrder, farewell: Option<oneshot::Sender<Down>>, why: &str) {
    let mut borrowed = herd.borrow_mut();
    let begun = borrowed.leaving.is_some();
    let leaving = borrowed.leaving.get_or_insert(Leaving { farewells: Vec::new(), force: false });
    leaving.farewells.extend(farewell);
    leaving.force |= order.force;
    borrowed.changed.notify_waiters();
    if !begun {
        info!("going down {why}");
        borrowed.note("herd.leaving", Some(why));
        borrowed.runner.tell(runner::STOPPING);
        let patience = order.timeout_ms.map_or(limits::LEAVE_MAX, Duration::from_millis).min(limits::DOWN_MAX);
        let (herd, events) = (herd.clone(), borrowed.events.clone());
        spawn_local(async move {
            let down = orders::leave(&herd, patience).await;
            let _ = events.send(Event::Left(down)).await;
        });
    }
}

/// Reports whether the herd became ready; says nothing if it was told to leave before.
pub async fn become_ready(herd: Shared, chosen: Vec<usize>, up: Up) {
    let outcome =
        if up.no_wait { Some(Ok(())) } else { orders::ready(&herd, &chosen, Duration::from_millis(up.wait_ms)).await };
    let events = herd.borrow().events.clone();
    if let Some(outcome) = outcome {
        let _ = events.send(Event::Ready(outcome)).await;
    }
}
