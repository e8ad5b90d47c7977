//! Digests, HMAC, keys out of passwords, and randomness.

use openssl::{hash::MessageDigest, pkcs5, pkey::PKey, sha, sign::Signer};
use zeroize::Zeroizing;

use crate::{
    asn1::{Algorithm, NULL, RawOid},
    error::{Crypto, Error},
    oid::{Oid, algorithm},
};

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DigestAlgorithm {
    /// MD5, for fingerprints that a protocol prescribes; never signed with, never accepted in a signature.
    Md5,
    /// SHA-1, which old devices still sign with.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl DigestAlgorithm {
    /// How many bytes a digest has.
    pub fn output_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// The algorithm's object identifier.
    pub fn oid(self) -> Oid {
        match self {
            Self::Md5 => algorithm::MD5,
            Self::Sha1 => algorithm::SHA1,
            Self::Sha224 => algorithm::SHA224,
            Self::Sha256 => algorithm::SHA256,
            Self::Sha384 => algorithm::SHA384,
            Self::Sha512 => algorithm::SHA512,
        }
    }

    pub(crate) fn from_oid(oid: RawOid<'_>) -> Option<Self> {
        [
            Self::Sha256,
            Self::Sha1,
            Self::Sha384,
            Self::Sha512,
            Self::Sha224,
            Self::Md5,
        ]
        .into_iter()
        .find(|digest| oid.is(digest.oid()))
    }

    pub(crate) fn message_digest(self) -> MessageDigest {
        match self {
            Self::Md5 => MessageDigest::md5(),
            Self::Sha1 => MessageDigest::sha1(),
            Self::Sha224 => MessageDigest::sha224(),
            Self::Sha256 => MessageDigest::sha256(),
            Self::Sha384 => MessageDigest::sha384(),
            Self::Sha512 => MessageDigest::sha512(),
        }
    }

    /// What precedes the digest in the DigestInfo of RFC 8017, section 9.2.
    pub(crate) fn digest_info_prefix(self) -> &'static [u8] {
        match self {
            Self::Md5 => {
                b"\x30\x20\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x05\x05\x00\x04\x10"
            }
            Self::Sha1 => b"\x30\x21\x30\x09\x06\x05\x2b\x0e\x03\x02\x1a\x05\x00\x04\x14",
            Self::Sha224 => {
                b"\x30\x2d\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x04\x05\x00\x04\x1c"
            }
            Self::Sha256 => {
                b"\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20"
            }
            Self::Sha384 => {
                b"\x30\x41\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x02\x05\x00\x04\x30"
            }
            Self::Sha512 => {
                b"\x30\x51\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00\x04\x40"
            }
        }
    }
}

/// Calls `then` with the AlgorithmIdentifier of a digest; its parameters are absent (RFC 5754, section 2), but for
/// SHA-1 and MD5, where old readers expect NULL.
pub(crate) fn with_identifier<T>(
    digest: DigestAlgorithm,
    then: impl FnOnce(Algorithm<'_>) -> T,
) -> T {
    let oid = digest.oid();
    let old = matches!(digest, DigestAlgorithm::Sha1 | DigestAlgorithm::Md5);
    then(Algorithm {
        oid: RawOid(oid.as_bytes()),
        parameters: old.then_some(NULL),
    })
}

/// The digest in one go. OpenSSL's own functions for that fetch the algorithm each time, which takes longer than a short
/// message does.
macro_rules! whole {
    ($hasher:ty, $data:expr) => {{
        let mut hasher = <$hasher>::new();
        hasher.update($data);
        hasher.finish().to_vec()
    }};
}

/// The digest of `data`.
///
/// # Errors
/// [`Error::Crypto`] where OpenSSL does not offer the algorithm (MD5 in FIPS mode).
pub fn digest(algorithm: DigestAlgorithm, data: &[u8]) -> Result<Vec<u8>, Error> {
    Ok(match algorithm {
        DigestAlgorithm::Md5 => openssl::hash::hash(MessageDigest::md5(), data)
            .crypto()?
            .to_vec(),
        DigestAlgorithm::Sha1 => whole!(sha::Sha1, data),
        DigestAlgorithm::Sha224 => whole!(sha::Sha224, data),
        DigestAlgorithm::Sha256 => whole!(sha::Sha256, data),
        DigestAlgorithm::Sha384 => whole!(sha::Sha384, data),
        DigestAlgorithm::Sha512 => whole!(sha::Sha512, data),
    })
}

/// The HMAC of `data` under `key` (RFC 2104).
///
/// # Errors
/// [`Error::Crypto`] when OpenSSL fails.
pub fn hmac(algorithm: DigestAlgorithm, key: &[u8], data: &[u8]) -> Result<Vec<u8>, Error> {
    let key = PKey::hmac(key).crypto()?;
    let mut signer = Signer::new(algorithm.message_digest(), &key).crypto()?;
    signer.sign_oneshot_to_vec(data).crypto()
}

/// A key of `N` bytes out of a password: PBKDF2 (RFC 8018, section 5.2) with HMAC.
///
/// # Errors
/// [`Error::Crypto`] when OpenSSL fails, as it does for no iterations at all.
pub fn pbkdf2<const N: usize>(
    algorithm: DigestAlgorithm,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
) -> Result<Zeroizing<[u8; N]>, Error> {
    let mut key = Zeroizing::new([0; N]);
    pbkdf2_into(algorithm, password, salt, iterations, key.as_mut())?;
    Ok(key)
}

/// [`pbkdf2`], for a key whose length is known when it runs.
pub(crate) fn pbkdf2_into(
    algorithm: DigestAlgorithm,
    password: &[u8],
    salt: &[u8],
    iterations: u32,
    key: &mut [u8],
) -> Result<(), Error> {
    let digest = algorithm.message_digest();
    pkcs5::pbkdf2_hmac(password, salt, iterations as usize, digest, key).crypto()
}

/// A key of `N` bytes out of a password, which takes memory to guess at: scrypt (RFC 7914) with 2^`log_n` blocks of
/// 128 · `r` bytes, `p` times.
///
/// # Errors
/// [`Error::Crypto`] when OpenSSL fails, as it does for parameters that RFC 7914 does not allow.
pub fn scrypt<const N: usize>(
    password: &[u8],
    salt: &[u8],
    (log_n, r, p): (u8, u32, u32),
) -> Result<Zeroizing<[u8; N]>, Error> {
    let mut key = Zeroizing::new([0; N]);
    let blocks = 1_u64.checked_shl(log_n.into()).unwrap_or(0);
    let (r, p) = (u64::from(r), u64::from(p));
    // OpenSSL's default is too little for the parameters in use: what these need, and its own part.
    let memory = blocks
        .saturating_add(p)
        .saturating_add(2)
        .saturating_mul(r)
        .saturating_mul(128);
    pkcs5::scrypt(password, salt, blocks, r, p, memory, key.as_mut()).crypto()?;
    Ok(key)
}

/// Random bytes from OpenSSL's generator.
///
/// # Errors
/// [`Error::Crypto`] when the generator has no seed.
pub fn random<const N: usize>() -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    openssl::rand::rand_bytes(&mut bytes).crypto()?;
    Ok(bytes)
}

/// Whether two byte strings are equal, in a time that depends on their lengths alone.
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && openssl::memcmp::eq(a, b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_have_their_stated_length_and_known_values() {
        for algorithm in [
            DigestAlgorithm::Md5,
            DigestAlgorithm::Sha1,
            DigestAlgorithm::Sha224,
            DigestAlgorithm::Sha256,
            DigestAlgorithm::Sha384,
            DigestAlgorithm::Sha512,
        ] {
            let value = digest(algorithm, b"abc").unwrap();
            assert_eq!(value.len(), algorithm.output_len());
            let prefix = algorithm.digest_info_prefix();
            assert_eq!(usize::from(prefix[1]) + 2, prefix.len() + value.len());
        }
        let sha1 = digest(DigestAlgorithm::Sha1, b"abc").unwrap();
        assert_eq!(sha1[..4], [0xa9, 0x99, 0x3e, 0x36]);
    }

    #[test]
    fn hmac_matches_rfc_4231_case_2() {
        let mac = hmac(
            DigestAlgorithm::Sha256,
            b"Jefe",
            b"what do ya want for nothing?",
        )
        .unwrap();
        assert_eq!(mac[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert!(constant_time_eq(&mac, &mac.clone()));
        assert!(!constant_time_eq(&mac, &mac[1..]));
    }

    #[test]
    fn pbkdf2_matches_rfc_6070_and_rfc_7914() {
        let key = pbkdf2::<20>(DigestAlgorithm::Sha1, b"password", b"salt", 2).unwrap();
        assert_eq!(key[..4], [0xea, 0x6c, 0x01, 0x4d]);
        let key = pbkdf2::<64>(DigestAlgorithm::Sha256, b"passwd", b"salt", 1).unwrap();
        assert_eq!(key[..4], [0x55, 0xac, 0x04, 0x6e]);
        assert!(pbkdf2::<8>(DigestAlgorithm::Sha256, b"", b"", 0).is_err());
    }

    #[test]
    fn random_bytes_differ() {
        assert_ne!(random::<16>().unwrap(), random::<16>().unwrap());
    }

    /// RFC 7914 section 12.
    #[test]
    fn scrypt_has_its_known_values_and_refuses_what_is_no_parameter() {
        let key = scrypt::<64>(b"password", b"NaCl", (10, 8, 16)).unwrap();
        assert_eq!(
            (&key[..4], &key[60..]),
            (&[0xfd, 0xba, 0xbe, 0x1c][..], &[0xa2, 0xcc, 0x06, 0x40][..])
        );
        for parameters in [(0, 8, 1), (64, 8, 1), (200, 8, 1), (10, 0, 1), (10, 8, 0)] {
            assert!(scrypt::<32>(b"password", b"salt", parameters).is_err());
        }
    }
}
