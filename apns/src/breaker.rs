//! Stops a topic that the service called broken: to go on would earn only throttling (facts: every
//! 4xx answer but 410 counts against the sender).

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::Clock;

use crate::{error::Error, outcome::Outcome};

/// Lets pushes pass, or says why not.
///
/// Once broken, nothing passes until the pause is over; then one push does as a trial, and what
/// becomes of it decides.
#[derive(Debug)]
pub(crate) struct Breaker {
    pause: TimeDelta,
    max_strikes: u32,
    /// Pushes refused in a row for what all have in common.
    strikes: AtomicU32,
    /// Whether there is anything in `broken`: most pushes look no further.
    is_broken: AtomicBool,
    broken: Mutex<Option<Broken>>,
}

#[derive(Debug, Clone)]
struct Broken {
    until: DateTime<Utc>,
    why: String,
}

impl Breaker {
    pub(crate) fn new(pause: Duration, max_strikes: u32) -> Self {
        Self {
            pause: TimeDelta::from_std(pause).unwrap_or(TimeDelta::MAX),
            max_strikes,
            strikes: AtomicU32::new(0),
            is_broken: AtomicBool::new(false),
            broken: Mutex::new(None),
        }
    }

    /// Whether a push may pass now. The one that is let through after a pause is the trial: for those
    /// behind it the pause goes on.
    pub(crate) fn admit(&self, now: DateTime<Utc>) -> Result<Option<Trial<'_>>, Error> {
        if !self.is_broken.load(Relaxed) {
            return Ok(None);
        }
        match &mut *self.broken() {
            Some(broken) if now < broken.until => Err(broken.error()),
            Some(broken) => {
                broken.until = later(now, self.pause);
                Ok(Some(Trial {
                    breaker: self,
                    begun: now,
                    until: broken.until,
                }))
            }
            None => Ok(None),
        }
    }

    /// Takes note of an answer. `Some` says that the topic broke with it: nothing more may be sent.
    pub(crate) fn observe(&self, outcome: &Outcome, clock: &dyn Clock) -> Option<Error> {
        match outcome {
            Outcome::Delivered { .. } | Outcome::DeadToken { .. } => {
                if self.strikes.load(Relaxed) != 0 || self.is_broken.load(Relaxed) {
                    self.mend();
                }
                None
            }
            Outcome::TopicBroken(rejection) => Some(self.trip(rejection.to_string(), clock.now())),
            Outcome::Misconfigured(rejection) if !rejection.is_token_suspect() => {
                let strikes = self.strikes.fetch_add(1, Relaxed).saturating_add(1);
                (strikes >= self.max_strikes).then(|| self.trip(rejection.to_string(), clock.now()))
            }
            _ => None,
        }
    }

    /// Stops the topic.
    pub(crate) fn trip(&self, why: String, now: DateTime<Utc>) -> Error {
        let broken = Broken {
            until: later(now, self.pause),
            why,
        };
        let error = broken.error();
        let mut place = self.broken();
        *place = Some(broken);
        self.is_broken.store(true, Relaxed);
        error
    }

    /// Lets pushes pass again.
    pub(crate) fn mend(&self) {
        self.strikes.store(0, Relaxed);
        let mut place = self.broken();
        *place = None;
        self.is_broken.store(false, Relaxed);
    }

    fn broken(&self) -> MutexGuard<'_, Option<Broken>> {
        self.broken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The push that is to show whether the topic is still broken. Dropped without a verdict, it leaves the next to be
/// the trial.
#[derive(Debug)]
pub(crate) struct Trial<'a> {
    breaker: &'a Breaker,
    begun: DateTime<Utc>,
    until: DateTime<Utc>,
}

impl Trial<'_> {
    /// There was an answer.
    pub(crate) fn decided(mut self) {
        self.begun = self.until;
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        match &mut *self.breaker.broken() {
            Some(broken) if broken.until == self.until => broken.until = self.begun,
            _ => {}
        }
    }
}

impl Broken {
    fn error(&self) -> Error {
        Error::Paused {
            until: self.until,
            why: self.why.clone(),
        }
    }
}

fn later(now: DateTime<Utc>, pause: TimeDelta) -> DateTime<Utc> {
    now.checked_add_signed(pause)
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}
