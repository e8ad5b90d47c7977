//! Who signed a CMS message, and whether the signature is by the certificate that came along;
//! nothing is said about trust.

use mdm_pki::{
    Certificate, DigestAlgorithm,
    cms::{SignedData, SignerInfo, VerifyError},
};
use mdm_schema::{Finding, Rule, Severity};
use serde_json::{Value, json};

use crate::{error::one_line, json};

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

fn state(signed: &SignedData, signer: &SignerInfo) -> String {
    match signed.verify_signature(signer, None) {
        Ok(()) => "valid".to_owned(),
        Err(VerifyError::ContentMissing) => "detached".to_owned(),
        Err(error) => one_line(&error),
    }
}

/// What is wrong with the signatures: one that was broken is an error, one that nobody can check
/// here is a warning, a detached one is neither.
pub(super) fn findings(signed: &SignedData) -> impl Iterator<Item = Finding> {
    signed.signers().iter().filter_map(|signer| {
        let error = signed.verify_signature(signer, None).err()?;
        let (rule, severity, verdict) = match error {
            VerifyError::ContentMissing => return None,
            VerifyError::ContentAltered | VerifyError::BadSignature => {
                (Rule::Conflict, Severity::Error, "does not hold")
            }
            _ => (Rule::Unreadable, Severity::Warning, "cannot be checked"),
        };
        let message = format!("its signature {verdict}: {}", one_line(&error));
        Some(Finding::new("", rule, severity, message))
    })
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
