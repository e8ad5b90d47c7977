//! How connections end, and what is known of the pushes on them.

use super::{
    controls::HeldClock,
    raw::{Raw, answered, go_away},
    *,
};
use crate::apns::frame::{flag, kind};

/// A house in which answers wait, its clock, and a client with pushes on its first streams.
async fn waiting(pushes: u32) -> (House, Arc<HeldClock>, Raw) {
    let clock = HeldClock::new();
    let house = House::with(|config| {
        config.clock = clock.clone();
        config.delay = Duration::from_secs(1);
    })
    .await;
    let mut raw = Raw::new(&house).await;
    for number in 0..pushes {
        raw.push(number * 2 + 1).await;
    }
    let arrived = |counters: &Counters| counters.arrived == u64::from(pushes);
    house.fake.until(arrived).await;
    (house, clock, raw)
}

#[tokio::test]
async fn a_graceful_goodbye_answers_what_is_open_and_looks_at_no_later_stream() {
    let (house, clock, mut raw) = waiting(2).await;
    house.fake.go_away(Goodbye::graceful().reason("Shutdown"));
    let expected = go_away(3, 0, br#"{"reason":"Shutdown"}"#);
    assert_eq!(raw.until(kind::GOAWAY).await, expected);
    let ping = raw.until(kind::PING).await;
    // It may not have known yet.
    raw.push(5).await;
    let counters = house.fake.until(|counters| counters.raced == 1).await;
    assert_eq!(counters.violations.after_go_away, 0);
    // Now it knows.
    raw.put(kind::PING, flag::ACK, 0, &ping.payload).await;
    raw.push(7).await;
    let known = |counters: &Counters| counters.violations.after_go_away == 1;
    house.fake.until(known).await;

    clock.advance(1);
    assert_eq!(answered(&raw.rest().await), [1, 3]);
    drop(raw);
    let counters = house
        .fake
        .until(|counters| counters.connections_closed == 1)
        .await;
    assert_eq!((counters.accepted, counters.unanswered), (2, 0));
    assert_eq!(
        (counters.lost, counters.raced, counters.go_aways),
        (0, 1, 1)
    );
}

#[tokio::test]
async fn an_abrupt_goodbye_takes_half_of_what_is_open_and_answers_none() {
    let (house, _clock, mut raw) = waiting(4).await;
    house.fake.go_away(Goodbye::abrupt(11).data("bye"));
    let rest = raw.rest().await;
    assert!(rest.contains(&go_away(7, 11, b"bye")), "{rest:?}");
    assert_eq!(answered(&rest), [0; 0]);
    drop(raw);
    let counters = house
        .fake
        .until(|counters| counters.connections_closed == 1)
        .await;
    assert_eq!((counters.accepted, counters.unanswered), (2, 2));
    assert_eq!((counters.lost, counters.raced), (2, 0));
}

#[tokio::test]
async fn connections_closed_without_a_word_say_none() {
    let (house, _clock, mut raw) = waiting(3).await;
    house.fake.close_connections();
    let rest = raw.rest().await;
    assert!(
        rest.iter().all(|came| came.kind == kind::SETTINGS),
        "{rest:?}"
    );
    let counters = house
        .fake
        .until(|counters| counters.connections_closed == 1)
        .await;
    assert_eq!((counters.accepted, counters.lost), (2, 1));
    assert_eq!(counters.go_aways, 0);
}

#[tokio::test]
async fn a_push_may_be_the_one_that_ends_its_connection() {
    for (fault, answers, faulted) in [
        (Fault::GoAway, &[1][..], 0),
        (Goodbye::graceful().into(), &[1], 0),
        (Fault::AbruptGoAway { code: 11 }, &[], 1),
        (Goodbye::abrupt(11).into(), &[], 1),
        (Fault::Close, &[], 1),
    ] {
        let house = House::new().await;
        let mut raw = Raw::new(&house).await;
        house.fake.fault(fault.clone());
        raw.push(1).await;
        let rest = raw.rest().await;
        assert_eq!(answered(&rest), answers, "{fault:?}");
        let said = rest.iter().any(|came| came.kind == kind::GOAWAY);
        assert_eq!(said, fault != Fault::Close, "{fault:?}");
        drop(raw);
        let counters = house
            .fake
            .until(|counters| counters.connections_closed == 1)
            .await;
        assert_eq!(counters.accepted, answers.len() as u64, "{fault:?}");
        assert_eq!(counters.faulted, faulted, "{fault:?}");
    }
}

#[tokio::test]
async fn a_push_that_was_disowned_may_be_answered_all_the_same() {
    let house = House::new().await;
    let mut raw = Raw::new(&house).await;
    raw.push(1).await;
    raw.until(kind::HEADERS).await;
    house.fake.fault(Fault::FramesAfterGoAway);
    raw.push(3).await;
    assert_eq!(raw.until(kind::GOAWAY).await, go_away(1, 0, b""));
    let rest = raw.rest().await;
    assert_eq!(answered(&rest), [3]);
    let kinds: Vec<_> = rest.iter().map(|came| came.kind).collect();
    assert_eq!(
        kinds,
        [
            kind::PING,
            kind::SETTINGS,
            kind::WINDOW_UPDATE,
            kind::HEADERS
        ]
    );
    assert_eq!(house.fake.counters().accepted, 2);
}

#[tokio::test]
async fn a_goodbye_meets_the_connections_that_are_open_and_no_later_one() {
    let house = House::new().await;
    let mut idle = Raw::new(&house).await;
    house.fake.go_away(Goodbye::graceful());
    assert_eq!(idle.until(kind::GOAWAY).await, go_away(0, 0, b""));
    let client = house.client().await;
    assert_eq!(send(&client, good(b"token"), BODY).await.0, StatusCode::OK);
}
