//! The outermost form: property list, JSON, or CMS in one of its wrappings.

use std::borrow::Cow;

use mdm_pki::pem;
use mdm_plist::{Dictionary, Value};
use mdm_schema::{Finding, Rule, Severity, record::MAX_FINDINGS};

use super::Options;
use crate::{document::Kind, error::Error};

/// A document out of its wrapping.
#[derive(Debug)]
pub(super) enum Container<'a> {
    /// A property list, and what of it is malformed and was left out.
    Plist(Dictionary, Vec<Finding>),
    Json(serde_json::Value),
    Cms(Message<'a>),
    /// A server token as its envelope held it (Q1).
    Token(&'a [u8]),
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
    if let Some(opened) = by_looks(bytes, options) {
        return opened;
    }
    let text = trim(bytes);
    if let Some(body) = mime_body(text) {
        let body = body?;
        return by_looks(body, options)
            .unwrap_or_else(|| base64(body, Wrapping::Mime).map_err(Error::Cms));
    }
    // The value of a status item may be any JSON, where the caller says that it is one.
    let named = options.as_kind.as_ref().map(|named| named.kind);
    if named == Some(Kind::StatusReport) {
        return serde_json::from_slice(text)
            .map(Container::Json)
            .map_err(Error::Json);
    }
    match text.first() {
        // Every DER or BER message begins with `M` in base64.
        Some(b'M') => base64(text, Wrapping::Base64).map_err(|_| Error::Unreadable),
        _ => Err(Error::Unreadable),
    }
}

/// What its first bytes, or a line that begins a block of PEM, tell by themselves; an error where
/// only the looks are right.
fn by_looks<'a>(bytes: &'a [u8], options: &Options) -> Option<Result<Container<'a>, Error>> {
    let text = trim(bytes);
    if text.first() == Some(&0x30) && !text.get(1)?.is_ascii_alphanumeric() {
        return Some(Ok(Container::Cms(Message {
            bytes: Cow::Borrowed(text),
            wrapping: Wrapping::Binary,
        })));
    }
    if matches!(text.first(), Some(b'{' | b'[')) {
        return Some(
            serde_json::from_slice(text)
                .map(Container::Json)
                .map_err(Error::Json),
        );
    }
    if mdm_plist::detect(bytes).is_some() {
        return Some(plist(bytes, options));
    }
    pem_blocks(text).map(from_pem)
}

fn trim(bytes: &[u8]) -> &[u8] {
    let text = bytes.trim_ascii_start();
    text.strip_prefix(b"\xEF\xBB\xBF")
        .unwrap_or(text)
        .trim_ascii_start()
}

fn plist<'a>(bytes: &[u8], options: &Options) -> Result<Container<'a>, Error> {
    // A number, date or data that says nothing valid does not make the rest unreadable: devices
    // have been seen to write such.
    let (document, malformed) = mdm_plist::from_slice_leniently(bytes, &options.plist_limits())?;
    let message = "the text is not a valid value of its type";
    let findings = malformed
        .iter()
        .take(MAX_FINDINGS)
        .map(|path| Finding::new(path.to_string(), Rule::Type, Severity::Error, message));
    match document {
        Value::Dictionary(document) => Ok(Container::Plist(document, findings.collect())),
        _ => Err(Error::Unknown(
            "a property list, but no dictionary".to_owned(),
        )),
    }
}

fn base64<'a>(text: &[u8], wrapping: Wrapping) -> Result<Container<'a>, mdm_pki::Error> {
    Ok(Container::Cms(Message {
        bytes: Cow::Owned(pem::decode_base64(text)?),
        wrapping,
    }))
}

/// What begins with the first `BEGIN` line: mail and OpenSSL's tools put text in front.
fn pem_blocks(text: &[u8]) -> Option<&[u8]> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let mut at = 0;
    loop {
        let rest = text.get(at..)?;
        if rest.starts_with(BEGIN) {
            return Some(rest);
        }
        at += rest.iter().position(|byte| *byte == b'\n')? + 1;
    }
}

fn from_pem(text: &[u8]) -> Result<Container<'_>, Error> {
    // A decrypted server token wears the lines of PEM, but no base64.
    if text.starts_with(b"-----BEGIN MESSAGE-----") {
        return Ok(Container::Token(text));
    }
    let blocks = pem::decode(text).map_err(Error::Cms)?;
    let found = blocks
        .into_iter()
        .find(|block| matches!(&*block.label, "PKCS7" | "CMS" | "PKCS #7 SIGNED DATA"));
    match found {
        Some(block) => Ok(Container::Cms(Message {
            bytes: Cow::Owned(block.der),
            wrapping: Wrapping::Pem,
        })),
        None => Err(Error::Unknown(
            "PEM, but no CMS message; keys and certificates are not decoded".to_owned(),
        )),
    }
}

/// What follows a header of MIME, and the blank line behind it unless that was lost; an error for a
/// message in parts.
fn mime_body(text: &[u8]) -> Option<Result<&[u8], Error>> {
    let mut rest = text;
    let (mut is_mime, mut in_parts) = (false, false);
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let line = rest[..end].trim_ascii_end();
        let folded = line.first().is_some_and(u8::is_ascii_whitespace);
        if !line.is_empty() && !folded && !line.contains(&b':') {
            break;
        }
        rest = &rest[end + 1..];
        if line.is_empty() {
            break;
        }
        let line = line.to_ascii_lowercase();
        is_mime |= line.starts_with(b"content-") || line.starts_with(b"mime-version");
        in_parts |= line
            .strip_prefix(b"content-type:")
            .is_some_and(|value| value.trim_ascii_start().starts_with(b"multipart/"));
    }
    let multipart = || Error::Unknown("a multipart message; its parts are read one by one".into());
    is_mime.then(|| if in_parts { Err(multipart()) } else { Ok(rest) })
}
