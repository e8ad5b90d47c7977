//! The contract of [`Outbox`](crate::store::Outbox).

use futures_util::future::join_all;

use super::{Make, fixture::*};
use crate::{
    Event, EventKind, Store,
    queue::{Enqueued, ReportKind, Sequence},
};

const OTHER: &str = "other";

fn sequences(events: &[(Sequence, Event)]) -> Vec<Sequence> {
    events.iter().map(|(sequence, _)| *sequence).collect()
}

/// In the order in which they happened, until they are acknowledged, in whatever order that is.
pub async fn events_stay_until_they_are_acknowledged<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let id = enroll(&store, 1).await;
    enroll_user(&store, 1, "U1").await;
    let all = told(&store).await;
    let whose: Vec<_> = all.iter().map(|(_, event)| &event.enrollment).collect();
    assert_eq!(whose, [&id, &id, &user(1, "U1")]);
    assert!(matches!(all[0].1.kind, EventKind::Authenticated { .. }));
    assert!(matches!(all[1].1.kind, EventKind::Enrolled { .. }));
    assert!(all.iter().all(|(_, event)| event.at == at(0)));
    assert!(all.is_sorted_by(|a, b| a.0 < b.0));
    assert_eq!(store.events(VENDOR, 2).await.unwrap(), all[..2]);
    assert_eq!(store.pending_events(VENDOR).await.unwrap(), 3);
    let [first, second, third] = [all[0].0, all[1].0, all[2].0];
    store.acknowledge_events(VENDOR, &[second]).await.unwrap();
    let left = [all[0].clone(), all[2].clone()];
    assert_eq!(told(&store).await, left);
    // Again, and one that never was.
    let some = [second, third, Sequence::new(third.number() + 9)];
    store.acknowledge_events(VENDOR, &some).await.unwrap();
    assert_eq!(told(&store).await, all[..1]);
    store.acknowledge_events(VENDOR, &[first]).await.unwrap();
    assert!(told(&store).await.is_empty());
    assert_eq!(store.pending_events(VENDOR).await.unwrap(), 0);
}

/// With the result, and not again when the result is repeated.
pub async fn a_settled_command_writes_its_event_once<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1"]).await;
    let before = told(&store).await.len();
    poll(&store, &id, 1, ReportKind::not_now("c-1")).await;
    poll(&store, &id, 1, answered(&id, "c-9")).await;
    assert_eq!(told(&store).await.len(), before);
    for _ in 0..3 {
        poll(&store, &id, 1, answered(&id, "c-1")).await;
    }
    let events = told(&store).await;
    assert_eq!(events.len(), before + 1);
    assert_eq!(events[before].1, settled_event(&id, "c-1"));
}

/// Not even when the newest event or command is gone.
pub async fn sequences_are_never_given_out_twice<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let id = enroll(&store, 1).await;
    let gone = sequences(&told(&store).await);
    store.acknowledge_events(VENDOR, &gone).await.unwrap();
    enroll_user(&store, 1, "U1").await;
    let next = told(&store).await;
    assert!(next[0].0 > gone[1]);

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

/// Nobody asked: nothing is kept. Who subscribes hears of what happens from then on.
pub async fn a_subscriber_hears_of_what_happens_from_then_on<S: Store>(make: impl Make<S>) {
    let store = make().await;
    enroll(&store, 1).await;
    assert!(store.subscribe(VENDOR).await.unwrap());
    assert!(told(&store).await.is_empty());
    enroll(&store, 2).await;
    let before = told(&store).await;
    assert_eq!(before.len(), 2);
    // A second time changes nothing.
    assert!(!store.subscribe(VENDOR).await.unwrap());
    assert_eq!(told(&store).await, before);
}

/// A slow one holds up no other, and takes nothing from it.
pub async fn every_subscriber_has_events_of_its_own<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    assert!(store.subscribe(OTHER).await.unwrap());
    assert_eq!(store.subscribers().await.unwrap(), [OTHER, VENDOR]);
    enroll(&store, 1).await;
    let mine = told(&store).await;
    let others = store.events(OTHER, 100).await.unwrap();
    let kinds = |events: &[(Sequence, Event)]| -> Vec<_> {
        events.iter().map(|(_, event)| event.clone()).collect()
    };
    assert_eq!(kinds(&mine), kinds(&others));
    let all = sequences(&mine);
    store.acknowledge_events(VENDOR, &all).await.unwrap();
    assert!(told(&store).await.is_empty());
    assert_eq!(store.events(OTHER, 100).await.unwrap(), others);
    assert_eq!(store.pending_events(OTHER).await.unwrap(), 2);
}

/// With its events and its dead letters; whoever comes back under that name begins anew.
pub async fn a_subscriber_that_leaves_takes_everything_along<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    store.subscribe(OTHER).await.unwrap();
    enroll(&store, 1).await;
    let first = told(&store).await[0].0;
    store
        .bury_events(VENDOR, &[first], "x", at(1))
        .await
        .unwrap();
    assert!(store.unsubscribe(VENDOR).await.unwrap());
    assert!(!store.unsubscribe(VENDOR).await.unwrap());
    assert_eq!(store.subscribers().await.unwrap(), [OTHER]);
    for _ in 0..2 {
        assert!(told(&store).await.is_empty());
        let dead = store
            .dead_letters(VENDOR, Sequence::START, 9)
            .await
            .unwrap();
        assert!(dead.is_empty());
        assert_eq!(store.pending_events(VENDOR).await.unwrap(), 0);
        store.subscribe(VENDOR).await.unwrap();
    }
    assert_eq!(store.events(OTHER, 9).await.unwrap().len(), 2);
}

/// Nobody's name does nothing and breaks nothing.
pub async fn a_name_that_is_no_subscribers_has_no_events<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    enroll(&store, 1).await;
    let before = told(&store).await;
    let all = sequences(&before);
    assert!(store.events(OTHER, 9).await.unwrap().is_empty());
    store.acknowledge_events(OTHER, &all).await.unwrap();
    assert_eq!(store.bury_events(OTHER, &all, "x", at(1)).await.unwrap(), 0);
    assert_eq!(store.revive_dead_letters(OTHER, &all).await.unwrap(), 0);
    assert_eq!(store.forget_dead_letters(OTHER, &all).await.unwrap(), 0);
    assert_eq!(told(&store).await, before);
}

/// Buried events are nobody's turn, are listed with their reason, and come back to their place.
pub async fn dead_letters_are_kept_until_somebody_revives_or_forgets_them<S: Store>(
    make: impl Make<S>,
) {
    let store = subscribed(&make).await;
    store.subscribe(OTHER).await.unwrap();
    enroll(&store, 1).await;
    enroll(&store, 2).await;
    let all = told(&store).await;
    let [a, b, c, d] = [all[0].0, all[1].0, all[2].0, all[3].0];
    let buried = store.bury_events(VENDOR, &[a, b], "410 Gone", at(5)).await;
    assert_eq!(buried.unwrap(), 2);
    let again = store.bury_events(VENDOR, &[b, c], "overflow", at(6)).await;
    assert_eq!(again.unwrap(), 1);
    assert_eq!(sequences(&told(&store).await), [d]);
    assert_eq!(store.pending_events(VENDOR).await.unwrap(), 1);
    assert_eq!(store.events(OTHER, 9).await.unwrap().len(), 4);

    let dead = store
        .dead_letters(VENDOR, Sequence::START, 2)
        .await
        .unwrap();
    assert_eq!(dead[0].sequence, a);
    assert_eq!(dead[0].event, all[0].1);
    assert_eq!((dead[0].reason.as_str(), dead[0].at), ("410 Gone", at(5)));
    assert_eq!(dead[1].sequence, b);
    let dead = store.dead_letters(VENDOR, b, 9).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!((dead[0].reason.as_str(), dead[0].at), ("overflow", at(6)));

    assert_eq!(store.revive_dead_letters(VENDOR, &[a, d]).await.unwrap(), 1);
    assert_eq!(told(&store).await, [all[0].clone(), all[3].clone()]);
    assert_eq!(store.forget_dead_letters(VENDOR, &[a, b]).await.unwrap(), 1);
    let dead = store
        .dead_letters(VENDOR, Sequence::START, 9)
        .await
        .unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].sequence, c);
}

/// What belongs to no step is told in its order, to everybody.
pub async fn events_outside_of_a_step_are_told_too<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let events: Vec<_> = (0..3)
        .map(|n| Event::new(device(n), at(1), EventKind::Retired))
        .collect();
    store.tell(events.clone()).await.unwrap();
    store.tell(Vec::new()).await.unwrap();
    let told: Vec<_> = told(&store)
        .await
        .into_iter()
        .map(|(_, event)| event)
        .collect();
    assert_eq!(told, events);
}

/// It hides no other, and is what it was when it is revived.
pub async fn an_event_that_cannot_be_read_is_kept_as_it_lies_there<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let unreadable = EventKind::unreadable(r#"{"event":"from_a_newer_version"}"#);
    let kinds = [EventKind::Retired, unreadable, EventKind::CheckedOut];
    let events: Vec<_> = kinds
        .into_iter()
        .map(|kind| Event::new(device(1), at(1), kind))
        .collect();
    store.tell(events.clone()).await.unwrap();
    let before = told(&store).await;
    let kept: Vec<_> = before.iter().map(|(_, event)| event.clone()).collect();
    assert_eq!(kept, events);
    let place = [before[1].0];
    let buried = store.bury_events(VENDOR, &place, "x", at(2)).await;
    assert_eq!(buried.unwrap(), 1);
    let dead = store.dead_letters(VENDOR, Sequence::START, 9).await;
    assert_eq!(dead.unwrap()[0].event, events[1]);
    store.revive_dead_letters(VENDOR, &place).await.unwrap();
    assert_eq!(told(&store).await, before);
}

/// Ten devices answer twenty commands each, all at once: each one's events come in its order.
pub async fn events_of_one_enrolment_are_in_the_order_of_its_steps<S: Store>(make: impl Make<S>) {
    const COMMANDS: usize = 20;
    let store = subscribed(&make).await;
    let uuids: Vec<_> = (0..COMMANDS).map(|n| format!("c-{n:02}")).collect();
    for n in 1..=10 {
        let id = enroll(&store, n).await;
        let batch = uuids.iter().map(|uuid| command(&id, uuid)).collect();
        store.enqueue(batch).await.unwrap();
    }
    let answer_all = async |n: u8| {
        for uuid in &uuids {
            poll(&store, &device(n), n, answered(&device(n), uuid)).await;
        }
    };
    join_all((1..=10).map(answer_all)).await;
    let told = told(&store).await;
    for n in 1..=10 {
        let settled: Vec<_> = told
            .iter()
            .filter(|(_, event)| event.enrollment == device(n))
            .filter_map(|(_, event)| match &event.kind {
                EventKind::CommandSettled { command_uuid, .. } => Some(command_uuid.clone()),
                _ => None,
            })
            .collect();
        assert_eq!(settled, uuids);
    }
}
