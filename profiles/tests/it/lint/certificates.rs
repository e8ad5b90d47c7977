//! Certificates inside of payloads.

use base64::Engine;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, Identity, KeySpec, Name, PrivateKey, SignatureAlgorithm,
};
use mdm_profiles::{
    Profile,
    lint::{lint, unreadable_certificate, unreadable_certificates},
};

use super::{
    cases::{Case, case},
    one, options,
};

/// A certificate of itself, valid for these days around now.
fn certificate(spec: KeySpec, from: i64, until: i64) -> (Certificate, PrivateKey) {
    certificate_of(Name::from_common_name("Own"), spec, from, until)
}

fn certificate_of(name: Name, spec: KeySpec, from: i64, until: i64) -> (Certificate, PrivateKey) {
    let now: DateTime<Utc> = options().now;
    let key = PrivateKey::generate(spec).unwrap();
    let certificate = CertificateBuilder::new(name, key.public_key())
        .validity(now + TimeDelta::days(from), now + TimeDelta::days(until))
        .self_signed(&key)
        .unwrap();
    (certificate, key)
}

fn der(from: i64, until: i64) -> Vec<u8> {
    certificate(KeySpec::P256, from, until).0.to_der().to_vec()
}

/// A certificate that another one signed with this algorithm.
fn issued(algorithm: SignatureAlgorithm) -> Vec<u8> {
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let days = |days| options().now + TimeDelta::days(days);
    let certificate = |name: &str| {
        CertificateBuilder::new(Name::from_common_name(name), key.public_key())
            .validity(days(-1), days(365))
            .signature_algorithm(algorithm)
    };
    let root = certificate("Root").ca(None).self_signed(&key).unwrap();
    let leaf = certificate("Leaf").sign(&root, &key).unwrap();
    leaf.to_der().to_vec()
}

fn holding(payload_type: &str, content: &[u8], more: &str) -> Profile {
    let data = base64::engine::general_purpose::STANDARD.encode(content);
    let keys = format!("<key>PayloadContent</key><data>{data}</data>{more}");
    one(payload_type, &keys)
}

/// A case for every rule of certificates.
pub(super) fn cases() -> impl Iterator<Item = Case> {
    let weak = certificate(KeySpec::Rsa1024, -1, 365).0;
    [
        ("certificate-expired", der(-9, -1)),
        ("certificate-expires", der(-1, 29)),
        ("certificate-not-yet-valid", der(1, 365)),
        ("certificate-unreadable", b"hello".to_vec()),
        ("certificate-weak-key", weak.to_der().to_vec()),
        (
            "certificate-weak-signature",
            issued(SignatureAlgorithm::RsaPkcs1Sha1),
        ),
    ]
    .into_iter()
    .map(|(rule, certificate)| {
        let profile = holding("com.apple.security.root", &certificate, "");
        case(rule, "PayloadContent[0].PayloadContent", None, profile)
    })
}

fn found(payload_type: &str, content: &[u8], more: &str) -> Vec<&'static str> {
    let report = lint(&holding(payload_type, content, more), &options());
    for finding in &report.findings {
        assert_eq!(finding.path, "PayloadContent[0].PayloadContent");
    }
    report
        .findings
        .iter()
        .map(|finding| finding.rule.id)
        .collect()
}

#[test]
fn a_certificate_is_read_and_its_time_judged() {
    let none: [&str; 0] = [];
    let root = "com.apple.security.root";
    assert_eq!(found(root, &der(-1, 365), ""), none);
    assert_eq!(found(root, b"", ""), ["certificate-unreadable"]);
}

#[test]
fn a_signature_over_a_broken_digest_is_found_but_on_a_root() {
    let root = "com.apple.security.root";
    let strong = issued(SignatureAlgorithm::RsaPkcs1Sha256);
    assert!(found(root, &strong, "").is_empty());
    // With MD5, which nobody here signs with: the last byte of the algorithm's identifier tells.
    const SHA256: &[u8] = b"\x2A\x86\x48\x86\xF7\x0D\x01\x01\x0B";
    let places = strong.windows(SHA256.len()).enumerate();
    let places = places.filter(|(_, window)| *window == SHA256);
    let mut md5 = strong.clone();
    for (place, _) in places {
        md5[place + SHA256.len() - 1] = 4;
    }
    assert_eq!(found(root, &md5, ""), ["certificate-weak-signature"]);

    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let own = CertificateBuilder::new(Name::from_common_name("Root"), key.public_key())
        .validity(options().now, options().now + TimeDelta::days(365))
        .signature_algorithm(SignatureAlgorithm::RsaPkcs1Sha1)
        .self_signed(&key)
        .unwrap();
    assert!(found(root, own.to_der(), "").is_empty());
}

#[test]
fn what_cannot_be_read_can_be_asked_for_alone() {
    let root = "com.apple.security.root";
    assert!(unreadable_certificates(&holding(root, &der(-9, -1), "")).is_empty());
    let found = unreadable_certificates(&holding(root, b"hello", ""));
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].rule.id, "certificate-unreadable");
    assert_eq!(unreadable_certificate(&der(-9, -1)), None);
    assert!(unreadable_certificate(b"").is_some());
}

#[test]
fn a_certificate_without_a_common_name_is_called_by_what_it_has() {
    let name = Name::builder().organization("Example").build();
    let (certificate, _) = certificate_of(name, KeySpec::P256, -9, -1);
    let profile = holding("com.apple.security.root", certificate.to_der(), "");
    let report = lint(&profile, &options());
    let said = &report.findings[0].message;
    assert!(said.starts_with(r#""O=Example" ended on"#), "{said}");
}

#[test]
fn certificates_in_pem_are_read_one_and_all() {
    let pem = |certificates: &[(i64, i64)]| {
        let pem = certificates
            .iter()
            .map(|(from, until)| certificate(KeySpec::P256, *from, *until).0.to_pem());
        pem.collect::<String>()
    };
    let none: [&str; 0] = [];
    for payload_type in ["com.apple.security.pem", "com.apple.security.pkcs1"] {
        assert_eq!(found(payload_type, pem(&[(-1, 365)]).as_bytes(), ""), none);
        let two = pem(&[(-1, 365), (-9, -1)]);
        assert_eq!(
            found(payload_type, two.as_bytes(), ""),
            ["certificate-expired"]
        );
    }
    let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert_eq!(
        found("com.apple.security.pem", garbage, ""),
        ["certificate-unreadable"]
    );
}

#[test]
fn an_identity_is_opened_with_the_password_beside_it() {
    let file = |from: i64, until: i64| {
        let (certificate, key) = certificate(KeySpec::P256, from, until);
        let identity = Identity::new(certificate, Vec::new(), key).unwrap();
        identity.to_pkcs12("hunter2").unwrap()
    };
    let none: [&str; 0] = [];
    let pkcs12 = "com.apple.security.pkcs12";
    let password = |word: &str| format!("<key>Password</key><string>{word}</string>");
    assert_eq!(found(pkcs12, &file(-1, 365), &password("hunter2")), none);
    assert_eq!(
        found(pkcs12, &file(-9, -1), &password("hunter2")),
        ["certificate-expired"]
    );
    assert_eq!(
        found(pkcs12, &file(-1, 365), &password("wrong")),
        ["certificate-unreadable"]
    );
    assert_eq!(
        found(pkcs12, b"hello", &password("hunter2")),
        ["certificate-unreadable"]
    );
    // Without the password the user is asked for it.
    assert_eq!(found(pkcs12, &file(-9, -1), ""), none);
}
