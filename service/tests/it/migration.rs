//! Enrolments from another server and to another.

use bytes::Bytes;
use http::StatusCode;
use mdm_protocol::{CheckIn, id::HasIds};
use mdm_service::{
    EnrollmentStatus, ImportError, Imported, Service, identity::AdoptImported,
    store::EnrollmentStore,
};

use crate::device::*;

const UDIDS: [&str; 3] = [
    "564D9F4B-6B16-4CFB-9B1E-7F0B5A3C2D1E",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    "00008101-001938611EE9001E",
];

fn plist(keys: &str) -> Bytes {
    format!("<plist version=\"1.0\"><dict>{keys}</dict></plist>").into()
}

/// What another server has kept of a device with its users.
fn kept(device: &Device) -> Vec<Bytes> {
    let shared = "<key>UserID</key><string>FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF</string>\
         <key>UserShortName</key><string>anna@example.com</string>";
    let unlock = "<key>UnlockToken</key><data>aHVudGVyMg==</data>";
    let token = "<key>BootstrapToken</key><data>Ym9vdA==</data>";
    [
        authenticate(),
        token_update(unlock),
        token_update(&user_id("U1")),
        token_update(shared),
        message("SetBootstrapToken", token),
    ]
    .map(|keys| device.plist(&keys).into())
    .into()
}

fn adopting(store: &Shared) -> Service {
    builder(store).pins(AdoptImported::new()).build()
}

#[tokio::test]
async fn an_imported_device_goes_on_with_the_first_certificate_that_it_shows() {
    for udid in UDIDS {
        let store = Shared::default();
        listen(&store).await;
        let service = adopting(&store);
        let device = Device::new(udid);
        // Twice is as once.
        for message in [kept(&device), kept(&device)].concat() {
            let taken = service.import(&message).await.unwrap();
            assert!(matches!(taken, Imported::Taken(_)));
        }
        assert!(told(&store).await.is_empty());
        let found = state(&store, &device.id()).await;
        assert_eq!(found.status, EnrollmentStatus::Enrolled);
        assert_eq!(found.certificate, None);
        assert_eq!(found.unlock_token.unwrap().expose(), b"hunter2");
        assert_eq!(found.serial_number.unwrap().as_str(), "C02SERVICE");
        for user in [
            format!("user:{udid}:U1"),
            format!("shared-ipad-user:{udid}:anna@example.com"),
        ] {
            let found = state(&store, &user.parse().unwrap()).await;
            assert_eq!(found.status, EnrollmentStatus::Enrolled);
        }
        enqueue(&service, &device.id(), "c-1").await;
        assert_eq!(device.idle(&service).await.as_deref(), Some("c-1"));
        let stranger = Device::new(udid);
        let refused = stranger.report(&service, IDLE).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
        // Its bootstrap token is its own again.
        let answer = device
            .check_in(&service, &message("GetBootstrapToken", ""))
            .await;
        assert!(!answer.body().is_empty());
        // What is known by itself is not overwritten.
        let before = state(&store, &device.id()).await;
        for message in kept(&device) {
            let known = service.import(&message).await.unwrap();
            assert!(matches!(known, Imported::KnownHere(_)));
        }
        assert_eq!(state(&store, &device.id()).await, before);
    }
}

#[tokio::test]
async fn an_imported_device_that_nobody_vouches_for_is_refused() {
    let store = Shared::default();
    let service = builder(&store).build();
    let device = Device::new("D1");
    for message in kept(&device) {
        service.import(&message).await.unwrap();
    }
    let refused = device.report(&service, IDLE).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let refused = device.check_in(&service, &authenticate()).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    // Once the vendor takes the enrolment back it may enrol anew.
    assert!(service.retire(&device.id()).await.unwrap());
    device.enroll(&service).await;
}

#[tokio::test]
async fn what_is_exported_is_what_another_server_takes() {
    let phone = "<key>EnrollmentID</key><string>E1</string>";
    let enrolled = [
        format!("{phone}{}", authenticate()),
        format!(
            "{phone}{}",
            token_update("<key>AwaitingConfiguration</key><true/>")
        ),
        format!(
            "{phone}{}",
            token_update("<key>EnrollmentUserID</key><string>EU</string>")
        ),
    ]
    .map(|keys| plist(&keys));
    for messages in [
        kept(&Device::new(UDIDS[0])),
        kept(&Device::new(UDIDS[1])),
        enrolled.into(),
    ] {
        let first = Shared::default();
        let service = builder(&first).build();
        for message in &messages {
            service.import(message).await.unwrap();
        }
        let id = CheckIn::decode(&messages[0])
            .unwrap()
            .enrollment_id()
            .unwrap();
        let exported = service.export(&id).await.unwrap().unwrap();
        assert_eq!(exported.messages.len(), messages.len());
        // Authenticate as it came.
        assert_eq!(exported.messages[0].bytes(), &messages[0]);
        let second = Shared::default();
        let other = builder(&second).build();
        for message in &exported.messages {
            other.import(message.bytes()).await.unwrap();
        }
        let all = Default::default();
        let mut moved = second.enrollments(&all, None, 100).await.unwrap();
        let mut kept = first.enrollments(&all, None, 100).await.unwrap();
        for enrollment in moved.iter_mut().chain(&mut kept) {
            enrollment.token_update_tally = 0;
        }
        assert_eq!(moved, kept);
    }
}

#[tokio::test]
async fn who_has_left_or_was_never_here_is_not_exported() {
    let (service, _) = service();
    let device = Device::new("D1");
    assert_eq!(service.export(&device.id()).await.unwrap(), None);
    device.enroll(&service).await;
    assert!(service.export(&device.user("U1")).await.unwrap().is_some());
    device.check_in(&service, &check_out("")).await;
    assert_eq!(service.export(&device.id()).await.unwrap(), None);
}

#[tokio::test]
async fn the_authenticate_of_a_user_takes_the_place_of_no_devices() {
    let (service, store) = service();
    let device = Device::new("D1");
    let of_user: Bytes = device.plist(&(authenticate() + &user_id("U1"))).into();
    let without = service.import(&of_user).await;
    assert!(
        matches!(without, Err(ImportError::NoDevice(_))),
        "{without:?}"
    );
    for message in kept(&device) {
        service.import(&message).await.unwrap();
    }
    let before = state(&store, &device.id()).await;
    let taken = service.import(&of_user).await.unwrap();
    assert_eq!(taken, Imported::Taken(device.user("U1")));
    assert_eq!(state(&store, &device.id()).await, before);
}

#[tokio::test]
async fn what_cannot_be_imported_is_said() {
    let (service, store) = service();
    let device = Device::new("D1");
    let import = async |keys: &str| service.import(&device.plist(keys).into()).await;
    let without = import(&token_update("")).await;
    assert!(
        matches!(without, Err(ImportError::NoDevice(_))),
        "{without:?}"
    );
    for keys in [check_out(""), message("GetBootstrapToken", "")] {
        let other = import(&keys).await;
        assert!(
            matches!(other, Err(ImportError::OtherMessage(_))),
            "{other:?}"
        );
    }
    let nonsense = service.import(&"nonsense".into()).await;
    assert!(
        matches!(nonsense, Err(ImportError::Message(_))),
        "{nonsense:?}"
    );
    assert_eq!(store.enrollment(&device.id()).await.unwrap(), None);
}
