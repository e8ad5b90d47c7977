//! The check-in endpoint, message by message.

use async_trait::async_trait;
use bytes::Bytes;
use http::{Response, StatusCode};
use mdm_protocol::{
    EnrollmentId,
    checkin::{CheckIn, GetBootstrapTokenResponse},
};
use mdm_service::{
    CheckInExtension, EnrollmentKind, EnrollmentReason, EnrollmentStatus, EventKind, Fingerprint,
    enrollment::decide::Sender,
    identity::NamedInCertificate,
    queue::Sequence,
    store::{EnrollmentStore, EscrowStore},
};

use crate::device::*;

#[tokio::test]
async fn a_device_enrols_and_is_pinned_to_its_certificate() {
    let (service, store) = service();
    listen(&store).await;
    let device = Device::new("D1");
    assert_eq!(
        device.check_in(&service, &authenticate()).await.status(),
        StatusCode::OK
    );
    let found = state(&store, &device.id()).await;
    assert_eq!(found.status, EnrollmentStatus::Authenticated);
    assert_eq!(
        found.certificate,
        Some(Fingerprint::of(&device.certificate).unwrap())
    );
    assert_eq!(found.serial_number.unwrap().as_str(), "C02SERVICE");
    assert_eq!(
        found.authenticate.unwrap().as_ref(),
        device.plist(&authenticate()).as_bytes()
    );
    assert_eq!(found.authenticated_at, Some(now()));

    assert_eq!(
        device.check_in(&service, &token_update("")).await.status(),
        StatusCode::OK
    );
    let found = state(&store, &device.id()).await;
    assert_eq!(found.status, EnrollmentStatus::Enrolled);
    assert_eq!(found.push.unwrap().magic.expose(), "hunter2");
    assert_eq!(found.token_update_tally, 1);
    let kinds: Vec<_> = told(&store)
        .await
        .into_iter()
        .map(|event| event.kind)
        .collect();
    let [
        EventKind::Authenticated { decision, .. },
        EventKind::Enrolled {
            awaiting_configuration: false,
            decision: Some(finally),
            ..
        },
    ] = kinds.as_slice()
    else {
        panic!("{kinds:?}");
    };
    use EnrollmentReason::{Authenticate, NotAwaitingConfiguration, UnknownDevice};
    assert_eq!(decision.kind, EnrollmentKind::NewDevice);
    assert_eq!(decision.reasons, [Authenticate, UnknownDevice]);
    let reasons = [Authenticate, UnknownDevice, NotAwaitingConfiguration];
    assert_eq!(finally.reasons, reasons);
    assert_eq!(found.decision.as_ref(), Some(finally));
}

#[tokio::test]
async fn q08_every_channel_is_enrolled_under_its_own_name() {
    let (service, store) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    device.log_in(&service, "U1").await;
    let shared = "<key>UserID</key><string>FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF</string>";
    for name in ["anna", "ben"] {
        let keys = format!("{shared}<key>UserShortName</key><string>{name}</string>");
        let response = device.check_in(&service, &token_update(&keys)).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
    for id in [
        "device:D1",
        "user:D1:U1",
        "shared-ipad-user:D1:anna",
        "shared-ipad-user:D1:ben",
    ] {
        let found = state(&store, &id.parse().unwrap()).await;
        assert_eq!(found.status, EnrollmentStatus::Enrolled, "{id}");
    }

    // User enrolment: neither UDID nor serial number.
    let phone = Device::new("unused");
    let ids = "<key>EnrollmentID</key><string>E1</string>";
    for keys in [
        format!("{ids}{}", authenticate()),
        format!("{ids}{}", token_update("")),
        format!(
            "{ids}{}",
            token_update("<key>EnrollmentUserID</key><string>EU1</string>")
        ),
    ] {
        let body = format!("<plist version=\"1.0\"><dict>{keys}</dict></plist>");
        let response = service.handle(phone.request(CHECK_IN, body)).await;
        assert_eq!(response.status(), StatusCode::OK);
    }
    for id in ["enrollment:E1", "enrollment-user:E1:EU1"] {
        let found = state(&store, &id.parse().unwrap()).await;
        assert_eq!(found.status, EnrollmentStatus::Enrolled, "{id}");
    }
}

#[tokio::test]
async fn q10_the_content_type_tells_a_check_in_from_a_report() {
    let (service, _) = service();
    let device = Device::new("D1");
    for content_type in [
        "application/x-apple-aspen-mdm-checkin",
        "application/x-apple-aspen-mdm-checkin; charset=UTF-8",
        "Application/X-Apple-Aspen-MDM-CheckIn",
    ] {
        let request = device.request(content_type, device.plist(&authenticate()));
        assert_eq!(
            service.handle(request).await.status(),
            StatusCode::OK,
            "{content_type}"
        );
    }
    // Everything else is a report, which a check-in message is not.
    for content_type in [
        "application/x-apple-aspen-mdm",
        "application/xml",
        "text/plain",
    ] {
        let request = device.request(content_type, device.plist(IDLE));
        assert_eq!(
            service.handle(request).await.status(),
            StatusCode::OK,
            "{content_type}"
        );
        let request = device.request(content_type, device.plist(&authenticate()));
        let refused = service.handle(request).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST, "{content_type}");
    }
    // With two URLs the content type does not matter.
    let request = device.request("text/plain", device.plist(&token_update("")));
    assert_eq!(
        service.handle_check_in(request).await.status(),
        StatusCode::OK
    );
    let request = device.request("text/plain", device.plist(IDLE));
    assert_eq!(
        service.handle_report(request).await.status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn q11_getting_a_bootstrap_token_that_nobody_stored_is_no_error() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let get = message("GetBootstrapToken", "");
    let response = device.check_in(&service, &get).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.body().is_empty());

    let set = message(
        "SetBootstrapToken",
        "<key>BootstrapToken</key><data>aHVudGVyMg==</data>",
    );
    assert_eq!(
        device.check_in(&service, &set).await.status(),
        StatusCode::OK
    );
    let response = device.check_in(&service, &get).await;
    let token: GetBootstrapTokenResponse = mdm_plist::from_slice(response.body()).unwrap();
    assert_eq!(token.bootstrap_token.unwrap().expose(), b"hunter2");

    // An empty or absent token takes it back.
    for keys in ["<key>BootstrapToken</key><data></data>", ""] {
        assert_eq!(
            device.check_in(&service, &set).await.status(),
            StatusCode::OK
        );
        let taken_back = message("SetBootstrapToken", keys);
        assert_eq!(
            device.check_in(&service, &taken_back).await.status(),
            StatusCode::OK
        );
        assert!(device.check_in(&service, &get).await.body().is_empty());
    }
}

#[tokio::test]
async fn q12_what_a_token_update_leaves_out_stays() {
    let (service, store) = service();
    let device = Device::new("D1");
    device.check_in(&service, &authenticate()).await;
    let full = "<key>UnlockToken</key><data>aHVudGVyMg==</data>\
                <key>AwaitingConfiguration</key><true/>";
    device.check_in(&service, &token_update(full)).await;
    device.check_in(&service, &token_update("")).await;
    let found = state(&store, &device.id()).await;
    assert_eq!(found.unlock_token.unwrap().expose(), b"hunter2");
    assert_eq!(found.awaiting_configuration, Some(true));
    assert_eq!(found.token_update_tally, 2);
    let done = "<key>AwaitingConfiguration</key><false/>";
    device.check_in(&service, &token_update(done)).await;
    let found = state(&store, &device.id()).await;
    assert_eq!(found.awaiting_configuration, Some(false));
    assert!(found.unlock_token.is_some());
}

/// One of them may be the only one that opens what is restored from a backup, or what was erased in vain.
#[tokio::test]
async fn every_token_that_a_device_sends_stays_in_escrow() {
    let (service, store) = service();
    let device = Device::new("D1");
    let unlock = |token: &str| {
        let keys = "<key>AwaitingConfiguration</key><true/><key>UnlockToken</key>";
        token_update(&format!("{keys}<data>{token}</data>"))
    };
    let bootstrap = |token: &str| {
        let keys = format!("<key>BootstrapToken</key><data>{token}</data>");
        message("SetBootstrapToken", &keys)
    };
    for keys in [
        authenticate(),
        unlock("dS0x"),
        bootstrap("Yi0x"),
        // What is sent again is no other token.
        unlock("dS0x"),
        bootstrap("Yi0x"),
        bootstrap("Yi0y"),
        message("SetBootstrapToken", ""),
        // Erased.
        authenticate(),
        unlock("dS0y"),
        bootstrap("Yi0z"),
    ] {
        let response = device.check_in(&service, &keys).await;
        assert_eq!(response.status(), StatusCode::OK, "{keys}");
    }
    let found = state(&store, &device.id()).await;
    assert_eq!(found.unlock_token.unwrap().expose(), b"u-2");
    assert_eq!(found.bootstrap_token.unwrap().token.expose(), b"b-3");
    let page = store.escrow_page(Sequence::START, 9).await.unwrap();
    let kept = page.iter().map(|(_, entry)| {
        assert_eq!(entry.device, device.id());
        (entry.kind.as_str(), entry.value.expose().as_slice())
    });
    assert_eq!(
        kept.collect::<Vec<_>>(),
        [
            ("unlock-token", &b"u-1"[..]),
            ("bootstrap-token", b"b-1"),
            ("bootstrap-token", b"b-2"),
            ("unlock-token", b"u-2"),
            ("bootstrap-token", b"b-3"),
        ]
    );
}

#[tokio::test]
async fn q12_what_a_token_update_has_empty_erases_nothing() {
    let (service, store) = service();
    let device = Device::new("D1");
    device.check_in(&service, &authenticate()).await;
    let full = "<key>UnlockToken</key><data>aHVudGVyMg==</data>";
    device.check_in(&service, &token_update(full)).await;
    let empty = "<key>UnlockToken</key><data></data>";
    let answer = device.check_in(&service, &token_update(empty)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let found = state(&store, &device.id()).await;
    assert_eq!(found.unlock_token.as_ref().unwrap().expose(), b"hunter2");

    // Nobody can be pushed to by an empty address, so the former one stays.
    let nowhere = token_update("").replace("<data>aHVudGVyMg==</data>", "<data></data>");
    let answer = device.check_in(&service, &nowhere).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert_eq!(state(&store, &device.id()).await, found);
}

#[tokio::test]
async fn q13_a_message_of_an_unknown_type_is_refused_and_unenrols_nobody() {
    let (service, store) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let watch = "<key>TokenServiceType</key><string>com.example.unknown</string>";
    for keys in [
        message("Levitate", ""),
        message("GetToken", watch),
        message(
            "DeclarativeManagement",
            "<key>Endpoint</key><string>tokens</string>",
        ),
        message("ReturnToService", ""),
    ] {
        let response = device.check_in(&service, &keys).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{keys}");
        assert!(response.body().is_empty());
    }
    assert_eq!(
        state(&store, &device.id()).await.status,
        EnrollmentStatus::Enrolled
    );
}

/// OS X 10.11 sends one for each user who logs in.
#[tokio::test]
async fn q08_an_authenticate_of_a_user_leaves_the_device_and_the_user_as_they_are() {
    let (service, store) = service();
    let device = Device::new("D1");
    let of_user = authenticate() + &user_id("U1");
    let refused = device.check_in(&service, &of_user).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    let nobody = store.enrollment(&device.id()).await;
    assert_eq!(nobody.unwrap(), None);

    device.enroll(&service).await;
    device.log_in(&service, "U1").await;
    listen(&store).await;
    let before = [&device.id(), &device.user("U1")];
    let before = [
        state(&store, before[0]).await,
        state(&store, before[1]).await,
    ];
    let response = device.check_in(&service, &of_user).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.body().is_empty());
    let after = [
        state(&store, &device.id()).await,
        state(&store, &device.user("U1")).await,
    ];
    assert_eq!(after, before);
    assert!(told(&store).await.is_empty());

    let stranger = Device::new("D1").check_in(&service, &of_user).await;
    assert_eq!(stranger.status(), StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn q14_a_user_checks_out_and_the_device_stays() {
    let (service, store) = service();
    listen(&store).await;
    let device = Device::new("D1");
    device.enroll(&service).await;
    device.log_in(&service, "U1").await;
    device.log_in(&service, "U2").await;
    let response = device.check_in(&service, &check_out(&user_id("U1"))).await;
    assert_eq!(response.status(), StatusCode::OK);
    let status = async |id: EnrollmentId| state(&store, &id).await.status;
    assert_eq!(status(device.user("U1")).await, EnrollmentStatus::Disabled);
    assert_eq!(status(device.user("U2")).await, EnrollmentStatus::Enrolled);
    assert_eq!(status(device.id()).await, EnrollmentStatus::Enrolled);

    // The device goes, and its users with it; twice is as once.
    for _ in 0..2 {
        let response = device.check_in(&service, &check_out("")).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(status(device.id()).await, EnrollmentStatus::Disabled);
        assert_eq!(status(device.user("U2")).await, EnrollmentStatus::Disabled);
    }
    // A late message of a user brings nobody back.
    let late = device
        .check_in(&service, &token_update(&user_id("U2")))
        .await;
    assert_eq!(late.status(), StatusCode::FORBIDDEN);
    assert_eq!(status(device.user("U2")).await, EnrollmentStatus::Disabled);

    let events = told(&store).await;
    let gone = events
        .iter()
        .filter(|event| event.kind == EventKind::CheckedOut);
    assert_eq!(gone.count(), 2);
}

#[tokio::test]
async fn q14_a_device_comes_back_without_ever_having_checked_out() {
    let store = Shared::default();
    let service = builder(&store).pins(NamedInCertificate::new()).build();
    // Wiped: the same UDID, with a new identity and a profile of its own. It need not be in Setup Assistant.
    let [before, after] = [Device::new("D1"), Device::new("D1")];
    for (device, invitation) in [(&before, "first"), (&after, "second")] {
        invite(&store, invitation, |_| {}).await;
        let response = authenticate_as(device, &service, "C02SERVICE", invitation).await;
        assert_eq!(response.status(), StatusCode::OK);
        let response = device.check_in(&service, &token_update("")).await;
        assert_eq!(response.status(), StatusCode::OK);
        if invitation == "first" {
            device.log_in(&service, "U1").await;
            enqueue(&service, &device.id(), "c-1").await;
        }
    }
    let found = state(&store, &after.id()).await;
    assert_eq!(
        found.certificate,
        Some(Fingerprint::of(&after.certificate).unwrap())
    );
    assert_eq!(found.token_update_tally, 1);
    assert_eq!(
        state(&store, &after.user("U1")).await.status,
        EnrollmentStatus::Disabled
    );
    assert_eq!(after.idle(&service).await, None);
}

#[tokio::test]
async fn q15_a_user_who_logs_in_is_not_managed_this_time() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let response = device
        .check_in(&service, &message("UserAuthenticate", &user_id("U1")))
        .await;
    assert_eq!(response.status(), StatusCode::GONE);
    assert!(response.body().is_empty());
}

#[derive(Debug)]
struct Challenge;

#[async_trait]
impl CheckInExtension for Challenge {
    async fn answer(&self, sender: &Sender, message: &CheckIn) -> Option<Response<Bytes>> {
        let CheckIn::UserAuthenticate(_) = message else {
            return None;
        };
        Some(Response::new(Bytes::from(sender.id.to_string())))
    }
}

#[tokio::test]
async fn an_extension_answers_what_it_wants_to_and_only_the_enrolled() {
    let store = Shared::default();
    let service = builder(&store).extension(Challenge).build();
    let device = Device::new("D1");
    let authenticate_user = message("UserAuthenticate", &user_id("U1"));
    let stranger = device.check_in(&service, &authenticate_user).await;
    assert_eq!(stranger.status(), StatusCode::FORBIDDEN);
    device.enroll(&service).await;
    let answered = device.check_in(&service, &authenticate_user).await;
    assert_eq!(answered.body(), "user:D1:U1");
    let left_alone = device
        .check_in(&service, &message("GetBootstrapToken", ""))
        .await;
    assert_eq!(left_alone.status(), StatusCode::OK);
}
