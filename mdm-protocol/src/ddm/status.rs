//! What a device reports about itself.

use std::fmt;

use mdm_schema::{
    Finding, Kind, Log, Place, Rule, Schema, Severity, StatusItem, Target, path,
    record::MAX_FINDINGS,
};
use serde::{Deserialize, Serialize, de};
use serde_json::{Map, Value};

use super::json;
use crate::findings::unknown_keys;

/// A status report.
///
/// Read as leniently as reports are found: of `StatusItems` and `Errors` one may be missing and counts
/// as empty, and `FullReport` is taken from inside `StatusItems` too, where devices have been seen to
/// put it.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", try_from = "Wire")]
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

    /// The value of an item as its own type, whatever can be read of it; `None` where it is not
    /// reported, or does not fit at all. [`validate`](Self::validate) says what does not fit.
    pub fn read<T: StatusItem>(&self) -> Option<T> {
        let value = json::to_value(self.item(T::SCHEMA.name)?).ok()??;
        T::read(&value, &Place::root(&Log::default()))
    }

    /// Every item in the report, by its dotted name, as its own type. What has no name that is known
    /// here is kept whole, by the name at which it parts from every known one. A null, and nesting
    /// that no document read here has, count as absent.
    #[cfg(feature = "ddm")]
    #[inline]
    pub fn items(&self) -> Vec<super::status_item::AnyStatusItem> {
        let typed = |(name, _, value): (String, _, &Value)| {
            let value = json::to_value(value).ok()??;
            Some(super::status_item::AnyStatusItem::read(&name, &value).0)
        };
        self.named().into_iter().filter_map(typed).collect()
    }

    /// What is wrong with the report, for any device or for this one.
    pub fn validate(&self, target: Option<&Target>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (name, schema, value) in self.named() {
            if findings.len() >= MAX_FINDINGS {
                break;
            }
            let mut find = |rule, severity, message: String| {
                let at = path::join("StatusItems", &name);
                findings.push(Finding::new(at, rule, severity, message));
            };
            match (schema, json::to_value(value)) {
                (Some(schema), Ok(Some(value))) => {
                    let found = mdm_schema::validate_value(schema, &value, target);
                    findings.extend(found.into_iter().map(|f| f.under("StatusItems")));
                }
                (Some(_), Ok(None)) => find(Rule::Type, Severity::Warning, "is null".to_owned()),
                (_, Err(error)) => find(Rule::Unreadable, Severity::Error, error.to_string()),
                (None, Ok(_)) => {
                    let message = "is no status item that is known here".to_owned();
                    find(Rule::UnknownKey, Severity::Warning, message);
                }
            }
        }
        let message = "is no key of a status report";
        findings.extend(unknown_keys(self.unknown.keys(), message));
        findings
    }

    /// The items by their dotted names, with their schemas. An object whose name begins a known one
    /// is not an item, but holds some.
    fn named(&self) -> Vec<(String, Option<&'static Schema>, &Value)> {
        let schemas = mdm_schema::schemas(Kind::StatusItem);
        let leads_on = |name: &str| {
            let after =
                |schema: &&Schema| schema.name.strip_prefix(name).map(|s| s.starts_with('.'));
            schemas.iter().any(|schema| after(schema) == Some(true))
        };
        let mut named = Vec::new();
        let mut open = vec![(String::new(), &self.status_items)];
        while let Some((outer, items)) = open.pop() {
            for (key, value) in items {
                let name = path::join(&outer, key);
                let schema = mdm_schema::find(Kind::StatusItem, &name);
                match value {
                    Value::Object(inner) if schema.is_none() && leads_on(&name) => {
                        open.push((name, inner));
                    }
                    _ => named.push((name, schema, value)),
                }
            }
        }
        named.sort_by(|(a, ..), (b, ..)| a.cmp(b));
        named
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Wire {
    status_items: Option<Map<String, Value>>,
    errors: Option<Vec<StatusError>>,
    #[serde(default)]
    full_report: bool,
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl TryFrom<Wire> for StatusReport {
    type Error = de::value::Error;

    fn try_from(wire: Wire) -> Result<Self, de::value::Error> {
        if wire.status_items.is_none() && wire.errors.is_none() {
            return Err(de::Error::missing_field("StatusItems"));
        }
        let mut status_items = wire.status_items.unwrap_or_default();
        let nested = status_items.get("FullReport").and_then(Value::as_bool);
        if nested.is_some() {
            status_items.remove("FullReport");
        }
        Ok(Self {
            status_items,
            errors: wire.errors.unwrap_or_default(),
            full_report: wire.full_report || nested == Some(true),
            unknown: wire.unknown,
        })
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
