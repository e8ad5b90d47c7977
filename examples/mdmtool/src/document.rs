//! What is told about a document.

use std::{fmt, str::FromStr};

use mdm_schema::{Finding, Rule, Severity};
use serde::Serialize;
use serde_json::Value;

use crate::error::Error;

/// The most bytes of paths in [`Document::unknown_keys`]: many deep keys could otherwise make a small
/// document's paths as large as its square.
pub const MAX_UNKNOWN_BYTES: usize = 1 << 20;

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

    /// Lists keys as unknown, up to [`MAX_UNKNOWN_BYTES`] in all.
    pub(crate) fn list_unknown(&mut self, paths: impl IntoIterator<Item = impl fmt::Display>) {
        let mut bytes: usize = self.unknown_keys.iter().map(String::len).sum();
        for path in paths {
            let path = path.to_string();
            bytes += path.len();
            if bytes > MAX_UNKNOWN_BYTES {
                let message = "more keys are unknown than are listed";
                let finding = Finding::new("", Rule::UnknownKey, Severity::Warning, message);
                self.findings.push(finding);
                return;
            }
            self.unknown_keys.push(path);
        }
    }
}
