//! CMS messages: what is inside, and who signed it.

use ade_client::ServerToken;
use mdm_pki::{
    cms::{self, EnvelopedData, SignedData},
    oid,
};
use mdm_schema::Finding;
use serde_json::{Map, Value, json};

use super::{
    Options, checkin,
    container::{self, Container, Message, Wrapping},
    envelope, scep, signature, token,
};
use crate::{
    document::{Document, Kind},
    error::Error,
    json,
};

pub(super) fn decode(message: &Message<'_>, options: &Options) -> Result<Document, Error> {
    let limits = options.cms_limits();
    let content_type = cms::content_type(&message.bytes, &limits).map_err(Error::Cms)?;
    let asked = options.as_kind.as_ref().map(|named| named.kind);
    if content_type == oid::SIGNED_DATA {
        let signed = SignedData::parse(&message.bytes, &limits).map_err(Error::Cms)?;
        if asked == Some(Kind::ScepMessage) || (asked.is_none() && scep::is_one(&signed)) {
            return scep::decode(&message.bytes, &signed, options);
        }
        return decode_signed(&signed, options);
    }
    if content_type == oid::ENVELOPED_DATA {
        let enveloped = EnvelopedData::parse(&message.bytes, &limits).map_err(Error::Cms)?;
        let mut told = match envelope::open(&enveloped, options.key.as_ref())? {
            Ok(plain) => opened(&enveloped, &plain, options)?,
            Err(why) => closed(&enveloped, message, asked, why),
        };
        told.findings.extend(envelope::finding(&enveloped));
        return Ok(told);
    }
    Ok(Document::new(
        Kind::Cms,
        None,
        json!({"contentType": content_type.to_string()}),
    ))
}

/// A signed message: the document inside where there is one, or the message by itself.
fn decode_signed(signed: &SignedData, options: &Options) -> Result<Document, Error> {
    let about = signature::describe(signed);
    let asked = options.as_kind.as_ref().map(|named| named.kind);
    if let (Some(content), true) = (signed.content(), asked != Some(Kind::Cms)) {
        match inside(content, options) {
            Ok(mut told) => {
                if asked.is_none() && told.name.as_deref() == Some("MachineInfo") {
                    told.kind = Kind::Cms;
                }
                told.findings.extend(signature::findings(signed));
                told.signed = Some(about);
                return Ok(told);
            }
            Err(error) if asked.is_some() => return Err(error),
            Err(_) => {}
        }
    } else if let Some(kind) = asked.filter(|kind| *kind != Kind::Cms) {
        return Err(Error::NotAs {
            kind: kind.as_str(),
            problem: "it is a CMS message without a content".to_owned(),
        });
    }
    let name = if signed.signers().is_empty() {
        "Certificates"
    } else {
        "SignedData"
    };
    let mut body = Map::new();
    body.insert(
        "contentType".into(),
        signed.content_type().to_string().into(),
    );
    body.insert(
        "content".into(),
        signed.content().map_or(Value::Null, text_or_data),
    );
    let mut told = Document::new(Kind::Cms, Some(name), Value::Object(body));
    told.findings.extend(signature::findings(signed));
    told.signed = Some(about);
    Ok(told)
}

/// The document inside, one level deep: a property list or JSON.
fn inside(content: &[u8], options: &Options) -> Result<Document, Error> {
    match container::open(content, options)? {
        Container::Plist(document, _)
            if options.as_kind.is_none() && checkin::is_machine_info(&document) =>
        {
            checkin::decode(document, options)
        }
        Container::Plist(document, malformed) => super::plist(document, malformed, options),
        Container::Json(value) => super::json(value, options),
        Container::Token(message) => token::decode(&ServerToken::from_message(message)?),
        Container::Cms(_) => Err(Error::Unknown("a CMS message inside another".to_owned())),
    }
}

/// An encrypted message that stays closed.
fn closed(
    enveloped: &EnvelopedData,
    message: &Message<'_>,
    asked: Option<Kind>,
    why: Finding,
) -> Document {
    let body = envelope::describe(enveloped);
    let token = asked == Some(Kind::AdeToken) || (asked.is_none() && is_token(enveloped, message));
    let mut told = if token {
        Document::new(Kind::AdeToken, Some("Encrypted"), body)
    } else {
        Document::new(Kind::Cms, Some("EnvelopedData"), body)
    };
    told.findings.push(why);
    told
}

/// Whether it is packed as Apple packs server tokens: for one RSA key, with the header of S/MIME, or
/// without it in base64 or in BER of indefinite length (Q1).
fn is_token(enveloped: &EnvelopedData, message: &Message<'_>) -> bool {
    let streamed = message.bytes.get(1) == Some(&0x80);
    let packed = message.wrapping == Wrapping::Mime
        || message.wrapping == Wrapping::Base64
        || (message.wrapping == Wrapping::Binary && streamed);
    packed && enveloped.recipients().len() == 1
}

/// An encrypted message that was opened: the document inside where there is one.
fn opened(enveloped: &EnvelopedData, plain: &[u8], options: &Options) -> Result<Document, Error> {
    let asked = options.as_kind.as_ref().map(|named| named.kind);
    if matches!(asked, None | Some(Kind::AdeToken)) {
        match ServerToken::from_message(plain) {
            Ok(token) => return token::decode(&token),
            Err(error) if asked.is_some() => return Err(error.into()),
            Err(_) => {}
        }
    }
    if let Ok(told) = inside(plain, options) {
        return Ok(told);
    }
    let mut body = envelope::describe(enveloped);
    if let Value::Object(keys) = &mut body {
        keys.insert("content".into(), text_or_data(plain));
    }
    Ok(Document::new(Kind::Cms, Some("EnvelopedData"), body))
}

/// Bytes as text where they are readable text, otherwise as base64.
fn text_or_data(bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text)
            if !text
                .chars()
                .any(|c| c.is_control() && !c.is_ascii_whitespace()) =>
        {
            text.into()
        }
        _ => json::data(bytes),
    }
}
