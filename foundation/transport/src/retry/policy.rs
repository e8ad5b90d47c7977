//! The policy: what happened and what the request is go in, how long to wait comes out.

use std::time::Duration;

use http::StatusCode;

use crate::{Replay, TransportErrorKind};

/// Decides whether and when a request is sent again. It holds numbers only; time and chance are
/// arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a request is sent at most, the first time included. Default 4.
    pub max_attempts: u32,
    /// The longest time from the first attempt to the start of the last one. Default 2 minutes.
    pub max_total: Duration,
    /// The back-off after the first attempt; it doubles with each further one. Default 500 ms.
    pub base_delay: Duration,
    /// Where the doubling ends. Default 30 seconds.
    pub max_delay: Duration,
    /// The longest Retry-After that is waited for; a longer one goes to the caller. Default 1 minute.
    pub max_retry_after: Duration,
}

/// Which attempt has just ended.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Attempt {
    /// The first attempt is 1.
    pub number: u32,
    /// Time since the first attempt began.
    pub elapsed: Duration,
    /// The request's replay class.
    pub replay: Replay,
    /// A random number from 0 up to 1 for the jitter.
    pub random: f64,
}

impl Attempt {
    /// Describes the attempt that has just ended.
    pub const fn new(number: u32, elapsed: Duration, replay: Replay, random: f64) -> Self {
        Self {
            number,
            elapsed,
            replay,
            random,
        }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// No answer came.
    Failed(TransportErrorKind),
    /// An answer came, perhaps with a Retry-After.
    Answered {
        /// The answer's status.
        status: StatusCode,
        /// What [`retry_after`](crate::retry_after) read from its headers.
        retry_after: Option<Duration>,
    },
}

impl RetryPolicy {
    /// A policy that never sends twice.
    pub const fn never() -> Self {
        Self {
            max_attempts: 1,
            max_total: Duration::ZERO,
            base_delay: Duration::ZERO,
            max_delay: Duration::ZERO,
            max_retry_after: Duration::ZERO,
        }
    }

    /// Changes some of the numbers.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// How long to wait before the next attempt; `None` to hand the outcome to the caller.
    ///
    /// A request that was surely not processed (no connection, refused, 429) is sent again whatever
    /// its class; one that was perhaps processed (timeout, interrupted, 503) only if twice does no
    /// harm. The wait is the Retry-After where there is one, with up to a tenth added so that a
    /// fleet does not return in one moment; else the back-off, of which one half is chance.
    pub fn next(&self, attempt: &Attempt, outcome: &Outcome) -> Option<Duration> {
        if attempt.number >= self.max_attempts || !may_repeat(attempt.replay, outcome) {
            return None;
        }
        let random = if attempt.random.is_finite() {
            attempt.random.clamp(0.0, 1.0)
        } else {
            0.5
        };
        let asked = match outcome {
            Outcome::Answered { retry_after, .. } => *retry_after,
            Outcome::Failed(_) => None,
        };
        let wait = match asked {
            Some(asked) if asked > self.max_retry_after => return None,
            Some(asked) => asked.saturating_add(scale(asked, random / 10.0)),
            None => scale(self.back_off(attempt.number), 0.5 + random / 2.0),
        };
        let total = attempt.elapsed.checked_add(wait)?;
        (total <= self.max_total).then_some(wait)
    }

    fn back_off(&self, number: u32) -> Duration {
        let doubling = 1_u32.checked_shl(number.saturating_sub(1));
        doubling
            .and_then(|factor| self.base_delay.checked_mul(factor))
            .map_or(self.max_delay, |delay| delay.min(self.max_delay))
    }
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            max_total: Duration::from_secs(120),
            base_delay: Duration::from_millis(500),
            max_delay: Duration::from_secs(30),
            max_retry_after: Duration::from_secs(60),
        }
    }
}

/// `Duration::mul_f64` panics where the product does not fit; this ends at the longest duration.
fn scale(duration: Duration, factor: f64) -> Duration {
    Duration::try_from_secs_f64(duration.as_secs_f64() * factor).unwrap_or(Duration::MAX)
}

fn may_repeat(replay: Replay, outcome: &Outcome) -> bool {
    let harmless = matches!(replay, Replay::Safe | Replay::Idempotent);
    match outcome {
        Outcome::Failed(kind) if kind.surely_unprocessed() => true,
        Outcome::Failed(TransportErrorKind::Timeout | TransportErrorKind::Interrupted) => harmless,
        Outcome::Failed(_) => false,
        Outcome::Answered { status, .. } => match *status {
            StatusCode::TOO_MANY_REQUESTS => true,
            StatusCode::SERVICE_UNAVAILABLE => harmless,
            _ => false,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Duration = Duration::ZERO;

    fn answered(status: u16, retry_after: Option<u64>) -> Outcome {
        Outcome::Answered {
            status: StatusCode::from_u16(status).unwrap(),
            retry_after: retry_after.map(Duration::from_secs),
        }
    }

    #[test]
    fn error_kind_and_replay_class_decide_together() {
        use Replay::*;
        use TransportErrorKind::*;
        let policy = RetryPolicy::default();
        for (outcome, safe, idempotent, never) in [
            (Outcome::Failed(Connect), true, true, true),
            (Outcome::Failed(Refused), true, true, true),
            (Outcome::Failed(Timeout), true, true, false),
            (Outcome::Failed(Interrupted), true, true, false),
            (Outcome::Failed(Decode), false, false, false),
            (Outcome::Failed(TooLarge), false, false, false),
            (Outcome::Failed(Other), false, false, false),
            (answered(429, None), true, true, true),
            (answered(503, None), true, true, false),
            (answered(500, None), false, false, false),
            (answered(502, Some(1)), false, false, false),
            (answered(401, None), false, false, false),
            (answered(200, None), false, false, false),
        ] {
            for (replay, expected) in [(Safe, safe), (Idempotent, idempotent), (Never, never)] {
                let attempt = Attempt::new(1, START, replay, 0.5);
                let again = policy.next(&attempt, &outcome).is_some();
                assert_eq!(again, expected, "{outcome:?} {replay:?}");
            }
        }
    }

    #[test]
    fn the_back_off_doubles_up_to_its_cap_and_jitter_stays_in_the_upper_half() {
        let policy = RetryPolicy::default().with(|policy| {
            policy.max_attempts = u32::MAX;
            policy.base_delay = Duration::from_secs(1);
            policy.max_delay = Duration::from_secs(5);
        });
        let outcome = Outcome::Failed(TransportErrorKind::Connect);
        for (number, full) in [
            (1, 1.0),
            (2, 2.0),
            (3, 4.0),
            (4, 5.0),
            (40, 5.0),
            (99_999, 5.0),
        ] {
            for (random, part) in [
                (0.0, 0.5),
                (0.5, 0.75),
                (1.0, 1.0),
                (7.0, 1.0),
                (f64::NAN, 0.75),
            ] {
                let wait =
                    policy.next(&Attempt::new(number, START, Replay::Safe, random), &outcome);
                assert_eq!(
                    wait,
                    Some(Duration::from_secs_f64(full * part)),
                    "{number} {random}"
                );
            }
        }
    }

    #[test]
    fn retry_after_replaces_the_back_off_unless_it_is_too_long() {
        let policy = RetryPolicy::default();
        let next = |seconds, random| {
            policy.next(
                &Attempt::new(1, START, Replay::Safe, random),
                &answered(503, Some(seconds)),
            )
        };
        assert_eq!(next(20, 0.0), Some(Duration::from_secs(20)));
        assert_eq!(next(20, 1.0), Some(Duration::from_secs(22)));
        assert_eq!(next(0, 1.0), Some(Duration::ZERO));
        assert_eq!(next(60, 0.0), Some(Duration::from_secs(60)));
        assert_eq!(next(61, 0.0), None);
        assert_eq!(next(u64::MAX, 1.0), None);
    }

    #[test]
    fn numbers_without_bounds_do_not_overflow() {
        let policy = RetryPolicy::default().with(|policy| {
            policy.max_total = Duration::MAX;
            policy.base_delay = Duration::MAX;
            policy.max_delay = Duration::MAX;
            policy.max_retry_after = Duration::MAX;
        });
        let attempt = Attempt::new(1, START, Replay::Safe, 1.0);
        for outcome in [answered(503, None), answered(503, Some(u64::MAX))] {
            assert_eq!(policy.next(&attempt, &outcome), Some(Duration::MAX));
        }
    }

    #[test]
    fn attempts_and_total_time_are_both_bounded() {
        let policy = RetryPolicy::default().with(|policy| {
            policy.max_attempts = 3;
            policy.max_total = Duration::from_secs(10);
        });
        let outcome = answered(429, Some(4));
        let next = |number, elapsed| {
            let elapsed = Duration::from_secs(elapsed);
            policy.next(&Attempt::new(number, elapsed, Replay::Safe, 0.0), &outcome)
        };
        assert!(next(2, 6).is_some());
        assert!(next(2, 7).is_none());
        assert!(next(3, 0).is_none());
        assert!(next(1, u64::MAX).is_none());
        let never = RetryPolicy::never();
        assert_eq!(
            never.next(&Attempt::new(1, START, Replay::Safe, 0.0), &outcome),
            None
        );
    }
}
