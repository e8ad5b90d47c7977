//! Configuration profiles.

use mdm_plist::{Dictionary, Value};
use mdm_profiles::{Profile, lint::unreadable_certificates, payload::RawPayload};
use mdm_schema::{Finding, Rule, Severity};

use super::Options;
use crate::{
    document::{Document, Kind},
    error::Error,
    json,
};

/// Whether it is a profile, or a profile lies under its only key.
pub(super) fn is_one(document: &Dictionary) -> bool {
    !is_certificate(document) && Profile::from_dictionary(document.clone()).is_ok()
}

/// Whether it is a payload without a profile around it.
pub(crate) fn is_bare_payload(document: &Dictionary) -> bool {
    let text = |key| document.get(key).and_then(Value::as_string).is_some();
    !is_one(document) && (text("PayloadType") || (text("PayloadIdentifier") && text("PayloadUUID")))
}

/// Whether it is a payload whose `PayloadContent` is not that of a profile: certificates, SCEP.
fn is_certificate(document: &Dictionary) -> bool {
    let payload_type = document.get("PayloadType").and_then(Value::as_string);
    let is_payload = payload_type
        .is_some_and(|name| mdm_schema::find(mdm_schema::Kind::Payload, name).is_some());
    is_payload
        && document
            .get("PayloadContent")
            .is_some_and(|content| content.as_array().is_none())
}

pub(super) fn decode(document: Dictionary, options: &Options) -> Result<Document, Error> {
    let named = options.name_for(Kind::Profile);
    let body = json::dictionary(&document);
    match Profile::from_dictionary(document.clone()) {
        Ok((profile, findings)) if !is_certificate(&document) => {
            let mut told = Document::new(Kind::Profile, profile.payload_type(), body);
            // A key that holds the whole profile is one that no profile has.
            told.unknown_keys = findings.iter().map(|f| f.path.clone()).collect();
            told.findings = findings;
            told.findings.extend(profile.findings());
            let unknown = told.findings.iter().filter(|f| f.rule == Rule::UnknownKey);
            told.unknown_keys.extend(unknown.map(|f| f.path.clone()));
            told.findings.extend(certificates(&profile));
            Ok(told)
        }
        _ if is_bare_payload(&document) || named.is_some() => {
            let payload_type = RawPayload::new(&document).payload_type().or(named);
            let mut told = Document::new(Kind::Profile, payload_type, body);
            told.findings.push(Finding::new(
                "",
                Rule::Misplaced,
                Severity::Error,
                "is a payload; it belongs into the PayloadContent of a profile",
            ));
            Ok(told)
        }
        _ => Err(Error::NotAs {
            kind: Kind::Profile.as_str(),
            problem: mdm_profiles::Error::NotAProfile.to_string(),
        }),
    }
}

/// Certificates that no device imports.
fn certificates(profile: &Profile) -> impl Iterator<Item = Finding> {
    let found = unreadable_certificates(profile).into_iter();
    found.map(|found| Finding::new(found.path, Rule::Unreadable, found.severity, found.message))
}
