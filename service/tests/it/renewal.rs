//! A device whose identity was renewed: it goes on with another certificate, without `Authenticate` or, where its profile
//! was installed again, with it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering::SeqCst},
};

use async_trait::async_trait;
use chrono::TimeDelta;
use http::StatusCode;
use mdm_pki::Certificate;
use mdm_protocol::{Command, command::EraseDevice};
use mdm_service::{
    Enrollment, EnrollmentKind, EnrollmentStatus, EventKind, Fingerprint, PinPolicy, Service,
    Unavailable,
    enrollment::decide::Step,
    identity::{IssuerDecides, NamedInCertificate},
    queue::{CommandState, NewCommand},
    store::{CommandStore, EnrollmentStore},
};

use crate::device::*;

/// Who, and the certificate.
type Renewal = (String, Vec<u8>);

/// Vouches for the renewals that its issuer noted down.
#[derive(Debug, Clone, Default)]
struct Issuer {
    renewed: Arc<Mutex<Vec<Renewal>>>,
    asked: Arc<AtomicUsize>,
}

impl Issuer {
    /// Another certificate for the device.
    fn renew(&self, device: &Device) -> Device {
        let renewed = Device::new(&device.udid);
        let entry = (
            device.id().to_string(),
            renewed.certificate.to_der().to_vec(),
        );
        self.renewed.lock().unwrap().push(entry);
        renewed
    }

    fn service(&self) -> (Service, Shared) {
        let store = Shared::default();
        let service = builder(&store).pins(self.clone()).build();
        (service, store)
    }

    fn asked(&self) -> usize {
        self.asked.swap(0, SeqCst)
    }
}

#[async_trait]
impl PinPolicy for Issuer {
    async fn may_renew(
        &self,
        certificate: &Certificate,
        known: &Enrollment,
    ) -> Result<bool, Unavailable> {
        self.asked.fetch_add(1, SeqCst);
        let entry = (known.id.to_string(), certificate.to_der().to_vec());
        Ok(self.renewed.lock().unwrap().contains(&entry))
    }
}

fn deposit() -> String {
    let token = "<key>BootstrapToken</key><data>aHVudGVyMg==</data>";
    message("SetBootstrapToken", token)
}

/// micromdm#557; fleet#41167 and #43098 for the bootstrap token.
#[tokio::test]
async fn a_renewed_identity_goes_on_where_the_former_stopped_whatever_it_says_first() {
    let get = message("GetBootstrapToken", "");
    for (content_type, first) in [
        (REPORT, IDLE.to_owned()),
        (REPORT, result("c-0", "Acknowledged")),
        (REPORT, format!("{IDLE}{}", user_id("U1"))),
        (CHECK_IN, token_update("")),
        (CHECK_IN, token_update(&user_id("U1"))),
        (CHECK_IN, get.clone()),
        (CHECK_IN, deposit()),
    ] {
        let issuer = Issuer::default();
        let (service, store) = issuer.service();
        listen(&store).await;
        let device = Device::new("D1");
        device.enroll(&service).await;
        device.log_in(&service, "U1").await;
        device.check_in(&service, &deposit()).await;
        enqueue(&service, &device.id(), "c-1").await;
        assert_eq!(issuer.asked(), 0);

        let renewed = issuer.renew(&device);
        let request = renewed.request(content_type, renewed.plist(&first));
        let response = service.handle(request).await;
        assert_eq!(response.status(), StatusCode::OK, "{first}");
        let found = state(&store, &device.id()).await;
        let pinned = Fingerprint::of(&renewed.certificate).unwrap();
        assert_eq!(found.certificate, Some(pinned), "{first}");

        assert_eq!(renewed.idle(&service).await.as_deref(), Some("c-1"));
        assert!(!renewed.check_in(&service, &get).await.body().is_empty());
        renewed.log_in(&service, "U1").await;
        // It was asked once, and told once.
        assert_eq!(issuer.asked(), 1, "{first}");
        let events = told(&store).await;
        let renewals = events.iter().filter(|event| {
            matches!(event.kind, EventKind::IdentityRenewed { .. })
                && event.enrollment == device.id()
        });
        assert_eq!(renewals.count(), 1, "{first}");

        // The former one is refused, and does not come back by renewal either.
        let former = device.report(&service, IDLE).await;
        assert_eq!(former.status(), StatusCode::FORBIDDEN);
        assert_eq!(issuer.asked(), 0);
    }
}

/// fleet#17232, #41167, #43098, #46588: renewed by `InstallProfile`, a device sends `Authenticate` and a `TokenUpdate` without
/// `AwaitingConfiguration`; it does not deposit its bootstrap token again.
#[tokio::test]
async fn a_device_that_renews_by_its_profile_keeps_queue_users_and_bootstrap_token() {
    for (awaiting, is_erased) in [
        ("", false),
        ("<key>AwaitingConfiguration</key><false/>", false),
        ("<key>AwaitingConfiguration</key><true/>", true),
    ] {
        let issuer = Issuer::default();
        let (service, store) = issuer.service();
        let device = Device::new("D1");
        device.enroll(&service).await;
        device.log_in(&service, "U1").await;
        device.check_in(&service, &deposit()).await;
        enqueue(&service, &device.id(), "profile").await;
        enqueue(&service, &device.user("U1"), "c-1").await;
        assert_eq!(device.idle(&service).await.as_deref(), Some("profile"));
        listen(&store).await;

        let renewed = issuer.renew(&device);
        for keys in [authenticate(), token_update(awaiting)] {
            let response = renewed.check_in(&service, &keys).await;
            assert_eq!(response.status(), StatusCode::OK, "{keys}");
        }
        let found = state(&store, &device.id()).await;
        let pinned = Fingerprint::of(&renewed.certificate).unwrap();
        assert_eq!(found.certificate, Some(pinned));
        let get = message("GetBootstrapToken", "");
        let token = renewed.check_in(&service, &get).await;
        assert_eq!(token.body().is_empty(), is_erased, "{awaiting}");
        let user = state(&store, &device.user("U1")).await;
        assert_eq!(user.is_pushable(), !is_erased, "{awaiting}");
        let next = renewed.idle(&service).await;
        assert_eq!(next.as_deref(), (!is_erased).then_some("profile"));

        let kinds: Vec<_> = told(&store)
            .await
            .into_iter()
            .map(|event| match event.kind {
                EventKind::Authenticated { decision, .. } => decision,
                EventKind::Enrolled { decision, .. } => decision.unwrap(),
                other => panic!("{other:?}"),
            })
            .map(|decision| decision.kind)
            .collect();
        let finally = if is_erased {
            EnrollmentKind::ReEnrollment
        } else {
            EnrollmentKind::IdentityRenewal
        };
        assert_eq!(kinds, [EnrollmentKind::IdentityRenewal, finally]);
        assert_eq!(
            device.report(&service, IDLE).await.status(),
            StatusCode::FORBIDDEN
        );
    }
}

/// An update of a profile keeps its `CheckInURL`, and so the invitation in it. A device that was erased comes by another one,
/// and is not always in Setup Assistant.
#[tokio::test]
async fn a_device_that_comes_by_another_invitation_begins_anew_whatever_names_its_certificate() {
    for (before, after, is_renewal) in [
        ("i-1", "i-1", true),
        ("", "", true),
        ("i-1", "i-2", false),
        ("i-1", "", false),
        ("", "i-2", false),
    ] {
        let case = format!("{before:?}, then {after:?}");
        let store = Shared::default();
        let service = builder(&store).pins(NamedInCertificate::new()).build();
        for name in ["i-1", "i-2"] {
            invite(&store, name, |_| {}).await;
        }
        let [device, again] = [Device::new("D1"), Device::new("D1")];
        for (device, invitation) in [(&device, before), (&again, after)] {
            let response = authenticate_as(device, &service, "C02SERVICE", invitation).await;
            assert_eq!(response.status(), StatusCode::OK, "{case}");
            let response = device.check_in(&service, &token_update("")).await;
            assert_eq!(response.status(), StatusCode::OK, "{case}");
            if device.certificate != again.certificate {
                device.log_in(&service, "U1").await;
                device.check_in(&service, &deposit()).await;
                enqueue(&service, &device.id(), "c-1").await;
            }
        }
        let next = again.idle(&service).await;
        assert_eq!(next.as_deref(), is_renewal.then_some("c-1"), "{case}");
        let user = state(&store, &device.user("U1")).await;
        assert_eq!(user.is_pushable(), is_renewal, "{case}");
        let get = message("GetBootstrapToken", "");
        let token = again.check_in(&service, &get).await;
        assert_eq!(token.body().is_empty(), !is_renewal, "{case}");
    }
}

/// The name is what tells, as long as the enrolment lasts.
#[tokio::test]
async fn a_device_renews_again_and_again_though_its_invitation_is_forgotten() {
    let issuer = Issuer::default();
    let (service, store) = issuer.service();
    let mut device = Device::new("D1");
    device.enroll(&service).await;
    let fingerprint = Fingerprint::of(&device.certificate).unwrap();
    let loaded = store.load(&device.id(), &fingerprint).await.unwrap();
    let mut step = Step::new(now());
    let known = loaded.device.unwrap();
    step.device = Some(known.with(|known| known.invitation = Some("gone".to_owned())));
    store
        .commit(&device.id(), loaded.version, step)
        .await
        .unwrap();
    enqueue(&service, &device.id(), "c-1").await;
    for _ in 0..2 {
        device = issuer.renew(&device);
        let response = authenticate_as(&device, &service, "C02SERVICE", "gone").await;
        assert_eq!(response.status(), StatusCode::OK);
        device.check_in(&service, &token_update("")).await;
        assert_eq!(device.idle(&service).await.as_deref(), Some("c-1"));
    }
}

/// What erased the device may still wait, its answer lost; a device that comes back outside of Setup Assistant cannot always
/// be told from one that renews.
#[tokio::test]
async fn an_erasure_that_waited_before_authenticate_is_not_offered_after_it() {
    let issuer = Issuer::default();
    let (service, store) = issuer.service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let erase = |uuid| Command::new(uuid, &EraseDevice::new());
    service.enqueue(&device.id(), &erase("e-1")).await.unwrap();
    enqueue(&service, &device.id(), "c-1").await;
    assert_eq!(device.idle(&service).await.as_deref(), Some("e-1"));
    let renewed = issuer.renew(&device);
    renewed.enroll(&service).await;
    assert_eq!(renewed.idle(&service).await.as_deref(), Some("c-1"));
    let erasure = store.command(&device.id(), "e-1").await.unwrap().unwrap();
    assert!(matches!(erasure.state, CommandState::Cancelled { .. }));
    // What is queued from then on is meant for the device as it is.
    service.enqueue(&device.id(), &erase("e-2")).await.unwrap();
    renewed.answer(&service, "c-1", "Acknowledged").await;
    assert_eq!(renewed.idle(&service).await.as_deref(), Some("e-2"));
}

/// Nodes need not agree about the time.
#[tokio::test]
async fn which_erasures_go_with_authenticate_depends_on_no_clock() {
    let issuer = Issuer::default();
    let (service, store) = issuer.service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let erase = async |uuid: &str, minutes| {
        let at = now() + TimeDelta::minutes(minutes);
        let erasure = NewCommand::new(device.id(), uuid, "EraseDevice", b"<plist/>".to_vec(), at);
        store.enqueue(vec![erasure]).await.unwrap();
    };
    erase("before", 5).await;
    let renewed = issuer.renew(&device);
    renewed.check_in(&service, &authenticate()).await;
    erase("after", -5).await;
    // Its answer was lost.
    renewed.check_in(&service, &authenticate()).await;
    renewed.check_in(&service, &token_update("")).await;
    let found = store.command(&device.id(), "before").await.unwrap();
    let state = found.unwrap().state;
    assert!(matches!(state, CommandState::Cancelled { .. }), "{state:?}");
    let found = store.command(&device.id(), "after").await.unwrap();
    assert_eq!(found.unwrap().state, CommandState::Queued);
}

/// A certificate that may be pinned and that nobody vouches for begins anew.
#[tokio::test]
async fn an_authenticate_that_nobody_vouches_for_is_no_renewal() {
    let store = Shared::default();
    let service = builder(&store).pins(IssuerDecides).build();
    let device = Device::new("D1");
    device.enroll(&service).await;
    device.log_in(&service, "U1").await;
    device.check_in(&service, &deposit()).await;
    enqueue(&service, &device.id(), "c-1").await;
    let other = Device::new("D1");
    other.enroll(&service).await;
    assert_eq!(other.idle(&service).await, None);
    let get = message("GetBootstrapToken", "");
    assert!(other.check_in(&service, &get).await.body().is_empty());
    let user = state(&store, &device.user("U1")).await;
    assert_eq!(user.status, EnrollmentStatus::Disabled);
}

#[tokio::test]
async fn a_certificate_that_nobody_vouches_for_is_no_renewal() {
    let issuer = Issuer::default();
    let (service, store) = issuer.service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let before = state(&store, &device.id()).await;
    let stranger = Device::new("D1");
    for (content_type, keys) in [
        (REPORT, IDLE.to_owned()),
        (CHECK_IN, token_update("")),
        (CHECK_IN, deposit()),
        (CHECK_IN, message("GetBootstrapToken", "")),
        (CHECK_IN, check_out("")),
    ] {
        let request = stranger.request(content_type, stranger.plist(&keys));
        let response = service.handle(request).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{keys}");
        assert!(response.body().is_empty());
        assert_eq!(issuer.asked(), 1, "{keys}");
    }
    assert_eq!(state(&store, &device.id()).await, before);
}

#[tokio::test]
async fn a_certificate_of_another_device_is_no_renewal_whoever_vouches_for_it() {
    let issuer = Issuer::default();
    let (service, store) = issuer.service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let before = state(&store, &device.id()).await;
    let renewed = issuer.renew(&device);
    let other = Device {
        udid: "D2".to_owned(),
        ..renewed
    };
    other.enroll(&service).await;
    let pretending = Device {
        udid: "D1".to_owned(),
        ..other
    };
    let response = pretending.report(&service, IDLE).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(issuer.asked(), 0);
    assert_eq!(state(&store, &device.id()).await, before);
}

#[tokio::test]
async fn a_device_that_checked_out_or_never_enrolled_renews_nothing() {
    let issuer = Issuer::default();
    let (service, _) = issuer.service();
    let device = Device::new("D1");
    let renewed = issuer.renew(&device);
    let response = renewed.check_in(&service, &token_update("")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    device.enroll(&service).await;
    device.check_in(&service, &check_out("")).await;
    let response = renewed.check_in(&service, &token_update("")).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert_eq!(issuer.asked(), 0);
}
