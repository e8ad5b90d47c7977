//! Certificates and identities in payloads: whether they can be read, are valid, and have keys to rely on.

use mdm_pki::{Certificate, Identity, key::KeyAlgorithm};
use mdm_plist::Value;
use mdm_schema::{Severity, path};

use super::{Finding, LintOptions, rule};
use crate::{payload::RawPayload, profile::Profile};

/// How certificates lie in a key.
enum Form {
    /// DER or PEM, perhaps several.
    Certificate,
    /// PKCS #12, with its password in this key.
    Pkcs12(&'static str),
}

/// `PayloadType`, key, and what lies there.
const PLACES: &[(&str, &str, Form)] = &[
    ("com.apple.MCX.FileVault2", "Certificate", Form::Certificate),
    (
        "com.apple.eas.account",
        "Certificate",
        Form::Pkcs12("CertificatePassword"),
    ),
    (
        "com.apple.security.pem",
        "PayloadContent",
        Form::Certificate,
    ),
    (
        "com.apple.security.pkcs1",
        "PayloadContent",
        Form::Certificate,
    ),
    (
        "com.apple.security.pkcs12",
        "PayloadContent",
        Form::Pkcs12("Password"),
    ),
    (
        "com.apple.security.root",
        "PayloadContent",
        Form::Certificate,
    ),
];

pub(super) fn check(profile: &Profile, options: &LintOptions, findings: &mut Vec<Finding>) {
    for (place, payload) in profile.numbered() {
        let own = payload.payload_type().unwrap_or_default();
        for (_, key, form) in PLACES.iter().filter(|(name, _, _)| *name == own) {
            let Some(bytes) = payload.keys().get(key).and_then(Value::as_data) else {
                continue;
            };
            let path = path::join(&path::index("PayloadContent", place), key);
            match read(bytes, form, &payload) {
                Ok(certificates) => {
                    for certificate in &certificates {
                        judge(certificate, &path, options, findings);
                    }
                }
                Err(message) => {
                    let rule = rule::named("certificate-unreadable");
                    findings.push(Finding::new(rule, path, Severity::Error, message));
                }
            }
        }
    }
}

fn read(
    bytes: &[u8],
    form: &Form,
    payload: &RawPayload<'_>,
) -> Result<Vec<Certificate>, &'static str> {
    match form {
        Form::Certificate if bytes.trim_ascii_start().starts_with(b"-----BEGIN") => {
            let stack = Certificate::stack_from_pem(bytes).ok();
            let stack = stack.filter(|stack| !stack.is_empty());
            stack.ok_or("is PEM without a certificate that can be read")
        }
        Form::Certificate => Certificate::from_der(bytes)
            .map(|certificate| vec![certificate])
            .map_err(|_| "is no certificate that can be read"),
        Form::Pkcs12(password) => {
            // Without one the user is asked, and nothing can be looked into.
            let Some(password) = payload.keys().get(password).and_then(Value::as_string) else {
                return Ok(Vec::new());
            };
            match Identity::from_pkcs12(bytes, password) {
                Ok(identity) => Ok([vec![identity.certificate], identity.chain].concat()),
                Err(mdm_pki::Error::Password) => Err("does not open with the password beside it"),
                Err(mdm_pki::Error::LegacyProviderMissing(_)) => Ok(Vec::new()),
                Err(_) => Err("is no PKCS #12 file with a certificate and its key"),
            }
        }
    }
}

fn judge(
    certificate: &Certificate,
    path: &str,
    options: &LintOptions,
    findings: &mut Vec<Finding>,
) {
    let name = certificate.subject().common_name().unwrap_or_default();
    let mut note = |id: &str, severity: Severity, what: String| {
        findings.push(Finding::new(rule::named(id), path, severity, what));
    };
    let day = |time: chrono::DateTime<chrono::Utc>| time.format("%Y-%m-%d");
    let (from, until) = (certificate.not_before(), certificate.not_after());
    let soon = options.now.checked_add_signed(options.expires_within);
    if until < options.now {
        let what = format!("{name:?} ended on {}", day(until));
        note("certificate-expired", Severity::Error, what);
    } else if from > options.now {
        let what = format!("{name:?} begins on {}", day(from));
        note("certificate-not-yet-valid", Severity::Warning, what);
    } else if soon.is_some_and(|soon| until < soon) {
        let what = format!("{name:?} ends on {}", day(until));
        note("certificate-expires", Severity::Warning, what);
    }
    if let Ok(key) = certificate.public_key()
        && let KeyAlgorithm::Rsa { bits } = key.algorithm()
        && bits < 2048
    {
        let what = format!("{name:?} has a key of {bits} bits");
        note("certificate-weak-key", Severity::Warning, what);
    }
}
