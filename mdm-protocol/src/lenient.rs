//! serde helpers for keys that a message can do without: a value of another type than the key's is read for what it
//! says, and one that says nothing counts as absent. An inventory is not lost to an `IMEI` that is a number.
//!
//! Not for the `UserID` and its like in messages that change something: without it the device would be taken for the
//! sender.

use mdm_plist::Value;
use serde::{Deserialize, Deserializer};

/// A text.
pub(crate) fn string<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<String>, D::Error> {
    Ok(Value::deserialize(deserializer)?.into_string())
}

/// A text that informs and names nobody; a number is one.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(match Value::deserialize(deserializer)? {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        // With its point: `17.0` is a version.
        Value::Real(number) => Some(format!("{number:?}")),
        _ => None,
    })
}

/// An identifier. One that is empty, or can be none, counts as absent.
pub(crate) fn id<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<String>,
{
    Ok(string(deserializer)?.and_then(|text| T::try_from(text).ok()))
}

/// A boolean; 0 and 1 are those.
pub(crate) fn boolean<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<bool>, D::Error> {
    let value = Value::deserialize(deserializer)?;
    Ok(match (value.as_boolean(), value.as_signed_integer()) {
        (Some(boolean), _) => Some(boolean),
        (None, Some(0)) => Some(false),
        (None, Some(1)) => Some(true),
        _ => None,
    })
}
