//! What is wrong with a report.

use mdm_plist::{Dictionary, KeyPath, Segment};
use mdm_schema::{Finding, Kind, Rule, Schema, Severity, Target, path, record::MAX_FINDINGS};

use super::{Envelope, Status};
use crate::{findings::unknown_keys, id::HasIds};

/// The most bytes of a key that are shown in a path. No key of Apple's is as long.
const MAX_SHOWN_KEY: usize = 128;

/// A finding for each malformed scalar, as many as one reading notes of anything.
pub(super) fn malformed(paths: &[KeyPath]) -> Vec<Finding> {
    let message = "the text is not a valid value of its type";
    let find = |path| Finding::new(shown(path), Rule::Type, Severity::Warning, message);
    paths.iter().take(MAX_FINDINGS).map(find).collect()
}

/// The path as findings write it; a very long key is cut.
fn shown(keys: &KeyPath) -> String {
    keys.segments()
        .fold(String::new(), |outer, segment| match segment {
            Segment::Key(key) => {
                let mut end = key.len().min(MAX_SHOWN_KEY);
                while !key.is_char_boundary(end) {
                    end -= 1;
                }
                path::join(&outer, &key[..end])
            }
            Segment::Index(index) => path::index(&outer, *index),
        })
}

/// The keys without those of the envelope, but for one that the result has as well.
pub(super) fn own_keys(mut keys: Dictionary, schema: Option<&'static Schema>) -> Dictionary {
    let has = |key: &str| schema.is_some_and(|schema| schema.keys.iter().any(|k| k.name == key));
    keys.retain(|key, _| !Envelope::KEYS.contains(&&**key) || has(key));
    keys
}

pub(super) fn report(
    envelope: &Envelope,
    request_type: Option<&str>,
    target: Option<&Target>,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut find = |path: &str, rule, severity, message: String| {
        findings.push(Finding::new(path, rule, severity, message));
    };
    if !envelope.status.is_known() {
        let message = "is no status that is known here".to_owned();
        find("Status", Rule::Enum, Severity::Warning, message);
    }
    if envelope.command_uuid.is_none() && envelope.status != Status::Idle {
        let message = "is missing: nobody can tell which command this answers".to_owned();
        find("CommandUUID", Rule::Required, Severity::Error, message);
    }
    if let Err(error) = envelope.enrollment_id() {
        find("", Rule::Required, Severity::Warning, error.to_string());
    }
    match envelope.read() {
        Ok((keys, malformed)) => {
            findings.extend(malformed);
            let named = envelope.request_type.as_deref().or(request_type);
            findings.extend(result(&envelope.status, keys, named, target));
        }
        Err(error) => find("", Rule::Unreadable, Severity::Error, error.to_string()),
    }
    findings
}

/// What is wrong with the keys beside the envelope's.
fn result(
    status: &Status,
    keys: Dictionary,
    request_type: Option<&str>,
    target: Option<&Target>,
) -> Vec<Finding> {
    let has_result = matches!(status, Status::Acknowledged | Status::Error);
    let named = request_type.filter(|_| has_result);
    let schema = named.and_then(|name| mdm_schema::find(Kind::Response, name));
    let known = named.is_none_or(|name| mdm_schema::find(Kind::Command, name).is_some());
    let keys = own_keys(keys, schema);
    match schema {
        Some(schema) => {
            let mut findings = mdm_schema::validate(schema, &keys, target);
            // A failed command has a status, but perhaps no result.
            let is_whole = *status == Status::Acknowledged;
            findings.retain(|f| is_whole || f.rule != Rule::Required || f.path.contains('.'));
            findings
        }
        None if !known => {
            let message = "is no command that is known here";
            let at = "RequestType";
            vec![Finding::new(at, Rule::Enum, Severity::Warning, message)]
        }
        // Without a result there are no keys but the envelope's.
        None if named.is_some() || !has_result => {
            unknown_keys(keys.keys(), "is no key of this report")
        }
        None => Vec::new(),
    }
}
