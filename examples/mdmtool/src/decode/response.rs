//! Reports on commands.

use mdm_plist::{Dictionary, Limits};
use mdm_protocol::{
    id::HasIds,
    response::{DeviceInformationResponse, Envelope, Status, infer_request_type},
};
use mdm_schema::{Finding, Rule, Severity};

use super::Options;
use crate::{
    document::{Document, Kind},
    error::Error,
    json,
};

pub(super) fn decode(document: Dictionary, options: &Options) -> Result<Document, Error> {
    let named = options.name_for(Kind::Response).is_some();
    if !document.contains_key("Status") && (named || document.contains_key("CommandUUID")) {
        return Ok(without_status(&document, options));
    }
    // The tree is within the caller's limits; written anew it may be longer than the file was.
    let limits = Limits::default().with(|limits| limits.bytes = usize::MAX);
    let written = mdm_plist::to_binary(&document)?;
    let envelope = Envelope::decode_with(&written, &limits).map_err(|error| Error::NotAs {
        kind: Kind::Response.as_str(),
        problem: crate::error::one_line(&error),
    })?;
    let name = options
        .name_for(Kind::Response)
        .or(envelope.request_type.as_deref())
        .or_else(|| infer_request_type(&document));
    let mut told = Document::new(Kind::Response, name, json::dictionary(&document));
    check(&envelope, &mut told.findings);
    match name {
        Some("DeviceInformation") => {
            match envelope.body_and_unknown::<DeviceInformationResponse>() {
                Ok((_, unknown)) => {
                    told.unknown_keys = unknown.iter().map(ToString::to_string).collect();
                }
                // A failed command has a status, but no result.
                Err(_) if envelope.status != Status::Acknowledged => {}
                Err(error) => told.findings.push(Finding::new(
                    "",
                    Rule::Type,
                    Severity::Error,
                    crate::error::one_line(&error),
                )),
            }
        }
        Some("LOMDeviceRequest") if document.contains_key("ResponseData") => {
            told.unknown_keys.push("ResponseData".to_owned());
            told.findings.push(Finding::new(
                "ResponseData",
                Rule::UnknownKey,
                Severity::Warning,
                "is named ResponseList in the schema",
            ));
        }
        _ => {}
    }
    Ok(told)
}

/// A result that says what came of a command, but not whether it did.
fn without_status(document: &Dictionary, options: &Options) -> Document {
    let name = options
        .name_for(Kind::Response)
        .or_else(|| infer_request_type(document));
    let mut told = Document::new(Kind::Response, name, json::dictionary(document));
    told.findings.push(Finding::new(
        "Status",
        Rule::Required,
        Severity::Error,
        "is missing: a server cannot tell what became of the command",
    ));
    told
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
