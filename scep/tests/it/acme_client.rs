//! The ACME client against a server that answers from a script: accounts, nonces, and what is refused.

mod fake;
mod orders;
mod others;
mod ours;

use std::sync::Arc;

use http::StatusCode;
use mdm_core::Secret;
use mdm_pki::{KeySpec, PrivateKey, RevocationReason};
use mdm_scep::acme::{
    AcmeUrl, Client, Registration,
    client::{Error, Settings},
    jws::{ExternalAccountKey, JwsError},
    problem::ErrorType,
    resource::{AccountStatus, AccountUpdate},
};
use mdm_transport::{MemoryTransport, TransportErrorKind};
use serde_json::json;

use self::fake::{Answer, BASE, DIRECTORY, Fake, key, seconds};

fn account() -> Answer {
    Answer::json(
        json!({"status": "valid", "contact": ["mailto:ada@example.com"], "orders": format!("{BASE}/orders")}),
    )
}

#[tokio::test]
async fn a_new_account_is_signed_with_its_key_and_what_follows_with_its_url() {
    let fake = Fake::new();
    let key = key();
    let registration = Registration::new().with(|it| {
        it.contact.push("mailto:ada@example.com".to_owned());
        it.terms_of_service_agreed = true;
    });
    let registered = fake.client().register(key.clone(), &registration).await;
    let registered = registered.unwrap();
    assert!(registered.created);
    assert_eq!(registered.account.status, AccountStatus::Valid);
    assert_eq!(registered.session.url(), "https://ca.example/account/1");
    fake.on("/account/1", [account()]);
    registered.session.account().await.unwrap();

    assert_eq!(
        fake.lines(),
        [
            "GET /s3cret/directory",
            "HEAD /nonce",
            "POST /new-account",
            "POST /account/1"
        ]
    );
    let [first, second] = &fake.posts()[..] else {
        panic!("not two");
    };
    assert_eq!(first.headers["content-type"], "application/jose+json");
    assert_eq!(first.headers["accept"], "application/json");
    let agent = first.headers["user-agent"].to_str().unwrap();
    assert!(agent.starts_with("mdm-scep/"), "{agent}");
    assert_eq!(
        first.payload,
        json!({"contact": ["mailto:ada@example.com"], "termsOfServiceAgreed": true})
    );
    assert_eq!(first.protected["alg"], "ES256");
    assert_eq!(first.protected["url"], "https://ca.example/new-account");
    assert_eq!(first.protected["jwk"]["kty"], "EC");
    assert!(first.protected["kid"].is_null());
    assert_eq!(second.protected["kid"], "https://ca.example/account/1");
    assert!(second.protected["jwk"].is_null());
    assert_eq!(second.body["payload"], "");
}

#[tokio::test]
async fn every_kind_of_key_signs() {
    for (spec, alg) in [
        (KeySpec::P384, "ES384"),
        (KeySpec::P521, "ES512"),
        (KeySpec::Rsa2048, "RS256"),
    ] {
        let fake = Fake::new();
        let key = Arc::new(PrivateKey::generate(spec).unwrap());
        let registered = fake.client().register(key, &Registration::new()).await;
        registered.unwrap();
        assert_eq!(fake.posts()[0].protected["alg"], alg);
    }
    let small = Arc::new(PrivateKey::generate(KeySpec::Rsa1024).unwrap());
    let client = Fake::new().client();
    let refused = client.register(small, &Registration::new()).await;
    assert!(matches!(refused, Err(Error::Jwk(_))));
}

#[tokio::test]
async fn an_external_account_binds_the_key() {
    let fake = Fake::new();
    let external = ExternalAccountKey::new("kid-7", Secret::new(vec![7; 32])).unwrap();
    let registration = Registration::new().with(|it| it.external_account = Some(external));
    fake.client().register(key(), &registration).await.unwrap();
    let request = &fake.posts()[0];
    let binding = &request.payload["externalAccountBinding"];
    let part = |name: &str| {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let part = URL_SAFE_NO_PAD.decode(binding[name].as_str().unwrap());
        serde_json::from_slice::<serde_json::Value>(&part.unwrap()).unwrap()
    };
    assert_eq!(
        part("protected"),
        json!({"alg": "HS256", "kid": "kid-7", "url": "https://ca.example/new-account"})
    );
    assert_eq!(part("payload"), request.protected["jwk"]);
}

#[tokio::test]
async fn an_account_is_found_or_there_is_none() {
    let fake = Fake::new();
    fake.on(
        "/new-account",
        [Answer::problem(400, "accountDoesNotExist")],
    );
    let found = fake.client().find_account(key()).await.unwrap();
    assert!(found.is_none());
    assert_eq!(fake.posts()[0].payload, json!({"onlyReturnExisting": true}));
    let existing = account().header("location", format!("{BASE}/account/9"));
    fake.on("/new-account", [existing]);
    let found = fake.client().find_account(key()).await.unwrap().unwrap();
    assert!(!found.created);
    assert_eq!(found.session.url(), "https://ca.example/account/9");
}

#[tokio::test]
async fn an_account_without_a_usable_url_is_none() {
    for location in [
        None,
        Some("/account/1"),
        Some("http://ca.example/1"),
        Some(""),
    ] {
        let fake = Fake::new();
        let answer = location.into_iter().fold(account(), |answer, location| {
            answer.header("location", location)
        });
        fake.on("/new-account", [answer]);
        let outcome = fake.register().await;
        assert!(
            matches!(outcome, Err(Error::Missing("Location"))),
            "{location:?}"
        );
    }
}

#[tokio::test]
async fn an_account_is_changed_and_given_up() {
    let fake = Fake::new();
    let session = fake.session().await;
    fake.on("/account/1", [account()]);
    let update = AccountUpdate::default().with(|it| it.contact = Some(Vec::new()));
    session.update(&update).await.unwrap();
    fake.on(
        "/account/1",
        [Answer::json(json!({"status": "deactivated"}))],
    );
    let gone = session.deactivate().await.unwrap();
    assert_eq!(gone.status, AccountStatus::Deactivated);
    let payloads: Vec<_> = fake.posts().into_iter().map(|it| it.payload).collect();
    assert_eq!(
        payloads,
        [json!({"contact": []}), json!({"status": "deactivated"})]
    );
}

#[tokio::test]
async fn orders_are_listed_over_all_pages_but_not_for_ever() {
    let fake = Fake::new();
    let session = fake.session().await;
    fake.on("/account/1", [account()]);
    let page = |orders: &[&str]| Answer::json(json!({"orders": orders}));
    let next = format!(r#"<{BASE}/orders2>;rel="next""#);
    fake.on("/orders", [page(&["a", "b"]).header("link", next)]);
    fake.on("/orders2", [page(&["c"])]);
    assert_eq!(session.orders().await.unwrap(), ["a", "b", "c"]);

    let circle = format!(r#"<{BASE}/orders>;rel="next""#);
    fake.on("/orders", [page(&["a"]).header("link", circle)]);
    assert_eq!(session.orders().await.unwrap().len(), 100);
    fake.on("/account/1", [Answer::json(json!({"status": "valid"}))]);
    assert!(matches!(session.orders().await, Err(Error::NotOffered(_))));
}

#[tokio::test]
async fn a_key_change_is_signed_by_both_keys() {
    let fake = Fake::new();
    let session = fake.session().await;
    fake.on("/key-change", [account()]);
    fake.on("/account/1", [account()]);
    let new = Arc::new(PrivateKey::generate(KeySpec::P384).unwrap());
    let changed = session.change_key(new).await.unwrap();
    assert_eq!(changed.url(), session.url());

    let outer = fake.posts().remove(0);
    assert_eq!(outer.protected["kid"], session.url());
    assert_eq!(outer.protected["alg"], "ES256");
    let part = |name: &str| {
        use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
        let part = URL_SAFE_NO_PAD.decode(outer.payload[name].as_str().unwrap());
        serde_json::from_slice::<serde_json::Value>(&part.unwrap()).unwrap()
    };
    let inner = part("protected");
    assert_eq!(inner["alg"], "ES384");
    assert_eq!(inner["jwk"], serde_json::to_value(changed.jwk()).unwrap());
    assert_eq!(inner["url"], outer.protected["url"]);
    assert!(inner["nonce"].is_null() && inner["kid"].is_null());
    assert_eq!(
        part("payload"),
        json!({"account": session.url(), "oldKey": serde_json::to_value(session.jwk()).unwrap()})
    );

    let seen = fake.posts();
    assert_eq!(seen[1].path, "/account/1");
    assert_eq!(seen[1].protected["alg"], "ES384");

    // A server that says yes and does nothing.
    fake.on("/account/1", [Answer::problem(400, "malformed")]);
    assert!(session.change_key(key()).await.unwrap_err().is_refused());
}

#[tokio::test]
async fn a_bad_nonce_is_replaced_by_the_fresh_one_of_the_refusal() {
    let fake = Fake::new();
    let session = fake.session().await;
    let bad = || Answer::problem(400, "badNonce");
    fake.on("/account/1", [bad(), bad(), bad(), bad(), bad(), account()]);
    session.account().await.unwrap();
    assert_eq!(fake.lines(), ["POST /account/1"; 6], "no HEAD between them");
    let nonces: std::collections::HashSet<_> = fake
        .posts()
        .iter()
        .map(|it| it.protected["nonce"].to_string())
        .collect();
    assert_eq!(nonces.len(), 6);
}

#[tokio::test]
async fn a_server_that_likes_no_nonce_is_not_asked_for_ever() {
    let fake = Fake::new();
    let session = fake.session().await;
    fake.on("/account/1", [Answer::problem(400, "badNonce")]);
    let error = session.account().await.unwrap_err();
    assert!(error.is(&ErrorType::BadNonce) && error.is_temporary() && !error.is_refused());
    assert_eq!(fake.posts().len(), 6);
}

#[tokio::test]
async fn a_refused_nonce_without_a_fresh_one_makes_a_new_one_asked_for() {
    let fake = Fake::new();
    let session = fake.session().await;
    let bad = Answer::problem(400, "badNonce").header("replay-nonce", "not base64url!");
    fake.on("/account/1", [bad, account()]);
    session.account().await.unwrap();
    assert_eq!(
        fake.lines(),
        ["POST /account/1", "HEAD /nonce", "POST /account/1"]
    );
}

#[tokio::test]
async fn a_refusal_says_what_and_when_to_come_back() {
    let fake = Fake::new();
    let session = fake.session().await;
    let limited =
        Answer::problem(429, "rateLimited").header("retry-after", "Sun, 01 Mar 2026 12:02:00 GMT");
    fake.on("/account/1", [limited]);
    let error = session.account().await.unwrap_err();
    assert!(error.is(&ErrorType::RateLimited) && error.is_temporary());
    assert_eq!(error.retry_after(), Some(seconds(120)));
    assert_eq!(
        error.to_string(),
        "the server refused with HTTP status 429 Too Many Requests: rateLimited: no"
    );

    fake.on("/account/1", [Answer::problem(401, "unauthorized")]);
    let error = session.account().await.unwrap_err();
    assert!(error.is_refused() && !error.is_temporary());
    assert_eq!(error.problem().unwrap().kind, ErrorType::Unauthorized);

    let down = Answer::new(503, "text/html", "<html>").header("retry-after", "7");
    fake.on("/account/1", [down]);
    let error = session.account().await.unwrap_err();
    assert!(error.problem().is_none() && error.is_temporary());
    assert_eq!(error.retry_after(), Some(seconds(7)));
}

#[tokio::test]
async fn answers_that_are_no_account_are_typed_errors() {
    let fake = Fake::new();
    let session = fake.session().await;
    let ok = |kind: &str, body: &str| Answer::new(200, kind, body);
    for answer in [
        ok("text/html", "<html>"),
        ok("application/problem+json", r#"{"status":"valid"}"#),
        ok("application/json", ""),
        ok("application/json", "{"),
        ok("application/json", "[]"),
        ok("application/json", r#"["valid"]"#),
        ok("application/json", "null"),
        ok("application/json", "{}"),
        ok("application/json", r#"{"status":7}"#),
        ok("application/json", r#"{"status":"valid"}x"#),
        ok("application/json", r#"{"status":"valid","status":"valid"}"#),
        ok("application/json", &"[".repeat(100_000)),
    ] {
        fake.on("/account/1", [answer.clone()]);
        let outcome = session.account().await;
        assert!(matches!(outcome, Err(Error::Content { .. })), "{answer:?}");
        assert!(!outcome.unwrap_err().is_temporary());
    }
    let long = format!(r#"{{"status":"valid","x":"{}"}}"#, "x".repeat(256 << 10));
    fake.on("/account/1", [ok("application/json", &long)]);
    let outcome = session.account().await;
    assert!(matches!(outcome, Err(Error::TooLarge { limit: 262_144 })));
}

#[tokio::test]
async fn a_redirect_is_followed_nowhere() {
    let fake = Fake::new();
    let session = fake.session().await;
    for status in [301, 302, 303, 307, 308] {
        let moved = Answer::new(status, "text/html", "")
            .header("location", "https://elsewhere.example/account/1");
        fake.on("/account/1", [moved]);
        let error = session.account().await.unwrap_err();
        assert!(matches!(error, Error::Status { status: found, .. } if found == status));
        assert!(!error.is_temporary());
    }
    assert_eq!(fake.posts().len(), 5);
}

#[tokio::test]
async fn what_the_server_names_without_tls_is_not_asked() {
    let fake = Fake::new();
    fake.directory.lock().unwrap()["newAccount"] = "http://ca.example/new-account".into();
    assert!(matches!(fake.register().await, Err(Error::Url(_))));
    assert_eq!(fake.lines(), ["GET /s3cret/directory"]);
}

#[tokio::test]
async fn a_transport_that_fails_or_is_flooded_is_told_apart() {
    let clock = Fake::new().clock.clone().unwrap();
    let url = || AcmeUrl::new(&format!("{BASE}{DIRECTORY}")).unwrap();
    let script = MemoryTransport::new()
        .fail(TransportErrorKind::Connect)
        .answer(http::Response::new(vec![b' '; 300_000].into()));
    let client = Client::new(script, url(), clock);
    let error = client.directory().await.unwrap_err();
    assert!(matches!(error, Error::Transport(_)) && error.is_temporary());
    let error = client.directory().await.unwrap_err();
    assert!(matches!(error, Error::TooLarge { limit: 262_144 }));
    assert!(!error.is_temporary());
}

#[tokio::test]
async fn the_directory_is_asked_for_once() {
    let fake = Fake::new();
    let client = fake.client();
    let first = client.directory().await.unwrap();
    assert_eq!(client.clone().directory().await.unwrap(), first);
    assert_eq!(fake.lines().len(), 1);
    client.refresh_directory().await.unwrap();
    assert_eq!(fake.lines().len(), 2);
}

#[tokio::test]
async fn what_the_directory_lacks_is_not_offered() {
    let fake = Fake::new();
    for name in ["keyChange", "revokeCert", "renewalInfo"] {
        fake.directory
            .lock()
            .unwrap()
            .as_object_mut()
            .unwrap()
            .remove(name);
    }
    let session = fake.session().await;
    let certificate = orders::certificate(&PrivateKey::generate(KeySpec::P256).unwrap());
    let changed = session.change_key(key()).await.map(drop);
    let revoked = session.revoke(&certificate, None).await;
    let advised = fake.client().renewal_info(&certificate).await.map(drop);
    for (outcome, name) in [
        (changed, "keyChange"),
        (revoked, "revokeCert"),
        (advised, "renewalInfo"),
    ] {
        assert!(
            matches!(outcome, Err(Error::NotOffered(it)) if it == name),
            "{outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_certificate_is_revoked_by_the_account_or_by_its_own_key() {
    let fake = Fake::new();
    let session = fake.session().await;
    let own = PrivateKey::generate(KeySpec::P256).unwrap();
    let certificate = orders::certificate(&own);
    fake.on("/revoke", [Answer::new(200, "", "")]);
    let reason = Some(RevocationReason::Superseded);
    session.revoke(&certificate, reason).await.unwrap();
    let client = fake.client();
    client
        .revoke_by_key(&certificate, &own, None)
        .await
        .unwrap();
    let posts = fake.posts();
    assert_eq!(posts[0].protected["kid"], session.url());
    assert_eq!(posts[0].payload["reason"], 4);
    assert_eq!(posts[1].protected["jwk"]["kty"], "EC");
    assert_eq!(posts[1].payload.as_object().unwrap().len(), 1);
    assert_eq!(
        posts[0].payload["certificate"],
        posts[1].payload["certificate"]
    );

    fake.on("/revoke", [Answer::problem(400, "alreadyRevoked")]);
    let error = session.revoke(&certificate, None).await.unwrap_err();
    assert!(error.is(&ErrorType::AlreadyRevoked));
}

#[tokio::test]
async fn advice_on_renewal_is_asked_for_by_the_certificates_name() {
    let fake = Fake::new();
    let certificate = orders::certificate(&PrivateKey::generate(KeySpec::P256).unwrap());
    let id = mdm_scep::acme::ari::CertId::of(&certificate).unwrap();
    let advice = Answer::json(json!({"suggestedWindow":
        {"start": "2026-04-01T00:00:00Z", "end": "2026-04-02T00:00:00Z"}}));
    fake.on(
        &format!("/ari/{id}"),
        [advice.header("retry-after", "21600")],
    );
    let found = fake.client().renewal_info(&certificate).await.unwrap();
    assert_eq!(found.retry_after, Some(seconds(21_600)));
    let window = found.value.suggested_window;
    assert!(window.moment(12_345) > fake.now() && window.moment(12_345) < window.end());
}

/// A key in a KMS that is out of reach.
#[derive(Debug)]
struct Unreachable(PrivateKey);

#[async_trait::async_trait]
impl mdm_pki::Signer for Unreachable {
    fn public_key(&self) -> &mdm_pki::PublicKey {
        self.0.public_key()
    }

    fn algorithms(&self) -> &[mdm_pki::SignatureAlgorithm] {
        self.0.algorithms()
    }

    async fn sign(
        &self,
        _: mdm_pki::SignatureAlgorithm,
        _: &[u8],
    ) -> Result<Vec<u8>, mdm_pki::KeyError> {
        Err(mdm_pki::KeyError::unavailable("out of reach"))
    }
}

#[tokio::test]
async fn a_key_that_cannot_be_reached_is_a_failure_that_passes() {
    let fake = Fake::new();
    let key = Arc::new(Unreachable(PrivateKey::generate(KeySpec::P256).unwrap()));
    let outcome = fake.client().register(key, &Registration::new()).await;
    let error = outcome.unwrap_err();
    assert!(matches!(error, Error::Jws(JwsError::Signing(_))) && error.is_temporary());
}

#[tokio::test]
async fn what_is_secret_is_not_shown() {
    let fake = Fake::new();
    let registered = fake.register().await.unwrap();
    let external = ExternalAccountKey::new(
        "kid",
        Secret::new(b"0123456789abcdef0123456789abcdef".to_vec()),
    );
    let registration = Registration::new().with(|it| it.external_account = external.ok());
    let shown = format!("{:?} {registered:?} {registration:?}", fake.client());
    assert!(shown.contains("AcmeUrl(https://ca.example/..)"), "{shown}");
    for secret in ["s3cret", "0123456789", "48, 49, 50"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test]
async fn settings_bound_the_answers_and_the_retries() {
    let fake = Fake::new();
    let settings = Settings::default().with(|settings| {
        settings.body = 100;
        settings.nonce_retries = 0;
    });
    let client = fake.client_with(settings.clone());
    let outcome = client.directory().await;
    assert!(matches!(outcome, Err(Error::TooLarge { limit: 100 })));
    let settings = settings.with(|settings| settings.body = 1000);
    fake.on("/new-account", [Answer::problem(400, "badNonce")]);
    let client = fake.client_with(settings);
    let error = client
        .register(key(), &Registration::new())
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        Error::Refused {
            status: StatusCode::BAD_REQUEST,
            ..
        }
    ));
    assert_eq!(fake.posts().len(), 1);
}
