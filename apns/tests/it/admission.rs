//! Pushes that wait their turn.

use std::time::Duration;

use chrono::Utc;
use futures_util::{FutureExt, future::join_all};
use mdm_apns::{Client, Error};
use mdm_tls::TlsStream;
use tokio::net::TcpStream;

use crate::{
    house::{TestClock, is_delivered, push},
    raw::{
        HEADERS, PING, RST_STREAM, RawServer, SETTINGS, any, frame, settings, taken, until, write,
    },
};

/// A client and the server's end of its connection, with this limit of streams.
async fn connected(server: &RawServer, max_streams: u32) -> (Client, TlsStream<TcpStream>) {
    let client = server.client();
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(max_streams)).await;
        stream
    };
    let (connected, stream) = tokio::join!(client.connect(), serve);
    connected.unwrap();
    (client, stream)
}

#[tokio::test]
async fn pushes_that_are_given_up_while_they_wait_never_reach_the_wire() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let (client, mut stream) = connected(&server, 1).await;
    let first = push("first");
    let mut first = Box::pin(client.push(&first));
    assert!((&mut first).now_or_never().is_none());
    assert_eq!(until(&mut stream, HEADERS).await, 1);

    for _ in 0..100 {
        let waiting = push("given up");
        assert!(client.push(&waiting).now_or_never().is_none());
    }
    write(&mut stream, &taken(1)).await;
    assert!(is_delivered(&first.await));

    let next = push("next");
    let serve = async {
        // Whatever was opened in between would have had this number.
        assert_eq!(until(&mut stream, HEADERS).await, 3);
        write(&mut stream, &taken(3)).await;
    };
    let (outcome, ()) = tokio::join!(client.push(&next), serve);
    assert!(is_delivered(&outcome));
}

#[tokio::test]
async fn a_push_that_is_given_up_after_it_was_sent_is_not_reset_and_keeps_its_place() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let (client, mut stream) = connected(&server, 1).await;
    let first = push("first");
    let mut first = Box::pin(client.push(&first));
    assert!((&mut first).now_or_never().is_none());
    assert_eq!(until(&mut stream, HEADERS).await, 1);
    drop(first);

    let next = push("next");
    let serve = async {
        write(&mut stream, &frame(PING, &[0; 8])).await;
        let mut seen = Vec::new();
        while seen.last() != Some(&PING) {
            seen.push(any(&mut stream).await.0);
        }
        assert!(
            !seen.contains(&HEADERS) && !seen.contains(&RST_STREAM),
            "{seen:?}"
        );
        write(&mut stream, &taken(1)).await;
        assert_eq!(until(&mut stream, HEADERS).await, 3);
        write(&mut stream, &taken(3)).await;
    };
    let (outcome, ()) = tokio::join!(client.push(&next), serve);
    assert!(is_delivered(&outcome));
}

#[tokio::test]
async fn a_push_whose_turn_does_not_come_says_that_it_was_not_sent() {
    let clock = TestClock::at(Utc::now());
    let mut server = RawServer::new(&["h2"], clock.clone()).await;
    server.config.push_deadline = Duration::from_secs(30);
    let (client, mut stream) = connected(&server, 1).await;
    let (first, second) = (push("first"), push("second"));
    let first = client.push(&first);
    let serve = async {
        assert_eq!(until(&mut stream, HEADERS).await, 1);
        clock.pass(client.push(&second)).await.unwrap_err()
    };
    let (first, second) = tokio::join!(first, serve);
    assert!(
        matches!(second, Error::NotSent) && second.is_retryable(),
        "{second:?}"
    );
    assert!(matches!(first, Err(Error::Deadline)), "{first:?}");
}

#[tokio::test]
async fn a_limit_that_is_raised_later_lets_waiting_pushes_go() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let (client, mut stream) = connected(&server, 1).await;
    let pushes = [push("one"), push("two"), push("three")];
    let waiting = join_all(pushes.iter().map(|push| client.push(push)));
    let serve = async {
        assert_eq!(until(&mut stream, HEADERS).await, 1);
        write(&mut stream, &settings(3)).await;
        until(&mut stream, SETTINGS).await;
        for number in [3, 5] {
            assert_eq!(until(&mut stream, HEADERS).await, number);
        }
        for number in [1, 3, 5] {
            write(&mut stream, &taken(number)).await;
        }
    };
    let (outcomes, ()) = tokio::join!(waiting, serve);
    assert!(outcomes.iter().all(is_delivered));
}

#[tokio::test]
async fn a_limit_that_is_lowered_to_none_holds_back_what_was_not_sent_until_it_is_raised() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let (client, mut stream) = connected(&server, 2).await;
    let pushes = ["one", "two", "three", "four"].map(push);
    let waiting = join_all(pushes.iter().map(|push| client.push(push)));
    let serve = async {
        assert_eq!(until(&mut stream, HEADERS).await, 1);
        assert_eq!(until(&mut stream, HEADERS).await, 3);
        write(&mut stream, &settings(0)).await;
        until(&mut stream, SETTINGS).await;
        write(&mut stream, &[taken(1), taken(3)].concat()).await;
        write(&mut stream, &settings(1)).await;
        // Nothing was opened before the acknowledgement of the limit that allows it.
        until(&mut stream, SETTINGS).await;
        for number in [5, 7] {
            assert_eq!(until(&mut stream, HEADERS).await, number);
            write(&mut stream, &taken(number)).await;
        }
    };
    let (outcomes, ()) = tokio::join!(waiting, serve);
    assert!(outcomes.iter().all(is_delivered));
}

#[tokio::test]
async fn pushes_that_wait_go_on_over_the_next_connection_when_theirs_ends() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let (client, mut stream) = connected(&server, 1).await;
    let pushes = [push("one"), push("two"), push("three")];
    let waiting = join_all(pushes.iter().map(|push| client.push(push)));
    let serve = async {
        until(&mut stream, HEADERS).await;
        drop(stream);
        let mut stream = server.accept().await;
        write(&mut stream, &settings(10)).await;
        for number in [1, 3, 5] {
            assert_eq!(until(&mut stream, HEADERS).await, number);
            write(&mut stream, &taken(number)).await;
        }
        stream
    };
    let work = async { tokio::join!(waiting, serve) };
    let (outcomes, _stream) = server.clock.pass(work).await;
    assert!(outcomes.iter().all(is_delivered));
}
