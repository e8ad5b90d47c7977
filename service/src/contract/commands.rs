//! The contract of [`CommandStore`](crate::store::CommandStore).

use futures_util::future::join_all;

use super::{Make, fixture::*};
use crate::{
    Body, Store,
    enrollment::decide::Message,
    queue::{CommandState, Enqueued, Polled, Report, ReportKind, Sequence, Settlement},
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

/// After `NotNow` comes the next command that was never answered, and never one that was put off.
pub async fn q17_not_now_asks_for_a_command_never_answered<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1", "c-2", "c-3"]).await;
    let (settlement, next) = poll(&store, &id, 1, ReportKind::not_now("c-1")).await;
    assert_eq!(
        (settlement, next.as_deref()),
        (Settlement::SetAside, Some("c-2"))
    );
    // An answer in between does not bring it back either.
    let (_, next) = poll(&store, &id, 1, answered(&id, "c-2")).await;
    assert_eq!(next.as_deref(), Some("c-3"));
    assert_eq!(poll(&store, &id, 1, answered(&id, "c-3")).await.1, None);
    let record = store.command(&id, "c-1").await.unwrap().unwrap();
    assert_eq!(record.state, CommandState::NotNow);
}

/// `Idle` brings everything back, in the order of enqueue.
pub async fn q17_idle_offers_again_what_was_set_aside<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1", "c-2", "c-3"]).await;
    assert_eq!(
        poll(&store, &id, 1, ReportKind::not_now("c-2"))
            .await
            .1
            .as_deref(),
        Some("c-1")
    );
    assert_eq!(
        poll(&store, &id, 1, ReportKind::not_now("c-1"))
            .await
            .1
            .as_deref(),
        Some("c-3")
    );
    assert_eq!(
        poll(&store, &id, 1, ReportKind::Idle).await.1.as_deref(),
        Some("c-1")
    );
    assert_eq!(
        poll(&store, &id, 1, answered(&id, "c-1"))
            .await
            .1
            .as_deref(),
        Some("c-2")
    );
    assert_eq!(
        poll(&store, &id, 1, answered(&id, "c-2"))
            .await
            .1
            .as_deref(),
        Some("c-3")
    );
}

/// A Mac in Power Nap puts off everything: each command is offered once, then there is silence.
pub async fn q17_a_device_that_always_says_not_now_is_left_in_peace<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1", "c-2"]).await;
    assert_eq!(
        poll(&store, &id, 1, ReportKind::not_now("c-1"))
            .await
            .1
            .as_deref(),
        Some("c-2")
    );
    assert_eq!(
        poll(&store, &id, 1, ReportKind::not_now("c-2")).await.1,
        None
    );
    for _ in 0..2 {
        // It wakes: the first is offered again, and after its NotNow the second is not.
        assert_eq!(
            poll(&store, &id, 1, ReportKind::Idle).await.1.as_deref(),
            Some("c-1")
        );
        assert_eq!(
            poll(&store, &id, 1, ReportKind::not_now("c-1")).await,
            (Settlement::SetAside, None)
        );
    }
}

/// What `Idle` released is offered to the end of the session, unless the device says `NotNow`.
pub async fn q17_an_answer_goes_on_with_what_idle_released<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1", "c-2"]).await;
    poll(&store, &id, 1, ReportKind::not_now("c-1")).await;
    poll(&store, &id, 1, ReportKind::not_now("c-2")).await;
    queue(&store, &id, &["c-3"]).await;
    assert_eq!(
        poll(&store, &id, 1, ReportKind::Idle).await.1.as_deref(),
        Some("c-1")
    );
    assert_eq!(
        poll(&store, &id, 1, ReportKind::not_now("c-1"))
            .await
            .1
            .as_deref(),
        Some("c-3")
    );
    assert_eq!(
        poll(&store, &id, 1, answered(&id, "c-3"))
            .await
            .1
            .as_deref(),
        Some("c-2")
    );
    assert_eq!(poll(&store, &id, 1, answered(&id, "c-2")).await.1, None);
    assert_eq!(
        poll(&store, &id, 1, ReportKind::Idle).await.1.as_deref(),
        Some("c-1")
    );
}

/// The first answer stands, and a late `NotNow` does not bring the command back.
pub async fn q17_the_same_result_twice_counts_once<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1"]).await;
    poll(&store, &id, 1, answered(&id, "c-1")).await;
    let first = store.command(&id, "c-1").await.unwrap().unwrap();
    let again = ReportKind::settles("c-1", "Error", b"other".to_vec(), settled_event(&id, "c-1"));
    assert_eq!(
        poll(&store, &id, 1, again).await,
        (Settlement::Before, None)
    );
    let late = ReportKind::not_now("c-1");
    assert_eq!(poll(&store, &id, 1, late).await, (Settlement::Before, None));
    assert_eq!(store.command(&id, "c-1").await.unwrap().unwrap(), first);
    assert_eq!(poll(&store, &id, 1, ReportKind::Idle).await.1, None);
}

/// Nobody knows the command: the device is answered as usual.
pub async fn q17_a_result_for_an_unknown_command_is_accepted<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let other = enroll(&store, 2).await;
    queue(&store, &id, &["c-1"]).await;
    queue(&store, &other, &["c-2"]).await;
    for kind in [
        answered(&id, "c-9"),
        ReportKind::not_now("c-9"),
        answered(&id, "c-2"),
    ] {
        let (settlement, next) = poll(&store, &id, 1, kind).await;
        assert_eq!(
            (settlement, next.as_deref()),
            (Settlement::Unknown, Some("c-1"))
        );
    }
    // Somebody else's command is untouched.
    assert_eq!(
        poll(&store, &other, 2, ReportKind::Idle).await.1.as_deref(),
        Some("c-2")
    );
    // A user that never sent a token update.
    let unknown = user(1, "U1");
    assert_eq!(
        poll(&store, &unknown, 1, answered(&unknown, "c-1")).await,
        (Settlement::Unknown, None)
    );
    assert_eq!(
        poll(&store, &unknown, 1, ReportKind::Idle).await,
        (Settlement::NoCommand, None)
    );
}

/// Whether anybody can decode it or not.
pub async fn a_result_is_kept_byte_for_byte<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1"]).await;
    let large: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    let kind = ReportKind::settles("c-1", "Whatever", large.clone(), settled_event(&id, "c-1"));
    assert_eq!(
        poll(&store, &id, 1, kind).await,
        (Settlement::Settled, None)
    );
    let record = store.command(&id, "c-1").await.unwrap().unwrap();
    assert_eq!(record.command, command(&id, "c-1"));
    let expected = CommandState::settled("Whatever", Body::from(large), at(1));
    assert_eq!(record.state, expected);
}

/// Q4: neither settles nor releases nor offers.
pub async fn a_report_with_a_foreign_certificate_changes_nothing<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    enroll_user(&store, 1, "U1").await;
    enroll(&store, 2).await;
    queue(&store, &id, &["c-1"]).await;
    poll(&store, &id, 1, ReportKind::not_now("c-1")).await;
    for kind in [
        ReportKind::Idle,
        answered(&id, "c-1"),
        ReportKind::not_now("c-1"),
    ] {
        for n in [2, 9] {
            assert_eq!(
                report(&store, &id, n, kind.clone()).await,
                Polled::NotPinned
            );
            assert_eq!(
                report(&store, &user(1, "U1"), n, kind.clone()).await,
                Polled::NotPinned
            );
        }
        assert_eq!(report(&store, &device(9), 9, kind).await, Polled::NotPinned);
    }
    let record = store.command(&id, "c-1").await.unwrap().unwrap();
    assert_eq!(record.state, CommandState::NotNow);
    assert_eq!(poll(&store, &id, 1, answered(&id, "c-9")).await.1, None);
}

/// After a re-enrolment the former certificate speaks for nobody.
pub async fn a_replaced_certificate_no_longer_reports<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    take(&store, &sender(&id, 9), authenticate()).await;
    assert_eq!(
        report(&store, &id, 1, ReportKind::Idle).await,
        Polled::NotPinned
    );
    assert_eq!(
        poll(&store, &id, 9, ReportKind::Idle).await,
        (Settlement::NoCommand, None)
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

/// A cancelled command stays cancelled.
pub async fn a_late_answer_to_a_cancelled_command_changes_nothing<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1"]).await;
    take(&store, &sender(&id, 1), authenticate()).await;
    let events = store.events(Sequence::START, 100).await.unwrap();
    for kind in [answered(&id, "c-1"), ReportKind::not_now("c-1")] {
        assert_eq!(poll(&store, &id, 1, kind).await, (Settlement::Before, None));
    }
    let state = store.command(&id, "c-1").await.unwrap().unwrap().state;
    assert_eq!(state, CommandState::cancelled(at(0)));
    assert_eq!(store.events(Sequence::START, 100).await.unwrap(), events);
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
    let left = store.commands(&id, Sequence::START, 10).await.unwrap();
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
        let page = store.commands(&id, after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        after = last.sequence;
        listed.extend(page.into_iter().map(|record| record.command.command_uuid));
    }
    assert_eq!(listed, ["c-1", "c-2", "c-3", "c-4", "c-5"]);
    assert!(
        store
            .commands(&device(9), Sequence::START, 2)
            .await
            .unwrap()
            .is_empty()
    );
    assert!(
        store
            .commands(&id, Sequence::START, 0)
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
            .commands(&device(n), Sequence::START, 100)
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
