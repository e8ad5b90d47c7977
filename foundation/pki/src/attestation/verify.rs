//! The verification: chain, time, key, freshness, in this order, and all of them.

use std::fmt;

use chrono::{DateTime, Utc};

use super::{AttestationError, Posture, Statement, posture::FRESHNESS};
use crate::{
    Certificate, Curve, DigestAlgorithm, Error, KeyAlgorithm, PublicKey,
    chain::Anchors,
    digest::{constant_time_eq, digest},
};

/// The longest nonce of DeviceInformation's `DeviceAttestationNonce`, in bytes.
pub const MAX_NONCE_BYTES: usize = 32;

/// The shortest token that can hold the 128 bits of RFC 8555, section 8.
const MIN_TOKEN_CHARS: usize = 22;

/// What the attestation has to answer to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Freshness {
    /// The token of an ACME challenge: Apple's devices attest the SHA-256 of its ASCII text, whereas
    /// draft-ietf-acme-device-attest has the key authorization.
    Acme {
        /// The token as it stands in the challenge: at least 22 characters of base64url.
        token: String,
    },
    /// The `DeviceAttestationNonce` of DeviceInformation, 1 to 32 bytes, which is attested as it is.
    ///
    /// A device makes a new attestation once in 7 days and answers with the last one until then: a server that asks
    /// more often has to remember its nonces, and verify against those that it still accepts.
    Nonce(Vec<u8>),
}

impl Freshness {
    /// The token of an ACME challenge.
    pub fn acme(token: impl Into<String>) -> Self {
        Self::Acme {
            token: token.into(),
        }
    }

    /// The nonce of a DeviceInformation command.
    pub fn nonce(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Nonce(bytes.into())
    }

    /// The bytes that the attestation has to carry.
    ///
    /// # Errors
    /// [`AttestationError::Expectation`] for a token that is too short or no base64url, and for a nonce that is empty or
    /// over [`MAX_NONCE_BYTES`].
    pub fn expected(&self) -> Result<Vec<u8>, AttestationError> {
        match self {
            Self::Acme { token } => {
                let base64url = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'_');
                if token.len() < MIN_TOKEN_CHARS || !token.bytes().all(base64url) {
                    return Err(AttestationError::Expectation(
                        "the token is no base64url text of 128 bits or more",
                    ));
                }
                digest(DigestAlgorithm::Sha256, token.as_bytes())
                    .map_err(AttestationError::Internal)
            }
            Self::Nonce(bytes) if (1..=MAX_NONCE_BYTES).contains(&bytes.len()) => Ok(bytes.clone()),
            Self::Nonce(_) => Err(AttestationError::Expectation(
                "the nonce does not have 1 to 32 bytes",
            )),
        }
    }
}

/// Verifies attestations against the roots that it is given: Apple's, and in tests one of their own.
#[derive(Debug, Clone)]
pub struct Verifier {
    roots: Anchors,
}

impl Verifier {
    /// Trusts these roots and no others. Apple publishes its Enterprise Attestation Root CA at
    /// <https://www.apple.com/certificateauthority/private/>.
    ///
    /// # Errors
    /// [`Error::Incomplete`] without any, [`Error::Malformed`] for one that OpenSSL does not read.
    pub fn new(roots: &[Certificate]) -> Result<Self, Error> {
        if roots.is_empty() {
            return Err(Error::Incomplete("a root of attestations"));
        }
        Ok(Self {
            roots: Anchors::new(roots)?,
        })
    }

    /// Verifies a statement at a time.
    ///
    /// What was sent has to be one chain in order, from the device's certificate towards a root, the root itself
    /// included or not. All of the chain is valid at that time, issuers are authorities, the first certificate is none,
    /// and no signature is made with MD5 or SHA-1. The key is one of P-256 or P-384, which is what a Secure Enclave
    /// attests. The freshness is there, and it is the one expected, byte for byte: it is compared in constant time, and
    /// never opened as DER, since 32 bytes of a hash can look like anything. Revocation is not looked at.
    ///
    /// # Errors
    /// [`AttestationError`].
    pub fn verify(
        &self,
        statement: &Statement,
        freshness: &Freshness,
        at: DateTime<Utc>,
    ) -> Result<Attestation, AttestationError> {
        let expected = freshness.expected()?;
        let Statement { leaf, above } = statement;
        let chain = self.chain(leaf, above, at)?;
        let key = AttestedKey::new(leaf)?;
        let posture = Posture::read(leaf)?;
        let found = leaf
            .extension(FRESHNESS)
            .ok_or(AttestationError::FreshnessMissing)?;
        if !constant_time_eq(found, &expected) {
            return Err(AttestationError::FreshnessMismatch);
        }
        Ok(Attestation {
            posture,
            key,
            chain,
        })
    }

    fn chain(
        &self,
        leaf: &Certificate,
        above: &[Certificate],
        at: DateTime<Utc>,
    ) -> Result<Vec<Certificate>, AttestationError> {
        let found = self
            .roots
            .verify(leaf, above, at)
            .map_err(|source| match source {
                Error::Malformed { .. } => AttestationError::Certificate { index: 0, source },
                other => AttestationError::Internal(other),
            })?;
        let chain = found.trusted.map_err(AttestationError::Untrusted)?;
        found.validity.map_err(AttestationError::Validity)?;
        if leaf.is_ca() || chain.len() < 2 {
            return Err(AttestationError::LeafIsAuthority);
        }
        // Nothing that was sent stays unverified, and nothing stands where it does not belong.
        let sent = std::iter::once(leaf).chain(above);
        if above.len() >= chain.len() || !sent.zip(&chain).all(|(sent, found)| sent == found) {
            return Err(AttestationError::Order);
        }
        if let Some(index) = (1..).zip(chain.iter().skip(1)).find_map(issued_unfit) {
            return Err(AttestationError::IssuerIsNoAuthority { index });
        }
        let signed = chain.iter().take(chain.len() - 1);
        if let Some(index) = signed.enumerate().find_map(weak) {
            return Err(AttestationError::WeakSignature { index });
        }
        Ok(chain)
    }
}

/// OpenSSL judges this as well, but for anchors and for certificates without basic constraints.
fn issued_unfit((index, issuer): (usize, &Certificate)) -> Option<usize> {
    (!issuer.is_ca()).then_some(index)
}

fn weak((index, signed): (usize, &Certificate)) -> Option<usize> {
    let digest = signed.signature_algorithm().map(|it| it.digest());
    let strong = digest
        .is_some_and(|digest| !matches!(digest, DigestAlgorithm::Md5 | DigestAlgorithm::Sha1));
    (!strong).then_some(index)
}

/// An attestation that was verified. Nothing but [`Verifier::verify`] makes one.
#[derive(Debug, Clone)]
pub struct Attestation {
    posture: Posture,
    key: AttestedKey,
    chain: Vec<Certificate>,
}

impl Attestation {
    /// What Apple says of the device.
    pub fn posture(&self) -> &Posture {
        &self.posture
    }

    /// The key that lives in the device.
    pub fn key(&self) -> &AttestedKey {
        &self.key
    }

    /// The chain as it was verified: the device's certificate first, the root last.
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }
}

/// A key that Apple says lives in the device's Secure Enclave.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttestedKey {
    key: PublicKey,
    fingerprint: KeyFingerprint,
}

impl AttestedKey {
    fn new(leaf: &Certificate) -> Result<Self, AttestationError> {
        let unreadable = |source| AttestationError::Certificate { index: 0, source };
        let key = leaf.public_key().map_err(unreadable)?;
        if !matches!(key.algorithm(), KeyAlgorithm::Ec(Curve::P256 | Curve::P384)) {
            return Err(AttestationError::Key(key.algorithm()));
        }
        let hash = digest(DigestAlgorithm::Sha256, key.to_spki_der())
            .map_err(AttestationError::Internal)?;
        let mut fingerprint = [0; 32];
        for (to, from) in fingerprint.iter_mut().zip(hash) {
            *to = from;
        }
        Ok(Self {
            key,
            fingerprint: KeyFingerprint(fingerprint),
        })
    }

    /// The key itself.
    pub fn public_key(&self) -> &PublicKey {
        &self.key
    }

    /// Whether this is the key of a CSR: of the same type and size, with the same bytes.
    pub fn matches(&self, csr_key: &PublicKey) -> bool {
        self.key.same_key(csr_key)
    }

    /// What to keep, to find a key that is presented a second time.
    pub fn fingerprint(&self) -> KeyFingerprint {
        self.fingerprint
    }
}

/// The SHA-256 of a key's SubjectPublicKeyInfo. Printed in hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyFingerprint([u8; 32]);

impl KeyFingerprint {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyFingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyFingerprint({self})")
    }
}
