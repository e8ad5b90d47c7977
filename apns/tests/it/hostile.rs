//! Servers that stall, flood or break the rules: each push ends in a typed outcome, in time and in
//! bounded memory.

use chrono::Utc;
use mdm_apns::{Error, Outcome, Reason};
use mdm_fake_apple::apns::Fault;

use crate::{
    house::{House, TestClock, push},
    raw::{HEADERS, PING, RawServer, answer, frame, settings, until, write},
};

/// One push that meets this fault, with the deadline passing meanwhile or not; then one that does
/// not, over the same connection.
async fn meet(fault: Fault, too_late: bool) -> Result<Outcome, Error> {
    let house = House::new().await;
    let (client, _running) = house.client().await;
    house.fake.fault(fault);
    if too_late {
        house.clock.ring();
    }
    let outcome = client.push(&push("M")).await;
    let after = client.push(&push("after")).await;
    assert!(matches!(after, Ok(Outcome::Delivered { .. })), "{after:?}");
    outcome
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_deadline_and_no_more() {
    let error = meet(Fault::Stall, true).await.unwrap_err();
    assert!(
        matches!(error, Error::Deadline) && error.is_retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_body_that_never_comes_costs_the_reason_alone() {
    let clock = TestClock::at(Utc::now());
    let server = RawServer::new(&["h2"], clock.clone()).await;
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(100)).await;
        until(&mut stream, HEADERS).await;
        write(&mut stream, &answer(b"410")).await;
        // The headers are in the client's hands once it answers what came behind them.
        write(&mut stream, &frame(PING, &[0; 8])).await;
        until(&mut stream, PING).await;
        clock.ring();
        stream
    };
    let push = async { server.connect().await?.push(&push("M")).await };
    let (_stream, outcome) = tokio::join!(serve, push);
    match outcome {
        Ok(Outcome::DeadToken { since, rejection }) => {
            assert_eq!(
                (since, rejection.status, rejection.reason),
                (None, 410, None)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_reason_of_a_megabyte_is_not_read_and_the_status_still_counts() {
    let body = format!(r#"{{"reason":"{}"}}"#, "x".repeat(1 << 20));
    match meet(Fault::raw(410, body.clone()), false).await {
        Ok(Outcome::DeadToken { rejection, .. }) => assert_eq!(rejection.reason, None),
        other => panic!("{other:?}"),
    }
    match meet(Fault::raw(400, body), false).await {
        Ok(Outcome::Unknown(rejection)) => assert_eq!(rejection.status, 400),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_byte_more_is_not() {
    let house = House::new().await;
    let config = house.config().with(|config| config.body_limit = 30);
    let connected = mdm_apns::Client::connect(&config, &house.certificate()).await;
    let (client, connection) = connected.unwrap();
    tokio::spawn(connection.run());
    let reason = r#"{"reason":"Unregistered"}"#;
    for (length, expected) in [(30, Some(Reason::Unregistered)), (31, None)] {
        house
            .fake
            .fault(Fault::raw(410, format!("{reason:length$}")));
        match client.push(&push("M")).await {
            Ok(Outcome::DeadToken { rejection, .. }) => assert_eq!(rejection.reason, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_body_that_is_missing_or_no_json_costs_the_reason_alone() {
    for body in ["", "<html>", "\u{0}"] {
        match meet(Fault::raw(503, body), false).await {
            Ok(Outcome::RetryAfter { delay, rejection }) => {
                assert_eq!((delay.as_secs(), rejection.reason), (900, None));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_reason_nobody_knows_is_kept() {
    match meet(Fault::reject(400, "NotYetInvented"), false).await {
        Ok(Outcome::Unknown(rejection)) => {
            assert_eq!(rejection.reason.unwrap().as_str(), "NotYetInvented");
            assert!(rejection.apns_id.is_some());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_push_that_is_reset_is_told_with_its_code() {
    match meet(Fault::Reset { code: 7 }, false).await {
        Err(error @ Error::Reset { code: 7 }) => assert!(error.is_retryable()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn headers_over_the_limit_are_an_error() {
    let error = meet(Fault::LongHeaders { bytes: 12_000 }, false)
        .await
        .unwrap_err();
    assert!(
        matches!(error, Error::Protocol { .. } | Error::Reset { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_takes_no_stream_costs_the_deadline() {
    let clock = TestClock::at(Utc::now());
    let server = RawServer::new(&["h2"], clock.clone()).await;
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(0)).await;
        clock.ring();
        stream
    };
    let (connected, _stream) = tokio::join!(server.connect(), serve);
    let error = connected.unwrap_err();
    assert!(
        matches!(error, Error::Deadline) && error.is_retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_says_nothing_costs_the_deadline() {
    for after_tls in [false, true] {
        let clock = TestClock::at(Utc::now());
        let server = RawServer::new(&["h2"], clock.clone()).await;
        let serve = async {
            if after_tls {
                let stream = server.accept().await;
                clock.ring();
                (Some(stream), None)
            } else {
                let stream = server.tcp().await;
                clock.ring();
                (None, Some(stream))
            }
        };
        let (connected, _streams) = tokio::join!(server.connect(), serve);
        assert!(matches!(connected.unwrap_err(), Error::Deadline));
    }
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_a_protocol_error() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        stream
    };
    let (connected, _stream) = tokio::join!(server.connect(), serve);
    let error = connected.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_without_http2_is_refused_in_the_handshake() {
    let server = RawServer::new(&["http/1.1"], TestClock::at(Utc::now())).await;
    let (connected, ()) = tokio::join!(server.connect(), server.handshake());
    match connected.unwrap_err() {
        Error::Tls(error) => assert_eq!(error.kind(), mdm_tls::ErrorKind::NoAlpn),
        other => panic!("{other:?}"),
    }
}
