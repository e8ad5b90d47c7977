//! Enveloped data (RFC 5652, section 6) for recipients with an RSA key or one on a curve, and for those who know a password.

mod builder;

use zeroize::Zeroizing;

pub use self::builder::EnvelopedDataBuilder;
use super::{
    ContentCipher,
    agreement::AgreedKey,
    ber::{Limits, normalize},
    password::PasswordRecipient,
    structures::{
        AGREEMENT, EnvelopedDataBody, IssuerAndSerial, KEY_ID, KeyTransRecipient, OaepParameters,
        PASSWORD, SEQUENCE, body, content_info,
    },
    trial::{Trial, WrappedKey},
};
use crate::{
    asn1::{Algorithm, RawOctets, RawOid, Tlv, elements, read},
    certificate::Certificate,
    digest::DigestAlgorithm,
    error::Error,
    key::{KeyAlgorithm, PrivateKey},
    oid::{self, Oid, algorithm},
    pem,
    signer::{Decrypter, KeyTransport},
};

const WHAT: &str = "enveloped data";

/// What may be decrypted, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecryptPolicy {
    /// Whether triple DES is read: yes, by default.
    pub triple_des: bool,
    /// Whether single DES is read: no, by default. It needs OpenSSL's legacy provider.
    pub single_des: bool,
    /// The certificate of the key, to find the recipient by when there are several.
    ///
    /// A lone recipient is taken as it is: Apple's own tokens have been seen to name another serial number. A server
    /// that opens what strangers send gives its certificate, and does the work of one recipient.
    pub recipient: Option<Certificate>,
    /// How many recipients are tried with the key at most, where [`Self::recipient`] is not given and none names the
    /// key: 8 by default, none with 0. A message with more is refused before the key is used.
    pub tried_recipients: usize,
    /// How many iterations of PBKDF2 are done at most for the recipients who know a password, all together: one million
    /// by default, about a third of a second. Whoever sends a message names the number.
    pub password_iterations: u32,
}

impl Default for DecryptPolicy {
    fn default() -> Self {
        Self {
            triple_des: true,
            single_des: false,
            recipient: None,
            tried_recipients: 8,
            password_iterations: 1_000_000,
        }
    }
}

impl DecryptPolicy {
    /// This policy with changes: `DecryptPolicy::default().with(|policy| policy.single_des = true)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

/// An encrypted message that has been read.
#[derive(Debug, Clone)]
pub struct EnvelopedData {
    content_type: Oid,
    recipients: Vec<Recipient>,
    agreed: Vec<AgreedKey>,
    passwords: Vec<PasswordRecipient>,
    cipher: Result<ContentCipher, Oid>,
    iv: Vec<u8>,
    encrypted: Vec<u8>,
}

/// One recipient of a message whose key is wrapped with RSA.
#[derive(Debug, Clone)]
pub struct Recipient {
    id: RecipientId,
    transport: Result<KeyTransport, String>,
    wrapped: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RecipientId {
    IssuerAndSerial { issuer: Vec<u8>, serial: Vec<u8> },
    KeyId(Vec<u8>),
}

impl RecipientId {
    fn is(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial { issuer, serial } => {
                issuer == certificate.issuer_der() && serial == certificate.serial()
            }
            Self::KeyId(id) => certificate.subject_key_id() == Some(id),
        }
    }

    fn read(element: Tlv<'_>) -> Result<Self, Error> {
        match element.tag() {
            SEQUENCE => {
                let id: IssuerAndSerial<'_> = read("recipient", element.0)?;
                Ok(Self::IssuerAndSerial {
                    issuer: id.issuer.0.to_vec(),
                    serial: id.serial.0.to_vec(),
                })
            }
            KEY_ID => Ok(Self::KeyId(element.value().to_vec())),
            _ => Err(Error::malformed("recipient", "unknown identifier")),
        }
    }

    /// In key agreement the identifier of a key is the first part of a sequence (section 6.2.2).
    pub(super) fn read_agreed(element: Tlv<'_>) -> Result<Self, Error> {
        if element.tag() != 0xa0 {
            return Self::read(element);
        }
        let first = elements(element.value()).next();
        let first = first.unwrap_or_else(|| Err(Error::malformed("recipient", "no identifier")))?;
        let id: RawOctets<'_> = read("recipient", first.0)?;
        Ok(Self::KeyId(id.0.to_vec()))
    }
}

impl Recipient {
    /// How the content key is wrapped; `None` for a way unknown here.
    pub fn key_transport(&self) -> Option<KeyTransport> {
        self.transport.as_ref().ok().copied()
    }

    /// Whether this recipient names the certificate.
    pub fn is(&self, certificate: &Certificate) -> bool {
        self.id.is(certificate)
    }

    fn wrapped_key(&self) -> Result<WrappedKey<'_>, Error> {
        match &self.transport {
            Ok(transport) => Ok((*transport, &self.wrapped)),
            Err(detail) => Err(Error::unsupported("key transport", detail)),
        }
    }

    fn read(element: Tlv<'_>) -> Result<Self, Error> {
        let body: KeyTransRecipient<'_> = read("recipient", element.0)?;
        Ok(Self {
            id: RecipientId::read(body.recipient)?,
            transport: read_transport(&body.algorithm),
            wrapped: body.encrypted_key.0.to_vec(),
        })
    }
}

impl EnvelopedData {
    /// Reads a message in DER, BER, PEM or base64.
    ///
    /// # Errors
    /// [`Error::Ber`] for broken encoding and for input over the limits; [`Error::Unsupported`] for authenticated
    /// encryption (AES-GCM, RFC 5083); [`Error::Malformed`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        let bytes = pem::unwrap(WHAT, bytes)?;
        let der = normalize(&bytes, limits)?;
        if content_info(WHAT, &der)?.0.is(oid::AUTH_ENVELOPED_DATA) {
            return Err(Error::unsupported(WHAT, "authEnvelopedData"));
        }
        let body: EnvelopedDataBody<'_> = body(WHAT, oid::ENVELOPED_DATA, &der)?;
        let passwords = elements(body.recipients.0)
            .flatten()
            .filter(|element| element.tag() == PASSWORD)
            .filter_map(|element| PasswordRecipient::read(element).transpose())
            .collect::<Result<_, _>>()?;
        let agreed = elements(body.recipients.0)
            .flatten()
            .filter(|element| element.tag() == AGREEMENT)
            .map(AgreedKey::read)
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        // Other kinds have other context tags, and are passed over.
        let recipients = elements(body.recipients.0)
            .filter(|element| {
                element
                    .as_ref()
                    .map_or(true, |element| element.tag() == SEQUENCE)
            })
            .map(|element| Recipient::read(element?))
            .collect::<Result<_, _>>()?;
        let mut parts = elements(body.content.0);
        let mut next = || {
            parts
                .next()
                .unwrap_or_else(|| Err(Error::malformed(WHAT, "no encrypted content")))
        };
        let content_type: RawOid<'_> = read(WHAT, next()?.0)?;
        let cipher: Algorithm<'_> = read(WHAT, next()?.0)?;
        let encrypted = encrypted_content(next()?)?;
        let iv = cipher
            .parameters
            .and_then(|iv| read::<RawOctets<'_>>("initialisation vector", iv.0).ok());
        Ok(Self {
            content_type: content_type.oid()?,
            recipients,
            agreed,
            passwords,
            cipher: match ContentCipher::from_oid(cipher.oid) {
                Some(cipher) => Ok(cipher),
                None => Err(cipher.oid.oid()?),
            },
            iv: iv.map_or(Vec::new(), |iv| iv.0.to_vec()),
            encrypted,
        })
    }

    /// The type of the content, mostly [`oid::DATA`].
    pub fn content_type(&self) -> Oid {
        self.content_type
    }

    /// The cipher.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for one unknown here.
    pub fn cipher(&self) -> Result<ContentCipher, Error> {
        self.cipher
            .map_err(|oid| Error::unsupported("content cipher", oid))
    }

    /// The recipients whose key is wrapped with RSA.
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// Opens the message with a key at hand.
    ///
    /// A wrong key, and a content key that does not unwrap, end in the same [`Error::Decrypt`], or rarely in random
    /// content, after the same work.
    ///
    /// Among several recipients the one that names [`DecryptPolicy::recipient`] or the key is taken. Without that
    /// certificate all are tried, up to [`DecryptPolicy::tried_recipients`]: whether a content key unwrapped decides
    /// nothing, only whether the content decrypts under it. So it is for keys on a curve.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::LegacyProviderMissing`] and [`Error::Unsupported`] by cipher and policy;
    /// [`Error::NoRecipient`]; [`Error::TooMany`] for more recipients than are tried; [`Error::Key`] for a key on a curve
    /// where no recipient has one; [`Error::Decrypt`].
    pub fn decrypt(
        &self,
        key: &PrivateKey,
        policy: &DecryptPolicy,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let cipher = self.allowed_cipher(policy)?;
        let key_id = key.public_key().key_id()?;
        if matches!(key.public_key().algorithm(), KeyAlgorithm::Ec(_)) && !self.agreed.is_empty() {
            let mut trial = self.trial_of_agreed(policy, &key_id)?;
            while let Some(agreed) = trial.next() {
                let content_key = agreed.unwrap(key, cipher.key_len())?;
                trial.note(cipher.decrypt(&content_key, &self.iv, &self.encrypted))?;
            }
            return trial.content();
        }
        let mut trial = self.trial(policy, &key_id)?;
        while let Some((transport, wrapped)) = trial.next() {
            let content_key = key.unwrap_content_key(transport, wrapped, cipher.key_len())?;
            trial.note(cipher.decrypt(&content_key, &self.iv, &self.encrypted))?;
        }
        trial.content()
    }

    /// Opens the message with an RSA key that lives elsewhere.
    ///
    /// # Errors
    /// As [`Self::decrypt`]; [`Error::Key`] when the key cannot be reached. That it refused the content key does not
    /// surface.
    pub async fn decrypt_with(
        &self,
        key: &dyn Decrypter,
        policy: &DecryptPolicy,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let cipher = self.allowed_cipher(policy)?;
        let mut trial = self.trial(policy, &key.public_key().key_id()?)?;
        while let Some((transport, wrapped)) = trial.next() {
            let length = cipher.key_len();
            let content_key = key.unwrap_content_key(transport, wrapped, length).await?;
            trial.note(cipher.decrypt(&content_key, &self.iv, &self.encrypted))?;
        }
        trial.content()
    }

    /// Opens the message with a password. Every recipient who knows one is tried, as far as
    /// [`DecryptPolicy::password_iterations`] go.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::LegacyProviderMissing`] and [`Error::Unsupported`] by cipher and policy;
    /// [`Error::NoRecipient`] where nobody knows a password; [`Error::TooMany`] for more iterations than are done;
    /// [`Error::Decrypt`] for a wrong password and a broken message alike.
    pub fn decrypt_with_password(
        &self,
        password: &[u8],
        policy: &DecryptPolicy,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let cipher = self.allowed_cipher(policy)?;
        let limit = policy.password_iterations;
        self.passwords
            .iter()
            .try_fold(0_u32, |sum, recipient| {
                sum.checked_add(recipient.iterations)
            })
            .filter(|sum| *sum <= limit)
            .ok_or(Error::TooMany {
                what: "iterations for passwords",
                limit: limit as usize,
            })?;
        if self.passwords.is_empty() {
            return Err(Error::NoRecipient);
        }
        self.passwords
            .iter()
            .find_map(|recipient| {
                let key = recipient.unwrap(password).ok()?;
                cipher.decrypt(&key, &self.iv, &self.encrypted).ok()
            })
            .ok_or(Error::Decrypt)
    }

    fn allowed_cipher(&self, policy: &DecryptPolicy) -> Result<ContentCipher, Error> {
        let cipher = self.cipher()?;
        match cipher {
            ContentCipher::TripleDesCbc if !policy.triple_des => {
                Err(Error::NotAllowed("triple DES"))
            }
            ContentCipher::DesCbc if !policy.single_des => Err(Error::NotAllowed("single DES")),
            _ => Ok(cipher),
        }
    }

    /// The recipients to open the message as: one where it is known which.
    fn trial(&self, policy: &DecryptPolicy, key_id: &[u8]) -> Result<Trial<WrappedKey<'_>>, Error> {
        let found = candidates(&self.recipients, |recipient| &recipient.id, policy, key_id)?;
        if let [known] = found.as_slice() {
            return Ok(Trial::new(vec![known.wrapped_key()?]));
        }
        let readable = found.iter().filter_map(|found| found.wrapped_key().ok());
        some(readable.collect())
    }

    /// As [`Self::trial`], for a key on a curve.
    fn trial_of_agreed(
        &self,
        policy: &DecryptPolicy,
        key_id: &[u8],
    ) -> Result<Trial<&AgreedKey>, Error> {
        let mut found = candidates(&self.agreed, |agreed| &agreed.id, policy, key_id)?;
        if let [known] = found.as_slice() {
            known.check()?;
        }
        found.retain(|agreed| agreed.check().is_ok());
        some(found)
    }
}

fn some<K: Copy>(keys: Vec<K>) -> Result<Trial<K>, Error> {
    match keys.is_empty() {
        true => Err(Error::NoRecipient),
        false => Ok(Trial::new(keys)),
    }
}

/// Those among the recipients that the key may belong to: one where it is known which, else all, up to a limit.
fn candidates<'a, R>(
    recipients: &'a [R],
    id: impl Fn(&R) -> &RecipientId,
    policy: &DecryptPolicy,
    key_id: &[u8],
) -> Result<Vec<&'a R>, Error> {
    let named = policy
        .recipient
        .as_ref()
        .and_then(|certificate| recipients.iter().find(|it| id(it).is(certificate)));
    let by_key = || {
        recipients
            .iter()
            .find(|it| matches!(id(it), RecipientId::KeyId(found) if found == key_id))
    };
    let known = match (named, recipients) {
        (Some(named), _) => Some(named),
        (None, [lone]) => Some(lone),
        (None, _) => by_key(),
    };
    if let Some(known) = known {
        return Ok(vec![known]);
    }
    let limit = policy.tried_recipients;
    if policy.recipient.is_some() || limit == 0 || recipients.is_empty() {
        return Err(Error::NoRecipient);
    }
    if recipients.len() > limit {
        let what = "recipients to try";
        return Err(Error::TooMany { what, limit });
    }
    Ok(recipients.iter().collect())
}

/// `[0] IMPLICIT OCTET STRING`: whole, or in parts.
fn encrypted_content(element: Tlv<'_>) -> Result<Vec<u8>, Error> {
    match element.tag() {
        0x80 => Ok(element.value().to_vec()),
        0xa0 => elements(element.value())
            .map(|part| read::<RawOctets<'_>>("encrypted content", part?.0).map(|part| part.0))
            .collect::<Result<Vec<_>, _>>()
            .map(|parts| parts.concat()),
        _ => Err(Error::malformed(WHAT, "no encrypted content")),
    }
}

fn read_transport(algorithm: &Algorithm<'_>) -> Result<KeyTransport, String> {
    if algorithm.oid.is(algorithm::RSA) {
        return Ok(KeyTransport::RsaPkcs1v15);
    }
    if !algorithm.oid.is(algorithm::RSA_OAEP) {
        return Err(algorithm
            .oid
            .oid()
            .map_or_else(|_| "?".into(), |oid| oid.to_string()));
    }
    let unknown = || "OAEP with unknown parameters".to_owned();
    // Absent parameters are the defaults, as empty ones are (RFC 8017, appendix A.2.1).
    let parameters = algorithm.parameters.map_or(&[0x30, 0][..], |tlv| tlv.0);
    let parameters: OaepParameters<'_> = read("OAEP", parameters).map_err(|_| unknown())?;
    let digest = |algorithm: Option<Algorithm<'_>>| match algorithm {
        None => Some(DigestAlgorithm::Sha1),
        Some(algorithm) => DigestAlgorithm::from_oid(algorithm.oid),
    };
    let mask = match parameters.mask {
        None => Some(DigestAlgorithm::Sha1),
        Some(mask) if mask.oid.is(algorithm::MGF1) => mask
            .parameters
            .and_then(|inner| read::<Algorithm<'_>>("MGF1", inner.0).ok())
            .and_then(|inner| digest(Some(inner))),
        Some(_) => None,
    };
    let label_is_empty = parameters.label.is_none_or(|label| {
        label.oid.is(algorithm::P_SPECIFIED)
            && label.parameters.is_none_or(|label| label.0 == [4, 0])
    });
    digest(parameters.hash)
        .zip(mask)
        .filter(|_| label_is_empty)
        .and_then(|(hash, mask)| KeyTransport::from_oaep(hash, mask))
        .ok_or_else(unknown)
}
