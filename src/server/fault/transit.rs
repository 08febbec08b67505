//! What has come out of the socket of a link and has not arrived yet: late, lost, said twice, overtaken, or a trickle.
//!
//! Pure: bytes and a time in, bytes out. So the simulation of whole herds has the same faults, and not some like them.

use std::collections::VecDeque;
use std::io;
use std::time::{Duration, Instant};

use memchr::memchr_iter;

use super::{Chance, Delay, Fault};
use crate::limits;

/// What has come out of one socket and has not arrived yet.
pub struct Transit {
    fault: Fault,
    /// What the socket has just given; told to [`Transit::arrived`].
    pub came: Vec<u8>,
    /// Part of a line, where lines are looked at.
    part: Vec<u8>,
    /// A report that lets the next one pass.
    overtaken: Vec<u8>,
    /// What was handed on last did not end a line.
    is_inside_line: bool,
    loss: Dice,
    dup: Dice,
    reorder: Dice,
    jitter: Dice,
    parcels: VecDeque<Parcel>,
    /// The size of all parcels.
    bytes: usize,
    /// The end of the stream, and when it is seen.
    end: Option<(Instant, io::Result<usize>)>,
    bucket: Bucket,
}

struct Parcel {
    due: Instant,
    bytes: Vec<u8>,
}

impl Transit {
    /// Nothing is under way yet. The last byte that the reader has may be inside a line, which then arrives whole.
    #[must_use]
    pub fn new(fault: Fault, is_inside_line: bool, now: Instant) -> Self {
        let mut transit = Self {
            fault: Fault::default(),
            came: Vec::new(),
            part: Vec::new(),
            overtaken: Vec::new(),
            is_inside_line,
            loss: Dice::default(),
            dup: Dice::default(),
            reorder: Dice::default(),
            jitter: Dice::default(),
            parcels: VecDeque::new(),
            bytes: 0,
            end: None,
            bucket: Bucket::new(now),
        };
        transit.change(fault, now);
        transit
    }

    /// What is wrong with this direction at present.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// Something else is wrong from now on. What no fault holds back any more is due at once.
    pub fn change(&mut self, fault: Fault, now: Instant) {
        self.fault = fault;
        self.loss.become_(1, fault.loss);
        self.dup.become_(2, fault.dup);
        self.reorder.become_(3, fault.reorder);
        self.jitter.become_(4, Chance { percent: 0.0, seed: fault.delay.seed });
        if !fault.looks_at_lines() {
            let mut held = std::mem::take(&mut self.overtaken);
            held.append(&mut self.part);
            self.send(held, now);
        }
        if fault.delay == Delay::default() {
            self.parcels.iter_mut().for_each(|parcel| parcel.due = now);
            if let Some((due, _)) = &mut self.end {
                *due = now;
            }
        }
    }

    /// The socket has given what is in `came`, or has ended: with no bytes, or with an error.
    pub fn arrived(&mut self, read: io::Result<usize>, now: Instant) {
        match read {
            Ok(1..) => self.take_in(now),
            end => {
                // Half a line at the end is told as it is: it is for the link to judge.
                let mut rest = std::mem::take(&mut self.overtaken);
                rest.append(&mut self.part);
                self.send(rest, now);
                let last = self.parcels.back().map_or(now, |parcel| parcel.due);
                self.end = Some((last.max(now + self.late()), end));
            }
        }
    }

    pub(super) fn take_in(&mut self, now: Instant) {
        let came = std::mem::take(&mut self.came);
        let passed = if self.fault.looks_at_lines() { self.pick(&came) } else { came };
        self.send(passed, now);
    }

    /// What is left of the lines that have come, and of those twice or in another order.
    fn pick(&mut self, came: &[u8]) -> Vec<u8> {
        let mut passed = Vec::with_capacity(came.len());
        let mut start = 0;
        for end in memchr_iter(b'\n', came) {
            let piece = &came[start..=end];
            start = end + 1;
            if std::mem::take(&mut self.is_inside_line) {
                passed.extend_from_slice(piece);
            } else if self.part.is_empty() {
                self.pick_line(piece, &mut passed);
            } else {
                let mut line = std::mem::take(&mut self.part);
                line.extend_from_slice(piece);
                self.pick_line(&line, &mut passed);
            }
        }
        let rest = &came[start..];
        if self.is_inside_line || self.part.len() + rest.len() > limits::TRANSIT_BYTES_MAX {
            passed.append(&mut self.part);
            passed.extend_from_slice(rest);
        } else {
            self.part.extend_from_slice(rest);
        }
        passed
    }

    /// Only reports are lost, told twice or overtaken: `TOLD` and `HEARD` are what notices.
    fn pick_line(&mut self, line: &[u8], passed: &mut Vec<u8>) {
        if !line.starts_with(b"AT ") {
            passed.append(&mut self.overtaken);
            passed.extend_from_slice(line);
            return;
        }
        if self.loss.roll() {
            return;
        }
        let times = if self.dup.roll() { 2 } else { 1 };
        if self.overtaken.is_empty() && self.reorder.roll() {
            self.overtaken = line.repeat(times);
            return;
        }
        for _ in 0..times {
            passed.extend_from_slice(line);
        }
        passed.append(&mut self.overtaken);
    }

    fn send(&mut self, bytes: Vec<u8>, now: Instant) {
        let Some(&last) = bytes.last() else { return };
        self.is_inside_line = last != b'\n';
        // A stream stays in order, however its parts are delayed.
        let before = self.parcels.back().map_or(now, |parcel| parcel.due);
        let due = before.max(now + self.late());
        self.bytes += bytes.len();
        self.parcels.push_back(Parcel { due, bytes });
    }

    fn late(&mut self) -> Duration {
        let Delay { by, jitter, .. } = self.fault.delay;
        if jitter.is_zero() {
            return by;
        }
        (by + jitter.mul_f64(2.0 * self.jitter.fraction())).saturating_sub(jitter)
    }

    /// Moves what is due to `inbox`; the end of the stream once nothing is left before it.
    pub fn release(&mut self, now: Instant, inbox: &mut Vec<u8>) -> Option<io::Result<usize>> {
        let mut allowance = self.bucket.allowance(self.fault.throttle, now);
        let mut released = 0;
        while allowance > 0
            && let Some(parcel) = self.parcels.front_mut().filter(|parcel| parcel.due <= now)
        {
            let take = parcel.bytes.len().min(allowance).min(limits::READ_BYTES);
            inbox.extend(parcel.bytes.drain(..take));
            (released, allowance) = (released + take, allowance - take);
            if parcel.bytes.is_empty() {
                self.parcels.pop_front();
            }
            if released >= limits::READ_BYTES {
                break;
            }
        }
        self.bytes -= released;
        self.bucket.spend(released);
        if released > 0 {
            return Some(Ok(released));
        }
        let is_over = self.parcels.is_empty() && self.end.as_ref().is_some_and(|(due, _)| *due <= now);
        if is_over { self.end.take().map(|(_, end)| end) } else { None }
    }

    /// Nothing is wrong any more and nothing is under way.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.fault.is_none() && self.parcels.is_empty() && self.end.is_none()
    }

    /// Whether to read on: not after the end, and not if too much is under way.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.end.is_none() && self.bytes < limits::TRANSIT_BYTES_MAX
    }

    /// When something may be due that is not now.
    #[must_use]
    pub fn wakes_at(&self) -> Option<Instant> {
        match self.parcels.front() {
            Some(parcel) if self.fault.throttle > 0 => Some(parcel.due.max(self.bucket.next(self.fault.throttle))),
            Some(parcel) => Some(parcel.due),
            None => self.end.as_ref().map(|(due, _)| *due),
        }
    }
}

/// How much may arrive by now: never more at once than a tenth of a second is worth, so that a slow link trickles.
struct Bucket {
    /// In thousand-millionths of a byte: what a byte a second brings in a nanosecond.
    credit: u128,
    at: Instant,
}

impl Bucket {
    const BYTE: u128 = 1_000_000_000;

    fn new(now: Instant) -> Self {
        Self { credit: 0, at: now }
    }

    fn allowance(&mut self, bytes_per_second: u64, now: Instant) -> usize {
        if bytes_per_second == 0 {
            *self = Self::new(now);
            return usize::MAX;
        }
        let rate = u128::from(bytes_per_second);
        let most = (rate * limits::THROTTLE_BURST.as_nanos()).max(Self::BYTE);
        self.credit = (self.credit + rate * now.duration_since(self.at).as_nanos()).min(most);
        self.at = now;
        usize::try_from(self.credit / Self::BYTE).unwrap_or(usize::MAX)
    }

    fn spend(&mut self, bytes: usize) {
        self.credit = self.credit.saturating_sub(bytes as u128 * Self::BYTE);
    }

    /// When there is an allowance again that is worth waking up for.
    fn next(&self, bytes_per_second: u64) -> Instant {
        let rate = u128::from(bytes_per_second);
        let wanted = (rate * limits::THROTTLE_BURST.as_nanos() / 4).max(Self::BYTE);
        let wait = wanted.saturating_sub(self.credit).div_ceil(rate);
        self.at + Duration::from_nanos(u64::try_from(wait).unwrap_or(u64::MAX)) + limits::THROTTLE_TICK
    }
}

/// Chance from a seed: the `n`th roll of the same dice is always the same.
#[derive(Default)]
struct Dice {
    chance: Chance,
    salt: u64,
    rolled: u64,
}

impl Dice {
    /// New dice, unless they are the same as before.
    fn become_(&mut self, salt: u64, chance: Chance) {
        if self.chance != chance {
            *self = Self { chance, salt, rolled: 0 };
        }
    }

    fn roll(&mut self) -> bool {
        self.chance.percent > 0.0 && self.fraction() * 100.0 < self.chance.percent
    }

    /// From 0 to less than 1.
    fn fraction(&mut self) -> f64 {
        self.rolled += 1;
        (mixed(self.chance.seed ^ mixed(self.rolled.wrapping_mul(8).wrapping_add(self.salt))) >> 11) as f64
            / (1_u64 << 53) as f64
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014).
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests;
