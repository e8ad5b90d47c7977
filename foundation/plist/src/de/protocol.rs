//! How the types of the `plist` crate make themselves known: by newtype structs with private names.
//!
//! Inside a [`Value`](plist::Value) dates and UIDs come as enums of the same names.

use serde::{
    de::{
        self, DeserializeSeed, EnumAccess, IntoDeserializer, VariantAccess, Visitor,
        value::StrDeserializer,
    },
    forward_to_deserialize_any,
};

use super::{ValueDeserializer, mismatch, too_long, visit_scalar, visit_text};
use crate::{
    Error,
    reader::{Event, Reader},
};

pub(crate) const VALUE: &str = "PLIST-VALUE";
pub(crate) const DATE: &str = "PLIST-DATE";
pub(crate) const UID: &str = "PLIST-UID";

/// The value that comes next, for the visitor of a `plist::Value`.
pub(super) struct InValue<'r, R>(pub(super) &'r mut R);

impl<'de, R: Reader<'de>> de::Deserializer<'de> for InValue<'_, R> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.value()? {
            Event::Array => ValueDeserializer(self.0).array(visitor),
            Event::Dictionary => ValueDeserializer(self.0).dictionary(visitor),
            scalar @ (Event::Date(_) | Event::Uid(_)) => visitor.visit_enum(Named(scalar)),
            scalar => visit_scalar(scalar, visitor),
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// What is inside the newtype: the text of a date or the number of a UID.
pub(super) struct ScalarDeserializer<'de>(pub(super) Event<'de>);

impl<'de> de::Deserializer<'de> for ScalarDeserializer<'de> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0 {
            Event::Date(text) | Event::String(text) => visit_text(text, visitor),
            Event::Uid(number) => visitor.visit_u64(number),
            other => Err(mismatch(&other, &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// A date or UID as a newtype variant that is named after its type.
struct Named<'de>(Event<'de>);

impl<'de> EnumAccess<'de> for Named<'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name = match self.0 {
            Event::Uid(_) => UID,
            _ => DATE,
        };
        let name: StrDeserializer<'_, Error> = name.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Named<'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Err(mismatch(&self.0, &"a unit variant"))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(ScalarDeserializer(self.0))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        Err(too_long("a newtype variant"))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        Err(too_long("a newtype variant"))
    }
}
