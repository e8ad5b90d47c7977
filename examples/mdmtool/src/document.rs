//! What is told about a document.

use std::{fmt, str::FromStr};

use mdm_schema::Finding;
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;

/// A kind of document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Kind {
    /// A check-in message, or MachineInfo.
    Checkin,
    /// A command.
    Command,
    /// A device's report on a command.
    Response,
    /// A configuration profile, signed or not.
    Profile,
    /// A server token of Apple's device-assignment service.
    AdeToken,
    /// A CMS message around anything else.
    Cms,
    /// A declaration, or another document of declarative management that the server sends.
    Declaration,
    /// A status report of declarative management, or a part of one.
    StatusReport,
    /// A SCEP message.
    ScepMessage,
}

impl Kind {
    /// Every kind.
    pub const ALL: &[Self] = &[
        Self::Checkin,
        Self::Command,
        Self::Response,
        Self::Profile,
        Self::AdeToken,
        Self::Cms,
        Self::Declaration,
        Self::StatusReport,
        Self::ScepMessage,
    ];

    /// The kind's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Checkin => "checkin",
            Self::Command => "command",
            Self::Response => "response",
            Self::Profile => "profile",
            Self::AdeToken => "ade-token",
            Self::Cms => "cms",
            Self::Declaration => "declaration",
            Self::StatusReport => "status-report",
            Self::ScepMessage => "scep-message",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        Self::ALL
            .iter()
            .find(|kind| kind.as_str() == text)
            .copied()
            .ok_or_else(|| Error::UnknownKind(text.to_owned()))
    }
}

/// What a file is, and what it says.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Document {
    /// The kind.
    pub kind: Kind,
    /// The type within the kind, such as `DeviceInformation`; `null` where the content does not tell.
    #[serde(rename = "type")]
    pub name: Option<String>,
    /// The content.
    pub body: Value,
    /// Paths of the keys that the document's type is not known to have. Results, commands and payloads
    /// of a type that has no Rust type yet are not looked into.
    pub unknown_keys: Vec<String>,
    /// What is odd or wrong about it.
    pub findings: Vec<Finding>,
    /// Who signed it, where it is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<Value>,
}

impl Document {
    pub(crate) fn new(kind: Kind, name: Option<&str>, body: Value) -> Self {
        Self {
            kind,
            name: name.filter(|name| !name.is_empty()).map(str::to_owned),
            body,
            unknown_keys: Vec::new(),
            findings: Vec::new(),
            signed: None,
        }
    }
}
