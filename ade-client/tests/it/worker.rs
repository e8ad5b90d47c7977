//! The worker against the fake service: what it stores, what it sends, and when it comes next.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use ade_client::{
    AdeService, AdeStore, Error, Observer, Policy, Progress, Refusal,
    model::{Profile, ResponseStatus},
    record::{
        AccountId, AttemptOutcome, DeviceRecord, DeviceState, Lease, Presence, Replacement,
        TroubleKind,
    },
    service::{Warning, WorkReport},
    store::DeviceFilter,
    sync::{RoundEnd, RoundKind},
};
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use mdm_core::Clock;
use mdm_fake_apple::ade::{Fault, Outcome, Trigger};
use serde_json::json;

use super::office::{Office, Points};

const HOUR: Duration = Duration::from_secs(3600);

/// A linked account with a default profile, and devices at Apple that nobody has synced.
struct Work {
    office: Office,
    service: AdeService,
    profile: String,
}

impl std::ops::Deref for Work {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}

impl Work {
    async fn new(devices: usize) -> Self {
        let office = Office::new().await;
        office.link().await;
        office.apple.add_devices(devices, 1);
        let service = office.service();
        let profile = define(&office, &service, "Office").await;
        service
            .set_default_profile(&office.id, Some(&profile))
            .await
            .unwrap();
        Self {
            office,
            service,
            profile,
        }
    }

    async fn synced(devices: usize) -> Self {
        let work = Self::new(devices).await;
        let report = work.work().await;
        assert!(report.error.is_none(), "{:?}", report.error);
        assert_eq!(report.assigned.assigned, devices as u64);
        work
    }

    async fn work(&self) -> WorkReport {
        self.service.work(&self.id).await.unwrap()
    }

    /// Works after so many hours.
    async fn after(&self, hours: u32) -> WorkReport {
        self.clock.advance(HOUR * hours);
        self.work().await
    }

    fn serial(&self) -> mdm_core::SerialNumber {
        let mut first = None;
        self.apple.for_each_device(|device| {
            first.get_or_insert_with(|| device.serial_number.to_owned());
        });
        first.unwrap().parse().unwrap()
    }

    async fn count(&self, filter: DeviceFilter) -> u64 {
        self.store.count(&self.id, &filter).await.unwrap()
    }

    fn requests(&self, path: &str) -> usize {
        self.apple.count(path)
    }

    async fn trouble(&self) -> Option<TroubleKind> {
        self.account().await.trouble.map(|trouble| trouble.kind)
    }
}

async fn define(office: &Office, service: &AdeService, name: &str) -> String {
    let profile = Profile::new(name, "https://mdm.example.com/enroll");
    let defined = service.define_profile(&office.id, profile, None).await;
    defined.unwrap().uuid
}

fn outcome(device: &DeviceRecord) -> &AttemptOutcome {
    &device.attempt.as_ref().unwrap().outcome
}

#[tokio::test]
async fn a_first_round_stores_every_device_and_gives_it_the_default_profile() {
    let work = Work::new(2_500).await;
    let report = work.work().await;
    let sync = report.sync.unwrap();
    assert_eq!(
        (sync.end, sync.came, sync.pages),
        (RoundEnd::Complete, 2_500, 4)
    );
    assert_eq!(
        (report.assigned.assigned, report.assigned.requests),
        (2_500, 3)
    );
    work.apple.for_each_device(|device| {
        assert_eq!(device.profile_uuid, Some(work.profile.as_str()));
    });
    assert_eq!(
        work.count(DeviceFilter::State(DeviceState::Assigned)).await,
        2_500
    );
    assert!(work.account().await.known.is_some());
}

#[tokio::test]
async fn a_worker_that_finds_nothing_due_sends_and_writes_nothing() {
    let work = Work::synced(3).await;
    let (before, sent) = (work.account().await, work.apple.traffic().total);
    let report = work.after(11).await;
    assert!(report.sync.is_none() && report.assigned.requests == 0);
    assert_eq!(report.next, Some(work.clock.now() + TimeDelta::hours(1)));
    assert_eq!(work.account().await, before);
    assert_eq!(work.apple.traffic().total, sent);
}

#[tokio::test]
async fn a_device_assigned_to_the_same_server_again_gets_its_profile_again() {
    // fleet#39871: `modified`, with the profile `removed` and its identifier still there.
    let work = Work::synced(3).await;
    let serial = work.serial();
    assert!(work.apple.reassign_device(serial.as_str()));
    let report = work.after(12).await;
    assert_eq!(report.assigned.assigned, 1);
    let device = work.device(&serial).await;
    assert_eq!(device.state, DeviceState::Assigned);
    assert!(device.times.removed.is_some());
}

#[tokio::test]
async fn a_released_device_is_left_alone_and_is_the_accounts_again_when_it_comes_back() {
    // fleet#44560, #37462, #23200, #29119.
    let work = Work::synced(3).await;
    let serial = work.serial();
    assert!(work.apple.remove_device(serial.as_str()));
    let other = define(&work, &work.service, "Other").await;
    let report = work.after(12).await;
    assert_eq!(
        (report.sync.unwrap().left, report.assigned.requests),
        (1, 0)
    );
    let mut device = work.device(&serial).await;
    assert!(device.released().is_some() && device.due.is_none());
    device.wanted_profile = Some(other.clone());
    work.put(ade_client::store::Changes::devices(vec![device]))
        .await;
    assert!(work.apple.reassign_device(serial.as_str()));
    let report = work.after(12).await;
    assert_eq!(
        (report.sync.unwrap().came, report.assigned.assigned),
        (1, 1)
    );
    let device = work.device(&serial).await;
    assert_eq!(device.device.profile_uuid, Some(other));
}

#[tokio::test]
async fn what_left_while_the_cursor_was_lost_is_found_by_asking() {
    let work = Work::synced(5).await;
    let serial = work.serial();
    assert!(work.apple.remove_device(serial.as_str()));
    work.apple.fault(Fault::ForgetCursors);
    let sync = work.after(12).await.sync.unwrap();
    assert_eq!(sync.end, RoundEnd::Complete);
    assert_eq!((sync.verified, sync.left), (1, 1));
    assert!(work.device(&serial).await.released().is_some());
    assert_eq!(work.count(DeviceFilter::Present).await, 4);
}

#[tokio::test]
async fn a_device_that_a_fetch_hides_while_it_cools_down_stays() {
    // fleet#45590.
    let work = Work::new(5).await;
    work.apple
        .configure(|config| config.hide_cooling_devices = true);
    let serial = work.serial();
    let throttle = Fault::Throttle {
        serials: [serial.to_string()].into(),
        retry_after: HOUR * 30,
    };
    work.apple.fault(throttle);
    let report = work.work().await;
    assert_eq!(
        (report.assigned.assigned, report.assigned.throttled),
        (4, 1)
    );
    work.apple.fault(Fault::ForgetCursors);
    let sync = work.after(12).await.sync.unwrap();
    assert_eq!((sync.end, sync.left), (RoundEnd::Complete, 0));
    let device = work.device(&serial).await;
    assert!(device.is_present());
    assert_eq!(device.due, Some(work.clock.now() + TimeDelta::hours(18)));
    work.after(12).await;
    let report = work.after(6).await;
    assert_eq!(report.assigned.assigned, 1);
    assert_eq!(work.apple.traffic().premature_assignments, 0);
}

#[tokio::test]
async fn what_apple_refuses_is_recorded_and_tried_again_after_a_day() {
    // fleet#14957, #37072, #15461.
    for (outcome_of_fake, expected) in [
        (
            Outcome::Failed,
            AttemptOutcome::Answered(ResponseStatus::Failed),
        ),
        (Outcome::LeftOut, AttemptOutcome::NotMentioned),
        (
            Outcome::NotAccessible,
            AttemptOutcome::Answered(ResponseStatus::NotAccessible),
        ),
    ] {
        let work = Work::new(4).await;
        work.apple.fault(Fault::NextDevices {
            count: 1,
            outcome: outcome_of_fake,
        });
        let report = work.work().await;
        assert_eq!((report.assigned.assigned, report.assigned.refused), (3, 1));
        let due = work.clock.now() + TimeDelta::hours(24);
        assert_eq!(
            work.store.next_due(&work.id).await.unwrap(),
            Some(due),
            "{expected:?}"
        );
        let filter = DeviceFilter::Due(due);
        let devices = work
            .store
            .devices(&work.id, &filter, None, 9)
            .await
            .unwrap();
        assert_eq!(outcome(&devices[0]), &expected);
        assert_eq!(work.after(12).await.assigned.requests, 0);
        assert_eq!(work.after(12).await.assigned.assigned, 1);
    }
}

#[tokio::test]
async fn an_assignment_whose_answer_is_lost_is_recorded_and_made_again() {
    // fleet#31523, #31666.
    for processed in [false, true] {
        let work = Work::new(3).await;
        let fault = match processed {
            true => Fault::HangUp { times: 1 },
            false => Fault::Unreachable { times: 1 },
        };
        work.apple.arm(Trigger::path("/profile/devices", 1), fault);
        let report = work.work().await;
        assert_eq!(report.assigned.failed, 3);
        assert!(matches!(report.error, Some(Error::Transport(_))));
        assert_eq!(work.trouble().await, Some(TroubleKind::Unreachable));
        let device = work.device(&work.serial()).await;
        assert!(matches!(outcome(&device), AttemptOutcome::Failed(_)));
        assert_eq!(device.attempt.unwrap().failures, 1);
        let in_15_minutes = work.clock.now() + TimeDelta::minutes(15);
        assert_eq!(report.next, Some(in_15_minutes));
        let report = work.after(1).await;
        assert_eq!(report.assigned.assigned, 3);
        assert_eq!(work.trouble().await, None);
    }
}

#[tokio::test]
async fn a_profile_that_apple_does_not_know_stops_no_other() {
    let work = Work::synced(3).await;
    let serial = work.serial();
    let gone = "0123456789ABCDEF0123456789ABCDEF";
    work.edit_device(&serial, |device| {
        device.wanted_profile = Some(gone.into());
        device.settle(work.clock.now());
    })
    .await;
    work.apple.add_devices(1, 2);
    let report = work.after(12).await;
    assert_eq!((report.assigned.assigned, report.assigned.failed), (1, 1));
    assert_eq!(work.trouble().await, Some(TroubleKind::ProfileNotFound));
    let device = work.device(&serial).await;
    assert_eq!(device.due, Some(work.clock.now() + TimeDelta::hours(24)));
    work.service
        .want_profile(&work.id, std::slice::from_ref(&serial), Some(&work.profile))
        .await
        .unwrap();
    work.after(24).await;
    assert_eq!(work.trouble().await, None);
}

#[tokio::test]
async fn a_request_of_somebody_is_answered_every_15_minutes_and_a_full_one_every_week() {
    let work = Work::synced(3).await;
    let sync = |kind| work.service.sync(&work.id, kind);
    let report = sync(RoundKind::Full).await.unwrap();
    assert_eq!(report.sync.unwrap().kind, RoundKind::Delta);
    let until = work.clock.now() + TimeDelta::minutes(15);
    let sent = work.apple.traffic().total;
    let error = sync(RoundKind::Delta).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::TooSoon { until: u }) if u == until));
    assert_eq!(work.apple.traffic().total, sent);
    work.clock.advance(Duration::from_secs(15 * 60));
    sync(RoundKind::Delta).await.unwrap();
    assert_eq!(work.account().await.sync.sweep, 2);
    work.clock.advance(HOUR * 24 * 7);
    let report = sync(RoundKind::Full).await.unwrap();
    assert_eq!(report.sync.unwrap().kind, RoundKind::Full);
    assert_eq!(work.account().await.sync.sweep, 3);
}

#[tokio::test]
async fn a_busy_apple_is_left_alone_as_long_as_it_asks() {
    let work = Work::synced(3).await;
    work.apple.fault(Fault::Busy {
        times: 1,
        status: 429,
        wait: HOUR * 2,
        as_date: false,
    });
    let report = work.after(12).await;
    assert_eq!(report.sync.unwrap().end, RoundEnd::Failed);
    assert_eq!(work.trouble().await, Some(TroubleKind::Busy));
    assert_eq!(report.next, Some(work.clock.now() + TimeDelta::hours(2)));
    let sent = work.apple.traffic().total;
    assert!(work.after(1).await.sync.is_none());
    let error = work.service.sync(&work.id, RoundKind::Delta).await;
    assert!(matches!(
        error,
        Err(Error::Refused(Refusal::TooSoon { .. }))
    ));
    assert_eq!(work.apple.traffic().total, sent);
    assert!(work.after(1).await.sync.unwrap().is_complete());
    assert_eq!(work.trouble().await, None);
    assert_eq!(work.apple.traffic().premature_requests, 0);
}

#[tokio::test]
async fn an_account_in_trouble_says_why_and_stops_no_other() {
    let work = Work::synced(3).await;
    let other = AccountId::new("other").unwrap();
    work.service.add_account(&other).await.unwrap();
    // A token that this Apple never gave out.
    work.edit(|account| {
        let mut foreign = ade_client::ServerToken::new("CK_x", "CS_x", "AT_x", "AS_x");
        foreign.access_token_expiry = None;
        account.credentials.as_mut().unwrap().token = foreign;
    })
    .await;
    work.clock.advance(HOUR * 12);
    let tick = work.service.tick().await.unwrap();
    assert_eq!(tick.accounts.len(), 2);
    let report = |id: &AccountId| {
        let found = tick.accounts.iter().find(|(account, _)| account == id);
        found.unwrap().1.as_ref().unwrap()
    };
    assert!(report(&work.id).error.is_some());
    assert!(report(&other).next.is_none());
    assert_eq!(work.trouble().await, Some(TroubleKind::TokenRevoked));
    assert_eq!(tick.next, Some(work.clock.now() + TimeDelta::minutes(15)));
}

#[tokio::test]
async fn another_nodes_lease_is_respected_until_it_ends() {
    let work = Work::synced(3).await;
    let until = work.clock.now() + TimeDelta::hours(13);
    work.edit(|account| account.lease = Some(Lease::new("other", 7, until)))
        .await;
    work.clock.advance(HOUR * 12);
    let error = work.service.work(&work.id).await.unwrap_err();
    assert!(
        matches!(&error, Error::Refused(Refusal::UnderWay { node, until: u }) if node == "other" && *u == until)
    );
    assert_eq!(work.service.tick().await.unwrap().next, Some(until));
    assert!(work.after(1).await.sync.unwrap().is_complete());
    let lease = work.account().await.lease.unwrap();
    assert_eq!((lease.node.as_str(), lease.number), ("node", 8));
    assert_eq!(lease.until, work.clock.now());
}

#[tokio::test]
async fn a_replacement_takes_over_what_its_original_has() {
    let work = Work::synced(3).await;
    let original = work.serial();
    let other = define(&work, &work.service, "Other").await;
    work.edit_device(&original, |device| {
        device.wanted_profile = Some(other.clone());
        device.tags = ["lab".to_owned()].into();
        device.user = Some("ann".into());
        device.settle(work.clock.now());
    })
    .await;
    let new = json!({"serial_number": "C02REPLACED1", "device_family": "Mac", "os": "OSX"});
    work.apple.replace_device(original.as_str(), new);
    let report = work.after(12).await;
    assert_eq!(report.replaced, 1);
    let device = work.device(&"C02REPLACED1".parse().unwrap()).await;
    assert_eq!(
        device.replacement,
        Some(Replacement::TakenOver { original })
    );
    assert_eq!(device.device.profile_uuid, Some(other));
    assert!(device.tags.contains("lab") && device.user.as_deref() == Some("ann"));
}

#[tokio::test]
async fn a_replacement_that_apple_does_not_know_is_a_new_device() {
    let work = Work::synced(1).await;
    let new = json!({"serial_number": "C02NEW", "is_replacement_device": true});
    work.apple.add_device(new);
    work.after(12).await;
    let device = work.device(&"C02NEW".parse().unwrap()).await;
    assert_eq!(device.replacement, Some(Replacement::None));
    assert_eq!(device.device.profile_uuid.as_ref(), Some(&work.profile));
}

#[tokio::test]
async fn devices_get_the_replacement_of_their_profile() {
    let work = Work::synced(1_200).await;
    let profile = Profile::new("Office 2", "https://mdm.example.com/enroll");
    let new = work
        .service
        .replace_profile(&work.id, &work.profile, profile, None)
        .await
        .unwrap();
    let report = work.work().await;
    assert_eq!((report.moved, report.assigned.assigned), (1_200, 1_200));
    assert!(report.sync.is_none());
    assert_eq!(work.count(DeviceFilter::Wanting(new.uuid)).await, 1_200);
    assert!(work.account().await.replaced_profiles.is_empty());
}

#[tokio::test]
async fn released_devices_are_forgotten_after_30_days() {
    let work = Work::synced(2).await;
    let serial = work.serial();
    work.apple.remove_device(serial.as_str());
    work.after(12).await;
    assert_eq!(work.after(24 * 30 - 13).await.retired, 0);
    assert_eq!(work.after(2).await.retired, 1);
    assert_eq!(work.count(DeviceFilter::All).await, 1);
}

#[tokio::test]
async fn items_that_are_no_device_are_counted_and_lose_no_other() {
    let work = Work::synced(1).await;
    let body = r#"{"devices":[7,{"color":"RED"},
        {"serial_number":"C02X","op_type":"added","op_date":"2026-03-01T09:00:00Z"}],
        "cursor":"c","more_to_follow":false}"#;
    work.apple.arm(
        Trigger::path("/devices/sync", 1),
        Fault::Answer {
            times: 1,
            status: 200,
            body: body.into(),
            retry_after: None,
        },
    );
    let sync = work.after(12).await.sync.unwrap();
    assert_eq!((sync.unreadable, sync.came), (2, 1));
    assert!(work.device(&"C02X".parse().unwrap()).await.is_present());
}

#[tokio::test]
async fn a_round_out_of_time_goes_on_and_tells_how_far_it_is() {
    let work = Work::new(4_000).await;
    // Assignments would come back in the sync, as pages more.
    let unset = work.service.set_default_profile(&work.id, None).await;
    unset.unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&told);
    let clock = work.clock.clone();
    let service = work
        .builder(
            Points::never(),
            Policy::default().with(|policy| policy.round_limit = Duration::from_secs(100)),
        )
        .observer(move |_: &AccountId, progress: &Progress| {
            clock.advance(Duration::from_secs(60));
            seen.lock().unwrap().push(progress.clone());
        })
        .build();
    let mut rounds = 0;
    loop {
        let report = service.work(&work.id).await.unwrap();
        rounds += 1;
        if report.sync.unwrap().end == RoundEnd::Complete {
            break;
        }
    }
    assert_eq!(rounds, 3);
    let told = told.lock().unwrap();
    let devices: Vec<_> = told.iter().map(|progress| progress.devices).collect();
    assert_eq!(devices, [1_000, 2_000, 3_000, 4_000, 0]);
    // Four pages, one of them asked for twice because its session had ended.
    assert_eq!(work.requests("/server/devices"), 5);
}

/// Writes down what it is told.
#[derive(Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn write(&self, account: &AccountId, what: &str) {
        self.0.lock().unwrap().push(format!("{account} {what}"));
    }

    fn read(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Observer for Diary {
    fn progress(&self, account: &AccountId, progress: &Progress) {
        self.write(account, &format!("has {}", progress.devices));
    }

    fn done(&self, account: &AccountId, work: &Result<WorkReport, Error>) {
        let what = match work {
            Ok(report) => match &report.error {
                Some(_) => "failed".to_owned(),
                None => format!("assigned {}", report.assigned.assigned),
            },
            Err(error) => error.to_string(),
        };
        self.write(account, &what);
    }

    fn warning(&self, account: &AccountId, warning: &Warning) {
        self.write(account, &warning.name());
    }
}

#[tokio::test]
async fn an_observer_is_told_what_was_done_and_each_warning_once() {
    let work = Work::new(3).await;
    let diary = Diary::default();
    let builder = work.builder(Points::never(), Policy::default());
    let service = builder.observer(diary.clone()).build();
    let tick = async || {
        service.tick().await.unwrap();
        diary.read()
    };
    assert_eq!(
        tick().await,
        ["acme has 3", "acme has 0", "acme assigned 3"]
    );
    // Nothing is due.
    assert_eq!(tick().await, [""; 0]);
    work.edit(|account| {
        let token = &mut account.credentials.as_mut().unwrap().token;
        token.access_token_expiry = Some(work.clock.now() + TimeDelta::days(5));
    })
    .await;
    assert_eq!(tick().await, ["acme token_expires_7"]);
    assert_eq!(tick().await, [""; 0]);
    let until = work.clock.now() + TimeDelta::hours(13);
    work.edit(|account| account.lease = Some(Lease::new("other", 7, until)))
        .await;
    work.clock.advance(HOUR * 12);
    assert_eq!(tick().await, [""; 0]);
    work.edit(|account| account.lease = None).await;
    work.apple.fault(Fault::TermsNotSigned);
    let told = ["acme failed", "acme trouble_terms_not_signed"];
    assert_eq!(tick().await, told);
    work.clock.advance(HOUR);
    assert_eq!(tick().await, told[..1]);
    work.apple.clear_faults();
    // What is asked for is answered to who asks.
    work.clock.advance(HOUR);
    service.sync(&work.id, RoundKind::Delta).await.unwrap();
    assert_eq!(diary.read(), ["acme has 3"]);
}

#[tokio::test]
async fn a_program_that_stops_anywhere_goes_on_when_it_starts_again() {
    let whole = Work::synced(12).await;
    let expected = whole
        .count(DeviceFilter::State(DeviceState::Assigned))
        .await;
    let mut stops = 0;
    loop {
        let work = Work::new(12).await;
        let service = work.service_at(Points::after(stops));
        let finished = service.work(&work.id).now_or_never().is_some();
        // What was sent and not answered is sent again once its time is over.
        for _ in 0..3 {
            work.after(1).await;
        }
        assert_eq!(
            work.count(DeviceFilter::State(DeviceState::Assigned)).await,
            expected,
            "stopped at point {stops}"
        );
        let devices = work
            .store
            .devices(&work.id, &DeviceFilter::All, None, 99)
            .await;
        for device in devices.unwrap() {
            assert_eq!(device.presence, Presence::Present);
            assert_eq!(
                outcome(&device),
                &AttemptOutcome::Answered(ResponseStatus::Success)
            );
        }
        stops += 1;
        if finished {
            break;
        }
    }
    assert!(stops > 20, "{stops}");
}

#[tokio::test]
async fn a_worker_runs_until_it_is_told_to_stop() {
    let work = Work::new(3).await;
    let clock = work.clock.clone();
    let stop = std::future::poll_fn(move |context| {
        context.waker().wake_by_ref();
        let end: DateTime<Utc> = "2026-03-03T08:00:00Z".parse().unwrap();
        match clock.now() > end {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    });
    let running = work.service.run(stop);
    tokio::time::timeout(Duration::from_secs(20), running)
        .await
        .unwrap();
    // The first, and one every 12 hours. Each of those finds that its session has ended meanwhile.
    assert_eq!(work.requests("/devices/sync"), 1 + 4 * 2);
}
