//! The attributes of a name that have a short name (RFC 4514, section 3, and what Apple's payloads add).

use crate::{
    asn1::text,
    oid::{self, Oid},
};

const NAMES: [(&str, Oid); 15] = [
    ("CN", oid::COMMON_NAME),
    ("SN", oid::SURNAME),
    ("serialNumber", oid::SERIAL_NUMBER),
    ("C", oid::COUNTRY),
    ("L", oid::LOCALITY),
    ("ST", oid::STATE),
    ("STREET", oid::STREET),
    ("O", oid::ORGANIZATION),
    ("OU", oid::ORGANIZATIONAL_UNIT),
    ("title", oid::TITLE),
    ("GN", oid::GIVEN_NAME),
    ("UID", oid::USER_ID),
    ("DC", oid::DOMAIN_COMPONENT),
    ("emailAddress", oid::EMAIL_ADDRESS),
    ("E", oid::EMAIL_ADDRESS),
];

pub(super) fn short_name(kind: Oid) -> Option<&'static str> {
    NAMES
        .iter()
        .find(|(_, known)| *known == kind)
        .map(|(name, _)| *name)
}

pub(super) fn by_name(name: &str) -> Option<Oid> {
    NAMES
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name))
        .map(|(_, kind)| *kind)
}

/// The string type that RFC 5280, appendix A.1 asks for.
pub(super) fn string_tag(kind: Oid, value: &str) -> u8 {
    let printable = kind == oid::COUNTRY || kind == oid::SERIAL_NUMBER;
    let ia5 = kind == oid::EMAIL_ADDRESS || kind == oid::DOMAIN_COMPONENT;
    if printable && text::is_printable(value) {
        text::PRINTABLE
    } else if ia5 && value.is_ascii() {
        text::IA5
    } else {
        text::UTF8
    }
}
