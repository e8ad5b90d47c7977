//! Documents made at random within the schema, and ones that break a single rule of it.
//!
//! For tests: whatever reads, writes or checks documents can be held against every schema there is.
//! Equal seeds give equal documents.
//!
//! ```
//! use mdm_schema::{Kind, find, sample, validate};
//!
//! for schema in mdm_schema::schemas(Kind::Command) {
//!     let Some(target) = sample::target_for(schema, 1) else { continue };
//!     let keys = sample::document(schema, Some(&target), 1, &sample::Limits::default());
//!     assert_eq!(validate(schema, &keys, Some(&target)), []);
//! }
//! ```

use std::ptr;

use mdm_plist::{Dictionary, Value, date};

use crate::{
    finding::Rule,
    model::{Choice, Key, Kind, Literal, Range, Schema, Support, TextType, ValueType},
    record,
    target::Target,
    validate::{Holder, REMOVED, Raised, TAG, format},
};

mod random;
mod targets;
mod violation;

use random::Random;
pub use targets::target_for;
pub use violation::{Case, Violation, violations};

/// How large samples become.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// How often keys that lead back to themselves are followed.
    pub recursion: usize,
    /// The most elements of an array, where the schema does not ask for more.
    pub elements: usize,
    /// The longest text and the most bytes, where the schema does not ask for more.
    pub length: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            recursion: 2,
            elements: 3,
            length: 12,
        }
    }
}

impl Limits {
    /// Sets what `default` does not suit.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

/// A document that is valid, for the target if there is one.
///
/// Seed 0 gives what is required and no more, seed 1 every key that the target has, other seeds some
/// of them. Bytes and dates are bytes and dates, in documents that are JSON as well. A status item is
/// under its own name. What the target does not have without objection is left out, unless it is
/// required.
pub fn document(
    schema: &Schema,
    target: Option<&Target>,
    seed: u64,
    limits: &Limits,
) -> Dictionary {
    let mut maker = Maker::new(schema, target, seed, limits);
    maker.dictionary(schema.keys, &maker.root(schema))
}

/// Makes values that fit their keys.
struct Maker<'a> {
    kind: Kind,
    target: Option<&'a Target>,
    limits: &'a Limits,
    random: Random,
    /// How many of ten optional keys are there.
    optional: usize,
}

impl<'a> Maker<'a> {
    fn new(schema: &Schema, target: Option<&'a Target>, seed: u64, limits: &'a Limits) -> Self {
        Self {
            kind: schema.kind,
            target,
            limits,
            random: Random::new(seed),
            optional: match seed {
                0 => 0,
                1 => 10,
                _ => 5,
            },
        }
    }

    /// The document as what holds its keys.
    fn root<'b>(&self, schema: &'b Schema) -> Holder<'b> {
        let raised = self.target.map_or_else(Raised::default, |target| {
            Raised::default().and(schema.availability(target).objections())
        });
        Holder::root(schema, raised)
    }

    /// The key as what holds the values in it.
    fn below<'b>(&self, key: &'static Key, holder: &'b Holder<'b>) -> Holder<'b> {
        let objections = holder.objections(key.support, self.target);
        holder.below(key, holder.raised.and(&objections))
    }

    /// Whether the target takes it without objection.
    fn takes(&self, own: &'static [Support], holder: &Holder<'_>) -> bool {
        holder.objections(own, self.target).is_empty()
    }

    /// Whether the keys below have been entered too often.
    fn is_too_deep(&self, key: &Key, holder: &Holder<'_>) -> bool {
        let same = |outer: &&'static Key| ptr::eq(outer.keys, key.keys);
        !key.keys.is_empty() && holder.keys().filter(same).count() >= self.limits.recursion
    }

    fn dictionary(&mut self, keys: &'static [Key], holder: &Holder<'_>) -> Dictionary {
        let mut entries = Dictionary::new();
        let removable = self.kind == Kind::StatusItem && keys.iter().any(|k| k.name == REMOVED);
        if removable && self.random.chance(2) {
            entries.insert("identifier".to_owned(), "gone".into());
            entries.insert(REMOVED.to_owned(), true.into());
            return entries;
        }
        for key in keys {
            if key.wildcard {
                self.entries(key, holder, &mut entries);
                continue;
            }
            let wanted = holder.demands(key, self.target) || {
                let chosen = key.required || self.random.chance(self.optional);
                chosen && self.takes(key.support, holder) && !self.is_too_deep(key, holder)
            };
            if wanted {
                let value = match key.name {
                    REMOVED if removable => Value::Boolean(false),
                    _ => self.value(key, holder),
                };
                entries.insert(key.name.to_owned(), value);
            }
        }
        entries
    }

    /// Entries under names of our own.
    fn entries(&mut self, key: &'static Key, holder: &Holder<'_>, entries: &mut Dictionary) {
        if !self.takes(key.support, holder) || self.is_too_deep(key, holder) {
            return;
        }
        for index in 0..self.random.below(self.limits.elements + 1) {
            entries.insert(format!("com.example.{index}"), self.value(key, holder));
        }
    }

    fn value(&mut self, key: &'static Key, holder: &Holder<'_>) -> Value {
        let here = self.below(key, holder);
        if let Some(value) = self.choice(key, &here) {
            return value;
        }
        let length = self.limits.length;
        match key.value {
            ValueType::String => self.text(key).into(),
            ValueType::Integer => self.integer(key.range).into(),
            ValueType::Real => self.real(key.range).into(),
            ValueType::Boolean => self.random.chance(5).into(),
            ValueType::Date => Value::Date(date::from_chrono_or_nearest(self.random.date())),
            ValueType::Data => Value::Data(self.random.bytes(length)),
            ValueType::Any => self.anything(),
            ValueType::Array => Value::Array(self.array(key.keys, &here)),
            ValueType::Dictionary if key.keys.is_empty() => {
                let mut entries = Dictionary::new();
                for index in 0..self.random.below(self.limits.elements + 1) {
                    entries.insert(format!("Key{index}"), self.anything());
                }
                entries.into()
            }
            ValueType::Dictionary => self.dictionary(key.keys, &here).into(),
        }
    }

    /// One of the values that are allowed, if these are listed.
    fn choice(&mut self, key: &'static Key, here: &Holder<'_>) -> Option<Value> {
        let takes = |choice: &&'static Choice| self.takes(choice.support, here);
        let mut choices: Vec<_> = key.allowed.iter().filter(takes).collect();
        if choices.is_empty() {
            choices = key.allowed.iter().collect();
        }
        self.random
            .pick(&choices)
            .map(|choice| literal(&choice.value, key.value))
    }

    fn array(&mut self, keys: &'static [Key], here: &Holder<'_>) -> Vec<Value> {
        let count = self.random.below(self.limits.elements + 1);
        let [element] = keys else {
            return (0..count)
                .filter_map(|_| match keys {
                    [] => Some(self.anything()),
                    _ => self.alternative(keys, here),
                })
                .collect();
        };
        let count = match element.repetition {
            Some(wanted) => wanted.min.max(count.min(wanted.max)),
            None if !self.takes(element.support, here) || self.is_too_deep(element, here) => 0,
            None => count,
        };
        (0..count).map(|_| self.value(element, here)).collect()
    }

    /// One of several alternatives, with the word that tells which.
    fn alternative(&mut self, keys: &'static [Key], here: &Holder<'_>) -> Option<Value> {
        let takes = |key: &&'static Key| self.takes(key.support, here);
        let keys: Vec<_> = keys.iter().filter(takes).collect();
        let key = self.random.pick(&keys)?;
        Some(self.tagged(key, here))
    }

    fn tagged(&mut self, key: &'static Key, here: &Holder<'_>) -> Value {
        let mut value = self.value(key, here);
        if let Value::Dictionary(entries) = &mut value {
            entries.insert(TAG.to_owned(), key.name.into());
        }
        value
    }

    fn text(&mut self, key: &Key) -> String {
        let word = self.random.word();
        match (key.format, key.text) {
            (Some(format), _) => {
                let text = random::matching(format, &mut self.random);
                debug_assert!(format::matches(format, &text), "{format}");
                text
            }
            (None, Some(TextType::Url)) => format!("https://example.com/{word}"),
            (None, Some(TextType::Hostname)) => format!("{word}.example.com"),
            (None, Some(TextType::Email)) => format!("{word}@example.com"),
            (None, None) => self.random.text(self.limits.length),
        }
    }

    fn integer(&mut self, range: Option<Range>) -> i64 {
        let (min, max) = range.map_or((None, None), |range| (range.min, range.max));
        // The bounds of the schema are whole and small, as far as there are any.
        #[allow(clippy::cast_possible_truncation)]
        let (min, max) = (min.map(|min| min as i64), max.map(|max| max as i64));
        match (min, max) {
            (None, None) => self.random.integer(),
            (Some(min), None) => min.saturating_add(self.random.small()),
            (None, Some(max)) => max.saturating_sub(self.random.small()),
            (Some(min), Some(max)) => self.random.between(min, max),
        }
    }

    #[allow(clippy::cast_precision_loss)] // Small numbers.
    fn real(&mut self, range: Option<Range>) -> f64 {
        let part = self.random.below(8) as f64 / 8.0;
        match range.map_or((None, None), |range| (range.min, range.max)) {
            (None, None) => self.random.small() as f64 + part,
            (Some(min), None) => min + self.random.small() as f64 + part,
            (None, Some(max)) => max - self.random.small() as f64 - part,
            (Some(min), Some(max)) => min + (max - min) * part,
        }
    }

    /// A value of whatever type.
    fn anything(&mut self) -> Value {
        match self.random.below(5) {
            0 => self.random.small().into(),
            1 => true.into(),
            2 => Value::Array(vec![self.random.word().into()]),
            3 => Value::Dictionary([("Key".to_owned(), Value::from(1))].into_iter().collect()),
            _ => self.random.text(self.limits.length).into(),
        }
    }
}

#[allow(clippy::cast_precision_loss)] // The schema's numbers are small.
fn literal(literal: &Literal, value: ValueType) -> Value {
    match literal {
        Literal::String(text) => (*text).into(),
        Literal::Boolean(boolean) => (*boolean).into(),
        Literal::Integer(number) if value == ValueType::Real => (*number as f64).into(),
        Literal::Integer(number) => (*number).into(),
        Literal::Real(number) => (*number).into(),
    }
}

#[cfg(test)]
mod tests;
