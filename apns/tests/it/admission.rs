//! Pushes that wait their turn.

use chrono::Utc;
use futures_util::FutureExt;
use mdm_apns::{Client, Error, Outcome};
use mdm_tls::TlsStream;
use tokio::net::TcpStream;

use crate::{
    house::{TestClock, push},
    raw::{HEADERS, RawServer, SETTINGS, settings, taken, until, write},
};

/// A client and the server's end of its connection, with this limit of streams.
async fn connected(server: &RawServer, max_streams: u32) -> (Client, TlsStream<TcpStream>) {
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(max_streams)).await;
        stream
    };
    let (client, stream) = tokio::join!(server.connect(), serve);
    (client.unwrap(), stream)
}

#[tokio::test]
async fn pushes_that_are_given_up_while_they_wait_never_reach_the_wire() {
    let clock = TestClock::at(Utc::now());
    let server = RawServer::new(&["h2"], clock.clone()).await;
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
    assert!(matches!(first.await, Ok(Outcome::Delivered { .. })));

    let next = push("next");
    let serve = async {
        // Whatever was opened in between would have had this number.
        assert_eq!(until(&mut stream, HEADERS).await, 3);
        write(&mut stream, &taken(3)).await;
    };
    let (outcome, ()) = tokio::join!(client.push(&next), serve);
    assert!(matches!(outcome, Ok(Outcome::Delivered { .. })));
}

#[tokio::test]
async fn a_push_whose_turn_does_not_come_says_that_it_was_not_sent() {
    let clock = TestClock::at(Utc::now());
    let server = RawServer::new(&["h2"], clock.clone()).await;
    let (client, mut stream) = connected(&server, 1).await;
    let (first, second) = (push("first"), push("second"));
    let mut first = Box::pin(client.push(&first));
    assert!((&mut first).now_or_never().is_none());
    let mut second = Box::pin(client.push(&second));
    assert!((&mut second).now_or_never().is_none());
    assert_eq!(until(&mut stream, HEADERS).await, 1);

    clock.ring();
    clock.ring();
    let error = second.await.unwrap_err();
    assert!(
        matches!(error, Error::NotSent) && error.is_retryable(),
        "{error:?}"
    );
    assert!(matches!(first.await, Err(Error::Deadline)));
}

#[tokio::test]
async fn a_limit_that_is_raised_later_lets_waiting_pushes_go() {
    let clock = TestClock::at(Utc::now());
    let server = RawServer::new(&["h2"], clock.clone()).await;
    let (client, mut stream) = connected(&server, 1).await;
    let pushes = [push("one"), push("two"), push("three")];
    let waiting = futures_util::future::join_all(pushes.iter().map(|push| client.push(push)));
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
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Ok(Outcome::Delivered { .. })))
    );
}

#[tokio::test]
async fn pushes_that_wait_hear_of_the_connections_end() {
    let clock = TestClock::at(Utc::now());
    let server = RawServer::new(&["h2"], clock.clone()).await;
    let (client, mut stream) = connected(&server, 1).await;
    let pushes = [push("one"), push("two"), push("three")];
    let waiting = futures_util::future::join_all(pushes.iter().map(|push| client.push(push)));
    let serve = async {
        until(&mut stream, HEADERS).await;
        drop(stream);
    };
    let (outcomes, ()) = tokio::join!(waiting, serve);
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Err(error) if error.is_retryable()))
    );
}
