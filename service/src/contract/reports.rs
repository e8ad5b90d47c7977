//! The contract of [`record_report_and_next`](crate::store::CommandStore::record_report_and_next).

use super::{Make, fixture::*};
use crate::{
    Body, Store,
    queue::{CommandState, Polled, ReportKind, Settlement},
};

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

/// A cancelled command stays cancelled.
pub async fn a_late_answer_to_a_cancelled_command_changes_nothing<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1"]).await;
    take(&store, &sender(&id, 1), authenticate()).await;
    let events = told(&store).await;
    for kind in [answered(&id, "c-1"), ReportKind::not_now("c-1")] {
        assert_eq!(poll(&store, &id, 1, kind).await, (Settlement::Before, None));
    }
    let state = store.command(&id, "c-1").await.unwrap().unwrap().state;
    assert_eq!(state, CommandState::cancelled(at(0)));
    assert_eq!(told(&store).await, events);
}
