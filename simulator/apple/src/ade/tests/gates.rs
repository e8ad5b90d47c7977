//! Who gets in: user agent, OAuth, session, terms.

use super::*;

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
    service.token["access_secret"] = "AS_wrong".into();
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
        let then = (service.clock.now() + TimeDelta::seconds(off))
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
    service.clock.advance(Duration::from_secs(179));
    assert_eq!(service.call("GET", "/account", &Value::Null).0, 200);
    service.clock.advance(Duration::from_secs(1));
    assert_eq!(service.call("GET", "/account", &Value::Null).0, 401);
}

#[test]
fn sessions_may_be_limited_by_the_minute() {
    let mut service = Service::with(|config| config.sessions_per_minute = Some(2));
    assert_eq!(service.open(|_| {}).0, 200);
    let too_many = (429, "too_many_requests".to_owned());
    assert_eq!(service.open(|_| {}), too_many);
    service.clock.advance(Duration::from_secs(60));
    assert_eq!(service.open(|_| {}).0, 200);
}
