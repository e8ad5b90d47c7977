//! What is written against what was read.

use std::collections::HashSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::DateTime;
use mdm_plist::{Dictionary, Value, date};
use mdm_schema::{Finding, path};

use crate::parts::{self, Part};

/// Writes `written` over what was read at the same place, and lists where it says something else and
/// neither the schema nor a finding explains it.
pub(super) fn write_over(
    place: &mut Value,
    written: Value,
    part: &Part,
    findings: &[Finding],
) -> Vec<String> {
    let mut unknown = HashSet::new();
    parts::unknown(part, &mut |path| {
        unknown.insert(path);
    });
    let mut check = Compare {
        unknown,
        findings,
        lost: Vec::new(),
    };
    let at = part.path();
    if let (Value::Dictionary(read), Value::Dictionary(own)) = (&*place, &part.value) {
        // The keys of the frame belong to no type.
        for key in read.keys().filter(|key| !own.contains_key(key)) {
            check.unknown.insert(path::join(&at, key));
        }
    }
    check.value(place, written, &at);
    check.lost
}

struct Compare<'a> {
    /// What the schema does not know.
    unknown: HashSet<String>,
    findings: &'a [Finding],
    lost: Vec<String>,
}

impl Compare<'_> {
    fn value(&mut self, read: &mut Value, written: Value, at: &str) {
        match (read, written) {
            (Value::Dictionary(read), Value::Dictionary(written)) => {
                self.dictionary(read, written, at);
            }
            (Value::Array(read), Value::Array(written)) if read.len() == written.len() => {
                for (index, (read, written)) in read.iter_mut().zip(written).enumerate() {
                    self.value(read, written, &path::index(at, index));
                }
            }
            (read, written) => {
                if !is_same(read, &written) {
                    self.lose(at);
                    *read = written;
                }
            }
        }
    }

    fn dictionary(&mut self, read: &mut Dictionary, mut written: Dictionary, at: &str) {
        for (key, value) in read.iter_mut() {
            let at = path::join(at, key);
            match written.remove(key) {
                Some(written) => self.value(value, written, &at),
                None if self.unknown.contains(&at) => {}
                None => self.lose(&at),
            }
        }
        for key in written.keys() {
            // A required key that is missing is written as empty.
            self.lose(&path::join(at, key));
        }
    }

    /// Lists a path, unless a finding has said why.
    fn lose(&mut self, at: &str) {
        let explained = self.findings.iter().any(|finding| {
            let found = finding.path.as_str();
            is_within(found, at) || is_within(at, found)
        });
        if !explained {
            self.lost.push(at.to_owned());
        }
    }
}

/// Whether a path leads to, or into, what another one leads to.
fn is_within(path: &str, outer: &str) -> bool {
    let rest = path.strip_prefix(outer);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// Whether they say the same: whole numbers with or without a fraction, and in JSON bytes and dates
/// as text.
fn is_same(read: &Value, written: &Value) -> bool {
    match (read, written) {
        (Value::String(text), Value::Data(bytes)) => {
            let text: String = text.split_ascii_whitespace().collect();
            let padded = STANDARD.encode(bytes);
            text.trim_end_matches('=') == padded.trim_end_matches('=')
        }
        (Value::String(text), Value::Date(time)) => DateTime::parse_from_rfc3339(text)
            .is_ok_and(|read| read.timestamp() == date::to_chrono(*time).timestamp()),
        (Value::Real(read), Value::Integer(written)) => written
            .as_signed()
            .is_some_and(|written| *read == written as f64),
        (Value::Integer(read), Value::Real(written)) => {
            read.as_signed().is_some_and(|read| read as f64 == *written)
        }
        _ => read == written,
    }
}
