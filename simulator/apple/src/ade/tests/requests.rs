//! Methods, paths and bodies; the endpoints that are not about lists of devices; the log of
//! requests.

use super::*;

#[test]
fn methods_paths_and_bodies_are_checked() {
    let mut service = Service::new();
    for (method, path, body, status, code) in [
        ("GET", "/devices/sync", Value::Null, 405, "invalid_method"),
        ("PATCH", "/profile", json!({}), 405, "invalid_method"),
        ("GET", "/nowhere", Value::Null, 404, "NOT_FOUND"),
        (
            "POST",
            "/server/devices",
            json!([]),
            400,
            "MALFORMED_REQUEST_BODY",
        ),
        (
            "POST",
            "/server/devices",
            json!({"limit": "ten"}),
            400,
            "MALFORMED_REQUEST_BODY",
        ),
        (
            "POST",
            "/server/devices",
            json!({"cursor": 5}),
            400,
            "MALFORMED_REQUEST_BODY",
        ),
        ("POST", "/devices/sync", json!({}), 400, "CURSOR_REQUIRED"),
        (
            "POST",
            "/devices/sync",
            json!({"cursor": ""}),
            400,
            "CURSOR_REQUIRED",
        ),
        (
            "POST",
            "/devices/sync",
            json!({"cursor": "x".repeat(1001)}),
            400,
            "INVALID_CURSOR",
        ),
        ("GET", "/roster/class", Value::Null, 405, "invalid_method"),
        ("POST", "/devices", json!({}), 400, "DEVICE_ID_REQUIRED"),
        (
            "POST",
            "/devices",
            json!({"devices": [5]}),
            400,
            "MALFORMED_REQUEST_BODY",
        ),
        (
            "POST",
            "/profile/devices",
            json!({"devices": ["A"]}),
            400,
            "PROFILE_UUID_REQUIRED",
        ),
        (
            "POST",
            "/profile/devices",
            json!({"profile_uuid": "X"}),
            400,
            "DEVICE_ID_REQUIRED",
        ),
        (
            "PUT",
            "/profile/devices",
            json!({"profile_uuid": "X", "devices": []}),
            400,
            "DEVICE_ID_REQUIRED",
        ),
        (
            "PUT",
            "/profile/devices",
            json!({"profile_uuid": "X", "devices": ["A"]}),
            400,
            "PROFILE_NOT_FOUND",
        ),
        (
            "POST",
            "/profile/devices",
            json!({"profile_uuid": "X", "devices": vec!["A"; 1001]}),
            400,
            "MALFORMED_REQUEST_BODY",
        ),
        (
            "DELETE",
            "/profile/devices",
            json!({"devices": []}),
            400,
            "DEVICE_ID_REQUIRED",
        ),
        ("GET", "/profile", Value::Null, 400, "PROFILE_UUID_REQUIRED"),
        (
            "GET",
            "/profile?profile_uuid=X",
            Value::Null,
            400,
            "PROFILE_NOT_FOUND",
        ),
        (
            "POST",
            "/profile",
            json!({"url": "https://a"}),
            400,
            "CONFIG_NAME_REQUIRED",
        ),
    ] {
        let answer = service.call(method, path, &body);
        assert_eq!(answer, (status, code.to_owned()), "{method} {path} {body}");
    }
    let garbage = Request::builder()
        .method(Method::POST)
        .uri("/devices/sync")
        .header("user-agent", "test/1")
        .header("x-adm-auth-session", &service.session)
        .body(Bytes::from_static(b"{\"cursor\":"))
        .unwrap();
    assert_eq!(
        service.send(garbage),
        (400, "MALFORMED_REQUEST_BODY".to_owned())
    );
}

#[test]
fn requests_are_counted_and_the_latest_are_kept() {
    let mut service = Service::with(|config| {
        config.kept_exchanges = 2;
        config.keep_serials = true;
    });
    service.add(&["A"]);
    service.clock.advance(Duration::from_secs(5));
    service.ok("POST", "/devices", &json!({"devices": ["A", "B"]}));
    service.refused("GET", "/nowhere", &Value::Null, 404, "NOT_FOUND");
    service.apple.fault(Fault::HangUp { times: 1 });
    service.call("GET", "/account", &Value::Null);

    let traffic = service.apple.traffic();
    assert_eq!((traffic.total.requests, traffic.total.refused), (4, 1));
    assert_eq!((traffic.total.hung_up, traffic.total.named), (1, 2));
    assert_eq!(traffic.path("/devices").named, 2);
    assert_eq!(traffic.path("other").refused, 1);
    assert_eq!(service.apple.count("/session"), 1);
    let kept = service.apple.exchanges();
    let seen: Vec<_> = kept
        .iter()
        .map(|e| (e.number, e.path.as_str(), e.status))
        .collect();
    assert_eq!(seen, [(3, "/nowhere", 404), (4, "/account", 0)]);
    assert_eq!(kept[0].at, service.clock.now());
    service.ok("POST", "/devices", &json!({"devices": ["A", "B"]}));
    assert_eq!(service.apple.exchanges()[1].serials, ["A", "B"]);
}
