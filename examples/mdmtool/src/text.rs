//! Answers as text: names and values in two columns, and nothing that a terminal would obey.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::Value;

/// What came from elsewhere, without control characters.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// An object's keys and values, one line each; what is missing or null is left out.
pub(crate) fn fields(value: &Value, leave_out: &[&str]) -> String {
    let shown: Vec<(&String, String)> = value
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(key, value)| !value.is_null() && !leave_out.contains(&key.as_str()))
        .map(|(key, value)| (key, line(value)))
        .collect();
    let width = shown.iter().map(|(key, _)| key.chars().count()).max();
    let width = width.unwrap_or_default().min(40);
    let mut text = String::new();
    for (key, value) in shown {
        let _ = writeln!(text, "{:<width$}  {value}", printable(key));
    }
    text
}

/// A value in one line: text bare, lists with commas, anything deeper as JSON.
fn line(value: &Value) -> String {
    match value {
        Value::String(text) => printable(text),
        Value::Array(items)
            if items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()) =>
        {
            let items: Vec<String> = items.iter().map(line).collect();
            items.join(", ")
        }
        other => printable(&other.to_string()),
    }
}

/// `1 device`, `2 devices`.
pub(crate) fn count(number: usize, one: &str) -> String {
    match number {
        1 => format!("1 {one}"),
        _ => format!("{number} {one}s"),
    }
}

/// A time as RFC 3339 text in UTC, to the second.
pub(crate) fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Bytes as hexadecimal text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a hexadecimal text; colons and spaces between are nothing.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !matches!(c, ':' | ' '))
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let pair = |pair: &[u8]| pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    Some(digits.chunks(2).map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_obey_is_left_out_of_keys_and_values() {
        let value = serde_json::json!({
            "na\u{1b}me": "x\u{1b}[2Jy\n", "list": ["a", 1, "\u{9b}b"], "deep": [{"k": "\u{7f}"}],
            "none": null, "hidden": "h",
        });
        let text = fields(&value, &["hidden"]);
        assert_eq!(
            text,
            "deep   [{\"k\":\" \"}]\nlist   a, 1,  b\nna me  x [2Jy \n"
        );
    }
}
