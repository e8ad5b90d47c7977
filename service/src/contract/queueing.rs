//! The contract of priorities, ends, keys and of taking commands back.

use futures_util::future::{join, join_all};
use mdm_protocol::EnrollmentId;

use super::{Make, fixture::*};
use crate::{
    Enrollment, Event, EventKind, Reported, Store,
    enrollment::decide::Message,
    queue::{
        CommandFilter, CommandState, Enqueued, NewCommand, Report, ReportKind, Sequence, Settlement,
    },
};

async fn enqueue(store: &impl Store, command: NewCommand) -> Enqueued {
    let mut answers = store.enqueue(vec![command]).await.unwrap();
    assert_eq!(answers.len(), 1);
    answers.remove(0)
}

async fn queue_with(
    store: &impl Store,
    id: &EnrollmentId,
    uuid: &str,
    edit: impl FnOnce(&mut NewCommand),
) {
    let answer = enqueue(store, command(id, uuid).with(edit)).await;
    assert!(matches!(answer, Enqueued::Queued(_)), "{answer:?}");
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
