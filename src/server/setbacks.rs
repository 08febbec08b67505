//! How long to wait after a setback: before dialling again, and how a link that loses reports is told them again, in
//! smaller batches and at last with rests between them.

use std::time::{Duration, Instant};

use crate::limits;

/// How long to wait before the dial after `tries` failed ones: doubled each time up to the longest wait, less up to
/// half of it by chance, so that a herd does not dial in step.
pub(super) fn backoff(tries: u32, chance: u64) -> Duration {
    let whole = limits::BACKOFF_FIRST.saturating_mul(1 << tries.min(16)).min(limits::BACKOFF_MAX);
    let half = whole / 2;
    half + half.mul_f64(chance as f64 / u64::MAX as f64)
}

/// How often of late what was told had to be told again. Smaller batches have a better chance to arrive whole; and a
/// link that loses everything must not keep two servers busy.
#[derive(Default)]
pub(super) struct Setbacks {
    pub(super) count: u32,
    pub(super) rest_until: Option<Instant>,
}

impl Setbacks {
    /// So many halvings of a batch leave one report.
    const HALVINGS: u32 = limits::LINK_BATCH_BYTES.ilog2();

    pub(super) fn add(&mut self, now: Instant) {
        self.count = (self.count + 1).min(2 * Self::HALVINGS);
        if let Some(doublings) = self.count.checked_sub(Self::HALVINGS) {
            let rest = limits::RETELL_FIRST.saturating_mul(1 << doublings).min(limits::RETELL_MAX);
            self.rest_until = Some(now + rest);
        }
    }

    pub(super) fn ease(&mut self) {
        self.count = self.count.saturating_sub(1);
        self.rest_until = None;
    }

    pub(super) fn batch_bytes(&self) -> usize {
        limits::LINK_BATCH_BYTES >> self.count.min(Self::HALVINGS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_shrink_to_one_report_then_the_link_rests_up_to_a_limit_and_all_comes_back() {
        let (mut setbacks, now) = (Setbacks::default(), Instant::now());
        assert_eq!(setbacks.batch_bytes(), limits::LINK_BATCH_BYTES);
        for _ in 1..Setbacks::HALVINGS {
            setbacks.add(now);
        }
        assert_eq!((setbacks.batch_bytes(), setbacks.rest_until), (2, None));
        setbacks.add(now);
        assert_eq!((setbacks.batch_bytes(), setbacks.rest_until), (1, Some(now + limits::RETELL_FIRST)));
        for _ in 0..1000 {
            setbacks.add(now);
        }
        assert_eq!((setbacks.batch_bytes(), setbacks.rest_until), (1, Some(now + limits::RETELL_MAX)));
        for _ in 0..1000 {
            setbacks.ease();
        }
        assert_eq!((setbacks.batch_bytes(), setbacks.rest_until), (limits::LINK_BATCH_BYTES, None));
    }

    #[test]
    fn dialling_again_waits_longer_each_time_up_to_a_limit_and_never_in_step() {
        assert_eq!(backoff(0, u64::MAX), limits::BACKOFF_FIRST);
        assert_eq!(backoff(0, 0), limits::BACKOFF_FIRST / 2);
        assert_eq!(backoff(1, u64::MAX), limits::BACKOFF_FIRST * 2);
        for tries in [10, 16, 17, u32::MAX] {
            assert_eq!(backoff(tries, u64::MAX), limits::BACKOFF_MAX);
            assert_eq!(backoff(tries, 0), limits::BACKOFF_MAX / 2);
        }
    }
}
