//! `overlay.toml`: what the schema gets wrong, leaves out or names awkwardly, each with its reason.
//!
//! A path is `mdm/commands/settings#Settings/Wallpaper/Where`, with `!` for `#` in an answer. A path
//! that leads nowhere in the checkout is named and left out.

mod absent;
mod add;
mod correct;
mod written;

use std::collections::{BTreeMap, BTreeSet};

use crate::failure::Outcome;
use crate::ir::{Choice, KeyId, ListId, Literal, Schema};
pub(crate) use written::Written;

/// The overlay, its paths resolved. Corrections, wildcards and secrets are in the [`Schema`] already.
#[derive(Debug, Default)]
pub(crate) struct Overlay {
    /// Rust names of documents, by file; of answers, by file and `!`.
    pub(crate) types: BTreeMap<String, String>,
    /// Rust names of nested dictionaries and enums, by the key that holds them.
    pub(crate) structures: BTreeMap<KeyId, String>,
    /// Keys whose type is that of another key.
    pub(crate) same: BTreeMap<KeyId, KeyId>,
    pub(crate) numbers: BTreeMap<KeyId, Numbers>,
    /// Rust names of an enum's values, by the value.
    pub(crate) variants: BTreeMap<KeyId, BTreeMap<String, String>>,
    /// Rust names of fields.
    pub(crate) fields: BTreeMap<KeyId, String>,
    /// Whether a published field is required, whatever the schema says by now.
    pub(crate) presence: BTreeMap<KeyId, bool>,
    pub(crate) areas: Vec<Area>,
    /// Our own sentences on documents, by file; on answers, by file and `!`.
    pub(crate) summaries: BTreeMap<String, String>,
    /// Our own sentences on keys.
    pub(crate) key_summaries: BTreeMap<KeyId, String>,
    /// Our own sentences on the values that a key allows, by the value.
    pub(crate) value_summaries: BTreeMap<(KeyId, String), String>,
}

/// Names for the values of a number.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Numbers {
    /// The enum's name.
    pub(crate) name: Option<String>,
    /// The variants' names, by the number as the overlay writes it.
    pub(crate) values: BTreeMap<String, String>,
}

/// A feature that payloads belong to.
#[derive(Debug)]
pub(crate) struct Area {
    pub(crate) name: String,
    /// Below `mdm/profiles`, without `.yaml`.
    pub(crate) files: Vec<String>,
}

impl Overlay {
    /// Corrects the schema by what is written and resolves the rest. Names the paths that lead
    /// nowhere in this schema.
    pub(crate) fn apply(mut written: Written, schema: &mut Schema) -> Outcome<(Self, Vec<String>)> {
        let mut absent = written.leave_out_absent_facts(schema);
        correct(&written, schema)?;
        absent.extend(written.leave_out_absent_names(schema));
        Ok((Self::resolve(&written, schema)?, absent))
    }

    fn resolve(written: &Written, schema: &Schema) -> Outcome<Self> {
        let mut overlay = Self::default();
        for entry in &written.r#type {
            document(schema, &entry.file)?;
            put(
                &mut overlay.types,
                entry.file.clone(),
                &entry.name,
                &entry.file,
            )?;
        }
        for entry in &written.structure {
            let id = key(schema, &entry.key)?;
            put(&mut overlay.structures, id, &entry.name, &entry.key)?;
        }
        for entry in &written.same {
            let id = key(schema, &entry.key)?;
            put(
                &mut overlay.same,
                id,
                &key(schema, &entry.r#as)?,
                &entry.key,
            )?;
        }
        for entry in &written.numbers {
            let id = key(schema, &entry.key)?;
            let numbers = Numbers {
                name: entry.name.clone(),
                values: entry.values.clone(),
            };
            put(&mut overlay.numbers, id, &numbers, &entry.key)?;
        }
        for entry in &written.variant {
            let id = key(schema, &entry.key)?;
            put(&mut overlay.variants, id, &entry.values, &entry.key)?;
        }
        for entry in &written.field {
            let id = key(schema, &entry.key)?;
            put(&mut overlay.fields, id, &entry.name, &entry.key)?;
        }
        for entry in &written.presence {
            let id = key(schema, &entry.key)?;
            put(&mut overlay.presence, id, &entry.required, &entry.key)?;
        }
        let mut placed = BTreeSet::new();
        for area in &written.area {
            for file in &area.files {
                document(schema, &format!("mdm/profiles/{file}"))?;
                if !placed.insert(file) {
                    return Err(twice(file));
                }
            }
            overlay.areas.push(Area {
                name: area.name.clone(),
                files: area.files.clone(),
            });
        }
        for entry in &written.summary {
            match document(schema, &entry.of) {
                Ok(_) => put(
                    &mut overlay.summaries,
                    entry.of.clone(),
                    &entry.text,
                    &entry.of,
                )?,
                Err(_) => match value(schema, &entry.of) {
                    Some(of) => put(&mut overlay.value_summaries, of, &entry.text, &entry.of)?,
                    None => {
                        let id = key(schema, &entry.of)?;
                        put(&mut overlay.key_summaries, id, &entry.text, &entry.of)?;
                    }
                },
            }
        }
        Ok(overlay)
    }
}

/// Marks and corrects keys and documents, and adds keys.
fn correct(written: &Written, schema: &mut Schema) -> Outcome {
    for entry in &written.wildcard {
        let id = key(schema, &entry.key)?;
        schema.keys[id.0].wildcard = true;
    }
    for entry in &written.secret {
        let id = key(schema, &entry.key)?;
        schema.keys[id.0].secret = true;
    }
    for entry in &written.correct {
        correct::apply(schema, entry)?;
    }
    add::keys(written, schema)
}

/// Notes something once; the same said twice, as through two aliases, is no contradiction.
fn put<K: Ord, V: Clone + PartialEq>(
    map: &mut BTreeMap<K, V>,
    key: K,
    value: &V,
    path: &str,
) -> Outcome {
    match map.insert(key, value.clone()) {
        Some(before) if before != *value => Err(twice(path)),
        _ => Ok(()),
    }
}

fn twice(path: &str) -> crate::failure::Failure {
    format!("overlay: `{path}` is decided twice").into()
}

/// The document that a path names: a file, or with `!` at its end what answers it.
fn document(schema: &Schema, path: &str) -> Outcome<usize> {
    let (file, answer) = match path.strip_suffix('!') {
        Some(file) => (file, true),
        None => (path, false),
    };
    let place = schema
        .documents
        .iter()
        .position(|document| document.file == file && document.kind.is_answer() == answer);
    place.ok_or_else(|| format!("overlay: there is no document `{path}`").into())
}

/// The key that a path leads to.
fn key(schema: &Schema, path: &str) -> Outcome<KeyId> {
    let nowhere = || format!("overlay: there is no key `{path}`");
    let (file, keys) = path.split_once(['#', '!']).ok_or_else(nowhere)?;
    let answer = path[file.len()..].starts_with('!');
    let document = document(schema, &format!("{file}{}", if answer { "!" } else { "" }))?;
    let mut list: Option<ListId> = Some(schema.documents[document].keys);
    let mut found = None;
    for name in keys.split('/') {
        let id = list
            .and_then(|list| schema[list].iter().find(|id| schema[**id].name == name))
            .ok_or_else(nowhere)?;
        list = schema[*id].keys;
        found = Some(*id);
    }
    found.ok_or_else(|| nowhere().into())
}

/// The value that a path leads to: a key's path, and behind it one of the texts that the key allows.
fn value(schema: &Schema, path: &str) -> Option<(KeyId, String)> {
    let (holder, text) = path.rsplit_once('/')?;
    let id = key(schema, holder).ok()?;
    let allowed = &schema[id].allowed;
    let known = |choice: &Choice| matches!(&choice.value, Literal::String(known) if known == text);
    allowed.iter().any(known).then(|| (id, text.to_owned()))
}
