//! How typed documents meet property lists: [`Record`], [`Item`] and [`Field`].
//!
//! Generated types implement these through [`record!`](macro@crate::record), [`item!`](crate::item) and
//! their relatives instead of deriving serde: it compiles several times as fast.
//!
//! There is one way to read, and it never gives up: what does not fit is left out and noted in the
//! [`Log`]. A strict reading is one whose log has to stay empty.

use std::{cell::RefCell, collections::BTreeMap, fmt};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use chrono::{DateTime, Utc};
use mdm_core::Secret;
use mdm_plist::{Dictionary, Value, date};
use zeroize::Zeroize;

use crate::{
    finding::{Finding, Rule, Severity, path},
    model::Schema,
};

/// A dictionary with typed keys.
pub trait Record: Sized {
    /// Reads the keys that the type has, and passes over all others.
    ///
    /// An optional key whose value does not fit reads as absent; a required one that is missing or
    /// does not fit reads as empty, zero or false. Each such key is noted in the place's log.
    fn read(keys: &Dictionary, place: &Place<'_>) -> Self;

    /// Sets the keys that have a value and takes those out that have none; other keys stay.
    fn write(&self, keys: &mut Dictionary);
}

/// A document of Apple's vocabulary.
pub trait Item: Record {
    /// What the schema says about it.
    const SCHEMA: &'static Schema;

    /// Reads a document strictly.
    ///
    /// # Errors
    /// The first required key that is missing or value that is of another type.
    fn from_dictionary(keys: &Dictionary) -> Result<Self, DecodeError> {
        match Self::from_dictionary_leniently(keys) {
            (item, findings) if findings.is_empty() => Ok(item),
            (_, findings) => Err(DecodeError { findings }),
        }
    }

    /// Reads whatever can be read, and says what could not; see [`Record::read`].
    fn from_dictionary_leniently(keys: &Dictionary) -> (Self, Vec<Finding>) {
        let log = Log::default();
        let item = Self::read(keys, &Place::root(&log));
        (item, log.into_findings())
    }

    /// The document as a dictionary.
    fn to_dictionary(&self) -> Dictionary {
        let mut keys = Dictionary::new();
        self.write(&mut keys);
        keys
    }

    /// The dictionary that the document was read from, with what changed since: order, unknown keys
    /// and values that were not touched stay as they are.
    fn write_over(&self, original: Dictionary) -> Dictionary {
        let (before, _) = Self::from_dictionary_leniently(&original);
        mdm_plist::merge(original, &before.to_dictionary(), self.to_dictionary())
    }
}

/// An item of a status report: a value with a name of its own.
pub trait StatusItem: Field {
    /// What the schema says about it.
    const SCHEMA: &'static Schema;
}

/// A document of a type that this version does not know, whole.
///
/// `Debug` shows the names of the keys only.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct OtherItem {
    /// What the document calls its type.
    pub name: String,
    /// Its keys.
    pub keys: Dictionary,
}

impl OtherItem {
    /// A document of this type.
    pub fn new(name: impl Into<String>, keys: Dictionary) -> Self {
        Self {
            name: name.into(),
            keys,
        }
    }
}

impl fmt::Debug for OtherItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherItem")
            .field("name", &self.name)
            .field("keys", &self.keys.keys().collect::<Vec<_>>())
            .finish()
    }
}

/// A status item that this version does not know, whole.
///
/// `Debug` shows its name only.
#[derive(Clone, PartialEq)]
#[non_exhaustive]
pub struct OtherStatusItem {
    /// The item's dotted name.
    pub name: String,
    /// Its value.
    pub value: Value,
}

impl OtherStatusItem {
    /// An item of this name.
    pub fn new(name: impl Into<String>, value: Value) -> Self {
        Self {
            name: name.into(),
            value,
        }
    }
}

impl fmt::Debug for OtherStatusItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OtherStatusItem")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// A value of a key.
pub trait Field: Sized {
    /// Reads the value; `None`, and a note in the place's log, where it is of another type.
    fn read(value: &Value, place: &Place<'_>) -> Option<Self>;

    /// The value to write.
    fn write(&self) -> Value;

    /// What stands for a required value that could not be read: empty, zero or false.
    fn placeholder() -> Self;
}

/// The most mistakes that are noted in one reading; the document is read to its end all the same.
pub const MAX_FINDINGS: usize = 1000;

/// The most bytes of a key that are shown in a path. No key of Apple's is as long.
const MAX_SHOWN_KEY: usize = 128;

/// What a reading found wrong, [`MAX_FINDINGS`] at most.
#[derive(Debug, Default)]
pub struct Log(RefCell<Vec<Finding>>);

impl Log {
    /// What was found, in the order of the reading.
    pub fn into_findings(self) -> Vec<Finding> {
        self.0.into_inner()
    }
}

/// Where in a document a value stands, and where mistakes are noted.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    outer: Option<&'a Place<'a>>,
    step: Step<'a>,
    log: &'a Log,
}

#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl<'a> Place<'a> {
    /// The document itself.
    pub fn root(log: &'a Log) -> Self {
        Self {
            outer: None,
            step: Step::Root,
            log,
        }
    }

    /// The place of a key in the dictionary here.
    pub fn key<'b>(&'b self, key: &'b str) -> Place<'b> {
        self.inner(Step::Key(key))
    }

    /// The place of an element in the array here.
    pub fn index(&self, index: usize) -> Place<'_> {
        self.inner(Step::Index(index))
    }

    fn inner<'b>(&'b self, step: Step<'b>) -> Place<'b> {
        Place {
            outer: Some(self),
            step,
            log: self.log,
        }
    }

    /// The path from the document's root, as findings write it; a very long key is cut.
    pub fn path(&self) -> String {
        let outer = self.outer.map(Place::path).unwrap_or_default();
        match self.step {
            Step::Root => outer,
            Step::Key(key) => path::join(&outer, shown(key)),
            Step::Index(index) => path::index(&outer, index),
        }
    }

    /// Notes what is wrong here.
    pub fn note(
        &self,
        rule: Rule,
        severity: Severity,
        message: impl Into<std::borrow::Cow<'static, str>>,
    ) {
        let mut findings = self.log.0.borrow_mut();
        if findings.len() < MAX_FINDINGS {
            findings.push(Finding::new(self.path(), rule, severity, message));
        }
    }

    /// Whether nothing more is noted.
    pub(crate) fn is_full(&self) -> bool {
        self.log.0.borrow().len() >= MAX_FINDINGS
    }

    /// Notes that the value here is not `expected`, such as `a string`.
    pub fn mismatch<T>(&self, expected: &str) -> Option<T> {
        self.note_mismatch(expected);
        None
    }

    /// Apart from the above, which is compiled for each type.
    #[doc(hidden)]
    pub fn note_mismatch(&self, expected: &str) {
        self.note(Rule::Type, Severity::Error, format!("is not {expected}"));
    }
}

fn shown(key: &str) -> &str {
    let mut end = key.len().min(MAX_SHOWN_KEY);
    while !key.is_char_boundary(end) {
        end -= 1;
    }
    &key[..end]
}

/// A required key, for the macros.
#[doc(hidden)]
pub fn required<F: Field>(keys: &Dictionary, key: &str, place: &Place<'_>) -> F {
    let place = place.key(key);
    match keys.get(key) {
        Some(value) => {
            if let Some(read) = F::read(value, &place) {
                return read;
            }
        }
        None => place.note(Rule::Required, Severity::Error, "is missing"),
    }
    F::placeholder()
}

/// An optional key, for the macros.
#[doc(hidden)]
pub fn optional<F: Field>(keys: &Dictionary, key: &str, place: &Place<'_>) -> Option<F> {
    match keys.get(key) {
        Some(value) => F::read(value, &place.key(key)),
        None => None,
    }
}

/// Writes a required key, for the macros.
#[doc(hidden)]
pub fn write_required<F: Field>(keys: &mut Dictionary, key: &str, value: &F) {
    set(keys, key, value.write());
}

/// Writes a key that always has the same text, for the macros.
#[doc(hidden)]
pub fn write_constant(keys: &mut Dictionary, key: &str, text: &str) {
    set(keys, key, Value::String(text.to_owned()));
}

/// Writes an optional key, for the macros.
#[doc(hidden)]
#[allow(clippy::ref_option)] // So that no `as_ref` is compiled for each type.
pub fn write_optional<F: Field>(keys: &mut Dictionary, key: &str, value: &Option<F>) {
    match value {
        Some(value) => set(keys, key, value.write()),
        None => {
            keys.remove(key);
        }
    }
}

fn set(keys: &mut Dictionary, key: &str, value: Value) {
    keys.insert(key.to_owned(), value);
}

/// The entries of a record that has no other key, for the macros. One that does not fit is left out.
#[doc(hidden)]
pub fn entries<F: Field>(keys: &Dictionary, place: &Place<'_>) -> BTreeMap<String, F> {
    let mut entries = BTreeMap::new();
    for (key, value) in keys {
        if let Some(value) = F::read(value, &place.key(key)) {
            entries.insert(key.clone(), value);
        }
    }
    entries
}

/// Writes the entries of such a record, for the macros.
#[doc(hidden)]
pub fn write_entries<F: Field>(keys: &mut Dictionary, entries: &BTreeMap<String, F>) {
    keys.retain(|key, _| entries.contains_key(key));
    for (key, value) in entries {
        write_required(keys, key, value);
    }
}

/// Why a document could not be read as its type: what is wrong, in the order of the document's
/// type. Never quotes a value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DecodeError {
    /// What is wrong; not empty.
    pub findings: Vec<Finding>,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.findings.as_slice() {
            [] => f.write_str("does not fit its type"),
            [only] => only.fmt(f),
            [first, rest @ ..] => write!(f, "{first}, and {} more", rest.len()),
        }
    }
}

impl std::error::Error for DecodeError {}

impl<T: Record> Field for T {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::Dictionary(keys) => Some(T::read(keys, place)),
            _ => {
                place.note_mismatch("a dictionary");
                None
            }
        }
    }

    fn write(&self) -> Value {
        let mut keys = Dictionary::new();
        Record::write(self, &mut keys);
        Value::Dictionary(keys)
    }

    fn placeholder() -> Self {
        T::read(&Dictionary::new(), &Place::root(&Log::default()))
    }
}

/// What holds its own type holds it boxed.
impl<T: Record> Record for Box<T> {
    fn read(keys: &Dictionary, place: &Place<'_>) -> Self {
        Self::new(T::read(keys, place))
    }

    fn write(&self, keys: &mut Dictionary) {
        T::write(self, keys);
    }
}

// Loops where iterators would be shorter: each adaptor is compiled again for each type of element,
// and that was most of what generated types cost to compile.
impl<T: Field> Field for Vec<T> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            // An array is read whole or not at all, so that its indices stay true.
            Value::Array(values) => {
                let mut read = Self::with_capacity(values.len());
                for (index, value) in values.iter().enumerate() {
                    match T::read(value, &place.index(index)) {
                        Some(value) => read.push(value),
                        None => return None,
                    }
                }
                Some(read)
            }
            _ => {
                place.note_mismatch("an array");
                None
            }
        }
    }

    fn write(&self) -> Value {
        let mut values = Vec::with_capacity(self.len());
        for value in self {
            values.push(value.write());
        }
        Value::Array(values)
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

impl<T: Field> Field for BTreeMap<String, T> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::Dictionary(entries) => {
                let mut read = Self::new();
                for (key, value) in entries {
                    read.insert(key.clone(), T::read(value, &place.key(key))?);
                }
                Some(read)
            }
            _ => {
                place.note_mismatch("a dictionary");
                None
            }
        }
    }

    fn write(&self) -> Value {
        let mut entries = Dictionary::new();
        for (key, value) in self {
            entries.insert(key.clone(), value.write());
        }
        Value::Dictionary(entries)
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

/// Bytes. Base64 text is read as well: JSON has no bytes.
impl Field for Vec<u8> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::Data(bytes) => Some(bytes.clone()),
            Value::String(text) => base64(text).or_else(|| place.mismatch("data")),
            _ => place.mismatch("data"),
        }
    }

    fn write(&self) -> Value {
        Value::Data(self.clone())
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

/// The bytes of base64 text; the padding may be missing.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    const LENIENT: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    LENIENT.decode(text.trim_ascii()).ok()
}

/// A whole number; `1.0` is read as one.
impl Field for i64 {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        integer(value).or_else(|| place.mismatch("an integer"))
    }

    fn write(&self) -> Value {
        Value::Integer((*self).into())
    }

    fn placeholder() -> Self {
        0
    }
}

/// The whole number that a value is, `1.0` included.
pub(crate) fn integer(value: &Value) -> Option<i64> {
    /// Beyond this a real does not tell whole numbers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Integer(number) => number.as_signed(),
        #[allow(clippy::cast_possible_truncation)] // Whole, and well within an i64.
        Value::Real(number) if number.fract() == 0.0 && number.abs() <= EXACT => {
            Some(*number as i64)
        }
        _ => None,
    }
}

/// A number; an integer is read as one.
impl Field for f64 {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        real(value).or_else(|| place.mismatch("a number"))
    }

    fn write(&self) -> Value {
        Value::Real(*self)
    }

    fn placeholder() -> Self {
        0.0
    }
}

/// The number that a value is.
pub(crate) fn real(value: &Value) -> Option<f64> {
    #[allow(clippy::cast_precision_loss)] // What a real can tell of it.
    match value {
        Value::Real(number) => Some(*number),
        Value::Integer(number) => number
            .as_signed()
            .map(|number| number as f64)
            .or_else(|| number.as_unsigned().map(|number| number as f64)),
        _ => None,
    }
}

impl Field for bool {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        value.as_boolean().or_else(|| place.mismatch("a boolean"))
    }

    fn write(&self) -> Value {
        Value::Boolean(*self)
    }

    fn placeholder() -> Self {
        false
    }
}

impl Field for String {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::String(text) => Some(text.clone()),
            _ => place.mismatch("a string"),
        }
    }

    fn write(&self) -> Value {
        Value::String(self.clone())
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

/// A date, in whole seconds; the text of RFC 3339 is read as well: JSON has no dates. One outside
/// the years 0 to 9999, which no document can hold, is written as the nearest within.
impl Field for DateTime<Utc> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::Date(time) => Some(date::to_chrono(*time)),
            Value::String(text) => match DateTime::parse_from_rfc3339(text) {
                Ok(time) => Some(time.into()),
                Err(_) => place.mismatch("a date"),
            },
            _ => place.mismatch("a date"),
        }
    }

    fn write(&self) -> Value {
        Value::Date(date::from_chrono_or_nearest(*self))
    }

    fn placeholder() -> Self {
        Self::UNIX_EPOCH
    }
}

/// Any value.
impl Field for Value {
    fn read(value: &Value, _: &Place<'_>) -> Option<Self> {
        Some(value.clone())
    }

    fn write(&self) -> Value {
        self.clone()
    }

    fn placeholder() -> Self {
        Self::Dictionary(Dictionary::new())
    }
}

/// A dictionary of anything.
impl Field for Dictionary {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        match value {
            Value::Dictionary(entries) => Some(entries.clone()),
            _ => {
                place.note_mismatch("a dictionary");
                None
            }
        }
    }

    fn write(&self) -> Value {
        Value::Dictionary(self.clone())
    }

    fn placeholder() -> Self {
        Self::new()
    }
}

impl<T: Field + Zeroize> Field for Secret<T> {
    fn read(value: &Value, place: &Place<'_>) -> Option<Self> {
        T::read(value, place).map(Self::new)
    }

    fn write(&self) -> Value {
        self.expose().write()
    }

    fn placeholder() -> Self {
        Self::new(T::placeholder())
    }
}
