//! The status of single certificates, with the `openssl` program on the other side.

use chrono::SubsecRound as _;
use mdm_pki::{
    DigestAlgorithm, Error, Identity, KeySpec, KeyUsage, PrivateKey, RevocationReason,
    ocsp::{
        CertId, CertStatus, MAX_NONCE, OCSP_SIGNING, OcspError, OcspRequest, OcspResponse,
        OcspResponseBuilder, SingleResponse, refusal,
    },
};

use crate::support::{Openssl, Pki, builder, days, now};

fn delegate(issuer: &Identity, usages: &[mdm_pki::Oid]) -> Identity {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let certificate = builder("responder", &key)
        .key_usage(KeyUsage::DIGITAL_SIGNATURE)
        .extended_key_usage(usages)
        .sign(&issuer.certificate, &issuer.key)
        .unwrap();
    Identity::new(certificate, Vec::new(), key).unwrap()
}

fn answer(issuer: &Identity, by: &Identity, id: &CertId, status: CertStatus) -> Vec<u8> {
    OcspResponseBuilder::new(now())
        .nonce(Some(&[9; 32]))
        .answer(SingleResponse::new(id.clone(), status, now()).until(now() + days(1)))
        .sign(&issuer.certificate, &by.certificate, &by.key)
        .unwrap()
}

fn statuses() -> [CertStatus; 4] {
    let revoked = |reason| CertStatus::Revoked {
        at: now().trunc_subsecs(0) - days(3),
        reason,
    };
    [
        CertStatus::Good,
        CertStatus::Unknown,
        revoked(RevocationReason::Unspecified),
        revoked(RevocationReason::KeyCompromise),
    ]
}

#[test]
fn a_request_reads_back_and_finds_its_issuer_by_every_digest() {
    let (root, other) = (
        &Pki::get().root.certificate,
        &Pki::get().issuing.certificate,
    );
    for digest in [
        DigestAlgorithm::Sha1,
        DigestAlgorithm::Sha256,
        DigestAlgorithm::Sha384,
    ] {
        let id = CertId::with_digest(root, &[0x41, 7], digest).unwrap();
        for request in [
            OcspRequest::new(vec![id.clone(), id.clone()]),
            OcspRequest::new(vec![id.clone()]).with_nonce(&[5; MAX_NONCE]),
        ] {
            let read = OcspRequest::from_der(&request.to_der(), 2).unwrap();
            assert_eq!(read, request);
            assert!(read.certificates[0].is_of(root).unwrap());
            assert!(!read.certificates[0].is_of(other).unwrap());
            assert_eq!(read.certificates[0].serial(), [0x41, 7]);
        }
    }
    let md5 = CertId::with_digest(root, &[1], DigestAlgorithm::Md5).unwrap();
    assert!(!md5.is_of(root).unwrap());
}

#[test]
fn requests_are_bounded_and_no_cut_or_changed_one_does_harm() {
    let root = &Pki::get().root.certificate;
    let id = CertId::new(root, &[7]).unwrap();
    let three = OcspRequest::new(vec![id.clone(); 3]).to_der();
    let error = OcspRequest::from_der(&three, 2).unwrap_err();
    assert!(matches!(error, Error::TooMany { limit: 2, .. }));
    for nonce in [vec![], vec![1; MAX_NONCE + 1]] {
        let request = OcspRequest::new(vec![id.clone()]).with_nonce(&nonce);
        assert!(OcspRequest::from_der(&request.to_der(), 2).is_err());
    }
    assert!(OcspRequest::from_der(&OcspRequest::new(vec![]).to_der(), 2).is_err());
    let good = OcspRequest::new(vec![id]).with_nonce(&[5; 16]).to_der();
    for place in 0..good.len() {
        assert!(OcspRequest::from_der(&good[..place], 2).is_err());
        let mut changed = good.clone();
        changed[place] ^= 0x81;
        let _ = OcspRequest::from_der(&changed, 2);
    }
}

#[test]
fn an_answer_reads_back_from_the_issuer_and_from_whom_it_delegates_to() {
    for issuer in [&Pki::get().root, &Pki::get().issuing] {
        let id = CertId::new(&issuer.certificate, &[7]).unwrap();
        let delegated = delegate(issuer, &[OCSP_SIGNING]);
        for by in [issuer, &delegated] {
            for status in statuses() {
                let der = answer(issuer, by, &id, status.clone());
                let read = OcspResponse::from_der(&der, 1).unwrap();
                read.verify(&issuer.certificate, now()).unwrap();
                let found = read.find(&id).unwrap();
                assert_eq!(found.status, status);
                assert_eq!(found.this_update, now().trunc_subsecs(0));
                assert_eq!(found.next_update, Some(now().trunc_subsecs(0) + days(1)));
                assert_eq!(read.nonce(), Some(&[9; 32][..]));
                assert_eq!(read.produced_at(), now().trunc_subsecs(0));
            }
        }
    }
}

#[test]
fn an_answer_counts_for_its_issuer_in_its_time_and_unaltered() {
    let (root, issuing) = (&Pki::get().root, &Pki::get().issuing);
    let id = CertId::new(&root.certificate, &[7]).unwrap();
    let der = answer(root, root, &id, CertStatus::Good);
    let read = OcspResponse::from_der(&der, 1).unwrap();
    let foreign = read.verify(&issuing.certificate, now());
    assert!(matches!(foreign, Err(Error::BadSignature)));
    for at in [now() - days(1), now() + days(2)] {
        assert!(read.verify(&root.certificate, at).is_err());
    }
    assert!(OcspResponse::from_der(&der, 0).is_err());
    for place in 0..der.len() {
        let mut changed = der.clone();
        changed[place] ^= 1;
        let Ok(read) = OcspResponse::from_der(&changed, 1) else {
            continue;
        };
        if read.verify(&root.certificate, now()).is_ok() {
            assert_eq!(read.answers()[0].status, CertStatus::Good, "{place}");
        }
    }
}

#[test]
fn a_certificate_for_something_else_speaks_for_nobody() {
    let issuing = &Pki::get().issuing;
    let id = CertId::new(&issuing.certificate, &[7]).unwrap();
    let single = || SingleResponse::new(id.clone(), CertStatus::Good, now());
    let device = Pki::get().ec_device();
    let foreign = delegate(&Pki::get().root, &[OCSP_SIGNING]);
    for by in [device, &foreign] {
        let signed = OcspResponseBuilder::new(now()).answer(single()).sign(
            &issuing.certificate,
            &by.certificate,
            &by.key,
        );
        assert!(matches!(signed, Err(Error::Unsupported { .. })));
    }
    let mismatch = OcspResponseBuilder::new(now()).sign(
        &issuing.certificate,
        &issuing.certificate,
        &device.key,
    );
    assert!(matches!(mismatch, Err(Error::KeyMismatch)));
}

#[test]
fn a_refusal_has_a_status_and_nothing_else() {
    assert_eq!(refusal(OcspError::Unauthorized), [0x30, 3, 0x0a, 1, 6]);
    let error = OcspResponse::from_der(&refusal(OcspError::TryLater), 1).unwrap_err();
    assert!(error.to_string().contains("TryLater"), "{error}");
}

#[test]
fn openssl_asks_us_and_believes_our_answers() {
    let Some(openssl) = Openssl::find("ocsp") else {
        return;
    };
    let issuer = &Pki::get().root;
    openssl.write_identity("ca", issuer);
    openssl.write_roots(&[&issuer.certificate]);
    let device = Pki::get().rsa_device();
    openssl.write("leaf.crt", device.certificate.to_pem());
    for digest in ["-sha1", "-sha256"] {
        openssl.ok(&format!(
            "ocsp {digest} -issuer ca.crt -cert leaf.crt -nonce -reqout request.der"
        ));
        let request = OcspRequest::from_der(&openssl.read("request.der"), 4).unwrap();
        let [id] = request.certificates.as_slice() else {
            panic!("one certificate");
        };
        assert!(id.is_of(&issuer.certificate).unwrap());
        assert_eq!(id.serial(), device.certificate.serial());
        assert!(request.nonce.is_some());
        let delegated = delegate(issuer, &[OCSP_SIGNING]);
        for by in [issuer, &delegated] {
            for (status, said) in statuses()
                .into_iter()
                .zip(["good", "unknown", "revoked", "revoked"])
            {
                let response = OcspResponseBuilder::new(now())
                    .nonce(request.nonce.as_deref())
                    .answer(SingleResponse::new(id.clone(), status, now()).until(now() + days(1)))
                    .sign(&issuer.certificate, &by.certificate, &by.key)
                    .unwrap();
                openssl.write("response.der", &response);
                let told = openssl.ok(&format!(
                    "ocsp {digest} -issuer ca.crt -cert leaf.crt -no_nonce -reqin request.der -respin response.der -CAfile roots.pem"
                ));
                let told = String::from_utf8(told).unwrap();
                assert!(told.contains(&format!("leaf.crt: {said}")), "{told}");
            }
        }
    }
}

#[test]
fn we_read_what_openssl_answers() {
    let Some(openssl) = Openssl::find("ocsp") else {
        return;
    };
    let issuer = &Pki::get().root;
    openssl.write_identity("ca", issuer);
    let id = CertId::new(&issuer.certificate, &[0x7f]).unwrap();
    let request = OcspRequest::new(vec![id.clone()]).with_nonce(&[7; 32]);
    openssl.write("request.der", request.to_der());
    openssl.write(
        "index.txt",
        "R\t400101000000Z\t250101000000Z,keyCompromise\t7F\tunknown\t/CN=x\n",
    );
    openssl.ok(
        "ocsp -index index.txt -CA ca.crt -rsigner ca.crt -rkey ca.key -ndays 1 -reqin request.der -respout response.der",
    );
    let read = OcspResponse::from_der(&openssl.read("response.der"), 1).unwrap();
    // It has read its clock after ours.
    read.verify(&issuer.certificate, now() + chrono::TimeDelta::minutes(5))
        .unwrap();
    assert_eq!(read.nonce(), request.nonce.as_deref());
    let revoked = CertStatus::Revoked {
        at: "2025-01-01T00:00:00Z".parse().unwrap(),
        reason: RevocationReason::KeyCompromise,
    };
    assert_eq!(read.find(&id).unwrap().status, revoked);
}
