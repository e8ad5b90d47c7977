//! Many callers at once, on several threads and from two stores on one file.

use std::{sync::Arc, time::Duration};

use mdm_service::{
    queue::{CommandState, ReportKind, Settlement},
    store::CommandStore,
};
use mdm_storage::{SqliteStore, sqlite::Options};

use crate::{fixture::*, scratch};

const DEVICES: usize = 8;
const COMMANDS: usize = 25;

fn uuid(n: usize) -> String {
    format!("c-{n:02}")
}

async fn enqueue_all(store: SqliteStore, n: usize) {
    for c in 0..COMMANDS {
        enqueue(&store, &device(n), &uuid(c), 500).await.unwrap();
    }
}

/// Answers whatever it is offered until it has answered everything; tells in which order.
async fn answer_all(store: SqliteStore, n: usize) -> Vec<String> {
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

/// Every command is offered in order and settled once.
async fn run(enqueuing: SqliteStore, answering: SqliteStore) {
    for n in 0..DEVICES {
        enroll(&enqueuing, n).await;
    }
    let tasks: Vec<_> = (0..DEVICES)
        .map(|n| {
            let enqueues = tokio::spawn(enqueue_all(enqueuing.clone(), n));
            (enqueues, tokio::spawn(answer_all(answering.clone(), n)))
        })
        .collect();
    let expected: Vec<_> = (0..COMMANDS).map(uuid).collect();
    for (n, (enqueues, answers)) in tasks.into_iter().enumerate() {
        enqueues.await.unwrap();
        assert_eq!(answers.await.unwrap(), expected);
        for record in all_commands(&answering, &device(n)).await {
            assert!(matches!(record.state, CommandState::Settled { .. }));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn enqueues_and_reports_from_many_threads_lose_nothing() {
    let store = SqliteStore::open(scratch::path()).await.unwrap();
    run(store.clone(), store).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_stores_on_one_file_lose_nothing() {
    let path = scratch::path();
    // A busy machine may make one wait long for the other.
    let patient = Options::default().with(|o| o.busy_timeout = Duration::from_secs(120));
    let first = SqliteStore::open_with(&path, patient.clone())
        .await
        .unwrap();
    let second = SqliteStore::open_with(&path, patient).await.unwrap();
    run(first, second).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_result_that_arrives_many_times_at_once_counts_once() {
    let store = SqliteStore::open(scratch::path()).await.unwrap();
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let store = Arc::new(store);
    let reports: Vec<_> = (0..16)
        .map(|n| {
            let store = Arc::clone(&store);
            let kind = answered(&id, "c-1", n);
            tokio::spawn(async move { report(&store, 1, kind).await.unwrap().settlement() })
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
    assert!(store.command(&id, "c-1").await.unwrap().is_some());
}
