//! Account-driven enrolment: discovery, signing in, token, profile.

use http::{HeaderValue, header};
use mdm_protocol::enroll::{AuthenticationChallenge, OAuth2Challenge, ServiceDiscovery};
use mdm_service::{AdmitInvited, EventKind, store::EnrollmentStore};
use serde_json::json;

use super::*;

const WELL_KNOWN: &str = "https://example.com/.well-known/com.apple.remotemanagement";

/// A device in User Enrolment says neither serial number nor UDID.
fn own_device() -> MachineInfo {
    MachineInfo::default().with(|info| info.product = Some("iPhone14,2".into()))
}

async fn ask(world: &World, url: &str, info: &MachineInfo, token: Option<&str>) -> Response<Bytes> {
    let mut request = post(url, signed(info));
    if let Some(token) = token {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    world.portal.handle(request).await
}

fn challenge(response: &Response<Bytes>) -> AuthenticationChallenge {
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.body().is_empty());
    let header = response.headers()[header::WWW_AUTHENTICATE]
        .to_str()
        .unwrap();
    header.parse().unwrap()
}

/// Signs somebody in on the page, and tells the access token.
async fn token(world: &World) -> String {
    let url = format!(
        "{}?user-identifier=anna%40example.com",
        world.portal.urls().sign_in()
    );
    assert_eq!(world.portal.handle(get(&url)).await.body(), "sign in");
    let visit = world.pages.last();
    assert_eq!(visit.user_identifier.as_deref(), Some("anna@example.com"));
    let answer = world.portal.signed_in(&visit.ticket, anna()).await;
    assert_eq!(answer.status(), StatusCode::PERMANENT_REDIRECT);
    let location = answer.headers()[header::LOCATION].to_str().unwrap();
    let begin = "apple-remotemanagement-user-login://authentication-results?access-token=";
    let token = location.strip_prefix(begin).unwrap();
    token
        .replace("%2E", ".")
        .replace("%2D", "-")
        .replace("%5F", "_")
}

#[tokio::test]
async fn q16_discovery_answers_with_and_without_the_query_that_redirections_lose() {
    let world = world_with_pages(AdmitInvited);
    for (query, version, path) in [
        ("", "mdm-byod", "byod"),
        (
            "?user-identifier=anna%40example.com&model-family=iPhone",
            "mdm-byod",
            "byod",
        ),
        (
            "?user-identifier=boss@example.com&model-family=Mac",
            "mdm-adde",
            "adde",
        ),
    ] {
        let answer = world
            .portal
            .handle(get(&format!("{WELL_KNOWN}{query}")))
            .await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["content-type"], "application/json");
        let found: ServiceDiscovery = serde_json::from_slice(answer.body()).unwrap();
        let [server] = found.servers.as_slice() else {
            panic!("{found:?}");
        };
        assert_eq!(server.version.as_str(), version);
        assert_eq!(server.base_url, format!("{PORTAL}/{path}"));
    }
    let gone = format!("{WELL_KNOWN}?user-identifier=gone@example.com");
    let told = error(&world.portal.handle(get(&gone)).await);
    assert_eq!(
        told,
        json!({ "code": "com.apple.well-known.failed", "message": "You have left." })
    );
}

#[tokio::test]
async fn somebody_signs_in_on_a_page_and_enrols_their_own_device() {
    let world = world_with_pages(AdmitInvited);
    let url = world.portal.urls().account_driven(&DiscoveryVersion::Byod);
    let first = challenge(&ask(&world, &url, &own_device(), None).await);
    assert_eq!(
        first,
        AuthenticationChallenge::web(format!("{PORTAL}/sign-in"))
    );

    let token = token(&world).await;
    let profile = profile(&ask(&world, &url, &own_device(), Some(&token)).await);
    assert_eq!(
        profile["variables"]["MANAGED_APPLE_ACCOUNT"],
        "anna@example.com"
    );
    let device = Device::new("unused");
    let keys = format!(
        "<key>EnrollmentID</key><string>E1</string>{}",
        authenticate()
    );
    let body = format!("<plist version=\"1.0\"><dict>{keys}</dict></plist>");
    let mut request = device.request(CHECK_IN, body);
    *request.uri_mut() = profile["check_in"].as_str().unwrap().parse().unwrap();
    assert_eq!(world.service.handle(request).await.status(), StatusCode::OK);
    let id = "enrollment:E1".parse().unwrap();
    let found = world.store.enrollment(&id).await.unwrap().unwrap();
    assert_eq!(found.owner.as_deref(), Some("anna"));
}

#[tokio::test]
async fn q16_a_token_serves_one_device_and_every_retry_of_it() {
    let world = world_with_pages(AdmitInvited);
    let url = world.portal.urls().account_driven(&DiscoveryVersion::Adde);
    let token = token(&world).await;
    let mine = info("C02SERVICE");
    let first = profile(&ask(&world, &url, &mine, Some(&token)).await);
    // The answer was lost.
    assert_eq!(
        profile(&ask(&world, &url, &mine, Some(&token)).await),
        first
    );
    let device = Device::new("UDID-C02SERVICE");
    for _ in 0..2 {
        assert_eq!(
            authenticate_with(&world, &first, &device).await,
            StatusCode::OK
        );
        // And again after it was spent.
        assert_eq!(
            profile(&ask(&world, &url, &mine, Some(&token)).await)["check_in"],
            first["check_in"]
        );
    }
    let other = Device::new("UDID-OTHER");
    assert_eq!(
        authenticate_with(&world, &first, &other).await,
        StatusCode::FORBIDDEN
    );
    // Somebody else with that token has to sign in.
    for stranger in [info("C2"), own_device()] {
        challenge(&ask(&world, &url, &stranger, Some(&token)).await);
    }
}

#[tokio::test]
async fn a_token_that_is_none_or_too_old_is_answered_with_a_challenge() {
    let world = world_with_pages(AdmitInvited);
    let url = world.portal.urls().account_driven(&DiscoveryVersion::Byod);
    let good = token(&world).await;
    let ticket = world.pages.last().ticket;
    for wrong in ["x", "a.b", &good[1..], &ticket, &"x".repeat(9000)] {
        challenge(&ask(&world, &url, &own_device(), Some(wrong)).await);
    }
    let mut basic = post(&url, signed(&own_device()));
    let value = HeaderValue::from_static("Basic YTpi");
    basic.headers_mut().insert(header::AUTHORIZATION, value);
    challenge(&world.portal.handle(basic).await);
    world.clock.advance(std::time::Duration::from_secs(601));
    challenge(&ask(&world, &url, &own_device(), Some(&good)).await);
    // An access token is no ticket, and who is no device gets no challenge.
    let answer = world.portal.signed_in(&good, anna()).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    let answer = world.portal.handle(post(&url, "nonsense")).await;
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_token_of_an_oauth2_server_is_the_vendors_to_know() {
    let pages = Pages::default();
    let server = OAuth2Challenge::new("https://id.example/a", "https://id.example/t", "mdm");
    let offered = server.clone();
    let world = world_of(AdmitInvited, |portal| {
        let offer = AccountDriven::new(DiscoveryVersion::Adde);
        portal
            .sign_in(pages)
            .account_driven(offer.with(|offer| offer.oauth2 = Some(offered)))
    });
    let url = world.portal.urls().account_driven(&DiscoveryVersion::Adde);
    let answer = ask(&world, &url, &info("C1"), None).await;
    assert_eq!(challenge(&answer), AuthenticationChallenge::OAuth2(server));
    challenge(&ask(&world, &url, &info("C1"), Some("token of nobody")).await);
    let found = profile(&ask(&world, &url, &info("C1"), Some("token of anna")).await);
    assert_eq!(found["variables"]["OWNER"], "anna");
    let page = world
        .portal
        .handle(get(&world.portal.urls().sign_in()))
        .await;
    assert_eq!(page.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_refusal_reaches_the_device_and_an_event_also_where_nobody_has_a_name_yet() {
    let world = world_with_pages(Refusing(|_| Some(Denial::new(DenialReason::DeviceLimit))));
    listen(&world.store).await;
    let url = world.portal.urls().account_driven(&DiscoveryVersion::Byod);
    let token = token(&world).await;
    let told = error(&ask(&world, &url, &own_device(), Some(&token)).await);
    assert_eq!(told["code"], "enrollment.refused.device-limit");
    assert!(
        told["message"]
            .as_str()
            .unwrap()
            .contains("number of devices")
    );
    let events = crate::device::told(&world.store).await;
    let [event] = events.as_slice() else {
        panic!("{events:?}");
    };
    let EventKind::Refused { owner, reason, .. } = &event.kind else {
        panic!("{event:?}");
    };
    assert_eq!(
        (owner.as_deref(), reason.as_str()),
        (Some("anna"), "device-limit")
    );
}
