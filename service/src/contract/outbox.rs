//! The contract of [`Outbox`](crate::store::Outbox).

use super::{Make, fixture::*};
use crate::{
    EventKind, Store,
    event::AuthenticateReason,
    queue::{Enqueued, ReportKind, Sequence},
};

/// In the order in which they happened, page by page, until they are acknowledged.
pub async fn events_stay_until_they_are_acknowledged<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    enroll_user(&store, 1, "U1").await;
    let all = store.events(Sequence::START, 100).await.unwrap();
    let told: Vec<_> = all
        .iter()
        .map(|(_, event)| (&event.enrollment, &event.kind))
        .collect();
    let enrolled = EventKind::Enrolled {
        awaiting_configuration: false,
    };
    let reason = AuthenticateReason::NewDevice;
    assert_eq!(
        told,
        [
            (&id, &EventKind::Authenticated { reason }),
            (&id, &enrolled),
            (&user(1, "U1"), &enrolled),
        ]
    );
    assert!(all.iter().all(|(_, event)| event.at == at(0)));
    assert!(all.is_sorted_by(|a, b| a.0 < b.0));
    let [first, second, third] = [all[0].0, all[1].0, all[2].0];
    assert_eq!(store.events(Sequence::START, 2).await.unwrap(), all[..2]);
    assert_eq!(store.events(second, 2).await.unwrap(), all[2..]);
    store.acknowledge_events(first).await.unwrap();
    assert_eq!(store.events(Sequence::START, 100).await.unwrap(), all[1..]);
    store.acknowledge_events(third).await.unwrap();
    assert!(store.events(Sequence::START, 100).await.unwrap().is_empty());
}

/// With the result, and not again when the result is repeated.
pub async fn a_settled_command_writes_its_event_once<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1"]).await;
    let before = store.events(Sequence::START, 100).await.unwrap().len();
    poll(&store, &id, 1, ReportKind::not_now("c-1")).await;
    poll(&store, &id, 1, answered(&id, "c-9")).await;
    assert_eq!(
        store.events(Sequence::START, 100).await.unwrap().len(),
        before
    );
    for _ in 0..3 {
        poll(&store, &id, 1, answered(&id, "c-1")).await;
    }
    let events = store.events(Sequence::START, 100).await.unwrap();
    assert_eq!(events.len(), before + 1);
    assert_eq!(events[before].1, settled_event(&id, "c-1"));
}

/// Not even when the newest event or command is gone: a reader's cursor never misses anything.
pub async fn sequences_are_never_given_out_twice<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let last = store
        .events(Sequence::START, 100)
        .await
        .unwrap()
        .pop()
        .unwrap()
        .0;
    store.acknowledge_events(last).await.unwrap();
    enroll_user(&store, 1, "U1").await;
    let next = store.events(Sequence::START, 100).await.unwrap();
    assert!(next[0].0 > last);

    let mut sequences = Vec::new();
    for uuid in ["c-1", "c-2"] {
        let answer = store.enqueue(vec![command(&id, uuid)]).await.unwrap();
        let [Enqueued::Queued(sequence)] = answer.as_slice() else {
            panic!("{answer:?}");
        };
        sequences.push(*sequence);
        poll(&store, &id, 1, answered(&id, uuid)).await;
        assert_eq!(store.forget_finished(at(9), 9).await.unwrap(), 1);
    }
    assert!(sequences[0] < sequences[1]);
}
