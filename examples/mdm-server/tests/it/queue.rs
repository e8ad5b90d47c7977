//! Commands through the admin API.

use http::{Method, StatusCode};
use serde_json::json;

use crate::world::{TOKEN, World, id};

#[tokio::test]
async fn commands_are_queued_answered_listed_and_taken_back() {
    let world = World::new().await;
    let server = world.start("data");
    let mut device = world.enroll(&server, "C02MS0000001").await;
    world.call(&mut device).await;
    let name = id(&device);
    let commands = format!("/v1/enrollments/{name}/commands");

    let command = json!({
        "enrollments": [name, "device:nobody"], "request_type": "DeviceInformation",
        "keys": {"Queries": ["OSVersion"]}, "command_uuid": "C-1", "key": "once",
    });
    let queued = server.post("/v1/commands", &command).await;
    assert_eq!(queued["command_uuid"], "C-1");
    assert_eq!(queued["outcomes"][0]["outcome"], "queued");
    assert_eq!(queued["outcomes"][1]["outcome"], "not_enrolled");
    let again = json!({
        "enrollments": [name], "request_type": "DeviceInformation",
        "keys": {"Queries": ["OSVersion"]}, "key": "once",
    });
    let merged = server.post("/v1/commands", &again).await;
    assert_eq!(merged["outcomes"][0]["command_uuid"], "C-1");

    assert_eq!(world.call(&mut device).await, ["DeviceInformation"]);
    let answered = server.get(&format!("{commands}/C-1")).await;
    assert_eq!(answered["state"], "settled");
    assert_eq!(answered["status"], "Acknowledged");
    assert!(
        answered["result"]["QueryResponses"]["OSVersion"].is_string(),
        "{answered}"
    );

    for uuid in ["C-2", "C-3", "C-4"] {
        let command = json!({
            "enrollments": [name], "request_type": "ProfileList", "command_uuid": uuid,
        });
        server.post("/v1/commands", &command).await;
    }
    let cancelled = server.delete(&format!("{commands}/C-2")).await;
    assert_eq!(cancelled["cancelled"], 1);
    assert_eq!(
        server.delete(&format!("{commands}/C-2")).await["cancelled"],
        0
    );
    assert_eq!(server.delete(&commands).await["cancelled"], 2);
    let waiting = server.get(&format!("{commands}?waiting=true")).await;
    assert!(waiting["commands"].as_array().unwrap().is_empty());
    let first = server.get(&format!("{commands}?limit=2")).await;
    let rest = server
        .get(&format!("{commands}?after={}", first["next"]))
        .await;
    let uuids = |page: &serde_json::Value| -> Vec<String> {
        let listed = page["commands"].as_array().unwrap().iter();
        listed
            .map(|it| it["command_uuid"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(uuids(&first)[1], "C-1");
    assert_eq!(uuids(&rest), ["C-2", "C-3", "C-4"]);

    for body in [
        json!({"enrollments": [name]}),
        json!({"enrollments": [], "request_type": "ProfileList"}),
        json!({"enrollments": ["nobody"], "request_type": "ProfileList"}),
        json!({"enrollments": [name], "plist_base64": "AAAA"}),
        json!({"enrollments": [name], "request_type": "ProfileList", "keys": {"a": null}}),
    ] {
        let (status, _) = server
            .ask(Method::POST, "/v1/commands", TOKEN, Some(&body))
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{body}");
    }
}

#[tokio::test]
async fn a_pin_is_in_escrow_and_a_retired_device_is_let_go_without_a_word() {
    let world = World::new().await;
    let server = world.start("data");
    let mut device = world.enroll(&server, "C02MS0000001").await;
    let name = id(&device);
    let command = json!({
        "enrollments": [name], "request_type": "DeviceLock", "keys": {"PIN": "314159"},
    });
    let queued = server.post("/v1/commands", &command).await;
    assert_eq!(queued["outcomes"][0]["outcome"], "queued", "{queued}");
    let escrow = server.get(&format!("/v1/enrollments/{name}/escrow")).await;
    assert_eq!(escrow["entries"][0]["value"], "314159");

    let path = format!("/v1/enrollments/{name}/retire");
    assert_eq!(server.post(&path, &json!({})).await["status"], "disabled");
    let waiting = format!("/v1/enrollments/{name}/commands?waiting=true");
    let waiting = server.get(&waiting).await;
    assert!(waiting["commands"].as_array().unwrap().is_empty());
    assert!(device.poll().await.unwrap().is_empty());
    let (_, log) = server.stop();
    assert!(
        log.contains("escrow was read") && !log.contains("314159"),
        "{log}"
    );
}

#[tokio::test]
async fn metrics_tell_what_was_answered() {
    let world = World::new().await;
    let server = world.start("data");
    world.enroll(&server, "C02MS0000001").await;
    let (status, text) = server.ask(Method::GET, "/metrics", TOKEN, None).await;
    assert_eq!(status, StatusCode::OK);
    let text = String::from_utf8(text.to_vec()).unwrap();
    for sample in [
        "mdm_responses_total{endpoint=\"mdm\",status=\"200\"} 2",
        "mdm_responses_total{endpoint=\"enroll\",status=\"200\"} 1",
        "mdm_push_certificate_expiry_timestamp_seconds ",
        "mdm_events_waiting{subscriber=\"inventory\"} ",
    ] {
        assert!(text.contains(sample), "{sample}\n{text}");
    }
}
