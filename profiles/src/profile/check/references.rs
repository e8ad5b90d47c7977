//! References between payloads: each leads to a payload of the same profile that holds what is asked for.

use std::collections::HashMap;

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Finding, Log, Place, Rule, Severity};

use super::Profile;
use crate::payload::RawPayload;

/// What a reference has to lead to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// A certificate with its private key.
    Identity,
    /// A certificate; an identity has one, too.
    Certificate,
}

/// Keys of Apple's payloads that hold the UUID of another payload, or an array of such.
const REFERENCES: &[(&str, Wanted)] = &[
    ("AccessKeyReaderIssuerCertificateUUID", Wanted::Certificate),
    ("AccessKeyTerminalIdentityUUID", Wanted::Identity),
    ("AuthenticationCertificateUUID", Wanted::Identity),
    ("CheckInURLPinningCertificateUUIDs", Wanted::Certificate),
    ("ControllerCACertificateUUIDs", Wanted::Certificate),
    ("ControllerCertificateUUID", Wanted::Identity),
    ("DeviceCACertificateUUIDs", Wanted::Certificate),
    ("DeviceCertificateUUID", Wanted::Identity),
    ("EncryptCertPayloadUUID", Wanted::Certificate),
    ("IdentityCertificateUUID", Wanted::Identity),
    ("LeaderPayloadCertificateAnchorUUID", Wanted::Certificate),
    ("MemberPayloadCertificateAnchorUUID", Wanted::Certificate),
    ("PayloadCertificateAnchorUUID", Wanted::Certificate),
    ("PayloadCertificateUUID", Wanted::Identity),
    ("ResourcePayloadCertificateUUID", Wanted::Identity),
    ("SMIMEEncryptionCertificateUUID", Wanted::Identity),
    ("SMIMESigningCertificateUUID", Wanted::Identity),
    ("ServerURLPinningCertificateUUIDs", Wanted::Certificate),
    ("certificateUUID", Wanted::Identity),
];

/// Types whose `PayloadCertificateUUID` names a certificate, to encrypt to or to trust.
const TO_CERTIFICATES: &[&str] = &[
    "com.apple.MCX.FileVault2",
    "com.apple.security.certificatepreference",
];

const IDENTITIES: &[&str] = &[
    "com.apple.ADCertificate.managed",
    "com.apple.security.acme",
    "com.apple.security.pkcs12",
    "com.apple.security.scep",
];

const CERTIFICATES: &[&str] = &[
    "com.apple.security.pem",
    "com.apple.security.pkcs1",
    "com.apple.security.root",
];

pub(super) fn check(profile: &Profile, found: &mut Vec<Finding>) {
    let mut payloads = HashMap::new();
    for payload in profile.payloads() {
        if let Some(uuid) = payload.uuid() {
            payloads.entry(uuid.to_ascii_uppercase()).or_insert(payload);
        }
    }
    let log = Log::default();
    let root = Place::root(&log);
    let content = root.key("PayloadContent");
    for (index, payload) in profile.numbered() {
        let walk = Walk {
            payloads: &payloads,
            payload,
        };
        // What other vendors' keys mean is not known.
        if payload
            .payload_type()
            .is_some_and(|name| name.starts_with("com.apple."))
        {
            walk.dictionary(payload.keys(), &content.index(index));
        }
    }
    found.extend(log.into_findings());
}

struct Walk<'a> {
    /// The payloads by UUID, in upper case.
    payloads: &'a HashMap<String, RawPayload<'a>>,
    payload: RawPayload<'a>,
}

impl Walk<'_> {
    fn dictionary(&self, keys: &Dictionary, place: &Place<'_>) {
        for (key, value) in keys {
            let place = place.key(key);
            match REFERENCES.binary_search_by(|(name, _)| (*name).cmp(key)) {
                Ok(found) => {
                    let wanted = REFERENCES.get(found).map(|(_, wanted)| *wanted);
                    self.reference(key, wanted, value, &place);
                }
                Err(_) => self.value(value, &place),
            }
        }
    }

    fn value(&self, value: &Value, place: &Place<'_>) {
        match value {
            Value::Dictionary(keys) => self.dictionary(keys, place),
            Value::Array(values) => {
                for (index, value) in values.iter().enumerate() {
                    self.value(value, &place.index(index));
                }
            }
            _ => {}
        }
    }

    fn reference(&self, key: &str, wanted: Option<Wanted>, value: &Value, place: &Place<'_>) {
        match value {
            Value::String(uuid) => self.lead(key, wanted, uuid, place),
            Value::Array(uuids) => {
                for (index, uuid) in uuids.iter().enumerate() {
                    if let Some(uuid) = uuid.as_string() {
                        self.lead(key, wanted, uuid, &place.index(index));
                    }
                }
            }
            _ => {}
        }
    }

    fn lead(&self, key: &str, wanted: Option<Wanted>, uuid: &str, place: &Place<'_>) {
        let Some(found) = self.payloads.get(&uuid.to_ascii_uppercase()) else {
            let message = "is the UUID of no payload of this profile";
            return place.note(Rule::Reference, Severity::Error, message);
        };
        // What payloads that no table knows may hold is not known either.
        if found.schema().is_none() {
            return;
        }
        let found = found.payload_type().unwrap_or_default();
        let own_type = self.payload.payload_type().unwrap_or_default();
        let certificate = TO_CERTIFICATES.contains(&own_type) && key == "PayloadCertificateUUID";
        let holds_identity = IDENTITIES.contains(&found);
        if wanted == Some(Wanted::Identity) && !certificate {
            if !holds_identity {
                let message = "is the UUID of a payload that holds no identity";
                place.note(Rule::Reference, Severity::Error, message);
            }
        } else if !holds_identity && !CERTIFICATES.contains(&found) {
            let message = "is the UUID of a payload that holds no certificate";
            place.note(Rule::Reference, Severity::Error, message);
        }
    }
}

#[cfg(test)]
mod tests {
    use mdm_schema::{Kind, model::ValueType, schemas};

    use super::*;

    #[test]
    fn every_key_of_the_tables_that_names_a_certificate_is_known_here() {
        assert!(REFERENCES.is_sorted_by_key(|(key, _)| *key));
        let named: Vec<_> = schemas(Kind::Payload)
            .iter()
            .flat_map(|schema| schema.walk())
            .map(|at| at.key())
            .filter(|key| matches!(key.value, ValueType::String | ValueType::Array))
            .map(|key| key.name)
            .filter(|name| name.trim_end_matches('s').ends_with("UUID"))
            .filter(|name| {
                ["Certificate", "certificate", "CertPayload", "IdentityUUID"]
                    .iter()
                    .any(|word| name.contains(word))
            })
            .collect();
        for name in &named {
            // An element of an array never goes on the wire.
            let known = REFERENCES.iter().any(|(key, _)| key == name);
            assert!(known || *name == "CertificateAnchorUUID", "{name}");
        }
        for (key, _) in REFERENCES {
            assert!(named.contains(key), "{key}");
        }
    }
}
