//! The contract of taking commands back, and of listing them.

use futures_util::future::{join, join_all};

use super::{Make, fixture::*};
use crate::{
    EnrollmentId, Store,
    enrollment::decide::{Message, decide},
    queue::{
        CommandFilter, CommandState, Enqueued, NewCommand, Report, ReportKind, Sequence, Settlement,
    },
    store::CommitError,
};

/// Once, while it waits, set aside or not.
pub async fn a_cancelled_command_is_not_offered<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let other = enroll(&store, 2).await;
    queue(&store, &id, &["c-1", "c-2", "c-3"]).await;
    queue(&store, &other, &["c-1"]).await;
    poll(&store, &id, 1, ReportKind::not_now("c-2")).await;
    for (uuid, waits) in [("c-1", true), ("c-2", true), ("c-1", false), ("c-9", false)] {
        assert_eq!(
            store.cancel(&id, uuid, at(5)).await.unwrap(),
            waits,
            "{uuid}"
        );
    }
    assert!(!store.cancel(&device(9), "c-1", at(5)).await.unwrap());
    assert_eq!(
        poll(&store, &id, 1, ReportKind::Idle).await.1.as_deref(),
        Some("c-3")
    );
    poll(&store, &id, 1, answered(&id, "c-3")).await;
    assert!(!store.cancel(&id, "c-3", at(5)).await.unwrap());
    assert_eq!(
        state(&store, &id, "c-2").await,
        CommandState::cancelled(at(5))
    );
    let late = poll(&store, &id, 1, answered(&id, "c-1")).await;
    assert_eq!(late, (Settlement::Before, None));
    assert_eq!(state(&store, &other, "c-1").await, CommandState::Queued);
}

/// Of those that are named, everything that waits; users have queues of their own.
pub async fn clearing_takes_back_what_waits_and_nothing_else<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let user = enroll_user(&store, 1, "U1").await;
    let [second, other] = [enroll(&store, 2).await, enroll(&store, 3).await];
    for id in [&id, &user, &second, &other] {
        queue(&store, id, &["c-1", "c-2", "c-3"]).await;
    }
    poll(&store, &id, 1, answered(&id, "c-1")).await;
    poll(&store, &id, 1, ReportKind::not_now("c-2")).await;
    let ids = [id.clone(), device(9), second.clone(), id.clone()];
    assert_eq!(store.clear(&ids, at(5)).await.unwrap(), 5);
    assert_eq!(store.clear(&ids, at(6)).await.unwrap(), 0);
    assert_eq!(store.clear(&[], at(6)).await.unwrap(), 0);
    for (n, next) in [(1, None), (2, None), (3, Some("c-1"))] {
        let (_, offered) = poll(&store, &device(n), n, ReportKind::Idle).await;
        assert_eq!(offered.as_deref(), next);
    }
    assert_eq!(
        poll(&store, &user, 1, ReportKind::Idle).await.1.as_deref(),
        Some("c-1")
    );
    assert!(matches!(
        state(&store, &id, "c-1").await,
        CommandState::Settled { .. }
    ));
    assert_eq!(
        state(&store, &id, "c-2").await,
        CommandState::cancelled(at(5))
    );
    // The queue goes on.
    queue(&store, &id, &["c-4"]).await;
    assert_eq!(
        poll(&store, &id, 1, ReportKind::Idle).await.1.as_deref(),
        Some("c-4")
    );
}

/// In the step of the `Authenticate` itself, whatever the clocks say, and of the device alone: offered again they would erase
/// what enrols now.
pub async fn an_authenticate_takes_back_the_erasures_that_wait<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let user = enroll_user(&store, 1, "U1").await;
    let other = enroll(&store, 2).await;
    let erase = async |id: &EnrollmentId, uuid: &str| {
        let erasure = NewCommand::new(id.clone(), uuid, "EraseDevice", body(uuid), at(99));
        let answers = store.enqueue(vec![erasure]).await.unwrap();
        assert!(matches!(answers[..], [Enqueued::Queued(_)]));
    };
    for id in [&id, &user, &other] {
        erase(id, "e-1").await;
        queue(&store, id, &["c-1"]).await;
    }
    erase(&id, "e-2").await;
    erase(&id, "e-3").await;
    poll(&store, &id, 1, ReportKind::not_now("e-2")).await;
    poll(&store, &id, 1, answered(&id, "e-3")).await;
    let renewal = sender(&id, 9);
    let loaded = store.load(&id, &renewal.certificate).await.unwrap();
    let step = decide(&loaded, &renewal, authenticate().vouched_for()).unwrap();
    let refused = store
        .commit(&id, loaded.version.next(), step.clone())
        .await
        .unwrap_err();
    assert!(matches!(refused, CommitError::Conflict), "{refused:?}");
    assert_eq!(state(&store, &id, "e-1").await, CommandState::Queued);

    store.commit(&id, loaded.version, step).await.unwrap();
    for uuid in ["e-1", "e-2"] {
        assert_eq!(
            state(&store, &id, uuid).await,
            CommandState::cancelled(at(0))
        );
    }
    let settled = state(&store, &id, "e-3").await;
    assert!(
        matches!(settled, CommandState::Settled { .. }),
        "{settled:?}"
    );
    for (id, uuid) in [
        (&id, "c-1"),
        (&user, "e-1"),
        (&user, "c-1"),
        (&other, "e-1"),
    ] {
        assert_eq!(state(&store, id, uuid).await, CommandState::Queued, "{id}");
    }
    take(&store, &renewal, Message::token_update(address(9))).await;
    erase(&id, "e-4").await;
    let (_, offered) = poll(&store, &id, 9, answered(&id, "c-1")).await;
    assert_eq!(offered.as_deref(), Some("e-4"));
}

/// Devices answer and are given commands while their queues are cleared: each command is settled or
/// cancelled, never both, and every answer that was taken stands.
pub async fn what_is_cleared_while_devices_report_is_settled_or_cancelled<S: Store>(
    make: impl Make<S>,
) {
    const COMMANDS: usize = 12;
    let store = make().await;
    let ids: Vec<_> = [enroll(&store, 1).await, enroll(&store, 2).await].into();
    let enqueue_all = async |n: u8| {
        for c in 0..COMMANDS {
            queue(&store, &device(n), &[&format!("c-{c:02}")]).await;
        }
    };
    let answer_some = async |n: u8| {
        let mut settled = Vec::new();
        let mut kind = ReportKind::Idle;
        for _ in 0..2 * COMMANDS {
            let report = Report::new(device(n), certificate(n), at(1), kind);
            let command = match &report.kind {
                ReportKind::Final { command_uuid, .. } => Some(command_uuid.clone()),
                _ => None,
            };
            let polled = store.record_report_and_next(report).await.unwrap();
            if polled.settlement() == Some(Settlement::Settled) {
                settled.extend(command);
            }
            kind = match polled.next() {
                Some(next) => answered(&device(n), &next.command_uuid),
                None => ReportKind::Idle,
            };
        }
        settled
    };
    let clear = async || {
        let mut cleared = 0;
        for _ in 0..COMMANDS {
            cleared += store.clear(&ids, at(2)).await.unwrap();
        }
        cleared
    };
    let enqueues = join_all([1, 2].map(enqueue_all));
    let answers = join_all([1, 2].map(answer_some));
    let (_, (settled, mut cleared)) = join(enqueues, join(answers, clear())).await;
    cleared += store.clear(&ids, at(2)).await.unwrap();
    let answers: usize = settled.iter().map(Vec::len).sum();
    assert_eq!(answers as u64 + cleared, 2 * COMMANDS as u64);
    for (id, settled) in ids.iter().zip(settled) {
        for c in 0..COMMANDS {
            let uuid = format!("c-{c:02}");
            let is_settled = match state(&store, id, &uuid).await {
                CommandState::Settled { .. } => true,
                CommandState::Cancelled { .. } => false,
                other => panic!("{other:?}"),
            };
            assert_eq!(settled.contains(&uuid), is_settled, "{uuid}");
        }
    }
}

/// What waits, what is finished, and what is of one type; page by page as ever.
pub async fn commands_are_listed_by_state_and_type<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    for (n, request_type) in ["DeviceLock", "DeviceInformation"]
        .iter()
        .cycle()
        .take(6)
        .enumerate()
    {
        let request_type = (*request_type).to_owned();
        queue_with(&store, &id, &format!("c-{n}"), |it| {
            it.request_type = request_type
        })
        .await;
    }
    poll(&store, &id, 1, answered(&id, "c-0")).await;
    poll(&store, &id, 1, ReportKind::not_now("c-1")).await;
    store.cancel(&id, "c-2", at(1)).await.unwrap();
    type Set = fn(&mut CommandFilter);
    let cases: [(Set, &[&str]); 5] = [
        (|_| {}, &["c-0", "c-1", "c-2", "c-3", "c-4", "c-5"]),
        (|f| f.waiting = Some(true), &["c-1", "c-3", "c-4", "c-5"]),
        (|f| f.waiting = Some(false), &["c-0", "c-2"]),
        (
            |f| f.request_type = Some("DeviceLock".to_owned()),
            &["c-0", "c-2", "c-4"],
        ),
        (
            |f| {
                f.request_type = Some("DeviceLock".to_owned());
                f.waiting = Some(true);
            },
            &["c-4"],
        ),
    ];
    for (set, expected) in cases {
        let filter = CommandFilter::new().with(set);
        let mut after = Sequence::START;
        let mut listed = Vec::new();
        loop {
            let page = store.commands(&id, &filter, after, 2).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.sequence;
            listed.extend(page.into_iter().map(|record| record.command.command_uuid));
        }
        assert_eq!(listed, expected, "{filter:?}");
    }
}
