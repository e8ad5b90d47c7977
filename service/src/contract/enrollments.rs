//! The contract of [`EnrollmentStore`](crate::store::EnrollmentStore).

use futures_util::future::join_all;
use mdm_core::{Secret, SerialNumber};
use mdm_protocol::EnrollmentId;

use super::{Make, fixture::*};
use crate::{
    Body, BootstrapToken, Enrollment, EnrollmentStatus, Event, EventKind, Reported, Store,
    enrollment::{
        EnrollmentDecision, EnrollmentKind, EnrollmentReason,
        decide::{Loaded, Message, Refusal, Step, TokenUpdated, Version, decide, renew, retire},
    },
    queue::{CommandState, Polled, ReportKind, Sequence, Settlement},
    store::CommitError,
};

/// A device that never spoke is not there.
pub async fn an_unseen_device_has_version_zero_and_nothing_else<S: Store>(make: impl Make<S>) {
    let store = make().await;
    for id in [device(1), user(1, "U1")] {
        let loaded = store.load(&id, &certificate(1)).await.unwrap();
        assert_eq!(loaded, Loaded::new());
        assert_eq!(loaded.version, Version::UNSEEN);
        assert_eq!(store.enrollment(&id).await.unwrap(), None);
    }
}

/// Every field survives, set or not.
pub async fn an_enrollment_comes_back_as_it_was_committed<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = device(1);
    let bare = Enrollment::new(id.clone()).with(|e| e.certificate = Some(certificate(1)));
    let full = Enrollment {
        id: id.clone(),
        status: EnrollmentStatus::Enrolled,
        certificate: Some(certificate(1)),
        push: Some(address(1)),
        token_update_tally: 7,
        awaiting_configuration: Some(false),
        unlock_token: Some(Secret::new(b"unlock\0token".to_vec())),
        bootstrap_token: Some(BootstrapToken {
            token: Secret::new(b"bootstrap\xfftoken".to_vec()),
            certificate: certificate(8),
            is_former: true,
        }),
        serial_number: Some(SerialNumber::new("C02CONTRACT").unwrap()),
        user_short_name: Some("anna".to_owned()),
        owner: Some("anna@example.com".to_owned()),
        licences: vec!["macs".to_owned(), "b\"x".to_owned()],
        reported: Some(Reported::new(at(4)).with(|told| {
            told.os_version = Some("15.1".to_owned());
            told.is_supervised = Some(false);
        })),
        invitation: Some("i-1".to_owned()),
        decision: Some(EnrollmentDecision::new(
            EnrollmentKind::ReEnrollment,
            [
                EnrollmentReason::Authenticate,
                EnrollmentReason::NewCertificate,
            ],
        )),
        authenticate: Some(Body::from(b"<plist/>".to_vec())),
        authenticated_at: Some(at(-1)),
        enrolled_at: Some(at(2)),
        disabled_at: Some(at(3)),
        last_seen_at: Some(at(4)),
        push_dead_at: Some(at(5)),
    };
    let seen = bare.clone().with(|e| e.last_seen_at = full.last_seen_at);
    for (version, state) in [(0, bare), (1, full.clone()), (2, seen)] {
        let mut step = Step::new(at(0));
        step.device = Some(state.clone());
        store
            .commit(&id, Version::new(version), step)
            .await
            .unwrap();
        let loaded = store.load(&id, &certificate(1)).await.unwrap();
        assert_eq!(loaded.version, Version::new(version + 1));
        assert_eq!(loaded.certificate_owner, Some(id.clone()));
        assert_eq!(loaded.device, Some(state.clone()));
        assert_eq!(loaded.user, None);
        assert_eq!(store.enrollment(&id).await.unwrap(), Some(state));
    }
    let user = user(1, "U1");
    let state = Enrollment {
        id: user.clone(),
        certificate: None,
        ..full
    };
    let mut step = Step::new(at(0));
    step.user = Some(state.clone());
    store.commit(&user, Version::new(3), step).await.unwrap();
    let loaded = store.load(&user, &certificate(1)).await.unwrap();
    assert_eq!(loaded.user, Some(state));
    assert_eq!(loaded.device.map(|device| device.id), Some(id));
}

/// A step that comes too late changes no state, cancels nothing and tells nobody.
pub async fn a_step_decided_on_an_old_version_conflicts_and_leaves_no_trace<S: Store>(
    make: impl Make<S>,
) {
    let store = subscribed(&make).await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1"]).await;
    let before = store.load(&id, &certificate(1)).await.unwrap();
    let events = told(&store).await;
    let step = decide(&before, &sender(&id, 1), Message::CheckOut).unwrap();
    for version in [0, before.version.number() - 1, before.version.number() + 1] {
        let refused = store.commit(&id, Version::new(version), step.clone()).await;
        assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
    }
    assert_eq!(store.load(&id, &certificate(1)).await.unwrap(), before);
    assert_eq!(told(&store).await, events);
    let (_, next) = poll(&store, &id, 1, ReportKind::Idle).await;
    assert_eq!(next.as_deref(), Some("c-1"));
}

/// Eight steps on one version: one is committed, seven conflict, one event is written.
pub async fn of_steps_decided_at_the_same_time_one_is_committed<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let id = device(1);
    let steps = (1..=8).map(|n| {
        let step = decide(&Loaded::new(), &sender(&id, n), authenticate()).unwrap();
        store.commit(&id, Version::UNSEEN, step)
    });
    let outcomes = join_all(steps).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
    assert!(
        outcomes
            .iter()
            .all(|outcome| matches!(outcome, Ok(()) | Err(CommitError::Conflict)))
    );
    assert_eq!(told(&store).await.len(), 1);
}

/// The unit of change is the device with its users.
pub async fn a_user_moves_the_version_of_its_device<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let before = store.load(&id, &certificate(1)).await.unwrap().version;
    enroll_user(&store, 1, "U1").await;
    let after = store.load(&id, &certificate(1)).await.unwrap().version;
    assert_eq!(after, before.next());
}

/// Q4: a certificate that is pinned once is refused to every other device, even where both are
/// decided at the same time.
pub async fn a_certificate_never_serves_a_second_device<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let first = enroll(&store, 1).await;
    let second = device(2);

    let loaded = store.load(&second, &certificate(1)).await.unwrap();
    assert_eq!(loaded.certificate_owner, Some(first));
    let refused = decide(&loaded, &sender(&second, 1), authenticate());
    assert_eq!(refused, Err(Refusal::CertificateReused));

    let step = decide(&Loaded::new(), &sender(&second, 1), authenticate()).unwrap();
    let refused = store.commit(&second, Version::UNSEEN, step).await;
    assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
    assert_eq!(store.enrollment(&second).await.unwrap(), None);
}

/// Q4: the certificate that a device had before does not become free.
pub async fn a_replaced_certificate_still_belongs_to_its_device<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    take(&store, &sender(&id, 9), authenticate()).await;
    for n in [1, 9] {
        let loaded = store.load(&device(2), &certificate(n)).await.unwrap();
        assert_eq!(loaded.certificate_owner, Some(id.clone()));
    }
}

/// The step that pins a renewed identity is one: the new certificate speaks and the former does not,
/// and whatever waited still waits. It is the same step when a user's message brings it about.
pub async fn a_renewed_certificate_goes_on_where_the_former_stopped<S: Store>(make: impl Make<S>) {
    for by_user in [false, true] {
        let store = subscribed(&make).await;
        let id = enroll(&store, 1).await;
        let user = enroll_user(&store, 1, "U1").await;
        let token = Secret::new(b"bootstrap".to_vec());
        let deposit = Message::set_bootstrap_token(Some(token.clone()));
        take(&store, &sender(&id, 1), deposit).await;
        for id in [&id, &user] {
            queue(&store, id, &["c-1", "c-2"]).await;
            poll(&store, id, 1, ReportKind::not_now("c-1")).await;
        }
        let before = store.load(&id, &certificate(1)).await.unwrap();
        let users = store.enrollment(&user).await.unwrap();
        let events = told(&store).await.len();

        take_renewed(&store, &sender(if by_user { &user } else { &id }, 9)).await;
        let after = store.load(&id, &certificate(9)).await.unwrap();
        assert_eq!(after.version, before.version.next());
        let decision = after
            .device
            .as_ref()
            .and_then(|device| device.decision.clone());
        assert_eq!(
            decision.as_ref().map(|decision| decision.kind),
            Some(EnrollmentKind::IdentityRenewal)
        );
        let expected = before.device.unwrap().with(|device| {
            device.decision = decision;
            device.certificate = Some(certificate(9));
            device.bootstrap_token = Some(BootstrapToken::new(token, certificate(9)));
        });
        assert_eq!(after.device.as_ref(), Some(&expected));
        assert_eq!(store.enrollment(&user).await.unwrap(), users);
        let told = told(&store).await;
        let decision = after.device.and_then(|device| device.decision).unwrap();
        let renewed = EventKind::IdentityRenewed { decision };
        let told: Vec<_> = told[events..].iter().map(|(_, event)| event).collect();
        assert_eq!(told, [&Event::new(id.clone(), at(0), renewed)]);

        for id in [&id, &user] {
            let former = report(&store, id, 1, ReportKind::Idle).await;
            assert_eq!(former, Polled::NotPinned);
            let late = poll(&store, id, 9, answered(id, "c-2")).await;
            assert_eq!(late, (Settlement::Settled, None));
            let (_, offered) = poll(&store, id, 9, ReportKind::Idle).await;
            assert_eq!(offered.as_deref(), Some("c-1"));
        }
        for n in [1, 9] {
            let loaded = store.load(&device(2), &certificate(n)).await.unwrap();
            assert_eq!(loaded.certificate_owner.as_ref(), Some(&id));
        }
    }
}

/// A device, a user of it that both wait for a command, and a token; then `Authenticate` with another certificate that
/// somebody vouches for.
async fn renewing_by_its_profile(store: &impl Store) -> (EnrollmentId, EnrollmentId) {
    let id = enroll(store, 1).await;
    let user = enroll_user(store, 1, "U1").await;
    let deposit = Message::set_bootstrap_token(Some(Secret::new(b"bootstrap".to_vec())));
    take(store, &sender(&id, 1), deposit).await;
    for id in [&id, &user] {
        queue(store, id, &["c-1", "c-2"]).await;
        poll(store, id, 1, ReportKind::not_now("c-1")).await;
    }
    take(store, &sender(&id, 9), authenticate().vouched_for()).await;
    (id, user)
}

/// Between `Authenticate` and `TokenUpdate` nothing is lost, and afterwards all goes on.
pub async fn a_renewal_with_authenticate_keeps_what_waits_and_who_is_there<S: Store>(
    make: impl Make<S>,
) {
    let store = make().await;
    let (id, user) = renewing_by_its_profile(&store).await;
    take(&store, &sender(&id, 9), Message::token_update(address(9))).await;
    let found = store.enrollment(&id).await.unwrap().unwrap();
    let decision = found.decision.unwrap();
    assert_eq!(decision.kind, EnrollmentKind::IdentityRenewal);
    assert!(decision.because(EnrollmentReason::VouchedFor));
    let deposited = found.bootstrap_token.unwrap();
    assert_eq!(deposited.certificate, certificate(9));
    assert_eq!(found.push, Some(address(9)));
    let known = store.enrollment(&user).await.unwrap().unwrap();
    assert_eq!(known.status, EnrollmentStatus::Enrolled);
    for id in [&id, &user] {
        let former = report(&store, id, 1, ReportKind::Idle).await;
        assert_eq!(former, Polled::NotPinned);
        let late = poll(&store, id, 9, answered(id, "c-2")).await;
        assert_eq!(late, (Settlement::Settled, None));
        let (_, offered) = poll(&store, id, 9, ReportKind::Idle).await;
        assert_eq!(offered.as_deref(), Some("c-1"));
    }
}

/// What was spared at `Authenticate` goes with the `TokenUpdate` that says so, in the same step.
pub async fn a_renewal_that_turns_out_to_be_an_erased_device_begins_anew<S: Store>(
    make: impl Make<S>,
) {
    let store = make().await;
    let (id, user) = renewing_by_its_profile(&store).await;
    let update =
        TokenUpdated::new(address(9)).with(|told| told.awaiting_configuration = Some(true));
    take(&store, &sender(&id, 9), update.into()).await;
    let found = store.enrollment(&id).await.unwrap().unwrap();
    assert_eq!(found.status, EnrollmentStatus::Enrolled);
    assert_eq!(found.push, Some(address(9)));
    assert_eq!(found.bootstrap_token, None);
    let decision = found.decision.unwrap();
    assert_eq!(decision.kind, EnrollmentKind::ReEnrollment);
    let known = store.enrollment(&user).await.unwrap().unwrap();
    assert_eq!(
        (known.status, known.push),
        (EnrollmentStatus::Disabled, None)
    );
    for id in [&id, &user] {
        for uuid in ["c-1", "c-2"] {
            let found = state(&store, id, uuid).await;
            assert!(matches!(found, CommandState::Cancelled { .. }), "{found:?}");
        }
    }
    let (_, offered) = poll(&store, &id, 9, ReportKind::Idle).await;
    assert_eq!(offered, None);
}

/// Q4: also where both are decided at the same time.
pub async fn a_certificate_that_another_device_got_meanwhile_is_no_renewal<S: Store>(
    make: impl Make<S>,
) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let loaded = store.load(&id, &certificate(9)).await.unwrap();
    let step = renew(&loaded, &sender(&id, 9)).unwrap();
    let other = device(2);
    take(&store, &sender(&other, 9), authenticate()).await;
    let refused = store.commit(&id, loaded.version, step).await;
    assert!(matches!(refused, Err(CommitError::Conflict)), "{refused:?}");
    let loaded = store.load(&id, &certificate(9)).await.unwrap();
    assert_eq!(
        loaded.device.as_ref().unwrap().certificate,
        Some(certificate(1))
    );
    assert_eq!(
        renew(&loaded, &sender(&id, 9)),
        Err(Refusal::CertificateReused)
    );
    assert_eq!(loaded.certificate_owner, Some(other));
}

/// A `UserID` means nothing without its device.
pub async fn q09_the_same_user_on_two_devices_is_two_enrollments<S: Store>(make: impl Make<S>) {
    let store = make().await;
    for n in [1, 2] {
        enroll(&store, n).await;
        enroll_user(&store, n, "U1").await;
    }
    take(&store, &sender(&user(1, "U1"), 1), Message::CheckOut).await;
    let status = async |n| {
        store
            .enrollment(&user(n, "U1"))
            .await
            .unwrap()
            .unwrap()
            .status
    };
    assert_eq!(status(1).await, EnrollmentStatus::Disabled);
    assert_eq!(status(2).await, EnrollmentStatus::Enrolled);
}

/// The device's `CheckOut` disables its users, and no other device's.
pub async fn q14_a_device_that_checks_out_takes_its_users_along<S: Store>(make: impl Make<S>) {
    let store = make().await;
    for n in [1, 2] {
        enroll(&store, n).await;
        enroll_user(&store, n, "U1").await;
        enroll_user(&store, n, "U2").await;
    }
    take(&store, &sender(&device(1), 1), Message::CheckOut).await;
    for (id, status) in [
        (device(1), EnrollmentStatus::Disabled),
        (user(1, "U1"), EnrollmentStatus::Disabled),
        (user(1, "U2"), EnrollmentStatus::Disabled),
        (device(2), EnrollmentStatus::Enrolled),
        (user(2, "U1"), EnrollmentStatus::Enrolled),
    ] {
        let found = store.enrollment(&id).await.unwrap().unwrap();
        assert_eq!(found.status, status, "{id}");
        assert_eq!(
            found.push.is_some(),
            status == EnrollmentStatus::Enrolled,
            "{id}"
        );
        assert_eq!(
            found.disabled_at.is_some(),
            status == EnrollmentStatus::Disabled,
            "{id}"
        );
    }
}

/// A user's `CheckOut` is the user's alone.
pub async fn q14_a_user_that_checks_out_leaves_the_device_enrolled<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let [first, second] = [user(1, "U1"), user(1, "U2")];
    enroll_user(&store, 1, "U1").await;
    enroll_user(&store, 1, "U2").await;
    for id in [&id, &first, &second] {
        queue(&store, id, &["c-1"]).await;
    }
    take(&store, &sender(&first, 1), Message::CheckOut).await;
    let targets = store
        .push_targets(&[id.clone(), first.clone(), second.clone()])
        .await
        .unwrap();
    let pushable: Vec<_> = targets.iter().map(Option::is_some).collect();
    assert_eq!(pushable, [true, false, true]);
    for (id, next) in [(&id, Some("c-1")), (&first, None), (&second, Some("c-1"))] {
        let (_, offered) = poll(&store, id, 1, ReportKind::Idle).await;
        assert_eq!(offered.as_deref(), next, "{id}");
    }
}

/// `Authenticate` begins anew: tally, push address, users.
pub async fn q14_authenticate_starts_the_tally_again<S: Store>(make: impl Make<S>) {
    let store = subscribed(&make).await;
    let id = enroll(&store, 1).await;
    take(&store, &sender(&id, 1), Message::token_update(address(1))).await;
    let tally = async || {
        store
            .enrollment(&id)
            .await
            .unwrap()
            .unwrap()
            .token_update_tally
    };
    assert_eq!(tally().await, 2);
    take(&store, &sender(&id, 1), authenticate()).await;
    assert_eq!(tally().await, 0);
    take(&store, &sender(&id, 1), Message::token_update(address(1))).await;
    assert_eq!(tally().await, 1);
    let events = told(&store).await;
    let enrolled =
        |(_, event): &&(Sequence, Event)| matches!(event.kind, EventKind::Enrolled { .. });
    assert_eq!(events.iter().filter(enrolled).count(), 2);
}

/// One answer for each, in order, also for strangers and repetitions.
pub async fn push_targets_come_in_the_order_of_the_question<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let [one, two] = [enroll(&store, 1).await, enroll(&store, 2).await];
    take(&store, &sender(&device(3), 3), authenticate()).await;
    let asked = [two.clone(), device(9), one.clone(), device(3), two.clone()];
    let targets = store.push_targets(&asked).await.unwrap();
    let found: Vec<_> = targets
        .iter()
        .map(|target| target.as_ref().map(|target| target.enrollment.clone()))
        .collect();
    assert_eq!(found, [Some(two.clone()), None, Some(one), None, Some(two)]);
    let target = targets.into_iter().next().flatten().unwrap();
    assert_eq!(target.token, address(2).token);
    assert_eq!(target.magic, address(2).magic);
    assert_eq!(target.topic, address(2).topic);
    assert!(store.push_targets(&[]).await.unwrap().is_empty());
}

/// Whoever commits what was decided before a poll does not make the device look silent.
pub async fn nothing_moves_back_when_a_device_was_last_heard_of<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let loaded = store.load(&id, &certificate(1)).await.unwrap();
    poll_at(&store, 1, 3600, ReportKind::Idle).await;
    let step = retire(&loaded, &id, at(1));
    store.commit(&id, loaded.version, step).await.unwrap();
    let found = store.enrollment(&id).await.unwrap().unwrap();
    assert_eq!(found.last_seen_at, Some(at(3600)));
}

/// Q14: who never says goodbye is taken back; nothing of it is lost, and it may come again.
pub async fn q14_a_retired_device_leaves_its_queue_and_keeps_what_is_escrowed<S: Store>(
    make: impl Make<S>,
) {
    let store = subscribed(&make).await;
    let id = enroll(&store, 1).await;
    let user = enroll_user(&store, 1, "U1").await;
    let other = enroll(&store, 2).await;
    let token = Secret::new(b"bootstrap".to_vec());
    let deposit = Message::set_bootstrap_token(Some(token.clone()));
    take(&store, &sender(&id, 1), deposit).await;
    for id in [&id, &user, &other] {
        queue(&store, id, &["c-1"]).await;
    }
    let events = told(&store).await.len();
    let loaded = store.load(&id, &certificate(1)).await.unwrap();
    let step = retire(&loaded, &id, at(7));
    store.commit(&id, loaded.version, step).await.unwrap();

    let found = store.enrollment(&id).await.unwrap().unwrap();
    assert_eq!(found.status, EnrollmentStatus::Disabled);
    assert_eq!(found.disabled_at, Some(at(7)));
    assert_eq!(found.bootstrap_token.unwrap().token, token);
    let users = store.enrollment(&user).await.unwrap().unwrap();
    assert_eq!(users.status, EnrollmentStatus::Disabled);
    for (id, cancelled) in [(&id, true), (&user, true), (&other, false)] {
        let is_cancelled = state(&store, id, "c-1").await == CommandState::cancelled(at(7));
        assert_eq!(is_cancelled, cancelled, "{id}");
    }
    let told = told(&store).await;
    let told: Vec<_> = told[events..].iter().map(|(_, event)| event).collect();
    assert_eq!(told, [&Event::new(id.clone(), at(7), EventKind::Retired)]);

    let loaded = store.load(&id, &certificate(1)).await.unwrap();
    assert!(retire(&loaded, &id, at(8)).is_empty());
    assert_eq!(enroll(&store, 1).await, id);
}

/// A user who is taken back leaves the device and the other users alone.
pub async fn a_retired_user_leaves_the_device_enrolled<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let [first, second] = [
        enroll_user(&store, 1, "U1").await,
        enroll_user(&store, 1, "U2").await,
    ];
    let loaded = store.load(&first, &certificate(1)).await.unwrap();
    let step = retire(&loaded, &first, at(7));
    store.commit(&first, loaded.version, step).await.unwrap();
    let targets = store.push_targets(&[id, first, second]).await.unwrap();
    let pushable: Vec<_> = targets.iter().map(Option::is_some).collect();
    assert_eq!(pushable, [true, false, true]);
}
