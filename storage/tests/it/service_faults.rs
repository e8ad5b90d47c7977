//! What fails on SQLite, and that of places, invitations, escrow, pushes and events nothing is half
//! recorded, nothing is lost, and everything goes on without a restart.

use std::{fs, time::Duration};

use mdm_core::Secret;
use mdm_service::{
    Claim, EscrowEntry, EscrowKind, EventKind, Invitation, StoreError, StoreErrorKind,
    enrollment::{
        Spend,
        decide::{Loaded, Sender, Step, Version, decide},
    },
    push::PushSettled,
    queue::{ReportKind, Sequence, Settlement},
    store::{
        CommandStore, CommitError, EnrollmentStore, EscrowStore, InvitationStore, LeaseStore,
        Outbox, PushStore,
    },
};
use mdm_storage::{SqliteStore, sqlite::Options};
use rusqlite::Connection;

use crate::{fixture::*, scratch};

const POOL: &str = "licences";

fn secret(n: usize, bytes: usize) -> EscrowEntry {
    let value = Secret::new(vec![b'z'; bytes]);
    EscrowEntry::new(device(n), EscrowKind::FileVaultRecoveryKey, value, NOW)
}

/// An `Authenticate` of device `n` that takes a place, spends an invitation and brings a secret.
fn enrolling(n: usize, secret_bytes: usize) -> Step {
    let sender = Sender::new(device(n), certificate(n), NOW);
    let mut step = decide(&Loaded::new(), &sender, authenticate()).unwrap();
    step.claim(vec![Claim::new(POOL, 10)]);
    step.invitation = Some(Spend::new("i-1", NOW));
    step.escrow = vec![secret(n, secret_bytes)];
    step
}

async fn invited(store: &SqliteStore) {
    let end = NOW + chrono::TimeDelta::hours(1);
    let invitation = Invitation::new("i-1", NOW, end);
    store.invite(invitation).await.unwrap();
    store.subscribe("vendor").await.unwrap();
}

/// Nothing of a step of device 2 is there.
async fn nothing_of_it(store: &SqliteStore, events: usize) {
    assert_eq!(store.enrollment(&device(2)).await.unwrap(), None);
    assert_eq!(store.places_taken(POOL).await.unwrap(), 0);
    let invitation = store.invitation("i-1").await.unwrap().unwrap();
    assert_eq!(invitation.spent_by, None);
    let kept = store.escrowed(&device(2), None, 9).await.unwrap();
    assert!(kept.is_empty());
    assert_eq!(store.events("vendor", 100).await.unwrap().len(), events);
}

#[tokio::test]
async fn a_full_disk_leaves_nothing_of_a_step_and_the_store_goes_on_once_there_is_room() {
    let path = scratch::path();
    let limited = Options::default().with(|options| options.max_bytes = Some(700_000));
    let store = SqliteStore::open_with(&path, limited).await.unwrap();
    invited(&store).await;
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let events = store.events("vendor", 100).await.unwrap().len();
    // Until nothing of this size has room.
    while store.escrow(vec![secret(1, 40_000)]).await.is_ok() {}
    let kept = store.escrowed(&id, None, 100).await.unwrap().len();

    let step = enrolling(2, 60_000);
    let error = store.commit(&device(2), Version::UNSEEN, step).await;
    let Err(CommitError::Store(error)) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.kind(), StoreErrorKind::Full);
    nothing_of_it(&store, events).await;
    // A result with its secret: the command waits on, and so does the push.
    let answer = answered(&id, "c-1", 10).telling(None, vec![secret(1, 60_000)]);
    let error = report(&store, 1, answer.clone()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Full);
    let record = store.command(&id, "c-1").await.unwrap().unwrap();
    assert!(record.state.is_waiting());
    assert_eq!(store.escrowed(&id, None, 100).await.unwrap().len(), kept);

    // Room is made from outside, and the same store goes on.
    let other = Connection::open(&path).unwrap();
    other
        .execute_batch("DELETE FROM escrow WHERE length(value) = 40000")
        .unwrap();
    let polled = report(&store, 1, answer).await.unwrap();
    assert_eq!(polled.settlement(), Some(Settlement::Settled));
    let step = enrolling(2, 60_000);
    store
        .commit(&device(2), Version::UNSEEN, step)
        .await
        .unwrap();
    assert_eq!(store.places_taken(POOL).await.unwrap(), 1);
    let check: String = other
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
}

#[tokio::test]
async fn a_locked_file_leaves_nothing_of_a_step_and_still_answers_an_idle_poll() {
    let path = scratch::path();
    let impatient = Options::default().with(|options| options.busy_timeout = Duration::ZERO);
    let store = SqliteStore::open_with(&path, impatient).await.unwrap();
    invited(&store).await;
    enroll(&store, 1).await;
    let id = enroll(&store, 3).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let events = store.events("vendor", 100).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();

    let locked = |error: StoreError| assert_eq!(error.kind(), StoreErrorKind::Locked);
    let error = store
        .commit(&device(2), Version::UNSEEN, enrolling(2, 10))
        .await;
    match error {
        Err(CommitError::Store(error)) => locked(error),
        other => panic!("{other:?}"),
    }
    locked(report(&store, 3, ReportKind::Idle).await.unwrap_err());
    locked(
        store
            .clear(std::slice::from_ref(&id), NOW)
            .await
            .unwrap_err(),
    );
    locked(store.cancel(&id, "c-1", NOW).await.unwrap_err());
    locked(store.due_pushes(NOW, NOW, 9).await.unwrap_err());
    locked(store.lease("work", "a", NOW, NOW).await.unwrap_err());
    locked(store.escrow(vec![secret(1, 10)]).await.unwrap_err());
    let first = events[0].0;
    locked(
        store
            .acknowledge_events("vendor", &[first])
            .await
            .unwrap_err(),
    );
    locked(
        store
            .bury_events("vendor", &[first], "x", NOW)
            .await
            .unwrap_err(),
    );
    nothing_of_it(&store, events.len()).await;
    // Who asks and gets nothing is a reader's business: it goes on.
    let quiet = report(&store, 1, ReportKind::Idle).await.unwrap();
    assert_eq!(quiet.settlement(), Some(Settlement::NoCommand));

    other.execute_batch("ROLLBACK").unwrap();
    let polled = report(&store, 3, ReportKind::Idle).await.unwrap();
    assert!(polled.next().is_some());
    store
        .commit(&device(2), Version::UNSEEN, enrolling(2, 10))
        .await
        .unwrap();
    store.acknowledge_events("vendor", &[first]).await.unwrap();
}

#[tokio::test]
async fn an_event_of_a_newer_program_hides_no_other() {
    const RAW: &str = r#"{"event":"device_sang","key":"C"}"#;
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    store.subscribe("vendor").await.unwrap();
    enroll(&store, 1).await;
    let events = store.events("vendor", 9).await.unwrap();
    let other = Connection::open(&path).unwrap();
    other
        .execute(
            "UPDATE outbox SET event = ?1 WHERE seq = ?2",
            (RAW, i64::try_from(events[0].0.number()).unwrap()),
        )
        .unwrap();
    let read = store.events("vendor", 9).await.unwrap();
    assert_eq!(read[0].1.kind, EventKind::unreadable(RAW));
    assert_eq!(read[1..], events[1..]);
    let place = [read[0].0];
    store.bury_events("vendor", &place, "x", NOW).await.unwrap();
    let dead = store.dead_letters("vendor", Sequence::START, 9).await;
    assert_eq!(dead.unwrap()[0].event, read[0].1);
    store.revive_dead_letters("vendor", &place).await.unwrap();
    let kept: String = other
        .query_row(
            "SELECT min(event) FROM outbox WHERE event = ?1",
            [RAW],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(kept, RAW);
}

#[tokio::test]
async fn a_decision_of_a_newer_program_hides_no_enrolment() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    let other = Connection::open(&path).unwrap();
    for raw in DECISIONS_OF_A_NEWER_PROGRAM {
        let id = enroll(&store, 1).await;
        let rewrite = "UPDATE enrollments SET decision = ?1";
        other.execute(rewrite, [raw]).unwrap();
        a_decision_hides_no_enrolment(&store, &id).await;
    }
}

#[tokio::test]
async fn a_store_opened_to_read_answers_an_idle_poll_and_refuses_what_would_write() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    invited(&store).await;
    enroll(&store, 1).await;
    let id = enroll(&store, 3).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let read_only = Options::default().with(|options| options.read_only = true);
    let reader = SqliteStore::open_with(&path, read_only).await.unwrap();
    let quiet = report(&reader, 1, ReportKind::Idle).await.unwrap();
    assert_eq!(quiet.settlement(), Some(Settlement::NoCommand));

    let refused = |error: StoreError| assert_eq!(error.kind(), StoreErrorKind::ReadOnly);
    refused(report(&reader, 3, ReportKind::Idle).await.unwrap_err());
    refused(reader.clear(&[id], NOW).await.unwrap_err());
    refused(reader.due_pushes(NOW, NOW, 9).await.unwrap_err());
    refused(reader.subscribe("other").await.unwrap_err());
    refused(reader.lease("work", "a", NOW, NOW).await.unwrap_err());
    let error = reader
        .commit(&device(2), Version::UNSEEN, enrolling(2, 10))
        .await;
    match error {
        Err(CommitError::Store(error)) => refused(error),
        other => panic!("{other:?}"),
    }
    assert_eq!(store.due_pushes(NOW, NOW, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_newer_program_that_took_the_file_over_is_told_and_the_file_left_alone() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    enroll(&store, 1).await;
    store.close().await;
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let bytes = fs::read(&path).unwrap();
    let error = SqliteStore::open(&path).await.unwrap_err();
    assert!(matches!(
        error.kind(),
        StoreErrorKind::SchemaTooNew { found: 99, .. }
    ));
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

/// A poll that changes nothing leaves the file as it is, to the last byte of its log.
#[tokio::test]
async fn an_idle_poll_that_changes_nothing_writes_nothing() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    store.subscribe("vendor").await.unwrap();
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let log = path.with_extension("sqlite-wal");
    let written = || {
        (
            fs::read(&log).unwrap().len(),
            fs::metadata(&path).unwrap().len(),
        )
    };
    // The first hands the command out, and says when to push again.
    report(&store, 1, ReportKind::Idle).await.unwrap();
    let before = written();
    for _ in 0..5 {
        let polled = report(&store, 1, ReportKind::Idle).await.unwrap();
        assert!(polled.next().is_some());
    }
    assert_eq!(written(), before);
    report(&store, 1, answered(&id, "c-1", 10)).await.unwrap();
    let before = written();
    for _ in 0..5 {
        assert!(
            report(&store, 1, ReportKind::Idle)
                .await
                .unwrap()
                .next()
                .is_none()
        );
        let late = report(&store, 1, answered(&id, "c-1", 10)).await.unwrap();
        assert_eq!(late.settlement(), Some(Settlement::Before));
        assert!(store.due_pushes(NOW, NOW, 9).await.unwrap().is_empty());
    }
    assert_eq!(written(), before);
}

/// Two stores on one file, as two processes have it: each push is one's, each place one device's.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_file_share_pushes_and_places() {
    const DEVICES: usize = 24;
    let path = scratch::path();
    let patient = Options::default().with(|o| o.busy_timeout = Duration::from_secs(120));
    let first = SqliteStore::open_with(&path, patient.clone())
        .await
        .unwrap();
    let second = SqliteStore::open_with(&path, patient).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..DEVICES {
        let store = if n % 2 == 0 { &first } else { &second }.clone();
        tasks.push(tokio::spawn(async move {
            let sender = Sender::new(device(n), certificate(n), NOW);
            let mut step = decide(&Loaded::new(), &sender, authenticate()).unwrap();
            step.claim(vec![Claim::new(POOL, 10)]);
            let taken = store.commit(&device(n), Version::UNSEEN, step).await;
            if taken.is_ok() {
                take(&store, n, token_update()).await.unwrap();
                enqueue(&store, &device(n), "c-1", 10).await.unwrap();
            }
            taken.is_ok()
        }));
    }
    let mut inside = 0;
    for task in tasks {
        inside += usize::from(task.await.unwrap());
    }
    assert_eq!(inside, 10);
    assert_eq!(second.places_taken(POOL).await.unwrap(), 10);

    let lease = NOW + chrono::TimeDelta::minutes(1);
    let nodes = [first.clone(), second.clone(), first.clone(), second].map(|store| {
        tokio::spawn(async move {
            let mut mine = Vec::new();
            loop {
                let some = store.due_pushes(NOW, lease, 2).await.unwrap();
                if some.is_empty() {
                    return mine;
                }
                let again = some.iter().map(|it| PushSettled::again(it.clone(), None));
                store
                    .settle_pushes(lease, &again.collect::<Vec<_>>())
                    .await
                    .unwrap();
                mine.extend(some.into_iter().map(|target| target.enrollment));
            }
        })
    });
    let mut pushed = Vec::new();
    for node in nodes {
        pushed.extend(node.await.unwrap());
    }
    pushed.sort_unstable();
    let all = pushed.len();
    pushed.dedup();
    assert_eq!((all, pushed.len()), (10, 10));
    // Each that came in left its unlock token, and nobody else.
    let kept = first.escrow_page(Sequence::START, 99).await.unwrap();
    assert_eq!(kept.len(), 10);
}
