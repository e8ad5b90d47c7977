//! The way through: what a device asks and gets.

use std::sync::Arc;

use chrono::TimeDelta;
use http::{Method, Request};
use mdm_core::Clock as _;
use mdm_pki::{CertificateBuilder, DigestAlgorithm, KeyUsage, Name, oid};
use mdm_scep::{CaTrust, Client, EmbeddedCa, PkiStatus, Responder, Server};
use mdm_transport::{HttpTransport as _, transport_fn};

use crate::world::{CA_KEY, DEVICE_KEY, OTHER_KEY, Setup, URL, World, rsa_key, start};

#[tokio::test]
async fn a_device_enrols_with_its_challenge() {
    let world = World::new();
    let enrolment = world.enrolment(world.challenge().await);
    let enrolled = world.client().enrol(&enrolment).await.unwrap();
    let certificate = &enrolled.certificate;
    assert_eq!(certificate.subject(), Name::from_common_name("device 7"));
    assert!(
        certificate
            .public_key()
            .unwrap()
            .same_key(enrolment.key().public_key())
    );
    assert_eq!(enrolled.issuer, world.root);
    certificate
        .verify_signed_by(&world.root.public_key().unwrap())
        .unwrap();
    assert!(!certificate.is_ca());
    assert_eq!(certificate.extended_key_usages(), [oid::CLIENT_AUTH]);
    let usage = certificate.key_usage().unwrap();
    assert!(usage.contains(KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT));
    assert!(!usage.intersects(KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN));
    assert_eq!(world.events.lines(), ["issued: device 7"]);
    assert_eq!(world.store.issued(), 1);
}

#[tokio::test]
async fn an_ec_authority_enrols_rsa_devices_through_its_registration_authority() {
    let world = World::with(Setup {
        ra: true,
        ..Setup::default()
    });
    let enrolment = world.enrolment(world.challenge().await);
    let enrolled = world.client().enrol(&enrolment).await.unwrap();
    assert_eq!(enrolled.issuer, world.root);
    let ca = world.client().ca_cert().await.unwrap();
    assert_eq!(ca.all(), [world.responder.clone(), world.root.clone()]);
    assert_eq!(ca.recipient(), &world.responder);
    assert!(ca.may_answer(&world.responder) && !ca.may_answer(&world.root));
}

#[tokio::test]
async fn the_operations_come_in_apples_order_and_the_message_by_post() {
    let world = World::new();
    let seen = std::sync::Mutex::new(Vec::new());
    let inner = world.transport();
    let transport = transport_fn(|request: Request<bytes::Bytes>| {
        let line = (
            request.method().clone(),
            request.uri().query().unwrap().to_owned(),
        );
        seen.lock().unwrap().push(line);
        inner.send(request)
    });
    let enrolment = world.enrolment(world.challenge().await);
    let client = world.client_over(&transport).ca("Example CA");
    client.enrol(&enrolment).await.unwrap();
    assert_eq!(
        *seen.lock().unwrap(),
        [
            (
                Method::GET,
                "operation=GetCACert&message=Example%20CA".to_owned()
            ),
            (
                Method::GET,
                "operation=GetCACaps&message=Example%20CA".to_owned()
            ),
            (Method::POST, "operation=PKIOperation".to_owned()),
        ]
    );
}

#[tokio::test]
async fn a_client_of_a_server_without_post_uses_get() {
    let world = World::new();
    let inner = world.transport();
    let transport = transport_fn(|request: Request<bytes::Bytes>| {
        let caps = request.uri().query() == Some("operation=GetCACaps");
        let get = request.method() == Method::GET;
        let answer = inner.send(request);
        async move {
            assert!(get);
            let mut response = answer.await?;
            if caps {
                *response.body_mut() = "AES\r\nSHA-256\r\n".into();
            }
            Ok(response)
        }
    });
    let enrolment = world.enrolment(world.challenge().await);
    world
        .client_over(transport)
        .enrol(&enrolment)
        .await
        .unwrap();
}

#[tokio::test]
async fn the_issued_certificate_comes_first_and_alone() {
    let world = World::with(Setup {
        ra: true,
        ..Setup::default()
    });
    let challenge = world.challenge().await;
    let reply = world.ask(world.request(&challenge).build()).await;
    let certificates = reply.certificates(&rsa_key(DEVICE_KEY));
    assert_eq!(certificates.len(), 1);
    assert_eq!(
        certificates[0].subject().common_name().as_deref(),
        Some("device 7")
    );
}

#[tokio::test]
async fn an_answer_repeats_transaction_and_nonce_and_has_a_fresh_nonce_of_its_own() {
    let world = World::new();
    let mut nonces = Vec::new();
    for _ in 0..2 {
        let challenge = world.challenge().await;
        let raw = world.request(&challenge);
        let reply = world.ask(raw.build()).await;
        let attributes = &reply.message.attributes;
        assert_eq!(attributes.status, Some(PkiStatus::Success));
        assert_eq!(attributes.fail_info, None);
        assert_eq!(
            attributes.transaction_id.as_ref(),
            Some(&raw.transaction_id)
        );
        assert_eq!(attributes.recipient_nonce.as_ref(), Some(&raw.nonce));
        let nonce = attributes.sender_nonce.clone().unwrap();
        assert_eq!(nonce.as_bytes().len(), 16);
        assert_ne!(nonce, raw.nonce);
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn q07_digest_and_cipher_of_the_request_are_mirrored() {
    use mdm_pki::cms::ContentCipher::{Aes128Cbc, Aes192Cbc, Aes256Cbc};
    let world = World::new();
    for digest in [
        DigestAlgorithm::Sha256,
        DigestAlgorithm::Sha384,
        DigestAlgorithm::Sha512,
    ] {
        for cipher in [Aes128Cbc, Aes192Cbc, Aes256Cbc] {
            let challenge = world.challenge().await;
            let raw = world.request(&challenge).with(|raw| {
                raw.digest = digest;
                raw.cipher = cipher;
            });
            let reply = world.ask(raw.build()).await;
            assert_eq!(reply.message.digest(), Some(digest));
            assert_eq!(
                reply.message.open_envelope().unwrap().cipher().unwrap(),
                cipher
            );
            reply.certificates(&raw.key);
        }
    }
}

#[tokio::test]
async fn the_answers_signature_algorithm_is_rsa_encryption() {
    // OID 1.2.840.113549.1.1.1 with NULL; strongSwan takes no other. The only other place where it
    // can stand is the responder's own public key.
    const RSA_ENCRYPTION: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let world = World::new();
    let challenge = world.challenge().await;
    let reply = world.ask(world.request(&challenge).build()).await;
    let signature = reply.message.signature().to_vec();
    let end = reply
        .bytes
        .windows(signature.len())
        .position(|window| window == signature)
        .unwrap();
    // AlgorithmIdentifier, then the header of the OCTET STRING with 256 bytes.
    let before = &reply.bytes[..end - 4];
    assert!(before.ends_with(RSA_ENCRYPTION));
}

#[tokio::test]
async fn not_before_is_set_back_and_not_after_stays_inside_the_issuers() {
    let world = World::new();
    let enrolment = world.enrolment(world.challenge().await);
    let certificate = world.client().enrol(&enrolment).await.unwrap().certificate;
    let now = world.clock.now();
    assert_eq!(certificate.not_before(), now - TimeDelta::minutes(10));
    assert_eq!(certificate.not_after(), now + TimeDelta::days(365));

    let short = World::with(Setup {
        root_validity: std::time::Duration::from_secs(24 * 3600),
        ..Setup::default()
    });
    let enrolment = short.enrolment(short.challenge().await);
    let certificate = short.client().enrol(&enrolment).await.unwrap().certificate;
    assert_eq!(certificate.not_after(), short.root.not_after());
}

#[tokio::test]
async fn an_intermediate_authority_shows_its_chain_and_answers_itself() {
    let root_key = rsa_key(OTHER_KEY);
    let root_name = Name::from_common_name("Example Root");
    let top = CertificateBuilder::new(root_name, root_key.public_key())
        .validity(start(), start() + TimeDelta::days(3650))
        .ca(None)
        .self_signed(&root_key)
        .unwrap();
    let key = rsa_key(CA_KEY);
    let name = Name::from_common_name("Example Issuing CA");
    let issuing = CertificateBuilder::new(name, key.public_key())
        .validity(start(), top.not_after())
        .ca(Some(0))
        .sign(&top, &root_key)
        .unwrap();
    let world = World::new();
    let chain = vec![issuing.clone(), top.clone()];
    let authority = EmbeddedCa::new(chain.clone(), Arc::new(key.clone()), world.store.clone());
    let server = Server::builder(
        Arc::new(authority.unwrap()),
        Responder::local(issuing.clone(), key).unwrap(),
        Arc::new(world.challenges.clone()),
        world.clock.clone(),
    )
    .build()
    .unwrap();
    let server = Arc::new(server);
    let transport = transport_fn(move |request| {
        let server = server.clone();
        async move { Ok(server.handle(request).await) }
    });
    // The pin is that of the root, which only vouches for the rest.
    let trust = CaTrust::Certificate(Box::new(top));
    let client = Client::new(transport, URL.parse().unwrap(), trust, world.clock.clone());
    let ca = client.ca_cert().await.unwrap();
    assert_eq!(ca.all(), chain);
    let enrolment = world.enrolment(world.challenge().await);
    let enrolled = client.enrol(&enrolment).await.unwrap();
    assert_eq!(enrolled.issuer, issuing);
}
