//! A store behind an `Arc` is a store.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use super::{CommandStore, CommitError, EnrollmentStore, Outbox, StoreError};
use crate::{
    Enrollment, Event, Fingerprint, PushTarget,
    enrollment::decide::{Loaded, Step, Version},
    queue::{CommandRecord, Enqueued, NewCommand, Polled, Report, Sequence},
};

#[async_trait]
impl<S: EnrollmentStore + ?Sized> EnrollmentStore for Arc<S> {
    async fn load(
        &self,
        id: &EnrollmentId,
        certificate: &Fingerprint,
    ) -> Result<Loaded, StoreError> {
        (**self).load(id, certificate).await
    }

    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        step: Step,
    ) -> Result<(), CommitError> {
        (**self).commit(id, version, step).await
    }

    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError> {
        (**self).enrollment(id).await
    }

    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError> {
        (**self).push_targets(ids).await
    }
}

#[async_trait]
impl<S: CommandStore + ?Sized> CommandStore for Arc<S> {
    async fn enqueue(&self, commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError> {
        (**self).enqueue(commands).await
    }

    async fn record_report_and_next(&self, report: Report) -> Result<Polled, StoreError> {
        (**self).record_report_and_next(report).await
    }

    async fn command(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
    ) -> Result<Option<CommandRecord>, StoreError> {
        (**self).command(id, command_uuid).await
    }

    async fn commands(
        &self,
        id: &EnrollmentId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        (**self).commands(id, after, limit).await
    }

    async fn forget_finished(
        &self,
        before: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        (**self).forget_finished(before, limit).await
    }
}

#[async_trait]
impl<S: Outbox + ?Sized> Outbox for Arc<S> {
    async fn events(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Event)>, StoreError> {
        (**self).events(after, limit).await
    }

    async fn acknowledge_events(&self, through: Sequence) -> Result<(), StoreError> {
        (**self).acknowledge_events(through).await
    }
}
