//! How long to wait before dialling again.

use std::time::Duration;

use crate::limits;

/// How long to wait before the dial after `tries` failed ones: doubled each time up to the longest wait, less up to
/// half of it by chance, so that a herd does not dial in step.
pub(super) fn backoff(tries: u32, chance: u64) -> Duration {
    let whole = limits::BACKOFF_FIRST.saturating_mul(1 << tries.min(16)).min(limits::BACKOFF_MAX);
    let half = whole / 2;
    half + half.mul_f64(chance as f64 / u64::MAX as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

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
