//! Identities are renewed before they end: a device that comes with one that ends soon gets its enrolment profile again, with
//! a challenge for a new one.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use http::Request;
use mdm_sdk::{
    core::Secret,
    pki::Certificate,
    protocol::{Command, EnrollmentId, command::InstallProfile},
    service::{
        EnqueueOptions, EnrollmentStatus, Fingerprint,
        identity::{IdentityError, IdentitySource},
    },
};
use tokio::sync::mpsc;

use crate::{config, enroll::Profiles, error::told, schedule::is_device, server::App};

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// The key under which one renewal waits at most.
const KEY: &str = "identity-renewal";

/// Before what is asked for by itself.
const PRIORITY: i16 = 1;

/// Certificates that wait to be looked at, and that are remembered.
const WAITING: usize = 1_024;
const REMEMBERED: usize = 100_000;

/// How long a challenge outlives the command that brings it: a device that has the profile already may be slow.
const GRACE: TimeDelta = TimeDelta::hours(1);

/// How long before its end an identity is renewed, and how often that is tried.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pace {
    before: TimeDelta,
    every: TimeDelta,
    /// When the authority ends: nothing that it issues lasts longer.
    latest: DateTime<Utc>,
}

/// The one attempt to renew an identity that is made until `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Attempt {
    number: i64,
    end: DateTime<Utc>,
}

impl Pace {
    /// The pace of these settings, by an authority that ends at `latest`; none if nothing is to be renewed.
    pub(crate) fn new(settings: &config::Scep, latest: DateTime<Utc>) -> Option<Self> {
        let before = match settings.renew_days {
            Some(days) => TimeDelta::days(days.into()),
            None => TimeDelta::days(settings.validity_days.into()) / 4,
        };
        let every = (before / 8).clamp(TimeDelta::minutes(1), TimeDelta::days(7));
        (before > TimeDelta::zero()).then_some(Self {
            before,
            every,
            latest,
        })
    }

    /// After how long without a word a device is told to call, so that what it has is seen in time.
    pub(crate) fn silence(self) -> TimeDelta {
        self.before / 2
    }

    /// How often such devices are told.
    pub(crate) const fn every(self) -> TimeDelta {
        self.every
    }

    /// Whether what ends then is to be renewed.
    fn is_due(self, not_after: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.ends_soon(not_after, now) && not_after < self.latest
    }

    fn ends_soon(self, not_after: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        not_after - now <= self.before
    }

    fn attempt(self, now: DateTime<Utc>) -> Attempt {
        let every = self.every.num_seconds().max(1);
        let number = now.timestamp().div_euclid(every);
        let end = DateTime::from_timestamp(number.saturating_add(1).saturating_mul(every), 0);
        Attempt {
            number,
            end: end.unwrap_or(now),
        }
    }
}

/// Sees who comes with an identity that ends soon.
#[derive(Debug)]
pub(crate) struct Watch<I> {
    inner: I,
    pace: Pace,
    seen: Arc<Seen>,
    found: mpsc::Sender<Certificate>,
    /// The day on which it was last said that the authority ends, counted from 1970.
    warned: AtomicI64,
}

/// Whose turn was in which attempt.
#[derive(Debug, Default)]
struct Seen(Mutex<BTreeMap<Fingerprint, i64>>);

impl Seen {
    /// Whether it is the first time in this attempt.
    fn is_new(&self, fingerprint: Fingerprint, attempt: Attempt) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            // Whoever is forgotten is looked up once more.
            seen.clear();
        }
        seen.insert(fingerprint, attempt.number) != Some(attempt.number)
    }

    fn forget(&self, fingerprint: &Fingerprint) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.remove(fingerprint);
    }
}

#[async_trait]
impl<I: IdentitySource> IdentitySource for Watch<I> {
    async fn identify(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError> {
        let certificate = self.inner.identify(request, now).await?;
        let not_after = certificate.not_after();
        if self.pace.is_due(not_after, now) {
            if let Ok(fingerprint) = Fingerprint::of(&certificate)
                && self.seen.is_new(fingerprint, self.pace.attempt(now))
                && self.found.try_send(certificate.clone()).is_err()
            {
                self.seen.forget(&fingerprint);
            }
        } else if self.pace.ends_soon(not_after, now) {
            self.warn(now);
        }
        Ok(certificate)
    }
}

impl<I> Watch<I> {
    /// Once a day: what is renewed now would end with the authority, as what devices have does.
    fn warn(&self, now: DateTime<Utc>) {
        let today = now.timestamp().div_euclid(24 * 3_600);
        if self.warned.swap(today, Ordering::Relaxed) != today {
            let ends = self.pace.latest.to_rfc3339();
            tracing::error!(
                ends,
                "the authority ends soon: identities are not renewed, and every device has to enrol anew"
            );
        }
    }
}

/// Renews what a [`Watch`] has seen.
pub(crate) struct Renewals {
    pace: Pace,
    seen: Arc<Seen>,
    found: mpsc::Receiver<Certificate>,
}

/// Has `identity` watched.
pub(crate) fn watch<I>(identity: I, pace: Pace) -> (Watch<I>, Renewals) {
    let (sender, found) = mpsc::channel(WAITING);
    let seen = Arc::new(Seen::default());
    let watch = Watch {
        inner: identity,
        pace,
        seen: seen.clone(),
        found: sender,
        warned: AtomicI64::new(0),
    };
    (watch, Renewals { pace, seen, found })
}

impl Renewals {
    /// Works until it is dropped.
    pub(crate) async fn run(mut self, app: App, profiles: Profiles) {
        while let Some(certificate) = self.found.recv().await {
            let Ok(fingerprint) = Fingerprint::of(&certificate) else {
                continue;
            };
            let renewed = self.renew(&app, &profiles, &certificate, fingerprint);
            if let Err(error) = renewed.await {
                tracing::error!(error = told(&*error), "an identity is not renewed yet");
                self.seen.forget(&fingerprint);
            }
        }
    }

    /// Queues the profile for the device whose pin this is, unless that was done in this attempt. Any node may; the name
    /// of the command keeps two from doing it.
    async fn renew(
        &self,
        app: &App,
        profiles: &Profiles,
        certificate: &Certificate,
        fingerprint: Fingerprint,
    ) -> Result<(), Cause> {
        let service = &app.service;
        let store = service.store();
        let Some(id) = owner(app, &fingerprint).await? else {
            return Ok(());
        };
        let Some(known) = store.enrollment(&id).await? else {
            return Ok(());
        };
        let is_in_force = known.certificate == Some(fingerprint)
            && known.status == EnrollmentStatus::Enrolled
            && is_device(&known.id);
        if !is_in_force {
            return Ok(());
        }
        if let Some(entry) = app.books.find(certificate).await?
            && entry.is_ordered()
        {
            // SCEP would put a key that nobody attests in the place of one that is.
            let ends = certificate.not_after().to_rfc3339();
            tracing::warn!(enrollment = %known.id, ends, "identity of ACME ends soon: send its ACME payload again");
            return Ok(());
        }
        let invitation = match &known.invitation {
            Some(name) => store.invitation(name).await?,
            None => None,
        };
        let Some(invitation) = invitation else {
            // An update has to repeat the URLs of the profile to the letter.
            tracing::warn!(enrollment = %known.id, "identity ends soon, and what its profile says is not known");
            return Ok(());
        };
        let now = app.clock.now();
        let attempt = self.pace.attempt(now);
        let uuid = command_uuid(&fingerprint, attempt.number);
        if service.command(&known.id, &uuid).await?.is_some() {
            return Ok(());
        }
        let lifetime = (attempt.end + GRACE - now).to_std().unwrap_or_default();
        let urls = app.portal.urls();
        let profile = profiles
            .renewal(&known, urls, &invitation, lifetime)
            .await?;
        let command = Command::new(uuid, &InstallProfile::new(Secret::new(profile.to_vec())));
        let options = EnqueueOptions::default().with(|options| {
            options.key = Some(KEY.to_owned());
            options.priority = PRIORITY;
            options.expires_at = Some(attempt.end);
            options.is_unchecked = true;
        });
        let ids = std::slice::from_ref(&known.id);
        service.enqueue_each(ids, &command, &options).await?;
        tracing::info!(enrollment = %known.id, "identity ends soon: its renewal is queued");
        Ok(())
    }
}

/// Whose certificate it is.
async fn owner(app: &App, fingerprint: &Fingerprint) -> Result<Option<EnrollmentId>, Cause> {
    // The owner is told whoever is asked about.
    let nobody = "enrollment:nobody".parse()?;
    let loaded = app.service.store().load(&nobody, fingerprint).await?;
    Ok(loaded.certificate_owner)
}

/// The command's name: the same for every node and every try in one attempt.
fn command_uuid(fingerprint: &Fingerprint, attempt: i64) -> String {
    let digits = fingerprint.to_string();
    format!("renewal-{}-{attempt}", digits.get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace(validity_days: u32, renew_days: Option<u32>) -> Option<Pace> {
        let settings = config::Scep {
            validity_days,
            renew_days,
            ..config::Scep::default()
        };
        Pace::new(&settings, "2036-11-22T12:00:00Z".parse().unwrap())
    }

    #[test]
    fn what_ends_with_the_authority_is_not_renewed_any_more() {
        let pace = pace(100, Some(20)).unwrap();
        let now = pace.latest - TimeDelta::days(10);
        assert!(pace.is_due(pace.latest - TimeDelta::days(1), now));
        assert!(!pace.is_due(pace.latest, now));
        assert!(!pace.is_due(now + TimeDelta::days(21), now));
    }

    #[test]
    fn a_quarter_of_the_validity_is_left_unless_said() {
        assert_eq!(pace(360, None).unwrap().before, TimeDelta::days(90));
        assert_eq!(pace(360, Some(14)).unwrap().before, TimeDelta::days(14));
        assert!(pace(360, Some(0)).is_none());
    }

    #[test]
    fn attempts_follow_each_other_and_there_are_several_before_the_end() {
        for pace in [pace(1, None), pace(365, None), pace(365, Some(1))] {
            let pace = pace.unwrap();
            let now = "2026-11-22T12:00:00Z".parse().unwrap();
            let first = pace.attempt(now);
            assert!(first.end > now && first.end - now <= pace.every);
            let second = pace.attempt(first.end);
            assert_eq!(second.number, first.number + 1);
            assert_eq!(second.end - first.end, pace.every);
            assert!(pace.before >= pace.every * 8);
        }
    }
}
