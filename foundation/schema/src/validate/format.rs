//! The format of texts: the schema's regular expressions, and what a text is said to mean.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, RwLock},
};

use mdm_plist::Value;
use regex_lite::Regex;

use super::*;
use crate::model::TextType;

/// The longest text that is looked at, in bytes; a longer one is in no format of Apple's.
const MAX_TEXT: usize = 64 * 1024;

/// Notes a text that is not in its key's format.
pub(super) fn check(key: &Key, value: &Value, place: &Place<'_>) {
    let Value::String(text) = value else { return };
    if let Some(format) = key.format
        && (text.len() > MAX_TEXT || !matches(format, text))
    {
        place.note(Rule::Format, Severity::Error, "is not in its format");
    }
    if let Some(meaning) = key.text {
        let (fits, message) = match meaning {
            TextType::Url => (is_url(text), "is not a URL"),
            TextType::Hostname => (is_plain(text), "is not a host name"),
            TextType::Email => (
                is_plain(text) && text.contains('@'),
                "is not an e-mail address",
            ),
        };
        if !fits {
            place.note(Rule::Format, Severity::Warning, message);
        }
    }
}

/// Whether a text matches an expression of the schema. One that is none matches everything.
pub(crate) fn matches(format: &'static str, text: &str) -> bool {
    /// The expressions of the tables, compiled once; few, and all of them static.
    static COMPILED: RwLock<BTreeMap<&str, Option<Regex>>> = RwLock::new(BTreeMap::new());

    let expression =
        |regex: &Option<Regex>| regex.as_ref().is_none_or(|regex| regex.is_match(text));
    let compiled = COMPILED.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(regex) = compiled.get(format) {
        return expression(regex);
    }
    drop(compiled);
    let regex = Regex::new(format).ok();
    let matches = expression(&regex);
    let mut compiled = COMPILED.write().unwrap_or_else(PoisonError::into_inner);
    compiled.insert(format, regex);
    matches
}

/// A scheme and something after it.
fn is_url(text: &str) -> bool {
    let scheme = text.split_once(':').filter(|(_, rest)| !rest.is_empty());
    let letter = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    is_plain(text)
        && scheme.is_some_and(|(scheme, _)| !scheme.is_empty() && scheme.chars().all(letter))
}

/// Something without spaces.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control())
}
