//! The rules of enrolment, by themselves: no store, no HTTP.

use chrono::{DateTime, Utc};
use mdm_core::{PushMagic, PushToken, Secret, SerialNumber, Topic};
use mdm_protocol::EnrollmentId;
use mdm_service::{
    BootstrapToken, Enrollment, EnrollmentDecision, EnrollmentKind, EnrollmentReason,
    EnrollmentStatus, EventKind, Fingerprint, PushAddress,
    enrollment::decide::{
        Cascade, Loaded, Message, Refusal, Sender, Step, TokenUpdated, authorize, bootstrap_token,
        decide, renew, tells_known_serial_number,
    },
};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;
const OWN: Fingerprint = Fingerprint::new([1; 32]);
const OTHER: Fingerprint = Fingerprint::new([2; 32]);

fn device() -> EnrollmentId {
    EnrollmentId::device("D1").unwrap()
}

fn user() -> EnrollmentId {
    "user:D1:U1".parse().unwrap()
}

fn by(id: EnrollmentId, certificate: Fingerprint) -> Sender {
    Sender::new(id, certificate, NOW)
}

fn address() -> PushAddress {
    let topic = Topic::new("com.apple.mgmt.External.acme").unwrap();
    PushAddress::new(topic, PushToken::new(*b"token"), PushMagic::new("magic"))
}

fn known(status: EnrollmentStatus) -> Loaded {
    let device = Enrollment::new(device()).with(|device| {
        device.status = status;
        device.certificate = Some(OWN);
        device.token_update_tally = u64::from(status != EnrollmentStatus::Authenticated);
        device.unlock_token = Some(Secret::new(b"unlock".to_vec()));
        let token = Secret::new(b"bootstrap".to_vec());
        device.bootstrap_token = Some(BootstrapToken::new(token, OWN));
    });
    Loaded::new().with(|loaded| {
        loaded.certificate_owner = Some(device.id.clone());
        loaded.device = Some(device);
    })
}

fn authenticate() -> Message {
    Message::authenticate(None, b"raw".to_vec())
}

fn decision(step: &Step) -> &EnrollmentDecision {
    match step.events.as_slice() {
        [event] => match &event.kind {
            EventKind::Authenticated { decision, .. }
            | EventKind::IdentityRenewed { decision, .. } => decision,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn authenticate_tells_a_new_device_from_one_that_comes_back_and_says_why() {
    use EnrollmentKind::{NewDevice, ReEnrollment};
    use EnrollmentReason::{
        Authenticate, FormerCertificate, NewCertificate, NothingPinned, PinnedCertificate,
        UnknownDevice, WasDisabled, WasEnrolled, WasNotFinished,
    };
    use EnrollmentStatus::{Authenticated, Disabled, Enrolled};

    let free = |status| known(status).with(|loaded| loaded.certificate_owner = None);
    let imported = free(Enrolled).with(|l| l.device.as_mut().unwrap().certificate = None);
    let cases: [(_, _, _, &[_]); 7] = [
        (Loaded::new(), OWN, NewDevice, &[UnknownDevice]),
        (
            known(Enrolled),
            OWN,
            ReEnrollment,
            &[WasEnrolled, PinnedCertificate],
        ),
        (
            known(Disabled),
            OWN,
            ReEnrollment,
            &[WasDisabled, PinnedCertificate],
        ),
        (
            free(Enrolled),
            OTHER,
            ReEnrollment,
            &[WasEnrolled, NewCertificate],
        ),
        (
            free(Authenticated),
            OTHER,
            ReEnrollment,
            &[WasNotFinished, NewCertificate],
        ),
        // This device had it before.
        (
            known(Enrolled),
            OTHER,
            ReEnrollment,
            &[WasEnrolled, FormerCertificate],
        ),
        (imported, OTHER, ReEnrollment, &[WasEnrolled, NothingPinned]),
    ];
    for (loaded, certificate, kind, reasons) in cases {
        let step = decide(&loaded, &by(device(), certificate), authenticate()).unwrap();
        let found = decision(&step).clone();
        assert_eq!(found.kind, kind);
        assert_eq!(found.reasons, [&[Authenticate], reasons].concat());
        assert_eq!(step.cascade, Cascade::Device);
        let state = step.device.unwrap();
        assert_eq!(state.status, Authenticated);
        assert_eq!(state.certificate, Some(certificate));
        assert_eq!(state.token_update_tally, 0);
        assert_eq!(state.push, None);

        // The first `TokenUpdate` says whether it was erased.
        for (awaiting, last) in [
            (Some(true), EnrollmentReason::AwaitingConfiguration),
            (None, EnrollmentReason::NotAwaitingConfiguration),
        ] {
            let update = TokenUpdated::new(address()).with(|u| u.awaiting_configuration = awaiting);
            let after = Loaded::new().with(|loaded| loaded.device = Some(state.clone()));
            let step = decide(&after, &by(device(), certificate), update.into()).unwrap();
            let kept = step.device.unwrap().decision.unwrap();
            assert_eq!(kept.kind, kind);
            assert_eq!(kept.reasons, [&found.reasons[..], &[last]].concat());
        }
    }
}

/// The answer to `Authenticate` was lost: what the vendor queued on hearing of it must not be lost.
#[test]
fn a_repeated_authenticate_changes_nothing() {
    let loaded = known(EnrollmentStatus::Authenticated);
    let step = decide(&loaded, &by(device(), OWN), authenticate()).unwrap();
    assert!(step.is_empty());
}

#[test]
fn q04_a_certificate_of_another_device_cannot_authenticate() {
    for mut loaded in [Loaded::new(), known(EnrollmentStatus::Enrolled)] {
        loaded.certificate_owner = Some(EnrollmentId::device("D2").unwrap());
        let refused = decide(&loaded, &by(device(), OTHER), authenticate());
        assert_eq!(refused, Err(Refusal::CertificateReused));
    }
}

#[test]
fn the_authenticate_of_a_user_enrols_nobody_and_changes_nothing() {
    let refused = decide(&Loaded::new(), &by(user(), OWN), authenticate());
    assert_eq!(refused, Err(Refusal::NotPinned));
    for status in [EnrollmentStatus::Authenticated, EnrollmentStatus::Enrolled] {
        let step = decide(&known(status), &by(user(), OWN), authenticate()).unwrap();
        assert!(step.is_empty());
    }
    let gone = known(EnrollmentStatus::Disabled);
    let refused = decide(&gone, &by(user(), OWN), authenticate());
    assert_eq!(refused, Err(Refusal::CheckedOut));
}

#[test]
fn every_other_message_needs_the_pinned_certificate() {
    let strangers = [
        (Loaded::new(), OWN),
        (known(EnrollmentStatus::Enrolled), OTHER),
    ];
    for (loaded, certificate) in strangers {
        for id in [device(), user()] {
            let sender = by(id, certificate);
            assert_eq!(authorize(&loaded, &sender), Err(Refusal::NotPinned));
            for message in [
                Message::token_update(address()),
                Message::CheckOut,
                Message::set_bootstrap_token(None),
            ] {
                assert_eq!(decide(&loaded, &sender, message), Err(Refusal::NotPinned));
            }
        }
    }
}

/// A device that kept its data may still need what it deposited; one that was erased cannot use it.
#[test]
fn escrowed_tokens_outlive_authenticate_and_end_with_an_erased_device() {
    let loaded = known(EnrollmentStatus::Enrolled);
    let step = decide(&loaded, &by(device(), OWN), authenticate()).unwrap();
    let authenticated = Loaded::new().with(|loaded| loaded.device = step.device);
    let state = authenticated.device.as_ref().unwrap();
    assert!(state.unlock_token.is_some() && state.bootstrap_token.is_some());

    for (awaiting, kept) in [(None, true), (Some(false), true), (Some(true), false)] {
        let update = TokenUpdated::new(address()).with(|u| u.awaiting_configuration = awaiting);
        let step = decide(&authenticated, &by(device(), OWN), update.into()).unwrap();
        let state = step.device.unwrap();
        assert_eq!(state.unlock_token.is_some(), kept, "{awaiting:?}");
        assert_eq!(state.bootstrap_token.is_some(), kept, "{awaiting:?}");
    }
    // A token that was deposited since `Authenticate` is the new system's, also if it is the same.
    for token in [&b"bootstrap"[..], b"new"] {
        let set = Message::set_bootstrap_token(Some(Secret::new(token.to_vec())));
        let step = decide(&authenticated, &by(device(), OWN), set).unwrap();
        let mut deposited = authenticated.clone();
        deposited.device = step.device;
        let update = TokenUpdated::new(address()).with(|u| u.awaiting_configuration = Some(true));
        let step = decide(&deposited, &by(device(), OWN), update.into()).unwrap();
        let kept = step.device.unwrap().bootstrap_token.unwrap();
        assert_eq!(kept.token.expose(), token);
    }
    // Only the first update after `Authenticate` says that it was erased.
    let update = TokenUpdated::new(address()).with(|u| u.awaiting_configuration = Some(true));
    let step = decide(&loaded, &by(device(), OWN), update.into()).unwrap();
    assert!(step.device.unwrap().unlock_token.is_some());
}

#[test]
fn a_bootstrap_token_is_answered_to_the_certificate_that_deposited_it() {
    let answered = |loaded: &Loaded, certificate| {
        bootstrap_token(loaded, &by(device(), certificate))
            .map(|token| token.map(|token| token.expose().clone()))
    };
    let mut loaded = known(EnrollmentStatus::Enrolled);
    assert_eq!(answered(&loaded, OWN), Ok(Some(b"bootstrap".to_vec())));
    assert_eq!(answered(&loaded, OTHER), Err(Refusal::NotPinned));

    // Enrolled anew by the same certificate, then by another, then by the first again.
    for (certificate, expected) in [
        (OWN, Some(b"bootstrap".to_vec())),
        (OTHER, None),
        (OWN, Some(b"bootstrap".to_vec())),
    ] {
        loaded.certificate_owner = Some(device());
        let step = decide(&loaded, &by(device(), certificate), authenticate()).unwrap();
        loaded.device = step.device.or(loaded.device);
        assert_eq!(answered(&loaded, certificate), Ok(expected));
        assert!(loaded.device.as_ref().unwrap().bootstrap_token.is_some());
    }
}

#[test]
fn a_known_serial_number_is_told_again_or_it_is_another_device() {
    let number = |text: &str| SerialNumber::new(text).unwrap();
    for (known, told, expected) in [
        (None, None, true),
        (None, Some("C02A"), true),
        (Some("C02A"), Some("C02A"), true),
        (Some("C02A"), Some("C02B"), false),
        (Some("C02A"), None, false),
    ] {
        let known = Enrollment::new(device()).with(|d| d.serial_number = known.map(number));
        let told = told.map(number);
        assert_eq!(
            tells_known_serial_number(&known, told.as_ref()),
            expected,
            "{known:?} {told:?}"
        );
    }
    // Whoever lets it in without one does not forget the number.
    let mut loaded = known(EnrollmentStatus::Enrolled);
    loaded.device.as_mut().unwrap().serial_number = Some(number("C02A"));
    let step = decide(&loaded, &by(device(), OWN), authenticate()).unwrap();
    assert_eq!(step.device.unwrap().serial_number, Some(number("C02A")));
}

#[test]
fn a_renewal_changes_the_pin_and_nothing_else() {
    let mut loaded = known(EnrollmentStatus::Enrolled);
    loaded.certificate_owner = None;
    for id in [device(), user()] {
        let step = renew(&loaded, &by(id, OTHER)).unwrap();
        let told = decision(&step).clone();
        assert_eq!((&step.user, step.cascade), (&None, Cascade::None));
        assert_eq!(told.kind, EnrollmentKind::IdentityRenewal);
        assert!(told.because(EnrollmentReason::NoAuthenticate));
        assert!(told.because(EnrollmentReason::NewCertificate));
        assert_eq!(step.events[0].enrollment, device());
        let expected = loaded.device.clone().unwrap().with(|device| {
            device.certificate = Some(OTHER);
            device.decision = Some(told);
            device.last_seen_at = Some(NOW);
            device.bootstrap_token.as_mut().unwrap().certificate = OTHER;
        });
        assert_eq!(step.device, Some(expected));
    }
    // A token that somebody else left behind is not handed on.
    let foreign = Fingerprint::new([3; 32]);
    let deposited = &mut loaded.device.as_mut().unwrap().bootstrap_token;
    deposited.as_mut().unwrap().certificate = foreign;
    let state = renew(&loaded, &by(device(), OTHER))
        .unwrap()
        .device
        .unwrap();
    assert_eq!(state.bootstrap_token.unwrap().certificate, foreign);
}

/// fleet#41167, #43098: a device that installs its enrolment profile again sends `Authenticate` with its new
/// certificate, kept its data, and deposits no bootstrap token a second time.
#[test]
fn an_authenticate_that_is_vouched_for_is_a_renewal_until_setup_assistant_says_otherwise() {
    use EnrollmentReason::{
        Authenticate, AwaitingConfiguration, NewCertificate, NotAwaitingConfiguration, VouchedFor,
        WasEnrolled,
    };
    let mut loaded = known(EnrollmentStatus::Enrolled);
    loaded.certificate_owner = None;
    let vouched = authenticate().vouched_for();
    let step = decide(&loaded, &by(device(), OTHER), vouched.clone()).unwrap();
    let told = decision(&step).clone();
    assert_eq!(told.kind, EnrollmentKind::IdentityRenewal);
    let reasons = [Authenticate, WasEnrolled, NewCertificate, VouchedFor];
    assert_eq!(told.reasons, reasons);
    assert_eq!(step.cascade, Cascade::Erasures);
    let state = step.device.unwrap();
    assert_eq!(state.status, EnrollmentStatus::Authenticated);
    assert_eq!((&state.push, state.token_update_tally), (&None, 0));
    loaded.device = Some(state);
    loaded.certificate_owner = Some(device());
    let token = bootstrap_token(&loaded, &by(device(), OTHER)).unwrap();
    assert_eq!(
        token.map(|token| token.expose().as_slice()),
        Some(&b"bootstrap"[..])
    );

    // Its answer was lost, once as it is and once after the certificate was issued again.
    let again = decide(&loaded, &by(device(), OTHER), vouched.clone()).unwrap();
    assert!(again.is_empty());
    let third = Fingerprint::new([3; 32]);
    let issued_again = loaded
        .clone()
        .with(|loaded| loaded.certificate_owner = None);
    let step = decide(&issued_again, &by(device(), third), vouched).unwrap();
    assert_eq!(decision(&step).kind, EnrollmentKind::IdentityRenewal);
    assert_eq!(step.cascade, Cascade::Erasures);
    let deposited = step.device.unwrap().bootstrap_token.unwrap();
    assert_eq!(deposited.certificate, third);

    for (awaiting, kind, last, cascade) in [
        (
            None,
            EnrollmentKind::IdentityRenewal,
            NotAwaitingConfiguration,
            Cascade::None,
        ),
        (
            Some(false),
            EnrollmentKind::IdentityRenewal,
            NotAwaitingConfiguration,
            Cascade::None,
        ),
        (
            Some(true),
            EnrollmentKind::ReEnrollment,
            AwaitingConfiguration,
            Cascade::Device,
        ),
    ] {
        let update = TokenUpdated::new(address()).with(|u| u.awaiting_configuration = awaiting);
        let step = decide(&loaded, &by(device(), OTHER), update.clone().into()).unwrap();
        assert_eq!(step.cascade, cascade, "{awaiting:?}");
        let state = step.device.unwrap();
        let kept = state.decision.as_ref().unwrap();
        assert_eq!(kept.kind, kind, "{awaiting:?}");
        assert_eq!(kept.reasons, [&reasons[..], &[last]].concat());
        let is_kept = cascade == Cascade::None;
        assert_eq!(state.bootstrap_token.is_some(), is_kept, "{awaiting:?}");
        assert_eq!(state.unlock_token.is_some(), is_kept, "{awaiting:?}");
        let told = matches!(&step.events[0].kind,
            EventKind::Enrolled { decision: Some(told), .. } if told == kept);
        assert!(told, "{:?}", step.events);
        // Once is enough.
        let enrolled = loaded.clone().with(|loaded| loaded.device = Some(state));
        let step = decide(&enrolled, &by(device(), OTHER), update.into()).unwrap();
        assert_eq!(step.cascade, Cascade::None);
    }
    // A user says nothing about the device's data.
    let update = TokenUpdated::new(address()).with(|u| u.awaiting_configuration = Some(true));
    let step = decide(&loaded, &by(user(), OTHER), update.into()).unwrap();
    assert_eq!((step.device, step.cascade), (None, Cascade::None));
}

#[test]
fn whoever_vouches_only_an_enrolled_device_with_a_certificate_never_seen_renews() {
    let owned = |status, owner: Option<EnrollmentId>| {
        known(status).with(|loaded| loaded.certificate_owner = owner)
    };
    for (loaded, certificate) in [
        (Loaded::new(), OTHER),
        (owned(EnrollmentStatus::Disabled, None), OTHER),
        (owned(EnrollmentStatus::Authenticated, None), OTHER),
        // The pinned one, and one that was pinned before.
        (owned(EnrollmentStatus::Enrolled, Some(device())), OWN),
        (owned(EnrollmentStatus::Enrolled, Some(device())), OTHER),
    ] {
        let sender = by(device(), certificate);
        let step = decide(&loaded, &sender, authenticate().vouched_for()).unwrap();
        assert_eq!(step, decide(&loaded, &sender, authenticate()).unwrap());
        assert_eq!(step.cascade, Cascade::Device);
    }
    // A token that somebody else left behind is not handed on.
    let mut loaded = owned(EnrollmentStatus::Enrolled, None);
    let foreign = Fingerprint::new([3; 32]);
    let deposited = &mut loaded.device.as_mut().unwrap().bootstrap_token;
    deposited.as_mut().unwrap().certificate = foreign;
    let vouched = authenticate().vouched_for();
    let step = decide(&loaded, &by(device(), OTHER), vouched).unwrap();
    let deposited = step.device.unwrap().bootstrap_token.unwrap();
    assert_eq!(deposited.certificate, foreign);
}

#[test]
fn what_is_no_renewal_whoever_vouches_for_it() {
    let owned = |status, owner: Option<&str>| {
        known(status).with(|loaded| {
            loaded.certificate_owner = owner.map(|udid| EnrollmentId::device(udid).unwrap());
        })
    };
    for (loaded, expected) in [
        (Loaded::new(), Refusal::NotPinned),
        (owned(EnrollmentStatus::Disabled, None), Refusal::NotPinned),
        // A certificate that this device had before: its key may be why it was replaced.
        (
            owned(EnrollmentStatus::Enrolled, Some("D1")),
            Refusal::NotPinned,
        ),
        (
            owned(EnrollmentStatus::Enrolled, Some("D2")),
            Refusal::CertificateReused,
        ),
    ] {
        for id in [device(), user()] {
            assert_eq!(renew(&loaded, &by(id, OTHER)), Err(expected));
        }
    }
}

#[test]
fn the_first_token_update_enrols_and_later_ones_count() {
    let mut loaded = known(EnrollmentStatus::Authenticated);
    for tally in 1..=3 {
        let step = decide(
            &loaded,
            &by(device(), OWN),
            Message::token_update(address()),
        )
        .unwrap();
        let [event] = step.events.as_slice() else {
            panic!("{step:?}");
        };
        match (&event.kind, tally) {
            (EventKind::Enrolled { .. }, 1) => {}
            (EventKind::TokenUpdated { tally: told, .. }, 2..) => assert_eq!(*told, tally),
            other => panic!("{other:?}"),
        }
        loaded.device = step.device;
        assert_eq!(loaded.device.as_ref().unwrap().token_update_tally, tally);
    }
}

#[test]
fn a_disabled_enrolment_comes_back_with_a_token_update() {
    let back = Message::token_update(address());
    let step = decide(&known(EnrollmentStatus::Disabled), &by(device(), OWN), back).unwrap();
    assert!(matches!(step.events[0].kind, EventKind::Enrolled { .. }));
    let state = step.device.unwrap();
    assert_eq!(state.status, EnrollmentStatus::Enrolled);
    // Only `Authenticate` starts a device's tally again.
    assert_eq!(state.token_update_tally, 2);

    let mut loaded = known(EnrollmentStatus::Enrolled);
    loaded.user = Some(Enrollment::new(user()).with(|user| {
        user.status = EnrollmentStatus::Disabled;
        user.token_update_tally = 5;
        user.disabled_at = Some(NOW);
    }));
    let step = decide(&loaded, &by(user(), OWN), Message::token_update(address())).unwrap();
    assert_eq!(step.device, None);
    let state = step.user.unwrap();
    assert_eq!(
        (state.status, state.token_update_tally),
        (EnrollmentStatus::Enrolled, 1)
    );
    assert_eq!(state.disabled_at, None);
    assert_eq!(state.certificate, None);
}

#[test]
fn check_out_happens_once() {
    for (loaded, id) in [
        (known(EnrollmentStatus::Disabled), device()),
        // A user that nobody knows.
        (known(EnrollmentStatus::Enrolled), user()),
    ] {
        let step = decide(&loaded, &by(id, OWN), Message::CheckOut).unwrap();
        assert!(step.is_empty());
    }
    let step = decide(
        &known(EnrollmentStatus::Enrolled),
        &by(device(), OWN),
        Message::CheckOut,
    );
    let step = step.unwrap();
    assert_eq!(step.cascade, Cascade::Device);
    assert_eq!(step.events.len(), 1);
    let state = step.device.unwrap();
    // The certificate stays pinned, so that nobody else comes by it.
    assert_eq!(
        (state.status, state.certificate),
        (EnrollmentStatus::Disabled, Some(OWN))
    );
    assert_eq!(state.push, None);
}

#[test]
fn a_bootstrap_token_is_told_when_it_changes() {
    let loaded = known(EnrollmentStatus::Enrolled);
    let set = |token: Option<&[u8]>| {
        let token = token.map(|token| Secret::new(token.to_vec()));
        decide(
            &loaded,
            &by(device(), OWN),
            Message::set_bootstrap_token(token),
        )
        .unwrap()
    };
    assert!(set(Some(b"bootstrap")).is_empty());
    for (token, stored) in [
        (Some(&b"new"[..]), true),
        (Some(&b""[..]), false),
        (None, false),
    ] {
        let step = set(token);
        assert!(
            matches!(step.events[0].kind, EventKind::BootstrapToken { stored: told, .. } if told == stored)
        );
        assert_eq!(step.device.unwrap().bootstrap_token.is_some(), stored);
    }
}
