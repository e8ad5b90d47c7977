//! Servers that stall, flood or break the rules: each push ends in a typed outcome, in time and in
//! bounded memory.

use std::{pin::pin, time::Duration};

use chrono::Utc;
use mdm_apns::{Error, Outcome, Reason};
use mdm_fake_apple::apns::Fault;

use crate::{
    house::{House, TestClock, is_delivered, push, run},
    raw::{HEADERS, PING, RawServer, answer, frame, settings, until, write},
};

/// One push that meets this fault each time it is sent; then one that does not.
async fn meet(fault: Fault) -> Result<Outcome, Error> {
    let house = House::new().await;
    let config = house.config().with(|config| {
        config.max_attempts = 3;
        config.answer_deadline = Duration::from_secs(10);
    });
    let (client, _running) = run(config, house.certificate());
    for _ in 0..3 {
        house.fake.fault(fault.clone());
    }
    let outcome = house.clock.pass(client.push(&push("M"))).await;
    for _ in 0..3 {
        // Those of the faults that were not met.
        let _ = house.clock.pass(client.push(&push("between"))).await;
    }
    let after = house.clock.pass(client.push(&push("after"))).await;
    assert!(is_delivered(&after), "{after:?}");
    outcome
}

#[tokio::test]
async fn a_server_that_never_answers_costs_the_deadline_and_no_more() {
    let error = meet(Fault::Stall).await.unwrap_err();
    assert!(
        matches!(error, Error::Deadline) && error.is_retryable(),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_push_that_one_connection_does_not_answer_is_answered_by_the_next() {
    let house = House::new().await;
    let config = house
        .config()
        .with(|config| config.answer_deadline = Duration::from_secs(10));
    let (client, _running) = run(config, house.certificate());
    house.fake.fault(Fault::Stall);
    let outcome = house.clock.pass(client.push(&push("M"))).await;
    assert!(is_delivered(&outcome), "{outcome:?}");
    assert!(house.fake.pushes()[0].connection > 1);
}

#[tokio::test]
async fn a_body_that_never_comes_costs_the_reason_alone() {
    let clock = TestClock::at(Utc::now());
    let mut server = RawServer::new(&["h2"], clock.clone()).await;
    server.config.answer_deadline = Duration::from_secs(10);
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(100)).await;
        until(&mut stream, HEADERS).await;
        write(&mut stream, &answer(b"410")).await;
        // The headers are in the client's hands once it answers what came behind them.
        write(&mut stream, &frame(PING, &[0; 8])).await;
        until(&mut stream, PING).await;
        clock.advance(Duration::from_secs(10));
        stream
    };
    let client = server.client();
    let push = push("M");
    let (_stream, outcome) = tokio::join!(serve, client.push(&push));
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
    match meet(Fault::raw(410, body.clone())).await {
        Ok(Outcome::DeadToken { rejection, .. }) => assert_eq!(rejection.reason, None),
        other => panic!("{other:?}"),
    }
    match meet(Fault::raw(400, body)).await {
        Ok(Outcome::Unknown(rejection)) => assert_eq!(rejection.status, 400),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_body_without_end_is_not_read_and_the_status_still_counts() {
    for status in [200, 410] {
        let bytes = 64 << 20;
        let outcome = meet(Fault::HugeBody { status, bytes }).await.unwrap();
        match (status, outcome) {
            (200, Outcome::Delivered { .. }) => {}
            (410, Outcome::DeadToken { rejection, .. }) => assert_eq!(rejection.reason, None),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn headers_without_end_are_an_error() {
    let error = meet(Fault::EndlessHeaders).await.unwrap_err();
    assert!(
        matches!(error, Error::Protocol { .. } | Error::Closed { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn frames_after_the_goodbye_cost_no_push() {
    let house = House::new().await;
    let (client, _running) = house.client();
    house.fake.fault(Fault::FramesAfterGoAway);
    let outcome = house.clock.pass(client.push(&push("M"))).await;
    assert!(is_delivered(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_body_at_the_limit_is_read_and_one_byte_more_is_not() {
    let house = House::new().await;
    let config = house.config().with(|config| config.body_limit = 30);
    let (client, _running) = run(config, house.certificate());
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
async fn q24_a_body_that_is_missing_or_no_json_costs_the_reason_alone() {
    for body in ["", "<html>", "\u{0}"] {
        match meet(Fault::raw(503, body)).await {
            Ok(Outcome::RetryAfter { delay, rejection }) => {
                assert_eq!((delay.as_secs(), rejection.reason), (900, None));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_reason_nobody_knows_is_kept() {
    match meet(Fault::reject(400, "NotYetInvented")).await {
        Ok(Outcome::Unknown(rejection)) => {
            assert_eq!(rejection.reason.unwrap().as_str(), "NotYetInvented");
            assert!(rejection.apns_id.is_some());
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_push_that_is_reset_is_told_with_its_code() {
    match meet(Fault::Reset { code: 7 }).await {
        Err(error @ Error::Reset { code: 7 }) => assert!(error.is_retryable()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn headers_over_the_limit_are_an_error() {
    let error = meet(Fault::LongHeaders { bytes: 12_000 })
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
    let mut server = RawServer::new(&["h2"], clock.clone()).await;
    server.config.connect_deadline = Duration::from_secs(10);
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(0)).await;
        clock.advance(Duration::from_secs(10));
        stream
    };
    let client = server.client();
    let (connected, _stream) = tokio::join!(client.connect(), serve);
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
        let mut server = RawServer::new(&["h2"], clock.clone()).await;
        server.config.connect_deadline = Duration::from_secs(10);
        let client = server.client();
        let mut connected = pin!(client.connect());
        let serve = async {
            if after_tls {
                (Some(server.accept().await), None)
            } else {
                (None, Some(server.tcp().await))
            }
        };
        let _streams = tokio::select! {
            biased;
            _ = &mut connected => panic!("nothing was said"),
            streams = serve => streams,
        };
        clock.advance(Duration::from_secs(10));
        let connected = connected.await;
        assert!(matches!(connected.unwrap_err(), Error::Deadline));
    }
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_a_protocol_error() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let client = server.client();
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        stream
    };
    let (connected, _stream) = tokio::join!(client.connect(), serve);
    let error = connected.unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_without_http2_is_refused_in_the_handshake() {
    let server = RawServer::new(&["http/1.1"], TestClock::at(Utc::now())).await;
    let client = server.client();
    let (connected, ()) = tokio::join!(client.connect(), server.handshake());
    match connected.unwrap_err() {
        Error::Tls(error) => assert_eq!(error.kind(), mdm_tls::ErrorKind::NoAlpn),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_reads_nothing_more_holds_no_driver_up() {
    let clock = TestClock::at(Utc::now());
    let mut server = RawServer::new(&["h2"], clock.clone()).await;
    server.config.connect_deadline = Duration::from_secs(3600);
    let (client, running) = run(server.config.clone(), server.certificate.clone());
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(1)).await;
        stream
    };
    let (connected, _stream) = tokio::join!(client.connect(), serve);
    connected.unwrap();
    drop(client);
    clock.pass(running).await.unwrap();
}
