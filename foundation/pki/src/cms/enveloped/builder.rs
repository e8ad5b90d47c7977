//! Writing enveloped data.

use zeroize::Zeroizing;

use super::{WHAT, oid};
use crate::{
    asn1::{
        Algorithm, NULL, RawInteger, RawOctets, RawOid, RawSequence, RawSet, Tlv, read, tlv, write,
    },
    certificate::Certificate,
    cms::{
        ContentCipher, agreement,
        build::{content_info, issuer_and_serial},
        password::Password,
        structures::{EnvelopedDataBody, KeyTransRecipient, OaepParameters},
    },
    digest::{DigestAlgorithm, with_identifier},
    error::{Crypto, Error},
    key::wrap_content_key,
    oid::{Oid, algorithm},
    signer::KeyTransport,
};

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
    agreed: Vec<Certificate>,
    passwords: Vec<Password>,
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
            agreed: Vec::new(),
            passwords: Vec::new(),
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

    /// Adds a recipient whose key is on a NIST curve: ephemeral ECDH (RFC 5753) with a KDF of SHA-256 or better, and
    /// AES-256 key wrap. A method of its own, since most readers of these protocols know RSA alone.
    pub fn agreed_recipient(mut self, certificate: &Certificate) -> Self {
        self.agreed.push(certificate.clone());
        self
    }

    /// Adds a recipient who knows this password, out of which PBKDF2 with HMAC-SHA-256 makes a key in so many
    /// iterations: at least 1000. Who captures the message can try passwords: few iterations are enough for a random
    /// one of 128 bits, none are enough for a bad one.
    pub fn password(mut self, password: &[u8], iterations: u32) -> Self {
        self.passwords.push(Password::new(password, iterations));
        self
    }

    /// Encrypts.
    ///
    /// # Errors
    /// [`Error::Incomplete`] without a recipient, or without the subjectKeyIdentifier it shall be named by;
    /// [`Error::NotAllowed`] for DES; [`Error::Unsupported`] for a recipient whose key is of another kind, and too few
    /// iterations.
    pub fn encrypt(self) -> Result<Vec<u8>, Error> {
        let agrees = !self.agreed.is_empty();
        if self.recipients.is_empty() && !agrees && self.passwords.is_empty() {
            return Err(Error::Incomplete("a recipient"));
        }
        let mut content_key = Zeroizing::new(vec![0; self.cipher.key_len()]);
        openssl::rand::rand_priv_bytes(&mut content_key).crypto()?;
        let mut iv = vec![0; self.cipher.block_len()];
        openssl::rand::rand_bytes(&mut iv).crypto()?;
        let encrypted = self.cipher.encrypt(&content_key, &iv, self.content)?;
        let certificates = self.recipients.iter();
        let recipients = certificates
            .map(|recipient| self.wrap(recipient, &content_key))
            .chain(
                self.agreed
                    .iter()
                    .map(|recipient| self.agree(recipient, &content_key)),
            )
            .chain(
                self.passwords
                    .iter()
                    .map(|password| password.wrap(self.cipher, &content_key)),
            )
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
            // Section 6.1: 3 when a recipient knows a password, 2 when one agrees on a key or is named by its own.
            version: RawInteger(
                match (self.passwords.is_empty(), self.by_key_id || agrees) {
                    (false, _) => &[3],
                    (true, true) => &[2],
                    (true, false) => &[0],
                },
            ),
            originator: None,
            recipients: RawSet(&crate::asn1::set_of(recipients)),
            content: RawSequence(&content),
            unprotected_attributes: None,
        };
        Ok(content_info(oid::ENVELOPED_DATA, &write(WHAT, &body)?))
    }

    /// How a recipient is named: by its key as `key` writes it, where that was asked for.
    fn id(&self, recipient: &Certificate, key: fn(&[u8]) -> Vec<u8>) -> Result<Vec<u8>, Error> {
        if !self.by_key_id {
            return issuer_and_serial(recipient);
        }
        let missing = Error::Incomplete("the recipient's subjectKeyIdentifier");
        Ok(key(recipient.subject_key_id().ok_or(missing)?))
    }

    fn agree(&self, recipient: &Certificate, content_key: &[u8]) -> Result<Vec<u8>, Error> {
        let id = self.id(recipient, agreement::key_id)?;
        agreement::wrap(recipient, &id, content_key)
    }

    fn wrap(&self, recipient: &Certificate, content_key: &[u8]) -> Result<Vec<u8>, Error> {
        let id = self.id(recipient, |id| tlv(0x80, id))?;
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
            .field("agreed", &self.agreed)
            .field("passwords", &self.passwords)
            .finish_non_exhaustive()
    }
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
