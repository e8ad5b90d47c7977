//! Events on their way to the vendor.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::StoreError;
use crate::{DeadLetter, Event, queue::Sequence};

/// Events on their way to the vendor: each is kept for each subscriber until this one acknowledges it,
/// so that a slow one holds up no other. Without a subscriber nothing is kept.
///
/// The events of one enrolment have their sequences in the order of the steps that wrote them. Those of
/// two enrolments may become visible in another order than that of their sequences, so a reader keeps no
/// place: what it has, it acknowledges.
///
/// A name that is no subscriber's has no events, and nothing can be done to them.
#[async_trait]
pub trait Outbox: fmt::Debug + Send + Sync {
    /// Keeps every event from now on for `subscriber` too; whether it is new.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then all is as it was.
    async fn subscribe(&self, subscriber: &str) -> Result<bool, StoreError>;

    /// Forgets `subscriber`, its events and its dead letters; whether it was one.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then all is as it was.
    async fn unsubscribe(&self, subscriber: &str) -> Result<bool, StoreError>;

    /// All subscribers, sorted.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn subscribers(&self) -> Result<Vec<String>, StoreError>;

    /// Writes events that belong to no step, such as that of a device which was turned away before it was
    /// known.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is written.
    async fn tell(&self, events: Vec<Event>) -> Result<(), StoreError>;

    /// The subscriber's events, oldest first, at most `limit`. One that cannot be read is
    /// [`Unreadable`](crate::EventKind::Unreadable) and hides no other; what is written stays as it is, also where it
    /// becomes a dead letter and is revived.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn events(
        &self,
        subscriber: &str,
        limit: usize,
    ) -> Result<Vec<(Sequence, Event)>, StoreError>;

    /// How many events the subscriber has not acknowledged; dead letters do not count.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn pending_events(&self, subscriber: &str) -> Result<u64, StoreError>;

    /// Deletes these events of the subscriber. Those that are gone already do no harm.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is deleted.
    async fn acknowledge_events(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<(), StoreError>;

    /// Moves these events to the subscriber's dead letters, where they are nobody's turn; tells how
    /// many were still events.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is moved.
    async fn bury_events(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
        reason: &str,
        at: DateTime<Utc>,
    ) -> Result<u64, StoreError>;

    /// The subscriber's dead letters after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn dead_letters(
        &self,
        subscriber: &str,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<DeadLetter>, StoreError>;

    /// Makes these dead letters events again, at the place that they had; tells how many.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then all is as it was.
    async fn revive_dead_letters(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<u64, StoreError>;

    /// Deletes these dead letters; tells how many.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is deleted.
    async fn forget_dead_letters(
        &self,
        subscriber: &str,
        sequences: &[Sequence],
    ) -> Result<u64, StoreError>;
}
