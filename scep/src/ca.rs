//! Who signs: the authority behind a server, and an embedded one.

mod embedded;
mod expiry;
mod profile;
mod publish;
mod rollover;
mod setup;

use std::fmt;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_pki::{Certificate, RevocationList};

pub(crate) use self::expiry::ExpiryWatch;
pub use self::{
    embedded::EmbeddedCa,
    profile::{CertificateProfile, CrlProfile, SanKind, SanRule},
    publish::publish_crl,
    rollover::NextCa,
    setup::{RootUse, ocsp_responder, registration_authority, root},
};
use crate::{
    authorize::Authorized,
    store::{CertificateRecord, Issuance, Revocation, StoreError},
};

/// Issues certificates.
///
/// The only way to a signature is an [`Authorized`], which only the authorisation step of a server
/// makes. To sign and to store are two steps, so that a server makes its answer while the certificate is being
/// stored; what is signed leaves only once it is.
#[async_trait]
pub trait CertificateAuthority: fmt::Debug + Send + Sync {
    /// The issuing certificate, then those above it that clients should have.
    fn chain(&self) -> &[Certificate];

    /// Other chains for the same certificates, each with a certificate of the issuer's name and key in front that somebody else
    /// signed: a cross-signed one. None, unless told. ACME offers them (RFC 8555 section 7.4.2).
    fn alternate_chains(&self) -> &[Vec<Certificate>] {
        &[]
    }

    /// Signs one certificate, which must not leave before it is [stored](Self::store).
    ///
    /// # Errors
    /// [`IssueError`]; only [`IssueError::Refused`] is final.
    async fn sign(&self, authorized: Authorized) -> Result<Signed, IssueError>;

    /// Stores what was signed, and spends what granted it, in one step.
    ///
    /// # Errors
    /// [`IssueError`]; only [`IssueError::Refused`] and [`IssueError::Conflict`] are final.
    async fn store(&self, signed: &Signed) -> Result<Issued, IssueError>;

    /// Signs and stores one certificate.
    ///
    /// # Errors
    /// As for [`sign`](Self::sign) and [`store`](Self::store).
    async fn issue(&self, authorized: Authorized) -> Result<Issued, IssueError> {
        self.store(&self.sign(authorized).await?).await
    }

    /// What is known of the certificate of this serial number, if the authority has issued it.
    ///
    /// # Errors
    /// Where that cannot be said now.
    async fn find(&self, serial: &[u8]) -> Result<Option<CertificateRecord>, StoreError>;

    /// Revokes the certificate of this serial number (the content of its DER INTEGER) and returns the
    /// revocation that counts: of several the first. `None` if there is no such certificate.
    ///
    /// # Errors
    /// Where the store cannot answer.
    async fn revoke(
        &self,
        serial: &[u8],
        revocation: Revocation,
    ) -> Result<Option<Revocation>, StoreError>;

    /// The revocation list that counts at this time.
    ///
    /// # Errors
    /// [`IssueError`]; [`IssueError::Refused`] from an authority that has none.
    async fn crl(&self, now: DateTime<Utc>) -> Result<RevocationList, IssueError>;
}

/// A certificate that is signed and not yet stored.
#[derive(Debug)]
pub struct Signed {
    certificate: Certificate,
    authorized: Authorized,
}

impl Signed {
    /// What an authority has signed for a request.
    pub fn new(certificate: Certificate, authorized: Authorized) -> Self {
        Self {
            certificate,
            authorized,
        }
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// What it was signed for.
    pub fn authorized(&self) -> &Authorized {
        &self.authorized
    }

    /// What is to be stored in one step with what it spends.
    pub fn issuance(&self) -> Issuance {
        let Self {
            certificate,
            authorized,
        } = self;
        let (grant, request) = (authorized.grant().clone(), authorized.request_id());
        Issuance::new(certificate.clone(), grant, request, authorized.at())
    }
}

/// A certificate that is stored and may leave.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Issued {
    /// A new one.
    New(Certificate),
    /// The one that the same request got earlier, found when the new one was to be stored.
    Earlier(Certificate),
}

/// Why there is no certificate.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The authority does not sign this request.
    #[error("{0}")]
    Refused(String),
    /// Another request used up the permission meanwhile.
    #[error("another request used up the permission meanwhile")]
    Conflict,
    /// The authority's own certificate is not valid now.
    #[error("the authority's certificate is not valid now")]
    Expired,
    /// More certificates are revoked than a list may hold.
    #[error("more than {limit} certificates are revoked")]
    CrlTooLong {
        /// The limit of [`CrlProfile::entries`].
        limit: usize,
    },
    /// The certificate could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The certificate could not be made.
    #[error(transparent)]
    Pki(#[from] mdm_pki::Error),
}
