//! The push certificate: who may push, to which topic, until when; and how one comes by it.
//!
//! | Module | What lives there |
//! |---|---|
//! | here | [`PushCertificate`] with its key, [`TopicCertificate`] without: topic, validity, renewal |
//! | [`environment`] | [`Environment`]: production, sandbox, both |
//! | [`validity`] | [`Renewal`]: how near the end is |
//! | [`customer`] | [`CustomerRequest`]: the request (CSR) that a customer makes |
//! | [`vendor`] | [`Vendor`]: signs it for Apple's portal |
//! | [`upload`] | [`PushCertificateRequest`]: the file that the portal takes, written and read |
//! | [`mdmcert`] | mdmcert.download, a vendor for those who have none |
//!
//! A push certificate is valid for a year. The customer makes a key and a request, the vendor of
//! the MDM server signs it, and the customer uploads the result to Apple's portal
//! (<https://identity.apple.com/pushcert>) and downloads the certificate. To renew means to do so
//! again with the same Apple Account and the certificate chosen there: the topic stays. A new one
//! has another topic, and strands every device that is enrolled with the old.
//!
//! ```
//! use chrono::{DateTime, Utc};
//! use mdm_apns::certificate::{CertificateError, PushCertificate, Renewal, RenewalPolicy};
//! use mdm_core::Topic;
//! use mdm_pki::Identity;
//!
//! // Every day: is there something to do?
//! fn look(certificate: &PushCertificate, now: DateTime<Utc>) {
//!     match certificate.renewal(now, &RenewalPolicy::default()) {
//!         Renewal::Fine { .. } => {}
//!         due => eprintln!("{}: {due}", certificate.topic()),
//!     }
//! }
//!
//! // The operator brings a renewed one.
//! fn replace(
//!     old: &PushCertificate,
//!     renewed: Identity,
//!     enrolled_with: &Topic,
//! ) -> Result<PushCertificate, CertificateError> {
//!     let renewed = PushCertificate::with_topic(renewed, enrolled_with)?;
//!     renewed.renews(old)?;
//!     Ok(renewed)
//! }
//! ```

pub mod customer;
pub mod environment;
pub mod mdmcert;
pub mod upload;
pub mod validity;
pub mod vendor;

pub use customer::CustomerRequest;
pub use environment::Environment;
pub use upload::PushCertificateRequest;
pub use validity::{Renewal, RenewalPolicy};
pub use vendor::Vendor;

use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::{Secret, Topic};
use mdm_pki::{Certificate, Identity, KeyAlgorithm, PublicKey};

/// The shortest RSA key that Apple's portal takes, in bits.
pub const MIN_RSA_BITS: usize = 2048;

/// A push certificate with its key, and the topic that it stands for.
///
/// The topic is the user ID of the subject (OID 0.9.2342.19200300.100.1.1) and never the common
/// name, which may hold another UUID. To renew a certificate keeps the topic; a new one strands
/// every device enrolled with the old.
#[derive(Debug, Clone)]
pub struct PushCertificate {
    identity: Identity,
    public: TopicCertificate,
}

/// A push certificate without its key: what it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopicCertificate {
    certificate: Certificate,
    topic: Topic,
}

/// Why a certificate is no push certificate for MDM, or not the right one.
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
    /// The certificate is for another topic than the one that devices are enrolled with.
    #[error("the certificate is for the topic {found}, and {expected} is configured")]
    OtherTopic {
        /// The topic in the certificate.
        found: Topic,
        /// The topic that is configured.
        expected: Topic,
    },
    /// The certificate was newly made, not renewed.
    #[error(
        "the certificate is for the topic {new} and the one in use for {old}: it is a new one, not \
         a renewed one, and would strand every device that is enrolled; renew the one in use at \
         Apple's portal, with the Apple Account that it was made with"
    )]
    NotRenewed {
        /// The topic of the certificate in use.
        old: Topic,
        /// The topic of the one that should take its place.
        new: Topic,
    },
    /// The certificate ends no later than the one that it should take the place of.
    #[error("the certificate ends on {new}, no later than the one in use, which ends on {old}")]
    NotLater {
        /// When the certificate in use ends.
        old: DateTime<Utc>,
        /// When the one that should take its place ends.
        new: DateTime<Utc>,
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

/// Why a push certificate could not be loaded from its files.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The files cannot be read, the passphrase is wrong, or the key belongs to another
    /// certificate.
    #[error(transparent)]
    Files(#[from] mdm_pki::Error),
    /// What is in them is no push certificate.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

impl PushCertificate {
    /// Takes the certificate if it is one for MDM. Its validity is looked at in [`Self::check`].
    ///
    /// # Errors
    /// [`CertificateError::NoTopic`], [`CertificateError::ForeignTopic`].
    pub fn new(identity: Identity) -> Result<Self, CertificateError> {
        let public = TopicCertificate::new(identity.certificate.clone())?;
        Ok(Self { identity, public })
    }

    /// Takes the certificate if it is one for this topic, the one in the MDM payload of the devices.
    ///
    /// # Errors
    /// As [`Self::new`]; [`CertificateError::OtherTopic`].
    pub fn with_topic(identity: Identity, topic: &Topic) -> Result<Self, CertificateError> {
        let certificate = Self::new(identity)?;
        if certificate.topic() != topic {
            return Err(CertificateError::OtherTopic {
                found: certificate.topic().clone(),
                expected: topic.clone(),
            });
        }
        Ok(certificate)
    }

    /// Reads PEM texts: the certificate as Apple's portal gives it, and the key that its request was
    /// made with (PKCS #8, PKCS #1 or SEC 1, also encrypted). Both may be the same text.
    ///
    /// # Errors
    /// [`LoadError::Files`] with [`mdm_pki::Error::Password`] for a passphrase that is missing or
    /// wrong, and [`mdm_pki::Error::KeyMismatch`] for the key of another certificate;
    /// [`LoadError::Certificate`] as [`Self::new`].
    pub fn from_pem(
        certificate: &[u8],
        key: &[u8],
        passphrase: Option<&Secret<String>>,
    ) -> Result<Self, LoadError> {
        let passphrase = passphrase.map(|passphrase| passphrase.expose().as_str());
        let identity = Identity::from_pem(certificate, key, passphrase)?;
        Ok(Self::new(identity)?)
    }

    /// Reads a PKCS #12 file (`.p12`, `.pfx`).
    ///
    /// # Errors
    /// As [`Self::from_pem`]; [`mdm_pki::Error::Incomplete`] for a file without a key.
    pub fn from_pkcs12(der: &[u8], passphrase: &Secret<String>) -> Result<Self, LoadError> {
        let identity = Identity::from_pkcs12(der, passphrase.expose())?;
        Ok(Self::new(identity)?)
    }

    /// The topic: what belongs into the `Topic` key of the MDM payload.
    pub fn topic(&self) -> &Topic {
        self.public.topic()
    }

    /// Certificate, chain and key.
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The certificate without its key.
    pub fn public(&self) -> &TopicCertificate {
        &self.public
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> DateTime<Utc> {
        self.public.not_before()
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.public.not_after()
    }

    /// How much longer it is valid; renew it well before this is nothing.
    ///
    /// # Errors
    /// [`CertificateError::Expired`], [`CertificateError::NotYetValid`].
    pub fn check(&self, now: DateTime<Utc>) -> Result<TimeDelta, CertificateError> {
        self.public.check(now)
    }

    /// How near its end is, and so how urgent it is to renew it.
    pub fn renewal(&self, now: DateTime<Utc>, policy: &RenewalPolicy) -> Renewal {
        self.public.renewal(now, policy)
    }

    /// Which of Apple's push services takes it.
    pub fn environment(&self) -> Environment {
        self.public.environment()
    }

    /// Whether it may take the place of the one in use.
    ///
    /// # Errors
    /// As [`TopicCertificate::renews`].
    pub fn renews(&self, old: &Self) -> Result<(), CertificateError> {
        self.public.renews(&old.public)
    }
}

impl TopicCertificate {
    /// Takes the certificate if it is one for MDM.
    ///
    /// # Errors
    /// [`CertificateError::NoTopic`], [`CertificateError::ForeignTopic`].
    pub fn new(certificate: Certificate) -> Result<Self, CertificateError> {
        let topic = certificate
            .user_id()
            .and_then(|id| Topic::new(id).ok())
            .ok_or(CertificateError::NoTopic)?;
        if !topic.is_mdm() {
            return Err(CertificateError::ForeignTopic { topic });
        }
        Ok(Self { certificate, topic })
    }

    /// The topic: what belongs into the `Topic` key of the MDM payload.
    pub fn topic(&self) -> &Topic {
        &self.topic
    }

    /// The certificate itself.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> DateTime<Utc> {
        self.certificate.not_before()
    }

    /// Until when it is valid.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.certificate.not_after()
    }

    /// How much longer it is valid.
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

    /// How near its end is, and so how urgent it is to renew it.
    pub fn renewal(&self, now: DateTime<Utc>, policy: &RenewalPolicy) -> Renewal {
        policy.judge(self.not_before(), self.not_after(), now)
    }

    /// Which of Apple's push services takes it.
    pub fn environment(&self) -> Environment {
        Environment::of(&self.certificate)
    }

    /// Whether it may take the place of the one in use: the topic is the same, and it ends later.
    ///
    /// # Errors
    /// [`CertificateError::NotRenewed`] for another topic: every enrolled device would be stranded.
    /// [`CertificateError::NotLater`] where it brings nothing.
    pub fn renews(&self, old: &Self) -> Result<(), CertificateError> {
        if self.topic != old.topic {
            return Err(CertificateError::NotRenewed {
                old: old.topic.clone(),
                new: self.topic.clone(),
            });
        }
        if self.not_after() <= old.not_after() {
            return Err(CertificateError::NotLater {
                old: old.not_after(),
                new: self.not_after(),
            });
        }
        Ok(())
    }
}

/// A key that Apple's portal does not take in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnfitKey {
    /// It is no RSA key.
    #[error("the key is not RSA")]
    NotRsa,
    /// It is shorter than [`MIN_RSA_BITS`].
    #[error("the key has {bits} bits, and {MIN_RSA_BITS} are the least")]
    Short {
        /// The length of the modulus in bits.
        bits: usize,
    },
}

fn check_key(key: &PublicKey) -> Result<(), UnfitKey> {
    match key.algorithm() {
        KeyAlgorithm::Rsa { bits } if bits < MIN_RSA_BITS => Err(UnfitKey::Short { bits }),
        KeyAlgorithm::Rsa { .. } => Ok(()),
        _ => Err(UnfitKey::NotRsa),
    }
}
