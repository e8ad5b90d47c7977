//! How a device proves which certificate it holds, and to which enrolment a certificate may be pinned.
//!
//! | Who tells the certificate | Source |
//! |---|---|
//! | the device, in each message | [`MdmSignature`] |
//! | whoever terminates TLS in this program | [`MutualTls`] |
//! | a proxy in front of it | [`ProxyHeader`] |
//! | two of them at once, or whichever there is | [`Both`], [`Either`] |
//!
//! What a certificate may do then is a [`PinPolicy`]'s to say.

use std::{error, fmt};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::Request;
use mdm_pki::Certificate;

mod combine;
mod issuers;
mod mutual_tls;
mod pins;
mod proxy;
mod signature;

pub use combine::{Both, Either};
pub use issuers::CertificateError;
pub use mdm_protocol::signature::ClockSkew;
pub use mutual_tls::{MutualTls, PeerCertificate};
pub use pins::{
    AdoptImported, ByIssuingRecord, IssuerDecides, IssuingRecord, KeepPins, NamedInCertificate,
    PinPolicy, Pinning,
};
pub use proxy::{InvalidNetwork, Network, Peer, ProxyHeader};
pub use signature::MdmSignature;

/// Finds the certificate behind a request.
///
/// Whether it is the right one for the enrolment is not decided here: the service pins it at
/// `Authenticate` and compares from then on (Q4).
#[async_trait]
pub trait IdentitySource: fmt::Debug + Send + Sync {
    /// The certificate whose key the sender proved to hold, issued by somebody who is trusted with
    /// that.
    ///
    /// # Errors
    /// [`IdentityError`] if there is no such proof; the device is answered 400.
    async fn identify(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError>;
}

#[async_trait]
impl<I: IdentitySource + ?Sized> IdentitySource for std::sync::Arc<I> {
    async fn identify(
        &self,
        request: &Request<Bytes>,
        now: DateTime<Utc>,
    ) -> Result<Certificate, IdentityError> {
        (**self).identify(request, now).await
    }
}

/// Why nobody can be made out behind a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// The request carries no proof.
    #[error("the request carries no proof of identity")]
    Missing,
    /// The proof does not hold.
    #[error("the proof of identity does not hold")]
    Invalid(#[source] Box<dyn error::Error + Send + Sync>),
    /// The request carries two proofs, of different certificates.
    #[error("the two proofs of identity are of different certificates")]
    Disagreement,
}

/// Whether a header says that there is nothing to say: it is empty, or has what servers write for a value that they do
/// not have (Apache's `(null)`, the dash of logs).
fn is_absent(value: &[u8]) -> bool {
    matches!(value.trim_ascii(), b"" | b"(null)" | b"-")
}

impl IdentityError {
    /// The proof does not hold, and why: that goes to the log.
    pub fn invalid(cause: impl Into<Box<dyn error::Error + Send + Sync>>) -> Self {
        Self::Invalid(cause.into())
    }

    pub(crate) fn unusable(cause: mdm_pki::Error) -> Self {
        Self::invalid(cause)
    }
}
