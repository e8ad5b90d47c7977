//! Documents of declarative management.

use mdm_protocol::ddm::{
    Declaration, DeclarationItemsResponse, DeclarationKind, StatusReport, TokensResponse,
};
use mdm_schema::{Finding, Kind as Table, Rule, Severity, find, path};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::Options;
use crate::{
    document::{Document, Kind},
    error::Error,
    parts::leads_to_items,
};

pub(super) fn decode(json: Value, options: &Options) -> Result<Document, Error> {
    if let Some(declarations) = several(&json) {
        return Ok(declarations);
    }
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
    } else if is_report(keys) || is_fragment(keys) {
        status(json, options.name_for(Kind::StatusReport))
    } else if let Some(named) = credential_name(options) {
        Ok(Document::new(Kind::Declaration, Some(named), json))
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

/// Declarations, one after the other.
fn several(json: &Value) -> Option<Document> {
    let declarations = json.as_array().filter(|array| !array.is_empty())?;
    let all = declarations
        .iter()
        .all(|json| json.as_object().is_some_and(is_declaration));
    if !all {
        return None;
    }
    let mut told = Document::new(Kind::Declaration, None, json.clone());
    for (index, json) in declarations.iter().enumerate() {
        if let Ok(one) = declaration(json.clone()) {
            let at = path::index("", index);
            let unknown = one.unknown_keys.iter().map(|key| path::join(&at, key));
            told.list_unknown(unknown);
            told.findings
                .extend(one.findings.into_iter().map(|finding| finding.under(&at)));
        }
    }
    Some(told)
}

/// The credential that the caller says it is.
fn credential_name(options: &Options) -> Option<&str> {
    let name = options.name_for(Kind::Declaration)?;
    find(Table::Credential, name).map(|_| name)
}

/// The document that the caller says it is.
pub(super) fn decode_as(json: Value, kind: Kind, name: Option<&str>) -> Result<Document, Error> {
    let not = |problem: &str| Error::NotAs {
        kind: kind.as_str(),
        problem: problem.to_owned(),
    };
    if kind == Kind::StatusReport {
        let is_item = name.is_some_and(|name| find(Table::StatusItem, name).is_some());
        return match json {
            json if is_item || json.is_object() => status(json, name),
            _ => Err(not("it is no JSON object")),
        };
    }
    if let Some(declarations) = several(&json) {
        return Ok(declarations);
    }
    let keys = json
        .as_object()
        .ok_or_else(|| not("it is no JSON object"))?;
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
fn status(json: Value, named: Option<&str>) -> Result<Document, Error> {
    let mut told = Document::new(Kind::StatusReport, Some("StatusReport"), json.clone());
    let missing = |key: &str, severity, message: &'static str| {
        Finding::new(key, Rule::Required, severity, message)
    };
    if json.get("StatusItems").is_none() {
        if json.as_object().is_some_and(is_report) {
            let message = "is missing: the report says what it could not report, and nothing else";
            told.findings
                .push(missing("StatusItems", Severity::Warning, message));
        } else if named.is_none() {
            let message = "is missing: these are status items without their report";
            told.findings
                .push(missing("StatusItems", Severity::Info, message));
        }
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

/// Whether it is a whole report; one may hold nothing but errors.
fn is_report(keys: &Map<String, Value>) -> bool {
    let errors = keys.get("Errors").and_then(Value::as_array);
    let tells = |error: &Value| error.get("StatusItem").is_some();
    keys.contains_key("StatusItems") || errors.is_some_and(|errors| errors.iter().any(tells))
}

fn is_fragment(keys: &Map<String, Value>) -> bool {
    !keys.is_empty()
        && keys.iter().all(|(key, items)| {
            let item = find(Table::StatusItem, key).is_some();
            item || (leads_to_items(key) && items.is_object())
        })
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
