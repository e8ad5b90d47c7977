//! When to send a push again that the service put off (Apple, "Handling notification responses
//! from APNs": after 15 minutes, and then less and less often).

use std::time::Duration;

use crate::outcome::Outcome;

/// Decides whether and when a push that was answered with [`Outcome::RetryAfter`] is sent again. It
/// holds numbers only; chance is an argument.
///
/// For a vendor's own queue, or for a [`Batch`](crate::Batch), which holds such pushes in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// How often a push is sent at most, the first time included; 5 unless set.
    pub max_attempts: u32,
    /// The longest delay; 6 hours unless set. A longer one that the service asks for is kept all the
    /// same.
    pub max_delay: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            max_delay: Duration::from_secs(6 * 60 * 60),
        }
    }
}

impl RetryPolicy {
    /// Changes any of the numbers in one go.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    /// How long to wait after attempt number `attempt` (the first is 1) had this outcome; `None`
    /// where it is final.
    ///
    /// The delay that the answer names doubles with each attempt. Up to a quarter is added by `random`, a
    /// number from 0 up to 1, so that a fleet does not return in one moment.
    pub fn next(&self, outcome: &Outcome, attempt: u32, random: f64) -> Option<Duration> {
        let Outcome::RetryAfter { delay, .. } = outcome else {
            return None;
        };
        if attempt >= self.max_attempts {
            return None;
        }
        let longest = self.max_delay.max(*delay);
        let doubled = 1_u32
            .checked_shl(attempt.saturating_sub(1))
            .and_then(|factor| delay.checked_mul(factor))
            .map_or(longest, |delay| delay.min(longest));
        let random = if random.is_finite() {
            random.clamp(0.0, 1.0)
        } else {
            0.5
        };
        let chance = Duration::try_from_secs_f64(doubled.as_secs_f64() * random / 4.0);
        Some(doubled.saturating_add(chance.unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{outcome::Rejection, reason::Reason};

    fn put_off(seconds: u64) -> Outcome {
        Outcome::RetryAfter {
            delay: Duration::from_secs(seconds),
            rejection: Rejection {
                status: 503,
                reason: Some(Reason::ServiceUnavailable),
                apns_id: None,
            },
        }
    }

    #[test]
    fn each_attempt_waits_twice_as_long_until_the_longest_delay_and_the_last_attempt() {
        let policy = RetryPolicy::default().with(|policy| {
            policy.max_attempts = 8;
            policy.max_delay = Duration::from_secs(4 * 3600);
        });
        let minutes: Vec<_> = (1..=8)
            .map(|attempt| {
                policy
                    .next(&put_off(900), attempt, 0.0)
                    .map(|delay| delay.as_secs() / 60)
            })
            .collect();
        let expected = [15, 30, 60, 120, 240, 240, 240].map(Some);
        assert_eq!(minutes, [&expected[..], &[None]].concat());
    }

    #[test]
    fn chance_adds_up_to_a_quarter_and_no_number_breaks_it() {
        let policy = RetryPolicy::default();
        let next = |random| policy.next(&put_off(900), 1, random).unwrap().as_secs();
        assert_eq!((next(0.0), next(0.5), next(1.0)), (900, 1012, 1125));
        assert_eq!((next(f64::NAN), next(-7.0), next(1e300)), (1012, 900, 1125));
        let far = policy.with(|policy| policy.max_attempts = u32::MAX);
        assert_eq!(
            far.next(&put_off(900), 4_000_000, 0.0),
            Some(policy.max_delay)
        );
        // Longer than the policy would wait by itself, but the service's own word.
        assert_eq!(
            policy.next(&put_off(86_400), 3, 0.0),
            Some(Duration::from_secs(86_400))
        );
    }

    #[test]
    fn every_other_outcome_is_final() {
        let Outcome::RetryAfter { rejection, .. } = put_off(1) else {
            unreachable!()
        };
        for outcome in [
            Outcome::Delivered { apns_id: None },
            Outcome::TopicBroken(rejection.clone()),
            Outcome::Misconfigured(rejection.clone()),
            Outcome::Unknown(rejection),
        ] {
            assert_eq!(RetryPolicy::default().next(&outcome, 1, 0.0), None);
        }
    }
}
