//! The pull interface behind the serde layer: one shape for XML, binary and values in memory.
//!
//! No reader recurses. Each counts depth and items whether or not anybody asks for the value.

use std::borrow::Cow;

use plist::Integer;

use crate::{Error, ErrorKind, Limits, ValueKind};

pub(crate) mod binary;
mod encoding;
mod scalar;
pub(crate) mod tape;
pub(crate) mod watch;
pub(crate) mod xml;

pub(crate) use encoding::{Decoded, decode, looks_like_xml, trim_start};

/// The start of a value: a whole scalar, or the opening of a container.
#[derive(Debug, Clone)]
pub(crate) enum Event<'a> {
    Array,
    Dictionary,
    Boolean(bool),
    Integer(Integer),
    Real(f64),
    /// Trimmed RFC 3339 text that is known to be a date.
    Date(Cow<'a, str>),
    Data(Cow<'a, [u8]>),
    String(Cow<'a, str>),
    Uid(u64),
}

impl Event<'_> {
    pub(crate) fn kind(&self) -> ValueKind {
        match self {
            Self::Array => ValueKind::Array,
            Self::Dictionary => ValueKind::Dictionary,
            Self::Boolean(_) => ValueKind::Boolean,
            Self::Integer(_) => ValueKind::Integer,
            Self::Real(_) => ValueKind::Real,
            Self::Date(_) => ValueKind::Date,
            Self::Data(_) => ValueKind::Data,
            Self::String(_) => ValueKind::String,
            Self::Uid(_) => ValueKind::Uid,
        }
    }

    fn into_owned(self) -> Event<'static> {
        match self {
            Self::Array => Event::Array,
            Self::Dictionary => Event::Dictionary,
            Self::Boolean(v) => Event::Boolean(v),
            Self::Integer(v) => Event::Integer(v),
            Self::Real(v) => Event::Real(v),
            Self::Date(v) => Event::Date(Cow::Owned(v.into_owned())),
            Self::Data(v) => Event::Data(Cow::Owned(v.into_owned())),
            Self::String(v) => Event::String(Cow::Owned(v.into_owned())),
            Self::Uid(v) => Event::Uid(v),
        }
    }
}

/// What [`Reader::skim`] passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opened {
    Array,
    Dictionary,
    Scalar,
}

/// Walks a property list. The caller keeps to the order of a document: after `Event::Dictionary`
/// comes `key`, then `value` or `skip` for each `Some`, until `None` closes the dictionary; after
/// `Event::Array` the same with `more`.
pub(crate) trait Reader<'a> {
    /// Reads a scalar or opens a container.
    fn value(&mut self) -> Result<Event<'a>, Error>;

    /// Like `value`, but does not decode the scalar. Well-formedness and limits are checked.
    fn skim(&mut self) -> Result<Opened, Error>;

    /// The next key of the innermost dictionary; `None` closes it.
    fn key(&mut self) -> Result<Option<Cow<'a, str>>, Error>;

    /// Whether the innermost array has another element; `false` closes it.
    fn more(&mut self) -> Result<bool, Error>;

    /// Checks what follows the root value.
    fn finish(&mut self) -> Result<(), Error>;

    /// The offset of the next byte to be read.
    fn position(&self) -> Option<usize>;

    /// Passes over a value and all inside it.
    fn skip(&mut self) -> Result<(), Error> {
        let mut open = Nesting::default();
        loop {
            match self.skim()? {
                Opened::Array => open.push(Container::Array),
                Opened::Dictionary => open.push(Container::Dictionary),
                Opened::Scalar => {}
            }
            loop {
                let more = match open.innermost() {
                    None => return Ok(()),
                    Some(Container::Array) => self.more()?,
                    Some(Container::Dictionary) => self.key()?.is_some(),
                };
                if more {
                    break;
                }
                open.pop();
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Array,
    Dictionary,
}

/// The containers that are open, one bit each: [`Limits::MAX_DEPTH`] is the width of the word.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Nesting {
    dictionaries: u128,
    depth: usize,
}

const _: () = assert!(Limits::MAX_DEPTH <= u128::BITS as usize);

impl Nesting {
    pub(crate) fn push(&mut self, container: Container) {
        self.dictionaries = self.dictionaries << 1 | u128::from(container == Container::Dictionary);
        self.depth += 1;
    }

    pub(crate) fn pop(&mut self) {
        self.dictionaries >>= 1;
        self.depth = self.depth.saturating_sub(1);
    }

    pub(crate) fn innermost(&self) -> Option<Container> {
        match (self.depth, self.dictionaries & 1) {
            (0, _) => None,
            (_, 0) => Some(Container::Array),
            _ => Some(Container::Dictionary),
        }
    }
}

/// Counts values and open containers against the limits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    depth: usize,
    items: usize,
    max_depth: usize,
    max_items: usize,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            depth: 0,
            items: 0,
            max_depth: limits.depth.min(Limits::MAX_DEPTH),
            max_items: limits.items,
        }
    }

    #[inline]
    pub(crate) fn item(&mut self) -> Result<(), ErrorKind> {
        self.items += 1;
        if self.items > self.max_items {
            return Err(ErrorKind::TooManyItems {
                limit: self.max_items,
            });
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn open(&mut self) -> Result<(), ErrorKind> {
        self.depth += 1;
        if self.depth > self.max_depth {
            return Err(ErrorKind::TooDeep {
                limit: self.max_depth,
            });
        }
        Ok(())
    }

    #[inline]
    pub(crate) fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }
}
