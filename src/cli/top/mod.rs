//! `top`: the whole herd on one screen, and keys that break it.
//!
//! Three parts that know nothing of each other's business: [`model`], what is shown and what becomes of it, pure;
//! [`draw`], what that looks like, pure; and around them [`feed`], [`orders`] and [`screen`], which speak to the herd
//! and to the terminal and decide nothing. It never slows the herd, and leaves it running.

mod clients;
mod draw;
mod feed;
mod keys;
mod layout;
mod meters;
mod model;
mod orders;
mod paint;
mod roll;
mod screen;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use super::logs::Live;
use super::session::{ANSWER_MAX, Session};
use super::{Done, Exit, args};
use crate::herd::api::{Failure, Kind};
use feed::Happenings;
use model::{Act, Contact, Effect, Input, Model};
use screen::Screen;

/// What has come in and is not yet shown.
const INPUTS_MAX: usize = 64;
/// Orders that wait for the one before.
const ORDERS_MAX: usize = 16;
/// The log pane begins with so many records.
const RECORDS: usize = 200;
/// However much comes in, the screen is drawn no more often than this, …
const DRAW_EVERY: Duration = Duration::from_millis(50);
/// … and the time that passes is noticed so often.
const TICK: Duration = Duration::from_secs(1);

/// `herdctl top`
///
/// # Errors
///
/// `usage`: there is no terminal; as every call on the control channel.
pub fn run(args: &args::Top, session: &mut Session) -> Done {
    let (inputs, coming) = sync_channel(INPUTS_MAX);
    // Said before the terminal is taken: that there is none, and that there is no herd.
    screen::check(session)?;
    let ps = session.client()?.ps()?;
    let mut model = Model::new(session.config_name(ps.config.as_ref()), !args.no_confirm);
    let mut screen = Screen::open(session)?;
    let leave = screen::leave_on_signals(inputs.clone());
    let reins = begin(session, &inputs, leave)?;
    let left = watch(&mut model, &mut screen, &coming, &reins);
    drop(screen);
    left?;
    let farewell = match model.contact {
        Contact::Gone => "the herd has gone",
        _ => "the herd is still up.  herdctl ps · herdctl down",
    };
    session.out.message(farewell);
    Ok(Exit::Fine)
}

/// What the view holds of its sources.
struct Reins {
    orders: SyncSender<Act>,
    hops: Arc<AtomicBool>,
    /// The process was asked to end.
    leave: Arc<AtomicBool>,
}

fn begin(session: &mut Session, inputs: &SyncSender<Input>, leave: Arc<AtomicBool>) -> Result<Reins, Failure> {
    let (target, patience, pen) = (session.target()?, session.deadline(ANSWER_MAX), session.out.pen());
    let live = Live::recent(RECORDS, session, &session.spare_output())?;
    let (orders, ordered) = sync_channel(ORDERS_MAX);
    let (nudge, nudges) = sync_channel(1);
    let hops = Arc::new(AtomicBool::new(false));
    let happenings = Happenings { target: target.clone(), patience, pen, hops: Arc::clone(&hops), nudge };
    let (looked_at, ordered_of) = (target.clone(), target);
    feed::begin("keys", inputs, feed::keys)?;
    feed::begin("looks", inputs, move |inputs| feed::looks(&looked_at, patience, &nudges, inputs))?;
    feed::begin("events", inputs, move |inputs| happenings.tell(inputs))?;
    feed::begin("log", inputs, move |inputs| feed::log(live, pen, inputs))?;
    feed::begin("orders", inputs, move |inputs| orders::give_all(&ordered_of, pen, &ordered, inputs))?;
    Ok(Reins { orders, hops, leave })
}

/// Takes in what comes and draws what changed, until somebody leaves.
fn watch(model: &mut Model, screen: &mut Screen, coming: &Receiver<Input>, reins: &Reins) -> Result<(), Failure> {
    let mut drawn_at: Option<Instant> = None;
    let mut has_changed = true;
    while !reins.leave.load(Ordering::Relaxed) {
        let until_draw = drawn_at.map_or(Duration::ZERO, |at| DRAW_EVERY.saturating_sub(at.elapsed()));
        if has_changed && until_draw.is_zero() {
            screen.draw(model)?;
            (drawn_at, has_changed) = (Some(Instant::now()), false);
        }
        let input = match coming.recv_timeout(if has_changed { until_draw } else { TICK }) {
            Ok(input) => input,
            Err(RecvTimeoutError::Timeout) if has_changed => continue,
            Err(RecvTimeoutError::Timeout) => Input::Tick,
            Err(RecvTimeoutError::Disconnected) => return Err(broken()),
        };
        match model.update(input, Instant::now()) {
            Effect::Leave => return Ok(()),
            Effect::Broken => return Err(broken()),
            effect => reins.follow(effect),
        }
        has_changed = true;
    }
    Ok(())
}

impl Reins {
    fn follow(&self, effect: Effect) {
        match effect {
            Effect::Do(act) => {
                // As many as can wait are waiting: a finger rests on a key.
                let _ = self.orders.try_send(act);
            }
            Effect::Hops(wanted) => self.hops.store(wanted, Ordering::Relaxed),
            Effect::None | Effect::Leave | Effect::Broken => {}
        }
    }
}

fn broken() -> Failure {
    Failure::new(Kind::Failed, "a part of top has ended that should not have; the herd is still up")
}

#[cfg(test)]
mod tests;
