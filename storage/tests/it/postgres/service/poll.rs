//! What a poll costs, and what it does with texts that the database does not take.

use std::num::NonZeroUsize;

use mdm_core::Secret;
use mdm_service::{
    EnrollmentId, Event, EventKind, Reported,
    queue::{CommandState, ReportKind, Settlement},
    store::{CommandStore, EnrollmentStore, Outbox},
};
use mdm_storage::{PostgresStore, postgres::Options};

use crate::{
    fixture::*,
    postgres::{cluster::database, proxy::Proxy},
};

/// Every row's version, and who has locked it.
const ROWS: &str = "SELECT string_agg(concat(tableoid, ' ', ctid, ' ', xmin, ' ', xmax), ', ')
     FROM (
         SELECT tableoid, ctid, xmin, xmax FROM mdm_contact
         UNION ALL SELECT tableoid, ctid, xmin, xmax FROM mdm_queue
         UNION ALL SELECT tableoid, ctid, xmin, xmax FROM mdm_result
         UNION ALL SELECT tableoid, ctid, xmin, xmax FROM mdm_event) AS all_of_them";

#[tokio::test]
async fn an_idle_poll_that_changes_nothing_writes_nothing() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    store.subscribe("vendor").await.unwrap();
    let id = enroll(&store, 1).await;
    enroll(&store, 2).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let client = database.client().await;
    let rows = async || -> String { client.query_one(ROWS, &[]).await.unwrap().get(0) };
    // The first one notes that the device was heard of.
    for n in [1, 2] {
        report(&store, n, ReportKind::Idle).await.unwrap();
    }
    let before = rows().await;
    for _ in 0..3 {
        let polled = report(&store, 1, ReportKind::Idle).await.unwrap();
        assert_eq!(polled.next().unwrap().command_uuid, "c-1");
        let polled = report(&store, 2, ReportKind::Idle).await.unwrap();
        assert_eq!(polled.next(), None);
    }
    assert_eq!(rows().await, before);
    report(&store, 1, answered(&id, "c-1", 10)).await.unwrap();
    assert_ne!(rows().await, before);
}

#[tokio::test]
async fn a_report_and_the_next_command_are_one_round_trip() {
    let Some(database) = database().await else {
        return;
    };
    let proxy = Proxy::before(database.cluster.socket()).await;
    let (port, name) = (proxy.address.port(), &database.name);
    let address = Secret::new(format!("host=127.0.0.1 port={port} user=mdm dbname={name}"));
    let one = Options::default().with(|options| options.connections = NonZeroUsize::MIN);
    let store = PostgresStore::connect(&address, one).await.unwrap();
    store.subscribe("vendor").await.unwrap();
    let id = enroll(&store, 1).await;
    for n in 0..4 {
        enqueue(&store, &id, &format!("c-{n}"), 10).await.unwrap();
    }
    // The first one has the server prepare the statement.
    report(&store, 1, ReportKind::Idle).await.unwrap();
    for (n, kind) in [
        answered(&id, "c-0", 10),
        ReportKind::not_now("c-1"),
        answered(&id, "c-2", 10),
        ReportKind::Idle,
    ]
    .into_iter()
    .enumerate()
    {
        let before = proxy.round_trips();
        let polled = report(&store, 1, kind).await.unwrap();
        assert!(polled.next().is_some(), "{n}");
        assert_eq!(proxy.round_trips() - before, 1, "{n}");
    }
}

/// iOS 18.1 sent one. The database takes none, and the queue goes on all the same.
#[tokio::test]
async fn q17_a_nul_in_what_a_device_says_blocks_nothing() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    store.subscribe("vendor").await.unwrap();
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    enqueue(&store, &id, "c-2", 10).await.unwrap();
    let unknown = report(&store, 1, ReportKind::not_now("c-\0"))
        .await
        .unwrap();
    assert_eq!(unknown.settlement(), Some(Settlement::Unknown));

    let told =
        |name: &str| Reported::new(NOW).with(|told| told.device_name = Some(name.to_owned()));
    let status = "Acknow\0ledged";
    let event = Event::new(id.clone(), NOW, EventKind::command_settled("c-1", status));
    let answer = ReportKind::settles("c-1", status, b"\0".to_vec(), event.clone())
        .telling(Some(told("Anna\0's")), Vec::new());
    let polled = report(&store, 1, answer).await.unwrap();
    assert_eq!(polled.settlement(), Some(Settlement::Settled));
    assert_eq!(polled.next().unwrap().command_uuid, "c-2");
    let record = store.command(&id, "c-1").await.unwrap().unwrap();
    let kept = CommandState::settled("Acknow\u{FFFD}ledged", b"\0".to_vec().into(), NOW);
    assert_eq!(record.state, kept);
    let found = store.enrollment(&id).await.unwrap().unwrap();
    assert_eq!(found.reported, Some(told("Anna\u{FFFD}'s")));
    let (_, last) = store.events("vendor", 9).await.unwrap().pop().unwrap();
    assert_eq!(last, event);
}

/// The batch goes in as one, whatever is in it, and in its order.
#[tokio::test]
async fn a_batch_of_thousands_is_queued_in_its_order_and_cleared_at_once() {
    const DEVICES: usize = 40;
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    let mut ids: Vec<EnrollmentId> = Vec::new();
    for n in 0..DEVICES {
        ids.push(enroll(&store, n).await);
    }
    let batch: Vec<_> = (0..4000)
        .map(|n| command(&ids[n * 7 % DEVICES], &format!("c-{n:04}"), 20))
        .collect();
    let answers = store.enqueue(batch.clone()).await.unwrap();
    assert_eq!(answers.len(), batch.len());
    for id in &ids {
        let mine = batch.iter().filter(|it| it.enrollment == *id);
        let mine: Vec<_> = mine.map(|it| it.command_uuid.clone()).collect();
        assert_eq!(uuids(&store, id).await, mine);
    }
    // Once more, and one that is new.
    let mut again = batch;
    again.push(command(&ids[0], "new", 20));
    let answers = store.enqueue(again).await.unwrap();
    let queued = answers
        .iter()
        .filter(|it| matches!(it, mdm_service::queue::Enqueued::Queued(_)));
    assert_eq!(queued.count(), 1);
    assert_eq!(store.clear(&ids, NOW).await.unwrap(), 4001);
    assert_eq!(store.clear(&ids, NOW).await.unwrap(), 0);
    let waits = "SELECT count(*) FROM mdm_queue";
    assert_eq!(database.number(waits).await, 0);
}
