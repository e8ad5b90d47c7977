//! Devices come, are managed, and go.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::world::{TOKEN, World, id};

#[tokio::test]
async fn a_device_enrols_by_a_link_is_asked_what_it_is_and_checks_out() {
    let world = World::new().await;
    let server = world.start("data");
    let mut device = world.enroll(&server, "C02MS0000001").await;
    let name = id(&device);

    // Nobody asked: the server wants to know by itself.
    assert_eq!(world.call(&mut device).await, ["DeviceInformation"]);
    let shown = server.get(&format!("/v1/enrollments/{name}")).await;
    assert_eq!(shown["status"], "enrolled");
    assert_eq!(shown["serial_number"], "C02MS0000001");
    assert!(shown["reported"]["is_supervised"].is_boolean(), "{shown}");

    let listed = server.get("/v1/devices").await;
    assert_eq!(listed["devices"][0]["enrollment"], *name);
    assert_eq!(listed["devices"][0]["status"], "enrolled");
    assert_eq!(listed["devices"].as_array().unwrap().len(), 1);

    device.check_out().await.unwrap();
    let shown = server.get(&format!("/v1/enrollments/{name}")).await;
    assert_eq!(shown["status"], "disabled");
    let (ended_well, log) = server.stop();
    assert!(ended_well, "{log}");
    assert!(log.contains("\"stopped\""), "{log}");
}

#[tokio::test]
async fn a_link_is_for_the_device_that_it_was_made_for() {
    let world = World::new().await;
    let server = world.start("data");
    let invitation = json!({ "serial_number": "C02MS0000001" });
    let link = server.post("/v1/invitations", &invitation).await;
    let (_, profile) = world.get(link["url"].as_str().unwrap()).await;
    let mut other = world.device("C02MS0000002");
    let activation = world.activation("").await;
    other
        .install_enrollment_profile(&profile, &activation)
        .unwrap();
    other.obtain_identity().await.unwrap();
    let refused = other.authenticate().await.unwrap_err();
    assert!(format!("{refused}").contains("403"), "{refused}");
    let (status, _) = world.get(&format!("{}/enroll/profile", world.url())).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn automated_enrolment_is_for_assigned_devices_unless_it_is_open() {
    let mut world = World::new().await;
    let server = world.start("data");
    let url = format!("{}/enroll/automated", world.url());
    let activation = world.activation(&url).await;
    let mut device = world.device("C02MS0000001");
    let refused = device.enroll(&activation).await.unwrap_err();
    assert!(format!("{refused}").contains("403"), "{refused}");
    let (_, log) = server.stop();
    assert!(log.contains("not-assigned"), "{log}");

    world.more = "enrollment.any_device = true".to_owned();
    let server = world.start("data");
    device.enroll(&activation).await.unwrap();
    assert_eq!(world.call(&mut device).await, ["DeviceInformation"]);
    let listed = server
        .get("/v1/enrollments?serial_number=C02MS0000001")
        .await;
    assert_eq!(listed["enrollments"][0]["id"], *id(&device));
}

#[tokio::test]
async fn the_admin_api_is_for_those_with_the_token() {
    let world = World::new().await;
    let server = world.start("data");
    for path in [
        "/v1/devices",
        "/v1/enrollments",
        "/metrics",
        "/v1/subscribers",
    ] {
        let (status, _) = server.ask(Method::GET, path, "another token", None).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["/", "/healthz", "/readyz", "/openapi.json"] {
        let (status, _) = server.ask(Method::GET, path, "", None).await;
        assert_eq!(status, StatusCode::OK, "{path}");
        let at_devices = format!("{}/v1/devices", world.url());
        assert_eq!(world.get(&at_devices).await.0, StatusCode::NOT_FOUND);
    }
    let (_, log) = server.stop();
    assert!(!log.contains("another token"));
}

#[tokio::test]
async fn whatever_the_admin_api_refuses_is_told_as_a_problem() {
    let world = World::new().await;
    let server = world.start("data");
    let foreign = json!({"no_such_key": 1});
    for (method, path, body, status) in [
        (Method::GET, "/v1/devices?no_such_key=1", None, 400),
        (Method::GET, "/v1/enrollments/nobody", None, 400),
        (Method::GET, "/v1/nothing", None, 404),
        (Method::PATCH, "/v1/devices", None, 405),
        (Method::POST, "/v1/invitations", Some(&foreign), 422),
    ] {
        let (found, answer) = server.ask(method, path, TOKEN, body).await;
        let problem: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(
            (found.as_u16(), &problem["status"]),
            (status, &json!(status)),
            "{path}"
        );
        assert!(
            problem["title"].is_string() && problem["detail"].is_string(),
            "{problem}"
        );
    }
}
