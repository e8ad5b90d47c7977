//! Requests that wait for a person, and clients that ask again.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use chrono::TimeDelta;
use http::Request;
use mdm_core::{Clock as _, Secret};
use mdm_pki::{Certificate, CertificateBuilder, Name};
use mdm_scep::{
    Approval, Bound, Client, Enrolled, Error, FailInfo, MemoryStore, MessageType, OneTime,
    PkiMessage, PkiStatus, Polling, TransactionId, pending::Resolution, store::contract,
};
use mdm_transport::{HttpTransport, transport_fn};

use crate::world::{DEVICE_KEY, OTHER_KEY, Raw, Setup, World, csr, rsa_key, self_signed};

/// A world in which everybody waits, behind a challenge if so wanted.
fn waiting(challenges: bool) -> (World, Approval) {
    let store = Arc::new(MemoryStore::new());
    let mut approval = Approval::new(store.clone(), store.clone());
    if challenges {
        approval = approval.after(Arc::new(OneTime::new(store.clone())));
    }
    let world = World::with(Setup {
        store: Some(store),
        verifier: Some(Arc::new(approval.clone())),
        ..Setup::default()
    });
    (world, approval)
}

fn unasked(world: &World) -> Raw {
    let content = csr(&rsa_key(DEVICE_KEY), "device 7", None);
    world
        .request(&Secret::new(String::new()))
        .with(|raw| raw.content = content.to_der().to_vec())
}

/// The CertPoll of a request.
fn poll(world: &World, raw: &Raw, issuer: &Name, subject: &str) -> Raw {
    let subject = Name::from_common_name(subject);
    let inside = [issuer.to_der(), subject.to_der()].concat();
    assert!(inside.len() < 128);
    raw.clone().with(|raw| {
        raw.message_type = MessageType::CertPoll;
        raw.recipient = world.responder.clone();
        raw.content = [&[0x30, inside.len() as u8], &inside[..]].concat();
    })
}

async fn status(world: &World, raw: &Raw) -> PkiStatus {
    let reply = world.ask(raw.build()).await;
    let status = reply.message.attributes.status.unwrap();
    let content = reply.message.envelope().is_some();
    assert_eq!(content, status == PkiStatus::Success);
    status
}

async fn decide(approval: &Approval, resolution: Resolution) {
    let (id, request) = approval.unresolved(9).await.unwrap().remove(0);
    let resolved = approval.resolve(&id, request.request, resolution.clone());
    assert_eq!(resolved.await.unwrap(), Some(resolution));
}

#[tokio::test]
async fn a_request_waits_until_it_is_approved_and_then_has_one_certificate() {
    for challenges in [false, true] {
        let (world, approval) = waiting(challenges);
        let raw = match challenges {
            true => world.request(&world.challenge().await),
            false => unasked(&world),
        };
        let poll = poll(&world, &raw, &world.root.subject(), "device 7");
        assert_eq!(status(&world, &raw).await, PkiStatus::Pending);
        assert_eq!(status(&world, &raw).await, PkiStatus::Pending, "a retry");
        assert_eq!(status(&world, &poll).await, PkiStatus::Pending);
        assert!(world.events.last().starts_with("pending: "));
        assert_eq!(approval.unresolved(9).await.unwrap().len(), 1);
        assert_eq!(world.store.issued(), 0);
        decide(&approval, Resolution::Approved).await;
        let issued = world.ask(poll.build()).await.certificates(&raw.key);
        for again in [&poll, &raw] {
            let repeated = world.ask(again.build()).await.certificates(&raw.key);
            assert_eq!(repeated, issued);
            assert!(world.events.last().starts_with("repeated: "));
        }
        assert_eq!(world.store.issued(), 1);
    }
}

#[tokio::test]
async fn a_denied_request_stays_denied_and_the_client_is_not_told_why() {
    let (world, approval) = waiting(false);
    let raw = unasked(&world);
    status(&world, &raw).await;
    decide(&approval, Resolution::denied("a stolen laptop")).await;
    let poll = poll(&world, &raw, &world.root.subject(), "device 7");
    for raw in [&poll, &raw] {
        let reply = world.refused(raw, FailInfo::BadRequest).await;
        let text = reply.message.attributes.fail_info_text.unwrap();
        assert_eq!(text, "the request was denied");
        assert!(world.events.last().ends_with("was denied: a stolen laptop"));
    }
}

#[tokio::test]
async fn a_challenge_in_front_refuses_at_once_and_is_spent_by_the_approved_request() {
    let (world, approval) = waiting(true);
    let unknown = world.request(&Secret::new("0".repeat(40)));
    world.refused(&unknown, FailInfo::BadRequest).await;
    assert!(approval.unresolved(9).await.unwrap().is_empty());
    // Two requests for one challenge both wait; the one that is approved first has it.
    let challenge = world.challenge().await;
    let first = world.request(&challenge);
    let second = first
        .clone()
        .with(|raw| raw.transaction_id = TransactionId::new("T2").unwrap());
    for raw in [&first, &second] {
        assert_eq!(status(&world, raw).await, PkiStatus::Pending);
        world.clock.advance(Duration::from_secs(1));
    }
    decide(&approval, Resolution::Approved).await;
    decide(&approval, Resolution::Approved).await;
    // The challenge's time is over by now, but it was in time.
    world.clock.advance(Duration::from_secs(3600));
    world.ask(first.build()).await.certificates(&first.key);
    world.refused(&second, FailInfo::BadRequest).await;
    assert!(world.events.last().contains("is spent"));
    assert_eq!(world.store.issued(), 1);
}

#[tokio::test]
async fn fifty_polls_at_once_end_in_one_certificate() {
    let (world, approval) = waiting(false);
    let raw = unasked(&world);
    status(&world, &raw).await;
    decide(&approval, Resolution::Approved).await;
    let message = poll(&world, &raw, &world.root.subject(), "device 7").build();
    let world = Arc::new(world);
    let tasks: Vec<_> = (0..50)
        .map(|_| {
            let (world, message, key) = (world.clone(), message.clone(), raw.key.clone());
            tokio::spawn(async move { world.ask(message).await.certificates(&key).remove(0) })
        })
        .collect();
    let mut issued: Vec<Certificate> = Vec::new();
    for task in tasks {
        issued.push(task.await.unwrap());
    }
    assert!(issued.iter().all(|certificate| *certificate == issued[0]));
    assert_eq!(world.store.issued(), 1);
}

#[tokio::test]
async fn a_poll_for_nothing_that_waits_is_refused_with_bad_cert_id() {
    let (world, _) = waiting(false);
    let raw = unasked(&world);
    status(&world, &raw).await;
    let issuer = world.root.subject();
    let good = poll(&world, &raw, &issuer, "device 7");
    let other_transaction = good
        .clone()
        .with(|raw| raw.transaction_id = TransactionId::new("T2").unwrap());
    // Whoever knows the transaction of another's key still has to sign with that key.
    let other_key = good.clone().with(|raw| {
        raw.key = rsa_key(OTHER_KEY);
        raw.signer = self_signed(&raw.key, "device 7");
    });
    for raw in [other_transaction, other_key] {
        world.refused(&raw, FailInfo::BadCertId).await;
        assert_eq!(
            world.events.last(),
            "refused: no request of this transaction waits"
        );
    }
    // A server that lets nobody wait.
    let hasty = World::new();
    let raw = poll(&hasty, &unasked(&hasty), &issuer, "device 7");
    hasty.refused(&raw, FailInfo::BadCertId).await;
}

#[tokio::test]
async fn a_poll_for_another_issuer_or_subject_looks_like_an_envelope_that_does_not_open() {
    let (world, approval) = waiting(false);
    let raw = unasked(&world);
    status(&world, &raw).await;
    decide(&approval, Resolution::Approved).await;
    let issuer = world.root.subject();
    let good = poll(&world, &raw, &issuer, "device 7");
    let mut sealed = good.seal();
    *sealed.last_mut().unwrap() ^= 1;
    let mut sizes = Vec::new();
    for raw in [
        poll(&world, &raw, &issuer, "device 8"),
        poll(
            &world,
            &raw,
            &Name::from_common_name("Other CA"),
            "device 7",
        ),
        good.clone().with(|raw| raw.content = b"nothing".to_vec()),
        good.clone().with(|good| good.content = raw.content.clone()),
        good.clone().with(|raw| raw.envelope = Some(sealed)),
    ] {
        let reply = world.refused(&raw, FailInfo::BadMessageCheck).await;
        sizes.push(reply.bytes.len());
    }
    assert!(sizes.iter().all(|size| *size == sizes[0]), "{sizes:?}");
    let other = self_signed(&rsa_key(OTHER_KEY), "somebody else");
    let foreign = CertificateBuilder::new(Name::from_common_name("device 7"), raw.key.public_key())
        .validity(other.not_before(), other.not_after())
        .sign(&other, &rsa_key(OTHER_KEY))
        .unwrap();
    let foreign = good.with(|raw| raw.signer = foreign);
    world.refused(&foreign, FailInfo::BadMessageCheck).await;
    assert_eq!(world.store.issued(), 0);
}

#[tokio::test]
async fn a_request_waits_a_day_and_another_of_its_key_takes_its_place() {
    let (world, approval) = waiting(false);
    let raw = unasked(&world);
    status(&world, &raw).await;
    let (id, first) = approval.unresolved(9).await.unwrap().remove(0);
    let again = csr(&raw.key, "device 7 again", None);
    let again = raw
        .clone()
        .with(|raw| raw.content = again.to_der().to_vec());
    assert_eq!(status(&world, &again).await, PkiStatus::Pending);
    let late = approval.resolve(&id, first.request, Resolution::Approved);
    assert_eq!(late.await.unwrap(), None, "what was looked at is gone");
    let poll = poll(&world, &raw, &world.root.subject(), "device 7 again");
    assert_eq!(status(&world, &poll).await, PkiStatus::Pending);
    world.clock.advance(Approval::LIFETIME);
    assert_eq!(status(&world, &poll).await, PkiStatus::Pending);
    world.clock.advance(Duration::from_secs(1));
    world.refused(&poll, FailInfo::BadCertId).await;
    assert_eq!(approval.forget_old(world.clock.now()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_full_store_makes_room_by_forgetting_requests_that_have_waited_too_long() {
    let store = Arc::new(MemoryStore::with_limit(2));
    let challenges = Arc::new(MemoryStore::with_limit(1));
    let verifier = Approval::new(challenges.clone(), store.clone());
    let world = World::with(Setup {
        verifier: Some(Arc::new(verifier)),
        ..Setup::default()
    });
    let request =
        |id: &str| unasked(&world).with(|raw| raw.transaction_id = TransactionId::new(id).unwrap());
    status(&world, &request("T1")).await;
    status(&world, &request("T2")).await;
    assert_eq!(world.post(request("T3").build()).await.status(), 503);
    assert!(world.events.last().contains("full: 2 entries"));
    world
        .clock
        .advance(Approval::LIFETIME + Duration::from_secs(1));
    assert_eq!(status(&world, &request("T3")).await, PkiStatus::Pending);
    // Nobody has decided on anything: no request has taken a challenge's place.
    let one_time = OneTime::new(challenges);
    let issued = one_time.issue("Ada's Mac", Bound::default(), world.clock.now());
    assert!(issued.await.is_ok());
}

#[tokio::test]
async fn the_memory_store_holds_to_the_contract_of_pending_requests() {
    contract::check_pending(&MemoryStore::new()).await.unwrap();
    let broken = contract::check_pending(&MemoryStore::with_limit(1)).await;
    assert!(broken.is_err(), "a store for one request cannot keep two");
}

/// A client whose person decides after so many messages, and when it sent each.
async fn patient(
    world: &World,
    approval: &Approval,
    decide_after: usize,
    polling: Polling,
) -> (Result<Enrolled, Error>, Vec<(i64, MessageType)>) {
    let seen: Arc<Mutex<Vec<_>>> = Arc::default();
    let (notes, server, clock, approval) = (
        seen.clone(),
        Arc::new(world.transport()),
        world.clock.clone(),
        approval.clone(),
    );
    let begin = clock.now();
    let transport = transport_fn(move |request: Request<Bytes>| {
        let (notes, server, approval) = (notes.clone(), server.clone(), approval.clone());
        let at = (clock.now() - begin).num_seconds();
        async move {
            if request.method() == http::Method::POST {
                let message = PkiMessage::parse(request.body(), 1 << 20).unwrap();
                let kind = message.attributes.message_type.unwrap();
                let count = {
                    let mut notes = notes.lock().unwrap();
                    notes.push((at, kind));
                    notes.len()
                };
                if count > decide_after {
                    for (id, request) in approval.unresolved(9).await.unwrap() {
                        let approved = Resolution::Approved;
                        approval
                            .resolve(&id, request.request, approved)
                            .await
                            .unwrap();
                    }
                }
            }
            server.send(request).await
        }
    });
    let client: Client<_> = world.client_over(transport);
    let enrolment = world.enrolment(world.challenge().await);
    let outcome = client.enrol_patiently(&enrolment, polling).await;
    let seen = seen.lock().unwrap().clone();
    (outcome, seen)
}

#[tokio::test]
async fn a_client_asks_again_at_once_and_then_after_each_delay_as_apples_does() {
    use MessageType::{CertPoll, PkcsReq};
    let (world, approval) = waiting(true);
    let delay = Duration::from_secs(30);
    let (outcome, seen) = patient(&world, &approval, 3, Polling::new(5, delay)).await;
    let issued = outcome.unwrap().certificate;
    assert_eq!(issued.subject(), Name::from_common_name("device 7"));
    assert_eq!(
        seen,
        [(0, PkcsReq), (0, CertPoll), (30, CertPoll), (60, CertPoll)]
    );

    let (world, approval) = waiting(true);
    let (outcome, seen) = patient(&world, &approval, 99, Polling::default()).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Pending { .. }) && error.is_temporary());
    let polls: Vec<_> = seen.iter().skip(1).map(|(at, _)| *at).collect();
    assert_eq!(polls, [0, 10, 20, 30], "Retries and one");
    // Later the same enrolment is polled for once, or simply tried again.
    world.clock.advance(Duration::from_secs(7200));
    decide(&approval, Resolution::Approved).await;
}

#[tokio::test]
async fn one_poll_fetches_what_was_approved_meanwhile_through_a_registration_authority_too() {
    for ra in [false, true] {
        let store = Arc::new(MemoryStore::new());
        let approval = Approval::new(store.clone(), store.clone());
        let world = World::with(Setup {
            ra,
            store: Some(store),
            verifier: Some(Arc::new(approval.clone())),
            ..Setup::default()
        });
        let enrolment = world.enrolment(Secret::new("not looked at".to_owned()));
        let client = world.client();
        let error = client.enrol(&enrolment).await.unwrap_err();
        assert!(matches!(error, Error::Pending { .. }));
        let error = client.poll(&enrolment).await.unwrap_err();
        assert!(matches!(error, Error::Pending { .. }));
        decide(&approval, Resolution::Approved).await;
        let polled = client.poll(&enrolment).await.unwrap().certificate;
        let again = client.enrol(&enrolment).await.unwrap().certificate;
        assert_eq!(polled, again);
        assert!(polled.not_after() - world.clock.now() <= TimeDelta::days(365));
    }
}
