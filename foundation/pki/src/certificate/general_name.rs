//! Alternative names (RFC 5280, section 4.2.1.6).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::{
    asn1::{RawOid, RawSequence, Tlv, elements, read, text, tlv},
    error::Error,
    name::Name,
    oid::{self, Oid},
};

/// An alternative name of a subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum GeneralName {
    /// A host name.
    Dns(String),
    /// An e-mail address.
    Email(String),
    /// A URI.
    Uri(String),
    /// An IP address.
    Ip(IpAddr),
    /// A Microsoft user principal name: `ntPrincipalName` in Apple's SCEP payload.
    UserPrincipalName(String),
    /// A distinguished name.
    Directory(Name),
    /// Any other otherName.
    OtherName {
        /// What it is.
        kind: Oid,
        /// Its value in DER.
        value: Vec<u8>,
    },
    /// Any other form, kept as it came.
    Unknown {
        /// The element in DER.
        der: Vec<u8>,
    },
}

const OTHER: u8 = 0xa0;
const EMAIL: u8 = 0x81;
const DNS: u8 = 0x82;
const DIRECTORY: u8 = 0xa4;
const URI: u8 = 0x86;
const IP: u8 = 0x87;

impl GeneralName {
    /// Reads a GeneralNames, the value of a subjectAltName extension.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is no sequence of elements; a name that breaks its form is kept as
    /// [`GeneralName::Unknown`].
    pub fn list_from_der(der: &[u8]) -> Result<Vec<Self>, Error> {
        let list: RawSequence<'_> = read("alternative names", der)?;
        elements(list.0)
            .map(|element| element.map(Self::read))
            .collect()
    }

    /// Writes a GeneralNames, the value of a subjectAltName extension.
    pub fn list_to_der(names: &[Self]) -> Vec<u8> {
        let list: Vec<u8> = names.iter().flat_map(Self::write).collect();
        tlv(0x30, &list)
    }

    fn read(element: Tlv<'_>) -> Self {
        let value = element.value();
        let text = || std::str::from_utf8(value).ok().map(ToOwned::to_owned);
        match element.tag() {
            EMAIL => text().map(Self::Email),
            DNS => text().map(Self::Dns),
            URI => text().map(Self::Uri),
            IP => match value.len() {
                4 => <[u8; 4]>::try_from(value)
                    .ok()
                    .map(|ip| Self::Ip(Ipv4Addr::from(ip).into())),
                _ => <[u8; 16]>::try_from(value)
                    .ok()
                    .map(|ip| Self::Ip(Ipv6Addr::from(ip).into())),
            },
            DIRECTORY => Name::from_der(value).ok().map(Self::Directory),
            OTHER => Self::read_other(value),
            _ => None,
        }
        .unwrap_or_else(|| Self::Unknown {
            der: element.0.to_vec(),
        })
    }

    fn read_other(inside: &[u8]) -> Option<Self> {
        let mut parts = elements(inside);
        let kind = parts.next()?.ok()?;
        let kind = read::<RawOid<'_>>("otherName", kind.0).ok()?.oid().ok()?;
        let wrapped = parts.next()?.ok()?;
        if wrapped.tag() != 0xa0 || parts.next().is_some() {
            return None;
        }
        let value: Tlv<'_> = read("otherName", wrapped.value()).ok()?;
        match text::read(value) {
            Some(text) if kind == oid::USER_PRINCIPAL_NAME => Some(Self::UserPrincipalName(text)),
            _ => Some(Self::OtherName {
                kind,
                value: value.0.to_vec(),
            }),
        }
    }

    fn write(&self) -> Vec<u8> {
        let other = |kind: Oid, value: &[u8]| {
            let kind = tlv(0x06, kind.as_bytes());
            tlv(OTHER, &[kind, tlv(0xa0, value)].concat())
        };
        match self {
            Self::Email(text) => tlv(EMAIL, text.as_bytes()),
            Self::Dns(text) => tlv(DNS, text.as_bytes()),
            Self::Uri(text) => tlv(URI, text.as_bytes()),
            Self::Ip(IpAddr::V4(ip)) => tlv(IP, &ip.octets()),
            Self::Ip(IpAddr::V6(ip)) => tlv(IP, &ip.octets()),
            Self::UserPrincipalName(text) => {
                other(oid::USER_PRINCIPAL_NAME, &tlv(text::UTF8, text.as_bytes()))
            }
            Self::Directory(name) => tlv(DIRECTORY, name.to_der()),
            Self::OtherName { kind, value } => other(*kind, value),
            Self::Unknown { der } => der.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_name_survives_a_round_trip() {
        let names = vec![
            GeneralName::Dns("mdm.example".into()),
            GeneralName::Email("a@example".into()),
            GeneralName::Uri("https://mdm.example/x".into()),
            GeneralName::Ip("127.0.0.1".parse().unwrap()),
            GeneralName::Ip("::1".parse().unwrap()),
            GeneralName::UserPrincipalName("user@example".into()),
            GeneralName::Directory(Name::from_common_name("x")),
            GeneralName::OtherName {
                kind: Oid::constant("1.2.3"),
                value: vec![5, 0],
            },
            GeneralName::Unknown {
                der: vec![0x88, 1, 42],
            },
        ];
        assert_eq!(
            GeneralName::list_from_der(&GeneralName::list_to_der(&names)).unwrap(),
            names
        );
    }

    #[test]
    fn names_that_break_their_form_are_kept_as_unknown() {
        let mut odd = vec![0x30, 21, 0x87, 1, 1, 0x82, 1, 0xff, 0xa0, 0];
        // An otherName without a value, and one with two.
        odd.extend([0xa0, 5, 6, 1, 42, 0xa0, 0]);
        odd.extend([0xa0, 9, 6, 1, 42, 0xa0, 4, 5, 0, 5, 0]);
        odd[1] = (odd.len() - 2) as u8;
        let names = GeneralName::list_from_der(&odd).unwrap();
        assert!(
            names
                .iter()
                .all(|name| matches!(name, GeneralName::Unknown { .. }))
        );
        assert_eq!(GeneralName::list_to_der(&names), odd);
        assert!(GeneralName::list_from_der(&[0x30, 2, 0x82, 9]).is_err());
    }
}
