//! Bounded XML and binary property lists for serde: the format of everything that MDM says.
//!
//! Built to read what strangers send. The readers are this crate's own, bounded in bytes, depth and
//! items before anything is decoded, iterative where the input decides how deep it goes, and
//! several times as fast as the `plist` crate; from that one come the value types and the writing of
//! binary documents.
//!
//! One rule for types that read what strangers send: **no plain [`Date`] under `flatten`, nor in
//! `untagged` or internally tagged enums**. There a `<string>` can make it panic; see
//! [below](#dates-where-serde-buffers).
//!
//! | Item | What it is |
//! |---|---|
//! | [`from_slice`], [`from_slice_with`], [`detect`] | reading, XML or binary by content |
//! | [`from_slice_leniently`] | reading all but what is malformed |
//! | [`to_xml`], [`dictionary_to_xml`], [`to_binary`] | writing |
//! | [`from_value`], [`to_value`], [`Value`], [`Dictionary`], [`Date`], [`Data`], [`Integer`], [`Uid`] | trees in memory |
//! | [`Limits`] | how much is read before it is refused |
//! | [`Kept`], [`Rest`], [`Any`] | types that lose nothing: unknown keys, catch-all, any value |
//! | [`merge`] | the changes of a typed view, applied to the dictionary that it was read from |
//! | [`date`], [`data`] | `#[serde(with = "...")]` for chrono's `DateTime<Utc>` and for `Vec<u8>` |
//! | [`Error`], [`ErrorKind`], [`KeyPath`] | what is wrong and where; no message quotes a value |
//!
//! ```
//! use mdm_plist::{Data, Date, Kept};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Debug, Deserialize, Serialize)]
//! #[serde(rename_all = "PascalCase")]
//! struct TokenUpdate {
//!     topic: String,
//!     token: Data,
//!     awaiting_configuration: Option<bool>,
//!     last_seen: Option<Date>,
//! }
//!
//! let xml = br#"<?xml version="1.0" encoding="UTF-8"?>
//! <plist version="1.0"><dict>
//!     <key>Topic</key><string>com.apple.mgmt.External.a1b2</string>
//!     <key>New</key><true/>
//!     <key>Token</key><data>AQID</data>
//!     <key>LastSeen</key><date>2026-11-05T09:00:00Z</date>
//! </dict></plist>"#;
//!
//! let mut update: Kept<TokenUpdate> = mdm_plist::from_slice(xml)?;
//! assert_eq!(update.value.token.as_ref(), [1, 2, 3]);
//! assert_eq!(update.value.awaiting_configuration, None);
//!
//! // What the type does not know is still there when it is written.
//! update.value.awaiting_configuration = Some(true);
//! let binary = mdm_plist::to_binary(&update)?;
//! let all: mdm_plist::Dictionary = mdm_plist::from_slice(&binary)?;
//! assert!(all.keys().eq(["Topic", "New", "Token", "LastSeen", "AwaitingConfiguration"]));
//! # Ok::<(), mdm_plist::Error>(())
//! ```
//!
//! # What is read
//! XML is read as devices and people write it. A missing or misplaced declaration, document type or
//! `<plist>` is no error, nor is anything after `</plist>`; attributes, comments and processing
//! instructions mean nothing; CDATA sections are text; numbers and dates may be padded, integers
//! hexadecimal (`0x`), base64 wrapped and unpadded; characters that XML forbids, U+0000 included,
//! are kept. UTF-8 is read in place, UTF-16 and declared ISO 8859-1 through a copy, from which
//! nothing can be borrowed. White space in text is kept as it is, line ends included. Around a
//! binary document white space is read over, after it no more than two line ends.
//!
//! Where two readers could see two documents, this one is strict: elements must nest and be those of
//! a property list, a dictionary alternates keys and values, and an entity other than the five of
//! XML and numeric references is an error. Entities that a document declares are never expanded.
//! All that holds, like the limits, in values that the type does not ask for too; only the number, date
//! or base64 in such a value is not looked at.
//!
//! **Of equal keys in one dictionary the last one counts**, for typed structs and [`Value`] alike, as
//! with Apple's and Python's readers.
//!
//! Types are not converted, but for an `<integer>` where a real is asked for: an `<integer>` is no
//! boolean, a `<string>` no date. The text of a `<date>` can be read as a string.
//!
//! # What is written
//! There is no null. `None` as a field or in a map leaves the key out; in an array it is an error.
//! `Option`, `flatten`, maps of `Option` and every representation of enums come back as they went
//! in. Units are written as empty strings, and not read back where serde buffers.
//!
//! # Dates where serde buffers
//! `flatten`, `untagged` and internally tagged enums hold values back in a form that knows no
//! dates. This crate hands dates over as newtypes, so [`date`](mod@date), [`Any`] and [`Rest`] find
//! them there; a [`Value`] there gets the text. Self-describing types of other formats, such as
//! `serde_json::Value`, take no newtypes: they read property lists without dates and UIDs only.
//!
//! [`Date`] finds them too, but from such a buffer it also reads a `<string>`, out of our sight, by
//! a parser of the `plist` crate that panics on `9999-12-31T23:59:59-01:00`. Where the document is
//! not trusted, take `DateTime<Utc>` with [`date`](mod@date) or [`Any`] there. Everywhere else a
//! `Date` is safe: it is offered nothing but dates that were checked.

pub use plist::{Data, Date, Dictionary, Integer, Uid, Value};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use reader::{Decoded, Reader, binary::BinaryReader, tape::Tape, xml::XmlReader};

pub mod data;
pub mod date;
mod de;
mod error;
mod kept;
mod lenient;
mod limits;
mod path;
mod reader;
mod ser;

pub use error::{Error, ErrorKind, ValueKind};
pub use kept::{Any, Kept, Rest, merge};
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
    if reader::trim_start(bytes).starts_with(b"bplist") {
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
/// See [`ErrorKind`]. No input makes the reader panic or overflow the stack; for the one type that
/// can panic, see [Dates where serde buffers](crate#dates-where-serde-buffers).
pub fn from_slice<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, Error> {
    from_slice_with(bytes, &Limits::default())
}

/// Decodes a property list within limits of the caller's choice.
///
/// # Errors
/// As [`from_slice`].
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

/// Reads a whole document within limits of the caller's choice, but for the numbers, dates and data
/// in it whose text says nothing valid: those are left out, and their paths returned.
///
/// Of an array with one in it nothing is kept, so that indices stay true. A root that is such an
/// array reads as an empty one.
///
/// # Errors
/// What breaks the document itself, and a root that is malformed: as [`from_slice`].
///
/// ```
/// let xml = b"<dict><key>A</key><integer>many</integer><key>B</key><true/></dict>";
/// let (value, malformed) = mdm_plist::from_slice_leniently(xml, &Default::default())?;
/// assert!(value.as_dictionary().unwrap().keys().eq(["B"]));
/// assert_eq!(malformed[0].to_string(), "A");
/// # Ok::<(), mdm_plist::Error>(())
/// ```
pub fn from_slice_leniently(bytes: &[u8], limits: &Limits) -> Result<(Value, Vec<KeyPath>), Error> {
    if bytes.len() > limits.bytes {
        let limit = limits.bytes;
        return Err(ErrorKind::TooLong { limit }.into());
    }
    match detect(bytes).ok_or(ErrorKind::UnknownFormat)? {
        Format::Binary => lenient::read(&mut BinaryReader::new(bytes, limits)?),
        Format::Xml => match reader::decode(bytes)? {
            Decoded::InPlace { text, broken } => {
                lenient::read(&mut XmlReader::new(text, broken, limits)?)
            }
            Decoded::Copied(text) => lenient::read(&mut XmlReader::new(&text, false, limits)?),
        },
    }
}

/// Of equal keys in a dictionary the last one counts. Maps come to that by themselves; a derived
/// struct stops at the second one, or at a first one that does not fit. Then the document is read
/// again without those that came before.
fn decode_last_wins<'de, T, R>(reader: impl Fn() -> Result<R, Error>) -> Result<T, Error>
where
    T: Deserialize<'de>,
    R: Reader<'de>,
{
    let error = match de::decode(&mut reader()?) {
        Err(error) if error.is_data() || error.is_scalar() => error,
        result => return result,
    };
    match Tape::collect(&mut reader()?) {
        Ok(tape) if tape.repeats() => de::decode(&mut tape.reader()),
        _ => Err(error),
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
///
/// # Panics
/// Where `T` holds a plain [`Date`] outside the years 0 to 9999: the `plist` crate has no text for
/// it, and its `Debug` panics alike. None is ever read; only a program makes one, from a
/// `SystemTime`. [`date::from_chrono`] makes none, and [`Any`], [`Rest`] and the
/// [`date`](mod@date) modules return an error.
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
///
/// # Panics
/// As [`to_value`].
pub fn to_xml<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    ser::xml::of_value(&ser::tree(value, true)?)
}

/// Writes a dictionary as XML: the bytes of [`to_xml`], without a copy of the dictionary in between and several times as
/// fast.
///
/// # Errors
/// A [`Uid`], a date outside the years 0 to 9999, and nesting beyond [`Limits::MAX_DEPTH`].
pub fn dictionary_to_xml(dictionary: &Dictionary) -> Result<Vec<u8>, Error> {
    ser::xml::of_dictionary(dictionary)
}

/// Writes `T` as a binary property list, by the rules of [`to_xml`].
///
/// # Errors
/// Those of [`to_value`].
///
/// # Panics
/// As [`to_value`].
pub fn to_binary<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, Error> {
    let tree = ser::tree(value, true)?;
    let mut out = Vec::new();
    tree.to_writer_binary(&mut out)
        .map_err(<Error as serde::ser::Error>::custom)?;
    Ok(out)
}
