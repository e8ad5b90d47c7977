//! Checking a document against the schema, and against the device that it is meant for.

use std::collections::HashSet;

use mdm_plist::{Dictionary, Value};
use mdm_profiles::Profile;
use mdm_protocol::{CheckIn, response::Status};
use mdm_schema::{
    Finding, Kind as Table, Rule, Schema, Severity, Target, path, record::MAX_FINDINGS,
    validate_together,
};
use serde::Serialize;

use crate::{
    decode::{Options, decode, profile},
    document::{Document, Kind},
    error::Error,
    parts::{Part, leads_to_items},
};

/// What a check says about a document.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Validation {
    /// What the document is.
    pub kind: Kind,
    /// The type within the kind.
    #[serde(rename = "type")]
    pub name: Option<String>,
    /// The device that it was checked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// What is wrong or noteworthy. Never the value of a secret.
    pub findings: Vec<Finding>,
}

impl Validation {
    /// Whether nothing is so wrong that a device would refuse the document.
    pub fn is_valid(&self) -> bool {
        let errors = |finding: &Finding| finding.severity == Severity::Error;
        !self.findings.iter().any(errors)
    }

    /// A line for each finding.
    pub fn lines(&self) -> String {
        let lines: Vec<String> = self.findings.iter().map(|f| plain(f)).collect();
        if lines.is_empty() {
            let name = self.name.as_deref().unwrap_or("of no named type");
            return format!("ok: {} {}", self.kind, plain(&name));
        }
        lines.join("\n")
    }
}

/// One line without control characters: keys are whatever the document says.
fn plain(text: &dyn std::fmt::Display) -> String {
    let shown = text.to_string();
    let shown = shown.chars().map(|c| if c.is_control() { ' ' } else { c });
    shown.collect()
}

/// Checks a document, for any device or for this one.
///
/// # Errors
/// [`Error`] for what cannot be read, is over a limit, or is none of the documents of MDM.
pub fn validate(
    bytes: &[u8],
    options: &Options,
    target: Option<&Target>,
) -> Result<Validation, Error> {
    Ok(of_document(decode(bytes, options)?, target))
}

/// Checks a document that has been taken apart.
pub(crate) fn of_document(mut document: Document, target: Option<&Target>) -> Validation {
    let parts = std::mem::take(&mut document.parts);
    let mut found = by_its_type(&document, &parts, target).unwrap_or_else(|| {
        let mut found: Vec<_> = parts
            .iter()
            .flat_map(|part| part.findings(target))
            .collect();
        found.extend(together(&parts, target));
        found
    });
    found.extend(parts.iter().filter_map(unknown_type));
    found.extend(unknown_items(&document));
    if found.iter().any(is_misfit) {
        // Said more precisely by now.
        document
            .findings
            .retain(|finding| !(finding.path.is_empty() && is_misfit(finding)));
    }
    document.add(found);
    let said = document.findings.iter().map(|finding| finding.path.clone());
    let said: HashSet<_> = said.collect();
    let message = "is not known";
    let unknown = std::mem::take(&mut document.unknown_keys).into_iter();
    let unknown = unknown
        .filter(|path| !said.contains(path))
        .map(|path| Finding::new(path, Rule::UnknownKey, Severity::Warning, message));
    document.add(unknown.collect::<Vec<_>>());
    Validation {
        kind: document.kind,
        name: document.name,
        target: target.map(Target::to_string),
        findings: document.findings,
    }
}

/// What the document's own type finds, where it knows more than the schema says.
fn by_its_type(
    document: &Document,
    parts: &[Part],
    target: Option<&Target>,
) -> Option<Vec<Finding>> {
    let keys = document.tree.as_ref()?.as_dictionary()?;
    match document.kind {
        Kind::Profile if !profile::is_bare_payload(keys) => {
            let (profile, _) = Profile::from_dictionary(keys.clone()).ok()?;
            let mut found = profile.validate(target);
            // Payloads that the caller names, because nobody knows what they call themselves.
            let named = parts.iter().filter(|part| unknown_type(part).is_some());
            found.extend(named.flat_map(|part| part.findings(target)));
            Some(found)
        }
        Kind::Checkin if parts.iter().any(|part| part.table == Table::CheckIn) => {
            let (message, _) = CheckIn::from_dictionary(keys.clone()).ok()?;
            Some(message.validate(target))
        }
        Kind::Checkin | Kind::Cms => {
            let all = parts.iter().flat_map(|part| part.findings(target));
            let known = |finding: &Finding| {
                finding.rule != Rule::UnknownKey || document.unknown_keys.contains(&finding.path)
            };
            Some(all.filter(known).collect())
        }
        Kind::Response => {
            // A command that failed has a status, but perhaps no result.
            let status = keys.get("Status").and_then(Value::as_string);
            let is_whole = status.map(Status::from) == Some(Status::Acknowledged);
            let all = parts.iter().flat_map(|part| part.findings(target));
            let asked = |f: &Finding| is_whole || f.rule != Rule::Required || f.path.contains('.');
            Some(all.filter(asked).collect())
        }
        _ => None,
    }
}

fn is_misfit(finding: &Finding) -> bool {
    finding.severity == Severity::Error && matches!(finding.rule, Rule::Type | Rule::Required)
}

/// A part that calls itself by a name that nobody knows.
fn unknown_type(part: &Part) -> Option<Finding> {
    let known = |schema: &Schema| [schema.name, schema.id].contains(&part.name.as_str());
    if part.schema.is_some_and(known) {
        return None;
    }
    let at = part.path();
    let (at, message) = match part.table {
        Table::Command => (
            path::join(&at, "RequestType"),
            "is no command that is known",
        ),
        Table::Response => (at, "is the result of no command that is known"),
        Table::Payload => (
            path::join(&at, "PayloadType"),
            "is no payload that is known",
        ),
        Table::Configuration => (
            at.strip_suffix("Payload").unwrap_or(&at).to_owned() + "Type",
            "is no declaration that is known",
        ),
        _ => (at, "is of a type that is not known"),
    };
    Some(Finding::new(at, Rule::Enum, Severity::Warning, message))
}

/// What payloads of one profile, or several declarations, mean for each other.
fn together(parts: &[Part], target: Option<&Target>) -> Vec<Finding> {
    let alike: Vec<(&Part, &'static Schema, &Dictionary)> = parts
        .iter()
        .filter(|part| !matches!(part.table, Table::StatusItem | Table::Protocol))
        .filter_map(|part| Some((part, part.schema?, part.value.as_dictionary()?)))
        .collect();
    let documents: Vec<_> = alike
        .iter()
        .map(|(_, schema, keys)| (*schema, *keys))
        .collect();
    let found = validate_together(&documents, target).into_iter();
    found
        .filter_map(|mut finding| {
            let (index, rest) = finding.path.strip_prefix('[')?.split_once(']')?;
            let (part, ..) = alike.get(index.parse::<usize>().ok()?)?;
            finding.path = path::join(&part.path(), rest.trim_start_matches('.'));
            Some(finding)
        })
        .collect()
}

/// What a status report holds that is no status item.
fn unknown_items(document: &Document) -> Vec<Finding> {
    let mut found = Vec::new();
    if document.kind != Kind::StatusReport {
        return found;
    }
    let items = document
        .tree
        .as_ref()
        .and_then(|tree| tree.as_dictionary()?.get("StatusItems")?.as_dictionary());
    if let Some(items) = items {
        unknown_below(items, "", "StatusItems", &mut found);
    }
    found
}

fn unknown_below(items: &Dictionary, name: &str, at: &str, found: &mut Vec<Finding>) {
    for (key, value) in items {
        let (name, at) = (path::join(name, key), path::join(at, key));
        if mdm_schema::find(Table::StatusItem, &name).is_some() {
            continue;
        }
        match value.as_dictionary() {
            Some(inner) if leads_to_items(&name) => unknown_below(inner, &name, &at, found),
            _ if found.len() >= MAX_FINDINGS => return,
            _ => {
                let message = "is no status item that is known";
                found.push(Finding::new(
                    at,
                    Rule::UnknownKey,
                    Severity::Warning,
                    message,
                ));
            }
        }
    }
}
