//! Sealing: what must not be read in a stolen database, under keys that the caller brings.
//!
//! XAES-256-GCM (C2SP): AES-256-GCM under a key that is derived anew from 24 random bytes for each value, so
//! that no number of values wears a key out. A value is bound to the place that it lies in: moved to another
//! row or field, it does not open.
//!
//! ```
//! use mdm_pki::seal::{SealingKey, SealingKeys};
//!
//! let keys = SealingKeys::new(SealingKey::generate()?);
//! let sealed = keys.seal("unlock token of MAC-1", b"a token")?;
//! assert_eq!(keys.open("unlock token of MAC-1", &sealed)?.expose(), b"a token");
//! assert!(keys.open("unlock token of MAC-2", &sealed).is_err());
//!
//! // A new key seals from now on; the former one still opens what it sealed.
//! let keys = SealingKeys::new(SealingKey::generate()?).former(keys.current().clone());
//! assert!(keys.is_outdated(&sealed));
//! assert!(keys.open("unlock token of MAC-1", &sealed).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use mdm_core::Secret;
use openssl::symm::{self, Cipher, Crypter, Mode};
use zeroize::Zeroizing;

use crate::{
    digest::{DigestAlgorithm, hmac, random},
    error::{Crypto, Error},
    pem,
};

/// Bytes that a sealed value has more than the value.
pub const OVERHEAD: usize = 1 + ID + NONCE + TAG;

const VERSION: u8 = 1;
const ID: usize = 8;
const NONCE: usize = 24;
const TAG: usize = 16;
const BLOCK: usize = 16;

/// A key of 256 bits that seals, with the name by which its values are told.
#[derive(Clone, PartialEq, Eq)]
pub struct SealingKey {
    id: [u8; ID],
    key: Secret<Vec<u8>>,
}

impl SealingKey {
    /// Bytes of a key.
    pub const BYTES: usize = 32;

    /// A random key.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL's generator has no seed.
    pub fn generate() -> Result<Self, Error> {
        Self::new(Secret::new(random::<{ Self::BYTES }>()?.to_vec()))
    }

    /// Takes the bytes of a key: 32 of them, random ones. A passphrase is no key.
    ///
    /// # Errors
    /// [`Error::Malformed`] for another length.
    pub fn new(key: Secret<Vec<u8>>) -> Result<Self, Error> {
        if key.expose().len() != Self::BYTES {
            return Err(Error::malformed("sealing key", "it must have 32 bytes"));
        }
        let named = hmac(
            DigestAlgorithm::Sha256,
            key.expose(),
            b"mdm-pki sealing key",
        )?;
        let mut id = [0; ID];
        id.iter_mut().zip(named).for_each(|(to, from)| *to = from);
        Ok(Self { id, key })
    }

    /// Reads the base64 of a key, as [`to_base64`](Self::to_base64) writes it.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what is no base64 of 32 bytes.
    pub fn from_base64(text: &str) -> Result<Self, Error> {
        // The reader's error would say what it met, which is part of the key.
        let key = pem::decode_base64(text.trim().as_bytes())
            .map_err(|_| Error::malformed("sealing key", "it must be base64"))?;
        Self::new(Secret::new(key))
    }

    /// The key as base64, to be kept where secrets are kept.
    pub fn to_base64(&self) -> Secret<String> {
        Secret::new(STANDARD.encode(self.key.expose()))
    }

    /// The name by which values of this key are told, in hexadecimal; no secret.
    pub fn id(&self) -> String {
        self.id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key for one nonce: CMAC of AES-256 as a key derivation function (NIST SP 800-108), as C2SP lays it down.
    fn derive(&self, salt: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let subkey = doubled(&self.encrypt_block(&[0; BLOCK])?);
        let mut derived = Zeroizing::new(Vec::with_capacity(Self::BYTES + BLOCK));
        for counter in [1, 2] {
            let message = [0, counter, b'X', 0]
                .into_iter()
                .chain(salt.iter().copied());
            let mut block = [0; BLOCK];
            for ((to, one), other) in block.iter_mut().zip(message).zip(subkey.iter()) {
                *to = one ^ other;
            }
            derived.extend_from_slice(&self.encrypt_block(&block)?);
        }
        Ok(derived)
    }

    fn encrypt_block(&self, block: &[u8; BLOCK]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let cipher = Cipher::aes_256_ecb();
        let mut crypter = Crypter::new(cipher, Mode::Encrypt, self.key.expose(), None).crypto()?;
        crypter.pad(false);
        let mut encrypted = Zeroizing::new(vec![0; 2 * BLOCK]);
        let written = crypter.update(block, &mut encrypted).crypto()?;
        encrypted.truncate(written);
        Ok(encrypted)
    }

    fn encrypt(
        &self,
        nonce: &[u8; NONCE],
        bound_to: &[u8],
        plain: &[u8],
    ) -> Result<(Vec<u8>, [u8; TAG]), Error> {
        let (salt, iv) = nonce.split_at(NONCE / 2);
        let mut tag = [0; TAG];
        let derived = self.derive(salt)?;
        let cipher = Cipher::aes_256_gcm();
        let sealed = symm::encrypt_aead(cipher, &derived, Some(iv), bound_to, plain, &mut tag);
        Ok((sealed.crypto()?, tag))
    }

    fn decrypt(
        &self,
        nonce: &[u8],
        bound_to: &[u8],
        sealed: &[u8],
        tag: &[u8],
    ) -> Result<Vec<u8>, Error> {
        let (salt, iv) = nonce.split_at_checked(NONCE / 2).ok_or(Error::Decrypt)?;
        let derived = self.derive(salt)?;
        symm::decrypt_aead(
            Cipher::aes_256_gcm(),
            &derived,
            Some(iv),
            bound_to,
            sealed,
            tag,
        )
        .map_err(|_| Error::Decrypt)
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKey({})", self.id())
    }
}

/// The key that seals, and former ones that still open.
#[derive(Debug, Clone)]
pub struct SealingKeys {
    current: SealingKey,
    former: Vec<SealingKey>,
}

impl SealingKeys {
    /// Seals with `current`.
    pub fn new(current: SealingKey) -> Self {
        Self {
            current,
            former: Vec::new(),
        }
    }

    /// Opens what this key has sealed, too.
    #[must_use]
    pub fn former(mut self, key: SealingKey) -> Self {
        self.former.push(key);
        self
    }

    /// The key that seals.
    pub fn current(&self) -> &SealingKey {
        &self.current
    }

    /// Seals a value for `place`, a name that is this value's alone, such as its row and field.
    ///
    /// # Errors
    /// [`Error::Crypto`] if OpenSSL fails.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Result<Vec<u8>, Error> {
        let nonce = random::<NONCE>()?;
        let bound_to = bound_to(&self.current.id, place);
        let (ciphertext, tag) = self.current.encrypt(&nonce, &bound_to, plain)?;
        let mut sealed = Vec::with_capacity(OVERHEAD + plain.len());
        sealed.push(VERSION);
        sealed.extend_from_slice(&self.current.id);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&ciphertext);
        sealed.extend_from_slice(&tag);
        Ok(sealed)
    }

    /// Opens a value that was sealed for `place`.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what is no sealed value or of a later version, [`Error::NoRecipient`] if none
    /// of these keys has sealed it, [`Error::Decrypt`] if it was changed or sealed for another place.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Secret<Vec<u8>>, Error> {
        let parts = Parts::of(sealed)?;
        let key = std::iter::once(&self.current)
            .chain(&self.former)
            .find(|key| key.id == parts.id)
            .ok_or(Error::NoRecipient)?;
        let bound_to = bound_to(parts.id, place);
        let plain = key.decrypt(parts.nonce, &bound_to, parts.ciphertext, parts.tag)?;
        Ok(Secret::new(plain))
    }

    /// Whether the value was sealed by another key than the current one.
    pub fn is_outdated(&self, sealed: &[u8]) -> bool {
        !Parts::of(sealed).is_ok_and(|parts| parts.id == self.current.id)
    }
}

/// A sealed value, taken apart.
struct Parts<'a> {
    id: &'a [u8],
    nonce: &'a [u8],
    ciphertext: &'a [u8],
    tag: &'a [u8],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Result<Self, Error> {
        let malformed = || Error::malformed("sealed value", "it is of no known form");
        let rest = sealed.strip_prefix(&[VERSION]).ok_or_else(malformed)?;
        let (id, rest) = rest.split_at_checked(ID).ok_or_else(malformed)?;
        let (nonce, rest) = rest.split_at_checked(NONCE).ok_or_else(malformed)?;
        let (ciphertext, tag) = rest.split_last_chunk::<TAG>().ok_or_else(malformed)?;
        Ok(Self {
            id,
            nonce,
            ciphertext,
            tag,
        })
    }
}

fn bound_to(id: &[u8], place: &str) -> Vec<u8> {
    [&[VERSION], id, place.as_bytes()].concat()
}

/// A block times x in GF(2^128), as CMAC derives its first subkey.
fn doubled(block: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut carried = 0;
    let mut doubled = Zeroizing::new(block.to_vec());
    for byte in doubled.iter_mut().rev() {
        let out = *byte >> 7;
        *byte = (*byte << 1) | carried;
        carried = out;
    }
    if let Some(last) = doubled.last_mut() {
        *last ^= carried * 0x87;
    }
    doubled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> SealingKey {
        SealingKey::new(Secret::new(vec![byte; SealingKey::BYTES])).unwrap()
    }

    fn xaes(key: &SealingKey, bound_to: &[u8]) -> String {
        let nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX";
        let (ciphertext, tag) = key.encrypt(nonce, bound_to, b"XAES-256-GCM").unwrap();
        assert_eq!(
            key.decrypt(nonce, bound_to, &ciphertext, &tag).unwrap(),
            b"XAES-256-GCM"
        );
        let all = ciphertext.iter().chain(&tag);
        all.map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn it_is_the_xaes_256_gcm_of_its_specification() {
        // The two vectors of C2SP: the first bit of the subkey is 0 in one and 1 in the other.
        let first = "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271";
        let second = "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d";
        assert_eq!(xaes(&key(1), b""), first);
        assert_eq!(xaes(&key(3), b"c2sp.org/XAES-256-GCM"), second);
    }

    #[test]
    fn each_changed_byte_and_each_other_place_is_refused() {
        let keys = SealingKeys::new(key(7));
        let sealed = keys.seal("a", b"secret").unwrap();
        assert_eq!(sealed.len(), b"secret".len() + OVERHEAD);
        assert!(keys.open("a", &sealed).is_ok());
        assert!(matches!(keys.open("b", &sealed), Err(Error::Decrypt)));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(keys.open("a", &changed).is_err(), "byte {at}");
            assert!(keys.open("a", &sealed[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn a_key_that_is_gone_is_told_from_a_value_that_was_changed() {
        let sealed = SealingKeys::new(key(7)).seal("a", b"").unwrap();
        let others = SealingKeys::new(key(8));
        assert!(matches!(others.open("a", &sealed), Err(Error::NoRecipient)));
        let both = others.former(key(7));
        assert!(both.is_outdated(&sealed));
        assert_eq!(both.open("a", &sealed).unwrap().expose(), b"");
        assert!(!both.is_outdated(&both.seal("a", b"").unwrap()));
    }

    #[test]
    fn the_same_value_is_never_sealed_alike() {
        let keys = SealingKeys::new(key(7));
        assert_ne!(keys.seal("a", b"x").unwrap(), keys.seal("a", b"x").unwrap());
    }

    #[test]
    fn a_key_travels_as_base64_and_is_never_printed() {
        let key = SealingKey::generate().unwrap();
        let text = key.to_base64();
        assert_eq!(SealingKey::from_base64(text.expose()).unwrap(), key);
        let printed = format!("{key:?} {:?}", SealingKeys::new(key.clone()));
        assert!(!printed.contains(text.expose().as_str()), "{printed}");
        for broken in ["", "AAAA", "no base64!"] {
            let error = SealingKey::from_base64(broken).unwrap_err();
            assert!(matches!(error, Error::Malformed { .. }), "{broken}");
        }
    }
}
