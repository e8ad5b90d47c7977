//! `Mdm-Signature`: who is believed to be speaking.

use bytes::Bytes;
use http::{HeaderValue, StatusCode};
use mdm_service::{identity::NamedInCertificate, store::EnrollmentStore};

use crate::device::*;

#[tokio::test]
async fn q04_a_signature_of_another_authority_is_refused_whatever_the_subject_says() {
    let (service, store) = service();
    let foreign = Device::issued_by(&Authority::new("Device CA"), "D1");
    let response = foreign.check_in(&service, &authenticate()).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(response.body().is_empty());
    assert_eq!(store.enrollment(&foreign.id()).await.unwrap(), None);
}

#[tokio::test]
async fn a_request_without_a_valid_signature_is_answered_400() {
    let (service, store) = service();
    let device = Device::new("D1");
    let signed = || device.request(CHECK_IN, device.plist(&authenticate()));

    let mut bare = signed();
    bare.headers_mut().remove("Mdm-Signature");
    let mut changed = signed();
    *changed.body_mut() = Bytes::from(device.plist(&authenticate()).replace("D1", "D2"));
    let header = |value: &[u8]| {
        let mut request = signed();
        let value = HeaderValue::from_bytes(value).unwrap();
        request.headers_mut().insert("Mdm-Signature", value);
        request
    };
    for request in [
        bare,
        changed,
        header(b""),
        header(b"!!!"),
        header(b"AAAA"),
        header(b"\xff\xfe"),
        header("A".repeat(100_000).as_bytes()),
    ] {
        let response = service.handle(request).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert!(response.body().is_empty());
    }
    assert_eq!(store.enrollment(&device.id()).await.unwrap(), None);
}

#[tokio::test]
async fn a_vendor_may_bind_certificates_to_devices_before_they_are_pinned() {
    let store = Shared::default();
    let named = NamedInCertificate::new().also_to_enroll();
    let service = builder(&store).pins(named).build();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let other = Device {
        udid: "D1".to_owned(),
        ..Device::new("D2")
    };
    let response = other.check_in(&service, &authenticate()).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.body().is_empty());
    assert_eq!(device.idle(&service).await, None);
}
