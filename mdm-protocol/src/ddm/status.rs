//! What a device reports about itself.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A status report.
///
/// Read as leniently as reports are found: a missing `Errors` counts as empty, and `FullReport` is
/// taken from inside `StatusItems` too, where devices have been seen to put it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", from = "Wire")]
#[non_exhaustive]
pub struct StatusReport {
    /// `StatusItems`: nested dictionaries, one level for each part of an item's dotted name.
    pub status_items: Map<String, Value>,
    /// `Errors`: the items that could not be reported.
    pub errors: Vec<StatusError>,
    /// `FullReport`: everything is in here; replace what is stored, do not merge.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub full_report: bool,
    /// Keys that no report is known to have; written back.
    #[serde(flatten)]
    pub unknown: Map<String, Value>,
}

impl fmt::Debug for StatusReport {
    /// Shows the names of the items only: one of them is the push magic.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StatusReport")
            .field(
                "status_items",
                &self.status_items.keys().collect::<Vec<_>>(),
            )
            .field("errors", &self.errors)
            .field("full_report", &self.full_report)
            .finish_non_exhaustive()
    }
}

impl StatusReport {
    /// A report of these items.
    pub fn new(status_items: Map<String, Value>) -> Self {
        Self {
            status_items,
            ..Self::default()
        }
    }

    /// The value of an item by its dotted name, such as `device.identifier.udid`.
    pub fn item(&self, name: &str) -> Option<&Value> {
        let mut parts = name.split('.');
        let first = self.status_items.get(parts.next()?)?;
        parts.try_fold(first, |value, part| value.get(part))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    status_items: Map<String, Value>,
    #[serde(default)]
    errors: Vec<StatusError>,
    #[serde(default)]
    full_report: bool,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl From<Wire> for StatusReport {
    fn from(mut wire: Wire) -> Self {
        let nested = wire.status_items.get("FullReport").and_then(Value::as_bool);
        if nested.is_some() {
            wire.status_items.remove("FullReport");
        }
        Self {
            status_items: wire.status_items,
            errors: wire.errors,
            full_report: wire.full_report || nested == Some(true),
            unknown: wire.unknown,
        }
    }
}

/// An item that could not be reported.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct StatusError {
    /// `StatusItem`: its dotted name.
    pub status_item: String,
    /// `Reasons`: why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<StatusReason>,
}

impl StatusError {
    /// An item without reasons.
    pub fn new(status_item: impl Into<String>) -> Self {
        Self {
            status_item: status_item.into(),
            reasons: Vec::new(),
        }
    }
}

/// A reason; inside status items its keys are written in lower case, and both are read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct StatusReason {
    /// `Code`: such as `Error.UnknownDeclarationType`.
    #[serde(alias = "code")]
    pub code: String,
    /// `Description`: for people.
    #[serde(
        alias = "description",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub description: Option<String>,
    /// `Details`: depends on the code.
    #[serde(alias = "details", default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl StatusReason {
    /// A reason with this code.
    pub fn new(code: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            description: None,
            details: None,
        }
    }
}
