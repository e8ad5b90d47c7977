//! A store that fails when it is told to.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::ManualClock;
use mdm_service::{
    DeadLetter, Enrollment, EnrollmentId, EscrowEntry, EscrowKind, Event, Fingerprint, Invitation,
    MdmSignature, PushSettled, PushTarget, Service, StoreError, StoreErrorKind,
    enrollment::decide::{Loaded, Step, Version},
    queue::{CommandFilter, CommandRecord, Enqueued, NewCommand, Polled, Report, Sequence},
    store::{
        CommandStore, CommitError, EnrollmentFilter, EnrollmentStore, EscrowStore, InvitationStore,
        LeaseStore, Outbox, PushStore,
    },
};

use crate::device::{AUTHORITY, Shared, now};

#[derive(Debug, Clone)]
pub(crate) struct Faulty(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Shared,
    fails: AtomicBool,
    conflicts: AtomicUsize,
    calls_left: AtomicUsize,
    /// After how many more calls which command is taken back.
    cancels: Mutex<Option<(usize, EnrollmentId, String)>>,
}

impl Faulty {
    pub(crate) fn new(store: &Shared) -> Self {
        Self(Arc::new(Inner {
            store: Arc::clone(store),
            fails: AtomicBool::new(false),
            conflicts: AtomicUsize::new(0),
            calls_left: AtomicUsize::new(usize::MAX),
            cancels: Mutex::default(),
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

    /// After how many more calls everything fails.
    pub(crate) fn fail_after(&self, calls: usize) {
        self.0.calls_left.store(calls, SeqCst);
    }

    /// How many of the next commits conflict.
    pub(crate) fn conflict(&self, times: usize) {
        self.0.conflicts.store(times, SeqCst);
    }

    /// After how many more calls somebody takes this command back.
    pub(crate) fn cancel_after(&self, calls: usize, id: &EnrollmentId, uuid: &str) {
        *self.0.cancels.lock().unwrap() = Some((calls, id.clone(), uuid.to_owned()));
    }

    async fn store(&self) -> Result<&Shared, StoreError> {
        let cancelled = self.0.cancels.lock().unwrap().take_if(|(calls, ..)| {
            let is_due = *calls == 0;
            *calls = calls.saturating_sub(1);
            is_due
        });
        if let Some((_, id, uuid)) = cancelled {
            self.0.store.cancel(&id, &uuid, now()).await?;
        }
        let left = |left: usize| left.checked_sub(1);
        let has_calls_left = self.0.calls_left.fetch_update(SeqCst, SeqCst, left).is_ok();
        if self.0.fails.load(SeqCst) || !has_calls_left {
            return Err(StoreError::with_source(StoreErrorKind::Full, "no room"));
        }
        Ok(&self.0.store)
    }
}

macro_rules! forward {
    ($store:ident { $( $method:ident($($argument:ident: $type:ty),*) -> $answer:ty; )* }) => {
        #[async_trait]
        impl $store for Faulty {
            $(
                async fn $method(&self, $($argument: $type),*) -> $answer {
                    self.store().await?.$method($($argument),*).await
                }
            )*
        }
    };
}

#[async_trait]
impl EnrollmentStore for Faulty {
    async fn load(&self, id: &EnrollmentId, of: &Fingerprint) -> Result<Loaded, StoreError> {
        self.store().await?.load(id, of).await
    }

    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        step: Step,
    ) -> Result<(), CommitError> {
        let store = self.store().await?;
        let left = |left: usize| left.checked_sub(1);
        if self.0.conflicts.fetch_update(SeqCst, SeqCst, left).is_ok() {
            return Err(CommitError::Conflict);
        }
        store.commit(id, version, step).await
    }

    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError> {
        self.store().await?.enrollment(id).await
    }

    async fn enrollments(
        &self,
        filter: &EnrollmentFilter,
        after: Option<&EnrollmentId>,
        limit: usize,
    ) -> Result<Vec<Enrollment>, StoreError> {
        self.store().await?.enrollments(filter, after, limit).await
    }

    async fn places_taken(&self, pool: &str) -> Result<u64, StoreError> {
        self.store().await?.places_taken(pool).await
    }

    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError> {
        self.store().await?.push_targets(ids).await
    }
}

forward! { CommandStore {
    enqueue(commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError>;
    record_report_and_next(report: Report) -> Result<Polled, StoreError>;
    command(id: &EnrollmentId, command_uuid: &str) -> Result<Option<CommandRecord>, StoreError>;
    commands(id: &EnrollmentId, filter: &CommandFilter, after: Sequence, limit: usize)
        -> Result<Vec<CommandRecord>, StoreError>;
    cancel(id: &EnrollmentId, command_uuid: &str, at: DateTime<Utc>) -> Result<bool, StoreError>;
    clear(ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<u64, StoreError>;
    expire(now: DateTime<Utc>, limit: usize) -> Result<usize, StoreError>;
    forget_finished(before: DateTime<Utc>, limit: usize) -> Result<usize, StoreError>;
} }

forward! { PushStore {
    due_pushes(now: DateTime<Utc>, lease: DateTime<Utc>, limit: usize)
        -> Result<Vec<PushTarget>, StoreError>;
    settle_pushes(lease: DateTime<Utc>, outcomes: &[PushSettled]) -> Result<(), StoreError>;
    wake(ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<(), StoreError>;
} }

forward! { InvitationStore {
    invite(invitation: Invitation) -> Result<(), StoreError>;
    invitation(id: &str) -> Result<Option<Invitation>, StoreError>;
    forget_invitations(now: DateTime<Utc>, limit: usize) -> Result<usize, StoreError>;
} }

forward! { EscrowStore {
    escrow(entries: Vec<EscrowEntry>) -> Result<(), StoreError>;
    escrowed(id: &EnrollmentId, kind: Option<&EscrowKind>, limit: usize)
        -> Result<Vec<EscrowEntry>, StoreError>;
    escrow_page(after: Sequence, limit: usize)
        -> Result<Vec<(Sequence, EscrowEntry)>, StoreError>;
} }

forward! { Outbox {
    subscribe(subscriber: &str) -> Result<bool, StoreError>;
    unsubscribe(subscriber: &str) -> Result<bool, StoreError>;
    subscribers() -> Result<Vec<String>, StoreError>;
    tell(events: Vec<Event>) -> Result<(), StoreError>;
    events(subscriber: &str, limit: usize) -> Result<Vec<(Sequence, Event)>, StoreError>;
    pending_events(subscriber: &str) -> Result<u64, StoreError>;
    acknowledge_events(subscriber: &str, sequences: &[Sequence]) -> Result<(), StoreError>;
    bury_events(subscriber: &str, sequences: &[Sequence], reason: &str, at: DateTime<Utc>)
        -> Result<u64, StoreError>;
    dead_letters(subscriber: &str, after: Sequence, limit: usize)
        -> Result<Vec<DeadLetter>, StoreError>;
    revive_dead_letters(subscriber: &str, sequences: &[Sequence]) -> Result<u64, StoreError>;
    forget_dead_letters(subscriber: &str, sequences: &[Sequence]) -> Result<u64, StoreError>;
} }

forward! { LeaseStore {
    lease(name: &str, holder: &str, now: DateTime<Utc>, until: DateTime<Utc>)
        -> Result<bool, StoreError>;
    release(name: &str, holder: &str) -> Result<(), StoreError>;
} }
