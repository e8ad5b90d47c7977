//! A store whose database holds no secret in clear.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::Secret;
use mdm_pki::seal::SealingKeys;
use mdm_protocol::EnrollmentId;

use crate::{
    Body, Enrollment, EscrowEntry, EscrowKind, Fingerprint, PushTarget,
    enrollment::decide::{Loaded, Step, Version},
    queue::{
        CommandFilter, CommandRecord, CommandState, Enqueued, NewCommand, Polled, Report,
        ReportKind, Sequence,
    },
    store::{
        CommandStore, CommitError, EnrollmentFilter, EnrollmentStore, EscrowStore, StoreError,
        StoreErrorKind,
    },
};

mod reseal;

pub use reseal::Resealed;

/// Any store, which gets to see secrets sealed: unlock and bootstrap tokens, what is in escrow, and the
/// bodies of commands and of their results, which hold PINs and recovery keys.
///
/// Each is bound to its place: a row that somebody copies over another does not open. What was stored
/// before a store was wrapped does not open either ([`Corrupt`](StoreErrorKind::Corrupt)); wrap it from
/// the beginning. To change the key, keep the former one among the [`SealingKeys`] until
/// [`reseal`](Self::reseal) has nothing left to do.
///
/// ```
/// use mdm_pki::seal::{SealingKey, SealingKeys};
/// use mdm_service::{MemoryStore, Sealed};
///
/// // From wherever the vendor keeps secrets; never beside the database.
/// let key = SealingKey::generate()?;
/// let store = Sealed::new(MemoryStore::new(), SealingKeys::new(key));
/// # let _: &dyn mdm_service::Store = &store;
/// # Ok::<(), mdm_pki::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Sealed<S> {
    store: S,
    keys: SealingKeys,
}

impl<S> Sealed<S> {
    /// Seals what goes into `store`, and opens what comes out of it.
    pub fn new(store: S, keys: SealingKeys) -> Self {
        Self { store, keys }
    }

    /// The store underneath, where everything is sealed.
    pub fn inner(&self) -> &S {
        &self.store
    }

    fn seal(&self, place: &Place<'_>, secret: &mut Secret<Vec<u8>>) -> Result<(), StoreError> {
        let sealed = self.keys.seal(&place.to_string(), secret.expose());
        *secret = Secret::new(sealed.map_err(failed)?);
        Ok(())
    }

    fn open(&self, place: &Place<'_>, secret: &mut Secret<Vec<u8>>) -> Result<(), StoreError> {
        let opened = self.keys.open(&place.to_string(), secret.expose());
        *secret = opened.map_err(unopened)?;
        Ok(())
    }

    fn seal_body(&self, place: &Place<'_>, body: &mut Body) -> Result<(), StoreError> {
        let sealed = self.keys.seal(&place.to_string(), body.as_ref());
        *body = Body::from(sealed.map_err(failed)?);
        Ok(())
    }

    fn open_body(&self, place: &Place<'_>, body: &mut Body) -> Result<(), StoreError> {
        let opened = self.keys.open(&place.to_string(), body.as_ref());
        *body = Body::from(opened.map_err(unopened)?.expose().clone());
        Ok(())
    }

    /// Seals or opens each of the enrolment's tokens.
    fn tokens(
        &self,
        enrollment: &mut Enrollment,
        turn: impl Fn(&Self, &Place<'_>, &mut Secret<Vec<u8>>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Enrollment {
            id,
            unlock_token,
            bootstrap_token,
            ..
        } = enrollment;
        if let Some(token) = unlock_token {
            turn(self, &Place::UnlockToken(id), token)?;
        }
        if let Some(deposited) = bootstrap_token {
            turn(self, &Place::BootstrapToken(id), &mut deposited.token)?;
        }
        Ok(())
    }

    fn open_enrollment(&self, mut enrollment: Enrollment) -> Result<Enrollment, StoreError> {
        self.tokens(&mut enrollment, Self::open)?;
        Ok(enrollment)
    }

    fn seal_escrow(&self, entries: &mut [EscrowEntry]) -> Result<(), StoreError> {
        entries.iter_mut().try_for_each(|entry| {
            self.seal(
                &Place::Escrow(&entry.device, entry.kind.as_str()),
                &mut entry.value,
            )
        })
    }

    fn open_escrow(&self, mut entry: EscrowEntry) -> Result<EscrowEntry, StoreError> {
        self.open(
            &Place::Escrow(&entry.device, entry.kind.as_str()),
            &mut entry.value,
        )?;
        Ok(entry)
    }

    fn open_record(&self, mut record: CommandRecord) -> Result<CommandRecord, StoreError> {
        let NewCommand {
            enrollment,
            command_uuid,
            body,
            ..
        } = &mut record.command;
        self.open_body(&Place::Command(enrollment, command_uuid), body)?;
        if let CommandState::Settled { body, .. } = &mut record.state {
            self.open_body(&Place::Result(enrollment, command_uuid), body)?;
        }
        Ok(record)
    }
}

/// Where a secret lies: what it is bound to.
enum Place<'a> {
    UnlockToken(&'a EnrollmentId),
    BootstrapToken(&'a EnrollmentId),
    Escrow(&'a EnrollmentId, &'a str),
    Command(&'a EnrollmentId, &'a str),
    Result(&'a EnrollmentId, &'a str),
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::UnlockToken(id) => write!(f, "unlock-token {id}"),
            Self::BootstrapToken(id) => write!(f, "bootstrap-token {id}"),
            Self::Escrow(id, kind) => write!(f, "escrow {kind} {id}"),
            Self::Command(id, uuid) => write!(f, "command {uuid} {id}"),
            Self::Result(id, uuid) => write!(f, "result {uuid} {id}"),
        }
    }
}

fn failed(error: mdm_pki::Error) -> StoreError {
    StoreError::with_source(StoreErrorKind::Other, error)
}

fn unopened(error: mdm_pki::Error) -> StoreError {
    StoreError::with_source(StoreErrorKind::Corrupt, error)
}

#[async_trait]
impl<S: EnrollmentStore> EnrollmentStore for Sealed<S> {
    async fn load(
        &self,
        id: &EnrollmentId,
        certificate: &Fingerprint,
    ) -> Result<Loaded, StoreError> {
        let mut loaded = self.store.load(id, certificate).await?;
        let open = |enrollment: Option<Enrollment>| {
            enrollment
                .map(|enrollment| self.open_enrollment(enrollment))
                .transpose()
        };
        loaded.device = open(loaded.device)?;
        loaded.user = open(loaded.user)?;
        Ok(loaded)
    }

    async fn commit(
        &self,
        id: &EnrollmentId,
        version: Version,
        mut step: Step,
    ) -> Result<(), CommitError> {
        for enrollment in [&mut step.device, &mut step.user].into_iter().flatten() {
            self.tokens(enrollment, Self::seal)?;
        }
        self.seal_escrow(&mut step.escrow)?;
        self.store.commit(id, version, step).await
    }

    async fn enrollment(&self, id: &EnrollmentId) -> Result<Option<Enrollment>, StoreError> {
        let found = self.store.enrollment(id).await?;
        found.map(|found| self.open_enrollment(found)).transpose()
    }

    async fn enrollments(
        &self,
        filter: &EnrollmentFilter,
        after: Option<&EnrollmentId>,
        limit: usize,
    ) -> Result<Vec<Enrollment>, StoreError> {
        let found = self.store.enrollments(filter, after, limit).await?;
        found
            .into_iter()
            .map(|found| self.open_enrollment(found))
            .collect()
    }

    async fn places_taken(&self, pool: &str) -> Result<u64, StoreError> {
        self.store.places_taken(pool).await
    }

    async fn push_targets(
        &self,
        ids: &[EnrollmentId],
    ) -> Result<Vec<Option<PushTarget>>, StoreError> {
        self.store.push_targets(ids).await
    }
}

#[async_trait]
impl<S: CommandStore> CommandStore for Sealed<S> {
    async fn enqueue(&self, mut commands: Vec<NewCommand>) -> Result<Vec<Enqueued>, StoreError> {
        for command in &mut commands {
            let place = Place::Command(&command.enrollment, &command.command_uuid);
            self.seal_body(&place, &mut command.body)?;
        }
        self.store.enqueue(commands).await
    }

    async fn record_report_and_next(&self, mut report: Report) -> Result<Polled, StoreError> {
        let id = report.enrollment.clone();
        if let ReportKind::Final {
            command_uuid,
            body,
            escrow,
            ..
        } = &mut report.kind
        {
            self.seal_body(&Place::Result(&id, command_uuid), body)?;
            self.seal_escrow(escrow)?;
        }
        let mut polled = self.store.record_report_and_next(report).await?;
        if let Polled::Taken {
            next: Some(next), ..
        } = &mut polled
        {
            self.open_body(&Place::Command(&id, &next.command_uuid), &mut next.body)?;
        }
        Ok(polled)
    }

    async fn command(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
    ) -> Result<Option<CommandRecord>, StoreError> {
        let found = self.store.command(id, command_uuid).await?;
        found.map(|found| self.open_record(found)).transpose()
    }

    async fn commands(
        &self,
        id: &EnrollmentId,
        filter: &CommandFilter,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        let found = self.store.commands(id, filter, after, limit).await?;
        found
            .into_iter()
            .map(|found| self.open_record(found))
            .collect()
    }

    async fn cancel(
        &self,
        id: &EnrollmentId,
        command_uuid: &str,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        self.store.cancel(id, command_uuid, at).await
    }

    async fn clear(&self, ids: &[EnrollmentId], at: DateTime<Utc>) -> Result<u64, StoreError> {
        self.store.clear(ids, at).await
    }

    async fn expire(&self, now: DateTime<Utc>, limit: usize) -> Result<usize, StoreError> {
        self.store.expire(now, limit).await
    }

    async fn forget_finished(
        &self,
        before: DateTime<Utc>,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.store.forget_finished(before, limit).await
    }
}

#[async_trait]
impl<S: EscrowStore> EscrowStore for Sealed<S> {
    async fn escrow(&self, mut entries: Vec<EscrowEntry>) -> Result<(), StoreError> {
        self.seal_escrow(&mut entries)?;
        self.store.escrow(entries).await
    }

    async fn escrowed(
        &self,
        id: &EnrollmentId,
        kind: Option<&EscrowKind>,
        limit: usize,
    ) -> Result<Vec<EscrowEntry>, StoreError> {
        let found = self.store.escrowed(id, kind, limit).await?;
        found
            .into_iter()
            .map(|entry| self.open_escrow(entry))
            .collect()
    }

    async fn escrow_page(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, EscrowEntry)>, StoreError> {
        let found = self.store.escrow_page(after, limit).await?;
        found
            .into_iter()
            .map(|(sequence, entry)| Ok((sequence, self.open_escrow(entry)?)))
            .collect()
    }
}
