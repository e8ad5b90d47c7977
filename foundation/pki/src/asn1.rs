//! The few `der` types that everything here is read and written with: raw elements that keep their bytes as given.
//!
//! Reading is strict about structure and lenient about values (negative serials, any string type), since the values
//! come from devices and old certificate authorities.

pub(crate) mod text;
pub(crate) mod time;

use der::{
    Decode, DecodeValue, Encode, EncodeValue, ErrorKind, FixedTag, Header, Length, Reader, Tag,
    Writer,
};

use crate::{error::Error, oid::Oid};

macro_rules! raw {
    ($($(#[$doc:meta])* $name:ident = $tag:expr;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct $name<'a>(pub(crate) &'a [u8]);

        impl FixedTag for $name<'_> {
            const TAG: Tag = $tag;
        }

        impl<'a> DecodeValue<'a> for $name<'a> {
            type Error = der::Error;

            fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> der::Result<Self> {
                reader.read_slice(header.length()).map(Self)
            }
        }

        impl EncodeValue for $name<'_> {
            fn value_len(&self) -> der::Result<Length> {
                Length::try_from(self.0.len())
            }

            fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
                writer.write(self.0)
            }
        }
    )+};
}

raw! {
    /// The bytes inside a SEQUENCE.
    RawSequence = Tag::Sequence;
    /// The bytes inside a SET, in the order given.
    RawSet = Tag::Set;
    /// The bytes of an OBJECT IDENTIFIER.
    RawOid = Tag::ObjectIdentifier;
    /// The bytes of an INTEGER: negative and padded ones are kept.
    RawInteger = Tag::Integer;
    /// The bytes of an OCTET STRING.
    RawOctets = Tag::OctetString;
    /// The bytes of a BIT STRING with the count of unused bits in front.
    RawBits = Tag::BitString;
    /// The bytes of a BOOLEAN: any value but zero counts as true.
    RawBoolean = Tag::Boolean;
}

impl RawOid<'_> {
    pub(crate) fn is(&self, oid: Oid) -> bool {
        self.0 == oid.as_bytes()
    }

    pub(crate) fn oid(&self) -> Result<Oid, Error> {
        Oid::from_der_value(self.0)
    }
}

impl<'a> RawBits<'a> {
    /// A bit string of whole bytes, ready to be written: `buffer` gets the count of unused bits in front.
    pub(crate) fn whole(bytes: &[u8], buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        buffer.push(0);
        buffer.extend_from_slice(bytes);
        Self(buffer)
    }

    /// The bytes of a bit string that has no unused bits.
    pub(crate) fn bytes(&self) -> Option<&'a [u8]> {
        match self.0.split_first() {
            Some((0, bytes)) => Some(bytes),
            _ => None,
        }
    }
}

/// Any one element, header and all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tlv<'a>(pub(crate) &'a [u8]);

impl<'a> Decode<'a> for Tlv<'a> {
    type Error = der::Error;

    fn decode<R: Reader<'a>>(reader: &mut R) -> der::Result<Self> {
        // Not through `der::Tag`, which knows neither rare string types nor tag numbers above 30.
        let rest = reader.clone().read_slice(reader.remaining_len())?;
        let (_, end) = ends(rest).ok_or_else(|| reader.error(ErrorKind::Failed))?;
        reader.read_slice(Length::try_from(end)?).map(Self)
    }
}

impl Encode for Tlv<'_> {
    fn encoded_len(&self) -> der::Result<Length> {
        Length::try_from(self.0.len())
    }

    fn encode(&self, writer: &mut impl Writer) -> der::Result<()> {
        writer.write(self.0)
    }
}

impl<'a> Tlv<'a> {
    /// The identifier octet; 0 for none.
    pub(crate) fn tag(&self) -> u8 {
        self.0.first().copied().unwrap_or_default()
    }

    /// What is inside.
    pub(crate) fn value(&self) -> &'a [u8] {
        ends(self.0)
            .and_then(|(header, end)| self.0.get(header..end))
            .unwrap_or(&[])
    }
}

impl RawInteger<'_> {
    /// Whether the number has no byte too many (X.690, section 8.3.2).
    pub(crate) fn is_minimal(&self) -> bool {
        match self.0 {
            [] => false,
            [0, second, ..] => second & 0x80 != 0,
            [0xff, second, ..] => second & 0x80 == 0,
            _ => true,
        }
    }
}

impl RawBoolean<'_> {
    /// `None` for one that is not one byte long (X.690, section 8.2.1).
    pub(crate) fn is_true(&self) -> Option<bool> {
        match self.0 {
            [byte] => Some(*byte != 0),
            _ => None,
        }
    }
}

/// AlgorithmIdentifier (RFC 5280, section 4.1.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Algorithm<'a> {
    pub(crate) oid: RawOid<'a>,
    pub(crate) parameters: Option<Tlv<'a>>,
}

impl Algorithm<'_> {
    /// Whether there are no parameters, or NULL.
    pub(crate) fn is_plain(&self) -> bool {
        self.parameters.is_none_or(|parameters| parameters == NULL)
    }
}

pub(crate) const NULL: Tlv<'static> = Tlv(&[5, 0]);

impl FixedTag for Algorithm<'_> {
    const TAG: Tag = Tag::Sequence;
}

impl<'a> DecodeValue<'a> for Algorithm<'a> {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, _: Header) -> der::Result<Self> {
        let oid = reader.decode()?;
        let parameters = if reader.is_finished() {
            None
        } else {
            Some(reader.decode()?)
        };
        Ok(Self { oid, parameters })
    }
}

impl EncodeValue for Algorithm<'_> {
    fn value_len(&self) -> der::Result<Length> {
        let parameters = self
            .parameters
            .map_or(Ok(Length::ZERO), |parameters| parameters.encoded_len())?;
        self.oid.encoded_len()? + parameters
    }

    fn encode_value(&self, writer: &mut impl Writer) -> der::Result<()> {
        self.oid.encode(writer)?;
        match self.parameters {
            Some(parameters) => parameters.encode(writer),
            None => Ok(()),
        }
    }
}

/// Reads one `T` that fills `bytes`.
pub(crate) fn read<'a, T>(what: &'static str, bytes: &'a [u8]) -> Result<T, Error>
where
    T: Decode<'a>,
{
    T::from_der(bytes).map_err(|error| Error::malformed(what, error))
}

/// Writes `value`.
pub(crate) fn write(what: &'static str, value: &impl Encode) -> Result<Vec<u8>, Error> {
    value
        .to_der()
        .map_err(|error| Error::malformed(what, error))
}

/// The elements that follow one another in `bytes`; the first broken one ends the walk with an error.
pub(crate) fn elements(bytes: &[u8]) -> impl Iterator<Item = Result<Tlv<'_>, Error>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let split = ends(rest).and_then(|(_, end)| rest.split_at_checked(end));
        let Some((element, after)) = split else {
            rest = &[];
            return Some(Err(Error::malformed("element", "broken or cut off")));
        };
        rest = after;
        Some(Ok(Tlv(element)))
    })
}

/// Where the header of the DER element at the front of `bytes` ends, and where the element does.
fn ends(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut at = 1;
    if bytes.first()? & 0x1f == 0x1f {
        while bytes.get(at)? & 0x80 != 0 {
            at += 1;
        }
        at += 1;
    }
    let first = *bytes.get(at)?;
    at += 1;
    let length = match first {
        0..=0x7f => usize::from(first),
        // Longer ones exceed every limit of messages.
        0x81..=0x84 => {
            let digits = bytes.get(at..at + usize::from(first & 0x7f))?;
            at += digits.len();
            let length = digits.iter().try_fold(0_usize, |length, digit| {
                Some(length.checked_mul(256)? + usize::from(*digit))
            })?;
            // The shortest form is the only one (X.690, section 10.1).
            (length >= 0x80 && *digits.first()? != 0).then_some(length)?
        }
        _ => return None,
    };
    let end = at.checked_add(length)?;
    (end <= bytes.len()).then_some((at, end))
}

/// One element with the identifier octet `tag` around `value`.
pub(crate) fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() + 6);
    out.push(tag);
    write_length(&mut out, value.len());
    out.extend_from_slice(value);
    out
}

/// Appends a DER length.
pub(crate) fn write_length(out: &mut Vec<u8>, length: usize) {
    if length < 0x80 {
        out.push(length as u8);
        return;
    }
    let bytes = length.to_be_bytes();
    let skip = bytes.iter().take_while(|byte| **byte == 0).count();
    out.push(0x80 | (bytes.len() - skip) as u8);
    out.extend_from_slice(bytes.get(skip..).unwrap_or(&[]));
}

/// A SET OF in DER: the elements in ascending order of their bytes (X.690, section 11.6).
pub(crate) fn set_of(mut elements: Vec<Vec<u8>>) -> Vec<u8> {
    elements.sort();
    elements.concat()
}

/// Where `inner`, a part of `outer`, lies in it.
pub(crate) fn span(outer: &[u8], inner: &[u8]) -> std::ops::Range<usize> {
    let start = (inner.as_ptr() as usize).saturating_sub(outer.as_ptr() as usize);
    start..start + inner.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_of_every_tag_are_walked() {
        let bytes = [
            0x1c, 1, 7, 0x24, 0, 0xbf, 0x81, 0x01, 1, 9, 0x30, 0x81, 0x80,
        ];
        let bytes = [&bytes[..], &[0; 128]].concat();
        let values: Vec<_> = elements(&bytes)
            .map(|element| element.map(|element| (element.tag(), element.value().len())))
            .collect::<Result<_, _>>()
            .unwrap();
        assert_eq!(values, [(0x1c, 1), (0x24, 0), (0xbf, 1), (0x30, 128)]);
        assert_eq!(Tlv::from_der(&bytes[..3]).unwrap().value(), [7]);
    }

    #[test]
    fn only_the_shortest_integer_is_minimal() {
        for (bytes, expected) in [
            (&[][..], false),
            (&[0], true),
            (&[0, 0x80], true),
            (&[0, 0x7f], false),
            (&[0xff], true),
            (&[0xff, 0x7f], true),
            (&[0xff, 0x80], false),
        ] {
            assert_eq!(RawInteger(bytes).is_minimal(), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn a_broken_element_ends_the_walk() {
        for broken in [
            &[0x30][..],
            &[0x30, 1],
            &[0x30, 0x80, 0, 0],
            &[0x30, 0x81, 0x7f],
            &[0x30, 0x82, 0, 0x80],
            &[0x30, 0x85, 1, 0, 0, 0, 0],
            &[0x1f, 0xff],
        ] {
            let mut walk = elements(broken);
            assert!(walk.next().unwrap().is_err(), "{broken:02x?}");
            assert!(walk.next().is_none());
            assert!(Tlv::from_der(broken).is_err());
        }
    }
}
