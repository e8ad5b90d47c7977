//! The one who pushes: takes from the store who has to be told to call, and tells them.

use std::{future::pending, pin::pin, sync::Arc, time::Duration};

use chrono::{DateTime, Utc};
use mdm_core::Clock;

use super::{PushOutcome, PushSettled, PushTarget, Pusher};
use crate::{
    Store, StoreError,
    time::{after, stopped_within},
};

/// How often and how persistently devices are pushed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct PushPace {
    /// How often the store is asked who is due. Default 1 second.
    pub every: Duration,
    /// Pushes at once. Default 1,000.
    pub batch: usize,
    /// How long a batch may take before another node takes it over. Default 2 minutes.
    pub lease: Duration,
    /// When to push again to a device that did not call, after Apple took the push. Apple keeps a push
    /// for a device that is off, so this is for what got lost. Default 12 hours.
    pub unanswered: Duration,
    /// When to push again after a push did not get through, unless Apple says when. Default 1 minute.
    pub failed: Duration,
    /// When to push again after Apple refused a push, most often for our certificate or environment.
    /// Default 1 hour.
    pub refused: Duration,
}

impl Default for PushPace {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            batch: 1_000,
            lease: Duration::from_secs(2 * 60),
            unanswered: Duration::from_secs(12 * 3_600),
            failed: Duration::from_secs(60),
            refused: Duration::from_secs(3_600),
        }
    }
}

impl PushPace {
    /// The pace after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// What the store is told of a push.
    fn settled(&self, target: PushTarget, outcome: PushOutcome, now: DateTime<Utc>) -> PushSettled {
        let wait = match outcome {
            PushOutcome::Unregistered { .. } => return PushSettled::dead(target, now),
            PushOutcome::Sent { .. } => self.unanswered,
            PushOutcome::Refused { .. } | PushOutcome::NotPushable => self.refused,
            PushOutcome::Failed { retry_after, .. } => retry_after.unwrap_or(self.failed),
        };
        PushSettled::again(target, Some(after(now, wait)))
    }
}

/// Pushes to whom the store says a push is due.
///
/// However much is queued for a device, it is pushed to once until it calls, and again as the
/// [`PushPace`] says if it does not. A device that said `NotNow` is pushed to after a while
/// ([`PushTimes`](crate::queue::PushTimes)). A dead token ends pushes to that enrolment and to no other.
///
/// Made by [`Service::push_worker`](crate::Service::push_worker). Several nodes may each have one: the
/// store gives each push to one of them.
#[derive(Debug, Clone)]
pub struct PushWorker {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    pusher: Arc<dyn Pusher>,
    pace: PushPace,
}

impl PushWorker {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        pusher: Arc<dyn Pusher>,
        pace: PushPace,
    ) -> Self {
        Self {
            store,
            clock,
            pusher,
            pace,
        }
    }

    /// Pushes until it is dropped. What a dropped worker had begun, another takes over once the lease
    /// ends; a store that fails is asked again.
    pub async fn run(self) {
        self.run_until(pending()).await;
    }

    /// Pushes until `stop` is ready: then the batch that was begun is finished, and nothing stays leased.
    pub async fn run_until(self, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        loop {
            let wait = match self.round().await {
                Ok(round) if round.is_full => Duration::ZERO,
                Ok(_) => self.pace.every,
                Err(error) => {
                    tracing::error!(error = %error, "pushes wait for the store");
                    self.pace.failed
                }
            };
            if stopped_within(&*self.clock, wait, stop.as_mut()).await {
                break;
            }
        }
    }

    /// Pushes one batch of those that are due.
    ///
    /// # Errors
    /// [`StoreError`]: nothing was sent, or what became of it is not recorded and another round pushes
    /// again.
    pub async fn round(&self) -> Result<PushRound, StoreError> {
        let now = self.clock.now();
        let lease = after(now, self.pace.lease);
        let due = self.store.due_pushes(now, lease, self.pace.batch).await?;
        let mut round = PushRound {
            is_full: !due.is_empty() && due.len() == self.pace.batch,
            ..PushRound::default()
        };
        if due.is_empty() {
            return Ok(round);
        }
        let outcomes = self.pusher.push(&due).await;
        let now = self.clock.now();
        let settled: Vec<_> = due
            .into_iter()
            .zip(outcomes)
            .map(|(target, outcome)| {
                round.count(&target, &outcome);
                self.pace.settled(target, outcome, now)
            })
            .collect();
        self.store.settle_pushes(lease, &settled).await?;
        Ok(round)
    }
}

/// What one batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct PushRound {
    /// Pushes that Apple took.
    pub sent: usize,
    /// Tokens that are dead.
    pub dead: usize,
    /// Pushes that Apple refused.
    pub refused: usize,
    /// Pushes that did not get through.
    pub failed: usize,
    /// Whether more may be due.
    pub is_full: bool,
}

impl PushRound {
    fn count(&mut self, target: &PushTarget, outcome: &PushOutcome) {
        let id = &target.enrollment;
        match outcome {
            PushOutcome::Sent { .. } => self.sent += 1,
            PushOutcome::Unregistered { .. } => {
                tracing::info!(enrollment = %id, "the push token is dead");
                self.dead += 1;
            }
            PushOutcome::Refused { reason } => {
                tracing::warn!(enrollment = %id, reason, "Apple refused a push");
                self.refused += 1;
            }
            PushOutcome::Failed { reason, .. } => {
                tracing::info!(enrollment = %id, reason, "a push did not get through");
                self.failed += 1;
            }
            PushOutcome::NotPushable => self.refused += 1,
        }
    }
}
