//! One declaration.

use std::fmt;

use mdm_schema::{Finding, Rule, Severity};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{DeclarationKind, MAX_IDENTIFIER_BYTES, MAX_SERVER_TOKEN_BYTES};

/// A declaration of any type, its payload kept as it is.
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

    /// The kind that the type belongs to; `None` for a type of no kind that is known.
    pub fn kind(&self) -> Option<DeclarationKind> {
        DeclarationKind::of_type(&self.declaration_type)
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
