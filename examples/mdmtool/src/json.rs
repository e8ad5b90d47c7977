//! Property lists as JSON: data is base64, dates are RFC 3339 in UTC, numbers that are none are text.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, SecondsFormat, Utc};
use mdm_plist::{Dictionary, Value as Plist};
use serde_json::{Map, Number, Value};

/// A property list's value as JSON.
pub fn value(plist: &Plist) -> Value {
    match plist {
        Plist::Array(items) => Value::Array(items.iter().map(value).collect()),
        Plist::Dictionary(keys) => dictionary(keys),
        Plist::Boolean(flag) => Value::Bool(*flag),
        Plist::Data(bytes) => data(bytes),
        Plist::Date(time) => date(mdm_plist::date::to_chrono(*time)),
        Plist::Real(number) => real(*number),
        Plist::Integer(number) => match (number.as_signed(), number.as_unsigned()) {
            (Some(signed), _) => signed.into(),
            (None, Some(unsigned)) => unsigned.into(),
            (None, None) => Value::Null,
        },
        Plist::String(text) => Value::String(text.clone()),
        Plist::Uid(uid) => {
            let mut keys = Map::new();
            keys.insert("CF$UID".to_owned(), uid.get().into());
            Value::Object(keys)
        }
        _ => Value::Null,
    }
}

/// A dictionary as a JSON object.
pub fn dictionary(keys: &Dictionary) -> Value {
    let keys = keys.iter().map(|(key, item)| (key.clone(), value(item)));
    Value::Object(keys.collect())
}

/// Bytes as base64 text.
pub fn data(bytes: &[u8]) -> Value {
    Value::String(STANDARD.encode(bytes))
}

/// A time as RFC 3339 text in UTC.
pub fn date(time: DateTime<Utc>) -> Value {
    Value::String(time.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// A number, or its name where JSON has none: `NaN`, `Infinity`, `-Infinity`.
pub fn real(number: f64) -> Value {
    match Number::from_f64(number) {
        Some(number) => Value::Number(number),
        None if number.is_nan() => "NaN".into(),
        None if number > 0.0 => "Infinity".into(),
        None => "-Infinity".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_json_has_no_form_for_is_text() {
        let plist: Plist = mdm_plist::from_slice(
            b"<plist><array><real>nan</real><real>inf</real><real>-inf</real><real>1.5</real>
              <data>AAEC</data><date>2026-11-05T09:00:00Z</date>
              <integer>18446744073709551615</integer><integer>-9</integer></array></plist>",
        )
        .unwrap();
        assert_eq!(
            value(&plist),
            serde_json::json!([
                "NaN",
                "Infinity",
                "-Infinity",
                1.5,
                "AAEC",
                "2026-11-05T09:00:00Z",
                18_446_744_073_709_551_615_u64,
                -9
            ])
        );
    }
}
