//! Each fault, as it meets one push.

use std::task::Poll;

use super::{raw::Raw, *};
use crate::apns::frame::kind;

/// Whether this waits yet.
async fn waits<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(std::pin::Pin::new(&mut *future).poll(cx).is_pending()))
        .await
}

#[tokio::test]
async fn each_nth_push_meets_its_rule_over_all_connections() {
    let house = House::new().await;
    let clients = [house.client().await, house.client().await];
    house.fake.every(3, Fault::reject(503, "Shutdown"));
    let mut seen = Vec::new();
    for client in clients.iter().cycle().take(6) {
        seen.push(send(client, good(b"token"), BODY).await.0.as_u16());
    }
    assert_eq!(seen, [200, 200, 503, 200, 200, 503]);
    let counters = house.fake.counters();
    assert_eq!((counters.accepted, counters.faulted), (4, 2));
    house.fake.clear_faults();
    house.fake.fault_by_chance(1, 1000, Fault::raw(500, ""));
    assert_eq!(
        send(&clients[0], good(b"token"), BODY).await.0.as_u16(),
        500
    );
}

#[tokio::test]
async fn a_token_may_have_an_answer_of_its_own() {
    let house = House::new().await;
    house.fake.accept_token(b"other");
    let client = house.client().await;
    let fault = Fault::reject(429, "TooManyRequests");
    house.fake.fault_token(b"token", fault);
    for _ in 0..2 {
        assert_eq!(send(&client, good(b"token"), BODY).await.0.as_u16(), 429);
        assert_eq!(send(&client, good(b"other"), BODY).await.0.as_u16(), 200);
    }
    house.fake.fault_token(b"token", None);
    assert_eq!(send(&client, good(b"token"), BODY).await.0.as_u16(), 200);
}

#[tokio::test]
async fn a_reset_carries_its_code() {
    let house = House::new().await;
    let client = house.client().await;
    house.fake.fault(Fault::Reset { code: 7 });
    let answer = begin(&client, good(b"token"), BODY).await;
    let error = answer.await.unwrap_err();
    assert_eq!(error.reason(), Some(h2::Reason::REFUSED_STREAM));
    assert_eq!(house.fake.counters().resets, 1);
}

#[tokio::test]
async fn a_stalled_push_keeps_its_stream_until_the_client_gives_it_up() {
    let house = House::new().await;
    let client = house.client().await;
    house.fake.fault(Fault::Stall);
    let mut answer = begin(&client, good(b"token"), BODY).await;
    send(&client, good(b"token"), BODY).await;
    assert!(waits(&mut answer).await);
    let counters = house.fake.counters();
    assert_eq!((counters.open_streams, counters.faulted), (1, 1));
    drop(answer);
    let counters = house
        .fake
        .until(|counters| counters.open_streams == 0)
        .await;
    assert_eq!((counters.accepted, counters.cancelled), (1, 0));
}

#[tokio::test]
async fn a_stalled_body_comes_with_its_status_and_no_more() {
    let house = House::new().await;
    let client = house.client().await;
    house.fake.fault(Fault::StallBody { status: 410 });
    let answer = begin(&client, good(b"token"), BODY).await.await.unwrap();
    assert_eq!(answer.status(), StatusCode::GONE);
    let mut body = answer.into_body();
    send(&client, good(b"token"), BODY).await;
    let mut data = Box::pin(body.data());
    assert!(waits(&mut data).await);
}

#[tokio::test]
async fn a_huge_body_comes_as_the_windows_let_it() {
    let house = House::new().await;
    let client = house.client().await;
    let huge = Fault::HugeBody {
        status: 400,
        bytes: 1 << 20,
    };
    // Nobody reads this one, and others are served.
    house.fake.fault(huge.clone());
    let unread = begin(&client, good(b"token"), BODY).await.await.unwrap();
    let other = house.client().await;
    house.fake.fault(huge);
    let (status, _, body) = send(&other, good(b"token"), BODY).await;
    assert_eq!((status.as_u16(), body.len()), (400, 1 << 20));
    assert!(body.starts_with(r#"{"reason":"xxx"#));
    drop(unread);
    assert_eq!(send(&client, good(b"token"), BODY).await.0, StatusCode::OK);
}

#[tokio::test]
async fn long_headers_come_in_one_block() {
    let house = House::new().await;
    let client = house.client().await;
    house.fake.fault(Fault::LongHeaders { bytes: 12_000 });
    let answer = begin(&client, good(b"token"), BODY).await.await.unwrap();
    assert_eq!(answer.headers()["x-long"].len(), 12_000);
    let mut raw = Raw::new(&house).await;
    house.fake.fault(Fault::LongHeaders { bytes: 40_000 });
    raw.push(1).await;
    let whole = raw.until(kind::HEADERS).await.payload.len();
    let whole = whole + raw.next().await.unwrap().payload.len();
    let last = raw.next().await.unwrap();
    assert_eq!((last.kind, last.flags), (kind::CONTINUATION, 4));
    assert!(whole + last.payload.len() > 40_000);
}

#[tokio::test]
async fn endless_headers_go_on_as_long_as_they_are_read() {
    let house = House::new().await;
    let mut raw = Raw::new(&house).await;
    house.fake.fault(Fault::EndlessHeaders);
    raw.push(1).await;
    assert_eq!(raw.until(kind::HEADERS).await.flags, 0);
    for _ in 0..300 {
        let came = raw.next().await.unwrap();
        assert_eq!(
            (came.kind, came.flags, came.stream),
            (kind::CONTINUATION, 0, 1)
        );
    }
    drop(raw);
    let counters = house
        .fake
        .until(|counters| counters.connections_closed == 1)
        .await;
    assert_eq!((counters.faulted, counters.lost), (1, 0));
}

#[tokio::test]
async fn a_push_that_the_client_takes_back_is_not_looked_at() {
    let clock = controls::HeldClock::new();
    let house = House::with(|config| {
        config.clock = clock.clone();
        config.delay = Duration::from_secs(1);
    })
    .await;
    let client = house.client().await;
    let answer = begin(&client, good(b"token"), BODY).await;
    house.fake.until(|counters| counters.arrived == 1).await;
    drop(answer);
    let counters = house.fake.until(|counters| counters.cancelled == 1).await;
    clock.advance(1);
    assert_eq!((counters.arrived, counters.accepted), (1, 0));
}
