//! Reports on commands.

use mdm_plist::{Dictionary, Limits, Value};
use mdm_protocol::{
    id::HasIds,
    response::{Envelope, Status, infer_request_type},
};
use mdm_schema::{Finding, Rule, Severity, path};

use super::Options;
use crate::{
    document::{Document, Kind},
    error::Error,
    json,
};

/// Whether it has the keys of a report that a device makes.
pub(super) fn is_one(document: &Dictionary) -> bool {
    let text = |key| document.get(key).and_then(Value::as_string).is_some();
    text("Status") || text("CommandUUID") || (text("RequestType") && is_from_a_device(document))
}

/// Whether it names its sender at the top, as devices do and servers never.
pub(super) fn is_from_a_device(document: &Dictionary) -> bool {
    let has = |key| document.contains_key(key);
    has("UDID") || has("EnrollmentID") || has("ErrorChain")
}

pub(super) fn decode(document: Dictionary, options: &Options) -> Result<Document, Error> {
    if document.get("Status").and_then(Value::as_string).is_none() {
        return without_status(&document, options);
    }
    // The tree is within the caller's limits; written anew it may be longer than the file was.
    let limits = Limits::default().with(|limits| limits.bytes = usize::MAX);
    let written = mdm_plist::to_binary(&document)?;
    let envelope = Envelope::decode_with(&written, &limits).map_err(|error| Error::NotAs {
        kind: Kind::Response.as_str(),
        problem: crate::error::one_line(&error),
    })?;
    let name = name(&document, options);
    let mut told = Document::new(Kind::Response, name, json::dictionary(&document));
    check(&envelope, &mut told.findings);
    match name {
        Some("LOMDeviceRequest") => lom_device_request(&document, &mut told),
        // Without a result there are no keys but the envelope's.
        _ if !matches!(envelope.status, Status::Acknowledged | Status::Error) => {
            let unknown = document
                .keys()
                .filter(|key| !Envelope::KEYS.contains(&&***key));
            told.list_unknown(unknown);
        }
        _ => {}
    }
    Ok(told)
}

/// What the report says itself, what the caller says, what its keys let guess.
fn name<'a>(document: &'a Dictionary, options: &'a Options) -> Option<&'a str> {
    document
        .get("RequestType")
        .and_then(Value::as_string)
        .or_else(|| options.name_for(Kind::Response))
        .or_else(|| infer_request_type(document))
}

/// A result that says what came of a command, but not whether it did.
fn without_status(document: &Dictionary, options: &Options) -> Result<Document, Error> {
    if options.name_for(Kind::Response).is_none() && !is_one(document) {
        return Err(Error::NotAs {
            kind: Kind::Response.as_str(),
            problem: "it has neither a Status nor a CommandUUID".to_owned(),
        });
    }
    let body = json::dictionary(document);
    let mut told = Document::new(Kind::Response, name(document, options), body);
    let (rule, message) = match document.get("Status") {
        None => (Rule::Required, "is missing"),
        Some(_) => (Rule::Type, "is no string"),
    };
    told.findings.push(Finding::new(
        "Status",
        rule,
        Severity::Error,
        format!("{message}: a server cannot tell what became of the command"),
    ));
    Ok(told)
}

/// The answers to the requests in an `LOMDeviceRequest`; Apple's own example misspells them.
fn lom_device_request(document: &Dictionary, told: &mut Document) {
    const LIST: &str = "ResponseList";
    const MISNAMED: &str = "ResponseData";
    const REQUIRED: &[&str] = &["DeviceRequestSuccess", "DeviceRequestUUID"];
    const OPTIONAL: &str = "DeviceRequestReturnError";
    let mut find = |path: String, rule, message| {
        let severity = match rule {
            Rule::Required => Severity::Error,
            _ => Severity::Warning,
        };
        if rule == Rule::UnknownKey {
            told.unknown_keys.push(path.clone());
        }
        told.findings
            .push(Finding::new(path, rule, severity, message));
    };
    if document.contains_key(MISNAMED) {
        let message = "is named ResponseList in the schema";
        find(MISNAMED.to_owned(), Rule::UnknownKey, message);
    }
    for list in [LIST, MISNAMED] {
        let answers = document.get(list).and_then(Value::as_array);
        for (index, answer) in answers.into_iter().flatten().enumerate() {
            let at = path::index(list, index);
            let Some(answer) = answer.as_dictionary() else {
                find(at, Rule::Type, "is no dictionary");
                continue;
            };
            for key in REQUIRED.iter().filter(|key| !answer.contains_key(key)) {
                find(path::join(&at, key), Rule::Required, "is missing");
            }
            for key in answer.keys() {
                if !REQUIRED.contains(&&**key) && key != OPTIONAL {
                    let message = "is no key of an answer to a request";
                    find(path::join(&at, key), Rule::UnknownKey, message);
                }
            }
        }
    }
}

fn check(envelope: &Envelope, findings: &mut Vec<Finding>) {
    if !envelope.status.is_known() {
        findings.push(Finding::new(
            "Status",
            Rule::Enum,
            Severity::Warning,
            "is no status that is known here",
        ));
    }
    if envelope.command_uuid.is_none() && envelope.status != Status::Idle {
        findings.push(Finding::new(
            "CommandUUID",
            Rule::Required,
            Severity::Error,
            "is missing: nobody can tell which command this answers",
        ));
    }
    if let Err(error) = envelope.enrollment_id() {
        let message = error.to_string();
        findings.push(Finding::new("", Rule::Required, Severity::Warning, message));
    }
}
