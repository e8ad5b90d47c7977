//! What is wrong with a profile as a whole. Rules: the schema's `TopLevel` and `CommonPayloadKeys`.

use std::collections::HashMap;

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Finding, Rule, Severity, path};

use super::Profile;
use crate::{
    error::Error,
    payload::{Mdm, RawPayload},
};

pub(super) fn findings(profile: &Profile) -> Vec<Finding> {
    let mut check = Check::default();
    check.frame(profile.keys(), "");
    check.top_level(profile);
    check.payloads(profile);
    check.references(profile);
    check.found
}

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
        let service = profile.payload_type() == Some("Profile Service");
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
        let mut identifiers = HashMap::new();
        let mut uuids = HashMap::new();
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
            let same = payload
                .identifier()
                .and_then(|id| identifiers.insert(id, ()));
            if same.is_some() {
                self.find(
                    path::join(&at, "PayloadIdentifier"),
                    Rule::Duplicate,
                    Severity::Error,
                    "is that of another payload, one of which the device drops silently",
                );
            }
            let uuid = payload.uuid().map(str::to_ascii_uppercase);
            if uuid.is_some_and(|uuid| uuids.insert(uuid, ()).is_some()) {
                self.find(
                    path::join(&at, "PayloadUUID"),
                    Rule::Duplicate,
                    Severity::Error,
                    "is that of another payload, so the profile does not install",
                );
            }
        }
    }

    /// The MDM payload and what it refers to.
    fn references(&mut self, profile: &Profile) {
        for (index, payload) in profile.payloads().enumerate() {
            let at = path::index("PayloadContent", index);
            let mdm = match payload.decode::<Mdm>() {
                Ok(mdm) => mdm,
                Err(Error::Plist(error)) => {
                    self.found.push(Finding::new(
                        path::join(&at, &error.path().to_string()),
                        Rule::Type,
                        Severity::Error,
                        error.kind().to_string(),
                    ));
                    continue;
                }
                Err(_) => continue,
            };
            let uuid = &mdm.identity_certificate_uuid;
            if profile.payload_by_uuid(uuid).is_none() {
                self.find(
                    path::join(&at, "IdentityCertificateUUID"),
                    Rule::Conflict,
                    Severity::Error,
                    "is the UUID of no payload",
                );
            }
            let pins = [
                (
                    "ServerURLPinningCertificateUUIDs",
                    &mdm.server_url_pinning_certificate_uuids,
                ),
                (
                    "CheckInURLPinningCertificateUUIDs",
                    &mdm.check_in_url_pinning_certificate_uuids,
                ),
            ];
            for (key, uuids) in pins {
                for (index, uuid) in uuids.iter().enumerate() {
                    if profile.payload_by_uuid(uuid).is_none() {
                        self.find(
                            path::index(&path::join(&at, key), index),
                            Rule::Conflict,
                            Severity::Error,
                            "is the UUID of no payload",
                        );
                    }
                }
            }
            if mdm
                .access_rights
                .is_some_and(|rights| rights.check().is_err())
            {
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
