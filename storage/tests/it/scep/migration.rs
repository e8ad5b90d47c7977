//! A file from before SCEP.

use mdm_scep::{Store as _, store::CertificateRecord};
use mdm_storage::SqliteStore;
use rusqlite::Connection;

use super::{certificate, issue, key, spend};
use crate::{
    ade::{stands, take_page},
    scratch,
};

/// The file is made by the first two steps of the schema.
#[tokio::test]
async fn a_file_of_version_2_keeps_what_is_in_it_and_takes_certificates() {
    let path = scratch::path();
    let connection = Connection::open(&path).unwrap();
    for step in [
        include_str!("../../../src/sqlite/migrations/0001_service.sql"),
        include_str!("../../../src/sqlite/migrations/0002_ade.sql"),
        "PRAGMA application_id = 1296321875; PRAGMA user_version = 2;
         INSERT INTO ade_account (id) VALUES ('acme');",
    ] {
        connection.execute_batch(step).unwrap();
    }
    drop(connection);
    let store = SqliteStore::open(&path).await.unwrap();
    issue(&store, 1).await.unwrap();
    spend(&store, 1, certificate(&key())).await.unwrap();
    take_page(&store, 0, 5, "x").await.unwrap();
    assert_eq!(stands(&store).await.2, 5);
}

/// What granted a certificate was not kept before version 6.
#[tokio::test]
async fn a_certificate_of_version_4_is_found_without_what_granted_it() {
    let path = scratch::path();
    let old = certificate(&key());
    let connection = Connection::open(&path).unwrap();
    for step in [
        include_str!("../../../src/sqlite/migrations/0001_service.sql"),
        include_str!("../../../src/sqlite/migrations/0002_ade.sql"),
        include_str!("../../../src/sqlite/migrations/0003_scep.sql"),
        include_str!("../../../src/sqlite/migrations/0004_acme.sql"),
        "PRAGMA application_id = 1296321875; PRAGMA user_version = 4;",
    ] {
        connection.execute_batch(step).unwrap();
    }
    connection
        .execute(
            "INSERT INTO scep_certificate (serial, label, issued_at, not_after, der)
             VALUES (?1, 'device 1', 0, 0, ?2)",
            [old.serial(), old.to_der()],
        )
        .unwrap();
    drop(connection);
    let store = SqliteStore::open(&path).await.unwrap();
    let found = store.certificate(old.serial()).await.unwrap();
    assert_eq!(found, Some(CertificateRecord::new(old)));
}
