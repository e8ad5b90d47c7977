//! Another certificate of a trusted issuer that says it is a device already known.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use http::StatusCode;
use mdm_pki::Certificate;
use mdm_protocol::checkin::{Authenticate, GetBootstrapTokenResponse};
use mdm_service::{Enrollment, EnrollmentStatus, Fingerprint, PinPolicy, Service, Unavailable};

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
    let (service, store) = service();
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
    let (service, store) = service();
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
    async fn may_pin(
        &self,
        certificate: &Certificate,
        _: &Authenticate,
        known: Option<&Enrollment>,
    ) -> Result<bool, Unavailable> {
        let pin = known.and_then(|known| known.certificate);
        Ok(pin.is_none_or(|pin| {
            Fingerprint::of(certificate).unwrap() == pin || self.0.lock().unwrap().contains(&pin)
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
