//! RSA below OpenSSL's EVP layer, where two things are easier to get right: signing and verifying without a fetch per
//! signature, and unwrapping a content key without telling whether its padding was right.

use openssl::{
    error::ErrorStack,
    pkey::{PKey, Private, Public},
    pkey_ctx::PkeyCtx,
    rsa::{Padding, Rsa},
};
use zeroize::Zeroizing;

use super::private::md;

use crate::{digest::DigestAlgorithm, signer::KeyError};

/// RSASSA-PKCS1-v1_5 verification (RFC 8017, section 8.2.2), by comparing the whole encoded message.
pub(super) fn verify(
    key: &Rsa<Public>,
    algorithm: DigestAlgorithm,
    digest: &[u8],
    signature: &[u8],
) -> bool {
    let size = key.size() as usize;
    if signature.len() != size || digest.len() != algorithm.output_len() {
        return false;
    }
    let mut recovered = vec![0; size];
    let Ok(length) = key.public_decrypt(signature, &mut recovered, Padding::PKCS1) else {
        return false;
    };
    let prefix = algorithm.digest_info_prefix();
    recovered
        .get(..length)
        .and_then(|info| info.strip_prefix(prefix))
        .is_some_and(|found| found == digest)
}

/// RSASSA-PKCS1-v1_5 signature (RFC 8017, section 8.2.1) over a digest of the right length.
pub(super) fn sign(
    key: &Rsa<Private>,
    algorithm: DigestAlgorithm,
    digest: &[u8],
) -> Result<Vec<u8>, ErrorStack> {
    let info = [algorithm.digest_info_prefix(), digest].concat();
    let mut signature = vec![0; key.size() as usize];
    let length = key.private_encrypt(&info, &mut signature, Padding::PKCS1)?;
    signature.truncate(length);
    Ok(signature)
}

/// RSASSA-PSS verification (RFC 8017, section 8.1.2) with one digest throughout and a salt of any length.
pub(super) fn verify_pss(
    key: &Rsa<Public>,
    algorithm: DigestAlgorithm,
    digest: &[u8],
    signature: &[u8],
) -> bool {
    let verify = || -> Result<bool, ErrorStack> {
        let key = PKey::from_rsa(key.clone())?;
        let mut context = PkeyCtx::new(&key)?;
        context.verify_init()?;
        context.set_rsa_padding(Padding::PKCS1_PSS)?;
        context.set_signature_md(md(algorithm))?;
        context.set_rsa_mgf1_md(md(algorithm))?;
        context.verify(digest, signature)
    };
    verify().unwrap_or(false)
}

/// Encrypts a content key under PKCS #1 v1.5 (RFC 8017, section 7.2.1).
pub(super) fn wrap_v15(key: &Rsa<Public>, content_key: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut wrapped = vec![0; key.size() as usize];
    let length = key.public_encrypt(content_key, &mut wrapped, Padding::PKCS1)?;
    wrapped.truncate(length);
    Ok(wrapped)
}

/// Decrypts a content key of `length` bytes under PKCS #1 v1.5.
///
/// Padding that is wrong, or that holds a key of another length, yields random bytes: no branch and no access depends
/// on which of the two it was (RFC 3218, section 2.3).
pub(super) fn unwrap_v15(
    key: &Rsa<Private>,
    wrapped: &[u8],
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let mut content = Zeroizing::new(vec![0; length]);
    openssl::rand::rand_bytes(&mut content).map_err(KeyError::unavailable)?;
    let Some(block) = raw(key, wrapped) else {
        return Ok(content);
    };
    // 00 02 PS 00 KEY, with at least eight bytes of PS (RFC 8017, section 7.2.2).
    let Some(separator) = block.len().checked_sub(length + 1).filter(|at| *at >= 10) else {
        return Ok(content);
    };
    let mut wrong = 0_u8;
    for (at, byte) in block.iter().enumerate().take(separator + 1) {
        wrong |= match at {
            0 => *byte,
            1 => byte ^ 2,
            at if at == separator => *byte,
            _ => is_zero(*byte),
        };
    }
    // 0xff when everything was right, else 0.
    let right = is_zero(std::hint::black_box(wrong)).wrapping_neg();
    for (to, from) in content.iter_mut().zip(block.iter().skip(separator + 1)) {
        *to = (*to & !right) | (*from & right);
    }
    Ok(content)
}

/// Decrypts under PKCS #1 v1.5 where the length of what is inside is not known.
pub(super) fn unwrap_v15_any(
    key: &Rsa<Private>,
    wrapped: &[u8],
) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let block = raw(key, wrapped).ok_or(KeyError::Rejected)?;
    let padding = block
        .strip_prefix(&[0, 2])
        .and_then(|rest| rest.iter().position(|byte| *byte == 0))
        .filter(|length| *length >= 8)
        .ok_or(KeyError::Rejected)?;
    let inside = block.get(padding + 3..).unwrap_or(&[]);
    Ok(Zeroizing::new(inside.to_vec()))
}

/// 1 for zero, 0 for anything else, without a branch.
fn is_zero(byte: u8) -> u8 {
    ((u16::from(byte).wrapping_sub(1)) >> 15) as u8
}

fn raw(key: &Rsa<Private>, wrapped: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let size = key.size() as usize;
    // Some encoders drop leading zeros of the ciphertext.
    let missing = size.checked_sub(wrapped.len())?;
    let mut padded = vec![0; missing];
    padded.extend_from_slice(wrapped);
    let mut block = Zeroizing::new(vec![0; size]);
    let outcome = key.private_decrypt(&padded, &mut block, Padding::NONE);
    let _ = ErrorStack::get();
    (outcome.ok()? == size).then_some(block)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn public(key: &Rsa<Private>) -> Rsa<Public> {
        Rsa::from_public_components(key.n().to_owned().unwrap(), key.e().to_owned().unwrap())
            .unwrap()
    }

    fn wrap(key: &Rsa<Private>, content_key: &[u8]) -> Vec<u8> {
        let mut wrapped = vec![0; 128];
        public(key)
            .public_encrypt(content_key, &mut wrapped, Padding::PKCS1)
            .unwrap();
        wrapped
    }

    #[test]
    fn a_content_key_of_the_right_length_comes_back() {
        let key = Rsa::generate(1024).unwrap();
        let wrapped = wrap(&key, b"0123456789abcdef");
        assert_eq!(
            *unwrap_v15(&key, &wrapped, 16).unwrap(),
            b"0123456789abcdef"
        );
        assert_eq!(
            *unwrap_v15_any(&key, &wrapped).unwrap(),
            b"0123456789abcdef"
        );
    }

    #[test]
    fn wrong_padding_and_wrong_length_yield_random_bytes_of_the_right_length() {
        let key = Rsa::generate(1024).unwrap();
        let wrapped = wrap(&key, b"0123456789abcdef");
        let mut blocks = vec![wrapped.clone(), vec![], vec![0xff; 128], vec![1; 129]];
        for (at, value) in [(0, 1), (1, 1), (5, 0), (103, 1)] {
            let mut block = vec![0xaa; 128];
            (block[0], block[1], block[103]) = (0, 2, 0);
            block[at] = value;
            let mut out = vec![0; 128];
            public(&key)
                .public_encrypt(&block, &mut out, Padding::NONE)
                .unwrap();
            blocks.push(out);
        }
        for block in blocks {
            let first = unwrap_v15(&key, &block, 24).unwrap();
            let second = unwrap_v15(&key, &block, 24).unwrap();
            assert_eq!(first.len(), 24);
            assert_ne!(first, second);
        }
    }

    #[test]
    fn is_zero_is_right_for_every_byte() {
        for byte in 0..=255 {
            assert_eq!(is_zero(byte), u8::from(byte == 0));
        }
    }

    #[test]
    fn a_signature_with_anything_but_the_exact_digest_info_is_refused() {
        let key = Rsa::generate(1024).unwrap();
        let digest = [7; 32];
        let sign = |info: &[u8]| {
            let mut out = vec![0; 128];
            key.private_encrypt(info, &mut out, Padding::PKCS1).unwrap();
            out
        };
        let prefix = DigestAlgorithm::Sha256.digest_info_prefix();
        let good = [prefix, &digest].concat();
        let verify = |signature: &[u8]| {
            super::verify(&public(&key), DigestAlgorithm::Sha256, &digest, signature)
        };
        assert!(verify(&sign(&good)));
        assert!(!verify(&sign(&digest)));
        // Bytes after the digest: the forgery of Bleichenbacher (2006) for small exponents.
        assert!(!verify(&sign(&[&good[..], &[0]].concat())));
        // The DigestInfo without parameters.
        let mut bare = vec![0x30, 0x2f, 0x30, 0x0b];
        bare.extend_from_slice(&good[4..15]);
        bare.extend_from_slice(&good[17..]);
        assert!(!verify(&sign(&bare)));
        assert!(!verify(&sign(&good)[1..]));
        assert!(!verify(&[]));
    }
}
