//! Signed data: written, read, verified in layers, with the `openssl` program on the other side.

use mdm_pki::{
    Certificate, DigestAlgorithm, Error, Identity, KeySpec, Oid, PrivateKey,
    cms::{
        Limits, SignedData, SignedDataBuilder, SignerPurpose, Verification, Verify, VerifyError,
        certs_only, content_type,
    },
    oid,
};

use crate::support::{Openssl, Pki, authority, builder, days, device, now};

const CONTENT: &[u8] = b"a profile\r\nwith \0 bytes";

fn parse(message: &[u8]) -> SignedData {
    SignedData::parse(message, &Limits::default()).unwrap()
}

fn sign(identity: &Identity) -> Vec<u8> {
    SignedDataBuilder::new(CONTENT)
        .signer(&identity.certificate, DigestAlgorithm::Sha256)
        .chain(&identity.chain)
        .sign(&identity.key)
        .unwrap()
}

fn verify(message: &SignedData, roots: &[Certificate]) -> Verification {
    message.verify_one(&Verify::new(roots, now())).unwrap()
}

#[test]
fn a_message_verifies_in_every_layer() {
    let pki = Pki::get();
    let roots = [pki.root.certificate.clone()];
    for identity in [pki.rsa_device(), pki.ec_device()] {
        let message = parse(&sign(identity));
        assert_eq!(message.content(), Some(CONTENT));
        assert_eq!(message.content_type(), oid::DATA);
        let found = verify(&message, &roots);
        assert_eq!(found.trusted().unwrap(), &identity.certificate);
        assert_eq!(
            message.signers()[0].digest_algorithm(),
            Some(DigestAlgorithm::Sha256)
        );
    }
}

#[test]
fn each_layer_fails_alone() {
    let pki = Pki::get();
    let roots = [pki.root.certificate.clone()];
    let message = parse(&sign(pki.rsa_device()));

    let foreign = verify(&message, &[pki.issuing.certificate.clone()]);
    assert!(matches!(foreign.chain, Err(VerifyError::Untrusted { .. })));
    assert!(foreign.signature.is_ok() && foreign.validity.is_ok() && foreign.purpose.is_ok());
    assert!(foreign.trusted().is_err());

    let late = message
        .verify_one(&Verify::new(&roots, now() + days(60)))
        .unwrap();
    assert!(matches!(late.validity, Err(VerifyError::Expired { .. })));
    assert!(late.signature.is_ok() && late.chain.is_ok());
    assert!(late.trusted().is_err() && late.validity_does_not_matter().is_ok());

    let purpose = Verify::new(&roots, now())
        .with(|verify| verify.purpose = SignerPurpose::Usage(oid::CODE_SIGNING));
    let purpose = message.verify_one(&purpose).unwrap();
    assert!(matches!(purpose.purpose, Err(VerifyError::Purpose)));
    assert!(purpose.signature.is_ok() && purpose.chain.is_ok() && purpose.validity.is_ok());
    for allowed in [
        SignerPurpose::Any,
        SignerPurpose::Signing,
        SignerPurpose::Usage(oid::CLIENT_AUTH),
    ] {
        let verify = Verify::new(&roots, now()).with(|verify| verify.purpose = allowed);
        message.verify_one(&verify).unwrap().trusted().unwrap();
    }
}

#[test]
fn a_detached_message_needs_its_content() {
    let pki = Pki::get();
    let device = pki.ec_device();
    let bytes = SignedDataBuilder::new(CONTENT)
        .detached()
        .signer(&device.certificate, DigestAlgorithm::Sha512)
        .chain(&device.chain)
        .sign(&device.key)
        .unwrap();
    let message = parse(&bytes);
    assert_eq!(message.content(), None);
    let roots = [pki.root.certificate.clone()];
    let with = |content| {
        let verify = Verify::new(&roots, now()).with(|verify| verify.detached = content);
        message.verify_one(&verify).unwrap().signature
    };
    assert!(with(Some(CONTENT)).is_ok());
    assert!(matches!(
        with(Some(b"other")),
        Err(VerifyError::ContentAltered)
    ));
    assert!(matches!(with(None), Err(VerifyError::ContentMissing)));
    // A content given beside the one inside must be the same.
    let attached = parse(&sign(device));
    let signer = &attached.signers()[0];
    assert!(attached.verify_signature(signer, Some(CONTENT)).is_ok());
    assert!(matches!(
        attached.verify_signature(signer, Some(b"other")),
        Err(VerifyError::ContentMismatch)
    ));
}

#[test]
fn signed_attributes_are_covered_and_read_back() {
    const KIND: Oid = Oid::constant("2.16.840.1.113733.1.9.2");
    let device = Pki::get().rsa_device();
    let time = "2051-02-03T04:05:06.789Z".parse().unwrap();
    let bytes = SignedDataBuilder::without_content()
        .signer(&device.certificate, DigestAlgorithm::Sha1)
        .signed_attribute(KIND, b"\x13\x0219")
        .signing_time(time)
        .sign(&device.key)
        .unwrap();
    let message = parse(&bytes);
    let signer = &message.signers()[0];
    assert_eq!(message.content(), None);
    assert_eq!(signer.signed_attribute(KIND), Some(&b"\x13\x0219"[..]));
    assert_eq!(signer.signed_attribute(oid::CHALLENGE_PASSWORD), None);
    assert_eq!(
        signer.signing_time().unwrap().to_rfc3339(),
        "2051-02-03T04:05:06+00:00"
    );
    message.verify_signature(signer, None).unwrap();
}

#[test]
fn a_message_without_signed_attributes_verifies_over_its_content() {
    let device = Pki::get().rsa_device();
    let builder = || {
        SignedDataBuilder::new(CONTENT)
            .signer(&device.certificate, DigestAlgorithm::Sha384)
            .without_signed_attributes()
    };
    let message = parse(&builder().sign(&device.key).unwrap());
    assert!(!message.signers()[0].has_signed_attributes());
    message
        .verify_signature(&message.signers()[0], None)
        .unwrap();
    for refused in [
        builder().signing_time(now()),
        builder().content_type(oid::SIGNED_DATA),
    ] {
        assert!(refused.sign(&device.key).is_err());
    }
}

#[test]
fn a_signer_may_be_named_by_its_key() {
    let device = Pki::get().ec_device();
    let bytes = SignedDataBuilder::new(CONTENT)
        .signer(&device.certificate, DigestAlgorithm::Sha256)
        .by_key_id()
        .sign(&device.key)
        .unwrap();
    let message = parse(&bytes);
    assert_eq!(
        message.signers()[0].certificate(),
        Some(&device.certificate)
    );
    message
        .verify_signature(&message.signers()[0], None)
        .unwrap();
}

/// smallstep/certificates#2776: devices send signed attributes in another order than DER's.
#[test]
fn unsorted_signed_attributes_are_verified_as_they_were_sent() {
    let device = Pki::get().rsa_device();
    let bytes = sign(device);
    let attribute = |kind: Oid, value: &[u8]| {
        let mut out = vec![0x30, (2 + kind.as_bytes().len() + 2 + value.len()) as u8, 6];
        out.push(kind.as_bytes().len() as u8);
        out.extend(kind.as_bytes());
        out.extend([0x31, value.len() as u8]);
        out.extend(value);
        out
    };
    let content_type = attribute(oid::CONTENT_TYPE, &[&[6, 9], oid::DATA.as_bytes()].concat());
    let digest = mdm_pki::digest(DigestAlgorithm::Sha256, CONTENT).unwrap();
    let digest = attribute(oid::MESSAGE_DIGEST, &[&[4, 32], &digest[..]].concat());
    let sorted = [content_type.clone(), digest.clone()].concat();
    let unsorted = [digest, content_type].concat();
    assert!(sorted < unsorted);
    let at = bytes
        .windows(sorted.len())
        .position(|window| window == sorted)
        .unwrap();
    let set = [&[0x31, unsorted.len() as u8], &unsorted[..]].concat();
    let signature = device
        .key
        .sign_message(mdm_pki::SignatureAlgorithm::RsaPkcs1Sha256, &set)
        .unwrap();
    let mut altered = bytes.clone();
    altered[at..at + unsorted.len()].copy_from_slice(&unsorted);
    let tail = altered.len() - signature.len();
    altered[tail..].copy_from_slice(&signature);
    let message = parse(&altered);
    message
        .verify_signature(&message.signers()[0], None)
        .unwrap();
}

/// Leaving out the signed attributes turns them into the content.
#[test]
fn a_signature_over_attributes_is_none_over_a_content_that_looks_like_them() {
    let device = Pki::get().rsa_device();
    let attributes = {
        let attribute = |kind: Oid, value: &[u8]| {
            let kind = kind.as_bytes();
            let inside = [
                &[6, kind.len() as u8],
                kind,
                &[0x31, value.len() as u8],
                value,
            ]
            .concat();
            [&[0x30, inside.len() as u8], &inside[..]].concat()
        };
        let digest = mdm_pki::digest(DigestAlgorithm::Sha256, CONTENT).unwrap();
        attribute(oid::MESSAGE_DIGEST, &[&[4, 32], &digest[..]].concat())
    };
    let content = [&[0x31, attributes.len() as u8], &attributes[..]].concat();
    let forged = SignedDataBuilder::new(&content)
        .signer(&device.certificate, DigestAlgorithm::Sha256)
        .without_signed_attributes()
        .sign(&device.key)
        .unwrap();
    let message = parse(&forged);
    assert!(
        message
            .verify_signature(&message.signers()[0], None)
            .is_err()
    );
}

#[test]
fn the_key_must_be_the_signers() {
    let pki = Pki::get();
    let builder = SignedDataBuilder::new(CONTENT)
        .signer(&pki.rsa_device().certificate, DigestAlgorithm::Sha256);
    assert!(matches!(
        builder.sign(&pki.root.key),
        Err(Error::KeyMismatch)
    ));
    assert!(matches!(
        SignedDataBuilder::new(CONTENT).sign(&pki.root.key),
        Err(Error::Incomplete("the signer"))
    ));
    let md5 =
        SignedDataBuilder::new(CONTENT).signer(&pki.rsa_device().certificate, DigestAlgorithm::Md5);
    assert!(matches!(md5.prepare(), Err(Error::Unsupported { .. })));
}

#[tokio::test]
async fn a_key_that_lives_elsewhere_signs_the_same_way() {
    let device = Pki::get().ec_device();
    let builder =
        || SignedDataBuilder::new(CONTENT).signer(&device.certificate, DigestAlgorithm::Sha256);
    let unsigned = builder().prepare().unwrap();
    let signature = device
        .key
        .sign_digest(unsigned.algorithm(), unsigned.digest())
        .unwrap();
    for bytes in [
        builder().sign_with(&device.key).await.unwrap(),
        unsigned.finish(&signature).unwrap(),
    ] {
        let message = parse(&bytes);
        message
            .verify_signature(&message.signers()[0], None)
            .unwrap();
    }
}

#[test]
fn a_signature_by_a_stranger_with_the_same_name_is_not_trusted() {
    let pki = Pki::get();
    let stranger = authority("Test Root", KeySpec::Rsa2048, None);
    let impostor = device("rsa device", KeySpec::Rsa2048, &stranger);
    let found = verify(&parse(&sign(&impostor)), &[pki.root.certificate.clone()]);
    assert!(found.signature.is_ok());
    assert!(matches!(found.chain, Err(VerifyError::Untrusted { .. })));
}

#[test]
fn several_or_no_signers_are_counted() {
    let pki = Pki::get();
    let none = parse(&certs_only(&[pki.root.certificate.clone()]).unwrap());
    assert!(matches!(
        none.verify_one(&Verify::new(&[], now())),
        Err(VerifyError::SignerCount { count: 0 })
    ));
    assert!(none.verify(&Verify::new(&[], now())).unwrap().is_empty());
}

#[test]
fn certificates_alone_keep_their_order_and_omit_the_content() {
    let pki = Pki::get();
    let all = [
        pki.root.certificate.clone(),
        pki.issuing.certificate.clone(),
        pki.ec_device().certificate.clone(),
    ];
    let bytes = certs_only(&all).unwrap();
    let message = parse(&bytes);
    assert_eq!(message.certificates(), all);
    assert_eq!(message.content(), None);
    // SEQUENCE { id-data } and nothing else.
    let omitted = [&[0x30, 11, 6, 9], oid::DATA.as_bytes()].concat();
    assert!(bytes.windows(omitted.len()).any(|window| window == omitted));
}

#[test]
fn certificates_and_signers_are_counted_before_they_are_read() {
    let pki = Pki::get();
    let root = pki.root.certificate.clone();
    let read = |bytes: &[u8], certificates, signers| {
        let limits = Limits::default().with(|limits| {
            limits.certificates = certificates;
            limits.signers = signers;
        });
        SignedData::parse(bytes, &limits)
    };
    let certs = certs_only(&vec![root; 3]).unwrap();
    assert!(read(&certs, 3, 0).is_ok());
    assert!(matches!(
        read(&certs, 2, 0),
        Err(Error::TooMany {
            what: "certificates",
            limit: 2
        })
    ));
    let signed = sign(pki.rsa_device());
    assert!(read(&signed, 2, 1).is_ok());
    assert!(matches!(
        read(&signed, 2, 0),
        Err(Error::TooMany {
            what: "signers",
            limit: 0
        })
    ));
}

#[test]
fn a_message_is_read_from_pem_and_base64_too() {
    let der = sign(Pki::get().ec_device());
    let pem = mdm_pki::pem::encode("PKCS7", &der);
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let url = base64.replace('+', "-").replace('/', "_").replace('=', "");
    for form in [pem.as_bytes(), base64.as_bytes(), url.as_bytes()] {
        assert_eq!(parse(form).content(), Some(CONTENT));
        assert_eq!(
            content_type(form, &Limits::default()).unwrap(),
            oid::SIGNED_DATA
        );
    }
    for other in [&b""[..], b"0", b"<plist/>", &[0x30, 0x80]] {
        assert!(SignedData::parse(other, &Limits::default()).is_err());
        assert!(content_type(other, &Limits::default()).is_err());
    }
}

#[test]
fn the_openssl_program_verifies_what_we_sign() {
    let Some(openssl) = Openssl::find("openssl cms -verify") else {
        return;
    };
    let pki = Pki::get();
    openssl.write_roots(&[&pki.root.certificate]);
    openssl.write("content", CONTENT);
    let p384 = device("p384", KeySpec::P384, &pki.issuing);
    for identity in [pki.rsa_device(), pki.ec_device(), &p384] {
        for digest in [
            DigestAlgorithm::Sha1,
            DigestAlgorithm::Sha256,
            DigestAlgorithm::Sha384,
            DigestAlgorithm::Sha512,
        ] {
            let builder = || {
                SignedDataBuilder::new(CONTENT)
                    .signer(&identity.certificate, digest)
                    .chain(&identity.chain)
            };
            let check = |builder: SignedDataBuilder<'_>, how: &str| {
                openssl.write("m.der", builder.sign(&identity.key).unwrap());
                let line = format!(
                    "cms -verify -binary -inform DER -in m.der -purpose any -CAfile roots.pem -out out {how}"
                );
                openssl.ok(&line);
                assert_eq!(openssl.read("out"), CONTENT);
            };
            check(builder(), "");
            check(builder().signing_time(now()), "");
            check(builder().by_key_id(), "");
            check(builder().detached(), "-content content");
            check(builder().without_signed_attributes(), "");
            check(
                builder().signed_attribute(Oid::constant("1.2.3.4"), &[5, 0]),
                "",
            );
        }
    }
    // And PKCS #7's older reader.
    openssl.write("m.der", sign(pki.rsa_device()));
    openssl.ok("smime -verify -inform DER -in m.der -purpose any -CAfile roots.pem -out out");
    openssl.write(
        "certs.der",
        certs_only(&[pki.root.certificate.clone()]).unwrap(),
    );
    let listed = openssl.ok("pkcs7 -inform DER -in certs.der -print_certs");
    assert!(String::from_utf8_lossy(&listed).contains("Test Root"));
}

#[test]
fn we_verify_what_the_openssl_program_signs() {
    let Some(openssl) = Openssl::find("openssl cms -sign") else {
        return;
    };
    let pki = Pki::get();
    let roots = [pki.root.certificate.clone()];
    openssl.write_roots(&[&pki.issuing.certificate]);
    openssl.write("content", CONTENT);
    for identity in [pki.rsa_device(), pki.ec_device()] {
        openssl.write_identity("signer", identity);
        for how in [
            "-nodetach",
            "-nodetach -stream -indef",
            "-nodetach -stream -indef -noattr",
            "-nodetach -keyid -md sha512",
            "-md sha1",
            "-stream -indef -md sha384",
            "-noattr",
        ] {
            openssl.ok(&format!(
                "cms -sign -binary -in content -signer signer.crt -inkey signer.key -certfile roots.pem -outform DER -out m.der {how}"
            ));
            let message = parse(&openssl.read("m.der"));
            // The program keeps the content inside whenever it streams.
            let attached = how.contains("-nodetach") || how.contains("-stream");
            assert_eq!(message.content().is_some(), attached, "{how}");
            let verify = Verify::new(&roots, now())
                .with(|verify| verify.detached = (!attached).then_some(CONTENT));
            let found = message.verify_one(&verify).unwrap();
            assert_eq!(found.trusted().unwrap(), &identity.certificate, "{how}");
        }
        openssl.ok("cms -sign -binary -nodetach -in content -signer signer.crt -inkey signer.key -outform PEM -out m.pem");
        assert_eq!(parse(&openssl.read("m.pem")).content(), Some(CONTENT));
    }
    openssl.ok("crl2pkcs7 -nocrl -certfile roots.pem -outform DER -out certs.der");
    assert_eq!(
        parse(&openssl.read("certs.der")).certificates(),
        [pki.issuing.certificate.clone()]
    );
}

/// RFC 3279 names the signature where RFC 5652 wants the digest; the peer takes it too.
#[test]
fn a_signers_digest_may_be_named_by_its_rsa_signature() {
    let Some(openssl) = Openssl::find("openssl cms -verify") else {
        return;
    };
    let device = Pki::get().rsa_device();
    openssl.write_roots(&[&Pki::get().root.certificate]);
    let digest = [&[0x30, 11, 6, 9], DigestAlgorithm::Sha256.oid().as_bytes()].concat();
    let signature = [
        &[0x30, 11, 6, 9],
        mdm_pki::SignatureAlgorithm::RsaPkcs1Sha256.oid().as_bytes(),
    ]
    .concat();
    let other = [
        &[0x30, 11, 6, 9],
        mdm_pki::SignatureAlgorithm::RsaPkcs1Sha512.oid().as_bytes(),
    ]
    .concat();
    let renamed = |name: &[u8]| {
        let mut bytes = sign(device);
        // Once among the digests of the message, once with its signer.
        for _ in 0..2 {
            let at = bytes
                .windows(digest.len())
                .position(|window| window == digest)
                .unwrap();
            bytes[at..at + name.len()].copy_from_slice(name);
        }
        bytes
    };
    let bytes = renamed(&signature);
    openssl.write("m.der", &bytes);
    openssl.ok("smime -verify -inform DER -in m.der -purpose any -CAfile roots.pem -out out");
    let message = parse(&bytes);
    let signer = &message.signers()[0];
    assert_eq!(signer.digest_algorithm(), Some(DigestAlgorithm::Sha256));
    message.verify_signature(signer, None).unwrap();
    let message = parse(&renamed(&other));
    assert!(
        message
            .verify_signature(&message.signers()[0], None)
            .is_err()
    );
}

#[test]
fn rsassa_pss_of_the_openssl_program_is_verified() {
    let Some(openssl) = Openssl::find("openssl cms -sign with PSS") else {
        return;
    };
    let pki = Pki::get();
    openssl.write("content", CONTENT);
    // The chain in RSASSA-PSS too.
    openssl.write_identity("ca", &pki.root);
    openssl.write_identity("plain", pki.rsa_device());
    openssl.write("ext", "keyUsage=digitalSignature\n");
    openssl.ok("req -new -key plain.key -subj /CN=pss -out pss.csr");
    openssl.ok("x509 -req -in pss.csr -CA ca.crt -CAkey ca.key -days 3 -extfile ext -out pss.crt -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48");
    let certificate = Certificate::from_pem(&openssl.read("pss.crt")).unwrap();
    certificate
        .verify_signed_by(pki.root.key.public_key())
        .unwrap();
    assert!(matches!(
        certificate.verify_signed_by(pki.rsa_device().key.public_key()),
        Err(Error::BadSignature)
    ));
    let roots = [pki.root.certificate.clone()];
    for (digest, expected) in [
        ("sha256", mdm_pki::SignatureAlgorithm::RsaPssSha256),
        ("sha384", mdm_pki::SignatureAlgorithm::RsaPssSha384),
        ("sha512", mdm_pki::SignatureAlgorithm::RsaPssSha512),
    ] {
        for how in ["", "-noattr", "-keyopt rsa_pss_saltlen:20"] {
            openssl.ok(&format!(
                "cms -sign -binary -nodetach -in content -signer pss.crt -inkey plain.key -md {digest} -keyopt rsa_padding_mode:pss -outform DER -out m.der {how}"
            ));
            let bytes = openssl.read("m.der");
            let message = parse(&bytes);
            let signer = &message.signers()[0];
            assert_eq!(signer.signature_algorithm(), Some(expected), "{how}");
            // The program's certificate begins after the test did.
            verify(&message, &roots).validity_does_not_matter().unwrap();
            let mut altered = bytes.clone();
            *altered.last_mut().unwrap() ^= 1;
            let altered = parse(&altered);
            assert!(matches!(
                altered.verify_signature(&altered.signers()[0], None),
                Err(VerifyError::BadSignature)
            ));
        }
    }
    // Another digest for the mask than for the content is a form of its own.
    openssl.ok("cms -sign -binary -nodetach -in content -signer pss.crt -inkey plain.key -md sha256 -keyopt rsa_padding_mode:pss -keyopt rsa_mgf1_md:sha1 -outform DER -out m.der");
    let message = parse(&openssl.read("m.der"));
    assert!(matches!(
        message.verify_signature(&message.signers()[0], None),
        Err(VerifyError::UnsupportedAlgorithm)
    ));
    assert!(matches!(
        pki.rsa_device()
            .key
            .sign_message(mdm_pki::SignatureAlgorithm::RsaPssSha256, CONTENT),
        Err(Error::Key(mdm_pki::KeyError::UnsupportedAlgorithm))
    ));
}

#[test]
fn two_signers_are_each_judged() {
    let Some(openssl) = Openssl::find("two signers") else {
        return;
    };
    let pki = Pki::get();
    openssl.write("content", CONTENT);
    openssl.write_identity("a", pki.rsa_device());
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let stranger = builder("stranger", &key).self_signed(&key).unwrap();
    openssl.write_identity("b", &Identity::new(stranger, Vec::new(), key).unwrap());
    openssl.ok("cms -sign -binary -nodetach -in content -signer a.crt -inkey a.key -signer b.crt -inkey b.key -outform DER -out m.der");
    let message = parse(&openssl.read("m.der"));
    let roots = [pki.root.certificate.clone()];
    let all = message.verify(&Verify::new(&roots, now())).unwrap();
    assert_eq!(all.len(), 2);
    assert!(all.iter().all(|one| one.signature.is_ok()));
    assert_eq!(all.iter().filter(|one| one.trusted().is_ok()).count(), 1);
    assert!(matches!(
        message.verify_one(&Verify::new(&roots, now())),
        Err(VerifyError::SignerCount { count: 2 })
    ));
}
