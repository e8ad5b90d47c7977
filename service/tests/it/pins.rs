//! The policies for pins that are there: who is vouched for.

use async_trait::async_trait;
use http::StatusCode;
use mdm_core::{PushMagic, PushToken, Secret};
use mdm_pki::{Certificate, GeneralName, Name};
use mdm_service::{
    Fingerprint, PushAddress, Unavailable,
    enrollment::decide::{Message, Sender, decide},
    identity::{ByIssuingRecord, IssuingRecord, NamedInCertificate},
    store::EnrollmentStore,
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

/// The same certificate with its issuer's other signature: (r, n - s) instead of (r, s), which anybody can write.
fn twin(certificate: &Certificate) -> Certificate {
    const N: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc,
        0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    fn integer(value: &[u8; 32]) -> Vec<u8> {
        let zeros = value.iter().take_while(|byte| **byte == 0).count();
        let mut bytes = value[zeros..].to_vec();
        if bytes[0] >= 0x80 {
            bytes.insert(0, 0);
        }
        [&[2, u8::try_from(bytes.len()).unwrap()], &*bytes].concat()
    }
    fn value(der: &[u8]) -> (&[u8], &[u8]) {
        let (value, rest) = der[2..].split_at(usize::from(der[1]));
        (value, rest)
    }
    let der = certificate.to_der();
    // A signature is the last of a certificate: BIT STRING, no unused bits, SEQUENCE of r and s.
    let start = (64..=72)
        .find_map(|length: u8| {
            let at = der.len().checked_sub(usize::from(length) + 5)?;
            let head = [3, length + 3, 0, 0x30, length];
            der[at..].starts_with(&head).then_some(at)
        })
        .unwrap();
    let (r, rest) = value(&der[start + 5..]);
    let (s, _) = value(rest);
    let mut s_whole = [0; 33];
    s_whole[33 - s.len()..].copy_from_slice(s);
    let mut other = [0; 32];
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i16::from(N[at]) - i16::from(s_whole[at + 1]) - borrow;
        borrow = i16::from(difference < 0);
        other[at] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    let r = [&[2, u8::try_from(r.len()).unwrap()], r].concat();
    let pair = [r, integer(&other)].concat();
    let length = u8::try_from(pair.len()).unwrap();
    let signature = [&[3, length + 3, 0, 0x30, length], &*pair].concat();
    let content = [&der[4..start], &signature].concat();
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    Certificate::from_der(&[&[0x30, 0x82], &length[..], &*content].concat()).unwrap()
}

#[tokio::test]
async fn a_certificate_whose_signature_was_written_anew_is_the_same_certificate() {
    let (service, store) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let certificate = twin(&device.certificate);
    assert_ne!(certificate, device.certificate);
    assert!(
        certificate
            .verify_signed_by(&AUTHORITY.certificate.public_key().unwrap())
            .is_ok()
    );
    let twin = Device {
        certificate,
        udid: "D2".to_owned(),
        key: device.key.clone(),
    };
    let answer = twin.check_in(&service, &authenticate()).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert_eq!(store.enrollment(&twin.id()).await.unwrap(), None);
    let same = Device {
        udid: "D1".to_owned(),
        ..twin
    };
    assert_eq!(same.idle(&service).await, None);
}

/// Once pins were taken of the whole certificate.
#[tokio::test]
async fn a_pin_of_an_older_form_goes_on_to_work_and_is_brought_up_to_date() {
    let bootstrap = message("GetBootstrapToken", "");
    for (content_type, first) in [
        (REPORT, IDLE.to_owned()),
        (CHECK_IN, token_update("")),
        (CHECK_IN, bootstrap.clone()),
        (CHECK_IN, authenticate()),
    ] {
        let (service, store) = service();
        let device = Device::new("D1");
        let former = Fingerprint::of_whole(&device.certificate).unwrap();
        let sender = Sender::new(device.id(), former, now());
        let address = PushAddress::new(
            "com.apple.mgmt.External.acme".parse().unwrap(),
            PushToken::new(*b"hunter2"),
            PushMagic::new("hunter2"),
        );
        for message in [
            Message::authenticate("C02SERVICE".parse().ok(), b"raw".to_vec()),
            Message::token_update(address),
            Message::set_bootstrap_token(Some(Secret::new(b"token".to_vec()))),
        ] {
            let loaded = store.load(&device.id(), &former).await.unwrap();
            let step = decide(&loaded, &sender, message).unwrap();
            store
                .commit(&device.id(), loaded.version, step)
                .await
                .unwrap();
        }
        let request = device.request(content_type, device.plist(&first));
        let answer = service.handle(request).await;
        assert_eq!(answer.status(), StatusCode::OK, "{first}");
        let found = state(&store, &device.id()).await;
        let pin = Fingerprint::of(&device.certificate).unwrap();
        assert_eq!(found.certificate, Some(pin), "{first}");
        let answer = device.check_in(&service, &bootstrap).await;
        assert!(!answer.body().is_empty(), "{first}");
        assert_eq!(device.idle(&service).await, None);
        // It stays this device's.
        let other = Device {
            udid: "D2".to_owned(),
            ..device
        };
        let answer = other.check_in(&service, &authenticate()).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
}
