use std::sync::Arc;

use mdm_fake_apple::authority::Authority;
use mdm_plist::{Dictionary, Value};
use mdm_simulator::{Answer, Error, MAX_COMMANDS, Responder};

use crate::server::{Server, signed, text};

pub(crate) fn command(uuid: &str, keys: &str) -> String {
    format!(
        r#"<plist version="1.0"><dict><key>CommandUUID</key><string>{uuid}</string>
        <key>Command</key><dict>{keys}</dict></dict></plist>"#
    )
}

pub(crate) fn install(uuid: &str, profile: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let payload = STANDARD.encode(profile);
    let keys = "<key>RequestType</key><string>InstallProfile</string><key>Payload</key>";
    command(uuid, &format!("{keys}<data>{payload}</data>"))
}

const PROFILE: &str = r#"<plist version="1.0"><dict>
    <key>PayloadContent</key><array/>
    <key>PayloadIdentifier</key><string>example.dock</string>
    <key>PayloadType</key><string>Configuration</string>
    <key>PayloadUUID</key><string>3333</string>
    <key>PayloadVersion</key><integer>1</integer>
    </dict></plist>"#;

#[tokio::test]
async fn every_command_is_answered_by_its_uuid_until_the_server_has_no_more() {
    let server = Server::new().await;
    let mut mac = server.managed_mac().await;
    server.answer(&command(
        "c1",
        "<key>RequestType</key><string>DeviceInformation</string><key>Queries</key><array>
         <string>SerialNumber</string><string>PhoneNumber</string></array>",
    ));
    server.answer(&command(
        "c2",
        "<key>RequestType</key><string>MakeCoffee</string>",
    ));
    server.answer(&command("c3", "<key>Queries</key><array/>"));
    let answered = mac.poll().await.unwrap();
    assert_eq!(answered, ["DeviceInformation", "MakeCoffee"]);

    let received = server.received();
    let statuses: Vec<_> = received
        .iter()
        .map(|(_, message)| (text(message, "CommandUUID"), text(message, "Status")))
        .collect();
    assert_eq!(
        statuses,
        [
            ("", "Idle"),
            ("c1", "Acknowledged"),
            ("c2", "Error"),
            ("c3", "CommandFormatError")
        ]
    );
    let responses = received[1]
        .1
        .get("QueryResponses")
        .unwrap()
        .as_dictionary()
        .unwrap();
    assert_eq!(
        responses.keys().collect::<Vec<_>>(),
        ["SerialNumber"],
        "unknown ones left out"
    );
    let chain = received[2].1.get("ErrorChain").unwrap().as_array().unwrap();
    let code = chain[0].as_dictionary().unwrap().get("ErrorCode").unwrap();
    assert_eq!(code.as_signed_integer(), Some(12021));
}

#[tokio::test]
async fn profiles_come_and_go_and_one_of_a_foreign_signer_is_refused() {
    let server = Server::new().await;
    let mut mac = server.managed_mac().await;
    let stranger = Authority::new("Web Root")
        .unwrap()
        .client_identity("Signer")
        .unwrap();
    server.answer(&install("c1", &signed(PROFILE, &stranger)));
    server.answer(&install("c2", PROFILE.as_bytes()));
    server.answer(&command(
        "c3",
        "<key>RequestType</key><string>ProfileList</string>",
    ));
    mac.poll().await.unwrap();
    let received = server.received();
    assert_eq!(text(&received[1].1, "Status"), "Error");
    assert_eq!(text(&received[2].1, "Status"), "Acknowledged");
    let list = received[3]
        .1
        .get("ProfileList")
        .and_then(Value::as_array)
        .unwrap();
    assert_eq!(list.len(), 2, "the enrolment profile and the one installed");

    let remove = "<key>RequestType</key><string>RemoveProfile</string>
        <key>Identifier</key><string>example.dock</string>";
    server.answer(&command("c4", remove));
    server.answer(&command("c5", remove));
    mac.poll().await.unwrap();
    let received = server.received();
    assert_eq!(text(&received[5].1, "Status"), "Acknowledged");
    assert_eq!(
        text(&received[6].1, "Status"),
        "Error",
        "it is gone already"
    );
    assert_eq!(
        mac.profile_identifiers().collect::<Vec<_>>(),
        ["example.mdm"]
    );
}

#[tokio::test]
async fn a_server_that_never_stops_is_told_from_one_that_is_done() {
    let server = Server::new().await;
    let mut mac = server.managed_mac().await;
    for _ in 0..=MAX_COMMANDS {
        server.answer(&command("c1", "<key>Queries</key><array/>"));
    }
    assert!(matches!(mac.poll().await, Err(Error::Endless)));
}

#[tokio::test]
async fn a_responder_answers_in_the_devices_stead_where_it_wants_to() {
    #[derive(Debug)]
    struct Busy;
    impl Responder for Busy {
        fn answer(&self, request_type: &str, _command: &Dictionary) -> Option<Answer> {
            (request_type == "DeviceLock").then_some(Answer::NotNow)
        }
    }

    let server = Server::new().await;
    let mut mac = server.managed_mac().await;
    mac.set_responder(Arc::new(Busy));
    server.answer(&command(
        "c1",
        "<key>RequestType</key><string>DeviceLock</string>",
    ));
    server.answer(&command(
        "c2",
        "<key>RequestType</key><string>ProfileList</string>",
    ));
    mac.poll().await.unwrap();
    let received = server.received();
    assert_eq!(text(&received[1].1, "Status"), "NotNow");
    assert_eq!(text(&received[2].1, "Status"), "Acknowledged");
}
