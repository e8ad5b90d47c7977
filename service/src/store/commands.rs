//! Commands and reports: the hot path.

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use super::StoreError;
use crate::queue::{CommandFilter, CommandRecord, Enqueued, NewCommand, Polled, Report, Sequence};

/// The command queue of each enrolment.
#[async_trait]
pub trait CommandStore: fmt::Debug + Send + Sync {
    /// Queues all commands in their order, or none; answers for each.
    ///
    /// The first of these that applies:
    /// - [`NotEnrolled`](Enqueued::NotEnrolled): the enrolment is unknown or
    ///   [`Disabled`](crate::EnrollmentStatus::Disabled).
    /// - [`Duplicate`](Enqueued::Duplicate): it already has a command of that UUID.
    /// - [`Merged`](Enqueued::Merged): a command of that key waits for it. One whose time is over does
    ///   not count: it expires here.
    /// - [`Queued`](Enqueued::Queued): a push is due at the command's time at the latest, if the
    ///   enrolment is [pushable](crate::Enrollment::is_pushable).
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is queued.
    async fn enqueue(&self, commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError>;

    /// Records a report and fetches the next command, as one step.
    ///
    /// The certificate must be the one pinned to the device, or nothing happens. Then (Q17):
    /// - `Idle` releases everything that was set aside; next is whatever waits.
    /// - `NotNow` sets the command aside; next is what was never answered.
    /// - A final answer settles the command and writes its event, joins what the device says of itself
    ///   to what is known ([`Report::joined`]; news move the device's version) and keeps the secrets; next is
    ///   what is not set aside.
    ///
    /// What the enrolment has waiting whose time is over is settled as
    /// [`Expired`](crate::queue::CommandState::Expired), with an event, after the report itself and
    /// before the next is chosen. Of the rest comes first what has the higher priority, and among
    /// these what was queued first.
    ///
    /// A command stays until it is settled, so one whose delivery was lost is offered again. A
    /// report on a command that is settled, cancelled, expired or unknown changes nothing and is
    /// answered like any other.
    ///
    /// Afterwards a push is due as [`PushTimes`](crate::queue::PushTimes) says: `delivered` if a command
    /// was handed out, `set_aside` if others wait, none if nothing waits or the enrolment is not
    /// [pushable](crate::Enrollment::is_pushable). A report that changes nothing of all this writes nothing.
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

    /// The enrolment's commands that `filter` takes, in the order in which they were queued, after
    /// `after` and at most `limit`.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot answer.
    async fn commands(
        &self,
        id: &EnrollmentId,
        filter: &CommandFilter,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError>;

    /// Takes one command back; whether it waited. A device that has it already may still carry it out.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then it is as it was.
    async fn cancel(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError>;

    /// Takes back everything that waits for each of `ids`, all of it or nothing, and tells how many
    /// commands that were. A device's users have queues of their own.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then all is as it was.
    async fn clear(&self, ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<u64, StoreError>;

    /// Settles what waits and whose time was over at `now`, of enrolments that do not call either, at
    /// most `limit` at once, each with its event; tells how many.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is settled.
    async fn expire(&self, now: DateTime<Utc>, limit: usize) -> Result<usize, StoreError>;

    /// Deletes commands that were settled, cancelled or expired before `before`, at most `limit` at
    /// once, and tells how many.
    ///
    /// # Errors
    /// [`StoreError`] if the store failed: then none is deleted.
    async fn forget_finished(
        &self,
        before: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError>;
}
