//! What a single value has to be: its type, the values allowed, its bounds.

use mdm_plist::Value;

use super::*;
use crate::{
    model::{Literal, Range},
    record,
};

/// The longest text that a message quotes, in bytes.
const MAX_QUOTED: usize = 64;

/// The most values that a message lists.
const MAX_LISTED: usize = 6;

/// Why a value is not of its type.
pub(super) struct Mismatch {
    pub(super) severity: Severity,
    pub(super) message: &'static str,
}

/// Whether a value is of a type; in JSON bytes and dates are text.
pub(super) fn fits(wanted: ValueType, value: &Value, json: bool) -> Result<(), Mismatch> {
    let text = if json { value.as_string() } else { None };
    let (fits, message) = match wanted {
        ValueType::Any => (true, ""),
        ValueType::String => (value.as_string().is_some(), "is not a string"),
        ValueType::Boolean => match value {
            // What reads JSON on a device takes no number for a boolean.
            Value::Integer(_) if !json && record::boolean(value).is_some() => {
                return Err(Mismatch {
                    severity: Severity::Warning,
                    message: record::NUMBER_FOR_BOOLEAN,
                });
            }
            _ => (value.as_boolean().is_some(), "is not a boolean"),
        },
        ValueType::Array => (value.as_array().is_some(), "is not an array"),
        ValueType::Dictionary => (value.as_dictionary().is_some(), "is not a dictionary"),
        ValueType::Real => (record::real(value).is_some(), "is not a number"),
        ValueType::Data => {
            let bytes = value.as_data().is_some();
            let base64 = text.is_some_and(|text| record::base64(text).is_some());
            (bytes || base64, "is not data")
        }
        ValueType::Date => {
            let date = value.as_date().is_some();
            let written =
                text.is_some_and(|text| chrono::DateTime::parse_from_rfc3339(text).is_ok());
            (date || written, "is not a date")
        }
        ValueType::Integer => match value {
            Value::Real(_) if record::integer(value).is_some() => {
                return Err(Mismatch {
                    severity: Severity::Warning,
                    message: "is a real, not an integer",
                });
            }
            _ => (
                value.as_signed_integer().is_some() || value.as_unsigned_integer().is_some(),
                "is not an integer",
            ),
        },
    };
    if fits {
        return Ok(());
    }
    let severity = Severity::Error;
    Err(Mismatch { severity, message })
}

/// Notes a value that is not among those allowed, and returns the one that it is.
pub(super) fn allowed(
    key: &'static Key,
    value: &Value,
    severity: Severity,
    place: &Place<'_>,
) -> Option<&'static Choice> {
    if key.allowed.is_empty() {
        return None;
    }
    let choice = key
        .allowed
        .iter()
        .find(|choice| equals(&choice.value, value));
    if choice.is_none() {
        place.note(Rule::Enum, severity, not_allowed(key, value));
    }
    choice
}

/// Says which value it is that is not allowed, and which ones are, as far as that is short.
fn not_allowed(key: &Key, value: &Value) -> String {
    let found = match value {
        _ if key.secret => None,
        Value::String(text) => quoted(text),
        Value::Integer(number) => Some(format!("{number} is")),
        Value::Real(number) => Some(format!("{number} is")),
        _ => None,
    };
    let found = found.unwrap_or_else(|| "is".to_owned());
    let wanted = key.allowed.iter().map(|choice| choice.value.to_string());
    let wanted = wanted.take(MAX_LISTED + 1).collect::<Vec<_>>();
    if key.secret || wanted.len() > MAX_LISTED {
        format!("{found} none of the allowed values")
    } else {
        format!("{found} none of {}", wanted.join(", "))
    }
}

/// A text that is short enough to be quoted.
pub(super) fn quoted(text: &str) -> Option<String> {
    (text.len() <= MAX_QUOTED).then(|| format!("{text:?} is"))
}

#[allow(clippy::float_cmp)] // What the schema lists is exact.
#[allow(clippy::cast_precision_loss)] // So are its integers.
fn equals(literal: &Literal, value: &Value) -> bool {
    match literal {
        Literal::String(text) => value.as_string() == Some(*text),
        Literal::Boolean(boolean) => record::boolean(value) == Some(*boolean),
        Literal::Integer(number) => record::real(value) == Some(*number as f64),
        Literal::Real(number) => record::real(value) == Some(*number),
    }
}

/// Notes a number that is out of its range.
pub(super) fn bounds(key: &Key, value: &Value, place: &Place<'_>) {
    let (Some(Range { min, max }), Some(number)) = (key.range, record::real(value)) else {
        return;
    };
    // So that what is no number is out of every range.
    let above = min.is_none_or(|min| number >= min);
    let below = max.is_none_or(|max| number <= max);
    if !above || !below {
        let message = match (min, max) {
            (Some(min), Some(max)) => format!("is not between {min} and {max}"),
            (Some(min), None) => format!("is less than {min}"),
            (_, max) => format!("is more than {}", max.unwrap_or_default()),
        };
        place.note(Rule::Range, Severity::Error, message);
    }
}

/// Notes an array that has too few or too many elements.
pub(super) fn repetition(element: &Key, count: usize, place: &Place<'_>) {
    let Some(wanted) = element.repetition else {
        return;
    };
    if count < wanted.min || count > wanted.max {
        let message = if wanted.min == wanted.max {
            format!("has {count} elements, not {}", wanted.min)
        } else {
            format!("has {count} elements, not {} to {}", wanted.min, wanted.max)
        };
        place.note(Rule::Range, Severity::Error, message);
    }
}
