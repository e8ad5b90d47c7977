//! Verification in layers: each finding stands alone, and the caller's policy says which must hold.

use chrono::{DateTime, Utc};

use super::signed::{SignedData, SignerInfo, signed_digest};
use crate::{
    certificate::{Certificate, KeyUsage},
    chain::{Anchors, Untrusted},
    error::Error,
    oid::{self, Oid},
};

/// What a message is verified against.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Verify<'a> {
    /// Who is trusted: roots, or pinned authorities below them.
    pub roots: &'a [Certificate],
    /// Authorities that may stand between, besides those that come with the message.
    pub intermediates: &'a [Certificate],
    /// The content of a detached message.
    pub detached: Option<&'a [u8]>,
    /// The time at which the certificates must be valid.
    pub at: DateTime<Utc>,
    /// What the signer's certificate must allow: anything, by default.
    pub purpose: SignerPurpose,
}

impl<'a> Verify<'a> {
    /// Verifies against these anchors at this time; the content is in the message and any signer's certificate will do.
    pub fn new(roots: &'a [Certificate], at: DateTime<Utc>) -> Self {
        Self {
            roots,
            intermediates: &[],
            detached: None,
            at,
            purpose: SignerPurpose::Any,
        }
    }

    /// With changes: `Verify::new(..).with(|verify| verify.detached = Some(body))`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// What the signer's certificate must allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum SignerPurpose {
    /// Anything: device certificates often allow clientAuth alone.
    #[default]
    Any,
    /// Signing: keyUsage, where there is one, has digitalSignature or nonRepudiation.
    Signing,
    /// Signing, and extKeyUsage, where there is one, has this usage or any.
    Usage(Oid),
}

/// What was found about one signer. Each layer stands alone.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Verification {
    /// Whether the signature covers the content, made with the key of the signer's certificate.
    pub signature: Result<(), VerifyError>,
    /// Whether that certificate leads to an anchor, whatever the time: itself first, the anchor last.
    pub chain: Result<Vec<Certificate>, VerifyError>,
    /// Whether the certificates of the chain are valid at the time asked for.
    pub validity: Result<(), VerifyError>,
    /// Whether the signer's certificate allows the purpose asked for.
    pub purpose: Result<(), VerifyError>,
    /// The signer's certificate, if it came with the message.
    pub signer: Option<Certificate>,
}

impl Verification {
    /// Whether every layer holds: the signer's certificate.
    ///
    /// # Errors
    /// The first layer that does not.
    pub fn trusted(&self) -> Result<&Certificate, VerifyError> {
        self.validity_does_not_matter().and_then(|signer| {
            self.validity.clone()?;
            Ok(signer)
        })
    }

    /// Whether every layer but the validity holds, as for Apple's device certificates, whose authority expired long ago
    /// (Q2): the signer's certificate.
    ///
    /// # Errors
    /// The first layer that does not.
    pub fn validity_does_not_matter(&self) -> Result<&Certificate, VerifyError> {
        self.signature.clone()?;
        if let Err(error) = &self.chain {
            return Err(error.clone());
        }
        self.purpose.clone()?;
        self.signer.as_ref().ok_or(VerifyError::CertificateMissing)
    }
}

/// What speaks against a signature.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The message or a certificate of it cannot be read.
    #[error(transparent)]
    Unreadable(#[from] Error),
    /// The message has another number of signers than one.
    #[error("the message has {count} signers instead of one")]
    SignerCount {
        /// How many.
        count: usize,
    },
    /// The signer's certificate did not come with the message.
    #[error("the signer's certificate is missing")]
    CertificateMissing,
    /// The message is detached and no content was given.
    #[error("the content is missing")]
    ContentMissing,
    /// The message carries a content and another one was given.
    #[error("the message carries another content than the one given")]
    ContentMismatch,
    /// The content is not the one that was signed.
    #[error("the content was altered")]
    ContentAltered,
    /// The signature does not match.
    #[error("the signature does not match")]
    BadSignature,
    /// The signature is made with an algorithm unknown here.
    #[error("the signature algorithm is not supported")]
    UnsupportedAlgorithm,
    /// The signer's certificate leads to no anchor.
    #[error("the certificate is not trusted: {reason}")]
    Untrusted {
        /// OpenSSL's reason.
        reason: String,
    },
    /// A certificate is not valid any more.
    #[error("a certificate expired at {since}")]
    Expired {
        /// The last moment at which it was valid.
        since: DateTime<Utc>,
    },
    /// A certificate is not valid yet.
    #[error("a certificate is valid only from {since}")]
    NotYetValid {
        /// The first moment at which it will be valid.
        since: DateTime<Utc>,
    },
    /// The signer's certificate does not allow the purpose asked for.
    #[error("the signer's certificate does not allow this use")]
    Purpose,
}

impl SignedData {
    /// Verifies every signer.
    ///
    /// # Errors
    /// [`Error`] when the anchors cannot be read or OpenSSL fails; what speaks against a signer is in its
    /// [`Verification`].
    pub fn verify(&self, verify: &Verify<'_>) -> Result<Vec<Verification>, Error> {
        let anchors = Anchors::new(verify.roots)?;
        let intermediates = [self.certificates(), verify.intermediates].concat();
        let intermediates = Untrusted::new(&intermediates)?;
        self.signers()
            .iter()
            .map(|signer| {
                let (chain, validity) = match signer.certificate() {
                    None => (
                        Err(VerifyError::CertificateMissing),
                        Err(VerifyError::CertificateMissing),
                    ),
                    Some(certificate) => {
                        let chain =
                            anchors.verify_through(certificate, &intermediates, verify.at)?;
                        (chain.trusted, chain.validity)
                    }
                };
                Ok(Verification {
                    signature: self.verify_signature(signer, verify.detached),
                    chain,
                    validity,
                    purpose: verify_purpose(signer.certificate(), verify.purpose),
                    signer: signer.certificate().cloned(),
                })
            })
            .collect()
    }

    /// Verifies a message that must have exactly one signer.
    ///
    /// # Errors
    /// [`VerifyError::SignerCount`]; as [`Self::verify`].
    pub fn verify_one(&self, verify: &Verify<'_>) -> Result<Verification, VerifyError> {
        let count = self.signers().len();
        if count != 1 {
            return Err(VerifyError::SignerCount { count });
        }
        let mut all = self.verify(verify)?;
        all.pop().ok_or(VerifyError::SignerCount { count: 0 })
    }

    /// Verifies a signature alone: that the key of the signer's certificate, whoever that is, signed the content.
    ///
    /// # Errors
    /// What speaks against it.
    pub fn verify_signature(
        &self,
        signer: &SignerInfo,
        detached: Option<&[u8]>,
    ) -> Result<(), VerifyError> {
        let content = match (self.content(), detached) {
            (Some(content), None) | (None, Some(content)) => content,
            (Some(content), Some(given)) if content == given => content,
            (Some(_), Some(_)) => return Err(VerifyError::ContentMismatch),
            // Omitted on purpose: the signed attributes are all there is (RFC 8894, section 3.2).
            (None, None) if signer.has_signed_attributes() && covers_nothing(signer)? => &[],
            (None, None) => return Err(VerifyError::ContentMissing),
        };
        signer.verify(content)
    }
}

fn covers_nothing(signer: &SignerInfo) -> Result<bool, VerifyError> {
    let digest = signer.digest.ok_or(VerifyError::UnsupportedAlgorithm)?;
    let found = signed_digest(
        digest,
        signer.attributes.as_deref(),
        signer.content_type,
        &[],
    )?;
    Ok(found.is_some())
}

impl SignerInfo {
    /// Verifies that the key of this signer's certificate signed the content.
    pub(super) fn verify(&self, content: &[u8]) -> Result<(), VerifyError> {
        let certificate = self
            .certificate
            .as_ref()
            .ok_or(VerifyError::CertificateMissing)?;
        let algorithm = self.algorithm.ok_or(VerifyError::UnsupportedAlgorithm)?;
        let digest = signed_digest(
            algorithm.digest(),
            self.attributes.as_deref(),
            self.content_type,
            content,
        )?
        .ok_or(VerifyError::ContentAltered)?;
        certificate
            .public_key()?
            .verify_digest(algorithm, &digest, &self.signature)
            .map_err(VerifyError::from_signature)
    }
}

impl VerifyError {
    pub(crate) fn from_signature(error: Error) -> Self {
        match error {
            Error::BadSignature => Self::BadSignature,
            Error::Unsupported { .. } => Self::UnsupportedAlgorithm,
            other => Self::Unreadable(other),
        }
    }
}

fn verify_purpose(signer: Option<&Certificate>, purpose: SignerPurpose) -> Result<(), VerifyError> {
    let signer = signer.ok_or(VerifyError::CertificateMissing)?;
    let signs = signer.key_usage().is_none_or(|usage| {
        usage.intersects(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::NON_REPUDIATION)
    });
    let allowed = match purpose {
        SignerPurpose::Any => true,
        SignerPurpose::Signing => signs,
        SignerPurpose::Usage(wanted) => {
            let usages = signer.extended_key_usages();
            signs
                && (signer.extension(oid::EXTENDED_KEY_USAGE).is_none()
                    || usages.contains(&wanted)
                    || usages.contains(&oid::ANY_EXTENDED_KEY_USAGE))
        }
    };
    if allowed {
        Ok(())
    } else {
        Err(VerifyError::Purpose)
    }
}
