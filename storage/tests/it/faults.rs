//! What fails, how it is told, and that nothing is half recorded.

use std::{
    fs::{self, OpenOptions},
    io::{Seek, SeekFrom, Write},
    path::Path,
    time::Duration,
};

use mdm_service::{
    StoreErrorKind,
    queue::{CommandState, Enqueued, Settlement},
    store::{CommandStore, CommitError, EnrollmentStore, Outbox},
};
use mdm_storage::{SqliteStore, sqlite::Options};
use rusqlite::Connection;

use crate::{fixture::*, scratch};

fn impatient() -> Options {
    Options::default().with(|options| options.busy_timeout = Duration::ZERO)
}

#[tokio::test]
async fn a_full_store_says_so_and_goes_on_once_there_is_room() {
    const BODY: usize = 30_000;
    let limited = Options::default().with(|options| options.max_bytes = Some(600_000));
    let store = SqliteStore::open_with(scratch::path(), limited)
        .await
        .unwrap();
    store.subscribe("vendor").await.unwrap();
    let id = enroll(&store, 1).await;
    for uuid in ["old-1", "old-2", "old-3"] {
        enqueue(&store, &id, uuid, BODY).await.unwrap();
        report(&store, 1, answered(&id, uuid, 10)).await.unwrap();
    }
    let mut queued = Vec::new();
    let error = loop {
        let uuid = format!("c-{}", queued.len());
        match enqueue(&store, &id, &uuid, BODY).await {
            Ok(_) => queued.push(uuid),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), StoreErrorKind::Full);
    assert!(!queued.is_empty());

    // Neither a batch nor a report nor a check-in is recorded in part.
    let events = store.events("vendor", 1000).await.unwrap();
    let batch = vec![command(&id, "small", 1), command(&id, "large", BODY)];
    let error = store.enqueue(batch).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    let error = report(&store, 1, answered(&id, "c-0", BODY))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    let large = mdm_service::enrollment::decide::Message::authenticate(None, vec![b'z'; 200_000]);
    let error = take(&store, 2, large).await.unwrap_err();
    assert!(matches!(error, CommitError::Store(error) if error.kind() == StoreErrorKind::Full));
    let found = uuids(&store, &id).await;
    assert_eq!(found[3..], queued);
    let first = store.command(&id, "c-0").await.unwrap().unwrap();
    assert_eq!(first.state, CommandState::Queued);
    assert_eq!(store.enrollment(&device(2)).await.unwrap(), None);
    assert_eq!(store.events("vendor", 1000).await.unwrap(), events);

    // Room is made; the same store goes on.
    let later = NOW + chrono::TimeDelta::seconds(1);
    assert_eq!(store.forget_finished(later, 10).await.unwrap(), 3);
    let polled = report(&store, 1, answered(&id, "c-0", BODY)).await.unwrap();
    assert_eq!(polled.settlement(), Some(Settlement::Settled));
    let answer = enqueue(&store, &id, "small", 1).await.unwrap();
    assert!(matches!(answer, Enqueued::Queued(_)));
}

#[tokio::test]
async fn a_locked_store_says_so_still_reads_and_goes_on_when_the_lock_is_gone() {
    let path = scratch::path();
    let store = SqliteStore::open_with(&path, impatient()).await.unwrap();
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let error = enqueue(&store, &id, "c-2", 10).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    let error = report(&store, 1, answered(&id, "c-1", 10))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    assert_eq!(uuids(&store, &id).await, ["c-1"]);

    other.execute_batch("ROLLBACK").unwrap();
    let polled = report(&store, 1, answered(&id, "c-1", 10)).await.unwrap();
    assert_eq!(polled.settlement(), Some(Settlement::Settled));
    enqueue(&store, &id, "c-2", 10).await.unwrap();
    assert_eq!(uuids(&store, &id).await, ["c-1", "c-2"]);
}

#[tokio::test]
async fn a_store_opened_to_read_refuses_to_write() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let read_only = Options::default().with(|options| options.read_only = true);
    let reader = SqliteStore::open_with(&path, read_only).await.unwrap();
    assert_eq!(uuids(&reader, &id).await, ["c-1"]);
    let error = enqueue(&reader, &id, "c-2", 10).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::ReadOnly);
    let error = take(&reader, 2, authenticate()).await.unwrap_err();
    assert!(matches!(error, CommitError::Store(error) if error.kind() == StoreErrorKind::ReadOnly));
    assert_eq!(uuids(&store, &id).await, ["c-1"]);
}

/// Where the file system says no. Root may write anyway, and then the store does.
#[cfg(unix)]
#[tokio::test]
async fn a_file_that_may_not_be_written_is_read_and_refuses_to_be_written() {
    use std::os::unix::fs::PermissionsExt;

    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o400)).unwrap();
    let root_ignores_it = OpenOptions::new().write(true).open(&path).is_ok();
    let second = SqliteStore::open_with(&path, impatient()).await.unwrap();
    assert_eq!(uuids(&second, &id).await, ["c-1"]);
    match enqueue(&second, &id, "c-2", 10).await {
        Ok(_) => assert!(root_ignores_it),
        Err(error) => assert_eq!(error.kind(), StoreErrorKind::ReadOnly),
    }
}

#[tokio::test]
async fn a_damaged_table_is_told_and_a_repaired_one_is_read_again() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    store.close().await;

    let (root, size) = {
        let connection = Connection::open(&path).unwrap();
        let root = "SELECT rootpage FROM sqlite_schema WHERE name = 'commands'";
        let root: u32 = connection.query_row(root, [], |row| row.get(0)).unwrap();
        let size: u32 = connection
            .pragma_query_value(None, "page_size", |row| row.get(0))
            .unwrap();
        (u64::from(root), u64::from(size))
    };
    let whole = fs::read(&path).unwrap();
    let overwrite = |path: &Path, bytes: &[u8]| {
        let mut file = OpenOptions::new().write(true).open(path).unwrap();
        file.seek(SeekFrom::Start((root - 1) * size)).unwrap();
        file.write_all(bytes).unwrap();
    };
    overwrite(&path, &vec![0xff; size as usize]);

    let store = SqliteStore::open(&path).await.unwrap();
    let error = store.command(&id, "c-1").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    let error = enqueue(&store, &id, "c-2", 10).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    // What is whole still answers.
    assert!(store.enrollment(&id).await.unwrap().is_some());

    let page = ((root - 1) * size) as usize;
    overwrite(&path, &whole[page..page + size as usize]);
    assert_eq!(uuids(&store, &id).await, ["c-1"]);
    enqueue(&store, &id, "c-2", 10).await.unwrap();
}

#[tokio::test]
async fn a_closed_store_says_so_to_every_clone() {
    let store = SqliteStore::open(scratch::path()).await.unwrap();
    let clone = store.clone();
    store.close().await;
    let error = clone.enrollment(&device(1)).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Closed);
    let error = clone.enqueue(Vec::new()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Closed);
}

#[tokio::test]
async fn secrets_are_kept_and_never_shown() {
    let store = SqliteStore::open(scratch::path()).await.unwrap();
    store.subscribe("vendor").await.unwrap();
    let id = enroll(&store, 1).await;
    let token = mdm_core::Secret::new(b"BOOTSTRAP-hunter2".to_vec());
    take(
        &store,
        1,
        mdm_service::enrollment::decide::Message::set_bootstrap_token(Some(token)),
    )
    .await
    .unwrap();
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let loaded = store.load(&id, &certificate(1)).await.unwrap();
    let targets = store.push_targets(std::slice::from_ref(&id)).await.unwrap();
    let commands = all_commands(&store, &id).await;
    let events = store.events("vendor", 100).await.unwrap();
    let shown = format!("{store:?} {loaded:?} {targets:?} {commands:?} {events:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    // Nor as a list of bytes.
    assert!(
        !shown.contains(&format!("{:?}", b"hunter2").replace(['[', ']'], "")),
        "{shown}"
    );
    let device = loaded.device.unwrap();
    assert_eq!(device.unlock_token.unwrap().expose(), b"UNLOCK-hunter2");
    assert_eq!(
        device.bootstrap_token.unwrap().token.expose(),
        b"BOOTSTRAP-hunter2"
    );
    assert_eq!(device.push.unwrap().magic.expose(), "MAGIC-hunter2");
}
