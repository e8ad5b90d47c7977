//! Building requests, with a key at hand or with one that signs elsewhere.

use mdm_core::Secret;

use super::CertificateRequest;
use crate::{
    asn1::{set_of, text, tlv},
    certificate::{GeneralName, KeyUsage, assemble, write_extended_key_usage, write_extension},
    error::Error,
    key::{PrivateKey, PublicKey},
    name::Name,
    oid::{self, Oid},
    signer::{SignatureAlgorithm, Signer, preferred},
};

/// Builds a certificate signing request.
#[derive(Debug, Clone)]
#[must_use]
pub struct CertificateRequestBuilder {
    subject: Name,
    challenge: Option<Secret<String>>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Vec<Oid>,
    alt_names: Vec<GeneralName>,
    extensions: Vec<(Oid, bool, Vec<u8>)>,
    attributes: Vec<(Oid, Vec<u8>)>,
    algorithm: Option<SignatureAlgorithm>,
}

impl CertificateRequestBuilder {
    /// A request for this subject.
    pub fn new(subject: Name) -> Self {
        Self {
            subject,
            challenge: None,
            key_usage: None,
            extended_key_usage: Vec::new(),
            alt_names: Vec::new(),
            extensions: Vec::new(),
            attributes: Vec::new(),
            algorithm: None,
        }
    }

    /// Sets the challenge password: a PrintableString where the text allows it, else a UTF8String.
    pub fn challenge_password(mut self, password: &str) -> Self {
        self.challenge = Some(Secret::new(password.to_owned()));
        self
    }

    /// Asks for a key usage.
    pub fn key_usage(mut self, usage: KeyUsage) -> Self {
        self.key_usage = Some(usage);
        self
    }

    /// Asks for extended key usages.
    pub fn extended_key_usage(mut self, usages: &[Oid]) -> Self {
        self.extended_key_usage.extend_from_slice(usages);
        self
    }

    /// Asks for an alternative name of the subject.
    pub fn san(mut self, name: GeneralName) -> Self {
        self.alt_names.push(name);
        self
    }

    /// Asks for an extension of any kind, its value in DER.
    pub fn extension(mut self, kind: Oid, critical: bool, value: &[u8]) -> Self {
        self.extensions.push((kind, critical, value.to_vec()));
        self
    }

    /// Adds an attribute of any kind with one value in DER.
    pub fn attribute(mut self, kind: Oid, value: &[u8]) -> Self {
        self.attributes.push((kind, value.to_vec()));
        self
    }

    /// Signs with this algorithm instead of the one that suits the key best.
    pub fn signature_algorithm(mut self, algorithm: SignatureAlgorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Everything but the signature.
    ///
    /// # Errors
    /// [`Error::Crypto`] when OpenSSL fails.
    pub fn prepare(
        self,
        key: &PublicKey,
        algorithm: SignatureAlgorithm,
    ) -> Result<UnsignedRequest, Error> {
        let inside = [
            tlv(0x02, &[0]),
            self.subject.to_der().to_vec(),
            key.to_spki_der().to_vec(),
            tlv(0xa0, &set_of(self.encoded_attributes())),
        ]
        .concat();
        let info = tlv(0x30, &inside);
        Ok(UnsignedRequest {
            digest: algorithm.digest_of(&info)?,
            info,
            algorithm,
        })
    }

    fn encoded_attributes(&self) -> Vec<Vec<u8>> {
        let attribute = |kind: Oid, value: &[u8]| {
            let kind = tlv(0x06, kind.as_bytes());
            tlv(0x30, &[kind, tlv(0x31, value)].concat())
        };
        let mut all: Vec<Vec<u8>> = self
            .attributes
            .iter()
            .map(|(kind, value)| attribute(*kind, value))
            .collect();
        if let Some(challenge) = &self.challenge {
            let challenge = challenge.expose();
            let tag = match text::is_printable(challenge) {
                true => text::PRINTABLE,
                false => text::UTF8,
            };
            let value = tlv(tag, challenge.as_bytes());
            all.push(attribute(oid::CHALLENGE_PASSWORD, &value));
        }
        let extensions = self.encoded_extensions();
        if !extensions.is_empty() {
            all.push(attribute(oid::EXTENSION_REQUEST, &tlv(0x30, &extensions)));
        }
        all
    }

    fn encoded_extensions(&self) -> Vec<u8> {
        let mut all = Vec::new();
        if let Some(usage) = self.key_usage {
            all.extend(write_extension(oid::KEY_USAGE, true, &usage.to_der()));
        }
        if !self.extended_key_usage.is_empty() {
            let value = write_extended_key_usage(&self.extended_key_usage);
            all.extend(write_extension(oid::EXTENDED_KEY_USAGE, false, &value));
        }
        if !self.alt_names.is_empty() {
            let value = GeneralName::list_to_der(&self.alt_names);
            all.extend(write_extension(oid::SUBJECT_ALT_NAME, false, &value));
        }
        for (kind, critical, value) in &self.extensions {
            all.extend(write_extension(*kind, *critical, value));
        }
        all
    }

    /// Signs with the key that the certificate is asked for.
    ///
    /// # Errors
    /// [`Error::Key`] when the key does not speak the algorithm; [`Error::Crypto`] when OpenSSL fails.
    pub fn sign(self, key: &PrivateKey) -> Result<CertificateRequest, Error> {
        let algorithm = match self.algorithm {
            Some(algorithm) => algorithm,
            None => preferred(key.public_key())?,
        };
        let unsigned = self.prepare(key.public_key(), algorithm)?;
        let signature = key.sign_digest(algorithm, unsigned.digest())?;
        unsigned.finish(&signature)
    }

    /// Signs with a key that lives elsewhere.
    ///
    /// # Errors
    /// [`Error::Key`] when the signer fails.
    pub async fn sign_with(self, signer: &dyn Signer) -> Result<CertificateRequest, Error> {
        let algorithm = match self.algorithm {
            Some(algorithm) => algorithm,
            None => *signer
                .algorithms()
                .first()
                .ok_or(Error::Incomplete("a signature algorithm"))?,
        };
        let unsigned = self.prepare(signer.public_key(), algorithm)?;
        let signature = signer.sign(algorithm, unsigned.digest()).await?;
        unsigned.finish(&signature)
    }
}

/// A request that waits for its signature.
#[derive(Clone)]
pub struct UnsignedRequest {
    info: Vec<u8>,
    digest: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

impl UnsignedRequest {
    /// What has to be signed.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// How it has to be signed.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    /// Adds the signature, which is not verified here.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the parts do not make a request.
    pub fn finish(self, signature: &[u8]) -> Result<CertificateRequest, Error> {
        CertificateRequest::from_der(&assemble(&self.info, self.algorithm, signature)?)
    }
}

/// The info may hold a challenge password.
impl std::fmt::Debug for UnsignedRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnsignedRequest")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}
