//! What is odd about a command's values though the schema allows them.

use std::collections::HashSet;

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Finding, Rule, Severity, path};

/// The findings, at paths from the command's own keys on.
pub(super) fn of(request_type: &str, keys: &Dictionary) -> Vec<Finding> {
    match request_type {
        "DeviceInformation" => device_information(keys),
        "InstallProfile" => install_profile(keys).into_iter().collect(),
        _ => Vec::new(),
    }
}

fn device_information(keys: &Dictionary) -> Vec<Finding> {
    /// The longest nonce that a device takes, in bytes.
    const MAX_NONCE_BYTES: usize = 32;
    let mut findings = Vec::new();
    let mut find = |path: String, rule, severity, message: &'static str| {
        findings.push(Finding::new(path, rule, severity, message));
    };
    let queries = keys.get("Queries").and_then(Value::as_array);
    let empty = "is empty: the answer will be, too";
    if queries.is_some_and(Vec::is_empty) {
        find("Queries".to_owned(), Rule::Range, Severity::Warning, empty);
    }
    let mut seen = HashSet::new();
    let names = queries.into_iter().flatten().map(Value::as_string);
    for (index, query) in names.enumerate() {
        if query.is_some_and(|query| !seen.insert(query)) {
            let at = path::index("Queries", index);
            find(
                at,
                Rule::Duplicate,
                Severity::Warning,
                "is asked for before",
            );
        }
    }
    if let Some(nonce) = keys.get("DeviceAttestationNonce").and_then(Value::as_data) {
        let at = "DeviceAttestationNonce".to_owned();
        if nonce.len() > MAX_NONCE_BYTES {
            find(at, Rule::Range, Severity::Error, "is longer than 32 bytes");
        } else if !seen.contains("DevicePropertiesAttestation") {
            let message = "has no effect without the query DevicePropertiesAttestation";
            find(at, Rule::Conflict, Severity::Warning, message);
        }
    }
    findings
}

/// A profile that was encoded in base64 before it was put into the data (Q18).
fn install_profile(keys: &Dictionary) -> Option<Finding> {
    // `<?xml`, `<plist`, `bplist`, a DER SEQUENCE and PEM begin like this in base64.
    const ENCODED: &[&[u8]] = &[b"PD94", b"PHBsaXN0", b"YnBsaXN0", b"MII", b"MIA", b"LS0tLS"];
    let text = keys.get("Payload")?.as_data()?.trim_ascii_start();
    let encoded = ENCODED.iter().any(|start| text.starts_with(start));
    encoded.then(|| {
        let message = "is base64 inside the data, so it was encoded twice; the device refuses it";
        Finding::new("Payload", Rule::Format, Severity::Error, message)
    })
}
