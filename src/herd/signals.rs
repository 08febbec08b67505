//! Ctrl-C, SIGTERM and SIGHUP, through ctrlc alone: the first asks the herd to leave, the second leaves.
//!
//! The handler's closure runs on ctrlc's own thread and must never wait nor panic, or later signals are
//! lost. A signal that should be ignored (SIGHUP when detached; any that the parent, such as `nohup`,
//! had ignored) is blocked in this thread before any other is made, because ctrlc has just taken its
//! place and nothing else can put "ignore" back without `unsafe`: threads inherit the mask, so the signal
//! stays pending for ever.

use std::io;
use std::sync::Mutex;
use std::time::Instant;

use nix::sys::signal::{SigSet, Signal};

use super::Interrupt;
use super::api::{Failure, Kind};
use crate::limits;

/// The exit code of a herd that was quit at once.
const INTERRUPTED: i32 = 130;

/// Takes the signals; to be called before any other thread is started, once in a process.
///
/// # Errors
///
/// If the process has handlers already, or the system gives no thread.
pub fn install(interrupt: Interrupt, foreground: bool) -> Result<(), Failure> {
    ignored(foreground)
        .thread_block()
        .map_err(|why| Failure::new(Kind::Failed, format!("cannot block signals: {why}")))?;
    let first = Mutex::new(None::<Instant>);
    ctrlc::set_handler(move || {
        let Ok(mut first) = first.lock() else { return };
        match *first {
            None => {
                *first = Some(Instant::now());
                interrupt.press();
            }
            Some(at) if at.elapsed() < limits::PRESS_APART_MIN => {}
            Some(_) => quit_at_once(),
        }
    })
    .map_err(|why| Failure::new(Kind::Failed, format!("cannot take signals: {why}")))
}

/// Leaves without asking anybody. Writes with `write(2)`, for the lock of `stderr` may be held by a thread that hangs.
#[expect(clippy::disallowed_methods, reason = "main may be the one that hangs")]
fn quit_at_once() {
    let _ = nix::unistd::write(io::stderr(), b"quit at once; the servers were not asked to leave\n");
    std::process::exit(INTERRUPTED)
}

/// The signals this process was started to ignore, and SIGHUP if nobody's terminal matters to it.
fn ignored(foreground: bool) -> SigSet {
    let mask = inherited_ignores();
    let mut set = SigSet::empty();
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let inherited = mask & (1 << (signal as i32 - 1)) != 0;
        if inherited || (signal == Signal::SIGHUP && !foreground) {
            set.add(signal);
        }
    }
    set
}

/// The mask of ignored signals, bit n-1 for signal n; none where the system does not tell.
fn inherited_ignores() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    sig_ign(&status).unwrap_or(0)
}

fn sig_ign(status: &str) -> Option<u64> {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    u64::from_str_radix(mask.trim(), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        assert_eq!(sig_ign("Name:\tx\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001003\n"), Some(0x1003));
        assert_eq!(sig_ign("Name:\tx\n"), None);
    }

    #[test]
    fn a_detached_herd_does_not_mind_a_hangup() {
        assert!(ignored(false).contains(Signal::SIGHUP));
    }
}
