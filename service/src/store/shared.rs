//! A store behind an `Arc` is a store; what holds no secret goes through a sealed one as it is.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_protocol::EnrollmentId;

use super::{
    CommandStore, CommitError, EnrollmentFilter, EnrollmentStore, EscrowStore, InvitationStore,
    LeaseStore, Outbox, PushStore, ResealStore, SealedKind, SealedRow, SealedValue, SecretName,
    StoreError, VaultStore,
};
use crate::{
    DeadLetter, Enrollment, EscrowEntry, EscrowKind, Event, Fingerprint, Invitation, PushTarget,
    Sealed,
    enrollment::decide::{Loaded, Step, Version},
    push::PushSettled,
    queue::{CommandFilter, CommandRecord, Enqueued, NewCommand, Polled, Report, Sequence},
};

macro_rules! forward {
    ($store:ident $methods:tt) => {
        forward! { impl [S: $store + ?Sized] $store for Arc<S>, Arc::as_ref, $methods }
    };
    ($store:ident, also through Sealed $methods:tt) => {
        forward! { $store $methods }
        forward! { impl [S: $store] $store for Sealed<S>, Sealed::inner, $methods }
    };
    (impl [$($bound:tt)*] $store:ident for $outer:ty, $inner:path, {
        $( $method:ident($($argument:ident: $type:ty),*) -> $answer:ty; )*
    }) => {
        #[async_trait]
        impl<$($bound)*> $store for $outer {
            $(
                async fn $method(&self, $($argument: $type),*) -> $answer {
                    $inner(self).$method($($argument),*).await
                }
            )*
        }
    };
}

forward! { EnrollmentStore {
    load(id: &EnrollmentId, certificate: &Fingerprint) -> Result<Loaded, StoreError>;
    commit(id: &EnrollmentId, version: Version, step: Step) -> Result<(), CommitError>;
    enrollment(id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError>;
    enrollments(filter: &EnrollmentFilter, after: Option<&EnrollmentId>, limit: usize)
        -> Result<Vec<Enrollment>, StoreError>;
    places_taken(pool: &str) -> Result<u64, StoreError>;
    push_targets(ids: &[EnrollmentId]) -> Result<Vec<Option<PushTarget>>, StoreError>;
} }

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

forward! { PushStore, also through Sealed {
    due_pushes(now: DateTime<Utc>, lease: DateTime<Utc>, limit: usize)
        -> Result<Vec<PushTarget>, StoreError>;
    settle_pushes(lease: DateTime<Utc>, outcomes: &[PushSettled]) -> Result<(), StoreError>;
    wake(ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<(), StoreError>;
} }

forward! { InvitationStore, also through Sealed {
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

forward! { Outbox, also through Sealed {
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

forward! { LeaseStore, also through Sealed {
    lease(name: &str, holder: &str, now: DateTime<Utc>, until: DateTime<Utc>)
        -> Result<bool, StoreError>;
    release(name: &str, holder: &str) -> Result<(), StoreError>;
} }

forward! { VaultStore {
    secret(name: &SecretName) -> Result<Option<Vec<u8>>, StoreError>;
    put_secret(name: &SecretName, sealed: Vec<u8>) -> Result<Vec<u8>, StoreError>;
    replace_secret(name: &SecretName, former: &[u8], sealed: Vec<u8>)
        -> Result<bool, StoreError>;
    secret_names(after: Option<&SecretName>, limit: usize)
        -> Result<Vec<SecretName>, StoreError>;
} }

forward! { ResealStore {
    sealed_values(kind: SealedKind, after: SealedRow, limit: usize)
        -> Result<Vec<SealedValue>, StoreError>;
    replace_sealed(kind: SealedKind, changes: Vec<(SealedValue, Vec<u8>)>)
        -> Result<usize, StoreError>;
} }
