//! Which files are opened, and what is left of those that are not.

use std::{fs, path::Path};

use mdm_service::{StoreErrorKind, store::EnrollmentStore};
use mdm_storage::{
    SqliteStore,
    sqlite::{Options, SCHEMA_VERSION},
};
use rusqlite::Connection;

use crate::{fixture::*, scratch};

async fn refusal(path: &Path) -> StoreErrorKind {
    SqliteStore::open(path).await.unwrap_err().kind()
}

#[tokio::test]
async fn a_store_is_found_again_as_it_was_left() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let before = store.load(&id, &certificate(1)).await.unwrap();
    store.close().await;
    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(store.load(&id, &certificate(1)).await.unwrap(), before);
    assert_eq!(uuids(&store, &id).await, ["c-1"]);
    assert_eq!(store.path(), path);
}

#[tokio::test]
async fn a_file_of_a_newer_program_is_refused_and_left_alone() {
    let path = scratch::path();
    SqliteStore::open(&path).await.unwrap().close().await;
    let found = SCHEMA_VERSION + 1;
    let connection = Connection::open(&path).unwrap();
    connection
        .pragma_update(None, "user_version", found)
        .unwrap();
    connection.close().unwrap();
    let bytes = fs::read(&path).unwrap();
    let newer = StoreErrorKind::SchemaTooNew {
        found,
        known: SCHEMA_VERSION,
    };
    assert_eq!(refusal(&path).await, newer);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_file_of_another_program_is_refused_and_left_alone() {
    let path = scratch::path();
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch("CREATE TABLE theirs (x)").unwrap();
    connection.close().unwrap();
    let bytes = fs::read(&path).unwrap();
    assert_eq!(refusal(&path).await, StoreErrorKind::Corrupt);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn what_is_no_database_is_refused_and_left_alone() {
    let path = scratch::path();
    let bytes = b"this is a letter to my mother and not a database ".repeat(100);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(refusal(&path).await, StoreErrorKind::Corrupt);
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_unreachable() {
    let path = scratch::path();
    assert_eq!(
        refusal(&path.join("mdm.sqlite")).await,
        StoreErrorKind::Unreachable
    );
    assert_eq!(
        refusal(path.parent().unwrap()).await,
        StoreErrorKind::Unreachable
    );
    let read_only = Options::default().with(|options| options.read_only = true);
    let error = SqliteStore::open_with(&path, read_only).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unreachable);
    assert!(!path.exists());
}

#[cfg(unix)]
#[tokio::test]
async fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;

    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    enroll(&store, 1).await;
    for entry in fs::read_dir(path.parent().unwrap()).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", entry.file_name());
    }
}
