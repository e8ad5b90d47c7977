//! Servers that a client must not believe.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use mdm_pki::{
    Certificate, CertificateBuilder, DigestAlgorithm, KeySpec, Name, PrivateKey,
    cms::{EnvelopedDataBuilder, certs_only},
    oid,
};
use mdm_scep::{
    CaTrust, Client, Enrolled, Enrolment, Error, FailInfo, MessageType, Nonce, PkiMessage,
    PkiStatus, TransactionId,
    ca::{RootUse, registration_authority, root},
    client::CaCertificates,
    message::MessageBuilder,
};
use mdm_transport::{HttpTransport, TransportError, TransportErrorKind, transport_fn};

use crate::{
    requests::{elements, indefinite},
    world::{
        CA_KEY, DEVICE_KEY, OTHER_KEY, RA_KEY, Setup, URL, World, YEAR, rsa_key, self_signed, start,
    },
};

/// A server that answers PKIOperation as `answer` likes, and the rest as it should.
fn rogue<F>(world: &World, answer: F) -> impl HttpTransport
where
    F: Fn(PkiMessage) -> Response<Bytes> + Send + Sync + 'static,
{
    let inner = world.transport();
    let answer = Arc::new(answer);
    let inner = Arc::new(inner);
    transport_fn(move |request: Request<Bytes>| {
        let (inner, answer) = (inner.clone(), answer.clone());
        async move {
            if request.method() == http::Method::POST {
                return Ok(answer(PkiMessage::parse(request.body(), 1 << 20).unwrap()));
            }
            inner.send(request).await
        }
    })
}

fn reply_to(request: &PkiMessage) -> MessageBuilder {
    PkiMessage::build(
        MessageType::CertRep,
        request.attributes.transaction_id.clone().unwrap(),
        Nonce::random().unwrap(),
    )
    .recipient_nonce(request.attributes.sender_nonce.clone().unwrap())
}

fn signed(reply: &MessageBuilder, certificate: &Certificate, key: usize) -> Response<Bytes> {
    let bytes = reply
        .sign(certificate, DigestAlgorithm::Sha256, &rsa_key(key))
        .unwrap();
    Response::new(bytes.into())
}

/// A SUCCESS with these certificates, encrypted to the request's signer.
fn success(request: &PkiMessage, certificates: &[Certificate]) -> MessageBuilder {
    let content = certs_only(certificates).unwrap();
    let envelope = EnvelopedDataBuilder::new(&content)
        .recipient(request.signer().unwrap())
        .encrypt()
        .unwrap();
    reply_to(request)
        .status(PkiStatus::Success)
        .envelope(envelope)
}

fn leaf(key: usize, issuer: &Certificate, issuer_key: &PrivateKey) -> Certificate {
    CertificateBuilder::new(
        Name::from_common_name("device 7"),
        rsa_key(key).public_key(),
    )
    .validity(start(), issuer.not_after())
    .sign(issuer, issuer_key)
    .unwrap()
}

async fn enrol<F>(answer: F) -> Result<Enrolled, Error>
where
    F: Fn(&World, PkiMessage) -> Response<Bytes> + Send + Sync + 'static,
{
    let world = Arc::new(World::new());
    let enrolment = world.enrolment(world.challenge().await);
    let inside = world.clone();
    let transport = rogue(&world, move |message| answer(&inside, message));
    world.client_over(transport).enrol(&enrolment).await
}

#[tokio::test]
async fn an_honest_answer_made_by_hand_is_taken() {
    let enrolled = enrol(|world, request| {
        let chain = [
            world.root.clone(),
            leaf(DEVICE_KEY, &world.root, &rsa_key(CA_KEY)),
        ];
        signed(&success(&request, &chain), &world.root, CA_KEY)
    })
    .await
    .unwrap();
    assert_eq!(
        enrolled.certificate.subject(),
        Name::from_common_name("device 7")
    );
}

/// The same message without the certificates that came along.
fn without_certificates(message: &[u8]) -> Vec<u8> {
    // ContentInfo, [0], SignedData: the certificates are under the tag [0].
    let info = elements(message);
    let signed = elements(&elements(&info[1])[0]);
    let rest: Vec<_> = signed.into_iter().filter(|it| it[0] != 0xa0).collect();
    let signed = indefinite(0xa0, &indefinite(0x30, &rest.concat()));
    indefinite(0x30, &[info[0].clone(), signed].concat())
}

/// Microsoft's server answers so.
#[tokio::test]
async fn an_answer_without_certificates_is_verified_with_those_of_getcacert() {
    let answer = |change: u8| {
        move |world: &World, request: PkiMessage| {
            let chain = [leaf(DEVICE_KEY, &world.root, &rsa_key(CA_KEY))];
            let whole = signed(&success(&request, &chain), &world.root, CA_KEY);
            let mut whole = whole.body().to_vec();
            // A message ends with its signature.
            *whole.last_mut().unwrap() ^= change;
            Response::new(without_certificates(&whole).into())
        }
    };
    let enrolled = enrol(answer(0)).await.unwrap();
    assert_eq!(
        enrolled.certificate.subject(),
        Name::from_common_name("device 7")
    );
    let altered = enrol(answer(1)).await;
    assert!(matches!(altered, Err(Error::Signature)), "{altered:?}");
    let stranger = enrol(|world, request| {
        let by = self_signed(&rsa_key(CA_KEY), "Stranger");
        let chain = [leaf(DEVICE_KEY, &world.root, &rsa_key(CA_KEY))];
        let whole = signed(&success(&request, &chain), &by, CA_KEY);
        Response::new(without_certificates(whole.body()).into())
    })
    .await;
    assert!(matches!(stranger, Err(Error::Missing(_))), "{stranger:?}");
}

#[tokio::test]
async fn a_refusal_carries_reason_and_text() {
    let error = enrol(|world, request| {
        let text = Some("not today".to_owned());
        signed(
            &reply_to(&request).failure(FailInfo::BadTime, text),
            &world.root,
            CA_KEY,
        )
    })
    .await
    .unwrap_err();
    assert!(error.is_refused() && !error.is_temporary());
    assert_eq!(
        error.to_string(),
        "the server refused the request: badTime (not today)"
    );
}

#[tokio::test]
async fn the_servers_own_refusal_arrives_typed() {
    let world = World::new();
    let enrolment = world.enrolment("0".repeat(40).into());
    let error = world.client().enrol(&enrolment).await.unwrap_err();
    assert!(matches!(
        error,
        Error::Refused { fail_info: FailInfo::BadRequest, text: Some(text) }
            if text == "the challenge is not accepted"
    ));
}

#[tokio::test]
async fn a_pending_answer_names_its_transaction() {
    let error = enrol(|world, request| {
        signed(
            &reply_to(&request).status(PkiStatus::Pending),
            &world.root,
            CA_KEY,
        )
    })
    .await
    .unwrap_err();
    let id = TransactionId::for_key(rsa_key(DEVICE_KEY).public_key()).unwrap();
    assert!(error.is_temporary());
    assert!(matches!(error, Error::Pending { transaction_id } if transaction_id == id));
}

#[tokio::test]
async fn an_answer_signed_by_another_is_refused() {
    let stranger = enrol(|world, request| {
        let chain = [leaf(DEVICE_KEY, &world.root, &rsa_key(CA_KEY))];
        let stranger = self_signed(&rsa_key(OTHER_KEY), "Example CA");
        signed(&success(&request, &chain), &stranger, OTHER_KEY)
    });
    assert!(matches!(stranger.await, Err(Error::Signer)));
    // Same key and name, but not the certificate that GetCACert returned.
    let twin = enrol(|world, request| {
        let chain = [leaf(DEVICE_KEY, &world.root, &rsa_key(CA_KEY))];
        let twin = self_signed(&rsa_key(CA_KEY), "Example CA");
        signed(&success(&request, &chain), &twin, CA_KEY)
    });
    assert!(matches!(twin.await, Err(Error::Signer)));
}

#[tokio::test]
async fn an_answer_to_another_request_is_refused() {
    let transaction = enrol(|world, request| {
        let reply = PkiMessage::build(
            MessageType::CertRep,
            TransactionId::new("another").unwrap(),
            Nonce::random().unwrap(),
        )
        .recipient_nonce(request.attributes.sender_nonce.unwrap())
        .failure(FailInfo::BadAlg, None);
        signed(&reply, &world.root, CA_KEY)
    });
    assert!(matches!(
        transaction.await,
        Err(Error::Mismatch("transactionID"))
    ));
    let nonce = enrol(|world, request| {
        let reply = reply_to(&request)
            .recipient_nonce(Nonce::random().unwrap())
            .failure(FailInfo::BadAlg, None);
        signed(&reply, &world.root, CA_KEY)
    });
    assert!(matches!(
        nonce.await,
        Err(Error::Mismatch("recipientNonce"))
    ));
    let kind = enrol(|world, request| {
        let attributes = request.attributes;
        let reply = PkiMessage::build(
            MessageType::PkcsReq,
            attributes.transaction_id.unwrap(),
            Nonce::random().unwrap(),
        )
        .recipient_nonce(attributes.sender_nonce.unwrap())
        .failure(FailInfo::BadAlg, None);
        signed(&reply, &world.root, CA_KEY)
    });
    assert!(matches!(kind.await, Err(Error::Mismatch("messageType"))));
}

#[tokio::test]
async fn a_certificate_of_another_key_or_issuer_is_refused() {
    let key = enrol(|world, request| {
        let chain = [leaf(OTHER_KEY, &world.root, &rsa_key(CA_KEY))];
        signed(&success(&request, &chain), &world.root, CA_KEY)
    });
    assert!(matches!(
        key.await,
        Err(Error::Certificate("is of another key"))
    ));
    let issuer = enrol(|world, request| {
        let impostor = self_signed(&rsa_key(OTHER_KEY), "Example CA");
        let chain = [leaf(DEVICE_KEY, &impostor, &rsa_key(OTHER_KEY))];
        signed(&success(&request, &chain), &world.root, CA_KEY)
    });
    assert!(matches!(
        issuer.await,
        Err(Error::Certificate("is of another issuer"))
    ));
    let nothing = enrol(|world, request| signed(&success(&request, &[]), &world.root, CA_KEY));
    assert!(matches!(nothing.await, Err(Error::Certificate(_))));
    let empty = enrol(|world, request| {
        signed(
            &reply_to(&request).status(PkiStatus::Success),
            &world.root,
            CA_KEY,
        )
    });
    assert!(matches!(empty.await, Err(Error::Missing("envelope"))));
}

#[tokio::test]
async fn a_weak_digest_is_refused_by_name() {
    let error = enrol(|world, request| {
        let reply = reply_to(&request)
            .failure(FailInfo::BadAlg, None)
            .sign(&world.root, DigestAlgorithm::Sha1, &rsa_key(CA_KEY))
            .unwrap();
        Response::new(reply.into())
    })
    .await
    .unwrap_err();
    assert!(matches!(error, Error::Algorithm(name) if name == "Sha1"));
}

#[tokio::test]
async fn web_pages_failures_and_endless_bodies_are_typed() {
    let page = enrol(|_, _| {
        let page = Bytes::from_static(b"<!DOCTYPE html><title>Sign in</title>");
        Response::builder()
            .header("content-type", "text/html")
            .body(page)
            .unwrap()
    });
    assert!(matches!(page.await, Err(Error::Content { body, .. }) if body.starts_with(b"<!")));
    let failure = enrol(|_, _| Response::builder().status(502).body(Bytes::new()).unwrap());
    assert!(failure.await.unwrap_err().is_temporary());
    let endless = enrol(|_, _| Response::new(vec![0x30; 1 << 20].into()));
    assert!(matches!(endless.await, Err(Error::TooLarge { .. })));

    let world = World::new();
    let cut = transport_fn(|_| async { Err(TransportError::new(TransportErrorKind::TooLarge)) });
    let error = world.client_over(cut).ca_caps().await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 4096 }));
    let gone = transport_fn(|_| async { Err(TransportError::new(TransportErrorKind::Connect)) });
    let error = world.client_over(gone).ca_cert().await.unwrap_err();
    assert!(error.is_temporary());
}

#[tokio::test]
async fn no_changed_byte_of_an_answer_yields_another_certificate() {
    let world = World::new();
    let enrolment = world.enrolment(world.challenge().await);
    let expected = world.client().enrol(&enrolment).await.unwrap().certificate;
    let inner = Arc::new(world.transport());
    for place in (0..2600).step_by(7) {
        let inner = inner.clone();
        let transport = transport_fn(move |request: Request<Bytes>| {
            let inner = inner.clone();
            async move {
                let post = request.method() == http::Method::POST;
                let mut response = inner.send(request).await?;
                if post {
                    let mut body = response.body().to_vec();
                    if let Some(byte) = body.get_mut(place) {
                        *byte ^= 1;
                    }
                    *response.body_mut() = body.into();
                }
                Ok(response)
            }
        });
        if let Ok(enrolled) = world.client_over(transport).enrol(&enrolment).await {
            assert_eq!(enrolled.certificate, expected, "byte {place}");
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_the_pinned_one_learns_nothing() {
    let world = World::new();
    for (trust, trusted) in [
        (CaTrust::sha256(vec![0; 32]), false),
        (
            CaTrust::Certificate(Box::new(self_signed(&rsa_key(OTHER_KEY), "Example CA"))),
            false,
        ),
        (CaTrust::Certificate(Box::new(world.root.clone())), true),
        (CaTrust::Any, true),
    ] {
        let client = Client::new(
            world.transport(),
            URL.parse().unwrap(),
            trust,
            world.clock.clone(),
        );
        let enrolment = world.enrolment(world.challenge().await);
        let events = world.events.lines().len();
        match client.enrol(&enrolment).await {
            Ok(_) => assert!(trusted),
            Err(error) => {
                assert!(matches!(error, Error::Untrusted) && !trusted);
                assert_eq!(world.events.lines().len(), events, "no message was sent");
            }
        }
    }
}

#[test]
fn a_fingerprints_length_tells_its_digest() {
    let world = World::new();
    for digest in [
        DigestAlgorithm::Md5,
        DigestAlgorithm::Sha1,
        DigestAlgorithm::Sha224,
        DigestAlgorithm::Sha256,
        DigestAlgorithm::Sha384,
        DigestAlgorithm::Sha512,
    ] {
        let trust = CaTrust::fingerprint(world.root.fingerprint(digest).unwrap()).unwrap();
        assert!(
            CaCertificates::new(vec![world.root.clone()], &trust).is_ok(),
            "{digest:?}"
        );
    }
    assert!(CaTrust::fingerprint(vec![0; 31]).is_err());
}

#[test]
fn an_enrolled_device_is_not_taken_for_a_registration_authority() {
    let world = World::with(Setup {
        ra: true,
        ..Setup::default()
    });
    let ec = PrivateKey::generate(KeySpec::P256).unwrap();
    let ca = root(
        Name::from_common_name("CA"),
        &ec,
        RootUse::BehindRa,
        YEAR,
        start(),
    )
    .unwrap();
    let device = CertificateBuilder::new(
        Name::from_common_name("device 7"),
        rsa_key(DEVICE_KEY).public_key(),
    )
    .validity(start(), ca.not_after())
    .key_usage(mdm_pki::KeyUsage::DIGITAL_SIGNATURE | mdm_pki::KeyUsage::KEY_ENCIPHERMENT)
    .extended_key_usage(&[oid::CLIENT_AUTH])
    .sign(&ca, &ec)
    .unwrap();
    let trust = CaTrust::Certificate(Box::new(ca.clone()));
    assert!(matches!(
        CaCertificates::new(vec![device.clone(), ca.clone()], &trust),
        Err(Error::Missing(_))
    ));
    // One of another CA is none either, whatever its usages.
    assert!(matches!(
        CaCertificates::new(vec![world.responder.clone(), ca.clone()], &trust),
        Err(Error::Missing(_))
    ));
    let ra_key = rsa_key(RA_KEY);
    let ra = registration_authority(
        Name::from_common_name("RA"),
        ra_key.public_key(),
        &ca,
        &ec,
        YEAR,
        start(),
    )
    .unwrap();
    let all = vec![device, ca.clone(), ra.clone()];
    let sorted = CaCertificates::new(all.clone(), &trust).unwrap();
    assert_eq!(sorted.recipient(), &ra);
    // Pinning the RA itself works too, and vouches for its issuer.
    let pinned = CaCertificates::new(all, &CaTrust::Certificate(Box::new(ra))).unwrap();
    assert!(pinned.issuers().contains(&ca));
}

#[test]
fn an_enrolment_needs_an_rsa_key_and_its_own_request() {
    let ec = PrivateKey::generate(KeySpec::P256).unwrap();
    let subject = Name::from_common_name("device 7");
    assert!(matches!(
        Enrolment::new(ec, subject.clone(), None),
        Err(Error::Configuration(_))
    ));
    let csr = crate::world::csr(&rsa_key(OTHER_KEY), "device 7", None);
    assert!(matches!(
        Enrolment::from_csr(rsa_key(DEVICE_KEY), csr),
        Err(Error::Configuration(_))
    ));
}

#[tokio::test]
async fn a_signer_with_another_subject_enrols_as_apples_client_does() {
    let world = World::new();
    let enrolment = world
        .enrolment(world.challenge().await)
        .with_signer_subject(Name::from_common_name(
            "1F0C4B6E-7C0D-4F5B-9C71-4A1B8E0B2F11",
        ))
        .with_transaction_id(TransactionId::new("3F9A").unwrap());
    let enrolled = world.client().enrol(&enrolment).await.unwrap();
    assert_eq!(
        enrolled.certificate.subject(),
        Name::from_common_name("device 7")
    );
}
