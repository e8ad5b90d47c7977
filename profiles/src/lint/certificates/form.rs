//! Bytes that should be certificates, looked at more strictly than when one is used: a device would
//! refuse what is found here.

use std::borrow::Cow;

use mdm_pki::{Certificate, Error, Name};

/// The certificates in DER or PEM; else what is wrong with them, in a sentence without a full stop.
pub(super) fn certificates(bytes: &[u8]) -> Result<Vec<Certificate>, Cow<'static, str>> {
    let certificates = if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
        let stack = Certificate::stack_from_pem(bytes).ok();
        let stack = stack.filter(|stack| !stack.is_empty());
        stack.ok_or("is PEM without a certificate that can be read")?
    } else {
        let one = Certificate::from_der(bytes);
        vec![one.map_err(|_| "is no certificate that can be read")?]
    };
    match certificates.iter().find_map(broken) {
        Some(problem) => Err(problem.into()),
        None => Ok(certificates),
    }
}

/// What is wrong with bytes that should be certificates, in DER or PEM: a sentence without a full
/// stop; `None` where they are. Whether they are still valid is not looked at.
///
/// ```
/// use mdm_profiles::lint::unreadable_certificate;
///
/// let problem = unreadable_certificate(b"0\0").unwrap();
/// assert_eq!(problem, "is no certificate that can be read");
/// ```
pub fn unreadable_certificate(bytes: &[u8]) -> Option<Cow<'static, str>> {
    certificates(bytes).err()
}

/// The part of a certificate that cannot be read.
fn broken(certificate: &Certificate) -> Option<String> {
    let told = |what, error: Error| format!("is a certificate with a broken {what}: {error}");
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
