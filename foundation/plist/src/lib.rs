//! Bounded XML and binary property lists for serde.

pub use plist::{Data, Date, Dictionary, Integer, Uid, Value};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use reader::{Decoded, Reader, binary::BinaryReader, tape::Tape, xml::XmlReader};

pub mod data;
pub mod date;
mod de;
mod error;
mod kept;
mod limits;
mod path;
mod reader;
mod ser;

pub use error::{Error, ErrorKind, ValueKind};
pub use kept::{Any, Kept, Rest};
pub use limits::Limits;
pub use path::{KeyPath, Segment};

/// How a property list is written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// XML.
    Xml,
    /// `bplist00`.
    Binary,
}

/// What the bytes look like by their first characters, after a byte order mark and white space;
/// `None` where they are neither.
pub fn detect(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(b"bplist") {
        Some(Format::Binary)
    } else if reader::looks_like_xml(bytes) {
        Some(Format::Xml)
    } else {
        None
    }
}

/// Decodes a property list, XML or binary by its content, within the default [`Limits`].
///
/// # Errors
/// See [`ErrorKind`]. No input makes it panic or overflow the stack.
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Error> {
    from_slice_with(bytes, &Limits::default())
}

/// Decodes a property list within limits of the caller's choice.
///
/// # Errors
/// See [`ErrorKind`]. No input makes it panic or overflow the stack.
pub fn from_slice_with<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    limits: &Limits,
) -> Result<T, Error> {
    if bytes.len() > limits.bytes {
        let limit = limits.bytes;
        return Err(ErrorKind::TooLong { limit }.into());
    }
    match detect(bytes).ok_or(ErrorKind::UnknownFormat)? {
        Format::Binary => decode_last_wins(|| BinaryReader::new(bytes, limits)),
        Format::Xml => match reader::decode(bytes)? {
            Decoded::InPlace { text, broken } => {
                decode_last_wins(|| XmlReader::new(text, broken, limits))
            }
            Decoded::Copied(text) => {
                let mut reader = XmlReader::new(&text, false, limits)?;
                let tape = Tape::collect(&mut reader)?.into_owned();
                de::decode(&mut tape.reader())
            }
        },
    }
}

/// Of equal keys in a dictionary the last one counts. Maps do that by themselves; a derived struct
/// stops at the second one, and then the document is read again without those that came before.
fn decode_last_wins<'de, T, R>(reader: impl Fn() -> Result<R, Error>) -> Result<T, Error>
where
    T: Deserialize<'de>,
    R: Reader<'de>,
{
    let result = de::decode(&mut reader()?);
    match result {
        Err(error) if matches!(error.kind(), ErrorKind::DuplicateField(_)) => {
            de::decode(&mut Tape::collect(&mut reader()?)?.reader())
        }
        result => result,
    }
}

/// Interprets a value as `T`.
///
/// # Errors
/// When the value is no `T`, or is nested deeper than [`Limits::MAX_DEPTH`].
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    let result = Tape::of_value(&value).and_then(|tape| de::decode(&mut tape.reader()));
    drop_flat(value);
    result
}

/// Drops a value without recursion: the caller's may be nested to any depth.
fn drop_flat(value: Value) {
    let mut left = vec![value];
    while let Some(value) = left.pop() {
        match value {
            Value::Array(values) => left.extend(values),
            Value::Dictionary(entries) => left.extend(entries.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}

/// Turns `T` into a value, text unchanged.
///
/// # Errors
/// A null where a property list has none, a key that is no text, nesting beyond
/// [`Limits::MAX_DEPTH`], or what `T` itself refuses.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    ser::tree(value, false)
}

/// Writes `T` as XML.
///
/// Characters that XML forbids (control characters other than tab, line feed and carriage return,
/// U+FFFE, U+FFFF) are replaced by U+FFFD. Dates are cut to whole seconds, UTC.
///
/// # Errors
/// Those of [`to_value`], and a [`Uid`], for which XML has no form.
pub fn to_xml<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let tree = ser::tree(value, true)?;
    let mut out = Vec::new();
    // Writing to memory fails for nothing but a UID.
    tree.to_writer_xml(&mut out)
        .map_err(|_| ErrorKind::UidInXml)?;
    Ok(out)
}

/// Writes `T` as a binary property list, by the rules of [`to_xml`].
///
/// # Errors
/// Those of [`to_value`].
pub fn to_binary<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let tree = ser::tree(value, true)?;
    let mut out = Vec::new();
    tree.to_writer_binary(&mut out)
        .map_err(<Error as serde::ser::Error>::custom)?;
    Ok(out)
}
