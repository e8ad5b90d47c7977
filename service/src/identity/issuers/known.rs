//! Certificates that were found to be an issuer's, and for how long that holds.

use std::{
    collections::HashMap,
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use mdm_pki::Certificate;

use crate::Fingerprint;

/// The times between which every certificate of a chain is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) since: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
}

impl Validity {
    pub(super) fn of(chain: &[Certificate]) -> Option<Self> {
        let since = chain.iter().map(Certificate::not_before).max()?;
        let until = chain.iter().map(Certificate::not_after).min()?;
        Some(Self { since, until })
    }
}

/// What was found, in two generations: once the younger is full it takes the place of the older, and who is asked for
/// moves into the younger. So whoever calls stays, whoever does not goes, and nothing is searched for that.
///
/// Clones share it.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Most certificates in each generation.
    half: usize,
    generations: Arc<Mutex<[HashMap<Fingerprint, Validity>; 2]>>,
}

impl Known {
    /// Of at most so many certificates, rounded up to an even number.
    pub(super) fn new(most: usize) -> Self {
        Self {
            half: most.div_ceil(2),
            generations: Arc::default(),
        }
    }

    pub(super) fn find(&self, certificate: &Fingerprint) -> Option<Validity> {
        let mut generations = self.generations();
        let [young, old] = &mut *generations;
        if let Some(found) = young.get(certificate) {
            return Some(*found);
        }
        let found = old.remove(certificate)?;
        self.add(young, old, *certificate, found);
        Some(found)
    }

    pub(super) fn keep(&self, certificate: Fingerprint, validity: Validity) {
        let mut generations = self.generations();
        let [young, old] = &mut *generations;
        self.add(young, old, certificate, validity);
    }

    fn generations(&self) -> MutexGuard<'_, [HashMap<Fingerprint, Validity>; 2]> {
        let generations = self.generations.lock();
        generations.unwrap_or_else(PoisonError::into_inner)
    }

    fn add(
        &self,
        young: &mut HashMap<Fingerprint, Validity>,
        old: &mut HashMap<Fingerprint, Validity>,
        certificate: Fingerprint,
        validity: Validity,
    ) {
        if self.half == 0 {
            return;
        }
        if young.len() >= self.half {
            *old = mem::take(young);
        }
        young.insert(certificate, validity);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(n: u8) -> Fingerprint {
        Fingerprint::new([n; 32])
    }

    const VALIDITY: Validity = Validity {
        since: DateTime::UNIX_EPOCH,
        until: DateTime::UNIX_EPOCH,
    };

    #[test]
    fn no_more_are_kept_than_may_be_and_those_that_are_asked_for_stay() {
        let known = Known::new(8);
        for n in 0..200 {
            known.keep(name(n), VALIDITY);
            assert_eq!(known.find(&name(0)), Some(VALIDITY), "{n}");
            assert_eq!(known.find(&name(n)), Some(VALIDITY), "{n}");
            let kept = (0..200).filter(|n| {
                let generations = known.generations.lock().unwrap();
                generations.iter().any(|it| it.contains_key(&name(*n)))
            });
            assert!(kept.count() <= 8);
        }
        assert_eq!(known.find(&name(1)), None);
    }

    #[test]
    fn without_room_nothing_is_kept() {
        let known = Known::new(0);
        known.keep(name(1), VALIDITY);
        assert_eq!(known.find(&name(1)), None);
    }
}
