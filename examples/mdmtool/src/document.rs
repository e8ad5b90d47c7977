//! What is told about a document.

use std::{collections::HashSet, fmt, str::FromStr};

use mdm_schema::{Finding, Rule, Severity};
use serde::Serialize;
use serde_json::Value;

use crate::{error::Error, parts::Part, schema::SchemaKind};

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
    /// The body of an HTTP error.
    ErrorBody,
    /// A document beside the protocol: an app's manifest, a password's hash, enrolment SSO.
    Document,
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
        Self::ErrorBody,
        Self::Document,
    ];

    /// The kind that documents of the schema's kind are told as.
    pub const fn of(table: mdm_schema::Kind) -> Self {
        use mdm_schema::Kind as Table;
        match table {
            Table::CheckIn | Table::CheckInResponse => Self::Checkin,
            Table::Command => Self::Command,
            Table::Response => Self::Response,
            Table::Payload => Self::Profile,
            Table::StatusItem => Self::StatusReport,
            Table::ErrorBody => Self::ErrorBody,
            Table::Document => Self::Document,
            _ => Self::Declaration,
        }
    }

    /// The kinds of the schema that documents of this kind may be of.
    pub(crate) const fn tables(self) -> &'static [mdm_schema::Kind] {
        use mdm_schema::Kind as Table;
        match self {
            Self::Checkin | Self::Cms => &[Table::CheckIn, Table::CheckInResponse, Table::Document],
            Self::Command => &[Table::Command],
            Self::Response => &[Table::Response, Table::Command],
            Self::Profile => &[Table::Payload],
            Self::Declaration => &[
                Table::Configuration,
                Table::Asset,
                Table::Activation,
                Table::Management,
                Table::Credential,
                Table::Protocol,
            ],
            Self::StatusReport => &[Table::StatusItem, Table::Protocol],
            Self::ErrorBody => &[Table::ErrorBody],
            Self::Document => &[Table::Document],
            Self::AdeToken | Self::ScepMessage => &[],
        }
    }

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
            Self::ErrorBody => "error-body",
            Self::Document => "document",
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
            .or_else(|| text.parse().ok().map(|SchemaKind(table)| Self::of(table)))
            .ok_or_else(|| Error::UnknownKind(text.to_owned()))
    }
}

/// What a file is, and what it says.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Document {
    /// The kind.
    pub kind: Kind,
    /// The type within the kind, such as `DeviceInformation`; `null` where the content does not tell.
    #[serde(rename = "type")]
    pub name: Option<String>,
    /// The content.
    pub body: Value,
    /// Paths of the keys that the document's type is not known to have; what is of no known type is
    /// not looked into.
    pub unknown_keys: Vec<String>,
    /// What is odd or wrong about it.
    pub findings: Vec<Finding>,
    /// Its parts that the schema describes.
    #[serde(skip)]
    pub(crate) parts: Vec<Part>,
    /// What it was read as, where it is a property list or JSON.
    #[serde(skip)]
    pub(crate) tree: Option<mdm_plist::Value>,
    /// Who signed it, where it is signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed: Option<Value>,
}

impl Document {
    /// Adds findings, but for those that say of the same place what one says already.
    pub(crate) fn add(&mut self, findings: impl IntoIterator<Item = Finding>) {
        let of = |finding: &Finding| (finding.path.clone(), finding.rule);
        let mut said: HashSet<_> = self.findings.iter().map(of).collect();
        let new = findings.into_iter().filter(|finding| {
            let misplaced = (finding.path.clone(), Rule::Misplaced);
            let elsewhere = finding.rule == Rule::UnknownKey && said.contains(&misplaced);
            !elsewhere && said.insert(of(finding))
        });
        self.findings.extend(new.collect::<Vec<_>>());
    }

    pub(crate) fn new(kind: Kind, name: Option<&str>, body: Value) -> Self {
        Self {
            kind,
            name: name.filter(|name| !name.is_empty()).map(str::to_owned),
            body,
            unknown_keys: Vec::new(),
            findings: Vec::new(),
            parts: Vec::new(),
            tree: None,
            signed: None,
        }
    }

    /// Lists keys as unknown, each once, up to [`MAX_UNKNOWN_BYTES`] in all.
    pub(crate) fn list_unknown(&mut self, paths: impl IntoIterator<Item = impl fmt::Display>) {
        let mut bytes: usize = self.unknown_keys.iter().map(String::len).sum();
        let mut listed: HashSet<String> = self.unknown_keys.iter().cloned().collect();
        for path in paths {
            let path = path.to_string();
            if !listed.insert(path.clone()) {
                continue;
            }
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
