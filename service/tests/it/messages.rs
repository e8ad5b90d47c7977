//! The check-in messages that a vendor answers: users, tokens, return to service, declarations.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Response, StatusCode};
use mdm_core::{ManualClock, Secret};
use mdm_protocol::{
    EnrollmentId,
    checkin::{
        DeclarativeManagement, GetToken, GetTokenResponse, ReturnToService,
        ReturnToServiceResponse, ReturnToServiceSettings, TokenServiceType,
        UserAuthenticateResponse,
        digest::{DigestChallenge, DigestResponse, password_digest},
    },
    ddm::Endpoint,
};
use mdm_service::{
    Caller, DeclarativeAnswer, DeclarativeSource, DigestUsers, EveryUser, MdmSignature,
    PasswordDigests, ReturnToServiceSource, Service, TokenSource, Unavailable,
};

use crate::device::*;

fn read<T: serde::de::DeserializeOwned>(response: &Response<Bytes>) -> T {
    assert_eq!(response.status(), StatusCode::OK);
    mdm_plist::from_slice(response.body()).unwrap()
}

fn digest_response(text: &str) -> String {
    let text = text.replace('&', "&amp;");
    format!("<key>DigestResponse</key><string>{text}</string>")
}

async fn user_authenticate(device: &Device, service: &Service, more: &str) -> Response<Bytes> {
    let keys = format!(
        "{}<key>UserShortName</key><string>anna</string>{more}",
        user_id("U1")
    );
    device
        .check_in(service, &message("UserAuthenticate", &keys))
        .await
}

#[tokio::test]
async fn q15_every_user_is_managed_after_an_empty_challenge_and_an_empty_answer() {
    let store = Shared::default();
    let service = builder(&store).users(EveryUser).build();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let response = user_authenticate(&device, &service, "").await;
    let answer: UserAuthenticateResponse = read(&response);
    assert_eq!(answer.digest_challenge.as_deref(), Some(""));
    for text in ["", "anything"] {
        let response = user_authenticate(&device, &service, &digest_response(text)).await;
        assert_eq!(response.status(), StatusCode::OK);
        assert!(response.body().is_empty());
    }
    device.log_in(&service, "U1").await;
}

/// Knows one user.
#[derive(Debug)]
struct Directory;

#[async_trait]
impl PasswordDigests for Directory {
    async fn password_digest(
        &self,
        username: &str,
        realm: &str,
    ) -> Result<Option<Secret<String>>, Unavailable> {
        match username {
            "anna" => Ok(Some(
                password_digest("anna", realm, "correct horse").unwrap(),
            )),
            "away" => Err(Unavailable::new("the directory is away")),
            _ => Ok(None),
        }
    }
}

#[tokio::test]
async fn q15_a_user_proves_the_password_by_digest_and_a_wrong_one_unenrols_nobody() {
    let store = Shared::default();
    let clock = Arc::new(ManualClock::new(now()));
    let identity = MdmSignature::new(vec![AUTHORITY.certificate.clone()]).unwrap();
    let key = || Secret::new(vec![7; 32]);
    let users = DigestUsers::new(Directory, "mdm", key());
    let service = Service::builder(store.clone(), Arc::clone(&clock), identity)
        .users(users)
        .build();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let challenge = async || {
        let response = user_authenticate(&device, &service, "").await;
        let answer: UserAuthenticateResponse = read(&response);
        let text = answer.digest_challenge.unwrap();
        text.parse::<DigestChallenge>().unwrap()
    };
    let password = password_digest("anna", "mdm", "correct horse").unwrap();
    let status = async |device: &Device, response: &DigestResponse| {
        let keys = digest_response(&response.to_string());
        user_authenticate(device, &service, &keys).await.status()
    };
    let given = challenge().await;
    let right = DigestResponse::answer(&given, "anna", &password, "/checkin", "c").unwrap();
    assert_eq!(status(&device, &right).await, StatusCode::OK);

    let wrong = password_digest("anna", "mdm", "wrong").unwrap();
    let wrong = DigestResponse::answer(&given, "anna", &wrong, "/checkin", "c").unwrap();
    assert_eq!(status(&device, &wrong).await, StatusCode::GONE);
    // A challenge of nobody's, and somebody else's password.
    let invented = DigestChallenge::new("mdm", "1-2");
    let invented = DigestResponse::answer(&invented, "anna", &password, "/", "c").unwrap();
    assert_eq!(status(&device, &invented).await, StatusCode::GONE);
    let ben = DigestResponse::answer(&given, "ben", &password, "/", "c").unwrap();
    assert_eq!(status(&device, &ben).await, StatusCode::GONE);
    let nonsense = user_authenticate(&device, &service, &digest_response("nonsense")).await;
    assert_eq!(nonsense.status(), StatusCode::GONE);
    // The challenge was another Mac's.
    let other = Device::new("D2");
    other.enroll(&service).await;
    assert_eq!(status(&other, &right).await, StatusCode::GONE);
    // Or is too old.
    clock.advance(std::time::Duration::from_secs(301));
    assert_eq!(status(&device, &right).await, StatusCode::GONE);
}

#[derive(Debug)]
struct Vendor;

#[async_trait]
impl TokenSource for Vendor {
    async fn token(
        &self,
        caller: &Caller<'_>,
        request: &GetToken,
    ) -> Result<Option<Secret<Vec<u8>>>, Unavailable> {
        match request.token_service_type {
            TokenServiceType::Maid => {
                let token = format!("jwt of {}", caller.device.id);
                Ok(Some(Secret::new(token.into_bytes())))
            }
            TokenServiceType::WatchPairing => Err(Unavailable::new("no key")),
            _ => Ok(None),
        }
    }
}

#[async_trait]
impl ReturnToServiceSource for Vendor {
    async fn return_to_service(
        &self,
        caller: &Caller<'_>,
        _: &ReturnToService,
    ) -> Result<Option<ReturnToServiceResponse>, Unavailable> {
        let settings = ReturnToServiceSettings::new(true);
        Ok((caller.sender.id.device_id() == "D1").then(|| ReturnToServiceResponse::new(settings)))
    }
}

#[async_trait]
impl DeclarativeSource for Vendor {
    async fn answer(
        &self,
        caller: &Caller<'_>,
        request: &DeclarativeManagement,
    ) -> Result<DeclarativeAnswer, Unavailable> {
        Ok(match request.endpoint() {
            Ok(Endpoint::Tokens) => {
                DeclarativeAnswer::Json(format!("{{\"of\":\"{}\"}}", caller.sender.id).into())
            }
            Ok(Endpoint::Status) => DeclarativeAnswer::Taken,
            Ok(Endpoint::DeclarationItems) => DeclarativeAnswer::Stale,
            _ => DeclarativeAnswer::Gone,
        })
    }
}

fn vendor_service() -> Service {
    builder(&Shared::default())
        .tokens(Vendor)
        .return_to_service(Vendor)
        .declarative(Vendor)
        .build()
}

#[tokio::test]
async fn q13_a_token_is_handed_out_by_service_and_an_unknown_service_is_answered_400() {
    let service = vendor_service();
    let device = Device::new("D1");
    let get = |kind: &str| {
        message(
            "GetToken",
            &format!("<key>TokenServiceType</key><string>{kind}</string>"),
        )
    };
    let stranger = device.check_in(&service, &get("com.apple.maid")).await;
    assert_eq!(stranger.status(), StatusCode::FORBIDDEN);
    device.enroll(&service).await;
    let answer: GetTokenResponse = read(&device.check_in(&service, &get("com.apple.maid")).await);
    assert_eq!(answer.token_data.expose(), b"jwt of device:D1");
    let unknown = device.check_in(&service, &get("com.example.unknown")).await;
    assert_eq!(unknown.status(), StatusCode::BAD_REQUEST);
    let away = device
        .check_in(&service, &get("com.apple.watch.pairing"))
        .await;
    assert_eq!(away.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(away.headers()["retry-after"], "60");
}

#[tokio::test]
async fn return_to_service_is_answered_with_the_vendors_settings_or_as_not_enabled() {
    let service = vendor_service();
    for (udid, enabled) in [("D1", true), ("D2", false)] {
        let device = Device::new(udid);
        device.enroll(&service).await;
        let response = device
            .check_in(&service, &message("ReturnToService", ""))
            .await;
        let answer: ReturnToServiceResponse = read(&response);
        assert_eq!(answer.return_to_service.enabled, enabled);
    }
}

#[tokio::test]
async fn declarations_are_the_vendors_and_only_what_is_gone_is_answered_404() {
    let service = vendor_service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    device.log_in(&service, "U1").await;
    let ask = async |endpoint: &str, more: &str| {
        let keys = format!("<key>Endpoint</key><string>{endpoint}</string>{more}");
        device
            .check_in(&service, &message("DeclarativeManagement", &keys))
            .await
    };
    let tokens = ask("tokens", &user_id("U1")).await;
    assert_eq!(tokens.status(), StatusCode::OK);
    assert_eq!(tokens.headers()["content-type"], "application/json");
    assert_eq!(tokens.body(), r#"{"of":"user:D1:U1"}"#);
    let report = ask("status", "<key>Data</key><data>e30=</data>").await;
    assert_eq!(report.status(), StatusCode::OK);
    assert!(report.body().is_empty());
    for (endpoint, status) in [
        ("declaration-items", StatusCode::BAD_REQUEST),
        ("declaration/configuration/x", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(ask(endpoint, "").await.status(), status);
    }
}

/// It checked out, or the vendor took it back; its certificate is still the pinned one.
#[tokio::test]
async fn who_left_gets_no_tokens_and_no_declarations_until_it_comes_back() {
    let service = builder(&Shared::default())
        .users(EveryUser)
        .tokens(Vendor)
        .return_to_service(Vendor)
        .declarative(Vendor)
        .build();
    let device = Device::new("D1");
    let asks = |more: &str| {
        let token = "<key>TokenServiceType</key><string>com.apple.maid</string>";
        let tokens = "<key>Endpoint</key><string>tokens</string>";
        let mut asks = vec![
            message("GetToken", &format!("{token}{more}")),
            message("DeclarativeManagement", &format!("{tokens}{more}")),
        ];
        if more.is_empty() {
            asks.extend(["GetBootstrapToken", "ReturnToService"].map(|it| message(it, "")));
        }
        asks
    };
    let answers = async |more: &str, status: StatusCode| {
        for keys in asks(more) {
            let response = device.check_in(&service, &keys).await;
            assert_eq!(response.status(), status, "{keys}");
            assert!(status.is_success() || response.body().is_empty());
        }
    };
    let user = user_id("U1");
    for is_retired in [false, true] {
        device.enroll(&service).await;
        device.log_in(&service, "U1").await;
        let token = "<key>BootstrapToken</key><data>aHVudGVyMg==</data>";
        device
            .check_in(&service, &message("SetBootstrapToken", token))
            .await;
        answers("", StatusCode::OK).await;
        answers(&user, StatusCode::OK).await;

        let leave = async |id: EnrollmentId, more: &str| match is_retired {
            true => assert!(service.retire(&id).await.unwrap()),
            false => {
                device.check_in(&service, &check_out(more)).await;
            }
        };
        leave(device.user("U1"), &user).await;
        answers("", StatusCode::OK).await;
        answers(&user, StatusCode::FORBIDDEN).await;
        // A user may always log in again.
        let challenge = user_authenticate(&device, &service, "").await;
        assert_eq!(challenge.status(), StatusCode::OK);
        device.log_in(&service, "U1").await;
        answers(&user, StatusCode::OK).await;

        leave(device.id(), "").await;
        answers("", StatusCode::FORBIDDEN).await;
        answers(&user, StatusCode::FORBIDDEN).await;
        let challenge = user_authenticate(&device, &service, "").await;
        assert_eq!(challenge.status(), StatusCode::FORBIDDEN);
    }
}
