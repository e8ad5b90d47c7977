//! Who may have a certificate: the challenge in the request, and how it is spent.
//!
//! The shipped [`OneTime`] challenge is random, lives for a quarter of an hour, may be bound to what
//! the request must say, and is spent in the step that stores the certificate. The very same request
//! gets the same certificate again while the challenge lives, because an answer may be lost on its
//! way; any other request gets nothing. [`Static`] is one text for all devices, which has to be asked for by
//! its name, and [`Webhook`] asks somebody else.

mod bound;
pub(crate) mod permit;
mod shared;
#[cfg(feature = "webhook")]
pub mod webhook;

use std::{fmt, sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::Secret;
use mdm_pki::{Certificate, CertificateRequest, PublicKey, random};

#[cfg(feature = "webhook")]
pub use self::webhook::{Webhook, WebhookKey};
pub use self::{bound::Bound, shared::Static};
use crate::{
    attributes::TransactionId,
    authorize::EnrolmentRequest,
    error::Error,
    store::{ChallengeId, ChallengeRecord, Grant, Store, StoreError},
};

/// Decides whether a request may have a certificate.
///
/// The request has been proven before: its signature, its key and its proof of possession hold.
#[async_trait]
pub trait ChallengeVerifier: fmt::Debug + Send + Sync {
    /// The decision.
    ///
    /// # Errors
    /// Where none can be taken now. The client is asked to come again, and nothing is spent.
    async fn verify(&self, request: &EnrolmentRequest) -> Result<Verdict, StoreError>;

    /// What was asked for in this transaction by the holder of this key, if [`verify`](Self::verify) has let
    /// it wait. It is then put to `verify` again. Nothing, for a verifier that lets nobody wait.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify).
    async fn pending(
        &self,
        _transaction_id: &TransactionId,
        _key: &PublicKey,
        _now: DateTime<Utc>,
    ) -> Result<Option<CertificateRequest>, StoreError> {
        Ok(None)
    }

    /// What only one request may have, so that requests for the same are served one after the other and
    /// those that come too late cost no signature: the challenge. Which of them gets it, the store decides.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify).
    fn turn(&self, request: &EnrolmentRequest) -> Result<Option<ChallengeId>, StoreError> {
        let challenge = request.challenge();
        let id = challenge.map(|challenge| ChallengeId::of(challenge.expose()));
        Ok(id.transpose()?)
    }
}

/// A verifier's decision.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Verdict {
    /// A certificate may be issued.
    Granted(Grant),
    /// This very request has been served already; here is its certificate.
    Repeated {
        /// The certificate issued then.
        certificate: Certificate,
        /// Whose enrolment it is.
        label: String,
    },
    /// Nothing yet: somebody has to decide first. The client is told to ask again.
    Pending {
        /// Whose enrolment it is.
        label: String,
    },
    /// Nothing.
    Refused(ChallengeRefusal),
}

impl Verdict {
    /// This very request has been served already.
    pub fn repeated(certificate: Certificate, label: impl Into<String>) -> Self {
        Self::Repeated {
            certificate,
            label: label.into(),
        }
    }
}

/// Why a challenge was not accepted. For the operator: the client learns only that it was not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeRefusal {
    /// The request has none.
    #[error("the request has no challenge")]
    Missing,
    /// Nobody issued it, or it was forgotten.
    #[error("the challenge is not known")]
    Unknown,
    /// It came too late.
    #[error("the challenge for {label} expired: it was issued {} s ago", age.as_secs())]
    Expired {
        /// Whose enrolment it was for.
        label: String,
        /// How long ago it was issued.
        age: Duration,
    },
    /// Another request has had its certificate.
    #[error("the challenge for {label}, issued {} s ago, is spent", age.as_secs())]
    Spent {
        /// Whose enrolment it was for.
        label: String,
        /// How long ago it was issued.
        age: Duration,
    },
    /// Another request, that came at the same time, has had its certificate.
    #[error("the challenge for {label} went to a request that came at the same time")]
    Overtaken {
        /// Whose enrolment it was for.
        label: String,
    },
    /// It is for another identity than the one asked for.
    #[error("the challenge for {label} does not allow this {field}")]
    Bound {
        /// Whose enrolment it was for.
        label: String,
        /// What differs.
        field: &'static str,
    },
    /// A person has denied it.
    #[error("the request for {label} was denied: {reason}")]
    Denied {
        /// Whose enrolment it was for.
        label: String,
        /// Why.
        reason: String,
    },
    /// A verifier of the embedder refused.
    #[error("{reason}")]
    Other {
        /// In the verifier's words.
        reason: String,
    },
}

/// Challenges that are good for one certificate.
#[derive(Debug, Clone)]
pub struct OneTime {
    store: Arc<dyn Store>,
    lifetime: Duration,
}

impl OneTime {
    /// How long a challenge lives unless told otherwise: long enough for Setup Assistant, short
    /// enough for a leaked profile to be worthless soon.
    pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

    /// Challenges kept in `store`, which has to be the store of the authority too.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            lifetime: Self::LIFETIME,
        }
    }

    /// Changes how long the challenges issued from now on live.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Issues a challenge of 160 random bits, as 40 hexadecimal digits, for the profile of one
    /// device. `label` names the enrolment in events.
    ///
    /// # Errors
    /// [`Error::Store`] where it cannot be kept, [`Error::Pki`] without randomness.
    pub async fn issue(
        &self,
        label: impl Into<String> + Send,
        bound: Bound,
        now: DateTime<Utc>,
    ) -> Result<Secret<String>, Error> {
        let random = Secret::new(random::<20>()?);
        let challenge = Secret::new(hex::encode(random.expose()));
        let lifetime = TimeDelta::from_std(self.lifetime).unwrap_or(TimeDelta::MAX);
        let expires_at = now
            .checked_add_signed(lifetime)
            .unwrap_or(DateTime::<Utc>::MAX_UTC);
        let mut record = ChallengeRecord::new(label, now, expires_at);
        record.bound = bound;
        let id = ChallengeId::of(challenge.expose())?;
        match self.store.insert_challenge(id, record.clone()).await {
            Err(StoreError::Full { .. }) => {
                self.store.forget_challenges(now).await?;
                self.store.insert_challenge(id, record).await?;
            }
            other => other?,
        }
        Ok(challenge)
    }

    /// Forgets the challenges that expired a day before `now` or earlier, and says how many there
    /// were. Until then their owners are told apart from strangers. To be called now and then.
    ///
    /// # Errors
    /// Where the store cannot answer.
    pub async fn forget_expired(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let day_before = now.checked_sub_signed(TimeDelta::days(1)).unwrap_or(now);
        self.store.forget_challenges(day_before).await
    }
}

#[async_trait]
impl ChallengeVerifier for OneTime {
    async fn verify(&self, request: &EnrolmentRequest) -> Result<Verdict, StoreError> {
        let Some(challenge) = request.challenge() else {
            return Ok(Verdict::Refused(ChallengeRefusal::Missing));
        };
        let id = ChallengeId::of(challenge.expose())?;
        Ok(match self.store.challenge(&id).await? {
            None => Verdict::Refused(ChallengeRefusal::Unknown),
            Some(record) => decide(id, record, request),
        })
    }
}

/// The rule, apart from any store.
fn decide(id: ChallengeId, record: ChallengeRecord, request: &EnrolmentRequest) -> Verdict {
    let label = record.label;
    let age = (request.now() - record.issued_at)
        .to_std()
        .unwrap_or_default();
    if request.now() >= record.expires_at {
        return Verdict::Refused(ChallengeRefusal::Expired { label, age });
    }
    if let Some(spent) = record.spent {
        return if spent.request == request.id() {
            Verdict::Repeated {
                certificate: spent.certificate,
                label,
            }
        } else {
            Verdict::Refused(ChallengeRefusal::Spent { label, age })
        };
    }
    if let Some(field) = record.bound.mismatch(request.csr()) {
        return Verdict::Refused(ChallengeRefusal::Bound { label, field });
    }
    Verdict::Granted(Grant::challenge(id, label))
}
