//! Messages as devices of every kind send them, written down here from the shapes that are known of
//! them: every key, in their order, from `Authenticate` to the first poll.

use http::StatusCode;
use mdm_protocol::id::Channel;
use mdm_service::EnrollmentStatus;

use crate::device::*;

/// A device or a user: its name, its keys, and what it adds to its messages.
struct Speaker {
    id: &'static str,
    channel: Channel,
    ids: &'static str,
    authenticate: Option<&'static str>,
    token_update: &'static str,
}

const HEX: &str = "<key>UDID</key><string>0a1b2c3d4e5f60718293a4b5c6d7e8f901234567</string>";
const NEW: &str = "<key>UDID</key><string>00008101-001938611EE9001E</string>";
const MAC: &str = "<key>UDID</key><string>564D9F4B-6B16-4CFB-9B1E-7F0B5A3C2D1E</string>";

fn speakers() -> Vec<Speaker> {
    vec![
        // iPhone 4, iOS 7.
        Speaker {
            id: "device:0a1b2c3d4e5f60718293a4b5c6d7e8f901234567",
            channel: Channel::Device,
            ids: HEX,
            authenticate: Some(""),
            token_update: "<key>UnlockToken</key><data>AAEC</data>",
        },
        // iPad, iPadOS 18, supervised, in Setup Assistant.
        Speaker {
            id: "device:00008101-001938611EE9001E",
            channel: Channel::Device,
            ids: NEW,
            authenticate: Some(
                "<key>BuildVersion</key><string>22B83</string><key>IMEI</key><string>35 3904 10 123456 7</string>\
                 <key>OSVersion</key><string>18.1</string><key>ProductName</key><string>iPad13,4</string>\
                 <key>SerialNumber</key><string>DMPXK0ABCD</string>",
            ),
            token_update: "<key>AwaitingConfiguration</key><true/><key>UnlockToken</key><data>AAEC</data>",
        },
        // Two users of that Shared iPad.
        Speaker {
            id: "shared-ipad-user:00008101-001938611EE9001E:anna@example.com",
            channel: Channel::SharedIpadUser,
            ids: "<key>UDID</key><string>00008101-001938611EE9001E</string>\
                  <key>UserID</key><string>FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF</string>\
                  <key>UserShortName</key><string>anna@example.com</string>",
            authenticate: None,
            token_update: "<key>UserLongName</key><string></string>",
        },
        Speaker {
            id: "shared-ipad-user:00008101-001938611EE9001E:ben@example.com",
            channel: Channel::SharedIpadUser,
            ids: "<key>UDID</key><string>00008101-001938611EE9001E</string>\
                  <key>UserID</key><string>ffffffff-ffff-ffff-ffff-ffffffffffff</string>\
                  <key>UserShortName</key><string>ben@example.com</string>",
            authenticate: None,
            token_update: "",
        },
        // Mac, macOS 15.
        Speaker {
            id: "device:564D9F4B-6B16-4CFB-9B1E-7F0B5A3C2D1E",
            channel: Channel::Device,
            ids: MAC,
            authenticate: Some(
                "<key>BuildVersion</key><string>24B83</string><key>Challenge</key><data>AA==</data>\
                 <key>DeviceName</key><string>Anna's Mac</string><key>Model</key><string>Mac14,2</string>\
                 <key>ModelName</key><string>MacBook Air</string><key>OSVersion</key><string>15.1</string>\
                 <key>ProductName</key><string>Mac14,2</string><key>SerialNumber</key><string>C02SERVICE</string>",
            ),
            token_update: "",
        },
        // Its user.
        Speaker {
            id: "user:564D9F4B-6B16-4CFB-9B1E-7F0B5A3C2D1E:4E8C0B1A-0000-4000-8000-000000000501",
            channel: Channel::User,
            ids: "<key>UDID</key><string>564D9F4B-6B16-4CFB-9B1E-7F0B5A3C2D1E</string>\
                  <key>UserID</key><string>4E8C0B1A-0000-4000-8000-000000000501</string>",
            authenticate: None,
            token_update: "<key>NotOnConsole</key><false/><key>UserLongName</key><string>Anna A.</string>\
                           <key>UserShortName</key><string>anna</string>",
        },
        // iPhone in User Enrolment: no UDID, no serial number.
        Speaker {
            id: "enrollment:B3A1F0C2D4",
            channel: Channel::UserEnrollmentDevice,
            ids: "<key>EnrollmentID</key><string>B3A1F0C2D4</string>",
            authenticate: Some("<key>OSVersion</key><string>18.1</string>"),
            token_update: "",
        },
        // Mac in User Enrolment, and its user.
        Speaker {
            id: "enrollment:C4D5E6",
            channel: Channel::UserEnrollmentDevice,
            ids: "<key>EnrollmentID</key><string>C4D5E6</string>",
            authenticate: Some("<key>DeviceName</key><string>Mac</string>"),
            token_update: "",
        },
        Speaker {
            id: "enrollment-user:C4D5E6:F7A8B9",
            channel: Channel::UserEnrollmentUser,
            ids: "<key>EnrollmentID</key><string>C4D5E6</string>\
                  <key>EnrollmentUserID</key><string>F7A8B9</string>",
            authenticate: None,
            token_update: "<key>UserLongName</key><string>Anna A.</string>",
        },
    ]
}

const TOPIC: &str = "<key>Topic</key><string>com.apple.mgmt.External.acme</string>";

fn document(keys: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST \
         1.0//EN\" \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n\
         <dict>\n{keys}\n</dict>\n</plist>\n"
    )
}

#[tokio::test]
async fn q08_devices_and_users_of_every_kind_enrol_and_get_their_commands() {
    let (service, store) = service();
    let mut identities: std::collections::BTreeMap<String, Device> = Default::default();
    for speaker in speakers() {
        let id: mdm_service::EnrollmentId = speaker.id.parse().unwrap();
        assert_eq!(id.channel(), speaker.channel);
        let name = id.of_device().to_string();
        let device = identities
            .entry(name.clone())
            .or_insert_with(|| Device::new(&name));
        let send = async |kind: &str, keys: &str| {
            let body = document(&format!("{}{keys}", speaker.ids));
            service.handle(device.request(kind, body)).await
        };
        let ok = async |keys: String| {
            let response = send(CHECK_IN, &keys).await;
            assert_eq!(response.status(), StatusCode::OK, "{id}: {keys}");
        };
        if let Some(more) = speaker.authenticate {
            ok(message("Authenticate", &format!("{TOPIC}{more}"))).await;
        }
        ok(token_update(speaker.token_update)).await;
        assert_eq!(state(&store, &id).await.status, EnrollmentStatus::Enrolled);
        enqueue(&service, &id, "c-1").await;
        let polled = send(REPORT, IDLE).await;
        assert_eq!(offered(&polled).as_deref(), Some("c-1"), "{id}");
    }
    // Each has a queue of its own, and a token of its own.
    for speaker in speakers() {
        let id = speaker.id.parse().unwrap();
        assert_eq!(state(&store, &id).await.token_update_tally, 1, "{id}");
    }
}

#[tokio::test]
async fn q09_one_user_on_two_macs_is_two_enrolments() {
    let (service, store) = service();
    let (first, second) = (Device::new("M1"), Device::new("M2"));
    for mac in [&first, &second] {
        mac.enroll(&service).await;
        mac.log_in(&service, "U1").await;
    }
    enqueue(&service, &first.user("U1"), "c-1").await;
    let polled = second
        .report(&service, &format!("{IDLE}{}", user_id("U1")))
        .await;
    assert_eq!(offered(&polled), None);
    first.check_in(&service, &check_out(&user_id("U1"))).await;
    let other = state(&store, &second.user("U1")).await;
    assert_eq!(other.status, EnrollmentStatus::Enrolled);
}
