//! Whom or what a query is about: the content of CertPoll, GetCert and GetCRL.

use mdm_pki::Name;

use crate::der::{split, tlv};

const INTEGER: u8 = 0x02;
const SEQUENCE: u8 = 0x30;
/// The longest serial number asked for, in bytes. RFC 5280 allows 20.
const MAX_SERIAL: usize = 64;

/// A certificate that does not exist yet (RFC 8894 section 3.3.3).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IssuerAndSubject {
    pub(crate) issuer: Name,
    pub(crate) subject: Name,
}

impl IssuerAndSubject {
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (issuer, rest) = name(inside(der)?)?;
        let (subject, rest) = name(rest)?;
        rest.is_empty().then_some(Self { issuer, subject })
    }

    pub(crate) fn to_der(&self) -> Vec<u8> {
        tlv(
            SEQUENCE,
            &[self.issuer.to_der(), self.subject.to_der()].concat(),
        )
    }
}

/// A certificate that exists (RFC 8894 sections 3.3.4 and 3.3.5).
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct IssuerAndSerial {
    pub(crate) issuer: Name,
    /// The content of the DER INTEGER.
    pub(crate) serial: Vec<u8>,
}

impl IssuerAndSerial {
    pub(crate) fn read(der: &[u8]) -> Option<Self> {
        let (issuer, rest) = name(inside(der)?)?;
        match split(rest)? {
            (INTEGER, serial, []) if (1..=MAX_SERIAL).contains(&serial.len()) => Some(Self {
                issuer,
                serial: serial.to_vec(),
            }),
            _ => None,
        }
    }

    pub(crate) fn to_der(&self) -> Vec<u8> {
        let serial = tlv(INTEGER, &self.serial);
        tlv(SEQUENCE, &[self.issuer.to_der(), &serial].concat())
    }
}

fn inside(der: &[u8]) -> Option<&[u8]> {
    match split(der)? {
        (SEQUENCE, inside, []) => Some(inside),
        _ => None,
    }
}

/// The name at the front, and what follows it.
fn name(bytes: &[u8]) -> Option<(Name, &[u8])> {
    let (_, _, rest) = split(bytes)?;
    let whole = bytes.get(..bytes.len() - rest.len())?;
    Some((Name::from_der(whole).ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn issuer_and_subject_read_back_and_nothing_else_does() {
        let both = IssuerAndSubject {
            issuer: Name::from_common_name("Example CA"),
            subject: Name::from_common_name("device 7"),
        };
        let der = both.to_der();
        assert_eq!(IssuerAndSubject::read(&der), Some(both.clone()));
        let one = tlv(SEQUENCE, both.issuer.to_der());
        let three = [both.issuer.to_der(), &der[2..]].concat();
        for broken in [
            &der[1..],
            &der[..der.len() - 1],
            &one,
            &tlv(0x31, &der[2..]),
        ] {
            assert_eq!(IssuerAndSubject::read(broken), None);
        }
        assert_eq!(IssuerAndSubject::read(&tlv(SEQUENCE, &three)), None);
    }

    #[test]
    fn issuer_and_serial_number_read_back_and_nothing_else_does() {
        let mut both = IssuerAndSerial {
            issuer: Name::from_common_name("Example CA"),
            serial: vec![0x41; MAX_SERIAL],
        };
        assert_eq!(IssuerAndSerial::read(&both.to_der()), Some(both.clone()));
        let der = both.to_der();
        for broken in [&der[1..], &der[..der.len() - 1], &der[2..], &[]] {
            assert_eq!(IssuerAndSerial::read(broken), None);
        }
        for length in [0, MAX_SERIAL + 1] {
            both.serial = vec![0x41; length];
            assert_eq!(IssuerAndSerial::read(&both.to_der()), None);
        }
    }
}
