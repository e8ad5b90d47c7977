//! What the service refuses, request by request. A signature is made here from the RFC's words
//! once more, so that the verifier is not its own judge.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use chrono::TimeDelta;
use http::{Method, Request};
use mdm_pki::DigestAlgorithm;
use serde_json::json;

use super::*;

const JSON: &str = "application/json;charset=UTF8";

struct Service {
    state: State,
    key: [String; 4],
    session: String,
    nonces: u32,
}

impl Service {
    fn new() -> Self {
        let mut state = State::new(Config::default()).unwrap();
        let key = state.credentials.renew().unwrap().values();
        let mut service = Self {
            state,
            key,
            session: String::new(),
            nonces: 0,
        };
        let (status, body) = service.open(|_| {});
        assert_eq!(status, 200);
        let answer: Value = serde_json::from_str(&body).unwrap();
        service.session = answer["auth_session_token"].as_str().unwrap().to_owned();
        service
    }

    fn send(&mut self, request: Request<Bytes>) -> (u16, String) {
        let response = routes::answer(&mut self.state, &request);
        let body = String::from_utf8(response.body().to_vec()).unwrap();
        (response.status().as_u16(), body)
    }

    /// `GET /session`, with the OAuth parameters as `change` leaves them.
    fn open(&mut self, change: impl FnOnce(&mut Vec<(String, String)>)) -> (u16, String) {
        let header = self.header(change);
        self.send(session_request(Some(&header)))
    }

    fn header(&mut self, change: impl FnOnce(&mut Vec<(String, String)>)) -> String {
        self.nonces += 1;
        let [consumer_key, consumer_secret, token, token_secret] = self.key.clone();
        let mut parameters: Vec<(String, String)> = [
            ("oauth_consumer_key", consumer_key),
            ("oauth_nonce", format!("nonce{}", self.nonces)),
            ("oauth_signature_method", "HMAC-SHA1".to_owned()),
            ("oauth_timestamp", Utc::now().timestamp().to_string()),
            ("oauth_token", token),
            ("oauth_version", "1.0".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        change(&mut parameters);
        parameters.sort();
        // None of these values needs escaping on its own.
        let normalized: Vec<_> = parameters
            .iter()
            .map(|(n, v)| format!("{n}%3D{v}"))
            .collect();
        let base = format!(
            "GET&https%3A%2F%2Flocalhost%3A4433%2Fsession&{}",
            normalized.join("%26")
        );
        let key = format!("{consumer_secret}&{token_secret}");
        let mac = mdm_pki::hmac(DigestAlgorithm::Sha1, key.as_bytes(), base.as_bytes()).unwrap();
        let signature = STANDARD
            .encode(mac)
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        if !parameters.iter().any(|(name, _)| name == "oauth_signature") {
            parameters.push(("oauth_signature".to_owned(), signature));
        }
        let shown: Vec<_> = parameters
            .iter()
            .map(|(n, v)| format!("{n}=\"{v}\""))
            .collect();
        format!("OAuth realm=\"ADM\", {}", shown.join(", "))
    }

    fn call(&mut self, method: &str, path: &str, body: &Value) -> (u16, String) {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("user-agent", "test/1")
            .header("content-type", JSON)
            .header("x-server-protocol-version", "10")
            .header("x-adm-auth-session", &self.session)
            .body(Bytes::from(body.to_string()))
            .unwrap();
        self.send(request)
    }
}

fn session_request(authorization: Option<&str>) -> Request<Bytes> {
    let mut request = Request::get("/session")
        .header("host", "localhost:4433")
        .header("user-agent", "test/1")
        .header("content-type", JSON);
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    request.body(Bytes::new()).unwrap()
}

fn set(name: &str, value: impl Into<String>) -> impl FnOnce(&mut Vec<(String, String)>) {
    let (name, value) = (name.to_owned(), value.into());
    move |parameters| {
        parameters.retain(|(known, _)| *known != name);
        parameters.push((name, value));
    }
}

fn without(name: &'static str) -> impl FnOnce(&mut Vec<(String, String)>) {
    move |parameters| parameters.retain(|(known, _)| known != name)
}

#[test]
fn the_session_wants_every_oauth_parameter_once_and_no_other() {
    let bad = (400, "oauth_problem_adviceBad Request".to_owned());
    let mut service = Service::new();
    for name in [
        "oauth_consumer_key",
        "oauth_nonce",
        "oauth_signature_method",
        "oauth_timestamp",
        "oauth_token",
    ] {
        assert_eq!(service.open(without(name)), bad, "{name}");
    }
    assert_eq!(service.open(without("oauth_version")).0, 200);
    assert_eq!(service.open(set("oauth_version", "2.0")), bad);
    assert_eq!(
        service.open(set("oauth_signature_method", "PLAINTEXT")),
        bad
    );
    assert_eq!(service.open(set("oauth_callback", "oob")), bad);
    let twice = |parameters: &mut Vec<(String, String)>| parameters.push(parameters[0].clone());
    assert_eq!(service.open(twice), bad);
    assert_eq!(service.send(session_request(None)), bad);
    assert_eq!(service.send(session_request(Some("Bearer x"))), bad);
    assert_eq!(service.send(session_request(Some("OAuth nonsense"))), bad);
}

#[test]
fn the_session_wants_the_right_key_token_and_signature() {
    let mut service = Service::new();
    let unauthorized = (401, "oauth_problem_adviceUnauthorized".to_owned());
    assert_eq!(
        service.open(set("oauth_consumer_key", "CK_other")),
        unauthorized
    );
    assert_eq!(service.open(set("oauth_token", "AT_other")), unauthorized);
    let invalid = (401, "signature_invalid".to_owned());
    assert_eq!(service.open(set("oauth_signature", "AAAA")), invalid);
    service.key[3].push('x');
    assert_eq!(service.open(|_| {}), invalid);
}

#[test]
fn a_nonce_counts_once_and_a_timestamp_is_near() {
    let mut service = Service::new();
    let unauthorized = (401, "oauth_problem_adviceUnauthorized".to_owned());
    let header = service.header(|_| {});
    assert_eq!(service.send(session_request(Some(&header))).0, 200);
    assert_eq!(service.send(session_request(Some(&header))), unauthorized);
    for (off, accepted) in [(-290, true), (290, true), (-310, false), (310, false)] {
        let then = (Utc::now() + TimeDelta::seconds(off))
            .timestamp()
            .to_string();
        let (status, _) = service.open(set("oauth_timestamp", then));
        assert_eq!(status == 200, accepted, "{off}");
    }
}

#[test]
fn a_wrong_signature_does_not_use_up_the_nonce() {
    let mut service = Service::new();
    let good = service.header(|_| {});
    let (before, _) = good.split_once("oauth_signature=").unwrap();
    let forged = format!("{before}oauth_signature=\"AAAA\"");
    assert_eq!(service.send(session_request(Some(&forged))).0, 401);
    assert_eq!(service.send(session_request(Some(&good))).0, 200);
}

#[test]
fn the_session_wants_the_content_type_to_the_letter() {
    let mut service = Service::new();
    for kind in [
        None,
        Some("application/json"),
        Some("application/json;charset=UTF-8"),
        Some("application/json; charset=UTF8"),
    ] {
        let header = service.header(|_| {});
        let mut request = session_request(Some(&header));
        request.headers_mut().remove("content-type");
        if let Some(kind) = kind {
            request
                .headers_mut()
                .insert("content-type", kind.parse().unwrap());
        }
        assert_eq!(service.send(request).0, 400, "{kind:?}");
    }
}

#[test]
fn no_request_passes_without_a_user_agent() {
    let mut service = Service::new();
    for path in ["/session", "/account", "/nowhere"] {
        let bare = Request::get(path).body(Bytes::new()).unwrap();
        assert_eq!(service.send(bare), (400, "USER_AGENT_MISSING".to_owned()));
        let blank = Request::get(path)
            .header("user-agent", " ")
            .body(Bytes::new())
            .unwrap();
        assert_eq!(service.send(blank), (400, "USER_AGENT_INVALID".to_owned()));
    }
}

#[test]
fn a_session_is_wanted_and_ends() {
    let mut service = Service::new();
    assert_eq!(service.call("GET", "/account", &Value::Null).0, 200);
    let session = std::mem::take(&mut service.session);
    assert_eq!(service.call("GET", "/account", &Value::Null).0, 401);
    service.session = "made-up".to_owned();
    assert_eq!(service.call("GET", "/account", &Value::Null).0, 401);
    service.session = session;
    let later = Utc::now() + TimeDelta::minutes(4);
    assert!(
        service
            .state
            .sessions
            .check(Some(&service.session), later)
            .is_err()
    );
    service
        .state
        .fault(Fault::DropSessions(SessionLoss::Forbidden));
    assert_eq!(
        service.call("GET", "/account", &Value::Null),
        (403, "FORBIDDEN".to_owned())
    );
}

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
        ("POST", "/devices", json!({}), 400, "DEVICE_ID_REQUIRED"),
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
fn a_cursor_lives_as_long_as_configured() {
    let mut service = Service::new();
    let (_, body) = service.call("POST", "/server/devices", &json!({}));
    let page: Value = serde_json::from_str(&body).unwrap();
    let cursor = page["cursor"].as_str().unwrap();
    let lifetime = service.state.config.cursor_lifetime;
    let after = |days| Utc::now() + TimeDelta::days(days);
    assert!(
        service
            .state
            .cursors
            .find(cursor, lifetime, after(6))
            .is_ok()
    );
    assert_eq!(
        service.state.cursors.find(cursor, lifetime, after(8)).err(),
        Some("EXPIRED_CURSOR")
    );
}

#[test]
fn a_profile_is_told_only_while_it_is_assigned() {
    let mut service = Service::new();
    let now = Utc::now();
    service
        .state
        .devices
        .add(json!({"serial_number": "A"}), now);
    let profile = json!({"profile_name": "n", "url": "https://a.example", "devices": ["A", "B"]});
    let (_, body) = service.call("POST", "/profile", &profile);
    let answer: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        answer["devices"],
        json!({"A": "SUCCESS", "B": "NOT_ACCESSIBLE"})
    );
    let told = service.state.device_profile("A", now).unwrap();
    assert_eq!(
        told,
        json!({"profile_name": "n", "url": "https://a.example"})
    );
    assert_eq!(
        service.state.devices.get("A").unwrap()["profile_status"],
        "pushed"
    );

    let uuid = answer["profile_uuid"].as_str().unwrap();
    let (_, shown) = service.call(
        "GET",
        &format!("/profile?profile_uuid={uuid}"),
        &Value::Null,
    );
    assert!(shown.contains(uuid) && !shown.contains("devices"));

    // Assigned to the same server again, the device has lost it.
    service
        .state
        .devices
        .add(json!({"serial_number": "A"}), now);
    assert_eq!(
        service.state.devices.get("A").unwrap()["profile_status"],
        "removed"
    );
    assert_eq!(service.state.device_profile("A", now), None);
    service.call(
        "POST",
        "/profile/devices",
        &json!({"profile_uuid": uuid, "devices": ["A"]}),
    );
    assert!(service.state.device_profile("A", now).is_some());
    service.call("DELETE", "/profile/devices", &json!({"devices": ["A"]}));
    assert_eq!(service.state.device_profile("A", now), None);
}

#[test]
fn every_change_has_a_later_time_than_the_one_before() {
    let mut service = Service::new();
    let now = Utc::now();
    for n in 0..5 {
        service
            .state
            .devices
            .add(json!({"serial_number": format!("S{n}")}), now);
    }
    let dates: Vec<_> = service
        .state
        .devices
        .changes(0, 10, 10)
        .iter()
        .map(|entry| entry["op_date"].as_str().unwrap().to_owned())
        .collect();
    assert!(dates.windows(2).all(|pair| pair[0] < pair[1]), "{dates:?}");
}

#[test]
fn a_device_without_a_serial_number_is_no_device() {
    let mut service = Service::new();
    for device in [json!({}), json!([]), json!({"serial_number": 5})] {
        service.state.devices.add(device, Utc::now());
    }
    assert!(service.state.devices.serials().is_empty());
}
