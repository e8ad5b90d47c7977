//! Recipients who know a password (RFC 5652, section 6.2.4): PBKDF2 (RFC 8018) makes a key of it, and under that
//! the content key is wrapped as RFC 3211, section 2.3 has it.

use mdm_core::Secret;
use zeroize::Zeroizing;

use super::{
    cipher::{ContentCipher, Way},
    structures::{PASSWORD, PasswordRecipientBody},
};
use crate::{
    asn1::{
        Algorithm, NULL, RawInteger, RawOctets, RawOid, RawSequence, Tlv, elements, read, tlv,
        write,
    },
    digest::{DigestAlgorithm, pbkdf2_into},
    error::{Crypto, Error},
    oid::{Oid, algorithm},
};

const WHAT: &str = "password recipient";

/// The fewest iterations of PBKDF2 that are written (RFC 8018, section 4.2).
pub(super) const MIN_ITERATIONS: u32 = 1000;
/// The longest salt read, in bytes.
const MAX_SALT: usize = 256;
/// The longest wrapped key read, in bytes: a content key has 32 at most.
const MAX_WRAPPED: usize = 256;

/// A password to wrap the content key with.
#[derive(Debug, Clone)]
pub(super) struct Password {
    secret: Secret<Vec<u8>>,
    iterations: u32,
}

impl Password {
    pub(super) fn new(password: &[u8], iterations: u32) -> Self {
        Self {
            secret: Secret::new(password.to_vec()),
            iterations,
        }
    }

    /// The recipient in DER. The key is wrapped with the content's own cipher.
    pub(super) fn wrap(&self, cipher: ContentCipher, content_key: &[u8]) -> Result<Vec<u8>, Error> {
        if self.iterations < MIN_ITERATIONS {
            return Err(Error::unsupported(
                "number of iterations",
                format_args!("{}, less than {MIN_ITERATIONS}", self.iterations),
            ));
        }
        let mut salt = [0; 16];
        openssl::rand::rand_bytes(&mut salt).crypto()?;
        let mut iv = vec![0; cipher.block_len()];
        openssl::rand::rand_bytes(&mut iv).crypto()?;
        let mut key = Zeroizing::new(vec![0; cipher.key_len()]);
        let prf = DigestAlgorithm::Sha256;
        pbkdf2_into(prf, self.secret.expose(), &salt, self.iterations, &mut key)?;
        let wrapped = wrap(cipher, &key, &iv, content_key)?;

        let iterations = tlv(0x02, &unsigned(self.iterations));
        let prf = identifier(algorithm::HMAC_SHA256, NULL.0);
        let parameters = tlv(0x30, &[tlv(0x04, &salt), iterations, prf].concat());
        let derivation = [tlv(0x06, algorithm::PBKDF2.as_bytes()), parameters].concat();
        let inner = identifier(cipher.oid(), &tlv(0x04, &iv));
        let body = write(
            WHAT,
            &PasswordRecipientBody {
                version: RawInteger(&[0]),
                derivation: Some(RawSequence(&derivation)),
                algorithm: Algorithm {
                    oid: RawOid(algorithm::PWRI_KEK.as_bytes()),
                    parameters: Some(Tlv(&inner)),
                },
                encrypted_key: RawOctets(&wrapped),
            },
        )?;
        // [3] IMPLICIT: the SEQUENCE under another tag.
        let body: RawSequence<'_> = read(WHAT, &body)?;
        Ok(tlv(PASSWORD, body.0))
    }
}

/// A recipient that was read.
#[derive(Debug, Clone)]
pub(super) struct PasswordRecipient {
    prf: DigestAlgorithm,
    salt: Vec<u8>,
    pub(super) iterations: u32,
    cipher: ContentCipher,
    iv: Vec<u8>,
    wrapped: Vec<u8>,
}

impl PasswordRecipient {
    /// Reads the element under [`PASSWORD`]; `None` for algorithms unknown here.
    pub(super) fn read(element: Tlv<'_>) -> Result<Option<Self>, Error> {
        let der = tlv(0x30, element.value());
        let body: PasswordRecipientBody<'_> = read(WHAT, &der)?;
        Ok(Self::known(&body))
    }

    fn known(body: &PasswordRecipientBody<'_>) -> Option<Self> {
        let derivation = tlv(0x30, body.derivation?.0);
        let derivation: Algorithm<'_> = read(WHAT, &derivation).ok()?;
        if !derivation.oid.is(algorithm::PBKDF2) || !body.algorithm.oid.is(algorithm::PWRI_KEK) {
            return None;
        }
        let inner: Algorithm<'_> = read(WHAT, body.algorithm.parameters?.0).ok()?;
        let cipher = ContentCipher::from_oid(inner.oid)?;
        let iv: RawOctets<'_> = read(WHAT, inner.parameters?.0).ok()?;
        let mut parts = elements(derivation.parameters?.value());
        let salt: RawOctets<'_> = read(WHAT, parts.next()?.ok()?.0).ok()?;
        let iterations: RawInteger<'_> = read(WHAT, parts.next()?.ok()?.0).ok()?;
        let mut next = parts.next().transpose().ok()?;
        if let Some(length) = next.filter(|part| part.tag() == 0x02) {
            let length: RawInteger<'_> = read(WHAT, length.0).ok()?;
            (length.0 == [cipher.key_len() as u8]).then_some(())?;
            next = parts.next().transpose().ok()?;
        }
        let prf = match next {
            None => DigestAlgorithm::Sha1,
            Some(prf) => prf_of(&read(WHAT, prf.0).ok()?)?,
        };
        let fits = salt.0.len() <= MAX_SALT && body.encrypted_key.0.len() <= MAX_WRAPPED;
        (fits && parts.next().is_none()).then_some(())?;
        Some(Self {
            prf,
            salt: salt.0.to_vec(),
            iterations: number(iterations)?,
            cipher,
            iv: iv.0.to_vec(),
            wrapped: body.encrypted_key.0.to_vec(),
        })
    }

    /// The content key, if the password is the right one.
    pub(super) fn unwrap(&self, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let mut key = Zeroizing::new(vec![0; self.cipher.key_len()]);
        pbkdf2_into(self.prf, password, &self.salt, self.iterations, &mut key)?;
        unwrap(self.cipher, &key, &self.iv, &self.wrapped)
    }
}

/// RFC 3211, section 2.3.1: a length, three check bytes, the key, random bytes to two blocks at least; encrypted twice,
/// so that every bit of the result depends on every bit of the key.
fn wrap(
    cipher: ContentCipher,
    key: &[u8],
    iv: &[u8],
    content_key: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let block = cipher.block_len();
    let (Some(check), Ok(length)) = (
        content_key.first_chunk::<3>(),
        u8::try_from(content_key.len()),
    ) else {
        return Err(Error::unsupported("content key", "of this length"));
    };
    let size = (content_key.len() + 4)
        .next_multiple_of(block)
        .max(2 * block);
    let mut inside = Zeroizing::new(vec![0; size]);
    openssl::rand::rand_bytes(&mut inside).crypto()?;
    let head = [length, !check[0], !check[1], !check[2]];
    for (to, from) in inside.iter_mut().zip(head.iter().chain(content_key)) {
        *to = *from;
    }
    let once = cipher.blocks(Way::Encrypt, key, iv, &inside)?;
    let last = once.len().saturating_sub(block);
    let again = once.get(last..).unwrap_or(&[]);
    cipher.blocks(Way::Encrypt, key, again, &once)
}

/// RFC 3211, section 2.3.2. Whatever is wrong is the same [`Error::Decrypt`].
fn unwrap(
    cipher: ContentCipher,
    key: &[u8],
    iv: &[u8],
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let block = cipher.block_len();
    let split = wrapped.len().checked_sub(block).filter(|at| *at >= block);
    let (front, last) = split
        .and_then(|at| wrapped.split_at_checked(at))
        .ok_or(Error::Decrypt)?;
    let before_last = front.get(front.len() - block..).ok_or(Error::Decrypt)?;
    let end = cipher.blocks(Way::Decrypt, key, before_last, last)?;
    let start = cipher.blocks(Way::Decrypt, key, &end, front)?;
    let once = Zeroizing::new([start.as_slice(), end.as_slice()].concat());
    let inside = cipher.blocks(Way::Decrypt, key, iv, &once)?;
    let (head, rest) = inside.split_first_chunk::<4>().ok_or(Error::Decrypt)?;
    let [length, a, b, c] = *head;
    match rest.get(..usize::from(length)) {
        Some(found @ [x, y, z, ..]) if (a ^ x) & (b ^ y) & (c ^ z) == 0xff => {
            Ok(Zeroizing::new(found.to_vec()))
        }
        _ => Err(Error::Decrypt),
    }
}

const PRFS: [(DigestAlgorithm, Oid); 5] = [
    (DigestAlgorithm::Sha256, algorithm::HMAC_SHA256),
    (DigestAlgorithm::Sha1, algorithm::HMAC_SHA1),
    (DigestAlgorithm::Sha224, algorithm::HMAC_SHA224),
    (DigestAlgorithm::Sha384, algorithm::HMAC_SHA384),
    (DigestAlgorithm::Sha512, algorithm::HMAC_SHA512),
];

fn prf_of(identifier: &Algorithm<'_>) -> Option<DigestAlgorithm> {
    PRFS.into_iter()
        .find(|(_, oid)| identifier.oid.is(*oid))
        .filter(|_| identifier.is_plain())
        .map(|(digest, _)| digest)
}

fn identifier(oid: Oid, parameters: &[u8]) -> Vec<u8> {
    tlv(0x30, &[&tlv(0x06, oid.as_bytes())[..], parameters].concat())
}

/// A positive number of at most 32 bits.
fn number(integer: RawInteger<'_>) -> Option<u32> {
    let digits = match integer.0 {
        [first, ..] if first & 0x80 != 0 => return None,
        [0, rest @ ..] => rest,
        all => all,
    };
    (digits.len() <= 4).then_some(())?;
    let number = digits
        .iter()
        .fold(0_u32, |number, digit| number << 8 | u32::from(*digit));
    (number > 0).then_some(number)
}

fn unsigned(number: u32) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(skip..).unwrap_or(&[]);
    match digits.first() {
        Some(first) if first & 0x80 == 0 => digits.to_vec(),
        _ => [&[0], digits].concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CIPHER: ContentCipher = ContentCipher::Aes128Cbc;

    #[test]
    fn keys_of_every_length_are_wrapped_and_unwrapped() {
        let (key, iv) = ([7; 16], [9; 16]);
        for length in [8, 16, 24, 28, 29, 32] {
            let content_key: Vec<u8> = (0..length).collect();
            let wrapped = wrap(CIPHER, &key, &iv, &content_key).unwrap();
            assert!(wrapped.len() >= 32 && wrapped.len().is_multiple_of(16));
            assert_eq!(*unwrap(CIPHER, &key, &iv, &wrapped).unwrap(), content_key);
            assert!(unwrap(CIPHER, &[8; 16], &iv, &wrapped).is_err());
            for end in 0..wrapped.len() {
                assert!(unwrap(CIPHER, &key, &iv, &wrapped[..end]).is_err());
            }
        }
        assert!(wrap(CIPHER, &key, &iv, &[1, 2]).is_err());
    }

    #[test]
    fn numbers_read_back_and_nothing_but_positive_ones_of_32_bits_is_read() {
        for value in [1, 0x7f, 0x80, 1000, 0x8000, u32::MAX] {
            assert_eq!(number(RawInteger(&unsigned(value))), Some(value));
        }
        for broken in [&[][..], &[0], &[0x80], &[1, 0, 0, 0, 0], &[0xff, 1]] {
            assert_eq!(number(RawInteger(broken)), None);
        }
    }

    #[test]
    fn a_recipient_reads_back_and_opens_with_its_password_alone() {
        let content_key = [3; 32];
        let cipher = ContentCipher::Aes256Cbc;
        let der = Password::new(b"secret", 1000)
            .wrap(cipher, &content_key)
            .unwrap();
        let read = PasswordRecipient::read(Tlv(&der)).unwrap().unwrap();
        assert_eq!(read.iterations, 1000);
        assert_eq!(*read.unwrap(b"secret").unwrap(), content_key);
        assert!(matches!(read.unwrap(b"Secret"), Err(Error::Decrypt)));
        let few = Password::new(b"secret", 999).wrap(cipher, &content_key);
        assert!(matches!(few, Err(Error::Unsupported { .. })));
    }
}
