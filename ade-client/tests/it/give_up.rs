use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use ade_client::{
    Error, Refusal,
    model::ResponseStatus,
    record::{AccountId, Attempt, AttemptOutcome, GiveUpStep, Presence, Release},
    service::{ActionError, GiveUpActions, NotReleased},
};
use async_trait::async_trait;
use futures_util::FutureExt;
use mdm_core::{Clock, SerialNumber};
use mdm_fake_apple::ade::{self, Fault, Trigger};

use super::{
    assign::profile,
    office::{Office, Points},
    serials,
};

/// A vendor whose program stops at a point, and who writes down what was done.
#[derive(Clone)]
struct Vendor {
    done: Arc<Mutex<Vec<GiveUpStep>>>,
    points: Points,
    fails: Arc<AtomicBool>,
}

impl Vendor {
    fn new() -> Self {
        Self {
            done: Arc::default(),
            points: Points::never(),
            fails: Arc::default(),
        }
    }

    fn at(&self, points: &Points) -> Self {
        Self {
            points: points.clone(),
            ..self.clone()
        }
    }

    fn done(&self) -> Vec<GiveUpStep> {
        self.done.lock().unwrap().clone()
    }

    async fn act(&self, step: GiveUpStep) -> Result<(), ActionError> {
        self.points.pass().await;
        if self.fails.load(Ordering::SeqCst) {
            return Err("the device does not answer".into());
        }
        self.done.lock().unwrap().push(step);
        self.points.pass().await;
        Ok(())
    }
}

#[async_trait]
impl GiveUpActions for Vendor {
    async fn unenrol(&self, _: &AccountId, _: &SerialNumber) -> Result<(), ActionError> {
        self.act(GiveUpStep::Unenrol).await
    }

    async fn wipe(&self, _: &AccountId, _: &SerialNumber) -> Result<(), ActionError> {
        self.act(GiveUpStep::Wipe).await
    }
}

/// An account with an assigned device, at an Apple where the server may disown.
async fn office() -> (Office, SerialNumber, String) {
    let office = Office::linked_with(1, |config| config.disown_allowed = true).await;
    let serial = serials(1).remove(0);
    let service = office.service();
    let defined = service.define_profile(&office.id, profile(), None).await;
    let uuid = defined.unwrap().uuid;
    let one = std::slice::from_ref(&serial);
    service
        .want_profile(&office.id, one, Some(&uuid))
        .await
        .unwrap();
    let client = service.client(&office.id).await.unwrap();
    assert!(client.assign(&uuid, one).await.is_success());
    (office, serial, uuid)
}

/// What has become of the device at Apple.
fn is_released(office: &Office, serial: &SerialNumber, release: Release) -> bool {
    let device = office.apple.device(serial.as_str());
    match release {
        Release::Unassign => device.unwrap()["profile_status"] != "assigned",
        _ => device.is_none(),
    }
}

#[tokio::test]
async fn a_device_is_unenrolled_released_and_wiped() {
    for release in [Release::Unassign, Release::Disown] {
        let (office, serial, _) = office().await;
        let vendor = Vendor::new();
        let service = office.service();
        let done = service
            .give_up(&office.id, &serial, release, &vendor)
            .await
            .unwrap();
        assert_eq!(done.next, GiveUpStep::Done);
        assert_eq!(vendor.done(), [GiveUpStep::Unenrol, GiveUpStep::Wipe]);
        assert!(is_released(&office, &serial, release));
        let device = office.device(&serial).await;
        assert_eq!(device.is_present(), release == Release::Unassign);
        assert_eq!(device.give_up.as_ref(), Some(&done));
        assert_eq!((device.wanted_profile, device.due), (None, None));

        // Asked again, nothing is left to do.
        let again = service.give_up(&office.id, &serial, release, &vendor).await;
        assert_eq!(again.unwrap(), done);
        assert_eq!(vendor.done().len(), 2);
    }
}

/// Gives a device up in a program that stops at these points, one after the other, and then in one
/// that does not. Tells which of them did stop.
async fn with_stops(release: Release, stops: [usize; 2]) -> [bool; 2] {
    let (office, serial, _) = office().await;
    let vendor = Vendor::new();
    let run = |stop| {
        let points = Points::after(stop);
        let service = office.service_at(points.clone());
        let vendor = vendor.at(&points);
        let (id, serial) = (&office.id, &serial);
        async move { service.give_up(id, serial, release, &vendor).await }
    };
    let stopped = stops.map(|stop| run(stop).now_or_never().is_none());
    let done = run(usize::MAX).await.unwrap();
    assert_eq!(done.next, GiveUpStep::Done, "{stops:?}");
    assert!(is_released(&office, &serial, release), "{stops:?}");
    let mut order = vendor.done();
    assert!(order.is_sorted(), "{stops:?} {order:?}");
    order.dedup();
    assert_eq!(order, [GiveUpStep::Unenrol, GiveUpStep::Wipe], "{stops:?}");
    assert_eq!(office.device(&serial).await.wanted_profile, None);
    stopped
}

#[tokio::test]
async fn it_goes_on_wherever_the_program_stopped_even_twice() {
    // Steps of the store: begin, unenrolled, asked, released, wiped. Exchanges: session, release.
    // Actions: two. A stop before and after each.
    const POINTS: usize = 2 * (5 + 2 + 2);
    for release in [Release::Unassign, Release::Disown] {
        for first in 0..=POINTS {
            for second in 0.. {
                let stopped = with_stops(release, [first, second]).await;
                assert_eq!(stopped[0], first < POINTS, "{release:?} {first}");
                if !stopped[1] {
                    break;
                }
            }
        }
    }
}

#[tokio::test]
async fn it_goes_on_wherever_the_store_failed() {
    for release in [Release::Unassign, Release::Disown] {
        for steps in 0..=5 {
            let (office, serial, _) = office().await;
            let vendor = Vendor::new();
            let service = office.service_at(Points::full_after(steps));
            let failed = service.give_up(&office.id, &serial, release, &vendor).await;
            match failed {
                Err(Error::Store(_)) if steps < 5 => {}
                Ok(_) if steps == 5 => {}
                other => panic!("{steps} {other:?}"),
            }
            let service = office.service();
            let done = service.give_up(&office.id, &serial, release, &vendor).await;
            assert_eq!(done.unwrap().next, GiveUpStep::Done);
            assert!(is_released(&office, &serial, release), "{steps}");
            assert!(vendor.done().is_sorted(), "{steps} {:?}", vendor.done());
        }
    }
}

#[tokio::test]
async fn an_action_that_fails_is_done_when_giving_up_goes_on() {
    let (office, serial, _) = office().await;
    let (vendor, service) = (Vendor::new(), office.service());
    vendor.fails.store(true, Ordering::SeqCst);
    let give_up = || service.give_up(&office.id, &serial, Release::Unassign, &vendor);
    let error = give_up().await.unwrap_err();
    assert!(
        matches!(&error, Error::GiveUp { step: GiveUpStep::Unenrol, source }
            if source.to_string() == "the device does not answer"),
        "{error:?}"
    );
    assert_eq!(office.apple.count("/profile/devices"), 1);
    vendor.fails.store(false, Ordering::SeqCst);
    give_up().await.unwrap();
    assert_eq!(vendor.done().len(), 2);
}

#[tokio::test]
async fn another_order_and_another_release_are_refused() {
    let (office, serial, _) = office().await;
    let (service, id) = (office.service(), &office.id);
    let refused = |result: Result<_, Error>| match result {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    let wrong = |next, given| Refusal::WrongStep { next, given };
    use GiveUpStep::{Done, Unenrol, Wipe};
    let done = service.give_up_done(id, &serial, Unenrol).await;
    assert_eq!(refused(done), Refusal::NotGivingUp(serial.clone()));
    service
        .begin_give_up(id, &serial, Release::Unassign)
        .await
        .unwrap();
    for given in [GiveUpStep::Release, Wipe, Done] {
        let done = service.give_up_done(id, &serial, given).await;
        assert_eq!(refused(done), wrong(Unenrol, given));
    }
    let done = service.give_up_release(id, &serial).await;
    assert_eq!(refused(done), wrong(Unenrol, GiveUpStep::Release));
    let other = service.begin_give_up(id, &serial, Release::Disown).await;
    assert_eq!(refused(other), Refusal::GivingUp(serial.clone()));

    service.give_up_done(id, &serial, Unenrol).await.unwrap();
    let twice = service.give_up_done(id, &serial, Unenrol).await;
    assert_eq!(refused(twice), wrong(GiveUpStep::Release, Unenrol));
    let same = service.begin_give_up(id, &serial, Release::Unassign).await;
    assert_eq!(same.unwrap().next, GiveUpStep::Release);
    service.give_up_release(id, &serial).await.unwrap();
    let done = service.give_up_done(id, &serial, Wipe).await.unwrap();
    assert_eq!(done.next, Done);
    let after = service.give_up_done(id, &serial, Done).await;
    assert_eq!(refused(after), wrong(Done, Done));
}

#[tokio::test]
async fn a_device_in_use_again_wants_a_profile_and_can_be_given_up_anew() {
    let (office, serial, uuid) = office().await;
    let (service, id, vendor) = (office.service(), &office.id, Vendor::new());
    let one = std::slice::from_ref(&serial);
    service
        .begin_give_up(id, &serial, Release::Unassign)
        .await
        .unwrap();
    let want = service.want_profile(id, one, Some(&uuid)).await;
    assert!(matches!(want, Err(Error::Refused(Refusal::GivingUp(_)))));
    assert_eq!(office.device(&serial).await.due, None);
    service
        .give_up(id, &serial, Release::Unassign, &vendor)
        .await
        .unwrap();
    service.want_profile(id, one, Some(&uuid)).await.unwrap();
    let device = office.device(&serial).await;
    assert_eq!(device.give_up, None);
    assert!(device.due.is_some());
    service
        .give_up(id, &serial, Release::Disown, &vendor)
        .await
        .unwrap();
    assert_eq!(vendor.done().len(), 4);
    let want = service.want_profile(id, one, Some(&uuid)).await;
    assert!(matches!(want, Err(Error::Refused(Refusal::Released(_)))));
}

#[tokio::test]
async fn a_disowned_device_whose_answer_was_lost_counts_as_released() {
    let (office, serial, _) = office().await;
    let (service, vendor) = (office.service(), Vendor::new());
    let trigger = Trigger::path("/devices/disown", 1);
    office.apple.arm(trigger, Fault::HangUp { times: 1 });
    let give_up = || service.give_up(&office.id, &serial, Release::Disown, &vendor);
    let error = give_up().await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)), "{error:?}");
    let device = office.device(&serial).await;
    assert!(matches!(
        device.release.unwrap().outcome,
        AttemptOutcome::Failed(_)
    ));
    assert!(is_released(&office, &serial, Release::Disown));
    assert_eq!(give_up().await.unwrap().next, GiveUpStep::Done);
    assert_eq!(office.apple.count("/devices/disown"), 2);
    assert_eq!(office.apple.count("/devices"), 1);
    let device = office.device(&serial).await;
    assert!(matches!(device.presence, Presence::Released { .. }));
    assert_eq!(
        device.release.unwrap().outcome,
        AttemptOutcome::Answered(ResponseStatus::NotAccessible)
    );
}

#[tokio::test]
async fn a_device_that_apple_does_not_release_is_not_wiped() {
    for (release, outcome, status) in [
        (Release::Unassign, ade::Outcome::Failed, "FAILED"),
        (Release::Disown, ade::Outcome::Failed, "FAILED"),
        (
            Release::Disown,
            ade::Outcome::NotAccessible,
            "NOT_ACCESSIBLE",
        ),
        (Release::Unassign, ade::Outcome::LeftOut, "no verdict on it"),
    ] {
        let (office, serial, _) = office().await;
        let (service, vendor) = (office.service(), Vendor::new());
        let strike = Fault::NextDevices { count: 1, outcome };
        office.apple.fault(strike);
        let give_up = || service.give_up(&office.id, &serial, release, &vendor);
        let error = give_up().await.unwrap_err();
        let Error::GiveUp { step, source } = error else {
            panic!("{error:?}");
        };
        assert_eq!(step, GiveUpStep::Release);
        assert!(source.downcast_ref::<NotReleased>().is_some());
        assert!(source.to_string().contains(status), "{source}");
        assert_eq!(vendor.done(), [GiveUpStep::Unenrol]);
        assert!(office.device(&serial).await.is_present());
        give_up().await.unwrap();
        assert!(is_released(&office, &serial, release));
    }
}

#[tokio::test]
async fn a_server_that_may_not_disown_is_told_so() {
    let (office, serial, _) = office().await;
    office
        .apple
        .configure(|config| config.disown_allowed = false);
    let (service, vendor) = (office.service(), Vendor::new());
    let error = service
        .give_up(&office.id, &serial, Release::Disown, &vendor)
        .await
        .unwrap_err();
    assert_eq!(error.code().unwrap().as_str(), "ACCESS_DENIED");
    assert_eq!(vendor.done(), [GiveUpStep::Unenrol]);
}

#[tokio::test]
async fn a_device_is_not_unassigned_while_it_may_just_be_given_a_profile() {
    let (office, serial, uuid) = office().await;
    let (service, vendor) = (office.service(), Vendor::new());
    let until = office.clock.now() + std::time::Duration::from_secs(900);
    office
        .edit_device(&serial, |device| {
            let mut attempt = Attempt::new(uuid, office.clock.now());
            attempt.until = Some(until);
            device.attempt = Some(attempt);
        })
        .await;
    let give_up = || service.give_up(&office.id, &serial, Release::Unassign, &vendor);
    let error = give_up().await.unwrap_err();
    assert!(
        matches!(error, Error::Refused(Refusal::TooSoon { until: told }) if told == until),
        "{error:?}"
    );
    office.clock.advance(std::time::Duration::from_secs(900));
    give_up().await.unwrap();
    assert_eq!(vendor.done().len(), 2);
}

#[tokio::test]
async fn only_devices_of_the_account_are_given_up() {
    let (office, serial, _) = office().await;
    let (service, id) = (office.service(), &office.id);
    let unknown: SerialNumber = "UNKNOWN".parse().unwrap();
    let begun = service.begin_give_up(id, &unknown, Release::Disown).await;
    assert!(matches!(begun, Err(Error::Refused(Refusal::NoDevice(_)))));
    let at = office.clock.now();
    office
        .edit_device(&serial, |d| d.presence = Presence::Released { at })
        .await;
    let begun = service.begin_give_up(id, &serial, Release::Disown).await;
    assert!(matches!(begun, Err(Error::Refused(Refusal::Released(_)))));
}
