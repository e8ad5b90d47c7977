//! Apple's vocabulary as tables: what there is, how much of it, and all of it as JSON.

pub(crate) mod dump;
mod stats;
pub(crate) mod words;

use std::str::FromStr;

use mdm_schema::{Kind, Schema, Support};
use serde::Serialize;

pub(crate) use self::stats::{is_among, skip_keys};
pub use self::{
    dump::dump,
    stats::{Stats, stats},
};
use crate::error::Error;

/// A kind of schema, by its name in any spelling: `statusItem`, `status-items`, `StatusItem`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SchemaKind(pub Kind);

impl FromStr for SchemaKind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let plain = |text: &str| {
            let letters = text.chars().filter(char::is_ascii_alphanumeric);
            letters.collect::<String>().to_ascii_lowercase()
        };
        let asked = plain(text);
        let singular = asked.strip_suffix('s').unwrap_or(&asked);
        Kind::ALL
            .iter()
            .find(|kind| [&asked, singular].contains(&plain(words::kind(**kind)).as_str()))
            .map(|kind| Self(*kind))
            .ok_or_else(|| Error::UnknownSchemaKind(text.to_owned()))
    }
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Entry {
    /// The kind, such as `statusItem`.
    pub kind: &'static str,
    /// Unique within the kind.
    pub id: &'static str,
    /// Apple's title.
    pub title: &'static str,
    /// The systems that know it, each with the first version that does.
    pub systems: Vec<String>,
}

/// What there is, of one kind or of all.
pub fn list(kind: Option<Kind>) -> Vec<Entry> {
    mdm_schema::all()
        .filter(|schema| kind.is_none_or(|kind| schema.kind == kind))
        .map(|schema| Entry {
            kind: words::kind(schema.kind),
            id: schema.id,
            title: schema.title,
            systems: systems(schema),
        })
        .collect()
}

/// The list for people: columns, and a heading for each kind.
pub fn list_text(entries: &[Entry]) -> String {
    let width = entries.iter().map(|entry| entry.id.len()).max();
    let width = width.unwrap_or_default().min(60);
    let mut lines = Vec::new();
    let mut kind = "";
    for entry in entries {
        if entry.kind != kind {
            if !kind.is_empty() {
                lines.push(String::new());
            }
            kind = entry.kind;
            lines.push(format!("{kind}:"));
        }
        let systems = match entry.systems.as_slice() {
            [] => String::new(),
            systems => format!(" ({})", systems.join(", ")),
        };
        lines.push(format!("  {:width$}  {}{systems}", entry.id, entry.title));
    }
    lines.join("\n")
}

fn systems(schema: &Schema) -> Vec<String> {
    let known = |support: &&Support| support.introduced != Some(mdm_schema::Bound::Never);
    let supported = schema.support.iter().filter(known);
    supported
        .map(|support| match (support.introduced, support.removed) {
            (_, Some(removed)) => format!("{} until {removed}", support.platform),
            (Some(mdm_schema::Bound::From(from)), None) => {
                format!("{} {from}", support.platform)
            }
            _ => support.platform.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_found_in_any_spelling() {
        for text in ["statusItem", "status-items", "StatusItem", "STATUSITEMS"] {
            assert_eq!(text.parse::<SchemaKind>().unwrap().0, Kind::StatusItem);
        }
        for kind in Kind::ALL {
            let found: SchemaKind = words::kind(*kind).parse().unwrap();
            assert_eq!(found.0, *kind);
        }
        assert!("statuses".parse::<SchemaKind>().is_err());
        assert!("".parse::<SchemaKind>().is_err());
    }
}
