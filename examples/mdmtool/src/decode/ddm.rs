//! Documents of declarative management.

use mdm_protocol::ddm::{
    Declaration, DeclarationItemsResponse, DeclarationKind, StatusReport, TokensResponse,
};
use mdm_schema::{Finding, Rule, Severity};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::{
    document::{Document, Kind},
    error::Error,
};

/// The first parts of the names of all status items.
const STATUS_ROOTS: &[&str] = &[
    "account",
    "app",
    "content-cache",
    "device",
    "diskmanagement",
    "enhanced-logging",
    "management",
    "mdm",
    "migration-assistant",
    "package",
    "passcode",
    "screensharing",
    "security",
    "services",
    "softwareupdate",
    "test",
];

pub(super) fn decode(json: Value) -> Result<Document, Error> {
    let Some(keys) = json.as_object() else {
        return Err(Error::Unknown("JSON, but no object".to_owned()));
    };
    let has = |key| keys.contains_key(key);
    if is_declaration(keys) {
        declaration(json)
    } else if has("SyncTokens") {
        typed::<TokensResponse>(json, "TokensResponse")
    } else if has("DeclarationsToken") || has("Declarations") {
        typed::<DeclarationItemsResponse>(json, "DeclarationItemsResponse")
    } else if has("StatusItems") || is_fragment(keys) {
        status(json)
    } else if let Some(name) = credential(keys) {
        let mut told = Document::new(Kind::Declaration, Some(name), json);
        told.findings.push(Finding::new(
            "",
            Rule::Required,
            Severity::Info,
            "holds no type, as no credential does: it is told by its keys alone",
        ));
        Ok(told)
    } else {
        let keys: Vec<&str> = keys.keys().map(String::as_str).take(8).collect();
        Err(Error::Unknown(format!(
            "JSON, but no document of MDM; its keys begin with: {}",
            keys.join(", ")
        )))
    }
}

/// The document that the caller says it is.
pub(super) fn decode_as(json: Value, kind: Kind, name: Option<&str>) -> Result<Document, Error> {
    let not = |problem: &str| Error::NotAs {
        kind: kind.as_str(),
        problem: problem.to_owned(),
    };
    let keys = json
        .as_object()
        .ok_or_else(|| not("it is no JSON object"))?;
    if kind == Kind::StatusReport {
        return status(json);
    }
    match name {
        Some("TokensResponse") => typed::<TokensResponse>(json, "TokensResponse"),
        Some("DeclarationItemsResponse") => {
            typed::<DeclarationItemsResponse>(json, "DeclarationItemsResponse")
        }
        _ if is_declaration(keys) => declaration(json),
        Some(name) if !keys.contains_key("Payload") => {
            // A credential, or the payload of a declaration by itself.
            Ok(Document::new(Kind::Declaration, Some(name), json))
        }
        _ if keys.contains_key("Payload") => declaration(json),
        _ => Err(not(
            "it has neither a Payload nor the Type of a declaration",
        )),
    }
}

/// Whether it has a declaration's payload, or the type of a declaration without one.
fn is_declaration(keys: &Map<String, Value>) -> bool {
    let has = |key| keys.contains_key(key);
    let text = |key| keys.get(key).and_then(Value::as_str);
    (has("Payload") && (has("Type") || has("Identifier")))
        || text("Type").is_some_and(|named| DeclarationKind::of_type(named).is_some())
}

fn declaration(mut json: Value) -> Result<Document, Error> {
    let name = json.get("Type").and_then(Value::as_str).map(str::to_owned);
    let mut told = Document::new(Kind::Declaration, name.as_deref(), json.clone());
    if let Some(keys) = json.as_object_mut()
        && !keys.contains_key("Payload")
    {
        told.findings.push(Finding::new(
            "Payload",
            Rule::Required,
            Severity::Error,
            "is missing",
        ));
        keys.insert("Payload".to_owned(), Map::new().into());
    }
    match serde_json::from_value::<Declaration>(json) {
        Ok(declaration) => {
            told.unknown_keys = declaration.unknown.keys().cloned().collect();
            told.findings.extend(declaration.findings());
        }
        Err(error) => told.findings.push(fault(&error)),
    }
    Ok(told)
}

fn typed<T: DeserializeOwned>(json: Value, name: &str) -> Result<Document, Error> {
    let mut told = Document::new(Kind::Declaration, Some(name), json.clone());
    if let Err(error) = serde_json::from_value::<T>(json) {
        told.findings.push(fault(&error));
    }
    Ok(told)
}

fn fault(error: &serde_json::Error) -> Finding {
    Finding::new("", Rule::Type, Severity::Error, error.to_string())
}

/// A status report, or a fragment of one: Apple's examples are the items without the report.
fn status(json: Value) -> Result<Document, Error> {
    let mut told = Document::new(Kind::StatusReport, Some("StatusReport"), json.clone());
    let missing = |key: &str, severity, message: &'static str| {
        Finding::new(key, Rule::Required, severity, message)
    };
    if json.get("StatusItems").is_none() {
        told.findings.push(missing(
            "StatusItems",
            Severity::Info,
            "is missing: these are status items without their report",
        ));
        return Ok(told);
    }
    if json.get("Errors").is_none() {
        told.findings
            .push(missing("Errors", Severity::Warning, "is missing"));
    }
    if json.pointer("/StatusItems/FullReport").is_some() {
        told.findings.push(Finding::new(
            "StatusItems.FullReport",
            Rule::Misplaced,
            Severity::Warning,
            "belongs beside StatusItems",
        ));
    }
    match serde_json::from_value::<StatusReport>(json) {
        Ok(report) => told.unknown_keys = report.unknown.keys().cloned().collect(),
        Err(error) => told.findings.push(fault(&error)),
    }
    Ok(told)
}

fn is_fragment(keys: &Map<String, Value>) -> bool {
    !keys.is_empty()
        && keys
            .iter()
            .all(|(key, items)| STATUS_ROOTS.contains(&key.as_str()) && items.is_object())
}

/// Which credential it is that an asset refers to: it has the first keys, and none but these.
fn credential(keys: &Map<String, Value>) -> Option<&'static str> {
    let has = |wanted: &[&str]| wanted.iter().all(|key| keys.contains_key(*key));
    CREDENTIALS
        .iter()
        .find(|(required, optional, _)| {
            has(required)
                && keys
                    .keys()
                    .all(|key| required.contains(&&**key) || optional.contains(&&**key))
        })
        .map(|(_, _, name)| *name)
}

/// Required keys, optional keys, and the credential's name.
const CREDENTIALS: &[(&[&str], &[&str], &str)] = &[
    (
        &["DirectoryURL", "ClientIdentifier"],
        &[
            "Attest",
            "ExtendedKeyUsage",
            "HardwareBound",
            "KeySize",
            "KeyType",
            "Subject",
            "SubjectAltName",
            "UsageFlags",
        ],
        "com.apple.credential.acme",
    ),
    (
        &["URL"],
        &[
            "CAFingerprint",
            "Challenge",
            "Key Type",
            "Key Usage",
            "Keysize",
            "Name",
            "Retries",
            "RetryDelay",
            "Subject",
            "SubjectAltName",
        ],
        "com.apple.credential.scep",
    ),
    (
        &["UserName"],
        &["Password"],
        "com.apple.credential.usernameandpassword",
    ),
    (
        &["Password", "Identity"],
        &[],
        "com.apple.credential.identity",
    ),
];
