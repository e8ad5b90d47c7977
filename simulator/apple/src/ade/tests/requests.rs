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

#[test]
fn every_rule_of_a_profile_has_its_code_over_http() {
    let mut service = Service::with(|config| config.legacy_profile_rules = true);
    let mut profile = json!({"profile_name": "n", "url": "https://a.example"});
    service.refused("POST", "/profile", &profile, 400, "DEPARTMENT_REQUIRED");
    profile["department"] = "IT".into();
    service.refused("POST", "/profile", &profile, 400, "SUPPORT_PHONE_REQUIRED");
    profile["support_phone_number"] = "1".into();
    service.ok("POST", "/profile", &profile);
    profile["is_mdm_removable"] = false.into();
    service.refused("POST", "/profile", &profile, 400, "FLAGS_INVALID");
}

#[test]
fn beta_tokens_come_if_the_seed_is_on() {
    let mut service = Service::new();
    let path = "/os-beta-enrollment/tokens";
    let answer = service.ok("GET", path, &Value::Null);
    assert_eq!(answer["betaEnrollmentTokens"][0]["os"], "iOS");
    assert!(answer.get("seedBuildTokens").is_none());
    service
        .apple
        .configure(|config| config.shapes.seed_build_tokens = true);
    assert_eq!(
        service.ok("GET", path, &Value::Null)["seedBuildTokens"],
        json!([])
    );
    service.apple.configure(|config| config.seed_for_it = false);
    service.refused(
        "GET",
        path,
        &Value::Null,
        403,
        "APPLE_SEED_FOR_IT_TURNED_OFF",
    );
}

#[test]
fn the_discovery_url_is_set_shown_and_forgotten() {
    let mut service = Service::new();
    let path = "/account-driven-enrollment/profile";
    service.refused("GET", path, &Value::Null, 404, "NOT_FOUND");
    for (body, code) in [
        (json!({}), "MDM_SERVICE_DISCOVERY_URL_REQUIRED"),
        (
            json!({"mdm_service_discovery_url": ""}),
            "MDM_SERVICE_DISCOVERY_URL_REQUIRED",
        ),
        (
            json!({"mdm_service_discovery_url": "http://a.example"}),
            "MDM_SERVICE_DISCOVERY_URL_NOT_VALID",
        ),
        (
            json!({"mdm_service_discovery_url": 5}),
            "MDM_SERVICE_DISCOVERY_URL_NOT_VALID",
        ),
    ] {
        service.refused("POST", path, &body, 400, code);
    }
    let body = json!({"mdm_service_discovery_url": "https://a.example/d"});
    assert_eq!(service.call("POST", path, &body), (200, String::new()));
    let shown = service.ok("GET", path, &Value::Null);
    assert_eq!(
        shown,
        json!({
            "mdm_service_discovery_url": "https://a.example/d",
            "last_updated_timestamp": "2026-01-02T03:04:05Z",
        })
    );
    assert_eq!(service.call("DELETE", path, &Value::Null).0, 200);
    service.refused("GET", path, &Value::Null, 404, "NOT_FOUND");
    service
        .apple
        .configure(|config| config.account_driven_enrollment = false);
    for method in ["GET", "DELETE"] {
        service.refused(method, path, &Value::Null, 400, "ORG_NOT_SUPPORTED");
    }
    service.refused("POST", path, &body, 400, "ORG_NOT_SUPPORTED");
}

#[test]
fn each_roster_is_walked_and_synced() {
    for (roster, path, key) in [
        (Roster::Class, "/roster/class", "classes"),
        (Roster::Course, "/roster/class/course", "courses"),
        (Roster::Person, "/roster/class/person", "persons"),
        (Roster::Location, "/roster/class/location", "locations"),
    ] {
        let mut service = Service::new();
        let entry = |id: &str| json!({"source_system_identifier": id});
        for id in ["b", "a", "c"] {
            service.apple.put_roster(roster, entry(id));
        }
        let page = service.ok("POST", path, &json!({"limit": 2}));
        assert_eq!(page[key], json!([entry("a"), entry("b")]));
        assert_eq!(page["more_to_follow"], true);
        let page = service.ok("POST", path, &json!({"cursor": cursor(&page)}));
        assert_eq!(
            (&page[key], &page["more_to_follow"]),
            (&json!([entry("c")]), &json!(false))
        );
        let end = json!({"cursor": cursor(&page)});
        service.refused("POST", path, &end, 400, "EXHAUSTED_CURSOR");

        let sync = format!("{path}/sync");
        service.refused("POST", &sync, &json!({}), 400, "CURSOR_REQUIRED");
        service.apple.put_roster(roster, entry("a"));
        assert!(service.apple.remove_roster(roster, "b"));
        assert!(!service.apple.remove_roster(roster, "b"));
        let changes = service.ok("POST", &sync, &end);
        assert_eq!(changes[key][0]["op_type"], "modified");
        assert_eq!(changes[key][1]["op_type"], "deleted");
        let cursor = json!({"cursor": cursor(&changes)});
        assert_eq!(service.ok("POST", &sync, &cursor)[key], json!([]));
        let long = json!({"cursor": "x".repeat(513)});
        service.refused("POST", &sync, &long, 400, "INVALID_CURSOR");
        // Nobody else's cursor.
        service.refused("POST", "/devices/sync", &cursor, 400, "INVALID_CURSOR");
        let foreign = json!({"cursor": service.caught_up()});
        service.refused("POST", &sync, &foreign, 400, "INVALID_CURSOR");
        service.clock.advance(Duration::from_secs(7 * 86_400 + 1));
        service.enter();
        service.refused("POST", &sync, &end, 400, "EXPIRED_CURSOR");
    }
}

#[tokio::test]
async fn several_sockets_share_a_service() {
    let service = AdeService::new(Config::default()).unwrap();
    let secure = FakeAde::serve(service.clone(), Listen::default())
        .await
        .unwrap();
    let plain = Listen::default().with(|listen| listen.plain = true);
    let plain = FakeAde::serve(service, plain).await.unwrap();
    assert!(secure.url().starts_with("https://") && plain.url().starts_with("http://"));
    plain.add_devices(3, 1);
    assert_eq!(secure.device_count(), 3);
    plain.shutdown().await;
}

#[test]
fn a_request_that_was_on_no_wire_is_signed_for_its_own_uri() {
    let mut service = Service::new();
    let absolute = |header: &str| {
        let mut request = session_request(Some(header));
        request.headers_mut().remove("host");
        *request.uri_mut() = "https://localhost:4433/session".parse().unwrap();
        request
    };
    let header = service.header(|_| {});
    assert_eq!(service.send(absolute(&header)).0, 200);
    // Over plain HTTP the same signature is another one's.
    let header = service.header(|_| {});
    let mut plain = session_request(Some(&header));
    plain.extensions_mut().insert(PlainHttp);
    assert_eq!(service.send(plain), (401, "signature_invalid".to_owned()));
}
