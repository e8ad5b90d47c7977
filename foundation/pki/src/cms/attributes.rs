//! Signed attributes (RFC 5652, sections 5.3 and 11).

use crate::{
    asn1::{RawOctets, RawOid, Tlv, elements, read, set_of, tlv},
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
        let (named, values) = parts(element?).ok_or_else(|| fail("a broken attribute"))?;
        if !named.is(kind) {
            continue;
        }
        let mut values = elements(values);
        match (values.next(), values.next()) {
            (Some(value), None) if found.is_none() => found = Some(value?.0),
            _ => return Err(fail("an attribute that does not stand once")),
        }
    }
    Ok(found)
}

/// The type of an attribute and its values, one behind the other. A message is asked for nine of them, so this is done by hand.
fn parts(attribute: Tlv<'_>) -> Option<(RawOid<'_>, &[u8])> {
    let mut parts = elements(attribute.value());
    let (kind, values) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let tags = [attribute.tag(), kind.tag(), values.tag()];
    let whole = tags == [0x30, 0x06, 0x31] && parts.next().is_none();
    whole.then(|| (RawOid(kind.value()), values.value()))
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
