//! Requests that wait for a person: PENDING, and CertPoll until somebody has decided
//! (RFC 8894 sections 2.2 and 3.3.3).
//!
//! [`Approval`] stands behind another verifier, or alone, and lets what that grants wait. A waiting request
//! is found by its transaction and its key, so that nobody can poll for, or displace, the request of
//! somebody else. What is approved is granted once, like a challenge: a retry of the very same request
//! gets the same answer.

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{CertificateRequest, PublicKey};

use crate::{
    attributes::TransactionId,
    authorize::EnrolmentRequest,
    challenge::{ChallengeRefusal, ChallengeVerifier, Verdict, permit::Permits},
    store::{ChallengeId, Grant, RequestId, Store, StoreError, sha256},
};

/// Where requests wait.
///
/// Like [`Store`] it decides nothing. [`contract::check_pending`](crate::store::contract::check_pending) tells whether
/// one of one's own does what it must.
#[async_trait]
pub trait PendingStore: fmt::Debug + Send + Sync {
    /// Keeps a request; one of another [`RequestId`] under the same id gives way, with its resolution.
    ///
    /// # Errors
    /// [`StoreError::Full`] where a bound is reached; [`StoreError::Exists`] if this very request is
    /// kept already.
    async fn hold(&self, id: PendingId, request: PendingRequest) -> Result<(), StoreError>;

    /// The request of this id, resolved or not.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn pending(&self, id: &PendingId) -> Result<Option<PendingRequest>, StoreError>;

    /// Resolves this very request and returns the resolution that counts: of several the first. `None` if
    /// it is not kept, or another request has taken its place.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn resolve(
        &self,
        id: &PendingId,
        request: RequestId,
        resolution: Resolution,
    ) -> Result<Option<Resolution>, StoreError>;

    /// At most `limit` requests that nobody has decided on, the oldest first.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn unresolved(
        &self,
        limit: usize,
    ) -> Result<Vec<(PendingId, PendingRequest)>, StoreError>;

    /// Forgets the requests that came before this time and says how many there were.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn forget_pending(&self, before: DateTime<Utc>) -> Result<usize, StoreError>;
}

/// Under what a request waits: the SHA-256 over its transaction and its public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PendingId([u8; 32]);

impl PendingId {
    /// The id of the request of this key in this transaction.
    ///
    /// # Errors
    /// Where OpenSSL fails.
    pub fn of(transaction_id: &TransactionId, key: &PublicKey) -> Result<Self, mdm_pki::Error> {
        let transaction = transaction_id.as_str().as_bytes();
        sha256(&[transaction, &[0], key.to_spki_der()].concat()).map(Self)
    }

    /// An id read back from a store.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The id for a store to write.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A request that waits, or has waited.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct PendingRequest {
    /// The request's name: what a resolution is for.
    pub request: RequestId,
    /// What is asked for.
    pub csr: CertificateRequest,
    /// What will allow it once it is approved.
    pub grant: Grant,
    /// When it came.
    pub since: DateTime<Utc>,
    /// What was decided.
    pub resolution: Option<Resolution>,
}

impl PendingRequest {
    /// A request that nobody has decided on.
    pub fn new(
        request: RequestId,
        csr: CertificateRequest,
        grant: Grant,
        since: DateTime<Utc>,
    ) -> Self {
        Self {
            request,
            csr,
            grant,
            since,
            resolution: None,
        }
    }
}

/// What a person decided.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Resolution {
    /// The certificate may be issued.
    Approved,
    /// It may not.
    Denied {
        /// Why, for events; the client is not told.
        reason: String,
    },
}

impl Resolution {
    /// Denied for this reason.
    pub fn denied(reason: impl Into<String>) -> Self {
        Self::Denied {
            reason: reason.into(),
        }
    }
}

/// Lets requests wait for a person.
#[derive(Debug, Clone)]
pub struct Approval {
    store: Arc<dyn Store>,
    permits: Permits,
    pending: Arc<dyn PendingStore>,
    first: Option<Arc<dyn ChallengeVerifier>>,
    lifetime: Duration,
}

impl Approval {
    /// How long a request waits unless told otherwise, and how long its answer can be fetched. A day, as
    /// long as [`OneTime::forget_expired`](crate::OneTime::forget_expired) keeps a challenge.
    pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

    /// Lets every proven request wait. `store` has to be the store of the authority too.
    pub fn new(store: Arc<dyn Store>, pending: Arc<dyn PendingStore>) -> Self {
        Self {
            permits: Permits::new(store.clone()),
            store,
            pending,
            first: None,
            lifetime: Self::LIFETIME,
        }
    }

    /// Lets only those wait that this verifier grants. What it refuses is refused at once.
    #[must_use]
    pub fn after(mut self, verifier: Arc<dyn ChallengeVerifier>) -> Self {
        self.first = Some(verifier);
        self
    }

    /// Changes how long requests wait. The record of a challenge must be kept as long.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.permits = self.permits.lifetime(lifetime);
        self.lifetime = lifetime;
        self
    }

    /// At most `limit` requests to decide on, the oldest first.
    ///
    /// # Errors
    /// Where the store cannot answer.
    pub async fn unresolved(
        &self,
        limit: usize,
    ) -> Result<Vec<(PendingId, PendingRequest)>, StoreError> {
        self.pending.unresolved(limit).await
    }

    /// Decides on this very request and returns the resolution that counts: of several the first. `None` if
    /// it waits no longer.
    ///
    /// # Errors
    /// Where the store cannot answer.
    pub async fn resolve(
        &self,
        id: &PendingId,
        request: RequestId,
        resolution: Resolution,
    ) -> Result<Option<Resolution>, StoreError> {
        self.pending.resolve(id, request, resolution).await
    }

    /// Forgets the requests that have waited longer than the lifetime and says how many there were. To
    /// be called now and then.
    ///
    /// # Errors
    /// Where the store cannot answer.
    pub async fn forget_old(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        self.pending.forget_pending(self.oldest(now)).await
    }

    fn oldest(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        TimeDelta::from_std(self.lifetime)
            .ok()
            .and_then(|lifetime| now.checked_sub_signed(lifetime))
            .unwrap_or(DateTime::<Utc>::MIN_UTC)
    }

    async fn find(
        &self,
        id: &PendingId,
        now: DateTime<Utc>,
    ) -> Result<Option<PendingRequest>, StoreError> {
        let oldest = self.oldest(now);
        let pending = self.pending.pending(id).await?;
        Ok(pending.filter(|pending| pending.since >= oldest))
    }

    /// A request that has not been here yet.
    async fn admit(
        &self,
        id: PendingId,
        request: &EnrolmentRequest,
    ) -> Result<Verdict, StoreError> {
        let grant = match &self.first {
            None => Grant::elsewhere(request.transaction_id().to_string()),
            Some(verifier) => match verifier.verify(request).await? {
                Verdict::Granted(grant) => grant,
                other => return Ok(other),
            },
        };
        let label = grant.label().to_owned();
        let pending =
            PendingRequest::new(request.id(), request.csr().clone(), grant, request.now());
        match self.pending.hold(id, pending.clone()).await {
            Err(StoreError::Full { .. }) => {
                self.forget_old(request.now()).await?;
                self.pending.hold(id, pending).await?;
            }
            // The same request came twice at once and waits already.
            Err(StoreError::Exists) => {}
            other => other?,
        }
        Ok(Verdict::Pending { label })
    }

    /// A request that has been approved.
    async fn grant(
        &self,
        pending: PendingRequest,
        request: &EnrolmentRequest,
    ) -> Result<Verdict, StoreError> {
        let Grant::Challenge { id, label } = &pending.grant else {
            // What was not allowed once by a challenge is allowed once by a permit. Made now and not before, so that
            // strangers who ask to wait leave nothing behind.
            return match self.permits.spent(request).await? {
                Some(verdict) => Ok(verdict),
                None => {
                    let label = pending.grant.label().to_owned();
                    self.permits.grant(request, label).await
                }
            };
        };
        let Some(record) = self.store.challenge(id).await? else {
            return Ok(Verdict::Refused(ChallengeRefusal::Unknown));
        };
        Ok(match record.spent {
            None => Verdict::Granted(pending.grant),
            Some(spent) if spent.request == pending.request => {
                Verdict::repeated(spent.certificate, label)
            }
            Some(_) => Verdict::Refused(ChallengeRefusal::Spent {
                label: label.clone(),
                age: (request.now() - record.issued_at)
                    .to_std()
                    .unwrap_or_default(),
            }),
        })
    }
}

#[async_trait]
impl ChallengeVerifier for Approval {
    async fn verify(&self, request: &EnrolmentRequest) -> Result<Verdict, StoreError> {
        let id = PendingId::of(request.transaction_id(), &request.csr().public_key()?)?;
        let pending = self.find(&id, request.now()).await?;
        let Some(pending) = pending.filter(|pending| pending.request == request.id()) else {
            return self.admit(id, request).await;
        };
        let label = pending.grant.label().to_owned();
        Ok(match &pending.resolution {
            None => Verdict::Pending { label },
            Some(Resolution::Denied { reason }) => Verdict::Refused(ChallengeRefusal::Denied {
                label,
                reason: reason.clone(),
            }),
            Some(Resolution::Approved) => self.grant(pending, request).await?,
        })
    }

    async fn pending(
        &self,
        transaction_id: &TransactionId,
        key: &PublicKey,
        now: DateTime<Utc>,
    ) -> Result<Option<CertificateRequest>, StoreError> {
        let id = PendingId::of(transaction_id, key)?;
        Ok(self.find(&id, now).await?.map(|pending| pending.csr))
    }

    fn turn(&self, request: &EnrolmentRequest) -> Result<Option<ChallengeId>, StoreError> {
        match &self.first {
            Some(verifier) => verifier.turn(request),
            None => Permits::id(request).map(Some),
        }
    }
}
