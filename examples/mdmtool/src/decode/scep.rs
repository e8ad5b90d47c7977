//! SCEP messages (RFC 8894), told by their signed attributes.

use mdm_pki::{
    CertificateRequest, PrivateKey,
    cms::{DecryptPolicy, EnvelopedData, SignedData},
};
use mdm_scep::{PkiMessage, attributes::MESSAGE_TYPE};
use mdm_schema::{Finding, Rule, Severity};
use serde_json::{Map, Value, json};

use super::{Options, cms};
use crate::{
    document::{Document, Kind},
    error::{Error, one_line},
    json,
};

/// Whether a signer says what kind of SCEP message it is.
pub(super) fn is_one(signed: &SignedData) -> bool {
    signed
        .signers()
        .iter()
        .any(|signer| signer.signed_attribute(MESSAGE_TYPE).is_some())
}

pub(super) fn decode(bytes: &[u8], options: &Options) -> Result<Document, Error> {
    let message = PkiMessage::parse(bytes, options.limit)?;
    let about = &message.attributes;
    let mut body = Map::new();
    let mut put = |key: &str, value: Option<Value>| {
        if let Some(value) = value {
            body.insert(key.to_owned(), value);
        }
    };
    let text = |text: String| Value::String(text);
    let kind = about.message_type.map(|kind| kind.to_string());
    put("messageType", kind.clone().map(text));
    let transaction = about.transaction_id.as_ref();
    put("transactionID", transaction.map(|id| text(id.to_string())));
    put(
        "senderNonce",
        about
            .sender_nonce
            .as_ref()
            .map(|n| json::data(n.as_bytes())),
    );
    put(
        "recipientNonce",
        about
            .recipient_nonce
            .as_ref()
            .map(|n| json::data(n.as_bytes())),
    );
    put(
        "pkiStatus",
        about.status.map(|status| text(format!("{status:?}"))),
    );
    put(
        "failInfo",
        about.fail_info.map(|fail| text(fail.to_string())),
    );
    put("failInfoText", about.fail_info_text.clone().map(text));
    let mut findings = Vec::new();
    if let Err(error) = message.verify() {
        let message = one_line(&error);
        findings.push(Finding::new("", Rule::Conflict, Severity::Error, message));
    }
    if message.envelope().is_some() {
        match message.open_envelope() {
            Ok(enveloped) => {
                put("envelope", Some(cms::describe_envelope(&enveloped)));
                match &options.key {
                    Some(key) => put("content", Some(open(&enveloped, key)?)),
                    None => findings.push(Finding::new(
                        "content",
                        Rule::Unreadable,
                        Severity::Info,
                        "is encrypted; name the private key with --key to open it",
                    )),
                }
            }
            Err(error) => findings.push(Finding::new(
                "envelope",
                Rule::Unreadable,
                Severity::Error,
                one_line(&error),
            )),
        }
    }
    let mut told = Document::new(Kind::ScepMessage, kind.as_deref(), Value::Object(body));
    told.findings = findings;
    let signed = SignedData::parse(bytes, &options.cms_limits()).map_err(Error::Cms)?;
    told.signed = Some(cms::describe(&signed));
    Ok(told)
}

/// The request, or the certificates, inside.
fn open(enveloped: &EnvelopedData, key: &PrivateKey) -> Result<Value, Error> {
    let plain = enveloped
        .decrypt(key, &DecryptPolicy::default())
        .map_err(Error::Decrypt)?;
    if let Ok(request) = CertificateRequest::from_der(&plain) {
        let challenge = request.challenge_password();
        return Ok(json!({
            "subject": request.subject().to_string(),
            "challengePassword": challenge.as_ref().map(|word| word.expose().clone()),
            "key": request.public_key().ok().map(|key| format!("{:?}", key.algorithm())),
            "proofOfPossession": request.verify().is_ok(),
            "der": json::data(&plain),
        }));
    }
    if let Ok(answer) = SignedData::parse(&plain, &mdm_pki::cms::Limits::default()) {
        let certificates = answer.certificates().iter().map(cms::certificate);
        return Ok(json!({"certificates": certificates.collect::<Vec<_>>()}));
    }
    Ok(json::data(&plain))
}
