//! A reader that notes which keys nobody asked for.

use std::borrow::Cow;

use super::{Event, Opened, Reader};
use crate::{Error, KeyPath, Segment};

/// Passes everything through and records the path of each value that is skipped.
pub(crate) struct Watched<R> {
    reader: R,
    /// The open containers, outermost first.
    open: Vec<Place>,
    skipped: Vec<KeyPath>,
}

/// How far an open container has been read.
struct Place {
    container: KeyPath,
    /// The value in it that comes next or was the last; `None` before the first one.
    at: Option<Segment>,
}

impl<R> Watched<R> {
    pub(crate) fn new(reader: R) -> Self {
        Self {
            reader,
            open: Vec::new(),
            skipped: Vec::new(),
        }
    }

    /// The paths of what was skipped, in the order of the document.
    pub(crate) fn into_skipped(self) -> Vec<KeyPath> {
        self.skipped
    }

    /// The path of the value that comes next.
    fn here(&self) -> KeyPath {
        let Some(place) = self.open.last() else {
            return KeyPath::default();
        };
        match &place.at {
            Some(segment) => place.container.inner(segment.clone()),
            None => place.container.clone(),
        }
    }
}

impl<'a, R: Reader<'a>> Reader<'a> for Watched<R> {
    fn value(&mut self) -> Result<Event<'a>, Error> {
        let event = self.reader.value()?;
        if matches!(event, Event::Array | Event::Dictionary) {
            let container = self.here();
            self.open.push(Place {
                container,
                at: None,
            });
        }
        Ok(event)
    }

    fn skim(&mut self) -> Result<Opened, Error> {
        self.reader.skim()
    }

    fn key(&mut self) -> Result<Option<Cow<'a, str>>, Error> {
        let key = self.reader.key()?;
        match (&key, self.open.last_mut()) {
            (Some(key), Some(place)) => place.at = Some(Segment::Key(key.clone().into_owned())),
            _ => {
                self.open.pop();
            }
        }
        Ok(key)
    }

    fn more(&mut self) -> Result<bool, Error> {
        let more = self.reader.more()?;
        match (more, self.open.last_mut()) {
            (true, Some(place)) => {
                let next = match place.at {
                    Some(Segment::Index(last)) => last + 1,
                    _ => 0,
                };
                place.at = Some(Segment::Index(next));
            }
            _ => {
                self.open.pop();
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
        self.skipped.push(self.here());
        self.reader.skip()
    }
}
