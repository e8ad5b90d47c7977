//! Single exchanges against answers written down word for word.

mod devices;
mod profile;
mod roster;

use ade_client::endpoint::{AssignProfile, FetchDevices, GetAccount};
use mdm_core::Clock;
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_json, header, header_exists, method, path, query_param},
};

use super::*;

async fn scene() -> (MockServer, Client) {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/session"))
        .and(header("content-type", "application/json;charset=UTF8"))
        .and(header("user-agent", USER_AGENT))
        .and(header("x-server-protocol-version", "10"))
        .and(header_exists("authorization"))
        .respond_with(ResponseTemplate::new(200).set_body_raw(
            r#"{"auth_session_token":"1526340117000O1O7C2AD4C4O0F29O1234O11Op1O99A0O77"}"#,
            "application/json;charset=UTF8",
        ))
        .expect(1)
        .mount(&server)
        .await;
    let transport = ReqwestTransport::builder().no_proxy().build().unwrap();
    let clock = Arc::new(ManualClock::new(Utc::now()));
    let token = ServerToken::new("CK_1", "CS_1", "AT_1", "AS_1");
    let client = Client::builder(transport, clock, token, USER_AGENT)
        .base_url(&server.uri())
        .build()
        .unwrap();
    (server, client)
}

fn answer(body: &str) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_string(body)
}

fn refusal(status: u16, body: &str) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_string(body)
}

fn in_session(verb: &str, at: &str) -> wiremock::MockBuilder {
    Mock::given(method(verb))
        .and(path(at))
        .and(header("content-type", "application/json;charset=UTF8"))
        .and(header("user-agent", USER_AGENT))
        .and(header("x-server-protocol-version", "10"))
        .and(header(
            "x-adm-auth-session",
            "1526340117000O1O7C2AD4C4O0F29O1234O11Op1O99A0O77",
        ))
}

#[tokio::test]
async fn an_account_with_and_without_limits() {
    let (server, client) = scene().await;
    in_session("GET", "/account")
        .respond_with(ResponseTemplate::new(200).set_body_string(
            r#"{"server_name":"IT","server_uuid":"677CAB70FE18E2D0B2F1A3C4D5E6F708",
                "admin_id":"it@example.com","org_type":"edu","org_version":"v2","org_new":[1],
                "urls":[{"uri":"/devices/sync","http_method":["POST"],"limit":{"default":1000,"maximum":5000}}]}"#,
        ))
        .mount(&server)
        .await;
    let account = client.send(&GetAccount::new()).await.unwrap();
    assert_eq!(account.org_type.as_ref().unwrap().as_str(), "edu");
    assert_eq!(account.maximum("/devices/sync"), Some(5000));
    assert_eq!(account.extra["org_new"], json!([1]));
}

#[tokio::test]
async fn a_page_with_odd_devices_is_read_whole() {
    let (server, client) = scene().await;
    in_session("POST", "/server/devices")
        .and(body_json(json!({"limit": 1000})))
        .respond_with(ResponseTemplate::new(200).set_body_string(
            r#"{"devices":[
                {"serial_number":"C8TJ500QF1MN","model":"IPAD WI-FI 16GB","description":"IPAD","color":"black",
                 "device_family":"iPad","os":"iPadOS","profile_status":"","device_assigned_by":"-1",
                 "imei":["35 698111 047526 9"],"profile_push_time":""},
                {"serial_number":"","os":"watchOS"},
                "nonsense"],
               "fetched_until":"2026-05-08T03:52:17Z","cursor":"MDowOjE=","more_to_follow":true}"#,
        ))
        .mount(&server)
        .await;
    let page = client.send(&FetchDevices::first()).await.unwrap();
    assert_eq!((page.devices.len(), page.unreadable.len()), (2, 1));
    assert_eq!(page.devices[0].device_assigned_by.as_deref(), Some("-1"));
    assert_eq!(page.devices[1].serial_number, None);
    assert_eq!(page.devices[1].os.as_ref().unwrap().as_str(), "watchOS");
    assert!(page.more_to_follow);
}

#[tokio::test]
async fn an_assignment_answered_as_a_list_is_read() {
    let (server, client) = scene().await;
    in_session("POST", "/profile/devices")
        .and(body_json(
            json!({"profile_uuid": "P1", "devices": ["A", "B"]}),
        ))
        .respond_with(
            ResponseTemplate::new(200).set_body_string(
                r#"{"profile_uuid":"P1","devices":[{"A":"SUCCESS"},{"B":"FAILED"}]}"#,
            ),
        )
        .mount(&server)
        .await;
    let devices = vec!["A".parse().unwrap(), "B".parse().unwrap()];
    let assigned = client
        .send(&AssignProfile::new("P1", devices))
        .await
        .unwrap();
    assert!(assigned.devices[0].is_success() && !assigned.devices[1].is_success());
}

#[tokio::test]
async fn an_error_page_of_a_proxy_is_kept_and_has_no_code() {
    let (server, client) = scene().await;
    in_session("GET", "/account")
        .respond_with(ResponseTemplate::new(502).set_body_string("<html>Bad Gateway</html>"))
        .mount(&server)
        .await;
    let error = client.send(&GetAccount::new()).await.unwrap_err();
    assert_eq!(error.code(), None);
    let api = error.api().unwrap();
    assert_eq!(api.status, 502);
    assert_eq!(api.body.as_bytes(), b"<html>Bad Gateway</html>");
}

#[tokio::test]
async fn a_retry_after_date_too_far_ahead_goes_to_the_caller() {
    let (server, client) = scene().await;
    in_session("GET", "/account")
        .respond_with(
            ResponseTemplate::new(429)
                .insert_header("retry-after", "Fri, 01 Jan 2100 00:00:00 GMT")
                .set_body_string("too_many_requests"),
        )
        .expect(1)
        .mount(&server)
        .await;
    let error = client.send(&GetAccount::new()).await.unwrap_err();
    assert!(error.is_busy());
    let now = mdm_core::SystemClock.now();
    assert!(error.api().unwrap().retry_after(now).unwrap().as_secs() > 365 * 24 * 3600);
}
