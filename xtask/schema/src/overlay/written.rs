//! The overlay as it stands in its file.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::failure::Outcome;

/// Every entry of the file; but for areas and summaries, none goes without a reason.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Written {
    pub(super) r#type: Vec<Type>,
    pub(super) structure: Vec<Named>,
    pub(super) same: Vec<Same>,
    pub(super) numbers: Vec<Numbers>,
    pub(super) variant: Vec<Variant>,
    pub(super) secret: Vec<Mark>,
    pub(super) field: Vec<Named>,
    pub(crate) wildcard: Vec<Mark>,
    pub(super) presence: Vec<Presence>,
    pub(crate) correct: Vec<Correction>,
    pub(crate) borrow: Vec<Borrow>,
    pub(crate) open: Vec<Mark>,
    pub(super) area: Vec<Area>,
    pub(super) summary: Vec<Summary>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Type {
    pub(super) file: String,
    pub(super) name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Named {
    pub(super) key: String,
    pub(super) name: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Same {
    pub(super) key: String,
    pub(super) r#as: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Numbers {
    pub(super) key: String,
    pub(super) name: Option<String>,
    pub(super) values: BTreeMap<String, String>,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Variant {
    pub(super) key: String,
    pub(super) values: BTreeMap<String, String>,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mark {
    pub(crate) key: String,
    pub(crate) reason: String,
}

/// A list that has the keys of another besides its own.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Borrow {
    /// A document or a dictionary.
    pub(crate) to: String,
    pub(crate) from: String,
    pub(crate) reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Presence {
    pub(super) key: String,
    pub(super) required: bool,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Area {
    pub(super) name: String,
    pub(super) files: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Summary {
    pub(super) of: String,
    pub(super) text: String,
}

/// What a key, or a whole document, says instead.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Correction {
    pub(crate) key: String,
    pub(super) set: Facts,
    pub(crate) reason: String,
}

/// The schema's attributes, by its own names; `allowed` is its `rangelist`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    pub(super) r#type: Option<String>,
    pub(super) subtype: Option<String>,
    pub(super) presence: Option<String>,
    pub(super) default: Option<toml::Value>,
    pub(super) allowed: Option<Vec<toml::Value>>,
    pub(super) range: Option<Range>,
    pub(super) format: Option<String>,
    pub(super) combinetype: Option<String>,
    pub(super) assettypes: Option<Vec<String>>,
    #[serde(rename = "asset-content-types")]
    pub(super) asset_content_types: Option<Vec<String>>,
    #[serde(rename = "supportedOS", default)]
    pub(super) supported_os: BTreeMap<String, Block>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
}

/// What a system's block says instead; what is not named here stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    pub(super) introduced: Option<String>,
    pub(super) deprecated: Option<String>,
    pub(super) removed: Option<String>,
    pub(super) accessrights: Option<String>,
    pub(super) supervised: Option<bool>,
    pub(super) requiresdep: Option<bool>,
    pub(super) devicechannel: Option<bool>,
    pub(super) userchannel: Option<bool>,
}

impl Written {
    pub(crate) fn parse(text: &str) -> Outcome<Self> {
        let written: Self = toml::from_str(text).map_err(|error| format!("overlay: {error}"))?;
        if let Some((of, _)) = written
            .reasons()
            .find(|(_, reason)| reason.trim().is_empty())
        {
            return Err(format!("overlay: `{of}` gives no reason").into());
        }
        Ok(written)
    }

    /// What has a reason, and the reason.
    fn reasons(&self) -> impl Iterator<Item = (&str, &str)> {
        let named = self.structure.iter().chain(&self.field);
        let marks = self.secret.iter().chain(&self.wildcard).chain(&self.open);
        (self.r#type.iter().map(|e| (&e.file, &e.reason)))
            .chain(named.map(|e| (&e.key, &e.reason)))
            .chain(self.same.iter().map(|e| (&e.key, &e.reason)))
            .chain(self.numbers.iter().map(|e| (&e.key, &e.reason)))
            .chain(self.variant.iter().map(|e| (&e.key, &e.reason)))
            .chain(marks.map(|e| (&e.key, &e.reason)))
            .chain(self.presence.iter().map(|e| (&e.key, &e.reason)))
            .chain(self.correct.iter().map(|e| (&e.key, &e.reason)))
            .chain(self.borrow.iter().map(|e| (&e.to, &e.reason)))
            .map(|(of, reason)| (of.as_str(), reason.as_str()))
    }
}
