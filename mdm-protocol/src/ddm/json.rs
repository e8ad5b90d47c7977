//! JSON as a dictionary of property lists and back: declarative documents are JSON, and typed
//! documents are read from and written to dictionaries.
//!
//! JSON has neither dates nor data: they become the text of RFC 3339 and of base64, and the types
//! read those again. A property list has no null: it is left out, also of arrays. Whole numbers stay
//! whole, whatever fits an `i64` or a `u64`.

use ::base64::{Engine, engine::general_purpose::STANDARD};
use chrono::SecondsFormat;
use mdm_plist::{Dictionary, Limits, Value, date};
use mdm_schema::{Finding, Item};
use serde_json::{Map, Number, Value as Json};

use super::{MAX_JSON_BYTES, decode_with};
use crate::error::Error;

/// Decodes a typed document from JSON of at most [`MAX_JSON_BYTES`], such as a credential that an
/// asset refers to.
///
/// # Errors
/// [`Error::TooLarge`] over the limit, [`Error::Json`] for what is no JSON object,
/// [`Error::Decode`] for one that does not fit its type.
pub fn from_slice<T: Item>(json: &[u8]) -> Result<T, Error> {
    let keys = to_dictionary(&decode_with(json, MAX_JSON_BYTES)?)?;
    Ok(T::from_dictionary(&keys)?)
}

/// Decodes whatever can be read of a typed document, and says what could not.
///
/// # Errors
/// See [`from_slice`], but for [`Error::Decode`].
pub fn from_slice_leniently<T: Item>(json: &[u8]) -> Result<(T, Vec<Finding>), Error> {
    let keys = to_dictionary(&decode_with(json, MAX_JSON_BYTES)?)?;
    Ok(T::from_dictionary_leniently(&keys))
}

/// Writes a typed document as JSON, such as the body of an error.
///
/// # Errors
/// See [`from_dictionary`].
pub fn to_vec<T: Item>(document: &T) -> Result<Vec<u8>, Error> {
    Ok(serde_json::to_vec(&from_dictionary(
        &document.to_dictionary(),
    )?)?)
}

/// The dictionary that a JSON object stands for.
///
/// # Errors
/// [`Error::Invalid`] for nesting beyond [`Limits::MAX_DEPTH`], or a number that is none.
pub fn to_dictionary(json: &Map<String, Json>) -> Result<Dictionary, Error> {
    dictionary(json, Limits::MAX_DEPTH)
}

/// The value that a JSON value stands for; nothing for a null.
///
/// # Errors
/// See [`to_dictionary`].
pub fn to_value(json: &Json) -> Result<Option<Value>, Error> {
    value(json, Limits::MAX_DEPTH)
}

/// The JSON object that a dictionary stands for.
///
/// # Errors
/// [`Error::Invalid`] for nesting beyond [`Limits::MAX_DEPTH`], and for what JSON does not have: a
/// UID, an infinite number, and what is no number.
pub fn from_dictionary(keys: &Dictionary) -> Result<Map<String, Json>, Error> {
    object(keys, Limits::MAX_DEPTH)
}

/// The JSON value that a value stands for.
///
/// # Errors
/// See [`from_dictionary`].
pub fn from_value(value: &Value) -> Result<Json, Error> {
    json(value, Limits::MAX_DEPTH)
}

/// Puts the nulls of the original back where nothing else stands by now; in an array, where it holds
/// as many values as it did.
pub(super) fn restore_nulls(original: &Map<String, Json>, now: &mut Map<String, Json>) {
    for (key, original) in original {
        match now.get_mut(key) {
            Some(now) => restore(original, now),
            None if original.is_null() => {
                now.insert(key.clone(), Json::Null);
            }
            None => {}
        }
    }
}

fn restore(original: &Json, now: &mut Json) {
    match (original, now) {
        (Json::Object(original), Json::Object(now)) => restore_nulls(original, now),
        (Json::Array(original), Json::Array(now)) => {
            let count = original.iter().filter(|value| !value.is_null()).count();
            if count == now.len() {
                let mut values = std::mem::take(now).into_iter();
                let restored = original.iter().filter_map(|original| match original {
                    Json::Null => Some(Json::Null),
                    original => values.next().map(|mut value| {
                        restore(original, &mut value);
                        value
                    }),
                });
                *now = restored.collect();
            }
        }
        _ => {}
    }
}

const fn invalid(problem: &'static str) -> Error {
    Error::Invalid {
        key: "a value",
        problem,
    }
}

/// The levels that are left inside of a container.
fn inside(levels: usize) -> Result<usize, Error> {
    const TOO_DEEP: &str = "nested deeper than 128 levels";
    levels.checked_sub(1).ok_or(invalid(TOO_DEEP))
}

fn dictionary(json: &Map<String, Json>, levels: usize) -> Result<Dictionary, Error> {
    let levels = inside(levels)?;
    json.iter()
        .filter_map(|(key, json)| {
            let value = value(json, levels).transpose()?;
            Some(value.map(|value| (key.clone(), value)))
        })
        .collect()
}

fn value(json: &Json, levels: usize) -> Result<Option<Value>, Error> {
    Ok(Some(match json {
        Json::Null => return Ok(None),
        Json::Bool(value) => Value::Boolean(*value),
        Json::Number(number) => number
            .as_i64()
            .map(Value::from)
            .or_else(|| number.as_u64().map(Value::from))
            .or_else(|| number.as_f64().map(Value::Real))
            .ok_or(invalid("a number of no size"))?,
        Json::String(text) => Value::String(text.clone()),
        Json::Array(values) => {
            let levels = inside(levels)?;
            let values = values
                .iter()
                .filter_map(|json| value(json, levels).transpose());
            Value::Array(values.collect::<Result<_, _>>()?)
        }
        Json::Object(keys) => Value::Dictionary(dictionary(keys, levels)?),
    }))
}

fn object(keys: &Dictionary, levels: usize) -> Result<Map<String, Json>, Error> {
    let levels = inside(levels)?;
    keys.iter()
        .map(|(key, value)| Ok((key.clone(), json(value, levels)?)))
        .collect()
}

fn json(value: &Value, levels: usize) -> Result<Json, Error> {
    Ok(match value {
        Value::Boolean(value) => Json::Bool(*value),
        Value::Integer(number) => match (number.as_signed(), number.as_unsigned()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => return Err(invalid("a number of no size")),
        },
        Value::Real(number) => Number::from_f64(*number)
            .map(Json::Number)
            .ok_or(invalid("infinite, or no number"))?,
        Value::String(text) => Json::String(text.clone()),
        Value::Data(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::Date(time) => {
            let time = date::to_chrono(*time);
            Json::String(time.to_rfc3339_opts(SecondsFormat::Secs, true))
        }
        Value::Array(values) => {
            let levels = inside(levels)?;
            let values = values.iter().map(|value| json(value, levels));
            Json::Array(values.collect::<Result<_, _>>()?)
        }
        Value::Dictionary(keys) => Json::Object(object(keys, levels)?),
        _ => return Err(invalid("a UID, which JSON does not have")),
    })
}

#[cfg(test)]
mod tests {
    use mdm_plist::Date;
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_keep_their_kind_and_size() {
        let object = json!({"a": i64::MIN, "b": u64::MAX, "c": 1.5, "d": 2.0, "e": -1});
        let object = object.as_object().unwrap();
        let keys = to_dictionary(object).unwrap();
        assert_eq!(keys["b"].as_unsigned_integer(), Some(u64::MAX));
        assert_eq!(keys["d"], Value::Real(2.0));
        assert_eq!(&from_dictionary(&keys).unwrap(), object);
    }

    #[test]
    fn a_null_is_absent() {
        let object = json!({"a": null, "b": [null, 1], "c": {"d": null}});
        let keys = to_dictionary(object.as_object().unwrap()).unwrap();
        let back = Json::Object(from_dictionary(&keys).unwrap());
        assert_eq!(back, json!({"b": [1], "c": {}}));
        assert_eq!(to_value(&Json::Null).unwrap(), None);
    }

    #[test]
    fn dates_and_data_become_text() {
        let date = Date::from_xml_format("2026-11-05T09:00:00Z").unwrap();
        let values = vec![Value::Data(vec![0xFB, 1]), Value::Date(date)];
        let json = from_value(&Value::Array(values)).unwrap();
        assert_eq!(json, json!(["+wE=", "2026-11-05T09:00:00Z"]));
    }

    #[test]
    fn what_the_other_form_does_not_have_is_an_error() {
        for value in [
            Value::Uid(mdm_plist::Uid::new(1)),
            Value::Real(f64::NAN),
            Value::Real(f64::INFINITY),
        ] {
            assert!(matches!(from_value(&value), Err(Error::Invalid { .. })));
        }
    }

    #[test]
    fn nesting_is_bounded_both_ways() {
        let (mut deep, mut value) = (json!(1), Value::from(1));
        for _ in 0..Limits::MAX_DEPTH {
            deep = json!([deep]);
            value = Value::Array(vec![value]);
        }
        assert_eq!(to_value(&deep).unwrap().as_ref(), Some(&value));
        assert_eq!(from_value(&value).unwrap(), deep);
        let (deep, value) = (json!({"a": deep}), Value::Array(vec![value]));
        assert!(matches!(to_value(&deep), Err(Error::Invalid { .. })));
        assert!(matches!(from_value(&value), Err(Error::Invalid { .. })));
    }
}
