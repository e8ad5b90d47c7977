//! Certificates (RFC 5280): read leniently and kept byte for byte, since a chain of Apple's may be older than the
//! rules.

mod builder;
mod extension;
mod general_name;

use std::{fmt, ops::Range, sync::Arc};

use chrono::{DateTime, Utc};
use der::Sequence;

pub(crate) use builder::assemble;
pub use builder::{CertificateBuilder, Issuer, UnsignedCertificate};
pub use extension::KeyUsage;
pub(crate) use extension::{
    BasicConstraints, Extensions, read_extended_key_usage, read_octets, write as write_extension,
    write_extended_key_usage,
};
pub use general_name::GeneralName;

use crate::{
    asn1::{Algorithm, RawBits, RawInteger, RawSequence, Tlv, elements, read, span, time},
    digest::{DigestAlgorithm, digest},
    error::{Crypto, Error},
    key::PublicKey,
    lazy::Lazy,
    name::Name,
    oid::{self, Oid},
    pem,
    signer::SignatureAlgorithm,
};

/// A certificate, kept as its DER. Cheap to clone; equal when the DER is.
#[derive(Clone)]
pub struct Certificate {
    der: Arc<[u8]>,
    parts: Parts,
    /// Read when it is first asked for.
    key: Lazy<PublicKey>,
}

#[derive(Clone)]
struct Parts {
    tbs: Range<usize>,
    serial: Range<usize>,
    issuer: Range<usize>,
    subject: Range<usize>,
    spki: Range<usize>,
    extensions: Range<usize>,
    signature: Range<usize>,
    version: u8,
    /// Whether the parts that are read leniently stand as RFC 5280 wants them.
    strict: bool,
    /// Of the outer AlgorithmIdentifier; `None` too where the inner one differs.
    algorithm: Option<SignatureAlgorithm>,
    not_before: DateTime<Utc>,
    not_after: DateTime<Utc>,
}

#[derive(Sequence)]
struct Outer<'a> {
    tbs: Tlv<'a>,
    algorithm: Algorithm<'a>,
    signature: RawBits<'a>,
}

#[derive(Sequence)]
struct Tbs<'a> {
    #[asn1(context_specific = "0", tag_mode = "EXPLICIT", optional = "true")]
    version: Option<RawInteger<'a>>,
    serial: RawInteger<'a>,
    algorithm: Algorithm<'a>,
    issuer: Tlv<'a>,
    validity: RawSequence<'a>,
    subject: Tlv<'a>,
    spki: Tlv<'a>,
    #[asn1(context_specific = "1", tag_mode = "IMPLICIT", optional = "true")]
    issuer_id: Option<RawBits<'a>>,
    #[asn1(context_specific = "2", tag_mode = "IMPLICIT", optional = "true")]
    subject_id: Option<RawBits<'a>>,
    #[asn1(context_specific = "3", tag_mode = "EXPLICIT", optional = "true")]
    extensions: Option<RawSequence<'a>>,
}

impl Certificate {
    /// Reads one certificate in DER.
    ///
    /// A negative serial, a time without seconds, an unknown key or signature algorithm are no errors.
    ///
    /// # Errors
    /// [`Error::Malformed`].
    pub fn from_der(der: &[u8]) -> Result<Self, Error> {
        const WHAT: &str = "certificate";
        let outer: Outer<'_> = read(WHAT, der)?;
        let tbs: Tbs<'_> = read(WHAT, outer.tbs.0)?;
        let mut times = elements(tbs.validity.0);
        let mut next_time = || {
            let element = times
                .next()
                .ok_or_else(|| Error::malformed(WHAT, "no validity"))?;
            time::read(element?)
        };
        let (not_before, not_after) = (next_time()?, next_time()?);
        let times_are_strict = elements(tbs.validity.0)
            .take(2)
            .all(|time| time.is_ok_and(time::is_strict))
            && times.next().is_none();
        let version = match tbs.version {
            None => 1,
            Some(RawInteger([version])) => version.saturating_add(1),
            Some(_) => return Err(Error::malformed(WHAT, "version")),
        };
        let signature = outer
            .signature
            .bytes()
            .ok_or_else(|| Error::malformed(WHAT, "unused bits in the signature"))?;
        let algorithm = SignatureAlgorithm::from_identifier(&outer.algorithm)
            .filter(|_| outer.algorithm == tbs.algorithm);
        let at = |part: &[u8]| span(der, part);
        let parts = Parts {
            tbs: at(outer.tbs.0),
            serial: at(tbs.serial.0),
            issuer: at(tbs.issuer.0),
            subject: at(tbs.subject.0),
            spki: at(tbs.spki.0),
            extensions: tbs.extensions.map_or(0..0, |extensions| at(extensions.0)),
            signature: at(signature),
            version,
            strict: times_are_strict
                && tbs.serial.is_minimal()
                && tbs.issuer_id.is_none()
                && tbs.subject_id.is_none(),
            algorithm,
            not_before,
            not_after,
        };
        Ok(Self {
            der: der.into(),
            parts,
            key: Lazy::new(),
        })
    }

    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// [`Error::Malformed`], also when there is none.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Error> {
        Self::stack_from_pem(pem)?
            .into_iter()
            .next()
            .ok_or_else(|| Error::malformed("certificate", "no CERTIFICATE block"))
    }

    /// Reads every certificate of a PEM text; other blocks are passed over.
    ///
    /// # Errors
    /// [`Error::Malformed`]; a text without any certificate gives an empty list.
    pub fn stack_from_pem(pem: &[u8]) -> Result<Vec<Self>, Error> {
        pem::decode(pem)?
            .into_iter()
            .filter(|block| matches!(block.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE"))
            .map(|block| Self::from_der(&block.der))
            .collect()
    }

    /// The certificate in DER, byte for byte as it was given.
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }

    /// The certificate in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode("CERTIFICATE", &self.der)
    }

    /// Whom the certificate speaks of. One that cannot be read keeps its DER and has no attributes.
    pub fn subject(&self) -> Name {
        Name::from_der_as_it_is(self.subject_der())
    }

    /// Who issued it. One that cannot be read keeps its DER and has no attributes.
    pub fn issuer(&self) -> Name {
        Name::from_der_as_it_is(self.issuer_der())
    }

    /// The serial number: the bytes of the DER INTEGER, which may be negative or longer than RFC 5280 allows.
    pub fn serial(&self) -> &[u8] {
        self.part(&self.parts.serial)
    }

    /// The first moment at which it is valid.
    pub fn not_before(&self) -> DateTime<Utc> {
        self.parts.not_before
    }

    /// The last moment at which it is valid.
    pub fn not_after(&self) -> DateTime<Utc> {
        self.parts.not_after
    }

    /// Whether the time lies within the validity, both ends included.
    pub fn is_valid_at(&self, time: DateTime<Utc>) -> bool {
        (self.parts.not_before..=self.parts.not_after).contains(&time)
    }

    /// The public key.
    ///
    /// # Errors
    /// [`Error::Malformed`] for a key that does not have the form of its algorithm.
    pub fn public_key(&self) -> Result<PublicKey, Error> {
        let key = self.key.get(|| PublicKey::from_spki_der(self.spki_der()));
        key.cloned()
    }

    /// The digest of the whole DER.
    ///
    /// # Errors
    /// [`Error::Crypto`] where OpenSSL does not offer the algorithm.
    pub fn fingerprint(&self, algorithm: DigestAlgorithm) -> Result<Vec<u8>, Error> {
        digest(algorithm, &self.der)
    }

    /// Whether basicConstraints says CA and keyUsage, if there, allows to sign certificates.
    pub fn is_ca(&self) -> bool {
        self.basic_constraints().is_some_and(|basic| basic.ca)
            && self
                .key_usage()
                .is_none_or(|usage| usage.contains(KeyUsage::KEY_CERT_SIGN))
    }

    /// The keyUsage extension; `None` where there is none.
    pub fn key_usage(&self) -> Option<KeyUsage> {
        KeyUsage::from_der(self.extension(oid::KEY_USAGE)?)
    }

    /// The extKeyUsage extension; empty where there is none.
    pub fn extended_key_usages(&self) -> Vec<Oid> {
        self.extension(oid::EXTENDED_KEY_USAGE)
            .and_then(read_extended_key_usage)
            .unwrap_or_default()
    }

    /// The subject's alternative names; empty where there are none.
    pub fn subject_alt_names(&self) -> Vec<GeneralName> {
        self.extension(oid::SUBJECT_ALT_NAME)
            .and_then(|der| GeneralName::list_from_der(der).ok())
            .unwrap_or_default()
    }

    /// The subjectKeyIdentifier extension.
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.extension(oid::SUBJECT_KEY_IDENTIFIER)
            .and_then(read_octets)
    }

    /// The key identifier of the authorityKeyIdentifier extension.
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        let value = self.extension(oid::AUTHORITY_KEY_IDENTIFIER)?;
        let list: RawSequence<'_> = read("authority key identifier", value).ok()?;
        let first = elements(list.0).next()?.ok()?;
        (first.tag() == 0x80).then(|| first.value())
    }

    /// The user ID of the subject: the topic of an MDM push certificate.
    pub fn user_id(&self) -> Option<String> {
        self.subject().get(oid::USER_ID)
    }

    /// The algorithm that it is signed with; `None` for one that is not known here, such as MD5 with RSA, and where the
    /// certificate names two. [`Self::signature_oid`] tells those apart.
    pub fn signature_algorithm(&self) -> Option<SignatureAlgorithm> {
        self.parts.algorithm
    }

    /// The object identifier of the algorithm that it is signed with, known here or not.
    ///
    /// # Errors
    /// [`Error::Malformed`] for an identifier that is overlong.
    pub fn signature_oid(&self) -> Result<Oid, Error> {
        let outer: Outer<'_> = read("certificate", &self.der)?;
        outer.algorithm.oid.oid()
    }

    /// The value of an extension in DER: what is inside its OCTET STRING.
    pub fn extension(&self, kind: Oid) -> Option<&[u8]> {
        self.extensions()
            .flatten()
            .find(|extension| extension.kind.is(kind))
            .map(|extension| extension.value)
    }

    /// Whether OpenSSL, and with it most other software, reads the certificate.
    ///
    /// More is read here than there: text in a name that its string type does not allow, times without seconds, a padded
    /// serial number. Such a certificate leads to no anchor and can be no anchor.
    ///
    /// # Errors
    /// [`Error::Malformed`] with OpenSSL's reason.
    pub fn check_form(&self) -> Result<(), Error> {
        self.openssl().map(drop)
    }

    /// Verifies that the holder of `issuer` signed this certificate. Nothing else is looked at: no name, no time.
    ///
    /// # Errors
    /// [`Error::BadSignature`]; [`Error::Unsupported`] for algorithms unknown here.
    pub fn verify_signed_by(&self, issuer: &PublicKey) -> Result<(), Error> {
        let algorithm = self
            .parts
            .algorithm
            .ok_or_else(|| Error::unsupported("signature algorithm", "of the certificate"))?;
        issuer.verify(algorithm, self.tbs_der(), self.signature())
    }

    pub(crate) fn extensions(&self) -> Extensions<'_> {
        Extensions::new(self.part(&self.parts.extensions))
    }

    pub(crate) fn basic_constraints(&self) -> Option<BasicConstraints> {
        BasicConstraints::from_der(self.extension(oid::BASIC_CONSTRAINTS)?)
    }

    pub(crate) fn version(&self) -> u8 {
        self.parts.version
    }

    /// Whether serial number and validity have the form of RFC 5280, without the unique identifiers of old.
    pub(crate) fn is_strict(&self) -> bool {
        self.parts.strict
    }

    /// What the issuer signed: `tbsCertificate` in DER.
    pub fn tbs_der(&self) -> &[u8] {
        self.part(&self.parts.tbs)
    }

    pub(crate) fn signature(&self) -> &[u8] {
        self.part(&self.parts.signature)
    }

    pub(crate) fn spki_der(&self) -> &[u8] {
        self.part(&self.parts.spki)
    }

    pub(crate) fn subject_der(&self) -> &[u8] {
        self.part(&self.parts.subject)
    }

    pub(crate) fn issuer_der(&self) -> &[u8] {
        self.part(&self.parts.issuer)
    }

    pub(crate) fn openssl(&self) -> Result<openssl::x509::X509, Error> {
        openssl::x509::X509::from_der(&self.der)
            .map_err(|stack| Error::malformed("certificate", Error::openssl(stack)))
    }

    pub(crate) fn from_openssl(x509: &openssl::x509::X509Ref) -> Result<Self, Error> {
        Self::from_der(&x509.to_der().crypto()?)
    }

    fn part(&self, range: &Range<usize>) -> &[u8] {
        self.der.get(range.clone()).unwrap_or(&[])
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.der == other.der
    }
}

impl Eq for Certificate {}

impl std::hash::Hash for Certificate {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.der.hash(state);
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.subject())
            .field("issuer", &self.issuer())
            .field("not_after", &self.parts.not_after)
            .finish_non_exhaustive()
    }
}
