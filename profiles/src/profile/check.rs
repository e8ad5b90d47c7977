//! What is wrong with a profile as a whole. Rules: the schema's `TopLevel` and `CommonPayloadKeys`.

mod references;

use std::collections::HashSet;

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Finding, Rule, Severity, Target, path, payload};

use super::Profile;
use crate::{
    mdm::AccessRights,
    payload::{Mdm, Payload, RawPayload},
};

pub(super) fn findings(profile: &Profile) -> Vec<Finding> {
    let mut check = Check::default();
    check.frame(profile.keys(), "");
    check.top_level(profile);
    check.payloads(profile);
    check.access_rights(profile);
    references::check(profile, &mut check.found);
    check.found
}

/// The findings above, and those of the tables. About one value the former know better, but for
/// whether the target takes it.
pub(super) fn validate(profile: &Profile, target: Option<&Target>) -> Vec<Finding> {
    let mut found = findings(profile);
    let mut known = Vec::new();
    let mut places = Vec::new();
    let mut tables = mdm_schema::validate(&payload::TOP_LEVEL, profile.keys(), target);
    for (index, payload) in profile.numbered() {
        let Some(schema) = payload.schema() else {
            continue;
        };
        let at = path::index("PayloadContent", index);
        let findings = mdm_schema::validate(schema, payload.keys(), target);
        tables.extend(findings.into_iter().map(|finding| finding.under(&at)));
        known.push((schema, payload.keys()));
        places.push(at);
    }
    for mut finding in mdm_schema::validate_together(&known, target) {
        // The path begins with the place in `known`.
        let (number, rest) = finding.path.split_once(']').unwrap_or_default();
        let place = number.trim_start_matches('[').parse().ok();
        if let Some(at) = place.and_then(|place: usize| places.get(place)) {
            finding.path = format!("{at}{rest}");
        }
        tables.push(finding);
    }
    let service = profile.payload_type() == Some(SERVICE);
    let told: HashSet<_> = found.iter().map(|finding| finding.path.as_str()).collect();
    tables.retain(|finding| {
        let path = finding.path.as_str();
        match finding.rule {
            // What the table of a profile does not know of over-the-air enrolment.
            Rule::Type | Rule::Enum if service && SERVICE_KEYS.contains(&path) => false,
            Rule::Required
            | Rule::Type
            | Rule::Enum
            | Rule::Range
            | Rule::Format
            | Rule::UnknownKey => !told.contains(path),
            _ => true,
        }
    });
    found.extend(tables);
    found
}

/// `PayloadType` of a profile that begins over-the-air enrolment.
const SERVICE: &str = "Profile Service";

/// What is different in such a profile.
const SERVICE_KEYS: &[&str] = &["PayloadContent", "PayloadType"];

#[derive(Default)]
struct Check {
    found: Vec<Finding>,
}

impl Check {
    fn find(
        &mut self,
        path: impl Into<String>,
        rule: Rule,
        severity: Severity,
        message: &'static str,
    ) {
        self.found.push(Finding::new(path, rule, severity, message));
    }

    /// The four keys that the profile and each payload must have.
    fn frame(&mut self, keys: &Dictionary, at: &str) {
        for key in ["PayloadIdentifier", "PayloadUUID", "PayloadType"] {
            let here = path::join(at, key);
            match keys.get(key) {
                None => self.find(here, Rule::Required, Severity::Error, "is missing"),
                Some(Value::String(text)) if text.is_empty() => {
                    self.find(here, Rule::Format, Severity::Error, "is empty");
                }
                Some(Value::String(text)) if key == "PayloadUUID" => {
                    if uuid::Uuid::try_parse(text).is_err() {
                        self.find(here, Rule::Format, Severity::Warning, "is not a UUID");
                    }
                }
                Some(Value::String(_)) => {}
                Some(_) => self.find(here, Rule::Type, Severity::Error, "is not a string"),
            }
        }
        let here = path::join(at, "PayloadVersion");
        match keys.get("PayloadVersion") {
            None => self.find(here, Rule::Required, Severity::Error, "is missing"),
            Some(Value::Integer(version)) if version.as_signed() == Some(1) => {}
            Some(Value::Integer(_)) => {
                self.find(here, Rule::Enum, Severity::Warning, "is not 1");
            }
            // Devices take it, and Apple Configurator once wrote it.
            Some(Value::Real(version)) if *version == 1.0 => {
                self.find(
                    here,
                    Rule::Type,
                    Severity::Warning,
                    "is a real, not an integer",
                );
            }
            Some(_) => self.find(here, Rule::Type, Severity::Error, "is not an integer"),
        }
    }

    fn top_level(&mut self, profile: &Profile) {
        let keys = profile.keys();
        let service = profile.payload_type() == Some(SERVICE);
        if let Some(other) = profile.payload_type()
            && other != "Configuration"
            && !service
        {
            let message = "is not Configuration";
            self.find("PayloadType", Rule::Enum, Severity::Error, message);
        }
        match keys.get("PayloadContent") {
            Some(Value::Array(_)) if !service => {}
            Some(Value::Dictionary(_)) if service => {}
            Some(_) => {
                let message = "is not an array of payloads";
                self.find("PayloadContent", Rule::Type, Severity::Error, message);
            }
            None if profile.is_encrypted() => {}
            None => self.find(
                "PayloadContent",
                Rule::Required,
                Severity::Error,
                "is missing",
            ),
        }
        if profile.is_encrypted() && keys.contains_key("PayloadContent") {
            let message = "stands beside its encrypted form";
            self.find("PayloadContent", Rule::Conflict, Severity::Error, message);
        }
        for key in keys.keys() {
            if !Profile::KEYS.contains(&key.as_str()) {
                let message = "is no key of a profile";
                self.find(key, Rule::UnknownKey, Severity::Warning, message);
            }
        }
    }

    fn payloads(&mut self, profile: &Profile) {
        let Some(payloads) = profile
            .keys()
            .get("PayloadContent")
            .and_then(Value::as_array)
        else {
            return;
        };
        let mut identifiers = HashSet::new();
        let mut uuids = HashSet::new();
        for (index, payload) in payloads.iter().enumerate() {
            let at = path::index("PayloadContent", index);
            let Some(payload) = payload.as_dictionary() else {
                self.find(at, Rule::Type, Severity::Error, "is not a dictionary");
                continue;
            };
            self.frame(payload, &at);
            let payload = RawPayload::new(payload);
            if payload.payload_type() == Some("Configuration") {
                self.find(
                    path::join(&at, "PayloadType"),
                    Rule::Enum,
                    Severity::Error,
                    "is the type of a profile, not of a payload",
                );
            }
            let identifier = payload.identifier();
            if identifier.is_some_and(|identifier| !identifiers.insert(identifier)) {
                self.find(
                    path::join(&at, "PayloadIdentifier"),
                    Rule::Duplicate,
                    Severity::Error,
                    "is that of another payload, one of which the device drops silently",
                );
            }
            let uuid = payload.uuid().map(str::to_ascii_uppercase);
            if uuid.is_some_and(|uuid| !uuids.insert(uuid)) {
                self.find(
                    path::join(&at, "PayloadUUID"),
                    Rule::Duplicate,
                    Severity::Error,
                    "is that of another payload, so the profile does not install",
                );
            }
        }
    }

    /// Access rights that no device accepts.
    fn access_rights(&mut self, profile: &Profile) {
        let is_mdm = |payload: &RawPayload<'_>| payload.payload_type() == Some(Mdm::PAYLOAD_TYPE);
        for (index, payload) in profile.numbered().filter(|(_, payload)| is_mdm(payload)) {
            let rights = payload.keys().get("AccessRights");
            if let Some(Value::Integer(bits)) = rights
                && bits
                    .as_signed()
                    .is_none_or(|bits| AccessRights::try_from(bits).is_err())
            {
                let at = path::index("PayloadContent", index);
                self.find(
                    path::join(&at, "AccessRights"),
                    Rule::Range,
                    Severity::Error,
                    "is a combination that no device accepts",
                );
            }
        }
    }
}
