//! The one who delivers: takes a subscriber's events from the outbox, in order, and hands them over.

use std::{fmt, future::pending, pin::pin, sync::Arc, time::Duration};

use async_trait::async_trait;
use mdm_core::Clock;

use crate::{
    Event, EventKind, Store, StoreError,
    queue::Sequence,
    time::{after, stopped_within},
};

/// Somebody who wants to hear of events.
#[async_trait]
pub trait Subscriber: fmt::Debug + Send + Sync {
    /// Takes events in their order, at least once each: after an answer that got lost, or from a node
    /// that took over, the same ones come again. Their [`event_id`](super::event_id) tells; sequences begin anew
    /// where a backup of the store is restored.
    async fn deliver(&self, events: &[(Sequence, Event)]) -> Delivery;
}

#[async_trait]
impl<S: Subscriber + ?Sized> Subscriber for Arc<S> {
    async fn deliver(&self, events: &[(Sequence, Event)]) -> Delivery {
        (**self).deliver(events).await
    }
}

/// What became of events that were handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delivery {
    /// The subscriber has them all.
    Taken,
    /// The subscriber cannot take anything now: they wait, however long it is, and it is no attempt.
    #[non_exhaustive]
    Unavailable {
        /// What is wrong.
        reason: String,
        /// When it wants to be asked again, where it said so.
        retry_after: Option<Duration>,
    },
    /// The subscriber failed over them: they are tried again, and given up after
    /// [`EventPace::attempts`].
    #[non_exhaustive]
    Failed {
        /// What is wrong.
        reason: String,
    },
    /// The subscriber will never take them: those it is become dead letters, the others are delivered.
    #[non_exhaustive]
    Refused {
        /// Why.
        reason: String,
    },
}

impl Delivery {
    /// The subscriber cannot take anything now.
    pub fn unavailable(reason: impl Into<String>, retry_after: Option<Duration>) -> Self {
        Self::Unavailable {
            reason: reason.into(),
            retry_after,
        }
    }

    /// The subscriber failed over them.
    pub fn failed(reason: impl Into<String>) -> Self {
        Self::Failed {
            reason: reason.into(),
        }
    }

    /// The subscriber will never take them.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused {
            reason: reason.into(),
        }
    }
}

/// How events are delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventPace {
    /// How often the outbox is looked at. Default 1 second.
    pub every: Duration,
    /// Events at once. Default 100.
    pub batch: usize,
    /// How long this node alone delivers to the subscriber, from each look on. Longer than a delivery
    /// takes. Default 2 minutes.
    pub lease: Duration,
    /// The wait after the first failure; it doubles with each further one. Default 1 second.
    pub first_retry: Duration,
    /// The longest wait. Default 10 minutes.
    pub longest_retry: Duration,
    /// How often an event is tried that the subscriber fails over, before it becomes a dead letter.
    /// Default 15, which is about an hour.
    ///
    /// As often one is left to other nodes that cannot be [read](EventKind::Unreadable): while nodes are brought up to date, a
    /// newer one delivers it. Where none came, further ones are not waited for, until another node has delivered.
    pub attempts: u32,
    /// How many events may wait for the subscriber; of more, the oldest become dead letters, be it away or too slow.
    /// Default 100,000.
    pub waiting: u64,
}

impl Default for EventPace {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(1),
            batch: 100,
            lease: Duration::from_secs(120),
            first_retry: Duration::from_secs(1),
            longest_retry: Duration::from_secs(600),
            attempts: 15,
            waiting: 100_000,
        }
    }
}

impl EventPace {
    /// The pace after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// The wait after so many failures in a row.
    fn backoff(&self, failures: u32) -> Duration {
        let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
        let wait = self.first_retry.saturating_mul(doubled);
        wait.min(self.longest_retry)
    }
}

/// Delivers one subscriber's events.
///
/// Made by [`Service::event_worker`](crate::Service::event_worker). Each subscriber has workers of its
/// own, so that a slow one stops no other. Several nodes may each have one for the same subscriber: a
/// lease lets one of them deliver at a time, which keeps the order.
#[derive(Debug)]
pub struct EventWorker {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    name: String,
    node: String,
    subscriber: Arc<dyn Subscriber>,
    pace: EventPace,
    /// For how many deliveries in a row it has taken nothing, for whatever reason.
    failures: u32,
    /// The event at the front and how often the subscriber failed over it.
    tried: Option<(Sequence, u32)>,
    /// Up to here events go one by one: the subscriber did not take these together.
    singly_until: Option<Sequence>,
    /// How often something that cannot be read here was left to other nodes, since one of them delivered.
    left: u32,
}

/// What a look at the outbox came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EventRound {
    /// Another node delivers to this subscriber.
    Elsewhere,
    /// Nothing waits.
    Idle,
    /// The subscriber took so many events.
    #[non_exhaustive]
    Delivered {
        /// How many.
        events: usize,
    },
    /// So many events became dead letters.
    #[non_exhaustive]
    Buried {
        /// How many.
        events: usize,
    },
    /// The events wait so long for the next attempt.
    #[non_exhaustive]
    Waits {
        /// How long.
        wait: Duration,
    },
}

impl EventWorker {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        name: String,
        node: String,
        subscriber: Arc<dyn Subscriber>,
        pace: EventPace,
    ) -> Self {
        Self {
            store,
            clock,
            name,
            node,
            subscriber,
            pace,
            failures: 0,
            tried: None,
            singly_until: None,
            left: 0,
        }
    }

    /// Delivers until it is dropped; a store that fails is asked again. Subscribes first.
    pub async fn run(self) {
        self.run_until(pending()).await;
    }

    /// Delivers until `stop` is ready: then what is being delivered is finished, and the subscriber is left to other
    /// nodes at once. A worker that is dropped keeps it to the end of its lease.
    pub async fn run_until(mut self, stop: impl Future<Output = ()> + Send) {
        let mut stop = pin!(stop);
        let mut is_subscribed = false;
        loop {
            let wait = self.step(&mut is_subscribed).await;
            if stopped_within(&*self.clock, wait, stop.as_mut()).await {
                break;
            }
        }
        if let Err(error) = self.store.release(&self.lease(), &self.node).await {
            tracing::warn!(subscriber = self.name, error = %error, "a lease ends by itself");
        }
    }

    /// What is to be done next, and how long to wait then.
    async fn step(&mut self, is_subscribed: &mut bool) -> Duration {
        let done = if *is_subscribed {
            self.round().await
        } else {
            let subscribed = self.store.subscribe(&self.name).await;
            *is_subscribed = subscribed.is_ok();
            subscribed.map(|_| EventRound::Waits {
                wait: Duration::ZERO,
            })
        };
        match done {
            Ok(EventRound::Delivered { .. } | EventRound::Buried { .. }) => Duration::ZERO,
            Ok(EventRound::Waits { wait }) => wait,
            Ok(EventRound::Idle | EventRound::Elsewhere) => self.pace.every,
            Err(error) => {
                tracing::error!(subscriber = self.name, error = %error, "events wait for the store");
                self.pace.every
            }
        }
    }

    fn lease(&self) -> String {
        format!("events/{}", self.name)
    }

    /// Delivers once, what is at the front.
    ///
    /// # Errors
    /// [`StoreError`]: events that were delivered may come again.
    pub async fn round(&mut self) -> Result<EventRound, StoreError> {
        let now = self.clock.now();
        let lease = self.lease();
        let until = after(now, self.pace.lease);
        if !self.store.lease(&lease, &self.node, now, until).await? {
            self.left = 0;
            return Ok(EventRound::Elsewhere);
        }
        let batch = self.singly_until.map_or(self.pace.batch, |_| 1);
        let mut events = self.store.events(&self.name, batch).await?;
        let is_readable =
            |(_, event): &(Sequence, Event)| !matches!(event.kind, EventKind::Unreadable { .. });
        let unreadable = events.iter().take_while(|event| !is_readable(event));
        let unreadable: Vec<_> = unreadable.map(|(sequence, _)| *sequence).collect();
        if !unreadable.is_empty() {
            return self.leave(&unreadable).await;
        }
        events.truncate(events.iter().take_while(|event| is_readable(event)).count());
        let (Some((first, _)), Some((last, _))) = (events.first(), events.last()) else {
            return Ok(EventRound::Idle);
        };
        let (first, last) = (*first, *last);
        let is_single = events.len() == 1;
        match self.subscriber.deliver(&events).await {
            Delivery::Taken => {
                let sequences = sequences(&events);
                self.store
                    .acknowledge_events(&self.name, &sequences)
                    .await?;
                self.passed(last);
                if events.len() >= batch {
                    // It may be slower than what happens.
                    self.overflow().await?;
                }
                Ok(EventRound::Delivered {
                    events: events.len(),
                })
            }
            Delivery::Refused { reason } if is_single => self.bury(&[last], &reason).await,
            Delivery::Refused { .. } => {
                self.singly_until = Some(last);
                Ok(EventRound::Waits {
                    wait: Duration::ZERO,
                })
            }
            Delivery::Failed { reason } => {
                self.failures = self.failures.saturating_add(1);
                let before = self.tried.filter(|(tried, _)| *tried == first);
                let attempts = before.map_or(1, |(_, attempts)| attempts.saturating_add(1));
                if is_single && attempts >= self.pace.attempts {
                    return self.bury(&[last], &reason).await;
                }
                self.tried = Some((first, attempts));
                self.singly_until = Some(last);
                self.wait(&reason, None).await
            }
            Delivery::Unavailable {
                reason,
                retry_after,
            } => {
                self.failures = self.failures.saturating_add(1);
                self.wait(&reason, retry_after).await
            }
        }
    }

    /// Leaves what cannot be read here to other nodes, one of which may be newer; buries it where none was for long.
    async fn leave(&mut self, unreadable: &[Sequence]) -> Result<EventRound, StoreError> {
        self.left = self.left.saturating_add(1);
        if self.left >= self.pace.attempts {
            return self.bury(unreadable, UNREADABLE).await;
        }
        self.store.release(&self.lease(), &self.node).await?;
        let wait = self.pace.backoff(self.left);
        self.wait(UNREADABLE, Some(wait)).await
    }

    async fn wait(
        &self,
        reason: &str,
        retry_after: Option<Duration>,
    ) -> Result<EventRound, StoreError> {
        self.overflow().await?;
        let wait = retry_after.unwrap_or_else(|| self.pace.backoff(self.failures));
        let wait = wait.min(self.pace.longest_retry);
        tracing::warn!(
            subscriber = self.name,
            reason,
            seconds = wait.as_secs(),
            "events wait"
        );
        Ok(EventRound::Waits { wait })
    }

    /// What is too much becomes dead letters, the oldest first.
    async fn overflow(&self) -> Result<(), StoreError> {
        /// At once.
        const BATCH: u64 = 1_000;
        let waiting = self.store.pending_events(&self.name).await?;
        let mut excess = waiting.saturating_sub(self.pace.waiting);
        while excess > 0 {
            let batch = excess.min(BATCH);
            let limit = usize::try_from(batch).unwrap_or(usize::MAX);
            let oldest = self.store.events(&self.name, limit).await?;
            self.to_dead_letters(&sequences(&oldest), "too many events waited")
                .await?;
            excess -= batch;
        }
        Ok(())
    }

    /// Nothing up to `last` is at the front any more.
    fn passed(&mut self, last: Sequence) {
        self.failures = 0;
        self.tried = None;
        self.singly_until = self.singly_until.filter(|until| last < *until);
    }

    /// Buries what is at the front.
    async fn bury(&mut self, front: &[Sequence], reason: &str) -> Result<EventRound, StoreError> {
        self.to_dead_letters(front, reason).await?;
        if let Some(last) = front.last() {
            self.passed(*last);
        }
        self.overflow().await?;
        Ok(EventRound::Buried {
            events: front.len(),
        })
    }

    async fn to_dead_letters(
        &self,
        sequences: &[Sequence],
        reason: &str,
    ) -> Result<(), StoreError> {
        let at = self.clock.now();
        tracing::error!(
            subscriber = self.name,
            reason,
            events = sequences.len(),
            "events become dead letters"
        );
        self.store
            .bury_events(&self.name, sequences, reason, at)
            .await?;
        Ok(())
    }
}

/// Why an event that cannot be read is a dead letter.
const UNREADABLE: &str = "this version of the program cannot read it";

fn sequences(events: &[(Sequence, Event)]) -> Vec<Sequence> {
    events.iter().map(|(sequence, _)| *sequence).collect()
}
