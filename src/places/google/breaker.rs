//! Leaves a provider alone that fails: after some failures in a row, or at once when it says "too often", it is not
//! asked for a while; then one trial decides.
//!
//! Time is an argument.

use tokio::time::{Duration, Instant};

use super::failure::Failure;
use crate::limits::{LOOKUP_MAX, PLACES_FAILURES_MAX, PLACES_REST};

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// Failures since the last answer.
    failures: u32,
    rest: Option<Rest>,
}

#[derive(Debug)]
struct Rest {
    until: Instant,
    after: Failure,
}

impl Breaker {
    /// Whether the provider may be asked now. Each `Ok` after a rest is the one trial: until it has an outcome, or has
    /// been forgotten, nobody else may.
    ///
    /// # Errors
    ///
    /// [`Failure::Resting`], with why and for how long.
    pub(super) fn admit(&mut self, now: Instant) -> Result<(), Failure> {
        self.look(now)?;
        if let Some(rest) = &mut self.rest {
            rest.until = now + LOOKUP_MAX;
        }
        Ok(())
    }

    /// The same, without being the trial.
    pub(super) fn look(&self, now: Instant) -> Result<(), Failure> {
        match &self.rest {
            Some(rest) if now < rest.until => {
                Err(Failure::Resting { after: Box::new(rest.after.clone()), seconds: whole_seconds(rest.until - now) })
            }
            _ => Ok(()),
        }
    }

    /// It has answered.
    pub(super) fn answered(&mut self) {
        *self = Self::default();
    }

    /// It has failed; failures that are ours do not count.
    pub(super) fn failed(&mut self, why: &Failure, now: Instant) {
        if matches!(why, Failure::Busy | Failure::Resting { .. } | Failure::Misunderstood) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= PLACES_FAILURES_MAX || self.rest.is_some() || *why == Failure::Limited {
            self.rest = Some(Rest { until: now + PLACES_REST, after: why.clone() });
        }
    }
}

/// Rounded up: a rest of half a second is not over in 0 s.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLOW: Failure = Failure::Slow(Duration::from_secs(4));

    fn rests(breaker: &Breaker, now: Instant) -> bool {
        breaker.look(now).is_err()
    }

    #[test]
    fn five_failures_in_a_row_open_it_and_an_answer_in_between_does_not() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..4 {
            breaker.failed(&SLOW, now);
        }
        breaker.answered();
        for _ in 0..4 {
            breaker.failed(&SLOW, now);
            assert!(breaker.admit(now).is_ok());
        }
        breaker.failed(&SLOW, now);
        assert_eq!(breaker.admit(now), Err(Failure::Resting { after: Box::new(SLOW), seconds: 30 }));
        assert!(rests(&breaker, now + PLACES_REST - Duration::from_millis(1)));
        assert!(!rests(&breaker, now + PLACES_REST));
    }

    #[test]
    fn too_often_opens_it_at_once() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        breaker.failed(&Failure::Limited, now);
        assert!(rests(&breaker, now));
        assert_eq!(breaker.look(now).unwrap_err().status(), "OVER_QUERY_LIMIT");
    }

    #[test]
    fn one_trial_decides() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        breaker.failed(&Failure::Limited, now);
        let later = now + PLACES_REST;
        assert!(breaker.admit(later).is_ok());
        assert!(breaker.admit(later).is_err(), "one trial only");
        breaker.failed(&SLOW, later);
        assert!(rests(&breaker, later + PLACES_REST / 2), "one failure is enough");
        let later = later + PLACES_REST;
        assert!(breaker.admit(later).is_ok());
        breaker.answered();
        assert!(breaker.admit(later).is_ok());
        breaker.failed(&SLOW, later);
        assert!(breaker.admit(later).is_ok(), "counting begins anew");
    }

    #[test]
    fn a_trial_that_nobody_waited_for_is_not_waited_for_for_ever() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        breaker.failed(&Failure::Limited, now);
        let later = now + PLACES_REST;
        assert!(breaker.admit(later).is_ok());
        assert!(breaker.admit(later + LOOKUP_MAX).is_ok());
    }

    #[test]
    fn our_own_failures_do_not_count() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        for _ in 0..100 {
            breaker.failed(&Failure::Busy, now);
            breaker.failed(&Failure::Misunderstood, now);
        }
        assert!(!rests(&breaker, now));
    }
}
