//! Public keys, kept as the SubjectPublicKeyInfo they came in (RFC 5280, section 4.1.2.7).

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use der::Sequence;
use openssl::{
    bn::{BigNum, BigNumContext},
    ec::{EcGroup, EcKey, EcPoint},
    ecdsa::EcdsaSig,
    nid::Nid,
    pkey::{Id, PKey, Public},
    rsa::Rsa,
    sign::Verifier,
};

use super::{private::KeySpec, rsa};
use crate::{
    asn1::{Algorithm, RawBits, RawInteger, RawOid, read},
    digest::{DigestAlgorithm, digest},
    error::{Crypto, Error},
    lazy::Lazy,
    oid::{Oid, algorithm},
    signer::SignatureAlgorithm,
};

/// The largest RSA modulus that is calculated with, in bytes; the same bound as OpenSSL's.
const MAX_MODULUS_BYTES: usize = 2048;
/// The smallest: anything below is no key but a mistake.
const MIN_MODULUS_BYTES: usize = 64;
/// The largest public exponent, in bytes. Real ones have three.
const MAX_EXPONENT_BYTES: usize = 8;

/// A NIST curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Curve {
    /// P-256, also known as secp256r1 and prime256v1.
    P256,
    /// P-384, also known as secp384r1.
    P384,
    /// P-521, also known as secp521r1.
    P521,
}

impl Curve {
    pub(super) const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    /// The curve's object identifier.
    pub fn oid(self) -> Oid {
        match self {
            Self::P256 => algorithm::P256,
            Self::P384 => algorithm::P384,
            Self::P521 => algorithm::P521,
        }
    }

    /// What makes a key on the curve.
    pub(crate) fn spec(self) -> KeySpec {
        match self {
            Self::P256 => KeySpec::P256,
            Self::P384 => KeySpec::P384,
            Self::P521 => KeySpec::P521,
        }
    }

    pub(super) fn nid(self) -> Nid {
        match self {
            Self::P256 => Nid::X9_62_PRIME256V1,
            Self::P384 => Nid::SECP384R1,
            Self::P521 => Nid::SECP521R1,
        }
    }
}

/// What kind of key a public key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyAlgorithm {
    /// RSA.
    Rsa {
        /// The length of the modulus in bits.
        bits: usize,
    },
    /// An elliptic curve.
    Ec(Curve),
    /// Ed25519 (RFC 8410): signs messages, and here neither certificates nor CMS.
    Ed25519,
    /// Anything else, by its object identifier: kept, but neither signed nor verified with.
    Other(Oid),
}

impl KeyAlgorithm {
    /// The digest whose strength suits the key.
    pub(crate) fn preferred_digest(self) -> DigestAlgorithm {
        match self {
            Self::Ec(Curve::P384) => DigestAlgorithm::Sha384,
            Self::Ec(Curve::P521) => DigestAlgorithm::Sha512,
            _ => DigestAlgorithm::Sha256,
        }
    }
}

/// A public key, kept as its SubjectPublicKeyInfo in DER.
///
/// Cheap to clone. Equal when the DER is. What OpenSSL needs to calculate with it is made once, and shared by all clones.
#[derive(Clone)]
pub struct PublicKey(Arc<Inner>);

struct Inner {
    spki: Box<[u8]>,
    algorithm: KeyAlgorithm,
    ready: Lazy<ReadyKey>,
}

#[derive(Sequence)]
struct Spki<'a> {
    algorithm: Algorithm<'a>,
    key: RawBits<'a>,
}

#[derive(Sequence)]
struct RsaPublic<'a> {
    modulus: RawInteger<'a>,
    exponent: RawInteger<'a>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo.
    ///
    /// Only the form is checked here; a key that OpenSSL cannot calculate with fails when it is used.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_spki_der(der: &[u8]) -> Result<Self, Error> {
        let spki: Spki<'_> = read("public key", der)?;
        let other = || spki.algorithm.oid.oid().map(KeyAlgorithm::Other);
        let algorithm = if spki.algorithm.oid.is(algorithm::RSA) {
            let (modulus, _) = rsa_parts(&spki)?;
            let zeros = modulus.first().map_or(0, |byte| byte.leading_zeros());
            KeyAlgorithm::Rsa {
                bits: (modulus.len() * 8).saturating_sub(zeros as usize),
            }
        } else if spki.algorithm.oid.is(algorithm::EC) {
            match curve(&spki) {
                Some(curve) => KeyAlgorithm::Ec(curve),
                None => other()?,
            }
        } else if is_ed25519(&spki) {
            KeyAlgorithm::Ed25519
        } else {
            other()?
        };
        Ok(Self(Arc::new(Inner {
            spki: der.into(),
            algorithm,
            ready: Lazy::new(),
        })))
    }

    /// The SubjectPublicKeyInfo in DER.
    pub fn to_spki_der(&self) -> &[u8] {
        &self.0.spki
    }

    /// What kind of key this is.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.0.algorithm
    }

    /// The key in OpenSSL's form.
    pub(crate) fn ready(&self) -> Result<&ReadyKey, Error> {
        self.0.ready.get(|| ReadyKey::from_spki(&self.0.spki))
    }

    /// The key identifier of RFC 5280, section 4.2.1.2, method 1: the SHA-1 of the bit string.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn key_id(&self) -> Result<Vec<u8>, Error> {
        let spki: Spki<'_> = read("public key", &self.0.spki)?;
        digest(DigestAlgorithm::Sha1, spki.key.bytes().unwrap_or(&[]))
    }

    /// The RSAPublicKey of RFC 8017, appendix A.1.1, which SCEP's transaction ids are made from; `None` for other keys.
    pub fn rsa_pkcs1_der(&self) -> Option<Vec<u8>> {
        match self.0.algorithm {
            KeyAlgorithm::Rsa { .. } => {
                let spki: Spki<'_> = read("public key", &self.0.spki).ok()?;
                spki.key.bytes().map(<[u8]>::to_vec)
            }
            _ => None,
        }
    }

    /// The key's bit string: of a key on a curve the point (SEC 1, section 2.3.3).
    pub(crate) fn point(&self) -> Result<&[u8], Error> {
        self.bits()
            .ok_or_else(|| Error::malformed("public key", "unused bits"))
    }

    /// Whether both are the same key, though their DER may differ in the parameters of the algorithm.
    pub fn same_key(&self, other: &Self) -> bool {
        self == other
            || (self.algorithm() == other.algorithm()
                && self.bits().is_some_and(|mine| Some(mine) == other.bits()))
    }

    /// The subjectPublicKey.
    pub(super) fn bits(&self) -> Option<&[u8]> {
        let spki: Spki<'_> = read("public key", &self.0.spki).ok()?;
        spki.key.bytes()
    }

    /// Verifies a signature over a message.
    ///
    /// # Errors
    /// [`Error::BadSignature`]; [`Error::Unsupported`] for a key that does not speak the algorithm.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.verify_digest(algorithm, &algorithm.to_sign(message)?, signature)
    }

    /// Verifies a signature over what [`SignatureAlgorithm::to_sign`] makes of a message: mostly its digest.
    ///
    /// # Errors
    /// As [`Self::verify`].
    pub fn verify_digest(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        self.ready()?.verify_digest(algorithm, digest, signature)
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.spki == other.0.spki
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.spki.hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PublicKey").field(&self.0.algorithm).finish()
    }
}

/// A public key in OpenSSL's form, for many verifications in a row.
pub(crate) enum ReadyKey {
    Rsa(Rsa<Public>),
    Ec(EcKey<Public>),
    Ed25519(PKey<Public>),
}

impl fmt::Debug for ReadyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Rsa(_) => "ReadyKey(RSA)",
            Self::Ec(_) => "ReadyKey(EC)",
            Self::Ed25519(_) => "ReadyKey(Ed25519)",
        })
    }
}

impl ReadyKey {
    /// Builds the key from its numbers, which takes a fraction of the time of OpenSSL's certificate parser.
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, Error> {
        let spki: Spki<'_> = read("public key", der)?;
        if spki.algorithm.oid.is(algorithm::RSA) {
            let (modulus, exponent) = rsa_parts(&spki)?;
            let fits = (MIN_MODULUS_BYTES..=MAX_MODULUS_BYTES).contains(&modulus.len())
                && exponent.len() <= MAX_EXPONENT_BYTES;
            if !fits {
                return Err(Error::unsupported(
                    "RSA key",
                    format_args!("{} bits", modulus.len() * 8),
                ));
            }
            let modulus = BigNum::from_slice(modulus).crypto()?;
            let exponent = BigNum::from_slice(exponent).crypto()?;
            return Ok(Self::Rsa(
                Rsa::from_public_components(modulus, exponent).crypto()?,
            ));
        }
        if is_ed25519(&spki) {
            let bytes = spki.key.bytes().unwrap_or(&[]);
            let key = PKey::public_key_from_raw_bytes(bytes, Id::ED25519);
            return Ok(Self::Ed25519(key.map_err(|stack| {
                Error::malformed("public key", Error::openssl(stack))
            })?));
        }
        let curve = curve(&spki).ok_or_else(|| {
            Error::unsupported(
                "key type",
                spki.algorithm
                    .oid
                    .oid()
                    .map_or_else(|_| String::new(), |oid| oid.to_string()),
            )
        })?;
        let bytes = spki.key.bytes().unwrap_or(&[]);
        let group = EcGroup::from_curve_name(curve.nid()).crypto()?;
        let mut context = BigNumContext::new().crypto()?;
        let point = EcPoint::from_bytes(&group, bytes, &mut context)
            .map_err(|_| Error::malformed("public key", "not a point of its curve"))?;
        Ok(Self::Ec(EcKey::from_public_key(&group, &point).crypto()?))
    }

    pub(crate) fn verify_digest(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), Error> {
        let matches = match self {
            Self::Rsa(key) if algorithm.is_pss() => {
                rsa::verify_pss(key, algorithm.digest(), digest, signature)
            }
            Self::Rsa(key) if algorithm.is_rsa() => {
                rsa::verify(key, algorithm.digest(), digest, signature)
            }
            Self::Ed25519(key) if algorithm == SignatureAlgorithm::Ed25519 => {
                let verified = Verifier::new_without_digest(key)
                    .and_then(|mut verifier| verifier.verify_oneshot(signature, digest));
                verified.unwrap_or(false)
            }
            Self::Ec(key) if algorithm.is_ecdsa() => EcdsaSig::from_der(signature)
                .ok()
                // OpenSSL's reader takes bytes after the signature and non-canonical forms; its own verifier does not.
                .filter(|parsed| parsed.to_der().is_ok_and(|der| der == signature))
                .and_then(|parsed| parsed.verify(digest, key).ok())
                .unwrap_or(false),
            _ => {
                return Err(Error::unsupported(
                    "signature algorithm for this key",
                    format_args!("{algorithm:?}"),
                ));
            }
        };
        // What OpenSSL noted about a refused signature must not surface in a later call.
        if !matches {
            let _ = openssl::error::ErrorStack::get();
        }
        if matches {
            Ok(())
        } else {
            Err(Error::BadSignature)
        }
    }
}

fn rsa_parts<'a>(spki: &Spki<'a>) -> Result<(&'a [u8], &'a [u8]), Error> {
    let bits = spki
        .key
        .bytes()
        .ok_or_else(|| Error::malformed("public key", "unused bits"))?;
    let parts: RsaPublic<'a> = read("RSA public key", bits)?;
    match (unsigned(parts.modulus), unsigned(parts.exponent)) {
        (Some(modulus), Some(exponent)) => Ok((modulus, exponent)),
        _ => Err(Error::malformed("RSA public key", "not positive")),
    }
}

/// The bytes of a positive integer without leading zeros.
fn unsigned(integer: RawInteger<'_>) -> Option<&[u8]> {
    let negative = integer.0.first().is_none_or(|first| first & 0x80 != 0);
    let zeros = integer.0.iter().take_while(|byte| **byte == 0).count();
    let bytes = integer.0.get(zeros..)?;
    (!negative && !bytes.is_empty()).then_some(bytes)
}

/// RFC 8410, section 3: without parameters.
fn is_ed25519(spki: &Spki<'_>) -> bool {
    spki.algorithm.oid.is(algorithm::ED25519) && spki.algorithm.parameters.is_none()
}

fn curve(spki: &Spki<'_>) -> Option<Curve> {
    let parameters = spki
        .algorithm
        .parameters
        .filter(|_| spki.algorithm.oid.is(algorithm::EC))?;
    let named: RawOid<'_> = read("curve", parameters.0).ok()?;
    Curve::ALL.into_iter().find(|curve| named.is(curve.oid()))
}
