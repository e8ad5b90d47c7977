//! Types that lose nothing: a typed view that keeps what it does not know ([`Kept`]), a catch-all
//! dictionary ([`Rest`]) and a value of any type ([`Any`]).

use plist::{Dictionary, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

/// A value of any type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Any(pub Value);

/// The remaining keys of a dictionary, for `#[serde(flatten)]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rest(pub Dictionary);

/// `T` together with the dictionary it was read from: unknown keys are kept, reachable, and written
/// back in their place.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept<T> {
    /// What is known; change it freely.
    pub value: T,
    original: Dictionary,
}

impl<T> Kept<T> {
    /// A value that was not read from anywhere.
    pub fn new(value: T) -> Self {
        Self {
            value,
            original: Dictionary::new(),
        }
    }

    /// The dictionary as it was read.
    pub fn original(&self) -> &Dictionary {
        &self.original
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Kept<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let original = Dictionary::deserialize(deserializer)?;
        let value = crate::from_value(Value::Dictionary(original.clone()))
            .map_err(serde::de::Error::custom)?;
        Ok(Self { value, original })
    }
}

impl<T: Serialize> Serialize for Kept<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}
