//! Details, disowning, Activation Lock, replacements.

use ade_client::{
    BypassCode,
    endpoint::{ActivationLock, DisownDevices, GetDeviceDetails, GetReplacementDetails},
    model::{DeviceDetail, Outcome, ResponseStatus},
};
use mdm_transport::{MemoryTransport, TransportErrorKind};

use super::*;

fn named<const N: usize>(serials: [&str; N]) -> Vec<SerialNumber> {
    serials.map(|serial| serial.parse().unwrap()).into()
}

fn verdict(outcome: &Outcome) -> &str {
    match outcome {
        Outcome::Answered(status) => status.as_str(),
        Outcome::NotMentioned => "not mentioned",
        Outcome::RequestFailed(_) => "failed",
        Outcome::NotSent => "not sent",
        other => panic!("{other:?}"),
    }
}

fn verdicts(details: &[DeviceDetail]) -> Vec<&str> {
    details
        .iter()
        .map(|detail| verdict(&detail.outcome))
        .collect()
}

#[tokio::test]
async fn details_are_given_for_each_device_that_was_asked_for() {
    let (server, client) = scene().await;
    in_session("POST", "/devices")
        .and(body_json(json!({"devices": ["A", "B", "C", "D"]})))
        .respond_with(answer(
            r#"{"devices":{
                "A":{"serial_number":"A","os":"iPadOS","response_status":"SUCCESS","new":1},
                "B":{"response_status":"NOT_ACCESSIBLE"},
                "C":{"response_status":"not_found"}},"trace":"x"}"#,
        ))
        .mount(&server)
        .await;
    let request = GetDeviceDetails::new(named(["A", "B", "A", "C", "D"]));
    let details = client.send(&request).await.unwrap();
    assert_eq!(
        verdicts(&details.devices),
        [
            "SUCCESS",
            "NOT_ACCESSIBLE",
            "SUCCESS",
            "not_found",
            "not mentioned"
        ]
    );
    let device = details.devices[0].device.as_ref().unwrap();
    assert_eq!(device.os.as_ref().unwrap().as_str(), "iPadOS");
    assert_eq!(device.extra.keys().collect::<Vec<_>>(), ["new"]);
    assert!(details.devices[1].device.is_none() && details.devices[3].device.is_none());
    assert_eq!(details.extra["trace"], "x");
}

#[tokio::test]
async fn many_devices_are_asked_for_in_batches_each_once() {
    let (server, client) = scene().await;
    for (first, last) in [(0, 1000), (1000, 1200)] {
        let sent = &serials(1200)[first..last];
        in_session("POST", "/devices")
            .and(body_json(json!({ "devices": sent })))
            .respond_with(answer(r#"{"devices":{"C02TEST00001":"SUCCESS"}}"#))
            .expect(1)
            .mount(&server)
            .await;
    }
    let mut all = serials(1200);
    all.extend(serials(2));
    let report = client.details(&all).await;
    assert!(report.error.is_none());
    let order: Vec<_> = report
        .devices
        .iter()
        .map(|detail| detail.serial_number.clone())
        .collect();
    assert_eq!(order, all);
    let done = report
        .devices
        .iter()
        .filter(|detail| detail.outcome.is_success());
    assert_eq!(done.count(), 2);
}

#[tokio::test]
async fn devices_behind_a_failed_batch_are_not_sent() {
    let (server, client) = scene().await;
    let sent = serials(1500);
    in_session("DELETE", "/profile/devices")
        .respond_with(refusal(500, ""))
        .expect(1)
        .mount(&server)
        .await;
    let report = client.remove_profile(&sent).await;
    assert!(report.error.as_ref().unwrap().is_server_error() && !report.is_success());
    let verdicts: Vec<_> = report
        .devices
        .iter()
        .map(|result| verdict(&result.outcome))
        .collect();
    assert_eq!(
        verdicts,
        [vec!["failed"; 1000], vec!["not sent"; 500]].concat()
    );
}

#[tokio::test]
async fn a_disowned_device_is_told_from_one_that_is_not_ours() {
    let (server, client) = scene().await;
    in_session("POST", "/devices/disown")
        .and(body_json(json!({"devices": ["A", "B", "C"]})))
        .respond_with(answer(
            r#"{"devices":[{"A":"SUCCESS"},{"B":"NOT_ACCESSIBLE","C":"FAILED"}]}"#,
        ))
        .mount(&server)
        .await;
    let report = client.disown(&named(["A", "B", "C"])).await;
    let verdicts: Vec<_> = report
        .devices
        .iter()
        .map(|result| verdict(&result.outcome))
        .collect();
    assert_eq!(verdicts, ["SUCCESS", "NOT_ACCESSIBLE", "FAILED"]);
}

#[tokio::test]
async fn neither_disowning_nor_a_lock_is_sent_twice_after_an_answer_that_got_lost() {
    let session = http::Response::new(r#"{"auth_session_token":"s1"}"#.into());
    let script = Arc::new(
        MemoryTransport::new()
            .answer(session)
            .fail(TransportErrorKind::Interrupted)
            .fail(TransportErrorKind::Timeout),
    );
    let token = ServerToken::new("CK_1", "CS_1", "AT_1", "AS_1");
    let clock = Arc::new(ManualClock::new(Utc::now()));
    let client = Client::builder(Arc::clone(&script), clock, token, USER_AGENT)
        .build()
        .unwrap();
    let disown = DisownDevices::new(named(["A"]));
    assert!(client.send(&disown).await.is_err());
    let lock = ActivationLock::without_code("A".parse().unwrap());
    assert!(client.send(&lock).await.is_err());
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn a_request_without_devices_is_not_sent_and_apples_refusal_is_told() {
    let (server, client) = scene().await;
    in_session("POST", "/devices")
        .respond_with(refusal(400, "DEVICE_ID_REQUIRED"))
        .expect(1)
        .mount(&server)
        .await;
    assert!(
        client
            .send(&GetDeviceDetails::new(Vec::new()))
            .await
            .is_err()
    );
    let request = GetDeviceDetails::new(named(["A"]));
    let error = client.send(&request).await.unwrap_err();
    assert_eq!(error.code(), Some(&ade_client::ErrorCode::DeviceIdRequired));
}

#[tokio::test]
async fn a_device_is_locked_with_the_hash_of_a_code() {
    let (server, client) = scene().await;
    let code: BypassCode = "3UM43-PUYVY-QYD1-UVCC-HEHJ-FKA4".parse().unwrap();
    in_session("POST", "/device/activationlock")
        .and(body_json(json!({
            "device": "A",
            "escrow_key": "6AB40D5EABE7218EC04182F461005600C7E3426BDDD82CDB405BDE9A1E0014B5",
            "lost_message": "Call us",
        })))
        .respond_with(answer(
            r#"{"serial_number":"A","response_status":"SUCCESS","new":1}"#,
        ))
        .mount(&server)
        .await;
    let mut lock = ActivationLock::new("A".parse().unwrap(), code.escrow_key().unwrap());
    lock.lost_message = Some("Call us".to_owned());
    let locked = client.send(&lock).await.unwrap();
    assert!(locked.outcome.is_success());
    assert_eq!(locked.extra.keys().collect::<Vec<_>>(), ["new"]);
}

#[tokio::test]
async fn each_reason_for_not_locking_a_device_is_told() {
    for status in [
        "NOT_ACCESSIBLE",
        "ORG_NOT_SUPPORTED",
        "DEVICE_NOT_SUPPORTED",
        "DEVICE_ALREADY_LOCKED",
        "FAILED",
    ] {
        let (server, client) = scene().await;
        in_session("POST", "/device/activationlock")
            .and(body_json(json!({"device": "A"})))
            .respond_with(answer(&format!(
                r#"{{"serial_number":"A","response_status":"{status}"}}"#
            )))
            .mount(&server)
            .await;
        let lock = ActivationLock::without_code("A".parse().unwrap());
        let locked = client.send(&lock).await.unwrap();
        assert_eq!(verdict(&locked.outcome), status);
        assert!(ResponseStatus::from(status).is_known());
    }
}

#[tokio::test]
async fn a_replacement_names_the_device_that_it_replaces() {
    let (server, client) = scene().await;
    in_session("GET", "/device/replacementDetails")
        .and(query_param("device", "NEW"))
        .respond_with(answer(
            r#"{"serial_number":"NEW","original_device_serial_number":"OLD",
                "replacement_date":"2026-02-03"}"#,
        ))
        .mount(&server)
        .await;
    let request = GetReplacementDetails::new("NEW".parse().unwrap());
    let details = client.send(&request).await.unwrap();
    assert_eq!(details.original_device_serial_number, "OLD".parse().ok());
    assert_eq!(details.replacement_date.as_deref(), Some("2026-02-03"));
}

#[tokio::test]
async fn a_device_that_replaces_none_is_told_by_either_status() {
    for status in [404, 400] {
        let (server, client) = scene().await;
        in_session("GET", "/device/replacementDetails")
            .respond_with(refusal(status, "\"DEVICE_NOT_FOUND\"\r\n"))
            .mount(&server)
            .await;
        let request = GetReplacementDetails::new("A".parse().unwrap());
        let error = client.send(&request).await.unwrap_err();
        assert!(error.is_device_not_found(), "{error}");
    }
}
