//! How much there is of what.

use std::collections::BTreeMap;

use crate::failure::Outcome;
use crate::ir::{KeyId, Kind, ListId, Schema};

/// More than this is a checkout whose lists multiply each other by their aliases.
const MAX_KEYS: usize = 1_000_000;
/// And this is one whose aliases pile up.
const MAX_DEPTH: usize = 128;

/// The documents of each kind, and the keys of all: each use of a shared list counts, and a key that
/// lies within itself counts once more but is not entered again.
pub(crate) fn stats(schema: &Schema) -> Outcome<(BTreeMap<Kind, usize>, usize)> {
    let mut documents = BTreeMap::new();
    let mut keys = 0;
    for document in &schema.documents {
        *documents.entry(document.kind).or_default() += 1;
        count(schema, document.keys, &mut Vec::new(), &mut keys)?;
    }
    Ok((documents, keys))
}

fn count(schema: &Schema, list: ListId, above: &mut Vec<KeyId>, keys: &mut usize) -> Outcome {
    for id in schema.own(list) {
        *keys += 1;
        if schema[*id].allowed_are_keys {
            *keys += schema[*id].allowed.len();
        }
        if *keys > MAX_KEYS {
            return Err(format!("there are more than {MAX_KEYS} keys").into());
        }
        if let Some(list) = schema[*id].keys
            && !above.contains(id)
        {
            if above.len() >= MAX_DEPTH {
                let name = &schema[*id].name;
                return Err(format!("the key `{name}` lies deeper than {MAX_DEPTH}").into());
            }
            above.push(*id);
            count(schema, list, above, keys)?;
            above.pop();
        }
    }
    Ok(())
}
