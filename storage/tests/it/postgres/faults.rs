//! What fails, how it is told, and that no half of a step is left.

use std::{num::NonZeroUsize, time::Duration};

use mdm_core::{Secret, StoreErrorKind};
use mdm_scep::{
    Store,
    store::{Committed, Grant, Issuance},
};
use mdm_storage::{PostgresStore, postgres::Options};

use super::{cause, cluster::database, proxy::Proxy};
use crate::scep::{NOW, certificate, challenge, issue, key, request, spend};

/// The server has committed and nobody heard it: the same request again gets the same certificate.
#[tokio::test]
async fn an_answer_that_gets_lost_is_told_as_unavailable_and_asking_again_finds_it() {
    let Some(database) = database().await else {
        return;
    };
    let proxy = Proxy::before(database.cluster.socket()).await;
    let (port, name) = (proxy.address.port(), &database.name);
    let address = Secret::new(format!("host=127.0.0.1 port={port} user=mdm dbname={name}"));
    let one = Options::default().with(|options| options.connections = NonZeroUsize::MIN);
    let store = PostgresStore::connect(&address, one).await.unwrap();
    let key = key();
    // The first of each makes the server prepare it.
    for n in 0..2 {
        issue(&store, n).await.unwrap();
    }
    spend(&store, 0, certificate(&key)).await.unwrap();

    let leaf = certificate(&key);
    proxy.cut();
    let error = spend(&store, 1, leaf.clone()).await.unwrap_err();
    assert_eq!(cause(&error), StoreErrorKind::Unreachable);
    let another = certificate(&key);
    let Committed::Repeated(kept) = spend(&store, 1, another).await.unwrap() else {
        panic!("not repeated");
    };
    assert_eq!(kept, leaf);
    let grant = Grant::challenge(challenge(1), "device 1");
    let other = Issuance::new(certificate(&key), grant, request(2), NOW);
    let refused = store.commit(other).await.unwrap();
    assert!(matches!(refused, Committed::Conflict));
}

#[tokio::test]
async fn a_step_that_waits_too_long_spends_no_challenge_and_goes_on_when_the_lock_is_gone() {
    let Some(database) = database().await else {
        return;
    };
    let impatient = Options::default().with(|options| {
        options.connections = NonZeroUsize::MIN;
        options.statement_timeout = Duration::from_millis(200);
    });
    let store = database.open_with(impatient).await;
    issue(&store, 1).await.unwrap();
    let leaf = certificate(&key());
    let mut client = database.client().await;
    let other = client.transaction().await.unwrap();
    let lock = "SELECT FROM scep_challenge FOR UPDATE";
    other.batch_execute(lock).await.unwrap();
    let error = spend(&store, 1, leaf.clone()).await.unwrap_err();
    assert_eq!(cause(&error), StoreErrorKind::Other);
    let found = store.challenge(&challenge(1)).await.unwrap().unwrap();
    assert!(found.spent.is_none());
    other.rollback().await.unwrap();
    let stored = spend(&store, 1, leaf).await.unwrap();
    assert!(matches!(stored, Committed::Stored));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_free_connection_a_step_gives_up() {
    let Some(database) = database().await else {
        return;
    };
    let narrow = Options::default().with(|options| {
        options.connections = NonZeroUsize::MIN;
        options.acquire_timeout = Duration::from_millis(200);
    });
    let store = database.open_with(narrow).await;
    issue(&store, 1).await.unwrap();
    let mut client = database.client().await;
    let other = client.transaction().await.unwrap();
    let lock = "SELECT FROM scep_challenge FOR UPDATE";
    other.batch_execute(lock).await.unwrap();
    let waits = tokio::spawn({
        let store = store.clone();
        async move { spend(&store, 1, certificate(&key())).await }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while database.number(waiting).await == 0 {}
    let error = store.challenge(&challenge(1)).await.unwrap_err();
    assert_eq!(cause(&error), StoreErrorKind::Unreachable);
    other.rollback().await.unwrap();
    waits.await.unwrap().unwrap();
}

/// A pool finds its connections dead and makes new ones.
#[tokio::test]
async fn connections_that_the_server_ended_are_replaced() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    issue(&store, 1).await.unwrap();
    let end = "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()";
    assert!(database.number(end).await > 0);
    // The one that had not heard of it yet may fail.
    let first = store.challenge(&challenge(1)).await;
    if let Err(error) = first {
        assert_eq!(cause(&error), StoreErrorKind::Unreachable);
    }
    assert!(store.challenge(&challenge(1)).await.unwrap().is_some());
}

/// A bound of a newer program must not pass for none.
#[tokio::test]
async fn a_challenge_whose_bound_is_not_understood_grants_nothing() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    issue(&store, 1).await.unwrap();
    let newer = "UPDATE scep_challenge SET bound = 'colour 626c7565'";
    database.client().await.batch_execute(newer).await.unwrap();
    let error = store.challenge(&challenge(1)).await.unwrap_err();
    assert_eq!(cause(&error), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn a_database_that_only_reads_says_so() {
    let Some(database) = database().await else {
        return;
    };
    drop(database.open().await);
    let name = &database.name;
    let settings = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    database
        .client()
        .await
        .batch_execute(&settings)
        .await
        .unwrap();
    let store = database.open().await;
    let error = store.next_crl_number().await.unwrap_err();
    assert_eq!(cause(&error), StoreErrorKind::ReadOnly);
    assert!(store.challenge(&challenge(1)).await.unwrap().is_none());
}

/// Also where the server is set not to wait for its disk.
#[tokio::test]
async fn what_is_answered_is_on_the_disk() {
    let Some(database) = database().await else {
        return;
    };
    let name = &database.name;
    let settings = format!(
        "ALTER DATABASE {name} SET synchronous_commit = off;
         CREATE TABLE seen (setting text);
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
         BEGIN
             INSERT INTO seen VALUES (current_setting('synchronous_commit'));
             RETURN NULL;
         END $$;"
    );
    let client = database.client().await;
    client.batch_execute(&settings).await.unwrap();
    let store = database.open().await;
    let trigger = "CREATE TRIGGER look AFTER INSERT ON scep_challenge EXECUTE FUNCTION look()";
    client.batch_execute(trigger).await.unwrap();
    issue(&store, 1).await.unwrap();
    let on = "SELECT count(*) FROM seen WHERE setting = 'on'";
    assert_eq!(database.number(on).await, 1);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    let clone = store.clone();
    store.close();
    let error = clone.next_crl_number().await.unwrap_err();
    assert_eq!(cause(&error), StoreErrorKind::Closed);
}
