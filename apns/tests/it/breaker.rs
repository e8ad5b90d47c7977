//! A topic that the service calls broken is left alone.

use std::time::Duration;

use futures_util::future::join_all;
use mdm_apns::{Error, Outcome, Push};
use mdm_core::{Clock, PushMagic, PushToken};
use mdm_fake_apple::apns::Fault;

use crate::house::{House, TOKEN, is_delivered, push, run};

/// Whether this push was not sent since the topic is broken.
fn is_paused(outcome: &Result<Outcome, Error>) -> bool {
    matches!(outcome, Err(Error::Paused { .. }))
}

#[tokio::test]
async fn after_the_word_that_the_topic_is_broken_nothing_is_sent_until_the_pause_is_over() {
    let house = House::new().await;
    let (client, _running) = house.client();
    house
        .fake
        .fault(Fault::reject(403, "BadCertificateEnvironment"));
    let broken = client.push(&push("M")).await;
    assert!(matches!(broken, Ok(Outcome::TopicBroken(_))), "{broken:?}");
    match client.push(&push("M")).await {
        Err(Error::Paused { until, why }) => {
            assert_eq!((until - house.clock.now()).num_minutes(), 15);
            assert_eq!(why, "403 BadCertificateEnvironment");
        }
        other => panic!("{other:?}"),
    }
    house.clock.advance(Duration::from_secs(15 * 60));
    assert!(is_delivered(&client.push(&push("trial")).await));
    assert!(is_delivered(&client.push(&push("M")).await));
    assert_eq!(house.fake.pushes().len(), 2);
}

#[tokio::test]
async fn after_the_pause_one_push_is_the_trial_for_all() {
    let house = House::new().await;
    let (client, _running) = house.client();
    house.fake.fault(Fault::reject(400, "TopicDisallowed"));
    assert!(!is_paused(&client.push(&push("M")).await));
    house.clock.advance(Duration::from_secs(15 * 60));
    house.fake.fault(Fault::reject(400, "TopicDisallowed"));
    let pushes = ["trial", "two", "three"].map(push);
    let outcomes = join_all(pushes.iter().map(|push| client.push(push))).await;
    assert!(matches!(outcomes[0], Ok(Outcome::TopicBroken(_))));
    assert!(outcomes[1..].iter().all(is_paused), "{outcomes:?}");
    client.resume();
    assert!(is_delivered(&client.push(&push("mended")).await));
}

#[tokio::test]
async fn what_waits_behind_the_push_that_breaks_the_topic_is_not_sent() {
    let house = House::with(|config| config.max_streams(1)).await;
    let (client, _running) = house.client();
    house.fake.fault(Fault::reject(403, "Forbidden"));
    let pushes = ["one", "two", "three"].map(push);
    let outcomes = join_all(pushes.iter().map(|push| client.push(push))).await;
    assert!(
        matches!(outcomes[0], Ok(Outcome::TopicBroken(_))),
        "{outcomes:?}"
    );
    assert!(outcomes[1..].iter().all(is_paused), "{outcomes:?}");
    assert!(house.fake.pushes().is_empty());
}

#[tokio::test]
async fn refusals_for_what_all_pushes_have_in_common_count_and_those_of_one_device_do_not() {
    let house = House::new().await;
    let config = house.config().with(|config| config.max_strikes = 3);
    let (client, _running) = run(config, house.certificate());
    let foreign = Push::new(PushToken::new(*b"nobody's"), PushMagic::new("M"));
    for _ in 0..20 {
        let outcome = client.push(&foreign).await;
        assert!(
            matches!(outcome, Ok(Outcome::Misconfigured(_))),
            "{outcome:?}"
        );
    }
    let bad = || house.fake.fault(Fault::reject(400, "BadMessageId"));
    for _ in 0..2 {
        bad();
        assert!(!is_paused(&client.push(&push("M")).await));
    }
    assert!(
        is_delivered(&client.push(&push("M")).await),
        "it starts again"
    );
    for _ in 0..3 {
        bad();
        assert!(!is_paused(&client.push(&push("M")).await));
    }
    assert!(is_paused(&client.push(&push("M")).await));
    assert_eq!(house.fake.next_push(TOKEN).await, "M");
}
