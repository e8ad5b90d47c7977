//! What outlives a request: challenges and issued certificates, behind one trait, so that
//! granting a certificate and spending its challenge can be one step.

mod bound;
pub mod contract;
mod memory;

use std::{error, fmt, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, SubsecRound as _, Utc};
use mdm_pki::{
    Certificate, DigestAlgorithm, RevocationReason,
    digest::{constant_time_eq, digest},
};

pub use self::{bound::UnreadableBound, memory::MemoryStore};
use crate::{attributes::TransactionId, challenge::Bound};

/// Where challenges and certificates are kept.
///
/// A store decides nothing: it keeps what it is given, and its [`commit`](Store::commit) is one
/// atomic step. The rules live in [`challenge`](crate::challenge). [`contract::check`] tells whether a
/// store of one's own does what it must.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync {
    /// Keeps a fresh challenge.
    ///
    /// # Errors
    /// [`StoreError::Exists`] if one of this id is kept already.
    async fn insert_challenge(
        &self,
        id: ChallengeId,
        record: ChallengeRecord,
    ) -> Result<(), StoreError>;

    /// The challenge's record, spent or not, expired or not.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn challenge(&self, id: &ChallengeId) -> Result<Option<ChallengeRecord>, StoreError>;

    /// Forgets the challenges that expired before this time and says how many there were.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn forget_challenges(&self, expired_before: DateTime<Utc>) -> Result<usize, StoreError>;

    /// Keeps a certificate and spends what granted it, in one atomic step: both or neither. Of all
    /// commits for one challenge exactly one is [`Committed::Stored`], and of all commits for one
    /// request that renews; a certificate that is revoked or not kept renews nothing.
    ///
    /// # Errors
    /// Where the store cannot answer; [`StoreError::Exists`] for a serial number that is taken.
    async fn commit(&self, issuance: Issuance) -> Result<Committed, StoreError>;

    /// The certificate of this serial number (the content of its DER INTEGER), revoked or not.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn certificate(&self, serial: &[u8]) -> Result<Option<CertificateRecord>, StoreError>;

    /// Revokes the certificate of this serial number and returns the revocation that counts: of
    /// several the first. `None` if the certificate is not kept.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn revoke(
        &self,
        serial: &[u8],
        revocation: Revocation,
    ) -> Result<Option<Revocation>, StoreError>;

    /// At most `limit` revoked certificates that are valid at this time or were to become so later.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn revoked(
        &self,
        valid_at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<CertificateRecord>, StoreError>;

    /// A number for a revocation list, larger than every one before.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn next_crl_number(&self) -> Result<u64, StoreError>;
}

/// A challenge's name in a store: its SHA-256, so that a store gives no challenge away and the
/// time of a look-up says nothing about the text looked for.
#[derive(Clone, Copy)]
pub struct ChallengeId([u8; 32]);

impl ChallengeId {
    /// The id of a challenge's text.
    ///
    /// # Errors
    /// Where OpenSSL fails.
    pub fn of(challenge: &str) -> Result<Self, mdm_pki::Error> {
        sha256(challenge.as_bytes()).map(Self)
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

impl PartialEq for ChallengeId {
    /// Takes the same time wherever the two differ.
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq(&self.0, &other.0)
    }
}

impl Eq for ChallengeId {}

impl std::hash::Hash for ChallengeId {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl fmt::Debug for ChallengeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ChallengeId({}..)", hex::encode(&self.0[..4]))
    }
}

/// A request's name: the SHA-256 over its transaction and its CSR. A retry has the name of the first
/// attempt even where nonces and envelope are new; anything else has another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 32]);

impl RequestId {
    /// The name of a request.
    ///
    /// # Errors
    /// Where OpenSSL fails.
    pub fn of(transaction_id: &TransactionId, csr: &[u8]) -> Result<Self, mdm_pki::Error> {
        // A transaction's name has no NUL, so that its end cannot be shifted into the CSR.
        let text = [transaction_id.as_str().as_bytes(), &[0], csr].concat();
        sha256(&text).map(Self)
    }

    /// The name of a request that renews a certificate. A client that keeps its key asks for each
    /// renewal in the same words, so that the certificate at hand has to tell them apart.
    ///
    /// # Errors
    /// Where OpenSSL fails.
    pub fn of_renewal(
        transaction_id: &TransactionId,
        csr: &[u8],
        renewed: &Certificate,
    ) -> Result<Self, mdm_pki::Error> {
        let transaction = transaction_id.as_str().as_bytes();
        sha256(&[transaction, &[0], csr, renewed.to_der()].concat()).map(Self)
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

/// What is known of a challenge.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ChallengeRecord {
    /// Whose enrolment it is for, in the words of whoever issued it; named in events.
    pub label: String,
    /// What the request must say.
    pub bound: Bound,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// The first moment at which it no longer holds.
    pub expires_at: DateTime<Utc>,
    /// What it was spent for.
    pub spent: Option<Spent>,
}

impl ChallengeRecord {
    /// An unspent challenge that nothing binds.
    pub fn new(
        label: impl Into<String>,
        issued_at: DateTime<Utc>,
        expires_at: DateTime<Utc>,
    ) -> Self {
        Self {
            label: label.into(),
            bound: Bound::default(),
            issued_at,
            expires_at,
            spent: None,
        }
    }
}

/// What a challenge was spent for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Spent {
    /// The request that spent it.
    pub request: RequestId,
    /// The certificate that it got.
    pub certificate: Certificate,
}

impl Spent {
    /// Spent by this request for this certificate.
    pub fn new(request: RequestId, certificate: Certificate) -> Self {
        Self {
            request,
            certificate,
        }
    }
}

/// What is known of a certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateRecord {
    /// The certificate.
    pub certificate: Certificate,
    /// That it no longer counts, and since when.
    pub revoked: Option<Revocation>,
    /// What allowed it; nothing, where a store kept it before stores kept that.
    pub granted: Option<GrantKind>,
}

impl CertificateRecord {
    /// A certificate that counts.
    pub fn new(certificate: Certificate) -> Self {
        Self {
            certificate,
            revoked: None,
            granted: None,
        }
    }

    /// The record with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// The end of a certificate before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Revocation {
    /// Since when: in whole microseconds, and in whole seconds on a revocation list.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: RevocationReason,
}

impl Revocation {
    /// Revoked at this time, cut to microseconds, for this reason. Databases keep no more of a time, and what comes
    /// back from one is compared with what was put in.
    pub fn new(at: DateTime<Utc>, reason: RevocationReason) -> Self {
        let at = at.trunc_subsecs(6);
        Self { at, reason }
    }
}

/// What allows a certificate.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Grant {
    /// A challenge of this store, spent together with the commit.
    Challenge {
        /// The challenge.
        id: ChallengeId,
        /// Whose enrolment it is for.
        label: String,
    },
    /// A certificate of this store that renews itself.
    Renewal {
        /// Its serial number.
        of: Vec<u8>,
        /// Whose it is.
        label: String,
    },
    /// A decision taken elsewhere, which keeps its own books.
    Elsewhere {
        /// Whose enrolment it is for.
        label: String,
    },
    /// An order of ACME, whose permit is a challenge of this store and spent like one.
    Order {
        /// The permit.
        permit: ChallengeId,
        /// Whose enrolment it is for.
        label: String,
    },
}

/// The kind of a [`Grant`], which is kept with the certificate: what an order has proven, for one, has to be proven anew
/// for the next certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GrantKind {
    /// [`Grant::Challenge`].
    Challenge,
    /// [`Grant::Renewal`].
    Renewal,
    /// [`Grant::Elsewhere`].
    Elsewhere,
    /// [`Grant::Order`].
    Order,
}

impl Grant {
    /// By this challenge of the store.
    pub fn challenge(id: ChallengeId, label: impl Into<String>) -> Self {
        Self::Challenge {
            id,
            label: label.into(),
        }
    }

    /// By the certificate of this serial number.
    pub fn renewal(of: impl Into<Vec<u8>>, label: impl Into<String>) -> Self {
        Self::Renewal {
            of: of.into(),
            label: label.into(),
        }
    }

    /// By a decision taken elsewhere.
    pub fn elsewhere(label: impl Into<String>) -> Self {
        Self::Elsewhere {
            label: label.into(),
        }
    }

    /// By the order with this permit.
    pub fn order(permit: ChallengeId, label: impl Into<String>) -> Self {
        Self::Order {
            permit,
            label: label.into(),
        }
    }

    /// Whose enrolment it is for.
    pub fn label(&self) -> &str {
        match self {
            Self::Challenge { label, .. }
            | Self::Renewal { label, .. }
            | Self::Elsewhere { label }
            | Self::Order { label, .. } => label,
        }
    }

    /// What kind of grant this is.
    pub fn kind(&self) -> GrantKind {
        match self {
            Self::Challenge { .. } => GrantKind::Challenge,
            Self::Renewal { .. } => GrantKind::Renewal,
            Self::Elsewhere { .. } => GrantKind::Elsewhere,
            Self::Order { .. } => GrantKind::Order,
        }
    }

    /// The challenge that is spent with the commit, an order's permit included.
    pub fn spends(&self) -> Option<&ChallengeId> {
        match self {
            Self::Challenge { id, .. } | Self::Order { permit: id, .. } => Some(id),
            Self::Renewal { .. } | Self::Elsewhere { .. } => None,
        }
    }
}

/// A certificate on its way into the store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Issuance {
    /// The certificate.
    pub certificate: Certificate,
    /// What allows it.
    pub grant: Grant,
    /// The request that it answers.
    pub request: RequestId,
    /// When it was issued.
    pub at: DateTime<Utc>,
}

impl Issuance {
    /// This certificate, for this request, by this grant.
    pub fn new(
        certificate: Certificate,
        grant: Grant,
        request: RequestId,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            certificate,
            grant,
            request,
            at,
        }
    }
}

/// How a commit ended.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Committed {
    /// The certificate is kept; the challenge is spent.
    Stored,
    /// The same request was served meanwhile: this certificate is the one that counts.
    Repeated(Certificate),
    /// Another request spent the challenge meanwhile, or the store never had it.
    Conflict,
}

/// Why a store did not do it.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached or cannot work now; later may do.
    #[error("the store is unavailable")]
    Unavailable(#[source] Arc<dyn error::Error + Send + Sync>),
    /// A bound of the store is reached.
    #[error("the store is full: {limit} entries")]
    Full {
        /// The bound.
        limit: usize,
    },
    /// The entry is there already.
    #[error("the entry exists already")]
    Exists,
}

impl StoreError {
    /// The store cannot work now, for this reason.
    pub fn unavailable(source: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::Unavailable(Arc::from(source.into()))
    }
}

impl From<mdm_pki::Error> for StoreError {
    fn from(error: mdm_pki::Error) -> Self {
        Self::unavailable(error)
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> Result<[u8; 32], mdm_pki::Error> {
    let hash = digest(DigestAlgorithm::Sha256, bytes)?;
    hash.try_into()
        .map_err(|_| mdm_pki::Error::Crypto("a SHA-256 of another length".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_tell_apart_and_show_no_challenge() {
        let id = ChallengeId::of("hunter2").unwrap();
        assert_eq!(id, ChallengeId::of("hunter2").unwrap());
        assert_ne!(id, ChallengeId::of("hunter3").unwrap());
        assert_eq!(id, ChallengeId::from_bytes(*id.as_bytes()));
        assert!(!format!("{id:?}").contains("hunter"));
    }

    #[test]
    fn transaction_and_csr_cannot_be_shifted_into_each_other() {
        let id = |transaction: &str, csr: &[u8]| {
            RequestId::of(&TransactionId::new(transaction).unwrap(), csr).unwrap()
        };
        assert_ne!(id("ab", b"c"), id("a", b"bc"));
        assert_eq!(
            id("ab", b"c"),
            RequestId::from_bytes(*id("ab", b"c").as_bytes())
        );
    }
}
