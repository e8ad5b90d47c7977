//! What can be wrong with a property list, and where.
//!
//! No message quotes a value: property lists carry unlock tokens and passwords. Key names appear.
//! The one exception is [`ErrorKind::Custom`], whose text comes from the type being decoded.

use std::fmt;

use serde::{
    de::{self, Expected, Unexpected},
    ser,
};

use crate::path::{KeyPath, Segment};

/// Why a property list could not be read or written.
#[derive(Clone, PartialEq, Eq)]
pub struct Error(Box<Inner>);

#[derive(Clone, PartialEq, Eq)]
struct Inner {
    kind: ErrorKind,
    position: Option<usize>,
    // Grows while the error travels up.
    path: KeyPath,
}

/// The kinds of [`Error`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The document, or the text and data that a binary one expands to, exceeds
    /// [`Limits::bytes`](crate::Limits::bytes).
    #[error("longer than the limit of {limit} bytes")]
    TooLong {
        /// The limit in force.
        limit: usize,
    },
    /// More containers are open than [`Limits::depth`](crate::Limits::depth) allows.
    #[error("nested deeper than the limit of {limit} levels")]
    TooDeep {
        /// The limit in force.
        limit: usize,
    },
    /// More values than [`Limits::items`](crate::Limits::items) allows.
    #[error("more than the limit of {limit} values")]
    TooManyItems {
        /// The limit in force.
        limit: usize,
    },
    /// Neither XML nor `bplist`.
    #[error("neither an XML nor a binary property list")]
    UnknownFormat,
    /// The text is not in the encoding it claims or, where it claims none, not UTF-8.
    #[error("not valid text in its encoding")]
    Encoding,
    /// The document stops in the middle.
    #[error("unexpected end of the document")]
    UnexpectedEnd,
    /// The XML says something else than a property list would here.
    #[error("expected {expected}")]
    Syntax {
        /// What would have been right.
        expected: &'static str,
    },
    /// An entity other than the five of XML, or an ampersand that starts none.
    ///
    /// Entities declared in the document are never expanded.
    #[error("unknown entity or bare ampersand")]
    UnknownEntity,
    /// A number, date or data whose text does not say one.
    #[error("the text is not a valid {0}")]
    Malformed(ValueKind),
    /// An integer below the range of `i64` or above that of `u64`.
    #[error("the integer is out of range")]
    IntegerRange,
    /// A broken binary property list.
    #[error("broken binary property list: {0}")]
    Binary(&'static str),
    /// A binary container that contains itself.
    #[error("broken binary property list: a container contains itself")]
    Cycle,
    /// The value is of another type than the one asked for.
    ///
    /// Numbers widen (`<integer>` into `f64`), nothing else converts: an `<integer>` is no boolean.
    #[error("expected {expected}, found {found}")]
    TypeMismatch {
        /// What the type wanted.
        expected: String,
        /// What the document holds.
        found: ValueKind,
    },
    /// The value is of the right type, but not one the type accepts.
    #[error("invalid value, expected {expected}")]
    InvalidValue {
        /// What the type wanted.
        expected: String,
    },
    /// An array or dictionary of the wrong length.
    #[error("invalid length, expected {expected}")]
    InvalidLength {
        /// What the type wanted.
        expected: String,
    },
    /// A required key is absent.
    #[error("missing key `{0}`")]
    MissingField(&'static str),
    /// Two keys of the dictionary stand for one field, such as a name and its alias.
    ///
    /// The same key twice is no error: the last one counts.
    #[error("two keys for `{0}`")]
    DuplicateField(&'static str),
    /// A key that the type refuses.
    #[error("unknown key `{0}`")]
    UnknownField(String),
    /// Text that names no variant of the enum.
    #[error("expected one of {}", .0.join(", "))]
    UnknownVariant(&'static [&'static str]),
    /// `None` in an array or as the whole document: a property list has no null.
    #[error("a property list cannot hold a null here")]
    Null,
    /// A map key that is not text.
    #[error("a key of a dictionary has to be text")]
    KeyNotText,
    /// A [`Uid`](crate::Uid), for which XML has no element.
    #[error("a UID cannot be written as XML")]
    UidInXml,
    /// What the type itself had to say.
    #[error("{0}")]
    Custom(String),
}

/// The types a value can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// `<array>`, and the sets of binary property lists.
    Array,
    /// `<dict>`
    Dictionary,
    /// `<true/>` or `<false/>`
    Boolean,
    /// `<data>`
    Data,
    /// `<date>`
    Date,
    /// `<integer>`
    Integer,
    /// `<real>`
    Real,
    /// `<string>`
    String,
    /// UID, binary only.
    Uid,
    /// Something that only a type can bring up, such as a unit.
    Other,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Array => "array",
            Self::Dictionary => "dictionary",
            Self::Boolean => "boolean",
            Self::Data => "data",
            Self::Date => "date",
            Self::Integer => "integer",
            Self::Real => "real",
            Self::String => "string",
            Self::Uid => "UID",
            Self::Other => "something else",
        })
    }
}

impl From<Unexpected<'_>> for ValueKind {
    fn from(found: Unexpected<'_>) -> Self {
        match found {
            Unexpected::Bool(_) => Self::Boolean,
            Unexpected::Unsigned(_) | Unexpected::Signed(_) => Self::Integer,
            Unexpected::Float(_) => Self::Real,
            Unexpected::Char(_) | Unexpected::Str(_) => Self::String,
            Unexpected::Bytes(_) => Self::Data,
            Unexpected::NewtypeStruct => Self::Date,
            Unexpected::Seq => Self::Array,
            Unexpected::Map => Self::Dictionary,
            _ => Self::Other,
        }
    }
}

impl Error {
    #[cold]
    pub(crate) fn new(kind: ErrorKind) -> Self {
        Self(Box::new(Inner {
            kind,
            position: None,
            path: KeyPath::default(),
        }))
    }

    #[cold]
    pub(crate) fn at(mut self, position: usize) -> Self {
        self.0.position.get_or_insert(position);
        self
    }

    #[cold]
    pub(crate) fn under(mut self, segment: Segment) -> Self {
        self.0.path.push_outer(segment);
        self
    }

    /// What is wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Where: the offset in bytes from the start of the document, of the fault itself or of the
    /// value it lies in. `None` where there are no bytes, as in `from_value` and on writing.
    ///
    /// In a document that is not UTF-8 the offset is that in its UTF-8 form.
    pub fn position(&self) -> Option<usize> {
        self.0.position
    }

    /// Which keys and indices lead to the value; empty for the root.
    pub fn path(&self) -> &KeyPath {
        &self.0.path
    }

    /// One of the three [`Limits`](crate::Limits) was exceeded.
    pub fn is_limit(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::TooLong { .. } | ErrorKind::TooDeep { .. } | ErrorKind::TooManyItems { .. }
        )
    }

    /// A scalar does not say what its type promises; the document around it is sound.
    pub(crate) fn is_scalar(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::Malformed(_) | ErrorKind::IntegerRange
        )
    }

    /// The document is sound, but does not fit the type: another type may still decode it.
    pub fn is_data(&self) -> bool {
        matches!(
            self.0.kind,
            ErrorKind::TypeMismatch { .. }
                | ErrorKind::InvalidValue { .. }
                | ErrorKind::InvalidLength { .. }
                | ErrorKind::MissingField(_)
                | ErrorKind::DuplicateField(_)
                | ErrorKind::UnknownField(_)
                | ErrorKind::UnknownVariant(_)
                | ErrorKind::Custom(_)
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        inner.kind.fmt(f)?;
        if !inner.path.is_empty() {
            write!(f, " in `{}`", inner.path)?;
        }
        match inner.position {
            Some(position) => write!(f, " at byte {position}"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("position", &self.0.position)
            .field("path", &format_args!("{}", self.0.path))
            .finish()
    }
}

impl std::error::Error for Error {}

impl From<ErrorKind> for Error {
    fn from(kind: ErrorKind) -> Self {
        Self::new(kind)
    }
}

impl de::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(ErrorKind::Custom(message.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(ErrorKind::TypeMismatch {
            expected: expected.to_string(),
            found: found.into(),
        })
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(ErrorKind::InvalidValue {
            expected: expected.to_string(),
        })
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(ErrorKind::InvalidLength {
            expected: expected.to_string(),
        })
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::new(ErrorKind::UnknownVariant(expected))
    }

    fn unknown_field(field: &str, _: &'static [&'static str]) -> Self {
        Self::new(ErrorKind::UnknownField(field.to_owned()))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(ErrorKind::MissingField(field))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::new(ErrorKind::DuplicateField(field))
    }
}

impl ser::Error for Error {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(ErrorKind::Custom(message.to_string()))
    }
}
