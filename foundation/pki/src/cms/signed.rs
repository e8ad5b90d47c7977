//! Reading signed data (RFC 5652, section 5). Verifying it is in `verify`.

use chrono::{DateTime, Utc};

use super::{
    attributes,
    ber::{Limits, normalize},
    structures::{IssuerAndSerial, KEY_ID, SEQUENCE, SignedDataBody, SignerInfoBody, body},
};
use crate::{
    asn1::{RawSet, Tlv, elements, read, time},
    certificate::Certificate,
    digest::{DigestAlgorithm, digest},
    error::Error,
    oid::{self, Oid, algorithm},
    pem,
    signer::SignatureAlgorithm,
};

const WHAT: &str = "signed data";

/// A signed message that has been read. That says nothing yet about its signatures: [`SignedData::verify`] does.
#[derive(Debug, Clone)]
pub struct SignedData {
    content_type: Oid,
    content: Option<Vec<u8>>,
    certificates: Vec<Certificate>,
    crls: Vec<Vec<u8>>,
    signers: Vec<SignerInfo>,
}

impl SignedData {
    /// Reads a message in DER, BER, PEM or base64.
    ///
    /// # Errors
    /// [`Error::Ber`] for broken encoding and for input over the limits; [`Error::Malformed`].
    pub fn parse(bytes: &[u8], limits: &Limits) -> Result<Self, Error> {
        let bytes = pem::unwrap(WHAT, bytes)?;
        let der = normalize(&bytes, limits)?;
        let body: SignedDataBody<'_> = body(WHAT, oid::SIGNED_DATA, &der)?;
        check_counts(&body, limits)?;
        let certificates = certificates(&body)
            .map(|der| Certificate::from_der(der?))
            .collect::<Result<Vec<_>, _>>()?;
        let crls = elements(body.crls.map_or(&[], |crls| crls.0))
            .map(|crl| crl.map(|crl| crl.0.to_vec()))
            .collect::<Result<_, _>>()?;
        let content_type = body.content_info.content_type.oid()?;
        let signers = elements(body.signers.0)
            .map(|signer| SignerInfo::read(signer?, content_type, &certificates))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            content_type,
            content: body.content_info.content.map(|content| content.0.to_vec()),
            certificates,
            crls,
            signers,
        })
    }

    /// The message with the certificates of its signers taken from these, where they did not come along: whoever sends it
    /// may leave out what the receiver has (RFC 5652, section 5.1). Nothing vouches for them but where they were taken from.
    #[must_use]
    pub fn with_known(mut self, certificates: &[Certificate]) -> Self {
        for signer in &mut self.signers {
            if signer.certificate.is_none() {
                signer.certificate = SignerId::read(Tlv(&signer.id))
                    .ok()
                    .and_then(|id| id.find(certificates));
            }
        }
        self
    }

    /// The type of the content, mostly [`oid::DATA`].
    pub fn content_type(&self) -> Oid {
        self.content_type
    }

    /// The content; `None` when it is detached or omitted.
    pub fn content(&self) -> Option<&[u8]> {
        self.content.as_deref()
    }

    /// The content, taken out.
    pub fn into_content(self) -> Option<Vec<u8>> {
        self.content
    }

    /// The certificates that came along, in their order. Nothing vouches for them.
    pub fn certificates(&self) -> &[Certificate] {
        &self.certificates
    }

    /// The revocation lists that came along, in DER.
    pub fn crls(&self) -> &[Vec<u8>] {
        &self.crls
    }

    /// The signers.
    pub fn signers(&self) -> &[SignerInfo] {
        &self.signers
    }
}

/// One signer of a message.
#[derive(Debug, Clone)]
pub struct SignerInfo {
    pub(super) certificate: Option<Certificate>,
    pub(super) digest: Option<DigestAlgorithm>,
    pub(super) algorithm: Option<SignatureAlgorithm>,
    pub(super) attributes: Option<Vec<u8>>,
    pub(super) signature: Vec<u8>,
    pub(super) content_type: Oid,
    unsigned: Vec<u8>,
    /// Which certificate is the signer's, in DER.
    id: Vec<u8>,
}

impl SignerInfo {
    fn read(
        element: Tlv<'_>,
        content_type: Oid,
        certificates: &[Certificate],
    ) -> Result<Self, Error> {
        let body: SignerInfoBody<'_> = read("signer", element.0)?;
        let id = SignerId::read(body.signer)?;
        Ok(Self {
            certificate: id.find(certificates),
            digest: digest_algorithm(&body),
            algorithm: signature_algorithm(&body),
            attributes: body
                .signed_attributes
                .map(|attributes| attributes.0.to_vec()),
            signature: body.signature.0.to_vec(),
            content_type,
            unsigned: body
                .unsigned_attributes
                .map_or(Vec::new(), |set| set.0.to_vec()),
            id: body.signer.0.to_vec(),
        })
    }

    /// The signer's certificate, if it came along or is [known](SignedData::with_known).
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// The digest over the content; `None` for one unknown here.
    pub fn digest_algorithm(&self) -> Option<DigestAlgorithm> {
        self.digest
    }

    /// How the signature is made; `None` for an algorithm unknown here.
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        self.algorithm
    }

    /// Whether there are signed attributes at all.
    pub fn has_signed_attributes(&self) -> bool {
        self.attributes.is_some()
    }

    /// The value of a signed attribute in DER; `None` too for one that does not stand exactly once.
    pub fn signed_attribute(&self, kind: Oid) -> Option<&[u8]> {
        attributes::single(self.attributes.as_deref()?, kind).ok()?
    }

    /// The value of an unsigned attribute in DER; `None` too for one that does not stand exactly once.
    pub fn unsigned_attribute(&self, kind: Oid) -> Option<&[u8]> {
        attributes::single(&self.unsigned, kind).ok()?
    }

    /// When the signer claims to have signed. It is never judged here: device clocks are wrong too often.
    pub fn signing_time(&self) -> Option<DateTime<Utc>> {
        time::read(Tlv(self.signed_attribute(oid::SIGNING_TIME)?)).ok()
    }

    /// The signature value.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

impl SignerInfoBody<'_> {
    /// When the signer claims to have signed; `None` too for a time that does not stand exactly once.
    pub(crate) fn signing_time(&self) -> Option<DateTime<Utc>> {
        let attributes = self.signed_attributes.as_ref()?;
        let time = attributes::single(attributes.0, oid::SIGNING_TIME).ok()??;
        time::read(Tlv(time)).ok()
    }
}

/// Chains and signatures cost far more than the bytes they come in: their number is bounded before any is looked at.
pub(crate) fn check_counts(body: &SignedDataBody<'_>, limits: &Limits) -> Result<(), Error> {
    let certificates = body.certificates.map_or(&[][..], |set| set.0);
    for (what, set, limit) in [
        ("certificates", certificates, limits.certificates),
        ("signers", body.signers.0, limits.signers),
    ] {
        if elements(set).nth(limit).is_some() {
            return Err(Error::TooMany { what, limit });
        }
    }
    Ok(())
}

/// The DER of each X.509 certificate; other forms of certificate are passed over.
pub(crate) fn certificates<'a>(
    body: &SignedDataBody<'a>,
) -> impl Iterator<Item = Result<&'a [u8], Error>> + use<'a> {
    elements(body.certificates.map_or(&[], |certificates| certificates.0))
        .filter(|element| {
            element
                .as_ref()
                .map_or(true, |element| element.tag() == SEQUENCE)
        })
        .map(|element| element.map(|element| element.0))
}

/// How a signer is named.
pub(crate) enum SignerId<'a> {
    IssuerAndSerial(IssuerAndSerial<'a>),
    KeyId(&'a [u8]),
}

impl<'a> SignerId<'a> {
    pub(crate) fn read(element: Tlv<'a>) -> Result<Self, Error> {
        match element.tag() {
            SEQUENCE => read("signer identifier", element.0).map(Self::IssuerAndSerial),
            KEY_ID => Ok(Self::KeyId(element.value())),
            _ => Err(Error::malformed("signer identifier", "unknown form")),
        }
    }

    fn find(&self, certificates: &[Certificate]) -> Option<Certificate> {
        let mut certificates = certificates.iter();
        certificates
            .find(|certificate| self.matches(certificate))
            .cloned()
    }

    pub(crate) fn matches(&self, certificate: &Certificate) -> bool {
        match self {
            Self::IssuerAndSerial(id) => {
                id.serial.0 == certificate.serial() && id.issuer.0 == certificate.issuer_der()
            }
            Self::KeyId(id) => certificate.subject_key_id() == Some(id),
        }
    }
}

/// The certificate that a signer names, the only one to be read in full.
pub(crate) fn find_signer(
    body: &SignedDataBody<'_>,
    signer: &SignerInfoBody<'_>,
) -> Result<Option<Certificate>, Error> {
    let id = SignerId::read(signer.signer)?;
    for der in certificates(body) {
        let certificate = Certificate::from_der(der?)?;
        if id.matches(&certificate) {
            return Ok(Some(certificate));
        }
    }
    Ok(None)
}

/// The digest over the content. Some senders give the algorithm of the RSA signature in its place, which OpenSSL takes
/// for its digest as well.
fn digest_algorithm(signer: &SignerInfoBody<'_>) -> Option<DigestAlgorithm> {
    let named = signer.digest_algorithm.oid;
    DigestAlgorithm::from_oid(named).or_else(|| {
        SignatureAlgorithm::from_oid(named)
            .filter(|signature| signature.is_rsa())
            .map(SignatureAlgorithm::digest)
    })
}

/// The algorithm of a signature: named outright, or by the kind of key with the digest beside it, as
/// `rsaEncryption` (RFC 3370, section 3.2).
pub(crate) fn signature_algorithm(signer: &SignerInfoBody<'_>) -> Option<SignatureAlgorithm> {
    let digest = digest_algorithm(signer)?;
    let named = signer.signature_algorithm.oid;
    if let Some(found) = SignatureAlgorithm::from_identifier(&signer.signature_algorithm) {
        // Two digests in one signer would leave it open which of them counts.
        return (found.digest() == digest).then_some(found);
    }
    let rsa = named.is(algorithm::RSA);
    let ec = named.is(algorithm::EC);
    SignatureAlgorithm::with_digest(digest, rsa).filter(|_| rsa || ec)
}

/// What the signature is over: the digest of the signed attributes as they were sent but for the tag (RFC 5652,
/// section 5.4), once their messageDigest has been compared with the content; or of the content itself.
///
/// `Ok(None)` says that the content was altered.
pub(crate) fn signed_digest(
    algorithm: DigestAlgorithm,
    attributes: Option<&[u8]>,
    content_type: Oid,
    content: &[u8],
) -> Result<Option<Vec<u8>>, Error> {
    let of_content = digest(algorithm, content)?;
    let Some(attributes) = attributes else {
        return match looks_like_attributes(content) {
            true => Err(Error::malformed(WHAT, "signed attributes given as content")),
            false => Ok(Some(of_content)),
        };
    };
    if attributes::content_type(attributes)?.is_some_and(|claimed| !claimed.is(content_type)) {
        return Err(Error::malformed(
            "signed attributes",
            "they speak of another content type",
        ));
    }
    if attributes::message_digest(attributes)? != of_content {
        return Ok(None);
    }
    let set = crate::asn1::tlv(0x31, attributes);
    Ok(Some(digest(algorithm, &set)?))
}

/// Whether a content is a SET of signed attributes: a signature over attributes could then be passed off as one over
/// that content, by leaving the attributes out.
fn looks_like_attributes(content: &[u8]) -> bool {
    read::<RawSet<'_>>(WHAT, content).is_ok_and(|set| attributes::message_digest(set.0).is_ok())
}
