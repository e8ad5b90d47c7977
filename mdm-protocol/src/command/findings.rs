//! What is odd about a command's values though the schema allows them.

use std::collections::HashSet;

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Finding, Log, Place, Rule, Severity};

/// The findings, at paths from the command's own keys on.
pub(super) fn of(request_type: &str, keys: &Dictionary) -> Vec<Finding> {
    let log = Log::default();
    let root = Place::root(&log);
    match request_type {
        "DeviceInformation" => device_information(keys, &root),
        "InstallProfile" => install_profile(keys, &root),
        _ => {}
    }
    log.into_findings()
}

fn device_information(keys: &Dictionary, root: &Place<'_>) {
    /// The longest nonce that a device takes, in bytes.
    const MAX_NONCE_BYTES: usize = 32;
    let place = root.key("Queries");
    let queries = keys.get("Queries").and_then(Value::as_array);
    if queries.is_some_and(Vec::is_empty) {
        let message = "is empty: the answer will be, too";
        place.note(Rule::Range, Severity::Warning, message);
    }
    let mut seen = HashSet::new();
    let names = queries.into_iter().flatten().map(Value::as_string);
    for (index, query) in names.enumerate() {
        if query.is_some_and(|query| !seen.insert(query)) {
            let message = "is asked for before";
            let place = place.index(index);
            place.note(Rule::Duplicate, Severity::Warning, message);
        }
    }
    if let Some(nonce) = keys.get("DeviceAttestationNonce").and_then(Value::as_data) {
        let place = root.key("DeviceAttestationNonce");
        if nonce.len() > MAX_NONCE_BYTES {
            place.note(Rule::Range, Severity::Error, "is longer than 32 bytes");
        } else if !seen.contains("DevicePropertiesAttestation") {
            let message = "has no effect without the query DevicePropertiesAttestation";
            place.note(Rule::Conflict, Severity::Warning, message);
        }
    }
}

/// A profile that was encoded in base64 before it was put into the data (Q18).
fn install_profile(keys: &Dictionary, root: &Place<'_>) {
    // `<?xml`, `<plist`, `bplist`, a DER SEQUENCE and PEM begin like this in base64.
    const ENCODED: &[&[u8]] = &[b"PD94", b"PHBsaXN0", b"YnBsaXN0", b"MII", b"MIA", b"LS0tLS"];
    let payload = keys.get("Payload").and_then(Value::as_data);
    let text = payload.unwrap_or_default().trim_ascii_start();
    if ENCODED.iter().any(|start| text.starts_with(start)) {
        let message = "is base64 inside the data, so it was encoded twice; the device refuses it";
        root.key("Payload")
            .note(Rule::Format, Severity::Error, message);
    }
}
