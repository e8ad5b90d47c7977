//! One key, with what lies below it.

use super::fields::{self, Fields};
use super::{Reader, is_wildcard, support};
use crate::failure::Outcome;
use crate::ir::{Choice, Key, Literal, ValueType};
use crate::yaml::{Content, NodeId, Tree};

const COMBINES: &[&str] = &[
    "boolean-or",
    "boolean-and",
    "number-min",
    "number-max",
    "enum-first",
    "enum-last",
    "first",
    "array-append",
    "set-union",
    "set-intersection",
];
const TEXTS: &[(&str, &str)] = &[
    ("<url>", "url"),
    ("<hostname>", "hostname"),
    ("<email>", "email"),
];

impl Reader<'_> {
    pub(super) fn key(&mut self, node: NodeId) -> Outcome<Key> {
        let tree = self.tree;
        let mut fields = Fields::of(tree, node, "a key")?;
        let name = fields.required("key")?;
        fields.call(format!("the key `{name}`"));
        let value = value_type(&mut fields)?;
        let text = match fields.text("subtype")? {
            Some(text) => {
                let known = TEXTS.iter().find(|(written, _)| *written == text);
                let (_, known) = known
                    .filter(|_| value == ValueType::String)
                    .ok_or_else(|| {
                        fields.wrong(node, format!("has an unknown `subtype`: {text}"))
                    })?;
                Some((*known).to_owned())
            }
            None => None,
        };
        let required =
            fields.word("presence", &["required", "optional"])? == Some("required".into());
        let default = match fields.take("default") {
            Some(node) => Some(literal(tree, node, value, &fields)?),
            None => None,
        };
        let mut allowed = Vec::new();
        for node in fields.items("rangelist")? {
            allowed.push(Choice {
                value: literal(tree, node, value, &fields)?,
                title: String::new(),
                support: Vec::new(),
            });
        }
        let range = match fields.take("range") {
            Some(node) => {
                let mut range = Fields::of(tree, node, "`range`")?;
                let bounds = (range.number("min")?, range.number("max")?);
                range.finish()?;
                Some(bounds)
            }
            None => None,
        };
        let repetition = match fields.take("repetition") {
            Some(node) => {
                let mut repetition = Fields::of(tree, node, "`repetition`")?;
                let bounds = (repetition.number("min")?, repetition.number("max")?);
                repetition.finish()?;
                match bounds {
                    (Some(min), Some(max)) => Some((min, max)),
                    _ => {
                        return Err(
                            fields.wrong(node, "has a `repetition` without `min` and `max`")
                        );
                    }
                }
            }
            None => None,
        };
        let format = fields.text("format")?;
        let combine = fields.word("combinetype", COMBINES)?;
        let asset_types = fields.texts("assettypes")?.unwrap_or_default();
        let asset_content_types = fields.texts("asset-content-types")?.unwrap_or_default();
        let structure = fields.text("subkeytype")?.unwrap_or_default();
        let title = fields.text("title")?.unwrap_or_default();
        let support = support::supported(tree, fields.take("supportedOS"))?;
        let below = fields.take("subkeys");
        let (allowed_are_keys, keys) = match (value, below) {
            (_, None) => (false, None),
            (ValueType::String, Some(node)) if allowed.is_empty() => {
                allowed = choices(tree, node)?;
                (true, None)
            }
            (ValueType::Array | ValueType::Dictionary, Some(node)) => {
                (false, Some(self.list(node)?))
            }
            (_, Some(node)) => return Err(fields.wrong(node, "has keys below a single value")),
        };
        fields.finish()?;
        Ok(Key {
            wildcard: is_wildcard(&name),
            name,
            title,
            value,
            text,
            required,
            default,
            allowed,
            allowed_are_keys,
            range,
            format,
            repetition,
            combine,
            asset_types,
            asset_content_types,
            support,
            structure,
            keys,
            secret: false,
        })
    }
}

/// The subkeys of a text: the values that it may have, each with an availability of its own.
fn choices(tree: &Tree, node: NodeId) -> Outcome<Vec<Choice>> {
    let mut choices = Vec::new();
    for node in fields::list(tree, node, "`subkeys`")? {
        let mut fields = Fields::of(tree, *node, "a value")?;
        let name = fields.required("key")?;
        fields.call(format!("the value `{name}`"));
        if value_type(&mut fields)? != ValueType::String {
            return Err(fields.wrong(*node, "is no text"));
        }
        fields.word("presence", &["optional"])?;
        choices.push(Choice {
            value: Literal::String(name),
            title: fields.text("title")?.unwrap_or_default(),
            support: support::supported(tree, fields.take("supportedOS"))?,
        });
        fields.finish()?;
    }
    Ok(choices)
}

/// The attribute `type`.
pub(super) fn value_type(fields: &mut Fields<'_>) -> Outcome<ValueType> {
    let (node, text) = fields.required_at("type")?;
    Ok(match text.as_str() {
        "<string>" => ValueType::String,
        "<integer>" => ValueType::Integer,
        "<real>" => ValueType::Real,
        "<boolean>" => ValueType::Boolean,
        "<date>" => ValueType::Date,
        "<data>" => ValueType::Data,
        "<array>" => ValueType::Array,
        "<dictionary>" => ValueType::Dictionary,
        "<any>" => ValueType::Any,
        _ => return Err(fields.wrong(node, format!("has an unknown `type`: `{text}`"))),
    })
}

/// A value that is written down for a key of this type.
fn literal(tree: &Tree, node: NodeId, value: ValueType, fields: &Fields<'_>) -> Outcome<Literal> {
    let found = match tree.content(node) {
        Content::Scalar(scalar) => match (value, scalar.plain, scalar.text.as_str()) {
            (ValueType::String, plain, text) => {
                let is_text = !plain || !(is_number(text) || is_word(text));
                is_text.then(|| Literal::String(text.to_owned()))
            }
            (ValueType::Integer, true, text) => text.parse().ok().map(Literal::Integer),
            (ValueType::Real, true, text) if is_number(text) => {
                text.parse().ok().map(Literal::Real)
            }
            (ValueType::Boolean, true, "true") => Some(Literal::Boolean(true)),
            (ValueType::Boolean, true, "false") => Some(Literal::Boolean(false)),
            _ => None,
        },
        _ => None,
    };
    found.ok_or_else(|| fields.wrong(node, "names a value that is not of its type"))
}

/// Whether a plain scalar is a number; `nan` and `.inf` are none here.
fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(f64::is_finite)
}

/// Whether a plain scalar is something else than a text.
fn is_word(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "true" | "false")
}
