//! Structs that take what fits and keep the rest.
//!
//! A page holds a thousand devices of some twenty keys, so a value goes from the text into its
//! field; only one that does not fit becomes a [`Value`].

use std::{fmt, marker::PhantomData};

use mdm_core::{Secret, SerialNumber};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{
        MapAccess, SeqAccess, Visitor,
        value::{MapAccessDeserializer, SeqAccessDeserializer},
    },
};
use serde_json::{Map, Value};

/// A value inside of a loose struct: which of JSON's values fit, and how it is written.
pub(super) trait Field: Sized {
    fn from_text(_: &str) -> Option<Self> {
        None
    }

    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    fn from_number(_: u64) -> Option<Self> {
        None
    }

    /// What a text of another form than documented stands for all the same.
    fn meant_by(_: &str) -> Option<Self> {
        None
    }

    fn from_seq<'de, A: SeqAccess<'de>>(items: A) -> Result<Read<Self>, A::Error> {
        Value::deserialize(SeqAccessDeserializer::new(items)).map(Read::Odd)
    }

    fn from_map<'de, A: MapAccess<'de>>(entries: A) -> Result<Read<Self>, A::Error> {
        Value::deserialize(MapAccessDeserializer::new(entries)).map(Read::Odd)
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// What was read where a field may stand.
pub(super) enum Read<T> {
    Fits(T),
    /// What is meant by a value of another form, and that value, which is written back as it came.
    Meant(T, Value),
    Nothing,
    Odd(Value),
}

impl<T> Read<T> {
    /// Fills the field with what fits or is meant, and gives back what has to be kept beside it.
    pub(super) fn into_field(self, field: &mut Option<T>) -> Option<Value> {
        match self {
            Self::Fits(value) => *field = Some(value),
            Self::Meant(value, kept) => {
                *field = Some(value);
                return Some(kept);
            }
            Self::Nothing => {}
            Self::Odd(value) => return Some(value),
        }
        None
    }
}

/// Whether this is still what was meant by the value that was kept.
pub(super) fn is_meant<T: Field + PartialEq>(value: &T, kept: &Value) -> bool {
    matches!(Read::<T>::deserialize(kept), Ok(Read::Meant(meant, _)) if meant == *value)
}

impl<'de, T: Field> Deserialize<'de> for Read<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ReadVisitor(PhantomData))
    }
}

struct ReadVisitor<T>(PhantomData<T>);

impl<T> ReadVisitor<T> {
    fn fits_or(taken: Option<T>, value: impl FnOnce() -> Value) -> Read<T> {
        match taken {
            Some(taken) => Read::Fits(taken),
            None => Read::Odd(value()),
        }
    }
}

impl<'de, T: Field> Visitor<'de> for ReadVisitor<T> {
    type Value = Read<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Read<T>, E> {
        Ok(match T::from_text(text) {
            Some(fitting) => Read::Fits(fitting),
            None => match T::meant_by(text) {
                Some(meant) => Read::Meant(meant, text.into()),
                None => Read::Odd(text.into()),
            },
        })
    }

    fn visit_bool<E>(self, value: bool) -> Result<Read<T>, E> {
        Ok(Self::fits_or(T::from_bool(value), || value.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Read<T>, E> {
        Ok(Self::fits_or(T::from_number(number), || number.into()))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Read<T>, E> {
        Ok(Read::Odd(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Read<T>, E> {
        Ok(Read::Odd(number.into()))
    }

    fn visit_unit<E>(self) -> Result<Read<T>, E> {
        Ok(Read::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Read<T>, A::Error> {
        T::from_seq(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, entries: A) -> Result<Read<T>, A::Error> {
        T::from_map(entries)
    }
}

/// A field as serde writes it.
pub(super) struct Put<'a, T>(pub(super) &'a T);

impl<T: Field> Serialize for Put<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.put(serializer)
    }
}

/// A key, borrowed from the input where it holds no escapes.
#[derive(Deserialize)]
pub(super) struct Key<'a>(#[serde(borrow)] pub(super) std::borrow::Cow<'a, str>);

/// Declares a struct whose keys are all optional and which keeps what it does not understand. A key
/// is named as its field, or as the text behind it.
macro_rules! loose {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $field:ident $(= $key:literal)?: $type:ty ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: Option<$type>, )+
            /// Keys without a name here, and values of another type than documented, also of
            /// those that are understood all the same.
            pub extra: serde_json::Map<String, serde_json::Value>,
        }

        impl $name {
            /// Sets some of the keys.
            #[must_use]
            pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
                change(&mut self);
                self
            }
        }

        /// What is set, and of what is kept beside it the keys: nobody knows which of it is secret.
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let mut out = f.debug_struct(stringify!($name));
                $( if let Some(value) = &self.$field {
                    out.field(stringify!($field), value);
                } )+
                if !self.extra.is_empty() {
                    out.field("extra", &self.extra.keys().collect::<Vec<_>>());
                }
                out.finish()
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Visitor;

                impl<'de> serde::de::Visitor<'de> for Visitor {
                    type Value = $name;

                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }

                    fn visit_map<A: serde::de::MapAccess<'de>>(
                        self,
                        mut map: A,
                    ) -> Result<$name, A::Error> {
                        use $crate::model::loose::{Key, Read};

                        let mut out = <$name>::default();
                        while let Some(Key(key)) = map.next_key()? {
                            let kept = match key.as_ref() {
                                $( $crate::model::loose::key!($field $($key)?) => {
                                    map.next_value::<Read<_>>()?.into_field(&mut out.$field)
                                } )+
                                _ => Some(map.next_value()?),
                            };
                            if let Some(value) = kept {
                                out.extra.insert(key.into_owned(), value);
                            }
                        }
                        Ok(out)
                    }
                }

                deserializer.deserialize_map(Visitor)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap;

                use $crate::model::loose::{Put, is_meant, key};

                let mut map = serializer.serialize_map(None)?;
                $( if let Some(value) = &self.$field {
                    let key = key!($field $($key)?);
                    match self.extra.get(key) {
                        Some(kept) if is_meant(value, kept) => map.serialize_entry(key, kept)?,
                        _ => map.serialize_entry(key, &Put(value))?,
                    }
                } )+
                for (key, value) in &self.extra {
                    let taken = match key.as_str() {
                        $( $crate::model::loose::key!($field $($key)?) => self.$field.is_some(), )+
                        _ => false,
                    };
                    if !taken {
                        map.serialize_entry(key, value)?;
                    }
                }
                map.end()
            }
        }

        /// A loose struct takes any object, so it is a field too.
        impl $crate::model::loose::Field for $name {
            fn from_map<'de, A: serde::de::MapAccess<'de>>(
                entries: A,
            ) -> Result<$crate::model::loose::Read<Self>, A::Error> {
                let entries = serde::de::value::MapAccessDeserializer::new(entries);
                serde::Deserialize::deserialize(entries).map($crate::model::loose::Read::Fits)
            }

            fn put<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serde::Serialize::serialize(self, serializer)
            }
        }
    };
}

macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

/// Lets an open enum be a field; an empty text says nothing.
macro_rules! text_field {
    ($name:ty) => {
        impl $crate::model::loose::Field for $name {
            fn from_text(text: &str) -> Option<Self> {
                (!text.is_empty()).then(|| <$name>::from(text))
            }

            fn put<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
    };
}

pub(super) use {key, loose, text_field};

impl Field for String {
    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.to_owned())
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl Field for bool {
    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }

    /// Apple's first documentation has `"more_to_follow": "false"`.
    fn meant_by(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*self)
    }
}

impl Field for u32 {
    fn from_number(number: u64) -> Option<Self> {
        Self::try_from(number).ok()
    }

    fn meant_by(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(*self)
    }
}

impl Field for SerialNumber {
    fn from_text(text: &str) -> Option<Self> {
        Self::new(text).ok()
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl Field for Secret<String> {
    fn from_text(text: &str) -> Option<Self> {
        String::from_text(text).map(Self::new)
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.expose())
    }
}

/// A list. One item without a list is meant as a list of one, and of a list with odd items those
/// that fit.
impl<T: Field> Field for Vec<T> {
    fn meant_by(text: &str) -> Option<Self> {
        let item = T::from_text(text).or_else(|| T::meant_by(text))?;
        Some(vec![item])
    }

    fn from_map<'de, A: MapAccess<'de>>(entries: A) -> Result<Read<Self>, A::Error> {
        Ok(match T::from_map(entries)? {
            Read::Fits(item) => {
                let kept = written(&item);
                Read::Meant(vec![item], kept)
            }
            Read::Meant(item, kept) => Read::Meant(vec![item], kept),
            Read::Nothing => Read::Nothing,
            Read::Odd(value) => Read::Odd(value),
        })
    }

    fn from_seq<'de, A: SeqAccess<'de>>(mut items: A) -> Result<Read<Self>, A::Error> {
        let mut fitting = Vec::new();
        // The list as it came, from the first item on that does not fit.
        let mut whole: Option<Vec<Value>> = None;
        while let Some(item) = items.next_element()? {
            let (item, kept) = match item {
                Read::Fits(item) => (Some(item), None),
                Read::Meant(item, kept) => (Some(item), Some(kept)),
                Read::Nothing => (None, Some(Value::Null)),
                Read::Odd(value) => (None, Some(value)),
            };
            if kept.is_some() && whole.is_none() {
                whole = Some(fitting.iter().map(written).collect());
            }
            if let Some(whole) = &mut whole {
                whole.extend(kept.or_else(|| item.as_ref().map(written)));
            }
            fitting.extend(item);
        }
        Ok(match whole {
            None => Read::Fits(fitting),
            Some(whole) if fitting.is_empty() => Read::Odd(whole.into()),
            Some(whole) => Read::Meant(fitting, whole.into()),
        })
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Put))
    }
}

/// An item as it came, which fitted.
fn written<T: Field>(item: &T) -> Value {
    serde_json::to_value(Put(item)).unwrap_or_default()
}

impl Field for Map<String, Value> {
    fn from_map<'de, A: MapAccess<'de>>(entries: A) -> Result<Read<Self>, A::Error> {
        Self::deserialize(MapAccessDeserializer::new(entries)).map(Read::Fits)
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.serialize(serializer)
    }
}
