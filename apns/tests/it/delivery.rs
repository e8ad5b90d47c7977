//! Pushes that are answered.

use chrono::TimeDelta;
use mdm_apns::{Expiration, Outcome, Priority, Push, Reason};
use mdm_core::{PushMagic, PushToken};
use mdm_fake_apple::apns::Refusal;

use crate::{
    house::{House, TOKEN, TOPIC, TestClock, is_delivered, push},
    raw::{DATA, HEADERS, RawServer, kinds, settings, taken, write},
};
use tokio::io::AsyncReadExt;

#[tokio::test]
async fn a_push_reaches_the_device_with_the_topic_of_the_certificate() {
    let house = House::new().await;
    let (client, _running) = house.client();
    assert_eq!(client.topic().as_str(), TOPIC);
    let mut device = house.fake.subscribe(TOKEN);

    let magic = "8D9C\"\\\u{e9}";
    let outcome = client.push(&push(magic)).await.unwrap();

    assert_eq!(device.recv().await, magic);
    assert_eq!(house.fake.next_push(TOKEN).await, magic);
    let [received] = &house.fake.pushes()[..] else {
        panic!("one push was sent")
    };
    assert_eq!(received.token, TOKEN);
    assert_eq!(received.topic, TOPIC);
    assert_eq!(received.priority, 10);
    let expiration = received.expiration.unwrap();
    let week = (mdm_core::Clock::now(&*house.clock) + TimeDelta::days(7)).timestamp();
    assert!((week..week + 60).contains(&expiration) && expiration % 60 == 0);
    let apns_id = received.apns_id.parse().ok();
    assert_eq!(outcome, Outcome::Delivered { apns_id });
    assert_eq!(house.fake.refusals(), []);
}

#[tokio::test]
async fn headers_and_body_leave_in_one_write() {
    let server = RawServer::new(&["h2"], TestClock::at(chrono::Utc::now())).await;
    let client = server.client();
    let mut stream = {
        let serve = async {
            let mut stream = server.accept().await;
            write(&mut stream, &settings(10)).await;
            stream
        };
        let (connected, stream) = tokio::join!(client.connect(), serve);
        connected.unwrap();
        stream
    };
    // SETTINGS and their acknowledgement, each as it comes.
    let push = push("M");
    let serve = async {
        loop {
            // A read returns what one write has put into one TLS record.
            let mut record = vec![0; 16_384];
            let length = stream.read(&mut record).await.unwrap();
            let frames = kinds(&record[..length]);
            if let Some(at) = frames.iter().position(|kind| *kind == HEADERS) {
                write(&mut stream, &taken(1)).await;
                return frames[at..].to_vec();
            }
        }
    };
    let (outcome, frames) = tokio::join!(client.push(&push), serve);
    assert!(is_delivered(&outcome));
    assert_eq!(frames, [HEADERS, DATA]);
}

#[tokio::test]
async fn what_the_push_decides_is_sent() {
    let house = House::new().await;
    let (client, _running) = house.client();
    let token = [0xa5; 40];
    house.fake.accept_token_for(token, TOPIC);
    let id = "eb3a1f3e-10c5-4b6f-9bb0-7c6a2a2f1d4e".parse().unwrap();
    let push = Push::new(PushToken::new(token), PushMagic::new("M"))
        .id(id)
        .priority(Priority::Considerate)
        .expiration(Expiration::Once);
    let outcome = client.push(&push).await.unwrap();
    assert_eq!(outcome, Outcome::Delivered { apns_id: Some(id) });
    let received = &house.fake.pushes()[0];
    assert_eq!(received.apns_id, id.to_string());
    assert_eq!((received.priority, received.expiration), (5, Some(0)));
    assert_eq!(received.token, token);
}

#[tokio::test]
async fn more_pushes_than_the_server_takes_at_a_time_wait_their_turn() {
    let house = House::with(|config| config.max_streams(3)).await;
    let (client, _running) = house.client();
    let pushes: Vec<_> = (0..100)
        .map(|number| {
            let client = client.clone();
            tokio::spawn(async move { client.push(&push(&number.to_string())).await })
        })
        .collect();
    for push in pushes {
        let outcome = push.await.unwrap().unwrap();
        assert!(matches!(outcome, Outcome::Delivered { apns_id: Some(_) }));
    }
    let received = house.fake.pushes();
    let mut magics: Vec<u32> = received.iter().map(|p| p.magic.parse().unwrap()).collect();
    magics.sort_unstable();
    assert_eq!(magics, (0..100).collect::<Vec<_>>());
    assert!(received.iter().all(|push| push.connection == 1));
}

#[tokio::test]
async fn q24_a_dead_token_is_told_with_its_time() {
    let house = House::new().await;
    let (client, _running) = house.client();
    let now = mdm_core::Clock::now(&*house.clock);
    house.fake.kill_token(TOKEN, now);
    let outcome = client.push(&push("M")).await.unwrap();
    match &outcome {
        Outcome::DeadToken { since, rejection } => {
            assert_eq!(*since, Some(now));
            assert_eq!(rejection.reason, Some(Reason::Unregistered));
        }
        other => panic!("{other:?}"),
    }
    assert!(outcome.retires(now - TimeDelta::seconds(1)));
    assert!(!outcome.retires(now + TimeDelta::seconds(1)));
    assert!(house.fake.pushes().is_empty());
}

#[tokio::test]
async fn q24_an_unknown_token_and_one_of_another_topic_are_suspect_and_not_dead() {
    let house = House::new().await;
    let (client, _running) = house.client();
    house
        .fake
        .accept_token_for(TOKEN, "com.apple.mgmt.External.other");
    let unknown = Push::new(PushToken::new(*b"unknown"), PushMagic::new("M"));
    for (push, reason) in [
        (unknown, Reason::BadDeviceToken),
        (push("M"), Reason::DeviceTokenNotForTopic),
    ] {
        match client.push(&push).await.unwrap() {
            Outcome::Misconfigured(rejection) => {
                assert_eq!(rejection.reason.as_ref(), Some(&reason));
                assert!(rejection.is_token_suspect());
            }
            other => panic!("{other:?}"),
        }
        let refused = Refusal::Push {
            status: 400,
            reason: reason.to_string(),
        };
        assert_eq!(house.fake.refusals().pop(), Some(refused));
    }
}
