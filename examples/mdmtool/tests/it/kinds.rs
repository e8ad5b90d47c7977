//! Each kind of document is told by its content alone.

use serde_json::json;

use crate::{
    decode, findings,
    fixtures::{PROFILE, plist},
    found, kind_and_type, refusal, run,
};

pub(crate) const UDID: &str = "<key>UDID</key><string>00008101-001938611EE9001E</string>";
const TOPIC: &str = "<key>Topic</key><string>com.apple.mgmt.x</string>";

#[test]
fn check_in_messages_are_told_by_their_type() {
    for (message_type, more) in [
        ("Authenticate", TOPIC.to_owned()),
        ("CheckOut", TOPIC.to_owned()),
        (
            "TokenUpdate",
            format!(
                "{TOPIC}<key>PushMagic</key><string>m</string><key>Token</key><data>AQI=</data>"
            ),
        ),
        (
            "UserAuthenticate",
            "<key>UserID</key><string>U</string>".to_owned(),
        ),
        ("GetBootstrapToken", String::new()),
        (
            "SetBootstrapToken",
            "<key>BootstrapToken</key><data>AQI=</data>".to_owned(),
        ),
        (
            "GetToken",
            "<key>TokenServiceType</key><string>com.apple.maid</string>".to_owned(),
        ),
        (
            "DeclarativeManagement",
            "<key>Endpoint</key><string>tokens</string>".to_owned(),
        ),
        ("ReturnToService", String::new()),
    ] {
        let message = plist(&format!(
            "<key>MessageType</key><string>{message_type}</string>{more}{UDID}<key>Novel</key><true/>"
        ));
        let told = decode(&[], &message);
        assert_eq!(kind_and_type(&told), ("checkin", message_type));
        assert_eq!(told["unknown_keys"], json!(["Novel"]), "{message_type}");
        assert_eq!(findings(&told), []);
        assert_eq!(told["body"]["Novel"], true);
    }
}

#[test]
fn a_faulty_check_in_message_is_told_with_its_faults() {
    let told = |keys: &str| decode(&[], &plist(keys));
    let unknown = told("<key>MessageType</key><string>BeamUp</string>");
    assert_eq!(kind_and_type(&unknown), ("checkin", "BeamUp"));
    assert_eq!(findings(&unknown), [found("MessageType", "enum")]);
    let lacking = told("<key>MessageType</key><string>TokenUpdate</string>");
    assert_eq!(findings(&lacking), [found("", "type")]);
    let nobody = told(&format!(
        "<key>MessageType</key><string>CheckOut</string>{TOPIC}"
    ));
    assert_eq!(findings(&nobody), [found("", "required")]);
    let astray = told(&format!(
        "<key>MessageType</key><string>DeclarativeManagement</string>{UDID}
         <key>Endpoint</key><string>https://example.com</string>"
    ));
    assert_eq!(findings(&astray), [found("Endpoint", "enum")]);
}

#[test]
fn values_that_json_has_no_form_for_are_text() {
    let told = decode(
        &[],
        &plist(
            "<key>MessageType</key><string>CheckOut</string><key>a</key><data>AAEC</data>
             <key>b</key><date>2026-11-05T09:00:00Z</date><key>c</key><real>nan</real>
             <key>d</key><real>-inf</real><key>e</key><integer>18446744073709551615</integer>",
        ),
    );
    let body = &told["body"];
    assert_eq!(body["a"], "AAEC");
    assert_eq!(body["b"], "2026-11-05T09:00:00Z");
    assert_eq!(
        (&body["c"], &body["d"]),
        (&json!("NaN"), &json!("-Infinity"))
    );
    assert_eq!(body["e"], json!(u64::MAX));
}

#[test]
fn commands_are_told_in_every_shape() {
    let lock = "<key>RequestType</key><string>DeviceLock</string>";
    let uuid = "<key>CommandUUID</key><string>C</string>";
    for (keys, faults) in [
        (
            format!("<key>Command</key><dict>{lock}</dict>{uuid}"),
            vec![],
        ),
        (
            format!("<key>Command</key><dict>{uuid}<key>Command</key><dict>{lock}</dict></dict>"),
            vec![
                found("Command.Command", "misplaced"),
                found("Command.CommandUUID", "misplaced"),
            ],
        ),
        (
            format!("<key>Command</key><dict>{uuid}{lock}</dict>"),
            vec![found("Command.CommandUUID", "misplaced")],
        ),
        (
            lock.to_owned(),
            vec![
                found("Command", "required"),
                found("CommandUUID", "required"),
            ],
        ),
    ] {
        let told = decode(&[], &plist(&keys));
        assert_eq!(kind_and_type(&told), ("command", "DeviceLock"), "{keys}");
        assert_eq!(findings(&told), faults, "{keys}");
    }
}

#[test]
fn a_command_without_a_type_is_guessed_or_named() {
    let keys = |key: &str| {
        plist(&format!(
            "<key>Command</key><dict><key>{key}</key><array/></dict>
             <key>CommandUUID</key><string>C</string>"
        ))
    };
    let guessed = decode(&[], &keys("RequestList"));
    assert_eq!(kind_and_type(&guessed), ("command", "LOMDeviceRequest"));
    assert_eq!(
        findings(&guessed),
        [found("Command.RequestType", "required")]
    );
    assert_eq!(
        kind_and_type(&decode(&[], &keys("Novel"))),
        ("command", "null")
    );
    let named = decode(&["--as", "command/BeamUp"], &keys("Novel"));
    assert_eq!(kind_and_type(&named), ("command", "BeamUp"));
}

#[test]
fn what_a_command_carries_is_looked_at() {
    let install = |payload: &str| {
        let told = decode(
            &[],
            &plist(&format!(
                "<key>Command</key><dict><key>RequestType</key><string>InstallProfile</string>
                 <key>Payload</key><data>{payload}</data><key>Novel</key><true/></dict>
                 <key>CommandUUID</key><string>C</string>"
            )),
        );
        assert_eq!(told["unknown_keys"], json!(["Command.Novel"]));
        findings(&told)
    };
    let base64 = |bytes: &[u8]| {
        let pem = mdm_pki::pem::encode("X", bytes);
        let lines: Vec<&str> = pem.lines().filter(|line| !line.contains('-')).collect();
        lines.concat()
    };
    let once = base64(&plist(PROFILE));
    assert_eq!(install(&once), []);
    assert_eq!(
        install(&base64(once.as_bytes())),
        [
            found("Command.Payload", "format"),
            found("Command.Payload", "unreadable")
        ],
        "q18: base64 twice"
    );
    let told = decode(
        &[],
        &plist(
            "<key>Command</key><dict><key>RequestType</key><string>RotateFileVaultKey</string>
             <key>ReplyEncryptionCertificate</key><data>AAEC</data></dict>
             <key>CommandUUID</key><string>C</string>",
        ),
    );
    assert_eq!(
        findings(&told),
        [found("Command.ReplyEncryptionCertificate", "unreadable")]
    );
}

#[test]
fn answers_to_check_in_messages_are_told_by_their_only_key() {
    for (keys, name) in [
        (
            "<key>BootstrapToken</key><data>AQI=</data>",
            "GetBootstrapTokenResponse",
        ),
        ("<key>TokenData</key><data>AQI=</data>", "GetTokenResponse"),
        (
            "<key>DigestChallenge</key><string></string>",
            "UserAuthenticateResponse",
        ),
        (
            "<key>AuthToken</key><string></string>",
            "UserAuthenticateResponse",
        ),
        (
            "<key>ReturnToService</key><dict><key>Enabled</key><true/></dict>
             <key>PreserveDataPlan</key><true/>",
            "ReturnToServiceResponse",
        ),
    ] {
        let told = decode(&[], &plist(keys));
        assert_eq!(kind_and_type(&told), ("checkin", name));
        assert_eq!(findings(&told), []);
    }
    let wrong = decode(&[], &plist("<key>TokenData</key><string>x</string>"));
    assert_eq!(findings(&wrong), [found("", "type")]);
}

#[test]
fn profiles_are_told_plain_wrapped_and_in_pieces() {
    let told = decode(&[], &plist(PROFILE));
    assert_eq!(kind_and_type(&told), ("profile", "Configuration"));
    assert_eq!(
        (findings(&told), &told["unknown_keys"]),
        (vec![], &json!([]))
    );

    let tree: mdm_plist::Dictionary = mdm_plist::from_slice(&plist(PROFILE)).unwrap();
    let binary = mdm_plist::to_binary(&tree).unwrap();
    assert_eq!(decode(&[], &binary), told);
    let marked = [b"\xEF\xBB\xBF \r\n".to_vec(), plist(PROFILE)].concat();
    assert_eq!(decode(&[], &marked), told);

    let wrapped = decode(
        &[],
        &plist(&format!("<key>New item</key><dict>{PROFILE}</dict>")),
    );
    assert_eq!(kind_and_type(&wrapped), ("profile", "Configuration"));
    assert_eq!(findings(&wrapped), [found("New item", "misplaced")]);
    assert_eq!(wrapped["unknown_keys"], json!(["New item"]));

    let typeless = PROFILE.replace("PayloadType", "PayloadTyp");
    let typeless = decode(&[], &plist(&typeless));
    assert_eq!(kind_and_type(&typeless), ("profile", "null"));
    assert_eq!(typeless["unknown_keys"], json!(["PayloadTyp"]));
    assert_eq!(
        findings(&typeless),
        [
            found("PayloadType", "required"),
            found("PayloadTyp", "unknown-key")
        ]
    );

    let payload = PROFILE
        .replace("<key>PayloadContent</key><array/>", "")
        .replace("Configuration", "com.apple.dock");
    let payload = decode(&[], &plist(&payload));
    assert_eq!(kind_and_type(&payload), ("profile", "com.apple.dock"));
    assert_eq!(findings(&payload), [found("", "misplaced")]);
}

#[test]
fn an_unreadable_certificate_in_a_profile_is_found() {
    let (_, certificate) = crate::fixtures::identity("Root");
    let with = |content: &[u8]| {
        let base64 = mdm_pki::pem::encode("X", content);
        let lines: Vec<&str> = base64.lines().filter(|line| !line.contains('-')).collect();
        let payload = format!(
            "<array><dict><key>PayloadContent</key><data>{}</data>
             <key>PayloadIdentifier</key><string>com.example.root</string>
             <key>PayloadType</key><string>com.apple.security.root</string>
             <key>PayloadUUID</key><string>1F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E</string>
             <key>PayloadVersion</key><integer>1</integer></dict></array>",
            lines.concat()
        );
        findings(&decode(&[], &plist(&PROFILE.replace("<array/>", &payload))))
    };
    assert_eq!(with(certificate.to_der()), []);
    assert_eq!(with(certificate.to_pem().as_bytes()), []);
    let unreadable = [found("PayloadContent[0].PayloadContent", "unreadable")];
    assert_eq!(with(b"garbled"), unreadable);
    let der = certificate.to_der();
    for (from, to) in [
        // The length of the name's text, a byte that no text has, the tag of the key's modulus.
        (&b"\x0C\x04Root"[..], &b"\x0C\x08Root"[..]),
        (b"\x0C\x04Root", b"\x0C\x04\xFFoot"),
        (b"\x02\x82\x01\x01\x00", b"\x04\x82\x01\x01\x00"),
    ] {
        let broken = crate::fixtures::replaced(der, from, to);
        assert_ne!(broken, der);
        assert_eq!(with(&broken), unreadable);
    }
}

#[test]
fn machine_info_by_itself_is_told() {
    let told = decode(
        &[],
        &plist(&format!(
            "{UDID}<key>PRODUCT</key><string>Mac14,2</string><key>NOVEL</key><true/>"
        )),
    );
    assert_eq!(kind_and_type(&told), ("checkin", "MachineInfo"));
    assert_eq!(told["unknown_keys"], json!(["NOVEL"]));
}

#[test]
fn what_the_content_cannot_tell_the_caller_can() {
    let token = plist("<key>BootstrapToken</key><data>AQI=</data><key>Novel</key><true/>");
    refusal(&["decode", "-"], &token);
    let told = decode(&["--as", "checkin/GetBootstrapTokenResponse"], &token);
    assert_eq!(
        kind_and_type(&told),
        ("checkin", "GetBootstrapTokenResponse")
    );
    assert_eq!(told["unknown_keys"], json!(["Novel"]));
    let settings = plist("<key>tilesize</key><integer>40</integer>");
    let told = decode(&["--as", "profile/com.apple.dock"], &settings);
    assert_eq!(kind_and_type(&told), ("profile", "com.apple.dock"));
    let payload = br#"{"grade": 4}"#;
    let told = decode(
        &["--as", "declaration/com.apple.management.properties"],
        payload,
    );
    assert_eq!(
        kind_and_type(&told),
        ("declaration", "com.apple.management.properties")
    );
    let items = br#"{"novel": {"item": 1}}"#;
    assert_eq!(
        kind_and_type(&decode(&["--as", "status-report"], items)).0,
        "status-report"
    );
    let untold = plist(&format!("{TOPIC}{UDID}"));
    let told = decode(&["--as", "checkin/CheckOut"], &untold);
    assert_eq!(kind_and_type(&told), ("checkin", "CheckOut"));
    assert_eq!(findings(&told), []);
}

#[test]
fn a_name_beside_the_documents_own_is_told_as_a_conflict() {
    for (kind, own, keys) in [
        (
            "checkin",
            "CheckOut",
            format!("<key>MessageType</key><string>CheckOut</string>{TOPIC}{UDID}"),
        ),
        (
            "response",
            "UserList",
            format!(
                "<key>Status</key><string>Acknowledged</string>{UDID}
                 <key>CommandUUID</key><string>C</string>
                 <key>RequestType</key><string>UserList</string>"
            ),
        ),
        (
            "command",
            "UserList",
            "<key>Command</key><dict><key>RequestType</key><string>UserList</string></dict>
             <key>CommandUUID</key><string>C</string>"
                .to_owned(),
        ),
        ("profile", "Configuration", PROFILE.to_owned()),
    ] {
        let told = decode(&["--as", &format!("{kind}/Novel")], &plist(&keys));
        assert_eq!(kind_and_type(&told), (kind, own));
        assert_eq!(findings(&told), [found("", "conflict")]);
        let same = decode(&["--as", &format!("{kind}/{own}")], &plist(&keys));
        assert_eq!(findings(&same), []);
    }
}

#[test]
fn a_wrong_as_is_refused() {
    let profile = plist(PROFILE);
    for kind in [
        "nonsense",
        "command",
        "response",
        "declaration/x",
        "scep-message",
        "ade-token",
    ] {
        refusal(&["decode", "-", "--as", kind], &profile);
    }
    refusal(&["decode", "-", "--as", "profile"], b"{}");
    refusal(
        &["decode", "-", "--as", "profile"],
        &plist("<key>a</key><true/>"),
    );
    refusal(&["decode", "-", "--as", "declaration"], b"[]");
    for kind in ["checkin", "command", "response"] {
        let line = refusal(
            &["decode", "-", "--as", kind],
            &plist("<key>a</key><true/>"),
        );
        assert!(line.contains(&format!("this is no {kind}: ")), "{line}");
    }
}

#[test]
fn a_file_is_read_like_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("any name.txt");
    std::fs::write(&file, plist(PROFILE)).unwrap();
    let output = run(&["decode", file.to_str().unwrap()], b"");
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told, decode(&[], &plist(PROFILE)));
}
