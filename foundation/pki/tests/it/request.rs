//! Certificate signing requests.

use mdm_pki::{
    CertificateRequest, CertificateRequestBuilder, Error, GeneralName, KeySpec, KeyUsage, Name,
    PrivateKey, SignatureAlgorithm, oid,
};

use crate::support::Openssl;

fn request(key: &PrivateKey) -> CertificateRequestBuilder {
    CertificateRequestBuilder::new(Name::from_common_name("device"))
        .challenge_password("pass-word 1")
        .key_usage(KeyUsage::from_scep_payload(5))
        .extended_key_usage(&[oid::CLIENT_AUTH])
        .san(GeneralName::Dns("a.example".into()))
        .san(GeneralName::Email("a@example".into()))
        .san(GeneralName::Uri("urn:x".into()))
        .san(GeneralName::UserPrincipalName("u@example".into()))
        .signature_algorithm(key.algorithms()[0])
}

#[test]
fn a_request_holds_what_was_put_in() {
    for spec in [KeySpec::Rsa2048, KeySpec::P256, KeySpec::P384] {
        let key = PrivateKey::generate(spec).unwrap();
        let made = request(&key).sign(&key).unwrap();
        let read = CertificateRequest::from_pem(made.to_pem().as_bytes()).unwrap();
        assert_eq!(read, made);
        read.verify().unwrap();
        assert_eq!(read.subject(), Name::from_common_name("device"));
        assert_eq!(&read.public_key().unwrap(), key.public_key());
        assert_eq!(read.challenge_password().unwrap().expose(), "pass-word 1");
        assert_eq!(read.subject_alt_names().len(), 4);
        assert_eq!(read.extended_key_usages(), [oid::CLIENT_AUTH]);
        assert!(
            read.key_usage()
                .unwrap()
                .contains(KeyUsage::KEY_ENCIPHERMENT)
        );
        assert!(!format!("{made:?} {:?}", request(&key)).contains("pass-word"));
    }
}

#[test]
fn a_bare_request_has_no_attributes() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let read = CertificateRequestBuilder::new(Name::default())
        .sign(&key)
        .unwrap();
    read.verify().unwrap();
    assert!(read.challenge_password().is_none());
    assert!(read.subject_alt_names().is_empty() && read.key_usage().is_none());
}

#[test]
fn the_challenge_password_is_read_from_every_string_type() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    for (value, expected) in [
        (&b"\x13\x02ab"[..], "ab"),
        (b"\x0c\x03a\xc3\xa9", "a\u{e9}"),
        (b"\x16\x02ab", "ab"),
        (b"\x14\x02a\xe9", "a\u{e9}"),
        (b"\x1e\x04\0a\0b", "ab"),
    ] {
        let read = CertificateRequestBuilder::new(Name::default())
            .attribute(oid::CHALLENGE_PASSWORD, value)
            .sign(&key)
            .unwrap();
        assert_eq!(read.challenge_password().unwrap().expose(), expected);
    }
}

#[test]
fn a_request_of_another_key_does_not_prove_possession() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let other = PrivateKey::generate(KeySpec::P256).unwrap();
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let unsigned = request(&key)
        .prepare(other.public_key(), algorithm)
        .unwrap();
    let signature = key.sign_digest(algorithm, unsigned.digest()).unwrap();
    let stolen = unsigned.finish(&signature).unwrap();
    assert!(matches!(stolen.verify(), Err(Error::BadSignature)));
}

#[test]
fn no_flipped_byte_of_a_request_still_verifies() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let der = request(&key).sign(&key).unwrap().to_der().to_vec();
    for at in 0..der.len() {
        for flip in [1, 0x20, 0xff] {
            let mut altered = der.clone();
            altered[at] ^= flip;
            let verdict = CertificateRequest::from_der(&altered).and_then(|read| read.verify());
            assert!(verdict.is_err(), "byte {at}");
        }
        assert!(CertificateRequest::from_der(&der[..at]).is_err());
    }
}

#[test]
fn a_signature_algorithm_of_a_request_has_no_parameters_but_null() {
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let der = request(&key).sign(&key).unwrap().to_der().to_vec();
    let algorithm = [
        &[0x30, 13, 6, 9],
        SignatureAlgorithm::RsaPkcs1Sha256.oid().as_bytes(),
        &[5, 0],
    ]
    .concat();
    let at = der.len() - 256 - 5 - algorithm.len();
    assert_eq!(der[at..at + algorithm.len()], algorithm);
    for (parameters, holds) in [
        (&[5, 0][..], true),
        (&[], true),
        (&[4, 0], false),
        (&[0x30, 0], false),
        (&[5, 1, 0], false),
    ] {
        let mut inside = der[4..at].to_vec();
        inside.extend([0x30, 11 + parameters.len() as u8]);
        inside.extend(&algorithm[2..13]);
        inside.extend(parameters);
        inside.extend(&der[at + algorithm.len()..]);
        let mut altered = vec![0x30, 0x82];
        altered.extend((inside.len() as u16).to_be_bytes());
        altered.extend(inside);
        let read = CertificateRequest::from_der(&altered).unwrap();
        match holds {
            true => read.verify().unwrap(),
            false => assert!(matches!(read.verify(), Err(Error::Unsupported { .. }))),
        }
    }
}

#[tokio::test]
async fn a_key_that_lives_elsewhere_requests_the_same_way() {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    request(&key)
        .sign_with(&key)
        .await
        .unwrap()
        .verify()
        .unwrap();
}

#[test]
fn the_openssl_program_verifies_our_requests_and_we_its() {
    let Some(openssl) = Openssl::find("openssl req") else {
        return;
    };
    for spec in [KeySpec::Rsa2048, KeySpec::P256, KeySpec::P521] {
        let key = PrivateKey::generate(spec).unwrap();
        openssl.write("r.pem", request(&key).sign(&key).unwrap().to_pem());
        let text = openssl.ok("req -in r.pem -verify -noout -text");
        let text = String::from_utf8_lossy(&text);
        for expected in [
            "CN = device",
            "challengePassword",
            "pass-word 1",
            "DNS:a.example",
            "Key Encipherment",
        ] {
            assert!(text.contains(expected), "{expected} in {text}");
        }
    }
    openssl.write(
        "req.cnf",
        "[req]\ndistinguished_name=dn\nprompt=no\nattributes=at\nreq_extensions=ex\n[dn]\nCN=x\n\
         [at]\nchallengePassword=secret\n[ex]\nsubjectAltName=DNS:b.example\n",
    );
    openssl.ok("req -new -config req.cnf -newkey rsa:2048 -nodes -keyout k.pem -out theirs.pem");
    let theirs = CertificateRequest::from_pem(&openssl.read("theirs.pem")).unwrap();
    theirs.verify().unwrap();
    assert_eq!(theirs.challenge_password().unwrap().expose(), "secret");
    assert_eq!(
        theirs.subject_alt_names(),
        [GeneralName::Dns("b.example".into())]
    );
}
