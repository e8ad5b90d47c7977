//! Profiles that were handed out and are not used yet: who asks again gets the same, so that each link and each device has
//! one challenge at a time, and so many in an hour.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_sdk::{
    scep::{Store, store::ChallengeId},
    service::Unavailable,
};

/// Profiles that one link or device gets in an hour.
const IN_AN_HOUR: u32 = 10;

const HOUR: TimeDelta = TimeDelta::hours(1);

/// Links and devices that are remembered.
const REMEMBERED: usize = 4_096;

/// What this node has handed out of late.
pub(crate) struct Handed {
    books: Arc<dyn Store>,
    of: Mutex<BTreeMap<String, Of>>,
}

/// What one link or device got.
struct Of {
    since: DateTime<Utc>,
    count: u32,
    last: Option<Profile>,
}

/// A profile with its challenge.
#[derive(Clone)]
pub(crate) struct Profile {
    /// `CheckInURL`: another invitation is another profile.
    pub(crate) url: String,
    pub(crate) signed: Bytes,
    pub(crate) challenge: ChallengeId,
    /// Until when there is enough time left to use it.
    pub(crate) until: DateTime<Utc>,
}

impl Handed {
    pub(crate) fn new(books: Arc<dyn Store>) -> Self {
        Self {
            books,
            of: Mutex::default(),
        }
    }

    fn of(&self) -> MutexGuard<'_, BTreeMap<String, Of>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The profile that `holder` was given and has not used. If there is none, one more may be made, which counts.
    pub(crate) async fn again(
        &self,
        holder: &str,
        url: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Bytes>, Unavailable> {
        let last = self.of().get(holder).and_then(|of| of.last.clone());
        if let Some(last) = last.filter(|last| last.url == url && now < last.until) {
            let record = self.books.challenge(&last.challenge).await;
            let record = record.map_err(Unavailable::new)?;
            if record.is_some_and(|record| record.spent.is_none()) {
                return Ok(Some(last.signed));
            }
        }
        self.count(holder, now)?;
        Ok(None)
    }

    fn count(&self, holder: &str, now: DateTime<Utc>) -> Result<(), Unavailable> {
        let mut all = self.of();
        if all.len() >= REMEMBERED && !all.contains_key(holder) {
            all.retain(|_, of| now - of.since < HOUR);
            if all.len() >= REMEMBERED {
                all.clear();
            }
        }
        let of = all.entry(holder.to_owned()).or_insert_with(|| Of {
            since: now,
            count: 0,
            last: None,
        });
        if now - of.since >= HOUR {
            (of.since, of.count) = (now, 0);
        }
        if of.count >= IN_AN_HOUR {
            return Err(Unavailable::new(format!(
                "{holder} was given {IN_AN_HOUR} profiles within an hour"
            )));
        }
        of.count = of.count.saturating_add(1);
        Ok(())
    }

    /// Remembers what `holder` was given.
    pub(crate) fn keep(&self, holder: &str, profile: Profile) {
        if let Some(of) = self.of().get_mut(holder) {
            of.last = Some(profile);
        }
    }
}

impl fmt::Debug for Handed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handed").finish_non_exhaustive()
    }
}
