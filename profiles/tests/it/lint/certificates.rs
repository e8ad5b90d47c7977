//! Certificates inside of payloads.

use base64::Engine;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{Certificate, CertificateBuilder, Identity, KeySpec, Name, PrivateKey};
use mdm_profiles::lint::lint;

use super::{one, options};

/// A certificate of itself, valid for these days around now.
fn certificate(spec: KeySpec, from: i64, until: i64) -> (Certificate, PrivateKey) {
    let now: DateTime<Utc> = options().now;
    let key = PrivateKey::generate(spec).unwrap();
    let certificate = CertificateBuilder::new(Name::from_common_name("Own"), key.public_key())
        .validity(now + TimeDelta::days(from), now + TimeDelta::days(until))
        .self_signed(&key)
        .unwrap();
    (certificate, key)
}

fn der(from: i64, until: i64) -> Vec<u8> {
    certificate(KeySpec::P256, from, until).0.to_der().to_vec()
}

fn found(payload_type: &str, content: &[u8], more: &str) -> Vec<&'static str> {
    let data = base64::engine::general_purpose::STANDARD.encode(content);
    let keys = format!("<key>PayloadContent</key><data>{data}</data>{more}");
    let report = lint(&one(payload_type, &keys), &options());
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
    assert_eq!(found(root, &der(-9, -1), ""), ["certificate-expired"]);
    assert_eq!(found(root, &der(1, 365), ""), ["certificate-not-yet-valid"]);
    assert_eq!(found(root, &der(-1, 29), ""), ["certificate-expires"]);
    assert_eq!(found(root, b"hello", ""), ["certificate-unreadable"]);
    assert_eq!(found(root, b"", ""), ["certificate-unreadable"]);
    let (weak, _) = certificate(KeySpec::Rsa1024, -1, 365);
    assert_eq!(found(root, weak.to_der(), ""), ["certificate-weak-key"]);
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
