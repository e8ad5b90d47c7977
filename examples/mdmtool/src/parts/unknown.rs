//! The keys of a part that its schema does not have.

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Key, Log, Place, Schema, model::ValueType};

use super::{Part, Table, every_payload};

/// The keys that a dictionary may have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Known {
    lists: [&'static [Key]; 2],
    /// A key that is known though the lists lack it.
    beside: Option<&'static str>,
}

/// What tells the alternatives of an array apart; not all of them list it.
const TAG: &str = "Item";

impl Known {
    /// The keys of a document.
    pub(crate) fn of(schema: &'static Schema) -> Self {
        let every = match schema.kind {
            Table::Payload => every_payload(),
            _ => &[],
        };
        Self {
            lists: [schema.keys, every],
            beside: None,
        }
    }

    /// The key of this name; [`Err`] for one that nobody knows, nothing for one without a schema.
    fn get(&self, name: &str) -> Result<Option<&'static Key>, Unknown> {
        let all = || self.lists.iter().copied().flatten();
        let named = all().find(|key| key.name == name && !key.wildcard);
        match named.or_else(|| all().find(|key| key.wildcard)) {
            Some(key) => Ok(Some(key)),
            None if self.beside == Some(name) => Ok(None),
            None => Err(Unknown),
        }
    }

    /// Whether a key of this name is known, and what the dictionary that it holds may have; anything,
    /// where that is nothing.
    pub(crate) fn below(&self, name: &str, value: &Value) -> Result<Option<Shape>, Unknown> {
        let key = self.get(name)?;
        Ok(key.and_then(|key| Shape::of(key, value)))
    }
}

/// Nobody knows the key.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unknown;

/// What a value may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    Dictionary(Known),
    Array(&'static [Key]),
}

impl Shape {
    /// What a key's value may hold; nothing where it may hold anything.
    pub(crate) fn of(key: &'static Key, value: &Value) -> Option<Self> {
        match (key.value, value) {
            (ValueType::Dictionary, Value::Dictionary(_)) if !key.keys.is_empty() => {
                Some(Self::Dictionary(Known {
                    lists: [key.keys, &[]],
                    beside: None,
                }))
            }
            (ValueType::Array, Value::Array(_)) => Some(Self::Array(key.keys)),
            _ => None,
        }
    }

    /// What an element of an array may hold.
    pub(crate) fn element(elements: &'static [Key], value: &Value) -> Option<Self> {
        if let [only] = elements {
            return Self::of(only, value);
        }
        let item = value.as_dictionary()?.get(TAG)?.as_string()?;
        let chosen = elements.iter().find(|key| key.name == item)?;
        Some(Self::Dictionary(Known {
            lists: [chosen.keys, &[]],
            beside: Some(TAG),
        }))
    }
}

/// Hands on each unknown key, in the order of the document, by its place in the part.
pub(crate) fn unknown(part: &Part, tell: &mut dyn FnMut(&Place<'_>)) {
    let log = Log::default();
    let root = Place::root(&log);
    let Some(schema) = part.schema else { return };
    match &part.value {
        value if schema.kind == Table::StatusItem => {
            let shape = schema.keys.first().and_then(|key| Shape::of(key, value));
            within(shape, value, &root, tell);
        }
        Value::Dictionary(keys) => dictionary(Known::of(schema), keys, &root, tell),
        _ => {}
    }
}

fn dictionary(
    known: Known,
    keys: &Dictionary,
    place: &Place<'_>,
    tell: &mut dyn FnMut(&Place<'_>),
) {
    for (name, value) in keys {
        let here = place.key(name);
        match known.below(name, value) {
            Ok(shape) => within(shape, value, &here, tell),
            Err(Unknown) => tell(&here),
        }
    }
}

fn within(
    shape: Option<Shape>,
    value: &Value,
    place: &Place<'_>,
    tell: &mut dyn FnMut(&Place<'_>),
) {
    match (shape, value) {
        (Some(Shape::Dictionary(known)), Value::Dictionary(keys)) => {
            dictionary(known, keys, place, tell);
        }
        (Some(Shape::Array(elements)), Value::Array(values)) => {
            for (index, value) in values.iter().enumerate() {
                let shape = Shape::element(elements, value);
                within(shape, value, &place.index(index), tell);
            }
        }
        _ => {}
    }
}
