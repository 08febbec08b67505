//! What `chaos` and `play` share, for both break a herd on purpose: it is whole to begin with, Ctrl-C ends it early, and
//! nothing stays broken.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::human;
use super::session::Session;
use crate::config::Config;
use crate::herd::api::{Failure, Kind, Ps, State};

/// Ctrl-C was pressed.
pub static ENOUGH: AtomicBool = AtomicBool::new(false);

/// From now on the first Ctrl-C ends what is done early, and the second ends the process at once.
pub fn end_on_signal() {
    // A second handler is refused: then somebody else has taken the signal, and it ends the process.
    let _ = ctrlc::set_handler(|| {
        if ENOUGH.swap(true, Relaxed) {
            #[expect(clippy::disallowed_methods, reason = "a signal's thread has no other way to end the process")]
            std::process::exit(Kind::Interrupted.exit().into());
        }
    });
}

/// Whether nothing is wrong with the herd, so that what is wrong later is our doing.
///
/// # Errors
///
/// `check_failed`: what is wrong.
pub fn whole(ps: &Ps) -> Result<(), Failure> {
    let no = |why: String| Failure::new(Kind::CheckFailed, why);
    let summary = &ps.summary;
    if summary.running != summary.servers || summary.links_up != summary.links {
        let why = format!(
            "the herd is not whole: {}/{} running, {}/{} links up",
            summary.running, summary.servers, summary.links_up, summary.links
        );
        return Err(no(why).hint("herdctl start --all --wait"));
    }
    if !ps.faults.is_empty() {
        return Err(no(format!("{} wrong with the links already", human::count(ps.faults.len() as u64, "thing")))
            .hint("herdctl heal --all"));
    }
    Ok(())
}

/// The seed that was chosen, or a new one: a short number, for it may have to be typed again.
pub fn seed(chosen: Option<u64>) -> u64 {
    chosen.unwrap_or_else(|| getrandom::u64().unwrap_or(1) % 1_000_000)
}

/// The servers that are paused, and those that are down.
pub fn fallen(ps: &Ps) -> [Vec<String>; 2] {
    [|state| state == State::Paused, |state| !matches!(state, State::Running | State::Paused | State::Starting)].map(
        |is_it: fn(State) -> bool| {
            let servers = ps.servers.iter().filter(|server| is_it(server.state));
            servers.map(|server| server.name.clone()).collect()
        },
    )
}

/// The herd.toml that was named, if one was, for a herd of one's own.
///
/// # Errors
///
/// `bad_config`: it is wrong.
pub fn named_config(session: &mut Session) -> Result<Option<Config>, Failure> {
    let is_named = session.global.config.is_some();
    if is_named { session.config().map(|(config, _)| Some(config)) } else { Ok(None) }
}
