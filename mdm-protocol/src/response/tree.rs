//! The whole of a report as a tree, also where some numbers, dates or data in it say nothing valid.

use std::fmt;

use mdm_plist::{Any, Dictionary, Error, ErrorKind, Limits, Value, ValueKind};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use super::rest::MAX_MISFITS;

/// Every key of a report that can be read.
pub(super) struct Tree {
    pub(super) keys: Dictionary,
    /// Where malformed scalars were: all of them, or one more than are ever left out of a result.
    pub(super) malformed: Vec<String>,
}

/// Whether a scalar is to blame whose text says nothing valid; the document around it is sound.
pub(super) fn is_malformed(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Malformed(_) | ErrorKind::IntegerRange
    )
}

/// Reads all keys but those of malformed scalars. Of an array with one in it nothing is kept, so that
/// indices stay true.
pub(super) fn read(bytes: &[u8], limits: &Limits) -> Result<Tree, Error> {
    let error = match mdm_plist::from_slice_with(bytes, limits) {
        Ok(keys) => {
            let malformed = Vec::new();
            return Ok(Tree { keys, malformed });
        }
        Err(error) if is_malformed(&error) => error,
        Err(error) => return Err(error),
    };
    let part: Part = mdm_plist::from_slice_with(bytes, limits)?;
    match part.value {
        Some(Value::Dictionary(keys)) => Ok(Tree {
            keys,
            malformed: part.malformed,
        }),
        _ => Err(error),
    }
}

/// A value without what is malformed in it; none where nothing is left.
struct Part {
    value: Option<Value>,
    malformed: Vec<String>,
}

impl Part {
    fn scalar(value: Value) -> Self {
        Self {
            value: Some(value),
            malformed: Vec::new(),
        }
    }

    /// Notes what is malformed in a value that `step` leads to.
    fn note(&mut self, step: impl fmt::Display, inner: Vec<String>) {
        let room = (MAX_MISFITS + 1).saturating_sub(self.malformed.len());
        let paths = inner.into_iter().take(room).map(|path| {
            let dot = if path.is_empty() || path.starts_with('[') {
                ""
            } else {
                "."
            };
            format!("{step}{dot}{path}")
        });
        self.malformed.extend(paths);
    }
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_any(PartVisitor) {
            Err(error) if says_malformed(&error) => Ok(Self {
                value: None,
                malformed: vec![String::new()],
            }),
            result => result,
        }
    }
}

/// [`is_malformed`] where serde hides the type of the error: by the text that the kinds have.
fn says_malformed(error: &impl fmt::Display) -> bool {
    let said = error.to_string();
    [
        ErrorKind::Malformed(ValueKind::Integer),
        ErrorKind::Malformed(ValueKind::Real),
        ErrorKind::Malformed(ValueKind::Date),
        ErrorKind::Malformed(ValueKind::Data),
        ErrorKind::IntegerRange,
    ]
    .iter()
    .any(|kind| said.starts_with(&kind.to_string()))
}

struct PartVisitor;

impl<'de> Visitor<'de> for PartVisitor {
    type Value = Part;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a property list")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Part, E> {
        Ok(Part::scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Part, E> {
        Ok(Part::scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Part, E> {
        Ok(Part::scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Part, E> {
        Ok(Part::scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Part, E> {
        Ok(Part::scalar(value.into()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Part, E> {
        Ok(Part::scalar(Value::Data(value.to_vec())))
    }

    /// Dates and UIDs.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Part, D::Error> {
        let Any(value) = Any::deserialize(Newtype(inner))?;
        Ok(Part::scalar(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Part, A::Error> {
        let mut whole = Part::scalar(Value::Array(Vec::new()));
        let mut index = 0_usize;
        while let Some(part) = array.next_element::<Part>()? {
            whole.note(format_args!("[{index}]"), part.malformed);
            match (
                whole.value.as_mut().and_then(Value::as_array_mut),
                part.value,
            ) {
                (Some(values), Some(value)) => values.push(value),
                _ => whole.value = None,
            }
            index += 1;
        }
        Ok(whole)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Part, A::Error> {
        let mut whole = Part::scalar(Value::Boolean(false));
        let mut keys = Dictionary::new();
        while let Some((key, part)) = entries.next_entry::<String, Part>()? {
            whole.note(&key, part.malformed);
            // Of equal keys the last one counts.
            match part.value {
                Some(value) => keys.insert(key, value),
                None => keys.remove(&key),
            };
        }
        whole.value = Some(Value::Dictionary(keys));
        Ok(whole)
    }
}

/// Hands a newtype over as one.
struct Newtype<D>(D);

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Newtype<D> {
    type Error = D::Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self.0)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}
