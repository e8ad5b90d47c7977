//! Names for definitions: equal ones become one, different ones of one name are told apart by what
//! holds them.

use std::collections::{BTreeMap, BTreeSet};

use super::{At, Body, Definition, Module, Shape, plain};
use crate::{
    failure::Outcome,
    ir::{KeyId, ValueType},
    names,
};

/// Names that generated files have in scope.
const TAKEN: &[&str] = &[
    "BTreeMap",
    "Box",
    "DateTime",
    "Dictionary",
    "Opaque",
    "Option",
    "Result",
    "Secret",
    "Self",
    "String",
    "Switch",
    "Utc",
    "Value",
    "Vec",
];

/// A name before collisions are resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Base {
    /// By the overlay.
    Decided(String),
    Plain(String),
    /// Says nothing without the name of what holds it.
    Vague(String),
}

impl Base {
    fn of(name: String) -> Self {
        if names::is_vague(&name) {
            Self::Vague(name)
        } else {
            Self::Plain(name)
        }
    }

    pub(super) fn text(&self) -> &str {
        match self {
            Self::Decided(name) | Self::Plain(name) | Self::Vague(name) => name,
        }
    }
}

impl Module<'_> {
    /// The name of a key's type before collisions are resolved.
    pub(super) fn base(&self, id: KeyId, at: At<'_>) -> Base {
        let key = &self.schema[id];
        let numbers = self.overlay.numbers.get(&id);
        let numbers = numbers.and_then(|numbers| numbers.name.as_ref());
        if let Some(name) = self.overlay.structures.get(&id).or(numbers) {
            return Base::Decided(name.clone());
        }
        let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let around = at.around.map(|around| &self.schema[around]);
        let Some(around) = around else {
            let name = match key.structure.as_str() {
                "" => names::pascal(&last(&key.name)),
                structure => names::structure(structure),
            };
            return Base::of(name);
        };
        let whole = names::pascal(&last(&around.name));
        let single = names::singular_of(&whole);
        let name = match (key.structure.as_str(), around.structure.as_str()) {
            ("", "") if key.wildcard && single == whole => whole + "Entry",
            ("", "") if key.wildcard => single.clone(),
            ("", "") => names::element(&last(&around.name), &key.name),
            ("", structure) if around.value == ValueType::Array => names::element("", structure),
            ("", _) => single.clone() + "Entry",
            (structure, _) => names::structure(structure),
        };
        match Base::of(name) {
            Base::Vague(name) if single.ends_with(&name) && single != name => Base::Plain(single),
            Base::Vague(name) if !names::is_vague(&single) => Base::Plain(single + &name),
            base => base,
        }
    }

    /// Makes one of definitions that are equal and would have the same name.
    pub(super) fn unite(&mut self) {
        let said: Vec<_> = self
            .definitions
            .iter()
            .map(|definition| match (definition.root, &definition.base) {
                (Some(root), _) => format!("document {root}"),
                // Two states are two types, however equal, unless what holds them is one.
                (_, Base::Vague(name)) => {
                    let holder = definition.holder.map(|(holder, _)| holder);
                    let holder = holder.map(|holder| self.definitions[holder].base.text());
                    format!("{holder:?} {name}")
                }
                (_, base) => base.text().to_owned(),
            })
            .collect();
        let mut classes = first_of_each(&said);
        loop {
            let next = self.refined(&classes);
            let count = |classes: &[usize]| classes.iter().collect::<BTreeSet<_>>().len();
            let done = count(&next) == count(&classes);
            classes = next;
            if done {
                break;
            }
        }
        for index in 0..self.definitions.len() {
            let first = classes[index];
            if first != index {
                let support = self.definitions[index].support.clone().unwrap_or_default();
                self.also(first, &support);
            }
            let definition = &mut self.definitions[index];
            if let Some((holder, _)) = &mut definition.holder {
                *holder = classes[*holder];
            }
            match &mut definition.body {
                Body::Record { fields, .. } => {
                    fields
                        .iter_mut()
                        .for_each(|field| redirect(&mut field.shape, &classes));
                }
                Body::Entries(field) => redirect(&mut field.shape, &classes),
                Body::Newtype(shape) => redirect(shape, &classes),
                Body::Alternatives(variants) => {
                    variants
                        .iter_mut()
                        .for_each(|(_, record)| *record = classes[*record]);
                }
                Body::Texts(_) | Body::Numbers(_) => {}
            }
        }
        self.is_first = (0..classes.len())
            .map(|index| classes[index] == index)
            .collect();
    }

    /// Classes told apart by what the definitions say, given the classes of those they refer to.
    fn refined(&self, known: &[usize]) -> Vec<usize> {
        let said: Vec<_> = self
            .definitions
            .iter()
            .enumerate()
            .map(|(index, definition)| format!("{} {}", known[index], self.said(definition, known)))
            .collect();
        first_of_each(&said)
    }

    fn said(&self, definition: &Definition, classes: &[usize]) -> String {
        let shape = |shape: &Shape| {
            let mut shape = shape.clone();
            redirect(&mut shape, classes);
            format!("{shape:?}")
        };
        let field = |field: &super::Field| {
            let wire = &self.schema[field.key].name;
            format!(
                "{wire} {} {} {}",
                field.name,
                field.is_required,
                shape(&field.shape)
            )
        };
        match &definition.body {
            Body::Record {
                constants,
                fields,
                is_open,
            } => {
                let fields: Vec<_> = fields.iter().map(field).collect();
                format!("record {constants:?} {fields:?} {is_open}")
            }
            Body::Entries(entries) => format!("entries {}", shape(&entries.shape)),
            Body::Texts(variants) | Body::Numbers(variants) => {
                let variants: Vec<_> = variants
                    .iter()
                    .map(|variant| (&variant.name, plain(&variant.value)))
                    .collect();
                format!("values {variants:?}")
            }
            Body::Alternatives(variants) => {
                let variants: Vec<_> = variants
                    .iter()
                    .map(|(text, record)| (text, classes[*record]))
                    .collect();
                format!("alternatives {variants:?}")
            }
            Body::Newtype(inner) => format!("newtype {}", shape(inner)),
        }
    }

    /// Decides every name; two definitions of one name are told apart by what holds them.
    pub(super) fn name(&mut self) -> Outcome {
        let used: Vec<_> = (0..self.definitions.len())
            .filter(|index| self.is_first[*index])
            .collect();
        let mut taken: BTreeSet<String> = TAKEN.iter().map(|name| (*name).to_owned()).collect();
        for index in &used {
            if let Base::Decided(name) = &self.definitions[*index].base {
                self.take(&mut taken, *index, name.clone())?;
            }
        }
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in &used {
            if let Base::Plain(name) = &self.definitions[*index].base {
                groups.entry(name.clone()).or_default().push(*index);
            }
        }
        for (base, group) in groups {
            let at_top = |index: &usize| {
                let holder = self.definitions[*index].holder;
                holder.is_some_and(|(holder, _)| self.definitions[holder].root.is_some())
            };
            let plain = match group.as_slice() {
                _ if taken.contains(&base) => None,
                [only] => Some(*only),
                group => match group
                    .iter()
                    .filter(|index| at_top(index))
                    .collect::<Vec<_>>()[..]
                {
                    [only] => Some(*only),
                    _ => None,
                },
            };
            if let Some(index) = plain {
                self.take(&mut taken, index, base.clone())?;
            }
            for index in group.into_iter().filter(|index| Some(*index) != plain) {
                let name = self.prefixed(index, &base, &taken);
                self.take(&mut taken, index, name)?;
            }
        }
        // What holds a definition stands before it.
        for index in used {
            if let Base::Vague(name) = &self.definitions[index].base {
                let name = self.prefixed(index, &name.clone(), &taken);
                self.take(&mut taken, index, name)?;
            }
        }
        Ok(())
    }

    /// A name with those of the holders in front, as many as are needed.
    fn prefixed(&self, index: usize, base: &str, taken: &BTreeSet<String>) -> String {
        let mut name = base.to_owned();
        let mut holder = self.definitions[index].holder;
        while let Some((above, _)) = holder {
            let definition = &self.definitions[above];
            let above = match definition.name.as_str() {
                "" => definition.base.text(),
                name => name,
            };
            name = format!("{above}{base}");
            if !taken.contains(&name) {
                break;
            }
            holder = definition.holder;
        }
        name
    }

    fn take(&mut self, taken: &mut BTreeSet<String>, index: usize, name: String) -> Outcome {
        let is_identifier = name.starts_with(|c: char| c.is_ascii_uppercase());
        if !is_identifier {
            return Err(self.complain(index, &name, "is no name for a type"));
        }
        if !taken.insert(name.clone()) {
            let other = self.definitions.iter().position(|other| other.name == name);
            let other = other.map(|other| self.path(other)).unwrap_or_default();
            let why = format!("is the name of `{other}` as well");
            return Err(self.complain(index, &name, &why));
        }
        self.definitions[index].name = name;
        Ok(())
    }
}

/// For each text the place of the first that is equal to it.
fn first_of_each(texts: &[String]) -> Vec<usize> {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    let places = texts.iter().enumerate();
    places
        .map(|(index, text)| *first.entry(text).or_insert(index))
        .collect()
}

fn redirect(shape: &mut Shape, classes: &[usize]) {
    match shape {
        Shape::Named(index) => *index = classes[*index],
        Shape::Array(inner) | Shape::Map(inner) | Shape::Boxed(inner) | Shape::Secret(inner) => {
            redirect(inner, classes);
        }
        _ => {}
    }
}
