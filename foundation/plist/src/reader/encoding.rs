//! From bytes to text: UTF-8 in place, UTF-16 and ISO 8859-1 by a copy.
//!
//! The bytes decide, not the declaration: many a document says `encoding="UTF-16"` and is UTF-8.

use crate::{Error, ErrorKind};

/// The text of an XML document.
pub(crate) enum Decoded<'a> {
    /// UTF-8. Where `broken`, the bytes after the text are not, which only matters to a reader that
    /// gets there: what follows `</plist>` is nobody's business.
    InPlace { text: &'a str, broken: bool },
    /// Copied from another encoding.
    Copied(String),
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Decoded<'_>, Error> {
    if let Some(text) = utf16(bytes) {
        return Ok(Decoded::Copied(text?));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Decoded::InPlace {
            text,
            broken: false,
        }),
        Err(_) if declares_latin1(bytes) => Ok(Decoded::Copied(
            bytes.iter().map(|byte| char::from(*byte)).collect(),
        )),
        Err(error) => {
            let valid = &bytes[..error.valid_up_to()];
            Ok(Decoded::InPlace {
                text: std::str::from_utf8(valid).unwrap_or_default(),
                broken: true,
            })
        }
    }
}

/// Without the byte order mark and the white space before it.
pub(crate) fn trim_start(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_prefix(UTF8_MARK).unwrap_or(bytes);
    bytes.trim_ascii_start()
}

/// The first thing that is not a byte order mark or white space is a `<`.
pub(crate) fn looks_like_xml(bytes: &[u8]) -> bool {
    byte_order(bytes).is_some() || trim_start(bytes).first() == Some(&b'<')
}

/// `None` where the bytes are not UTF-16 by their byte order mark or their first `<`.
fn utf16(bytes: &[u8]) -> Option<Result<String, Error>> {
    let (unit, mark): (fn([u8; 2]) -> u16, usize) = byte_order(bytes)?;
    let (units, rest) = bytes[mark..].as_chunks::<2>();
    let text = char::decode_utf16(units.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .ok()
        .filter(|_| rest.is_empty());
    Some(text.ok_or_else(|| Error::new(ErrorKind::Encoding).at(mark)))
}

type Unit = fn([u8; 2]) -> u16;

/// How to read a unit of UTF-16, and how long the byte order mark is.
fn byte_order(bytes: &[u8]) -> Option<(Unit, usize)> {
    match bytes {
        [0xFE, 0xFF, ..] => Some((u16::from_be_bytes, 2)),
        [0xFF, 0xFE, ..] => Some((u16::from_le_bytes, 2)),
        [0, b'<', ..] => Some((u16::from_be_bytes, 0)),
        [b'<', 0, ..] => Some((u16::from_le_bytes, 0)),
        _ => None,
    }
}

/// The XML declaration names ISO 8859-1.
fn declares_latin1(bytes: &[u8]) -> bool {
    let head = bytes.trim_ascii_start();
    let Some(end) = head.iter().position(|byte| *byte == b'>') else {
        return false;
    };
    let head = &head[..end.min(256)];
    let Some(at) = memchr::memmem::find(head, b"encoding") else {
        return false;
    };
    let name = head[at..]
        .split(|byte| matches!(byte, b'"' | b'\''))
        .nth(1)
        .unwrap_or_default();
    head.starts_with(b"<?xml")
        && [&b"iso-8859-1"[..], b"iso8859-1", b"latin1"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
}

const UTF8_MARK: &[u8] = b"\xEF\xBB\xBF";
