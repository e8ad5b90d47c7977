//! The rare parts of XML: prolog, document type, comments, references, tags with something in them.

use memchr::{memchr, memmem};

use super::{Tag, XmlReader};
use crate::{Error, ErrorKind};

impl XmlReader<'_> {
    /// Byte order mark, declaration, comments and document type in any order, then `<plist>`; each
    /// may be missing.
    pub(super) fn prolog(&mut self) -> Result<(), Error> {
        if self.text.starts_with('\u{FEFF}') {
            self.at = '\u{FEFF}'.len_utf8();
        }
        loop {
            self.skip_space();
            if self.rest().starts_with(b"<!DOCTYPE") {
                self.document_type()?;
            } else if !self.misc()? {
                break;
            }
        }
        if self.rest().starts_with(b"<plist")
            && let (Tag::Plist, empty) = self.open_any()?
        {
            if empty {
                let expected = "a value";
                return Err(self.error(ErrorKind::Syntax { expected }));
            }
            self.wrapped = true;
        }
        Ok(())
    }

    /// `<!DOCTYPE ...>` with its internal subset. What it declares is not looked at.
    fn document_type(&mut self) -> Result<(), Error> {
        let mut subset = false;
        self.at += "<!DOCTYPE".len();
        loop {
            let rest = self.rest();
            if rest.starts_with(b"<?") || subset && rest.starts_with(b"<!--") {
                self.misc_slowly()?;
                continue;
            }
            let Some(byte) = self.rest().first() else {
                return Err(self.end());
            };
            self.at += 1;
            match byte {
                b'"' | b'\'' => {
                    let length = memchr(*byte, self.rest()).ok_or_else(|| self.end())?;
                    self.at += length + 1;
                }
                b'[' => subset = true,
                b']' => subset = false,
                b'>' if !subset => return Ok(()),
                _ => {}
            }
        }
    }

    #[cold]
    pub(super) fn misc_slowly(&mut self) -> Result<bool, Error> {
        let rest = self.rest();
        let (opening, closing) = if rest.starts_with(b"<!--") {
            ("<!--", "-->")
        } else if rest.starts_with(b"<?") {
            ("<?", "?>")
        } else {
            return Err(self.syntax("an element"));
        };
        let inner = &rest[opening.len()..];
        let length = memmem::find(inner, closing.as_bytes()).ok_or_else(|| self.end())?;
        self.at += opening.len() + length + closing.len();
        Ok(true)
    }

    /// Any opening tag, with attributes and white space, which mean nothing here.
    #[cold]
    pub(super) fn open_any(&mut self) -> Result<(Tag, bool), Error> {
        let rest = self.rest();
        if rest.is_empty() {
            return Err(self.end());
        }
        let Some(inner) = rest.strip_prefix(b"<") else {
            return Err(self.syntax("an element"));
        };
        let length = inner
            .iter()
            .position(|byte| matches!(byte, b' ' | b'\n' | b'\t' | b'\r' | b'/' | b'>'))
            .ok_or_else(|| self.end())?;
        let tag = match &inner[..length] {
            b"array" => Tag::Array,
            b"data" => Tag::Data,
            b"date" => Tag::Date,
            b"dict" => Tag::Dict,
            b"false" => Tag::False,
            b"integer" => Tag::Integer,
            b"key" => Tag::Key,
            b"plist" => Tag::Plist,
            b"real" => Tag::Real,
            b"string" => Tag::String,
            b"true" => Tag::True,
            _ => return Err(self.syntax("an element of a property list")),
        };
        let attributes = &inner[length..];
        let close = tag_end(attributes).ok_or_else(|| self.end())?;
        self.at += 1 + length + close + 1;
        Ok((tag, attributes[..close].ends_with(b"/")))
    }

    #[cold]
    pub(super) fn end_tag_slowly(&mut self, closing: &'static str) -> Result<(), Error> {
        let rest = self.rest();
        let name = closing.trim_end_matches('>').as_bytes();
        let Some(after) = rest.strip_prefix(name) else {
            return Err(if name.starts_with(rest) {
                self.end()
            } else {
                self.syntax(closing)
            });
        };
        let after = after.trim_ascii_start();
        match after.first() {
            Some(b'>') => {
                self.at = self.text.len() - after.len() + 1;
                Ok(())
            }
            Some(_) => Err(self.syntax(closing)),
            None => Err(self.end()),
        }
    }

    /// A character or entity reference; the reader stands on the `&`.
    #[cold]
    pub(super) fn reference(&mut self) -> Result<char, Error> {
        let rest = &self.text[self.at + 1..];
        let window = &rest.as_bytes()[..rest.len().min(MAX_REFERENCE)];
        let name = memchr(b';', window)
            .map(|length| &rest[..length])
            .ok_or_else(|| {
                if rest.len() < MAX_REFERENCE && !rest.contains(['<', '&', ' ']) {
                    self.end()
                } else {
                    self.error(ErrorKind::UnknownEntity)
                }
            })?;
        let character = match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "quot" => '"',
            "apos" => '\'',
            _ => {
                // Forbidden characters such as `&#0;` are let through: devices send them.
                character_reference(name).ok_or_else(|| self.error(ErrorKind::UnknownEntity))?
            }
        };
        self.at += 1 + name.len() + 1;
        Ok(character)
    }
}

/// `#65` or `#x41`.
fn character_reference(name: &str) -> Option<char> {
    let digits = name.strip_prefix('#')?;
    let code = match digits.strip_prefix('x') {
        Some(hex) if hex.bytes().all(|b| b.is_ascii_hexdigit()) => {
            u32::from_str_radix(hex, 16).ok()?
        }
        None if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().ok()?,
        _ => return None,
    };
    char::from_u32(code)
}

/// Where the `>` of a tag is: the first one outside quotes.
fn tag_end(attributes: &[u8]) -> Option<usize> {
    let mut quote = None;
    attributes.iter().position(|&byte| {
        match (quote, byte) {
            (None, b'>') => return true,
            (None, b'"' | b'\'') => quote = Some(byte),
            (Some(open), _) if open == byte => quote = None,
            _ => {}
        }
        false
    })
}

/// The longest reference, without the ampersand: room for leading zeros.
const MAX_REFERENCE: usize = 32;
