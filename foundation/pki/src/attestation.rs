//! Managed Device Attestation: what Apple vouches for about a device and its key. One verifier serves ACME's
//! `device-attest-01` and the `DevicePropertiesAttestation` of DeviceInformation.
//!
//! Apple signs a certificate for a key of the device, with what it knows of the device in extensions, and puts into it
//! what the server asked for freshness. Nothing else binds the answer to the question: so the freshness is mandatory
//! here, and an [`Attestation`] can be had from [`Verifier::verify`] alone.
//!
//! | Step | Item |
//! |---|---|
//! | read what the device sent, within bounds | [`Answer`], [`Statement`], [`Limits`] |
//! | decide about devices that answer without | [`Answer::Unattested`] |
//! | verify chain, time, key and freshness | [`Verifier`], [`Freshness`], [`Attestation`] |
//! | decide by what is known of the device | [`Posture`], [`Property`], [`Verdict`] |
//! | hold the key against the CSR and against earlier ones | [`AttestedKey`], [`KeyFingerprint`] |
//!
//! A server of ACME, at the challenge and at the order's end:
//!
//! ```
//! use mdm_fake_apple::attestation::AttestationAuthority;
//! use mdm_pki::{
//!     Certificate, CertificateRequestBuilder, KeySpec, Name, PrivateKey,
//!     attestation::{Answer, Freshness, Limits, Verdict, Verifier},
//! };
//!
//! // Once: Apple's Enterprise Attestation Root CA, and here one made for tests.
//! let now = chrono::Utc::now();
//! let apple = AttestationAuthority::new(now)?;
//! let verifier = Verifier::new(&[Certificate::from_der(apple.root())?])?;
//!
//! // The device got this token, had a key of its Secure Enclave attested, and answered with `attObj`.
//! let token = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ";
//! let key = PrivateKey::generate(KeySpec::P384)?;
//! let att_obj = apple.leaf(key.public_key()).acme(token).serial("C02AAAAAAAAA").cbor()?;
//!
//! let Answer::Attested(statement) = Answer::from_cbor(&att_obj, &Limits::default())? else {
//!     return Err("the policy wants an attestation".into());
//! };
//! let attestation = verifier.verify(&statement, &Freshness::acme(token), now)?;
//! let posture = attestation.posture();
//! assert_eq!(posture.serial_number.known().unwrap().as_str(), "C02AAAAAAAAA");
//! assert_eq!(posture.sip_enabled(), Verdict::Unknown, "this device says nothing of it");
//!
//! // Kept with the authorisation: an attested key is good for one enrolment.
//! let fingerprint = attestation.key().fingerprint();
//! assert_eq!(fingerprint.to_string().len(), 64);
//!
//! // At finalize the CSR must be for that key, else `badCSR`.
//! let csr = CertificateRequestBuilder::new(Name::from_common_name("device")).sign(&key)?;
//! assert!(attestation.key().matches(&csr.public_key()?));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Sources: Apple's "Validating a Managed Device Attestation attestation"; draft-ietf-acme-device-attest, whose
//! freshness over the key authorization Apple's devices do not follow.

mod cbor;
mod error;
mod posture;
mod value;
mod verify;

pub use error::AttestationError;
pub use posture::{AppleExtension, Posture, Property, SecureBoot, Sip, ThirdPartyKexts, Verdict};
pub use verify::{Attestation, AttestedKey, Freshness, KeyFingerprint, MAX_NONCE_BYTES, Verifier};

use crate::Certificate;

/// What came from the device where an attestation was asked for.
///
/// Both cases have to be decided about. Macs with a T2 chip and devices with old processors ignore the wish for an
/// attestation and answer without one, and so does whoever only pretends to be one.
#[derive(Debug, Clone)]
pub enum Answer {
    /// A chain, which has to be verified.
    Attested(Statement),
    /// Nothing, or something empty: the device does not attest.
    Unattested,
}

/// The chain that a device sent, read and not verified.
#[derive(Debug, Clone)]
pub struct Statement {
    leaf: Certificate,
    above: Vec<Certificate>,
}

/// How much of an answer is taken. Apple's chains have two or three certificates of about 1 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest answer, in bytes: 64 KiB by default.
    pub bytes: usize,
    /// The most certificates: 8 by default.
    pub certificates: usize,
    /// The longest certificate, in bytes: 16 KiB by default.
    pub certificate_bytes: usize,
    /// The deepest nesting of CBOR: 8 by default, where `x5c` stands at 3.
    pub depth: usize,
    /// The most keys of a CBOR map: 32 by default.
    pub keys: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 64 << 10,
            certificates: 8,
            certificate_bytes: 16 << 10,
            depth: 8,
            keys: 32,
        }
    }
}

impl Limits {
    /// These limits with changes: `Limits::default().with(|limits| limits.certificates = 3)`.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Answer {
    /// Reads the decoded `attObj` of ACME's `device-attest-01`: CBOR `{"fmt": "apple", "attStmt": {"x5c": [..]}}`.
    ///
    /// Nothing at all, an empty map and the text `{}`, which devices without attestation send, are
    /// [`Self::Unattested`]; so is a payload without `attObj`, for which no bytes are to be given here. Keys that are
    /// not known are passed over. Indefinite lengths are taken, a key that stands twice is not.
    ///
    /// # Errors
    /// [`AttestationError`]: over a limit, no CBOR of this form, another format than `apple`, an empty `x5c`, what is no
    /// certificate.
    pub fn from_cbor(att_obj: &[u8], limits: &Limits) -> Result<Self, AttestationError> {
        AttestationError::within("bytes", att_obj.len(), limits.bytes)?;
        if matches!(att_obj.trim_ascii(), b"" | b"{}") {
            return Ok(Self::Unattested);
        }
        let Some(chain) = cbor::chain(att_obj, limits)? else {
            return Ok(Self::Unattested);
        };
        match Self::from_chain(&chain, limits)? {
            Self::Unattested => Err(AttestationError::EmptyChain),
            attested => Ok(attested),
        }
    }

    /// Reads a chain of certificates in DER, the device's first: the `DevicePropertiesAttestation` of DeviceInformation.
    ///
    /// No certificate at all is [`Self::Unattested`]: a response without that key is read as an empty chain.
    ///
    /// # Errors
    /// [`AttestationError`]: over a limit, what is no certificate.
    pub fn from_chain<C>(chain: &[C], limits: &Limits) -> Result<Self, AttestationError>
    where
        C: AsRef<[u8]>,
    {
        AttestationError::within("certificates", chain.len(), limits.certificates)?;
        let mut bytes = 0_usize;
        let mut certificates = Vec::with_capacity(chain.len());
        for (index, der) in chain.iter().enumerate() {
            let der = der.as_ref();
            let limit = limits.certificate_bytes;
            AttestationError::within("bytes of a certificate", der.len(), limit)?;
            bytes = bytes.saturating_add(der.len());
            AttestationError::within("bytes", bytes, limits.bytes)?;
            let certificate = Certificate::from_der(der)
                .map_err(|source| AttestationError::Certificate { index, source })?;
            certificates.push(certificate);
        }
        let mut certificates = certificates.into_iter();
        Ok(match certificates.next() {
            None => Self::Unattested,
            Some(leaf) => Self::Attested(Statement {
                leaf,
                above: certificates.collect(),
            }),
        })
    }
}

impl Statement {
    /// The certificate of the device's key.
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The certificates that came with it, in the order given.
    pub fn intermediates(&self) -> &[Certificate] {
        &self.above
    }

    /// The freshness that it claims; nobody has verified it.
    pub fn unverified_freshness(&self) -> Option<&[u8]> {
        self.leaf.extension(posture::FRESHNESS)
    }

    /// What it says of the device; nobody has verified it.
    ///
    /// # Errors
    /// [`AttestationError::Extensions`].
    pub fn unverified_posture(&self) -> Result<Posture, AttestationError> {
        Posture::read(&self.leaf)
    }
}
