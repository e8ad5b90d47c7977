//! Look-ups by key, which need no reader's thread.

use std::path::PathBuf;

use mdm_scep::Store;
use mdm_storage::SqliteStore;

use super::{certificate, challenge, issue, key, spend};
use crate::scratch;

#[tokio::test]
async fn what_another_store_of_the_same_file_has_written_is_seen_at_once() {
    let path = scratch::path();
    let (one, other) = (
        SqliteStore::open(&path).await.unwrap(),
        SqliteStore::open(&path).await.unwrap(),
    );
    let key = key();
    for n in 1..20 {
        assert!(one.challenge(&challenge(n)).await.unwrap().is_none());
        issue(&other, n).await.unwrap();
        assert!(one.challenge(&challenge(n)).await.unwrap().is_some());
        let certificate = certificate(&key);
        spend(&one, n, certificate.clone()).await.unwrap();
        let spent = other.challenge(&challenge(n)).await.unwrap().unwrap().spent;
        assert_eq!(spent.unwrap().certificate, certificate);
        let found = other.certificate(certificate.serial()).await.unwrap();
        assert_eq!(found.unwrap().certificate, certificate);
    }
}

#[tokio::test]
async fn a_file_that_was_looked_into_is_closed_whole_and_stays_closed() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    issue(&store, 1).await.unwrap();
    assert!(store.challenge(&challenge(1)).await.unwrap().is_some());
    let clone = store.clone();
    store.close().await;
    assert!(clone.challenge(&challenge(1)).await.is_err());
    assert!(clone.certificate(b"x").await.is_err());
    // Whoever lets go last works the log into the file and takes it away.
    let log = PathBuf::from(format!("{}-wal", path.display()));
    assert!(!log.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_look_at_once_and_each_finds_what_is_theirs() {
    let store = SqliteStore::open(scratch::path()).await.unwrap();
    for n in 0..50 {
        issue(&store, n).await.unwrap();
    }
    let tasks: Vec<_> = (0..200)
        .map(|n| {
            let store = store.clone();
            tokio::spawn(async move {
                let found = store.challenge(&challenge(n % 60)).await.unwrap();
                let label = found.map(|record| record.label);
                assert_eq!(label, (n % 60 < 50).then(|| format!("device {}", n % 60)));
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
