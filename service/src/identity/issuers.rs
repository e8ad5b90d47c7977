//! A certificate that somebody else saw proven, held against the issuers that count.

use chrono::{DateTime, Utc};
use http::HeaderName;
use mdm_pki::{Certificate, SignatureError, chain::Anchors};
use mdm_protocol::signature::ClockSkew;

/// Most certificates of a chain, the leaf not counted.
pub(super) const MAX_CHAIN: usize = 8;

/// Who may have issued a device's identity.
#[derive(Debug, Clone)]
pub(super) struct Issuers {
    anchors: Anchors,
    pub(super) skew: ClockSkew,
}

impl Issuers {
    pub(super) fn new(certificates: &[Certificate]) -> Result<Self, mdm_pki::Error> {
        Ok(Self {
            anchors: Anchors::new(certificates)?,
            skew: ClockSkew::default(),
        })
    }

    /// The leaf, if one of these issuers issued it, through `chain` as far as needed.
    pub(super) fn check(
        &self,
        leaf: Certificate,
        chain: &[Certificate],
        now: DateTime<Utc>,
    ) -> Result<Certificate, CertificateError> {
        if chain.len() > MAX_CHAIN {
            return Err(CertificateError::TooManyCertificates { count: chain.len() });
        }
        let found = self.anchors.verify(&leaf, chain, now)?;
        found.trusted?;
        match found.validity {
            Err(SignatureError::NotYetValid { since }) if self.skew.tolerates(since, now) => {
                Ok(leaf)
            }
            validity => validity.map(|()| leaf).map_err(CertificateError::from),
        }
    }
}

/// Why a certificate that TLS or a proxy tells does not count.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A header that may stand once stands several times: somebody wrote it before the proxy did.
    #[error("the header {0} stands more than once")]
    Repeated(HeaderName),
    /// A header over the limit.
    #[error("a header of {bytes} bytes is over the limit of {limit}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A header that is not written as it should be.
    #[error("the header {0}")]
    Syntax(&'static str),
    /// More certificates than a chain has.
    #[error("a chain of {count} certificates is too long")]
    TooManyCertificates {
        /// How many.
        count: usize,
    },
    /// What should be a certificate is none, or OpenSSL failed.
    #[error("the certificate cannot be read")]
    Unreadable(#[from] mdm_pki::Error),
    /// None of the issuers that count issued it, or it is not valid now.
    #[error("the certificate does not count")]
    NotTrusted(#[from] SignatureError),
}
