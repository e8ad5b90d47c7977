//! How many connections there are, where they lead, and how long they last.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::Utc;
use futures_util::future::join_all;
use mdm_apns::{
    Error,
    dial::{Dial, Direct, Tunnel},
};
use mdm_core::Secret;
use mdm_fake_apple::apns::Fault;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{
    house::{House, TestClock, is_delivered, push, run},
    raw::{HEADERS, PING, RawServer, SETTINGS, frame, go_away, settings, taken, until, write},
};

/// Counts its connections, and what they were asked for.
#[derive(Debug, Default)]
struct Counting {
    asked: Mutex<Vec<(String, u16)>>,
    /// How many more cannot be made.
    broken: AtomicUsize,
}

#[async_trait]
impl Dial for Counting {
    async fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        self.asked.lock().unwrap().push((host.to_owned(), port));
        let less = |left: usize| left.checked_sub(1);
        if self
            .broken
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, less)
            .is_ok()
        {
            return Err(io::ErrorKind::ConnectionRefused.into());
        }
        Direct.dial(host, port).await
    }
}

#[tokio::test]
async fn each_connection_asks_for_the_name_afresh() {
    let house = House::new().await;
    let dial = Arc::new(Counting::default());
    let config = house.config().with(|config| config.dial = dial.clone());
    let (client, _running) = run(config, house.certificate());
    assert!(
        dial.asked.lock().unwrap().is_empty(),
        "nothing before the first push"
    );
    for _ in 0..3 {
        assert!(is_delivered(&client.push(&push("M")).await));
        house.fake.fault(Fault::GoAway);
        assert!(is_delivered(&client.push(&push("M")).await));
    }
    let asked = dial.asked.lock().unwrap().clone();
    assert_eq!(asked, vec![("127.0.0.1".to_owned(), house.fake.port()); 3]);
}

#[tokio::test]
async fn a_push_waits_out_a_service_that_cannot_be_reached_and_each_attempt_comes_later() {
    let house = House::new().await;
    let dial = Arc::new(Counting::default());
    dial.broken.store(3, Ordering::SeqCst);
    let config = house.config().with(|config| config.dial = dial.clone());
    let (client, _running) = run(config, house.certificate());
    let start = mdm_core::Clock::now(&*house.clock);
    let outcome = house.clock.pass(client.push(&push("M"))).await;
    assert!(is_delivered(&outcome), "{outcome:?}");
    assert_eq!(dial.asked.lock().unwrap().len(), 4);
    // 1, 2 and 4 seconds, of each half by chance.
    let waited = (mdm_core::Clock::now(&*house.clock) - start).num_seconds();
    assert!((3..=10).contains(&waited), "{waited}");
}

#[tokio::test]
async fn a_service_that_stays_away_costs_the_deadline_and_says_why() {
    let house = House::new().await;
    let dial = Arc::new(Counting::default());
    dial.broken.store(usize::MAX, Ordering::SeqCst);
    let config = house.config().with(|config| {
        config.dial = dial.clone();
        config.push_deadline = Duration::from_secs(30);
    });
    let (client, _running) = run(config, house.certificate());
    let pushes = ["one", "two", "three"].map(push);
    let pushes = join_all(pushes.iter().map(|push| client.push(push)));
    for outcome in house.clock.pass(pushes).await {
        let error = outcome.unwrap_err();
        assert!(
            matches!(error, Error::Connect(_)) && error.is_retryable(),
            "{error:?}"
        );
    }
    let attempts = dial.asked.lock().unwrap().len();
    assert!(
        (4..=8).contains(&attempts),
        "{attempts} for all in 30 seconds"
    );
}

#[tokio::test]
async fn more_connections_are_opened_while_more_pushes_wait_than_the_open_ones_take() {
    for (allowed, expected) in [(1, 1_u32), (3, 3)] {
        let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
        let config = server
            .config
            .clone()
            .with(|config| config.max_connections = allowed);
        let (client, _running) = run(config, server.certificate.clone());
        let pushes: Vec<_> = (0..9).map(|number| push(&number.to_string())).collect();
        let pushes = join_all(pushes.iter().map(|push| client.push(push)));
        let serve = async {
            let mut streams = Vec::new();
            for _ in 0..expected {
                let mut stream = server.accept().await;
                write(&mut stream, &settings(2)).await;
                assert_eq!(until(&mut stream, HEADERS).await, 1);
                assert_eq!(until(&mut stream, HEADERS).await, 3);
                streams.push(stream);
            }
            // All are full. Of the rest the last connection takes one after the other.
            let mut last = streams.pop().unwrap();
            for mut stream in streams {
                write(&mut stream, &settings(0)).await;
                write(&mut stream, &[taken(1), taken(3)].concat()).await;
                tokio::spawn(async move {
                    let _ = stream.read_to_end(&mut Vec::new()).await;
                });
            }
            write(&mut last, &[taken(1), taken(3)].concat()).await;
            for number in 2..=9 - 2 * expected + 1 {
                let number = 2 * number + 1;
                assert_eq!(until(&mut last, HEADERS).await, number);
                write(&mut last, &taken(number)).await;
            }
        };
        let (outcomes, ()) = tokio::join!(pushes, serve);
        assert!(outcomes.iter().all(is_delivered), "{outcomes:?}");
    }
}

#[tokio::test]
async fn a_server_that_names_no_limit_takes_all() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let config = server
        .config
        .clone()
        .with(|config| config.max_connections = 2);
    let (client, _running) = run(config, server.certificate.clone());
    let pushes = ["one", "two", "three"].map(push);
    let pushes = join_all(pushes.iter().map(|push| client.push(push)));
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &frame(SETTINGS, &[])).await;
        for number in [1, 3, 5] {
            assert_eq!(until(&mut stream, HEADERS).await, number);
        }
        for number in [1, 3, 5] {
            write(&mut stream, &taken(number)).await;
        }
        stream
    };
    let (outcomes, _stream) = tokio::join!(pushes, serve);
    assert!(outcomes.iter().all(is_delivered), "{outcomes:?}");
}

#[tokio::test]
async fn a_connection_that_is_idle_for_an_hour_is_pinged_and_lives_on_if_it_answers() {
    let clock = TestClock::at(Utc::now());
    let mut server = RawServer::new(&["h2"], clock.clone()).await;
    server.config.idle = Duration::from_secs(3600);
    let client = server.client();
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(10)).await;
        stream
    };
    let (connected, mut stream) = tokio::join!(client.connect(), serve);
    connected.unwrap();
    for _ in 0..3 {
        let ping = clock.pass(until(&mut stream, PING)).await;
        assert_eq!(ping, 0);
        let mut pong = frame(PING, b"\x3b\x7c\xdb\x7a\x0b\x87\x16\xb4");
        pong[4] = 1;
        write(&mut stream, &pong).await;
    }
    let last = push("still there");
    let serve = async {
        assert_eq!(until(&mut stream, HEADERS).await, 1);
        write(&mut stream, &taken(1)).await;
    };
    let (outcome, ()) = tokio::join!(client.push(&last), serve);
    assert!(is_delivered(&outcome));
}

#[tokio::test]
async fn a_connection_that_does_not_answer_its_ping_is_given_up() {
    let clock = TestClock::at(Utc::now());
    let mut server = RawServer::new(&["h2"], clock.clone()).await;
    server.config.idle = Duration::from_secs(3600);
    server.config.connect_deadline = Duration::from_secs(3600);
    server.config.reconnect.base_delay = Duration::ZERO;
    let client = server.client();
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(10)).await;
        stream
    };
    let (connected, mut first) = tokio::join!(client.connect(), serve);
    connected.unwrap();
    clock.pass(until(&mut first, PING)).await;
    let mut rest = Vec::new();
    let _ = clock.pass(first.read_to_end(&mut rest)).await;

    let next = push("over the next");
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(10)).await;
        assert_eq!(until(&mut stream, HEADERS).await, 1);
        write(&mut stream, &taken(1)).await;
        stream
    };
    let (outcome, _stream) = tokio::join!(client.push(&next), serve);
    assert!(is_delivered(&outcome));
}

/// An HTTP proxy that takes one CONNECT and answers it so; what it was asked.
async fn proxy(answer: &'static [u8]) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        let asked = String::from_utf8(head).unwrap();
        let target = asked.split(' ').nth(1).unwrap().to_owned();
        client.write_all(answer).await.unwrap();
        if answer.starts_with(b"HTTP/1.1 200") {
            let mut server = TcpStream::connect(target).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
        asked
    });
    (port, asked)
}

#[tokio::test]
async fn pushes_go_through_a_proxy_with_tls_from_end_to_end() {
    let house = House::new().await;
    let (port, asked) = proxy(b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n").await;
    let tunnel = Tunnel::new("127.0.0.1", port).basic("user", &Secret::new("pass".to_owned()));
    assert!(!format!("{tunnel:?}").contains("dXNlcjpwYXNz"));
    let config = house.config().with(|config| config.dial = Arc::new(tunnel));
    let (client, _running) = run(config, house.certificate());
    assert!(is_delivered(&client.push(&push("M")).await));
    let target = format!("127.0.0.1:{}", house.fake.port());
    let expected = format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic dXNlcjpwYXNz\r\n\r\n"
    );
    assert_eq!(asked.await.unwrap(), expected);
}

#[tokio::test]
async fn a_proxy_that_refuses_or_answers_nonsense_is_no_connection() {
    let house = House::new().await;
    let endless: &[u8] = &[b'x'; 20_000];
    for (answer, expected) in [
        (
            &b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"[..],
            "the proxy answered 407",
        ),
        (b"SSH-2.0-x\r\n\r\n", "the proxy's answer is not HTTP"),
        (b"HTTP/1.1 200", "unexpected end of file"),
        (endless, "the proxy's answer is too long"),
    ] {
        let (port, _asked) = proxy(answer).await;
        let config = house
            .config()
            .with(|config| config.dial = Arc::new(Tunnel::new("127.0.0.1", port)));
        let (client, _running) = run(config, house.certificate());
        match client.connect().await.unwrap_err() {
            Error::Connect(error) => assert_eq!(error.to_string(), expected),
            other => panic!("{other:?}"),
        }
    }
    let tunnel = Tunnel::new("127.0.0.1", 1).authorization(Secret::new("x\r\nHost: y".to_owned()));
    let error = tunnel.dial("localhost", 1).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
}

#[tokio::test]
async fn connections_that_only_wait_for_answers_do_not_become_any_number() {
    let clock = TestClock::at(Utc::now());
    let server = RawServer::new(&["h2"], clock.clone()).await;
    let client = server.client();
    let pushes: Vec<_> = (0..20).map(|number| push(&number.to_string())).collect();
    let pushes = join_all(pushes.iter().map(|push| client.push(push)));
    let serve = async {
        let mut held = Vec::new();
        // Each takes one push, bids goodbye in order, and answers nothing.
        for _ in 0..4 {
            let mut stream = server.accept().await;
            write(&mut stream, &settings(1)).await;
            assert_eq!(until(&mut stream, HEADERS).await, 1);
            let mut goodbye = go_away(0, b"");
            goodbye[12] = 1;
            write(&mut stream, &goodbye).await;
            held.push(stream);
        }
        let more = tokio::select! {
            biased;
            _ = server.tcp() => true,
            () = quiet() => false,
        };
        assert!(!more, "a fifth connection");
        // One is answered and ends, so there is room for the next.
        let mut first = held.remove(0);
        write(&mut first, &taken(1)).await;
        let _rest = first.read_to_end(&mut Vec::new()).await;
        let mut stream = server.accept().await;
        write(&mut stream, &settings(100)).await;
        for number in 0..16 {
            assert_eq!(until(&mut stream, HEADERS).await, 2 * number + 1);
            write(&mut stream, &taken(2 * number + 1)).await;
        }
        for mut stream in held {
            write(&mut stream, &taken(1)).await;
        }
        stream
    };
    let (outcomes, _stream) = tokio::join!(pushes, serve);
    assert!(outcomes.iter().all(is_delivered), "{outcomes:?}");
}

/// Long enough for whatever is on its way.
async fn quiet() {
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
}
