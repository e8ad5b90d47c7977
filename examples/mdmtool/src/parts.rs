//! The parts of a document that Apple's schema describes, each with its schema and its place.
//!
//! A command's keys, a profile and each of its payloads, a declaration's payload, each status item:
//! what is checked, typed and searched for unknown keys is always a part.

mod find;
mod unknown;

use std::sync::Arc;

use mdm_plist::{Dictionary, Value};
pub(crate) use mdm_schema::Kind as Table;
use mdm_schema::{
    Finding, Key, Log, Place, Schema, Target, choose, schemas, validate, validate_value,
};

pub(crate) use self::{
    find::{leads_to_items, parts},
    unknown::{Known, Shape, unknown},
};

/// The kinds of declarations.
pub(crate) const DECLARATIONS: &[Table] = &[
    Table::Configuration,
    Table::Asset,
    Table::Activation,
    Table::Management,
];

/// A step from a document into it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Key(Arc<str>),
    Index(usize),
}

/// A part of a document.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    /// Where it lies.
    pub(crate) way: Vec<Step>,
    /// What sort of document it is.
    pub(crate) table: Table,
    /// What it calls itself, or is called by the caller.
    pub(crate) name: String,
    /// What it is; nothing for a name that no schema has.
    pub(crate) schema: Option<&'static Schema>,
    /// Its value, without the keys of the frame.
    pub(crate) value: Value,
}

impl Part {
    /// Where it lies, as findings write it; a very long key is cut.
    pub(crate) fn path(&self) -> String {
        fn from(way: &[Step], place: &Place<'_>) -> String {
            match way {
                [] => place.path(),
                [Step::Key(key), rest @ ..] => from(rest, &place.key(key)),
                [Step::Index(index), rest @ ..] => from(rest, &place.index(*index)),
            }
        }
        from(&self.way, &Place::root(&Log::default()))
    }

    /// What is wrong with it, for any device or for this one; nothing for what is of no known type.
    pub(crate) fn findings(&self, target: Option<&Target>) -> Vec<Finding> {
        let at = self.path();
        let (found, own) = match (self.schema, &self.value) {
            (Some(schema), value) if schema.kind == Table::StatusItem => {
                (validate_value(schema, value, target), schema.name)
            }
            (Some(schema), Value::Dictionary(keys)) => (validate(schema, keys, target), ""),
            _ => return Vec::new(),
        };
        let moved = found.into_iter().map(|finding| moved(finding, own, &at));
        moved.collect()
    }
}

/// A finding about a part, as one about the document. `own` is the name of a status item, which is
/// the way to it already.
pub(crate) fn moved(mut finding: Finding, own: &str, at: &str) -> Finding {
    if let Some(rest) = finding.path.strip_prefix(own) {
        finding.path = rest.trim_start_matches('.').to_owned();
    }
    finding.under(at)
}

/// What lies at the end of a way.
pub(crate) fn at<'a>(tree: &'a mut Value, way: &[Step]) -> Option<&'a mut Value> {
    way.iter()
        .try_fold(tree, |value, step| match (step, value) {
            (Step::Key(key), Value::Dictionary(keys)) => keys.get_mut(key),
            (Step::Index(index), Value::Array(values)) => values.get_mut(*index),
            _ => None,
        })
}

/// The schema of a document that calls itself by this name, or that has it for its id.
pub(crate) fn named(tables: &[Table], name: &str, keys: &Dictionary) -> Option<&'static Schema> {
    tables.iter().find_map(|table| choose(*table, name, keys))
}

/// The schema that a caller means by this name: that of a document, or of the file that Apple's
/// repository has it in, `device.erase` or `credentials/acme`.
pub(crate) fn meant(tables: &[Table], name: &str) -> Option<&'static Schema> {
    let is_file = |schema: &&&'static Schema| {
        let above = schema.file.strip_suffix(name);
        above.is_some_and(|above| above.is_empty() || above.ends_with('/'))
    };
    named(tables, name, &Dictionary::new()).or_else(|| {
        let mut all = tables.iter().flat_map(|table| schemas(*table));
        all.find(is_file).copied()
    })
}

/// The keys that every payload has beside its own.
pub(crate) fn every_payload() -> &'static [Key] {
    mdm_schema::find(Table::Payload, "CommonPayloadKeys").map_or(&[], |common| common.keys)
}
