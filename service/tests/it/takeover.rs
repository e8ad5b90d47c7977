//! Another certificate of a trusted issuer that says it is a device already known.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::StatusCode;
use mdm_protocol::checkin::GetBootstrapTokenResponse;
use mdm_service::{
    EnrollmentStatus, EventKind, Fingerprint, Invitation, PinPolicy, RefusedAt, Service,
    Unavailable,
    identity::{IssuerDecides, NamedInCertificate, Pinning},
    store::EnrollmentStore,
};

use crate::device::*;

/// Another certificate of the same issuer, under the name of `D1`.
fn other_certificate() -> Device {
    Device {
        udid: "D1".to_owned(),
        ..Device::new("somebody")
    }
}

fn fingerprint(device: &Device) -> Fingerprint {
    Fingerprint::of(&device.certificate).unwrap()
}

async fn deposit(device: &Device, service: &Service, token: &str) {
    let keys = format!("<key>BootstrapToken</key><data>{token}</data>");
    let set = message("SetBootstrapToken", &keys);
    let response = device.check_in(service, &set).await;
    assert_eq!(response.status(), StatusCode::OK);
}

/// The token that the device gets back.
async fn bootstrap_token(device: &Device, service: &Service) -> Option<Vec<u8>> {
    let get = message("GetBootstrapToken", "");
    let response = device.check_in(service, &get).await;
    assert_eq!(response.status(), StatusCode::OK);
    if response.body().is_empty() {
        return None;
    }
    let answer: GetBootstrapTokenResponse = mdm_plist::from_slice(response.body()).unwrap();
    answer.bootstrap_token.map(|token| token.expose().clone())
}

#[tokio::test]
async fn a_bootstrap_token_is_answered_to_no_other_certificate_than_its_depositors() {
    let store = Shared::default();
    let service = builder(&store).pins(IssuerDecides).build();
    let device = Device::new("D1");
    device.enroll(&service).await;
    deposit(&device, &service, "aHVudGVyMg==").await;

    let other = other_certificate();
    for keys in [authenticate(), token_update("")] {
        let response = other.check_in(&service, &keys).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(bootstrap_token(&other, &service).await, None);
    }
    // The vendor still has it.
    let kept = state(&store, &device.id()).await.bootstrap_token.unwrap();
    assert_eq!(kept.token.expose(), b"hunter2");
    assert_eq!(kept.certificate, fingerprint(&device));
    assert!(kept.is_former);

    // What it deposits itself it gets.
    deposit(&other, &service, "bmV3").await;
    assert_eq!(
        bootstrap_token(&other, &service).await.as_deref(),
        Some(&b"new"[..])
    );
}

#[tokio::test]
async fn a_device_that_enrols_again_with_its_certificate_still_gets_its_bootstrap_token() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    deposit(&device, &service, "aHVudGVyMg==").await;
    for keys in [authenticate(), token_update("")] {
        let response = device.check_in(&service, &keys).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(
            bootstrap_token(&device, &service).await.as_deref(),
            Some(&b"hunter2"[..])
        );
    }
}

#[tokio::test]
async fn an_authenticate_with_another_serial_number_than_the_known_one_is_refused() {
    let store = Shared::default();
    let service = builder(&store).pins(IssuerDecides).build();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let before = state(&store, &device.id()).await;
    let other = other_certificate();
    let number = "<key>SerialNumber</key><string>C02SERVICE</string>";
    for instead in ["<key>SerialNumber</key><string>C02OTHER</string>", ""] {
        let keys = authenticate().replace(number, instead);
        let response = other.check_in(&service, &keys).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{instead}");
        assert!(response.body().is_empty());
    }
    assert_eq!(state(&store, &device.id()).await, before);
    assert_eq!(before.status, EnrollmentStatus::Enrolled);
}

/// Replaces only those pins that the vendor released.
#[derive(Debug)]
struct Released(Arc<Mutex<Vec<Fingerprint>>>);

#[async_trait]
impl PinPolicy for Released {
    async fn may_pin(&self, pinning: &Pinning<'_>) -> Result<bool, Unavailable> {
        let pin = pinning.known.and_then(|known| known.certificate);
        Ok(pin.is_none_or(|pin| {
            Fingerprint::of(pinning.certificate).unwrap() == pin
                || self.0.lock().unwrap().contains(&pin)
        }))
    }
}

#[tokio::test]
async fn a_vendor_may_refuse_that_a_pinned_certificate_is_replaced() {
    let store = Shared::default();
    let pins = Arc::default();
    let service = builder(&store).pins(Released(Arc::clone(&pins))).build();
    let device = Device::new("D1");
    device.enroll(&service).await;
    device.enroll(&service).await;
    enqueue(&service, &device.id(), "c-1").await;
    let before = state(&store, &device.id()).await;

    let other = other_certificate();
    let response = other.check_in(&service, &authenticate()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.body().is_empty());
    assert_eq!(state(&store, &device.id()).await, before);
    assert_eq!(device.idle(&service).await.as_deref(), Some("c-1"));

    pins.lock().unwrap().push(fingerprint(&device));
    other.enroll(&service).await;
    let found = state(&store, &device.id()).await;
    assert_eq!(found.certificate, Some(fingerprint(&other)));
}

/// Somebody with an invitation and a certificate of their own says that they are a device that is enrolled.
#[tokio::test]
async fn a_pin_in_force_does_not_give_way_to_a_certificate_that_nothing_ties_to_the_device() {
    let (service, store) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    enqueue(&service, &device.id(), "c-1").await;
    let before = state(&store, &device.id()).await;
    invite(&store, "anybody", |_| {}).await;
    invite(&store, "other-udid", |it| it.udid = "D2".parse().ok()).await;
    invite(&store, "other-number", |it| {
        it.serial_number = "C02OTHER".parse().ok();
    })
    .await;

    listen(&store).await;
    let other = other_certificate();
    for (serial_number, invitation) in [
        ("C02SERVICE", ""),
        ("C02SERVICE", "anybody"),
        ("C02SERVICE", "other-udid"),
        ("C02OTHER", "other-number"),
    ] {
        let response = authenticate_as(&other, &service, serial_number, invitation).await;
        assert_eq!(response.status(), StatusCode::FORBIDDEN, "{invitation}");
    }
    assert_eq!(state(&store, &device.id()).await, before);
    assert_eq!(device.idle(&service).await.as_deref(), Some("c-1"));
    // The vendor hears of it, and may release the pin.
    let events = told(&store).await;
    assert!(
        events.iter().any(|event| matches!(&event.kind,
            EventKind::Refused { stage: RefusedAt::Authenticate, reason, .. } if reason == "pinned")),
        "{events:?}"
    );
    assert!(service.retire(&device.id()).await.unwrap());
    let response = authenticate_as(&other, &service, "C02SERVICE", "anybody").await;
    assert_eq!(response.status(), StatusCode::OK);
    let found = state(&store, &device.id()).await;
    assert_eq!(found.certificate, Some(fingerprint(&other)));
}

/// It was wiped, and did not check out before (Q14); or the same profile was installed again (Q16).
#[tokio::test]
async fn q14_a_device_that_is_proven_comes_back_with_another_certificate() {
    for (name, edit) in [
        (
            "by-udid",
            (|it| it.udid = "D1".parse().ok()) as fn(&mut Invitation),
        ),
        ("by-number", |it| {
            it.serial_number = "C02SERVICE".parse().ok()
        }),
        ("same", |_| {}),
    ] {
        let (service, store) = service();
        let device = Device::new("D1");
        invite(&store, "same", |_| {}).await;
        let first = authenticate_as(&device, &service, "C02SERVICE", "same").await;
        assert_eq!(first.status(), StatusCode::OK);
        device.check_in(&service, &token_update("")).await;

        if name != "same" {
            invite(&store, name, edit).await;
        }
        let wiped = other_certificate();
        let response = authenticate_as(&wiped, &service, "C02SERVICE", name).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
        let found = state(&store, &device.id()).await;
        assert_eq!(found.certificate, Some(fingerprint(&wiped)), "{name}");
        // A former pin is the device's as well.
        let response = device.check_in(&service, &authenticate()).await;
        assert_eq!(response.status(), StatusCode::OK, "{name}");
    }
}

/// Whoever was first to say that they are `D1` does not keep the device out that is.
#[tokio::test]
async fn a_device_whose_name_somebody_took_before_it_came_gets_in() {
    let (service, store) = service();
    let squatter = other_certificate();
    let first = authenticate_as(&squatter, &service, "C02OTHER", "").await;
    assert_eq!(first.status(), StatusCode::OK);
    squatter.check_in(&service, &token_update("")).await;

    // A number that the squatter told is not the device's, and its own shows nothing of the UDID.
    invite(&store, "by-number", |it| {
        it.serial_number = "C02SERVICE".parse().ok();
    })
    .await;
    let device = Device::new("D1");
    let response = authenticate_as(&device, &service, "C02SERVICE", "by-number").await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);

    invite(&store, "by-both", |it| {
        it.serial_number = "C02SERVICE".parse().ok();
        it.udid = "D1".parse().ok();
    })
    .await;
    let response = authenticate_as(&device, &service, "C02SERVICE", "by-both").await;
    assert_eq!(response.status(), StatusCode::OK);
    let found = state(&store, &device.id()).await;
    assert_eq!(found.certificate, Some(fingerprint(&device)));
    assert_eq!(found.serial_number.unwrap().as_str(), "C02SERVICE");
}

#[tokio::test]
async fn a_certificate_enrols_the_device_that_it_names_and_no_other_that_tells_the_same_number() {
    let store = Shared::default();
    let named = NamedInCertificate::new().also_to_enroll();
    let service = builder(&store).pins(named).build();
    let by = |udid: &str, name: &str| Device {
        udid: udid.to_owned(),
        ..Device::new(name)
    };
    invite(&store, "both", |it| {
        it.serial_number = "C02SERVICE".parse().ok();
        it.udid = "D1".parse().ok();
    })
    .await;
    invite(&store, "number", |it| {
        it.serial_number = "C02SERVICE".parse().ok();
    })
    .await;
    for (device, invitation, status) in [
        // It has a certificate for its number, and says that it is another device.
        (by("D2", "C02SERVICE"), "", StatusCode::FORBIDDEN),
        (by("D2", "C02SERVICE"), "number", StatusCode::FORBIDDEN),
        (by("D2", "C02SERVICE"), "both", StatusCode::FORBIDDEN),
        (by("D1", "C02SERVICE"), "both", StatusCode::OK),
        // Now that is known of it.
        (by("D1", "C02SERVICE"), "", StatusCode::OK),
        (by("D1", "somebody"), "", StatusCode::FORBIDDEN),
        (by("D3", "D3"), "", StatusCode::OK),
    ] {
        let answer = authenticate_as(&device, &service, "C02SERVICE", invitation).await;
        assert_eq!(answer.status(), status, "{} {invitation}", device.udid);
    }
    // `EnrollmentID` is no name of a device that tells its `UDID`.
    let sly = by("D4", "E1");
    let keys = format!(
        "{}<key>EnrollmentID</key><string>E1</string>",
        authenticate()
    );
    let answer = sly.check_in(&service, &keys).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(store.enrollment(&sly.id()).await.unwrap(), None);
    assert_eq!(
        state(&store, &by("D3", "x").id()).await.status,
        EnrollmentStatus::Authenticated
    );
}

#[tokio::test]
async fn who_takes_the_name_of_a_device_that_left_does_not_become_its_owners() {
    let (service, store) = service();
    let device = Device::new("D1");
    invite(&store, "annas", |it| it.owner = Some("anna".to_owned())).await;
    for (sender, owner) in [(&device, Some("anna")), (&other_certificate(), None)] {
        let first = authenticate_as(&device, &service, "C02SERVICE", "annas").await;
        assert_eq!(first.status(), StatusCode::OK);
        device.check_in(&service, &check_out("")).await;
        let answer = sender.check_in(&service, &authenticate()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        let found = state(&store, &device.id()).await;
        assert_eq!(found.owner.as_deref(), owner);
    }
}
