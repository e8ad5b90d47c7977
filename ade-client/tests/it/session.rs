use std::sync::atomic::{AtomicUsize, Ordering};

use ade_client::{
    Error,
    endpoint::{DefineProfile, GetAccount},
    model::Profile,
};
use bytes::Bytes;
use futures_util::future::join_all;
use http::{Request, Response};
use mdm_fake_apple::ade::{Fault, SessionLoss};
use mdm_transport::{MemoryTransport, RetryPolicy, TransportErrorKind, transport_fn};

use super::*;

fn with(transport: impl mdm_transport::HttpTransport + 'static) -> Client {
    let token = ServerToken::new("CK_1", "CS_1", "AT_1", "AS_1");
    let clock = Arc::new(ManualClock::new(Utc::now()));
    Client::builder(transport, clock, token, USER_AGENT)
        .build()
        .unwrap()
}

fn opened(token: &str) -> Response<Bytes> {
    Response::new(Bytes::from(format!(
        r#"{{"auth_session_token":"{token}"}}"#
    )))
}

#[tokio::test]
async fn one_session_serves_many_requests() {
    let scene = Scene::new(Config::default()).await;
    for _ in 0..3 {
        scene.client.send(&GetAccount::new()).await.unwrap();
    }
    assert_eq!(scene.apple.count("/session"), 1);
    assert_eq!(scene.apple.count("/account"), 3);
}

#[tokio::test]
async fn q21_a_session_that_changes_with_every_answer_is_followed() {
    let config = Config::default().with(|config| config.rotate_session_every = Some(1));
    let scene = Scene::new(config).await;
    for _ in 0..5 {
        scene.client.send(&GetAccount::new()).await.unwrap();
    }
    assert_eq!(scene.apple.count("/session"), 1);
    assert!(
        scene
            .apple
            .exchanges()
            .iter()
            .all(|exchange| exchange.status == 200)
    );
}

#[tokio::test]
async fn q21_a_lost_session_is_opened_again_and_the_request_sent_once_more() {
    for loss in [SessionLoss::Unauthorized, SessionLoss::Forbidden] {
        let scene = Scene::new(Config::default()).await;
        scene.client.send(&GetAccount::new()).await.unwrap();
        scene.apple.fault(Fault::DropSessions(loss));
        scene.client.send(&GetAccount::new()).await.unwrap();
        assert_eq!(scene.apple.count("/session"), 2);
        assert_eq!(scene.apple.count("/account"), 3);
    }
}

#[tokio::test]
async fn a_session_that_is_never_accepted_is_given_up_after_one_replay() {
    let scene = Scene::new(Config::default()).await;
    scene.apple.fault(Fault::KeepDroppingSessions);
    let error = scene.client.send(&GetAccount::new()).await.unwrap_err();
    assert!(error.is_unauthorized(), "{error}");
    assert_eq!(scene.apple.count("/session"), 2);
    assert_eq!(scene.apple.count("/account"), 2);
    scene.apple.clear_faults();
    assert!(scene.client.send(&GetAccount::new()).await.is_ok());
}

#[tokio::test]
async fn terms_that_wait_are_an_error_and_no_reason_for_a_new_session() {
    let scene = Scene::new(Config::default()).await;
    scene.apple.fault(Fault::TermsNotSigned);
    let error = scene.client.send(&GetAccount::new()).await.unwrap_err();
    assert!(
        error.is_terms_not_signed() && !error.is_unauthorized(),
        "{error}"
    );
    assert_eq!(scene.apple.count("/session"), 1);
    assert_eq!(scene.apple.count("/account"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_requests_at_once_open_one_session_between_them() {
    let scene = Scene::new(Config::default()).await;
    let wave = || join_all((0..32).map(|_| async { scene.client.send(&GetAccount::new()).await }));
    assert!(wave().await.iter().all(Result::is_ok));
    assert_eq!(scene.apple.count("/session"), 1);
    scene
        .apple
        .fault(Fault::DropSessions(SessionLoss::Unauthorized));
    assert!(wave().await.iter().all(Result::is_ok));
    assert_eq!(scene.apple.count("/session"), 2);
}

#[tokio::test]
async fn those_who_wait_for_an_opening_that_fails_fail_with_it() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let client = with(transport_fn(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        async {
            tokio::task::yield_now().await;
            let body = Bytes::from_static(b"FORBIDDEN");
            Ok(Response::builder().status(403).body(body).unwrap())
        }
    }));
    let answers = join_all((0..32).map(|_| async { client.send(&GetAccount::new()).await })).await;
    for answer in answers {
        assert!(answer.unwrap_err().is_token_revoked());
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    // Who comes later asks again.
    assert!(client.send(&GetAccount::new()).await.is_err());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn a_busy_service_is_asked_again_after_the_time_it_names() {
    let scene = Scene::new(Config::default()).await;
    scene.client.send(&GetAccount::new()).await.unwrap();
    scene.apple.fault(Fault::Answer {
        times: 2,
        status: 503,
        body: "SERVICE_UNAVAILABLE".to_owned(),
        retry_after: Some("30".to_owned()),
    });
    scene.client.send(&GetAccount::new()).await.unwrap();
    assert_eq!(scene.apple.count("/account"), 4);
}

#[tokio::test]
async fn the_opening_of_a_session_is_signed_anew_for_each_attempt() {
    let script = Arc::new(
        MemoryTransport::new()
            .status(429)
            .fail(TransportErrorKind::Interrupted)
            .answer(opened("s1"))
            .answer(Response::new(Bytes::from_static(b"{}"))),
    );
    let client = with(Arc::clone(&script));
    client.send(&GetAccount::new()).await.unwrap();
    let requests = script.requests();
    let nonce = |request: &Request<Bytes>| {
        let header = request.headers()["authorization"]
            .to_str()
            .unwrap()
            .to_owned();
        header
            .split("oauth_nonce=")
            .nth(1)
            .unwrap()
            .split('"')
            .nth(1)
            .unwrap()
            .to_owned()
    };
    let nonces: std::collections::HashSet<_> = requests[..3].iter().map(nonce).collect();
    assert_eq!(nonces.len(), 3);
    assert_eq!(requests[3].uri().path(), "/account");
}

#[tokio::test]
async fn what_may_not_be_sent_twice_is_not_after_an_answer_that_got_lost() {
    let scene = Scene::new(Config::default()).await;
    scene.client.send(&GetAccount::new()).await.unwrap();
    scene.apple.fault(Fault::HangUp { times: 1 });
    scene.client.send(&GetAccount::new()).await.unwrap();
    scene.apple.fault(Fault::HangUp { times: 1 });
    let define = DefineProfile::new(Profile::new("n", "https://mdm.example/e"));
    let error = scene.client.send(&define).await.unwrap_err();
    assert!(
        matches!(error, Error::Transport(error) if error.kind() == TransportErrorKind::Interrupted)
    );
    assert_eq!(scene.apple.count("/profile"), 1);
}

#[tokio::test]
async fn without_a_retry_policy_nothing_is_sent_twice() {
    let script = Arc::new(MemoryTransport::new().fail(TransportErrorKind::Connect));
    let token = ServerToken::new("CK_1", "CS_1", "AT_1", "AS_1");
    let clock = Arc::new(ManualClock::new(Utc::now()));
    let client = Client::builder(Arc::clone(&script), clock, token, USER_AGENT)
        .retry(RetryPolicy::never())
        .build()
        .unwrap();
    assert!(client.send(&GetAccount::new()).await.is_err());
    assert_eq!(script.requests().len(), 1);
}

#[tokio::test]
async fn a_session_token_that_fits_no_header_is_an_error_and_the_next_one_is_used() {
    let script = Arc::new(
        MemoryTransport::new()
            .answer(opened("s\\n1"))
            .answer(opened("s2"))
            .answer(Response::new(Bytes::from_static(b"{}"))),
    );
    let client = with(Arc::clone(&script));
    let error = client.send(&GetAccount::new()).await.unwrap_err();
    assert!(matches!(error, Error::Decode { .. }), "{error}");
    client.send(&GetAccount::new()).await.unwrap();
    assert_eq!(script.requests()[2].headers()["x-adm-auth-session"], "s2");
}

#[test]
fn a_client_needs_a_name_and_a_base_url() {
    let build = |agent: &str, base: &str| {
        let token = ServerToken::new("CK_1", "CS_1", "AT_1", "AS_1");
        let clock = Arc::new(ManualClock::new(Utc::now()));
        Client::builder(MemoryTransport::new(), clock, token, agent)
            .base_url(base)
            .build()
    };
    assert!(build("a/1", "https://a.example").is_ok());
    for (agent, base) in [
        ("", "https://a.example"),
        (" ", "https://a.example"),
        ("a/1", "a.example"),
        ("a/1", "https://u:p@a.example"),
    ] {
        assert!(
            matches!(build(agent, base), Err(Error::Build(_))),
            "{agent} {base}"
        );
    }
    let shown = format!("{:?}", build("a/1", "https://a.example").unwrap());
    assert!(
        !shown.contains("CS_1") && !shown.contains("AT_1"),
        "{shown}"
    );
}
