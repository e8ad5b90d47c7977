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
    store::{CertificateRecord, Revocation, StoreError},
};

/// Issues certificates.
///
/// The only way to a signature is an [`Authorized`], which only the authorisation step of a server
/// makes. An authority stores what it issues before it returns it.
#[async_trait]
pub trait CertificateAuthority: fmt::Debug + Send + Sync {
    /// The issuing certificate, then those above it that clients should have.
    fn chain(&self) -> &[Certificate];

    /// Other chains for the same certificates, each with a certificate of the issuer's name and key in front that somebody else
    /// signed: a cross-signed one. None, unless told. ACME offers them (RFC 8555 section 7.4.2).
    fn alternate_chains(&self) -> &[Vec<Certificate>] {
        &[]
    }

    /// Issues and stores one certificate.
    ///
    /// # Errors
    /// [`IssueError`]; only [`IssueError::Refused`] and [`IssueError::Conflict`] are final.
    async fn issue(&self, authorized: Authorized) -> Result<Issued, IssueError>;

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
