//! The serde layer over any [`Reader`].
//!
//! serde recurses from one container into the next; the readers bound how deep. Nothing else here
//! recurses: what the type does not ask for is skipped by the reader.

use std::borrow::Cow;

use serde::{
    Deserialize,
    de::{
        self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
        VariantAccess, Visitor, value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use crate::{
    Error, ErrorKind, Segment,
    reader::{Event, Reader},
};

mod key;
mod protocol;

use key::KeyDeserializer;
pub(crate) use protocol::{DATE, UID, VALUE};
use protocol::{InValue, ScalarDeserializer};

/// Decodes the whole of what the reader holds.
pub(crate) fn decode<'de, T, R>(reader: &mut R) -> Result<T, Error>
where
    T: Deserialize<'de>,
    R: Reader<'de>,
{
    let start = reader.position();
    let value = T::deserialize(ValueDeserializer(reader)).map_err(|error| locate(error, start))?;
    reader.finish()?;
    Ok(value)
}

/// The value that comes next.
pub(crate) struct ValueDeserializer<'r, R>(pub(crate) &'r mut R);

impl<'de, R: Reader<'de>> ValueDeserializer<'_, R> {
    #[inline]
    fn array<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut array = Elements {
            reader: self.0,
            index: 0,
            closed: false,
        };
        let value = visitor.visit_seq(&mut array)?;
        // A tuple stops at its length and leaves the end, or too many elements, behind.
        if array.closed || !array.reader.more()? {
            return Ok(value);
        }
        Err(too_long("fewer elements"))
    }

    #[inline]
    fn dictionary<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        let mut entries = Entries {
            reader: self.0,
            key: Cow::Borrowed(""),
            closed: false,
        };
        let value = visitor.visit_map(&mut entries)?;
        if entries.closed || entries.reader.key()?.is_none() {
            return Ok(value);
        }
        Err(too_long("fewer keys"))
    }

    #[inline]
    fn any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.value()? {
            Event::Array => self.array(visitor),
            Event::Dictionary => self.dictionary(visitor),
            scalar => visit_scalar(scalar, visitor),
        }
    }
}

/// Hands a scalar to a visitor that takes what comes. Dates and UIDs come as newtypes of their text
/// and number: `flatten` and `untagged` can hold on to that, and [`Any`](crate::Any) recognises it.
#[inline]
fn visit_scalar<'de, V: Visitor<'de>>(scalar: Event<'de>, visitor: V) -> Result<V::Value, Error> {
    match scalar {
        Event::Boolean(value) => visitor.visit_bool(value),
        Event::Integer(value) => match (value.as_unsigned(), value.as_signed()) {
            (Some(value), _) => visitor.visit_u64(value),
            (_, Some(value)) => visitor.visit_i64(value),
            _ => Err(ErrorKind::IntegerRange.into()),
        },
        Event::Real(value) => visitor.visit_f64(value),
        Event::String(text) => visit_text(text, visitor),
        Event::Data(Cow::Borrowed(bytes)) => visitor.visit_borrowed_bytes(bytes),
        Event::Data(Cow::Owned(bytes)) => visitor.visit_byte_buf(bytes),
        Event::Date(_) | Event::Uid(_) => visitor.visit_newtype_struct(ScalarDeserializer(scalar)),
        Event::Array | Event::Dictionary => Err(mismatch(&scalar, &visitor)),
    }
}

#[inline]
fn visit_text<'de, V: Visitor<'de>>(text: Cow<'de, str>, visitor: V) -> Result<V::Value, Error> {
    match text {
        Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
        Cow::Owned(text) => visitor.visit_string(text),
    }
}

#[cold]
fn mismatch(found: &Event<'_>, expected: &dyn de::Expected) -> Error {
    ErrorKind::TypeMismatch {
        expected: expected.to_string(),
        found: found.kind(),
    }
    .into()
}

#[cold]
fn too_long(expected: &str) -> Error {
    ErrorKind::InvalidLength {
        expected: expected.to_owned(),
    }
    .into()
}

#[cold]
fn locate(error: Error, position: Option<usize>) -> Error {
    match position {
        Some(position) => error.at(position),
        None => error,
    }
}

impl<'de, R: Reader<'de>> de::Deserializer<'de> for ValueDeserializer<'_, R> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.any(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.value()? {
            Event::Array => self.array(visitor),
            other => Err(mismatch(&other, &visitor)),
        }
    }

    #[inline]
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.value()? {
            Event::Dictionary => self.dictionary(visitor),
            other => Err(mismatch(&other, &visitor)),
        }
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.value()? {
            // The text of a date too: that is how foreign date types read one.
            Event::String(text) | Event::Date(text) => visit_text(text, visitor),
            other => Err(mismatch(&other, &visitor)),
        }
    }

    #[inline]
    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.value()? {
            data @ Event::Data(_) => visit_scalar(data, visitor),
            other => Err(mismatch(&other, &visitor)),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_bytes(visitor)
    }

    /// There is no null: a value that is there is `Some`.
    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    /// A unit is written as an empty string.
    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.value()? {
            Event::String(text) if text.is_empty() => visitor.visit_unit(),
            other => Err(mismatch(&other, &visitor)),
        }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_unit(visitor)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        match name {
            VALUE => visitor.visit_newtype_struct(InValue(self.0)),
            DATE => match self.0.value()? {
                date @ Event::Date(_) => visitor.visit_newtype_struct(ScalarDeserializer(date)),
                other => Err(mismatch(&other, &"a date")),
            },
            UID => match self.0.value()? {
                uid @ Event::Uid(_) => visitor.visit_newtype_struct(ScalarDeserializer(uid)),
                other => Err(mismatch(&other, &"a UID")),
            },
            _ => visitor.visit_newtype_struct(self),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        self.deserialize_map(visitor)
    }

    /// A string names a unit variant; a dictionary of one key any other.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0.value()? {
            Event::String(text) => visitor.visit_enum(UnitVariant(text)),
            Event::Dictionary => {
                let value = visitor.visit_enum(Variant(&mut *self.0))?;
                match self.0.key()? {
                    None => Ok(value),
                    Some(_) => Err(too_long("a dictionary of one key")),
                }
            }
            other => Err(mismatch(&other, &visitor)),
        }
    }

    #[inline]
    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        self.0.skip()?;
        visitor.visit_unit()
    }
}

/// The elements of an open array.
struct Elements<'r, R> {
    reader: &'r mut R,
    index: usize,
    closed: bool,
}

impl<'de, R: Reader<'de>> SeqAccess<'de> for &mut Elements<'_, R> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Error> {
        if self.closed || !self.reader.more()? {
            self.closed = true;
            return Ok(None);
        }
        let start = self.reader.position();
        match seed.deserialize(ValueDeserializer(&mut *self.reader)) {
            Ok(value) => {
                self.index += 1;
                Ok(Some(value))
            }
            Err(error) => Err(locate(error, start).under(Segment::Index(self.index))),
        }
    }
}

/// The entries of an open dictionary.
struct Entries<'r, 'de, R> {
    reader: &'r mut R,
    /// The key whose value comes next.
    key: Cow<'de, str>,
    closed: bool,
}

impl<'de, R: Reader<'de>> MapAccess<'de> for &mut Entries<'_, 'de, R> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        if self.closed {
            return Ok(None);
        }
        match self.reader.key()? {
            Some(key) => {
                self.key = key;
                let key = seed.deserialize(KeyDeserializer::new(&self.key));
                key.map(Some).map_err(|error| self.under_key(error))
            }
            None => {
                self.closed = true;
                Ok(None)
            }
        }
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Error> {
        let start = self.reader.position();
        match seed.deserialize(ValueDeserializer(&mut *self.reader)) {
            Ok(value) => Ok(value),
            Err(error) => Err(self.under_key(locate(error, start))),
        }
    }
}

impl<R> Entries<'_, '_, R> {
    #[cold]
    fn under_key(&mut self, error: Error) -> Error {
        error.under(Segment::Key(std::mem::take(&mut self.key).into_owned()))
    }
}

/// A variant named by a string.
struct UnitVariant<'de>(Cow<'de, str>);

impl<'de> EnumAccess<'de> for UnitVariant<'de> {
    type Error = Error;
    type Variant = NoContent;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, NoContent), Error> {
        let name: StrDeserializer<'_, Error> = self.0.as_ref().into_deserializer();
        Ok((seed.deserialize(name)?, NoContent))
    }
}

struct NoContent;

impl<'de> VariantAccess<'de> for NoContent {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        Err(de::Error::invalid_type(
            Unexpected::Str(""),
            &"a variant with content",
        ))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        Err(de::Error::invalid_type(Unexpected::Str(""), &visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        Err(de::Error::invalid_type(Unexpected::Str(""), &visitor))
    }
}

/// A variant named by the only key of an open dictionary.
struct Variant<'r, R>(&'r mut R);

impl<'de, R: Reader<'de>> EnumAccess<'de> for Variant<'_, R> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let Some(key) = self.0.key()? else {
            return Err(too_long("a dictionary of one key"));
        };
        Ok((seed.deserialize(KeyDeserializer::new(&key))?, self))
    }
}

impl<'de, R: Reader<'de>> VariantAccess<'de> for Variant<'_, R> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        <()>::deserialize(ValueDeserializer(self.0))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(ValueDeserializer(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_seq(ValueDeserializer(self.0), visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_map(ValueDeserializer(self.0), visitor)
    }
}
