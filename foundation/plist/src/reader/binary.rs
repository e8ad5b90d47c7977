//! Binary property lists (`bplist00`), read in place.
//!
//! Objects refer to each other by number, so a document of a few bytes can describe a tree of any
//! size, or none at all. The tree as reached is counted, not the file: every visit of a shared
//! object is an item, and its text or data counts again against [`Limits::bytes`].

use std::borrow::Cow;

use plist::Integer;

use super::{Event, Meter, Opened, Reader};
use crate::{Error, ErrorKind, Limits, ValueKind};

pub(crate) struct BinaryReader<'a> {
    bytes: &'a [u8],
    /// Where `bplist00` is, from which all offsets count.
    start: usize,
    /// The offset table, `offset_size` bytes an entry; objects lie before it.
    table: usize,
    offset_size: usize,
    ref_size: usize,
    objects: usize,
    /// The object that the next value is.
    next: usize,
    open: Vec<Frame>,
    meter: Meter,
    expanded: usize,
    max_expanded: usize,
    at: usize,
}

/// An open container.
struct Frame {
    object: usize,
    /// Where the references of keys and values start; the same in an array.
    keys: usize,
    values: usize,
    done: usize,
    len: usize,
}

/// An object's marker byte, taken apart.
struct Object {
    kind: u8,
    info: u8,
    /// Where its content starts.
    at: usize,
}

impl<'a> Reader<'a> for BinaryReader<'a> {
    fn value(&mut self) -> Result<Event<'a>, Error> {
        let object = self.object(self.next)?;
        self.meter.item().map_err(|kind| self.error(kind))?;
        match (object.kind, object.info) {
            (0x0, 0x8) => Ok(Event::Boolean(false)),
            (0x0, 0x9) => Ok(Event::Boolean(true)),
            (0x1, power @ 0..=4) => self.integer(object.at, 1 << power).map(Event::Integer),
            (0x2, 2) => {
                let bits = self.unsigned(object.at, 4)? as u32;
                Ok(Event::Real(f32::from_bits(bits).into()))
            }
            (0x2, 3) => Ok(Event::Real(f64::from_bits(self.unsigned(object.at, 8)?))),
            (0x3, 3) => {
                let since_2001 = f64::from_bits(self.unsigned(object.at, 8)?);
                crate::date::text_from_2001(since_2001)
                    .map(|text| Event::Date(Cow::Owned(text)))
                    .ok_or_else(|| self.error(ErrorKind::Malformed(ValueKind::Date)))
            }
            (0x4, _) => Ok(Event::Data(Cow::Borrowed(self.content(&object)?))),
            (0x5..=0x7, _) => self.string(&object).map(Event::String),
            (0x8, info) => {
                let (size, at) = (usize::from(info) + 1, object.at);
                let excess = size.saturating_sub(8);
                if self.slice(at, excess)?.iter().any(|byte| *byte != 0) {
                    return Err(self.error(ErrorKind::IntegerRange));
                }
                self.unsigned(at + excess, size - excess).map(Event::Uid)
            }
            (0xA..=0xC, _) => {
                self.open(&object, 1)?;
                Ok(Event::Array)
            }
            (0xD, _) => {
                self.open(&object, 2)?;
                Ok(Event::Dictionary)
            }
            _ => Err(self.unknown(&object)),
        }
    }

    fn skim(&mut self) -> Result<Opened, Error> {
        let object = self.object(self.next)?;
        self.meter.item().map_err(|kind| self.error(kind))?;
        match (object.kind, object.info) {
            (0xA..=0xC, _) => {
                self.open(&object, 1)?;
                return Ok(Opened::Array);
            }
            (0xD, _) => {
                self.open(&object, 2)?;
                return Ok(Opened::Dictionary);
            }
            (0x4..=0x7, _) => {
                self.content(&object)?;
            }
            (0x0, 0x8 | 0x9) => {}
            (0x1, power @ 0..=4) | (0x2, power @ 2..=3) | (0x3, power @ 3) => {
                self.slice(object.at, 1 << power)?;
            }
            (0x8, info) => {
                self.slice(object.at, usize::from(info) + 1)?;
            }
            _ => return Err(self.unknown(&object)),
        }
        Ok(Opened::Scalar)
    }

    fn key(&mut self) -> Result<Option<Cow<'a, str>>, Error> {
        let Some(frame) = self.open.last_mut() else {
            return Ok(None);
        };
        if frame.done == frame.len {
            self.leave();
            return Ok(None);
        }
        let step = frame.done * self.ref_size;
        frame.done += 1;
        let (key, value) = (frame.keys + step, frame.values + step);
        self.next = self.reference(value)?;
        let key = self.object(self.reference(key)?)?;
        match key.kind {
            0x5..=0x7 => self.string(&key).map(Some),
            _ => Err(self.broken("a key that is no string")),
        }
    }

    fn more(&mut self) -> Result<bool, Error> {
        let Some(frame) = self.open.last_mut() else {
            return Ok(false);
        };
        if frame.done == frame.len {
            self.leave();
            return Ok(false);
        }
        let at = frame.values + frame.done * self.ref_size;
        frame.done += 1;
        self.next = self.reference(at)?;
        Ok(true)
    }

    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }

    fn position(&self) -> Option<usize> {
        Some(self.at)
    }
}

impl<'a> BinaryReader<'a> {
    /// Reads the trailer, found from the end, where a line end may have been added.
    ///
    /// White space there is never taken for the trailer's own: that would put one of the sizes on
    /// the first byte of the count of objects, which is 0.
    pub(crate) fn new(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let mut result = Self::ending(bytes, limits);
        let mut rest = bytes;
        for _ in 0..TRAILING_SPACE {
            match rest.split_last() {
                Some((last, before)) if last.is_ascii_whitespace() && result.is_err() => {
                    rest = before;
                    result = result.or_else(|error| Self::ending(rest, limits).map_err(|_| error));
                }
                _ => break,
            }
        }
        result
    }

    /// Reads the trailer: the last 32 bytes, with the sizes, the count of objects, the number of
    /// the root object and the place of the offset table.
    fn ending(bytes: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let broken = |what, at| Err(Error::new(ErrorKind::Binary(what)).at(at));
        let document = super::trim_start(bytes);
        let start = bytes.len() - document.len();
        if !document.starts_with(b"bplist0") {
            return broken("an unknown version", start);
        }
        let Some((body, trailer)) = bytes.split_last_chunk::<32>() else {
            return Err(Error::new(ErrorKind::UnexpectedEnd).at(bytes.len()));
        };
        let number = |at: usize| {
            let field = trailer[at..].first_chunk().copied().unwrap_or_default();
            usize::try_from(u64::from_be_bytes(field)).unwrap_or(usize::MAX)
        };
        let (offset_size, ref_size) = (usize::from(trailer[6]), usize::from(trailer[7]));
        let (objects, root) = (number(8), number(16));
        let table = number(24).saturating_add(start);
        if !(1..=8).contains(&offset_size) || !(1..=8).contains(&ref_size) {
            return broken("a trailer with sizes other than 1 to 8", body.len() + 6);
        }
        let fits = objects
            .checked_mul(offset_size)
            .and_then(|length| length.checked_add(table))
            .is_some_and(|end| table >= start + MAGIC && end <= body.len());
        if !fits {
            return broken("an offset table outside the document", body.len() + 8);
        }
        if root >= objects {
            return broken("a root object that is not in the table", body.len() + 16);
        }
        Ok(Self {
            bytes,
            start,
            table,
            offset_size,
            ref_size,
            objects,
            next: root,
            open: Vec::new(),
            meter: Meter::new(limits),
            expanded: 0,
            max_expanded: limits.bytes,
            at: start,
        })
    }

    /// Looks an object up in the offset table.
    fn object(&mut self, number: usize) -> Result<Object, Error> {
        if number >= self.objects {
            return Err(self.broken("a reference to an object that is not in the table"));
        }
        let entry = self.table + number * self.offset_size;
        let offset = be(&self.bytes[entry..entry + self.offset_size]);
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        let at = at.saturating_add(self.start);
        if !(self.start + MAGIC..self.table).contains(&at) {
            self.at = entry;
            return Err(self.broken("an object outside the document"));
        }
        self.at = at;
        let marker = self.bytes[at];
        Ok(Object {
            kind: marker >> 4,
            info: marker & 0xF,
            at: at + 1,
        })
    }

    /// Opens a container with `columns` references an entry.
    fn open(&mut self, object: &Object, columns: usize) -> Result<(), Error> {
        let (at, len) = self.length(object, columns * self.ref_size)?;
        self.meter.open().map_err(|kind| self.error(kind))?;
        if self.open.iter().any(|frame| frame.object == self.next) {
            return Err(self.error(ErrorKind::Cycle));
        }
        self.open.push(Frame {
            object: self.next,
            keys: at,
            values: at + (columns - 1) * len * self.ref_size,
            done: 0,
            len,
        });
        Ok(())
    }

    fn leave(&mut self) {
        self.open.pop();
        self.meter.close();
    }

    /// The count of an object's elements, of `width` bytes each, and where they start. All of them
    /// are known to lie before the offset table.
    fn length(&mut self, object: &Object, width: usize) -> Result<(usize, usize), Error> {
        let (at, len) = match object.info {
            0xF => {
                let marker = *self.slice(object.at, 1)?.first().unwrap_or(&0);
                if marker & 0xF0 != 0x10 || marker & 0xF > 3 {
                    return Err(self.broken("a length that is no integer"));
                }
                let size = 1 << (marker & 0xF);
                let len = self.unsigned(object.at + 1, size)?;
                (
                    object.at + 1 + size,
                    usize::try_from(len).unwrap_or(usize::MAX),
                )
            }
            len => (object.at, usize::from(len)),
        };
        let end = len
            .checked_mul(width)
            .and_then(|length| length.checked_add(at));
        if end.is_none_or(|end| end > self.table) {
            return Err(self.broken("an object longer than the document"));
        }
        Ok((at, len))
    }

    /// The bytes of text or data, counted as read out.
    fn content(&mut self, object: &Object) -> Result<&'a [u8], Error> {
        let width = if object.kind == UTF16 { 2 } else { 1 };
        let (at, len) = self.length(object, width)?;
        let bytes = self.slice(at, len * width)?;
        self.expanded = self.expanded.saturating_add(bytes.len());
        if self.expanded > self.max_expanded {
            let limit = self.max_expanded;
            return Err(self.error(ErrorKind::TooLong { limit }));
        }
        Ok(bytes)
    }

    fn string(&mut self, object: &Object) -> Result<Cow<'a, str>, Error> {
        let bytes = self.content(object)?;
        let text = if object.kind == UTF16 {
            let units = bytes.as_chunks::<2>().0;
            char::decode_utf16(units.iter().map(|unit| u16::from_be_bytes(*unit)))
                .collect::<Result<String, _>>()
                .map(Cow::Owned)
                .ok()
        } else {
            std::str::from_utf8(bytes).map(Cow::Borrowed).ok()
        };
        text.ok_or_else(|| self.error(ErrorKind::Encoding))
    }

    /// 1, 2 and 4 bytes are unsigned, 8 and 16 signed.
    fn integer(&self, at: usize, size: usize) -> Result<Integer, Error> {
        match size {
            1 | 2 | 4 => self.unsigned(at, size).map(Integer::from),
            8 => self
                .unsigned(at, 8)
                .map(|value| Integer::from(value.cast_signed())),
            _ => {
                let bytes = self.slice(at, 16)?.first_chunk().copied();
                let value = i128::from_be_bytes(bytes.unwrap_or_default());
                match (u64::try_from(value), i64::try_from(value)) {
                    (Ok(value), _) => Ok(value.into()),
                    (_, Ok(value)) => Ok(value.into()),
                    _ => Err(self.error(ErrorKind::IntegerRange)),
                }
            }
        }
    }

    fn reference(&self, at: usize) -> Result<usize, Error> {
        let number = self.unsigned(at, self.ref_size)?;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    }

    /// A big-endian integer of at most 8 bytes.
    fn unsigned(&self, at: usize, size: usize) -> Result<u64, Error> {
        self.slice(at, size).map(be)
    }

    fn slice(&self, at: usize, len: usize) -> Result<&'a [u8], Error> {
        at.checked_add(len)
            .filter(|end| *end <= self.table)
            .and_then(|end| self.bytes.get(at..end))
            .ok_or_else(|| self.broken("an object longer than the document"))
    }

    #[cold]
    fn unknown(&self, object: &Object) -> Error {
        self.broken(match (object.kind, object.info) {
            (0x0, 0x0) => "a null, which is no value",
            _ => "an object of unknown type",
        })
    }

    #[cold]
    fn broken(&self, what: &'static str) -> Error {
        self.error(ErrorKind::Binary(what))
    }

    #[cold]
    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind).at(self.at)
    }
}

fn be(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0, |value, byte| value << 8 | u64::from(*byte))
}

/// How much white space is read over after the trailer.
const TRAILING_SPACE: usize = 4;
/// The length of `bplist00`.
const MAGIC: usize = 8;
/// The kind of text in 16-bit units.
const UTF16: u8 = 0x6;
