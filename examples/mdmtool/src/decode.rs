//! Telling what a document is by its content, from the outside inwards.

mod certificate;
mod checkin;
mod cms;
mod command;
mod container;
mod ddm;
mod envelope;
mod other;
pub(crate) mod profile;
mod response;
mod scep;
mod signature;
mod token;

use std::str::FromStr;

use ade_client::ServerToken;
use mdm_pki::PrivateKey;
use mdm_plist::{Dictionary, Limits, Value};
use mdm_schema::{Finding, Kind as Table, Log, Place, Rule, Severity, path, record::MAX_FINDINGS};

use self::container::Container;
use crate::{
    document::{Document, Kind, MAX_UNKNOWN_BYTES},
    error::Error,
    parts::{self, Part},
};

/// What the caller knows about a document beforehand.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Options {
    /// The longest document that is read, in bytes. Default: 64 MiB.
    pub limit: usize,
    /// The key to open what is encrypted.
    pub key: Option<PrivateKey>,
    /// What the document is, where its content does not tell.
    pub as_kind: Option<As>,
    /// The type, where the document does not name its own: by name, or by the file that Apple's
    /// repository has it in, such as `device.erase`.
    pub hint: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limit: 64 * 1024 * 1024,
            key: None,
            as_kind: None,
            hint: None,
        }
    }
}

impl Options {
    /// Changes some of them.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    fn plist_limits(&self) -> Limits {
        Limits::default().with(|limits| limits.bytes = self.limit)
    }

    fn cms_limits(&self) -> mdm_pki::cms::Limits {
        mdm_pki::cms::Limits::default().with(|limits| limits.bytes = self.limit)
    }

    /// The type that the caller names for documents of this kind.
    fn name_for(&self, kind: Kind) -> Option<&str> {
        let named = self.as_kind.as_ref().filter(|named| named.kind == kind);
        if let Some(name) = named.and_then(|named| named.name.as_deref()) {
            return Some(parts::meant(kind.tables(), name).map_or(name, |s| s.id));
        }
        let hint = self.hint.as_deref()?;
        parts::meant(kind.tables(), hint).map(|schema| schema.id)
    }
}

/// What a document is: `KIND` or `KIND/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct As {
    /// The kind.
    pub kind: Kind,
    /// The type within the kind.
    pub name: Option<String>,
}

impl FromStr for As {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let (kind, name) = match text.split_once('/') {
            Some((kind, name)) => (kind, Some(name)),
            None => (text, None),
        };
        Ok(Self {
            kind: kind.parse()?,
            name: name.filter(|name| !name.is_empty()).map(str::to_owned),
        })
    }
}

/// Tells what a document is, and what it says.
///
/// # Errors
/// [`Error`] for what cannot be read, is over a limit, or is none of the documents of MDM.
pub fn decode(bytes: &[u8], options: &Options) -> Result<Document, Error> {
    if bytes.len() > options.limit {
        return Err(Error::TooLarge {
            limit: options.limit,
        });
    }
    if bytes.trim_ascii().is_empty() {
        return Err(Error::Empty);
    }
    let told = match container::open(bytes, options)? {
        Container::Plist(document, malformed) => plist(document, malformed, options)?,
        Container::Json(value) => json(value, options)?,
        Container::Cms(message) => cms::decode(&message, options)?,
        Container::Token(message) => token::decode(&ServerToken::from_message(message)?)?,
    };
    let told = look_into(told, options);
    match &options.as_kind {
        Some(named) => compare(told, named),
        None => Ok(told),
    }
}

/// Takes the document apart, and tells what its parts hold that they should not.
fn look_into(mut told: Document, options: &Options) -> Document {
    let Some(tree) = &told.tree else { return told };
    let hint = options.name_for(told.kind);
    let parts = parts::parts(told.kind, told.name.as_deref(), hint, tree);
    let mut unknown = Vec::new();
    // Check-in messages and MachineInfo have types that know more keys than the schema does.
    let by_hand = matches!(told.kind, Kind::Checkin | Kind::Cms);
    for part in parts.iter().filter(|_| !by_hand) {
        unknown.extend(unknown_keys(part));
    }
    told.list_unknown(unknown);
    // A result is told with what did not go into it, as a server reads it.
    let results = parts.iter().filter(|part| part.table == Table::Response);
    let misfits: Vec<_> = results
        .flat_map(|part| part.findings(None))
        .filter(|finding| finding.rule == Rule::Type && finding.severity == Severity::Error)
        .collect();
    told.add(misfits);
    told.parts = parts;
    told
}

/// Paths of the keys that nobody knows in a part: those that a check finds, or all of them, up to the
/// bound of the list, where a check stops before its end.
fn unknown_keys(part: &Part) -> Vec<String> {
    let findings = part.findings(None);
    if findings.len() < MAX_FINDINGS {
        let unknown = findings.into_iter().filter(|f| f.rule == Rule::UnknownKey);
        return unknown.map(|finding| finding.path).collect();
    }
    let (at, mut unknown, mut bytes) = (part.path(), Vec::new(), 0);
    parts::unknown(part, &mut |place| {
        // One more than is listed, so that the list says that it is cut.
        if bytes <= MAX_UNKNOWN_BYTES {
            let path = path::join(&at, &place.path());
            bytes += path.len();
            unknown.push(path);
        }
    });
    unknown
}

/// A document says itself what it is, whatever the caller believes: a name beside its own is told as
/// a finding, another kind is refused.
fn compare(mut told: Document, named: &As) -> Result<Document, Error> {
    if named.kind != told.kind {
        return Err(Error::NotAs {
            kind: named.kind.as_str(),
            problem: format!("its content is that of a {}", told.kind),
        });
    }
    if let (Some(own), Some(other)) = (&told.name, &named.name)
        && own != other
        && !is_another_name(&told, own, other)
    {
        told.findings.push(Finding::new(
            "",
            Rule::Conflict,
            Severity::Warning,
            format!("is {own} by its content, not {other}"),
        ));
    }
    Ok(told)
}

/// Whether the caller's name is only another one: that of Apple's file, or of a payload inside.
fn is_another_name(told: &Document, own: &str, other: &str) -> bool {
    let Some(schema) = parts::meant(told.kind.tables(), other) else {
        return false;
    };
    let is = |part: &Part| part.schema.is_some_and(|of| std::ptr::eq(of, schema));
    schema.name == own || schema.id == own || told.parts.iter().any(is)
}

/// A property list: which document is it?
fn plist(
    document: Dictionary,
    malformed: Vec<Finding>,
    options: &Options,
) -> Result<Document, Error> {
    let tree = document.clone();
    let mut told = plist_of_kind(document, options)?;
    told.tree = Some(tree.into());
    told.add(malformed);
    Ok(told)
}

fn plist_of_kind(document: Dictionary, options: &Options) -> Result<Document, Error> {
    let kind = match &options.as_kind {
        Some(named) => named.kind,
        None => kind_of(&document).ok_or_else(|| unknown(&document))?,
    };
    match kind {
        Kind::Checkin => checkin::decode(document, options),
        Kind::Profile => profile::decode(document, options),
        Kind::Command => command::decode(document, options),
        Kind::Response => response::decode(document, options),
        Kind::Document => Ok(other::decode_plist(&document, options)),
        other => Err(Error::NotAs {
            kind: other.as_str(),
            problem: "it is a property list".to_owned(),
        }),
    }
}

fn kind_of(document: &Dictionary) -> Option<Kind> {
    let text = |key| document.get(key).and_then(Value::as_string);
    let has = |key| document.contains_key(key);
    if text("MessageType").is_some() {
        Some(Kind::Checkin)
    } else if profile::is_one(document) {
        Some(Kind::Profile)
    } else if document
        .get("Command")
        .is_some_and(|c| c.as_dictionary().is_some())
        || (has("RequestType") && !has("Status") && !response::is_from_a_device(document))
    {
        Some(Kind::Command)
    } else if response::is_one(document) {
        Some(Kind::Response)
    } else if checkin::is_machine_info(document) || checkin::answer(document).is_some() {
        Some(Kind::Checkin)
    } else if profile::is_bare_payload(document) {
        Some(Kind::Profile)
    } else {
        other::of_plist(document).map(|_| Kind::Document)
    }
}

fn unknown(document: &Dictionary) -> Error {
    let keys: Vec<&str> = document.keys().map(String::as_str).take(8).collect();
    Error::Unknown(format!(
        "a property list, but no document of MDM; its keys begin with: {}",
        keys.join(", ")
    ))
}

/// JSON: which document is it?
fn json(value: serde_json::Value, options: &Options) -> Result<Document, Error> {
    // What is nested too deep for a tree is told without its parts.
    let tree = mdm_protocol::ddm::json::to_value(&value).ok().flatten();
    let log = Log::default();
    if value.is_object() || value.is_array() {
        nulls(&value, &Place::root(&log));
    }
    let mut told = json_of_kind(value, options)?;
    told.tree = tree;
    told.add(log.into_findings());
    Ok(told)
}

/// Notes what is null: no key of Apple's may be.
fn nulls(value: &serde_json::Value, place: &Place<'_>) {
    match value {
        serde_json::Value::Null => {
            let message = "is null, and counts as absent";
            place.note(Rule::Type, Severity::Warning, message);
        }
        serde_json::Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                nulls(value, &place.index(index));
            }
        }
        serde_json::Value::Object(keys) => {
            for (key, value) in keys {
                nulls(value, &place.key(key));
            }
        }
        _ => {}
    }
}

fn json_of_kind(value: serde_json::Value, options: &Options) -> Result<Document, Error> {
    match options.as_kind.as_ref().map(|named| named.kind) {
        Some(Kind::AdeToken) => token::from_json(value),
        Some(kind @ (Kind::Declaration | Kind::StatusReport)) => {
            ddm::decode_as(value, kind, options.name_for(kind))
        }
        Some(kind @ (Kind::ErrorBody | Kind::Document)) => other::decode_json(value, kind, options),
        Some(other) => Err(Error::NotAs {
            kind: other.as_str(),
            problem: "it is JSON".to_owned(),
        }),
        None if token::is_one(&value) => token::from_json(value),
        None => match other::of_json(&value) {
            Some(kind) => other::decode_json(value, kind, options),
            None => ddm::decode(value, options),
        },
    }
}
