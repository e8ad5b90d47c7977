//! The whole of a document as a tree, also where some numbers, dates or data in it say nothing valid.

use std::{mem, time::SystemTime};

use plist::{Date, Dictionary, Uid, Value};

use crate::{
    Error, ErrorKind, KeyPath, Segment,
    reader::{Event, Reader},
};

/// A container that is being read.
struct Open {
    path: KeyPath,
    holds: Holds,
}

enum Holds {
    /// The elements, or nothing once one was malformed; and how many there were.
    Array(Option<Vec<Value>>, usize),
    /// The entries, and the key that is being read.
    Dictionary(Dictionary, String),
}

impl Open {
    /// The path of the value that comes next.
    fn here(&self) -> KeyPath {
        self.path.inner(match &self.holds {
            Holds::Array(_, index) => Segment::Index(*index),
            Holds::Dictionary(_, key) => Segment::Key(key.clone()),
        })
    }

    /// Takes the value in, or notes that there is none.
    fn take(&mut self, value: Option<Value>) {
        match &mut self.holds {
            Holds::Array(values, index) => {
                *index += 1;
                match (values.as_mut(), value) {
                    (Some(values), Some(value)) => values.push(value),
                    _ => *values = None,
                }
            }
            // Of equal keys the last one counts.
            Holds::Dictionary(entries, key) => match value {
                Some(value) => {
                    entries.insert(mem::take(key), value);
                }
                None => {
                    entries.remove(key);
                }
            },
        }
    }
}

/// Reads all but the malformed scalars, and says where those were.
pub(crate) fn read<'a, R: Reader<'a>>(reader: &mut R) -> Result<(Value, Vec<KeyPath>), Error> {
    let mut open: Vec<Open> = Vec::new();
    let mut malformed = Vec::new();
    loop {
        let here = |open: &[Open]| open.last().map(Open::here).unwrap_or_default();
        let container = |open: &[Open], holds| Open {
            path: here(open),
            holds,
        };
        // A whole value, or a malformed one; nothing yet where a container begins.
        let mut read = match reader.value().and_then(whole) {
            Ok(Whole::Value(value)) => Some(Some(value)),
            Ok(Whole::Array) => {
                open.push(container(&open, Holds::Array(Some(Vec::new()), 0)));
                None
            }
            Ok(Whole::Dictionary) => {
                let holds = Holds::Dictionary(Dictionary::new(), String::new());
                open.push(container(&open, holds));
                None
            }
            Err(error) if error.is_scalar() && !open.is_empty() => {
                malformed.push(here(&open));
                Some(None)
            }
            Err(error) => return Err(error),
        };
        loop {
            let Some(innermost) = open.last_mut() else {
                reader.finish()?;
                // The root is a scalar, or a container of which nothing is left.
                let root = read.flatten().unwrap_or(Value::Array(Vec::new()));
                return Ok((root, malformed));
            };
            if let Some(value) = read.take() {
                innermost.take(value);
            }
            let more = match &mut innermost.holds {
                Holds::Array(..) => reader.more()?,
                Holds::Dictionary(_, key) => match reader.key()? {
                    Some(next) => {
                        *key = next.into_owned();
                        true
                    }
                    None => false,
                },
            };
            if more {
                break;
            }
            read = open.pop().map(|closed| match closed.holds {
                Holds::Array(values, _) => values.map(Value::Array),
                Holds::Dictionary(entries, _) => Some(Value::Dictionary(entries)),
            });
        }
    }
}

enum Whole {
    Value(Value),
    Array,
    Dictionary,
}

fn whole(event: Event<'_>) -> Result<Whole, Error> {
    Ok(Whole::Value(match event {
        Event::Array => return Ok(Whole::Array),
        Event::Dictionary => return Ok(Whole::Dictionary),
        Event::Boolean(value) => Value::Boolean(value),
        Event::Integer(value) => Value::Integer(value),
        Event::Real(value) => Value::Real(value),
        Event::Date(text) => {
            let time =
                crate::date::parse(&text).ok_or(ErrorKind::Malformed(crate::ValueKind::Date))?;
            Value::Date(Date::from(SystemTime::from(time)))
        }
        Event::Data(bytes) => Value::Data(bytes.into_owned()),
        Event::String(text) => Value::String(text.into_owned()),
        Event::Uid(uid) => Value::Uid(Uid::new(uid)),
    }))
}
