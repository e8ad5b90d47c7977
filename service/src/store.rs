//! What the service asks of a database.
//!
//! Two shapes. On the hot path one method is one atomic step ([`CommandStore`]). For rare decisions
//! the store loads, [`decide`](crate::enrollment::decide) decides, the store commits
//! ([`EnrollmentStore`]). A vendor's own store is right when it passes the `contract` suite (feature
//! `contract`).

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use crate::{
    Enrollment, Event, Fingerprint, PushTarget,
    enrollment::decide::{Loaded, Step, Version},
    queue::{CommandRecord, Enqueued, NewCommand, Polled, Report, Sequence},
};

mod memory;
mod shared;

pub use mdm_core::{StoreError, StoreErrorKind};
pub use memory::MemoryStore;

/// Everything that the service needs of a database.
pub trait Store: EnrollmentStore + CommandStore + Outbox {}

impl<S: EnrollmentStore + CommandStore + Outbox + ?Sized> Store for S {}

/// Devices, their users, and the certificates pinned to them.
#[async_trait]
pub trait EnrollmentStore: fmt::Debug + Send + Sync {
    /// What is known of the device of `id`, of the user if `id` is a user's, and of `certificate`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn load(
        &self,
        id: &EnrollmentId,
        certificate: &Fingerprint,
    ) -> Result<Loaded, StoreError>;

    /// Commits a step as one: states, cascade, pinned certificate and events, or nothing of it.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] if the device's version is not `version` any more, or if the
    /// certificate was pinned to another device meanwhile; [`CommitError::Store`] if the store
    /// failed.
    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        step: Step,
    ) -> Result<(), CommitError>;

    /// One enrolment as it is.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError>;

    /// Where to push each of `ids`, in their order; `None` for one that is not
    /// [`Enrolled`](crate::EnrollmentStatus::Enrolled).
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError>;
}

/// The command queue of each enrolment.
#[async_trait]
pub trait CommandStore: fmt::Debug + Send + Sync {
    /// Queues all commands in their order, or none; answers for each.
    ///
    /// A command for an enrolment that is unknown or
    /// [`Disabled`](crate::EnrollmentStatus::Disabled) is answered and left out, and so is one whose
    /// UUID the enrolment already has.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is queued.
    async fn enqueue(&self, commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError>;

    /// Records a report and fetches the next command, as one step.
    ///
    /// The certificate must be the one pinned to the device, or nothing happens. Then (Q17):
    /// - `Idle` releases everything that was set aside; next is the oldest command.
    /// - `NotNow` sets the command aside; next is the oldest that was never answered.
    /// - A final answer settles the command and writes its event; next is the oldest that is not set
    ///   aside.
    ///
    /// A command stays until it is settled, so one whose delivery was lost is offered again. A
    /// report on a command that is settled, cancelled or unknown changes nothing and is answered like any other.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then nothing is recorded.
    async fn record_report_and_next(&self, report: Report) -> Result<Polled, StoreError>;

    /// One command with what became of it.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn command(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
    ) -> Result<Option<CommandRecord>, StoreError>;

    /// The enrolment's commands after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn commands(
        &self,
        id: &EnrollmentId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError>;

    /// Deletes commands that were settled or cancelled before `before`, at most `limit` at once, and
    /// tells how many.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is deleted.
    async fn forget_finished(
        &self,
        before: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError>;
}

/// Events on their way to the vendor, each kept until it is acknowledged.
#[async_trait]
pub trait Outbox: fmt::Debug + Send + Sync {
    /// The events after `after`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn events(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Event)>, StoreError>;

    /// Deletes the events up to and including `through`.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is deleted.
    async fn acknowledge_events(&self, through: Sequence) -> Result<(), StoreError>;
}

/// Why a step was not committed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// Somebody else changed the enrolment: load and decide again.
    #[error("the enrolment was changed meanwhile")]
    Conflict,
    /// The store failed; nothing is recorded.
    #[error(transparent)]
    Store(#[from] StoreError),
}
