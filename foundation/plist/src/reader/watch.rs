//! A reader that notes which keys nobody asked for.

use std::borrow::Cow;

use super::{Event, Opened, Reader};
use crate::{Error, KeyPath, Segment};

/// Passes everything through and records the path of each value that is skipped.
pub(crate) struct Watched<R> {
    reader: R,
    /// The open containers: the place within each.
    path: Vec<Segment>,
    skipped: Vec<KeyPath>,
}

impl<R> Watched<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            path: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// The paths of what was skipped, in the order of the document.
    pub(crate) fn into_skipped(self) -> Vec<KeyPath> {
        self.skipped
    }
}

impl<'a, R: Reader<'a>> Reader<'a> for Watched<R> {
    fn value(&mut self) -> Result<Event<'a>, Error> {
        let event = self.reader.value()?;
        match event {
            Event::Array => self.path.push(Segment::Index(0)),
            Event::Dictionary => self.path.push(Segment::Key(String::new())),
            _ => {}
        }
        Ok(event)
    }

    fn skim(&mut self) -> Result<Opened, Error> {
        self.reader.skim()
    }

    fn key(&mut self) -> Result<Option<Cow<'a, str>>, Error> {
        let key = self.reader.key()?;
        match (&key, self.path.last_mut()) {
            (Some(key), Some(place)) => *place = Segment::Key(key.clone().into_owned()),
            _ => {
                self.path.pop();
            }
        }
        Ok(key)
    }

    fn more(&mut self) -> Result<bool, Error> {
        let more = self.reader.more()?;
        match (more, self.path.last_mut()) {
            // Empty: the array was opened just now. The count runs one ahead of the place.
            (true, Some(Segment::Index(next))) => *next += 1,
            _ => {
                self.path.pop();
            }
        }
        Ok(more)
    }

    fn finish(&mut self) -> Result<(), Error> {
        self.reader.finish()
    }

    fn position(&self) -> Option<usize> {
        self.reader.position()
    }

    fn skip(&mut self) -> Result<(), Error> {
        let path = self.path.iter().map(|place| match place {
            Segment::Key(key) => Segment::Key(key.clone()),
            Segment::Index(next) => Segment::Index(next.saturating_sub(1)),
        });
        self.skipped.push(path.collect());
        self.reader.skip()
    }
}
