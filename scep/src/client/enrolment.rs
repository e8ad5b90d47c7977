//! What a client asks for, and what it gets.

use std::time::Duration;

use mdm_core::Secret;
use mdm_pki::{
    Certificate, CertificateRequest, CertificateRequestBuilder, KeyAlgorithm, Name, PrivateKey,
    random,
};

use crate::{attributes::TransactionId, error::Error};

/// A key and the request for its certificate. To try again is to use the same value again.
#[derive(Debug, Clone)]
pub struct Enrolment {
    key: PrivateKey,
    csr: CertificateRequest,
    transaction_id: TransactionId,
    signer: Signing,
}

/// Who signs the message.
#[derive(Debug, Clone)]
pub(super) enum Signing {
    /// A temporary certificate of the request's key, with this subject.
    Temporary(Name),
    /// The certificate to be renewed.
    Renewed(Box<(Certificate, PrivateKey)>),
}

impl Enrolment {
    /// A request for `subject` with the challenge from the profile.
    ///
    /// Nothing can be encrypted to an EC key: what such a key asks for comes back encrypted with the challenge
    /// (RFC 8894 section 3.1).
    ///
    /// # Errors
    /// [`Error::Configuration`] for a key that is neither RSA nor EC, and an EC key without a challenge; [`Error::Pki`]
    /// where signing fails.
    pub fn new(
        key: PrivateKey,
        subject: Name,
        challenge: Option<Secret<String>>,
    ) -> Result<Self, Error> {
        let mut builder = CertificateRequestBuilder::new(subject);
        if let Some(challenge) = &challenge {
            builder = builder.challenge_password(challenge.expose());
        }
        let csr = builder.sign(&key)?;
        Self::from_csr(key, csr)
    }

    /// A request that was made elsewhere, with alternative names for example.
    ///
    /// # Errors
    /// As for [`new`](Self::new); [`Error::Configuration`] for a key that is not the request's.
    pub fn from_csr(key: PrivateKey, csr: CertificateRequest) -> Result<Self, Error> {
        check_key(&key, &csr)?;
        Self::unchecked(key, csr)
    }

    fn unchecked(key: PrivateKey, csr: CertificateRequest) -> Result<Self, Error> {
        if !csr.public_key()?.same_key(key.public_key()) {
            return Err(Error::Configuration("the request is of another key"));
        }
        Ok(Self {
            transaction_id: TransactionId::for_key(key.public_key())?,
            signer: Signing::Temporary(csr.subject().clone()),
            key,
            csr,
        })
    }

    /// A request for a new certificate in place of `old`, whose key signs the message: a RenewalReq,
    /// without a challenge. Subject and alternative names stay as they are; `key` may be the old one.
    ///
    /// Apple's client renews by [`new`](Self::new) instead, with a challenge of its own. Where the old key is EC, the
    /// request has a random challenge, for the answer to be encrypted with.
    ///
    /// # Errors
    /// [`Error::Configuration`] for keys that are neither RSA nor EC, or an `old_key` that is not that of `old`;
    /// [`Error::Pki`] where signing fails.
    pub fn renewal(old: Certificate, old_key: PrivateKey, key: PrivateKey) -> Result<Self, Error> {
        if !old.public_key()?.same_key(old_key.public_key()) {
            return Err(Error::Configuration("the certificate is of another key"));
        }
        let mut csr = old.subject_alt_names().into_iter().fold(
            CertificateRequestBuilder::new(old.subject()),
            |csr, name| csr.san(name),
        );
        if !is_rsa(&old_key) {
            let challenge = Secret::new(hex::encode(random::<20>()?));
            csr = csr.challenge_password(challenge.expose());
        }
        let csr = csr.sign(&key)?;
        check_key(&old_key, &csr)?;
        let mut renewal = Self::unchecked(key, csr)?;
        renewal.signer = Signing::Renewed(Box::new((old, old_key)));
        Ok(renewal)
    }

    /// Names the exchange differently.
    #[must_use]
    pub fn with_transaction_id(mut self, transaction_id: TransactionId) -> Self {
        self.transaction_id = transaction_id;
        self
    }

    /// Gives the temporary signer another subject, as Apple's client does. A renewal has none.
    #[must_use]
    pub fn with_signer_subject(mut self, subject: Name) -> Self {
        if let Signing::Temporary(signer) = &mut self.signer {
            *signer = subject;
        }
        self
    }

    /// The key.
    pub fn key(&self) -> &PrivateKey {
        &self.key
    }

    /// The request.
    pub fn csr(&self) -> &CertificateRequest {
        &self.csr
    }

    /// The exchange's name.
    pub fn transaction_id(&self) -> &TransactionId {
        &self.transaction_id
    }

    pub(super) fn signer(&self) -> &Signing {
        &self.signer
    }

    /// What the answer is encrypted to: the key that signs the message.
    pub(super) fn signing_key(&self) -> &PrivateKey {
        match &self.signer {
            Signing::Temporary(_) => &self.key,
            Signing::Renewed(old) => &old.1,
        }
    }
}

/// Whether an answer can be encrypted for the key that signs the message.
fn check_key(key: &PrivateKey, csr: &CertificateRequest) -> Result<(), Error> {
    match key.public_key().algorithm() {
        KeyAlgorithm::Rsa { .. } => Ok(()),
        KeyAlgorithm::Ec(_) => match csr.challenge_password() {
            Some(challenge) if !challenge.expose().is_empty() => Ok(()),
            _ => Err(Error::Configuration("an EC key needs a challenge")),
        },
        _ => Err(Error::Configuration("SCEP needs an RSA or EC key")),
    }
}

fn is_rsa(key: &PrivateKey) -> bool {
    matches!(key.public_key().algorithm(), KeyAlgorithm::Rsa { .. })
}

/// Who asks for what an authority has issued: a certificate of the authority's, or a self-signed one.
#[derive(Debug, Clone)]
pub struct Requester {
    certificate: Certificate,
    key: PrivateKey,
}

impl Requester {
    /// The holder of this certificate, to whom the answer is encrypted.
    ///
    /// # Errors
    /// [`Error::Configuration`] for a key that is not RSA or not the certificate's.
    pub fn new(certificate: Certificate, key: PrivateKey) -> Result<Self, Error> {
        if !is_rsa(&key) {
            return Err(Error::Configuration(
                "the answer to a query is encrypted to an RSA key",
            ));
        }
        if !certificate.public_key()?.same_key(key.public_key()) {
            return Err(Error::Configuration("the certificate is of another key"));
        }
        Ok(Self { certificate, key })
    }

    pub(super) fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    pub(super) fn key(&self) -> &PrivateKey {
        &self.key
    }
}

/// How long to ask again while a request is pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Polling {
    /// How often to ask again after the first time: `Retries` of a SCEP payload, 3 unless changed.
    pub retries: u32,
    /// How long to wait before each time but the first: `RetryDelay`, ten seconds unless changed.
    pub retry_delay: Duration,
}

impl Polling {
    /// So often, so far apart.
    pub fn new(retries: u32, retry_delay: Duration) -> Self {
        Self {
            retries,
            retry_delay,
        }
    }
}

impl Default for Polling {
    fn default() -> Self {
        Self::new(3, Duration::from_secs(10))
    }
}

/// A certificate that was asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Enrolled {
    /// The certificate of the enrolment's key.
    pub certificate: Certificate,
    /// The certificate of its issuer, which the server showed and the client's trust covers.
    pub issuer: Certificate,
}

impl Enrolled {
    pub(super) fn new(certificate: Certificate, issuer: Certificate) -> Self {
        Self {
            certificate,
            issuer,
        }
    }
}
