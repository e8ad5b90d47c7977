//! Bounded XML and binary property lists for serde.

pub use plist::{Data, Date, Dictionary, Integer, Uid, Value};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

pub mod data;
pub mod date;
mod error;
mod kept;
mod limits;
mod path;

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

/// What the bytes look like, judged by their first characters.
pub fn detect(bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(b"bplist") {
        return Some(Format::Binary);
    }
    let rest = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    (rest.trim_ascii_start().first() == Some(&b'<')).then_some(Format::Xml)
}

/// Decodes a property list, XML or binary by its content, within the default [`Limits`].
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Error> {
    from_slice_with(bytes, &Limits::default())
}

/// Decodes a property list within limits of the caller's choice.
pub fn from_slice_with<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
    limits: &Limits,
) -> Result<T, Error> {
    let _ = (bytes, limits);
    Err(serde::de::Error::custom("the reader is being written"))
}

/// Interprets a value as `T`.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, Error> {
    plist::from_value(&value).map_err(serde::de::Error::custom)
}

/// Turns `T` into a value.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, Error> {
    plist::to_value(&value).map_err(serde::de::Error::custom)
}

/// Writes `T` as XML.
pub fn to_xml<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    plist::to_writer_xml(&mut out, &value).map_err(<Error as serde::de::Error>::custom)?;
    Ok(out)
}

/// Writes `T` as a binary property list.
pub fn to_binary<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    plist::to_writer_binary(&mut out, &value).map_err(<Error as serde::de::Error>::custom)?;
    Ok(out)
}
