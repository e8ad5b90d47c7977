//! A certificate that somebody else saw proven, held against the issuers that count.

use chrono::{DateTime, Utc};
use http::HeaderName;
use mdm_pki::{Certificate, SignatureError, chain::Anchors};
use mdm_protocol::signature::ClockSkew;

use crate::Fingerprint;

mod known;

use known::{Known, Validity};

/// Most certificates of a chain, the leaf not counted.
pub(super) const MAX_CHAIN: usize = 8;

/// Most certificates whose issuer is remembered, unless told otherwise: some 8 MB.
const REMEMBERED: usize = 65_536;

/// Who may have issued a device's identity.
#[derive(Debug, Clone)]
pub(super) struct Issuers {
    anchors: Anchors,
    pub(super) skew: ClockSkew,
    known: Known,
}

impl Issuers {
    pub(super) fn new(certificates: &[Certificate]) -> Result<Self, mdm_pki::Error> {
        Ok(Self {
            anchors: Anchors::new(certificates)?,
            skew: ClockSkew::default(),
            known: Known::new(REMEMBERED),
        })
    }

    /// Remembers the issuers of at most so many certificates.
    pub(super) fn remember(&mut self, most: usize) {
        self.known = Known::new(most);
    }

    /// The leaf, if one of these issuers issued it, through `chain` as far as needed.
    ///
    /// Who issued a certificate never changes, so it is looked at once; whether all of that chain is valid is looked
    /// at each time.
    pub(super) fn check(
        &self,
        leaf: Certificate,
        chain: &[Certificate],
        now: DateTime<Utc>,
    ) -> Result<Certificate, CertificateError> {
        if chain.len() > MAX_CHAIN {
            return Err(CertificateError::TooManyCertificates { count: chain.len() });
        }
        let fingerprint = Fingerprint::of_whole(&leaf)?;
        if let Some(Validity { since, until }) = self.known.find(&fingerprint)
            && now <= until
            && (since <= now || self.skew.tolerates(since, now))
        {
            return Ok(leaf);
        }
        let found = self.anchors.verify(&leaf, chain, now)?;
        let trusted = found.trusted?;
        match found.validity {
            Err(SignatureError::NotYetValid { since }) if self.skew.tolerates(since, now) => {}
            validity => validity?,
        }
        if let Some(validity) = Validity::of(&trusted) {
            self.known.keep(fingerprint, validity);
        }
        Ok(leaf)
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
