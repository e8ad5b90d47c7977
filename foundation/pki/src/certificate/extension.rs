//! The extensions that decide something here (RFC 5280, section 4.2.1).

use std::ops::BitOr;

use der::{Decode, Sequence, SliceReader};

use crate::{
    asn1::{RawBits, RawBoolean, RawInteger, RawOctets, RawOid, RawSequence, elements, read, tlv},
    error::Error,
    oid::Oid,
};

#[derive(Sequence)]
struct Encoded<'a> {
    kind: RawOid<'a>,
    #[asn1(optional = "true")]
    critical: Option<RawBoolean<'a>>,
    value: RawOctets<'a>,
}

/// One extension.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extension<'a> {
    pub(crate) kind: RawOid<'a>,
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

/// The extensions of a certificate or request, one after the other.
#[derive(Debug)]
pub(crate) struct Extensions<'a> {
    rest: Option<SliceReader<'a>>,
}

impl<'a> Extensions<'a> {
    /// Over what is inside the SEQUENCE OF Extension.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            rest: SliceReader::new(bytes).ok(),
        }
    }
}

impl<'a> Iterator for Extensions<'a> {
    type Item = Result<Extension<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        use der::Reader as _;
        let reader = self.rest.as_mut()?;
        if reader.is_finished() {
            return None;
        }
        let extension = Encoded::decode(reader).and_then(|encoded| {
            let critical = encoded.critical.map_or(Some(false), |it| it.is_true());
            Ok(Extension {
                kind: encoded.kind,
                critical: critical.ok_or_else(|| reader.error(der::ErrorKind::Failed))?,
                value: encoded.value.0,
            })
        });
        match extension {
            Ok(extension) => Some(Ok(extension)),
            Err(error) => {
                self.rest = None;
                Some(Err(Error::malformed("extension", error)))
            }
        }
    }
}

/// One extension in DER.
pub(crate) fn write(kind: Oid, critical: bool, value: &[u8]) -> Vec<u8> {
    let mut inside = tlv(0x06, kind.as_bytes());
    if critical {
        inside.extend([0x01, 0x01, 0xff]);
    }
    inside.extend(tlv(0x04, value));
    tlv(0x30, &inside)
}

/// What a key may be used for (RFC 5280, section 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct KeyUsage(u16);

impl KeyUsage {
    /// To sign data.
    pub const DIGITAL_SIGNATURE: Self = Self(1 << 15);
    /// To sign content that its signer must not deny.
    pub const NON_REPUDIATION: Self = Self(1 << 14);
    /// To wrap keys.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 13);
    /// To encrypt data directly.
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 12);
    /// To agree on keys.
    pub const KEY_AGREEMENT: Self = Self(1 << 11);
    /// To sign certificates.
    pub const KEY_CERT_SIGN: Self = Self(1 << 10);
    /// To sign revocation lists.
    pub const CRL_SIGN: Self = Self(1 << 9);

    /// Whether every usage of `other` is allowed.
    pub fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any usage of `other` is allowed.
    pub fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// These usages but for those of `other`.
    #[must_use]
    pub fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// The usages of the numeric `Key Usage` in Apple's SCEP payload: 1 signing, 4 encryption, 5 both.
    pub fn from_scep_payload(number: u32) -> Self {
        let mut usage = Self::default();
        if number & 1 != 0 {
            usage = usage | Self::DIGITAL_SIGNATURE;
        }
        if number & 4 != 0 {
            usage = usage | Self::KEY_ENCIPHERMENT;
        }
        usage
    }

    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let bits: RawBits<'_> = read("key usage", der).ok()?;
        let (unused, bytes) = bits.0.split_first()?;
        if *unused > 7 {
            return None;
        }
        let byte = |at: usize| u16::from(bytes.get(at).copied().unwrap_or_default());
        Some(Self(byte(0) << 8 | byte(1)))
    }

    pub(crate) fn to_der(self) -> Vec<u8> {
        // DER: no trailing zero bits in a named bit list (X.690, section 11.2.2).
        let bytes = self.0.to_be_bytes();
        let used = if bytes[1] != 0 {
            &bytes[..]
        } else {
            &bytes[..1]
        };
        if self.0 == 0 {
            return tlv(0x03, &[0]);
        }
        let unused = used.last().map_or(0, |last| last.trailing_zeros() as u8);
        let mut value = vec![unused];
        value.extend_from_slice(used);
        tlv(0x03, &value)
    }
}

impl BitOr for KeyUsage {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Whether the subject is a certificate authority (RFC 5280, section 4.2.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BasicConstraints {
    pub(crate) ca: bool,
    pub(crate) path_len: Option<u8>,
}

#[derive(Sequence)]
struct EncodedConstraints<'a> {
    #[asn1(optional = "true")]
    ca: Option<RawBoolean<'a>>,
    #[asn1(optional = "true")]
    path_len: Option<RawInteger<'a>>,
}

impl BasicConstraints {
    pub(crate) fn from_der(der: &[u8]) -> Option<Self> {
        let encoded: EncodedConstraints<'_> = read("basic constraints", der).ok()?;
        let path_len = match encoded.path_len.map(|length| length.0) {
            None => None,
            Some([length]) if *length < 0x80 => Some(*length),
            Some(_) => return None,
        };
        Some(Self {
            ca: encoded.ca.map_or(Some(false), |ca| ca.is_true())?,
            path_len,
        })
    }

    pub(crate) fn to_der(self) -> Vec<u8> {
        let mut inside = Vec::new();
        if self.ca {
            inside.extend([0x01, 0x01, 0xff]);
            if let Some(length) = self.path_len {
                inside.extend([0x02, 0x01, length.min(0x7f)]);
            }
        }
        tlv(0x30, &inside)
    }
}

pub(crate) fn read_extended_key_usage(der: &[u8]) -> Option<Vec<Oid>> {
    let list: RawSequence<'_> = read("extended key usage", der).ok()?;
    elements(list.0)
        .map(|element| {
            let oid: RawOid<'_> = read("extended key usage", element.ok()?.0).ok()?;
            oid.oid().ok()
        })
        .collect()
}

pub(crate) fn write_extended_key_usage(usages: &[Oid]) -> Vec<u8> {
    let list: Vec<u8> = usages
        .iter()
        .flat_map(|usage| tlv(0x06, usage.as_bytes()))
        .collect();
    tlv(0x30, &list)
}

pub(crate) fn read_octets(der: &[u8]) -> Option<&[u8]> {
    read::<RawOctets<'_>>("octets", der)
        .ok()
        .map(|octets| octets.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_usage_survives_a_round_trip_in_its_shortest_form() {
        for (usage, der) in [
            (KeyUsage::DIGITAL_SIGNATURE, &[3, 2, 7, 0x80][..]),
            (KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN, &[3, 2, 1, 6]),
            (
                KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT,
                &[3, 2, 5, 0xa0],
            ),
            (KeyUsage::default(), &[3, 1, 0]),
        ] {
            assert_eq!(usage.to_der(), der);
            assert_eq!(KeyUsage::from_der(der), Some(usage));
        }
        assert_eq!(
            KeyUsage::from_der(&[3, 3, 7, 0, 0x80]).unwrap().to_der(),
            [3, 3, 7, 0, 0x80]
        );
        for broken in [&[][..], &[3, 0], &[3, 2, 8, 0], &[4, 2, 7, 0x80]] {
            assert_eq!(KeyUsage::from_der(broken), None);
        }
        let both = KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN;
        assert_eq!(both.without(KeyUsage::CRL_SIGN), KeyUsage::KEY_CERT_SIGN);
        assert!(KeyUsage::from_scep_payload(5).contains(KeyUsage::KEY_ENCIPHERMENT));
        assert_eq!(KeyUsage::from_scep_payload(0), KeyUsage::default());
    }

    #[test]
    fn basic_constraints_survive_a_round_trip() {
        for basic in [
            BasicConstraints {
                ca: false,
                path_len: None,
            },
            BasicConstraints {
                ca: true,
                path_len: None,
            },
            BasicConstraints {
                ca: true,
                path_len: Some(0),
            },
        ] {
            assert_eq!(BasicConstraints::from_der(&basic.to_der()), Some(basic));
        }
        // BER's other values of true, and what is no length.
        assert!(BasicConstraints::from_der(&[0x30, 3, 1, 1, 1]).unwrap().ca);
        for broken in [&[0x30, 6, 1, 1, 0xff, 2, 1, 0x80][..], &[0x30, 2, 1, 0]] {
            assert_eq!(BasicConstraints::from_der(broken), None);
        }
    }
}
