//! Signed attributes (RFC 5652, sections 5.3 and 11).

use super::structures::AttributeBody;
use crate::{
    asn1::{RawOctets, RawOid, elements, read, set_of, tlv},
    error::Error,
    oid::{self, Oid},
};

/// One attribute in DER with its values.
pub(super) fn encode(kind: Oid, values: &[Vec<u8>]) -> Vec<u8> {
    let kind = tlv(0x06, kind.as_bytes());
    tlv(0x30, &[kind, tlv(0x31, &set_of(values.to_vec()))].concat())
}

/// The only value of an attribute that stands only once.
///
/// An attribute that stands twice, or whose values are none or several, counts as broken (RFC 5652, section 5.3): one
/// reader must not see another value than the next.
pub(crate) fn single(attributes: &[u8], kind: Oid) -> Result<Option<&[u8]>, Error> {
    let fail = |detail| Error::malformed("signed attributes", detail);
    let mut found = None;
    for element in elements(attributes) {
        let attribute: AttributeBody<'_> = read("signed attribute", element?.0)?;
        if !attribute.kind.is(kind) {
            continue;
        }
        let mut values = elements(attribute.values.0);
        match (values.next(), values.next()) {
            (Some(value), None) if found.is_none() => found = Some(value?.0),
            _ => return Err(fail("an attribute that does not stand once")),
        }
    }
    Ok(found)
}

/// The messageDigest (section 11.2).
pub(crate) fn message_digest(attributes: &[u8]) -> Result<&[u8], Error> {
    let value = single(attributes, oid::MESSAGE_DIGEST)?
        .ok_or_else(|| Error::malformed("signed attributes", "no messageDigest"))?;
    read::<RawOctets<'_>>("messageDigest", value).map(|octets| octets.0)
}

/// The contentType (section 11.1), which some senders leave out.
pub(crate) fn content_type(attributes: &[u8]) -> Result<Option<RawOid<'_>>, Error> {
    single(attributes, oid::CONTENT_TYPE)?
        .map(|value| read("contentType", value))
        .transpose()
}
