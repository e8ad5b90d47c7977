use mdm_core::{PushMagic, PushToken, Secret};
use mdm_plist::{Dictionary, Kept, Limits, Value};
use mdm_protocol::{
    CheckIn, Error,
    checkin::{
        Authenticate, CheckOut, DeclarativeManagement, GetBootstrapToken,
        GetBootstrapTokenResponse, GetToken, GetTokenResponse, ReturnToService,
        ReturnToServiceResponse, ReturnToServiceSettings, SetBootstrapToken, TokenServiceType,
        TokenUpdate, UserAuthenticate, UserAuthenticateResponse,
    },
    ddm::Endpoint,
    id::{Channel, HasIds},
};

use crate::{TOPIC, UDID, plist};

fn every_message() -> Vec<CheckIn> {
    let topic = || TOPIC.parse().unwrap();
    let udid = || Some(UDID.parse().unwrap());
    vec![
        Authenticate::new(topic())
            .with(|m| {
                m.udid = udid();
                m.device_name = Some("Mac & <Co>".into());
                m.model = Some("Mac14,2".into());
                m.model_name = Some("MacBook Air".into());
                m.product_name = Some("Mac14,2".into());
                m.os_version = Some("15.1".into());
                m.build_version = Some("24B83".into());
                m.serial_number = Some("C02XX".parse().unwrap());
                m.imei = Some("35 123".into());
                m.meid = Some("A1".into());
            })
            .into(),
        TokenUpdate::new(topic(), PushToken::new([1, 2, 3]), PushMagic::new("m4gic"))
            .with(|m| {
                m.udid = udid();
                m.user_id = Some("U1".into());
                m.user_short_name = Some("anna".into());
                m.user_long_name = Some("Anna".into());
                m.unlock_token = Some(Secret::new(vec![0xFF, 0, 0x80]));
                m.awaiting_configuration = Some(false);
                m.not_on_console = Some(true);
            })
            .into(),
        CheckOut::new(topic()).with(|m| m.udid = udid()).into(),
        UserAuthenticate::new(UDID.parse().unwrap(), "U1")
            .with(|m| m.digest_response = Some(Secret::new("Digest x".into())))
            .into(),
        GetBootstrapToken::new(UDID.parse().unwrap()).into(),
        SetBootstrapToken::new(UDID.parse().unwrap(), Secret::new(vec![9; 40])).into(),
        GetToken::new(TokenServiceType::Maid)
            .with(|m| {
                m.udid = udid();
                let mut parameters = Dictionary::new();
                parameters.insert("SecurityToken".into(), "s3curity".into());
                m.token_parameters = Some(parameters);
                m.user_id = Some("U1".into());
                m.not_on_console = Some(false);
            })
            .into(),
        DeclarativeManagement::new(&Endpoint::Status)
            .with(|m| {
                m.udid = udid();
                m.data = Some(b"{}".to_vec());
            })
            .into(),
        ReturnToService::new(UDID.parse().unwrap()).into(),
    ]
}

#[test]
fn every_message_reads_back_from_what_is_written() {
    let messages = every_message();
    assert_eq!(messages.len(), CheckIn::MESSAGE_TYPES.len());
    for (message, message_type) in messages.iter().zip(CheckIn::MESSAGE_TYPES) {
        let xml = message.to_xml().unwrap();
        let tree: Dictionary = mdm_plist::from_slice(&xml).unwrap();
        let tag = tree.get("MessageType").and_then(Value::as_string);
        assert_eq!(tag, Some(message.message_type()));
        assert!(
            CheckIn::MESSAGE_TYPES.contains(&message.message_type()),
            "{message_type}"
        );
        assert_eq!(&CheckIn::decode(&xml).unwrap(), message);
        let (again, unknown) = CheckIn::from_dictionary(tree.clone()).unwrap();
        assert_eq!(&again, message);
        assert!(unknown.is_empty(), "{unknown:?}");
        let binary = mdm_plist::to_binary(&tree).unwrap();
        assert_eq!(&CheckIn::decode(&binary).unwrap(), message);
    }
}

#[test]
fn an_authenticate_as_an_iphone_sends_it_is_read() {
    let message = CheckIn::decode(&plist(&format!(
        "<key>BuildVersion</key><string>22B83</string>
         <key>Challenge</key><data>AAA=</data>
         <key>IMEI</key><string>35 123456 789012 3</string>
         <key>MessageType</key><string>Authenticate</string>
         <key>OSVersion</key><string>18.1</string>
         <key>ProductName</key><string>iPhone14,2</string>
         <key>SerialNumber</key><string>F4GXX</string>
         <key>Topic</key><string>{TOPIC}</string>
         <key>UDID</key><string>{UDID}</string>"
    )))
    .unwrap();
    let CheckIn::Authenticate(authenticate) = message else {
        panic!("not an Authenticate");
    };
    assert_eq!(authenticate.os_version.as_deref(), Some("18.1"));
    assert_eq!(authenticate.serial_number.unwrap().as_str(), "F4GXX");
    assert_eq!(authenticate.device_name, None);
}

#[test]
fn q08_an_authenticate_of_a_user_is_not_the_devices() {
    let of = |more: &str| {
        let keys = format!(
            "<key>MessageType</key><string>Authenticate</string><key>Topic</key><string>{TOPIC}</string>{more}"
        );
        let id = CheckIn::decode(&plist(&keys)).unwrap().enrollment_id();
        id.unwrap().to_string()
    };
    // As OS X 10.11 sends it.
    let user = of(&format!(
        "<key>NotOnConsole</key><false/><key>OSVersion</key><string>10.11.2</string>
         <key>UDID</key><string>{UDID}</string><key>UserID</key><string>U1</string>
         <key>UserLongName</key><string>Anna</string><key>UserShortName</key><string>anna</string>"
    ));
    assert_eq!(user, format!("user:{UDID}:U1"));
    let user = of("<key>EnrollmentID</key><string>E1</string>
         <key>EnrollmentUserID</key><string>EU1</string>");
    assert_eq!(user, "enrollment-user:E1:EU1");
}

#[test]
fn q12_keys_that_are_absent_are_told_from_keys_that_are_false() {
    let update = |more: &str| {
        let keys = format!(
            "<key>MessageType</key><string>TokenUpdate</string>
             <key>PushMagic</key><string>m</string><key>Token</key><data>AQI=</data>
             <key>Topic</key><string>{TOPIC}</string><key>UDID</key><string>{UDID}</string>{more}"
        );
        match CheckIn::decode(&plist(&keys)).unwrap() {
            CheckIn::TokenUpdate(update) => update,
            other => panic!("{other:?}"),
        }
    };
    let bare = update("");
    assert_eq!(
        (bare.unlock_token, bare.awaiting_configuration),
        (None, None)
    );
    let full =
        update("<key>AwaitingConfiguration</key><false/><key>UnlockToken</key><data>AAEC</data>");
    assert_eq!(full.awaiting_configuration, Some(false));
    assert_eq!(full.unlock_token.unwrap().expose(), &[0, 1, 2]);
}

#[test]
fn q08_a_token_update_of_a_shared_ipads_user_is_of_that_user() {
    let message = CheckIn::decode(&plist(&format!(
        "<key>MessageType</key><string>TokenUpdate</string>
         <key>PushMagic</key><string>m</string><key>Token</key><data>AQI=</data>
         <key>Topic</key><string>{TOPIC}</string><key>UDID</key><string>{UDID}</string>
         <key>UserID</key><string>FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF</string>
         <key>UserShortName</key><string>anna@example.com</string>"
    )))
    .unwrap();
    let id = message.enrollment_id().unwrap();
    assert_eq!(id.channel(), Channel::SharedIpadUser);
    assert_eq!(id.user_id(), Some("anna@example.com"));
    assert_eq!(id.of_device().channel(), Channel::Device);
}

#[test]
fn q08_user_enrolment_has_no_udid() {
    let message = CheckIn::decode(&plist(&format!(
        "<key>EnrollmentID</key><string>E-1</string>
         <key>MessageType</key><string>CheckOut</string>
         <key>Topic</key><string>{TOPIC}</string>"
    )))
    .unwrap();
    let id = message.enrollment_id().unwrap();
    assert_eq!(id.channel(), Channel::UserEnrollmentDevice);
    assert_eq!(id.device_id(), "E-1");
}

#[test]
fn q13_an_unknown_message_type_is_a_typed_error_with_the_message_inside() {
    let bytes = plist(&format!(
        "<key>MessageType</key><string>Beam\u{7}Up</string><key>UDID</key><string>{UDID}</string>
         <key>Secret</key><string>hunter2</string>"
    ));
    let tree: Dictionary = mdm_plist::from_slice(&bytes).unwrap();
    let errors = [
        CheckIn::decode(&bytes).unwrap_err(),
        CheckIn::from_dictionary(tree).unwrap_err(),
    ];
    for error in errors {
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains("hunter2") && !error.to_string().contains('\u{7}'),
            "{shown}"
        );
        let Error::UnknownMessageType(message) = error else {
            panic!("{error:?}");
        };
        assert!(message.message_type.starts_with("Beam"));
        assert_eq!(
            message.body.get("Secret").unwrap().as_string(),
            Some("hunter2")
        );
        assert_eq!(message.enrollment_id().unwrap().device_id(), UDID);
    }
}

#[test]
fn an_endless_message_type_is_cut_in_the_error() {
    let keys = format!(
        "<key>MessageType</key><string>{}</string>",
        "x".repeat(10_000)
    );
    let shown = CheckIn::decode(&plist(&keys)).unwrap_err().to_string();
    assert!(shown.len() < 200 && shown.ends_with("..."), "{shown}");
}

#[test]
fn a_message_that_lacks_what_it_must_have_is_refused() {
    let cases = [
        "",
        "<key>MessageType</key><integer>1</integer>",
        "<key>MessageType</key><string>Authenticate</string>",
        "<key>MessageType</key><string>CheckOut</string><key>Topic</key><string></string>",
        "<key>MessageType</key><string>TokenUpdate</string><key>Topic</key><string>t</string>
         <key>PushMagic</key><string>m</string><key>Token</key><string>AQI=</string>",
        "<key>MessageType</key><string>DeclarativeManagement</string>",
    ];
    for keys in cases {
        let bytes = plist(keys);
        assert!(
            matches!(CheckIn::decode(&bytes), Err(Error::Plist(_))),
            "{keys}"
        );
        let tree: Dictionary = mdm_plist::from_slice(&bytes).unwrap();
        assert!(CheckIn::from_dictionary(tree).is_err(), "{keys}");
    }
    for bytes in [&b""[..], b"hello", b"<plist><array/></plist>", b"bplist00"] {
        assert!(matches!(CheckIn::decode(bytes), Err(Error::Plist(_))));
    }
}

/// A device that writes one of these otherwise than Apple's schema has it enrols all the same.
#[test]
fn what_a_message_can_do_without_is_read_for_what_it_says() {
    let decode = |keys: &str| {
        let bytes = plist(&format!("<key>Topic</key><string>{TOPIC}</string>{keys}"));
        let message = CheckIn::decode(&bytes).unwrap();
        let tree: Dictionary = mdm_plist::from_slice(&bytes).unwrap();
        assert_eq!(CheckIn::from_dictionary(tree).unwrap().0, message);
        message
    };
    let CheckIn::Authenticate(message) = decode(
        "<key>MessageType</key><string>Authenticate</string>
         <key>UDID</key><string></string><key>EnrollmentID</key><string>E1</string>
         <key>SerialNumber</key><string></string><key>IMEI</key><integer>351234567890123</integer>
         <key>MEID</key><array/><key>OSVersion</key><real>17.0</real>
         <key>DeviceName</key><dict/><key>BuildVersion</key><true/>",
    ) else {
        panic!("not an Authenticate");
    };
    assert_eq!(
        message.enrollment_id().unwrap().to_string(),
        "enrollment:E1"
    );
    assert_eq!((message.udid, message.serial_number), (None, None));
    assert_eq!(message.imei.as_deref(), Some("351234567890123"));
    assert_eq!(message.os_version.as_deref(), Some("17.0"));
    let lost = (message.meid, message.device_name, message.build_version);
    assert_eq!(lost, (None, None, None));

    let update =
        "<key>MessageType</key><string>TokenUpdate</string><key>Token</key><data>AQI=</data>
         <key>PushMagic</key><string>m</string>";
    for (written, read) in [
        ("<integer>1</integer>", Some(true)),
        ("<integer>0</integer>", Some(false)),
        ("<integer>2</integer>", None),
        ("<string>true</string>", None),
    ] {
        let keys = format!(
            "{update}<key>UDID</key><string>{UDID}</string>
             <key>AwaitingConfiguration</key>{written}<key>NotOnConsole</key>{written}"
        );
        let CheckIn::TokenUpdate(update) = decode(&keys) else {
            panic!("not a TokenUpdate");
        };
        assert_eq!(update.awaiting_configuration, read, "{written}");
        assert_eq!(update.not_on_console, read, "{written}");
    }
    // Whatever else such a device sends is of the same sender.
    for message_type in ["CheckOut", "GetBootstrapToken", "SetBootstrapToken"] {
        let message = decode(&format!(
            "<key>MessageType</key><string>{message_type}</string>
             <key>UDID</key><string></string><key>EnrollmentID</key><string>E1</string>"
        ));
        let id = message.enrollment_id().unwrap();
        assert_eq!(id.to_string(), "enrollment:E1", "{message_type}");
    }
}

#[test]
fn limits_are_the_callers() {
    let bytes = CheckOut::new(TOPIC.parse().unwrap());
    let bytes = CheckIn::from(bytes).to_xml().unwrap();
    let limits = Limits::default().with(|l| l.bytes = bytes.len() - 1);
    let Err(Error::Plist(error)) = CheckIn::decode_with(&bytes, &limits) else {
        panic!("taken over the limit");
    };
    assert!(error.is_limit());
}

#[test]
fn unknown_keys_are_named_and_survive_an_edit() {
    let bytes = plist(&format!(
        "<key>New</key><date>2026-11-05T09:00:00Z</date>
         <key>MessageType</key><string>CheckOut</string>
         <key>Topic</key><string>{TOPIC}</string><key>UDID</key><string>{UDID}</string>"
    ));
    let tree: Dictionary = mdm_plist::from_slice(&bytes).unwrap();
    let (_, unknown) = CheckIn::from_dictionary(tree.clone()).unwrap();
    assert_eq!(
        unknown.iter().map(ToString::to_string).collect::<Vec<_>>(),
        ["New"]
    );

    let mut kept: Kept<CheckOut> = mdm_plist::from_slice(&bytes).unwrap();
    kept.value.user_id = Some("U1".into());
    let written: Dictionary = mdm_plist::from_slice(&mdm_plist::to_xml(&kept).unwrap()).unwrap();
    assert_eq!(written.get("New"), tree.get("New"));
    assert_eq!(written.get("UserID").unwrap().as_string(), Some("U1"));
}

#[test]
fn secrets_of_a_message_never_reach_debug_output() {
    for message in every_message() {
        let shown = format!("{message:?}");
        for secret in [
            "m4gic",
            "s3curity",
            "[255, 0, 128]",
            "[1, 2, 3]",
            "Digest x",
            "[9, 9",
            "123, 125",
        ] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[test]
fn q11_a_missing_bootstrap_token_is_an_answer_without_one() {
    let none = GetBootstrapTokenResponse::new(None);
    let xml = String::from_utf8(mdm_plist::to_xml(&none).unwrap()).unwrap();
    assert!(
        xml.contains("<dict") && !xml.contains("BootstrapToken"),
        "{xml}"
    );
    let some = GetBootstrapTokenResponse::new(Some(Secret::new(vec![1, 2])));
    let xml = mdm_plist::to_xml(&some).unwrap();
    assert_eq!(
        mdm_plist::from_slice::<GetBootstrapTokenResponse>(&xml).unwrap(),
        some
    );
}

#[test]
fn q15_an_empty_challenge_is_written_as_such() {
    let xml = mdm_plist::to_xml(&UserAuthenticateResponse::default()).unwrap();
    let tree: Dictionary = mdm_plist::from_slice(&xml).unwrap();
    assert_eq!(tree.get("DigestChallenge").unwrap().as_string(), Some(""));
}

#[test]
fn answers_are_written_as_data() {
    let token = GetTokenResponse::new(Secret::new(b"jwt".to_vec()));
    let tree: Dictionary = mdm_plist::from_slice(&mdm_plist::to_xml(&token).unwrap()).unwrap();
    assert_eq!(tree.get("TokenData").unwrap().as_data(), Some(&b"jwt"[..]));

    let settings = ReturnToServiceSettings::new(true).with(|s| {
        s.wifi_profile_data = Some(vec![1]);
        s.mdm_profile_data = Some(vec![2]);
        s.bootstrap_token = Some(Secret::new(vec![3]));
        s.should_retry_enrollment = Some(true);
    });
    let answer = ReturnToServiceResponse::new(settings);
    let tree: Dictionary = mdm_plist::from_slice(&mdm_plist::to_xml(&answer).unwrap()).unwrap();
    let settings = tree
        .get("ReturnToService")
        .unwrap()
        .as_dictionary()
        .unwrap();
    for (key, byte) in [
        ("WiFiProfileData", 1),
        ("MDMProfileData", 2),
        ("BootstrapToken", 3),
    ] {
        assert_eq!(settings.get(key).unwrap().as_data(), Some(&[byte][..]));
    }
}

#[test]
fn an_endpoint_of_a_message_is_never_taken_for_a_url() {
    let mut message = DeclarativeManagement::new(&Endpoint::Tokens);
    assert_eq!(message.endpoint().unwrap(), Endpoint::Tokens);
    message.endpoint = "https://evil.example/tokens".into();
    assert!(matches!(
        message.endpoint(),
        Err(Error::Invalid {
            key: "Endpoint",
            ..
        })
    ));
}

#[test]
fn keys_that_macs_send_are_known_and_kept_secret() {
    let ids = format!(
        "<key>Topic</key><string>com.apple.mgmt.x</string><key>UDID</key><string>{UDID}</string>"
    );
    for keys in [
        "<key>MessageType</key><string>Authenticate</string><key>Challenge</key><data>b25jZQ==</data>",
        "<key>MessageType</key><string>TokenUpdate</string><key>Token</key><data>AQI=</data>
         <key>PushMagic</key><string>m</string><key>AuthToken</key><string>once</string>
         <key>NeedSyncResponse</key><true/>",
    ] {
        let document = mdm_plist::from_slice(&plist(&format!("{keys}{ids}"))).unwrap();
        let (message, unknown) = CheckIn::from_dictionary(document).unwrap();
        assert_eq!(unknown, []);
        assert!(!format!("{message:?}").contains("once"));
    }
}
