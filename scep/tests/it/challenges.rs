//! One challenge, one certificate.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::{Clock as _, Secret};
use mdm_pki::{CertificateRequestBuilder, Name};
use mdm_scep::{
    Bound, Error, FailInfo, MemoryStore, Nonce, OneTime, PkiStatus, Store, TransactionId,
    challenge::{ChallengeRefusal, Verdict},
    store::{
        CertificateRecord, ChallengeId, ChallengeRecord, Committed, Grant, Issuance, Revocation,
        StoreError, contract,
    },
};

use crate::world::{Fixed, OTHER_KEY, Setup, World, csr, rsa_key, self_signed, start};

#[tokio::test]
async fn the_same_message_again_gets_the_same_certificate() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let message = raw.build();
    let first = world.ask(message.clone()).await.certificates(&raw.key);
    let second = world.ask(message).await.certificates(&raw.key);
    assert_eq!(first, second);
    // The same request in a new message: another nonce, another content key.
    let again = raw.with(|raw| raw.nonce = Nonce::new(vec![8; 16]).unwrap());
    let third = world.ask(again.build()).await.certificates(&again.key);
    assert_eq!(first, third);
    assert_eq!(world.store.issued(), 1);
    assert_eq!(
        world.events.lines(),
        [
            "issued: device 7",
            "repeated: device 7",
            "repeated: device 7"
        ]
    );
}

#[tokio::test]
async fn a_client_that_lost_the_answer_tries_the_same_enrolment_again() {
    let world = World::new();
    let enrolment = world.enrolment(world.challenge().await);
    let first = world.client().enrol(&enrolment).await.unwrap();
    let second = world.client().enrol(&enrolment).await.unwrap();
    assert_eq!(first.certificate, second.certificate);
    assert_eq!(world.store.issued(), 1);
}

#[tokio::test]
async fn a_spent_challenge_gives_another_request_nothing_and_the_operator_learns_whose_it_was() {
    let world = World::new();
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    world.ask(raw.build()).await.certificates(&raw.key);
    world.clock.advance(Duration::from_secs(60));
    let other = rsa_key(OTHER_KEY);
    let key = raw.clone().with(|raw| {
        raw.signer = self_signed(&other, "temporary signer");
        raw.content = csr(&other, "device 7", Some(challenge.expose()))
            .to_der()
            .to_vec();
        raw.key = other.clone();
    });
    let name = raw.clone().with(|raw| {
        raw.content = csr(&raw.key, "device 8", Some(challenge.expose()))
            .to_der()
            .to_vec();
    });
    let transaction = raw.with(|raw| raw.transaction_id = TransactionId::new("T2").unwrap());
    for raw in [key, name, transaction] {
        let reply = world.refused(&raw, FailInfo::BadRequest).await;
        let text = reply.message.attributes.fail_info_text.unwrap();
        assert_eq!(text, "the challenge is not accepted");
        assert_eq!(
            world.events.last(),
            "refused: the challenge for device 7, issued 60 s ago, is spent"
        );
    }
}

#[tokio::test]
async fn a_challenge_lives_a_quarter_of_an_hour_and_not_a_second_longer() {
    let world = World::new();
    let challenge = world.challenge().await;
    let late = world.challenge().await;
    let raw = world.request(&challenge);
    world
        .clock
        .advance(OneTime::LIFETIME - Duration::from_secs(1));
    world.ask(raw.build()).await.certificates(&raw.key);
    world.clock.advance(Duration::from_secs(1));
    world
        .refused(&world.request(&late), FailInfo::BadRequest)
        .await;
    assert_eq!(
        world.events.last(),
        "refused: the challenge for device 7 expired: it was issued 900 s ago"
    );
    // The retry of a request that was served ends with the challenge's time too.
    world.refused(&raw, FailInfo::BadRequest).await;
}

#[tokio::test]
async fn the_lifetime_can_be_changed() {
    let world = World::new();
    let short = OneTime::new(world.store.clone()).lifetime(Duration::from_secs(5));
    let challenge = short
        .issue("device 9", Bound::default(), world.clock.now())
        .await
        .unwrap();
    world.clock.advance(Duration::from_secs(5));
    world
        .refused(&world.request(&challenge), FailInfo::BadRequest)
        .await;
    assert!(world.events.last().contains("device 9 expired"));
}

#[tokio::test]
async fn unknown_and_missing_challenges_are_refused_in_the_same_words() {
    let world = World::new();
    let unknown = world.request(&Secret::new("0".repeat(40)));
    let first = world.refused(&unknown, FailInfo::BadRequest).await;
    assert_eq!(world.events.last(), "refused: the challenge is not known");
    let missing = unknown.with(|raw| {
        raw.content = csr(&raw.key, "device 7", None).to_der().to_vec();
    });
    let second = world.refused(&missing, FailInfo::BadRequest).await;
    assert_eq!(world.events.last(), "refused: the request has no challenge");
    assert_eq!(
        first.message.attributes.fail_info_text,
        second.message.attributes.fail_info_text
    );
    assert_eq!(first.bytes.len(), second.bytes.len());
}

#[tokio::test]
async fn a_challenge_for_one_device_is_worthless_to_another() {
    let world = World::new();
    for bound in [
        Bound::common_name("device 7"),
        Bound::subject(Name::from_common_name("device 7")),
    ] {
        let challenge = world.challenge_bound(bound).await;
        let raw = world.request(&challenge);
        let other = raw.clone().with(|raw| {
            raw.content = csr(&raw.key, "device 8", Some(challenge.expose()))
                .to_der()
                .to_vec();
        });
        world.refused(&other, FailInfo::BadRequest).await;
        assert!(
            world
                .events
                .last()
                .starts_with("refused: the challenge for device 7 does not allow")
        );
        // The attempt has not cost the right device its certificate.
        world.ask(raw.build()).await.certificates(&raw.key);
    }
}

#[tokio::test]
async fn a_bound_common_name_has_to_be_the_only_one() {
    let world = World::new();
    let challenge = world.challenge_bound(Bound::common_name("device 7")).await;
    let raw = world.request(&challenge);
    for names in [["device 7", "device 8"], ["device 7", "device 7"]] {
        let subject = names
            .iter()
            .fold(Name::builder(), |name, cn| name.common_name(cn))
            .build();
        let csr = CertificateRequestBuilder::new(subject)
            .challenge_password(challenge.expose())
            .sign(&raw.key)
            .unwrap();
        let two = raw.clone().with(|raw| raw.content = csr.to_der().to_vec());
        world.refused(&two, FailInfo::BadRequest).await;
    }
    world.ask(raw.build()).await.certificates(&raw.key);
}

#[tokio::test]
async fn challenges_are_random_and_kept_only_as_hashes() {
    let world = World::new();
    let one = world.challenge().await;
    let two = world.challenge().await;
    assert_ne!(one.expose(), two.expose());
    assert_eq!(one.expose().len(), 40);
    let kept = format!("{:?}", world.store);
    assert!(!kept.contains(one.expose().as_str()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_parallel_requests_for_one_challenge_end_in_one_certificate() {
    let world = Arc::new(World::new());
    let challenge = world.challenge().await;
    let raw = world.request(&challenge);
    let other = rsa_key(OTHER_KEY);
    let rival = raw.clone().with(|raw| {
        raw.signer = self_signed(&other, "temporary signer");
        raw.content = csr(&other, "device 7", Some(challenge.expose()))
            .to_der()
            .to_vec();
        raw.key = other.clone();
    });
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let world = world.clone();
            let raw = if number % 2 == 0 {
                raw.clone()
            } else {
                rival.clone()
            };
            tokio::spawn(async move {
                let reply = world.ask(raw.build()).await;
                match reply.message.attributes.status {
                    Some(PkiStatus::Success) => Some(reply.certificates(&raw.key)[0].clone()),
                    _ => None,
                }
            })
        })
        .collect();
    let mut winners = Vec::new();
    for task in tasks {
        winners.extend(task.await.unwrap());
    }
    assert_eq!(
        winners.len(),
        25,
        "every retry of the first request is served"
    );
    assert!(winners.iter().all(|certificate| *certificate == winners[0]));
    assert_eq!(world.store.issued(), 1);
    let issued = world
        .events
        .lines()
        .iter()
        .filter(|line| line.starts_with("issued"))
        .count();
    assert_eq!(issued, 1);
}

#[tokio::test]
async fn the_memory_store_holds_to_the_contract() {
    contract::check(&MemoryStore::new()).await.unwrap();
}

/// Keeps two books that know nothing of each other.
#[derive(Debug, Default)]
struct TwoBooks(MemoryStore, MemoryStore);

#[async_trait]
impl Store for TwoBooks {
    async fn insert_challenge(
        &self,
        id: ChallengeId,
        record: ChallengeRecord,
    ) -> Result<(), StoreError> {
        self.0.insert_challenge(id, record).await
    }

    async fn challenge(&self, id: &ChallengeId) -> Result<Option<ChallengeRecord>, StoreError> {
        self.0.challenge(id).await
    }

    async fn forget_challenges(&self, before: DateTime<Utc>) -> Result<usize, StoreError> {
        self.0.forget_challenges(before).await
    }

    async fn commit(&self, mut issuance: Issuance) -> Result<Committed, StoreError> {
        issuance.grant = Grant::elsewhere(issuance.grant.label());
        self.1.commit(issuance).await
    }

    async fn certificate(&self, serial: &[u8]) -> Result<Option<CertificateRecord>, StoreError> {
        self.1.certificate(serial).await
    }

    async fn revoke(
        &self,
        serial: &[u8],
        revocation: Revocation,
    ) -> Result<Option<Revocation>, StoreError> {
        self.1.revoke(serial, revocation).await
    }

    async fn revoked(
        &self,
        valid_at: DateTime<Utc>,
        limit: usize,
    ) -> Result<Vec<CertificateRecord>, StoreError> {
        self.1.revoked(valid_at, limit).await
    }

    async fn next_crl_number(&self) -> Result<u64, StoreError> {
        self.1.next_crl_number().await
    }
}

#[tokio::test]
async fn a_store_that_does_not_spend_with_the_commit_breaks_the_contract() {
    let broken = contract::check(&TwoBooks::default()).await.unwrap_err();
    assert!(
        broken.to_string().contains("spends the challenge"),
        "{broken}"
    );
}

#[tokio::test]
async fn an_authority_with_another_store_than_its_challenges_issues_nothing() {
    let world = World::new();
    let stranger = OneTime::new(Arc::new(MemoryStore::new()));
    let challenge = stranger
        .issue("device 7", Bound::default(), world.clock.now())
        .await
        .unwrap();
    world
        .refused(&world.request(&challenge), FailInfo::BadRequest)
        .await;
    let world = World::with(Setup {
        verifier: Some(Arc::new(stranger)),
        ..Setup::default()
    });
    world
        .refused(&world.request(&challenge), FailInfo::BadRequest)
        .await;
    assert!(world.events.last().contains("at the same time"));
}

#[tokio::test]
async fn a_full_store_makes_room_by_forgetting_what_expired() {
    let store = Arc::new(MemoryStore::with_limit(2));
    let challenges = OneTime::new(store.clone());
    let issue = |now| challenges.issue("x", Bound::default(), now);
    issue(start()).await.unwrap();
    issue(start()).await.unwrap();
    assert!(matches!(
        issue(start()).await,
        Err(Error::Store(StoreError::Full { limit: 2 }))
    ));
    let later = start() + chrono::TimeDelta::hours(1);
    issue(later).await.unwrap();
    issue(later).await.unwrap();
    assert_eq!(challenges.forget_expired(later).await.unwrap(), 0);
    let days = later + chrono::TimeDelta::days(2);
    assert_eq!(challenges.forget_expired(days).await.unwrap(), 2);
}

fn world_with(verdict: Result<Verdict, StoreError>) -> World {
    World::with(Setup {
        verifier: Some(Arc::new(Fixed(verdict))),
        ..Setup::default()
    })
}

#[tokio::test]
async fn a_verifier_of_ones_own_decides() {
    let world = world_with(Ok(Verdict::Granted(Grant::elsewhere("ticket 5"))));
    let raw = world.request(&Secret::new("anything".to_owned()));
    world.ask(raw.build()).await.certificates(&raw.key);
    assert_eq!(world.events.last(), "issued: ticket 5");

    let refusal = ChallengeRefusal::Other {
        reason: "ticket 5 is closed".to_owned(),
    };
    let world = world_with(Ok(Verdict::Refused(refusal)));
    let reply = world
        .refused(
            &raw.clone()
                .with(|raw| raw.recipient = world.responder.clone()),
            FailInfo::BadRequest,
        )
        .await;
    assert!(
        !reply
            .message
            .attributes
            .fail_info_text
            .unwrap()
            .contains("ticket")
    );
    assert_eq!(world.events.last(), "refused: ticket 5 is closed");
}

#[tokio::test]
async fn a_certificate_of_another_key_never_leaves() {
    let foreign = self_signed(&rsa_key(OTHER_KEY), "somebody else's");
    let world = world_with(Ok(Verdict::repeated(foreign, "ticket 5")));
    let raw = world.request(&Secret::new("anything".to_owned()));
    let response = world.post(raw.build()).await;
    assert_eq!(response.status(), 503);
    assert!(world.events.last().contains("another key"));
}

#[tokio::test]
async fn where_nothing_can_be_decided_the_client_is_asked_to_come_again() {
    let world = world_with(Err(StoreError::unavailable("no route to the database")));
    let raw = world.request(&Secret::new("anything".to_owned()));
    let response = world.post(raw.build()).await;
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "10");
    assert!(!String::from_utf8_lossy(response.body()).contains("database"));
    assert_eq!(world.store.issued(), 0);
}
