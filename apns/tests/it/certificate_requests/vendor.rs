//! The vendor's signature, and the file for Apple's portal.

use async_trait::async_trait;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use mdm_apns::certificate::{
    PushCertificateRequest, UnfitKey, Vendor,
    upload::{DEFAULT_MAX_BYTES, RequestError},
};
use mdm_pki::{
    Certificate, CertificateRequest, CertificateRequestBuilder, DigestAlgorithm, KeyError, KeySpec,
    Name, PrivateKey, PublicKey, SignatureAlgorithm, Signer, digest,
};

use super::{House, Peer, authority, builder, days, now};

fn signed() -> PushCertificateRequest {
    let house = House::get();
    let vendor = house.vendor();
    vendor.sign(&house.csr, &house.vendor.key, now()).unwrap()
}

/// A file of these three strings.
fn file(csr: &[u8], chain: &str, signature: &[u8]) -> Vec<u8> {
    let (csr, signature) = (STANDARD.encode(csr), STANDARD.encode(signature));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<plist version=\"1.0\"><dict>\
         <key>PushCertRequestCSR</key><string>{csr}</string>\
         <key>PushCertCertificateChain</key><string>{chain}</string>\
         <key>PushCertSignature</key><string>{signature}</string></dict></plist>"
    )
    .into_bytes()
}

fn pem(chain: &[&Certificate]) -> String {
    chain
        .iter()
        .map(|certificate| certificate.to_pem())
        .collect()
}

#[test]
fn openssl_and_plistlib_find_in_the_file_what_apple_asks_for() {
    let test = "openssl_and_plistlib_find_in_the_file_what_apple_asks_for";
    let Some(openssl) = Peer::openssl(test) else {
        return;
    };
    let Some(python) = Peer::find("python3", "--version", test) else {
        return;
    };
    let house = House::get();
    let upload = signed().to_upload().unwrap();
    assert!(!upload.contains('\n'));
    python.write("upload", &upload);
    let script = "import base64, plistlib; \
        p = plistlib.loads(base64.b64decode(open('upload').read(), validate=True)); \
        assert list(p) == ['PushCertRequestCSR', 'PushCertCertificateChain', 'PushCertSignature'], list(p); \
        assert all(type(v) is str for v in p.values()); \
        open('csr', 'wb').write(base64.b64decode(p['PushCertRequestCSR'], validate=True)); \
        open('signature', 'wb').write(base64.b64decode(p['PushCertSignature'], validate=True)); \
        open('chain', 'w').write(p['PushCertCertificateChain'])";
    python.run(&["-c", script]);
    for name in ["csr", "signature", "chain"] {
        openssl.write(
            name,
            std::fs::read(python.folder.path().join(name)).unwrap(),
        );
    }
    openssl.ok("req -inform DER -in csr -verify -noout");
    openssl.write("vendor.pem", house.vendor.certificate.to_pem());
    openssl.write("root.pem", house.root.certificate.to_pem());
    openssl.write("key.pem", openssl.ok("x509 -in vendor.pem -pubkey -noout"));
    let verified = openssl.ok("dgst -sha256 -verify key.pem -signature signature csr");
    assert!(verified.starts_with(b"Verified OK"));
    // The first certificate of the chain is the vendor's; the others lead to the root.
    assert_eq!(
        openssl.ok("x509 -in chain -pubkey -noout"),
        openssl.ok("x509 -in vendor.pem -pubkey -noout")
    );
    openssl.ok("verify -CAfile root.pem -untrusted chain vendor.pem");
}

#[test]
fn what_was_signed_is_read_back_and_holds() {
    let house = House::get();
    let request = signed();
    let chain = [&house.vendor, &house.wwdr, &house.root].map(|it| it.certificate.clone());
    assert_eq!(request.chain(), chain);
    assert_eq!(request.csr(), &house.csr);
    assert!(request.is_for(house.customer.public_key()));
    assert!(!request.is_for(house.vendor.key.public_key()));

    let upload = request.to_upload().unwrap();
    let plist = request.to_plist().unwrap();
    let folded: String = upload
        .as_bytes()
        .chunks(76)
        .map(|line| format!("{}\r\n", String::from_utf8_lossy(line)))
        .collect();
    for form in [upload.as_bytes(), &plist, folded.as_bytes()] {
        let read = PushCertificateRequest::read(form).unwrap();
        assert_eq!(read, request);
        let algorithm = read.verify(now()).unwrap();
        assert_eq!(algorithm, SignatureAlgorithm::RsaPkcs1Sha256);
    }
    assert!(!format!("{request:?}").contains("signature"));
}

/// A key in a KMS: it signs, or does not.
#[derive(Debug)]
struct Kms {
    key: PrivateKey,
    algorithms: Vec<SignatureAlgorithm>,
    is_up: bool,
}

#[async_trait]
impl Signer for Kms {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        &self.algorithms
    }

    async fn sign(
        &self,
        algorithm: SignatureAlgorithm,
        digest: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        match self.is_up {
            true => self.key.sign_digest(algorithm, digest),
            false => Err(KeyError::unavailable("the KMS is down")),
        }
    }
}

#[tokio::test]
async fn a_kms_signs_as_a_key_at_hand_does() {
    let house = House::get();
    let vendor = house.vendor();
    let kms = |key: &PrivateKey, algorithm, is_up| Kms {
        key: key.clone(),
        algorithms: vec![algorithm],
        is_up,
    };
    let (key, sha256) = (&house.vendor.key, SignatureAlgorithm::RsaPkcs1Sha256);
    let up = kms(key, sha256, true);
    let request = vendor.sign_with(&house.csr, &up, now()).await;
    assert_eq!(request.unwrap(), signed());

    let failed = async |kms: Kms| {
        let signing = vendor.sign_with(&house.csr, &kms, now());
        signing.await.unwrap_err()
    };
    let error = failed(kms(key, sha256, false)).await;
    assert!(matches!(
        error,
        RequestError::Signer(KeyError::Unavailable(_))
    ));
    let error = failed(kms(key, SignatureAlgorithm::RsaPssSha256, true)).await;
    assert!(matches!(error, RequestError::Algorithm), "{error:?}");
    let error = failed(kms(&house.customer, sha256, true)).await;
    assert!(matches!(error, RequestError::VendorKey), "{error:?}");
    let error = vendor.sign(&house.csr, &house.customer, now()).unwrap_err();
    assert!(matches!(error, RequestError::VendorKey), "{error:?}");
}

#[test]
fn a_signature_made_elsewhere_is_taken_only_if_it_is_the_vendors() {
    let house = House::get();
    let unsigned = house.vendor().prepare(&house.csr, now()).unwrap();
    assert_eq!(
        unsigned.digest(),
        digest(DigestAlgorithm::Sha256, house.csr.to_der()).unwrap()
    );
    let algorithm = unsigned.algorithm();
    let by = |key: &PrivateKey| key.sign_digest(algorithm, unsigned.digest()).unwrap();
    let request = unsigned.clone().finish(&by(&house.vendor.key)).unwrap();
    assert_eq!(request, signed());
    for signature in [by(&house.customer), Vec::new(), vec![0; 256]] {
        let error = unsigned.clone().finish(&signature).unwrap_err();
        assert!(matches!(error, RequestError::VendorSignature), "{error:?}");
    }
}

#[test]
fn the_chain_is_put_together_from_authorities_in_any_order() {
    let house = House::get();
    let other_root = authority("Test Root CA", None);
    let other_wwdr = authority("Test Developer Relations", Some(&other_root));
    // The same names with other keys, as several generations of an intermediate may have.
    let all = [
        &other_wwdr,
        &house.wwdr,
        &other_root,
        &house.root,
        &house.root,
    ]
    .map(|it| it.certificate.clone());
    let vendor = Vendor::new(house.vendor.certificate.clone(), &all).unwrap();
    assert_eq!(vendor, house.vendor());

    for (authorities, subject) in [
        (&all[..1], &house.vendor),
        (&all[1..2], &house.wwdr),
        (&[], &house.vendor),
    ] {
        match Vendor::new(house.vendor.certificate.clone(), authorities) {
            Err(RequestError::Unlinked { subject: found }) => {
                assert_eq!(found, subject.certificate.subject());
            }
            other => panic!("{other:?}"),
        }
    }
    // Who signed a certificate without being an authority has not issued it.
    let key = &house.customer;
    let below = builder("below", key).sign(&house.vendor.certificate, &house.vendor.key);
    let all = [&house.vendor, &house.wwdr, &house.root].map(|it| it.certificate.clone());
    let error = Vendor::new(below.unwrap(), &all).unwrap_err();
    assert!(matches!(error, RequestError::Unlinked { .. }), "{error:?}");
}

#[test]
fn a_root_that_signed_itself_with_sha1_as_apples_did_is_a_root() {
    let house = House::get();
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let root = builder("Old Root CA", &key)
        .ca(None)
        .signature_algorithm(SignatureAlgorithm::RsaPkcs1Sha1)
        .self_signed(&key)
        .unwrap();
    let vendor_key = house.vendor.key.clone();
    let vendor = builder("Vendor", &vendor_key).sign(&root, &key).unwrap();
    let vendor = Vendor::new(vendor, &[root]).unwrap();
    let request = vendor.sign(&house.csr, &vendor_key, now()).unwrap();
    request.verify(now()).unwrap();
}

#[test]
fn a_chain_is_not_endless() {
    let mut chain = vec![authority("0", None)];
    for depth in 1..9 {
        let above = chain.last().unwrap();
        chain.push(authority(&depth.to_string(), Some(above)));
    }
    let certificates: Vec<Certificate> = chain.iter().map(|it| it.certificate.clone()).collect();
    let (leaf, authorities) = certificates.split_last().unwrap();
    let error = Vendor::new(leaf.clone(), authorities).unwrap_err();
    assert!(matches!(error, RequestError::TooManyCertificates));
    let (last, seven) = certificates[..8].split_last().unwrap();
    assert!(Vendor::new(last.clone(), seven).is_ok());

    let pems = pem(&certificates.iter().collect::<Vec<_>>());
    let error = PushCertificateRequest::read(&file(House::get().csr.to_der(), &pems, b"x"));
    assert!(matches!(error, Err(RequestError::TooManyCertificates)));
}

#[test]
fn nothing_is_signed_or_believed_outside_of_the_certificates_validity() {
    let house = House::get();
    let vendor = house.vendor();
    let signed = signed();
    let both = |at: DateTime<Utc>| {
        let signing = vendor.sign(&house.csr, &house.vendor.key, at).unwrap_err();
        [signing, signed.verify(at).unwrap_err()]
    };
    for error in both(now() + days(31)) {
        match error {
            RequestError::Expired { subject, since } => {
                assert_eq!(subject, house.vendor.certificate.subject());
                assert_eq!(since, now() + days(30));
            }
            other => panic!("{other:?}"),
        }
    }
    for error in both(now() - days(2)) {
        assert!(
            matches!(error, RequestError::NotYetValid { .. }),
            "{error:?}"
        );
    }
    assert!(signed.verify(now() + days(30)).is_ok());
}

/// The customer's request with a byte of its signature changed.
fn forged(csr: &CertificateRequest) -> CertificateRequest {
    let mut der = csr.to_der().to_vec();
    *der.last_mut().unwrap() ^= 1;
    CertificateRequest::from_der(&der).unwrap()
}

#[test]
fn a_request_that_its_own_key_did_not_sign_or_whose_key_is_unfit_is_not_signed() {
    let house = House::get();
    let refused = |csr: &CertificateRequest| {
        let signing = house.vendor().sign(csr, &house.vendor.key, now());
        signing.unwrap_err()
    };
    let error = refused(&forged(&house.csr));
    assert!(
        matches!(error, RequestError::CustomerSignature(_)),
        "{error:?}"
    );
    for (spec, expected) in [
        (KeySpec::Rsa1024, UnfitKey::Short { bits: 1024 }),
        (KeySpec::P384, UnfitKey::NotRsa),
    ] {
        let key = PrivateKey::generate(spec).unwrap();
        let csr = CertificateRequestBuilder::new(Name::from_common_name("x")).sign(&key);
        match refused(&csr.unwrap()) {
            RequestError::CustomerKey(found) => assert_eq!(found, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn every_part_of_a_file_that_does_not_hold_is_named() {
    let house = House::get();
    let [vendor, wwdr, root] = [&house.vendor, &house.wwdr, &house.root].map(|it| &it.certificate);
    let chain = pem(&[vendor, wwdr, root]);
    let csr = house.csr.to_der();
    let sign = |key: &PrivateKey, algorithm| key.sign_message(algorithm, csr).unwrap();
    let good = sign(&house.vendor.key, SignatureAlgorithm::RsaPkcs1Sha256);
    let verdict = |file: Vec<u8>| PushCertificateRequest::read(&file).unwrap().verify(now());

    assert!(verdict(file(csr, &chain, &good)).is_ok());
    // Tools of old signed with SHA-1.
    let sha1 = sign(&house.vendor.key, SignatureAlgorithm::RsaPkcs1Sha1);
    assert_eq!(
        verdict(file(csr, &chain, &sha1)).unwrap(),
        SignatureAlgorithm::RsaPkcs1Sha1
    );
    for signature in [
        sign(&house.customer, SignatureAlgorithm::RsaPkcs1Sha256),
        sign(&house.vendor.key, SignatureAlgorithm::RsaPkcs1Sha512),
        Vec::new(),
    ] {
        let error = verdict(file(csr, &chain, &signature)).unwrap_err();
        assert!(matches!(error, RequestError::VendorSignature), "{error:?}");
    }
    let error = verdict(file(forged(&house.csr).to_der(), &chain, &good)).unwrap_err();
    assert!(
        matches!(error, RequestError::CustomerSignature(_)),
        "{error:?}"
    );
    let error = verdict(file(csr, "none", &good)).unwrap_err();
    assert!(matches!(error, RequestError::NoCertificate), "{error:?}");
    for chain in [
        pem(&[vendor]),
        pem(&[vendor, wwdr]),
        pem(&[vendor, root]),
        pem(&[wwdr, vendor, root]),
        pem(&[vendor, root, wwdr]),
        pem(&[vendor, wwdr, root, root, wwdr]),
    ] {
        let error = verdict(file(csr, &chain, &good)).unwrap_err();
        assert!(matches!(error, RequestError::Unlinked { .. }), "{error:?}");
    }
}

#[test]
fn a_file_that_is_none_is_refused() {
    let house = House::get();
    let chain = house.root.certificate.to_pem();
    let csr = house.csr.to_der();
    let broken = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n";
    for (file, field) in [
        (file(b"no csr", &chain, b"s"), "PushCertRequestCSR"),
        (file(csr, broken, b"s"), "PushCertCertificateChain"),
    ] {
        match PushCertificateRequest::read(&file) {
            Err(RequestError::Field { name, .. }) => assert_eq!(name, field),
            other => panic!("{other:?}"),
        }
    }
    let text = String::from_utf8(file(csr, &chain, b"s")).unwrap();
    let star = text.replace(&STANDARD.encode(b"s"), "*");
    match PushCertificateRequest::read(star.as_bytes()) {
        Err(RequestError::Field { name, .. }) => assert_eq!(name, "PushCertSignature"),
        other => panic!("{other:?}"),
    }
    let without = text.replace("PushCertSignature", "Signature");
    let numbers = text
        .replace("<string>", "<data>")
        .replace("</string>", "</data>");
    for file in [
        &b""[..],
        b"aGVsbG8=",
        b"<plist><dict/></plist>",
        b"<plist>",
        without.as_bytes(),
        numbers.as_bytes(),
    ] {
        let error = PushCertificateRequest::read(file).unwrap_err();
        assert!(matches!(error, RequestError::Plist(_)), "{error:?}");
    }
    for file in [
        &b"{\"json\": 1}"[..],
        house.csr.to_pem().as_bytes(),
        &[0xff; 9],
    ] {
        let error = PushCertificateRequest::read(file).unwrap_err();
        assert!(matches!(error, RequestError::NotBase64), "{error:?}");
    }
    let huge = vec![b'A'; DEFAULT_MAX_BYTES + 1];
    match PushCertificateRequest::read(&huge) {
        Err(RequestError::TooLong { limit }) => assert_eq!(limit, DEFAULT_MAX_BYTES),
        other => panic!("{other:?}"),
    }
    let error = PushCertificateRequest::read_within(text.as_bytes(), 100).unwrap_err();
    assert!(matches!(error, RequestError::TooLong { limit: 100 }));
}

#[test]
fn no_change_of_a_byte_makes_another_request_that_holds() {
    let request = signed();
    for file in [
        request.to_plist().unwrap(),
        request.to_upload().unwrap().into_bytes(),
    ] {
        let mut held = 0;
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1 << (at % 7);
            let Ok(read) = PushCertificateRequest::read(&changed) else {
                continue;
            };
            // White space and the like may change, and nothing that means something.
            match read == request {
                true => held += 1,
                false => assert!(read.verify(now()).is_err(), "byte {at} of {}", file.len()),
            }
        }
        assert!(held < 400, "{held}");
    }
}

#[test]
fn a_file_that_is_cut_off_is_never_the_whole() {
    let file = signed().to_upload().unwrap().into_bytes();
    let step = file.len() / 400;
    for end in (0..file.len() - 8).step_by(step) {
        let cut = PushCertificateRequest::read(&file[..end]);
        assert!(cut.is_err(), "{end} of {}", file.len());
    }
}
