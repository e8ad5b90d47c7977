//! The contract of priorities, ends and keys, and of what a device is known for by its reports.

use futures_util::future::join_all;
use mdm_protocol::EnrollmentId;

use super::{Make, fixture::*};
use crate::{
    Enrollment, Event, EventKind, Reported, Store,
    enrollment::decide::Message,
    queue::{CommandState, Enqueued, NewCommand, ReportKind, Settlement},
};

async fn enqueue(store: &impl Store, command: NewCommand) -> Enqueued {
    let mut answers = store.enqueue(vec![command]).await.unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

fn expired(id: &EnrollmentId, uuid: &str, seconds: i64) -> Event {
    Event::new(id.clone(), at(seconds), EventKind::command_expired(uuid))
}

/// The higher priority first, of the same the older: also among what was set aside and released.
pub async fn the_higher_priority_is_offered_first<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    for (uuid, priority) in [
        ("c-1", 0),
        ("c-2", 5),
        ("c-3", -5),
        ("c-4", 5),
        ("c-5", i16::MAX),
        ("c-6", i16::MIN),
    ] {
        queue_with(&store, &id, uuid, |it| it.priority = priority).await;
    }
    // The urgent one is put off, and is not offered again before `Idle`, however urgent.
    let (_, next) = poll(&store, &id, 1, ReportKind::not_now("c-5")).await;
    assert_eq!(next.as_deref(), Some("c-2"));
    poll(&store, &id, 1, ReportKind::not_now("c-4")).await;
    let mut order = Vec::new();
    let mut next = poll(&store, &id, 1, ReportKind::Idle).await.1;
    while let Some(uuid) = next {
        next = poll(&store, &id, 1, answered(&id, &uuid)).await.1;
        order.push(uuid);
    }
    assert_eq!(order, ["c-5", "c-2", "c-4", "c-1", "c-3", "c-6"]);
    let record = store.command(&id, "c-6").await.unwrap().unwrap();
    assert_eq!(record.command.priority, i16::MIN);
}

/// Q17: a command that was put off is not offered after `NotNow`, though its priority is the highest.
pub async fn q17_not_now_passes_over_urgent_commands_too<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue_with(&store, &id, "c-1", |it| it.priority = 9).await;
    queue(&store, &id, &["c-2"]).await;
    let not_now = |uuid| ReportKind::not_now(uuid);
    assert_eq!(
        poll(&store, &id, 1, not_now("c-1")).await.1.as_deref(),
        Some("c-2")
    );
    assert_eq!(poll(&store, &id, 1, not_now("c-2")).await.1, None);
    assert_eq!(
        poll(&store, &id, 1, ReportKind::Idle).await.1.as_deref(),
        Some("c-1")
    );
    assert_eq!(poll(&store, &id, 1, not_now("c-1")).await.1, None);
}

/// From its end on, whether it stands first or last and whether it was put off; the vendor is told
/// once, and everything else is offered as usual.
pub async fn an_expired_command_is_never_offered<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let id = enroll(&store, 1).await;
    let other = enroll(&store, 2).await;
    queue_with(&store, &id, "c-1", |it| it.expires_at = Some(at(100))).await;
    queue_with(&store, &id, "c-2", |it| it.expires_at = Some(at(200))).await;
    queue_with(&store, &id, "c-3", |it| it.expires_at = Some(at(300))).await;
    queue(&store, &id, &["c-4"]).await;
    queue_with(&store, &id, "c-5", |it| it.expires_at = Some(at(100))).await;
    queue_with(&store, &other, "c-1", |it| it.expires_at = Some(at(100))).await;
    poll_at(&store, 1, 1, ReportKind::not_now("c-2")).await;
    let before = told(&store).await.len();

    assert_eq!(
        poll_at(&store, 1, 99, ReportKind::Idle).await.1.as_deref(),
        Some("c-1")
    );
    poll_at(&store, 1, 99, ReportKind::not_now("c-2")).await;
    assert_eq!(told(&store).await.len(), before);
    assert_eq!(
        poll_at(&store, 1, 100, ReportKind::Idle).await.1.as_deref(),
        Some("c-2")
    );
    assert_eq!(
        poll_at(&store, 1, 200, ReportKind::Idle).await.1.as_deref(),
        Some("c-3")
    );
    for _ in 0..2 {
        assert_eq!(
            poll_at(&store, 1, 300, ReportKind::Idle).await.1.as_deref(),
            Some("c-4")
        );
    }
    for (uuid, end) in [("c-1", 100), ("c-2", 200), ("c-3", 300), ("c-5", 100)] {
        assert_eq!(
            state(&store, &id, uuid).await,
            CommandState::expired(at(end)),
            "{uuid}"
        );
    }
    let mut told: Vec<_> = told(&store)
        .await
        .into_iter()
        .map(|(_, event)| event)
        .collect();
    let told = &mut told[before..];
    told.sort_by_key(|event| format!("{event:?}"));
    let mut expected = [("c-1", 100), ("c-2", 200), ("c-3", 300), ("c-5", 100)]
        .map(|(uuid, end)| expired(&id, uuid, end));
    expected.sort_by_key(|event| format!("{event:?}"));
    assert_eq!(told, expected);
    // Another's queue is another's.
    assert_eq!(state(&store, &other, "c-1").await, CommandState::Queued);
}

/// It stays expired. One that comes before anybody noticed counts: the device did carry it out.
pub async fn a_late_answer_to_an_expired_command_changes_nothing<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let id = enroll(&store, 1).await;
    for uuid in ["c-1", "c-2"] {
        queue_with(&store, &id, uuid, |it| it.expires_at = Some(at(100))).await;
    }
    let before = told(&store).await.len();
    let answer = poll_at(&store, 1, 150, answered(&id, "c-1")).await;
    assert_eq!(answer, (Settlement::Settled, None));
    assert_eq!(
        state(&store, &id, "c-2").await,
        CommandState::expired(at(150))
    );
    for kind in [answered(&id, "c-2"), ReportKind::not_now("c-2")] {
        let answer = poll_at(&store, 1, 160, kind).await;
        assert_eq!(answer, (Settlement::Before, None));
    }
    assert_eq!(
        state(&store, &id, "c-2").await,
        CommandState::expired(at(150))
    );
    assert_eq!(told(&store).await.len(), before + 2);
    assert_eq!(store.forget_finished(at(151), 9).await.unwrap(), 2);
}

/// Somebody looks for them; in portions, the first to end first.
pub async fn commands_of_devices_that_never_call_expire_too<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    for n in 1..=3 {
        let id = enroll(&store, n).await;
        let end = Some(at(100 - i64::from(n)));
        queue_with(&store, &id, "c-1", |it| it.expires_at = end).await;
        queue(&store, &id, &["c-2"]).await;
    }
    let before = told(&store).await.len();
    assert_eq!(store.expire(at(96), 9).await.unwrap(), 0);
    assert_eq!(store.expire(at(99), 2).await.unwrap(), 2);
    assert_eq!(state(&store, &device(1), "c-1").await, CommandState::Queued);
    assert_eq!(store.expire(at(99), 2).await.unwrap(), 1);
    assert_eq!(store.expire(at(99), 2).await.unwrap(), 0);
    let told = told(&store).await;
    let told: Vec<_> = told[before..]
        .iter()
        .map(|(_, event)| event.clone())
        .collect();
    assert_eq!(told, [3, 2, 1].map(|n| expired(&device(n), "c-1", 99)));
    for n in 1..=3 {
        let (_, next) = poll(&store, &device(n), n, ReportKind::Idle).await;
        assert_eq!(next.as_deref(), Some("c-2"));
    }
}

/// While one waits, offered or put off, another of its key is not queued; afterwards it is. Commands
/// without a key never stand in for each other.
pub async fn a_key_is_queued_once_while_it_waits<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let other = enroll(&store, 2).await;
    let keyed = |id: &EnrollmentId, uuid: &str| {
        command(id, uuid).with(|it| it.key = Some("refresh".to_owned()))
    };
    queue_with(&store, &id, "c-1", |it| it.key = Some("refresh".to_owned())).await;
    let merged = Enqueued::merged("c-1");
    assert_eq!(enqueue(&store, keyed(&id, "c-2")).await, merged);
    assert_eq!(store.command(&id, "c-2").await.unwrap(), None);
    poll(&store, &id, 1, ReportKind::not_now("c-1")).await;
    assert_eq!(enqueue(&store, keyed(&id, "c-2")).await, merged);
    poll(&store, &id, 1, ReportKind::Idle).await;
    assert_eq!(enqueue(&store, keyed(&id, "c-2")).await, merged);
    // The same command again is that command.
    assert_eq!(
        enqueue(&store, keyed(&id, "c-1")).await,
        Enqueued::Duplicate
    );
    // Other keys and other enrolments have nothing to do with it.
    queue_with(&store, &id, "c-3", |it| it.key = Some("other".to_owned())).await;
    queue_with(&store, &other, "c-1", |it| {
        it.key = Some("refresh".to_owned())
    })
    .await;
    queue(&store, &id, &["c-4", "c-5"]).await;

    poll(&store, &id, 1, answered(&id, "c-1")).await;
    assert!(matches!(
        enqueue(&store, keyed(&id, "c-6")).await,
        Enqueued::Queued(_)
    ));
    assert!(store.cancel(&id, "c-6", at(1)).await.unwrap());
    assert!(matches!(
        enqueue(&store, keyed(&id, "c-7")).await,
        Enqueued::Queued(_)
    ));
    let batch = vec![
        keyed(&other, "c-8"),
        keyed(&id, "c-9"),
        keyed(&device(9), "c-1"),
    ];
    let answers = store.enqueue(batch).await.unwrap();
    let expected = [merged, Enqueued::merged("c-7"), Enqueued::NotEnrolled];
    assert_eq!(answers, expected);
    let record = store.command(&id, "c-7").await.unwrap().unwrap();
    assert_eq!(record.command, keyed(&id, "c-7"));
}

/// What is over does not stand in for what is new, and is told of in the same step.
pub async fn a_key_whose_command_expired_is_free<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let id = enroll(&store, 1).await;
    let keyed = |it: &mut NewCommand| {
        it.key = Some("refresh".to_owned());
        it.expires_at = Some(at(100));
    };
    queue_with(&store, &id, "c-1", keyed).await;
    let later = |uuid: &str, seconds| {
        command(&id, uuid).with(|it| {
            it.at = at(seconds);
            it.key = Some("refresh".to_owned());
        })
    };
    assert_eq!(
        enqueue(&store, later("c-2", 99)).await,
        Enqueued::merged("c-1")
    );
    let answer = enqueue(&store, later("c-3", 100)).await;
    assert!(matches!(answer, Enqueued::Queued(_)), "{answer:?}");
    assert_eq!(
        state(&store, &id, "c-1").await,
        CommandState::expired(at(100))
    );
    let last = told(&store).await.pop().map(|(_, event)| event);
    assert_eq!(last, Some(expired(&id, "c-1", 100)));
    assert_eq!(
        poll(&store, &id, 1, ReportKind::Idle).await.1.as_deref(),
        Some("c-3")
    );
}

/// Twelve enqueues of one key at the same time: one is queued, the others name it.
pub async fn of_one_key_enqueued_at_once_one_is_queued<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    for round in 0..3 {
        let enqueues = (0..12).map(|n| {
            let command = command(&id, &format!("c-{round}-{n}"))
                .with(|it| it.key = Some("refresh".to_owned()));
            enqueue(&store, command)
        });
        let answers = join_all(enqueues).await;
        let queued = answers
            .iter()
            .position(|answer| matches!(answer, Enqueued::Queued(_)))
            .unwrap();
        let merged = Enqueued::merged(format!("c-{round}-{queued}"));
        for (n, answer) in answers.iter().enumerate() {
            assert!(n == queued || *answer == merged, "{answers:?}");
        }
        let uuid = format!("c-{round}-{queued}");
        assert_eq!(
            poll(&store, &id, 1, answered(&id, &uuid)).await,
            (Settlement::Settled, None)
        );
    }
}

/// With the answer that says it, and with no other; whoever decided on the former state decides again.
pub async fn what_a_device_says_of_itself_joins_what_is_known<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = device(1);
    let first = Reported::new(at(0)).with(|told| {
        told.os_version = Some("15.1".to_owned());
        told.device_name = Some("Anna's \"Mac\"".to_owned());
    });
    take(
        &store,
        &sender(&id, 1),
        authenticate().reporting(first.clone()),
    )
    .await;
    take(&store, &sender(&id, 1), Message::token_update(address(1))).await;
    queue(&store, &id, &["c-1"]).await;
    let known = async || -> Enrollment { store.enrollment(&id).await.unwrap().unwrap() };
    assert_eq!(known().await.reported.as_ref(), Some(&first));

    let version = store.load(&id, &certificate(1)).await.unwrap().version;
    let news = Reported::new(at(9)).with(|told| {
        told.os_version = Some("15.2".to_owned());
        told.is_supervised = Some(true);
    });
    let answer =
        |uuid: &str, told: &Reported| answered(&id, uuid).telling(Some(told.clone()), Vec::new());
    poll(&store, &id, 1, answer("c-9", &news)).await;
    assert_eq!(known().await.reported.as_ref(), Some(&first));
    poll(&store, &id, 1, answer("c-1", &news)).await;
    let joined = first.clone().merged(news);
    assert_eq!(known().await.reported.as_ref(), Some(&joined));
    let moved = store.load(&id, &certificate(1)).await.unwrap().version;
    assert_eq!(moved, version.next());
    // The same answer again says nothing new.
    let other = Reported::new(at(10)).with(|told| told.os_version = Some("1".to_owned()));
    poll(&store, &id, 1, answer("c-1", &other)).await;
    assert_eq!(known().await.reported, Some(joined));
    assert_eq!(
        store.load(&id, &certificate(1)).await.unwrap().version,
        moved
    );
}

/// What is known already moves no version: a step that somebody decided meanwhile counts. Its time moves after a while.
pub async fn what_a_device_says_again_writes_nothing<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let told = |seconds, name: &str| {
        Reported::new(at(seconds)).with(|told| told.device_name = Some(name.to_owned()))
    };
    let version = async || store.load(&id, &certificate(1)).await.unwrap().version;
    let known = async || {
        let found = store.enrollment(&id).await.unwrap().unwrap();
        found.reported.unwrap()
    };
    let (mut moved, mut round) = (version().await, 0);
    for (seconds, name, kept, is_news) in [
        (0, "a", 0, true),
        (1, "a", 0, false),
        (600, "a", 0, false),
        (601, "a", 601, false),
        (1201, "a", 601, false),
        (602, "b", 602, true),
        (603, "a", 603, true),
    ] {
        let uuid = format!("c-{round}");
        round += 1;
        queue(&store, &id, &[&uuid]).await;
        let kind = answered(&id, &uuid).telling(Some(told(seconds, name)), Vec::new());
        poll_at(&store, 1, seconds, kind).await;
        assert_eq!(known().await, told(kept, name), "{seconds}");
        if is_news {
            moved = moved.next();
        }
        assert_eq!(version().await, moved, "{seconds}");
    }
}

/// A poll notes that the device is there, but not each poll.
pub async fn a_poll_moves_when_a_device_was_last_heard_of_only_after_a_while<S: Store>(
    make: impl Make<S>,
) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let seen = async || store.enrollment(&id).await.unwrap().unwrap().last_seen_at;
    assert_eq!(seen().await, Some(at(0)));
    for (seconds, expected) in [
        (1, 0),
        (600, 0),
        (601, 601),
        (1201, 601),
        (5, 601),
        (1202, 1202),
    ] {
        for kind in [ReportKind::Idle, answered(&id, "c-9")] {
            poll_at(&store, 1, seconds, kind).await;
        }
        assert_eq!(seen().await, Some(at(expected)), "{seconds}");
    }
    // A message notes it at once.
    let sender = crate::enrollment::decide::Sender::new(id.clone(), certificate(1), at(1203));
    take(&store, &sender, Message::token_update(address(1))).await;
    assert_eq!(seen().await, Some(at(1203)));
}
