//! What types a document needs: one definition for each dictionary and enum, with its Rust name.

mod cycle;
mod name;

use std::collections::BTreeMap;

use self::name::Base;

use crate::{
    docs,
    failure::Outcome,
    ir::{Document, Key, KeyId, Kind, ListId, Literal, Schema, Support, ValueType},
    names,
    overlay::Overlay,
};

/// The types of one file: those of a command and of its response lie together.
pub(super) struct Module<'a> {
    pub(super) schema: &'a Schema,
    pub(super) overlay: &'a Overlay,
    /// What keys of other files are, which lists of this one borrow.
    foreign: &'a BTreeMap<KeyId, Shape>,
    pub(super) definitions: Vec<Definition>,
    by_list: BTreeMap<(ListId, bool), usize>,
    /// Whether a definition is not one with an earlier one.
    pub(super) is_first: Vec<bool>,
}

pub(super) struct Definition {
    pub(super) name: String,
    /// The document that this is the type of.
    pub(super) root: Option<usize>,
    /// The definition and the field in it that lead here; the first, where several do.
    pub(super) holder: Option<(usize, KeyId)>,
    /// The key whose value this is.
    pub(super) key: Option<KeyId>,
    /// On what terms it is available; `None` where it stands in several places that differ.
    pub(super) support: Option<Vec<Support>>,
    pub(super) body: Body,
    base: Base,
    /// Whether all keys are optional, whatever the schema says.
    is_from_device: bool,
}

pub(super) enum Body {
    Record {
        constants: Vec<(String, String)>,
        fields: Vec<Field>,
        /// Whether others may add keys.
        is_open: bool,
    },
    Entries(Field),
    Texts(Vec<Variant>),
    Numbers(Vec<Variant>),
    Alternatives(Vec<(String, usize)>),
    /// A value with a type of its own.
    Newtype(Shape),
}

#[derive(Clone)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) key: KeyId,
    pub(super) shape: Shape,
    pub(super) is_required: bool,
}

pub(super) struct Variant {
    pub(super) name: String,
    pub(super) value: Literal,
    pub(super) title: String,
    pub(super) support: Vec<Support>,
}

/// The Rust type of a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shape {
    Text,
    Bytes,
    Integer,
    Real,
    Boolean,
    Date,
    Any,
    Dictionary,
    Switch,
    Secret(Box<Shape>),
    Array(Box<Shape>),
    Map(Box<Shape>),
    Boxed(Box<Shape>),
    Named(usize),
    /// A type of another file, by its path.
    Foreign(String),
}

/// Where a value stands.
#[derive(Clone, Copy)]
struct At<'s> {
    holder: usize,
    /// The field of the holder.
    field: KeyId,
    /// The array or map around the value.
    around: Option<KeyId>,
    support: &'s [Support],
    is_secret: bool,
}

impl<'a> Module<'a> {
    pub(super) fn new(
        schema: &'a Schema,
        overlay: &'a Overlay,
        foreign: &'a BTreeMap<KeyId, Shape>,
    ) -> Self {
        Self {
            schema,
            overlay,
            foreign,
            definitions: Vec::new(),
            by_list: BTreeMap::new(),
            is_first: Vec::new(),
        }
    }

    /// The types of these documents, which share a file.
    pub(super) fn of(
        schema: &'a Schema,
        overlay: &'a Overlay,
        documents: &[usize],
        foreign: &'a BTreeMap<KeyId, Shape>,
    ) -> Outcome<Self> {
        let mut module = Self::new(schema, overlay, foreign);
        for document in documents {
            module.document(*document)?;
        }
        module.unite();
        module.name()?;
        module.check()?;
        module.box_cycles()?;
        Ok(module)
    }

    fn document(&mut self, index: usize) -> Outcome {
        let document = &self.schema.documents[index];
        let is_from_device = matches!(
            document.kind,
            Kind::CheckIn | Kind::Response | Kind::StatusItem
        );
        let root = self.definitions.len();
        self.definitions.push(Definition {
            name: String::new(),
            root: Some(index),
            holder: None,
            key: None,
            support: Some(document.support.clone()),
            body: Body::Newtype(Shape::Any),
            base: Base::Decided(names::document(self.schema, self.overlay, document)),
            is_from_device,
        });
        let list = document.keys;
        let body = match (document.kind, &self.schema[list]) {
            (Kind::StatusItem, [key]) => self.status_item(root, *key)?,
            (kind, _) => self.dictionary(root, list, Of::Document(kind))?,
        };
        self.definitions[root].body = body;
        Ok(())
    }

    /// A status item is its one key's value.
    fn status_item(&mut self, root: usize, id: KeyId) -> Outcome<Body> {
        let key = &self.schema[id];
        self.definitions[root].key = Some(id);
        let keys = key.keys.filter(|list| !self.schema[*list].is_empty());
        match (key.value, keys) {
            (ValueType::Dictionary, Some(list)) => {
                self.dictionary(root, list, Of::Document(Kind::StatusItem))
            }
            (ValueType::String, _) if !key.allowed.is_empty() => {
                let base = self.definitions[root].base.clone();
                Ok(Body::Texts(self.variants(id, base.text())?))
            }
            _ => {
                let support = self.definitions[root].support.clone().unwrap_or_default();
                let at = At {
                    holder: root,
                    field: id,
                    around: None,
                    support: &support,
                    is_secret: false,
                };
                Ok(Body::Newtype(self.shape(id, at)?))
            }
        }
    }

    /// The body of a dictionary with these keys.
    fn dictionary(&mut self, holder: usize, list: ListId, of: Of) -> Outcome<Body> {
        let schema = self.schema;
        let support = self.definitions[holder].support.clone().unwrap_or_default();
        let mut constants = Vec::new();
        let mut fields: Vec<Field> = Vec::new();
        let is_open = schema.is_open(list) && schema[list].len() > 1;
        for id in &schema[list] {
            let key = &schema[*id];
            if is_open && key.wildcard {
                continue;
            }
            if let Some(text) = discriminator(key, of) {
                // The enum of the alternatives writes theirs.
                if of != Of::Alternative {
                    constants.push((key.name.clone(), text));
                }
                continue;
            }
            let at = At {
                holder,
                field: *id,
                around: None,
                support: &support,
                is_secret: false,
            };
            let shape = match self.foreign.get(id) {
                Some(shape) => shape.clone(),
                None => self.shape(*id, at)?,
            };
            let narrowed = docs::narrowed(&key.support, &support);
            let required = key.required && !narrowed && !self.definitions[holder].is_from_device;
            let field = Field {
                name: self.field_name(*id)?,
                key: *id,
                shape,
                is_required: self.overlay.presence.get(id).copied().unwrap_or(required),
            };
            if key.wildcard {
                if schema[list].len() > 1 {
                    return Err(self.complain(holder, &key.name, "stands beside other keys"));
                }
                return Ok(Body::Entries(field));
            }
            if let Some(other) = fields.iter().find(|other| other.name == field.name) {
                let other = &schema[other.key].name;
                let why = format!("and `{other}` are both called `{}`", field.name);
                return Err(self.complain(holder, &key.name, &why));
            }
            fields.push(field);
        }
        if is_open && (of == Of::Alternative || fields.iter().any(|field| field.name == MORE)) {
            return Err(self.complain(holder, MORE, "cannot be a field"));
        }
        Ok(Body::Record {
            constants,
            fields,
            is_open,
        })
    }

    /// What the fields of these types are to other files, given the path to this one.
    pub(super) fn lent(&self, path: &str) -> BTreeMap<KeyId, Shape> {
        let mut lent = BTreeMap::new();
        for definition in &self.definitions {
            if let Body::Record { fields, .. } = &definition.body {
                for field in fields {
                    lent.insert(field.key, self.abroad(&field.shape, path));
                }
            }
        }
        lent
    }

    fn abroad(&self, shape: &Shape, path: &str) -> Shape {
        let inner = |shape: &Shape| Box::new(self.abroad(shape, path));
        match shape {
            Shape::Named(index) => {
                Shape::Foreign(format!("{path}::{}", self.definitions[*index].name))
            }
            Shape::Array(shape) => Shape::Array(inner(shape)),
            Shape::Map(shape) => Shape::Map(inner(shape)),
            Shape::Boxed(shape) => self.abroad(shape, path),
            shape => shape.clone(),
        }
    }

    fn shape(&mut self, id: KeyId, at: At<'_>) -> Outcome<Shape> {
        let schema = self.schema;
        let id = self.overlay.same.get(&id).copied().unwrap_or(id);
        let key = &schema[id];
        let support = docs::inherited(&key.support, at.support);
        let is_secret = at.is_secret || key.secret;
        let at = At {
            support: &support,
            is_secret,
            ..at
        };
        let secret = |shape| match is_secret {
            true => Shape::Secret(Box::new(shape)),
            false => shape,
        };
        let inner = At {
            around: Some(id),
            ..at
        };
        let list = key.keys.filter(|list| !schema[*list].is_empty());
        match key.value {
            ValueType::String if !key.allowed.is_empty() => self.texts(id, at),
            ValueType::Integer if self.is_switch(id) => Ok(Shape::Switch),
            ValueType::Integer | ValueType::Real if !key.allowed.is_empty() => self.numbers(id, at),
            ValueType::String => Ok(secret(Shape::Text)),
            ValueType::Data => Ok(secret(Shape::Bytes)),
            ValueType::Integer => Ok(Shape::Integer),
            ValueType::Real => Ok(Shape::Real),
            ValueType::Boolean => Ok(Shape::Boolean),
            ValueType::Date => Ok(Shape::Date),
            ValueType::Any => Ok(secret(Shape::Any)),
            ValueType::Array => {
                let element = match list.map(|list| &schema[list]) {
                    None => secret(Shape::Any),
                    Some([element]) => self.shape(*element, inner)?,
                    Some(alternatives) => self.alternatives(alternatives, id, at)?,
                };
                Ok(Shape::Array(Box::new(element)))
            }
            ValueType::Dictionary => match list {
                None => Ok(secret(Shape::Dictionary)),
                Some(list) => match schema[list] {
                    [any] if schema[any].wildcard => {
                        let value = self.shape(any, inner)?;
                        Ok(match value {
                            Shape::Any => Shape::Dictionary,
                            value => Shape::Map(Box::new(value)),
                        })
                    }
                    _ => self.record(list, id, at),
                },
            },
        }
    }

    /// Whether an integer is a boolean in disguise.
    fn is_switch(&self, id: KeyId) -> bool {
        let numbers: Vec<_> = self.schema[id]
            .allowed
            .iter()
            .map(|choice| &choice.value)
            .collect();
        let both = [&Literal::Integer(0), &Literal::Integer(1)];
        numbers.len() == 2
            && both.iter().all(|number| numbers.contains(number))
            && !self.overlay.numbers.contains_key(&id)
    }

    fn record(&mut self, list: ListId, id: KeyId, at: At<'_>) -> Outcome<Shape> {
        let is_from_device = self.definitions[at.holder].is_from_device;
        if let Some(known) = self.by_list.get(&(list, is_from_device)).copied() {
            self.also(known, at.support);
            return Ok(Shape::Named(known));
        }
        let index = self.define(id, at, Body::Newtype(Shape::Any));
        self.by_list.insert((list, is_from_device), index);
        self.definitions[index].body = self.dictionary(index, list, Of::Key)?;
        Ok(Shape::Named(index))
    }

    /// Notes that a definition is used under these terms as well.
    fn also(&mut self, index: usize, support: &[Support]) {
        let definition = &mut self.definitions[index];
        if definition
            .support
            .as_deref()
            .is_some_and(|known| known != support)
        {
            definition.support = None;
        }
    }

    fn texts(&mut self, id: KeyId, at: At<'_>) -> Outcome<Shape> {
        let variants = self.variants(id, self.base(id, at).text())?;
        Ok(Shape::Named(self.define(id, at, Body::Texts(variants))))
    }

    fn numbers(&mut self, id: KeyId, at: At<'_>) -> Outcome<Shape> {
        let variants = self.variants(id, self.base(id, at).text())?;
        Ok(Shape::Named(self.define(id, at, Body::Numbers(variants))))
    }

    /// The values that a key allows, with their Rust names.
    fn variants(&self, id: KeyId, of: &str) -> Outcome<Vec<Variant>> {
        let key = &self.schema[id];
        let decided = self.overlay.variants.get(&id);
        let numbers = self.overlay.numbers.get(&id).map(|numbers| &numbers.values);
        let mut variants: Vec<Variant> = Vec::new();
        for choice in &key.allowed {
            let text = plain(&choice.value);
            let own = || match &choice.value {
                Literal::String(text) => names::variant(of, text),
                _ => names::number_variant(&text),
            };
            let bare = text.strip_suffix(".0").unwrap_or(&text);
            let named = [decided, numbers]
                .into_iter()
                .flatten()
                .find_map(|names| names.get(&text).or_else(|| names.get(bare)));
            let name = named.cloned().unwrap_or_else(own);
            if named.is_none() && name == "Empty" && !text.trim().is_empty() {
                let key = &key.name;
                return Err(format!("`{key}`: the value `{text}` gives no name").into());
            }
            if let Some(other) = variants.iter().find(|other| other.name == name) {
                if other.value == choice.value {
                    continue;
                }
                let other = plain(&other.value);
                return Err(format!(
                    "`{}`: the values `{other}` and `{text}` are both called `{name}`",
                    key.name
                )
                .into());
            }
            variants.push(Variant {
                name,
                value: choice.value.clone(),
                title: match self.overlay.value_summaries.get(&(id, text)) {
                    Some(summary) => summary.clone(),
                    None => docs::escaped(&choice.title),
                },
                support: choice.support.clone(),
            });
        }
        Ok(variants)
    }

    /// The elements of an array that may be any of these dictionaries, told apart by `Item`.
    fn alternatives(&mut self, ids: &[KeyId], id: KeyId, at: At<'_>) -> Outcome<Shape> {
        let schema = self.schema;
        let mut variants = Vec::new();
        let index = self.define(id, at, Body::Alternatives(Vec::new()));
        if let Base::Plain(name) = &mut self.definitions[index].base {
            *name = names::singular_of(name);
        }
        for id in ids {
            let key = &schema[*id];
            let list = match (key.value, key.keys) {
                (ValueType::Dictionary, Some(list)) => list,
                _ => return Err(self.complain(at.holder, &key.name, "is no dictionary")),
            };
            let support = docs::inherited(&key.support, at.support);
            let at = At {
                support: &support,
                around: None,
                ..at
            };
            let record = self.define(*id, at, Body::Newtype(Shape::Any));
            let tag = schema[list].iter().find(|id| schema[**id].name == TAG);
            let text = tag.and_then(|id| only(&schema[*id]));
            variants.push((text.unwrap_or_else(|| key.name.clone()), record));
            self.definitions[record].body = self.dictionary(record, list, Of::Alternative)?;
        }
        self.definitions[index].body = Body::Alternatives(variants);
        Ok(Shape::Named(index))
    }

    fn define(&mut self, id: KeyId, at: At<'_>, body: Body) -> usize {
        let base = self.base(id, at);
        self.definitions.push(Definition {
            name: String::new(),
            root: None,
            holder: Some((at.holder, at.field)),
            key: Some(id),
            support: Some(at.support.to_vec()),
            body,
            base,
            is_from_device: self.definitions[at.holder].is_from_device,
        });
        self.definitions.len() - 1
    }

    fn field_name(&self, id: KeyId) -> Outcome<String> {
        let key = &self.schema[id];
        let name = self.overlay.fields.get(&id);
        let name = name.cloned().unwrap_or_else(|| names::snake(&key.name));
        if name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Ok(name);
        }
        Err(format!("`{}` gives no name for a field", key.name).into())
    }

    /// The enum that a definition is one of the alternatives of.
    pub(super) fn alternative(&self, index: usize) -> Option<&str> {
        let found = self.definitions.iter().find(|known| match &known.body {
            Body::Alternatives(variants) => variants.iter().any(|(_, record)| *record == index),
            _ => false,
        });
        found.map(|known| known.name.as_str())
    }

    /// Complains about a key of a definition.
    fn complain(&self, holder: usize, key: &str, why: &str) -> crate::failure::Failure {
        format!("{}: `{key}` {why}", self.path(holder)).into()
    }

    /// The way to a definition, for people.
    fn path(&self, index: usize) -> String {
        let definition = &self.definitions[index];
        match (definition.root, definition.holder) {
            (Some(document), _) => {
                let document: &Document = &self.schema.documents[document];
                let mark = if document.kind.is_answer() { "!" } else { "#" };
                format!("{}{mark}", document.file)
            }
            (None, Some((holder, field))) => {
                let key = |id: KeyId| self.schema[id].name.as_str();
                let own = definition.key.filter(|own| *own != field).map(key);
                let own = own.map(|own| format!("…/{own}/")).unwrap_or_default();
                format!("{}{}/{own}", self.path(holder), key(field))
            }
            (None, None) => String::new(),
        }
    }

    /// Secrets have to be text or bytes.
    fn check(&self) -> Outcome {
        for (index, definition) in self.definitions.iter().enumerate() {
            let Body::Record { fields, .. } = &definition.body else {
                continue;
            };
            for field in fields {
                let mut shape = &field.shape;
                while let Shape::Array(inner) | Shape::Map(inner) = shape {
                    shape = inner;
                }
                if let Shape::Secret(inner) = shape
                    && !matches!(**inner, Shape::Text | Shape::Bytes)
                {
                    let why = "is a secret, but neither text nor bytes";
                    return Err(self.complain(index, &self.schema[field.key].name, why));
                }
            }
        }
        Ok(())
    }
}

/// The field for the keys that others add.
pub(super) const MORE: &str = "more";

/// The key that tells alternatives apart.
pub(super) const TAG: &str = "Item";

/// What a dictionary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Document(Kind),
    Alternative,
    Key,
}

/// The text of a key that only says which document or alternative this is.
fn discriminator(key: &Key, of: Of) -> Option<String> {
    let name = match of {
        Of::Document(Kind::ErrorBody) => "code",
        Of::Document(Kind::CheckIn) => "MessageType",
        Of::Document(Kind::Payload) => "PayloadType",
        Of::Alternative => TAG,
        _ => return None,
    };
    only(key).filter(|_| key.name == name && key.required)
}

/// The one text that a key allows.
fn only(key: &Key) -> Option<String> {
    match key.allowed.as_slice() {
        [choice] => match &choice.value {
            Literal::String(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    }
}

/// A value as Rust and the overlay write it, without quotes.
pub(super) fn plain(value: &Literal) -> String {
    match value {
        Literal::String(text) => text.clone(),
        Literal::Integer(number) => number.to_string(),
        Literal::Real(number) => format!("{number:?}"),
        Literal::Boolean(truth) => truth.to_string(),
    }
}
