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

impl Module<'_> {
    /// The name of a key's type before collisions are resolved, and whether the overlay decided it.
    pub(super) fn base(&self, id: KeyId, at: At<'_>) -> (String, bool) {
        let key = &self.schema[id];
        let numbers = self
            .overlay
            .numbers
            .get(&id)
            .and_then(|numbers| numbers.name.as_ref());
        if let Some(name) = self.overlay.structures.get(&id).or(numbers) {
            return (name.clone(), true);
        }
        let holder = &self.definitions[at.holder].base;
        let around = at.around.map(|around| &self.schema[around]);
        let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let mut before = holder.clone();
        let name = match around {
            _ if !key.structure.is_empty() => names::structure(&key.structure),
            Some(around) if key.wildcard => {
                let whole = names::pascal(&last(&around.name));
                let single = names::singular_of(&whole);
                if single == whole {
                    whole + "Entry"
                } else {
                    single
                }
            }
            Some(around) => {
                let name = if around.value == ValueType::Array && !around.structure.is_empty() {
                    names::structure(&around.structure)
                } else {
                    names::element(&last(&around.name), &key.name)
                };
                let single = names::singular_of(&names::pascal(&last(&around.name)));
                if single != name && !names::is_vague(&single) {
                    before = single;
                }
                name
            }
            None => names::pascal(&last(&key.name)),
        };
        if names::is_vague(&name) {
            return (before + &name, false);
        }
        (name, false)
    }

    /// Makes one of definitions that are equal and would have the same name.
    pub(super) fn unite(&mut self) {
        let mut classes = classes(&self.definitions, |definition| match definition.root {
            Some(root) => format!("document {root}"),
            None => definition.base.clone(),
        });
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
            Body::Record { constants, fields } => {
                let fields: Vec<_> = fields.iter().map(field).collect();
                format!("record {constants:?} {fields:?}")
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
            if self.definitions[*index].is_decided {
                self.take(&mut taken, *index, self.definitions[*index].base.clone())?;
            }
        }
        let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for index in used
            .iter()
            .filter(|index| !self.definitions[**index].is_decided)
        {
            let base = self.definitions[*index].base.clone();
            groups.entry(base).or_default().push(*index);
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
        Ok(())
    }

    /// A name with those of the holders in front, as many as are needed.
    fn prefixed(&self, index: usize, base: &str, taken: &BTreeSet<String>) -> String {
        let mut name = base.to_owned();
        let mut holder = self.definitions[index].holder;
        while let Some((above, _)) = holder {
            name = format!("{}{name}", self.definitions[above].base);
            if !taken.contains(&name) {
                break;
            }
            holder = self.definitions[above].holder;
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

fn classes(definitions: &[Definition], by: impl Fn(&Definition) -> String) -> Vec<usize> {
    first_of_each(&definitions.iter().map(by).collect::<Vec<_>>())
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
        Shape::Array(inner) | Shape::Map(inner) | Shape::Secret(inner) => redirect(inner, classes),
        _ => {}
    }
}
