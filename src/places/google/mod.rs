//! The live provider: Google Places, over the network, with the user's key.
//!
//! It is kind: one request for identical questions at the same time, few at once, one retry where that helps, and a
//! rest for a provider that fails. It keeps nothing of Google's once it is answered, as Google's terms ask, and says
//! of an answer no more than that there was one. It is robust: there is an answer or a [`Failure`] within
//! [`LOOKUP_MAX`](limits::LOOKUP_MAX), whatever happens.
//!
//! Reading order: here (the question), `wire` (HTTP), [`new`] and [`legacy`] (the two interfaces), [`failure`],
//! `breaker`.

mod breaker;
pub mod failure;
pub mod legacy;
pub mod new;
mod wire;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use futures_util::future::{FutureExt, LocalBoxFuture, Shared, WeakShared};
use tokio::sync::Semaphore;
use tokio::time::{Duration, Instant, sleep, timeout_at};
use tracing::{error, info, warn};

use super::key::Key;
use super::{Answer, Circle, Condition};
use crate::config::{self, GoogleApi};
use crate::limits;
use breaker::Breaker;
use failure::Failure;
use legacy::Envelope;
use wire::Wire;

/// Google Places as one incarnation of a server sees it.
#[derive(Debug)]
pub struct Google(Rc<Service>);

type Found = Result<Rc<Envelope>, Failure>;

#[derive(Debug)]
struct Service {
    wire: Wire,
    api: Cell<GoogleApi>,
    permits: Semaphore,
    breaker: RefCell<Breaker>,
    condition: Cell<Condition>,
    /// The questions that are being asked now. A question that nobody waits for any more is dropped.
    asked: RefCell<HashMap<Question, WeakShared<LocalBoxFuture<'static, Found>>>>,
}

/// What makes two questions the same: the point in 1e-6°, the radius in millimetres. The bound does not.
type Question = (i64, i64, i64);

impl Google {
    /// Asks nothing yet. At most `at_once` requests will be on their way at the same time.
    #[must_use]
    pub fn open(settings: &config::Google, key: Key, at_once: usize) -> Self {
        Self(Rc::new(Service {
            wire: Wire::new(settings, key),
            api: Cell::new(settings.api),
            permits: Semaphore::new(at_once),
            breaker: RefCell::default(),
            condition: Cell::default(),
            asked: RefCell::default(),
        }))
    }

    /// The first `bound` places of `circle`, as Legacy JSON.
    ///
    /// # Errors
    ///
    /// Why there is no answer, at the latest after [`limits::LOOKUP_MAX`].
    pub async fn nearby(&self, circle: Circle, bound: usize) -> Result<Answer, Failure> {
        Ok(self.ask(circle).await?.cut(bound))
    }

    /// The interface that is asked; `Auto` until the first answer of Legacy.
    #[must_use]
    pub fn api(&self) -> GoogleApi {
        self.0.api.get()
    }

    #[must_use]
    pub fn condition(&self) -> Condition {
        self.0.condition.get()
    }

    /// Joins the same question if it is being asked. Whoever waits keeps it going, so nobody's leaving ends it for
    /// the others.
    fn ask(&self, circle: Circle) -> Shared<LocalBoxFuture<'static, Found>> {
        let question = question(circle);
        if let Some(asked) = self.0.asked.borrow().get(&question).and_then(WeakShared::upgrade) {
            return asked;
        }
        let mark = Asked { service: Rc::clone(&self.0), question };
        let asking = async move { mark.service.answer(circle).await.map(Rc::new) }.boxed_local().shared();
        self.0.asked.borrow_mut().extend(asking.downgrade().map(|weak| (question, weak)));
        asking
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a point on the globe and a radius of at most 50 km")]
fn question(circle: Circle) -> Question {
    let millionths = |degrees: f64| (degrees * 1e6).round() as i64;
    (millionths(circle.lat), millionths(circle.lng), (circle.radius_km * 1e6).round() as i64)
}

/// A question that is being asked is known as such until it is answered or nobody waits.
struct Asked {
    service: Rc<Service>,
    question: Question,
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.service.asked.borrow_mut().remove(&self.question);
    }
}

impl Service {
    /// One question from the queue to the answer, within the deadline.
    async fn answer(&self, circle: Circle) -> Result<Envelope, Failure> {
        let start = Instant::now();
        let deadline = start + limits::LOOKUP_MAX;
        self.breaker.borrow().look(start)?;
        let Ok(_permit) = timeout_at(deadline, self.permits.acquire()).await else {
            return Err(Failure::Busy);
        };
        let turn = Instant::now();
        self.breaker.borrow_mut().admit(turn)?;
        let answer = timeout_at(deadline, self.persist(circle, deadline)).await;
        let answer = answer.unwrap_or_else(|_| {
            // It can be blamed only if it had the time that a request has.
            let fair = deadline - turn >= limits::PLACES_REQUEST_MAX;
            Err(if fair { Failure::Slow(limits::LOOKUP_MAX) } else { Failure::Busy })
        });
        self.learn(answer.as_ref().err());
        answer
    }

    /// Asks, and once more if that may help and there is time.
    async fn persist(&self, circle: Circle, deadline: Instant) -> Result<Envelope, Failure> {
        let first = self.ask(circle).await;
        let pause = pause();
        match first {
            Err(failure) if failure.may_pass() && Instant::now() + pause < deadline => {
                sleep(pause).await;
                self.ask(circle).await
            }
            first => first,
        }
    }

    async fn ask(&self, circle: Circle) -> Result<Envelope, Failure> {
        match self.api.get() {
            GoogleApi::New => self.wire.ask_new(circle).await,
            GoogleApi::Legacy => self.wire.ask_legacy(circle).await,
            GoogleApi::Auto => match self.wire.ask_new(circle).await {
                Err(closed) if closed.is_closed_interface() => self.ask_other(circle, closed).await,
                answer => answer,
            },
        }
    }

    /// The key is not allowed for New. If it is for Legacy, that is remembered; if not, New's word stands.
    async fn ask_other(&self, circle: Circle, closed: Failure) -> Result<Envelope, Failure> {
        let answer = self.wire.ask_legacy(circle).await;
        match answer {
            Ok(answer) => {
                info!("places: the key is not allowed for Places API (New); from here on Legacy is asked");
                self.api.set(GoogleApi::Legacy);
                Ok(answer)
            }
            Err(Failure::Refused(_)) => Err(closed),
            other => other,
        }
    }

    /// Draws the conclusions, and says in the log what has changed.
    fn learn(&self, failure: Option<&Failure>) {
        match failure {
            None => self.breaker.borrow_mut().answered(),
            Some(why) => self.breaker.borrow_mut().failed(why, Instant::now()),
        }
        let condition = failure.map_or(Some(Condition::Fine), Failure::condition);
        let Some(condition) = condition.filter(|&condition| condition != self.condition.get()) else { return };
        self.condition.set(condition);
        match failure {
            None => info!("places: the provider answers again"),
            Some(why @ Failure::Misunderstood) => error!("places: {why}: this is a mistake in herdctl"),
            Some(why) => warn!("places: {why}"),
        }
    }
}

/// Somewhere in [`limits::PLACES_RETRY_MS`].
fn pause() -> Duration {
    let (least, most) = (limits::PLACES_RETRY_MS.start(), limits::PLACES_RETRY_MS.end());
    Duration::from_millis(least + getrandom::u64().unwrap_or_default() % (most - least + 1))
}
