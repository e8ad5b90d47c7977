//! One declaration.

use std::fmt;

use mdm_plist::Dictionary;
use mdm_schema::{Finding, Item, Kind, Rule, Severity, Target};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DeclarationKind, MAX_IDENTIFIER_BYTES, MAX_SERVER_TOKEN_BYTES, json};
use crate::error::Error;

/// A declaration of any type, its payload kept as it is.
///
/// Typed payloads are read out of it and written into it, by way of [`json`].
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Declaration {
    /// `Type`: such as `com.apple.configuration.package`.
    #[serde(rename = "Type")]
    pub declaration_type: String,
    /// `Identifier`: unique on the device, at most [`MAX_IDENTIFIER_BYTES`].
    pub identifier: String,
    /// `ServerToken`: changes with any change of the content, at most [`MAX_SERVER_TOKEN_BYTES`].
    /// A declaration on its way to a server may have none yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_token: Option<String>,
    /// `Payload`.
    pub payload: Map<String, Value>,
    /// Keys that no declaration is known to have; written back.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl fmt::Debug for Declaration {
    /// Shows the names of the payload's keys only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Declaration")
            .field("declaration_type", &self.declaration_type)
            .field("identifier", &self.identifier)
            .field("server_token", &self.server_token)
            .field("payload", &self.payload.keys().collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

impl Declaration {
    /// A declaration without a `ServerToken`.
    pub fn new(
        declaration_type: impl Into<String>,
        identifier: impl Into<String>,
        payload: Map<String, Value>,
    ) -> Self {
        Self {
            declaration_type: declaration_type.into(),
            identifier: identifier.into(),
            server_token: None,
            payload,
            unknown: Map::new(),
        }
    }

    /// A declaration of a known type, without a `ServerToken`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a payload holds any value, and that is one JSON does not have.
    pub fn of<T: Item>(identifier: impl Into<String>, payload: &T) -> Result<Self, Error> {
        let payload = json::from_dictionary(&payload.to_dictionary())?;
        Ok(Self::new(T::SCHEMA.name, identifier, payload))
    }

    /// The payload as its own type.
    ///
    /// # Errors
    /// [`Error::OtherType`] when `Type` names another one; [`Error::Decode`] when a key is missing or
    /// of the wrong type; [`Error::Invalid`] for nesting that no document read here has.
    pub fn payload_as<T: Item>(&self) -> Result<T, Error> {
        T::from_dictionary(&self.keys_of::<T>()?).map_err(|mut error| {
            error.findings = under_payload(error.findings);
            error.into()
        })
    }

    /// Whatever can be read of the payload as its own type, and what could not: a required key that
    /// is missing or does not fit reads as empty, zero or false.
    ///
    /// # Errors
    /// See [`payload_as`](Self::payload_as), but for [`Error::Decode`].
    pub fn payload_leniently<T: Item>(&self) -> Result<(T, Vec<Finding>), Error> {
        let (payload, findings) = T::from_dictionary_leniently(&self.keys_of::<T>()?);
        Ok((payload, under_payload(findings)))
    }

    /// The payload as the type that the declaration says it is, whatever can be read of it, and what
    /// could not.
    ///
    /// # Errors
    /// [`Error::Invalid`] for nesting that no document read here has.
    #[cfg(feature = "ddm")]
    #[inline]
    pub fn any(&self) -> Result<(super::AnyDeclaration, Vec<Finding>), Error> {
        let keys = json::to_dictionary(&self.payload)?;
        let (payload, findings) = super::AnyDeclaration::read(&self.declaration_type, &keys);
        Ok((payload, under_payload(findings)))
    }

    /// Puts these values in the place of the payload's own. Keys that the type does not have, and
    /// values that are the same, stay as they are.
    ///
    /// # Errors
    /// [`Error::OtherType`] when `Type` names another one; [`Error::Invalid`] for what JSON does not
    /// have.
    pub fn set_payload<T: Item>(&mut self, payload: &T) -> Result<(), Error> {
        let original = self.keys_of::<T>()?;
        let mut now = json::from_dictionary(&payload.write_over(original))?;
        json::restore_nulls(&self.payload, &mut now);
        self.payload = now;
        Ok(())
    }

    /// The payload's keys, where it is of this type.
    fn keys_of<T: Item>(&self) -> Result<Dictionary, Error> {
        if self.declaration_type != T::SCHEMA.name {
            return Err(Error::OtherType {
                wanted: T::SCHEMA.name,
                found: self.declaration_type.clone(),
            });
        }
        json::to_dictionary(&self.payload)
    }

    /// The kind that the type belongs to; `None` for a type of no kind that is known.
    pub fn kind(&self) -> Option<DeclarationKind> {
        DeclarationKind::of_type(&self.declaration_type)
    }

    /// What the schema and [`findings`](Self::findings) say about the declaration, for any device or
    /// for this one.
    pub fn validate(&self, target: Option<&Target>) -> Vec<Finding> {
        let mut findings = self.findings();
        let Some(kind) = self.kind() else {
            return findings;
        };
        let mut find = |at, rule, severity, message: String| {
            findings.push(Finding::new(at, rule, severity, message));
        };
        let schema = mdm_schema::find(kind.into(), &self.declaration_type);
        match (schema, json::to_dictionary(&self.payload)) {
            (Some(schema), Ok(keys)) => {
                let found = mdm_schema::validate(schema, &keys, target);
                findings.extend(under_payload(found));
            }
            (None, _) => {
                let message = "is no declaration that is known here".to_owned();
                find("Type", Rule::Enum, Severity::Warning, message);
            }
            (_, Err(error)) => {
                find(
                    "Payload",
                    Rule::Unreadable,
                    Severity::Error,
                    error.to_string(),
                );
            }
        }
        findings
    }

    /// What is wrong with the envelope; the payload is not looked into.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut find = |path: &str, rule, severity, message: &'static str| {
            findings.push(Finding::new(path, rule, severity, message));
        };
        if self.kind().is_none() {
            let message =
                "is of none of the four kinds activation, asset, configuration, management";
            find("Type", Rule::Enum, Severity::Error, message);
        }
        if self.identifier.is_empty() || self.identifier.len() > MAX_IDENTIFIER_BYTES {
            let message = "is empty or longer than 64 bytes";
            find("Identifier", Rule::Range, Severity::Error, message);
        }
        match &self.server_token {
            None => {
                let message = "is missing: the device could not tell one state from another";
                find("ServerToken", Rule::Required, Severity::Error, message);
            }
            Some(token) if token.is_empty() || token.len() > MAX_SERVER_TOKEN_BYTES => {
                let message = "is empty or longer than 64 bytes";
                find("ServerToken", Rule::Range, Severity::Error, message);
            }
            Some(_) => {}
        }
        for key in self.unknown.keys() {
            find(
                key,
                Rule::UnknownKey,
                Severity::Warning,
                "is no key of a declaration",
            );
        }
        findings
    }
}

fn under_payload(findings: Vec<Finding>) -> Vec<Finding> {
    findings.into_iter().map(|f| f.under("Payload")).collect()
}

impl From<DeclarationKind> for Kind {
    fn from(kind: DeclarationKind) -> Self {
        match kind {
            DeclarationKind::Activation => Self::Activation,
            DeclarationKind::Asset => Self::Asset,
            DeclarationKind::Configuration => Self::Configuration,
            DeclarationKind::Management => Self::Management,
        }
    }
}
