//! The few `der` types that everything here is read and written with: raw elements that keep their bytes as given.
//!
//! Reading is strict about structure and lenient about values (negative serials, any string type), since the values
//! come from devices and old certificate authorities.

pub(crate) mod text;
pub(crate) mod time;

use der::{
    Decode, DecodeValue, Encode, EncodeValue, FixedTag, Header, Length, Reader, SliceReader, Tag,
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
        reader.tlv_bytes().map(Self)
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
        header_length(self.0).map_or(&[], |header| self.0.get(header..).unwrap_or(&[]))
    }
}

/// AlgorithmIdentifier (RFC 5280, section 4.1.1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Algorithm<'a> {
    pub(crate) oid: RawOid<'a>,
    pub(crate) parameters: Option<Tlv<'a>>,
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
    let mut reader = SliceReader::new(bytes).ok();
    std::iter::from_fn(move || {
        let source = reader.as_mut()?;
        if source.is_finished() {
            return None;
        }
        let next = source.tlv_bytes();
        if next.is_err() {
            reader = None;
        }
        Some(
            next.map(Tlv)
                .map_err(|error| Error::malformed("element", error)),
        )
    })
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

/// How many bytes the identifier and length of a definite element take.
pub(crate) fn header_length(element: &[u8]) -> Option<usize> {
    let mut at = 1;
    if element.first()? & 0x1f == 0x1f {
        while element.get(at)? & 0x80 != 0 {
            at += 1;
        }
        at += 1;
    }
    let first = *element.get(at)?;
    let more = if first & 0x80 == 0 { 0 } else { first & 0x7f };
    Some(at + 1 + usize::from(more))
}

/// Where `inner`, a part of `outer`, lies in it.
pub(crate) fn span(outer: &[u8], inner: &[u8]) -> std::ops::Range<usize> {
    let start = (inner.as_ptr() as usize).saturating_sub(outer.as_ptr() as usize);
    start..start + inner.len()
}
