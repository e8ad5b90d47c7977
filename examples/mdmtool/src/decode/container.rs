//! The outermost form: property list, JSON, or CMS in one of its wrappings.

use std::borrow::Cow;

use mdm_pki::pem;
use mdm_plist::{Dictionary, Value};

use super::Options;
use crate::error::Error;

/// A document out of its wrapping.
#[derive(Debug)]
pub(super) enum Container<'a> {
    Plist(Dictionary),
    Json(serde_json::Value),
    Cms(Message<'a>),
}

/// A CMS message, and how it came.
#[derive(Debug)]
pub(super) struct Message<'a> {
    pub(super) bytes: Cow<'a, [u8]>,
    pub(super) wrapping: Wrapping,
}

/// How a CMS message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wrapping {
    Binary,
    Pem,
    Base64,
    /// With the header of S/MIME, as Apple serves server tokens (Q1).
    Mime,
}

/// Opens the outermost form.
pub(super) fn open<'a>(bytes: &'a [u8], options: &Options) -> Result<Container<'a>, Error> {
    let text = bytes.trim_ascii_start();
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let text = text.trim_ascii_start();
    if let Some(message) = message(text) {
        return message.map(Container::Cms);
    }
    if matches!(text.first(), Some(b'{' | b'[')) {
        return Ok(Container::Json(serde_json::from_slice(text)?));
    }
    if mdm_plist::detect(bytes).is_some() {
        return match mdm_plist::from_slice_with(bytes, &options.plist_limits())? {
            Value::Dictionary(document) => Ok(Container::Plist(document)),
            _ => Err(Error::Unknown(
                "a property list, but no dictionary".to_owned(),
            )),
        };
    }
    Err(Error::Unreadable)
}

/// The CMS message, if the document has the looks of one; an error where only the looks are right.
fn message(text: &[u8]) -> Option<Result<Message<'_>, Error>> {
    if text.first() == Some(&0x30) && !text.get(1)?.is_ascii_alphanumeric() {
        return Some(Ok(Message {
            bytes: Cow::Borrowed(text),
            wrapping: Wrapping::Binary,
        }));
    }
    let (wrapping, base64) = if text.starts_with(b"-----BEGIN ") {
        return Some(from_pem(text));
    } else if let Some(body) = mime_body(text) {
        (Wrapping::Mime, body)
    } else if text.first() == Some(&b'M') {
        // Every DER or BER message begins with `M` in base64.
        (Wrapping::Base64, text)
    } else {
        return None;
    };
    Some(match pem::decode_base64(base64) {
        Ok(bytes) => Ok(Message {
            bytes: Cow::Owned(bytes),
            wrapping,
        }),
        Err(_) if wrapping == Wrapping::Base64 => Err(Error::Unreadable),
        Err(error) => Err(Error::Cms(error)),
    })
}

fn from_pem(text: &[u8]) -> Result<Message<'_>, Error> {
    let blocks = pem::decode(text).map_err(Error::Cms)?;
    let found = blocks
        .into_iter()
        .find(|block| matches!(&*block.label, "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA"));
    match found {
        Some(block) => Ok(Message {
            bytes: Cow::Owned(block.der),
            wrapping: Wrapping::Pem,
        }),
        None => Err(Error::Unknown(
            "PEM, but no CMS message; keys and certificates are not decoded".to_owned(),
        )),
    }
}

/// What follows the header of S/MIME, and the blank line behind it.
fn mime_body(text: &[u8]) -> Option<&[u8]> {
    let mut rest = text;
    let mut is_mime = false;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest[..end].trim_ascii_end();
        rest = &rest[end + 1..];
        if line.is_empty() {
            return is_mime.then_some(rest);
        }
        let folded = line.first().is_some_and(u8::is_ascii_whitespace);
        if !folded && !line.contains(&b':') {
            return None;
        }
        let line = line.to_ascii_lowercase();
        is_mime |= line.starts_with(b"content-") || line.starts_with(b"mime-version");
    }
}
