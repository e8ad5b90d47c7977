//! What fails, how it is told, and that no part of a page is recorded.

use std::{
    fs::{self, OpenOptions},
    sync::Arc,
    time::Duration,
};

use ade_client::{
    AdeService, AdeStore,
    record::{AccountId, AccountRecord},
    store::StoreErrorKind,
};
use mdm_core::SystemClock;
use mdm_storage::{SqliteStore, sqlite::Options};
use mdm_transport::{TransportErrorKind, transport_fn};
use rusqlite::Connection;

use super::{acme, serial, stands, take_page};
use crate::scratch;

#[tokio::test]
async fn a_full_store_takes_no_part_of_a_page() {
    let limited = Options::default().with(|options| options.max_bytes = Some(600_000));
    let store = SqliteStore::open_with(scratch::path(), limited)
        .await
        .unwrap();
    let mut taken = 0;
    let error = loop {
        match take_page(&store, taken, 50, &"x".repeat(1000)).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!(taken > 0);
    let found = taken as u64 * 50;
    let expected = (Some(format!("behind {}", taken - 1)), found, found);
    assert_eq!(stands(&store).await, expected);
    assert_eq!(
        store.device(&acme(), &serial(taken, 0)).await.unwrap(),
        None
    );

    // What fits still goes in.
    take_page(&store, 0, 1, "x").await.unwrap();
    assert_eq!(stands(&store).await.0.as_deref(), Some("behind 0"));
}

#[tokio::test]
async fn a_locked_store_says_so_still_reads_and_goes_on_when_the_lock_is_gone() {
    let path = scratch::path();
    let impatient = Options::default().with(|options| options.busy_timeout = Duration::ZERO);
    let store = SqliteStore::open_with(&path, impatient).await.unwrap();
    take_page(&store, 0, 5, "x").await.unwrap();
    let before = stands(&store).await;
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = take_page(&store, 1, 5, "x").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    assert_eq!(stands(&store).await, before);
    other.execute_batch("ROLLBACK").unwrap();
    take_page(&store, 1, 5, "x").await.unwrap();
    assert_eq!(stands(&store).await, (Some("behind 1".to_owned()), 10, 10));
}

#[tokio::test]
async fn a_store_opened_to_read_refuses_to_write() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    take_page(&store, 0, 5, "x").await.unwrap();
    let read_only = Options::default().with(|options| options.read_only = true);
    let reader = SqliteStore::open_with(&path, read_only).await.unwrap();
    let error = take_page(&reader, 1, 5, "x").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::ReadOnly);
    assert_eq!(stands(&reader).await, (Some("behind 0".to_owned()), 5, 5));
}

/// Where the file system says no. Root may write anyway, and then the store does.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_not_be_written_is_read_and_refuses_to_be_written() {
    use std::os::unix::fs::PermissionsExt;

    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    take_page(&store, 0, 5, "x").await.unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    let root_ignores_it = OpenOptions::new().write(true).open(&path).is_ok();
    let second = SqliteStore::open(&path).await.unwrap();
    assert_eq!(stands(&second).await.2, 5);
    match take_page(&second, 1, 5, "x").await {
        Ok(()) => assert!(root_ignores_it),
        Err(error) => assert_eq!(error.kind(), StoreErrorKind::ReadOnly),
    }
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let store = SqliteStore::open(scratch::path()).await.unwrap();
    let clone = store.clone();
    store.close().await;
    let error = take_page(&clone, 0, 1, "x").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Closed);
    let error = clone.account(&acme()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Closed);
}

/// A document that somebody else wrote is told as damage, and not repeated.
#[tokio::test]
async fn a_damaged_document_is_told_without_its_text() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    take_page(&store, 0, 2, "x").await.unwrap();
    let whole = store.account(&acme()).await.unwrap();
    let other = Connection::open(&path).unwrap();
    let damage = r#"UPDATE ade_account SET document = '{"id":"acme","credentials":"hunter2"}'"#;
    other.execute_batch(damage).unwrap();
    let error = store.account(&acme()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let error = take_page(&store, 1, 2, "x").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    // What is whole still answers.
    let found = store.device(&acme(), &serial(0, 1)).await.unwrap();
    assert!(found.is_some());
    assert_ne!(whole, Some(AccountRecord::new(acme())));
}

#[tokio::test]
async fn an_account_that_cannot_be_read_keeps_no_other_from_being_worked_on() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    let line = transport_fn(async |_| Err(TransportErrorKind::Connect.into()));
    let clock = Arc::new(SystemClock);
    let service = AdeService::builder(store, line, clock, "test/1.0").build();
    for name in ["acme", "bolt"] {
        let account = AccountId::new(name).unwrap();
        service.add_account(&account).await.unwrap();
    }
    Connection::open(&path)
        .unwrap()
        .execute(
            "UPDATE ade_account SET document = '{' WHERE id = 'acme'",
            [],
        )
        .unwrap();
    let tick = service.tick().await.unwrap();
    let results = tick.accounts.iter();
    let mut failed: Vec<_> = results
        .map(|(account, result)| (account.as_str(), result.is_err()))
        .collect();
    failed.sort();
    assert_eq!(failed, [("acme", true), ("bolt", false)]);
}
