//! Servers that go away, in order and not.

use chrono::Utc;
use mdm_apns::{Error, Outcome, Reason};
use mdm_fake_apple::apns::Fault;

use crate::{
    house::{House, TestClock, push},
    raw::{HEADERS, RawServer, go_away, settings, until, write},
};

fn is_delivered(outcome: &Result<Outcome, Error>) -> bool {
    matches!(outcome, Ok(Outcome::Delivered { .. }))
}

#[tokio::test]
async fn an_orderly_goodbye_answers_what_was_sent_and_takes_no_more() {
    let house = House::new().await;
    let (client, running) = house.client().await;
    house.fake.fault(Fault::GoAway);
    assert!(is_delivered(&client.push(&push("last")).await));
    running.await.unwrap().unwrap();
    let error = client.push(&push("late")).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert_eq!(house.fake.pushes().len(), 1);

    let (again, _running) = house.client().await;
    assert!(is_delivered(&again.push(&push("late")).await));
}

#[tokio::test]
async fn the_connection_ends_in_order_once_nobody_pushes_any_more() {
    let house = House::new().await;
    let (client, running) = house.client().await;
    let other = client.clone();
    drop(client);
    assert!(is_delivered(&other.push(&push("last")).await));
    drop(other);
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_abrupt_goodbye_fails_what_was_sent_and_may_be_sent_again() {
    let house = House::new().await;
    let (client, running) = house.client().await;
    house.fake.fault(Fault::AbruptGoAway { code: 11 });
    let error = client.push(&push("lost")).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    match running.await.unwrap().unwrap_err() {
        Error::GoAway { code, reason } => assert_eq!((code, reason), (11, None)),
        other => panic!("{other:?}"),
    }
    let error = client.push(&push("late")).await.unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
}

#[tokio::test]
async fn a_connection_closed_without_a_word_is_told_as_such() {
    let house = House::new().await;
    let (client, running) = house.client().await;
    house.fake.fault(Fault::Close);
    let error = client.push(&push("lost")).await.unwrap_err();
    assert!(
        matches!(error, Error::Closed { .. }) && error.is_retryable(),
        "{error:?}"
    );
    assert!(matches!(
        running.await.unwrap(),
        Ok(()) | Err(Error::Closed { .. })
    ));
}

#[tokio::test]
async fn the_reason_inside_a_goodbye_is_found() {
    for (data, expected, retryable) in [
        (
            &b"{\"reason\":\"BadCertificate\"}"[..],
            Some(Reason::BadCertificate),
            false,
        ),
        (b"{\"reason\":\"Shutdown\"}", Some(Reason::Shutdown), true),
        (b"going down", None, true),
        (b"", None, true),
    ] {
        let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
        let serve = async {
            let mut stream = server.accept().await;
            write(&mut stream, &settings(100)).await;
            until(&mut stream, HEADERS).await;
            write(&mut stream, &go_away(2, data)).await;
            stream
        };
        let push = async { server.connect().await?.push(&push("lost")).await };
        let (_stream, outcome) = tokio::join!(serve, push);
        let error = outcome.unwrap_err();
        assert_eq!(error.is_retryable(), retryable, "{error}");
        match error {
            Error::GoAway { code, reason } => assert_eq!((code, reason), (2, expected)),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_goodbye_before_the_first_push_fails_the_connection() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let serve = async {
        let mut stream = server.accept().await;
        let goodbye = go_away(0, b"{\"reason\":\"BadCertificateEnvironment\"}");
        write(&mut stream, &[settings(0), goodbye].concat()).await;
        // In order, and with nothing open: the client hangs up.
        let mut rest = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
    };
    let (error, ()) = tokio::join!(server.connect(), serve);
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::GoAway { .. } | Error::Closed { .. }),
        "{error:?}"
    );
}
