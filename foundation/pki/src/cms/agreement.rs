//! Recipients whose key is on a NIST curve (RFC 5753): ECDH with a key made for the message, from what both sides then
//! know a key by the KDF of X9.63, and under that the content key wrapped as RFC 3394 has it.

use openssl::cipher_ctx::{CipherCtx, CipherCtxFlags};
use openssl::{
    cipher::{Cipher, CipherRef},
    error::ErrorStack,
};
use zeroize::Zeroizing;

use super::{enveloped::RecipientId, structures::AGREEMENT};
use crate::{
    asn1::{Algorithm, RawBits, RawInteger, RawOctets, RawOid, Tlv, elements, read, tlv},
    certificate::Certificate,
    digest::{DigestAlgorithm, digest},
    error::{Crypto, Error},
    key::{KeyAlgorithm, PrivateKey},
    oid::{Oid, algorithm},
};

const WHAT: &str = "key agreement recipient";

/// The longest wrapped key read, in bytes: a content key has 32 at most, its wrapping eight more.
const MAX_WRAPPED: usize = 40;
/// The longest point read, in bytes: one of P-521 has 133.
const MAX_POINT: usize = 133;
/// The longest AlgorithmIdentifier of a key wrap that is read, in bytes.
const MAX_INNER: usize = 64;
/// The longest keying material of the sender's that is read, in bytes; 64 are usual at most.
const MAX_MATERIAL: usize = 256;

/// The recipient in DER; `id` names it, an issuer with serial number or a [`key_id`].
///
/// The digest of the KDF is the one whose strength suits the curve, never SHA-1; the key is wrapped with AES-256.
pub(super) fn wrap(
    recipient: &Certificate,
    id: &[u8],
    content_key: &[u8],
) -> Result<Vec<u8>, Error> {
    let public = recipient.public_key()?;
    let KeyAlgorithm::Ec(curve) = public.algorithm() else {
        return Err(Error::unsupported(
            "recipient key",
            format_args!("{:?}", public.algorithm()),
        ));
    };
    let digest = public.algorithm().preferred_digest();
    let made = PrivateKey::generate(curve.spec())?;
    let agreed = made.agree(public.point()?)?;
    let inner = tlv(0x30, &tlv(0x06, KeyWrap::Aes256.oid().as_bytes()));
    let key = derive(digest, &agreed, &inner, None, KeyWrap::Aes256.key_len())?;
    let wrapped = KeyWrap::Aes256.wrap(&key, content_key).crypto()?;

    let curve_key = tlv(0x30, &tlv(0x06, algorithm::EC.as_bytes()));
    let point = made.public_key().point()?;
    let mut bits = Vec::new();
    let point = tlv(0x03, RawBits::whole(point, &mut bits).0);
    let originator = tlv(0xa0, &tlv(0xa1, &[curve_key, point].concat()));
    let scheme = tlv(0x06, scheme(digest)?.as_bytes());
    let scheme = tlv(0x30, &[scheme, inner].concat());
    let key = tlv(0x30, &[id, &tlv(0x04, &wrapped)].concat());
    let version = tlv(0x02, &[3]);
    let body = [version, originator, scheme, tlv(0x30, &key)].concat();
    Ok(tlv(AGREEMENT, &body))
}

/// A recipient's name by its subjectKeyIdentifier: RecipientKeyIdentifier under the tag `[0]`.
pub(super) fn key_id(key_id: &[u8]) -> Vec<u8> {
    tlv(0xa0, &tlv(0x04, key_id))
}

/// A wrapped content key that was read, with all that is needed to unwrap it.
#[derive(Debug, Clone)]
pub(super) struct AgreedKey {
    pub(super) id: RecipientId,
    /// How it is wrapped; the object identifier of a way unknown here.
    method: Result<(DigestAlgorithm, KeyWrap), String>,
    /// The sender's key, a point of the recipient's curve.
    point: Vec<u8>,
    material: Option<Vec<u8>>,
    /// The wrapping's AlgorithmIdentifier as it was sent: the KDF covers it.
    inner: Vec<u8>,
    wrapped: Vec<u8>,
}

impl AgreedKey {
    /// Reads the element under [`AGREEMENT`]: one key for each of its recipients.
    pub(super) fn read(element: Tlv<'_>) -> Result<Vec<Self>, Error> {
        let mut parts = elements(element.value()).peekable();
        let mut next = || {
            parts
                .next()
                .unwrap_or_else(|| Err(Error::malformed(WHAT, "cut off")))
        };
        let _version: RawInteger<'_> = read(WHAT, next()?.0)?;
        let originator = next()?;
        let mut third = next()?;
        let material = match third.tag() {
            0xa1 => {
                let octets: RawOctets<'_> = read(WHAT, third.value())?;
                third = next()?;
                Some(octets.0.to_vec())
            }
            _ => None,
        };
        let scheme: Algorithm<'_> = read(WHAT, third.0)?;
        let keys = next()?;
        let (Some(point), Some(inner)) = (point_of(originator)?, scheme.parameters) else {
            // A sender who is named by a certificate (static ECDH) has no key of the message's own.
            return Ok(Vec::new());
        };
        // Each of many recipients gets its own of these.
        let long = material.as_ref().is_some_and(|it| it.len() > MAX_MATERIAL)
            || point.len() > MAX_POINT
            || inner.0.len() > MAX_INNER;
        if keys.tag() != 0x30 || long {
            return Err(Error::malformed(WHAT, "no recipients, or a part too long"));
        }
        elements(keys.value())
            .map(|key| {
                let mut parts = elements(key?.value());
                let (Some(id), Some(wrapped)) = (parts.next(), parts.next()) else {
                    return Err(Error::malformed(WHAT, "no wrapped key"));
                };
                let wrapped: RawOctets<'_> = read(WHAT, wrapped?.0)?;
                Ok(Self {
                    id: RecipientId::read_agreed(id?)?,
                    method: method(&scheme, inner),
                    point: point.to_vec(),
                    material: material.clone(),
                    inner: inner.0.to_vec(),
                    wrapped: wrapped.0.to_vec(),
                })
            })
            .collect()
    }

    /// Whether this way of wrapping is known here.
    ///
    /// # Errors
    /// [`Error::Unsupported`].
    pub(super) fn check(&self) -> Result<(), Error> {
        let known = self.method.as_ref().map(|_| ());
        known.map_err(|detail| Error::unsupported("key agreement", detail))
    }

    /// The content key; anything wrong yields random bytes of that length, as it does for RSA.
    pub(super) fn unwrap(&self, key: &PrivateKey, length: usize) -> Result<Content, Error> {
        let mut random = Zeroizing::new(vec![0; length]);
        openssl::rand::rand_bytes(&mut random).crypto()?;
        Ok(match self.open(key) {
            Ok(found) if found.len() == length => found,
            _ => random,
        })
    }

    fn open(&self, key: &PrivateKey) -> Result<Content, Error> {
        let (digest, wrap) = self.method.clone().map_err(|_| Error::Decrypt)?;
        let fits = self.wrapped.len() <= MAX_WRAPPED && self.wrapped.len().is_multiple_of(8);
        if !fits || self.wrapped.len() < 24 {
            return Err(Error::Decrypt);
        }
        let agreed = key.agree(&self.point)?;
        let material = self.material.as_deref();
        let key = derive(digest, &agreed, &self.inner, material, wrap.key_len())?;
        // The error stack is taken off the thread by the conversion and dropped.
        wrap.unwrap(&key, &self.wrapped).map_err(|_| Error::Decrypt)
    }
}

type Content = Zeroizing<Vec<u8>>;

/// The sender's point, where it is one made for the message.
fn point_of(originator: Tlv<'_>) -> Result<Option<&[u8]>, Error> {
    let inside: Tlv<'_> = match originator.tag() {
        0xa0 => read(WHAT, originator.value())?,
        _ => return Err(Error::malformed(WHAT, "no originator")),
    };
    if inside.tag() != 0xa1 {
        return Ok(None);
    }
    let key = elements(inside.value()).nth(1);
    let key = key.unwrap_or_else(|| Err(Error::malformed(WHAT, "no originator's key")))?;
    let bits: RawBits<'_> = read(WHAT, key.0)?;
    let point = bits.bytes();
    point
        .map(Some)
        .ok_or_else(|| Error::malformed(WHAT, "unused bits"))
}

/// The KDF of X9.63 (SEC 1, section 3.6.1) over ECC-CMS-SharedInfo (RFC 5753, section 7.2).
fn derive(
    algorithm: DigestAlgorithm,
    agreed: &[u8],
    inner: &[u8],
    material: Option<&[u8]>,
    length: usize,
) -> Result<Content, Error> {
    let material = material.map_or(Vec::new(), |material| tlv(0xa0, &tlv(0x04, material)));
    // A key has 32 bytes at most.
    let bits = (length as u32).wrapping_mul(8).to_be_bytes();
    let length_info = tlv(0xa2, &tlv(0x04, &bits));
    let info = tlv(0x30, &[inner, &material, &length_info].concat());
    let mut key = Zeroizing::new(Vec::with_capacity(length + algorithm.output_len()));
    let mut counter: u32 = 1;
    while key.len() < length {
        let input = Zeroizing::new([agreed, &counter.to_be_bytes(), &info].concat());
        key.extend_from_slice(&Zeroizing::new(digest(algorithm, &input)?));
        counter = counter.wrapping_add(1);
    }
    key.truncate(length);
    Ok(key)
}

/// AES key wrap (RFC 3394).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyWrap {
    Aes128,
    Aes192,
    Aes256,
}

impl KeyWrap {
    const ALL: [Self; 3] = [Self::Aes256, Self::Aes128, Self::Aes192];

    fn oid(self) -> Oid {
        match self {
            Self::Aes128 => algorithm::AES128_WRAP,
            Self::Aes192 => algorithm::AES192_WRAP,
            Self::Aes256 => algorithm::AES256_WRAP,
        }
    }

    fn key_len(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }

    fn cipher(self) -> &'static CipherRef {
        match self {
            Self::Aes128 => Cipher::aes_128_wrap(),
            Self::Aes192 => Cipher::aes_192_wrap(),
            Self::Aes256 => Cipher::aes_256_wrap(),
        }
    }

    fn wrap(self, key: &[u8], content_key: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut context = CipherCtx::new()?;
        context.set_flags(CipherCtxFlags::FLAG_WRAP_ALLOW);
        context.encrypt_init(Some(self.cipher()), Some(key), None)?;
        let mut out = Vec::new();
        context.cipher_update_vec(content_key, &mut out)?;
        Ok(out)
    }

    fn unwrap(self, key: &[u8], wrapped: &[u8]) -> Result<Content, ErrorStack> {
        let mut context = CipherCtx::new()?;
        context.set_flags(CipherCtxFlags::FLAG_WRAP_ALLOW);
        context.decrypt_init(Some(self.cipher()), Some(key), None)?;
        // Room enough, so that nothing is reallocated and no copy of the key stays behind.
        let mut out = Zeroizing::new(vec![0; wrapped.len() + 16]);
        let length = context.cipher_update(wrapped, Some(&mut out))?;
        out.truncate(length);
        Ok(out)
    }
}

const SCHEMES: [(DigestAlgorithm, Oid); 5] = [
    (DigestAlgorithm::Sha256, algorithm::ECDH_SHA256_KDF),
    (DigestAlgorithm::Sha384, algorithm::ECDH_SHA384_KDF),
    (DigestAlgorithm::Sha512, algorithm::ECDH_SHA512_KDF),
    (DigestAlgorithm::Sha224, algorithm::ECDH_SHA224_KDF),
    // Read only: what OpenSSL writes unless told otherwise.
    (DigestAlgorithm::Sha1, algorithm::ECDH_SHA1_KDF),
];

fn scheme(digest: DigestAlgorithm) -> Result<Oid, Error> {
    let found = SCHEMES.into_iter().find(|(known, _)| *known == digest);
    found
        .map(|(_, oid)| oid)
        .ok_or_else(|| Error::unsupported("key agreement", format_args!("{digest:?}")))
}

fn method(scheme: &Algorithm<'_>, inner: Tlv<'_>) -> Result<(DigestAlgorithm, KeyWrap), String> {
    let unknown = |oid: RawOid<'_>| oid.oid().map_or_else(|_| "?".into(), |oid| oid.to_string());
    let found = SCHEMES.into_iter().find(|(_, oid)| scheme.oid.is(*oid));
    let (digest, _) = found.ok_or_else(|| unknown(scheme.oid))?;
    let inner: Algorithm<'_> = read(WHAT, inner.0).map_err(|_| "no key wrap".to_owned())?;
    let found = KeyWrap::ALL
        .into_iter()
        .find(|wrap| inner.oid.is(wrap.oid()));
    Ok((digest, found.ok_or_else(|| unknown(inner.oid))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits = hex.as_bytes().chunks(2);
        digits
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect()
    }

    /// RFC 3394, sections 4.1 and 4.6.
    #[test]
    fn keys_are_wrapped_as_the_rfc_says() {
        for (wrap, length, content, wrapped) in [
            (
                KeyWrap::Aes128,
                16,
                "00112233445566778899aabbccddeeff",
                "1fa68b0a8112b447aef34bd8fb5a7b829d3e862371d2cfe5",
            ),
            (
                KeyWrap::Aes256,
                32,
                "00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f",
                "28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21",
            ),
        ] {
            let key: Vec<u8> = (0..length).collect();
            let (content, wrapped) = (bytes(content), bytes(wrapped));
            assert_eq!(wrap.wrap(&key, &content).unwrap(), wrapped);
            assert_eq!(*wrap.unwrap(&key, &wrapped).unwrap(), content);
            for at in 0..wrapped.len() {
                let mut other = wrapped.clone();
                other[at] ^= 1;
                assert!(wrap.unwrap(&key, &other).is_err());
            }
        }
    }

    #[test]
    fn a_key_longer_than_a_digest_takes_several() {
        let inner = tlv(0x30, &tlv(0x06, algorithm::AES256_WRAP.as_bytes()));
        let short = derive(DigestAlgorithm::Sha1, b"z", &inner, None, 20).unwrap();
        let long = derive(DigestAlgorithm::Sha1, b"z", &inner, None, 32).unwrap();
        assert_eq!((short.len(), long.len()), (20, 32));
        // The length itself is part of what the key is derived from.
        assert_ne!(long[..20], short[..]);
        let other = derive(DigestAlgorithm::Sha1, b"z", &inner, Some(b"m"), 32).unwrap();
        assert_ne!(other, long);
    }
}
