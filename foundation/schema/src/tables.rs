//! Looking things up in the tables.

use std::{collections::HashMap, sync::OnceLock};

use mdm_plist::{Dictionary, Value};

use crate::{
    generated,
    model::{Choice, Key, Kind, Literal, Schema},
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
/// of them knows the document's keys best.
pub fn choose(kind: Kind, name: &str, keys: &Dictionary) -> Option<&'static Schema> {
    let found: Vec<_>;
    let named = match kind {
        Kind::Payload => payloads_called(name),
        _ => {
            let schemas = schemas(kind).iter().copied();
            found = schemas.filter(|schema| schema.is_called(name)).collect();
            &found
        }
    };
    match named {
        [] => find(kind, name),
        [only] => Some(only),
        // Of equals the last one counts for `max_by_key`; the first is the plainer.
        _ => named
            .iter()
            .rev()
            .max_by_key(|schema| known(schema, keys))
            .copied(),
    }
}

/// The payloads that call themselves so, in the order of the tables: profiles have many, and each is asked for often.
fn payloads_called(name: &str) -> &'static [&'static Schema] {
    static NAMES: OnceLock<HashMap<&'static str, Vec<&'static Schema>>> = OnceLock::new();
    let names = NAMES.get_or_init(|| {
        let mut names: HashMap<_, Vec<&'static Schema>> = HashMap::new();
        for schema in schemas(Kind::Payload) {
            let file = schema.file_name().filter(|file| *file != schema.name);
            for name in [Some(schema.name), file].into_iter().flatten() {
                names.entry(name).or_default().push(schema);
            }
        }
        names
    });
    names.get(name).map_or(&[], |called| called.as_slice())
}

impl Schema {
    /// Whether a document of this schema may call itself so. Apple names the file of a payload after
    /// its type; where the two differ, as in `com.apple.preferences.users`, profiles have either.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.kind == Kind::Payload && self.file_name() == Some(name)
    }

    fn file_name(&self) -> Option<&'static str> {
        self.file.rsplit('/').next()
    }
}

/// How well the schema knows the document's keys. That a text is one of those allowed tells more than
/// that its key is known: so a payload for one extension is told from the one for any.
fn known(schema: &Schema, keys: &Dictionary) -> usize {
    let weigh = |key: &Key| match keys.get(key.name) {
        None => 0,
        Some(Value::String(text)) if !key.allowed.is_empty() => {
            let is_text =
                |choice: &Choice| matches!(choice.value, Literal::String(own) if own == text);
            if key.allowed.iter().any(is_text) {
                3
            } else {
                1
            }
        }
        Some(_) => 2,
    };
    schema.keys.iter().map(weigh).sum()
}
