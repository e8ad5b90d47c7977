//! The contract of [`PushStore`](crate::store::PushStore).

use chrono::TimeDelta;
use futures_util::future::join_all;
use mdm_protocol::EnrollmentId;

use super::{Make, fixture::*};
use crate::{
    EnrollmentStatus, PushTarget, Store,
    enrollment::decide::{Message, Sender, decide, retire},
    push::PushSettled,
    queue::{PushTimes, Report, ReportKind},
    store::CommitError,
};

/// Who is due at that time, leased until far in the future.
async fn due(store: &impl Store, seconds: i64) -> Vec<EnrollmentId> {
    let targets = store.due_pushes(at(seconds), at(1_000_000), 100).await;
    let targets = targets.unwrap().into_iter();
    targets.map(|target| target.enrollment).collect()
}

async fn lease(store: &impl Store, now: i64, until: i64) -> Vec<PushTarget> {
    store.due_pushes(at(now), at(until), 100).await.unwrap()
}

/// Device 1 reports, and wants the next push 100 s after a command and 200 s after a `NotNow`.
async fn poll_at_with(store: &impl Store, seconds: i64, kind: ReportKind) -> Option<String> {
    let report = Report::new(device(1), certificate(1), at(seconds), kind).with(|report| {
        let seconds = TimeDelta::seconds;
        report.push = PushTimes::after(report.at, seconds(100), seconds(200));
    });
    let polled = store.record_report_and_next(report).await.unwrap();
    polled.next().map(|next| next.command_uuid.clone())
}

/// Device `n` enrolled with a command that was queued at that time.
async fn waiting(store: &impl Store, n: u8, seconds: i64) -> EnrollmentId {
    let id = enroll(store, n).await;
    let command = command(&id, "c-1").with(|it| it.at = at(seconds));
    store.enqueue(vec![command]).await.unwrap();
    id
}

/// From the first command's time on, with all that is needed to push.
pub async fn a_queued_command_makes_a_push_due<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = waiting(&store, 1, 10).await;
    let user = enroll_user(&store, 1, "U1").await;
    enroll(&store, 2).await;
    let more = [(&id, "c-2", 5), (&id, "c-3", 20), (&user, "c-1", 6)]
        .map(|(id, uuid, seconds)| command(id, uuid).with(|it| it.at = at(seconds)));
    store.enqueue(more.to_vec()).await.unwrap();
    assert!(lease(&store, 4, 100).await.is_empty());
    // The longest due first, once for all its commands.
    let targets = lease(&store, 6, 100).await;
    let [first, second] = targets.as_slice() else {
        panic!("{targets:?}");
    };
    let (push, magic) = (address(1), address(1).magic);
    let expected = PushTarget::new(id.clone(), push.topic, push.token, magic);
    assert_eq!(*first, expected);
    assert_eq!(second.enrollment, user);
    assert!(lease(&store, 99, 200).await.is_empty());
    assert!(
        store
            .due_pushes(at(99), at(200), 0)
            .await
            .unwrap()
            .is_empty()
    );
}

/// Four nodes ask at the same time: each push is one node's.
pub async fn a_push_is_leased_to_one_node<S: Store>(make: impl Make<S>) {
    const DEVICES: u8 = 20;
    let store = make().await;
    for n in 1..=DEVICES {
        waiting(&store, n, i64::from(n)).await;
    }
    let nodes = (0..4).map(|_| {
        let store = &store;
        async move {
            let mut mine = Vec::new();
            loop {
                let some = store.due_pushes(at(50), at(60), 3).await.unwrap();
                assert!(some.len() <= 3);
                if some.is_empty() {
                    return mine;
                }
                mine.extend(some.into_iter().map(|target| target.enrollment));
            }
        }
    });
    let mut pushed: Vec<_> = join_all(nodes).await.into_iter().flatten().collect();
    pushed.sort_unstable();
    let all: Vec<_> = (1..=DEVICES).map(device).collect();
    assert_eq!(pushed, all);
}

/// A node that died has its pushes taken over when its lease ends.
pub async fn a_lease_that_ends_is_taken_over<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = waiting(&store, 1, 0).await;
    let leased = lease(&store, 0, 60).await;
    assert_eq!(leased.len(), 1);
    assert!(due(&store, 59).await.is_empty());
    assert_eq!(lease(&store, 60, 120).await.len(), 1);
    // The first was not dead after all; its news is old news.
    let late = PushSettled::again(leased[0].clone(), None);
    store.settle_pushes(at(60), &[late]).await.unwrap();
    assert_eq!(due(&store, 120).await, [id]);
}

/// `next` counts where nothing happened meanwhile; `None` is never.
pub async fn what_a_push_leaves_behind_counts_while_it_is_leased<S: Store>(make: impl Make<S>) {
    let store = make().await;
    for n in 1..=4 {
        waiting(&store, n, i64::from(n)).await;
    }
    let targets = lease(&store, 9, 60).await;
    assert_eq!(targets.len(), 4);
    // The third calls meanwhile and gets its command; for the fourth one more is queued.
    let report = Report::new(device(3), certificate(3), at(10), ReportKind::Idle)
        .with(|report| report.push = PushTimes::new(at(500), at(500)));
    store.record_report_and_next(report).await.unwrap();
    let more = command(&device(4), "c-2").with(|it| it.at = at(11));
    store.enqueue(vec![more]).await.unwrap();

    let outcomes: Vec<_> = targets
        .into_iter()
        .zip([Some(at(300)), None, Some(at(20)), Some(at(300))])
        .map(|(target, next)| PushSettled::again(target, next))
        .collect();
    store.settle_pushes(at(60), &outcomes).await.unwrap();
    assert_eq!(due(&store, 11).await, [device(4)]);
    assert!(due(&store, 299).await.is_empty());
    assert_eq!(due(&store, 300).await, [device(1)]);
    assert_eq!(due(&store, 500).await, [device(3)]);
    assert!(due(&store, 100_000).await.is_empty());
}

/// Nothing left: nobody need push. Anything left: somebody must, if the device does not call.
pub async fn a_report_moves_the_push_to_when_it_is_needed<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = waiting(&store, 1, 0).await;
    queue(&store, &id, &["c-2"]).await;
    // Handed out: in 100 s, in case the answer does not come.
    assert_eq!(
        poll_at_with(&store, 10, ReportKind::Idle).await.as_deref(),
        Some("c-1")
    );
    assert!(due(&store, 109).await.is_empty());
    assert_eq!(lease(&store, 110, 130).await.len(), 1);
    // Everything put off: in 200 s.
    let next = poll_at_with(&store, 120, ReportKind::not_now("c-1")).await;
    assert_eq!(next.as_deref(), Some("c-2"));
    assert_eq!(
        poll_at_with(&store, 121, ReportKind::not_now("c-2")).await,
        None
    );
    assert!(due(&store, 219).await.is_empty());
    let early = due(&store, 321).await;
    assert_eq!(early, std::slice::from_ref(&id));
    // All answered: never.
    for uuid in ["c-1", "c-2"] {
        poll_at_with(&store, 330, answered(&id, uuid)).await;
    }
    assert!(due(&store, 999_999).await.is_empty());
    assert_eq!(poll_at_with(&store, 340, ReportKind::Idle).await, None);
    assert!(due(&store, 999_999).await.is_empty());
}

/// A push that is due neither too late nor much too early is left alone.
pub async fn a_session_of_many_commands_moves_the_push_once<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = waiting(&store, 1, 0).await;
    let uuids: Vec<_> = (2..=9).map(|n| format!("c-{n}")).collect();
    for uuid in &uuids {
        queue(&store, &id, &[uuid]).await;
    }
    // Due at 100 from now on, and half way there until 50.
    poll_at_with(&store, 0, ReportKind::Idle).await;
    poll_at_with(&store, 50, answered(&id, "c-1")).await;
    assert_eq!(lease(&store, 100, 100).await.len(), 1);
    // From 51 on it moves: to 151.
    poll_at_with(&store, 51, answered(&id, "c-2")).await;
    assert!(due(&store, 150).await.is_empty());
    assert_eq!(due(&store, 151).await, [id]);
}

/// An expired queue is an empty one.
pub async fn what_expires_needs_no_push<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let command = command(&id, "c-1").with(|it| it.expires_at = Some(at(100)));
    store.enqueue(vec![command]).await.unwrap();
    poll_at_with(&store, 99, ReportKind::Idle).await;
    assert_eq!(poll_at_with(&store, 100, ReportKind::Idle).await, None);
    assert!(due(&store, 999_999).await.is_empty());
}

/// Unknown, not yet enrolled, checked out, retired: nothing is ever due.
pub async fn nobody_is_pushed_to_who_cannot_be<S: Store>(make: impl Make<S>) {
    let store = make().await;
    take(&store, &sender(&device(1), 1), authenticate()).await;
    queue(&store, &device(1), &["c-1"]).await;
    for n in 2..=4 {
        waiting(&store, n, 0).await;
    }
    let user = enroll_user(&store, 2, "U1").await;
    queue(&store, &user, &["c-1"]).await;
    take(&store, &sender(&device(2), 2), Message::CheckOut).await;
    let loaded = store.load(&device(3), &certificate(3)).await.unwrap();
    let step = retire(&loaded, &device(3), at(1));
    commit(&store, 3, step).await.unwrap();
    take(&store, &sender(&device(4), 4), authenticate()).await;
    let all = [device(1), device(2), device(3), device(4), user, device(9)];
    store.wake(&all, at(0)).await.unwrap();
    assert!(due(&store, 999_999).await.is_empty());
    // Nor where a device that is not enrolled reports.
    poll_at_with(&store, 1, ReportKind::Idle).await;
    assert!(due(&store, 999_999).await.is_empty());
}

/// What was queued while the device could not be pushed to is pushed for once it can be.
pub async fn a_token_update_pushes_for_what_waits<S: Store>(make: impl Make<S>) {
    let store = make().await;
    for n in [1, 2] {
        take(&store, &sender(&device(n), n), authenticate()).await;
    }
    queue(&store, &device(1), &["c-1"]).await;
    for n in [1, 2] {
        let sender = Sender::new(device(n), certificate(n), at(7));
        take(&store, &sender, Message::token_update(address(n))).await;
    }
    assert!(due(&store, 6).await.is_empty());
    assert_eq!(lease(&store, 7, 999).await.len(), 1);
    // Another token: the push that is on its way may go nowhere.
    let sender = Sender::new(device(1), certificate(1), at(9));
    take(&store, &sender, Message::token_update(address(3))).await;
    let targets = lease(&store, 9, 999).await;
    assert_eq!(targets.len(), 1);
    assert_eq!(targets[0].token, address(3).token);
}

/// For what waits elsewhere: nothing has to be in the queue. It ends with the next report.
pub async fn a_device_is_woken_without_a_command<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let [one, two] = [enroll(&store, 1).await, waiting(&store, 2, 5).await];
    store
        .wake(&[one.clone(), two.clone(), one.clone()], at(10))
        .await
        .unwrap();
    assert_eq!(lease(&store, 9, 999).await.len(), 1);
    assert_eq!(lease(&store, 10, 999).await.len(), 1);
    store.wake(&[two], at(20)).await.unwrap();
    assert_eq!(due(&store, 20).await.len(), 1);
    store.wake(&[one], at(30)).await.unwrap();
    poll_at_with(&store, 25, ReportKind::Idle).await;
    assert!(due(&store, 999).await.is_empty());
}

/// Q24: 410 ends pushes to one enrolment, keeps no other waiting, and a `TokenUpdate` revives it.
pub async fn q24_a_dead_token_is_not_pushed_to_until_a_token_update<S: Store>(make: impl Make<S>) {
    let store = make().await;
    for n in 1..=3 {
        waiting(&store, n, i64::from(n)).await;
    }
    let version = store
        .load(&device(1), &certificate(1))
        .await
        .unwrap()
        .version;
    let first = store.due_pushes(at(9), at(60), 1).await.unwrap();
    let dead = PushSettled::dead(first[0].clone(), at(8));
    store.settle_pushes(at(60), &[dead]).await.unwrap();
    let found = store.enrollment(&device(1)).await.unwrap().unwrap();
    assert_eq!(found.push_dead_at, Some(at(8)));
    assert_eq!(found.status, EnrollmentStatus::Enrolled);
    let targets = store.push_targets(&[device(1), device(2)]).await.unwrap();
    assert!(targets[0].is_none() && targets[1].is_some());
    // Who decided on the former state decides again.
    let moved = store.load(&device(1), &certificate(1)).await.unwrap();
    assert_eq!(moved.version, version.next());
    let step = decide(&moved, &sender(&device(1), 1), Message::CheckOut).unwrap();
    let stale = store.commit(&device(1), version, step).await;
    assert!(matches!(stale, Err(CommitError::Conflict)));

    // Neither a command, nor a wake, nor a report brings it back.
    queue(&store, &device(1), &["c-2"]).await;
    store.wake(&[device(1)], at(0)).await.unwrap();
    poll_at_with(&store, 20, ReportKind::Idle).await;
    assert_eq!(due(&store, 50).await, [device(2), device(3)]);
    let sender = Sender::new(device(1), certificate(1), at(70));
    take(&store, &sender, Message::token_update(address(1))).await;
    let found = store.enrollment(&device(1)).await.unwrap().unwrap();
    assert_eq!(found.push_dead_at, None);
    assert_eq!(due(&store, 70).await, [device(1)]);
}

/// Q24: the news of the former token's death comes after the new one.
pub async fn q24_a_token_that_was_replaced_meanwhile_is_not_dead<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = waiting(&store, 1, 0).await;
    let targets = lease(&store, 0, 60).await;
    take(&store, &sender(&id, 1), Message::token_update(address(9))).await;
    let dead = PushSettled::dead(targets[0].clone(), at(1));
    store.settle_pushes(at(60), &[dead]).await.unwrap();
    let found = store.enrollment(&id).await.unwrap().unwrap();
    assert_eq!(found.push_dead_at, None);
    assert_eq!(due(&store, 5).await, [id]);
}
