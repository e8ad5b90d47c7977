//! Certificates and identities in payloads: whether they can be read, are valid, and have keys and
//! signatures to rely on.

mod form;

use std::borrow::Cow;

use mdm_pki::{Certificate, DigestAlgorithm, Identity, Oid, SignatureAlgorithm, key::KeyAlgorithm};
use mdm_plist::Value;
use mdm_schema::{Severity, path};

pub use self::form::unreadable_certificate;
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
#[rustfmt::skip]
const PLACES: &[(&str, &str, Form)] = &[
    ("com.apple.MCX.FileVault2", "Certificate", Form::Certificate),
    ("com.apple.eas.account", "Certificate", Form::Pkcs12("CertificatePassword")),
    ("com.apple.security.pem", "PayloadContent", Form::Certificate),
    ("com.apple.security.pkcs1", "PayloadContent", Form::Certificate),
    ("com.apple.security.pkcs12", "PayloadContent", Form::Pkcs12("Password")),
    ("com.apple.security.root", "PayloadContent", Form::Certificate),
    ("com.apple.systempolicy.rule", "LeafCertificate", Form::Certificate),
];

/// Algorithms that `mdm-pki` does not speak, and that nobody should trust.
const BROKEN: &[(Oid, &str)] = &[
    (Oid::constant("1.2.840.113549.1.1.2"), "MD2"),
    (Oid::constant("1.2.840.113549.1.1.3"), "MD4"),
    (Oid::constant("1.2.840.113549.1.1.4"), "MD5"),
    (Oid::constant("1.2.840.10040.4.3"), "SHA-1"),
];

/// DSA, of whatever length: no system of Apple's trusts it any more.
const DSA: Oid = Oid::constant("1.2.840.10040.4.1");

pub(super) fn check(profile: &Profile, options: &LintOptions, findings: &mut Vec<Finding>) {
    each(profile, |path, read| match read {
        Ok(certificates) => {
            for certificate in &certificates {
                judge(certificate, &path, options, findings);
            }
        }
        Err(message) => findings.push(unreadable(path, message)),
    });
}

/// What the rule `certificate-unreadable` finds in a profile, and nothing else.
pub fn unreadable_certificates(profile: &Profile) -> Vec<Finding> {
    let mut findings = Vec::new();
    let at = profile.wrapped_at().unwrap_or_default();
    each(profile, |path, read| {
        let path = path::join(&at, &path);
        findings.extend(read.err().map(|message| unreadable(path, message)));
    });
    findings
}

fn unreadable(path: String, message: Cow<'static, str>) -> Finding {
    let rule = rule::named("certificate-unreadable");
    Finding::new(rule, path, Severity::Error, message)
}

type Read = Result<Vec<Certificate>, Cow<'static, str>>;

/// Goes through the places with certificates.
fn each(profile: &Profile, mut then: impl FnMut(String, Read)) {
    for (place, payload) in profile.numbered() {
        let own = payload.payload_type().unwrap_or_default();
        for (_, key, form) in PLACES.iter().filter(|(name, _, _)| *name == own) {
            if let Some(bytes) = payload.keys().get(key).and_then(Value::as_data) {
                let path = path::join(&path::index("PayloadContent", place), key);
                then(path, read(bytes, form, &payload));
            }
        }
    }
}

fn read(bytes: &[u8], form: &Form, payload: &RawPayload<'_>) -> Read {
    let Form::Pkcs12(password) = form else {
        return form::certificates(bytes);
    };
    // Without one the user is asked, and nothing can be looked into.
    let Some(password) = payload.keys().get(password).and_then(Value::as_string) else {
        return Ok(Vec::new());
    };
    match Identity::from_pkcs12(bytes, password) {
        Ok(identity) => Ok([vec![identity.certificate], identity.chain].concat()),
        Err(mdm_pki::Error::Password) => Err("does not open with the password beside it".into()),
        // What this OpenSSL cannot read a device may.
        Err(mdm_pki::Error::LegacyProviderMissing(_) | mdm_pki::Error::Unsupported { .. }) => {
            Ok(Vec::new())
        }
        Err(_) => Err("is no PKCS #12 file with a certificate and its key".into()),
    }
}

fn judge(
    certificate: &Certificate,
    path: &str,
    options: &LintOptions,
    findings: &mut Vec<Finding>,
) {
    let subject = certificate.subject();
    let name = subject.common_name().unwrap_or_else(|| subject.to_string());
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
    let weak = match certificate.public_key().map(|key| key.algorithm()) {
        Ok(KeyAlgorithm::Rsa { bits }) if bits < 2048 => Some(format!("of {bits} bits")),
        Ok(KeyAlgorithm::Other(DSA)) => Some("of DSA".to_owned()),
        _ => None,
    };
    if let Some(weak) = weak {
        let what = format!("{name:?} has a key {weak}");
        note("certificate-weak-key", Severity::Warning, what);
    }
    if let Some(digest) = weak_digest(certificate) {
        let what = format!("{name:?} is signed with {digest}");
        note("certificate-weak-signature", Severity::Warning, what);
    }
}

/// The digest under the signature where it is a broken one. What a certificate says of itself proves
/// nothing, so that of a root does not matter.
fn weak_digest(certificate: &Certificate) -> Option<&'static str> {
    if certificate.issuer() == certificate.subject() {
        return None;
    }
    match certificate.signature_algorithm() {
        Some(algorithm) => {
            (SignatureAlgorithm::digest(algorithm) == DigestAlgorithm::Sha1).then_some("SHA-1")
        }
        None => {
            let oid = certificate.signature_oid().ok()?;
            let known = BROKEN.iter().find(|(broken, _)| *broken == oid);
            known.map(|(_, digest)| *digest)
        }
    }
}
