//! The contract of [`CommandStore`](crate::store::CommandStore).

use futures_util::future::join_all;

use super::{Make, fixture::*};
use crate::{
    Body, Store,
    enrollment::decide::Message,
    queue::{CommandFilter, CommandState, Enqueued, Report, ReportKind, Sequence, Settlement},
};

/// Only the sequence counts: all times are the same, or run backwards.
pub async fn commands_are_offered_in_the_order_of_enqueue_whatever_the_clock_says<S: Store>(
    make: impl Make<S>,
) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let uuids: Vec<_> = (0..20).rev().map(|n| format!("c-{n:02}")).collect();
    for (age, uuid) in uuids.iter().enumerate() {
        let mut command = command(&id, uuid);
        command.at = at(if age < 10 { 0 } else { -(age as i64) });
        store.enqueue(vec![command]).await.unwrap();
    }
    let mut next = poll(&store, &id, 1, ReportKind::Idle).await.1;
    for uuid in &uuids {
        assert_eq!(next.as_ref(), Some(uuid));
        let (settlement, after) = poll(&store, &id, 1, answered(&id, uuid)).await;
        assert_eq!(settlement, Settlement::Settled);
        next = after;
    }
    assert_eq!(next, None);
}

/// An answer of ours that never arrived costs nothing: the device asks again.
pub async fn a_command_is_offered_again_until_it_is_answered<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1", "c-2"]).await;
    for _ in 0..3 {
        let polled = report(&store, &id, 1, ReportKind::Idle).await;
        let next = polled.next().unwrap();
        assert_eq!(next.command_uuid, "c-1");
        assert_eq!(next.body, Body::from(body("c-1")));
    }
    poll(&store, &id, 1, answered(&id, "c-1")).await;
    // The answer with c-2 was lost, so the device repeats its report.
    let (settlement, next) = poll(&store, &id, 1, answered(&id, "c-1")).await;
    assert_eq!(
        (settlement, next.as_deref()),
        (Settlement::Before, Some("c-2"))
    );
}

/// Unknown devices, unknown users and those who left get no commands.
pub async fn a_command_for_nobody_is_not_queued<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let gone = enroll(&store, 2).await;
    take(&store, &sender(&gone, 2), Message::CheckOut).await;
    for id in [device(9), user(1, "U1"), gone] {
        let answer = store.enqueue(vec![command(&id, "c-1")]).await.unwrap();
        assert_eq!(answer, [Enqueued::NotEnrolled], "{id}");
        assert_eq!(store.command(&id, "c-1").await.unwrap(), None);
    }
    assert_eq!(poll(&store, &id, 1, ReportKind::Idle).await.1, None);
}

/// An enqueue may be repeated, before and after the command is answered; another enrolment may have
/// a command of the same UUID.
pub async fn the_same_command_is_queued_once<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let other = enroll(&store, 2).await;
    queue(&store, &id, &["c-1"]).await;
    queue(&store, &other, &["c-1"]).await;
    let again = store.enqueue(vec![command(&id, "c-1")]).await.unwrap();
    assert_eq!(again, [Enqueued::Duplicate]);
    assert_eq!(
        poll(&store, &id, 1, answered(&id, "c-1")).await,
        (Settlement::Settled, None)
    );
    let again = store.enqueue(vec![command(&id, "c-1")]).await.unwrap();
    assert_eq!(again, [Enqueued::Duplicate]);
    assert_eq!(poll(&store, &id, 1, ReportKind::Idle).await.1, None);
    assert_eq!(
        poll(&store, &other, 2, ReportKind::Idle).await.1.as_deref(),
        Some("c-1")
    );
}

/// A batch keeps its order and answers for each member.
pub async fn one_batch_answers_for_each_command<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let batch = vec![
        command(&id, "c-2"),
        command(&device(9), "c-1"),
        command(&id, "c-1"),
        command(&id, "c-2"),
    ];
    let answers = store.enqueue(batch).await.unwrap();
    let [
        Enqueued::Queued(first),
        Enqueued::NotEnrolled,
        Enqueued::Queued(second),
        Enqueued::Duplicate,
    ] = answers.as_slice()
    else {
        panic!("{answers:?}");
    };
    assert!(first < second);
    assert!(store.enqueue(Vec::new()).await.unwrap().is_empty());
    assert_eq!(
        poll(&store, &id, 1, answered(&id, "c-2"))
            .await
            .1
            .as_deref(),
        Some("c-1")
    );
}

/// A command for a user is never offered to the device, nor to another user.
pub async fn device_and_user_have_queues_of_their_own<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let first = enroll_user(&store, 1, "U1").await;
    let second = enroll_user(&store, 1, "U2").await;
    queue(&store, &first, &["c-1"]).await;
    queue(&store, &id, &["c-2"]).await;
    for (id, next) in [(&id, Some("c-2")), (&first, Some("c-1")), (&second, None)] {
        assert_eq!(
            poll(&store, id, 1, ReportKind::Idle).await.1.as_deref(),
            next
        );
    }
    // The device cannot answer for the user.
    assert_eq!(
        poll(&store, &id, 1, answered(&id, "c-1")).await.0,
        Settlement::Unknown
    );
}

/// What was meant for the device before it began anew is not meant for it now.
pub async fn authenticate_cancels_what_was_queued<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let user = enroll_user(&store, 1, "U1").await;
    let other = enroll(&store, 2).await;
    for id in [&id, &user, &other] {
        queue(&store, id, &["c-1", "c-2", "c-3"]).await;
    }
    let before = store.command(&id, "c-1").await.unwrap().unwrap();
    assert_eq!(before.state, CommandState::Queued);
    poll(&store, &id, 1, answered(&id, "c-1")).await;
    poll(&store, &id, 1, ReportKind::not_now("c-2")).await;
    let renewed = crate::enrollment::decide::Sender::new(id.clone(), certificate(9), at(5));
    take(&store, &renewed, authenticate()).await;
    assert_eq!(poll(&store, &id, 9, ReportKind::Idle).await.1, None);
    assert_eq!(poll(&store, &user, 9, ReportKind::Idle).await.1, None);
    for (id, uuid, cancelled) in [
        (&id, "c-1", false),
        (&id, "c-2", true),
        (&id, "c-3", true),
        (&user, "c-1", true),
        (&other, "c-1", false),
    ] {
        let state = store.command(id, uuid).await.unwrap().unwrap().state;
        let expected = CommandState::cancelled(at(5));
        assert_eq!(state == expected, cancelled, "{id} {uuid}: {state:?}");
    }
    assert_eq!(
        poll(&store, &other, 2, ReportKind::Idle).await.1.as_deref(),
        Some("c-1")
    );
}

/// Old results go, in portions; the queue stays.
pub async fn what_is_finished_can_be_forgotten_and_what_waits_cannot<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1", "c-2", "c-3", "c-4", "c-5"]).await;
    for uuid in ["c-1", "c-2", "c-3"] {
        poll(&store, &id, 1, answered(&id, uuid)).await;
    }
    poll(&store, &id, 1, ReportKind::not_now("c-4")).await;
    // Answered at 1: not before 1.
    assert_eq!(store.forget_finished(at(1), 10).await.unwrap(), 0);
    assert_eq!(store.forget_finished(at(2), 2).await.unwrap(), 2);
    assert_eq!(store.forget_finished(at(2), 2).await.unwrap(), 1);
    assert_eq!(store.forget_finished(at(2), 2).await.unwrap(), 0);
    let left = store
        .commands(&id, &CommandFilter::new(), Sequence::START, 10)
        .await
        .unwrap();
    let left: Vec<_> = left
        .iter()
        .map(|c| c.command.command_uuid.as_str())
        .collect();
    assert_eq!(left, ["c-4", "c-5"]);
    assert_eq!(
        poll(&store, &id, 1, answered(&id, "c-1")).await.0,
        Settlement::Unknown
    );
}

/// Pages join without a gap, and hold one enrolment's commands only.
pub async fn commands_are_listed_page_by_page<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let other = enroll(&store, 2).await;
    for uuid in ["c-1", "c-2", "c-3", "c-4", "c-5"] {
        queue(&store, &other, &[uuid]).await;
        queue(&store, &id, &[uuid]).await;
    }
    poll(&store, &id, 1, answered(&id, "c-2")).await;
    let mut after = Sequence::START;
    let mut listed = Vec::new();
    loop {
        let page = store
            .commands(&id, &CommandFilter::new(), after, 2)
            .await
            .unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = last.sequence;
        listed.extend(page.into_iter().map(|record| record.command.command_uuid));
    }
    assert_eq!(listed, ["c-1", "c-2", "c-3", "c-4", "c-5"]);
    assert!(
        store
            .commands(&device(9), &CommandFilter::new(), Sequence::START, 2)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .commands(&id, &CommandFilter::new(), Sequence::START, 0)
            .await
            .unwrap()
            .is_empty()
    );
}

/// Five devices answer and are given commands all at once: every command is settled exactly once and
/// offered in order.
pub async fn reports_and_enqueues_at_the_same_time_lose_nothing<S: Store>(make: impl Make<S>) {
    const DEVICES: u8 = 5;
    const COMMANDS: usize = 20;
    let store = make().await;
    for n in 1..=DEVICES {
        enroll(&store, n).await;
    }
    let uuids: Vec<_> = (0..COMMANDS).map(|n| format!("c-{n:02}")).collect();
    let enqueue = async |n: u8| {
        for uuid in &uuids {
            store
                .enqueue(vec![command(&device(n), uuid)])
                .await
                .unwrap();
        }
    };
    let answer = async |n: u8| {
        let id = device(n);
        let mut done = 0;
        let mut kind = ReportKind::Idle;
        while done < COMMANDS {
            let report = Report::new(id.clone(), certificate(n), at(1), kind);
            let polled = store.record_report_and_next(report).await.unwrap();
            if polled.settlement() == Some(Settlement::Settled) {
                done += 1;
            }
            kind = match polled.next() {
                Some(next) => answered(&id, &next.command_uuid),
                None => ReportKind::Idle,
            };
        }
    };
    let enqueues = join_all((1..=DEVICES).map(enqueue));
    let answers = join_all((1..=DEVICES).map(answer));
    futures_util::future::join(enqueues, answers).await;
    for n in 1..=DEVICES {
        let records = store
            .commands(&device(n), &CommandFilter::new(), Sequence::START, 100)
            .await
            .unwrap();
        let order: Vec<_> = records
            .iter()
            .map(|r| r.command.command_uuid.clone())
            .collect();
        assert_eq!(order, uuids);
        assert!(
            records
                .iter()
                .all(|record| matches!(record.state, CommandState::Settled { .. }))
        );
    }
}
