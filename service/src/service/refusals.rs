//! Refusals that the vendor was told of a moment ago: who asks over and over is in the log each time and in the outbox once.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use chrono::{DateTime, TimeDelta, Utc};

/// How long one and the same refusal is not told again.
const QUIET: TimeDelta = TimeDelta::minutes(10);

/// Refusals that are remembered.
const REMEMBERED: usize = 10_000;

/// What was told of late, by this process.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<BTreeMap<String, DateTime<Utc>>>);

impl Refusals {
    /// Whether this is worth an event: it was not told a moment ago.
    pub(super) fn is_news(&self, refusal: &str, at: DateTime<Utc>) -> bool {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |then: &DateTime<Utc>| (at - *then).abs() < QUIET;
        if told.get(refusal).is_some_and(is_recent) {
            return false;
        }
        if told.len() >= REMEMBERED {
            told.retain(|_, then| is_recent(then));
            if told.len() >= REMEMBERED {
                told.clear();
            }
        }
        told.insert(refusal.to_owned(), at);
        true
    }

    /// It could not be told.
    pub(super) fn forget(&self, refusal: &str) {
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.remove(refusal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_news_once_in_a_while_and_what_is_kept_has_a_bound() {
        let refusals = Refusals::default();
        let now = DateTime::UNIX_EPOCH;
        assert!(refusals.is_news("a", now));
        assert!(!refusals.is_news("a", now + TimeDelta::minutes(9)));
        assert!(refusals.is_news("b", now));
        assert!(refusals.is_news("a", now + TimeDelta::minutes(10)));
        refusals.forget("b");
        assert!(refusals.is_news("b", now));
        for number in 0..=REMEMBERED {
            refusals.is_news(&number.to_string(), now);
        }
        assert!(refusals.0.lock().unwrap().len() <= REMEMBERED);
    }
}
