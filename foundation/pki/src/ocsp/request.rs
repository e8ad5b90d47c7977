//! What is asked (RFC 6960, section 4.1).

use crate::{
    asn1::{
        Algorithm, NULL, RawBits, RawInteger, RawOctets, RawOid, RawSequence, Tlv, elements, read,
        tlv,
    },
    certificate::{Certificate, Extensions, write_extension},
    digest::{DigestAlgorithm, constant_time_eq, digest},
    error::Error,
    ocsp::NONCE,
};

const WHAT: &str = "OCSP request";
/// The longest nonce taken, in bytes (RFC 9654, section 2.1).
pub const MAX_NONCE: usize = 128;
/// The longest serial number asked about, in bytes. RFC 5280 allows 20.
const MAX_SERIAL: usize = 64;

/// Names a certificate: hashes of its issuer's name and key, and its serial number. Equal when the DER is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertId {
    digest: Option<DigestAlgorithm>,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    serial: Vec<u8>,
    der: Vec<u8>,
}

impl CertId {
    /// The certificate of this serial number (the content of its DER INTEGER) under this issuer, by SHA-1, which
    /// every responder knows (RFC 5019, section 2.1.1). Nothing rests on that hash: it says which authority is meant.
    ///
    /// # Errors
    /// [`Error::Crypto`] where OpenSSL fails.
    pub fn new(issuer: &Certificate, serial: &[u8]) -> Result<Self, Error> {
        Self::with_digest(issuer, serial, DigestAlgorithm::Sha1)
    }

    /// As [`Self::new`], by another digest.
    ///
    /// # Errors
    /// [`Error::Crypto`] where OpenSSL fails.
    pub fn with_digest(
        issuer: &Certificate,
        serial: &[u8],
        algorithm: DigestAlgorithm,
    ) -> Result<Self, Error> {
        let (name_hash, key_hash) = hashes(issuer, algorithm)?;
        let digest = tlv(0x06, algorithm.oid().as_bytes());
        let parts = [
            tlv(0x30, &[&digest[..], NULL.0].concat()),
            tlv(0x04, &name_hash),
            tlv(0x04, &key_hash),
            tlv(0x02, serial),
        ];
        Ok(Self {
            digest: Some(algorithm),
            name_hash,
            key_hash,
            serial: serial.to_vec(),
            der: tlv(0x30, &parts.concat()),
        })
    }

    pub(super) fn read(element: Tlv<'_>) -> Result<Self, Error> {
        let broken = || Error::malformed(WHAT, "certificate identifier");
        let parts: RawSequence<'_> = read(WHAT, element.0)?;
        let parts = elements(parts.0).collect::<Result<Vec<_>, _>>()?;
        let [algorithm, name_hash, key_hash, serial] = parts.as_slice() else {
            return Err(broken());
        };
        let algorithm: Algorithm<'_> = read(WHAT, algorithm.0)?;
        let name_hash: RawOctets<'_> = read(WHAT, name_hash.0)?;
        let key_hash: RawOctets<'_> = read(WHAT, key_hash.0)?;
        let serial: RawInteger<'_> = read(WHAT, serial.0)?;
        if !(1..=MAX_SERIAL).contains(&serial.0.len()) {
            return Err(broken());
        }
        Ok(Self {
            digest: DigestAlgorithm::from_oid(algorithm.oid),
            name_hash: name_hash.0.to_vec(),
            key_hash: key_hash.0.to_vec(),
            serial: serial.0.to_vec(),
            der: element.0.to_vec(),
        })
    }

    /// The serial number: the content of the DER INTEGER.
    pub fn serial(&self) -> &[u8] {
        &self.serial
    }

    /// Whether the certificate named is one of this issuer's. SHA-1 and the SHA-2 family are known; named by any
    /// other digest it is nobody's.
    ///
    /// # Errors
    /// [`Error::Crypto`] where OpenSSL fails.
    pub fn is_of(&self, issuer: &Certificate) -> Result<bool, Error> {
        let known = self.digest.filter(|digest| *digest != DigestAlgorithm::Md5);
        let Some(digest) = known else {
            return Ok(false);
        };
        let (name_hash, key_hash) = hashes(issuer, digest)?;
        Ok(constant_time_eq(&self.name_hash, &name_hash)
            && constant_time_eq(&self.key_hash, &key_hash))
    }

    /// The identifier in DER, byte for byte.
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }
}

/// Of the issuer's name in DER and of the bits of its key, without tag, length and count of unused bits.
fn hashes(issuer: &Certificate, algorithm: DigestAlgorithm) -> Result<(Vec<u8>, Vec<u8>), Error> {
    let spki: RawSequence<'_> = read("public key", issuer.spki_der())?;
    let key = elements(spki.0)
        .nth(1)
        .unwrap_or_else(|| Err(Error::malformed("public key", "no bits")))?;
    let key: RawBits<'_> = read("public key", key.0)?;
    let key = key
        .bytes()
        .ok_or_else(|| Error::malformed("public key", "unused bits"))?;
    Ok((
        digest(algorithm, issuer.subject_der())?,
        digest(algorithm, key)?,
    ))
}

/// A question about certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct OcspRequest {
    /// Which.
    pub certificates: Vec<CertId>,
    /// What the answer has to repeat, so that it is known to be no old one.
    pub nonce: Option<Vec<u8>>,
}

impl OcspRequest {
    /// Asks about these certificates, without a nonce, so that an answer made before will do (RFC 5019).
    pub fn new(certificates: Vec<CertId>) -> Self {
        Self {
            certificates,
            nonce: None,
        }
    }

    /// Asks for an answer made for this request alone: 32 random bytes (RFC 9654, section 2.1).
    #[must_use]
    pub fn with_nonce(mut self, nonce: &[u8]) -> Self {
        self.nonce = Some(nonce.to_vec());
        self
    }

    /// The request in DER.
    pub fn to_der(&self) -> Vec<u8> {
        let list: Vec<u8> = self
            .certificates
            .iter()
            .flat_map(|id| tlv(0x30, &id.der))
            .collect();
        let mut inside = tlv(0x30, &list);
        if let Some(nonce) = &self.nonce {
            inside.extend(tlv(0xa2, &nonce_extensions(nonce)));
        }
        tlv(0x30, &tlv(0x30, &inside))
    }

    /// Reads a request about at most `limit` certificates. A signature over it is passed over (RFC 5019,
    /// section 2.1.2), and so are extensions but for the nonce.
    ///
    /// # Errors
    /// [`Error::Malformed`], also for a nonce that is empty or longer than [`MAX_NONCE`]; [`Error::TooMany`];
    /// [`Error::Unsupported`] for a critical extension unknown here.
    pub fn from_der(der: &[u8], limit: usize) -> Result<Self, Error> {
        let broken = |detail: &str| Error::malformed(WHAT, detail);
        let outer: RawSequence<'_> = read(WHAT, der)?;
        let mut outer = elements(outer.0);
        let tbs = outer.next().unwrap_or_else(|| Err(broken("empty")))?;
        let signature = outer.next().transpose()?;
        if signature.is_some_and(|signature| signature.tag() != 0xa0) || outer.next().is_some() {
            return Err(broken("more than a request has"));
        }
        let tbs: RawSequence<'_> = read(WHAT, tbs.0)?;
        let mut list = None;
        let mut nonce = None;
        let mut last = 0;
        for part in elements(tbs.0) {
            let part = part?;
            // version [0], requestorName [1], requestList, requestExtensions [2]: in this order, each once.
            let place = match part.tag() {
                0xa0 if part.value() == [2, 1, 0] => 1,
                0xa1 => 2,
                0x30 => 3,
                0xa2 => 4,
                _ => return Err(broken("unknown part or version")),
            };
            if place <= last {
                return Err(broken("order of the parts"));
            }
            last = place;
            match place {
                3 => list = Some(part),
                4 => nonce = read_nonce(part)?,
                _ => {}
            }
        }
        let list = list.ok_or_else(|| broken("no list"))?;
        let mut certificates = Vec::new();
        for request in elements(list.value()) {
            if certificates.len() >= limit {
                let what = "certificates asked about";
                return Err(Error::TooMany { what, limit });
            }
            let request = request?;
            let parts: RawSequence<'_> = read(WHAT, request.0)?;
            let mut parts = elements(parts.0);
            let id = parts.next().unwrap_or_else(|| Err(broken("empty")))?;
            if let Some(extensions) = parts.next().transpose()? {
                refuse_critical(extensions)?;
            }
            certificates.push(CertId::read(id)?);
        }
        if certificates.is_empty() {
            return Err(broken("it asks about nothing"));
        }
        Ok(Self {
            certificates,
            nonce,
        })
    }
}

/// The nonce in an explicit tag with extensions.
pub(super) fn read_nonce(part: Tlv<'_>) -> Result<Option<Vec<u8>>, Error> {
    let list: RawSequence<'_> = read(WHAT, part.value())?;
    let mut nonce = None;
    for extension in Extensions::new(list.0) {
        let extension = extension?;
        if extension.kind.is(NONCE) {
            // Before RFC 8954 some wrote the bytes as they were.
            let value = read::<RawOctets<'_>>(WHAT, extension.value);
            let value = value.map_or(extension.value, |octets| octets.0);
            if !(1..=MAX_NONCE).contains(&value.len()) || nonce.is_some() {
                return Err(Error::malformed(WHAT, "nonce"));
            }
            nonce = Some(value.to_vec());
        } else if extension.critical {
            return Err(unknown(extension.kind)?);
        }
    }
    Ok(nonce)
}

fn refuse_critical(part: Tlv<'_>) -> Result<(), Error> {
    let list: RawSequence<'_> = read(WHAT, part.value())?;
    for extension in Extensions::new(list.0) {
        let extension = extension?;
        if extension.critical {
            return Err(unknown(extension.kind)?);
        }
    }
    Ok(())
}

fn unknown(kind: RawOid<'_>) -> Result<Error, Error> {
    Ok(Error::unsupported("critical extension", kind.oid()?))
}

/// Extensions with the nonce alone.
pub(super) fn nonce_extensions(nonce: &[u8]) -> Vec<u8> {
    tlv(0x30, &write_extension(NONCE, false, &tlv(0x04, nonce)))
}
