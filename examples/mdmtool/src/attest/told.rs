//! What an attestation says, as JSON and as text.

use std::fmt::Write;

use mdm_pki::{
    Certificate, DigestAlgorithm,
    attestation::{
        AttestationError, Posture, Property, SecureBoot, Sip, Statement, ThirdPartyKexts, Verdict,
    },
    digest,
};
use serde_json::{Value, json};

use crate::{
    certificate,
    text::{self, hex},
};

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
        "chain": chain.map(certificate::told).collect::<Vec<_>>(),
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
    json!({
        "key": certificate::key_kind(&key),
        "key_sha256": digest(DigestAlgorithm::Sha256, key.to_spki_der()).ok().map(|it| hex(&it)),
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
