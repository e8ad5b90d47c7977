//! Keys of dictionaries: text, which is also read as a number where the type has numbers for keys.

use std::{borrow::Cow, str::FromStr};

use serde::{
    de::{self, DeserializeSeed, EnumAccess, Visitor},
    forward_to_deserialize_any,
};

use super::NoContent;
use crate::{Error, ErrorKind};

/// A key. One from the document itself can be borrowed by the type.
pub(super) struct KeyDeserializer<'de, 'k> {
    key: &'k Cow<'de, str>,
}

impl<'de, 'k> KeyDeserializer<'de, 'k> {
    #[inline]
    pub(super) fn new(key: &'k Cow<'de, str>) -> Self {
        Self { key }
    }

    fn parse<T: FromStr>(&self, expected: &str) -> Result<T, Error> {
        self.key.parse().map_err(|_| {
            Error::new(ErrorKind::InvalidValue {
                expected: expected.to_owned(),
            })
        })
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            visitor.$visit(self.parse("a key that is a number")?)
        }
    )*};
}

impl<'de> de::Deserializer<'de> for KeyDeserializer<'de, '_> {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.key {
            Cow::Borrowed(key) => visitor.visit_borrowed_str(key),
            Cow::Owned(key) => visitor.visit_str(key),
        }
    }

    numbers! {
        deserialize_i8 visit_i8
        deserialize_i16 visit_i16
        deserialize_i32 visit_i32
        deserialize_i64 visit_i64
        deserialize_u8 visit_u8
        deserialize_u16 visit_u16
        deserialize_u32 visit_u32
        deserialize_u64 visit_u64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_bool(self.parse("a key that is true or false")?)
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

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple tuple_struct map
        struct identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for KeyDeserializer<'de, '_> {
    type Error = Error;
    type Variant = NoContent;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, NoContent), Error> {
        Ok((seed.deserialize(self)?, NoContent))
    }
}
