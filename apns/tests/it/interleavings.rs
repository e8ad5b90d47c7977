//! What comes at a bad moment: a limit that falls, a client that closes, a driver that goes away.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use chrono::Utc;
use futures_util::{FutureExt, future::join_all};
use mdm_apns::{
    Client, Config, Error, Outcome,
    dial::{Dial, Direct},
};
use mdm_fake_apple::apns::Fault;
use mdm_tls::TlsStream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{
    house::{House, TestClock, is_delivered, push, run},
    raw::{HEADERS, RawServer, SETTINGS, settings, taken, until, write},
};

/// A client that found work for all, and whose server then takes nothing more.
async fn throttled(
    change: impl FnOnce(&mut Config),
) -> (RawServer, Client, JoinHandle<()>, TlsStream<TcpStream>) {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let config = server.config.clone().with(change);
    let (client, running) = run(config, server.certificate.clone());
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(1)).await;
        until(&mut stream, SETTINGS).await;
        // Once more: the first may be no answer but the client's own.
        until(&mut stream, SETTINGS).await;
        write(&mut stream, &settings(0)).await;
        until(&mut stream, SETTINGS).await;
        stream
    };
    let (connected, stream) = tokio::join!(client.connect(), serve);
    connected.unwrap();
    (server, client, running, stream)
}

#[tokio::test]
async fn a_push_that_comes_once_the_limit_has_fallen_to_none_ends_with_its_deadline() {
    let (server, client, _running, _stream) =
        throttled(|config| config.push_deadline = Duration::from_secs(30)).await;
    let outcome = server.clock.pass(client.push(&push("M"))).await;
    assert!(matches!(outcome, Err(Error::NotSent)), "{outcome:?}");
}

#[tokio::test]
async fn a_push_that_comes_once_the_limit_has_fallen_to_none_takes_another_connection() {
    let (server, client, _running, _stream) = throttled(|config| config.max_connections = 2).await;
    let serve = async {
        let mut second = server.accept().await;
        write(&mut second, &settings(1)).await;
        assert_eq!(until(&mut second, HEADERS).await, 1);
        write(&mut second, &taken(1)).await;
        second
    };
    let push = push("M");
    let (outcome, _second) = tokio::join!(client.push(&push), serve);
    assert!(is_delivered(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn a_connection_that_takes_nothing_does_not_outlive_its_client() {
    let (_server, client, running, mut stream) = throttled(|_| {}).await;
    drop(client);
    let _ = stream.read_to_end(&mut Vec::new()).await;
    drop(stream);
    running.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_takes_nothing_does_not_outlive_the_last_push() {
    let (server, client, running, mut stream) =
        throttled(|config| config.push_deadline = Duration::from_secs(30)).await;
    let last = push("last");
    let (outcome, ()) = server
        .clock
        .pass(async { tokio::join!(client.push(&last), async { client.close() }) })
        .await;
    assert!(matches!(outcome, Err(Error::NotSent)), "{outcome:?}");
    let _ = stream.read_to_end(&mut Vec::new()).await;
    drop(stream);
    running.await.unwrap();
}

#[tokio::test]
async fn a_connection_that_takes_nothing_makes_way_for_the_new_certificate() {
    let (server, client, _running, _first) = throttled(|_| {}).await;
    client.renew(server.certificate.clone()).unwrap();
    let serve = async {
        let mut second = server.accept().await;
        write(&mut second, &settings(1)).await;
        assert_eq!(until(&mut second, HEADERS).await, 1);
        write(&mut second, &taken(1)).await;
        second
    };
    let push = push("M");
    let (outcome, _second) = tokio::join!(client.push(&push), serve);
    assert!(is_delivered(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn whoever_waits_for_a_connection_hears_that_there_will_be_none() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let (client, driver) = Client::new(server.config.clone(), server.certificate.clone()).unwrap();
    let (connected, ()) = tokio::join!(client.connect(), async { drop(driver) });
    assert!(matches!(connected, Err(Error::Stopped)), "{connected:?}");

    let (client, running) = run(server.config.clone(), server.certificate.clone());
    let (connected, _) = tokio::join!(client.connect(), async {
        let tcp = server.tcp().await;
        client.close();
        tcp
    });
    assert!(matches!(connected, Err(Error::Stopped)), "{connected:?}");
    running.await.unwrap();
}

#[tokio::test]
async fn a_push_whose_own_time_is_over_says_nothing_against_the_connection() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let config = server.config.clone().with(|config| {
        config.push_deadline = Duration::from_secs(30);
    });
    let (client, _running) = run(config, server.certificate.clone());
    let (late, next) = (push("late"), push("next"));
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(1)).await;
        stream
    };
    let (connected, mut stream) = tokio::join!(client.connect(), serve);
    connected.unwrap();
    let mut late = Box::pin(client.push(&late));
    assert!((&mut late).now_or_never().is_none());
    assert_eq!(until(&mut stream, HEADERS).await, 1);
    let late = server.clock.pass(late).await;
    assert!(matches!(late, Err(Error::Deadline)), "{late:?}");
    let serve = async {
        write(&mut stream, &taken(1)).await;
        assert_eq!(until(&mut stream, HEADERS).await, 3);
        write(&mut stream, &taken(3)).await;
    };
    let (outcome, ()) = tokio::join!(client.push(&next), serve);
    assert!(is_delivered(&outcome), "{outcome:?}");
}

/// Leads the first connection to the service, and the others to somebody who speaks no TLS.
#[derive(Debug)]
struct Astray {
    dialled: AtomicUsize,
    elsewhere: u16,
}

#[async_trait]
impl Dial for Astray {
    async fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        let port = match self.dialled.fetch_add(1, Ordering::SeqCst) {
            0 => port,
            _ => self.elsewhere,
        };
        Direct.dial(host, port).await
    }
}

#[tokio::test]
async fn a_further_connection_that_cannot_be_made_costs_no_push_that_the_first_can_carry() {
    let server = RawServer::new(&["h2"], TestClock::at(Utc::now())).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let elsewhere = listener.local_addr().unwrap().port();
    let dial = Arc::new(Astray {
        dialled: AtomicUsize::new(0),
        elsewhere,
    });
    let config = server.config.clone().with(|config| {
        config.dial = dial;
        config.max_connections = 2;
    });
    let (client, _running) = run(config, server.certificate.clone());
    let pushes = ["one", "two", "three"].map(push);
    let pushes = join_all(pushes.iter().map(|push| client.push(push)));
    let serve = async {
        let mut stream = server.accept().await;
        write(&mut stream, &settings(1)).await;
        assert_eq!(until(&mut stream, HEADERS).await, 1);
        let (mut other, _) = listener.accept().await.unwrap();
        let _ = other.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let _ = other.read_to_end(&mut Vec::new()).await;
        drop(other);
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        for number in [1, 3, 5] {
            write(&mut stream, &taken(number)).await;
            if number < 5 {
                assert_eq!(until(&mut stream, HEADERS).await, number + 2);
            }
        }
        stream
    };
    let (outcomes, _stream) = tokio::join!(pushes, serve);
    assert!(outcomes.iter().all(is_delivered), "{outcomes:?}");
}

#[tokio::test]
async fn a_trial_that_is_given_up_leaves_the_next_push_to_be_one() {
    let house = House::new().await;
    let (client, _running) = house.client();
    house.fake.fault(Fault::reject(403, "Forbidden"));
    let broken = client.push(&push("M")).await;
    assert!(matches!(broken, Ok(Outcome::TopicBroken(_))), "{broken:?}");
    house.clock.advance(Duration::from_secs(15 * 60));
    assert!(client.push(&push("given up")).now_or_never().is_none());
    let outcome = client.push(&push("M")).await;
    assert!(is_delivered(&outcome), "{outcome:?}");
}

/// Numbers that look like chance, the same in each run (Marsaglia's xorshift).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_push_ends_though_clients_push_give_up_renew_and_close_at_the_same_time() {
    for seed in 1..=12_u64 {
        let house = Arc::new(House::with(|config| config.max_streams(20)).await);
        house.fake.every(70, Fault::GoAway);
        house.fake.every(90, Fault::Close);
        house.fake.every(110, Fault::AbruptGoAway { code: 0 });
        house.fake.every(50, Fault::reject(400, "IdleTimeout"));
        let config = house.config().with(|config| {
            config.max_connections = 3;
            config.max_attempts = 1_000;
            config.reconnect.base_delay = Duration::ZERO;
            config.reconnect.max_delay = Duration::ZERO;
        });
        let (client, running) = run(config, house.certificate());
        let work = (1..=8_u64).map(|number| {
            let client = client.clone();
            let certificate = house.certificate();
            let house = Arc::clone(&house);
            tokio::spawn(async move {
                let mut chance = Chance(seed * 1_000 + number);
                for _ in 0..25 {
                    let pushes: Vec<_> = (0..chance.below(12)).map(|_| push("M")).collect();
                    let mut all = Box::pin(join_all(pushes.iter().map(|push| client.push(push))));
                    match chance.below(10) {
                        0 => drop((&mut all).now_or_never()),
                        1 => client.renew(certificate.clone()).unwrap(),
                        2 => client.resume(),
                        3 => house
                            .fake
                            .set_max_streams([0, 1, 5][chance.below(3) as usize]),
                        4 => client.connect().await.unwrap_or_default(),
                        5 if number == 8 && seed % 2 == 0 => client.close(),
                        _ => {
                            house.fake.set_max_streams(20);
                            for outcome in all.await {
                                let is_stopped = matches!(outcome, Err(Error::Stopped));
                                assert!(is_delivered(&outcome) || is_stopped, "{outcome:?}");
                            }
                        }
                    }
                    house.fake.set_max_streams(20);
                }
            })
        });
        let work: Vec<_> = work.collect();
        if seed % 3 == 0 {
            tokio::task::yield_now().await;
            running.abort();
        }
        drop(client);
        for done in join_all(work).await {
            done.unwrap();
        }
        let _ = running.await;
    }
}
