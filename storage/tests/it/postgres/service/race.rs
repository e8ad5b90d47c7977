//! Many nodes at once on one database.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use mdm_service::{
    EventKind,
    push::PushSettled,
    queue::{CommandState, ReportKind, Settlement},
    store::{CommandStore, CommitError, Outbox, PushStore},
};
use mdm_storage::PostgresStore;
use tokio::sync::watch;

use crate::{
    fixture::*,
    postgres::cluster::{Database, database},
};

const DEVICES: usize = 8;
const COMMANDS: usize = 25;

fn uuid(n: usize) -> String {
    format!("c-{n:02}")
}

/// Sometimes several devices at once, in no order of theirs.
async fn enqueue_all(store: PostgresStore, backwards: bool) {
    for c in 0..COMMANDS {
        let mut batch: Vec<_> = (0..DEVICES)
            .map(|n| command(&device(n), &uuid(c), 200))
            .collect();
        if backwards {
            batch.reverse();
            // As each that has a key is looked at by itself.
            batch.iter_mut().for_each(|it| it.key = Some(uuid(c)));
        }
        store.enqueue(batch).await.unwrap();
    }
}

/// Answers whatever it is offered until it has answered everything; tells in which order.
async fn answer_all(store: PostgresStore, n: usize) -> Vec<String> {
    let mut answers = Vec::new();
    let mut kind = ReportKind::Idle;
    while answers.len() < COMMANDS {
        let polled = report(&store, n, kind).await.unwrap();
        kind = match polled.next() {
            Some(next) => {
                answers.push(next.command_uuid.clone());
                answered(&device(n), &next.command_uuid, 500)
            }
            None => ReportKind::Idle,
        };
    }
    let polled = report(&store, n, kind).await.unwrap();
    assert_eq!(polled.settlement(), Some(Settlement::Settled));
    answers
}

/// What workers and administrators do meanwhile.
async fn disturb(store: PostgresStore, stop: watch::Receiver<bool>) {
    let all: Vec<_> = (0..DEVICES).rev().map(device).collect();
    let mut lease = NOW;
    while !*stop.borrow() {
        lease += TimeDelta::seconds(1);
        let far = lease + TimeDelta::days(1);
        let targets = store.due_pushes(far, lease, 5).await.unwrap();
        let outcomes: Vec<_> = targets
            .into_iter()
            .map(|target| PushSettled::again(target, Some(NOW)))
            .collect();
        store.settle_pushes(lease, &outcomes).await.unwrap();
        store.wake(&all, NOW).await.unwrap();
        store.expire(NOW, 10).await.unwrap();
        store.cancel(&all[0], "c-none", NOW).await.unwrap();
        store.forget_finished(NOW, 10).await.unwrap();
        // The other one does so too.
        match take(&store, DEVICES, token_update()).await {
            Ok(()) | Err(CommitError::Conflict) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

async fn deadlocks(database: &Database) -> i64 {
    database
        .number("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        .await
}

/// Every command is offered in order and settled once, and nobody waits for who waits for him.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_nodes_lose_nothing_and_never_lock_each_other_out() {
    let Some(database) = database().await else {
        return;
    };
    let nodes = [database.open().await, database.open().await];
    nodes[0].subscribe("vendor").await.unwrap();
    for n in 0..=DEVICES {
        enroll(&nodes[n % 2], n).await;
    }
    let (stop, stopped) = watch::channel(false);
    let noise: Vec<_> = nodes
        .iter()
        .map(|node| tokio::spawn(disturb(node.clone(), stopped.clone())))
        .collect();
    let enqueues = [false, true].map(|backwards| {
        let node = nodes[usize::from(backwards)].clone();
        tokio::spawn(enqueue_all(node, backwards))
    });
    let answers: Vec<_> = (0..DEVICES)
        .map(|n| tokio::spawn(answer_all(nodes[n % 2].clone(), n)))
        .collect();
    for enqueue in enqueues {
        enqueue.await.unwrap();
    }
    let expected: Vec<_> = (0..COMMANDS).map(uuid).collect();
    for (n, answers) in answers.into_iter().enumerate() {
        assert_eq!(answers.await.unwrap(), expected);
        for record in all_commands(&nodes[0], &device(n)).await {
            assert!(matches!(record.state, CommandState::Settled { .. }));
        }
    }
    stop.send(true).unwrap();
    for noise in noise {
        noise.await.unwrap();
    }

    let events = nodes[1].events("vendor", 10_000).await.unwrap();
    for n in 0..DEVICES {
        let settled: Vec<_> = events
            .iter()
            .filter(|(_, event)| event.enrollment == device(n))
            .filter_map(|(_, event)| match &event.kind {
                EventKind::CommandSettled { command_uuid, .. } => Some(command_uuid.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(settled, expected, "{n}");
    }
    assert_eq!(deadlocks(&database).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_result_that_arrives_at_two_nodes_many_times_counts_once() {
    let Some(database) = database().await else {
        return;
    };
    let nodes = Arc::new([database.open().await, database.open().await]);
    nodes[0].subscribe("vendor").await.unwrap();
    let id = enroll(&nodes[0], 1).await;
    enqueue(&nodes[0], &id, "c-1", 10).await.unwrap();
    let reports: Vec<_> = (0..16)
        .map(|n| {
            let (nodes, kind) = (nodes.clone(), answered(&id, "c-1", n));
            tokio::spawn(async move { report(&nodes[n % 2], 1, kind).await.unwrap().settlement() })
        })
        .collect();
    let mut settled = 0;
    for report in reports {
        match report.await.unwrap() {
            Some(Settlement::Settled) => settled += 1,
            other => assert_eq!(other, Some(Settlement::Before)),
        }
    }
    assert_eq!(settled, 1);
    let told = "SELECT count(*) FROM mdm_event WHERE event LIKE '%command_settled%'";
    assert_eq!(database.number(told).await, 1);
}

/// A step that began before does not know of the subscriber: it ends first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_subscribes_misses_nothing_that_is_committed_afterwards() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    let mut client = database.client().await;
    let step = client.transaction().await.unwrap();
    let tell = "SELECT mdm_tell(ARRAY['device:1'], ARRAY[0::bigint], ARRAY['{}'])";
    step.query(tell, &[]).await.unwrap();
    let subscribes = tokio::spawn({
        let store = store.clone();
        async move { store.subscribe("vendor").await.unwrap() }
    });
    let waiting = "SELECT count(*) FROM pg_stat_activity
         WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while database.number(waiting).await == 0 {
        assert!(!subscribes.is_finished());
        tokio::time::sleep(Duration::ZERO).await;
    }
    step.commit().await.unwrap();
    assert!(subscribes.await.unwrap());
    assert_eq!(store.pending_events("vendor").await.unwrap(), 0);
    enroll(&store, 1).await;
    assert_eq!(store.pending_events("vendor").await.unwrap(), 2);
}
