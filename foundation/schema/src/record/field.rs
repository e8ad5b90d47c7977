//! How each type of value is read and written.

use std::collections::BTreeMap;

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use chrono::{DateTime, Utc};
use mdm_core::Secret;
use mdm_plist::{Dictionary, Value, date};
use zeroize::Zeroize;

use super::{Field, Log, Place, Record};
use crate::finding::{Rule, Severity};

impl<T: Record> Field for T {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::Dictionary(keys) => Some(T::read(keys, place)),
            _ => {
                place.note_mismatch("a dictionary");
                None
            }
        }
    }

    fn write(&self) -> Value {
        let mut keys = Dictionary::new();
        Record::write(self, &mut keys);
        Value::Dictionary(keys)
    }

    fn placeholder() -> Self {
        T::read(&Dictionary::new(), &Place::root(&Log::default()))
    }
}

/// What holds its own type holds it boxed.
impl<T: Record> Record for Box<T> {
    fn read(keys: &Dictionary, place: &Place<'_>) -> Self {
        Self::new(T::read(keys, place))
    }

    fn write(&self, keys: &mut Dictionary) {
        T::write(self, keys);
    }
}

// Loops where iterators would be shorter: each adaptor is compiled again for each type of element,
// and that was most of what generated types cost to compile.
impl<T: Field> Field for Vec<T> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            // An array is read whole or not at all, so that its indices stay true.
            Value::Array(values) => {
                let mut read = Self::with_capacity(values.len());
                for (index, value) in values.iter().enumerate() {
                    match T::read(value, &place.index(index)) {
                        Some(value) => read.push(value),
                        None => return None,
                    }
                }
                Some(read)
            }
            _ => {
                place.note_mismatch("an array");
                None
            }
        }
    }

    fn write(&self) -> Value {
        let mut values = Vec::with_capacity(self.len());
        for value in self {
            values.push(value.write());
        }
        Value::Array(values)
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::Dictionary(entries) => {
                let mut read = Self::new();
                for (key, value) in entries {
                    read.insert(key.clone(), T::read(value, &place.key(key))?);
                }
                Some(read)
            }
            _ => {
                place.note_mismatch("a dictionary");
                None
            }
        }
    }

    fn write(&self) -> Value {
        let mut entries = Dictionary::new();
        for (key, value) in self {
            entries.insert(key.clone(), value.write());
        }
        Value::Dictionary(entries)
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

/// Bytes. Base64 text is read as well: JSON has no bytes.
impl Field for Vec<u8> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::Data(bytes) => Some(bytes.clone()),
            Value::String(text) => base64(text).or_else(|| place.mismatch("data")),
            _ => place.mismatch("data"),
        }
    }

    fn write(&self) -> Value {
        Value::Data(self.clone())
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

/// The bytes of base64 text; the padding may be missing.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(text.trim_ascii()).ok()
}

/// A whole number; `1.0` is read as one.
impl Field for i64 {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        integer(value).or_else(|| place.mismatch("an integer"))
    }

    fn write(&self) -> Value {
        Value::Integer((*self).into())
    }

    fn placeholder() -> Self {
        0
    }
}

/// The whole number that a value is, `1.0` included.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    /// Beyond this a real does not tell whole numbers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Integer(number) => number.as_signed(),
        #[allow(clippy::cast_possible_truncation)] // Whole, and well within an i64.
        Value::Real(number) if number.fract() == 0.0 && number.abs() <= EXACT => {
            Some(*number as i64)
        }
        _ => None,
    }
}

/// A number; an integer is read as one.
impl Field for f64 {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        real(value).or_else(|| place.mismatch("a number"))
    }

    fn write(&self) -> Value {
        Value::Real(*self)
    }

    fn placeholder() -> Self {
        0.0
    }
}

/// The number that a value is.
pub(crate) fn real(value: &Value) -> Option<f64> {
    #[allow(clippy::cast_precision_loss)] // What a real can tell of it.
    match value {
        Value::Real(number) => Some(*number),
        Value::Integer(number) => number
            .as_signed()
            .map(|number| number as f64)
            .or_else(|| number.as_unsigned().map(|number| number as f64)),
        _ => None,
    }
}

/// A boolean; 0 and 1 are read as well, and noted: devices write them (`IsDownloaded` of iOS 11.3), and take them in
/// profiles.
impl Field for bool {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        let read = boolean(value);
        match read {
            None => place.note_mismatch("a boolean"),
            Some(_) if value.as_boolean().is_none() => {
                place.note(Rule::Type, Severity::Warning, NUMBER_FOR_BOOLEAN);
            }
            Some(_) => {}
        }
        read
    }

    fn write(&self) -> Value {
        Value::Boolean(*self)
    }

    fn placeholder() -> Self {
        false
    }
}

/// What is noted of a number in the place of a boolean.
pub(crate) const NUMBER_FOR_BOOLEAN: &str = "is an integer, not a boolean";

/// The boolean that a value is, or that a number stands for.
pub(crate) fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Boolean(boolean) => Some(*boolean),
        Value::Integer(number) => match number.as_signed() {
            Some(0) => Some(false),
            Some(1) => Some(true),
            _ => None,
        },
        _ => None,
    }
}

impl Field for String {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::String(text) => Some(text.clone()),
            _ => place.mismatch("a string"),
        }
    }

    fn write(&self) -> Value {
        Value::String(self.clone())
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

/// A date, in whole seconds; the text of RFC 3339 is read as well: JSON has no dates. One outside
/// the years 0 to 9999, which no document can hold, is written as the nearest within.
impl Field for DateTime<Utc> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::Date(time) => Some(date::to_chrono(*time)),
            Value::String(text) => match DateTime::parse_from_rfc3339(text) {
                Ok(time) => Some(time.into()),
                Err(_) => place.mismatch("a date"),
            },
            _ => place.mismatch("a date"),
        }
    }

    fn write(&self) -> Value {
        Value::Date(date::from_chrono_or_nearest(*self))
    }

    fn placeholder() -> Self {
        Self::UNIX_EPOCH
    }
}

/// Any value.
impl Field for Value {
    fn read(value: &Value, _: &Place<'_>) -> Option<Self> {
        Some(value.clone())
    }

    fn write(&self) -> Value {
        self.clone()
    }

    fn placeholder() -> Self {
        Self::Dictionary(Dictionary::new())
    }
}

/// A dictionary of anything.
impl Field for Dictionary {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::Dictionary(entries) => Some(entries.clone()),
            _ => {
                place.note_mismatch("a dictionary");
                None
            }
        }
    }

    fn write(&self) -> Value {
        Value::Dictionary(self.clone())
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

impl<T: Field + Zeroize> Field for Secret<T> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        T::read(value, place).map(Self::new)
    }

    fn write(&self) -> Value {
        self.expose().write()
    }

    fn placeholder() -> Self {
        Self::new(T::placeholder())
    }
}
