//! Keys in every form they come in.

use mdm_pki::{
    Certificate, CertificateBuilder, Curve, DigestAlgorithm, Error, Identity, KeyAlgorithm,
    KeyError, KeySpec, KeyTransport, Name, PrivateKey, PublicKey, SignatureAlgorithm, Signer,
};

use crate::{
    crl::in_two_types_of_string,
    support::{Openssl, Pki, skip},
};

#[test]
fn every_kind_of_key_signs_with_every_algorithm_of_its_kind() {
    for spec in [
        KeySpec::Rsa1024,
        KeySpec::Rsa2048,
        KeySpec::P256,
        KeySpec::P384,
        KeySpec::P521,
    ] {
        let key = PrivateKey::generate(spec).unwrap();
        for algorithm in key.algorithms() {
            let signature = key.sign_message(*algorithm, b"message").unwrap();
            let public = key.public_key();
            public.verify(*algorithm, b"message", &signature).unwrap();
            for (message, signature) in [
                (&b"other"[..], &signature[..]),
                (b"message", &signature[1..]),
                (b"message", &[]),
            ] {
                assert!(matches!(
                    public.verify(*algorithm, message, signature),
                    Err(Error::BadSignature)
                ));
            }
        }
        let foreign = match key.public_key().algorithm() {
            KeyAlgorithm::Rsa { .. } => SignatureAlgorithm::EcdsaSha256,
            _ => SignatureAlgorithm::RsaPkcs1Sha256,
        };
        assert!(matches!(
            key.sign_digest(foreign, &[0; 32]),
            Err(KeyError::UnsupportedAlgorithm)
        ));
        assert!(matches!(
            key.sign_digest(key.algorithms()[0], &[0; 31]),
            Err(KeyError::Rejected)
        ));
        assert!(matches!(
            key.public_key().verify(foreign, b"", b""),
            Err(Error::Unsupported { .. })
        ));
    }
}

/// The corner cases that Project Wycheproof tells of.
#[test]
fn an_ecdsa_signature_in_another_encoding_is_refused() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let good = key.sign_message(algorithm, b"x").unwrap();
    let refused = |signature: &[u8]| {
        matches!(
            key.public_key().verify(algorithm, b"x", signature),
            Err(Error::BadSignature)
        )
    };
    assert!(!refused(&good));
    assert!(refused(&[&good[..], &[0]].concat()));
    // The length in its long form, and r with a padding zero.
    assert!(refused(&[&[0x30, 0x81], &good[1..]].concat()));
    let mut padded = good.clone();
    padded[1] += 1;
    padded[3] += 1;
    padded.insert(4, 0);
    assert!(refused(&padded));
    for broken in [
        &[0x30, 6, 2, 1, 0, 2, 1, 0][..],
        &[0x30, 6, 2, 1, 1, 2, 1, 1],
        &[0x30, 4, 2, 0, 2, 0],
        &[0x30, 6, 2, 1, 0x81, 2, 1, 1],
    ] {
        assert!(refused(broken));
    }
}

#[test]
fn the_preferred_algorithm_suits_the_key() {
    let preferred = |spec| PrivateKey::generate(spec).unwrap().algorithms()[0];
    assert_eq!(
        preferred(KeySpec::Rsa2048),
        SignatureAlgorithm::RsaPkcs1Sha256
    );
    assert_eq!(preferred(KeySpec::P256), SignatureAlgorithm::EcdsaSha256);
    assert_eq!(preferred(KeySpec::P384), SignatureAlgorithm::EcdsaSha384);
    assert_eq!(preferred(KeySpec::P521), SignatureAlgorithm::EcdsaSha512);
}

#[test]
fn a_key_survives_every_export() {
    let key = PrivateKey::generate(KeySpec::P384).unwrap();
    assert_eq!(key.public_key().algorithm(), KeyAlgorithm::Ec(Curve::P384));
    let pem = key.to_pkcs8_pem().unwrap();
    let again = [
        PrivateKey::from_pem(pem.as_bytes(), None),
        PrivateKey::from_pem(pem.as_bytes(), Some("not needed")),
        PrivateKey::from_der(&key.to_pkcs8_der().unwrap()),
        PrivateKey::from_pem(
            key.to_encrypted_pkcs8_pem("pass").unwrap().as_bytes(),
            Some("pass"),
        ),
    ];
    for again in again {
        assert_eq!(again.unwrap().public_key(), key.public_key());
    }
    let spki = key.public_key().to_spki_der();
    assert_eq!(&PublicKey::from_spki_der(spki).unwrap(), key.public_key());
    assert_eq!(key.public_key().key_id().unwrap().len(), 20);
}

#[test]
fn an_encrypted_key_without_its_password_is_a_typed_error() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let pem = key.to_encrypted_pkcs8_pem("pass").unwrap();
    let long = "x".repeat(5000);
    for password in [None, Some(""), Some("wrong"), Some(long.as_str())] {
        assert!(matches!(
            PrivateKey::from_pem(pem.as_bytes(), password),
            Err(Error::Password)
        ));
    }
    assert!(matches!(
        key.to_encrypted_pkcs8_pem(""),
        Err(Error::Password)
    ));
}

#[test]
fn what_is_no_key_is_a_typed_error() {
    for pem in [
        "",
        "nonsense",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
    ] {
        assert!(matches!(
            PrivateKey::from_pem(pem.as_bytes(), None),
            Err(Error::Malformed { .. })
        ));
    }
    assert!(PrivateKey::from_der(&[0x30, 0]).is_err());
    assert!(PublicKey::from_spki_der(&[0x30, 0]).is_err());
}

#[test]
fn the_key_never_reaches_debug_output() {
    let key = PrivateKey::generate(KeySpec::Rsa1024).unwrap();
    assert_eq!(
        format!("{key:?}"),
        "PrivateKey { public: PublicKey(Rsa { bits: 1024 }), .. }"
    );
    assert_eq!(key.public_key().rsa_pkcs1_der().unwrap()[0], 0x30);
}

#[tokio::test]
async fn a_local_key_is_a_signer_too() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let digest = mdm_pki::digest(DigestAlgorithm::Sha256, b"x").unwrap();
    let signer: &dyn Signer = &key;
    let algorithm = signer.algorithms()[0];
    let signature = signer.sign(algorithm, &digest).await.unwrap();
    signer
        .public_key()
        .verify_digest(algorithm, &digest, &signature)
        .unwrap();
    let decrypter: &dyn mdm_pki::Decrypter = &key;
    assert!(matches!(
        decrypter
            .unwrap_key(KeyTransport::RsaPkcs1v15, &[0; 256])
            .await,
        Err(KeyError::UnsupportedAlgorithm)
    ));
}

#[test]
fn keys_of_the_openssl_program_are_read_in_every_form() {
    let Some(openssl) = Openssl::find("keys of the openssl program") else {
        return;
    };
    openssl.ok("genrsa -traditional -out rsa1.pem 2048");
    openssl.ok("rsa -in rsa1.pem -traditional -outform DER -out rsa1.der");
    openssl.ok("pkcs8 -topk8 -nocrypt -in rsa1.pem -outform DER -out rsa8.der");
    openssl.ok("pkcs8 -topk8 -passout pass:secret -in rsa1.pem -out rsa8e.pem");
    openssl.ok("pkcs8 -topk8 -passout pass:secret -in rsa1.pem -outform DER -out rsa8e.der");
    openssl.ok("rsa -in rsa1.pem -traditional -aes128 -passout pass:secret -out rsa1e.pem");
    let key = PrivateKey::from_pem(&openssl.read("rsa1.pem"), None).unwrap();
    for again in [
        PrivateKey::from_der(&openssl.read("rsa1.der")),
        PrivateKey::from_der(&openssl.read("rsa8.der")),
        PrivateKey::from_pem(&openssl.read("rsa8e.pem"), Some("secret")),
        PrivateKey::from_encrypted_der(&openssl.read("rsa8e.der"), "secret"),
        PrivateKey::from_pem(&openssl.read("rsa1e.pem"), Some("secret")),
    ] {
        assert_eq!(again.unwrap().public_key(), key.public_key());
    }
    assert!(matches!(
        PrivateKey::from_encrypted_der(&openssl.read("rsa8e.der"), "wrong"),
        Err(Error::Password)
    ));
    openssl.ok("ecparam -name prime256v1 -genkey -noout -out sec1.pem");
    openssl.ok("ec -in sec1.pem -outform DER -out sec1.der");
    let key = PrivateKey::from_pem(&openssl.read("sec1.pem"), None).unwrap();
    let again = PrivateKey::from_der(&openssl.read("sec1.der")).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    openssl.ok("genpkey -algorithm ed25519 -out ed.pem");
    let key = PrivateKey::from_pem(&openssl.read("ed.pem"), None).unwrap();
    assert_eq!(key.public_key().algorithm(), KeyAlgorithm::Ed25519);
    let again = PrivateKey::from_pem(key.to_pkcs8_pem().unwrap().as_bytes(), None).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    // A kind of key that nobody knows is no cipher that is missing.
    let unknown =
        b"-----BEGIN PRIVATE KEY-----\nMA8CAQAwBgYEKgMEBQQCBAA=\n-----END PRIVATE KEY-----\n";
    assert!(matches!(
        PrivateKey::from_pem(unknown, None),
        Err(Error::Malformed { .. })
    ));
    openssl.ok("genpkey -algorithm ed448 -out ed.pem");
    assert!(matches!(
        PrivateKey::from_pem(&openssl.read("ed.pem"), None),
        Err(Error::Unsupported { .. })
    ));
}

#[test]
fn an_identity_needs_the_key_of_its_certificate() {
    let pki = Pki::get();
    let (device, other) = (pki.rsa_device(), pki.ec_device());
    assert!(matches!(
        Identity::new(device.certificate.clone(), Vec::new(), other.key.clone()),
        Err(Error::KeyMismatch)
    ));
    // The certificate that belongs to the key is found wherever it stands.
    let pem = pki.root.certificate.to_pem() + &device.certificate.to_pem();
    let key = device.key.to_pkcs8_pem().unwrap();
    let read = Identity::from_pem(pem.as_bytes(), key.as_bytes(), None).unwrap();
    assert_eq!(read.certificate, device.certificate);
    assert_eq!(read.chain, [pki.root.certificate.clone()]);
    assert!(matches!(
        Identity::from_pem(other.chain_pem().as_bytes(), key.as_bytes(), None),
        Err(Error::KeyMismatch)
    ));
}

#[test]
fn a_chain_is_put_in_order_by_the_rule_of_names() {
    let pki = Pki::get();
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let [printable, utf8] = in_two_types_of_string(&key);
    let leaf = CertificateBuilder::new(Name::from_common_name("leaf"), key.public_key())
        .validity(utf8.not_before(), utf8.not_after())
        .sign(&printable, &key)
        .unwrap();
    let file = [&leaf, &pki.root.certificate, &utf8].map(Certificate::to_pem);
    let pem = key.to_pkcs8_pem().unwrap();
    let read = Identity::from_pem(file.concat().as_bytes(), pem.as_bytes(), None).unwrap();
    assert_eq!(read.chain, [utf8, pki.root.certificate.clone()]);
}

#[test]
fn an_identity_survives_pkcs12() {
    let pki = Pki::get();
    let device = pki.ec_device();
    let chain = vec![
        pki.issuing.certificate.clone(),
        pki.root.certificate.clone(),
    ];
    let identity = Identity::new(device.certificate.clone(), chain, device.key.clone()).unwrap();
    for password in ["", "secret", "päss"] {
        let p12 = identity.to_pkcs12(password).unwrap();
        let again = Identity::from_pkcs12(&p12, password).unwrap();
        assert_eq!(again.certificate, identity.certificate);
        assert_eq!(again.chain, identity.chain);
        assert_eq!(again.key.public_key(), identity.key.public_key());
        assert!(matches!(
            Identity::from_pkcs12(&p12, "wrong"),
            Err(Error::Password)
        ));
    }
    let p12 = identity.to_pkcs12("secret").unwrap();
    assert!(matches!(
        Identity::from_pkcs12(&p12, "a\0b"),
        Err(Error::Password)
    ));
    assert!(matches!(identity.to_pkcs12("a\0b"), Err(Error::Password)));
    assert!(matches!(
        Identity::from_pkcs12(b"nonsense", ""),
        Err(Error::Malformed { .. })
    ));
}

#[test]
fn pkcs12_files_of_the_openssl_program_are_read_old_ones_too() {
    let Some(openssl) = Openssl::find("PKCS #12 files of the openssl program") else {
        return;
    };
    let pki = Pki::get();
    let device = pki.rsa_device();
    openssl.write_identity("device", device);
    openssl.write_roots(&[&pki.root.certificate]);
    let export =
        "pkcs12 -export -in device.crt -inkey device.key -certfile roots.pem -passout pass:secret";
    openssl.ok(&format!("{export} -out new.p12"));
    openssl.ok(&format!(
        "{export} -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1 -out 3des.p12"
    ));
    for name in ["new.p12", "3des.p12"] {
        let read = Identity::from_pkcs12(&openssl.read(name), "secret").unwrap();
        assert_eq!(read.certificate, device.certificate);
        assert_eq!(read.chain, [pki.root.certificate.clone()]);
    }
    if !openssl.has_legacy() {
        return skip("RC2 in PKCS #12", "the legacy provider is missing");
    }
    openssl.ok(&format!("{export} -legacy -out rc2.p12"));
    let read = Identity::from_pkcs12(&openssl.read("rc2.p12"), "secret").unwrap();
    assert_eq!(read.certificate, device.certificate);
    assert!(matches!(
        Identity::from_pkcs12(&openssl.read("rc2.p12"), "wrong"),
        Err(Error::Password)
    ));
    openssl.write("ours.p12", device.to_pkcs12("secret").unwrap());
    openssl.ok("pkcs12 -in ours.p12 -passin pass:secret -nodes -out all.pem");
    let pem = openssl.read("all.pem");
    let read = Identity::from_pem(&pem, &pem, None).unwrap();
    assert_eq!(read.certificate, device.certificate);
}
