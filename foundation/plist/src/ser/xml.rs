//! Values as XML in one pass, without a tree in between: byte for byte what the `plist` crate writes.

use plist::{Dictionary, Value};

use super::text::writable;
use crate::{Error, ErrorKind, Limits, Segment, ValueKind};

const HEAD: &[u8] = br#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
"#;
const TAIL: &[u8] = b"\n</plist>";

/// How many bytes a line of base64 holds: 68 characters, as Apple's tools write them.
const LINE: usize = 51;

/// A document whose root is a dictionary.
pub(crate) fn of_dictionary(entries: &Dictionary) -> Result<Vec<u8>, Error> {
    whole(|writer| writer.dictionary(entries))
}

/// A document with any root.
pub(crate) fn of_value(value: &Value) -> Result<Vec<u8>, Error> {
    whole(|writer| writer.value(value))
}

fn whole(write: impl FnOnce(&mut Writer) -> Result<(), Error>) -> Result<Vec<u8>, Error> {
    let mut writer = Writer {
        out: Vec::with_capacity(1024),
        depth: 0,
    };
    writer.out.extend_from_slice(HEAD);
    write(&mut writer)?;
    writer.out.extend_from_slice(TAIL);
    Ok(writer.out)
}

struct Writer {
    out: Vec<u8>,
    /// How many arrays and dictionaries are open.
    depth: usize,
}

impl Writer {
    fn value(&mut self, value: &Value) -> Result<(), Error> {
        match value {
            Value::Array(items) => self.array(items)?,
            Value::Dictionary(entries) => self.dictionary(entries)?,
            Value::Boolean(true) => self.out.extend_from_slice(b"<true/>"),
            Value::Boolean(false) => self.out.extend_from_slice(b"<false/>"),
            Value::Data(bytes) => self.data(bytes),
            Value::Date(date) => {
                // In whole seconds, of the years that XML can write.
                let date = crate::date::seconds(*date)
                    .and_then(crate::date::from_seconds)
                    .ok_or(ErrorKind::Malformed(ValueKind::Date))?;
                self.element("date", &date.to_xml_format());
            }
            Value::Real(number) => self.element("real", &number.to_string()),
            Value::Integer(number) => self.element("integer", &number.to_string()),
            Value::String(text) => self.element("string", text),
            _ => return Err(ErrorKind::UidInXml.into()),
        }
        Ok(())
    }

    fn array(&mut self, items: &[Value]) -> Result<(), Error> {
        self.collection("array", items.is_empty(), |writer| {
            items.iter().enumerate().try_for_each(|(index, item)| {
                writer.line();
                let written = writer.value(item);
                written.map_err(|error| error.under(Segment::Index(index)))
            })
        })
    }

    fn dictionary(&mut self, entries: &Dictionary) -> Result<(), Error> {
        self.collection("dict", entries.is_empty(), |writer| {
            entries.iter().try_for_each(|(key, value)| {
                writer.line();
                writer.element("key", key);
                writer.line();
                let written = writer.value(value);
                written.map_err(|error| error.under(Segment::Key(key.clone())))
            })
        })
    }

    fn collection(
        &mut self,
        name: &str,
        empty: bool,
        inside: impl FnOnce(&mut Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        if self.depth >= Limits::MAX_DEPTH {
            let limit = Limits::MAX_DEPTH;
            return Err(ErrorKind::TooDeep { limit }.into());
        }
        if empty {
            self.tag("<", name, "/>");
            return Ok(());
        }
        self.tag("<", name, ">");
        self.depth += 1;
        inside(self)?;
        self.depth -= 1;
        self.line();
        self.tag("</", name, ">");
        Ok(())
    }

    fn data(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(b"<data>");
        for line in bytes.chunks(LINE) {
            self.line();
            self.out.extend(line.chunks(3).flat_map(base64));
        }
        self.line();
        self.out.extend_from_slice(b"</data>");
    }

    fn element(&mut self, name: &str, text: &str) {
        self.tag("<", name, ">");
        self.text(&writable(text));
        self.tag("</", name, ">");
    }

    fn text(&mut self, text: &str) {
        let mut rest = text.as_bytes();
        while let Some((at, escaped)) = rest.iter().enumerate().find_map(escape) {
            self.out
                .extend_from_slice(rest.get(..at).unwrap_or_default());
            self.out.extend_from_slice(escaped);
            rest = rest.get(at + 1..).unwrap_or_default();
        }
        self.out.extend_from_slice(rest);
    }

    fn tag(&mut self, open: &str, name: &str, close: &str) {
        for part in [open, name, close] {
            self.out.extend_from_slice(part.as_bytes());
        }
    }

    fn line(&mut self) {
        self.out.push(b'\n');
        self.out.resize(self.out.len() + self.depth, b'\t');
    }
}

/// Four characters (RFC 4648, section 4) for up to three bytes.
fn base64(bytes: &[u8]) -> [u8; 4] {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let byte = |at: usize| usize::from(bytes.get(at).copied().unwrap_or_default());
    let group = byte(0) << 16 | byte(1) << 8 | byte(2);
    [18, 12, 6, 0].map(|shift| match shift {
        6 if bytes.len() < 2 => b'=',
        0 if bytes.len() < 3 => b'=',
        _ => ALPHABET[group >> shift & 63],
    })
}

fn escape((at, byte): (usize, &u8)) -> Option<(usize, &'static [u8])> {
    let escaped: &[u8] = match byte {
        b'<' => b"&lt;",
        b'>' => b"&gt;",
        b'&' => b"&amp;",
        b'\'' => b"&apos;",
        b'"' => b"&quot;",
        b'\r' => b"&#13;",
        _ => return None,
    };
    Some((at, escaped))
}
