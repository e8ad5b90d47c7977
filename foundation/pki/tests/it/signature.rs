//! The fast verifier decides as OpenSSL does.

use chrono::{DateTime, Utc};
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, Identity, KeySpec, KeyUsage, Name, Oid,
    PrivateKey, SignatureVerifier,
    cms::{Limits, SignedDataBuilder, VerifyError},
    oid,
};
use openssl::{
    pkcs7::{Pkcs7, Pkcs7Flags},
    stack::Stack,
    x509::{
        X509, X509PurposeId, store::X509StoreBuilder, verify::X509VerifyFlags,
        verify::X509VerifyParam,
    },
};

use crate::support::{Openssl, Pki, authority, builder, days, device, now};

pub(crate) const BODY: &[u8] = b"<plist><dict><key>MessageType</key></dict></plist>";

fn sign(identity: &Identity) -> Vec<u8> {
    SignedDataBuilder::new(BODY)
        .detached()
        .signer(&identity.certificate, DigestAlgorithm::Sha256)
        .chain(&identity.chain)
        .sign(&identity.key)
        .unwrap()
}

/// What the `openssl` crate says, told to accept any purpose and to end at the issuer.
pub(crate) fn peer(
    issuers: &[Certificate],
    signature: &[u8],
    body: &[u8],
    at: DateTime<Utc>,
) -> bool {
    let mut parameters = X509VerifyParam::new().unwrap();
    parameters.set_time(at.timestamp());
    parameters.set_purpose(X509PurposeId::ANY).unwrap();
    parameters
        .set_flags(X509VerifyFlags::PARTIAL_CHAIN)
        .unwrap();
    let mut store = X509StoreBuilder::new().unwrap();
    for issuer in issuers {
        store
            .add_cert(X509::from_der(issuer.to_der()).unwrap())
            .unwrap();
    }
    store.set_param(&parameters).unwrap();
    let Ok(message) = Pkcs7::from_der(signature) else {
        return false;
    };
    let none = Stack::new().unwrap();
    message
        .verify(&none, &store.build(), Some(body), None, Pkcs7Flags::BINARY)
        .is_ok()
}

struct Case {
    name: &'static str,
    issuers: Vec<Certificate>,
    signature: Vec<u8>,
    body: &'static [u8],
    at: DateTime<Utc>,
    accepted: bool,
}

fn check(case: &Case) {
    let verifier = SignatureVerifier::new(case.issuers.clone()).unwrap();
    let ours = verifier.verify(&case.signature, case.body, case.at);
    assert_eq!(
        ours.is_ok(),
        case.accepted,
        "{}: ours says {ours:?}",
        case.name
    );
    let peer = peer(&case.issuers, &case.signature, case.body, case.at);
    assert_eq!(peer, case.accepted, "{}: the peer says {peer}", case.name);
}

fn leaf(change: impl FnOnce(CertificateBuilder) -> CertificateBuilder) -> Identity {
    let issuer = &Pki::get().root;
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let certificate = change(builder("leaf", &key))
        .sign(&issuer.certificate, &issuer.key)
        .unwrap();
    Identity::new(certificate, Vec::new(), key).unwrap()
}

#[test]
fn the_verdict_is_openssls_in_every_case() {
    let pki = Pki::get();
    let root = || vec![pki.root.certificate.clone()];
    let (rsa, ec) = (pki.rsa_device(), pki.ec_device());
    let case = |name, signature, accepted| Case {
        name,
        issuers: root(),
        signature,
        body: BODY,
        at: now(),
        accepted,
    };
    let tampered = {
        let mut bytes = sign(rsa);
        *bytes.last_mut().unwrap() ^= 1;
        bytes
    };
    let with_issuing = |identity: &Identity| {
        Identity::new(
            identity.certificate.clone(),
            vec![pki.issuing.certificate.clone()],
            identity.key.clone(),
        )
        .unwrap()
    };
    let constrained = {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let certificate = builder("constrained", &key)
            .ca(None)
            // nameConstraints: only DNS names below "example".
            .extension(
                Oid::constant("2.5.29.30"),
                true,
                b"\x30\x0d\xa0\x0b\x30\x09\x82\x07example",
            )
            .sign(&pki.root.certificate, &pki.root.key)
            .unwrap();
        Identity::new(certificate, Vec::new(), key).unwrap()
    };
    let outside = {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let certificate = builder("x", &key)
            .san(mdm_pki::GeneralName::Dns("a.invalid".into()))
            .sign(&constrained.certificate, &constrained.key)
            .unwrap();
        Identity::new(certificate, Vec::new(), key).unwrap()
    };
    let lone_key = PrivateKey::generate(KeySpec::P256).unwrap();
    let lone = Identity::new(
        builder("rsa device", &lone_key)
            .self_signed(&lone_key)
            .unwrap(),
        Vec::new(),
        lone_key,
    )
    .unwrap();
    let not_an_authority = device("x", KeySpec::P256, rsa);
    let md = |digest| {
        SignedDataBuilder::new(BODY)
            .detached()
            .signer(&rsa.certificate, digest)
            .sign(&rsa.key)
            .unwrap()
    };
    let bare = SignedDataBuilder::new(BODY)
        .detached()
        .signer(&rsa.certificate, DigestAlgorithm::Sha256)
        .without_signed_attributes()
        .sign(&rsa.key)
        .unwrap();
    let ber = {
        // The outer SEQUENCE and the context tag in it, with indefinite lengths.
        let der = sign(rsa);
        let inside = &der[4..];
        let content_type = &inside[..11];
        let signed_data = &inside[15..];
        [
            &[0x30, 0x80],
            content_type,
            &[0xa0, 0x80],
            signed_data,
            &[0; 4],
        ]
        .concat()
    };
    let unknown = Oid::constant("1.2.3.4");
    let cases = vec![
        case(
            "directly issued, clientAuth only, with chain",
            sign(rsa),
            true,
        ),
        case("SHA-1", md(DigestAlgorithm::Sha1), true),
        case("SHA-512", md(DigestAlgorithm::Sha512), true),
        case("no signed attributes", bare, true),
        case("BER", ber, true),
        case("longer chain", sign(&with_issuing(ec)), true),
        case(
            "longer chain without its middle",
            sign(&Identity::new(ec.certificate.clone(), Vec::new(), ec.key.clone()).unwrap()),
            false,
        ),
        case("tampered signature", tampered, false),
        case("self-signed with the same subject", sign(&lone), false),
        case(
            "foreign authority of the same name",
            sign(&device(
                "rsa device",
                KeySpec::P256,
                &authority("Test Root", KeySpec::Rsa2048, None),
            )),
            false,
        ),
        case(
            "below something that is no authority",
            sign(&not_an_authority),
            false,
        ),
        case(
            "without any key usage",
            sign(&leaf(|builder| builder)),
            true,
        ),
        case(
            "key usage without digitalSignature",
            sign(&leaf(|builder| {
                builder.key_usage(KeyUsage::KEY_ENCIPHERMENT)
            })),
            true,
        ),
        case(
            "an authority as signer",
            sign(&leaf(|builder| builder.ca(None))),
            true,
        ),
        case("the issuer itself as signer", sign(&pki.root), true),
        case(
            "critical unknown extension",
            sign(&leaf(|builder| builder.extension(unknown, true, &[5, 0]))),
            false,
        ),
        case(
            "unknown extension",
            sign(&leaf(|builder| builder.extension(unknown, false, &[5, 0]))),
            true,
        ),
        case(
            "negative serial",
            sign(&leaf(|builder| builder.serial(&[0x85]))),
            true,
        ),
        Case {
            name: "tampered body",
            body: b"other",
            ..case("", sign(rsa), false)
        },
        Case {
            name: "expired",
            at: now() + days(60),
            ..case("", sign(rsa), false)
        },
        Case {
            name: "not yet valid",
            at: now() - days(60),
            ..case("", sign(rsa), false)
        },
        Case {
            name: "pinned authority",
            issuers: vec![pki.issuing.certificate.clone()],
            ..case("", sign(ec), true)
        },
        Case {
            name: "no issuer",
            issuers: vec![],
            ..case("", sign(rsa), false)
        },
        Case {
            name: "an issuer that stands twice",
            issuers: vec![pki.root.certificate.clone(), pki.root.certificate.clone()],
            ..case("", sign(rsa), true)
        },
        Case {
            name: "one issuer of several",
            issuers: vec![
                pki.issuing.certificate.clone(),
                pki.root.certificate.clone(),
            ],
            ..case("", sign(rsa), true)
        },
        Case {
            name: "outside of name constraints",
            issuers: vec![constrained.certificate.clone()],
            ..case("", sign(&outside), false)
        },
        Case {
            name: "the leaf itself configured",
            issuers: vec![lone.certificate.clone()],
            ..case("", sign(&lone), true)
        },
        Case {
            name: "issuer that is no authority",
            issuers: vec![rsa.certificate.clone()],
            ..case("", sign(&not_an_authority), false)
        },
    ];
    for case in &cases {
        check(case);
    }
}

#[test]
fn an_expired_issuer_issues_no_trust() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let certificate = CertificateBuilder::new(Name::from_common_name("old"), key.public_key())
        .validity(now() - days(10), now() - days(1))
        .ca(None)
        .self_signed(&key)
        .unwrap();
    let old = Identity::new(certificate, Vec::new(), key).unwrap();
    check(&Case {
        name: "expired issuer",
        issuers: vec![old.certificate.clone()],
        signature: sign(&device("x", KeySpec::P256, &old)),
        body: BODY,
        at: now(),
        accepted: false,
    });
}

#[test]
fn refusals_say_what_is_wrong() {
    let pki = Pki::get();
    let verifier = SignatureVerifier::new(vec![pki.root.certificate.clone()]).unwrap();
    let good = sign(pki.rsa_device());
    let verify = |signature: &[u8], body: &[u8], at| verifier.verify(signature, body, at);
    assert!(matches!(
        verify(&good, b"x", now()),
        Err(VerifyError::ContentAltered)
    ));
    assert!(matches!(
        verify(&good, BODY, now() + days(60)),
        Err(VerifyError::Expired { .. })
    ));
    assert!(matches!(
        verify(&good, BODY, now() - days(60)),
        Err(VerifyError::NotYetValid { .. })
    ));
    assert!(matches!(
        verify(b"", BODY, now()),
        Err(VerifyError::Unreadable(_))
    ));
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    assert!(matches!(
        verify(&bad, BODY, now()),
        Err(VerifyError::BadSignature)
    ));
    let stranger = device(
        "rsa device",
        KeySpec::P256,
        &authority("Other", KeySpec::P256, None),
    );
    assert!(matches!(
        verify(&sign(&stranger), BODY, now()),
        Err(VerifyError::Untrusted { .. })
    ));
    let attached = SignedDataBuilder::new(b"inside")
        .signer(&pki.rsa_device().certificate, DigestAlgorithm::Sha256)
        .sign(&pki.rsa_device().key)
        .unwrap();
    assert!(matches!(
        verify(&attached, BODY, now()),
        Err(VerifyError::ContentMismatch)
    ));
    assert_eq!(
        verify(&attached, b"inside", now()).unwrap(),
        pki.rsa_device().certificate
    );
    let certs = mdm_pki::cms::certs_only(&[pki.root.certificate.clone()]).unwrap();
    assert!(matches!(
        verify(&certs, BODY, now()),
        Err(VerifyError::SignerCount { count: 0 })
    ));
    let crowd = SignedDataBuilder::new(BODY)
        .detached()
        .signer(&pki.rsa_device().certificate, DigestAlgorithm::Sha256)
        .chain(&vec![pki.root.certificate.clone(); 16])
        .sign(&pki.rsa_device().key)
        .unwrap();
    assert!(matches!(
        verify(&crowd, BODY, now()),
        Err(VerifyError::Unreadable(mdm_pki::Error::TooMany {
            limit: 16,
            ..
        }))
    ));
    let tight = SignatureVerifier::new(vec![pki.root.certificate.clone()])
        .unwrap()
        .limits(Limits::default().with(|limits| limits.bytes = 100));
    assert!(matches!(
        tight.verify(&good, BODY, now()),
        Err(VerifyError::Unreadable(_))
    ));
}

#[test]
fn the_header_form_is_read_as_it_comes() {
    let pki = Pki::get();
    let verifier = SignatureVerifier::new(vec![pki.root.certificate.clone()]).unwrap();
    let pem = mdm_pki::pem::encode("PKCS7", &sign(pki.rsa_device()));
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    assert_eq!(
        verifier.verify(base64.as_bytes(), BODY, now()).unwrap(),
        pki.rsa_device().certificate
    );
}

#[test]
fn ber_several_signers_and_missing_certificates_of_the_openssl_program() {
    let Some(openssl) = Openssl::find("Mdm-Signature made by openssl") else {
        return;
    };
    let pki = Pki::get();
    let issuers = vec![pki.root.certificate.clone()];
    let verifier = SignatureVerifier::new(issuers.clone()).unwrap();
    openssl.write("body", BODY);
    openssl.write_identity("a", pki.rsa_device());
    openssl.write_identity(
        "b",
        &leaf(|builder| builder.extended_key_usage(&[oid::CLIENT_AUTH])),
    );
    let make = |how: &str| {
        openssl.ok(&format!(
            "cms -sign -binary -in body -signer a.crt -inkey a.key -outform DER -out m.der {how}"
        ));
        openssl.read("m.der")
    };
    for how in [
        "-stream -indef",
        "-stream -indef -noattr",
        "-md sha512",
        "-nosmimecap",
    ] {
        check(&Case {
            name: "BER and other forms",
            issuers: issuers.clone(),
            signature: make(how),
            body: BODY,
            at: now(),
            accepted: true,
        });
    }
    let ber = make("-stream -indef");
    assert_eq!(ber[1], 0x80);
    let by_key = make("-keyid");
    assert!(verifier.verify(&by_key, BODY, now()).is_ok());
    assert!(matches!(
        verifier.verify(&make("-signer b.crt -inkey b.key"), BODY, now()),
        Err(VerifyError::SignerCount { count: 2 })
    ));
    assert!(matches!(
        verifier.verify(&make("-nocerts"), BODY, now()),
        Err(VerifyError::CertificateMissing)
    ));
}

#[test]
fn duplicate_extensions_are_openssls_to_judge() {
    let twice = leaf(|builder| {
        builder
            .extension(oid::KEY_USAGE, false, &[3, 2, 7, 0x80])
            .extension(oid::KEY_USAGE, false, &[3, 2, 7, 0x80])
    });
    let issuers = vec![Pki::get().root.certificate.clone()];
    let signature = sign(&twice);
    let ours = SignatureVerifier::new(issuers.clone())
        .unwrap()
        .verify(&signature, BODY, now())
        .is_ok();
    assert_eq!(ours, peer(&issuers, &signature, BODY, now()));
}
