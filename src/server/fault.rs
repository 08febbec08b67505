//! What can be wrong with one direction of a link, and the one seam where it is: between a neighbour's socket and
//! the link that hears it. Whatever is heard of a neighbour, its hello included, comes through an `Inlet`.
//!
//! A fault acts where the bytes arrive. That is the whole of it: what is delayed waits here, what is lost is dropped
//! here, and a silent cut is an end that stops reading, so that the sender's kernel fills up as it does in a real
//! partition, its end of the stream is not seen either, and a cut shorter than the patience of a link loses nothing,
//! as TCP loses nothing. With no fault an inlet is the socket.
//!
//! What then becomes of the bytes is `transit`'s. Chance comes from a seed and counts the reports of a connection: the
//! same seed drops the same ones.

mod transit;

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::futures::Notified;

use super::clock;
use super::socket::{ReadEnd, Scratch, until};
use super::state::{Neighbour, Server};
pub use transit::Transit;

/// What is wrong with one direction of a link. The default is a link that is well.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fault {
    pub cut: Option<Cut>,
    pub delay: Delay,
    /// Whole reports that do not arrive.
    pub loss: Chance,
    /// Whole reports that arrive twice.
    pub dup: Chance,
    /// Whole reports that the next one of their batch overtakes.
    pub reorder: Chance,
    /// Bytes a second that arrive at most; 0: no limit.
    pub throttle: u64,
}

/// The faults of the directed links towards one server, in the order of its neighbours.
pub type Faults = Vec<Fault>;

/// How a link is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Connections are closed, and refused: what a firewall does that says so, or a cable that is seen to be out.
    Closed,
    /// Nothing arrives, and nobody says so: what most partitions are.
    Silent,
}

/// How late everything arrives, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Delay {
    pub by: Duration,
    /// More or less by up to so much, by chance.
    pub jitter: Duration,
    pub seed: u64,
}

/// How often something happens.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Chance {
    /// Of a hundred: 0 to 100.
    pub percent: f64,
    pub seed: u64,
}

impl Fault {
    /// Nothing is wrong.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Connections are closed and refused.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.cut == Some(Cut::Closed)
    }

    fn looks_at_lines(&self) -> bool {
        [self.loss, self.dup, self.reorder].iter().any(|chance| chance.percent > 0.0)
    }
}

/// `delay 250ms ±50ms, loss 20%`
impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match self.cut {
            Some(Cut::Closed) => parts.push("cut".to_owned()),
            Some(Cut::Silent) => parts.push("cut, silent".to_owned()),
            None => {}
        }
        if self.delay != Delay::default() {
            parts.push(format!("delay {:?} ±{:?}", self.delay.by, self.delay.jitter));
        }
        for (name, chance) in [("loss", self.loss), ("dup", self.dup), ("reorder", self.reorder)] {
            if chance.percent > 0.0 {
                parts.push(format!("{name} {}% (seed {})", chance.percent, chance.seed));
            }
        }
        if self.throttle > 0 {
            parts.push(format!("throttle {} bytes/s", self.throttle));
        }
        f.write_str(if parts.is_empty() { "none" } else { "" })?;
        f.write_str(&parts.join(", "))
    }
}

/// What an [`Inlet`] says of a closed cut, as the reason why a connection ended.
pub(super) const CUT: &str = "the link is cut (a fault)";

/// Where the bytes of one connection to a neighbour come in.
pub(super) struct Inlet<'a> {
    neighbour: &'a Neighbour,
    scratch: &'a Scratch,
    /// Rung when the neighbour's fault has changed.
    struck: Pin<Box<Notified<'a>>>,
    /// What is under way, while something is wrong or has just been.
    transit: Option<Box<Transit>>,
}

impl<'a> Inlet<'a> {
    pub(super) fn new(server: &'a Server, neighbour: usize) -> Self {
        let neighbour = &server.neighbours[neighbour];
        let struck = Box::pin(neighbour.struck.notified());
        let mut inlet = Self { neighbour, scratch: &server.scratch, struck, transit: None };
        inlet.look(&[]);
        inlet
    }

    /// Whether what comes is anything but handed on.
    pub(super) fn is_troubled(&self) -> bool {
        self.transit.is_some()
    }

    /// Takes back what was read before this inlet was there, so that it comes through it like the rest.
    pub(super) fn take_back(&mut self, bytes: Vec<u8>) {
        if let Some(transit) = &mut self.transit {
            transit.came = bytes;
            transit.take_in(clock::instant());
        }
    }

    /// Appends what has arrived to `inbox`; 0 at the end of the stream. Cancel-safe.
    ///
    /// # Errors
    ///
    /// The socket's, and [`CUT`] while the link is cut and not silently.
    pub(super) async fn read(&mut self, from: &mut ReadEnd<'_>, inbox: &mut Vec<u8>) -> io::Result<usize> {
        loop {
            let Some(transit) = &mut self.transit else {
                if let Some(read) = unless(self.struck.as_mut(), self.scratch.read(from, inbox)).await {
                    return read;
                }
                self.look(inbox);
                continue;
            };
            match transit.fault().cut {
                Some(Cut::Closed) => return Err(io::Error::other(CUT)),
                Some(Cut::Silent) => self.struck.as_mut().await,
                None => {
                    if let Some(read) = transit.release(clock::instant(), inbox) {
                        return read;
                    }
                    if transit.is_over() {
                        self.transit = None;
                        continue;
                    }
                    let (room, wake) = (transit.has_room(), transit.wakes_at());
                    tokio::select! {
                        biased;
                        () = &mut self.struck => {}
                        () = until(wake), if wake.is_some() => continue,
                        read = self.scratch.read(from, &mut transit.came), if room => {
                            transit.arrived(read, clock::instant());
                            continue;
                        }
                    }
                }
            }
            self.look(inbox);
        }
    }

    /// Takes note of what is wrong now. A link that is healed hands on at once what was under way.
    fn look(&mut self, inbox: &[u8]) {
        // Made before the fault is read, or a change between the two would be missed.
        self.struck.set(self.neighbour.struck.notified());
        let fault = self.neighbour.fault.get();
        match &mut self.transit {
            Some(transit) => transit.change(fault, clock::instant()),
            None if fault.is_none() => {}
            None => {
                let is_inside_line = inbox.last().is_some_and(|&last| last != b'\n');
                self.transit = Some(Box::new(Transit::new(fault, is_inside_line, clock::instant())));
            }
        }
    }
}

/// What comes of `wanted`, unless `struck` is rung first.
async fn unless<T>(mut struck: Pin<&mut Notified<'_>>, wanted: impl Future<Output = T>) -> Option<T> {
    let mut wanted = pin!(wanted);
    poll_fn(|context| match struck.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => wanted.as_mut().poll(context).map(Some),
    })
    .await
}
