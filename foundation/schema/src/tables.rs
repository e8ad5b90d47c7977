//! Looking things up in the tables.

use mdm_plist::Dictionary;

use crate::{
    generated,
    model::{Kind, Schema},
};

/// Every schema of a kind, sorted by id.
pub fn schemas(kind: Kind) -> &'static [&'static Schema] {
    generated::of_kind(kind)
}

/// Every schema there is, kind by kind.
pub fn all() -> impl Iterator<Item = &'static Schema> {
    Kind::ALL.iter().flat_map(|kind| schemas(*kind)).copied()
}

/// The schema with this id; where a name has one schema only, the name is its id.
pub fn find(kind: Kind, id: &str) -> Option<&'static Schema> {
    let schemas = schemas(kind);
    let place = schemas.binary_search_by(|schema| schema.id.cmp(id)).ok()?;
    schemas.get(place).copied()
}

/// The schema of a document that calls itself `name`; a name that several share is decided by which
/// of them knows most of the document's keys.
pub fn choose(kind: Kind, name: &str, keys: &Dictionary) -> Option<&'static Schema> {
    let named = |schema: &&&'static Schema| schema.name == name;
    let mut candidates = schemas(kind).iter().filter(named).peekable();
    if candidates.peek().is_none() {
        return find(kind, name);
    }
    // Of equals the last one counts for `max_by_key`; the first is the plainer.
    candidates
        .rev()
        .max_by_key(|schema| known(schema, keys))
        .copied()
}

/// How many of the document's keys the schema knows.
fn known(schema: &Schema, keys: &Dictionary) -> usize {
    let known = |key: &&crate::model::Key| keys.contains_key(key.name);
    schema.keys.iter().filter(known).count()
}
