//! Why an attestation cannot be read, or is not believed.

use crate::{cms::VerifyError, error::Error, key::KeyAlgorithm};

/// Why an attestation cannot be read, or is not believed.
///
/// All but those that [`Self::is_internal`] tells are the device's doing: `badAttestationStatement` in ACME.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationError {
    /// More of something than [`Limits`](super::Limits) allow.
    #[error("the attestation has more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// No CBOR, or not of the form `{"fmt": .., "attStmt": {"x5c": [..]}}`.
    #[error("the attestation is no readable CBOR statement: {problem} at byte {at}")]
    Cbor {
        /// How far it was read.
        at: usize,
        /// What is wrong there.
        problem: String,
    },
    /// The format is another one than `apple`.
    #[error("the attestation's format is {0:?}, not \"apple\"")]
    Format(String),
    /// The statement says that it attests, and has no certificate.
    #[error("the attestation has no certificate")]
    EmptyChain,
    /// A certificate cannot be read.
    #[error("certificate {index} of the attestation cannot be read")]
    Certificate {
        /// Which one; 0 is the device's.
        index: usize,
        /// Why not.
        #[source]
        source: Error,
    },
    /// The extensions of the device's certificate cannot be read, or one stands there twice.
    #[error("the extensions of the attestation cannot be read: {0}")]
    Extensions(String),
    /// The chain leads to none of the roots.
    #[error("the attestation's chain is not trusted")]
    Untrusted(#[source] VerifyError),
    /// A certificate of the chain is not valid at the time given.
    #[error("the attestation's chain is not valid now")]
    Validity(#[source] VerifyError),
    /// The certificates that were sent are not the chain that was verified, in its order.
    #[error("the attestation's certificates are not one chain in order")]
    Order,
    /// The device's certificate is an authority's.
    #[error("the attestation's first certificate is an authority")]
    LeafIsAuthority,
    /// Something that is no authority issued a certificate of the chain.
    #[error("certificate {index} of the attestation's chain issued another and is no authority")]
    IssuerIsNoAuthority {
        /// Which one; 0 is the device's.
        index: usize,
    },
    /// A certificate of the chain is signed with a broken or unknown digest.
    #[error("certificate {index} of the attestation's chain is signed too weakly")]
    WeakSignature {
        /// Which one; 0 is the device's.
        index: usize,
    },
    /// The attested key is none that Apple attests: P-256 or P-384.
    #[error("a key of this kind is not attested: {0:?}")]
    Key(KeyAlgorithm),
    /// The attestation has no freshness: it would be good for ever.
    #[error("the attestation has no freshness")]
    FreshnessMissing,
    /// The freshness is that of another question: a replay, or a cached answer of DeviceInformation, which may hold an
    /// earlier nonce for 7 days.
    #[error("the attestation's freshness belongs to another token or nonce")]
    FreshnessMismatch,
    /// What the caller expects cannot be expected.
    #[error("{0}")]
    Expectation(&'static str),
    /// A root cannot be read, or OpenSSL fails.
    #[error("the attestation could not be verified")]
    Internal(#[source] Error),
}

impl AttestationError {
    /// Whether the fault is on this side, and says nothing about the device.
    pub fn is_internal(&self) -> bool {
        matches!(self, Self::Expectation(_) | Self::Internal(_))
    }

    pub(super) fn within(what: &'static str, count: usize, limit: usize) -> Result<(), Self> {
        match count > limit {
            true => Err(Self::TooMany { what, limit }),
            false => Ok(()),
        }
    }
}
