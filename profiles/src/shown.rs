//! What of a profile may be shown to a person: never a secret, and never much.

use std::fmt;

use mdm_plist::{Dictionary, Value};
use mdm_schema::Key;
use serde::Serialize;

/// The longest text that is shown, in characters.
const MAX_SHOWN: usize = 80;

/// The longest array that is shown element by element.
const MAX_ELEMENTS: usize = 8;

/// A value as a person may see it: cut where it is long, and `[secret]` where it is one.
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Shown(String);

impl Shown {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn new(value: &Value, secret: bool) -> Self {
        Self(if secret {
            "[secret]".to_owned()
        } else {
            text(value)
        })
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn text(value: &Value) -> String {
    let leaf = |value: &Value| value.as_array().is_none() && value.as_dictionary().is_none();
    match value {
        Value::String(text) if text.chars().nth(MAX_SHOWN).is_some() => {
            let start: String = text.chars().take(MAX_SHOWN).collect();
            format!("{start:?}…")
        }
        Value::String(text) => format!("{text:?}"),
        Value::Integer(number) => number.to_string(),
        Value::Real(number) => format!("{number:?}"),
        Value::Boolean(boolean) => boolean.to_string(),
        Value::Date(date) => date.to_xml_format(),
        Value::Data(bytes) => counted(bytes.len(), "byte"),
        Value::Dictionary(keys) => counted(keys.len(), "key"),
        Value::Array(values) if values.len() <= MAX_ELEMENTS && values.iter().all(leaf) => {
            let values: Vec<_> = values.iter().map(text).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Array(values) => counted(values.len(), "element"),
        _ => "?".to_owned(),
    }
}

fn counted(count: usize, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("<{count} {thing}{plural}>")
}

/// What is known of the keys at a place of a payload, and whether what stands there is secret.
#[derive(Clone, Copy)]
pub(crate) struct Known {
    keys: &'static [Key],
    pub(crate) secret: bool,
}

impl Known {
    pub(crate) fn new(keys: &'static [Key]) -> Self {
        Self {
            keys,
            secret: false,
        }
    }

    /// The same of a key. Where no table speaks of it, its name decides whether it is secret.
    pub(crate) fn key(self, name: &str) -> Self {
        let listed = |key: &&Key| !key.wildcard && key.name == name;
        let listed = self.keys.iter().find(listed);
        let key = listed.or_else(|| self.keys.iter().find(|key| key.wildcard));
        let secret = key.is_some_and(|key| key.secret) || listed.is_none() && sounds_secret(name);
        Self {
            keys: key.map_or(&[], |key| key.keys),
            secret: self.secret || secret,
        }
    }

    /// The same of an element of the array here; of several alternatives the one that it names.
    pub(crate) fn element(self, value: &Value) -> Self {
        let item = value.as_dictionary().and_then(|keys| keys.get("Item"));
        let key = match (self.keys, item.and_then(Value::as_string)) {
            ([element], _) => Some(element),
            (keys, Some(item)) => keys.iter().find(|key| key.name == item),
            _ => None,
        };
        Self {
            keys: key.map_or(&[], |key| key.keys),
            secret: self.secret || key.is_some_and(|key| key.secret),
        }
    }
}

/// Whether a key that no table knows is called like a secret.
fn sounds_secret(name: &str) -> bool {
    const WORDS: &[&str] = &[
        "password",
        "passcode",
        "passphrase",
        "secret",
        "token",
        "challenge",
        "credential",
        "privatekey",
        "apikey",
        "licensekey",
        "psk",
    ];
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    WORDS.iter().any(|word| name.contains(word))
}

/// Bytes that are equal for equal values, whatever the order of the keys.
pub(crate) fn canonical(value: &Value, out: &mut Vec<u8>) {
    let mut write = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        out.extend((bytes.len() as u64).to_be_bytes());
        out.extend(bytes);
    };
    match value {
        Value::String(text) => write(b's', text.as_bytes()),
        Value::Integer(number) => write(b'i', number.to_string().as_bytes()),
        Value::Real(number) => write(b'r', &number.to_bits().to_be_bytes()),
        Value::Boolean(boolean) => write(b'b', &[u8::from(*boolean)]),
        Value::Date(date) => write(b'd', date.to_xml_format().as_bytes()),
        Value::Data(bytes) => write(b'x', bytes),
        Value::Array(values) => {
            write(b'a', &(values.len() as u64).to_be_bytes());
            values.iter().for_each(|value| canonical(value, out));
        }
        Value::Dictionary(keys) => canonical_keys(keys, |_| true, out),
        _ => write(b'?', &[]),
    }
}

/// The same of the keys that `wanted` takes.
pub(crate) fn canonical_keys(keys: &Dictionary, wanted: impl Fn(&str) -> bool, out: &mut Vec<u8>) {
    let mut keys: Vec<_> = keys.iter().filter(|(key, _)| wanted(key)).collect();
    keys.sort_unstable_by_key(|(key, _)| *key);
    out.push(b'k');
    out.extend((keys.len() as u64).to_be_bytes());
    for (key, value) in keys {
        out.extend((key.len() as u64).to_be_bytes());
        out.extend(key.as_bytes());
        canonical(value, out);
    }
}
