//! Profiles, account-driven enrolment, beta programmes.

use ade_client::{
    ErrorCode,
    endpoint::{
        AssignAccountDrivenEnrollmentProfile, FetchAccountDrivenEnrollmentProfile, FetchProfile,
        GetBetaEnrollmentTokens, RemoveAccountDrivenEnrollmentProfile, RemoveProfile,
    },
};

use super::*;

const DISCOVERY: &str = "/account-driven-enrollment/profile";

#[tokio::test]
async fn a_profile_is_fetched_with_all_its_keys() {
    let (server, client) = scene().await;
    in_session("GET", "/profile")
        .and(query_param("profile_uuid", "P1"))
        .respond_with(answer(
            r#"{"profile_uuid":"P1","profile_name":"Staff","url":"https://mdm.example/e",
                "is_mdm_removable":false,"is_return_to_service":true,"language":"",
                "skip_setup_items":["Siri","Hologram"],"is_new":true}"#,
        ))
        .mount(&server)
        .await;
    let profile = client.send(&FetchProfile::new("P1")).await.unwrap();
    assert_eq!(profile.profile_uuid.as_deref(), Some("P1"));
    assert_eq!(profile.is_mdm_removable, Some(false));
    assert_eq!(profile.is_return_to_service, Some(true));
    assert_eq!((profile.language, profile.allow_pairing), (None, None));
    assert_eq!(profile.skip_setup_items.unwrap()[1].as_str(), "Hologram");
    assert_eq!(profile.extra["is_new"], true);
}

#[tokio::test]
async fn a_profile_that_is_not_there_is_told_in_each_of_its_forms() {
    for (status, body) in [
        (400, "NOT_FOUND"),
        (400, "\"PROFILE_NOT_FOUND\""),
        (404, "NOT_FOUND"),
        (404, ""),
    ] {
        let (server, client) = scene().await;
        in_session("GET", "/profile")
            .respond_with(refusal(status, body))
            .mount(&server)
            .await;
        let error = client.send(&FetchProfile::new("P1")).await.unwrap_err();
        assert!(error.is_profile_not_found(), "{error}");
    }
}

#[tokio::test]
async fn a_profile_is_taken_away_by_a_delete_with_a_body() {
    let (server, client) = scene().await;
    in_session("DELETE", "/profile/devices")
        .and(body_json(json!({"devices": ["A", "B"]})))
        .respond_with(answer(
            r#"{"devices":{"A":"SUCCESS","B":"NOT_ACCESSIBLE"},"new":1}"#,
        ))
        .mount(&server)
        .await;
    let devices = vec!["A".parse().unwrap(), "B".parse().unwrap()];
    let removed = client.send(&RemoveProfile::new(devices)).await.unwrap();
    assert!(removed.devices[0].is_success() && !removed.devices[1].is_success());
    assert_eq!(removed.extra["new"], 1);
}

#[tokio::test]
async fn service_discovery_is_set_seen_and_taken_back() {
    let (server, client) = scene().await;
    let address = "https://mdm.example/discovery";
    in_session("POST", DISCOVERY)
        .and(body_json(json!({ "mdm_service_discovery_url": address })))
        .respond_with(answer(""))
        .expect(1)
        .mount(&server)
        .await;
    in_session("GET", DISCOVERY)
        .respond_with(answer(&format!(
            r#"{{"mdm_service_discovery_url":"{address}","last_updated_timestamp":"2026-01-02T03:04:05Z"}}"#
        )))
        .mount(&server)
        .await;
    in_session("DELETE", DISCOVERY)
        .respond_with(answer(""))
        .expect(1)
        .mount(&server)
        .await;
    let assign = AssignAccountDrivenEnrollmentProfile::new(address);
    client.send(&assign).await.unwrap();
    let fetch = FetchAccountDrivenEnrollmentProfile::new();
    let profile = client.send(&fetch).await.unwrap();
    assert_eq!(profile.mdm_service_discovery_url.as_deref(), Some(address));
    assert!(profile.last_updated_timestamp.unwrap().instant().is_some());
    let remove = RemoveAccountDrivenEnrollmentProfile::new();
    client.send(&remove).await.unwrap();
}

#[tokio::test]
async fn service_discovery_that_is_not_set_or_not_taken_is_told() {
    let (server, client) = scene().await;
    in_session("GET", DISCOVERY)
        .respond_with(refusal(404, "NOT_FOUND"))
        .mount(&server)
        .await;
    in_session("POST", DISCOVERY)
        .respond_with(refusal(400, "MDM_SERVICE_DISCOVERY_URL_NOT_VALID"))
        .mount(&server)
        .await;
    in_session("DELETE", DISCOVERY)
        .respond_with(refusal(400, "ORG_NOT_SUPPORTED"))
        .mount(&server)
        .await;
    let fetch = FetchAccountDrivenEnrollmentProfile::new();
    let error = client.send(&fetch).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::NotFound));
    let assign = AssignAccountDrivenEnrollmentProfile::new("http://mdm.example");
    let error = client.send(&assign).await.unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::ServiceDiscoveryUrlInvalid));
    let remove = RemoveAccountDrivenEnrollmentProfile::new();
    assert!(
        client
            .send(&remove)
            .await
            .unwrap_err()
            .is_org_not_supported()
    );
}

#[tokio::test]
async fn beta_programmes_come_under_either_name() {
    for key in ["betaEnrollmentTokens", "seedBuildTokens"] {
        let (server, client) = scene().await;
        in_session("GET", "/os-beta-enrollment/tokens")
            .respond_with(answer(&format!(
                r#"{{"{key}":[{{"token":"t1","title":"tvOS 27 Beta","os":"tvOS","build":"24A1"}}]}}"#
            )))
            .mount(&server)
            .await;
        let answer = client.send(&GetBetaEnrollmentTokens::new()).await.unwrap();
        let [token] = answer.tokens() else {
            panic!("{key}: {answer:?}")
        };
        assert_eq!(token.token.as_ref().unwrap().expose(), "t1");
        assert_eq!(token.title.as_deref(), Some("tvOS 27 Beta"));
        assert_eq!(token.extra["build"], "24A1");
    }
}

#[tokio::test]
async fn beta_programmes_that_are_switched_off_are_no_reason_for_a_new_session() {
    let (server, client) = scene().await;
    in_session("GET", "/os-beta-enrollment/tokens")
        .respond_with(refusal(403, "APPLE_SEED_FOR_IT_TURNED_OFF"))
        .expect(1)
        .mount(&server)
        .await;
    let error = client
        .send(&GetBetaEnrollmentTokens::new())
        .await
        .unwrap_err();
    assert_eq!(error.code(), Some(&ErrorCode::AppleSeedTurnedOff));
    assert!(!error.is_unauthorized());
}
