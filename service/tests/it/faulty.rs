//! A store that fails when it is told to.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::ManualClock;
use mdm_service::{
    Enrollment, EnrollmentId, Event, Fingerprint, MdmSignature, PushTarget, Service, StoreError,
    StoreErrorKind,
    enrollment::decide::{Loaded, Step, Version},
    queue::{CommandRecord, Enqueued, NewCommand, Polled, Report, Sequence},
    store::{CommandStore, CommitError, EnrollmentStore, Outbox},
};

use crate::device::{AUTHORITY, Shared, now};

#[derive(Debug, Clone)]
pub(crate) struct Faulty(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Shared,
    fails: AtomicBool,
    conflicts: AtomicUsize,
}

impl Faulty {
    pub(crate) fn new(store: &Shared) -> Self {
        Self(Arc::new(Inner {
            store: Arc::clone(store),
            fails: AtomicBool::new(false),
            conflicts: AtomicUsize::new(0),
        }))
    }

    pub(crate) fn service(&self) -> Service {
        let identity = MdmSignature::new(vec![AUTHORITY.certificate.clone()]).unwrap();
        Service::builder(self.clone(), ManualClock::new(now()), identity)
            .retry_after(std::time::Duration::from_secs(7))
            .build()
    }

    /// Whether everything fails from now on.
    pub(crate) fn fail(&self, fails: bool) {
        self.0.fails.store(fails, SeqCst);
    }

    /// How many of the next commits conflict.
    pub(crate) fn conflict(&self, times: usize) {
        self.0.conflicts.store(times, SeqCst);
    }

    fn store(&self) -> Result<&Shared, StoreError> {
        if self.0.fails.load(SeqCst) {
            return Err(StoreError::with_source(StoreErrorKind::Full, "no room"));
        }
        Ok(&self.0.store)
    }
}

#[async_trait]
impl EnrollmentStore for Faulty {
    async fn load(&self, id: &EnrollmentId, of: &Fingerprint) -> Result<Loaded, StoreError> {
        self.store()?.load(id, of).await
    }

    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        step: Step,
    ) -> Result<(), CommitError> {
        let store = self.store()?;
        let left = |left: usize| left.checked_sub(1);
        if self.0.conflicts.fetch_update(SeqCst, SeqCst, left).is_ok() {
            return Err(CommitError::Conflict);
        }
        store.commit(id, version, step).await
    }

    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError> {
        self.store()?.enrollment(id).await
    }

    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError> {
        self.store()?.push_targets(ids).await
    }
}

#[async_trait]
impl CommandStore for Faulty {
    async fn enqueue(&self, commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError> {
        self.store()?.enqueue(commands).await
    }

    async fn record_report_and_next(&self, report: Report) -> Result<Polled, StoreError> {
        self.store()?.record_report_and_next(report).await
    }

    async fn command(
        &self,
        id: &EnrollmentId,
        uuid: &str,
    ) -> Result<Option<CommandRecord>, StoreError> {
        self.store()?.command(id, uuid).await
    }

    async fn commands(
        &self,
        id: &EnrollmentId,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        self.store()?.commands(id, after, limit).await
    }

    async fn forget_finished(
        &self,
        before: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.store()?.forget_finished(before, limit).await
    }
}

#[async_trait]
impl Outbox for Faulty {
    async fn events(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, Event)>, StoreError> {
        self.store()?.events(after, limit).await
    }

    async fn acknowledge_events(&self, through: Sequence) -> Result<(), StoreError> {
        self.store()?.acknowledge_events(through).await
    }
}
