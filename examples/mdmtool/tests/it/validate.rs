//! Documents checked against the schema, and against the device that they are meant for.

use serde_json::{Value, json};

use crate::{
    fixtures::{PROFILE, plist, signed},
    found, run,
};

/// Exit code and findings of a document.
fn check(arguments: &[&str], input: &[u8]) -> (i32, Vec<(String, String)>) {
    let output = run(&[&["validate", "-", "--json"], arguments].concat(), input);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(stderr.is_empty(), "{stderr}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    let code = output.status.code().unwrap();
    let errors = told["findings"].as_array().unwrap().iter();
    let has_errors = errors.clone().any(|finding| finding["severity"] == "error");
    assert_eq!(code, i32::from(has_errors));
    (code, crate::findings(&told))
}

fn command(keys: &str) -> Vec<u8> {
    plist(&format!(
        "<key>Command</key><dict>{keys}</dict><key>CommandUUID</key><string>C</string>"
    ))
}

fn payload(payload_type: &str, number: u8, keys: &str) -> String {
    format!(
        "<dict><key>PayloadIdentifier</key><string>com.example.{number}</string>
         <key>PayloadType</key><string>{payload_type}</string>
         <key>PayloadUUID</key><string>1F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D{number:02}</string>
         <key>PayloadVersion</key><integer>1</integer>{keys}</dict>"
    )
}

fn profile(payloads: &[String]) -> Vec<u8> {
    let array = format!("<array>{}</array>", payloads.concat());
    plist(&PROFILE.replace("<array/>", &array))
}

#[test]
fn findings_are_lines_and_the_exit_code_tells_errors() {
    let fine = command("<key>RequestType</key><string>RestartDevice</string>");
    let output = run(&["validate", "-"], &fine);
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(output.stdout, b"ok: command RestartDevice\n");
    let faulty = command(
        "<key>RequestType</key><string>EraseDevice</string>
         <key>ReturnToService</key><dict><key>Novel</key><true/></dict>",
    );
    let output = run(&["validate", "-"], &faulty);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(
        text,
        "error: Command.ReturnToService.Enabled: is missing (required)\n\
         warning: Command.ReturnToService.Novel: is not known (unknown-key)\n"
    );
}

#[test]
fn what_cannot_be_read_exits_with_two() {
    for input in [
        &b""[..],
        b"hello",
        b"{\"a\": 1}",
        b"<plist><array/></plist>",
    ] {
        let output = run(&["validate", "-"], input);
        assert_eq!(output.status.code(), Some(2));
        assert!(output.stdout.is_empty());
    }
    let missing = run(&["validate", "no such file"], b"");
    assert_eq!(missing.status.code(), Some(2));
}

#[test]
fn a_command_is_checked_for_its_device() {
    let lock = command(
        "<key>RequestType</key><string>EraseDevice</string>
         <key>PIN</key><string>123456</string>",
    );
    assert_eq!(check(&[], &lock), (0, vec![]));
    assert_eq!(check(&["--target", "macos:15"], &lock), (0, vec![]));
    assert_eq!(
        check(&["--target", "ios:18"], &lock),
        (1, vec![found("Command.PIN", "not-available")])
    );
    let settings = command(
        "<key>RequestType</key><string>Settings</string><key>Settings</key><array>
         <dict><key>Item</key><string>Wallpaper</string><key>Image</key><data>AAEC</data>
         <key>Where</key><integer>9</integer></dict>
         <dict><key>Item</key><string>Beam</string></dict></array>",
    );
    let (code, findings) = check(&["--target", "ios:18"], &settings);
    assert_eq!(code, 1);
    assert!(findings.contains(&found("Command.Settings[0]", "supervision")));
    assert!(findings.contains(&found("Command.Settings[0].Where", "enum")));
    assert!(findings.contains(&found("Command.Settings[1].Item", "enum")));
    let unknown = command("<key>RequestType</key><string>BeamUp</string>");
    assert_eq!(
        check(&[], &unknown),
        (0, vec![found("Command.RequestType", "enum")])
    );
}

#[test]
fn a_profile_is_checked_payload_by_payload() {
    let wifi = payload(
        "com.apple.wifi.managed",
        1,
        "<key>SSID_STR</key><integer>1</integer><key>EncryptionType</key><string>WEP9</string>
         <key>Novel</key><true/>",
    );
    let novel = payload("com.example.novel", 2, "<key>a</key><true/>");
    let (code, findings) = check(&[], &profile(&[wifi, novel]));
    assert_eq!(code, 1);
    for wanted in [
        found("PayloadContent[0].SSID_STR", "type"),
        found("PayloadContent[0].EncryptionType", "enum"),
        found("PayloadContent[0].Novel", "unknown-key"),
        found("PayloadContent[1].PayloadType", "enum"),
    ] {
        assert!(findings.contains(&wanted), "{wanted:?}: {findings:?}");
    }
    let dock = payload("com.apple.dock", 1, "");
    let (code, findings) = check(&["--target", "ios:18"], &profile(&[dock]));
    assert_eq!(
        (code, findings),
        (1, vec![found("PayloadContent[0]", "not-available")])
    );
}

#[test]
fn a_payload_that_may_be_there_once_is_found_twice() {
    let proxy = |number| {
        let keys = "<key>ProxyType</key><string>Auto</string>";
        payload("com.apple.proxy.http.global", number, keys)
    };
    let (_, findings) = check(&[], &profile(&[proxy(1)]));
    assert_eq!(findings, []);
    let (code, findings) = check(&[], &profile(&[proxy(1), proxy(2)]));
    assert_eq!(code, 1);
    assert_eq!(findings, [found("PayloadContent[1]", "single-instance")]);
}

#[test]
fn a_signed_profile_is_checked_inside() {
    let dock = payload("com.apple.dock", 1, "<key>Novel</key><true/>");
    let (code, findings) = check(&[], &signed(&profile(&[dock])));
    assert_eq!(code, 0);
    assert_eq!(findings, [found("PayloadContent[0].Novel", "unknown-key")]);
}

#[test]
fn declarations_are_checked_one_and_several() {
    let one = json!({
        "Type": "com.apple.configuration.passcode.settings", "Identifier": "I", "ServerToken": "S",
        "Payload": {"MinimumLength": 17, "Novel": 1}
    });
    let text = |json: &Value| json.to_string().into_bytes();
    let (code, findings) = check(&[], &text(&one));
    assert_eq!(code, 1);
    assert_eq!(
        findings,
        [
            found("Payload.MinimumLength", "range"),
            found("Payload.Novel", "unknown-key")
        ]
    );
    let (_, findings) = check(&["--target", "macos:12,supervised"], &text(&one));
    assert!(
        findings.contains(&found("Payload", "not-available")),
        "{findings:?}"
    );
    let other = json!({
        "Type": "com.apple.configuration.novel", "Identifier": "J", "ServerToken": "S", "Payload": {}
    });
    let (code, findings) = check(&[], &text(&json!([one, other])));
    assert_eq!(code, 1);
    assert_eq!(
        findings,
        [
            found("[0].Payload.MinimumLength", "range"),
            found("[0].Payload.Novel", "unknown-key"),
            found("[1].Type", "enum"),
        ]
    );
}

#[test]
fn a_status_report_is_checked_item_by_item() {
    let report = json!({
        "StatusItems": {
            "passcode": {"is-present": "yes", "is-novel": 1},
            "mdm": {"app": []},
            "novel": {"item": 1}
        },
        "Errors": []
    });
    let (_, findings) = check(&[], report.to_string().as_bytes());
    for wanted in [
        found("StatusItems.passcode.is-present", "type"),
        found("StatusItems.passcode.is-novel", "unknown-key"),
        found("StatusItems.novel", "unknown-key"),
    ] {
        assert!(findings.contains(&wanted), "{wanted:?}: {findings:?}");
    }
    let removal = json!({"content-cache": {"parents": [{"identifier": "A", "_removed": true}]}});
    let name = "status-item/content-cache.parents";
    let (code, findings) = check(&["--as", name], removal.to_string().as_bytes());
    assert_eq!((code, findings), (0, vec![]));
    let (_, findings) = check(&["--as", "status-item/passcode.is-present"], b"7");
    assert_eq!(findings, [found("", "type")]);
    let failed = json!({"Errors": [{"StatusItem": "mdm.app", "Reasons": []}]});
    let (_, findings) = check(&[], failed.to_string().as_bytes());
    assert_eq!(findings, [found("StatusItems", "required")]);
}

#[test]
fn a_response_is_checked_as_the_answer_to_its_command() {
    let report = |more: &str| {
        plist(&format!(
            "<key>CommandUUID</key><string>C</string><key>Status</key><string>Acknowledged</string>
             <key>UDID</key><string>00008101-001938611EE9001E</string>{more}"
        ))
    };
    let info = report(
        "<key>QueryResponses</key><dict><key>IsSupervised</key><string>x</string>
         <key>Novel</key><true/></dict>",
    );
    let (_, findings) = check(&[], &info);
    assert_eq!(
        findings,
        [
            found("QueryResponses.IsSupervised", "type"),
            found("QueryResponses.Novel", "unknown-key")
        ]
    );
    let nothing = report("");
    let (_, findings) = check(&["--type", "SecurityInfo"], &nothing);
    assert_eq!(findings, [found("SecurityInfo", "required")]);
    let failed = String::from_utf8(nothing).unwrap();
    let failed = failed.replace("Acknowledged", "Error").into_bytes();
    assert_eq!(check(&["--type", "SecurityInfo"], &failed), (0, vec![]));
    let restart = report("<key>Novel</key><true/>");
    let (_, findings) = check(&["--type", "device.restart"], &restart);
    assert_eq!(findings, [found("Novel", "unknown-key")]);
    assert_eq!(
        check(&["--type", "RestartDevice"], &report("")),
        (0, vec![])
    );
}

#[test]
fn documents_beside_the_protocol_are_checked() {
    let error = json!({
        "code": "com.apple.softwareupdate.required", "details": {"Novel": 1}
    });
    let output = run(&["validate", "-"], error.to_string().as_bytes());
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("details.OSVersion: is missing (required)"),
        "{text}"
    );
    assert!(
        text.contains("details.Novel: is not known (unknown-key)"),
        "{text}"
    );
    let hash =
        plist("<key>SALTED-SHA512-PBKDF2</key><dict><key>entropy</key><data>AQI=</data></dict>");
    let (code, findings) = check(&[], &hash);
    assert_eq!(code, 1);
    assert!(findings.contains(&found("SALTED-SHA512-PBKDF2.salt", "required")));
    let manifest = plist("<key>items</key><array><dict><key>assets</key><array/></dict></array>");
    let (_, findings) = check(&[], &manifest);
    assert!(
        findings.contains(&found("items[0].metadata", "required")),
        "{findings:?}"
    );
    let esso = json!({"iTunesStoreID": "x"});
    let (_, findings) = check(&[], esso.to_string().as_bytes());
    assert_eq!(findings, [found("iTunesStoreID", "type")]);
}

#[test]
fn secrets_are_never_printed() {
    let secret = "TOPSECRET";
    let documents = [
        command(&format!(
            "<key>RequestType</key><string>EraseDevice</string><key>PIN</key><string>{secret}</string>
             <key>ReturnToService</key><string>{secret}</string>"
        )),
        profile(&[payload(
            "com.apple.wifi.managed",
            1,
            &format!(
                "<key>Password</key><array><string>{secret}</string></array>
                 <key>Novel</key><string>{secret}</string>"
            ),
        )]),
        json!({"UserName": [secret], "Password": {"a": secret}}).to_string().into_bytes(),
        json!({"StatusItems": {"mdm": {"push-magic": [secret]}}, "Errors": []})
            .to_string()
            .into_bytes(),
    ];
    for document in documents {
        for target in ["ios:18", "macos:15,supervised"] {
            let output = run(&["validate", "-", "--target", target], &document);
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            assert!(text.contains("error: "), "{text}");
            assert!(!text.contains(secret), "{text}");
            assert!(!String::from_utf8_lossy(&output.stderr).contains(secret));
        }
    }
}

#[test]
fn keys_of_control_characters_do_not_reach_the_terminal() {
    let document = json!({
        "Type": "com.apple.configuration.passcode.settings", "Identifier": "I", "ServerToken": "S",
        "Payload": {"\u{1b}[31m\n": 1}
    });
    let output = run(&["validate", "-"], document.to_string().as_bytes());
    assert!(!output.stdout.contains(&0x1b));
    assert_eq!(String::from_utf8(output.stdout).unwrap().lines().count(), 1);
}

#[test]
fn what_is_malformed_or_null_is_told_and_the_rest_read() {
    let lock = command(
        "<key>RequestType</key><string>EraseDevice</string>
         <key>Novel</key><integer>many</integer><key>PIN</key><string>1</string>",
    );
    assert_eq!(check(&[], &lock), (1, vec![found("Command.Novel", "type")]));
    let declaration = json!({
        "Type": "com.apple.configuration.passcode.settings", "Identifier": "I", "ServerToken": "S",
        "Payload": {"MinimumLength": null}
    });
    assert_eq!(
        check(&[], declaration.to_string().as_bytes()),
        (0, vec![found("Payload.MinimumLength", "type")])
    );
}

#[test]
fn check_in_messages_are_checked_with_the_keys_that_devices_send() {
    let udid = "<key>UDID</key><string>00008101-001938611EE9001E</string>";
    let token = plist(&format!(
        "<key>MessageType</key><string>SetBootstrapToken</string>{udid}
         <key>BootstrapToken</key><data>AQI=</data><key>Novel</key><true/>"
    ));
    assert_eq!(
        check(&["--target", "ios:26"], &token),
        (0, vec![found("Novel", "unknown-key")])
    );
    let info = plist(&format!(
        "{udid}<key>PRODUCT</key><string>Mac14,2</string><key>CHALLENGE</key><data>AQI=</data>
         <key>VERSION</key><string>23A344</string><key>SERIAL</key><string>C02</string>
         <key>LANGUAGE</key><string>en</string>"
    ));
    let (_, findings) = check(&[], &info);
    assert!(
        !findings.contains(&found("CHALLENGE", "unknown-key")),
        "{findings:?}"
    );
}

#[test]
fn a_profile_service_is_no_profile_of_payloads() {
    let service = plist(
        &PROFILE
            .replace(
                "<array/>",
                "<dict><key>URL</key><string>https://a.example</string></dict>",
            )
            .replace("Configuration", "Profile Service"),
    );
    assert_eq!(check(&[], &service), (0, vec![]));
}
