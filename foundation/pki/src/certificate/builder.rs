//! Issuing certificates, with a key at hand or with one that signs elsewhere.

use chrono::{DateTime, Utc};
use der::Sequence;

use super::{BasicConstraints, Certificate, GeneralName, KeyUsage, extension};
use crate::{
    asn1::{Algorithm, RawBits, Tlv, time, tlv, write},
    digest::random,
    error::Error,
    key::{PrivateKey, PublicKey},
    name::Name,
    oid::{self, Oid},
    signer::{SignatureAlgorithm, Signer, preferred},
};

/// Who issues: the name that goes into the certificate and the identifier of the key that signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Issuer {
    /// The issuer's name, copied byte for byte.
    pub name: Name,
    /// The issuer's subjectKeyIdentifier, for the authorityKeyIdentifier extension.
    pub key_id: Option<Vec<u8>>,
}

impl Issuer {
    /// An issuer of this name, without a key identifier.
    pub fn new(name: Name) -> Self {
        Self { name, key_id: None }
    }

    /// The holder of a certificate as issuer.
    pub fn from_certificate(certificate: &Certificate) -> Self {
        Self {
            name: certificate.subject(),
            key_id: certificate.subject_key_id().map(<[u8]>::to_vec),
        }
    }
}

/// Builds a certificate of version 3.
///
/// Unless told otherwise: a serial number with 128 random bits, `CA:FALSE`, subject and authority key identifiers, no key
/// usage. The validity has no default.
#[derive(Debug, Clone)]
#[must_use]
pub struct CertificateBuilder {
    subject: Name,
    key: PublicKey,
    serial: Option<Vec<u8>>,
    validity: Option<(DateTime<Utc>, DateTime<Utc>)>,
    basic: BasicConstraints,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Vec<Oid>,
    alt_names: Vec<GeneralName>,
    extensions: Vec<(Oid, bool, Vec<u8>)>,
    algorithm: Option<SignatureAlgorithm>,
}

impl CertificateBuilder {
    /// A certificate for this subject, whose DER is copied byte for byte, and this key.
    pub fn new(subject: Name, key: &PublicKey) -> Self {
        Self {
            subject,
            key: key.clone(),
            serial: None,
            validity: None,
            basic: BasicConstraints {
                ca: false,
                path_len: None,
            },
            key_usage: None,
            extended_key_usage: Vec::new(),
            alt_names: Vec::new(),
            extensions: Vec::new(),
            algorithm: None,
        }
    }

    /// Sets the serial number: the bytes of a DER INTEGER, taken as they are.
    pub fn serial(mut self, serial: &[u8]) -> Self {
        self.serial = Some(serial.to_vec());
        self
    }

    /// Sets the validity, both ends included, in whole seconds.
    pub fn validity(mut self, not_before: DateTime<Utc>, not_after: DateTime<Utc>) -> Self {
        self.validity = Some((not_before, not_after));
        self
    }

    /// Makes it the certificate of an authority, under which at most `path_len` further authorities may stand (at most
    /// 127; `None` for any number).
    pub fn ca(mut self, path_len: Option<u8>) -> Self {
        self.basic = BasicConstraints { ca: true, path_len };
        self
    }

    /// Sets the key usage (critical).
    pub fn key_usage(mut self, usage: KeyUsage) -> Self {
        self.key_usage = Some(usage);
        self
    }

    /// Adds extended key usages.
    pub fn extended_key_usage(mut self, usages: &[Oid]) -> Self {
        self.extended_key_usage.extend_from_slice(usages);
        self
    }

    /// Adds an alternative name of the subject.
    pub fn san(mut self, name: GeneralName) -> Self {
        self.alt_names.push(name);
        self
    }

    /// Adds an extension of any kind, its value in DER.
    pub fn extension(mut self, kind: Oid, critical: bool, value: &[u8]) -> Self {
        self.extensions.push((kind, critical, value.to_vec()));
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
    /// [`Error::Incomplete`] without a validity; [`Error::Crypto`] when OpenSSL fails.
    pub fn prepare(
        self,
        issuer: &Issuer,
        algorithm: SignatureAlgorithm,
    ) -> Result<UnsignedCertificate, Error> {
        let (not_before, not_after) = self.validity.ok_or(Error::Incomplete("the validity"))?;
        let serial = match &self.serial {
            Some(serial) if serial.is_empty() => {
                return Err(Error::Incomplete("the serial number"));
            }
            Some(serial) => serial.clone(),
            None => random_serial()?.to_vec(),
        };
        let validity = [time::write(not_before)?, time::write(not_after)?].concat();
        let identifier = algorithm.with_identifier(|identifier| write("algorithm", &identifier))?;
        let inside = [
            tlv(0xa0, &[0x02, 0x01, 0x02]),
            tlv(0x02, &serial),
            identifier,
            issuer.name.to_der().to_vec(),
            tlv(0x30, &validity),
            self.subject.to_der().to_vec(),
            self.key.to_spki_der().to_vec(),
            tlv(0xa3, &tlv(0x30, &self.extensions(issuer)?)),
        ]
        .concat();
        let tbs = tlv(0x30, &inside);
        Ok(UnsignedCertificate {
            digest: algorithm.digest_of(&tbs)?,
            tbs,
            algorithm,
        })
    }

    fn extensions(&self, issuer: &Issuer) -> Result<Vec<u8>, Error> {
        let mut all = extension::write(oid::BASIC_CONSTRAINTS, true, &self.basic.to_der());
        if let Some(usage) = self.key_usage {
            all.extend(extension::write(oid::KEY_USAGE, true, &usage.to_der()));
        }
        if !self.extended_key_usage.is_empty() {
            let value = extension::write_extended_key_usage(&self.extended_key_usage);
            all.extend(extension::write(oid::EXTENDED_KEY_USAGE, false, &value));
        }
        if !self.alt_names.is_empty() {
            // Critical where the subject is empty (RFC 5280, section 4.2.1.6).
            let value = GeneralName::list_to_der(&self.alt_names);
            let critical = self.subject.is_empty();
            all.extend(extension::write(oid::SUBJECT_ALT_NAME, critical, &value));
        }
        let key_id = tlv(0x04, &self.key.key_id()?);
        all.extend(extension::write(
            oid::SUBJECT_KEY_IDENTIFIER,
            false,
            &key_id,
        ));
        if let Some(key_id) = &issuer.key_id {
            let value = tlv(0x30, &tlv(0x80, key_id));
            all.extend(extension::write(
                oid::AUTHORITY_KEY_IDENTIFIER,
                false,
                &value,
            ));
        }
        for (kind, critical, value) in &self.extensions {
            all.extend(extension::write(*kind, *critical, value));
        }
        Ok(all)
    }

    /// Signs as the holder of `issuer`.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when the key is not the issuer's; as [`Self::prepare`].
    pub fn sign(self, issuer: &Certificate, key: &PrivateKey) -> Result<Certificate, Error> {
        if !issuer.public_key()?.same_key(key.public_key()) {
            return Err(Error::KeyMismatch);
        }
        self.sign_as(&Issuer::from_certificate(issuer), key)
    }

    /// Signs as the holder of `issuer` with a key that lives elsewhere.
    ///
    /// # Errors
    /// As [`Self::sign`]; [`Error::Key`] when the signer fails.
    pub async fn sign_with(
        self,
        issuer: &Certificate,
        signer: &dyn Signer,
    ) -> Result<Certificate, Error> {
        if !issuer.public_key()?.same_key(signer.public_key()) {
            return Err(Error::KeyMismatch);
        }
        let algorithm = match self.algorithm {
            Some(algorithm) => algorithm,
            None => *signer
                .algorithms()
                .first()
                .ok_or(Error::Incomplete("a signature algorithm"))?,
        };
        let unsigned = self.prepare(&Issuer::from_certificate(issuer), algorithm)?;
        let signature = signer.sign(algorithm, unsigned.digest()).await?;
        unsigned.finish(&signature)
    }

    /// Signs with the subject's own key.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when the key is not the subject's; as [`Self::prepare`].
    pub fn self_signed(self, key: &PrivateKey) -> Result<Certificate, Error> {
        if !self.key.same_key(key.public_key()) {
            return Err(Error::KeyMismatch);
        }
        let mut issuer = Issuer::new(self.subject.clone());
        issuer.key_id = Some(self.key.key_id()?);
        self.sign_as(&issuer, key)
    }

    fn sign_as(self, issuer: &Issuer, key: &PrivateKey) -> Result<Certificate, Error> {
        let algorithm = match self.algorithm {
            Some(algorithm) => algorithm,
            None => preferred(key.public_key())?,
        };
        let unsigned = self.prepare(issuer, algorithm)?;
        let signature = key.sign_digest(algorithm, unsigned.digest())?;
        unsigned.finish(&signature)
    }
}

/// A certificate that waits for its signature.
#[derive(Debug, Clone)]
pub struct UnsignedCertificate {
    tbs: Vec<u8>,
    digest: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

#[derive(Sequence)]
struct Signed<'a> {
    tbs: Tlv<'a>,
    algorithm: Algorithm<'a>,
    signature: RawBits<'a>,
}

impl UnsignedCertificate {
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
    /// [`Error::Malformed`] when the parts do not make a certificate.
    pub fn finish(self, signature: &[u8]) -> Result<Certificate, Error> {
        Certificate::from_der(&assemble(&self.tbs, self.algorithm, signature)?)
    }
}

/// The outer SEQUENCE that certificates and requests share.
pub(crate) fn assemble(
    tbs: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
) -> Result<Vec<u8>, Error> {
    let mut bits = Vec::new();
    algorithm.with_identifier(|algorithm| {
        write(
            "signed structure",
            &Signed {
                tbs: Tlv(tbs),
                algorithm,
                signature: RawBits::whole(signature, &mut bits),
            },
        )
    })
}

/// 128 random bits behind a byte that makes them a positive INTEGER without padding, whatever they are.
fn random_serial() -> Result<[u8; 17], Error> {
    let mut serial = random::<17>()?;
    serial[0] = (serial[0] & 0x7f) | 0x40;
    Ok(serial)
}
