//! One server: one thread.

pub mod clock;
pub mod journal;
mod logfile;
pub mod record;
pub mod vitals;

use std::net::TcpListener;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::config::Config;
use vitals::Vitals;

/// All that a server is given when it starts.
pub struct Seat {
    /// The herd, with the addresses that were really bound (no port 0).
    pub config: Arc<Config>,
    /// Which of its servers this is.
    pub index: usize,
    /// Already bound and listening, so that nothing can fail between `bind` and the first answer.
    pub listener: TcpListener,
    /// When the herd came up: the mark of this run in every log file.
    pub herd_up_since: jiff::Timestamp,
    /// The key of every proof between neighbours.
    pub secret: Secret,
    /// Where it shows itself.
    pub vitals: Arc<Vitals>,
    /// What the herd wants of it. Closed without a word means [`Signal::Kill`].
    pub signals: mpsc::Receiver<Signal>,
}

/// The key of every proof between neighbours; shared by all servers of a herd.
#[derive(Clone)]
pub struct Secret(pub Arc<[u8]>);

/// What a process would be sent with `kill(2)`.
///
/// A sender unparks the server's thread after sending, for it may be parked by [`Signal::Stop`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// SIGSTOP: the thread parks; the kernel still accepts, nothing answers.
    Stop,
    /// SIGCONT.
    Continue,
    /// SIGTERM: take nothing new, say what is owed, leave.
    Terminate,
    /// SIGKILL: every socket closes, nothing is flushed.
    Kill,
    /// What a bug would do: the server panics. For tests of what contains it.
    Panic,
}

/// Why a server could not run.
#[derive(Debug)]
pub enum Trouble {
    /// Its log file could not be opened.
    Log { path: std::path::PathBuf, why: std::io::Error },
    /// The kernel refused a runtime or the listener.
    Runtime(std::io::Error),
}

/// Runs a server on the present thread until it is told to leave.
///
/// # Errors
///
/// [`Trouble`], before anything has been answered.
///
/// # Panics
///
/// A panic in any of the server's tasks is resumed here, so that it ends this server's thread, and only it.
pub fn main(seat: Seat) -> Result<(), Trouble> {
    let _ = seat;
    todo!()
}
