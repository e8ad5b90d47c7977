use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use chrono::Utc;
use mdm_fake_apple::apns::{Config, FakeApns, Fault, PushAuthority};
use mdm_sdk::{
    apns::{self, PushCertificate},
    core::{PushMagic, PushToken, Topic},
    protocol::EnrollmentId,
    push::{ApnsConnections, ApnsPusher},
    service::{PushOutcome, PushTarget, Pusher},
    tls::Roots,
};

struct Scene {
    apple: FakeApns,
    pusher: ApnsPusher,
    topic: Topic,
}

impl Scene {
    async fn new() -> Self {
        let (scene, connections) = Self::not_running().await;
        tokio::spawn(connections.run());
        scene
    }

    async fn not_running() -> (Self, ApnsConnections) {
        let authority = PushAuthority::new().unwrap();
        let apple = FakeApns::start(Config::new(vec![authority.root().clone()]))
            .await
            .unwrap();
        let certificate = PushCertificate::new(authority.issue_new().unwrap()).unwrap();
        let topic = certificate.topic().clone();
        let config = apns::Config::new(apple.host(), apple.port())
            .roots(Roots::Only(vec![apple.root_certificate().clone()]));
        let (pusher, connections) = ApnsPusher::new(config, [certificate]);
        let scene = Self {
            apple,
            pusher,
            topic,
        };
        (scene, connections)
    }

    fn target(&self, token: &[u8]) -> PushTarget {
        target(&self.topic, token)
    }

    fn connections(&self) -> Vec<u64> {
        self.apple
            .pushes()
            .iter()
            .map(|push| push.connection)
            .collect()
    }
}

#[tokio::test]
async fn each_target_has_its_own_outcome_in_order_and_none_stops_another() {
    let scene = Scene::new().await;
    scene.apple.accept_token(b"good");
    scene.apple.kill_token(b"dead", Utc::now());
    let mut foreign = scene.target(b"good");
    foreign.topic = "com.apple.mgmt.External.another".parse().unwrap();

    let batch = [
        scene.target(b"dead"),
        scene.target(b"good"),
        foreign,
        scene.target(b"unknown"),
    ];
    let outcomes = scene.pusher.push(&batch).await;
    assert!(matches!(
        outcomes[0],
        PushOutcome::Unregistered { since: Some(_), .. }
    ));
    assert!(outcomes[1].is_sent(), "{outcomes:?}");
    assert_eq!(
        outcomes[2],
        PushOutcome::refused("no push certificate for this topic")
    );
    assert_eq!(outcomes[3], PushOutcome::refused("400 BadDeviceToken"));
    assert_eq!(scene.apple.next_push(b"good").await, "magic");
}

#[tokio::test]
async fn a_topic_keeps_its_connection_from_batch_to_batch() {
    let scene = Scene::new().await;
    scene.apple.accept_token(b"good");
    for _ in 0..3 {
        let batch = [scene.target(b"good"), scene.target(b"good")];
        assert!(
            scene
                .pusher
                .push(&batch)
                .await
                .iter()
                .all(PushOutcome::is_sent)
        );
    }
    assert_eq!(scene.connections(), [1; 6]);
}

#[tokio::test]
async fn a_push_that_met_an_ended_connection_is_sent_once_more_over_a_new_one() {
    let scene = Scene::new().await;
    scene.apple.accept_token(b"good");
    assert!(scene.pusher.push(&[scene.target(b"good")]).await[0].is_sent());
    for fault in [Fault::Close, Fault::AbruptGoAway { code: 0 }] {
        scene.apple.fault(fault);
        let outcomes = scene.pusher.push(&[scene.target(b"good")]).await;
        assert!(outcomes[0].is_sent(), "{outcomes:?}");
    }
    assert_eq!(scene.connections(), [1, 2, 3]);
}

#[tokio::test]
async fn without_anybody_to_run_the_connections_a_push_fails_and_says_so() {
    let (scene, connections) = Scene::not_running().await;
    drop(connections);
    let outcomes = scene.pusher.push(&[scene.target(b"good")]).await;
    let PushOutcome::Failed { reason, .. } = &outcomes[0] else {
        panic!("{outcomes:?}")
    };
    assert!(reason.contains("nobody runs the connections"), "{reason}");
}

#[tokio::test]
async fn a_service_that_cannot_be_reached_costs_a_batch_one_attempt() {
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0))
        .await
        .unwrap();
    let port = listener.local_addr().unwrap().port();
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&attempts);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    let authority = PushAuthority::new().unwrap();
    let certificate = PushCertificate::new(authority.issue_new().unwrap()).unwrap();
    let topic = certificate.topic().clone();
    let (pusher, connections) =
        ApnsPusher::new(apns::Config::new("127.0.0.1", port), [certificate]);
    tokio::spawn(connections.run());

    let batch = vec![target(&topic, b"good"); 50];
    let outcomes = pusher.push(&batch).await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, PushOutcome::Failed { .. }))
    );
    assert_eq!(attempts.load(Ordering::SeqCst), 1);
    pusher.push(&batch[..1]).await;
    assert_eq!(
        attempts.load(Ordering::SeqCst),
        2,
        "a later batch tries again"
    );
}

fn target(topic: &Topic, token: &[u8]) -> PushTarget {
    PushTarget::new(
        EnrollmentId::device("564D9F4B-6B16-4CFB-9B1E-7F0B5A3C2D1E").unwrap(),
        topic.clone(),
        PushToken::new(token),
        PushMagic::new("magic"),
    )
}
