//! What of a profile may be shown to a person: never a secret, and never much.
//!
//! Secrets are what Apple's schema marks or plainly is one, such as passwords and challenges; where no
//! table knows a key, its name decides.

use std::fmt;

use mdm_plist::{Dictionary, Value};
use mdm_schema::{Key, payload};
use serde::Serialize;

use crate::{payload::RawPayload, profile::Profile};

/// What stands in the place of a secret.
const SECRET: &str = "[secret]";

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
            SECRET.to_owned()
        } else {
            text(value)
        })
    }
}

/// The value as it is, cut where it is long: one of a profile from [`redact`], or no secret.
impl From<&Value> for Shown {
    fn from(value: &Value) -> Self {
        match value.as_string() {
            // No text that was read: it would stand in quotes.
            Some(SECRET) => Self(SECRET.to_owned()),
            _ => Self::new(value, false),
        }
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

/// The profile with `[secret]` in the place of every secret: to be shown, logged or sent to somebody,
/// not to be installed.
///
/// ```
/// use mdm_profiles::{Namespace, ProfileBuilder, payload::{Scep, scep::ScepContent}, shown::redact};
///
/// let mut profile = ProfileBuilder::new("com.example.scep", Namespace::new("mdm.example.com"));
/// let content = ScepContent::rsa_2048("https://mdm.example.com/scep")
///     .with(|scep| scep.challenge = Some("hunter2".to_owned().into()));
/// profile.add("scep", &Scep::new(content))?;
/// let xml = redact(&profile.build()?).to_xml()?;
/// let xml = String::from_utf8_lossy(&xml);
/// assert!(xml.contains("<string>[secret]</string>") && !xml.contains("hunter2"));
/// # Ok::<(), mdm_profiles::Error>(())
/// ```
pub fn redact(profile: &Profile) -> Profile {
    let mut shown = profile.clone();
    let top_level = Known::new(payload::TOP_LEVEL.keys);
    for (key, value) in shown.keys_mut().iter_mut() {
        match value {
            Value::Array(payloads) if key == "PayloadContent" => {
                for payload in payloads.iter_mut().filter_map(Value::as_dictionary_mut) {
                    let schema = RawPayload::new(payload).schema();
                    hide_in(
                        Known::new(schema.map_or(&[], |schema| schema.keys)),
                        payload,
                    );
                }
            }
            Value::Dictionary(keys) if key == "PayloadContent" => hide_in(Known::new(&[]), keys),
            value => hide(top_level.key(key), value),
        }
    }
    shown
}

fn hide_in(known: Known, keys: &mut Dictionary) {
    for (key, value) in keys.iter_mut() {
        hide(known.key(key), value);
    }
}

fn hide(known: Known, value: &mut Value) {
    match value {
        Value::Dictionary(keys) => hide_in(known, keys),
        Value::Array(values) => {
            for value in values {
                hide(known.element(value), value);
            }
        }
        Value::Boolean(_) => {}
        value if known.secret => *value = SECRET.into(),
        _ => {}
    }
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
