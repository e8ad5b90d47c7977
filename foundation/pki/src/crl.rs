//! Revocation lists (RFC 5280, section 5): version 2, complete, of one issuer; written, read and verified.

use std::{collections::HashMap, fmt};

use chrono::{DateTime, SubsecRound, Utc};
use der::Sequence;

use crate::{
    asn1::{Algorithm, RawBits, RawInteger, RawSequence, Tlv, elements, read, time, tlv, write},
    certificate::{Certificate, Extensions, KeyUsage, assemble, write_extension},
    error::Error,
    key::{PrivateKey, PublicKey},
    name::Name,
    oid::{self, Oid},
    pem,
    signer::{SignatureAlgorithm, Signer, preferred},
};

const WHAT: &str = "revocation list";
const CRL_NUMBER: Oid = Oid::constant("2.5.29.20");
const REASON: Oid = Oid::constant("2.5.29.21");

/// Why a certificate was revoked (RFC 5280, section 5.3.1).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum RevocationReason {
    /// 0: no reason is given; a list leaves it out.
    #[default]
    Unspecified,
    /// 1: somebody else may have the key.
    KeyCompromise,
    /// 2: somebody else may have the authority's key.
    CaCompromise,
    /// 3: the subject is no longer what the certificate says.
    AffiliationChanged,
    /// 4: another certificate has taken its place.
    Superseded,
    /// 5: it is no longer needed.
    CessationOfOperation,
    /// 6: suspended for now.
    CertificateHold,
    /// 9: what it allowed was withdrawn.
    PrivilegeWithdrawn,
    /// 10: like [`CaCompromise`](Self::CaCompromise), for attributes.
    AaCompromise,
}

impl RevocationReason {
    const ALL: [Self; 9] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The reason's number.
    pub fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// The reason of this number; `None` for one that a full list cannot hold.
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.number() == number)
    }
}

/// One certificate on a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevokedCertificate {
    /// Its serial number: the bytes of the DER INTEGER.
    pub serial: Vec<u8>,
    /// Since when, in whole seconds.
    pub at: DateTime<Utc>,
    /// Why.
    pub reason: RevocationReason,
}

impl RevokedCertificate {
    /// The certificate of this serial number, revoked at this time for this reason.
    pub fn new(serial: impl Into<Vec<u8>>, at: DateTime<Utc>, reason: RevocationReason) -> Self {
        Self {
            serial: serial.into(),
            at: at.trunc_subsecs(0),
            reason,
        }
    }
}

/// A list that has been read. [`verify_signed_by`](Self::verify_signed_by) says whether to believe it.
#[derive(Clone)]
pub struct RevocationList {
    der: Vec<u8>,
    tbs: Vec<u8>,
    signature: Vec<u8>,
    algorithm: Option<SignatureAlgorithm>,
    issuer: Name,
    number: Option<Vec<u8>>,
    this_update: DateTime<Utc>,
    next_update: Option<DateTime<Utc>>,
    revoked: HashMap<Vec<u8>, (DateTime<Utc>, RevocationReason)>,
}

#[derive(Sequence)]
struct Outer<'a> {
    tbs: Tlv<'a>,
    algorithm: Algorithm<'a>,
    signature: RawBits<'a>,
}

impl RevocationList {
    /// Reads a list in DER with at most `limit` entries.
    ///
    /// # Errors
    /// [`Error::Malformed`]; [`Error::TooMany`]; [`Error::Unsupported`] for a critical extension unknown here, which
    /// says that the list is not complete or speaks of other issuers.
    pub fn from_der(der: &[u8], limit: usize) -> Result<Self, Error> {
        let broken = |detail: &str| Error::malformed(WHAT, detail);
        let outer: Outer<'_> = read(WHAT, der)?;
        let tbs: RawSequence<'_> = read(WHAT, outer.tbs.0)?;
        let mut parts = elements(tbs.0).peekable();
        let mut next = |tag: fn(u8) -> bool| match parts.peek() {
            Some(Ok(part)) if tag(part.tag()) => parts.next().transpose(),
            Some(Err(_)) => parts.next().transpose(),
            _ => Ok(None),
        };
        let is_time = |tag| matches!(tag, 0x17 | 0x18);
        let version = next(|tag| tag == 0x02)?;
        let algorithm = next(|tag| tag == 0x30)?.ok_or_else(|| broken("no algorithm"))?;
        let issuer = next(|tag| tag == 0x30)?.ok_or_else(|| broken("no issuer"))?;
        let this_update = next(is_time)?.ok_or_else(|| broken("no thisUpdate"))?;
        let next_update = next(is_time)?;
        let entries = next(|tag| tag == 0x30)?;
        let extensions = next(|tag| tag == 0xa0)?;
        if parts.next().is_some() {
            return Err(broken("more than a list has"));
        }
        if version.is_some_and(|version| version.0 != [2, 1, 1]) {
            return Err(broken("version"));
        }
        let mut number = None;
        if let Some(extensions) = extensions {
            let all: RawSequence<'_> = read(WHAT, extensions.value())?;
            for extension in Extensions::new(all.0) {
                let extension = extension?;
                if extension.kind.is(CRL_NUMBER) {
                    let value: RawInteger<'_> = read(WHAT, extension.value)?;
                    number = Some(value.0.to_vec());
                } else if extension.critical {
                    return Err(Error::unsupported(
                        "critical extension",
                        extension.kind.oid()?,
                    ));
                }
            }
        }
        let mut revoked = HashMap::new();
        for (count, entry) in elements(entries.map_or(&[], |list| list.value())).enumerate() {
            if count >= limit {
                let what = "entries of a revocation list";
                return Err(Error::TooMany { what, limit });
            }
            let entry = read_entry(entry?)?;
            revoked.insert(entry.serial, (entry.at, entry.reason));
        }
        let signature = outer.signature.bytes().ok_or_else(|| broken("signature"))?;
        let inner: Algorithm<'_> = read(WHAT, algorithm.0)?;
        Ok(Self {
            tbs: outer.tbs.0.to_vec(),
            signature: signature.to_vec(),
            algorithm: SignatureAlgorithm::from_identifier(&outer.algorithm)
                .filter(|_| outer.algorithm == inner),
            issuer: Name::from_der(issuer.0)?,
            number,
            this_update: time::read(this_update)?,
            next_update: next_update.map(time::read).transpose()?,
            revoked,
            der: der.to_vec(),
        })
    }

    /// The list in DER, byte for byte.
    pub fn to_der(&self) -> &[u8] {
        &self.der
    }

    /// The list in PEM.
    pub fn to_pem(&self) -> String {
        pem::encode("X509 CRL", &self.der)
    }

    /// Whose certificates it speaks of.
    pub fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Its number, the bytes of the DER INTEGER: a later list has a larger one.
    pub fn number(&self) -> Option<&[u8]> {
        self.number.as_deref()
    }

    /// When it was made.
    pub fn this_update(&self) -> DateTime<Utc> {
        self.this_update
    }

    /// When there will be another at the latest.
    pub fn next_update(&self) -> Option<DateTime<Utc>> {
        self.next_update
    }

    /// Whether it counts at this time: made before, and not yet due to be replaced.
    pub fn is_current_at(&self, time: DateTime<Utc>) -> bool {
        self.this_update <= time && self.next_update.is_none_or(|next| time <= next)
    }

    /// How many certificates it lists.
    pub fn len(&self) -> usize {
        self.revoked.len()
    }

    /// Whether it lists none.
    pub fn is_empty(&self) -> bool {
        self.revoked.is_empty()
    }

    /// What it says of the certificate of this serial number; nothing, where it is not listed.
    pub fn find(&self, serial: &[u8]) -> Option<RevokedCertificate> {
        let (at, reason) = self.revoked.get(serial)?;
        Some(RevokedCertificate::new(serial, *at, *reason))
    }

    /// Verifies that the holder of `issuer` signed this list and may do so. The time is not looked at.
    ///
    /// # Errors
    /// [`Error::BadSignature`], also for an issuer of another name; [`Error::Unsupported`] for algorithms
    /// unknown here, and an issuer whose key usage does not allow it.
    pub fn verify_signed_by(&self, issuer: &Certificate) -> Result<(), Error> {
        if !self.issuer.matches(&issuer.subject()) {
            return Err(Error::BadSignature);
        }
        check_usage(issuer)?;
        let algorithm = self
            .algorithm
            .ok_or_else(|| Error::unsupported("signature algorithm", "of the revocation list"))?;
        let key: PublicKey = issuer.public_key()?;
        key.verify(algorithm, &self.tbs, &self.signature)
    }
}

impl fmt::Debug for RevocationList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevocationList")
            .field("issuer", &self.issuer)
            .field("this_update", &self.this_update)
            .field("next_update", &self.next_update)
            .field("entries", &self.revoked.len())
            .finish_non_exhaustive()
    }
}

fn read_entry(entry: Tlv<'_>) -> Result<RevokedCertificate, Error> {
    let broken = || Error::malformed(WHAT, "entry");
    let parts: RawSequence<'_> = read(WHAT, entry.0)?;
    let parts = elements(parts.0).collect::<Result<Vec<_>, _>>()?;
    let (serial, at, extensions) = match parts.as_slice() {
        [serial, at] => (serial, at, None),
        [serial, at, extensions] => (serial, at, Some(extensions)),
        _ => return Err(broken()),
    };
    let serial: RawInteger<'_> = read(WHAT, serial.0)?;
    let mut reason = RevocationReason::Unspecified;
    if let Some(extensions) = extensions {
        let all: RawSequence<'_> = read(WHAT, extensions.0)?;
        for extension in Extensions::new(all.0) {
            let extension = extension?;
            if extension.kind.is(REASON) {
                let [0x0a, 1, number] = extension.value else {
                    return Err(broken());
                };
                reason = RevocationReason::from_number(*number).ok_or_else(broken)?;
            } else if extension.critical {
                return Err(Error::unsupported(
                    "critical extension",
                    extension.kind.oid()?,
                ));
            }
        }
    }
    Ok(RevokedCertificate::new(serial.0, time::read(*at)?, reason))
}

fn check_usage(issuer: &Certificate) -> Result<(), Error> {
    match issuer.key_usage() {
        Some(usage) if !usage.contains(KeyUsage::CRL_SIGN) => Err(Error::unsupported(
            "key usage",
            "the issuer does not sign revocation lists",
        )),
        _ => Ok(()),
    }
}

/// Writes a list of version 2 with its number and the issuer's key identifier.
#[derive(Debug, Clone)]
#[must_use]
pub struct RevocationListBuilder {
    number: u64,
    this_update: DateTime<Utc>,
    next_update: DateTime<Utc>,
    revoked: Vec<RevokedCertificate>,
}

impl RevocationListBuilder {
    /// The list of this number, which has to be larger than that of the list before; made at `this_update`, and
    /// replaced by `next_update` at the latest. In whole seconds.
    pub fn new(number: u64, this_update: DateTime<Utc>, next_update: DateTime<Utc>) -> Self {
        Self {
            number,
            this_update,
            next_update,
            revoked: Vec::new(),
        }
    }

    /// Adds a certificate.
    pub fn revoke(mut self, certificate: RevokedCertificate) -> Self {
        self.revoked.push(certificate);
        self
    }

    /// Signs as the holder of `issuer`.
    ///
    /// # Errors
    /// [`Error::KeyMismatch`] when the key is not the issuer's; [`Error::Unsupported`] for an issuer whose key usage
    /// does not allow it, and a time that cannot be written.
    pub fn sign(self, issuer: &Certificate, key: &PrivateKey) -> Result<RevocationList, Error> {
        let algorithm = preferred(key.public_key())?;
        let (tbs, digest) = self.prepare(issuer, key.public_key(), algorithm)?;
        let signature = key.sign_digest(algorithm, &digest)?;
        self.finish(&tbs, algorithm, &signature)
    }

    /// Signs as the holder of `issuer` with a key that lives elsewhere.
    ///
    /// # Errors
    /// As [`Self::sign`]; [`Error::Key`] when the signer fails.
    pub async fn sign_with(
        self,
        issuer: &Certificate,
        signer: &dyn Signer,
        algorithm: SignatureAlgorithm,
    ) -> Result<RevocationList, Error> {
        let (tbs, digest) = self.prepare(issuer, signer.public_key(), algorithm)?;
        let signature = signer.sign(algorithm, &digest).await?;
        self.finish(&tbs, algorithm, &signature)
    }

    fn prepare(
        &self,
        issuer: &Certificate,
        key: &PublicKey,
        algorithm: SignatureAlgorithm,
    ) -> Result<(Vec<u8>, Vec<u8>), Error> {
        if !issuer.public_key()?.same_key(key) {
            return Err(Error::KeyMismatch);
        }
        check_usage(issuer)?;
        let mut extensions = Vec::new();
        if let Some(key_id) = issuer.subject_key_id() {
            let value = tlv(0x30, &tlv(0x80, key_id));
            extensions.extend(write_extension(
                oid::AUTHORITY_KEY_IDENTIFIER,
                false,
                &value,
            ));
        }
        let number = tlv(0x02, &unsigned(self.number));
        extensions.extend(write_extension(CRL_NUMBER, false, &number));
        let entries = self
            .revoked
            .iter()
            .map(write_entry)
            .collect::<Result<Vec<_>, _>>()?
            .concat();
        // Section 5.1.2.6: no list of entries rather than an empty one.
        let entries = match entries.is_empty() {
            true => Vec::new(),
            false => tlv(0x30, &entries),
        };
        let identifier = algorithm.with_identifier(|identifier| write("algorithm", &identifier))?;
        let inside = [
            vec![0x02, 0x01, 0x01],
            identifier,
            issuer.subject().to_der().to_vec(),
            time::write(self.this_update)?,
            time::write(self.next_update)?,
            entries,
            tlv(0xa0, &tlv(0x30, &extensions)),
        ]
        .concat();
        let tbs = tlv(0x30, &inside);
        let to_sign = algorithm.digest_of(&tbs)?;
        Ok((tbs, to_sign))
    }

    fn finish(
        self,
        tbs: &[u8],
        algorithm: SignatureAlgorithm,
        signature: &[u8],
    ) -> Result<RevocationList, Error> {
        let der = assemble(tbs, algorithm, signature)?;
        RevocationList::from_der(&der, self.revoked.len())
    }
}

fn write_entry(entry: &RevokedCertificate) -> Result<Vec<u8>, Error> {
    let mut inside = [tlv(0x02, &entry.serial), time::write(entry.at)?].concat();
    // Section 5.3.1: unspecified is said by saying nothing.
    if entry.reason != RevocationReason::Unspecified {
        let reason = tlv(0x0a, &[entry.reason.number()]);
        inside.extend(tlv(0x30, &write_extension(REASON, false, &reason)));
    }
    Ok(tlv(0x30, &inside))
}

/// The value of a non-negative INTEGER in its shortest form.
fn unsigned(number: u64) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count();
    let digits = bytes.get(skip..).unwrap_or(&[]);
    match digits.first() {
        Some(first) if first & 0x80 == 0 => digits.to_vec(),
        _ => [&[0], digits].concat(),
    }
}
