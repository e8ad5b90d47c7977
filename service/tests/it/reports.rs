//! The command endpoint.

use http::StatusCode;
use mdm_protocol::response::{DeviceInformationResponse, Envelope};
use mdm_service::queue::{CommandFilter, CommandState, Sequence};

use crate::device::*;

#[tokio::test]
async fn commands_are_offered_one_by_one_and_results_are_readable() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    for uuid in ["c-1", "c-2"] {
        enqueue(&service, &device.id(), uuid).await;
    }
    assert_eq!(device.idle(&service).await.as_deref(), Some("c-1"));
    // The answer was lost: the command is offered again.
    assert_eq!(device.idle(&service).await.as_deref(), Some("c-1"));
    let answer = format!(
        "{}<key>QueryResponses</key><dict><key>OSVersion</key><string>26.1</string></dict>",
        result("c-1", "Acknowledged")
    );
    let response = device.report(&service, &answer).await;
    assert_eq!(offered(&response).as_deref(), Some("c-2"));
    assert_eq!(
        response.headers()["content-type"],
        "application/xml; charset=UTF-8"
    );
    assert_eq!(device.answer(&service, "c-2", "Error").await, None);

    let record = service.command(&device.id(), "c-1").await.unwrap().unwrap();
    assert_eq!(record.command.request_type, "DeviceInformation");
    let CommandState::Settled {
        status, body, at, ..
    } = record.state
    else {
        panic!("{record:?}");
    };
    assert_eq!((status.as_str(), at), ("Acknowledged", now()));
    assert_eq!(body.as_ref(), device.plist(&answer).as_bytes());
    let envelope = Envelope::decode(body.as_ref()).unwrap();
    let result: DeviceInformationResponse = envelope.body().unwrap();
    let answers = result.query_responses.unwrap();
    assert_eq!(answers.os_version.as_deref(), Some("26.1"));
    let listed = service
        .commands(&device.id(), &CommandFilter::new(), Sequence::START, 10)
        .await
        .unwrap();
    assert_eq!(listed.len(), 2);
}

#[tokio::test]
async fn q17_not_now_waits_for_idle() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    for uuid in ["c-1", "c-2"] {
        enqueue(&service, &device.id(), uuid).await;
    }
    assert_eq!(
        device.answer(&service, "c-1", "NotNow").await.as_deref(),
        Some("c-2")
    );
    assert_eq!(device.answer(&service, "c-2", "Acknowledged").await, None);
    assert_eq!(device.idle(&service).await.as_deref(), Some("c-1"));
}

#[tokio::test]
async fn q17_any_final_status_settles_with_or_without_an_error_chain() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let partial = "<key>ErrorChain</key><array><dict><key>ErrorCode</key>\
                   <integer>12021</integer></dict><dict/></array>";
    for (uuid, status, more) in [
        ("c-1", "CommandFormatError", ""),
        ("c-2", "Error", partial),
        (
            "c-3",
            "Acknowledged",
            "<key>MessageResult</key><string>NoPasscodeSet</string>",
        ),
        ("c-4", "Postponed", ""),
        (
            "c-5",
            "Acknowledged",
            "<key>RequestType</key><string>Whatever</string>",
        ),
    ] {
        enqueue(&service, &device.id(), uuid).await;
        let keys = format!("{}{more}", result(uuid, status));
        assert_eq!(
            offered(&device.report(&service, &keys).await),
            None,
            "{uuid}"
        );
        let record = service.command(&device.id(), uuid).await.unwrap().unwrap();
        let CommandState::Settled { status: kept, .. } = record.state else {
            panic!("{record:?}");
        };
        assert_eq!(kept, status);
    }
}

#[tokio::test]
async fn q17_results_that_come_twice_or_from_nowhere_are_accepted() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    for uuid in ["c-1", "c-2"] {
        enqueue(&service, &device.id(), uuid).await;
    }
    for uuid in ["c-1", "c-1", "never-sent"] {
        let next = device.answer(&service, uuid, "Acknowledged").await;
        assert_eq!(next.as_deref(), Some("c-2"), "{uuid}");
    }
}

/// A NUL in a string, and worse: the command is settled, the bytes are kept, the queue moves on.
#[tokio::test]
async fn an_undecodable_result_settles_its_command() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let deep = format!(
        "<key>Deep</key>{}{}",
        "<array>".repeat(5000),
        "</array>".repeat(5000)
    );
    for (uuid, more) in [
        (
            "c-1",
            "<key>QueryResponses</key><dict><key>A</key><string>\0</string></dict>",
        ),
        (
            "c-2",
            "<key>QueryResponses</key><string>no dictionary</string>",
        ),
        ("c-3", deep.as_str()),
        (
            "c-4",
            "<key>QueryResponses</key><dict><key>A</key></string></dict>",
        ),
        (
            "c-5",
            "<key>QueryResponses</key><dict><key>A</key><data>!</data></dict>",
        ),
    ] {
        enqueue(&service, &device.id(), uuid).await;
        let body = device.plist(&format!("{}{more}", result(uuid, "Acknowledged")));
        let response = service.handle(device.request(REPORT, body.clone())).await;
        assert_eq!(response.status(), StatusCode::OK, "{uuid}");
        let record = service.command(&device.id(), uuid).await.unwrap().unwrap();
        let CommandState::Settled { body: kept, .. } = record.state else {
            panic!("{record:?}");
        };
        assert_eq!(kept.as_ref(), body.as_bytes());
    }
    assert_eq!(device.idle(&service).await, None);
}

/// Keys come sorted: what a result holds stands before the report's own `Status`.
#[tokio::test]
async fn an_undecodable_result_is_not_taken_for_the_idle_of_something_in_it() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    enqueue(&service, &device.id(), "c-1").await;
    let keys = "<key>CommandUUID</key><string>c-1</string><key>OSUpdateStatus</key><array><dict>\
        <key>Name</key></string><key>Status</key><string>Idle</string></dict></array>\
        <key>Status</key><string>Acknowledged</string>";
    assert_eq!(offered(&device.report(&service, keys).await), None);
    let record = service.command(&device.id(), "c-1").await.unwrap().unwrap();
    assert!(
        matches!(&record.state, CommandState::Settled { status, .. } if status == "Acknowledged")
    );
}

#[tokio::test]
async fn a_status_that_nobody_knows_is_kept_in_short() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    for (uuid, status, kept) in [
        ("c-1", "x".repeat(64), "x".repeat(64)),
        ("c-2", "x".repeat(100_000), "x".repeat(64)),
        ("c-3", format!("{}\u{e9}", "x".repeat(63)), "x".repeat(63)),
    ] {
        enqueue(&service, &device.id(), uuid).await;
        assert_eq!(device.answer(&service, uuid, &status).await, None);
        let record = service.command(&device.id(), uuid).await.unwrap().unwrap();
        assert!(
            matches!(&record.state, CommandState::Settled { status, .. } if *status == kept),
            "{uuid}"
        );
    }
}

#[tokio::test]
async fn a_user_has_a_queue_of_its_own() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    device.log_in(&service, "U1").await;
    enqueue(&service, &device.user("U1"), "c-1").await;
    assert_eq!(device.idle(&service).await, None);
    let keys = format!("{IDLE}{}", user_id("U1"));
    assert_eq!(
        offered(&device.report(&service, &keys).await).as_deref(),
        Some("c-1")
    );
    // A user who never logged in is answered all the same.
    let keys = format!("{IDLE}{}", user_id("U9"));
    assert_eq!(offered(&device.report(&service, &keys).await), None);
}
