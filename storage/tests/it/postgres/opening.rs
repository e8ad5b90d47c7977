//! How a database is found, made and refused.

use mdm_core::{Secret, StoreErrorKind};
use mdm_scep::Store;
use mdm_storage::{
    PostgresStore,
    postgres::{Options, SCHEMA_VERSION},
};

use super::cluster::{database, empty_database};
use crate::scep::{challenge, issue};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_nodes_start_at_once_on_an_empty_database() {
    let Some(database) = empty_database().await else {
        return;
    };
    let nodes: Vec<_> = (0..12)
        .map(|_| {
            let address = database.address();
            tokio::spawn(async move { PostgresStore::connect(&address, Options::default()).await })
        })
        .collect();
    for (n, node) in nodes.into_iter().enumerate() {
        issue(&node.await.unwrap().unwrap(), n).await.unwrap();
    }
    let versions = "SELECT sum(version) FROM mdm_storage_schema";
    assert_eq!(database.number(versions).await, i64::from(SCHEMA_VERSION));
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let Some(database) = database().await else {
        return;
    };
    drop(database.open().await);
    let newer = "UPDATE mdm_storage_schema SET version = 99";
    database.client().await.batch_execute(newer).await.unwrap();
    let error = PostgresStore::connect(&database.address(), Options::default()).await;
    let kind = error.unwrap_err().kind();
    let (found, known) = (99, SCHEMA_VERSION);
    assert_eq!(kind, StoreErrorKind::SchemaTooNew { found, known });
    let version = "SELECT sum(version) FROM mdm_storage_schema";
    assert_eq!(database.number(version).await, 99);
}

/// The schema after the first step, and what was written then.
#[tokio::test]
async fn an_older_schema_keeps_what_is_in_it() {
    let Some(database) = empty_database().await else {
        return;
    };
    let client = database.client().await;
    for step in [
        include_str!("../../../src/postgres/migrations/0001_scep.sql"),
        "CREATE TABLE mdm_storage_schema (version integer NOT NULL);
         INSERT INTO mdm_storage_schema VALUES (1);
         UPDATE scep_counter SET value = 7 WHERE name = 'crl_number';",
    ] {
        client.batch_execute(step).await.unwrap();
    }
    let store = database.open().await;
    assert_eq!(store.next_crl_number().await.unwrap(), 8);
    let version = "SELECT sum(version) FROM mdm_storage_schema";
    assert_eq!(database.number(version).await, i64::from(SCHEMA_VERSION));
}

/// A migration that fails half-way leaves the database as it was.
#[tokio::test]
async fn a_schema_that_cannot_be_made_is_not_half_made() {
    let Some(database) = empty_database().await else {
        return;
    };
    let client = database.client().await;
    let foreign = "CREATE TABLE acme_nonce (theirs integer)";
    client.batch_execute(foreign).await.unwrap();
    let refused = PostgresStore::connect(&database.address(), Options::default()).await;
    assert_eq!(refused.unwrap_err().kind(), StoreErrorKind::Other);
    let tables =
        "SELECT count(*) FROM pg_class WHERE relname ~ '^(scep|acme|mdm)_' AND relkind = 'r'";
    assert_eq!(database.number(tables).await, 1);
    client.batch_execute("DROP TABLE acme_nonce").await.unwrap();
    let store = database.open().await;
    assert!(store.challenge(&challenge(1)).await.unwrap().is_none());
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_without_the_password() {
    for (address, kind) in [
        (
            "host=127.0.0.1 port=1 user=mdm password=hunter2",
            StoreErrorKind::Unreachable,
        ),
        (
            "postgresql://mdm:hunter2@/mdm?hunter2=hunter2",
            StoreErrorKind::Other,
        ),
        (
            "host=/nowhere user=mdm password=hunter2",
            StoreErrorKind::Unreachable,
        ),
    ] {
        let address = Secret::new(address.to_owned());
        let error = PostgresStore::connect(&address, Options::default()).await;
        let error = error.unwrap_err();
        assert_eq!(error.kind(), kind);
        assert!(
            !format!("{error} {error:?}").contains("hunter2"),
            "{error:?}"
        );
    }
}
