//! What could lose a device or ask Apple more than allowed: answers that never get better, waits that
//! a wrong clock wrote, profiles replaced twice.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use ade_client::{
    AdeService, AdeStore, Error, Policy, Refusal,
    model::Profile,
    record::{
        AccountRecord, Attempt, AttemptOutcome, GiveUp, GiveUpStep, Lease, Presence, Release,
        Replacement, TroubleKind,
    },
    service::WorkReport,
    store::DeviceFilter,
    sync::RoundEnd,
};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use futures_util::FutureExt;
use http::{Request, Response};
use mdm_core::{Clock, SerialNumber};
use mdm_fake_apple::ade::{AdeService as Apple, Answer, Fault};
use mdm_transport::{HttpTransport, RetryPolicy, TransportError, TransportErrorKind, transport_fn};
use serde_json::json;

use super::{USER_AGENT, office::Office};

const HOUR: Duration = Duration::from_secs(3600);

/// The fake service, some of whose paths answer something else.
struct Odd<F> {
    apple: Apple,
    answer: F,
}

impl<F> fmt::Debug for Odd<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Odd")
    }
}

#[async_trait]
impl<F> HttpTransport for Odd<F>
where
    F: Fn(&str) -> Option<Response<Bytes>> + Send + Sync,
{
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        if let Some(response) = (self.answer)(request.uri().path()) {
            return Ok(response);
        }
        carry(&self.apple, &request)
    }
}

fn carry(apple: &Apple, request: &Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
    match apple.answer(request) {
        Answer::Answered(response) => Ok(response),
        Answer::HungUp { .. } => Err(TransportErrorKind::Interrupted.into()),
    }
}

fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder()
        .status(status)
        .body(body.into())
        .unwrap()
}

struct Case {
    office: Office,
    profile: String,
}

impl std::ops::Deref for Case {
    type Target = Office;

    fn deref(&self) -> &Office {
        &self.office
    }
}

impl Case {
    /// An account with a default profile, whose devices nobody has synced.
    async fn new(devices: usize) -> Self {
        Self::of(Office::linked(0).await, devices).await
    }

    async fn of(office: Office, devices: usize) -> Self {
        office.apple.add_devices(devices, 1);
        let service = office.service();
        let profile = define(&office, &service).await;
        service
            .set_default_profile(&office.id, Some(&profile))
            .await
            .unwrap();
        Self { office, profile }
    }

    /// One whose devices have their profile.
    async fn synced(devices: usize) -> Self {
        let case = Self::new(devices).await;
        let report = case.work(&case.service()).await;
        assert!(report.error.is_none(), "{:?}", report.error);
        assert_eq!(report.assigned.assigned, devices as u64);
        // That they were given one is told once more.
        case.clock.advance(HOUR * 12);
        case.work(&case.service()).await;
        case
    }

    fn odd(
        &self,
        answer: impl Fn(&str) -> Option<Response<Bytes>> + Send + Sync + 'static,
    ) -> AdeService {
        self.over(Odd {
            apple: self.apple.clone(),
            answer,
        })
    }

    fn over(&self, line: impl HttpTransport + 'static) -> AdeService {
        let clock: Arc<dyn Clock> = self.clock.clone();
        AdeService::builder(self.store.clone(), line, clock, USER_AGENT)
            .base_url("https://apple.example")
            .retry(RetryPolicy::never())
            .build()
    }

    async fn work(&self, service: &AdeService) -> WorkReport {
        service.work(&self.id).await.unwrap()
    }

    fn serial(&self) -> SerialNumber {
        let mut first = None;
        self.apple.for_each_device(|device| {
            first.get_or_insert_with(|| device.serial_number.to_owned());
        });
        first.unwrap().parse().unwrap()
    }

    async fn trouble(&self) -> Option<TroubleKind> {
        self.account().await.trouble.map(|trouble| trouble.kind)
    }
}

async fn define(office: &Office, service: &AdeService) -> String {
    let profile = Profile::new("Office", "https://mdm.example.com/enroll");
    let defined = service.define_profile(&office.id, profile, None).await;
    defined.unwrap().uuid
}

#[tokio::test]
async fn a_profile_replaced_several_times_before_the_worker_comes_gives_way_to_the_last() {
    let case = Case::synced(3).await;
    let service = case.service();
    let mut last = case.profile.clone();
    for _ in 0..8 {
        let profile = Profile::new("Office", "https://mdm.example.com/enroll");
        let new = service
            .replace_profile(&case.id, &last, profile, None)
            .await;
        last = new.unwrap().uuid;
    }
    case.work(&service).await;
    case.work(&service).await;
    let wanting = case
        .store
        .count(&case.id, &DeviceFilter::Wanting(last.clone()))
        .await;
    assert_eq!(wanting.unwrap(), 3);
    case.apple.for_each_device(|device| {
        assert_eq!(device.profile_uuid, Some(last.as_str()));
    });
    assert!(case.account().await.replaced_profiles.is_empty());
}

#[tokio::test]
async fn a_request_of_the_round_that_always_fails_keeps_no_device_from_its_profile() {
    for path in ["/devices/sync", "/devices"] {
        for (status, body) in [
            (500, ""),
            (200, "[]"),
            (403, "ACCESS_DENIED"),
            (400, "MALFORMED_REQUEST_BODY"),
        ] {
            let case = Case::synced(3).await;
            let serial = case.serial();
            // Another that was not named, so that Apple is asked about it.
            case.edit_device(&serial, |device| device.sweep = 0).await;
            case.edit(|account| account.sync.unseen = true).await;
            let service = case.odd(move |asked| (asked == path).then(|| answer(status, body)));
            let other = define(&case, &service).await;
            case.clock.advance(HOUR * 12);
            service
                .want_profile(&case.id, std::slice::from_ref(&serial), Some(&other))
                .await
                .unwrap();
            let report = case.work(&service).await;
            assert_eq!(report.sync.unwrap().end, RoundEnd::Failed);
            assert!(report.error.is_some());
            assert_eq!(report.assigned.assigned, 1, "{path} {status}");
            assert!(case.trouble().await.is_some(), "{path} {status}");
            let next = case.clock.now() + TimeDelta::minutes(15);
            assert_eq!(report.next, Some(next), "{path} {status}");
        }
    }
}

#[tokio::test]
async fn an_account_that_cannot_be_asked_for_its_limits_is_synced_without() {
    let case = Case::new(3).await;
    let service = case.odd(|path| (path == "/account").then(|| answer(500, "")));
    let report = case.work(&service).await;
    assert_eq!(report.assigned.assigned, 3, "{report:?}");
}

#[tokio::test]
async fn a_token_that_may_not_ask_about_replacements_gives_profiles_nevertheless() {
    let case = Case::synced(1).await;
    let service = case
        .odd(|path| (path == "/device/replacementDetails").then(|| answer(403, "ACCESS_DENIED")));
    case.apple
        .add_device(json!({"serial_number": "C02REPLACES", "is_replacement_device": true}));
    case.apple.add_devices(2, 2);
    case.clock.advance(HOUR * 12);
    assert_eq!(case.work(&service).await.assigned.assigned, 2);
    for _ in 0..8 {
        case.clock.advance(HOUR);
        case.work(&service).await;
    }
    let device = case.device(&"C02REPLACES".parse().unwrap()).await;
    assert_eq!(device.replacement, Some(Replacement::None));
    assert_eq!(device.device.profile_uuid.as_ref(), Some(&case.profile));
}

#[tokio::test]
async fn a_wait_of_no_time_is_no_leave_to_ask_every_second() {
    let case = Case::synced(1).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let service = case.odd(move |path| {
        (path == "/devices/sync").then(|| {
            counter.fetch_add(1, Ordering::SeqCst);
            let mut busy = answer(429, "");
            busy.headers_mut().insert("retry-after", 0.into());
            busy
        })
    });
    case.clock.advance(HOUR * 12);
    for _ in 0..120 {
        case.work(&service).await;
        case.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn more_to_follow_forever_without_a_device_is_left_alone_for_a_while() {
    let case = Case::synced(1).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let service = case.odd(move |path| {
        (path == "/devices/sync").then(|| {
            let n = counter.fetch_add(1, Ordering::SeqCst);
            let more = n < 2_000;
            let page = json!({"devices": [], "cursor": format!("c{n}"), "more_to_follow": more});
            answer(200, page.to_string())
        })
    });
    case.clock.advance(HOUR * 12);
    let report = case.work(&service).await;
    assert_eq!(report.sync.unwrap().end, RoundEnd::RepeatedCursor);
    assert!(asked.load(Ordering::SeqCst) <= 100);
    assert_eq!(case.trouble().await, Some(TroubleKind::RepeatedCursor));
    let next = case.clock.now() + TimeDelta::minutes(15);
    assert_eq!(report.next, Some(next));
}

#[tokio::test]
async fn times_that_a_wrong_clock_wrote_keep_no_account_from_syncing() {
    let edits: [fn(&mut AccountRecord, chrono::DateTime<chrono::Utc>); 5] = [
        |account, time| account.sync.not_before = Some(time),
        |account, time| account.sync.round_not_before = Some(time),
        |account, time| account.sync.current = Some(time),
        |account, time| account.sync.full_began = Some(time),
        |account, time| account.sync.recovered = Some(time),
    ];
    for (number, edit) in edits.into_iter().enumerate() {
        let case = Case::synced(2).await;
        case.clock.advance(HOUR * 12);
        let wrong = case.clock.now() + TimeDelta::days(3650);
        case.edit(|account| edit(account, wrong)).await;
        if number == 4 {
            case.apple.fault(Fault::ForgetCursors);
        }
        let report = case.work(&case.service()).await;
        assert!(report.sync.unwrap().is_complete(), "{number}");
        assert!(
            report.next <= Some(case.clock.now() + TimeDelta::hours(12)),
            "{number}"
        );
        let sync = case.account().await.sync;
        assert!(sync.full_began <= Some(case.clock.now()), "{number}");
    }
    let case = Case::synced(1).await;
    let wrong = case.clock.now() + TimeDelta::days(3650);
    case.edit(|account| {
        account.sync.requested = Some(wrong);
        account.sync.not_before = Some(wrong);
    })
    .await;
    let service = case.service();
    let report = service.sync(&case.id, ade_client::sync::RoundKind::Full);
    assert!(report.await.unwrap().sync.unwrap().is_complete());
}

#[tokio::test]
async fn what_a_node_with_a_wrong_clock_left_behind_ends() {
    let case = Case::synced(2).await;
    let service = case.service();
    let other = define(&case, &service).await;
    let wrong = case.clock.now() + TimeDelta::days(3650);
    // It died with the account and an attempt at a device.
    case.edit(|account| account.lease = Some(Lease::new("other", 7, wrong)))
        .await;
    let serial = case.serial();
    case.edit_device(&serial, |device| {
        let mut attempt = Attempt::new(other.clone(), wrong);
        attempt.until = Some(wrong + TimeDelta::minutes(15));
        device.due = attempt.until;
        device.attempt = Some(attempt);
        device.wanted_profile = Some(other.clone());
    })
    .await;
    case.clock.advance(HOUR * 24 * 7);
    let report = case.work(&service).await;
    assert_eq!(report.assigned.assigned, 1);
}

#[tokio::test]
async fn a_profile_that_apple_gives_the_same_name_again_replaces_nothing() {
    let case = Case::synced(2).await;
    let same = case.profile.clone();
    let body = json!({"profile_uuid": same, "devices": {}}).to_string();
    let service = case.odd(move |path| (path == "/profile").then(|| answer(200, body.clone())));
    let profile = Profile::new("Office", "https://mdm.example.com/enroll");
    let new = service.replace_profile(&case.id, &case.profile, profile, None);
    assert_eq!(new.await.unwrap().uuid, case.profile);
    let stored = service.profile(&case.id, &case.profile).await.unwrap();
    assert_eq!(stored.replaced_by, None);
    assert!(case.account().await.replaced_profiles.is_empty());
}

#[tokio::test]
async fn q20_a_fetch_that_gets_no_further_begins_anew_after_a_week() {
    let case = Case::new(2_500).await;
    let service = case.service_of(
        super::office::Points::never(),
        Policy::default().with(|policy| policy.round_limit = Duration::ZERO),
    );
    let report = case.work(&service).await;
    assert_eq!(report.sync.unwrap().end, RoundEnd::Paused);
    // Apple cannot answer what is behind this cursor.
    let service = case.odd(|path| (path == "/server/devices").then(|| answer(500, "")));
    for _ in 0..8 {
        case.clock.advance(HOUR * 24);
        case.work(&service).await;
    }
    assert_eq!(case.account().await.sync.cursor, None);
    case.clock.advance(HOUR);
    let report = case.work(&case.service()).await;
    assert!(report.sync.unwrap().is_complete());
}

#[tokio::test]
async fn q20_a_cursor_that_apple_would_not_take_back_is_a_lost_one() {
    let case = Case::synced(2).await;
    case.edit(|account| {
        account.sync.cursor = Some(ade_client::model::Cursor::new("x".repeat(1001)));
    })
    .await;
    case.clock.advance(HOUR * 12);
    let report = case.work(&case.service()).await;
    assert!(report.sync.unwrap().is_complete());
}

#[tokio::test]
async fn a_device_that_was_given_up_and_comes_back_gets_the_default_profile() {
    let case = Case::synced(2).await;
    let serial = case.serial();
    let now = case.clock.now();
    case.edit_device(&serial, |device| {
        let mut give_up = GiveUp::new(Release::Disown, now);
        give_up.next = GiveUpStep::Done;
        device.give_up = Some(give_up);
        device.wanted_profile = None;
        device.presence = Presence::Released { at: now };
        device.settle(now);
    })
    .await;
    case.clock.advance(HOUR * 12);
    assert!(case.apple.reassign_device(serial.as_str()));
    let report = case.work(&case.service()).await;
    assert_eq!(report.assigned.assigned, 1);
    let device = case.device(&serial).await;
    assert_eq!(device.device.profile_uuid.as_ref(), Some(&case.profile));
}

#[tokio::test]
async fn a_device_that_apple_cannot_stand_keeps_no_other_from_its_profile() {
    let case = Case::new(1_000).await;
    let poison = case.serial();
    let (apple, odd) = (case.apple.clone(), poison.clone());
    let line = transport_fn(move |request: Request<Bytes>| {
        let body = String::from_utf8_lossy(request.body());
        let is_odd = request.uri().path() == "/profile/devices" && body.contains(odd.as_str());
        std::future::ready(match is_odd {
            true => Ok(answer(400, "MALFORMED_REQUEST_BODY")),
            false => carry(&apple, &request),
        })
    });
    let report = case.work(&case.over(line)).await;
    assert_eq!((report.assigned.assigned, report.assigned.failed), (999, 1));
    // The whole, and both halves of whatever holds it.
    assert!(report.assigned.requests <= 21, "{report:?}");
    assert!(report.error.is_some());
    let device = case.device(&poison).await;
    let attempt = device.attempt.unwrap();
    assert!(matches!(attempt.outcome, AttemptOutcome::Failed(_)));
    assert_eq!(attempt.failures, 1);

    // Refused whatever it names: no hail of requests.
    let case = Case::new(1_000).await;
    let refuse = |path: &str| (path == "/profile/devices").then(|| answer(400, "ODD"));
    let report = case.work(&case.odd(refuse)).await;
    assert_eq!(report.assigned.failed, 1_000);
    assert_eq!(report.assigned.requests, 41);
}

#[tokio::test]
async fn a_request_that_takes_longer_than_the_lease_keeps_it() {
    let office = Office::linked_with(0, |config| config.session_lifetime = HOUR);
    let case = Case::of(office.await, 1).await;
    let (apple, clock, store, id) = (
        case.apple.clone(),
        case.clock.clone(),
        case.store.clone(),
        case.id.clone(),
    );
    let line = transport_fn(move |request: Request<Bytes>| {
        let (apple, clock) = (apple.clone(), clock.clone());
        let (store, id) = (store.clone(), id.clone());
        async move {
            // As many exchanges that come to nothing.
            let exchanges = match request.uri().path() {
                "/server/devices" | "/profile/devices" => 4,
                _ => 0,
            };
            for _ in 0..exchanges {
                clock.advance(Duration::from_secs(60));
                tokio::task::yield_now().await;
                let account = store.account(&id).await.unwrap().unwrap();
                assert!(account.lease.unwrap().until > clock.now());
            }
            carry(&apple, &request)
        }
    });
    let report = case.work(&case.over(line)).await;
    assert_eq!(report.sync.unwrap().end, RoundEnd::Complete);
    assert_eq!(report.assigned.assigned, 1);
}

#[tokio::test]
async fn a_device_of_which_one_moment_tells_two_things_is_asked_about() {
    for returns in [false, true] {
        let office = Office::linked_with(0, |config| config.shapes.equal_op_dates = true);
        let case = Case::of(office.await, 2).await;
        case.work(&case.service()).await;
        case.clock.advance(HOUR * 12);
        let serial = case.serial();
        case.apple
            .modify_device(serial.as_str(), json!({"color": "GOLD"}));
        case.apple.remove_device(serial.as_str());
        if returns {
            case.apple.reassign_device(serial.as_str());
        }
        // The last but one is told once more behind the last one, with the same date.
        case.apple.fault(Fault::StaleRecords { records: 1 });
        let report = case.work(&case.service()).await;
        let sync = report.sync.unwrap();
        assert_eq!((sync.end, sync.verified), (RoundEnd::Complete, 1));
        assert_eq!(report.assigned.assigned, u64::from(returns));
        let device = case.device(&serial).await;
        assert_eq!(device.is_present(), returns);
        assert!(!case.account().await.sync.unseen);
    }
}

#[tokio::test]
async fn a_device_that_is_not_found_has_left() {
    // Apple's simulator says so instead of NOT_ACCESSIBLE.
    let case = Case::synced(2).await;
    let serial = case.serial();
    case.edit_device(&serial, |device| device.sweep = 0).await;
    case.edit(|account| account.sync.unseen = true).await;
    let body = json!({"devices": {serial.as_str(): {"response_status": "not_found"}}}).to_string();
    let service = case.odd(move |path| (path == "/devices").then(|| answer(200, body.clone())));
    let report = case.work(&service).await;
    assert_eq!(report.sync.unwrap().left, 1);
    assert!(case.device(&serial).await.released().is_some());
}

#[tokio::test]
async fn what_is_stored_of_unknown_keys_is_bounded_and_can_be_read_again() {
    let case = Case::new(0).await;
    let deep = format!("{}1{}", "[".repeat(122), "]".repeat(122));
    let long = "x".repeat(1 << 20);
    let account = format!(
        r#"{{"server_uuid":"S","urls":[{{"uri":"/x","odd":{deep}}}],"deep":{deep},"long":"{long}"}}"#
    );
    let page = format!(
        r#"{{"devices":[{{"serial_number":"C02DEEP","deep":{deep},"long":"{long}","new":{{"a":1}}}}],
            "cursor":"c","more_to_follow":false}}"#
    );
    let service = case.odd(move |path| match path {
        "/account" => Some(answer(200, account.clone())),
        "/server/devices" => Some(answer(200, page.clone())),
        "/devices/sync" => Some(answer(200, r#"{"devices":[],"cursor":"c"}"#)),
        _ => None,
    });
    let report = case.work(&service).await;
    assert!(report.sync.unwrap().is_complete());
    let record = case.account().await;
    let json = serde_json::to_string(&record).unwrap();
    assert!(json.len() < 32 * 1024, "{}", json.len());
    assert_eq!(
        serde_json::from_str::<AccountRecord>(&json).unwrap(),
        record
    );
    let device = case.device(&"C02DEEP".parse().unwrap()).await;
    assert_eq!(device.device.extra["new"], json!({"a": 1}));
    let json = serde_json::to_string(&device).unwrap();
    assert!(json.len() < 32 * 1024, "{}", json.len());
    assert!(serde_json::from_str::<ade_client::record::DeviceRecord>(&json).is_ok());
}

#[tokio::test]
async fn what_is_said_of_a_trouble_is_short_and_repeats_no_answer() {
    let case = Case::synced(1).await;
    let body = json!({"devices": "hunter2".repeat(10_000)}).to_string();
    let service =
        case.odd(move |path| (path == "/devices/sync").then(|| answer(200, body.clone())));
    case.clock.advance(HOUR * 12);
    case.work(&service).await;
    let detail = case.account().await.trouble.unwrap().detail;
    assert!(detail.len() <= 512, "{}", detail.len());
    assert!(!detail.contains("hunter2"), "{detail}");
    assert!(detail.contains("line 1"), "{detail}");
}

#[tokio::test]
async fn a_success_that_comes_after_the_lease_was_lost_is_recorded_and_the_device_asked_for_again()
{
    // Whoever has the account now may have been told later things of the device already.
    let case = Arc::new(Case::new(2).await);
    let taken = Arc::clone(&case);
    let service = case.odd(move |path| {
        if path == "/profile/devices" {
            let take = |account: &mut AccountRecord| account.lease.as_mut().unwrap().number += 1;
            taken.edit(take).now_or_never().unwrap();
        }
        None
    });
    let error = service.work(&case.id).await.unwrap_err();
    assert!(matches!(error, Error::Refused(Refusal::LeaseLost)));
    let device = case.device(&case.serial()).await;
    assert!(device.attempt.as_ref().unwrap().outcome.is_success());
    assert_eq!(device.due, Some(case.clock.now()));
    let report = case.work(&case.service()).await;
    assert_eq!(report.assigned.assigned, 2);
}

#[tokio::test]
async fn a_profile_that_apple_does_not_know_is_asked_for_once_a_day() {
    let case = Case::new(2_500).await;
    case.edit(|account| account.default_profile = Some("0".repeat(32)))
        .await;
    let service = case.service();
    for _ in 0..3 {
        case.work(&service).await;
        assert_eq!(case.apple.count("/profile/devices"), 1);
    }
    let due = case.store.next_due(&case.id).await.unwrap();
    assert_eq!(due, Some(case.clock.now() + TimeDelta::hours(24)));
    assert_eq!(case.trouble().await, Some(TroubleKind::ProfileNotFound));
    let devices = case
        .store
        .devices(&case.id, &DeviceFilter::All, None, 9_999)
        .await
        .unwrap();
    let serials: Vec<_> = devices
        .into_iter()
        .map(|device| device.serial_number)
        .collect();
    service
        .want_profile(&case.id, &serials, Some(&case.profile))
        .await
        .unwrap();
    case.clock.advance(HOUR * 23);
    case.work(&service).await;
    assert_eq!(case.trouble().await, Some(TroubleKind::ProfileNotFound));
    case.clock.advance(HOUR);
    assert_eq!(case.work(&service).await.assigned.assigned, 2_500);
    assert_eq!(case.trouble().await, None);
}
