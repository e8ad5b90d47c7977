//! Certificates that lie in other documents, looked at more strictly than when one is used: a device,
//! or OpenSSL, would refuse what is found here.

use mdm_pki::{Certificate, Error, Name};
use mdm_schema::{Finding, Rule, Severity};

use crate::error::one_line;

/// What is wrong with bytes that should be a certificate, or several in PEM.
pub(super) fn finding(at: &str, bytes: &[u8]) -> Option<Finding> {
    let certificates = match Certificate::from_der(bytes) {
        Ok(certificate) => vec![certificate],
        Err(_) => Certificate::stack_from_pem(bytes).unwrap_or_default(),
    };
    let message = if certificates.is_empty() {
        "is no certificate that can be read".to_owned()
    } else {
        certificates.iter().find_map(broken)?
    };
    Some(Finding::new(
        at,
        Rule::Unreadable,
        Severity::Warning,
        message,
    ))
}

/// The part of a certificate that cannot be read.
fn broken(certificate: &Certificate) -> Option<String> {
    let told = |what, error: Error| {
        format!(
            "is a certificate with a broken {what}: {}",
            one_line(&error)
        )
    };
    let names = [
        ("issuer", certificate.issuer()),
        ("subject", certificate.subject()),
    ];
    for (what, name) in names {
        if let Err(error) = Name::from_der(name.to_der()) {
            return Some(told(what, error));
        }
        if name.attributes().any(|(_, text)| is_broken_text(&text)) {
            return Some(format!(
                "is a certificate with a broken {what}: a text that is none"
            ));
        }
    }
    let key = certificate.public_key();
    key.err().map(|error| told("public key", error))
}

/// Whether a name's value is given in hexadecimal (RFC 4514, section 2.4), though its tag is that of
/// a text: UTF8String, NumericString, PrintableString, T61String, IA5String, VisibleString,
/// UniversalString or BMPString.
fn is_broken_text(shown: &str) -> bool {
    const TAGS: [&str; 8] = ["#0c", "#12", "#13", "#14", "#16", "#1a", "#1c", "#1e"];
    TAGS.iter().any(|tag| shown.starts_with(tag))
        && shown.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit())
}
