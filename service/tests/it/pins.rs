//! The policies for pins that are there: who is vouched for.

use async_trait::async_trait;
use http::StatusCode;
use mdm_pki::{Certificate, GeneralName, Name};
use mdm_service::{
    Unavailable,
    identity::{ByIssuingRecord, IssuingRecord, NamedInCertificate},
};

use crate::device::*;

#[tokio::test]
async fn a_certificate_that_names_the_device_is_its_renewal() {
    for (name, san, renews) in [
        ("D1", None, true),
        ("d1", None, true),
        ("C02SERVICE", None, true),
        ("somebody", None, false),
        ("D10", None, false),
        ("", None, false),
        ("x", Some(GeneralName::Uri("urn:udid:D1".into())), true),
        (
            "x",
            Some(GeneralName::Uri("https://mdm.example/D1/x".into())),
            false,
        ),
        ("x", Some(GeneralName::Dns("d1".into())), true),
        ("x", Some(GeneralName::Email("C02SERVICE".into())), true),
    ] {
        let service = builder(&Shared::default())
            .pins(NamedInCertificate::new().in_alternative_names())
            .build();
        let device = Device::new("D1");
        device.enroll(&service).await;
        let renewed = device.renewed(name, san.clone());
        let status = renewed.report(&service, IDLE).await.status();
        let expected = if renews {
            StatusCode::OK
        } else {
            StatusCode::FORBIDDEN
        };
        assert_eq!(status, expected, "{name} {san:?}");
    }
}

/// An issuer that bound the common name alone lets the device write what it likes into the rest.
#[tokio::test]
async fn a_name_where_the_issuer_is_not_said_to_vouch_for_it_counts_for_nothing() {
    let subject = Name::builder()
        .common_name("x")
        .attribute("2.5.4.5".parse().unwrap(), "D1")
        .build();
    for (policy, status) in [
        (NamedInCertificate::new(), StatusCode::FORBIDDEN),
        (
            NamedInCertificate::new().in_alternative_names(),
            StatusCode::FORBIDDEN,
        ),
        (NamedInCertificate::new().in_serial_number(), StatusCode::OK),
    ] {
        let service = builder(&Shared::default()).pins(policy).build();
        let device = Device::new("D1");
        device.enroll(&service).await;
        let renewed = device.renewed_as(subject.clone(), None);
        assert_eq!(renewed.report(&service, IDLE).await.status(), status);
    }
    let service = builder(&Shared::default())
        .pins(NamedInCertificate::new())
        .build();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let named = device.renewed("x", Some(GeneralName::Dns("D1".into())));
    let answer = named.report(&service, IDLE).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
}

/// An authority that knows for whom it issues.
#[derive(Debug)]
struct Record;

#[async_trait]
impl IssuingRecord for Record {
    async fn issued_for(&self, certificate: &Certificate) -> Result<Option<String>, Unavailable> {
        match certificate.subject().common_name().as_deref() {
            Some("first") => Ok(Some("D1".into())),
            Some("second") => Ok(Some("C02SERVICE".into())),
            Some("other") => Ok(Some("D2".into())),
            Some("away") => Err(Unavailable::new("the database is away")),
            _ => Ok(None),
        }
    }
}

#[tokio::test]
async fn a_certificate_that_was_issued_for_the_device_is_its_renewal() {
    for (name, status) in [
        ("first", StatusCode::OK),
        ("second", StatusCode::OK),
        ("other", StatusCode::FORBIDDEN),
        ("unknown", StatusCode::FORBIDDEN),
        ("away", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let service = builder(&Shared::default())
            .pins(ByIssuingRecord(Record))
            .build();
        let device = Device::new("D1");
        device.enroll(&service).await;
        let renewed = device.renewed(name, None);
        assert_eq!(
            renewed.report(&service, IDLE).await.status(),
            status,
            "{name}"
        );
    }
}

/// mdmdirector#166: a SCEP certificate lingers beside the identity of ACME, and the device signs with
/// one and with the other.
#[tokio::test]
async fn a_former_pin_comes_back_by_authenticate_alone_and_no_loop_begins() {
    let service = builder(&Shared::default())
        .pins(NamedInCertificate::new())
        .build();
    let scep = Device::new("D1");
    scep.enroll(&service).await;
    let acme = scep.renewed("D1", None);
    assert_eq!(acme.report(&service, IDLE).await.status(), StatusCode::OK);
    for _ in 0..3 {
        assert_eq!(
            scep.report(&service, IDLE).await.status(),
            StatusCode::FORBIDDEN
        );
        let update = scep.check_in(&service, &token_update("")).await;
        assert_eq!(update.status(), StatusCode::FORBIDDEN);
        assert_eq!(acme.report(&service, IDLE).await.status(), StatusCode::OK);
    }
    scep.enroll(&service).await;
    assert_eq!(
        acme.report(&service, IDLE).await.status(),
        StatusCode::FORBIDDEN
    );
}
