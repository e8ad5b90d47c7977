//! Certificates: issued, read, and led to an anchor.

use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, Error, GeneralName, Issuer, KeySpec,
    KeyUsage, Name, PrivateKey, SignatureAlgorithm, chain::Anchors, cms::VerifyError, oid,
};

use crate::support::{Openssl, Pki, authority, builder, days, device, now};

#[test]
fn an_issued_certificate_holds_what_was_asked_for() {
    let pki = Pki::get();
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let names = [
        GeneralName::Dns("mdm.example".into()),
        GeneralName::UserPrincipalName("u@example".into()),
    ];
    let mut builder = CertificateBuilder::new(
        Name::builder()
            .common_name("push")
            .user_id("com.apple.mgmt.x")
            .build(),
        key.public_key(),
    )
    .validity(now(), now() + days(1))
    .key_usage(KeyUsage::DIGITAL_SIGNATURE)
    .extended_key_usage(&[oid::CLIENT_AUTH]);
    for name in &names {
        builder = builder.san(name.clone());
    }
    let certificate = builder
        .sign(&pki.issuing.certificate, &pki.issuing.key)
        .unwrap();
    assert_eq!(certificate.issuer(), pki.issuing.certificate.subject());
    assert_eq!(certificate.subject().common_name().as_deref(), Some("push"));
    assert_eq!(certificate.user_id().as_deref(), Some("com.apple.mgmt.x"));
    assert_eq!(certificate.key_usage(), Some(KeyUsage::DIGITAL_SIGNATURE));
    assert_eq!(certificate.extended_key_usages(), [oid::CLIENT_AUTH]);
    assert_eq!(certificate.subject_alt_names(), names);
    assert_eq!(certificate.serial().len(), 17);
    assert!(!certificate.is_ca() && pki.issuing.certificate.is_ca());
    assert!(certificate.is_valid_at(now()) && !certificate.is_valid_at(now() + days(2)));
    assert_eq!(&certificate.public_key().unwrap(), key.public_key());
    certificate
        .verify_signed_by(pki.issuing.key.public_key())
        .unwrap();
    assert!(certificate.verify_signed_by(key.public_key()).is_err());
    assert_eq!(
        certificate
            .fingerprint(DigestAlgorithm::Sha256)
            .unwrap()
            .len(),
        32
    );
    assert_eq!(
        Certificate::from_pem(certificate.to_pem().as_bytes()).unwrap(),
        certificate
    );
}

#[test]
fn a_certificate_tells_how_it_is_signed_also_by_an_algorithm_that_is_not_known() {
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    for algorithm in [
        SignatureAlgorithm::RsaPkcs1Sha256,
        SignatureAlgorithm::RsaPkcs1Sha1,
    ] {
        let certificate = builder("x", &key).signature_algorithm(algorithm);
        let certificate = certificate.self_signed(&key).unwrap();
        assert_eq!(certificate.signature_algorithm(), Some(algorithm));
        assert_eq!(certificate.signature_oid().unwrap(), algorithm.oid());
    }
    // MD5 with RSA in the place of SHA-256 with RSA, inside and outside.
    const RSA: &[u8] = b"\x2A\x86\x48\x86\xF7\x0D\x01\x01";
    let certificate = builder("x", &key).self_signed(&key).unwrap();
    let mut der = certificate.to_der().to_vec();
    for at in 0..der.len() - RSA.len() {
        if der[at..].starts_with(RSA) && der[at + RSA.len()] == 11 {
            der[at + RSA.len()] = 4;
        }
    }
    let certificate = Certificate::from_der(&der).unwrap();
    assert_eq!(certificate.signature_algorithm(), None);
    let oid = certificate.signature_oid().unwrap();
    assert_eq!(oid.to_string(), "1.2.840.113549.1.1.4");
}

#[test]
fn serial_numbers_are_random_and_positive() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let serial = || {
        builder("x", &key)
            .self_signed(&key)
            .unwrap()
            .serial()
            .to_vec()
    };
    let (first, second) = (serial(), serial());
    assert_ne!(first, second);
    assert!(first[0] < 0x80 && second[0] < 0x80);
}

#[test]
fn a_builder_without_a_validity_or_with_another_key_is_a_typed_error() {
    let pki = Pki::get();
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let bare = CertificateBuilder::new(Name::from_common_name("x"), key.public_key());
    assert!(matches!(bare.self_signed(&key), Err(Error::Incomplete(_))));
    assert!(matches!(
        builder("x", &key).sign(&pki.root.certificate, &key),
        Err(Error::KeyMismatch)
    ));
    assert!(matches!(
        builder("x", &key).self_signed(&pki.root.key),
        Err(Error::KeyMismatch)
    ));
    assert!(builder("x", &key).serial(&[]).self_signed(&key).is_err());
}

#[tokio::test]
async fn a_key_that_lives_elsewhere_issues_the_same_way() {
    let pki = Pki::get();
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let certificate = builder("x", &key)
        .sign_with(&pki.root.certificate, &pki.root.key)
        .await
        .unwrap();
    certificate
        .verify_signed_by(pki.root.key.public_key())
        .unwrap();
    // And without a signer at all.
    let unsigned = builder("x", &key)
        .prepare(
            &Issuer::from_certificate(&pki.root.certificate),
            SignatureAlgorithm::RsaPkcs1Sha512,
        )
        .unwrap();
    let signature = pki
        .root
        .key
        .sign_digest(unsigned.algorithm(), unsigned.digest())
        .unwrap();
    let certificate = unsigned.finish(&signature).unwrap();
    certificate
        .verify_signed_by(pki.root.key.public_key())
        .unwrap();
}

#[test]
fn odd_certificates_of_old_authorities_are_read() {
    let key = PrivateKey::generate(KeySpec::Rsa1024).unwrap();
    for serial in [&[0x80, 1][..], &[0xff; 30], &[0, 0, 1], &[0]] {
        let certificate = builder("x", &key)
            .serial(serial)
            .signature_algorithm(SignatureAlgorithm::RsaPkcs1Sha1)
            .self_signed(&key)
            .unwrap();
        assert_eq!(certificate.serial(), serial);
        certificate.verify_signed_by(key.public_key()).unwrap();
    }
}

#[test]
fn an_issuer_with_a_name_in_a_rare_string_type_is_copied_byte_for_byte() {
    // A UniversalString (28), and a name that is no name at all.
    let attribute = b"\x31\x0d\x30\x0b\x06\x03\x55\x04\x03\x1c\x04\0\0\0a";
    let universal = [&[0x30, attribute.len() as u8], &attribute[..]].concat();
    let name = Name::from_der(&universal).unwrap();
    assert_eq!(name.common_name().as_deref(), Some("a"));
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let issuer = CertificateBuilder::new(name, key.public_key())
        .validity(now(), now() + days(1))
        .ca(None)
        .self_signed(&key)
        .unwrap();
    let issued = builder("x", &key).sign(&issuer, &key).unwrap();
    assert_eq!(issued.issuer().to_der(), universal);
    let chain = Anchors::new(std::slice::from_ref(&issuer)).unwrap();
    chain.verify(&issued, &[], now()).unwrap().trusted.unwrap();
}

#[test]
fn what_is_no_certificate_is_a_typed_error() {
    let der = Pki::get().root.certificate.to_der();
    for cut in 0..der.len() {
        assert!(Certificate::from_der(&der[..cut]).is_err());
    }
    assert!(matches!(
        Certificate::from_pem(b"nothing"),
        Err(Error::Malformed { .. })
    ));
    assert!(Certificate::stack_from_pem(b"nothing").unwrap().is_empty());
}

#[test]
fn a_chain_ends_at_the_first_anchor_it_reaches() {
    let pki = Pki::get();
    let device = &pki.ec_device().certificate;
    let (root, issuing) = (
        pki.root.certificate.clone(),
        pki.issuing.certificate.clone(),
    );
    let verify = |anchors: &[Certificate], between: &[Certificate]| {
        Anchors::new(anchors)
            .unwrap()
            .verify(device, between, now())
            .unwrap()
            .trusted
    };
    let full = verify(&[root.clone()], &[issuing.clone()]).unwrap();
    assert_eq!(full, [device.clone(), issuing.clone(), root.clone()]);
    // An authority that is pinned ends the chain, though it is no root.
    let pinned = verify(&[issuing.clone()], &[]).unwrap();
    assert_eq!(pinned, [device.clone(), issuing.clone()]);
    for failed in [verify(&[root], &[]), verify(&[], &[issuing])] {
        assert!(matches!(failed, Err(VerifyError::Untrusted { .. })));
    }
}

#[test]
fn an_issuer_that_is_no_authority_is_refused() {
    let pki = Pki::get();
    let between = pki.rsa_device();
    let below = device("below", KeySpec::P256, between);
    let chain = Anchors::new(&[pki.root.certificate.clone()])
        .unwrap()
        .verify(&below.certificate, &[between.certificate.clone()], now())
        .unwrap();
    assert!(matches!(chain.trusted, Err(VerifyError::Untrusted { .. })));
    // Nor does pinning make one of it.
    let chain = Anchors::new(&[between.certificate.clone()])
        .unwrap()
        .verify(&below.certificate, &[], now())
        .unwrap();
    assert!(chain.trusted.is_err());
}

#[test]
fn expired_and_not_yet_valid_chains_are_told_from_untrusted_ones() {
    let pki = Pki::get();
    let device = &pki.rsa_device().certificate;
    let anchors = Anchors::new(&[pki.root.certificate.clone()]).unwrap();
    let at = |time| anchors.verify(device, &[], time).unwrap();
    let late = at(now() + days(60));
    assert!(late.trusted.is_ok());
    assert!(
        matches!(late.validity, Err(VerifyError::Expired { since }) if since == device.not_after())
    );
    let early = at(now() - days(60));
    assert!(early.trusted.is_ok());
    assert!(matches!(
        early.validity,
        Err(VerifyError::NotYetValid { .. })
    ));
    let foreign = Anchors::new(&[pki.issuing.certificate.clone()]).unwrap();
    let both = foreign.verify(device, &[], now() + days(60)).unwrap();
    assert!(both.trusted.is_err() && both.validity.is_err());
}

/// Q2: the shape of Apple's own iPhone Device CA, which is RSA-1024, SHA-1, and expired in 2014.
#[test]
fn an_old_device_chain_is_trusted_where_its_authority_is_pinned() {
    let long_ago = now() - days(4000);
    let make = |name: &str, issuer: Option<&mdm_pki::Identity>| {
        let key = PrivateKey::generate(KeySpec::Rsa1024).unwrap();
        let mut builder = CertificateBuilder::new(Name::from_common_name(name), key.public_key())
            .validity(long_ago, long_ago + days(100))
            .signature_algorithm(SignatureAlgorithm::RsaPkcs1Sha1);
        if name != "iPhone" {
            builder = builder.ca(None);
        }
        let certificate = match issuer {
            None => builder.self_signed(&key),
            Some(issuer) => builder.sign(&issuer.certificate, &issuer.key),
        };
        mdm_pki::Identity::new(certificate.unwrap(), Vec::new(), key).unwrap()
    };
    let root = make("Apple Root", None);
    let authority = make("iPhone Device CA", Some(&root));
    let leaf = make("iPhone", Some(&authority));
    let chain = Anchors::new(&[authority.certificate.clone()])
        .unwrap()
        .verify(&leaf.certificate, &[], now())
        .unwrap();
    assert_eq!(chain.trusted.unwrap().len(), 2);
    assert!(matches!(chain.validity, Err(VerifyError::Expired { .. })));
}

#[test]
fn the_openssl_program_verifies_what_we_issue() {
    let Some(openssl) = Openssl::find("openssl verify") else {
        return;
    };
    let pki = Pki::get();
    openssl.write_roots(&[&pki.root.certificate]);
    openssl.write("issuing.pem", pki.issuing.certificate.to_pem());
    openssl.write("device.pem", pki.ec_device().certificate.to_pem());
    openssl.ok("verify -x509_strict -CAfile roots.pem -untrusted issuing.pem device.pem");
    let foreign = authority("Foreign", KeySpec::P256, None);
    openssl.write_roots(&[&foreign.certificate]);
    assert!(
        openssl
            .run("verify -CAfile roots.pem -untrusted issuing.pem device.pem")
            .is_err()
    );
}

#[test]
fn certificates_of_the_openssl_program_are_read() {
    let Some(openssl) = Openssl::find("certificates of openssl req") else {
        return;
    };
    openssl.ok(
        "req -x509 -newkey rsa:2048 -nodes -keyout k.pem -out c.pem -days 36500 -set_serial -5 \
         -subj /C=DE/O=Acme/CN=Test/UID=com.apple.mgmt.x -addext subjectAltName=DNS:a.example,IP:::1,otherName:1.2.3;UTF8:x \
         -addext nameConstraints=permitted;DNS:example -addext keyUsage=critical,digitalSignature,keyCertSign",
    );
    let certificate = Certificate::from_pem(&openssl.read("c.pem")).unwrap();
    assert_eq!(certificate.serial(), [0xfb]);
    assert_eq!(certificate.user_id().as_deref(), Some("com.apple.mgmt.x"));
    assert_eq!(
        certificate.subject().to_string(),
        "UID=com.apple.mgmt.x,CN=Test,O=Acme,C=DE"
    );
    assert!(certificate.is_ca());
    assert_eq!(certificate.subject_alt_names().len(), 3);
    certificate
        .verify_signed_by(&certificate.public_key().unwrap())
        .unwrap();
}
