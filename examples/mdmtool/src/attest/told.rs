//! What an attestation says, as JSON and as text.

use std::fmt::Write;

use chrono::{DateTime, SecondsFormat, Utc};
use mdm_pki::{
    Certificate, Curve, DigestAlgorithm, KeyAlgorithm,
    attestation::{
        AttestationError, Posture, Property, SecureBoot, Sip, Statement, ThirdPartyKexts, Verdict,
    },
    digest,
};
use serde_json::{Value, json};

use crate::text;

pub(super) fn document(form: &str, statement: &Statement) -> Result<Value, AttestationError> {
    let posture = statement.unverified_posture()?;
    let chain = std::iter::once(statement.leaf()).chain(statement.intermediates());
    Ok(json!({
        "form": form,
        "attested": true,
        "subject": statement.leaf().subject().to_string(),
        "key": key(statement.leaf()),
        "freshness": statement.unverified_freshness().map(hex),
        "withholds_identity": posture.withholds_identity(),
        "posture": told(&posture),
        "chain": chain.map(certificate).collect::<Vec<_>>(),
    }))
}

/// The document for a person: a block for the attestation, one for each certificate.
pub(super) fn text(document: &Value) -> String {
    let mut shown = text::fields(document, &["key", "posture", "chain"]);
    let parts = [document.get("key"), document.get("posture")];
    for part in parts.into_iter().flatten() {
        shown.push_str(&text::fields(part, &[]));
    }
    let chain = document.get("chain").and_then(Value::as_array);
    for (index, certificate) in chain.into_iter().flatten().enumerate() {
        let _ = write!(shown, "\ncertificate {index}\n");
        shown.push_str(&text::fields(certificate, &[]));
    }
    shown
}

fn key(leaf: &Certificate) -> Value {
    let Ok(key) = leaf.public_key() else {
        return Value::Null;
    };
    let kind = match key.algorithm() {
        KeyAlgorithm::Ec(Curve::P256) => "EC P-256".to_owned(),
        KeyAlgorithm::Ec(Curve::P384) => "EC P-384".to_owned(),
        KeyAlgorithm::Ec(Curve::P521) => "EC P-521".to_owned(),
        KeyAlgorithm::Rsa { bits } => format!("RSA {bits}"),
        KeyAlgorithm::Other(oid) => oid.to_string(),
        _ => "unknown".to_owned(),
    };
    json!({
        "key": kind,
        "key_sha256": digest(DigestAlgorithm::Sha256, key.to_spki_der()).ok().map(|it| hex(&it)),
    })
}

fn certificate(certificate: &Certificate) -> Value {
    let sha256 = certificate.fingerprint(DigestAlgorithm::Sha256);
    json!({
        "subject": certificate.subject().to_string(),
        "issuer": certificate.issuer().to_string(),
        "serial": hex(certificate.serial()),
        "not_before": written(certificate.not_before()),
        "not_after": written(certificate.not_after()),
        "sha256": sha256.ok().map(|it| hex(&it)),
    })
}

fn told(posture: &Posture) -> Value {
    let others: Vec<_> = posture
        .others
        .iter()
        .map(|it| json!({"oid": it.oid.to_string(), "value": hex(&it.value)}))
        .collect();
    json!({
        "serial_number": property(&posture.serial_number, |it| it.as_str()),
        "udid": property(&posture.udid, |it| it.as_str()),
        "software_update_device_id": property(&posture.software_update_device_id, String::as_str),
        "os_version": property(&posture.os_version, String::as_str),
        "sep_os_version": property(&posture.sep_os_version, String::as_str),
        "llb_version": property(&posture.llb_version, String::as_str),
        "sip": property(&posture.sip, |it| match it {
            Sip::Enabled => "enabled",
            Sip::Disabled => "disabled",
        }),
        "sip_verdict": verdict(posture.sip_enabled()),
        "secure_boot": property(&posture.secure_boot, |it| match it {
            SecureBoot::Full => "full",
            SecureBoot::Reduced => "reduced",
            SecureBoot::Permissive => "permissive",
        }),
        "secure_boot_verdict": verdict(posture.full_security()),
        "third_party_kexts": property(&posture.third_party_kexts, |it| match it {
            ThirdPartyKexts::NotAllowed => "not_allowed",
            ThirdPartyKexts::Allowed => "allowed",
        }),
        "third_party_kexts_verdict": verdict(posture.no_third_party_kexts()),
        "others": others,
    })
}

/// The value; null where there is none, and in an object of its own what cannot be read.
fn property<T>(property: &Property<T>, shown: impl Fn(&T) -> &str) -> Value {
    match property {
        Property::Absent => Value::Null,
        Property::Unknown(bytes) => json!({"unknown": hex(bytes)}),
        Property::Known(value) => shown(value).into(),
    }
}

fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Good => "good",
        Verdict::Bad => "bad",
        Verdict::Unknown => "unknown",
    }
}

fn written(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of a hex text; colons and spaces between are nothing.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text
        .chars()
        .filter(|c| !matches!(c, ':' | ' '))
        .map(|c| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok()))
        .collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    let pair = |pair: &[u8]| pair.iter().fold(0, |byte, digit| byte << 4 | digit);
    Some(digits.chunks(2).map(pair).collect())
}
