//! Servers that go away, in order and not: no push is lost with them.

use chrono::Utc;
use futures_util::future::join_all;
use mdm_apns::{Error, Outcome, Reason};
use mdm_fake_apple::apns::Fault;

use crate::{
    house::{House, TestClock, is_delivered, push},
    raw::{HEADERS, RawServer, go_away, settings, taken, until, write},
};

#[tokio::test]
async fn an_orderly_goodbye_answers_what_was_sent_and_the_next_push_takes_another_connection() {
    let house = House::new().await;
    let (client, _running) = house.client();
    house.fake.fault(Fault::GoAway);
    assert!(is_delivered(&client.push(&push("last")).await));
    assert!(is_delivered(&client.push(&push("next")).await));
    let connections: Vec<_> = house
        .fake
        .pushes()
        .iter()
        .map(|push| push.connection)
        .collect();
    assert_eq!(connections, [1, 2]);
}

#[tokio::test]
async fn an_abrupt_goodbye_or_end_or_reset_costs_no_push() {
    for fault in [
        Fault::AbruptGoAway { code: 11 },
        Fault::Close,
        Fault::Reset { code: 7 },
        Fault::reject(400, "IdleTimeout"),
    ] {
        let house = House::new().await;
        let (client, _running) = house.client();
        assert!(is_delivered(&client.push(&push("first")).await));
        house.fake.fault(fault.clone());
        let outcomes = join_all(
            ["one", "two", "three"]
                .map(push)
                .iter()
                .map(|push| client.push(push)),
        )
        .await;
        assert!(outcomes.iter().all(is_delivered), "{fault:?} {outcomes:?}");
        assert!(house.fake.pushes().len() >= 4, "{fault:?}");
    }
}

#[tokio::test]
async fn what_a_goodbye_did_not_take_is_sent_again_and_what_it_took_is_not() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let client = server.client();
    let pushes = ["one", "two", "three"].map(push);
    let waiting = join_all(pushes.iter().map(|push| client.push(push)));
    let serve = async {
        let mut first = server.accept().await;
        write(&mut first, &settings(10)).await;
        for number in [1, 3, 5] {
            assert_eq!(until(&mut first, HEADERS).await, number);
        }
        // Stream 1 is the last that it takes; it is answered after the goodbye.
        let mut goodbye = go_away(0, b"");
        goodbye[12] = 1;
        write(&mut first, &goodbye).await;
        let mut second = server.accept().await;
        write(&mut second, &settings(10)).await;
        for number in [1, 3] {
            assert_eq!(until(&mut second, HEADERS).await, number);
            write(&mut second, &taken(number)).await;
        }
        write(&mut first, &taken(1)).await;
        (first, second)
    };
    let (outcomes, _streams) = tokio::join!(waiting, serve);
    assert!(outcomes.iter().all(is_delivered), "{outcomes:?}");
}

#[tokio::test]
async fn a_push_that_breaks_every_connection_ends_after_the_attempts_it_has() {
    let house = House::new().await;
    let (client, _running) = house.client();
    for _ in 0..20 {
        house.fake.fault(Fault::AbruptGoAway { code: 2 });
    }
    let error = house
        .clock
        .pass(client.push(&push("lost")))
        .await
        .unwrap_err();
    assert!(error.is_retryable(), "{error:?}");
    assert!(house.fake.pushes().is_empty());
}

#[tokio::test]
async fn the_driver_ends_once_nobody_pushes_any_more_or_the_client_is_closed() {
    let house = House::new().await;
    let (client, running) = house.client();
    let other = client.clone();
    drop(client);
    assert!(is_delivered(&other.push(&push("last")).await));
    drop(other);
    running.await.unwrap();

    let (client, running) = house.client();
    let last = push("last");
    let (outcome, late) = tokio::join!(client.push(&last), async {
        client.close();
        client.push(&push("late")).await
    });
    assert!(is_delivered(&outcome), "what is under way is answered");
    assert!(matches!(late, Err(Error::Stopped)), "{late:?}");
    running.await.unwrap();
}

#[tokio::test]
async fn without_its_driver_every_push_says_so() {
    let house = House::new().await;
    let (client, driver) = mdm_apns::Client::new(house.config(), house.certificate()).unwrap();
    let waiting = push("waiting");
    let (waiting, ()) = tokio::join!(client.push(&waiting), async { drop(driver) });
    assert!(matches!(waiting, Err(Error::Stopped)), "{waiting:?}");
    assert!(matches!(
        client.push(&push("late")).await,
        Err(Error::Stopped)
    ));
    assert!(matches!(client.connect().await, Err(Error::Stopped)));
}

#[tokio::test]
async fn the_reason_inside_a_goodbye_is_found_and_a_bad_certificate_is_not_shown_again() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let client = server.client();
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(1)).await;
        until(&mut stream, HEADERS).await;
        write(&mut stream, &go_away(2, b"{\"reason\":\"BadCertificate\"}")).await;
        stream
    };
    let pushes = [push("sent"), push("waiting")];
    let pushes = join_all(pushes.iter().map(|push| client.push(push)));
    let (outcomes, _stream) = tokio::join!(pushes, serve);
    match &outcomes[0] {
        Err(error @ Error::GoAway { code: 2, reason }) => {
            assert_eq!(*reason, Some(Reason::BadCertificate));
            assert!(error.is_certificate_refused() && !error.is_retryable());
        }
        other => panic!("{other:?}"),
    }
    for paused in [&outcomes[1], &client.push(&push("late")).await] {
        match paused {
            Err(Error::Paused { why, .. }) => assert!(why.contains("BadCertificate"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn other_words_in_a_goodbye_cost_no_push() {
    for data in [
        &b"{\"reason\":\"Shutdown\"}"[..],
        b"going down",
        b"",
        b"\xff\x00{",
    ] {
        let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
        let client = server.client();
        let serve = async {
            let mut first = server.accept().await;
            write(&mut first, &settings(100)).await;
            until(&mut first, HEADERS).await;
            write(&mut first, &go_away(2, data)).await;
            let mut second = server.accept().await;
            write(&mut second, &settings(100)).await;
            assert_eq!(until(&mut second, HEADERS).await, 1);
            write(&mut second, &taken(1)).await;
            (first, second)
        };
        let push = push("once more");
        let work = async { tokio::join!(client.push(&push), serve) };
        let (outcome, _streams) = server.clock.pass(work).await;
        assert!(is_delivered(&outcome), "{outcome:?}");
    }
}

#[tokio::test]
async fn a_goodbye_before_the_first_push_fails_the_connection() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let client = server.client();
    let serve = async {
        let mut stream = server.accept().await;
        let goodbye = go_away(0, b"{\"reason\":\"BadCertificateEnvironment\"}");
        write(&mut stream, &[settings(0), goodbye].concat()).await;
        // In order, and with nothing open: the client hangs up.
        let mut rest = Vec::new();
        let _ = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut rest).await;
    };
    let (error, ()) = tokio::join!(client.connect(), serve);
    let error = error.unwrap_err();
    assert!(
        matches!(error, Error::GoAway { .. } | Error::Closed { .. }),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_server_that_is_shutting_down_gets_no_further_push_on_that_connection() {
    let house = House::new().await;
    let (client, _running) = house.client();
    house.fake.fault(Fault::reject(503, "Shutdown"));
    match client.push(&push("put off")).await {
        Ok(Outcome::RetryAfter { delay, .. }) => assert_eq!(delay.as_secs(), 900),
        other => panic!("{other:?}"),
    }
    assert!(is_delivered(&client.push(&push("next")).await));
    assert_eq!(house.fake.pushes()[0].connection, 2);
}
