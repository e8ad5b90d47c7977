//! The push certificate: who may push, to which topic, until when.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::Topic;
use mdm_pki::Identity;

/// A push certificate with its key, and the topic that it stands for.
///
/// The topic is the user ID of the subject (OID 0.9.2342.19200300.100.1.1) and never the common
/// name, which may hold another UUID. To renew a certificate keeps the topic; a new one strands
/// every device enrolled with the old.
#[derive(Debug, Clone)]
pub struct PushCertificate {
    identity: Identity,
    topic: Topic,
}

/// Why a certificate is no push certificate for MDM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The subject has no user ID, so there is no topic.
    #[error("the certificate's subject has no user ID, which names the push topic")]
    NoTopic,
    /// The user ID is a topic of something other than MDM.
    #[error("the certificate is for the topic {topic}, which is not one of MDM")]
    ForeignTopic {
        /// The topic found.
        topic: Topic,
    },
    /// The certificate has expired.
    #[error("the push certificate has expired on {since}")]
    Expired {
        /// Since when.
        since: DateTime<Utc>,
    },
    /// The certificate is not valid yet.
    #[error("the push certificate is not valid before {from}")]
    NotYetValid {
        /// From when on.
        from: DateTime<Utc>,
    },
}

impl PushCertificate {
    /// Takes the certificate if it is one for MDM. Its validity is looked at in [`Self::check`].
    ///
    /// # Errors
    /// [`CertificateError::NoTopic`], [`CertificateError::ForeignTopic`].
    pub fn new(identity: Identity) -> Result<Self, CertificateError> {
        let topic = identity
            .certificate
            .user_id()
            .and_then(|id| Topic::new(id).ok())
            .ok_or(CertificateError::NoTopic)?;
        if !topic.is_mdm() {
            return Err(CertificateError::ForeignTopic { topic });
        }
        Ok(Self { identity, topic })
    }

    /// The topic: what belongs into the `Topic` key of the MDM payload.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// Certificate, chain and key.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> DateTime<Utc> {
        self.identity.certificate.not_before()
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.identity.certificate.not_after()
    }

    /// How much longer it is valid; renew it well before this is nothing.
    ///
    /// # Errors
    /// [`CertificateError::Expired`], [`CertificateError::NotYetValid`].
    pub fn check(&self, now: DateTime<Utc>) -> Result<TimeDelta, CertificateError> {
        if now < self.not_before() {
            return Err(CertificateError::NotYetValid {
                from: self.not_before(),
            });
        }
        let left = self.not_after() - now;
        if left < TimeDelta::zero() {
            return Err(CertificateError::Expired {
                since: self.not_after(),
            });
        }
        Ok(left)
    }
}
