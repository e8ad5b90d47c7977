//! From serde to a tree of values that is fit to be written.
//!
//! A property list has no null: `None` as a field or as the value of a map leaves the key out,
//! anywhere else it is an error. Dates are cut to whole seconds.

use std::borrow::Cow;

use plist::{Dictionary, Uid, Value};
use serde::{Serialize, ser};

use crate::{Error, ErrorKind, Limits, Segment, ValueKind, de};

mod key;
mod text;
pub(crate) mod xml;

use key::KeySerializer;

/// Builds the tree. `None` stands for null.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ValueSerializer {
    depth: usize,
    /// Replace characters that XML forbids.
    clean: bool,
}

/// The tree of a whole document.
pub(crate) fn tree<T: Serialize + ?Sized>(value: &T, clean: bool) -> Result<Value, Error> {
    value
        .serialize(ValueSerializer { depth: 0, clean })?
        .ok_or_else(|| ErrorKind::Null.into())
}

impl ValueSerializer {
    fn inner(self) -> Result<Self, Error> {
        let depth = self.depth + 1;
        if depth > Limits::MAX_DEPTH {
            let limit = Limits::MAX_DEPTH;
            return Err(ErrorKind::TooDeep { limit }.into());
        }
        Ok(Self { depth, ..self })
    }

    fn text<'t>(self, text: &'t str) -> Cow<'t, str> {
        if self.clean {
            text::writable(text)
        } else {
            Cow::Borrowed(text)
        }
    }

    fn array(self, wrap: Option<&'static str>, len: Option<usize>) -> Result<ArrayOut, Error> {
        let outer = if wrap.is_some() { self.inner()? } else { self };
        Ok(ArrayOut {
            items: Vec::with_capacity(len.unwrap_or(0).min(PREALLOCATED)),
            inner: outer.inner()?,
            wrap,
        })
    }

    fn dictionary(self, wrap: Option<&'static str>) -> Result<DictionaryOut, Error> {
        let outer = if wrap.is_some() { self.inner()? } else { self };
        Ok(DictionaryOut {
            entries: Dictionary::new(),
            key: None,
            inner: outer.inner()?,
            wrap,
        })
    }
}

fn wrapped(wrap: Option<&'static str>, value: Value) -> Value {
    match wrap {
        Some(variant) => Value::Dictionary(Dictionary::from_iter([(variant, value)])),
        None => value,
    }
}

macro_rules! scalars {
    ($($method:ident($type:ty) |$value:ident| $build:expr;)*) => {$(
        fn $method(self, $value: $type) -> Result<Option<Value>, Error> {
            Ok(Some($build))
        }
    )*};
}

impl ser::Serializer for ValueSerializer {
    type Ok = Option<Value>;
    type Error = Error;
    type SerializeSeq = ArrayOut;
    type SerializeTuple = ArrayOut;
    type SerializeTupleStruct = ArrayOut;
    type SerializeTupleVariant = ArrayOut;
    type SerializeMap = DictionaryOut;
    type SerializeStruct = DictionaryOut;
    type SerializeStructVariant = DictionaryOut;

    scalars! {
        serialize_bool(bool) |v| v.into();
        serialize_i8(i8) |v| v.into();
        serialize_i16(i16) |v| v.into();
        serialize_i32(i32) |v| v.into();
        serialize_i64(i64) |v| v.into();
        serialize_u8(u8) |v| v.into();
        serialize_u16(u16) |v| v.into();
        serialize_u32(u32) |v| v.into();
        serialize_u64(u64) |v| v.into();
        serialize_f32(f32) |v| v.into();
        serialize_f64(f64) |v| v.into();
        serialize_bytes(&[u8]) |v| Value::Data(v.to_vec());
    }

    fn serialize_i128(self, value: i128) -> Result<Option<Value>, Error> {
        match (i64::try_from(value), u64::try_from(value)) {
            (Ok(value), _) => Ok(Some(value.into())),
            (_, Ok(value)) => Ok(Some(value.into())),
            _ => Err(ErrorKind::IntegerRange.into()),
        }
    }

    fn serialize_u128(self, value: u128) -> Result<Option<Value>, Error> {
        match u64::try_from(value) {
            Ok(value) => Ok(Some(value.into())),
            Err(_) => Err(ErrorKind::IntegerRange.into()),
        }
    }

    fn serialize_char(self, value: char) -> Result<Option<Value>, Error> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<Option<Value>, Error> {
        Ok(Some(Value::String(self.text(value).into_owned())))
    }

    fn serialize_none(self) -> Result<Option<Value>, Error> {
        Ok(None)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<Option<Value>, Error> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<Option<Value>, Error> {
        Ok(Some(Value::String(String::new())))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Option<Value>, Error> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Option<Value>, Error> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<Option<Value>, Error> {
        let inner = value.serialize(self)?;
        match (name, &inner) {
            (de::DATE, Some(Value::String(text))) => date(text).map(Some),
            (de::UID, Some(Value::Integer(number))) => {
                let number = number.as_unsigned().ok_or(ErrorKind::IntegerRange)?;
                Ok(Some(Value::Uid(Uid::new(number))))
            }
            _ => Ok(inner),
        }
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<Option<Value>, Error> {
        let value = value
            .serialize(self.inner()?)?
            .ok_or_else(|| Error::new(ErrorKind::Null).under(Segment::Key(variant.into())))?;
        Ok(Some(wrapped(Some(variant), value)))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<ArrayOut, Error> {
        self.array(None, len)
    }

    fn serialize_tuple(self, len: usize) -> Result<ArrayOut, Error> {
        self.array(None, Some(len))
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<ArrayOut, Error> {
        self.array(None, Some(len))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<ArrayOut, Error> {
        self.array(Some(variant), Some(len))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<DictionaryOut, Error> {
        self.dictionary(None)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<DictionaryOut, Error> {
        self.dictionary(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<DictionaryOut, Error> {
        self.dictionary(Some(variant))
    }
}

/// A date in whole seconds, of the years that XML can write.
fn date(text: &str) -> Result<Value, Error> {
    crate::date::parse(text)
        .and_then(crate::date::from_chrono)
        .map(Value::Date)
        .ok_or_else(|| ErrorKind::Malformed(ValueKind::Date).into())
}

/// An array under construction.
#[derive(Debug)]
pub(crate) struct ArrayOut {
    items: Vec<Value>,
    inner: ValueSerializer,
    wrap: Option<&'static str>,
}

impl ArrayOut {
    fn push<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let index = self.items.len();
        let item = value
            .serialize(self.inner)
            .and_then(|item| item.ok_or_else(|| ErrorKind::Null.into()))
            .map_err(|error| error.under(Segment::Index(index)))?;
        self.items.push(item);
        Ok(())
    }

    fn finish(self) -> Result<Option<Value>, Error> {
        Ok(Some(wrapped(self.wrap, Value::Array(self.items))))
    }
}

/// A dictionary under construction. Of equal keys the last one counts.
#[derive(Debug)]
pub(crate) struct DictionaryOut {
    entries: Dictionary,
    key: Option<String>,
    inner: ValueSerializer,
    wrap: Option<&'static str>,
}

impl DictionaryOut {
    fn insert<T: Serialize + ?Sized>(&mut self, key: String, value: &T) -> Result<(), Error> {
        match value.serialize(self.inner) {
            Ok(Some(value)) => {
                self.entries.insert(key, value);
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => Err(error.under(Segment::Key(key))),
        }
    }

    fn finish(self) -> Result<Option<Value>, Error> {
        Ok(Some(wrapped(self.wrap, Value::Dictionary(self.entries))))
    }
}

macro_rules! array_out {
    ($($trait:ident::$method:ident)*) => {$(
        impl ser::$trait for ArrayOut {
            type Ok = Option<Value>;
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
                self.push(value)
            }

            fn end(self) -> Result<Option<Value>, Error> {
                self.finish()
            }
        }
    )*};
}

array_out! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}

macro_rules! dictionary_out {
    ($($trait:ident)*) => {$(
        impl ser::$trait for DictionaryOut {
            type Ok = Option<Value>;
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                value: &T,
            ) -> Result<(), Error> {
                self.insert(key.to_owned(), value)
            }

            fn end(self) -> Result<Option<Value>, Error> {
                self.finish()
            }
        }
    )*};
}

dictionary_out! { SerializeStruct SerializeStructVariant }

impl ser::SerializeMap for DictionaryOut {
    type Ok = Option<Value>;
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), Error> {
        let key = key.serialize(KeySerializer)?;
        self.key = Some(self.inner.text(&key).into_owned());
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Error> {
        let key = self.key.take().ok_or(ErrorKind::KeyNotText)?;
        self.insert(key, value)
    }

    fn end(self) -> Result<Option<Value>, Error> {
        self.finish()
    }
}

/// The most elements to reserve on a type's word.
const PREALLOCATED: usize = 4096;
