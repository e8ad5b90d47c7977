//! How typed documents meet property lists: [`Record`], [`Item`] and [`Field`].
//!
//! Generated types implement these through [`record!`](macro@crate::record), [`item!`](crate::item) and
//! their relatives instead of deriving serde: it compiles several times as fast.
//!
//! There is one way to read, and it never gives up: what does not fit is left out and noted in the
//! [`Log`]. A strict reading is one whose log has to stay without errors.

mod field;
mod place;

use std::{collections::BTreeMap, fmt};

use mdm_plist::{Dictionary, Value};

pub(crate) use self::field::{NUMBER_FOR_BOOLEAN, base64, boolean, integer, real};
pub use self::place::{Log, MAX_FINDINGS, Place};
use crate::{
    finding::{Finding, Rule, Severity},
    model::Schema,
    opaque::Opaque,
};

/// A dictionary with typed keys.
pub trait Record: Sized {
    /// Reads the keys that the type has, and passes over all others.
    ///
    /// An optional key whose value does not fit reads as absent; a required one that is missing or
    /// does not fit reads as empty, zero or false. Each such key is noted in the place's log.
    fn read(keys: &Dictionary, place: &Place<'_>) -> Self;

    /// Sets the keys that have a value and takes those out that have none; other keys stay.
    fn write(&self, keys: &mut Dictionary);
}

/// A document of Apple's vocabulary.
pub trait Item: Record {
    /// What the schema says about it.
    const SCHEMA: &'static Schema;

    /// Reads a document strictly.
    ///
    /// # Errors
    /// The first required key that is missing or value that is of another type.
    fn from_dictionary(keys: &Dictionary) -> Result<Self, DecodeError> {
        match Self::from_dictionary_leniently(keys) {
            (_, findings) if findings.iter().any(is_error) => Err(DecodeError { findings }),
            (item, _) => Ok(item),
        }
    }

    /// Reads whatever can be read, and says what could not; see [`Record::read`].
    fn from_dictionary_leniently(keys: &Dictionary) -> (Self, Vec<Finding>) {
        let log = Log::default();
        let item = Self::read(keys, &Place::root(&log));
        (item, log.into_findings())
    }

    /// The document as a dictionary.
    fn to_dictionary(&self) -> Dictionary {
        let mut keys = Dictionary::new();
        self.write(&mut keys);
        keys
    }

    /// The dictionary that the document was read from, with what changed since: order, unknown keys
    /// and values that were not touched stay as they are.
    fn write_over(&self, original: Dictionary) -> Dictionary {
        let (before, _) = Self::from_dictionary_leniently(&original);
        mdm_plist::merge(original, &before.to_dictionary(), self.to_dictionary())
    }
}

fn is_error(finding: &Finding) -> bool {
    finding.severity == Severity::Error
}

/// An item of a status report: a value with a name of its own.
pub trait StatusItem: Field {
    /// What the schema says about it.
    const SCHEMA: &'static Schema;
}

/// A document of a type that this version does not know, whole.
///
/// `Debug` shows the names of the keys only.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct OtherItem {
    /// What the document calls its type.
    pub name: String,
    /// Its keys.
    pub keys: Dictionary,
}

impl OtherItem {
    /// A document of this type.
    pub fn new(name: impl Into<String>, keys: Dictionary) -> Self {
        Self {
            name: name.into(),
            keys,
        }
    }
}

impl fmt::Debug for OtherItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherItem")
            .field("name", &self.name)
            .field("keys", &self.keys.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// A status item that this version does not know, whole.
///
/// `Debug` shows its name only.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct OtherStatusItem {
    /// The item's dotted name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

impl OtherStatusItem {
    /// An item of this name.
    pub fn new(name: impl Into<String>, value: Value) -> Self {
        Self {
            name: name.into(),
            value,
        }
    }
}

impl fmt::Debug for OtherStatusItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherStatusItem")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A value of a key.
pub trait Field: Sized {
    /// Reads the value; `None`, and a note in the place's log, where it is of another type.
    fn read(value: &Value, place: &Place<'_>) -> Option<Self>;

    /// The value to write.
    fn write(&self) -> Value;

    /// What stands for a required value that could not be read: empty, zero or false.
    fn placeholder() -> Self;
}

/// A required key, for the macros.
#[doc(hidden)]
pub fn required<F: Field>(keys: &Dictionary, key: &str, place: &Place<'_>) -> F {
    let place = place.key(key);
    match keys.get(key) {
        Some(value) => {
            if let Some(read) = F::read(value, &place) {
                return read;
            }
        }
        None => place.note(Rule::Required, Severity::Error, "is missing"),
    }
    F::placeholder()
}

/// An optional key, for the macros.
#[doc(hidden)]
pub fn optional<F: Field>(keys: &Dictionary, key: &str, place: &Place<'_>) -> Option<F> {
    match keys.get(key) {
        Some(value) => F::read(value, &place.key(key)),
        None => None,
    }
}

/// Writes a required key, for the macros.
#[doc(hidden)]
pub fn write_required<F: Field>(keys: &mut Dictionary, key: &str, value: &F) {
    set(keys, key, value.write());
}

/// Writes a key that always has the same text, for the macros.
#[doc(hidden)]
pub fn write_constant(keys: &mut Dictionary, key: &str, text: &str) {
    set(keys, key, Value::String(text.to_owned()));
}

/// Writes an optional key, for the macros.
#[doc(hidden)]
#[allow(clippy::ref_option)] // So that no `as_ref` is compiled for each type.
pub fn write_optional<F: Field>(keys: &mut Dictionary, key: &str, value: &Option<F>) {
    match value {
        Some(value) => set(keys, key, value.write()),
        None => {
            keys.remove(key);
        }
    }
}

fn set(keys: &mut Dictionary, key: &str, value: Value) {
    keys.insert(key.to_owned(), value);
}

/// The entries of a record that has no other key, for the macros. One that does not fit is left out.
#[doc(hidden)]
pub fn entries<F: Field>(keys: &Dictionary, place: &Place<'_>) -> BTreeMap<String, F> {
    let mut entries = BTreeMap::new();
    for (key, value) in keys {
        if let Some(value) = F::read(value, &place.key(key)) {
            entries.insert(key.clone(), value);
        }
    }
    entries
}

/// Writes the entries of such a record, for the macros.
#[doc(hidden)]
pub fn write_entries<F: Field>(keys: &mut Dictionary, entries: &BTreeMap<String, F>) {
    keys.retain(|key, _| entries.contains_key(key));
    for (key, value) in entries {
        write_required(keys, key, value);
    }
}

/// The keys of a record that it has no field for, where others may add some, for the macros.
#[doc(hidden)]
pub fn more(keys: &Dictionary, known: &[&str]) -> Opaque<Dictionary> {
    let more = keys
        .iter()
        .filter(|(key, _)| !known.contains(&key.as_str()));
    Opaque(
        more.map(|(key, value)| (key.clone(), value.clone()))
            .collect(),
    )
}

/// Writes those keys, for the macros. A field of that name is the one that counts.
#[doc(hidden)]
pub fn write_more(keys: &mut Dictionary, known: &[&str], more: &Opaque<Dictionary>) {
    let is_known = |key: &str| known.contains(&key);
    keys.retain(|key, _| is_known(key) || more.contains_key(key));
    for (key, value) in more.iter().filter(|(key, _)| !is_known(key)) {
        set(keys, key, value.clone());
    }
}

/// Why a document could not be read as its type: what is wrong, in the order of the document's
/// type. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeError {
    /// What is wrong; not empty.
    pub findings: Vec<Finding>,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings.as_slice() {
            [] => f.write_str("does not fit its type"),
            [only] => only.fmt(f),
            [first, rest @ ..] => write!(f, "{first}, and {} more", rest.len()),
        }
    }
}

impl std::error::Error for DecodeError {}
