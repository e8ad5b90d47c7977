//! Certificates (RFC 5280) written element by element.

use std::fmt;

use chrono::{DateTime, Datelike, Utc};
use mdm_pki::{Error, KeySpec, PrivateKey, PublicKey, SignatureAlgorithm, random};

/// Whoever has a certificate and its key.
#[derive(Clone)]
pub(super) struct Holder {
    pub(super) der: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) key: PrivateKey,
}

impl Holder {
    /// A new P-384 key, as Apple's authorities have; no certificate yet.
    pub(super) fn new(common_name: &str) -> Result<Self, Error> {
        Ok(Self {
            der: Vec::new(),
            name: name(common_name),
            key: PrivateKey::generate(KeySpec::P384)?,
        })
    }

    /// With a certificate by this issuer, or by itself.
    pub(super) fn certified(mut self, draft: Draft, issuer: Option<&Self>) -> Result<Self, Error> {
        let issuer = issuer.unwrap_or(&self);
        self.der = draft.sign(&issuer.name, &issuer.key)?;
        Ok(self)
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Holder").finish_non_exhaustive()
    }
}

/// A certificate without its signature.
pub(super) struct Draft {
    subject: Vec<u8>,
    spki: Vec<u8>,
    validity: (DateTime<Utc>, DateTime<Utc>),
    constraints: Option<bool>,
    extensions: Vec<u8>,
    pub(super) algorithm: SignatureAlgorithm,
}

impl Draft {
    pub(super) fn new(
        subject: &[u8],
        key: &PublicKey,
        validity: (DateTime<Utc>, DateTime<Utc>),
    ) -> Self {
        Self {
            subject: subject.to_vec(),
            spki: key.to_spki_der().to_vec(),
            validity,
            constraints: Some(false),
            extensions: Vec::new(),
            algorithm: SignatureAlgorithm::EcdsaSha384,
        }
    }

    pub(super) fn authority(mut self) -> Self {
        self.constraints = Some(true);
        self
    }

    pub(super) fn no_constraints(mut self) -> Self {
        self.constraints = None;
        self
    }

    /// Adds an extension: what stands inside its OCTET STRING.
    pub(super) fn extend(&mut self, oid: &str, value: &[u8]) -> Result<(), Error> {
        self.extensions
            .extend(extension(&self::oid(oid)?, false, value));
        Ok(())
    }

    pub(super) fn sign(self, issuer: &[u8], key: &PrivateKey) -> Result<Vec<u8>, Error> {
        // 1.2.840.10045.4.1 and 1.2.840.10045.4.3.3: ECDSA with SHA-1 and SHA-384.
        let algorithm = match self.algorithm {
            SignatureAlgorithm::EcdsaSha1 => tlv(0x30, b"\x06\x07\x2a\x86\x48\xce\x3d\x04\x01"),
            _ => tlv(0x30, b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x03"),
        };
        let mut serial = random::<16>()?;
        serial[0] = (serial[0] & 0x7f) | 0x40;
        let mut extensions = Vec::new();
        if let Some(ca) = self.constraints {
            let inside: &[u8] = if ca { b"\x01\x01\xff" } else { b"" };
            extensions.extend(extension(b"\x55\x1d\x13", true, &tlv(0x30, inside)));
            // keyCertSign and cRLSign of an authority; digitalSignature and three more of a device.
            let usage: &[u8] = if ca { b"\x01\x06" } else { b"\x04\xf0" };
            extensions.extend(extension(b"\x55\x1d\x0f", true, &tlv(0x03, usage)));
        }
        extensions.extend(self.extensions);
        let (from, to) = self.validity;
        let mut inside = vec![
            b"\xa0\x03\x02\x01\x02".to_vec(),
            tlv(0x02, &serial),
            algorithm.clone(),
            issuer.to_vec(),
            tlv(0x30, &[time(from), time(to)].concat()),
            self.subject,
            self.spki,
        ];
        if !extensions.is_empty() {
            inside.push(tlv(0xa3, &tlv(0x30, &extensions)));
        }
        let tbs = tlv(0x30, &inside.concat());
        let signature = key.sign_message(self.algorithm, &tbs)?;
        let bits = tlv(0x03, &[b"\0", signature.as_slice()].concat());
        Ok(tlv(0x30, &[tbs, algorithm, bits].concat()))
    }
}

/// An element of one byte's tag.
pub(super) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let length = value.len();
    let mut element = vec![tag];
    match length {
        0..0x80 => element.push(length as u8),
        0x80..0x100 => element.extend([0x81, length as u8]),
        _ => element.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    element.extend(value);
    element
}

/// `CN=.., O=Apple Inc., C=US`, as UTF8String but for the country.
pub(super) fn name(common_name: &str) -> Vec<u8> {
    let part = |kind: u8, tag: u8, text: &str| {
        let inside = [tlv(0x06, &[0x55, 0x04, kind]), tlv(tag, text.as_bytes())].concat();
        tlv(0x31, &tlv(0x30, &inside))
    };
    let parts = [
        part(3, 0x0c, common_name),
        part(10, 0x0c, "Apple Inc."),
        part(6, 0x13, "US"),
    ];
    tlv(0x30, &parts.concat())
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { b"\x01\x01\xff" } else { b"" };
    let inside = [&tlv(0x06, oid), critical, &tlv(0x04, value)].concat();
    tlv(0x30, &inside)
}

fn time(time: DateTime<Utc>) -> Vec<u8> {
    match time.year() {
        ..2050 => tlv(0x17, time.format("%y%m%d%H%M%SZ").to_string().as_bytes()),
        _ => tlv(0x18, time.format("%Y%m%d%H%M%SZ").to_string().as_bytes()),
    }
}

/// The value bytes of an object identifier in dots.
fn oid(dotted: &str) -> Result<Vec<u8>, Error> {
    let wrong = || Error::Malformed {
        what: "object identifier",
        detail: dotted.to_owned(),
    };
    let arcs: Result<Vec<u64>, _> = dotted.split('.').map(str::parse).collect();
    let arcs = arcs.map_err(|_| wrong())?;
    let [first, second, rest @ ..] = arcs.as_slice() else {
        return Err(wrong());
    };
    let mut bytes = Vec::new();
    for arc in std::iter::once(&first.saturating_mul(40).saturating_add(*second)).chain(rest) {
        let digits = (64 - arc.leading_zeros()).div_ceil(7).max(1);
        for digit in (0..digits).rev() {
            let more = if digit == 0 { 0 } else { 0x80 };
            bytes.push((arc >> (7 * digit)) as u8 & 0x7f | more);
        }
    }
    Ok(bytes)
}
