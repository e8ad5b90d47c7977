//! An authority whose end is near: who renews it too late stops every enrolment at once.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::Certificate;

/// Tells once a day of certificates that end soon.
#[derive(Debug)]
pub(crate) struct ExpiryWatch {
    before: TimeDelta,
    last: Mutex<Option<DateTime<Utc>>>,
}

impl ExpiryWatch {
    /// How long before the end the warnings begin unless told otherwise.
    pub(crate) const BEFORE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

    /// Watches for ends that are this near.
    pub(crate) fn new(before: Duration) -> Self {
        Self {
            before: TimeDelta::from_std(before).unwrap_or(TimeDelta::MAX),
            last: Mutex::new(None),
        }
    }

    /// Those of the certificates to warn of now: none if that was done within the last day.
    pub(crate) fn due<'c>(
        &self,
        certificates: impl Iterator<Item = &'c Certificate>,
        now: DateTime<Utc>,
    ) -> Vec<&'c Certificate> {
        let mut ending: Vec<_> = certificates
            .filter(|certificate| certificate.not_after() - now <= self.before)
            .collect();
        ending.dedup();
        if ending.is_empty() {
            return ending;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now - last < TimeDelta::days(1)) {
            return Vec::new();
        }
        *last = Some(now);
        ending
    }
}
