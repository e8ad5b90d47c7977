//! What a certificate says, as JSON.

use mdm_pki::{Certificate, Curve, DigestAlgorithm, KeyAlgorithm, PublicKey};
use serde_json::{Value, json};

use crate::text::{hex, written};

/// Whose it is, who issued it, until when, and its fingerprint.
pub(crate) fn told(certificate: &Certificate) -> Value {
    json!({
        "subject": certificate.subject().to_string(),
        "issuer": certificate.issuer().to_string(),
        "serial": hex(certificate.serial()),
        "not_before": written(certificate.not_before()),
        "not_after": written(certificate.not_after()),
        "sha256": fingerprint(certificate, DigestAlgorithm::Sha256),
    })
}

/// The fingerprint in hexadecimal; none where OpenSSL does not know the digest.
pub(crate) fn fingerprint(certificate: &Certificate, digest: DigestAlgorithm) -> Option<String> {
    certificate.fingerprint(digest).ok().map(|it| hex(&it))
}

/// The kind of a key, as people name it.
pub(crate) fn key_kind(key: &PublicKey) -> String {
    match key.algorithm() {
        KeyAlgorithm::Ec(Curve::P256) => "EC P-256".to_owned(),
        KeyAlgorithm::Ec(Curve::P384) => "EC P-384".to_owned(),
        KeyAlgorithm::Ec(Curve::P521) => "EC P-521".to_owned(),
        KeyAlgorithm::Rsa { bits } => format!("RSA {bits}"),
        KeyAlgorithm::Ed25519 => "Ed25519".to_owned(),
        KeyAlgorithm::Other(oid) => oid.to_string(),
        _ => "unknown".to_owned(),
    }
}
