//! A file from before device assignment.

use mdm_storage::{SqliteStore, sqlite::SCHEMA_VERSION};
use rusqlite::Connection;

use super::{stands, take_page};
use crate::{
    fixture::{enqueue, enroll, uuids},
    scratch,
};

fn version(path: &std::path::Path) -> u32 {
    let connection = Connection::open(path).unwrap();
    connection
        .pragma_query_value(None, "user_version", |row| row.get(0))
        .unwrap()
}

/// The file is made by the first step of the schema alone.
#[tokio::test]
async fn a_file_of_version_1_keeps_what_is_in_it_and_takes_accounts() {
    let path = scratch::path();
    let first = include_str!("../../../src/sqlite/migrations/0001_service.sql");
    let connection = Connection::open(&path).unwrap();
    connection.execute_batch(first).unwrap();
    connection
        .execute_batch(
            "PRAGMA application_id = 1296321875; PRAGMA user_version = 1;
             INSERT INTO enrollments (id, device, version, status, token_update_tally)
             VALUES ('device:OLD', 1, 1, 1, 1);
             INSERT INTO commands (enrollment, uuid, request_type, at, body)
             VALUES (1, 'c-old', 'DeviceInformation', 0, x'00');",
        )
        .unwrap();
    drop(connection);

    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(version(&path), SCHEMA_VERSION);
    let old = mdm_service::EnrollmentId::device("OLD").unwrap();
    assert_eq!(uuids(&store, &old).await, ["c-old"]);
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    take_page(&store, 0, 5, "x").await.unwrap();
    store.close().await;

    let store = SqliteStore::open(&path).await.unwrap();
    assert_eq!(uuids(&store, &old).await, ["c-old"]);
    assert_eq!(uuids(&store, &id).await, ["c-1"]);
    assert_eq!(stands(&store).await, (Some("behind 0".to_owned()), 5, 5));
}
