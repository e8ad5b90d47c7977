//! SCEP messages (RFC 8894), told by their signed attributes.

use mdm_pki::{CertificateRequest, cms::SignedData};
use mdm_scep::{PkiMessage, attributes::MESSAGE_TYPE};
use mdm_schema::{Finding, Rule, Severity};
use serde_json::{Map, Value, json};

use super::{Options, envelope, signature};
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

pub(super) fn decode(
    bytes: &[u8],
    signed: &SignedData,
    options: &Options,
) -> Result<Document, Error> {
    if !is_one(signed) {
        return Err(Error::NotAs {
            kind: Kind::ScepMessage.as_str(),
            problem: "no signer says a messageType".to_owned(),
        });
    }
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
    let mut findings: Vec<Finding> = signature::findings(signed).collect();
    // Some servers put an empty content where RFC 8894, section 3.3.2, has none.
    if message.envelope().is_some_and(|bytes| !bytes.is_empty()) {
        match message.open_envelope() {
            Ok(enveloped) => {
                put("envelope", Some(envelope::describe(&enveloped)));
                findings.extend(envelope::finding(&enveloped).map(|f| f.under("envelope")));
                match envelope::open(&enveloped, options.key.as_ref())? {
                    Ok(plain) => put("content", Some(content(&plain))),
                    Err(why) => findings.push(why.under("content")),
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
    told.signed = Some(signature::describe(signed));
    Ok(told)
}

/// The request, or the certificates, inside.
fn content(plain: &[u8]) -> Value {
    if let Ok(request) = CertificateRequest::from_der(plain) {
        let challenge = request.challenge_password();
        return json!({
            "subject": request.subject().to_string(),
            "challengePassword": challenge.as_ref().map(|word| word.expose().clone()),
            "key": request.public_key().ok().map(|key| format!("{:?}", key.algorithm())),
            "proofOfPossession": request.verify().is_ok(),
            "der": json::data(plain),
        });
    }
    if let Ok(answer) = SignedData::parse(plain, &mdm_pki::cms::Limits::default()) {
        let certificates = answer.certificates().iter().map(signature::certificate);
        return json!({"certificates": certificates.collect::<Vec<_>>()});
    }
    json::data(plain)
}
