//! Documents beside the protocol: error bodies, an app's manifest, a password's hash, enrolment SSO.

use mdm_plist::Dictionary;
use mdm_schema::{Finding, Kind as Table, Rule, Severity, schemas};
use serde_json::Value;

use super::Options;
use crate::{
    document::{Document, Kind},
    error::Error,
    json,
};

/// Keys that no other document has, each with its document's type.
const TELLING: &[(&str, &str)] = &[
    ("SALTED-SHA512-PBKDF2", "passwordHash"),
    ("iTunesStoreID", "ESSO"),
    ("AssociatedDomainsEnableDirectDownloads", "ESSO"),
];

/// Which document a property list is.
pub(super) fn of_plist(document: &Dictionary) -> Option<&'static str> {
    let manifest = document.get("items").is_some_and(|items| {
        let mut items = items.as_array().into_iter().flatten();
        items.any(|item| {
            item.as_dictionary()
                .is_some_and(|item| item.contains_key("assets"))
        })
    });
    if manifest {
        return Some("ManifestURL");
    }
    told_by(|key| document.contains_key(key))
}

/// Which of the two kinds JSON is: an error with a code that Apple lists, or a document.
pub(super) fn of_json(value: &Value) -> Option<Kind> {
    if value
        .get("code")
        .is_some_and(|code| is_known(code.as_str()))
    {
        return Some(Kind::ErrorBody);
    }
    told_by(|key| value.get(key).is_some()).map(|_| Kind::Document)
}

fn told_by(has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let found = TELLING.iter().find(|(key, _)| has(key))?;
    Some(found.1)
}

fn is_known(code: Option<&str>) -> bool {
    let mut errors = schemas(Table::ErrorBody).iter();
    code.is_some_and(|code| errors.any(|schema| schema.name == code))
}

pub(super) fn decode_plist(document: &Dictionary, options: &Options) -> Document {
    let name = options.name_for(Kind::Document).or(of_plist(document));
    Document::new(Kind::Document, name, json::dictionary(document))
}

pub(super) fn decode_json(value: Value, kind: Kind, options: &Options) -> Result<Document, Error> {
    let Some(keys) = value.as_object() else {
        return Err(Error::NotAs {
            kind: kind.as_str(),
            problem: "it is no JSON object".to_owned(),
        });
    };
    let named = options.name_for(kind);
    if kind == Kind::Document {
        let name = named.or(told_by(|key| keys.contains_key(key)));
        return Ok(Document::new(kind, name, value));
    }
    let code = keys.get("code").and_then(Value::as_str);
    let mut told = Document::new(kind, code.or(named), value.clone());
    if code.is_some() && !is_known(code) {
        told.findings.push(Finding::new(
            "code",
            Rule::Enum,
            Severity::Warning,
            "is no code that is known here",
        ));
    }
    Ok(told)
}
