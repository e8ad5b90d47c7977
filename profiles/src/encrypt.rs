//! Encryption of the payloads to devices, and back.
//!
//! As Apple describes it: the array of payloads, as a property list of its own, in a CMS envelope for the device's
//! certificate takes the place of `PayloadContent`. The other keys stay readable; sign the profile afterwards.
//!
//! ```no_run
//! use mdm_pki::{Certificate, Identity, PrivateKey, cms::DecryptPolicy};
//! use mdm_profiles::{Error, Profile, encrypt::{Encryption, decrypt, encrypt}, sign::sign};
//!
//! fn for_one_device(profile: &Profile, device: Certificate, signer: &Identity) -> Result<Vec<u8>, Error> {
//!     let encrypted = encrypt(profile, &[device], &Encryption::default())?;
//!     sign(&encrypted, signer, chrono::Utc::now())
//! }
//!
//! fn on_the_device(encrypted: &Profile, key: &PrivateKey) -> Result<Profile, Error> {
//!     decrypt(encrypted, key, &DecryptPolicy::default())
//! }
//! ```

use mdm_core::Secret;
use mdm_pki::{
    Certificate, Decrypter, KeyTransport, PrivateKey,
    cms::{ContentCipher, DecryptPolicy, EnvelopedData, EnvelopedDataBuilder, Limits},
    key::KeyAlgorithm,
};
use mdm_plist::{Dictionary, Value};

use crate::{
    error::Error,
    profile::{Profile, says_what_it_is},
};

const CLEAR: &str = "PayloadContent";
const ENCRYPTED: &str = "EncryptedPayloadContent";
const FLAG: &str = "IsEncrypted";

/// How payloads are encrypted.
///
/// Apple names neither cipher nor key transport; the default is what every reader of CMS knows that is no DES.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Encryption {
    /// The cipher: AES-256 in CBC mode.
    pub cipher: ContentCipher,
    /// How RSA devices get the content key: PKCS #1 v1.5. Keys on a curve agree on one (RFC 5753); whether Apple's
    /// devices read that is not documented.
    pub key_transport: KeyTransport,
}

impl Default for Encryption {
    fn default() -> Self {
        Self {
            cipher: ContentCipher::Aes256Cbc,
            key_transport: KeyTransport::RsaPkcs1v15,
        }
    }
}

impl Encryption {
    /// Sets parts of it.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

/// Encrypts the payloads to these devices: each opens the profile with its own key.
///
/// The other keys stay as they are, unknown ones too, and in their order; `EncryptedPayloadContent` takes the place of
/// `PayloadContent`. No two runs give the same bytes.
///
/// # Errors
/// [`Error::Invalid`] where there is no array of payloads, or an encrypted one already; [`Error::Crypto`] without a
/// device, for DES, and for keys that are neither RSA nor on a NIST curve; [`Error::Plist`].
pub fn encrypt(
    profile: &Profile,
    devices: &[Certificate],
    encryption: &Encryption,
) -> Result<Profile, Error> {
    let keys = profile.keys();
    if keys.contains_key(ENCRYPTED) {
        return Err(invalid(ENCRYPTED, "is there already"));
    }
    let payloads = match keys.get(CLEAR) {
        Some(payloads @ Value::Array(_)) => payloads,
        _ => return Err(invalid(CLEAR, "is no array of payloads")),
    };
    let content = Secret::new(mdm_plist::to_xml(payloads)?);
    let mut envelope = EnvelopedDataBuilder::new(content.expose())
        .cipher(encryption.cipher)
        .key_transport(encryption.key_transport);
    for device in devices {
        envelope = match device.public_key()?.algorithm() {
            KeyAlgorithm::Ec(_) => envelope.agreed_recipient(device),
            _ => envelope.recipient(device),
        };
    }
    let mut encrypted = profile.clone();
    let sealed = Value::Data(envelope.encrypt()?);
    let keys = encrypted.keys_mut();
    replace(keys, CLEAR, ENCRYPTED, sealed);
    keys.insert(FLAG.to_owned(), true.into());
    Ok(encrypted)
}

/// Decrypts the payloads with a key at hand; a profile that is not encrypted comes back as it is.
///
/// What [`encrypt`] took comes back, but for an `IsEncrypted` of false, which means the same as none.
///
/// # Errors
/// [`Error::Decrypt`] for another key and for altered or foreign content alike; [`Error::Crypto`] for an envelope that
/// cannot be read, that the policy does not allow, or that is for nobody with such a key; [`Error::Invalid`] for
/// top-level keys that contradict each other; [`Error::NotAProfile`] for payloads without any key that names a profile.
pub fn decrypt(
    profile: &Profile,
    key: &PrivateKey,
    policy: &DecryptPolicy,
) -> Result<Profile, Error> {
    let Some(envelope) = envelope(profile)? else {
        return Ok(profile.clone());
    };
    let content = envelope.decrypt(key, policy).map_err(refused)?;
    opened(profile, &content)
}

/// Decrypts the payloads with an RSA key that lies elsewhere, such as in a KMS.
///
/// # Errors
/// As [`decrypt`]. That the key refused what it was given is [`Error::Decrypt`] too; [`Error::Crypto`] where it cannot be
/// reached.
pub async fn decrypt_with(
    profile: &Profile,
    key: &dyn Decrypter,
    policy: &DecryptPolicy,
) -> Result<Profile, Error> {
    let Some(envelope) = envelope(profile)? else {
        return Ok(profile.clone());
    };
    let content = envelope.decrypt_with(key, policy).await.map_err(refused)?;
    opened(profile, &content)
}

/// The envelope of an encrypted profile. Its size is bounded by what the profile was read within.
fn envelope(profile: &Profile) -> Result<Option<EnvelopedData>, Error> {
    if !profile.is_encrypted() {
        return Ok(None);
    }
    match profile.keys().get(ENCRYPTED) {
        None => Err(invalid(ENCRYPTED, "is missing")),
        // Nothing would tell it from any other dictionary once it is decrypted.
        Some(_) if !says_what_it_is(profile.keys()) => Err(Error::NotAProfile),
        Some(_) if profile.keys().contains_key(CLEAR) => {
            Err(invalid(CLEAR, "stands beside its encrypted form"))
        }
        Some(Value::Data(sealed)) => Ok(Some(EnvelopedData::parse(sealed, &Limits::default())?)),
        Some(_) => Err(invalid(ENCRYPTED, "is not data")),
    }
}

/// The profile with the payloads in their place. All that can be wrong with them is one error: an attacker who alters
/// the content must not learn whether its padding was right.
fn opened(profile: &Profile, content: &[u8]) -> Result<Profile, Error> {
    // One level deeper in the profile than here.
    let limits = mdm_plist::Limits::default().with(|limits| limits.depth -= 1);
    let payloads: Value =
        mdm_plist::from_slice_with(content, &limits).map_err(|_| Error::Decrypt)?;
    if !matches!(payloads, Value::Array(_)) {
        return Err(Error::Decrypt);
    }
    let mut opened = profile.clone();
    let keys = opened.keys_mut();
    replace(keys, ENCRYPTED, CLEAR, payloads);
    // Not `remove`, which puts the last key in the place of the one that goes.
    keys.retain(|key, _| key != FLAG);
    Ok(opened)
}

/// Puts another key in the place of one.
fn replace(keys: &mut Dictionary, old: &str, new: &str, value: Value) {
    let mut value = Some(value);
    *keys = std::mem::take(keys)
        .into_iter()
        .filter_map(|(key, kept)| match key == old {
            true => value.take().map(|value| (new.to_owned(), value)),
            false => Some((key, kept)),
        })
        .collect();
}

fn refused(error: mdm_pki::Error) -> Error {
    match error {
        mdm_pki::Error::Decrypt => Error::Decrypt,
        other => Error::Crypto(other),
    }
}

fn invalid(key: &'static str, problem: &'static str) -> Error {
    Error::Invalid { key, problem }
}
