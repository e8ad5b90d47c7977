//! Structs that take what fits and keep the rest.

use mdm_core::SerialNumber;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};

/// A value inside of a loose struct: taken where it fits, else given back.
pub(super) trait Field: Sized {
    fn take(value: Value) -> Result<Self, Value>;
    fn put(&self) -> Value;
}

/// Declares a struct whose keys are all optional and which keeps what it does not understand.
macro_rules! loose {
    (
        $(#[$meta:meta])*
        pub struct $name:ident {
            $( $(#[$field_meta:meta])* $field:ident: $type:ty ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        #[non_exhaustive]
        pub struct $name {
            $( $(#[$field_meta])* pub $field: Option<$type>, )+
            /// Keys without a name here, and values of another type than documented.
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
                        let mut out = <$name>::default();
                        while let Some($crate::model::loose::Key(key)) = map.next_key()? {
                            let value: serde_json::Value = map.next_value()?;
                            let kept = match key.as_ref() {
                                _ if value.is_null() => None,
                                $( stringify!($field) => {
                                    match $crate::model::loose::Field::take(value) {
                                        Ok(value) => {
                                            out.$field = Some(value);
                                            None
                                        }
                                        Err(value) => Some(value),
                                    }
                                } )+
                                _ => Some(value),
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

                let mut map = serializer.serialize_map(None)?;
                $( if let Some(value) = &self.$field {
                    map.serialize_entry(
                        stringify!($field),
                        &$crate::model::loose::Field::put(value),
                    )?;
                } )+
                for (key, value) in &self.extra {
                    let taken = match key.as_str() {
                        $( stringify!($field) => self.$field.is_some(), )+
                        _ => false,
                    };
                    if !taken {
                        map.serialize_entry(key, value)?;
                    }
                }
                map.end()
            }
        }

        $crate::model::loose::object_field!($name);
    };
}

/// Lets a type that serde reads be a field too.
macro_rules! object_field {
    ($name:ty) => {
        impl $crate::model::loose::Field for $name {
            fn take(value: serde_json::Value) -> Result<Self, serde_json::Value> {
                $crate::model::loose::take_with_serde(value)
            }

            fn put(&self) -> serde_json::Value {
                serde_json::to_value(self).unwrap_or_default()
            }
        }
    };
}

/// Lets an open enum be a field; an empty text says nothing.
macro_rules! text_field {
    ($name:ty) => {
        impl $crate::model::loose::Field for $name {
            fn take(value: serde_json::Value) -> Result<Self, serde_json::Value> {
                match &value {
                    serde_json::Value::String(text) if !text.is_empty() => {
                        Ok(<$name>::from(text.as_str()))
                    }
                    _ => Err(value),
                }
            }

            fn put(&self) -> serde_json::Value {
                serde_json::Value::String(self.as_str().to_owned())
            }
        }
    };
}

pub(super) use {loose, object_field, text_field};

/// A key, borrowed from the input where it holds no escapes.
#[derive(Deserialize)]
pub(super) struct Key<'a>(#[serde(borrow)] pub(super) std::borrow::Cow<'a, str>);

pub(super) fn take_with_serde<T: DeserializeOwned>(value: Value) -> Result<T, Value> {
    match &value {
        Value::Object(_) => T::deserialize(&value).map_err(|_| value),
        _ => Err(value),
    }
}

impl Field for String {
    fn take(value: Value) -> Result<Self, Value> {
        match value {
            Value::String(text) if !text.is_empty() => Ok(text),
            other => Err(other),
        }
    }

    fn put(&self) -> Value {
        Value::String(self.clone())
    }
}

impl Field for bool {
    fn take(value: Value) -> Result<Self, Value> {
        value.as_bool().ok_or(value)
    }

    fn put(&self) -> Value {
        Value::Bool(*self)
    }
}

impl Field for u32 {
    fn take(value: Value) -> Result<Self, Value> {
        value
            .as_u64()
            .and_then(|number| Self::try_from(number).ok())
            .ok_or(value)
    }

    fn put(&self) -> Value {
        Value::from(*self)
    }
}

impl Field for SerialNumber {
    fn take(value: Value) -> Result<Self, Value> {
        value
            .as_str()
            .and_then(|text| Self::new(text).ok())
            .ok_or(value)
    }

    fn put(&self) -> Value {
        Value::String(self.as_str().to_owned())
    }
}

/// A list, or the one item that should have been a list of one (seen for MAC addresses).
impl<T: Field> Field for Vec<T> {
    fn take(value: Value) -> Result<Self, Value> {
        let Value::Array(items) = value else {
            return T::take(value).map(|item| vec![item]);
        };
        // Taken from a copy, so that one odd item gives back the whole list.
        let taken: Result<Self, Value> = items.iter().cloned().map(T::take).collect();
        taken.map_err(|_| Value::Array(items))
    }

    fn put(&self) -> Value {
        self.iter().map(Field::put).collect()
    }
}

impl Field for Map<String, Value> {
    fn take(value: Value) -> Result<Self, Value> {
        match value {
            Value::Object(map) => Ok(map),
            other => Err(other),
        }
    }

    fn put(&self) -> Value {
        Value::Object(self.clone())
    }
}
