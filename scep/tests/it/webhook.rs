//! Somebody else decides.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{Request, Response};
use mdm_core::{ManualClock, Secret};
use mdm_pki::{DigestAlgorithm, hmac};
use mdm_scep::{
    Error, FailInfo, MemoryStore,
    challenge::webhook::{MAX_ANSWER, Webhook, WebhookKey},
};
use mdm_transport::{TransportError, TransportErrorKind, transport_fn};

use crate::world::{Raw, Setup, World, start};

const URL: &str = "https://decides.example.com/scep";

/// What the other side does when it is asked.
#[derive(Clone)]
enum Says {
    Body(u16, String),
    Fails,
    Nothing,
}

fn ok(body: &str) -> Says {
    Says::Body(200, body.to_owned())
}

/// What it was asked, and what it says next.
struct Other {
    asked: Arc<Mutex<Vec<Request<Bytes>>>>,
    says: Arc<Mutex<Says>>,
}

impl Other {
    fn world(says: Says) -> (World, Self) {
        Self::world_with(says, hmac_key())
    }

    fn world_with(says: Says, key: WebhookKey) -> (World, Self) {
        let other = Self {
            asked: Arc::default(),
            says: Arc::new(Mutex::new(says)),
        };
        let (asked, says) = (other.asked.clone(), other.says.clone());
        let transport = transport_fn(move |request: Request<Bytes>| {
            asked.lock().unwrap().push(request);
            let says = says.lock().unwrap().clone();
            async move {
                match says {
                    Says::Body(status, body) => Ok(Response::builder()
                        .status(status)
                        .body(body.into())
                        .unwrap()),
                    Says::Fails => Err(TransportError::from(TransportErrorKind::Refused)),
                    Says::Nothing => std::future::pending().await,
                }
            }
        });
        let store = Arc::new(MemoryStore::new());
        let clock = Arc::new(ManualClock::new(start()));
        let webhook = Webhook::new(Arc::new(transport), URL, key, store.clone(), clock).unwrap();
        let world = World::with(Setup {
            verifier: Some(Arc::new(webhook)),
            store: Some(store),
            ..Setup::default()
        });
        (world, other)
    }

    fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn says(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }
}

fn hmac_key() -> WebhookKey {
    WebhookKey::Hmac(Secret::new(b"a key of thirty-two bytes or so".to_vec()))
}

fn request(world: &World) -> Raw {
    world.request(&Secret::new("ticket 5".to_owned()))
}

#[tokio::test]
async fn what_is_allowed_is_issued_and_not_asked_about_again() {
    let (world, other) = Other::world(ok(r#"{"decision":"allow","label":"Ada's Mac","more":1}"#));
    let raw = request(&world);
    let first = world.ask(raw.build()).await.certificates(&raw.key);
    assert_eq!(world.events.last(), "issued: Ada's Mac");
    other.says(Says::Fails);
    let again = world.ask(raw.build()).await.certificates(&raw.key);
    assert_eq!(first, again);
    assert_eq!((world.store.issued(), other.asked()), (1, 1));
}

#[tokio::test]
async fn the_question_says_what_is_asked_for_and_who_asks() {
    let (world, other) = Other::world(ok(r#"{"decision":"allow"}"#));
    let raw = request(&world);
    world.ask(raw.build()).await.certificates(&raw.key);
    let asked = other.asked.lock().unwrap();
    let [question] = asked.as_slice() else {
        panic!("one question");
    };
    assert_eq!(question.method(), "POST");
    assert_eq!(question.uri(), URL);
    assert_eq!(question.headers()["content-type"], "application/json");
    let json: serde_json::Value = serde_json::from_slice(question.body()).unwrap();
    assert_eq!(json["type"], "scep.enrolment");
    assert_eq!(json["transaction_id"], raw.transaction_id.as_str());
    assert_eq!(json["challenge"], "ticket 5");
    assert_eq!(json["subject"], "CN=device 7");
    assert_eq!(json["csr"], STANDARD.encode(&raw.content));
    assert_eq!(json["at"], "2026-03-01T12:00:00Z");
    let header = |name: &str| question.headers()[name].to_str().unwrap();
    let (id, at) = (header("webhook-id"), header("webhook-timestamp"));
    assert_eq!(json["request_id"], id);
    assert_eq!(at, start().timestamp().to_string());
    let signed = [format!("{id}.{at}.").as_bytes(), question.body()].concat();
    let key = b"a key of thirty-two bytes or so";
    let mac = hmac(DigestAlgorithm::Sha256, key, &signed).unwrap();
    let expected = format!("v1,{}", STANDARD.encode(mac));
    assert_eq!(header("webhook-signature"), expected);
    assert!(question.headers().get("authorization").is_none());
}

#[tokio::test]
async fn a_token_is_a_sensitive_header() {
    let token = WebhookKey::Bearer(Secret::new("t0ken".to_owned()));
    let (world, other) = Other::world_with(ok(r#"{"decision":"allow"}"#), token);
    let raw = request(&world);
    world.ask(raw.build()).await.certificates(&raw.key);
    let asked = other.asked.lock().unwrap();
    let header = &asked[0].headers()["authorization"];
    assert!(header == "Bearer t0ken" && header.is_sensitive());
    assert!(asked[0].headers().get("webhook-signature").is_none());
    assert!(!format!("{:?}", world.server).contains("t0ken"));
}

#[tokio::test]
async fn what_is_denied_is_refused_and_the_reason_is_for_the_operator() {
    let (world, _) = Other::world(ok(r#"{"decision":"deny","reason":"ticket 5 is closed"}"#));
    let reply = world.refused(&request(&world), FailInfo::BadRequest).await;
    let text = reply.message.attributes.fail_info_text.unwrap();
    assert_eq!(text, "the request was denied");
    assert!(world.events.last().ends_with("ticket 5 is closed"));
}

#[tokio::test]
async fn without_a_decision_nothing_is_issued_and_the_client_may_come_again() {
    let (world, other) = Other::world(Says::Nothing);
    let raw = request(&world);
    let allow = r#"{"decision":"allow"}"#;
    for says in [
        Says::Nothing,
        Says::Fails,
        Says::Body(500, allow.to_owned()),
        Says::Body(204, String::new()),
        Says::Body(302, allow.to_owned()),
        ok(""),
        ok("<html>"),
        ok("{}"),
        ok("true"),
        ok(r#"{"decision":"maybe"}"#),
        ok(r#"{"decision":true}"#),
        ok(r#"{"Decision":"allow"}"#),
        ok(r#"{"decision":"allow","label":"two\nlines"}"#),
        ok(&format!(
            r#"{{"decision":"allow","label":"{}"}}"#,
            "x".repeat(600)
        )),
        ok(&format!("{allow}{}", " ".repeat(MAX_ANSWER))),
    ] {
        other.says(says);
        assert_eq!(world.post(raw.build()).await.status(), 503);
        assert!(world.events.last().starts_with("unavailable"));
        assert_eq!(world.store.issued(), 0);
    }
    other.says(ok(allow));
    world.ask(raw.build()).await.certificates(&raw.key);
    assert_eq!(world.store.issued(), 1);
}

#[tokio::test]
async fn a_request_that_was_allowed_and_denied_before_it_was_served_is_denied() {
    let (world, other) = Other::world(ok(r#"{"decision":"allow"}"#));
    // The authority is not valid yet, so that the first attempt ends behind the decision.
    world
        .clock
        .advance(Duration::from_secs(20 * 365 * 24 * 3600));
    let raw = request(&world);
    assert_eq!(world.post(raw.build()).await.status(), 503);
    other.says(ok(r#"{"decision":"deny"}"#));
    world.refused(&raw, FailInfo::BadRequest).await;
    assert_eq!(other.asked(), 2);
}

#[test]
fn challenges_travel_in_tls_or_within_the_machine() {
    let new = |url: &str, key| {
        let transport = transport_fn(|_| async { Ok(Response::new(Bytes::new())) });
        let clock = Arc::new(ManualClock::new(start()));
        let store = Arc::new(MemoryStore::new());
        Webhook::new(Arc::new(transport), url, key, store, clock)
    };
    for url in [
        URL,
        "http://127.0.0.1:8080/x",
        "http://[::1]/x",
        "http://localhost/",
    ] {
        assert!(new(url, hmac_key()).is_ok(), "{url}");
    }
    for url in [
        "http://decides.example.com/",
        "http://127.0.0.1.example.com/",
        "/scep",
        "ftp://localhost/",
    ] {
        assert!(matches!(new(url, hmac_key()), Err(Error::Url(_))), "{url}");
    }
    for key in [
        WebhookKey::Hmac(Secret::new(Vec::new())),
        WebhookKey::Bearer(Secret::new(String::new())),
        WebhookKey::Bearer(Secret::new("two\nlines".to_owned())),
    ] {
        assert!(matches!(new(URL, key), Err(Error::Configuration(_))));
    }
}
