//! What is written against what was read.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::DateTime;
use mdm_plist::{Dictionary, Value, date};
use mdm_schema::{Finding, Log, Place, path, record::MAX_FINDINGS};

use crate::parts::{Known, Part, Shape, Table};

/// Writes `written` over what was read at the same place, and lists where it says something else and
/// neither the schema nor a finding explains it.
pub(super) fn write_over(
    read: &mut Value,
    written: Value,
    part: &Part,
    findings: &[Finding],
) -> Vec<String> {
    let mut compare = Compare {
        at: part.path(),
        findings,
        lost: Vec::new(),
    };
    let log = Log::default();
    let place = Place::root(&log);
    match (&mut *read, written) {
        (Value::Dictionary(keys), Value::Dictionary(written))
            if part.table != Table::StatusItem =>
        {
            let known = part.schema.map(Known::of);
            // The keys of the frame belong to no type.
            let own = part.value.as_dictionary();
            let is_own = |key: &str| own.is_some_and(|own| own.contains_key(key));
            compare.dictionary(keys, written, known, &is_own, &place);
        }
        (_, written) => {
            let key = part.schema.and_then(|schema| schema.keys.first());
            let shape = key.and_then(|key| Shape::of(key, read));
            compare.value(read, written, shape, &place);
        }
    }
    compare.lost
}

struct Compare<'a> {
    /// Where the part lies.
    at: String,
    findings: &'a [Finding],
    lost: Vec<String>,
}

impl Compare<'_> {
    fn value(&mut self, read: &mut Value, written: Value, shape: Option<Shape>, place: &Place<'_>) {
        match (read, written) {
            (Value::Dictionary(read), Value::Dictionary(written)) => {
                let known = match shape {
                    Some(Shape::Dictionary(known)) => Some(known),
                    _ => None,
                };
                self.dictionary(read, written, known, &|_| true, place);
            }
            (Value::Array(read), Value::Array(written)) if read.len() == written.len() => {
                for (index, (read, written)) in read.iter_mut().zip(written).enumerate() {
                    let inner = match shape {
                        Some(Shape::Array(elements)) => Shape::element(elements, read),
                        _ => None,
                    };
                    self.value(read, written, inner, &place.index(index));
                }
            }
            (read, written) => {
                // What a finding has said is no value of its type stays as it was, as in an edit.
                if !is_same(read, &written) && self.lose(place) {
                    *read = written;
                }
            }
        }
    }

    fn dictionary(
        &mut self,
        read: &mut Dictionary,
        mut written: Dictionary,
        known: Option<Known>,
        is_own: &dyn Fn(&str) -> bool,
        place: &Place<'_>,
    ) {
        for (key, value) in read.iter_mut() {
            let here = place.key(key);
            let below = known.map(|known| known.below(key, value));
            match written.remove(key) {
                Some(written) => {
                    let shape = below.and_then(Result::ok).flatten();
                    self.value(value, written, shape, &here);
                }
                // What the schema does not know, no type has.
                None if matches!(below, Some(Err(_))) || !is_own(key) => {}
                None => {
                    self.lose(&here);
                }
            }
        }
        for key in written.keys() {
            // A required key that is missing is written as empty.
            self.lose(&place.key(key));
        }
    }

    /// Lists a place, unless a finding has said why; whether it is lost.
    fn lose(&mut self, place: &Place<'_>) -> bool {
        if self.lost.len() >= MAX_FINDINGS {
            return true;
        }
        let at = path::join(&self.at, &place.path());
        let explained = self.findings.iter().any(|finding| {
            let found = finding.path.as_str();
            is_within(found, &at) || is_within(&at, found)
        });
        if !explained {
            self.lost.push(at);
        }
        !explained
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
        #[allow(clippy::cast_precision_loss)] // Beyond it a real tells no whole numbers apart.
        (Value::Real(real), Value::Integer(whole)) | (Value::Integer(whole), Value::Real(real)) => {
            whole.as_signed().is_some_and(|whole| *real == whole as f64)
        }
        _ => read == written,
    }
}
