//! Certificates and messages of odd form: the fast verifier leaves to OpenSSL whatever OpenSSL might judge otherwise.

use mdm_pki::{
    Certificate, DigestAlgorithm, Identity, KeySpec, Name, PrivateKey, SignatureAlgorithm,
    SignatureVerifier,
    cms::{SignedDataBuilder, VerifyError},
    oid,
};

use crate::{
    signature::{BODY, peer},
    support::{Openssl, Pki, now},
};

fn tlv(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        length @ 0..=0x7f => out.push(length as u8),
        length => out.extend([0x82, (length >> 8) as u8, length as u8]),
    }
    // The long form is not the shortest one below 256.
    if (0x80..0x100).contains(&value.len()) {
        out.splice(1..4, [0x81, value.len() as u8]);
    }
    out.extend(value);
    out
}

fn extension(last_arc: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    let kind = tlv(6, &[0x55, 0x1d, last_arc]);
    let critical = if critical { &[1, 1, 0xff][..] } else { &[] };
    tlv(0x30, &[&kind, critical, &tlv(4, value)].concat())
}

/// A certificate under the test root, part by part.
struct Parts {
    key: KeySpec,
    serial: Vec<u8>,
    not_before: Vec<u8>,
    not_after: Vec<u8>,
    subject: Vec<u8>,
    after_key: Vec<u8>,
    extensions: Vec<u8>,
}

fn time(text: String) -> Vec<u8> {
    tlv(0x17, text.as_bytes())
}

fn name(tag: u8, value: &[u8]) -> Vec<u8> {
    let pair = [tlv(6, oid::COMMON_NAME.as_bytes()), tlv(tag, value)].concat();
    tlv(0x30, &tlv(0x31, &tlv(0x30, &pair)))
}

/// Signs a message with a certificate that was changed before the root signed it.
fn signed_with(change: impl FnOnce(&mut Parts)) -> (Certificate, Vec<u8>) {
    let root = &Pki::get().root;
    let day = chrono::TimeDelta::days(1);
    let mut parts = Parts {
        key: KeySpec::P256,
        serial: vec![1],
        not_before: time((now() - day).format("%y%m%d%H%M%SZ").to_string()),
        not_after: time((now() + day).format("%y%m%d%H%M%SZ").to_string()),
        subject: Name::from_common_name("leaf").to_der().to_vec(),
        after_key: Vec::new(),
        extensions: Vec::new(),
    };
    change(&mut parts);
    let key = PrivateKey::generate(parts.key).unwrap();
    let algorithm = [
        &tlv(6, SignatureAlgorithm::RsaPkcs1Sha256.oid().as_bytes())[..],
        &[5, 0],
    ]
    .concat();
    let algorithm = tlv(0x30, &algorithm);
    let tbs = [
        vec![0xa0, 3, 2, 1, 2],
        tlv(2, &parts.serial),
        algorithm.clone(),
        root.certificate.subject().to_der().to_vec(),
        tlv(0x30, &[parts.not_before, parts.not_after].concat()),
        parts.subject,
        key.public_key().to_spki_der().to_vec(),
        parts.after_key,
        tlv(0xa3, &tlv(0x30, &parts.extensions)),
    ];
    let tbs = tlv(0x30, &tbs.concat());
    let signature = root
        .key
        .sign_message(SignatureAlgorithm::RsaPkcs1Sha256, &tbs)
        .unwrap();
    let bits = tlv(3, &[&[0], &signature[..]].concat());
    let certificate = Certificate::from_der(&tlv(0x30, &[tbs, algorithm, bits].concat())).unwrap();
    let identity = Identity::new(certificate.clone(), Vec::new(), key).unwrap();
    let message = SignedDataBuilder::new(BODY)
        .detached()
        .signer(&identity.certificate, DigestAlgorithm::Sha256)
        .sign(&identity.key)
        .unwrap();
    (certificate, message)
}

type Change = fn(&mut Parts);

#[test]
fn an_odd_certificate_is_accepted_only_where_openssl_accepts_it() {
    let issuers = vec![Pki::get().root.certificate.clone()];
    let verifier = SignatureVerifier::new(issuers.clone()).unwrap();
    let cases: [(&str, bool, Change); 20] = [
        ("nothing odd", true, |_| {}),
        ("critical subjectKeyIdentifier", false, |parts| {
            parts.extensions = extension(14, true, &tlv(4, b"id"));
        }),
        ("critical authorityKeyIdentifier", false, |parts| {
            let id = Pki::get().root.certificate.subject_key_id().unwrap();
            parts.extensions = extension(35, true, &tlv(0x30, &tlv(0x80, id)));
        }),
        ("the issuer's own name", false, |parts| {
            let root = Pki::get().root.certificate.subject();
            parts.subject = root.to_der().to_vec();
            parts.key = KeySpec::Rsa2048;
        }),
        ("otherName without a value", false, |parts| {
            let name = tlv(0xa0, &[6, 1, 42]);
            parts.extensions = extension(17, false, &tlv(0x30, &name));
        }),
        ("otherName with two values", false, |parts| {
            let name = tlv(0xa0, &[6, 1, 42, 0xa0, 4, 5, 0, 5, 0]);
            parts.extensions = extension(17, false, &tlv(0x30, &name));
        }),
        ("alternative name of no known kind", false, |parts| {
            parts.extensions = extension(17, false, &tlv(0x30, &tlv(0x8f, b"x")));
        }),
        ("registeredID", true, |parts| {
            parts.extensions = extension(17, false, &tlv(0x30, &tlv(0x88, &[42])));
        }),
        ("host name", true, |parts| {
            parts.extensions = extension(17, false, &tlv(0x30, &tlv(0x82, b"a.example")));
        }),
        ("validity without seconds", false, |parts| {
            let day = chrono::TimeDelta::days(1);
            parts.not_after = time((now() + day).format("%y%m%d%H%MZ").to_string());
        }),
        ("validity with an offset", false, |parts| {
            let day = chrono::TimeDelta::days(1);
            parts.not_before = time((now() - day).format("%y%m%d%H%M%S+0000").to_string());
        }),
        ("validity with a third time", false, |parts| {
            let third = parts.not_after.clone();
            parts.not_after.extend(third);
        }),
        ("padded serial number", false, |parts| {
            parts.serial = vec![0, 1];
        }),
        ("empty serial number", false, |parts| {
            parts.serial = Vec::new();
        }),
        ("subject that is no UTF-8", false, |parts| {
            parts.subject = name(0x0c, b"\xff");
        }),
        ("subject in half a BMPString", false, |parts| {
            parts.subject = name(0x1e, b"a");
        }),
        ("subject in a BMPString", true, |parts| {
            parts.subject = name(0x1e, b"\0a");
        }),
        ("subject in PrintableString beyond ASCII", true, |parts| {
            parts.subject = name(0x13, b"\xe9");
        }),
        ("unique identifier", true, |parts| {
            parts.after_key = tlv(0x82, &[0, 1]);
        }),
        ("padded arc in an extension's identifier", false, |parts| {
            parts.extensions = tlv(0x30, &[&tlv(6, &[42, 0x80, 3])[..], &tlv(4, b"")].concat());
        }),
    ];
    for (what, accepted, change) in cases {
        let (_, message) = signed_with(change);
        assert_eq!(peer(&issuers, &message, BODY, now()), accepted, "{what}");
        let found = verifier.verify(&message, BODY, now());
        assert_eq!(found.is_ok(), accepted, "{what}: {found:?}");
    }
}

/// Where both the message's list of digests and the signer name another algorithm, or parameters.
#[test]
fn what_names_the_digest_and_nothing_signs_is_held_to_its_form() {
    let pki = Pki::get();
    let issuers = vec![pki.root.certificate.clone()];
    let verifier = SignatureVerifier::new(issuers.clone()).unwrap();
    let device = pki.rsa_device();
    let good = SignedDataBuilder::new(BODY)
        .detached()
        .signer(&device.certificate, DigestAlgorithm::Sha256)
        .sign(&device.key)
        .unwrap();
    let digest = tlv(0x30, &tlv(6, DigestAlgorithm::Sha256.oid().as_bytes()));
    let at = good
        .windows(digest.len())
        .position(|window| window == digest)
        .unwrap();
    let mut other = good.clone();
    // SHA-512 in the list of the message, where the signer says SHA-256.
    other[at + digest.len() - 1] = 3;
    let mut broken = good.clone();
    broken[at] = 0x31;
    // The signer's rsaEncryption with an OCTET STRING in place of NULL.
    let mut parameters = good.clone();
    let tail = good.len() - 256 - 4 - 2;
    assert_eq!(good[tail..tail + 2], [5, 0]);
    parameters[tail] = 4;
    assert!(verifier.verify(&good, BODY, now()).is_ok());
    for (what, message) in [("other", other), ("broken", broken)] {
        assert!(!peer(&issuers, &message, BODY, now()), "{what}");
        assert!(verifier.verify(&message, BODY, now()).is_err(), "{what}");
    }
    assert!(matches!(
        verifier.verify(&parameters, BODY, now()),
        Err(VerifyError::UnsupportedAlgorithm)
    ));
}

#[test]
fn a_certificate_that_openssl_does_not_read_is_told() {
    let (plain, _) = signed_with(|_| {});
    plain.check_form().unwrap();
    let changes: [Change; 3] = [
        |parts| parts.subject = name(0x0c, b"\xff"),
        |parts| parts.subject = name(0x1e, b"a"),
        |parts| parts.serial = vec![0, 1],
    ];
    let openssl = Openssl::find("openssl x509");
    for change in changes {
        let (odd, _) = signed_with(change);
        assert!(odd.check_form().is_err());
        if let Some(openssl) = &openssl {
            openssl.write("odd.der", odd.to_der());
            assert!(openssl.run("x509 -inform DER -in odd.der -noout").is_err());
        }
    }
}
