//! Where one end of a connection reads: through the server's own faults, so that they are what they are in a herd.
//! And a ledger of what they have done, from what came and what arrived.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use herdctl::server::fault::{Delay, Fault, Transit};

use super::counts::Counts;
use super::wires::{is_report, is_told};

#[derive(Default)]
pub struct Inlet {
    /// What is under way, while something is wrong or has just been.
    transit: Option<Box<Transit>>,
    /// What has arrived of a line.
    part: Vec<u8>,
    /// Lines that have arrived.
    arrived: VecDeque<Vec<u8>>,
    has_ended: bool,
    ledger: Ledger,
}

impl Inlet {
    /// Takes note of what is wrong now. A link that is healed hands on at once what was under way.
    pub fn suffer(&mut self, fault: Fault, now: Instant) {
        match &mut self.transit {
            Some(transit) if transit.fault() != fault => transit.change(fault, now),
            None if !fault.is_none() => self.transit = Some(Box::new(Transit::new(fault, false, now))),
            _ => {}
        }
    }

    /// A line has come out of the socket.
    pub fn take_in(&mut self, line: Vec<u8>, now: Instant) {
        let Some(transit) = &mut self.transit else { return self.arrived.push_back(line) };
        transit.came.extend_from_slice(&line);
        transit.came.push(b'\n');
        transit.arrived(Ok(line.len() + 1), now);
        self.ledger.came.push_back(line);
    }

    /// The end has come out of the socket.
    pub fn take_end(&mut self, now: Instant) {
        match &mut self.transit {
            Some(transit) if transit.has_room() => transit.arrived(Ok(0), now),
            Some(_) => {}
            None => self.has_ended = true,
        }
    }

    /// Lets through what is due; says whether that was anything.
    pub fn release(&mut self, now: Instant, counts: &mut Counts) -> bool {
        let Some(transit) = &mut self.transit else { return !self.arrived.is_empty() };
        let before = self.part.len();
        loop {
            match transit.release(now, &mut self.part) {
                Some(Ok(0)) => self.has_ended = true,
                Some(_) => {}
                None => break,
            }
        }
        let is_something = self.part.len() > before;
        while let Some(end) = self.part.iter().position(|&byte| byte == b'\n') {
            let mut line: Vec<u8> = self.part.drain(..=end).collect();
            line.pop();
            self.ledger.hear(&line, counts);
            self.arrived.push_back(line);
        }
        if transit.is_over() {
            (self.transit, self.ledger) = (None, Ledger::default());
        } else if transit.wakes_at().is_some() {
            let fault = transit.fault();
            counts.delayed += u64::from(fault.delay != Delay::default());
            counts.throttled += u64::from(fault.throttle > 0);
        }
        is_something
    }

    /// The next line that has arrived.
    pub fn next(&mut self) -> Option<Vec<u8>> {
        self.arrived.pop_front()
    }

    /// Whether the end has arrived.
    pub fn has_ended(&self) -> bool {
        self.has_ended
    }

    /// Whether it would take more out of the socket.
    pub fn has_room(&self) -> bool {
        self.transit.as_ref().map_or(!self.has_ended, |transit| transit.has_room())
    }

    /// When something may be due that is not now.
    pub fn wakes_at(&self) -> Option<Instant> {
        self.transit.as_ref()?.wakes_at()
    }

    /// What has come, and may arrive still.
    pub fn under_way(&self) -> impl Iterator<Item = &[u8]> {
        self.ledger.came.iter().map(Vec::as_slice)
    }
}

/// The lines of the batches that are under way, and what has been heard of the first of them.
#[derive(Default)]
struct Ledger {
    came: VecDeque<Vec<u8>>,
    heard: Vec<Vec<u8>>,
}

impl Ledger {
    /// At the end of each batch, holds what was heard of it against what came.
    fn hear(&mut self, line: &[u8], counts: &mut Counts) {
        if is_report(line) {
            self.heard.push(line.to_vec());
        } else if is_told(line) {
            let end = self.came.iter().position(|line| is_told(line)).expect("a TOLD is never lost");
            let came: Vec<_> = self.came.drain(..=end).filter(|line| is_report(line)).collect();
            compare(&came, &std::mem::take(&mut self.heard), counts);
        }
    }
}

fn compare(came: &[Vec<u8>], heard: &[Vec<u8>], counts: &mut Counts) {
    let mut seen = HashSet::new();
    let once: Vec<_> = heard.iter().filter(|line| seen.insert(*line)).collect();
    let left: Vec<_> = came.iter().filter(|line| seen.contains(line)).collect();
    let (lost, twice) = (came.len() - left.len(), heard.len() - once.len());
    counts.lost += lost as u64;
    counts.said_twice += twice as u64;
    counts.lost_and_said_twice += u64::from(lost > 0 && twice > 0);
    counts.overtaken += left.iter().zip(&once).filter(|(came, heard)| came != heard).count() as u64 / 2;
}
