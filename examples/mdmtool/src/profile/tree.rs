//! A profile's keys as text: names and values in two columns, what lies deeper further to the right.

use mdm_pki::Certificate;
use mdm_plist::{Dictionary, Value};
use mdm_profiles::shown::Shown;

use crate::{
    colour::Paint,
    text::{printable, written},
};

/// The widest name that others are aligned with.
const WIDEST: usize = 44;

/// A line for each key, but for those left out.
pub(super) fn write(
    text: &mut String,
    keys: &Dictionary,
    leave_out: &[&str],
    indent: usize,
    paint: Paint,
) {
    let shown = || {
        keys.iter()
            .filter(|(key, _)| !leave_out.contains(&key.as_str()))
    };
    let width = shown().map(|(key, _)| key.chars().count()).max();
    let width = width.unwrap_or_default().min(WIDEST);
    for (key, value) in shown() {
        line(text, &printable(key), value, width, indent, paint);
    }
}

fn line(text: &mut String, name: &str, value: &Value, width: usize, indent: usize, paint: Paint) {
    text.push_str(&" ".repeat(indent));
    match value {
        Value::Dictionary(keys) if !keys.is_empty() => {
            text.push_str(name);
            text.push('\n');
            write(text, keys, &[], indent + 2, paint);
        }
        Value::Array(values) if values.iter().any(is_deep) => {
            text.push_str(name);
            text.push('\n');
            for (index, value) in values.iter().enumerate() {
                line(text, &format!("[{index}]"), value, 0, indent + 2, paint);
            }
        }
        value => {
            text.push_str(&format!("{name:<width$}  {}\n", leaf(value, paint)));
        }
    }
}

fn is_deep(value: &Value) -> bool {
    match value {
        Value::Dictionary(keys) => !keys.is_empty(),
        Value::Array(values) => !values.is_empty(),
        _ => false,
    }
}

fn leaf(value: &Value, paint: Paint) -> String {
    let certificate = value.as_data().map(Certificate::from_der);
    if let Some(Ok(certificate)) = certificate {
        let subject = printable(&certificate.subject().to_string());
        let until = written(certificate.not_after());
        return format!("certificate of {subject}, until {until}");
    }
    let shown = printable(Shown::from(value).as_str());
    match shown.as_str() {
        "[secret]" => paint.doubtful(&shown),
        _ => shown,
    }
}
