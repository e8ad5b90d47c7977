//! Enveloped data (RFC 5652, section 6) for RSA recipients.

use zeroize::Zeroizing;

use super::{
    ContentCipher,
    ber::{Limits, normalize},
    build::{content_info, issuer_and_serial},
    structures::{
        EnvelopedDataBody, IssuerAndSerial, KEY_ID, KeyTransRecipient, OaepParameters, SEQUENCE,
        body,
    },
    trial::{Trial, WrappedKey},
};
use crate::{
    asn1::{
        Algorithm, NULL, RawInteger, RawOctets, RawOid, RawSequence, RawSet, Tlv, elements, read,
        tlv, write,
    },
    certificate::Certificate,
    digest::{DigestAlgorithm, with_identifier},
    error::{Crypto, Error},
    key::{PrivateKey, wrap_content_key},
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
}

impl Default for DecryptPolicy {
    fn default() -> Self {
        Self {
            triple_des: true,
            single_des: false,
            recipient: None,
            tried_recipients: 8,
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
enum RecipientId {
    IssuerAndSerial { issuer: Vec<u8>, serial: Vec<u8> },
    KeyId(Vec<u8>),
}

impl Recipient {
    /// How the content key is wrapped; `None` for a way unknown here.
    pub fn key_transport(&self) -> Option<KeyTransport> {
        self.transport.as_ref().ok().copied()
    }

    /// Whether this recipient names the certificate.
    pub fn is(&self, certificate: &Certificate) -> bool {
        match &self.id {
            RecipientId::IssuerAndSerial { issuer, serial } => {
                issuer == certificate.issuer_der() && serial == certificate.serial()
            }
            RecipientId::KeyId(id) => certificate.subject_key_id() == Some(id),
        }
    }

    fn wrapped_key(&self) -> Result<WrappedKey<'_>, Error> {
        match &self.transport {
            Ok(transport) => Ok((*transport, &self.wrapped)),
            Err(detail) => Err(Error::unsupported("key transport", detail)),
        }
    }

    fn read(element: Tlv<'_>) -> Result<Self, Error> {
        let body: KeyTransRecipient<'_> = read("recipient", element.0)?;
        let id = match body.recipient.tag() {
            SEQUENCE => {
                let id: IssuerAndSerial<'_> = read("recipient", body.recipient.0)?;
                RecipientId::IssuerAndSerial {
                    issuer: id.issuer.0.to_vec(),
                    serial: id.serial.0.to_vec(),
                }
            }
            KEY_ID => RecipientId::KeyId(body.recipient.value().to_vec()),
            _ => return Err(Error::malformed("recipient", "unknown identifier")),
        };
        Ok(Self {
            id,
            transport: read_transport(&body.algorithm),
            wrapped: body.encrypted_key.0.to_vec(),
        })
    }
}

impl EnvelopedData {
    /// Reads a message in DER, BER, PEM or base64.
    ///
    /// # Errors
    /// [`Error::Ber`] for broken encoding and for input over the limits; [`Error::Malformed`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        let bytes = pem::unwrap(WHAT, bytes)?;
        let der = normalize(&bytes, limits)?;
        let body: EnvelopedDataBody<'_> = body(WHAT, oid::ENVELOPED_DATA, &der)?;
        // Key agreement, passwords and the like have context tags, and are passed over.
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
    /// nothing, only whether the content decrypts under it.
    ///
    /// # Errors
    /// [`Error::NotAllowed`], [`Error::LegacyProviderMissing`] and [`Error::Unsupported`] by cipher and policy;
    /// [`Error::NoRecipient`]; [`Error::TooMany`] for more recipients than are tried; [`Error::Key`] for a key that is no
    /// RSA key; [`Error::Decrypt`].
    pub fn decrypt(
        &self,
        key: &PrivateKey,
        policy: &DecryptPolicy,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let cipher = self.allowed_cipher(policy)?;
        let mut trial = self.trial(policy, &key.public_key().key_id()?)?;
        while let Some((transport, wrapped)) = trial.next() {
            let content_key = key.unwrap_content_key(transport, wrapped, cipher.key_len())?;
            trial.note(cipher.decrypt(&content_key, &self.iv, &self.encrypted))?;
        }
        trial.content()
    }

    /// Opens the message with a key that lives elsewhere.
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
    fn trial(&self, policy: &DecryptPolicy, key_id: &[u8]) -> Result<Trial<'_>, Error> {
        let named = policy.recipient.as_ref().and_then(|certificate| {
            self.recipients
                .iter()
                .find(|recipient| recipient.is(certificate))
        });
        let by_key = || {
            self.recipients
                .iter()
                .find(|recipient| recipient.id == RecipientId::KeyId(key_id.to_vec()))
        };
        let known = match (named, self.recipients.as_slice()) {
            (Some(named), _) => Some(named),
            (None, [lone]) => Some(lone),
            (None, _) => by_key(),
        };
        if let Some(known) = known {
            return Ok(Trial::new(vec![known.wrapped_key()?]));
        }
        let limit = policy.tried_recipients;
        if policy.recipient.is_some() || limit == 0 || self.recipients.is_empty() {
            return Err(Error::NoRecipient);
        }
        if self.recipients.len() > limit {
            let what = "recipients to try";
            return Err(Error::TooMany { what, limit });
        }
        let readable: Vec<_> = self
            .recipients
            .iter()
            .filter_map(|recipient| recipient.wrapped_key().ok())
            .collect();
        match readable.is_empty() {
            true => Err(Error::NoRecipient),
            false => Ok(Trial::new(readable)),
        }
    }
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

fn write_transport(transport: KeyTransport) -> Result<Vec<u8>, Error> {
    let Some((hash, mask)) = transport.oaep() else {
        return write(
            WHAT,
            &Algorithm {
                oid: RawOid(algorithm::RSA.as_bytes()),
                parameters: Some(NULL),
            },
        );
    };
    let mask = with_identifier(mask, |mask| write(WHAT, &mask))?;
    let parameters = with_identifier(hash, |hash_identifier| {
        write(
            WHAT,
            &OaepParameters {
                hash: (hash != DigestAlgorithm::Sha1).then_some(hash_identifier),
                mask: (transport != KeyTransport::RsaOaepSha1
                    && transport != KeyTransport::RsaOaepSha256Mgf1Sha1)
                    .then_some(Algorithm {
                        oid: RawOid(algorithm::MGF1.as_bytes()),
                        parameters: Some(Tlv(&mask)),
                    }),
                label: None,
            },
        )
    })?;
    write(
        WHAT,
        &Algorithm {
            oid: RawOid(algorithm::RSA_OAEP.as_bytes()),
            parameters: Some(Tlv(&parameters)),
        },
    )
}

/// Writes an encrypted message.
///
/// Unless told otherwise: AES-256-CBC, RSA PKCS #1 v1.5 (which every reader of these protocols knows), recipients named
/// by issuer and serial number.
#[derive(Clone)]
#[must_use]
pub struct EnvelopedDataBuilder<'a> {
    content: &'a [u8],
    content_type: Oid,
    cipher: ContentCipher,
    transport: KeyTransport,
    by_key_id: bool,
    recipients: Vec<Certificate>,
}

impl<'a> EnvelopedDataBuilder<'a> {
    /// A message with this content.
    pub fn new(content: &'a [u8]) -> Self {
        Self {
            content,
            content_type: oid::DATA,
            cipher: ContentCipher::Aes256Cbc,
            transport: KeyTransport::RsaPkcs1v15,
            by_key_id: false,
            recipients: Vec::new(),
        }
    }

    /// Sets the cipher; DES is refused.
    pub fn cipher(mut self, cipher: ContentCipher) -> Self {
        self.cipher = cipher;
        self
    }

    /// Sets how the content key is wrapped.
    pub fn key_transport(mut self, transport: KeyTransport) -> Self {
        self.transport = transport;
        self
    }

    /// Names recipients by their subjectKeyIdentifier.
    pub fn by_key_id(mut self) -> Self {
        self.by_key_id = true;
        self
    }

    /// Adds a recipient, whose key must be RSA.
    pub fn recipient(mut self, certificate: &Certificate) -> Self {
        self.recipients.push(certificate.clone());
        self
    }

    /// Encrypts.
    ///
    /// # Errors
    /// [`Error::Incomplete`] without a recipient, or without the subjectKeyIdentifier it shall be named by;
    /// [`Error::NotAllowed`] for DES; [`Error::Unsupported`] for a recipient whose key is not RSA.
    pub fn encrypt(self) -> Result<Vec<u8>, Error> {
        if self.recipients.is_empty() {
            return Err(Error::Incomplete("a recipient"));
        }
        let mut content_key = Zeroizing::new(vec![0; self.cipher.key_len()]);
        openssl::rand::rand_priv_bytes(&mut content_key).crypto()?;
        let mut iv = vec![0; self.cipher.block_len()];
        openssl::rand::rand_bytes(&mut iv).crypto()?;
        let encrypted = self.cipher.encrypt(&content_key, &iv, self.content)?;
        let recipients = self
            .recipients
            .iter()
            .map(|recipient| self.wrap(recipient, &content_key))
            .collect::<Result<Vec<_>, _>>()?;
        let iv = tlv(0x04, &iv);
        let cipher = write(
            WHAT,
            &Algorithm {
                oid: RawOid(self.cipher.oid().as_bytes()),
                parameters: Some(Tlv(&iv)),
            },
        )?;
        let content_type = tlv(0x06, self.content_type.as_bytes());
        let content = [content_type, cipher, tlv(0x80, &encrypted)].concat();
        let body = EnvelopedDataBody {
            // Section 6.1: 2 when a recipient is named by its key.
            version: RawInteger(if self.by_key_id { &[2] } else { &[0] }),
            originator: None,
            recipients: RawSet(&crate::asn1::set_of(recipients)),
            content: RawSequence(&content),
            unprotected_attributes: None,
        };
        Ok(content_info(oid::ENVELOPED_DATA, &write(WHAT, &body)?))
    }

    fn wrap(&self, recipient: &Certificate, content_key: &[u8]) -> Result<Vec<u8>, Error> {
        let id = match self.by_key_id {
            false => issuer_and_serial(recipient)?,
            true => {
                let missing = Error::Incomplete("the recipient's subjectKeyIdentifier");
                tlv(0x80, recipient.subject_key_id().ok_or(missing)?)
            }
        };
        let transport = write_transport(self.transport)?;
        let wrapped = wrap_content_key(&recipient.public_key()?, self.transport, content_key)?;
        write(
            WHAT,
            &KeyTransRecipient {
                version: RawInteger(if self.by_key_id { &[2] } else { &[0] }),
                recipient: Tlv(&id),
                algorithm: read(WHAT, &transport)?,
                encrypted_key: RawOctets(&wrapped),
            },
        )
    }
}

impl std::fmt::Debug for EnvelopedDataBuilder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EnvelopedDataBuilder")
            .field("cipher", &self.cipher)
            .field("key_transport", &self.transport)
            .field("recipients", &self.recipients)
            .finish_non_exhaustive()
    }
}
