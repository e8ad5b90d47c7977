//! Many pushes at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt, stream};
use mdm_apns::{Batch, Error, Expiration, Outcome, Push, PushService, Relay, RetryPolicy};
use mdm_core::{Clock, PushMagic, PushToken};
use mdm_fake_apple::apns::Fault;
use mdm_transport::transport_fn;

use crate::house::{House, TOKEN, TOPIC, is_delivered, push};

#[tokio::test]
async fn each_key_has_its_outcome_and_duplicates_are_sent_once() {
    let house = House::new().await;
    let (client, _running) = house.client();
    house.fake.kill_token(b"dead", house.clock.now());
    let dead = || Push::new(PushToken::new(*b"dead"), PushMagic::new("M"));
    let pushes = (0..300).map(|key| (key, if key % 3 == 0 { dead() } else { push("M") }));
    let mut answers: Vec<_> = Batch::new(&client)
        .send(stream::iter(pushes))
        .collect()
        .await;
    answers.sort_by_key(|(key, _)| *key);
    assert_eq!(answers.len(), 300);
    for (number, (key, answer)) in answers.iter().enumerate() {
        assert_eq!(number, *key);
        match key % 3 {
            0 => assert!(
                matches!(answer, Ok(Outcome::DeadToken { .. })),
                "{answer:?}"
            ),
            _ => assert!(is_delivered(answer), "{answer:?}"),
        }
    }
    assert_eq!(house.fake.counters().arrived, 2);
}

#[tokio::test]
async fn pushes_that_differ_in_more_than_their_key_are_each_sent() {
    let house = House::new().await;
    let (client, _running) = house.client();
    let own = "eb3a1f3e-10c5-4b6f-9bb0-7c6a2a2f1d4e".parse().unwrap();
    let pushes = [
        push("M"),
        push("new magic after a new enrolment"),
        push("M").expiration(Expiration::Once),
        push("M").id(own),
        push("M"),
    ];
    let answers = Batch::new(&client).send(stream::iter(pushes.into_iter().enumerate()));
    assert!(
        answers
            .collect::<Vec<_>>()
            .await
            .iter()
            .all(|(_, answer)| is_delivered(answer))
    );
    assert_eq!(house.fake.counters().arrived, 5);
    assert_eq!(house.fake.times_accepted(&own.to_string()), 1);
}

/// A service whose answers come when they are asked for.
struct Slow {
    topic: mdm_core::Topic,
    begun: AtomicUsize,
    gate: tokio::sync::Semaphore,
}

impl Slow {
    fn new() -> Self {
        Self {
            topic: TOPIC.parse().unwrap(),
            begun: AtomicUsize::new(0),
            gate: tokio::sync::Semaphore::new(0),
        }
    }
}

impl PushService for Slow {
    fn topic(&self) -> &mdm_core::Topic {
        &self.topic
    }

    async fn push(&self, _push: &Push) -> Result<Outcome, Error> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.gate.acquire().await.unwrap().forget();
        Ok(Outcome::Delivered { apns_id: None })
    }
}

fn to(number: usize) -> Push {
    Push::new(PushToken::new(number.to_be_bytes()), PushMagic::new("M"))
}

#[tokio::test]
async fn no_more_is_read_ahead_or_under_way_than_allowed() {
    let service = Slow::new();
    let read = AtomicUsize::new(0);
    let endless = stream::repeat_with(|| {
        let number = read.fetch_add(1, Ordering::SeqCst);
        (number, to(number))
    });
    let mut answers = Box::pin(Batch::new(&service).window(50).parallel(7).send(endless));
    for _ in 0..10 {
        assert!(answers.next().now_or_never().is_none());
    }
    assert_eq!(read.load(Ordering::SeqCst), 50);
    assert_eq!(service.begun.load(Ordering::SeqCst), 7);

    service.gate.add_permits(3);
    for _ in 0..3 {
        assert!(answers.next().await.is_some());
    }
    assert!(answers.next().now_or_never().is_none());
    assert_eq!(read.load(Ordering::SeqCst), 53);
    assert_eq!(service.begun.load(Ordering::SeqCst), 10);
}

#[tokio::test]
async fn a_push_that_is_under_way_stands_for_no_later_one() {
    let service = Slow::new();
    let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
    let pushes = stream::unfold(receiver, |mut receiver| async {
        receiver.recv().await.map(|push| (push, receiver))
    });
    let mut answers = Box::pin(Batch::new(&service).send(pushes));
    sender.send(("first", to(1))).unwrap();
    assert!(answers.next().now_or_never().is_none());
    sender.send(("second", to(1))).unwrap();
    assert!(answers.next().now_or_never().is_none());
    assert_eq!(service.begun.load(Ordering::SeqCst), 2);
    drop(sender);
    service.gate.add_permits(2);
    assert_eq!(answers.collect::<Vec<_>>().await.len(), 2);
}

#[tokio::test]
async fn what_the_service_puts_off_is_sent_again_when_asked_for() {
    let house = House::new().await;
    let (client, _running) = house.client();
    for _ in 0..2 {
        house.fake.fault(Fault::reject(503, "ServiceUnavailable"));
    }
    let start = house.clock.now();
    let policy = RetryPolicy::default();
    let batch = Batch::new(&client).retry(policy, house.clock.clone());
    let answers = batch.send(stream::iter([("key", push("M"))]));
    let answers: Vec<_> = house.clock.pass(answers.collect()).await;
    assert!(is_delivered(&answers[0].1), "{answers:?}");
    // 15 minutes, then 30, each with up to a quarter more.
    let waited = (house.clock.now() - start).num_minutes();
    assert!((45..=57).contains(&waited), "{waited}");
    assert_eq!(house.fake.next_push(TOKEN).await, "M");

    house.fake.fault(Fault::reject(503, "ServiceUnavailable"));
    let answers = Batch::new(&client).send(stream::iter([((), push("M"))]));
    let answers: Vec<_> = answers.collect().await;
    assert!(
        matches!(answers[0].1, Ok(Outcome::RetryAfter { delay, .. }) if delay == Duration::from_secs(900))
    );
}

#[tokio::test]
async fn a_batch_goes_over_any_transport() {
    let transport = transport_fn(|request: http::Request<Bytes>| async move {
        assert_eq!(request.headers()["apns-topic"], TOPIC);
        let status = if request.uri().path().ends_with("01") {
            410
        } else {
            200
        };
        Ok(http::Response::builder()
            .status(status)
            .body(Bytes::new())
            .unwrap())
    });
    let base = "https://relay.example.com/apns".parse().unwrap();
    let clock = Arc::new(mdm_core::SystemClock);
    let relay = Relay::new(transport, base, TOPIC.parse().unwrap(), clock);
    let pushes = stream::iter((0..3).map(|number| (number, to(number))));
    let mut answers: Vec<_> = Batch::new(&relay).send(pushes).collect().await;
    answers.sort_by_key(|(key, _)| *key);
    assert!(is_delivered(&answers[0].1) && is_delivered(&answers[2].1));
    assert!(
        matches!(answers[1].1, Ok(Outcome::DeadToken { .. })),
        "{answers:?}"
    );
}
