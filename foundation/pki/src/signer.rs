//! What a key must do for the family, wherever it lives: in memory, in a KMS, in an HSM.

use std::{borrow::Cow, fmt, sync::Arc};

use async_trait::async_trait;
use der::Sequence;
use zeroize::Zeroizing;

use crate::{
    asn1::{Algorithm, NULL, RawInteger, RawOid, Tlv, read, tlv},
    digest::{DigestAlgorithm, digest},
    error::Error,
    key::{KeyAlgorithm, PublicKey},
    oid::{Oid, algorithm},
};

/// Signs digests with a key that never leaves its place.
#[async_trait]
pub trait Signer: fmt::Debug + Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// What the key can sign with, the preferred one first.
    fn algorithms(&self) -> &[SignatureAlgorithm];

    /// Signs a digest that was made with [`SignatureAlgorithm::digest`]; for Ed25519, which takes no digest, the message itself
    /// stands in its place ([`SignatureAlgorithm::to_sign`]).
    ///
    /// An ECDSA signature is returned in its DER form (RFC 3279, section 2.2.3).
    async fn sign(&self, algorithm: SignatureAlgorithm, digest: &[u8])
    -> Result<Vec<u8>, KeyError>;

    /// Whether it verifies each signature before it returns it, so that nobody has to do so again.
    ///
    /// It does not unless it says so: an authority then verifies what it signed before it stores it. A key in memory
    /// ([`PrivateKey`](crate::PrivateKey)) says so if it is one of RSA: OpenSSL verifies what it computes with the factors. That
    /// finds what went wrong, not a key whose halves never belonged together: an authority verifies one signature all the same.
    fn verifies(&self) -> bool {
        false
    }
}

/// Unwraps content keys with a key that never leaves its place.
#[async_trait]
pub trait Decrypter: fmt::Debug + Send + Sync {
    /// The public half.
    fn public_key(&self) -> &PublicKey;

    /// Decrypts a content key.
    ///
    /// Ciphertext that the key refuses is [`KeyError::Rejected`]: the caller then goes on with a random key, so that
    /// nobody learns of it (RFC 3218, section 2.3). A key that cannot be reached is [`KeyError::Unavailable`].
    async fn unwrap_key(
        &self,
        algorithm: KeyTransport,
        wrapped: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, KeyError>;

    /// Decrypts a content key of `length` bytes; refused ciphertext and a key of another length yield random bytes.
    ///
    /// What messages are opened with. The provided method asks [`Self::unwrap_key`]. A key that sees the padding itself
    /// should rather decide without a branch, as [`crate::PrivateKey`] does: time tells too (RFC 3218, section 2.3).
    async fn unwrap_content_key(
        &self,
        algorithm: KeyTransport,
        wrapped: &[u8],
        length: usize,
    ) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let mut random = Zeroizing::new(vec![0; length]);
        openssl::rand::rand_bytes(&mut random).map_err(KeyError::unavailable)?;
        match self.unwrap_key(algorithm, wrapped).await {
            Ok(found) if found.len() == length => Ok(found),
            Ok(_) | Err(KeyError::Rejected) => Ok(random),
            Err(error) => Err(error),
        }
    }
}

/// Why a key did not do its work.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The key cannot be reached now; asking again later may help.
    #[error("the key is not available")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The key refused the input.
    #[error("the key refused the input")]
    Rejected,
    /// The key does not speak this algorithm.
    #[error("the key does not speak this algorithm")]
    UnsupportedAlgorithm,
}

impl KeyError {
    /// [`KeyError::Unavailable`] with its reason.
    pub fn unavailable(
        reason: impl Into<Box<dyn std::error::Error + Send + Sync + 'static>>,
    ) -> Self {
        Self::Unavailable(Arc::from(reason.into()))
    }
}

/// How a signature is made over a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-1: for old devices only.
    RsaPkcs1Sha1,
    /// RSASSA-PKCS1-v1_5 with SHA-224.
    RsaPkcs1Sha224,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RsaPkcs1Sha256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RsaPkcs1Sha384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RsaPkcs1Sha512,
    /// RSASSA-PSS with SHA-256 and MGF1 with SHA-256: verified, but no [`crate::PrivateKey`] signs with it.
    RsaPssSha256,
    /// RSASSA-PSS with SHA-384 and MGF1 with SHA-384: verified only.
    RsaPssSha384,
    /// RSASSA-PSS with SHA-512 and MGF1 with SHA-512: verified only.
    RsaPssSha512,
    /// ECDSA with SHA-1: for old devices only.
    EcdsaSha1,
    /// ECDSA with SHA-224.
    EcdsaSha224,
    /// ECDSA with SHA-256.
    EcdsaSha256,
    /// ECDSA with SHA-384.
    EcdsaSha384,
    /// ECDSA with SHA-512.
    EcdsaSha512,
    /// Ed25519 (RFC 8032, section 5.1), over the message itself: for JOSE. Certificates and CMS are neither made nor read with it.
    Ed25519,
}

impl SignatureAlgorithm {
    /// Each algorithm with its digest and its object identifier.
    const TABLE: [(Self, DigestAlgorithm, Oid); 14] = [
        (
            Self::RsaPkcs1Sha256,
            DigestAlgorithm::Sha256,
            algorithm::RSA_SHA256,
        ),
        (
            Self::EcdsaSha256,
            DigestAlgorithm::Sha256,
            algorithm::ECDSA_SHA256,
        ),
        (
            Self::RsaPkcs1Sha1,
            DigestAlgorithm::Sha1,
            algorithm::RSA_SHA1,
        ),
        (
            Self::RsaPkcs1Sha224,
            DigestAlgorithm::Sha224,
            algorithm::RSA_SHA224,
        ),
        (
            Self::RsaPkcs1Sha384,
            DigestAlgorithm::Sha384,
            algorithm::RSA_SHA384,
        ),
        (
            Self::RsaPkcs1Sha512,
            DigestAlgorithm::Sha512,
            algorithm::RSA_SHA512,
        ),
        (
            Self::EcdsaSha1,
            DigestAlgorithm::Sha1,
            algorithm::ECDSA_SHA1,
        ),
        (
            Self::EcdsaSha224,
            DigestAlgorithm::Sha224,
            algorithm::ECDSA_SHA224,
        ),
        (
            Self::EcdsaSha384,
            DigestAlgorithm::Sha384,
            algorithm::ECDSA_SHA384,
        ),
        (
            Self::EcdsaSha512,
            DigestAlgorithm::Sha512,
            algorithm::ECDSA_SHA512,
        ),
        // After PKCS #1, which is what a kind of key and a digest stand for.
        (
            Self::RsaPssSha256,
            DigestAlgorithm::Sha256,
            algorithm::RSA_PSS,
        ),
        (
            Self::RsaPssSha384,
            DigestAlgorithm::Sha384,
            algorithm::RSA_PSS,
        ),
        (
            Self::RsaPssSha512,
            DigestAlgorithm::Sha512,
            algorithm::RSA_PSS,
        ),
        (Self::Ed25519, DigestAlgorithm::Sha512, algorithm::ED25519),
    ];

    /// The digest that is signed; of Ed25519 the one within, for which [`to_sign`](Self::to_sign) is to be asked.
    pub fn digest(self) -> DigestAlgorithm {
        self.row().1
    }

    /// Whether it signs digests, as all do that certificates and CMS are signed with here; Ed25519 does not.
    pub fn takes_digest(self) -> bool {
        self != Self::Ed25519
    }

    /// The digest of what is signed, where X.509 is made.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for Ed25519.
    pub(crate) fn digest_of(self, data: &[u8]) -> Result<Vec<u8>, Error> {
        match self.takes_digest() {
            true => digest(self.digest(), data),
            false => Err(Error::unsupported("signature algorithm", "Ed25519")),
        }
    }

    /// What a key signs of a message: its digest, and for Ed25519 the message.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn to_sign(self, message: &[u8]) -> Result<Cow<'_, [u8]>, Error> {
        match self {
            Self::Ed25519 => Ok(Cow::Borrowed(message)),
            _ => Ok(Cow::Owned(self.digest_of(message)?)),
        }
    }

    /// The algorithm's object identifier. For RSASSA-PSS it leaves the digest to the parameters.
    pub fn oid(self) -> Oid {
        self.row().2
    }

    /// Whether this is RSASSA-PSS.
    pub fn is_pss(self) -> bool {
        matches!(
            self,
            Self::RsaPssSha256 | Self::RsaPssSha384 | Self::RsaPssSha512
        )
    }

    /// Whether this is an RSA algorithm.
    pub fn is_rsa(self) -> bool {
        matches!(
            self,
            Self::RsaPkcs1Sha1
                | Self::RsaPkcs1Sha224
                | Self::RsaPkcs1Sha256
                | Self::RsaPkcs1Sha384
                | Self::RsaPkcs1Sha512
        ) || self.is_pss()
    }

    /// Whether this is an ECDSA algorithm.
    pub(crate) fn is_ecdsa(self) -> bool {
        !self.is_rsa() && self.takes_digest()
    }

    /// The algorithm for a kind of key and a digest; `None` for keys that sign with neither RSA nor ECDSA, and for MD5.
    pub fn for_key(key: KeyAlgorithm, digest: DigestAlgorithm) -> Option<Self> {
        let rsa = match key {
            KeyAlgorithm::Rsa { .. } => true,
            KeyAlgorithm::Ec(_) => false,
            KeyAlgorithm::Ed25519 | KeyAlgorithm::Other(_) => return None,
        };
        Self::with_digest(digest, rsa)
    }

    pub(crate) fn with_digest(digest: DigestAlgorithm, rsa: bool) -> Option<Self> {
        Self::TABLE
            .into_iter()
            .find(|(algorithm, of, _)| {
                let kind = if rsa {
                    algorithm.is_rsa()
                } else {
                    algorithm.is_ecdsa()
                };
                *of == digest && kind
            })
            .map(|(algorithm, ..)| algorithm)
    }

    /// Every algorithm of a kind of key, the one whose digest matches its strength first.
    pub(crate) fn all_for(key: KeyAlgorithm) -> Vec<Self> {
        use DigestAlgorithm::{Sha1, Sha224, Sha256, Sha384, Sha512};
        if key == KeyAlgorithm::Ed25519 {
            return vec![Self::Ed25519];
        }
        let preferred = key.preferred_digest();
        let others = [Sha256, Sha384, Sha512, Sha224, Sha1];
        std::iter::once(preferred)
            .chain(others.into_iter().filter(|digest| *digest != preferred))
            .filter_map(|digest| Self::for_key(key, digest))
            .collect()
    }

    /// Whether the object identifier alone names it among those that certificates and messages are signed with.
    fn is_named(self) -> bool {
        !self.is_pss() && self.takes_digest()
    }

    /// An algorithm that its object identifier alone names: any but RSASSA-PSS.
    pub(crate) fn from_oid(oid: RawOid<'_>) -> Option<Self> {
        if oid.is(algorithm::RSA_SHA1_OIW) {
            return Some(Self::RsaPkcs1Sha1);
        }
        Self::TABLE
            .into_iter()
            .find(|(algorithm, _, known)| oid.is(*known) && algorithm.is_named())
            .map(|(algorithm, ..)| algorithm)
    }

    /// The algorithm of an AlgorithmIdentifier. Only parameters of RSASSA-PSS are looked at.
    pub(crate) fn from_identifier(identifier: &Algorithm<'_>) -> Option<Self> {
        match identifier.oid.is(algorithm::RSA_PSS) {
            true => Self::from_pss(identifier.parameters?),
            false => Self::from_oid(identifier.oid),
        }
    }

    /// RSASSA-PSS-params (RFC 4055, section 3.1): both digests are the same one. The salt's length the signature itself
    /// tells, as a signature block has no other end (RFC 8017, section 9.1.2).
    fn from_pss(parameters: Tlv<'_>) -> Option<Self> {
        let parameters: PssParameters<'_> = read("RSASSA-PSS", parameters.0).ok()?;
        let digest = DigestAlgorithm::from_oid(parameters.hash?.oid)?;
        let mask = parameters
            .mask
            .filter(|mask| mask.oid.is(algorithm::MGF1))?;
        let mask: Algorithm<'_> = read("MGF1", mask.parameters?.0).ok()?;
        let trailer_is_common = parameters.trailer.is_none_or(|trailer| trailer.0 == [1]);
        Self::TABLE
            .into_iter()
            .find(|(algorithm, of, _)| algorithm.is_pss() && *of == digest)
            .filter(|_| mask.oid.is(digest.oid()) && trailer_is_common)
            .map(|(algorithm, ..)| algorithm)
    }

    /// Calls `then` with the AlgorithmIdentifier: parameters NULL for RSA (RFC 4055), absent for ECDSA (RFC 5758).
    pub(crate) fn with_identifier<T>(self, then: impl FnOnce(Algorithm<'_>) -> T) -> T {
        let oid = self.oid();
        let pss = self.is_pss().then(|| self.pss_parameters());
        then(Algorithm {
            oid: RawOid(oid.as_bytes()),
            parameters: match &pss {
                Some(parameters) => Some(Tlv(parameters)),
                None => self.is_rsa().then_some(NULL),
            },
        })
    }

    /// With a salt as long as the digest, as everybody writes (RFC 4055, section 3.1).
    fn pss_parameters(self) -> Vec<u8> {
        let null = [5, 0];
        let hash = [&tlv(0x06, self.digest().oid().as_bytes())[..], &null].concat();
        let hash = tlv(0x30, &hash);
        let mask = [&tlv(0x06, algorithm::MGF1.as_bytes())[..], &hash].concat();
        let salt = tlv(0x02, &[self.digest().output_len() as u8]);
        let fields = [
            tlv(0xa0, &hash),
            tlv(0xa1, &tlv(0x30, &mask)),
            tlv(0xa2, &salt),
        ];
        tlv(0x30, &fields.concat())
    }

    fn row(self) -> (Self, DigestAlgorithm, Oid) {
        let fallback = Self::TABLE[0];
        Self::TABLE
            .into_iter()
            .find(|(algorithm, ..)| *algorithm == self)
            .unwrap_or(fallback)
    }
}

/// RSASSA-PSS-params (RFC 4055, section 3.1).
#[derive(Sequence)]
struct PssParameters<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    hash: Option<Algorithm<'a>>,
    #[asn1(context_specific = "1", tag_mode = "EXPLICIT", optional = "true")]
    mask: Option<Algorithm<'a>>,
    #[asn1(context_specific = "2", tag_mode = "EXPLICIT", optional = "true")]
    salt: Option<RawInteger<'a>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    trailer: Option<RawInteger<'a>>,
}

/// How a content key is wrapped for its recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyTransport {
    /// RSAES-PKCS1-v1_5, which Apple's server tokens and every SCEP client use.
    RsaPkcs1v15,
    /// RSAES-OAEP with SHA-1 and MGF1 with SHA-1, the default of RFC 8017.
    RsaOaepSha1,
    /// RSAES-OAEP with SHA-256 and MGF1 with SHA-256.
    RsaOaepSha256,
    /// RSAES-OAEP with SHA-256 and MGF1 with SHA-1, which Java writes by default.
    RsaOaepSha256Mgf1Sha1,
    /// RSAES-OAEP with SHA-384 and MGF1 with SHA-384.
    RsaOaepSha384,
    /// RSAES-OAEP with SHA-512 and MGF1 with SHA-512.
    RsaOaepSha512,
}

impl KeyTransport {
    /// The digests of OAEP and of its mask; `None` for PKCS #1 v1.5.
    pub fn oaep(self) -> Option<(DigestAlgorithm, DigestAlgorithm)> {
        use DigestAlgorithm::{Sha1, Sha256, Sha384, Sha512};
        match self {
            Self::RsaPkcs1v15 => None,
            Self::RsaOaepSha1 => Some((Sha1, Sha1)),
            Self::RsaOaepSha256 => Some((Sha256, Sha256)),
            Self::RsaOaepSha256Mgf1Sha1 => Some((Sha256, Sha1)),
            Self::RsaOaepSha384 => Some((Sha384, Sha384)),
            Self::RsaOaepSha512 => Some((Sha512, Sha512)),
        }
    }

    pub(crate) fn from_oaep(hash: DigestAlgorithm, mask: DigestAlgorithm) -> Option<Self> {
        [
            Self::RsaOaepSha1,
            Self::RsaOaepSha256,
            Self::RsaOaepSha256Mgf1Sha1,
            Self::RsaOaepSha384,
            Self::RsaOaepSha512,
        ]
        .into_iter()
        .find(|transport| transport.oaep() == Some((hash, mask)))
    }
}

/// The signature algorithm that suits a public key best.
pub(crate) fn preferred(key: &PublicKey) -> Result<SignatureAlgorithm, Error> {
    let kind = key.algorithm();
    SignatureAlgorithm::for_key(kind, kind.preferred_digest())
        .ok_or_else(|| Error::unsupported("key type", format_args!("{kind:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_identifier_names_its_algorithm_again() {
        let spoken = SignatureAlgorithm::TABLE.into_iter();
        for (algorithm, digest, _) in spoken.filter(|it| it.0 != SignatureAlgorithm::Ed25519) {
            let found = algorithm.with_identifier(|it| SignatureAlgorithm::from_identifier(&it));
            assert_eq!(found, Some(algorithm));
            assert_eq!(algorithm.digest(), digest);
        }
        for digest in [DigestAlgorithm::Sha256, DigestAlgorithm::Sha512] {
            let usual = SignatureAlgorithm::with_digest(digest, true);
            assert!(usual.is_some_and(|algorithm| !algorithm.is_pss()));
        }
    }

    #[test]
    fn rsassa_pss_with_its_defaults_or_without_parameters_is_not_spoken() {
        // The defaults are SHA-1 (RFC 4055, section 3.1).
        for parameters in [None, Some(Tlv(&[0x30, 0])), Some(NULL)] {
            let identifier = Algorithm {
                oid: RawOid(algorithm::RSA_PSS.as_bytes()),
                parameters,
            };
            assert_eq!(SignatureAlgorithm::from_identifier(&identifier), None);
        }
    }
}
