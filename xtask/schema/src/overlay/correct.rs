//! Corrections of facts: they reach tables and types alike.

use super::written::{Block, Correction, Facts};
use super::{document, key};
use crate::failure::{Failure, Outcome};
use crate::ir::{Choice, Key, Literal, Schema, Support, ValueType};

/// Sets what the correction says.
pub(super) fn apply(schema: &mut Schema, correction: &Correction) -> Outcome {
    let wrong = |what: &str| -> Failure {
        format!("overlay: the correction of `{}` {what}", correction.key).into()
    };
    let facts = &correction.set;
    if let Ok(place) = document(schema, &correction.key) {
        if facts.touches_keys() {
            return Err(wrong("sets what only keys have"));
        }
        return blocks(&mut schema.documents[place].support, facts).map_err(wrong);
    }
    let id = key(schema, &correction.key)?;
    let key = &mut schema.keys[id.0];
    set(key, facts).map_err(wrong)?;
    blocks(&mut key.support, facts).map_err(wrong)
}

impl Correction {
    /// What is corrected, by the names that a dump of the tables has for it.
    pub(crate) fn attributes(&self) -> Vec<&'static str> {
        let facts = &self.set;
        let attributes = [
            (facts.r#type.is_some(), "type"),
            (facts.subtype.is_some(), "subtype"),
            (facts.presence.is_some(), "required"),
            (facts.default.is_some(), "default"),
            (facts.allowed.is_some(), "allowed"),
            (facts.range.is_some(), "range"),
            (facts.format.is_some(), "format"),
            (facts.combinetype.is_some(), "combine"),
            (facts.assettypes.is_some(), "assetTypes"),
            (facts.asset_content_types.is_some(), "assetContentTypes"),
            (!facts.supported_os.is_empty(), "support"),
        ];
        let set = attributes.into_iter().filter(|(set, _)| *set);
        set.map(|(_, attribute)| attribute).collect()
    }
}

impl Facts {
    fn touches_keys(&self) -> bool {
        self.r#type.is_some()
            || self.subtype.is_some()
            || self.presence.is_some()
            || self.default.is_some()
            || self.allowed.is_some()
            || self.range.is_some()
            || self.format.is_some()
            || self.combinetype.is_some()
            || self.assettypes.is_some()
            || self.asset_content_types.is_some()
    }
}

fn set(key: &mut Key, facts: &Facts) -> Result<(), &'static str> {
    if let Some(name) = &facts.r#type {
        key.value = value_type(name).ok_or("names an unknown type")?;
    }
    match facts.presence.as_deref() {
        Some("required") => key.required = true,
        Some("optional") => key.required = false,
        Some(_) => return Err("names an unknown presence"),
        None => {}
    }
    let value = key.value;
    let literal = |written: &toml::Value| {
        literal(value, written).ok_or("names a value that is not of the key's type")
    };
    if let Some(default) = &facts.default {
        key.default = Some(literal(default)?);
    }
    if let Some(allowed) = &facts.allowed {
        let choice = |written| {
            let value = literal(written)?;
            let known = key.allowed.iter().find(|choice| choice.value == value);
            Ok(known.cloned().unwrap_or(Choice {
                value,
                title: String::new(),
                support: Vec::new(),
            }))
        };
        key.allowed = allowed.iter().map(choice).collect::<Result<_, &str>>()?;
    }
    if let Some(range) = &facts.range {
        key.range = Some((range.min, range.max)).filter(|bounds| *bounds != (None, None));
    }
    if let Some(format) = &facts.format {
        key.format = Some(format.clone()).filter(|format| !format.is_empty());
    }
    if let Some(text) = &facts.subtype {
        key.text = Some(text.clone());
    }
    if let Some(combine) = &facts.combinetype {
        key.combine = Some(combine.clone());
    }
    if let Some(types) = &facts.assettypes {
        key.asset_types.clone_from(types);
    }
    if let Some(types) = &facts.asset_content_types {
        key.asset_content_types.clone_from(types);
    }
    let mut values = key
        .default
        .iter()
        .chain(key.allowed.iter().map(|one| &one.value));
    if facts.r#type.is_some() && !values.all(|literal| is_of(literal, value)) {
        return Err("leaves a default or an allowed value of another type");
    }
    Ok(())
}

fn is_of(literal: &Literal, value: ValueType) -> bool {
    match literal {
        Literal::String(_) => matches!(value, ValueType::String | ValueType::Any),
        Literal::Integer(_) => matches!(value, ValueType::Integer | ValueType::Any),
        Literal::Real(_) => matches!(value, ValueType::Real | ValueType::Any),
        Literal::Boolean(_) => matches!(value, ValueType::Boolean | ValueType::Any),
    }
}

fn value_type(name: &str) -> Option<ValueType> {
    Some(match name {
        "string" => ValueType::String,
        "integer" => ValueType::Integer,
        "real" => ValueType::Real,
        "boolean" => ValueType::Boolean,
        "date" => ValueType::Date,
        "data" => ValueType::Data,
        "array" => ValueType::Array,
        "dictionary" => ValueType::Dictionary,
        "any" => ValueType::Any,
        _ => return None,
    })
}

fn literal(value: ValueType, written: &toml::Value) -> Option<Literal> {
    Some(match (value, written) {
        (ValueType::String, toml::Value::String(text)) => Literal::String(text.clone()),
        (ValueType::Integer, toml::Value::Integer(number)) => Literal::Integer(*number),
        (ValueType::Real, toml::Value::Float(number)) => Literal::Real(*number),
        (ValueType::Boolean, toml::Value::Boolean(flag)) => Literal::Boolean(*flag),
        _ => return None,
    })
}

/// Sets what the blocks say; a block that is not there begins empty.
fn blocks(support: &mut Vec<Support>, facts: &Facts) -> Result<(), &'static str> {
    for (platform, block) in &facts.supported_os {
        if !crate::read::PLATFORMS.contains(&platform.as_str()) {
            return Err("names an unknown system");
        }
        let place = support.iter().position(|known| known.platform == *platform);
        let place = place.unwrap_or_else(|| {
            support.push(Support::on(platform));
            support.len() - 1
        });
        merge(&mut support[place], block);
    }
    Ok(())
}

fn merge(support: &mut Support, block: &Block) {
    fn set<T: Clone>(field: &mut Option<T>, value: Option<&T>) {
        if let Some(value) = value {
            *field = Some(value.clone());
        }
    }
    set(&mut support.introduced, block.introduced.as_ref());
    set(&mut support.deprecated, block.deprecated.as_ref());
    set(&mut support.removed, block.removed.as_ref());
    set(&mut support.access_rights, block.accessrights.as_ref());
    set(&mut support.supervised, block.supervised.as_ref());
    set(&mut support.requires_dep, block.requiresdep.as_ref());
    set(&mut support.device_channel, block.devicechannel.as_ref());
    set(&mut support.user_channel, block.userchannel.as_ref());
}
