//! OCSP: what the authority says of its certificates, and the `openssl` program as the client.

use std::{process::Command, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use mdm_core::{Clock as _, ManualClock};
use mdm_pki::{
    Certificate, DigestAlgorithm, KeySpec, Name, PrivateKey, RevocationReason,
    ocsp::{CertId, CertStatus, OcspRequest, OcspResponse},
};
use mdm_scep::{
    CertificateAuthority as _, Error,
    ca::ocsp_responder,
    limit::{Rate, Scope, TokenBuckets},
    ocsp::{OcspLimits, Responder},
    store::Revocation,
};

use crate::{
    listener::Listener,
    peers::missing,
    world::{CA_KEY, OTHER_KEY, Setup, World, YEAR, rsa_key, self_signed, start},
};

fn responder(world: &World) -> Responder {
    let key = Arc::new(rsa_key(CA_KEY));
    Responder::new(
        world.ca.clone(),
        world.root.clone(),
        key,
        world.clock.clone(),
    )
    .unwrap()
}

async fn enrolled(world: &World) -> Certificate {
    let enrolment = world.enrolment(world.challenge().await);
    world.client().enrol(&enrolment).await.unwrap().certificate
}

async fn revoke(world: &World, certificate: &Certificate) {
    let revocation = Revocation::new(world.clock.now(), RevocationReason::KeyCompromise);
    world
        .ca
        .revoke(certificate.serial(), revocation)
        .await
        .unwrap();
}

async fn post(responder: &Responder, body: impl Into<Bytes>) -> Response<Bytes> {
    let request = Request::post("/ocsp").header("content-type", "application/ocsp-request");
    responder.handle(request.body(body.into()).unwrap()).await
}

fn read(response: &Response<Bytes>) -> Result<OcspResponse, mdm_pki::Error> {
    assert_eq!(response.status(), 200);
    assert_eq!(
        response.headers()["content-type"],
        "application/ocsp-response"
    );
    OcspResponse::from_der(response.body(), 16)
}

fn id(world: &World, serial: &[u8]) -> CertId {
    CertId::new(&world.root, serial).unwrap()
}

#[tokio::test]
async fn a_certificate_is_good_until_it_is_revoked_and_a_stranger_is_unknown() {
    let world = World::new();
    let responder = responder(&world);
    let certificate = enrolled(&world).await;
    let ask = async |serial: &[u8]| {
        let question = OcspRequest::new(vec![id(&world, serial)]);
        let answer = read(&post(&responder, question.to_der()).await).unwrap();
        answer.verify(&world.root, world.clock.now()).unwrap();
        assert_eq!(answer.nonce(), None);
        answer.answers()[0].clone()
    };
    let good = ask(certificate.serial()).await;
    assert_eq!(good.status, CertStatus::Good);
    assert_eq!(good.this_update, start());
    assert_eq!(
        good.next_update,
        Some(start() + chrono::TimeDelta::hours(1))
    );
    assert_eq!(ask(&[7; 16]).await.status, CertStatus::Unknown);
    world.clock.advance(Duration::from_secs(60));
    revoke(&world, &certificate).await;
    let revoked = CertStatus::revoked(world.clock.now(), RevocationReason::KeyCompromise);
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(ask(certificate.serial()).await.status, revoked);
}

#[tokio::test]
async fn several_are_answered_about_at_once_in_the_words_of_the_request() {
    let world = World::new();
    let certificate = enrolled(&world).await;
    let serial = certificate.serial();
    let foreign = self_signed(&rsa_key(OTHER_KEY), "Other CA");
    let ids = vec![
        CertId::with_digest(&world.root, serial, DigestAlgorithm::Sha256).unwrap(),
        id(&world, serial),
        CertId::new(&foreign, serial).unwrap(),
    ];
    let question = OcspRequest::new(ids.clone()).with_nonce(&[7; 32]);
    let answer = read(&post(&responder(&world), question.to_der()).await).unwrap();
    answer.verify(&world.root, world.clock.now()).unwrap();
    assert_eq!(answer.nonce(), Some(&[7; 32][..]));
    let expected = [CertStatus::Good, CertStatus::Good, CertStatus::Unknown];
    for (id, status) in ids.iter().zip(expected) {
        assert_eq!(answer.find(id).unwrap().status, status);
    }
}

#[tokio::test]
async fn what_cannot_be_answered_is_told_in_kind() {
    let world = World::new();
    let responder = responder(&world);
    let certificate = enrolled(&world).await;
    let ours = id(&world, certificate.serial());
    let foreign = CertId::new(&self_signed(&rsa_key(OTHER_KEY), "Other CA"), &[7]).unwrap();
    let twin = CertId::new(&self_signed(&rsa_key(OTHER_KEY), "Example CA"), &[7]).unwrap();
    for (question, number) in [
        (Vec::new(), 1),
        (b"hello".to_vec(), 1),
        (OcspRequest::new(Vec::new()).to_der(), 1),
        (OcspRequest::new(vec![ours.clone(); 9]).to_der(), 1),
        (
            OcspRequest::new(vec![ours.clone()])
                .with_nonce(&[1; 129])
                .to_der(),
            1,
        ),
        (OcspRequest::new(vec![foreign]).to_der(), 6),
        (OcspRequest::new(vec![twin]).to_der(), 6),
    ] {
        let response = post(&responder, question).await;
        assert_eq!(response.body(), &[0x30, 3, 0x0a, 1, number][..]);
        assert_eq!(response.headers()["cache-control"], "no-store");
        assert!(read(&response).is_err());
    }
    let small = responder
        .clone()
        .limits(OcspLimits::default().with(|limits| limits.request = 10));
    assert_eq!(post(&small, vec![0; 11]).await.status(), 413);
    let put = Request::put("/").body(Bytes::new()).unwrap();
    let refused = responder.handle(put).await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["allow"]),
        (405, &"GET, POST".parse().unwrap())
    );
    let long = format!("/{}", "M".repeat(20_000));
    let long = Request::get(long).body(Bytes::new()).unwrap();
    assert_eq!(responder.handle(long).await.status(), 414);
    // An authority that has ended says nothing more.
    world.clock.advance(YEAR * 11);
    let late = post(&responder, OcspRequest::new(vec![ours]).to_der()).await;
    assert_eq!(late.body(), &[0x30, 3, 0x0a, 1, 2][..]);
}

#[tokio::test]
async fn a_question_in_the_path_has_an_answer_for_caches() {
    let world = World::new();
    let responder = responder(&world);
    let certificate = enrolled(&world).await;
    let question = OcspRequest::new(vec![id(&world, certificate.serial())]);
    let text = STANDARD.encode(question.to_der());
    let escaped = mdm_transport::percent_encode(&text);
    for path in [
        format!("/{text}"),
        format!("/{escaped}"),
        format!("/ocsp/MDM/{text}"),
    ] {
        let request = Request::get(path).body(Bytes::new()).unwrap();
        let response = responder.handle(request).await;
        let answer = read(&response).unwrap();
        assert_eq!(answer.answers()[0].status, CertStatus::Good);
        let header = |name: &str| response.headers()[name].to_str().unwrap();
        assert_eq!(
            header("cache-control"),
            "max-age=3600, public, no-transform, must-revalidate"
        );
        assert_eq!(header("last-modified"), "Sun, 01 Mar 2026 12:00:00 GMT");
        assert_eq!(header("expires"), "Sun, 01 Mar 2026 13:00:00 GMT");
        assert_eq!(header("etag").len(), 66);
    }
    let fresh = question.with_nonce(&[1; 16]);
    let path = format!(
        "/{}",
        mdm_transport::percent_encode(&STANDARD.encode(fresh.to_der()))
    );
    let request = Request::get(path).body(Bytes::new()).unwrap();
    let response = responder.handle(request).await;
    assert_eq!(read(&response).unwrap().nonce(), Some(&[1; 16][..]));
    assert_eq!(response.headers()["cache-control"], "no-store");
    let nothing = Request::get("/ocsp/").body(Bytes::new()).unwrap();
    assert!(read(&responder.handle(nothing).await).is_err());
}

#[tokio::test]
async fn an_answer_counts_no_longer_than_the_certificate_that_signs_it() {
    let world = World::new();
    let certificate = enrolled(&world).await;
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let name = Name::from_common_name("Example OCSP");
    let day = Duration::from_secs(24 * 3600);
    let delegate = |issuer: &Certificate, issuer_key: &PrivateKey| {
        ocsp_responder(
            name.clone(),
            key.public_key(),
            issuer,
            issuer_key,
            day,
            start(),
        )
        .unwrap()
    };
    let delegated = delegate(&world.root, &rsa_key(CA_KEY));
    let new = |certificate, key: &PrivateKey| {
        Responder::new(
            world.ca.clone(),
            certificate,
            Arc::new(key.clone()),
            world.clock.clone(),
        )
    };
    let responder = new(delegated.clone(), &key).unwrap().lifetime(7 * day);
    let question = OcspRequest::new(vec![id(&world, certificate.serial())]);
    let answer = read(&post(&responder, question.to_der()).await).unwrap();
    answer.verify(&world.root, world.clock.now()).unwrap();
    let next = answer.answers()[0].next_update;
    assert_eq!(next, Some(delegated.not_after()));
    assert!(
        answer
            .verify(&world.root, start() + chrono::TimeDelta::days(2))
            .is_err()
    );

    let stranger = rsa_key(OTHER_KEY);
    let foreign = delegate(&self_signed(&stranger, "Example CA"), &stranger);
    for refused in [
        new(certificate, &key),
        new(delegated, &stranger),
        new(foreign, &key),
    ] {
        assert!(matches!(refused, Err(Error::Configuration(_))));
    }
}

#[tokio::test]
async fn who_asks_too_often_is_told_to_come_later() {
    let world = World::new();
    let rate = Rate::new(1, Duration::from_secs(5));
    let limiter = TokenBuckets::new().rate(Scope::Request, rate);
    let responder = responder(&world).rate_limit(Arc::new(limiter));
    let question = OcspRequest::new(vec![id(&world, &[7])]).to_der();
    assert_eq!(post(&responder, question.clone()).await.status(), 200);
    let later = post(&responder, question).await;
    assert_eq!(later.status(), 429);
    assert_eq!(later.headers()["retry-after"], "5");
}

/// The program asks over a socket, and believes what it is told by the machine's clock.
#[test]
fn openssl_asks_about_a_certificate_over_http() {
    if Command::new("openssl").arg("version").output().is_err() {
        return missing("the openssl program");
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let now = Arc::new(ManualClock::new(chrono::Utc::now()));
    for delegated in [false, true] {
        let world = World::with(Setup {
            now: Some(now.now()),
            ..Setup::default()
        });
        let good = runtime.block_on(enrolled(&world));
        let bad = runtime.block_on(enrolled(&world));
        runtime.block_on(revoke(&world, &bad));
        let (certificate, key) = if delegated {
            let key = PrivateKey::generate(KeySpec::P256).unwrap();
            let name = Name::from_common_name("Example OCSP");
            let certificate = ocsp_responder(
                name,
                key.public_key(),
                &world.root,
                &rsa_key(CA_KEY),
                YEAR,
                world.clock.now(),
            );
            (certificate.unwrap(), key)
        } else {
            (world.root.clone(), rsa_key(CA_KEY))
        };
        let responder = Responder::new(
            world.ca.clone(),
            certificate,
            Arc::new(key),
            world.clock.clone(),
        );
        let responder = Arc::new(responder.unwrap());
        let listener = Listener::serve(move |request| {
            let responder = responder.clone();
            async move { responder.handle(request).await }
        });
        let folder = tempfile::tempdir().unwrap();
        // The program takes the issuer's name from the certificate that it asks about.
        let stranger = self_signed(&rsa_key(OTHER_KEY), "Example CA");
        for (name, certificate) in [
            ("ca", &world.root),
            ("good", &good),
            ("bad", &bad),
            ("stranger", &stranger),
        ] {
            let path = folder.path().join(name);
            std::fs::write(path, certificate.to_pem()).unwrap();
        }
        for digest in ["-sha1", "-sha256"] {
            let output = Command::new("openssl")
                .args(["ocsp", digest, "-issuer", "ca", "-CAfile", "ca", "-nonce"])
                .args(["-cert", "good", "-cert", "bad", "-cert", "stranger"])
                .args(["-url", &listener.url])
                .current_dir(folder.path())
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            let errors = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{said}{errors}");
            assert!(errors.contains("Response verify OK"), "{errors}");
            for told in [
                "good: good",
                "bad: revoked",
                "keyCompromise",
                "stranger: unknown",
            ] {
                assert!(said.contains(told), "{told}: {said}");
            }
        }
    }
}
