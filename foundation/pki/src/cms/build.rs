//! Writing signed data (RFC 5652, section 5).

use chrono::{DateTime, SubsecRound, Utc};

use super::{
    attributes::encode,
    structures::{EncapsulatedContent, IssuerAndSerial, SignedDataBody, SignerInfoBody},
};
use crate::{
    asn1::{Algorithm, NULL, RawInteger, RawOctets, RawOid, RawSet, Tlv, set_of, time, tlv, write},
    certificate::Certificate,
    crl::RevocationList,
    digest::{DigestAlgorithm, digest, with_identifier},
    error::Error,
    key::{PrivateKey, PublicKey},
    oid::{self, Oid, algorithm},
    signer::{SignatureAlgorithm, Signer},
};

const WHAT: &str = "signed data";

/// Writes a message with one signer.
///
/// It carries the signer's certificate and signed attributes (contentType, messageDigest and those added), and names
/// `rsaEncryption` as signature algorithm for RSA keys, since old readers know nothing else.
#[derive(Debug, Clone)]
#[must_use]
pub struct SignedDataBuilder<'a> {
    content: Option<&'a [u8]>,
    content_type: Oid,
    detached: bool,
    signer: Option<(Certificate, DigestAlgorithm)>,
    chain: Vec<Certificate>,
    attributes: Vec<(Oid, Vec<Vec<u8>>)>,
    signing_time: Option<DateTime<Utc>>,
    by_key_id: bool,
    bare: bool,
}

impl<'a> SignedDataBuilder<'a> {
    /// A message over this content, which goes into it.
    pub fn new(content: &'a [u8]) -> Self {
        Self {
            content: Some(content),
            content_type: oid::DATA,
            detached: false,
            signer: None,
            chain: Vec::new(),
            attributes: Vec::new(),
            signing_time: None,
            by_key_id: false,
            bare: false,
        }
    }

    /// A message without any content: the signature covers the signed attributes and an empty content, and eContent is
    /// omitted, as SCEP's FAILURE and PENDING want it (RFC 8894, section 3.2).
    pub fn without_content() -> Self {
        let mut builder = Self::new(&[]);
        builder.content = None;
        builder
    }

    /// Leaves the content out of the message, though it is signed.
    pub fn detached(mut self) -> Self {
        self.detached = true;
        self
    }

    /// Sets the type of the content; [`oid::DATA`] otherwise.
    pub fn content_type(mut self, content_type: Oid) -> Self {
        self.content_type = content_type;
        self
    }

    /// Sets who signs, and with which digest.
    pub fn signer(mut self, certificate: &Certificate, digest: DigestAlgorithm) -> Self {
        self.signer = Some((certificate.clone(), digest));
        self
    }

    /// Names the signer by its subjectKeyIdentifier instead of issuer and serial number.
    pub fn by_key_id(mut self) -> Self {
        self.by_key_id = true;
        self
    }

    /// Adds further certificates, such as the authorities above the signer.
    pub fn chain(mut self, certificates: &[Certificate]) -> Self {
        self.chain.extend_from_slice(certificates);
        self
    }

    /// Adds a signed attribute with one value in DER.
    pub fn signed_attribute(mut self, kind: Oid, value: &[u8]) -> Self {
        self.attributes.push((kind, vec![value.to_vec()]));
        self
    }

    /// Adds the signing time, in whole seconds.
    pub fn signing_time(mut self, time: DateTime<Utc>) -> Self {
        self.signing_time = Some(time.trunc_subsecs(0));
        self
    }

    /// Signs the content itself, without signed attributes; only for content of type [`oid::DATA`].
    pub fn without_signed_attributes(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Everything but the signature.
    ///
    /// # Errors
    /// [`Error::Incomplete`] without a signer, or without a subjectKeyIdentifier that it shall be named by;
    /// [`Error::Unsupported`] for a key that does not sign with this digest, and for signed attributes that are wanted
    /// and left out at once.
    pub fn prepare(self) -> Result<UnsignedSignedData, Error> {
        let (signer, digest_algorithm) = self.signer.ok_or(Error::Incomplete("the signer"))?;
        let key = signer.public_key()?;
        let algorithm =
            SignatureAlgorithm::for_key(key.algorithm(), digest_algorithm).ok_or_else(|| {
                Error::unsupported(
                    "signature",
                    format_args!("{digest_algorithm:?} with {:?}", key.algorithm()),
                )
            })?;
        let needs_attributes = self.content_type != oid::DATA
            || self.signing_time.is_some()
            || !self.attributes.is_empty();
        if self.bare && needs_attributes {
            return Err(Error::unsupported(WHAT, "attributes without attributes"));
        }
        let content = self.content.unwrap_or(&[]);
        let of_content = digest(digest_algorithm, content)?;
        let (attributes, to_sign) = if self.bare {
            (None, of_content)
        } else {
            let mut all = vec![
                encode(
                    oid::CONTENT_TYPE,
                    &[tlv(0x06, self.content_type.as_bytes())],
                ),
                encode(oid::MESSAGE_DIGEST, &[tlv(0x04, &of_content)]),
            ];
            if let Some(signing_time) = self.signing_time {
                all.push(encode(oid::SIGNING_TIME, &[time::write(signing_time)?]));
            }
            all.extend(
                self.attributes
                    .iter()
                    .map(|(kind, values)| encode(*kind, values)),
            );
            let set = set_of(all);
            let to_sign = digest(digest_algorithm, &tlv(0x31, &set))?;
            (Some(set), to_sign)
        };
        let key_id = match self.by_key_id {
            false => None,
            true => Some(
                signer
                    .subject_key_id()
                    .ok_or(Error::Incomplete("the signer's subjectKeyIdentifier"))?
                    .to_vec(),
            ),
        };
        Ok(UnsignedSignedData {
            content: self.content.filter(|_| !self.detached).map(<[u8]>::to_vec),
            content_type: self.content_type,
            certificates: std::iter::once(signer).chain(self.chain).collect(),
            key,
            key_id,
            digest_algorithm,
            algorithm,
            attributes,
            digest: to_sign,
        })
    }

    /// Signs with a key at hand.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when the key is not the signer's; as [`Self::prepare`].
    pub fn sign(self, key: &PrivateKey) -> Result<Vec<u8>, Error> {
        let unsigned = self.prepare()?;
        unsigned.check(key.public_key())?;
        let signature = key.sign_digest(unsigned.algorithm, unsigned.digest())?;
        unsigned.finish(&signature)
    }

    /// Signs with a key that lives elsewhere.
    ///
    /// # Errors
    /// As [`Self::sign`]; [`Error::Key`] when the signer fails.
    pub async fn sign_with(self, signer: &dyn Signer) -> Result<Vec<u8>, Error> {
        let unsigned = self.prepare()?;
        unsigned.check(signer.public_key())?;
        let signature = signer.sign(unsigned.algorithm, unsigned.digest()).await?;
        unsigned.finish(&signature)
    }
}

/// A message that waits for its signature.
#[derive(Clone)]
pub struct UnsignedSignedData {
    content: Option<Vec<u8>>,
    content_type: Oid,
    certificates: Vec<Certificate>,
    key: PublicKey,
    key_id: Option<Vec<u8>>,
    digest_algorithm: DigestAlgorithm,
    algorithm: SignatureAlgorithm,
    attributes: Option<Vec<u8>>,
    digest: Vec<u8>,
}

impl UnsignedSignedData {
    /// What has to be signed.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }

    /// How it has to be signed.
    pub fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn check(&self, key: &PublicKey) -> Result<(), Error> {
        if self.key.same_key(key) {
            Ok(())
        } else {
            Err(Error::KeyMismatch)
        }
    }

    /// Adds the signature, which is not verified here, and writes the message.
    ///
    /// # Errors
    /// [`Error::Malformed`] when a part is too long to be written.
    pub fn finish(self, signature: &[u8]) -> Result<Vec<u8>, Error> {
        let signer_info = self.signer_info(signature)?;
        let digests = with_identifier(self.digest_algorithm, |algorithm| write(WHAT, &algorithm))?;
        let by_key_id = self.key_id.is_some();
        // Section 5.1: 3 for any content but data, and for a signer named by its key.
        let version = match self.content_type == oid::DATA && !by_key_id {
            true => 1,
            false => 3,
        };
        let certificates = self
            .certificates
            .iter()
            .map(|certificate| certificate.to_der().to_vec());
        // In the order given: readers expect the signer first, and Apple's client the issued certificate.
        let certificates: Vec<u8> = certificates.collect::<Vec<_>>().concat();
        message(&SignedDataBody {
            version: RawInteger(&[version]),
            digest_algorithms: RawSet(&digests),
            content_info: EncapsulatedContent {
                content_type: RawOid(self.content_type.as_bytes()),
                content: self.content.as_deref().map(RawOctets),
            },
            certificates: Some(RawSet(&certificates)),
            crls: None,
            signers: RawSet(&signer_info),
        })
    }

    fn signer_info(&self, signature: &[u8]) -> Result<Vec<u8>, Error> {
        let signer = self
            .certificates
            .first()
            .ok_or(Error::Incomplete("the signer"))?;
        let id = match &self.key_id {
            Some(key_id) => tlv(0x80, key_id),
            None => issuer_and_serial(signer)?,
        };
        let named = match self.algorithm.is_rsa() {
            true => algorithm::RSA,
            false => self.algorithm.oid(),
        };
        let version = if self.key_id.is_some() { 3 } else { 1 };
        with_identifier(self.digest_algorithm, |digest_algorithm| {
            write(
                WHAT,
                &SignerInfoBody {
                    version: RawInteger(&[version]),
                    signer: Tlv(&id),
                    digest_algorithm,
                    signed_attributes: self.attributes.as_deref().map(RawSet),
                    signature_algorithm: Algorithm {
                        oid: RawOid(named.as_bytes()),
                        parameters: self.algorithm.is_rsa().then_some(NULL),
                    },
                    signature: RawOctets(signature),
                    unsigned_attributes: None,
                },
            )
        })
    }
}

/// A signed attribute may hold what is not for the log.
impl std::fmt::Debug for UnsignedSignedData {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UnsignedSignedData")
            .field("algorithm", &self.algorithm)
            .finish_non_exhaustive()
    }
}

/// A message of certificates alone, in the order given, without signers and with eContent omitted: SCEP's answer to
/// GetCACert, and the inside of its CertRep (RFC 8894, section 3.4).
///
/// # Errors
/// [`Error::Malformed`] when the certificates are too long to be written.
pub fn certs_only(certificates: &[Certificate]) -> Result<Vec<u8>, Error> {
    let all: Vec<u8> = certificates
        .iter()
        .flat_map(|certificate| certificate.to_der().iter().copied())
        .collect();
    degenerate(Some(&all), None)
}

/// A message of one revocation list alone: the inside of SCEP's answer to GetCRL (RFC 8894, section 3.3.4).
///
/// # Errors
/// [`Error::Malformed`] when the list is too long to be written.
pub fn crl_only(crl: &RevocationList) -> Result<Vec<u8>, Error> {
    degenerate(None, Some(crl.to_der()))
}

fn degenerate(certificates: Option<&[u8]>, crls: Option<&[u8]>) -> Result<Vec<u8>, Error> {
    message(&SignedDataBody {
        version: RawInteger(&[1]),
        digest_algorithms: RawSet(&[]),
        content_info: EncapsulatedContent {
            content_type: RawOid(oid::DATA.as_bytes()),
            content: None,
        },
        certificates: certificates.map(RawSet),
        crls: crls.map(RawSet),
        signers: RawSet(&[]),
    })
}

/// The issuer and serial number that name a certificate, in DER.
pub(super) fn issuer_and_serial(certificate: &Certificate) -> Result<Vec<u8>, Error> {
    write(
        "issuer and serial number",
        &IssuerAndSerial {
            issuer: Tlv(certificate.issuer_der()),
            serial: RawInteger(certificate.serial()),
        },
    )
}

fn message(body: &SignedDataBody<'_>) -> Result<Vec<u8>, Error> {
    Ok(content_info(oid::SIGNED_DATA, &write(WHAT, body)?))
}

/// The ContentInfo (section 3) around a body in DER.
pub(super) fn content_info(content_type: Oid, body: &[u8]) -> Vec<u8> {
    let content_type = tlv(0x06, content_type.as_bytes());
    tlv(0x30, &[content_type, tlv(0xa0, body)].concat())
}
