//! A property list as a flat list of steps: what `from_value` reads, and the second attempt at a
//! document that names a key twice.

use std::{borrow::Cow, collections::HashMap};

use plist::Value;

use super::{Event, Opened, Reader};
use crate::{Error, ErrorKind, Limits, ValueKind};

/// In each dictionary the last of equal keys counts; the earlier ones are passed over.
#[derive(Debug, Default)]
pub(crate) struct Tape<'a> {
    steps: Vec<(Step<'a>, Option<usize>)>,
    repeats: bool,
}

#[derive(Debug)]
enum Step<'a> {
    Value(Event<'a>),
    /// A scalar that says nothing valid, which only matters to who asks for it.
    Broken(Error),
    Key(Cow<'a, str>),
    /// The end of a container.
    End,
    /// A key that comes again: go on with the step of this number.
    Superseded(usize),
}

/// A dictionary that is being written to the tape.
#[derive(Default)]
struct Keys<'a> {
    /// Where each key was seen, and where its value ends once the next key is there.
    seen: HashMap<Cow<'a, str>, (usize, usize)>,
    last: Option<Cow<'a, str>>,
}

impl<'a> Tape<'a> {
    /// Reads a whole document, within the limits of its reader.
    pub(crate) fn collect<R: Reader<'a>>(reader: &mut R) -> Result<Self, Error> {
        let mut tape = Self::default();
        let mut open: Vec<Option<Keys<'a>>> = Vec::new();
        loop {
            let position = reader.position();
            let step = match reader.value() {
                Ok(event) => Step::Value(event),
                Err(error) if error.is_scalar() => Step::Broken(error),
                Err(error) => return Err(error),
            };
            match step {
                Step::Value(Event::Array) => open.push(None),
                Step::Value(Event::Dictionary) => open.push(Some(Keys::default())),
                _ => {}
            }
            tape.steps.push((step, position));
            loop {
                let position = reader.position();
                let more = match open.last_mut() {
                    None => {
                        reader.finish()?;
                        return Ok(tape);
                    }
                    Some(None) => reader.more()?,
                    Some(Some(keys)) => {
                        let key = reader.key()?;
                        let more = key.is_some();
                        if let Some(key) = key {
                            tape.key(keys, key, position);
                        }
                        more
                    }
                };
                if more {
                    break;
                }
                open.pop();
                tape.steps.push((Step::End, position));
            }
        }
    }

    fn key(&mut self, keys: &mut Keys<'a>, key: Cow<'a, str>, position: Option<usize>) {
        let here = self.steps.len();
        if let Some((_, end)) = keys.last.take().and_then(|last| keys.seen.get_mut(&last)) {
            *end = here;
        }
        if let Some((start, end)) = keys.seen.insert(key.clone(), (here, here)) {
            self.steps[start].0 = Step::Superseded(end);
            self.repeats = true;
        }
        keys.last = Some(key.clone());
        self.steps.push((Step::Key(key), position));
    }

    /// Flattens a value without recursion.
    pub(crate) fn of_value(root: &'a Value) -> Result<Self, Error> {
        enum Open<'a> {
            Array(std::slice::Iter<'a, Value>),
            Dictionary(plist::dictionary::Iter<'a>),
        }
        let mut tape = Self::default();
        let mut open: Vec<Open<'a>> = Vec::new();
        let mut next = Some(root);
        loop {
            if let Some(value) = next.take() {
                match value {
                    Value::Array(array) => open.push(Open::Array(array.iter())),
                    Value::Dictionary(dictionary) => {
                        open.push(Open::Dictionary(dictionary.iter()));
                    }
                    _ => {}
                }
                if open.len() > Limits::MAX_DEPTH {
                    let limit = Limits::MAX_DEPTH;
                    return Err(Error::new(ErrorKind::TooDeep { limit }));
                }
                tape.steps.push((Step::Value(event_of(value)?), None));
            }
            match open.last_mut() {
                None => return Ok(tape),
                Some(Open::Array(values)) => next = values.next(),
                Some(Open::Dictionary(entries)) => {
                    if let Some((key, value)) = entries.next() {
                        tape.steps.push((Step::Key(Cow::Borrowed(key)), None));
                        next = Some(value);
                    }
                }
            }
            if next.is_none() {
                open.pop();
                tape.steps.push((Step::End, None));
            }
        }
    }

    pub(crate) fn into_owned(self) -> Tape<'static> {
        let steps = self.steps.into_iter().map(|(step, position)| {
            let step = match step {
                Step::Value(event) => Step::Value(event.into_owned()),
                Step::Broken(error) => Step::Broken(error),
                Step::Key(key) => Step::Key(Cow::Owned(key.into_owned())),
                Step::End => Step::End,
                Step::Superseded(next) => Step::Superseded(next),
            };
            (step, position)
        });
        Tape {
            steps: steps.collect(),
            repeats: self.repeats,
        }
    }

    /// Whether some dictionary names a key twice.
    pub(crate) fn repeats(&self) -> bool {
        self.repeats
    }

    pub(crate) fn reader(&self) -> TapeReader<'a, '_> {
        TapeReader { tape: self, at: 0 }
    }
}

fn event_of(value: &Value) -> Result<Event<'_>, Error> {
    Ok(match value {
        Value::Array(_) => Event::Array,
        Value::Dictionary(_) => Event::Dictionary,
        Value::Boolean(value) => Event::Boolean(*value),
        Value::Data(bytes) => Event::Data(Cow::Borrowed(bytes)),
        Value::Date(date) => {
            if crate::date::seconds(*date).is_none() {
                return Err(Error::new(ErrorKind::Malformed(ValueKind::Date)));
            }
            Event::Date(Cow::Owned(date.to_xml_format()))
        }
        Value::Real(value) => Event::Real(*value),
        Value::Integer(value) => Event::Integer(*value),
        Value::String(text) => Event::String(Cow::Borrowed(text)),
        Value::Uid(uid) => Event::Uid(uid.get()),
        // `Value` is non-exhaustive: whatever the `plist` crate adds is none we can read.
        _ => return Err(Error::new(ErrorKind::UnknownFormat)),
    })
}

/// Plays a [`Tape`]. Limits were checked when it was made.
#[derive(Debug)]
pub(crate) struct TapeReader<'a, 't> {
    tape: &'t Tape<'a>,
    at: usize,
}

impl<'a> TapeReader<'a, '_> {
    fn step(&mut self) -> Option<&Step<'a>> {
        while let Some((Step::Superseded(next), _)) = self.tape.steps.get(self.at) {
            self.at = *next;
        }
        let (step, _) = self.tape.steps.get(self.at)?;
        self.at += 1;
        Some(step)
    }

    /// The serde layer asked for something that does not come next.
    fn out_of_step<T>(&self) -> Result<T, Error> {
        Err(ErrorKind::UnexpectedEnd.into())
    }
}

impl<'a> Reader<'a> for TapeReader<'a, '_> {
    fn value(&mut self) -> Result<Event<'a>, Error> {
        match self.step() {
            Some(Step::Value(event)) => Ok(event.clone()),
            Some(Step::Broken(error)) => Err(error.clone()),
            _ => self.out_of_step(),
        }
    }

    fn skim(&mut self) -> Result<Opened, Error> {
        match self.step() {
            Some(Step::Value(Event::Array)) => Ok(Opened::Array),
            Some(Step::Value(Event::Dictionary)) => Ok(Opened::Dictionary),
            Some(Step::Value(_) | Step::Broken(_)) => Ok(Opened::Scalar),
            _ => self.out_of_step(),
        }
    }

    fn key(&mut self) -> Result<Option<Cow<'a, str>>, Error> {
        match self.step() {
            Some(Step::Key(key)) => Ok(Some(key.clone())),
            Some(Step::End) => Ok(None),
            _ => self.out_of_step(),
        }
    }

    fn more(&mut self) -> Result<bool, Error> {
        let at = self.at;
        match self.step() {
            Some(Step::End) => Ok(false),
            Some(Step::Value(_) | Step::Broken(_)) => {
                self.at = at;
                Ok(true)
            }
            _ => self.out_of_step(),
        }
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn position(&self) -> Option<usize> {
        self.tape.steps.get(self.at)?.1
    }
}
