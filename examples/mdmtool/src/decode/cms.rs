//! CMS messages: what is inside, and who signed it.

use ade_client::ServerToken;
use mdm_pki::{
    Certificate, DigestAlgorithm, PrivateKey,
    cms::{self, DecryptPolicy, EnvelopedData, SignedData, SignerInfo},
    oid,
};
use mdm_schema::{Finding, Rule, Severity};
use serde_json::{Map, Value, json};

use super::{
    Options, checkin,
    container::{self, Container, Message, Wrapping},
    scep, token,
};
use crate::{
    document::{Document, Kind},
    error::{Error, one_line},
    json,
};

pub(super) fn decode(message: &Message<'_>, options: &Options) -> Result<Document, Error> {
    let limits = options.cms_limits();
    let content_type = cms::content_type(&message.bytes, &limits).map_err(Error::Cms)?;
    let asked = options.as_kind.as_ref().map(|named| named.kind);
    if content_type == oid::SIGNED_DATA {
        let signed = SignedData::parse(&message.bytes, &limits).map_err(Error::Cms)?;
        if asked == Some(Kind::ScepMessage) || (asked.is_none() && scep::is_one(&signed)) {
            return scep::decode(&message.bytes, options);
        }
        return decode_signed(&signed, options);
    }
    if content_type == oid::ENVELOPED_DATA {
        let enveloped = EnvelopedData::parse(&message.bytes, &limits).map_err(Error::Cms)?;
        return match &options.key {
            Some(key) => opened(&enveloped, message, key, options),
            None => Ok(closed(&enveloped, message, asked)),
        };
    }
    Ok(Document::new(
        Kind::Cms,
        None,
        json!({"contentType": content_type.to_string()}),
    ))
}

/// A signed message: the document inside where there is one, or the message by itself.
fn decode_signed(signed: &SignedData, options: &Options) -> Result<Document, Error> {
    let about = describe(signed);
    let asked = options.as_kind.as_ref().map(|named| named.kind);
    if let (Some(content), true) = (signed.content(), asked != Some(Kind::Cms)) {
        match inside(content, options) {
            Ok(mut told) => {
                if asked.is_none() && told.name.as_deref() == Some("MachineInfo") {
                    told.kind = Kind::Cms;
                }
                broken(signed, &mut told.findings);
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
    broken(signed, &mut told.findings);
    told.signed = Some(about);
    Ok(told)
}

/// The document inside, one level deep: a property list or JSON.
fn inside(content: &[u8], options: &Options) -> Result<Document, Error> {
    match container::open(content, options)? {
        Container::Plist(document)
            if options.as_kind.is_none() && checkin::is_machine_info(&document) =>
        {
            checkin::decode(document, options)
        }
        Container::Plist(document) => super::plist(document, options),
        Container::Json(value) => super::json(value, options),
        Container::Cms(_) => Err(Error::Unknown("a CMS message inside another".to_owned())),
    }
}

/// An encrypted message without its key.
fn closed(enveloped: &EnvelopedData, message: &Message<'_>, asked: Option<Kind>) -> Document {
    let body = describe_envelope(enveloped);
    let token = asked == Some(Kind::AdeToken) || (asked.is_none() && is_token(enveloped, message));
    let mut told = if token {
        Document::new(Kind::AdeToken, Some("Encrypted"), body)
    } else {
        Document::new(Kind::Cms, Some("EnvelopedData"), body)
    };
    told.findings.push(Finding::new(
        "",
        Rule::Unreadable,
        Severity::Info,
        "is encrypted; name the private key with --key to open it",
    ));
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

/// An encrypted message with its key.
fn opened(
    enveloped: &EnvelopedData,
    message: &Message<'_>,
    key: &PrivateKey,
    options: &Options,
) -> Result<Document, Error> {
    let asked = options.as_kind.as_ref().map(|named| named.kind);
    if matches!(asked, None | Some(Kind::AdeToken)) {
        match ServerToken::open(&message.bytes, key) {
            Ok(token) => {
                let json = serde_json::to_value(&token)?;
                return Ok(token::from_token(&token, json));
            }
            Err(error) if asked.is_some() => return Err(error.into()),
            Err(_) => {}
        }
    }
    let plain = enveloped
        .decrypt(key, &DecryptPolicy::default())
        .map_err(Error::Decrypt)?;
    if let Ok(told) = inside(&plain, options) {
        return Ok(told);
    }
    let mut body = describe_envelope(enveloped);
    if let Value::Object(keys) = &mut body {
        keys.insert("content".into(), text_or_data(&plain));
    }
    Ok(Document::new(Kind::Cms, Some("EnvelopedData"), body))
}

pub(super) fn describe_envelope(enveloped: &EnvelopedData) -> Value {
    let cipher = match enveloped.cipher() {
        Ok(cipher) => format!("{cipher:?}"),
        Err(error) => one_line(&error),
    };
    let recipients = enveloped.recipients().iter().map(|recipient| {
        recipient
            .key_transport()
            .map_or("unknown".to_owned(), |transport| format!("{transport:?}"))
    });
    json!({"cipher": cipher, "recipients": recipients.collect::<Vec<_>>()})
}

/// Who signed, and what came along.
pub(super) fn describe(signed: &SignedData) -> Value {
    let signers = signed.signers().iter().map(|signer| {
        json!({
            "certificate": signer.certificate().map(certificate),
            "digest": signer.digest_algorithm().map(|digest| format!("{digest:?}")),
            "signingTime": signer.signing_time().map(json::date),
            "signedAttributes": signer.has_signed_attributes(),
            "signature": state(signed, signer),
        })
    });
    json!({
        "detached": signed.content().is_none() && !signed.signers().is_empty(),
        "signers": signers.collect::<Vec<_>>(),
        "certificates": signed.certificates().iter().map(certificate).collect::<Vec<_>>(),
    })
}

/// Whether the signature is by the certificate that came along; nothing is said about trust.
fn state(signed: &SignedData, signer: &SignerInfo) -> String {
    if signed.content().is_none() && signer.has_signed_attributes() {
        return "detached".to_owned();
    }
    match signed.verify_signature(signer, None) {
        Ok(()) => "valid".to_owned(),
        Err(error) => one_line(&error),
    }
}

fn broken(signed: &SignedData, findings: &mut Vec<Finding>) {
    for signer in signed.signers() {
        if signed.content().is_some()
            && let Err(error) = signed.verify_signature(signer, None)
        {
            findings.push(Finding::new(
                "",
                Rule::Conflict,
                Severity::Error,
                format!("its signature does not hold: {}", one_line(&error)),
            ));
        }
    }
}

/// The facts of a certificate that people compare.
pub(super) fn certificate(certificate: &Certificate) -> Value {
    let hex = |bytes: &[u8]| {
        bytes
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    };
    let print = certificate.fingerprint(DigestAlgorithm::Sha256);
    json!({
        "subject": certificate.subject().to_string(),
        "issuer": certificate.issuer().to_string(),
        "serial": hex(certificate.serial()),
        "notBefore": json::date(certificate.not_before()),
        "notAfter": json::date(certificate.not_after()),
        "sha256": print.map(|print| hex(&print)).ok(),
    })
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
