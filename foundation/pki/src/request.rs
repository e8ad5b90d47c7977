//! Certificate signing requests (PKCS #10, RFC 2986) and their attributes (RFC 2985).

mod builder;

use std::{fmt, ops::Range, sync::Arc};

use der::Sequence;
use mdm_core::Secret;

pub use builder::{CertificateRequestBuilder, UnsignedRequest};

use crate::{
    asn1::{
        Algorithm, RawBits, RawInteger, RawOid, RawSequence, RawSet, Tlv, elements, read, span,
        text,
    },
    certificate::{Extensions, GeneralName, KeyUsage},
    error::Error,
    key::PublicKey,
    name::Name,
    oid::{self, Oid},
    pem,
    signer::SignatureAlgorithm,
};

const WHAT: &str = "certificate request";

/// A certificate signing request, kept as its DER. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct CertificateRequest {
    der: Arc<[u8]>,
    info: Range<usize>,
    subject: Range<usize>,
    spki: Range<usize>,
    attributes: Range<usize>,
    signature: Range<usize>,
    algorithm: Option<SignatureAlgorithm>,
}

#[derive(Sequence)]
struct Outer<'a> {
    info: Tlv<'a>,
    algorithm: Algorithm<'a>,
    signature: RawBits<'a>,
}

#[derive(Sequence)]
struct Info<'a> {
    version: RawInteger<'a>,
    subject: Tlv<'a>,
    spki: Tlv<'a>,
    // Mandatory in RFC 2986, and left out by some.
    #[asn1(context_specific = "0", tag_mode = "IMPLICIT", optional = "true")]
    attributes: Option<RawSet<'a>>,
}

#[derive(Sequence)]
struct Attribute<'a> {
    kind: RawOid<'a>,
    values: RawSet<'a>,
}

impl CertificateRequest {
    /// Reads a request in DER. Its signature is not looked at: [`Self::verify`] does.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        let outer: Outer<'_> = read(WHAT, der)?;
        let info: Info<'_> = read(WHAT, outer.info.0)?;
        let signature = outer
            .signature
            .bytes()
            .ok_or_else(|| Error::malformed(WHAT, "unused bits in the signature"))?;
        let at = |part: &[u8]| span(der, part);
        Ok(Self {
            info: at(outer.info.0),
            subject: at(info.subject.0),
            spki: at(info.spki.0),
            attributes: info.attributes.map_or(0..0, |attributes| at(attributes.0)),
            signature: at(signature),
            // Nothing signs the outer identifier: with parameters ignored, a request could be altered and still hold.
            algorithm: SignatureAlgorithm::from_oid(outer.algorithm.oid)
                .filter(|_| outer.algorithm.is_plain()),
            der: der.into(),
        })
    }

    /// Reads the first request of a PEM text.
    ///
    /// # Errors
    /// [`Error::Malformed`], also when there is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        let block = pem::decode(pem)?
            .into_iter()
            .find(|block| block.label.ends_with("CERTIFICATE REQUEST"))
            .ok_or_else(|| Error::malformed(WHAT, "no CERTIFICATE REQUEST block"))?;
        Self::from_der(&block.der)
    }

    /// The request in DER, byte for byte as it was given.
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }

    /// The request in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE REQUEST", &self.der)
    }

    /// Verifies that the holder of the key signed the request: the proof of possession.
    ///
    /// # Errors
    /// [`Error::BadSignature`]; [`Error::Unsupported`] for algorithms unknown here, for RSASSA-PSS, and for a signature
    /// algorithm with parameters other than NULL (RFC 4055, section 5; RFC 5758, section 3.2).
    pub fn verify(&self) -> Result<(), Error> {
        self.verify_with(&self.public_key()?)
    }

    /// Verifies as [`verify`](Self::verify) does, and takes this key to calculate with where it is the request's own, as
    /// it mostly is for whoever knows the sender already: it need not be made ready again.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_known(&self, key: &PublicKey) -> Result<(), Error> {
        match key.to_spki_der() == self.part(&self.spki) {
            true => self.verify_with(key),
            false => self.verify(),
        }
    }

    fn verify_with(&self, key: &PublicKey) -> Result<(), Error> {
        let algorithm = self
            .algorithm
            .ok_or_else(|| Error::unsupported("signature algorithm", "of the request"))?;
        key.verify(algorithm, self.part(&self.info), self.part(&self.signature))
    }

    /// Whom the certificate is asked for. One that cannot be read keeps its DER and has no attributes.
    pub fn subject(&self) -> Name {
        Name::from_der_as_it_is(self.part(&self.subject))
    }

    /// The key that the certificate is asked for.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a key that does not have the form of its algorithm.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        PublicKey::from_spki_der(self.part(&self.spki))
    }

    /// The first value of an attribute, in DER.
    pub fn attribute(&self, kind: Oid) -> Option<&[u8]> {
        elements(self.part(&self.attributes))
            .flatten()
            .filter_map(|element| read::<Attribute<'_>>(WHAT, element.0).ok())
            .find(|attribute| attribute.kind.is(kind))
            .and_then(|attribute| elements(attribute.values.0).next()?.ok())
            .map(|value| value.0)
    }

    /// The challenge password (RFC 2985, section 5.4.1), in whatever string type it came.
    pub fn challenge_password(&self) -> Option<Secret<String>> {
        let value = self.attribute(oid::CHALLENGE_PASSWORD)?;
        text::read(Tlv(value)).map(Secret::new)
    }

    /// The value of a requested extension, in DER.
    pub fn extension(&self, kind: Oid) -> Option<&[u8]> {
        let list = self
            .attribute(oid::EXTENSION_REQUEST)
            .or_else(|| self.attribute(oid::MS_EXTENSION_REQUEST))?;
        let list: RawSequence<'_> = read(WHAT, list).ok()?;
        Extensions::new(list.0)
            .flatten()
            .find(|extension| extension.kind.is(kind))
            .map(|extension| extension.value)
    }

    /// The alternative names asked for; empty where there are none.
    pub fn subject_alt_names(&self) -> Vec<GeneralName> {
        self.extension(oid::SUBJECT_ALT_NAME)
            .and_then(|der| GeneralName::list_from_der(der).ok())
            .unwrap_or_default()
    }

    /// The key usage asked for.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        KeyUsage::from_der(self.extension(oid::KEY_USAGE)?)
    }

    /// The extended key usages asked for; empty where there are none.
    pub fn extended_key_usages(&self) -> Vec<Oid> {
        self.extension(oid::EXTENDED_KEY_USAGE)
            .and_then(crate::certificate::read_extended_key_usage)
            .unwrap_or_default()
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or(&[])
    }
}

impl fmt::Debug for CertificateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateRequest")
            .field("subject", &self.subject())
            .finish_non_exhaustive()
    }
}
