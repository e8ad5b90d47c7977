//! Property lists as JSON and back: data is `{"$data": base64}`, a date is `{"$date": RFC 3339}`.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use mdm_sdk::plist::{self, Dictionary, Value as Plist};
use serde_json::{Map, Number, Value, json};

const DATA: &str = "$data";
const DATE: &str = "$date";

/// A property list's value as JSON.
pub(super) fn from_plist(plist: &Plist) -> Value {
    match plist {
        Plist::Array(items) => items.iter().map(from_plist).collect(),
        Plist::Dictionary(keys) => {
            let keys = keys
                .iter()
                .map(|(key, item)| (key.clone(), from_plist(item)));
            Value::Object(keys.collect())
        }
        Plist::Boolean(flag) => Value::Bool(*flag),
        Plist::Data(bytes) => json!({ DATA: STANDARD.encode(bytes) }),
        Plist::Date(time) => json!({ DATE: date(plist::date::to_chrono(*time)) }),
        Plist::Real(number) => Number::from_f64(*number).map_or(Value::Null, Value::Number),
        Plist::Integer(number) => match (number.as_signed(), number.as_unsigned()) {
            (Some(signed), _) => signed.into(),
            (None, Some(unsigned)) => unsigned.into(),
            (None, None) => Value::Null,
        },
        Plist::String(text) => Value::String(text.clone()),
        _ => Value::Null,
    }
}

/// JSON as a property list's value; an error names what has none.
pub(super) fn to_plist(value: Value) -> Result<Plist, String> {
    Ok(match value {
        Value::Null => return Err("a property list has no null".into()),
        Value::Bool(flag) => Plist::Boolean(flag),
        Value::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(signed), ..) => Plist::Integer(signed.into()),
            (None, Some(unsigned), _) => Plist::Integer(unsigned.into()),
            (None, None, Some(real)) => Plist::Real(real),
            _ => return Err("a property list has no such number".into()),
        },
        Value::String(text) => Plist::String(text),
        Value::Array(items) => {
            Plist::Array(items.into_iter().map(to_plist).collect::<Result<_, _>>()?)
        }
        Value::Object(keys) => match marked(&keys) {
            Some((DATA, text)) => {
                let bytes = STANDARD.decode(text);
                Plist::Data(bytes.map_err(|_| format!("{DATA} has to be base64"))?)
            }
            Some((_, text)) => {
                let time = DateTime::parse_from_rfc3339(text);
                let time = time.map_err(|_| format!("{DATE} has to be a time of RFC 3339"))?;
                Plist::Date(plist::date::from_chrono_or_nearest(time.to_utc()))
            }
            None => Plist::Dictionary(dictionary(keys)?),
        },
    })
}

/// The keys of a JSON object as those of a property list.
pub(super) fn dictionary(keys: Map<String, Value>) -> Result<Dictionary, String> {
    keys.into_iter()
        .map(|(key, value)| {
            let value = to_plist(value).map_err(|problem| format!("{key}: {problem}"))?;
            Ok((key, value))
        })
        .collect()
}

fn marked(keys: &Map<String, Value>) -> Option<(&'static str, &str)> {
    let (key, value) = keys.iter().next().filter(|_| keys.len() == 1)?;
    let mark = [DATA, DATE].into_iter().find(|mark| mark == key)?;
    Some((mark, value.as_str()?))
}

/// A time as RFC 3339 in UTC.
pub(super) fn date(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_comes_back() {
        let value = json!({
            "text": "a", "flag": true, "small": -1, "large": u64::MAX, "real": 0.5,
            "list": [1, {"inner": "b"}], "data": {"$data": "AAEC"},
            "date": {"$date": "2026-03-01T12:00:00Z"}, "not data": {"$data": "AAEC", "more": 1},
        });
        assert_eq!(from_plist(&to_plist(value.clone()).unwrap()), value);
    }

    #[test]
    fn what_a_property_list_cannot_hold_is_refused_by_name() {
        for (value, named) in [
            (json!({"a": null}), "a: "),
            (json!({"a": {"$data": "!"}}), "$data"),
            (json!({"a": {"$date": "soon"}}), "$date"),
        ] {
            let error = to_plist(value).unwrap_err();
            assert!(error.contains(named), "{error}");
        }
    }
}
