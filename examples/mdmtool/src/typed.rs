//! Documents as their own types, and back.

mod compare;

use mdm_plist::{Dictionary, Kept, Value};
use mdm_profiles::payload::{AnyPayload, RawPayload};
use mdm_protocol::{
    CheckIn,
    checkin::{
        GetBootstrapTokenResponse, GetTokenResponse, ReturnToServiceResponse,
        UserAuthenticateResponse,
    },
    command::AnyCommand,
    ddm::{
        AnyDeclaration, Declaration, DeclarationItemsResponse, StatusReason, StatusReport,
        TokensResponse, credential::AnyCredential, json, status_item::AnyStatusItem,
    },
    document::{ManifestUrl, PasswordHash},
    enroll::{AnyErrorBody, Esso, MachineInfo},
    response::{AnyResponse, NoBody},
};
use mdm_schema::{Finding, Item, Kind as Table, Rule, Schema};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    decode::{As, Options, decode},
    document::{Document, Kind},
    error::Error,
    parts::{self, Part},
    schema::words,
    validate,
};

/// A part of a document as its own type.
#[derive(Debug, Clone)]
#[non_exhaustive]
#[allow(missing_docs)] // Each is what it is called.
pub enum Any {
    CheckIn(Box<CheckIn>),
    UserAuthenticateResponse(UserAuthenticateResponse),
    GetBootstrapTokenResponse(GetBootstrapTokenResponse),
    GetTokenResponse(GetTokenResponse),
    ReturnToServiceResponse(ReturnToServiceResponse),
    MachineInfo(Box<MachineInfo>),
    Command(AnyCommand),
    Response(AnyResponse),
    NoBody(NoBody),
    Payload(AnyPayload),
    Declaration(AnyDeclaration),
    DeclarationBase(Box<Declaration>),
    Credential(AnyCredential),
    StatusItem(AnyStatusItem),
    StatusReport(Box<StatusReport>),
    StatusReason(Box<StatusReason>),
    Tokens(Box<TokensResponse>),
    DeclarationItems(Box<DeclarationItemsResponse>),
    ErrorBody(AnyErrorBody),
    Manifest(Box<ManifestUrl>),
    PasswordHash(Box<PasswordHash>),
    Esso(Box<Esso>),
}

/// A part of a document, typed.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct TypedPart {
    /// Where it lies in the document.
    pub path: String,
    /// What sort of document it is, such as `payload`.
    pub kind: &'static str,
    /// What it calls itself, or is called by the caller.
    pub name: String,
    /// The id of its schema; nothing for a name that no schema has.
    pub id: Option<&'static str>,
    /// It as its own type; nothing for one that has none, or that cannot be read at all.
    #[serde(skip)]
    pub typed: Option<Any>,
    /// What could not be read of it.
    pub findings: Vec<Finding>,
    /// Where its type, written again, says something else than the document and no finding says why.
    pub lost: Vec<String>,
}

/// What became of a document that was read as its types and written from them.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Roundtrip {
    /// What the document is.
    pub kind: Kind,
    /// The type within the kind.
    #[serde(rename = "type")]
    pub name: Option<String>,
    /// Its parts that the schema describes.
    pub parts: Vec<TypedPart>,
    /// Whether every part is of a known type, and the document is the same when written again.
    pub faithful: bool,
    /// What a check without a device finds.
    pub findings: Vec<Finding>,
}

/// Reads a document as its own types, writes it from them again, compares, and checks it.
///
/// # Errors
/// See [`typed`].
pub fn roundtrip(bytes: &[u8], options: &Options) -> Result<Roundtrip, Error> {
    let typed = typed(bytes, options)?;
    let faithful = typed.is_faithful();
    let found = validate::of_document(typed.document, None);
    Ok(Roundtrip {
        kind: found.kind,
        name: found.name,
        parts: typed.parts,
        faithful,
        findings: found.findings,
    })
}

/// A document, each of its parts typed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Typed {
    /// What it is.
    pub document: Document,
    /// Its parts that the schema describes.
    pub parts: Vec<TypedPart>,
    /// The document as it was read.
    pub original: Value,
    /// The document with each part written from its type; what types do not know is kept.
    pub encoded: Value,
}

impl Typed {
    /// Whether every part is of a known type, and the document is the same when written again.
    pub fn is_faithful(&self) -> bool {
        let whole = |part: &TypedPart| part.typed.is_some() && part.lost.is_empty();
        !self.parts.is_empty() && self.parts.iter().all(whole) && self.encoded == self.original
    }
}

/// Decodes a document of this kind, whose type is `name` where it does not name its own, and each of
/// its parts as its own type.
///
/// # Errors
/// [`Error`] for what cannot be read, or is another kind of document.
pub fn decode_as(kind: Kind, name: Option<&str>, bytes: &[u8]) -> Result<Typed, Error> {
    typed(
        bytes,
        &Options::default().with(|options| {
            options.as_kind = Some(As { kind, name: None });
            options.hint = name.map(str::to_owned);
        }),
    )
}

/// Decodes a document, and each of its parts as its own type.
///
/// # Errors
/// [`Error`] for what cannot be read, is over a limit, or is none of the documents of MDM.
pub fn typed(bytes: &[u8], options: &Options) -> Result<Typed, Error> {
    let document = decode(bytes, options)?;
    let original = document.tree.clone().unwrap_or(Value::Boolean(false));
    let mut encoded = original.clone();
    let parts = document.parts.iter().map(|part| {
        let place = parts::at(&mut encoded, &part.way);
        read_part(part, place)
    });
    Ok(Typed {
        parts: parts.collect(),
        document,
        original,
        encoded,
    })
}

/// Reads a part as its type, and writes it over where it was read.
fn read_part(part: &Part, place: Option<&mut Value>) -> TypedPart {
    let mut told = TypedPart {
        path: part.path(),
        kind: words::kind(part.table),
        name: part.name.clone(),
        id: part.schema.map(|schema| schema.id),
        typed: None,
        findings: Vec::new(),
        lost: Vec::new(),
    };
    let Some(place) = place else { return told };
    let Some((typed, findings)) = read(part, place) else {
        // Of a known type, and yet it cannot be read as that.
        told.lost.extend(told.id.map(|_| told.path.clone()));
        return told;
    };
    let own = part
        .schema
        .filter(|schema| schema.kind == Table::StatusItem);
    let own = own.map_or("", |schema| schema.name);
    let moved = findings
        .into_iter()
        .map(|finding| parts::moved(finding, own, &told.path));
    told.findings = moved.collect();
    if let Some(written) = typed.write(part) {
        told.lost = compare::write_over(place, written, part, &told.findings);
    } else {
        told.lost.push(told.path.clone());
    }
    told.typed = Some(typed);
    told
}

/// The part as its type. `whole` is the part with the keys of its frame.
fn read(part: &Part, whole: &Value) -> Option<(Any, Vec<Finding>)> {
    let schema = part.schema?;
    if let (Table::StatusItem, value) = (schema.kind, &part.value) {
        let (item, findings) = AnyStatusItem::read(schema.name, value);
        return item.schema().map(|_| (Any::StatusItem(item), findings));
    }
    let keys = part.value.as_dictionary()?;
    let whole = whole.as_dictionary()?;
    /// One of the dynamic forms, unless it falls back on the dictionary.
    macro_rules! any {
        ($form:ident as $any:ident) => {{
            let (typed, findings) = $any::read(schema.id, keys);
            typed.schema().map(|_| (Any::$form(typed), findings))
        }};
    }
    match (schema.kind, schema.name) {
        (Table::CheckIn, _) => by_serde(
            CheckIn::from_dictionary(whole.clone())
                .map(|(message, _)| Any::CheckIn(Box::new(message))),
        ),
        (Table::CheckInResponse, "UserAuthenticate") => kept(whole, Any::UserAuthenticateResponse),
        (Table::CheckInResponse, "GetBootstrapToken") => {
            kept(whole, Any::GetBootstrapTokenResponse)
        }
        (Table::CheckInResponse, "GetToken") => kept(whole, Any::GetTokenResponse),
        (Table::CheckInResponse, _) => kept(whole, Any::ReturnToServiceResponse),
        (Table::Command, _) => any!(Command as AnyCommand),
        (Table::Response, _) if schema.keys.is_empty() => {
            Some((Any::NoBody(NoBody::default()), Vec::new()))
        }
        (Table::Response, _) => any!(Response as AnyResponse),
        // A payload's own word counts, so that a type of any keys does not take those of every payload.
        (Table::Payload, name) if RawPayload::new(keys).payload_type() == Some(name) => {
            let (typed, findings) = RawPayload::new(keys).any();
            typed.schema().map(|_| (Any::Payload(typed), findings))
        }
        (Table::Payload, _) => any!(Payload as AnyPayload),
        (Table::Credential, _) => any!(Credential as AnyCredential),
        (Table::ErrorBody, _) => any!(ErrorBody as AnyErrorBody),
        (Table::Protocol, "StatusReport") => from_json(schema, whole, Any::StatusReport),
        (Table::Protocol, "TokensResponse") => from_json(schema, whole, Any::Tokens),
        (Table::Protocol, "DeclarationItemsResponse") => {
            from_json(schema, whole, Any::DeclarationItems)
        }
        (Table::Protocol, "status-reason") => from_json(schema, whole, Any::StatusReason),
        (Table::Protocol, _) => from_json(schema, whole, Any::DeclarationBase),
        (Table::Document, "MachineInfo") => kept(whole, |info| Any::MachineInfo(Box::new(info))),
        (Table::Document, "ManifestURL") => item(keys, Any::Manifest),
        (Table::Document, "passwordHash") => item(keys, Any::PasswordHash),
        (Table::Document, "ESSO") => item(keys, Any::Esso),
        (Table::Document, _) => None,
        _ => any!(Declaration as AnyDeclaration),
    }
}

fn item<T: Item>(keys: &Dictionary, make: fn(Box<T>) -> Any) -> Option<(Any, Vec<Finding>)> {
    let (item, findings) = T::from_dictionary_leniently(keys);
    Some((make(Box::new(item)), findings))
}

/// A type that is all there or not at all.
fn by_serde<E: std::error::Error>(read: Result<Any, E>) -> Option<(Any, Vec<Finding>)> {
    read.ok().map(|any| (any, Vec::new()))
}

fn kept<T: DeserializeOwned>(
    keys: &Dictionary,
    make: impl FnOnce(T) -> Any,
) -> Option<(Any, Vec<Finding>)> {
    by_serde(Kept::<T>::from_dictionary(keys.clone()).map(|kept| make(kept.value)))
}

/// Such types take a list that is missing for an empty one, and say nothing of it.
fn from_json<T: DeserializeOwned>(
    schema: &Schema,
    keys: &Dictionary,
    make: fn(Box<T>) -> Any,
) -> Option<(Any, Vec<Finding>)> {
    let typed = serde_json::from_value(json::from_dictionary(keys).ok()?.into()).ok()?;
    let mut findings = mdm_schema::validate(schema, keys, None);
    findings.retain(|finding| finding.rule == Rule::Required);
    Some((make(Box::new(typed)), findings))
}

impl Any {
    /// The part, written from its type.
    fn write(&self, part: &Part) -> Option<Value> {
        Some(match self {
            Self::CheckIn(message) => plist(message)?,
            Self::UserAuthenticateResponse(answer) => plist(answer)?,
            Self::GetBootstrapTokenResponse(answer) => plist(answer)?,
            Self::GetTokenResponse(answer) => plist(answer)?,
            Self::ReturnToServiceResponse(answer) => plist(answer)?,
            Self::MachineInfo(info) => plist(info)?,
            Self::Command(any) => any.to_dictionary().into(),
            Self::Response(any) => any.to_dictionary().into(),
            Self::NoBody(body) => body.to_dictionary().into(),
            Self::Payload(any) => payload(any, part).into(),
            Self::Declaration(any) => any.to_dictionary().into(),
            Self::DeclarationBase(declaration) => by_json(declaration)?,
            Self::Credential(any) => any.to_dictionary().into(),
            Self::StatusItem(any) => any.to_value(),
            Self::StatusReport(report) => by_json(report)?,
            Self::StatusReason(reason) => by_json(reason)?,
            Self::Tokens(tokens) => by_json(tokens)?,
            Self::DeclarationItems(items) => by_json(items)?,
            Self::ErrorBody(any) => any.to_dictionary().into(),
            Self::Manifest(item) => item.to_dictionary().into(),
            Self::PasswordHash(item) => item.to_dictionary().into(),
            Self::Esso(item) => item.to_dictionary().into(),
        })
    }
}

fn plist<T: Serialize>(typed: &T) -> Option<Value> {
    mdm_plist::to_value(typed).ok()
}

fn by_json<T: Serialize>(typed: &T) -> Option<Value> {
    json::to_value(&serde_json::to_value(typed).ok()?).ok()?
}

/// A payload with the keys that all payloads share; its own win.
fn payload(any: &AnyPayload, part: &Part) -> Dictionary {
    let mut keys = any.to_dictionary();
    if let Some(own) = part.value.as_dictionary()
        && part.schema.is_none_or(|schema| schema.id != "TopLevel")
    {
        let (shared, _) = AnyPayload::read("CommonPayloadKeys", own);
        for (key, value) in shared.to_dictionary() {
            if own.contains_key(&key) && !keys.contains_key(&key) {
                keys.insert(key, value);
            }
        }
    }
    keys
}
