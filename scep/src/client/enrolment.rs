//! What a client asks for, and what it gets.

use mdm_core::Secret;
use mdm_pki::{
    Certificate, CertificateRequest, CertificateRequestBuilder, KeyAlgorithm, Name, PrivateKey,
};

use crate::{attributes::TransactionId, error::Error};

/// A key and the request for its certificate. To try again is to use the same value again.
#[derive(Debug, Clone)]
pub struct Enrolment {
    key: PrivateKey,
    csr: CertificateRequest,
    transaction_id: TransactionId,
    signer_subject: Name,
}

impl Enrolment {
    /// A request for `subject` with the challenge from the profile.
    ///
    /// # Errors
    /// [`Error::Configuration`] for a key that is not RSA, [`Error::Pki`] where signing fails.
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
    /// [`Error::Configuration`] for a key that is not RSA or not the request's.
    pub fn from_csr(key: PrivateKey, csr: CertificateRequest) -> Result<Self, Error> {
        if !matches!(key.public_key().algorithm(), KeyAlgorithm::Rsa { .. }) {
            return Err(Error::Configuration(
                "SCEP with this client needs an RSA key",
            ));
        }
        if !csr.public_key()?.same_key(key.public_key()) {
            return Err(Error::Configuration("the request is of another key"));
        }
        Ok(Self {
            transaction_id: TransactionId::for_key(key.public_key())?,
            signer_subject: csr.subject().clone(),
            key,
            csr,
        })
    }

    /// Names the exchange differently.
    #[must_use]
    pub fn with_transaction_id(mut self, transaction_id: TransactionId) -> Self {
        self.transaction_id = transaction_id;
        self
    }

    /// Gives the temporary signer another subject, as Apple's client does.
    #[must_use]
    pub fn with_signer_subject(mut self, subject: Name) -> Self {
        self.signer_subject = subject;
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

    pub(super) fn signer_subject(&self) -> &Name {
        &self.signer_subject
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
