//! Variables: texts of a profile in which something is filled in for one device or user.
//!
//! They are filled in in the tree, before it is written and signed, so whatever a value holds it stays
//! the text that it is: `</string>` is eight characters and closes nothing.

use std::{borrow::Cow, collections::BTreeMap, fmt};

use mdm_core::Secret;
use mdm_plist::{Dictionary, Value};
use mdm_schema::{Log, Place};

use crate::{error::Error, profile::Profile};

/// The longest name, in bytes.
const MAX_NAME: usize = 64;

/// What a profile's texts may refer to, by name.
///
/// - Only texts are filled in: neither keys nor data, so no certificate and nothing signed. A key that
///   refers to a variable is an error.
/// - A name that is not known is an error, and nothing is filled in then.
/// - What was filled in is not looked into again.
/// - A reference whose first character is doubled stays as it is, less that character: `$$NAME`.
/// - Values hold what XML can hold; U+0000 is an error when they are set.
///
/// ```
/// use mdm_profiles::{Namespace, ProfileBuilder, Variables, payload::scep::ScepContent, payload::Scep};
///
/// let mut variables = Variables::new();
/// variables.set("SERIAL", "C02XK0AAJG5H")?.set("CHALLENGE", "</string>&")?;
///
/// let mut profile = ProfileBuilder::new("com.example.mdm", Namespace::new("mdm.example.com"))
///     .with(|profile| profile.variables = Some(variables));
/// let content = ScepContent::rsa_2048("https://mdm.example.com/scep/$SERIAL")
///     .with(|scep| scep.challenge = Some("$CHALLENGE".to_owned().into()));
/// profile.add("scep", &Scep::new(content))?;
///
/// let profile = profile.build()?;
/// let scep: Scep = profile.payload("com.apple.security.scep").unwrap().decode()?;
/// assert_eq!(scep.payload_content.url, "https://mdm.example.com/scep/C02XK0AAJG5H");
/// assert_eq!(scep.payload_content.challenge.unwrap().expose(), "</string>&");
/// # Ok::<(), mdm_profiles::Error>(())
/// ```
#[derive(Clone)]
pub struct Variables {
    syntax: Syntax,
    values: BTreeMap<String, Secret<String>>,
    limit: usize,
}

impl Default for Variables {
    fn default() -> Self {
        Self::new()
    }
}

impl Variables {
    /// None yet; references are written `$NAME`.
    pub fn new() -> Self {
        Self::with_syntax(Syntax::default())
    }

    /// None yet, with references written in another way.
    pub fn with_syntax(syntax: Syntax) -> Self {
        Self {
            syntax,
            values: BTreeMap::new(),
            limit: 64 << 20,
        }
    }

    /// Sets how many bytes all texts with something filled in may have together. Default: 64 MiB.
    #[must_use]
    pub fn limit(mut self, bytes: usize) -> Self {
        self.limit = bytes;
        self
    }

    /// Sets a variable.
    ///
    /// # Errors
    /// [`VariableError::Name`] for a name that the syntax does not have; [`VariableError::Character`]
    /// for a value with a character that XML does not have.
    pub fn set(
        &mut self,
        name: &str,
        value: impl Into<String>,
    ) -> Result<&mut Self, VariableError> {
        if name.is_empty() || self.syntax.name(name) != name {
            return Err(VariableError::Name);
        }
        let value = Secret::new(value.into());
        if !value.expose().chars().all(is_xml) {
            let name = name.to_owned();
            return Err(VariableError::Character { name });
        }
        self.values.insert(name.to_owned(), value);
        Ok(self)
    }

    /// The profile with everything filled in. Identifiers and UUIDs stay what they are unless they
    /// refer to a variable themselves; for UUIDs of the result see
    /// [`ProfileBuilder::variables`](crate::ProfileBuilder::variables).
    ///
    /// # Errors
    /// [`Error::Variable`] for a name that is not known, a key that refers to a variable, and a result
    /// over the limit.
    pub fn apply(&self, profile: &Profile) -> Result<Profile, Error> {
        let mut filled = profile.clone();
        self.fill(filled.keys_mut())?;
        Ok(filled)
    }

    /// Fills in a dictionary.
    pub(crate) fn fill(&self, keys: &mut Dictionary) -> Result<(), VariableError> {
        let log = Log::default();
        let mut left = self.limit;
        self.dictionary(keys, &Place::root(&log), &mut left)
    }

    fn dictionary(
        &self,
        keys: &mut Dictionary,
        place: &Place<'_>,
        left: &mut usize,
    ) -> Result<(), VariableError> {
        for (key, value) in keys.iter_mut() {
            let place = place.key(key);
            if self.syntax.is_in(key) {
                return Err(VariableError::InKey { path: place.path() });
            }
            self.value(value, &place, left)?;
        }
        Ok(())
    }

    fn value(
        &self,
        value: &mut Value,
        place: &Place<'_>,
        left: &mut usize,
    ) -> Result<(), VariableError> {
        match value {
            Value::Dictionary(keys) => self.dictionary(keys, place, left),
            Value::Array(values) => {
                let mut values = values.iter_mut().enumerate();
                values.try_for_each(|(index, value)| self.value(value, &place.index(index), left))
            }
            Value::String(text) => {
                if let Cow::Owned(filled) = self.text(text, place, left)? {
                    *text = filled;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn text<'a>(
        &self,
        text: &'a str,
        place: &Place<'_>,
        left: &mut usize,
    ) -> Result<Cow<'a, str>, VariableError> {
        let mut filled = String::new();
        let mut rest = text;
        let mut any = false;
        let mut push = |filled: &mut String, more: &str| {
            *left = left
                .checked_sub(more.len())
                .ok_or(VariableError::TooLarge)?;
            filled.push_str(more);
            Ok(())
        };
        while let Some((before, found, after)) = self.syntax.next(rest) {
            push(&mut filled, before)?;
            any = true;
            match found {
                Found::Name(name) => {
                    let value = self
                        .values
                        .get(name)
                        .ok_or_else(|| VariableError::Unknown {
                            path: place.path(),
                            name: name.to_owned(),
                        })?;
                    push(&mut filled, value.expose())?;
                }
                Found::Escaped(reference) => push(&mut filled, reference)?,
                Found::Open => return Err(VariableError::Open { path: place.path() }),
            }
            rest = after;
        }
        if !any {
            return Ok(Cow::Borrowed(text));
        }
        push(&mut filled, rest)?;
        Ok(Cow::Owned(filled))
    }
}

/// Shows the names; the values may be secrets.
impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variables")
            .field("syntax", &self.syntax)
            .field("names", &self.values.keys())
            .finish_non_exhaustive()
    }
}

/// How a reference to a variable is written.
///
/// | Made by | Written | Names |
/// |---|---|---|
/// | `Syntax::default()` | `$NAME` | capitals, digits, `_`, no digit first |
/// | `Syntax::prefix("$FLEET_VAR_")` | `$FLEET_VAR_NAME` | the same |
/// | `Syntax::enclosed("${", "}")` | `${name}` | letters, digits, `_`, `.`, `-` |
///
/// An opening of two characters and more that no reference follows is an error where the syntax has a
/// closing: `{{NAME}`. Otherwise it is text, as in `$5` and `100%`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syntax {
    open: String,
    close: String,
}

impl Default for Syntax {
    /// `$NAME`.
    fn default() -> Self {
        Self {
            open: "$".to_owned(),
            close: String::new(),
        }
    }
}

impl Syntax {
    /// A prefix and a name that ends where no name goes on.
    ///
    /// # Errors
    /// [`VariableError::Syntax`] for an empty prefix.
    pub fn prefix(open: &str) -> Result<Self, VariableError> {
        Self::made(open, "")
    }

    /// A name between two marks.
    ///
    /// # Errors
    /// [`VariableError::Syntax`] for an empty mark, or a closing that could be part of a name.
    pub fn enclosed(open: &str, close: &str) -> Result<Self, VariableError> {
        if close.is_empty() || close.starts_with(is_enclosed_name) {
            return Err(VariableError::Syntax);
        }
        Self::made(open, close)
    }

    fn made(open: &str, close: &str) -> Result<Self, VariableError> {
        if open.is_empty() {
            return Err(VariableError::Syntax);
        }
        Ok(Self {
            open: open.to_owned(),
            close: close.to_owned(),
        })
    }

    /// The name at the beginning of a text; empty where there is none.
    fn name<'a>(&self, text: &'a str) -> &'a str {
        let goes_on = |c: char| match self.close.as_str() {
            "" => c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_',
            _ => is_enclosed_name(c),
        };
        let digit = text.starts_with(|c: char| c.is_ascii_digit());
        if self.close.is_empty() && digit {
            return "";
        }
        let end = text.find(|c| !goes_on(c)).unwrap_or(text.len());
        text.get(..end).unwrap_or_default()
    }

    /// The reference at the beginning of a text: its name and what follows it.
    fn reference<'a>(&self, text: &'a str) -> Option<(&'a str, &'a str)> {
        let text = text.strip_prefix(&self.open)?;
        let name = self.name(text);
        if name.is_empty() || name.len() > MAX_NAME {
            return None;
        }
        let rest = text.get(name.len()..)?.strip_prefix(&self.close)?;
        Some((name, rest))
    }

    /// The next thing in a text that is not just text, with what stands before and after it.
    fn next<'a>(&self, text: &'a str) -> Option<(&'a str, Found<'a>, &'a str)> {
        let first = self.open.chars().next()?.len_utf8();
        let mut from = 0;
        while let Some(at) = text.get(from..)?.find(&self.open) {
            let at = from + at;
            let (before, here) = text.split_at_checked(at)?;
            if let Some((name, after)) = self.reference(here) {
                let escaped = at.checked_sub(first);
                let doubled = |start: &usize| text.get(*start..at) == here.get(..first);
                return Some(match escaped.filter(doubled) {
                    None => (before, Found::Name(name), after),
                    Some(start) => {
                        let reference = here.get(..here.len() - after.len())?;
                        (text.get(..start)?, Found::Escaped(reference), after)
                    }
                });
            }
            let doubled = here.get(first..)?;
            if doubled.starts_with(here.get(..first)?)
                && let Some((_, after)) = self.reference(doubled)
            {
                let reference = doubled.get(..doubled.len() - after.len())?;
                return Some((before, Found::Escaped(reference), after));
            }
            if !self.close.is_empty() && self.open.chars().nth(1).is_some() {
                return Some((before, Found::Open, ""));
            }
            from = at + first;
        }
        None
    }

    /// Whether a text refers to anything.
    fn is_in(&self, text: &str) -> bool {
        let mut rest = text;
        while let Some((_, found, after)) = self.next(rest) {
            if !matches!(found, Found::Escaped(_)) {
                return true;
            }
            rest = after;
        }
        false
    }
}

/// What a text holds beside text.
enum Found<'a> {
    /// A reference to a variable of this name.
    Name(&'a str),
    /// A reference that is meant as text.
    Escaped(&'a str),
    /// The opening of a reference, and no more.
    Open,
}

fn is_enclosed_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || ['_', '.', '-'].contains(&c)
}

/// Whether XML 1.0 has the character (section 2.2). A carriage return is one, and yet read as a line
/// feed, so it is none here.
fn is_xml(c: char) -> bool {
    match c {
        '\t' | '\n' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        c => c >= ' ',
    }
}

/// Why a variable cannot be set or filled in. No value is ever part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VariableError {
    /// A name that the syntax does not have.
    #[error("the name of a variable is none that the syntax has")]
    Name,

    /// Marks that mark nothing.
    #[error("a syntax needs an opening, and a closing that is no part of a name")]
    Syntax,

    /// A value with a character that no XML has, such as U+0000, or a carriage return.
    #[error("the value of {name} has a character that a profile cannot hold")]
    Character {
        /// The variable.
        name: String,
    },

    /// Nothing is known by this name.
    #[error("{path} refers to {name}, which is not known")]
    Unknown {
        /// Where.
        path: String,
        /// The name.
        name: String,
    },

    /// A key that refers to a variable.
    #[error("the key {path} refers to a variable, and no key is ever filled in")]
    InKey {
        /// Where.
        path: String,
    },

    /// An opening without a name and a closing.
    #[error("{path} opens a reference that is none")]
    Open {
        /// Where.
        path: String,
    },

    /// More text than the limit allows.
    #[error("the texts with everything filled in are over the limit")]
    TooLarge,
}
