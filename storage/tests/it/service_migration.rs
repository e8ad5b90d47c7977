//! A file from before there were priorities, places and subscribers.

use mdm_service::{
    EnrollmentStatus,
    queue::{CommandState, Enqueued, ReportKind, Settlement},
    store::{CommandStore, EnrollmentStore, Outbox, PushStore},
};
use mdm_storage::SqliteStore;
use rusqlite::Connection;

use crate::{fixture::*, scratch};

/// The file is made by the first four steps of the schema: an enrolled device, which has settled one
/// command, put one off and was never offered a third; the newest of all commands is gone.
const FORMER: &str = "
    PRAGMA application_id = 1296321875; PRAGMA user_version = 4;
    INSERT INTO enrollments (key, id, device, version, status, certificate, topic, push_token,
        push_magic, token_update_tally, serial_number)
    VALUES (1, 'device:DEVICE-1', 1, 2, 1, zeroblob(32), 'com.apple.mgmt.External.x', x'01', 'm', 1, 'C02'),
        (2, 'device:DEVICE-2', 2, 1, 0, zeroblob(32), NULL, NULL, NULL, 0, NULL);
    INSERT INTO commands (seq, enrollment, uuid, request_type, at, body)
    VALUES (1, 1, 'c-1', 'X', 0, x'01'), (2, 1, 'c-2', 'X', 0, x'02'), (3, 1, 'c-3', 'X', 0, x'03'),
        (9, 1, 'c-9', 'X', 0, x'09');
    DELETE FROM commands WHERE seq = 9;
    INSERT INTO results (seq, at, status, body) VALUES (1, 5, 'Acknowledged', x'11');
    INSERT INTO queue (enrollment, phase, seq) VALUES (1, 2, 2), (1, 0, 3);
    INSERT INTO outbox (enrollment, at, event) VALUES ('device:DEVICE-1', 0, '{\"event\":\"checked_out\"}');";

#[tokio::test]
async fn a_file_of_version_4_keeps_its_enrolments_and_its_queue() {
    let path = scratch::path();
    let connection = Connection::open(&path).unwrap();
    for step in [
        include_str!("../../src/sqlite/migrations/0001_service.sql"),
        include_str!("../../src/sqlite/migrations/0002_ade.sql"),
        include_str!("../../src/sqlite/migrations/0003_scep.sql"),
        include_str!("../../src/sqlite/migrations/0004_acme.sql"),
        FORMER,
    ] {
        connection.execute_batch(step).unwrap();
    }
    connection
        .execute(
            "UPDATE enrollments SET certificate = ?1 WHERE key = 1",
            [certificate(1).as_bytes()],
        )
        .unwrap();
    drop(connection);

    let store = SqliteStore::open(&path).await.unwrap();
    let id = device(1);
    let found = store.enrollment(&id).await.unwrap().unwrap();
    assert_eq!(found.status, EnrollmentStatus::Enrolled);
    assert_eq!((found.owner, found.last_seen_at), (None, None));
    assert_eq!(uuids(&store, &id).await, ["c-1", "c-2", "c-3"]);
    let state = async |uuid| store.command(&id, uuid).await.unwrap().unwrap().state;
    assert!(matches!(state("c-1").await, CommandState::Settled { .. }));
    assert_eq!(state("c-2").await, CommandState::NotNow);
    assert_eq!(state("c-3").await, CommandState::Queued);

    // Who has something waiting is pushed to; the other cannot be.
    let due = store.due_pushes(NOW, NOW, 9).await.unwrap();
    assert_eq!(due.len(), 1);
    assert_eq!(due[0].enrollment, id);
    // Numbers that were given out are not given out again.
    let Enqueued::Queued(sequence) = enqueue(&store, &id, "c-4", 10).await.unwrap() else {
        panic!("it was not queued");
    };
    assert_eq!(sequence.number(), 10);
    let mut next = report(&store, 1, ReportKind::Idle).await.unwrap();
    for uuid in ["c-2", "c-3", "c-4"] {
        assert_eq!(next.next().unwrap().command_uuid, uuid);
        next = report(&store, 1, answered(&id, uuid, 10)).await.unwrap();
        assert_eq!(next.settlement(), Some(Settlement::Settled));
    }
    // Events without a subscriber are nobody's.
    assert!(store.subscribe("vendor").await.unwrap());
    assert!(store.events("vendor", 9).await.unwrap().is_empty());
}
