//! Several hosts in one address: whoever takes writes is the one, without a restart of the program.

use std::{num::NonZeroUsize, time::Duration};

use mdm_core::{Secret, StoreErrorKind};
use mdm_scratch_postgres::Server;
use mdm_service::{
    queue::{CommandState, ReportKind, Settlement},
    store::{CommandStore, EnrollmentStore},
};
use mdm_storage::{PostgresStore, postgres::Options};
use tokio::net::TcpListener;

use super::cluster::{PASSWORD, database};
use crate::fixture::*;

/// A server, and the standby that has whatever the server answered.
struct Pair {
    first: Server,
    second: Server,
}

impl Pair {
    /// `None`, once said so, where there is no PostgreSQL.
    fn start() -> Option<Self> {
        let Some(first) = Server::builder().in_memory().start().unwrap() else {
            let required = std::env::var("REQUIRE_PEERS").as_deref() == Ok("1");
            assert!(!required, "PostgreSQL is missing");
            eprintln!("skipped: PostgreSQL is missing");
            return None;
        };
        let second = first.standby().unwrap();
        let set = "ALTER SYSTEM SET synchronous_standby_names = '*'";
        first.ask("postgres", set).unwrap();
        first.ask("postgres", "SELECT pg_reload_conf()").unwrap();
        let follows = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        while first.ask("postgres", follows).unwrap() != "1" {}
        Some(Self { first, second })
    }

    /// Both in one address, the standby in front.
    async fn open(&self, options: Options) -> PostgresStore {
        let (first, second) = (self.first.port(), self.second.port());
        let address = format!(
            "postgresql://mdm:{}@127.0.0.1:{second},127.0.0.1:{first}/postgres?target_session_attrs=read-write",
            PASSWORD.replace(' ', "%20")
        );
        let store = PostgresStore::connect(&Secret::new(address), options).await;
        store.unwrap()
    }
}

/// Queues and settles commands until the server is gone; tells what was settled, and what may be.
async fn work(store: PostgresStore, n: usize) -> (Vec<String>, String) {
    let mut settled = Vec::new();
    for c in 0.. {
        let uuid = format!("c-{c}");
        let done = async {
            enqueue(&store, &device(n), &uuid, 100).await?;
            report(&store, n, answered(&device(n), &uuid, 100)).await
        };
        match done.await {
            Ok(polled) => assert_eq!(polled.settlement(), Some(Settlement::Settled)),
            Err(error) => {
                assert_eq!(error.kind(), StoreErrorKind::Unreachable, "{error:?}");
                return (settled, uuid);
            }
        }
        settled.push(uuid);
    }
    unreachable!()
}

/// The first is killed while many work with it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_standby_that_is_promoted_takes_over_with_all_that_was_answered() {
    const DEVICES: usize = 4;
    let Some(pair) = Pair::start() else { return };
    let store = pair.open(Options::default()).await;
    for n in 0..DEVICES {
        enroll(&store, n).await;
    }
    let tasks: Vec<_> = (0..DEVICES)
        .map(|n| tokio::spawn(work(store.clone(), n)))
        .collect();
    let done = "SELECT count(*) > 60 FROM mdm_result";
    while pair.first.ask("postgres", done).unwrap() != "t" {}
    pair.first.kill().unwrap();
    let mut told = Vec::new();
    for task in tasks {
        told.push(task.await.unwrap());
    }
    // The standby answers, and takes no writes yet.
    let error = enqueue(&store, &device(0), "early", 10).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreachable);

    pair.second.promote().unwrap();
    for (n, (settled, unknown)) in told.into_iter().enumerate() {
        for uuid in settled {
            let record = store.command(&device(n), &uuid).await.unwrap().unwrap();
            assert!(matches!(record.state, CommandState::Settled { .. }));
        }
        // What got no answer is whole or not there, and the same again works.
        enqueue(&store, &device(n), &unknown, 100).await.unwrap();
        let again = report(&store, n, answered(&device(n), &unknown, 100)).await;
        let settlement = again.unwrap().settlement().unwrap();
        assert!(matches!(
            settlement,
            Settlement::Settled | Settlement::Before
        ));
    }
    enroll(&store, DEVICES).await;
}

/// A planned change: the first takes no writes any more, and its connections live on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_to_a_server_that_takes_no_writes_any_more_is_thrown_away() {
    let Some(pair) = Pair::start() else { return };
    let two = |options: &mut Options| options.connections = NonZeroUsize::new(2).unwrap();
    let store = pair.open(Options::default().with(two)).await;
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    // Both connections are there, and idle.
    let (one, other) = tokio::join!(store.enrollment(&id), store.enrollment(&id));
    assert_eq!(one.unwrap(), other.unwrap());

    let demote = "ALTER SYSTEM SET default_transaction_read_only = on";
    pair.first.ask("postgres", demote).unwrap();
    pair.first
        .ask("postgres", "SELECT pg_reload_conf()")
        .unwrap();
    let error = loop {
        // A session reads its settings when it is asked the next time.
        match report(&store, 1, ReportKind::not_now("c-1")).await {
            Ok(_) => {}
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::ReadOnly);
    // Nobody takes writes.
    let error = enqueue(&store, &id, "c-2", 10).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreachable);

    pair.second.promote().unwrap();
    enqueue(&store, &id, "c-2", 10).await.unwrap();
    let polled = report(&store, 1, answered(&id, "c-1", 10)).await.unwrap();
    assert_eq!(polled.settlement(), Some(Settlement::Settled));
    assert_eq!(polled.next().unwrap().command_uuid, "c-2");
}

/// It takes the connection, and nothing comes.
#[tokio::test]
async fn a_host_that_says_nothing_does_not_keep_the_next_from_being_asked() {
    let Some(database) = database().await else {
        return;
    };
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, name) = (silent.local_addr().unwrap().port(), &database.name);
    let real = database.cluster.port;
    let address = Secret::new(format!(
        "host=127.0.0.1,127.0.0.1 port={port},{real} user=mdm password='{PASSWORD}' dbname={name}"
    ));
    let patience = |options: &mut Options| options.acquire_timeout = Duration::from_secs(3);
    let options = Options::default().with(patience);
    let store = PostgresStore::connect(&address, options).await.unwrap();
    enroll(&store, 1).await;
}
