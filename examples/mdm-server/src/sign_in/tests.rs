use http::HeaderValue;
use mdm_sdk::core::ManualClock;

use super::*;
use crate::account;

const HOST: &str = "https://mdm.example.com";

struct World {
    page: SignInPage,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let users = folder.path().join("users.toml");
        let password = Secret::new("correct horse".to_owned());
        std::fs::write(&users, account::line("anna", None, &password).unwrap()).unwrap();
        let settings: Accounts = toml::from_str(&format!(
            "users = {users:?}\nattempts_per_name = 3\nattempts_per_peer = 5"
        ))
        .unwrap();
        let clock = Arc::new(ManualClock::new(chrono::Utc::now()));
        let key = Secret::new(vec![7; 32]);
        // Browsers write neither capitals nor the port that everybody has.
        let origin = "https://MDM.example.com:443";
        let page = SignInPage::new(&settings, "Example & Co", origin, key, clock.clone());
        let page = page.unwrap();
        Self {
            page,
            clock,
            _folder: folder,
        }
    }

    /// A form as the page gave it out, filled in.
    fn form(&self, name: &str, password: &str) -> Request<Bytes> {
        let ticket = "a.ticket";
        let proof = self.page.0.proof("nonce", ticket).unwrap();
        let body = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("ticket", ticket)
            .append_pair("proof", &proof)
            .append_pair("name", name)
            .append_pair("password", password)
            .finish();
        let mut request = Request::post(PATH)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", "a=b; __Host-sign-in=nonce")
            .header("origin", HOST)
            .header("sec-fetch-site", "same-origin")
            .body(body.into())
            .unwrap();
        let peer = limit::Peer("192.0.2.1".to_owned());
        request.extensions_mut().insert(peer);
        request
    }

    async fn status(&self, request: &Request<Bytes>) -> StatusCode {
        match self.page.take(request).await {
            Answered::SignedIn(ticket, account) => {
                assert_eq!(
                    (ticket.as_str(), account.owner.as_str()),
                    ("a.ticket", "anna")
                );
                StatusCode::OK
            }
            Answered::Page(response) => response.status(),
        }
    }
}

fn with(mut request: Request<Bytes>, name: &'static str, value: &'static str) -> Request<Bytes> {
    match value {
        "" => drop(request.headers_mut().remove(name)),
        value => drop(
            request
                .headers_mut()
                .insert(name, HeaderValue::from_static(value)),
        ),
    }
    request
}

#[tokio::test]
async fn only_the_browser_that_was_given_a_form_signs_in_with_it() {
    let world = World::new();
    let good = || world.form("anna", "correct horse");
    assert_eq!(world.status(&good()).await, StatusCode::OK);
    // Not every browser tells where a form comes from.
    let silent = with(with(good(), "origin", ""), "sec-fetch-site", "");
    assert_eq!(world.status(&silent).await, StatusCode::OK);
    for (name, value) in [
        ("cookie", ""),
        ("cookie", "__Host-sign-in=another"),
        ("cookie", "sign-in=nonce"),
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("sec-fetch-site", "cross-site"),
    ] {
        let status = world.status(&with(good(), name, value)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let text = with(good(), "content-type", "text/plain");
    assert_eq!(world.status(&text).await, StatusCode::BAD_REQUEST);
    // The proof is for the ticket that it was made for.
    let other = good().map(|body| {
        let body = String::from_utf8(body.to_vec()).unwrap();
        body.replace("a.ticket", "b.ticket").into()
    });
    assert_eq!(world.status(&other).await, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_are_answered_alike() {
    let world = World::new();
    let mut answers = Vec::new();
    for name in ["anna", "nobody"] {
        let Answered::Page(response) = world.page.take(&world.form(name, "wrong horse")).await
        else {
            panic!("{name}");
        };
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let html = String::from_utf8(response.body().to_vec()).unwrap();
        assert!(html.contains(page::WRONG) && html.contains("Example &amp; Co"));
        assert!(!html.contains("wrong horse") && !html.contains("<script"));
        answers.push((
            html.replace(name, "NAME"),
            format!("{:?}", response.headers()),
        ));
    }
    assert_eq!(answers[0], answers[1]);
}

#[tokio::test]
async fn attempts_are_limited_by_name_whether_it_is_anybodys_and_by_peer() {
    let wait = StatusCode::TOO_MANY_REQUESTS;
    for name in ["anna", "nobody"] {
        let world = World::new();
        let wrong = world.form(name, "wrong horse");
        for _ in 0..3 {
            assert_eq!(world.status(&wrong).await, StatusCode::FORBIDDEN);
        }
        assert_eq!(world.status(&wrong).await, wait);
        // Nor with the right password, however the name is written, until time has passed.
        let right = world.form(" ANNA ", "correct horse");
        if name == "anna" {
            assert_eq!(world.status(&right).await, wait);
        }
        world.clock.advance(Duration::from_secs(301));
        assert_eq!(world.status(&right).await, StatusCode::OK);
    }
    let world = World::new();
    for number in 0..5 {
        let wrong = world.form(&format!("user {number}"), "wrong horse");
        assert_eq!(world.status(&wrong).await, StatusCode::FORBIDDEN);
    }
    let mut right = world.form("anna", "correct horse");
    assert_eq!(world.status(&right).await, wait);
    let elsewhere = limit::Peer("192.0.2.2".to_owned());
    right.extensions_mut().insert(elsewhere);
    assert_eq!(world.status(&right).await, StatusCode::OK);
}

#[tokio::test]
async fn without_its_users_the_page_lets_nobody_in() {
    let world = World::new();
    std::fs::remove_file(world._folder.path().join("users.toml")).unwrap();
    let right = world.form("anna", "correct horse");
    assert_eq!(world.status(&right).await, StatusCode::SERVICE_UNAVAILABLE);
}
