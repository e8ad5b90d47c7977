//! What fails, how it is told, and that no half of a commit is left.

use std::time::Duration;

use mdm_core::{StoreError as Cause, StoreErrorKind};
use mdm_scep::{Store, store::StoreError};
use mdm_storage::{SqliteStore, sqlite::Options};
use rusqlite::Connection;

use super::{certificate, challenge, issue, key, spend};
use crate::scratch;

/// What the database said.
fn cause(error: &StoreError) -> StoreErrorKind {
    let StoreError::Unavailable(cause) = error else {
        panic!("{error:?}");
    };
    cause.downcast_ref::<Cause>().unwrap().kind()
}

#[tokio::test]
async fn a_locked_store_spends_no_challenge_and_goes_on_when_the_lock_is_gone() {
    let path = scratch::path();
    let impatient = Options::default().with(|options| options.busy_timeout = Duration::ZERO);
    let store = SqliteStore::open_with(&path, impatient).await.unwrap();
    issue(&store, 1).await.unwrap();
    let leaf = certificate(&key());
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = spend(&store, 1, leaf.clone()).await.unwrap_err();
    assert_eq!(cause(&error), StoreErrorKind::Locked);
    let found = store.challenge(&challenge(1)).await.unwrap().unwrap();
    assert!(found.spent.is_none());
    other.execute_batch("ROLLBACK").unwrap();
    spend(&store, 1, leaf).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_leaves_no_half_of_a_commit() {
    let limited = Options::default().with(|options| options.max_bytes = Some(400_000));
    let store = SqliteStore::open_with(scratch::path(), limited)
        .await
        .unwrap();
    let key = key();
    let mut n = 0;
    let error = loop {
        let done = match issue(&store, n).await {
            Ok(()) => spend(&store, n, certificate(&key)).await.map(drop),
            Err(error) => Err(error),
        };
        match done {
            Ok(()) => n += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(cause(&error), StoreErrorKind::Full);
    assert!(n > 0);
    let last = store.challenge(&challenge(n)).await.unwrap();
    assert!(last.is_none_or(|last| last.spent.is_none()));
    let before = store.challenge(&challenge(n - 1)).await.unwrap().unwrap();
    assert!(before.spent.is_some());
}

/// A bound of a newer program must not pass for none.
#[tokio::test]
async fn a_challenge_whose_bound_is_not_understood_grants_nothing() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    issue(&store, 1).await.unwrap();
    let other = Connection::open(&path).unwrap();
    let newer = "UPDATE scep_challenge SET bound = 'colour 626c7565'";
    other.execute_batch(newer).unwrap();
    let error = store.challenge(&challenge(1)).await.unwrap_err();
    assert_eq!(cause(&error), StoreErrorKind::Corrupt);
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = SqliteStore::open(scratch::path()).await.unwrap();
    let clone = store.clone();
    store.close().await;
    let error = clone.next_crl_number().await.unwrap_err();
    assert_eq!(cause(&error), StoreErrorKind::Closed);
    let error = clone.challenge(&challenge(1)).await.unwrap_err();
    assert_eq!(cause(&error), StoreErrorKind::Closed);
}

/// Neither the text of a challenge nor anything that leads to it is in the file.
#[tokio::test]
async fn a_challenge_is_kept_as_its_hash_alone() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    issue(&store, 77).await.unwrap();
    store.close().await;
    let bytes = std::fs::read(&path).unwrap();
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|at| at == text);
    assert!(holds(challenge(77).as_bytes()));
    assert!(!holds(b"challenge 77"));
}
