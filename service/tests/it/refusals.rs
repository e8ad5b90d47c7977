//! What is not taken, with which status, and that it leaves no trace.

use bytes::Bytes;
use http::{Method, Response, StatusCode};
use mdm_service::{EnrollmentStatus, Limits, queue::CommandState, store::EnrollmentStore};

use crate::{device::*, faulty::Faulty};

fn assert_bare(response: &Response<Bytes>, status: StatusCode) {
    assert_eq!(response.status(), status);
    assert!(response.body().is_empty());
}

#[tokio::test]
async fn what_is_malformed_is_answered_400() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let nobody =
        "<plist version=\"1.0\"><dict><key>Status</key><string>Idle</string></dict></plist>";
    let no_uuid = device.plist("<key>Status</key><string>Acknowledged</string>");
    for body in ["", "hello", "<plist>", "bplist00", nobody, &no_uuid] {
        for content_type in [CHECK_IN, REPORT] {
            let response = service.handle(device.request(content_type, body)).await;
            assert_bare(&response, StatusCode::BAD_REQUEST);
        }
    }
    let on_user_channel = format!("{}{}", authenticate(), user_id("U1"));
    let response = device.check_in(&service, &on_user_channel).await;
    // `Authenticate` knows no user: it is the device's.
    assert_bare(&response, StatusCode::OK);
}

#[tokio::test]
async fn only_put_is_answered() {
    let (service, _) = service();
    let device = Device::new("D1");
    for method in [Method::GET, Method::POST, Method::DELETE] {
        for content_type in [CHECK_IN, REPORT] {
            let mut request = device.request(content_type, device.plist(&authenticate()));
            *request.method_mut() = method.clone();
            let response = service.handle(request).await;
            assert_bare(&response, StatusCode::METHOD_NOT_ALLOWED);
            assert_eq!(response.headers()["allow"], "PUT");
        }
    }
}

#[tokio::test]
async fn what_is_over_the_limits_is_answered_413_and_at_the_limit_it_is_taken() {
    let device = Device::new("D1");
    let check_in = device.plist(&authenticate());
    let report = device.plist(IDLE);
    for (over, expected) in [(0, StatusCode::OK), (1, StatusCode::PAYLOAD_TOO_LARGE)] {
        let store = Shared::default();
        let limits = Limits::default().with(|limits| {
            limits.check_in_bytes = check_in.len() - over;
            limits.report_bytes = report.len() - over;
        });
        builder(&store)
            .build()
            .handle(device.request(CHECK_IN, check_in.clone()))
            .await;
        let service = builder(&store).limits(limits).build();
        for (content_type, body) in [(CHECK_IN, &check_in), (REPORT, &report)] {
            let response = service
                .handle(device.request(content_type, body.clone()))
                .await;
            assert_bare(&response, expected);
        }
    }
}

#[tokio::test]
async fn q04_a_certificate_that_is_not_pinned_is_answered_403_and_changes_nothing() {
    let (service, store) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    device.log_in(&service, "U1").await;
    enqueue(&service, &device.id(), "c-1").await;
    let before = state(&store, &device.id()).await;

    // Ours issued it, it says that it is D1, and it is somebody else's.
    let impostor = Device::new("D1");
    let other = Device::new("D2");
    other.enroll(&service).await;
    let pretending = Device {
        udid: "D1".to_owned(),
        ..other
    };
    for stranger in [&impostor, &pretending] {
        for keys in [
            token_update(""),
            token_update(&user_id("U1")),
            check_out(""),
            check_out(&user_id("U1")),
            message("GetBootstrapToken", ""),
            message(
                "SetBootstrapToken",
                "<key>BootstrapToken</key><data>AA==</data>",
            ),
            message("UserAuthenticate", &user_id("U1")),
            message("ReturnToService", ""),
        ] {
            let response = stranger.check_in(&service, &keys).await;
            assert_bare(&response, StatusCode::FORBIDDEN);
        }
        for keys in [
            IDLE.to_owned(),
            result("c-1", "Acknowledged"),
            result("c-1", "NotNow"),
        ] {
            assert_bare(
                &stranger.report(&service, &keys).await,
                StatusCode::FORBIDDEN,
            );
        }
    }
    // Nor may it take the device over while it is pinned to another one.
    let response = pretending.check_in(&service, &authenticate()).await;
    assert_bare(&response, StatusCode::FORBIDDEN);

    assert_eq!(state(&store, &device.id()).await, before);
    assert_eq!(
        state(&store, &device.user("U1")).await.status,
        EnrollmentStatus::Enrolled
    );
    assert_eq!(device.idle(&service).await.as_deref(), Some("c-1"));
}

#[tokio::test]
async fn a_device_that_never_enrolled_is_answered_403() {
    let (service, store) = service();
    let device = Device::new("D1");
    for keys in [
        token_update(""),
        check_out(""),
        message("GetBootstrapToken", ""),
    ] {
        assert_bare(
            &device.check_in(&service, &keys).await,
            StatusCode::FORBIDDEN,
        );
    }
    assert_bare(&device.report(&service, IDLE).await, StatusCode::FORBIDDEN);
    assert_eq!(store.enrollment(&device.id()).await.unwrap(), None);
}

#[tokio::test]
async fn a_store_that_fails_is_answered_503_with_retry_after_and_nothing_is_recorded() {
    let store = Shared::default();
    let faulty = Faulty::new(&store);
    let service = faulty.service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    enqueue(&service, &device.id(), "c-1").await;
    let before = state(&store, &device.id()).await;

    faulty.fail(true);
    for keys in [
        authenticate(),
        token_update(""),
        check_out(""),
        message("GetBootstrapToken", ""),
    ] {
        let response = device.check_in(&service, &keys).await;
        assert_bare(&response, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "7");
    }
    for keys in [
        IDLE.to_owned(),
        result("c-1", "Acknowledged"),
        result("c-1", "NotNow"),
    ] {
        let response = device.report(&service, &keys).await;
        assert_bare(&response, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "7");
    }
    faulty.fail(false);
    assert_eq!(state(&store, &device.id()).await, before);
    let record = service.command(&device.id(), "c-1").await.unwrap().unwrap();
    assert_eq!(record.state, CommandState::Queued);
    // The device repeats itself and is served.
    assert_eq!(device.answer(&service, "c-1", "Acknowledged").await, None);
}

#[tokio::test]
async fn a_conflict_is_decided_again_and_a_lasting_one_is_answered_503() {
    let store = Shared::default();
    let faulty = Faulty::new(&store);
    let service = faulty.service();
    let device = Device::new("D1");
    faulty.conflict(7);
    assert_bare(
        &device.check_in(&service, &authenticate()).await,
        StatusCode::OK,
    );
    faulty.conflict(1000);
    let response = device.check_in(&service, &token_update("")).await;
    assert_bare(&response, StatusCode::SERVICE_UNAVAILABLE);
    faulty.conflict(0);
    assert_bare(
        &device.check_in(&service, &token_update("")).await,
        StatusCode::OK,
    );
}

/// 401 and the body `com.apple.unrecognized.device` make a device unenrol: whatever happens, neither
/// is sent.
#[tokio::test]
async fn nothing_ever_unenrols_a_device() {
    let store = Shared::default();
    let faulty = Faulty::new(&store);
    let service = faulty.service();
    let device = Device::new("D1");
    let foreign = Device::issued_by(&Authority::new("Other CA"), "D1");
    device.enroll(&service).await;
    for fail in [false, true] {
        faulty.fail(fail);
        for sender in [&device, &foreign, &Device::new("D1"), &Device::new("D2")] {
            for keys in [
                token_update(""),
                message("GetToken", "<key>TokenServiceType</key><string>x</string>"),
                message("Levitate", ""),
                String::new(),
                IDLE.to_owned(),
                result("c-1", "Error"),
                check_out(""),
            ] {
                for content_type in [CHECK_IN, REPORT] {
                    let request = sender.request(content_type, sender.plist(&keys));
                    let response = service.handle(request).await;
                    assert_ne!(response.status(), StatusCode::UNAUTHORIZED);
                    assert!(response.body().is_empty());
                }
            }
        }
    }
}
