//! Single mistakes: each with the one finding that it has to give.

use std::collections::BTreeMap;

use mdm_plist::{Dictionary, Value};

use super::*;
use crate::{finding::path, validate::is_removal};

/// What is wrong with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Violation {
    /// A required key is missing.
    Missing,
    /// A value is of another type.
    WrongType,
    /// An integer is written as a real.
    RealForInteger,
    /// A value is none of those allowed.
    NotAllowed,
    /// A number is out of its range.
    OutOfRange,
    /// An array has too few or too many elements.
    WrongCount,
    /// A text is not in its format.
    WrongFormat,
    /// A key that nobody knows.
    UnknownKey,
    /// An element that is none of its array's alternatives.
    UnknownAlternative,
    /// A key that the target does not take, or not without objection.
    KeyNotTaken,
    /// A value that the target does not take, or not without objection.
    ValueNotTaken,
    /// The whole document is for other targets.
    DocumentNotTaken,
}

/// A document with one mistake.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Case {
    /// The mistake.
    pub violation: Violation,
    /// The document.
    pub document: Dictionary,
    /// Whom it is checked for.
    pub target: Option<Target>,
    /// The path of the finding.
    pub path: String,
    /// The rule of the finding.
    pub rule: Rule,
}

/// Documents that differ from a valid one by one mistake each: for every rule that they can break
/// one, chosen at random. Some are for another target than the valid one, for one that does not take
/// the document.
pub fn violations(
    schema: &'static Schema,
    document: &Dictionary,
    target: Option<&Target>,
    seed: u64,
) -> Vec<Case> {
    let limits = Limits::default();
    let mut finder = Finder {
        schema,
        maker: Maker::new(schema, target, seed, &limits),
        steps: Vec::new(),
        found: BTreeMap::new(),
    };
    let root = finder.maker.root(schema);
    finder.dictionary(schema.keys, document, &root);

    let mut cases = Vec::new();
    for ((violation, rule), changes) in std::mem::take(&mut finder.found) {
        let chosen = finder.maker.random.below(changes.len());
        if let Some(change) = changes.into_iter().nth(chosen) {
            let mut document = document.clone();
            let path = change.path();
            change.apply(&mut document);
            cases.push(Case {
                violation,
                document,
                target: target.cloned(),
                path,
                rule,
            });
        }
    }
    let others = if target.is_some() {
        targets::lacking(schema)
    } else {
        Vec::new()
    };
    for other in others {
        if let [objection] = schema.availability(&other).objections() {
            cases.push(Case {
                violation: Violation::DocumentNotTaken,
                document: super::document(schema, Some(&other), seed, &limits),
                path: String::new(),
                rule: objection.rule(),
                target: Some(other),
            });
        }
    }
    cases
}

#[derive(Clone)]
enum Step {
    Key(String),
    Index(usize),
}

/// What stands at a place instead, if anything.
struct Change {
    steps: Vec<Step>,
    value: Option<Value>,
    /// Where in the new value the finding is.
    within: &'static str,
}

impl Change {
    fn path(&self) -> String {
        let outer = self
            .steps
            .iter()
            .fold(String::new(), |outer, step| match step {
                Step::Key(key) => path::join(&outer, key),
                Step::Index(index) => path::index(&outer, *index),
            });
        path::join(&outer, self.within)
    }

    fn apply(self, document: &mut Dictionary) {
        let mut steps = self.steps.into_iter();
        let Some(Step::Key(mut key)) = steps.next() else {
            return;
        };
        let mut entries = document;
        loop {
            // The key of a dictionary, then the elements of arrays below it.
            let Some(next) = steps.next() else {
                match self.value {
                    Some(value) => drop(entries.insert(key, value)),
                    None => drop(entries.remove(&key)),
                }
                return;
            };
            let Some(mut slot) = entries.get_mut(&key) else {
                return;
            };
            let mut next = Some(next);
            while let Some(Step::Index(index)) = next {
                let Value::Array(values) = slot else { return };
                if index == values.len() {
                    values.extend(self.value);
                    return;
                }
                let Some(value) = values.get_mut(index) else {
                    return;
                };
                slot = value;
                next = steps.next();
            }
            match (next, slot) {
                (Some(Step::Key(inner)), Value::Dictionary(held)) => {
                    key = inner;
                    entries = held;
                }
                (None, slot) => {
                    if let Some(value) = self.value {
                        *slot = value;
                    }
                    return;
                }
                _ => return,
            }
        }
    }
}

struct Finder<'a> {
    schema: &'static Schema,
    maker: Maker<'a>,
    steps: Vec<Step>,
    found: BTreeMap<(Violation, Rule), Vec<Change>>,
}

impl Finder<'_> {
    fn at<T>(&mut self, step: Step, look: impl FnOnce(&mut Self) -> T) -> T {
        self.steps.push(step);
        let result = look(self);
        self.steps.pop();
        result
    }

    fn find(&mut self, violation: Violation, rule: Rule, value: impl Into<Option<Value>>) {
        self.find_within(violation, rule, value, "");
    }

    fn find_within(
        &mut self,
        violation: Violation,
        rule: Rule,
        value: impl Into<Option<Value>>,
        within: &'static str,
    ) {
        let change = Change {
            steps: self.steps.clone(),
            value: value.into(),
            within,
        };
        self.found
            .entry((violation, rule))
            .or_default()
            .push(change);
    }

    fn dictionary(&mut self, keys: &'static [Key], entries: &Dictionary, holder: &Holder<'_>) {
        let removal = is_removal(self.schema.kind, keys, entries);
        for (name, value) in entries {
            let Some(key) = crate::walk::named(keys, name) else {
                continue;
            };
            // What tells the kind of entry apart is not touched.
            let is_tag = name == TAG && holder.is_alternative() || name == REMOVED;
            let demanded = holder.demands(key, self.maker.target);
            self.at(Step::Key(name.clone()), |this| {
                if is_tag {
                    return;
                }
                if demanded && (!removal || name == "identifier") {
                    this.find(Violation::Missing, Rule::Required, None);
                }
                this.value(key, value, holder);
            });
        }
        for key in keys.iter().filter(|key| !key.wildcard && !removal) {
            if let ([objection], false) = (
                holder.objections(key.support, self.maker.target).as_slice(),
                entries.contains_key(key.name) || key.name == REMOVED,
            ) {
                let value = self.maker.value(key, holder);
                self.at(Step::Key(key.name.to_owned()), |this| {
                    this.find(Violation::KeyNotTaken, objection.rule(), value);
                });
            }
        }
        if !keys.iter().any(|key| key.wildcard) {
            self.at(Step::Key("No such key".to_owned()), |this| {
                this.find(Violation::UnknownKey, Rule::UnknownKey, Value::from(1));
            });
        }
    }

    fn value(&mut self, key: &'static Key, value: &Value, holder: &Holder<'_>) {
        if let Some(wrong) = wrong_type(key.value) {
            self.find(Violation::WrongType, Rule::Type, wrong);
        }
        if key.value == ValueType::Integer
            && let Some(real) = record::real(value).filter(|real| real.abs() < 1e15)
        {
            self.find(Violation::RealForInteger, Rule::Type, Value::Real(real));
        }
        if key.format.is_some() {
            self.find(Violation::WrongFormat, Rule::Format, Value::from("!"));
        }
        self.bounds(key);
        let here = self.maker.below(key, holder);
        self.choices(key, &here);
        match value {
            // Keys that are listed for what may be anything say what it may be, not what it must.
            _ if key.value == ValueType::Any => {}
            Value::Dictionary(entries) if !key.keys.is_empty() => {
                self.dictionary(key.keys, entries, &here);
            }
            Value::Array(values) => self.array(key.keys, values, &here),
            _ => {}
        }
    }

    fn bounds(&mut self, key: &Key) {
        let Some(range) = key.range else { return };
        let outside = [
            range.min.map(|min| min - 1.0),
            range.max.map(|max| max + 1.0),
        ];
        for number in outside.into_iter().flatten() {
            #[allow(clippy::cast_possible_truncation)] // The schema's bounds are small.
            let value = match key.value {
                ValueType::Integer => Value::from(number as i64),
                _ => Value::Real(number),
            };
            self.find(Violation::OutOfRange, Rule::Range, value);
        }
    }

    fn choices(&mut self, key: &'static Key, here: &Holder<'_>) {
        if key.allowed.is_empty() {
            return;
        }
        let wrong = match key.value {
            ValueType::String => Value::from("no such value"),
            ValueType::Integer => Value::from(-12345),
            _ => Value::Real(-12345.5),
        };
        self.find(Violation::NotAllowed, Rule::Enum, wrong);
        for choice in key.allowed {
            let objections = here.objections(choice.support, self.maker.target);
            if let [objection] = objections.as_slice() {
                let value = literal(&choice.value, key.value);
                self.find(Violation::ValueNotTaken, objection.rule(), value);
            }
        }
    }

    fn array(&mut self, keys: &'static [Key], values: &[Value], here: &Holder<'_>) {
        match keys {
            [] => {}
            [element] => {
                if let Some(wanted) = element.repetition {
                    let mut more = values.to_vec();
                    more.resize_with(wanted.max + 1, || self.maker.value(element, here));
                    self.find(Violation::WrongCount, Rule::Range, Value::Array(more));
                }
                for (index, value) in values.iter().enumerate() {
                    self.at(Step::Index(index), |this| this.value(element, value, here));
                }
            }
            alternatives => self.alternatives(alternatives, values, here),
        }
    }

    fn alternatives(&mut self, keys: &'static [Key], values: &[Value], here: &Holder<'_>) {
        for (index, value) in values.iter().enumerate() {
            let tag = value.as_dictionary().and_then(|entries| entries.get(TAG));
            let name = tag.and_then(Value::as_string);
            if let Some(key) = keys.iter().find(|key| Some(key.name) == name) {
                self.at(Step::Index(index), |this| this.value(key, value, here));
            }
        }
        self.at(Step::Index(values.len()), |this| {
            let unknown = [(TAG.to_owned(), Value::from("No such item"))];
            let unknown = Value::Dictionary(unknown.into_iter().collect());
            this.find_within(Violation::UnknownAlternative, Rule::Enum, unknown, TAG);
            for key in keys {
                let objections = here.objections(key.support, this.maker.target);
                if let [objection] = objections.as_slice() {
                    let value = this.maker.tagged(key, here);
                    this.find(Violation::KeyNotTaken, objection.rule(), value);
                }
            }
        });
    }
}

/// A value that is none of this type; in JSON a text can be data or a date.
fn wrong_type(value: ValueType) -> Option<Value> {
    match value {
        ValueType::Any => None,
        // 0 and 1 are taken for what they stand for.
        ValueType::Boolean => Some(2.into()),
        ValueType::String | ValueType::Data | ValueType::Date => Some(true.into()),
        _ => Some("wrong".into()),
    }
}
