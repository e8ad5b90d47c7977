use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use chrono::Utc;
use mdm_fake_apple::{
    apns::{Config, FakeApns, Fault, PushAuthority},
    authority::Authority,
};
use mdm_sdk::{
    apns::{self, PushCertificate},
    core::{ManualClock, PushMagic, PushToken, Topic},
    protocol::EnrollmentId,
    push::{ApnsConnections, ApnsPusher},
    service::{PushOutcome, PushTarget, Pusher},
    tls::{Roots, ServerConfig},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

struct Scene {
    apple: FakeApns,
    pusher: ApnsPusher,
    topic: Topic,
}

impl Scene {
    async fn new() -> Self {
        let (scene, connections) = Self::with(|_| ()).await;
        tokio::spawn(connections.run());
        scene
    }

    /// A pusher whose connections nobody runs yet.
    async fn with(change: impl FnOnce(&mut apns::Config)) -> (Self, ApnsConnections) {
        let authority = PushAuthority::new().unwrap();
        let apple = FakeApns::start(Config::new(vec![authority.root().clone()]))
            .await
            .unwrap();
        let certificate = PushCertificate::new(authority.issue_new().unwrap()).unwrap();
        let topic = certificate.topic().clone();
        let config = apns::Config::new(apple.host(), apple.port())
            .roots(Roots::Only(vec![apple.root_certificate().clone()]))
            .with(change);
        let (pusher, connections) = ApnsPusher::new(&config, [certificate]).unwrap();
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
    let (scene, connections) = Scene::with(|_| ()).await;
    drop(connections);
    let outcomes = scene.pusher.push(&[scene.target(b"good")]).await;
    let PushOutcome::Failed { reason, .. } = &outcomes[0] else {
        panic!("{outcomes:?}")
    };
    assert!(reason.contains("nobody runs its driver"), "{reason}");
}

#[tokio::test]
async fn a_service_that_does_not_speak_tls_costs_a_batch_one_attempt_at_a_time() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
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
    let config = apns::Config::new("127.0.0.1", port).with(|config| {
        config.clock = Arc::new(ManualClock::new(Utc::now()));
    });
    let (pusher, connections) = ApnsPusher::new(&config, [certificate]).unwrap();
    tokio::spawn(connections.run());

    let outcomes = pusher.push(&vec![target(&topic, b"good"); 50]).await;
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, PushOutcome::Failed { .. }))
    );
    // One after the other while the deadline ran, and not one for each push.
    assert!(attempts.load(Ordering::SeqCst) <= 1);
}

#[tokio::test]
async fn a_push_that_apple_puts_off_says_for_how_long() {
    let scene = Scene::new().await;
    scene.apple.accept_token(b"good");
    scene.apple.fault(Fault::reject(503, "ServiceUnavailable"));
    let outcomes = scene.pusher.push(&[scene.target(b"good")]).await;
    let expected = PushOutcome::put_off("503 ServiceUnavailable", Duration::from_secs(900));
    assert_eq!(outcomes, [expected]);
}

fn target(topic: &Topic, token: &[u8]) -> PushTarget {
    PushTarget::new(
        EnrollmentId::device("564D9F4B-6B16-4CFB-9B1E-7F0B5A3C2D1E").unwrap(),
        topic.clone(),
        PushToken::new(token),
        PushMagic::new("magic"),
    )
}

#[tokio::test]
async fn a_certificate_that_was_refused_is_left_alone_until_somebody_resumes() {
    let server = RefusesOnce::start().await;
    let authority = PushAuthority::new().unwrap();
    let certificate = PushCertificate::new(authority.issue_new().unwrap()).unwrap();
    let topic = certificate.topic().clone();
    let config = apns::Config::new("localhost", server.port).roots(server.roots.clone());
    let (pusher, connections) = ApnsPusher::new(&config, [certificate]).unwrap();
    tokio::spawn(connections.run());

    let refused = pusher.push(&[target(&topic, b"good")]).await;
    let PushOutcome::Failed { reason, .. } = &refused[0] else {
        panic!("{refused:?}")
    };
    assert!(reason.contains("Forbidden"), "{reason}");
    let paused = pusher.push(&[target(&topic, b"good")]).await;
    let PushOutcome::Failed {
        retry_after: Some(pause),
        ..
    } = &paused[0]
    else {
        panic!("{paused:?}")
    };
    assert!(*pause > Duration::from_secs(14 * 60), "{pause:?}");

    pusher.client(&topic).unwrap().resume();
    let outcomes = pusher.push(&[target(&topic, b"good")]).await;
    assert!(outcomes[0].is_sent(), "{outcomes:?}");
}

#[tokio::test]
async fn a_push_to_a_connection_that_was_idle_too_long_is_sent_again_over_another() {
    let scene = Scene::new().await;
    scene.apple.accept_token(b"good");
    scene.apple.fault(Fault::reject(400, "IdleTimeout"));
    let outcomes = scene.pusher.push(&[scene.target(b"good")]).await;
    assert!(outcomes[0].is_sent(), "{outcomes:?}");
    assert_eq!(scene.connections(), [2]);
}

/// A push service that ends its first connection over the certificate, and answers the first push
/// of the second.
struct RefusesOnce {
    port: u16,
    roots: Roots,
}

impl RefusesOnce {
    async fn start() -> Self {
        let authority = Authority::new("Push Service").unwrap();
        let tls = ServerConfig::builder(authority.server_identity().unwrap())
            .alpn(&["h2"])
            .build()
            .unwrap();
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let mut open = Vec::new();
            for answer in [go_away("Forbidden"), TAKEN.to_vec()] {
                let mut stream = tls
                    .accept(listener.accept().await.unwrap().0)
                    .await
                    .unwrap();
                stream.write_all(&SETTINGS).await.unwrap();
                stream.flush().await.unwrap();
                read_push(&mut stream).await;
                stream.write_all(&answer).await.unwrap();
                stream.flush().await.unwrap();
                open.push(stream);
            }
            std::future::pending::<()>().await;
        });
        let roots = Roots::Only(vec![authority.root().clone()]);
        Self { port, roots }
    }
}

/// SETTINGS: ten streams at a time (RFC 9113 §6.5).
const SETTINGS: [u8; 15] = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 10];

/// The answer 200 to stream 1, and its end (RFC 7541 §6.2.2).
const TAKEN: [u8; 14] = [0, 0, 5, 1, 5, 0, 0, 0, 1, 8, 3, b'2', b'0', b'0'];

/// GOAWAY before any stream, with Apple's reason (RFC 9113 §6.8).
fn go_away(reason: &str) -> Vec<u8> {
    let reason = format!(r#"{{"reason":"{reason}"}}"#);
    let length = u8::try_from(8 + reason.len()).unwrap();
    let head = [0, 0, length, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    [&head[..], reason.as_bytes()].concat()
}

/// Reads the client's preface and its frames up to the first push's headers.
async fn read_push(stream: &mut (impl AsyncRead + Unpin)) {
    stream.read_exact(&mut [0; 24]).await.unwrap();
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.unwrap();
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        stream.read_exact(&mut vec![0; length]).await.unwrap();
        if head[3] == 1 {
            return;
        }
    }
}
