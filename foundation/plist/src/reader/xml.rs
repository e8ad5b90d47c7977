//! XML property lists: a pull reader that borrows from the document and copies only text that holds
//! an entity, a comment or a CDATA section.
//!
//! Strict where two readers could disagree about the content (element structure, entities), lenient
//! where they cannot (prolog, white space, attributes, characters that XML forbids).

use std::borrow::Cow;

use memchr::{memchr2, memmem};

use super::{Event, Meter, Opened, Reader, scalar};
use crate::{Error, ErrorKind, Limits};

mod markup;

pub(crate) struct XmlReader<'a> {
    text: &'a str,
    at: usize,
    /// The text was cut off where it stops being UTF-8.
    broken: bool,
    /// The root value lies in a `<plist>` element.
    wrapped: bool,
    /// The container just opened was an empty-element tag and closes at once.
    closing: bool,
    meter: Meter,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    Array,
    Data,
    Date,
    Dict,
    False,
    Integer,
    Key,
    Plist,
    Real,
    String,
    True,
}

impl<'a> Reader<'a> for XmlReader<'a> {
    #[inline]
    fn value(&mut self) -> Result<Event<'a>, Error> {
        let (tag, empty) = self.open_value()?;
        let start = self.at;
        let event = match tag {
            Tag::String => Ok(Event::String(self.text_of(empty, "</string>")?)),
            Tag::Integer => {
                scalar::integer(&self.text_of(empty, "</integer>")?).map(Event::Integer)
            }
            Tag::True => {
                self.nothing_in(empty, "</true>")?;
                Ok(Event::Boolean(true))
            }
            Tag::False => {
                self.nothing_in(empty, "</false>")?;
                Ok(Event::Boolean(false))
            }
            Tag::Dict => {
                self.enter(empty)?;
                Ok(Event::Dictionary)
            }
            Tag::Array => {
                self.enter(empty)?;
                Ok(Event::Array)
            }
            Tag::Data => scalar::data(&self.text_of(empty, "</data>")?)
                .map(|bytes| Event::Data(Cow::Owned(bytes))),
            Tag::Date => scalar::date(self.text_of(empty, "</date>")?).map(Event::Date),
            Tag::Real => scalar::real(&self.text_of(empty, "</real>")?).map(Event::Real),
            Tag::Key | Tag::Plist => Err(ErrorKind::Syntax {
                expected: "a value",
            }),
        };
        event.map_err(|kind| Error::new(kind).at(start))
    }

    #[inline]
    fn skim(&mut self) -> Result<Opened, Error> {
        let (tag, empty) = self.open_value()?;
        let closing = match tag {
            Tag::Dict => {
                self.enter(empty)?;
                return Ok(Opened::Dictionary);
            }
            Tag::Array => {
                self.enter(empty)?;
                return Ok(Opened::Array);
            }
            Tag::String => "</string>",
            Tag::Integer => "</integer>",
            Tag::Real => "</real>",
            Tag::Data => "</data>",
            Tag::Date => "</date>",
            Tag::True => "</true>",
            Tag::False => "</false>",
            Tag::Key | Tag::Plist => return Err(self.syntax("a value")),
        };
        if !empty {
            self.pass_text(closing, None)?;
        }
        Ok(Opened::Scalar)
    }

    #[inline]
    fn key(&mut self) -> Result<Option<Cow<'a, str>>, Error> {
        if self.closing {
            self.leave();
            return Ok(None);
        }
        loop {
            self.skip_space();
            let rest = self.rest();
            if rest.starts_with(b"<key>") {
                self.at += 5;
                return self.text_of(false, "</key>").map(Some);
            }
            if rest.starts_with(b"</") {
                self.end_tag("</dict>")?;
                self.leave();
                return Ok(None);
            }
            if self.misc()? {
                continue;
            }
            return match self.open_any()? {
                (Tag::Key, empty) => self.text_of(empty, "</key>").map(Some),
                _ => Err(self.syntax("a key or the end of the dictionary")),
            };
        }
    }

    #[inline]
    fn more(&mut self) -> Result<bool, Error> {
        if self.closing {
            self.leave();
            return Ok(false);
        }
        loop {
            self.skip_space();
            if self.rest().starts_with(b"</") {
                self.end_tag("</array>")?;
                self.leave();
                return Ok(false);
            }
            if !self.misc()? {
                return Ok(true);
            }
        }
    }

    /// `</plist>` ends the document, whatever follows. A root value without `<plist>` may only be
    /// followed by white space, comments and processing instructions.
    fn finish(&mut self) -> Result<(), Error> {
        loop {
            self.skip_space();
            if !self.misc()? {
                break;
            }
        }
        if self.wrapped {
            self.end_tag("</plist>")
        } else if self.rest().is_empty() && !self.broken {
            Ok(())
        } else {
            Err(self.syntax("the end of the document"))
        }
    }

    #[inline]
    fn position(&self) -> Option<usize> {
        Some(self.at)
    }
}

impl<'a> XmlReader<'a> {
    /// Reads up to the root value.
    pub(crate) fn new(text: &'a str, broken: bool, limits: &Limits) -> Result<Self, Error> {
        let mut reader = Self {
            text,
            at: 0,
            broken,
            wrapped: false,
            closing: false,
            meter: Meter::new(limits),
        };
        reader.prolog()?;
        Ok(reader)
    }

    #[inline]
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    #[inline]
    fn skip_space(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The opening tag of a value, and whether it is an empty-element tag.
    #[inline]
    fn open_value(&mut self) -> Result<(Tag, bool), Error> {
        self.skip_space();
        self.meter.item().map_err(|kind| self.error(kind))?;
        let rest = self.rest();
        let (tag, empty, length) = match rest.get(1) {
            Some(b's') if rest.starts_with(b"<string>") => (Tag::String, false, 8),
            Some(b'i') if rest.starts_with(b"<integer>") => (Tag::Integer, false, 9),
            Some(b't') if rest.starts_with(b"<true/>") => (Tag::True, true, 7),
            Some(b'f') if rest.starts_with(b"<false/>") => (Tag::False, true, 8),
            Some(b'd') if rest.starts_with(b"<dict>") => (Tag::Dict, false, 6),
            Some(b'd') if rest.starts_with(b"<data>") => (Tag::Data, false, 6),
            Some(b'd') if rest.starts_with(b"<date>") => (Tag::Date, false, 6),
            Some(b'a') if rest.starts_with(b"<array>") => (Tag::Array, false, 7),
            Some(b'r') if rest.starts_with(b"<real>") => (Tag::Real, false, 6),
            _ => return self.open_value_slowly(),
        };
        self.at += length;
        Ok((tag, empty))
    }

    #[cold]
    fn open_value_slowly(&mut self) -> Result<(Tag, bool), Error> {
        loop {
            self.skip_space();
            if !self.misc()? {
                return self.open_any();
            }
        }
    }

    #[inline]
    fn enter(&mut self, empty: bool) -> Result<(), Error> {
        self.meter.open().map_err(|kind| self.error(kind))?;
        self.closing = empty;
        Ok(())
    }

    #[inline]
    fn leave(&mut self) {
        self.closing = false;
        self.meter.close();
    }

    /// The text up to the closing tag.
    #[inline]
    fn text_of(&mut self, empty: bool, closing: &'static str) -> Result<Cow<'a, str>, Error> {
        if empty {
            return Ok(Cow::Borrowed(""));
        }
        let rest = self.rest();
        if let Some(length) = memchr2(b'<', b'&', rest)
            && rest[length..].starts_with(closing.as_bytes())
        {
            let start = self.at;
            self.at += length + closing.len();
            return Ok(Cow::Borrowed(&self.text[start..start + length]));
        }
        self.assembled_text(closing)
    }

    #[cold]
    fn assembled_text(&mut self, closing: &'static str) -> Result<Cow<'a, str>, Error> {
        let mut text = String::new();
        self.pass_text(closing, Some(&mut text))?;
        Ok(Cow::Owned(text))
    }

    /// Passes text, entities, comments and CDATA sections up to the closing tag.
    fn pass_text(
        &mut self,
        closing: &'static str,
        mut into: Option<&mut String>,
    ) -> Result<(), Error> {
        let mut keep = |text: &str| {
            if let Some(into) = into.as_deref_mut() {
                into.push_str(text);
            }
        };
        loop {
            let rest = &self.text[self.at..];
            let Some(length) = memchr2(b'<', b'&', rest.as_bytes()) else {
                self.at = self.text.len();
                return Err(self.end());
            };
            keep(&rest[..length]);
            self.at += length;
            let rest = &rest[length..];
            if rest.starts_with("</") {
                return self.end_tag(closing);
            } else if rest.starts_with('&') {
                let character = self.reference()?;
                keep(character.encode_utf8(&mut [0; 4]));
            } else if let Some(section) = rest.strip_prefix("<![CDATA[") {
                let length = memmem::find(section.as_bytes(), b"]]>").ok_or_else(|| self.end())?;
                keep(&section[..length]);
                self.at += "<![CDATA[".len() + length + "]]>".len();
            } else if !self.misc()? {
                return Err(self.syntax("text or the end of the element"));
            }
        }
    }

    /// Passes over an element that has no content to give.
    #[inline]
    fn nothing_in(&mut self, empty: bool, closing: &'static str) -> Result<(), Error> {
        if empty {
            return Ok(());
        }
        let text = self.text_of(false, closing)?;
        if text.trim_ascii().is_empty() {
            Ok(())
        } else {
            Err(self.syntax("an empty element"))
        }
    }

    /// The closing tag, given as `</name>`; white space before the `>` is allowed.
    #[inline]
    fn end_tag(&mut self, closing: &'static str) -> Result<(), Error> {
        let rest = self.rest();
        if rest.starts_with(closing.as_bytes()) {
            self.at += closing.len();
            return Ok(());
        }
        self.end_tag_slowly(closing)
    }

    /// Passes one comment or processing instruction; `false` where there is none.
    #[inline]
    fn misc(&mut self) -> Result<bool, Error> {
        let rest = self.rest();
        match rest {
            [b'<', b'!' | b'?', ..] => self.misc_slowly(),
            _ => Ok(false),
        }
    }

    #[cold]
    fn error(&self, kind: ErrorKind) -> Error {
        Error::new(kind).at(self.at)
    }

    #[cold]
    fn syntax(&self, expected: &'static str) -> Error {
        if self.rest().is_empty() {
            return self.end();
        }
        self.error(ErrorKind::Syntax { expected })
    }

    /// The text is over too early.
    #[cold]
    fn end(&self) -> Error {
        Error::new(if self.broken {
            ErrorKind::Encoding
        } else {
            ErrorKind::UnexpectedEnd
        })
        .at(self.text.len())
    }
}
