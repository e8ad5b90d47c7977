//! Keys that a list of the schema lacks: its text refers to another list instead of repeating it, or
//! leaves them to another vendor.

use super::written::Written;
use super::{document, key};
use crate::failure::Outcome;
use crate::ir::{Key, KeyId, ListId, Schema, ValueType};

/// Adds what is borrowed, and a wildcard to what is open.
pub(super) fn keys(written: &Written, schema: &mut Schema) -> Outcome {
    for entry in &written.borrow {
        let (to, from) = (list(schema, &entry.to)?, list(schema, &entry.from)?);
        let has = |name: &str| schema[to].iter().any(|id| schema[*id].name == name);
        let borrowed = schema.own(from).iter().copied();
        let borrowed = borrowed.filter(|id| !schema[*id].wildcard && !has(&schema[*id].name));
        let borrowed: Vec<_> = borrowed.collect();
        add(schema, to, &borrowed);
    }
    for entry in &written.open {
        let to = list(schema, &entry.key)?;
        if schema[to].iter().any(|id| schema[*id].wildcard) {
            return Err(format!("overlay: `{}` is open already", entry.key).into());
        }
        let any = KeyId(schema.keys.len());
        schema.keys.push(Key {
            wildcard: true,
            ..Key::new("ANY", ValueType::Any)
        });
        add(schema, to, &[any]);
    }
    Ok(())
}

fn add(schema: &mut Schema, to: ListId, keys: &[KeyId]) {
    let list = &mut schema.lists[to.0];
    list.keys.extend(keys);
    list.added += keys.len();
}

/// The keys of the document or dictionary that a path leads to.
fn list(schema: &Schema, path: &str) -> Outcome<ListId> {
    if let Ok(place) = document(schema, path) {
        return Ok(schema.documents[place].keys);
    }
    let keys = schema[key(schema, path)?].keys;
    keys.ok_or_else(|| format!("overlay: `{path}` is no dictionary with keys").into())
}
