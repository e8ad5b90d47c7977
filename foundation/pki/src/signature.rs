//! The fast verifier for `Mdm-Signature`: detached CMS over the body of a check-in, from a device whose certificate one
//! of our own authorities issued.
//!
//! Most of the time that OpenSSL takes for such a message goes into parsing certificates, not into arithmetic. A leaf
//! directly under a configured issuer is therefore checked here, with RSA and EC keys made from their numbers; anything
//! else goes to OpenSSL's chain verifier. Nothing but the issuers' own keys is kept from one message to the next.

use chrono::{DateTime, Utc};

use crate::{
    asn1::{Algorithm, RawSequence, elements, read},
    certificate::{
        BasicConstraints, Certificate, GeneralName, KeyUsage, read_extended_key_usage, read_octets,
    },
    chain::Anchors,
    cms::{
        Limits, SignedDataBody, SignerInfoBody, VerifyError, body, check_counts, find_signer,
        normalize, signature_algorithm, signed_digest,
    },
    digest::digest,
    error::Error,
    key::ReadyKey,
    name::Name,
    oid::{self, Oid},
    pem,
    signer::SignatureAlgorithm,
};

/// What speaks against a signature.
pub type SignatureError = VerifyError;

/// Verifies detached signatures of certificates that known authorities issued.
///
/// Accepts exactly one signer, whose certificate comes with the message, leads to a configured issuer and is valid at
/// the time given, for any purpose: device certificates often allow clientAuth alone. A signature made with any other
/// certificate is refused, whatever its subject says (Q4). The signing time is not judged, since device clocks are
/// wrong too often; revocation is not looked at.
///
/// ```
/// use chrono::{TimeDelta, Utc};
/// use mdm_pki::{
///     CertificateBuilder, DigestAlgorithm, KeySpec, Name, PrivateKey, SignatureVerifier,
///     cms::SignedDataBuilder,
/// };
///
/// let now = Utc::now();
/// let ca_key = PrivateKey::generate(KeySpec::P256)?;
/// let ca = CertificateBuilder::new(Name::from_common_name("Device CA"), ca_key.public_key())
///     .validity(now, now + TimeDelta::days(365))
///     .ca(Some(0))
///     .self_signed(&ca_key)?;
/// let key = PrivateKey::generate(KeySpec::P256)?;
/// let device = CertificateBuilder::new(Name::from_common_name("device"), key.public_key())
///     .validity(now, now + TimeDelta::days(30))
///     .sign(&ca, &ca_key)?;
///
/// let signature = SignedDataBuilder::new(b"body")
///     .detached()
///     .signer(&device, DigestAlgorithm::Sha256)
///     .sign(&key)?;
/// let verifier = SignatureVerifier::new(vec![ca])?;
/// assert_eq!(verifier.verify(&signature, b"body", now)?, device);
/// assert!(verifier.verify(&signature, b"other", now).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct SignatureVerifier {
    issuers: Vec<Issuer>,
    anchors: Anchors,
    limits: Limits,
}

/// Who signed a message, and when by their own clock.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct SignedMessage {
    /// The signer's certificate.
    pub signer: Certificate,
    /// The signing time (RFC 5652, section 11.3): a claim, which nobody checked. Not every signer makes one.
    pub signing_time: Option<DateTime<Utc>>,
}

#[derive(Debug)]
struct Issuer {
    certificate: Certificate,
    key: ReadyKey,
}

impl SignatureVerifier {
    /// Trusts the certificates that these authorities issued, directly or through authorities below them.
    ///
    /// # Errors
    /// [`Error::Malformed`] for an issuer that OpenSSL does not read.
    pub fn new(issuers: Vec<Certificate>) -> Result<Self, Error> {
        let anchors = Anchors::new(&issuers)?;
        let issuers = issuers
            .into_iter()
            .filter(may_issue)
            .filter_map(|certificate| {
                // One whose key is not spoken here is still an anchor for OpenSSL.
                let key = ReadyKey::from_spki(certificate.spki_der()).ok()?;
                Some(Issuer { certificate, key })
            })
            .collect();
        Ok(Self {
            issuers,
            anchors,
            limits: Limits::default().with(|limits| {
                limits.bytes = MAX_SIGNATURE_BYTES;
                limits.certificates = MAX_CERTIFICATES;
            }),
        })
    }

    /// Sets the bounds of a signature: those of [`Limits::default`] unless told otherwise, but at most 64 KiB with 16
    /// certificates, since strangers send them.
    #[must_use]
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Verifies a signature, given as DER, BER, PEM or base64, over the body of a request: the signer's certificate.
    ///
    /// # Errors
    /// What speaks against it.
    pub fn verify(
        &self,
        signature: &[u8],
        content: &[u8],
        now: DateTime<Utc>,
    ) -> Result<Certificate, SignatureError> {
        let signed = self.verify_message(signature, content, now)?;
        Ok(signed.signer)
    }

    /// As [`Self::verify`], and tells when the signer claims to have signed.
    ///
    /// # Errors
    /// What speaks against it.
    pub fn verify_message(
        &self,
        signature: &[u8],
        content: &[u8],
        now: DateTime<Utc>,
    ) -> Result<SignedMessage, SignatureError> {
        let signature = pem::unwrap(WHAT, signature)?;
        let der = normalize(&signature, &self.limits).map_err(Error::from)?;
        let message: SignedDataBody<'_> = body(WHAT, oid::SIGNED_DATA, &der)?;
        check_counts(&message, &self.limits)?;
        if message
            .content_info
            .content
            .is_some_and(|embedded| embedded.0 != content)
        {
            return Err(VerifyError::ContentMismatch);
        }
        let signer = only_signer(&message)?;
        let algorithm = algorithm(&message, &signer)?;
        let certificate = find_signer(&message, &signer)?.ok_or(VerifyError::CertificateMissing)?;
        // The chain first: nothing is calculated with a stranger's key.
        self.verify_chain(&message, &certificate, now)?;
        let to_verify = signed_digest(
            algorithm.digest(),
            signer.signed_attributes.map(|attributes| attributes.0),
            message.content_info.content_type.oid()?,
            content,
        )?
        .ok_or(VerifyError::ContentAltered)?;
        ReadyKey::from_spki(certificate.spki_der())?
            .verify_digest(algorithm, &to_verify, signer.signature.0)
            .map_err(VerifyError::from_signature)?;
        Ok(SignedMessage {
            signing_time: signer.signing_time(),
            signer: certificate,
        })
    }

    fn verify_chain(
        &self,
        message: &SignedDataBody<'_>,
        certificate: &Certificate,
        now: DateTime<Utc>,
    ) -> Result<(), VerifyError> {
        crate::chain::validity(std::slice::from_ref(certificate), now)?;
        if self.is_directly_issued(certificate, now) {
            return Ok(());
        }
        let intermediates: Vec<Certificate> = crate::cms::certificates(message)
            .filter_map(|der| Certificate::from_der(der.ok()?).ok())
            .collect();
        let chain = self.anchors.verify(certificate, &intermediates, now)?;
        chain.trusted?;
        chain.validity
    }

    /// Whether a configured issuer signed the certificate and nothing in it calls for a closer look. A `false` decides
    /// nothing: OpenSSL does.
    fn is_directly_issued(&self, certificate: &Certificate, now: DateTime<Utc>) -> bool {
        let algorithm = certificate.signature_algorithm();
        let Some(algorithm) = algorithm.filter(|algorithm| !algorithm.is_pss()) else {
            return false;
        };
        // One that names itself as its issuer is OpenSSL's to judge: it may be a root of its own.
        if certificate.subject_der() == certificate.issuer_der() {
            return false;
        }
        let mut candidates = self
            .issuers
            .iter()
            .filter(|issuer| {
                issuer.certificate.subject_der() == certificate.issuer_der()
                    && issuer.certificate.is_valid_at(now)
                    && key_ids_agree(&issuer.certificate, certificate)
            })
            .peekable();
        if candidates.peek().is_none() || !is_plain(certificate) {
            return false;
        }
        let Ok(to_verify) = digest(algorithm.digest(), certificate.tbs_der()) else {
            return false;
        };
        candidates.any(|issuer| {
            issuer
                .key
                .verify_digest(algorithm, &to_verify, certificate.signature())
                .is_ok()
        })
    }
}

const WHAT: &str = "signature";
const MAX_SIGNATURE_BYTES: usize = 64 << 10;
const MAX_CERTIFICATES: usize = 16;

fn only_signer<'a>(message: &SignedDataBody<'a>) -> Result<SignerInfoBody<'a>, VerifyError> {
    let mut signers = elements(message.signers.0);
    let (Some(signer), None) = (signers.next(), signers.next()) else {
        return Err(VerifyError::SignerCount {
            count: elements(message.signers.0).count(),
        });
    };
    Ok(read("signer", signer?.0)?)
}

/// How the signature is made. Nothing signs what says so, therefore little is allowed there: the digest among those of
/// the message, and no parameters but NULL. No device signs with RSASSA-PSS, and PKCS #7 does not know it.
fn algorithm(
    message: &SignedDataBody<'_>,
    signer: &SignerInfoBody<'_>,
) -> Result<SignatureAlgorithm, VerifyError> {
    let mut is_listed = false;
    for digest in elements(message.digest_algorithms.0) {
        let digest: Algorithm<'_> = read("digest algorithm", digest?.0)?;
        is_listed |= digest.oid == signer.digest_algorithm.oid && digest.is_plain();
    }
    let is_plain = signer.digest_algorithm.is_plain() && signer.signature_algorithm.is_plain();
    signature_algorithm(signer)
        .filter(|_| is_listed && is_plain)
        .ok_or(VerifyError::UnsupportedAlgorithm)
}

/// Whether OpenSSL would take an anchor as issuer without looking at more than is looked at here.
fn may_issue(certificate: &Certificate) -> bool {
    certificate.is_ca() && certificate.subject_der() != EMPTY_NAME && is_plain(certificate)
}

/// The DER of a name without attributes.
const EMPTY_NAME: &[u8] = &[0x30, 0];

/// Whether a certificate has nothing but extensions whose meaning for a chain is known here, each once and in its right
/// form. Name constraints, for one, are OpenSSL's to judge.
fn is_plain(certificate: &Certificate) -> bool {
    let mut seen: Vec<&[u8]> = Vec::new();
    certificate.version() == 3
        && certificate.is_strict()
        && Name::is_plain(certificate.subject_der())
        && certificate.extensions().all(|extension| {
            extension.is_ok_and(|extension| {
                let kind = extension.kind.0;
                let once = !seen.contains(&kind);
                seen.push(kind);
                let minimal = extension.kind.oid().is_ok_and(|kind| kind.is_minimal());
                once && minimal && is_plain_extension(kind, extension.critical, extension.value)
            })
        })
}

fn is_plain_extension(kind: &[u8], critical: bool, value: &[u8]) -> bool {
    let is = |oid: Oid| kind == oid.as_bytes();
    if is(oid::BASIC_CONSTRAINTS) {
        BasicConstraints::from_der(value).is_some_and(|basic| basic.ca || basic.path_len.is_none())
    } else if is(oid::KEY_USAGE) {
        KeyUsage::from_der(value).is_some_and(|usage| usage != KeyUsage::default())
    } else if is(oid::EXTENDED_KEY_USAGE) {
        read_extended_key_usage(value)
            .is_some_and(|usages| !usages.is_empty() && usages.iter().all(Oid::is_minimal))
    } else if is(oid::SUBJECT_ALT_NAME) {
        GeneralName::list_from_der(value).is_ok_and(|names| names.iter().all(is_plain_name))
    } else if is(oid::SUBJECT_KEY_IDENTIFIER) {
        !critical && read_octets(value).is_some()
    } else if is(oid::AUTHORITY_KEY_IDENTIFIER) {
        !critical && authority_key_id(value).is_some()
    } else {
        !critical && !OPENSSL_READS.iter().any(|oid| is(*oid))
    }
}

/// Whether an alternative name is of a kind whose inside is read here whole.
fn is_plain_name(name: &GeneralName) -> bool {
    matches!(
        name,
        GeneralName::Dns(_)
            | GeneralName::Email(_)
            | GeneralName::Uri(_)
            | GeneralName::Ip(_)
            | GeneralName::UserPrincipalName(_)
    )
}

/// Extensions that OpenSSL reads besides and that may make it refuse a certificate.
const OPENSSL_READS: [Oid; 7] = [
    // issuerAltName, nameConstraints, cRLDistributionPoints
    Oid::constant("2.5.29.18"),
    Oid::constant("2.5.29.30"),
    Oid::constant("2.5.29.31"),
    // proxyCertInfo, sbgp-ipAddrBlock, sbgp-autonomousSysNum, Netscape's certificate type
    Oid::constant("1.3.6.1.5.5.7.1.14"),
    Oid::constant("1.3.6.1.5.5.7.1.7"),
    Oid::constant("1.3.6.1.5.5.7.1.8"),
    Oid::constant("2.16.840.1.113730.1.1"),
];

/// The key identifier of an authorityKeyIdentifier that holds nothing else.
fn authority_key_id(value: &[u8]) -> Option<&[u8]> {
    let list: RawSequence<'_> = read("authority key identifier", value).ok()?;
    let mut parts = elements(list.0);
    match (parts.next(), parts.next()) {
        (Some(Ok(id)), None) if id.tag() == 0x80 => Some(id.value()),
        _ => None,
    }
}

/// Whether the leaf's authorityKeyIdentifier, where both have an identifier, is the issuer's (OpenSSL's
/// `X509_check_akid`).
fn key_ids_agree(issuer: &Certificate, leaf: &Certificate) -> bool {
    let wanted = leaf
        .extension(oid::AUTHORITY_KEY_IDENTIFIER)
        .and_then(authority_key_id);
    match (wanted, issuer.subject_key_id()) {
        (Some(wanted), Some(id)) => wanted == id,
        _ => true,
    }
}
