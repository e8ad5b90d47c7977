//! Documents as their own types, and back.

use mdm_plist::Value;
use mdmtool::{
    Kind, Options, decode, decode_as, roundtrip,
    typed::{Any, typed},
};
use serde_json::json;

use crate::{
    fixtures::{PROFILE, plist},
    kinds::UDID,
};

fn report(more: &str) -> Vec<u8> {
    plist(&format!(
        "<key>CommandUUID</key><string>C</string><key>Status</key><string>Acknowledged</string>
         {UDID}{more}"
    ))
}

#[test]
fn every_kind_of_document_is_read_as_its_own_type() {
    let wrapped = |keys: &str| {
        plist(&format!(
            "<key>Command</key><dict>{keys}<key>Novel</key><true/></dict>
             <key>CommandUUID</key><string>C</string>"
        ))
    };
    let dock = PROFILE.replace(
        "<array/>",
        "<array><dict><key>PayloadType</key><string>com.apple.dock</string>
         <key>PayloadIdentifier</key><string>com.example.dock</string>
         <key>PayloadUUID</key><string>1F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E</string>
         <key>PayloadVersion</key><real>1</real><key>tilesize</key><integer>40</integer>
         <key>Novel</key><array><data>AQI=</data></array></dict></array>",
    );
    let declaration = json!({
        "Type": "com.apple.configuration.passcode.settings", "Identifier": "I", "ServerToken": "S",
        "Payload": {"MinimumLength": 8, "Novel": {"a": 1}}
    });
    let status = json!({
        "StatusItems": {"passcode": {"is-present": true}, "novel": 1}, "Errors": [], "Novel": 1
    });
    let documents: &[(&str, Vec<u8>)] = &[
        (
            "CheckIn",
            plist(&format!(
                "<key>MessageType</key><string>CheckOut</string>{UDID}
                 <key>Topic</key><string>t</string><key>Novel</key><true/>"
            )),
        ),
        (
            "GetTokenResponse",
            plist("<key>TokenData</key><data>AQI=</data>"),
        ),
        (
            "MachineInfo",
            plist(&format!("<key>PRODUCT</key><string>Mac14,2</string>{UDID}")),
        ),
        (
            "Command",
            wrapped(
                "<key>RequestType</key><string>EraseDevice</string><key>PIN</key><string>1</string>",
            ),
        ),
        (
            "Response",
            report(
                "<key>QueryResponses</key><dict><key>OSVersion</key><string>27.0</string></dict>",
            ),
        ),
        ("Payload", plist(&dock)),
        ("Declaration", declaration.to_string().into_bytes()),
        ("StatusItem", status.to_string().into_bytes()),
        (
            "Credential",
            json!({"UserName": "u", "Novel": 1})
                .to_string()
                .into_bytes(),
        ),
        (
            "Tokens",
            json!({"SyncTokens": {"DeclarationsToken": "T", "Timestamp": "2026-11-05T09:00:00Z"}})
                .to_string()
                .into_bytes(),
        ),
        (
            "DeclarationItems",
            json!({"DeclarationsToken": "T", "Declarations": {"Activations": [], "Assets": [],
                "Configurations": [], "Management": []}})
            .to_string()
            .into_bytes(),
        ),
        (
            "ErrorBody",
            json!({"code": "com.apple.unrecognized.device", "Novel": 1})
                .to_string()
                .into_bytes(),
        ),
        (
            "PasswordHash",
            plist(
                "<key>SALTED-SHA512-PBKDF2</key><dict><key>entropy</key><data>AQI=</data>
                 <key>salt</key><data>AQI=</data><key>iterations</key><integer>9</integer></dict>",
            ),
        ),
        (
            "Manifest",
            plist(
                "<key>items</key><array><dict><key>assets</key><array/>
                   <key>metadata</key><dict/></dict></array>",
            ),
        ),
        ("Esso", json!({"iTunesStoreID": 7}).to_string().into_bytes()),
    ];
    for (form, bytes) in documents {
        let options = Options::default().with(|options| {
            options.hint = (*form == "Credential")
                .then(|| "com.apple.credential.usernameandpassword".to_owned());
        });
        let typed = typed(bytes, &options).unwrap();
        let forms: Vec<String> = typed
            .parts
            .iter()
            .map(|part| format!("{:?}", part.typed.as_ref().unwrap()))
            .collect();
        assert!(
            forms
                .iter()
                .any(|shown| shown.starts_with(&format!("{form}("))),
            "{form}: {forms:?}"
        );
        let lost: Vec<_> = typed.parts.iter().flat_map(|part| &part.lost).collect();
        assert!(typed.is_faithful(), "{form}: {lost:?}");
    }
}

#[test]
fn the_caller_names_the_type_that_a_document_does_not() {
    for name in [
        "RestartDevice",
        "device.restart",
        "mdm/commands/device.restart",
    ] {
        let typed = decode_as(Kind::Response, Some(name), &report("")).unwrap();
        assert!(
            matches!(typed.parts[0].typed, Some(Any::NoBody(_))),
            "{name}"
        );
        assert!(typed.is_faithful());
    }
    let typed = decode_as(
        Kind::Response,
        Some("information.security"),
        &report("<key>Novel</key><true/>"),
    )
    .unwrap();
    assert_eq!(typed.document.name.as_deref(), Some("SecurityInfo"));
    assert_eq!(typed.document.unknown_keys, ["Novel"]);
    let item = decode_as(Kind::StatusReport, Some("passcode.is-present"), b"true").unwrap();
    assert!(matches!(item.parts[0].typed, Some(Any::StatusItem(_))));
    assert_eq!(item.encoded, Value::Boolean(true));
    let own = br#"{"Type": "com.apple.management.properties", "Identifier": "I",
        "ServerToken": "S", "Payload": {"grade": 4}}"#;
    let typed = decode_as(Kind::Declaration, Some("management/organization-info"), own).unwrap();
    assert_eq!(typed.parts[1].id, Some("com.apple.management.properties"));
    assert!(decode_as(Kind::Command, None, own).is_err());
}

#[test]
fn what_does_not_fit_its_type_is_kept_and_explained() {
    let faulty = report(
        "<key>QueryResponses</key><dict><key>IsSupervised</key><string>x</string>
         <key>OSVersion</key><string>27.0</string></dict>",
    );
    let typed = typed(&faulty, &Options::default()).unwrap();
    assert_eq!(
        typed.parts[0].findings[0].path,
        "QueryResponses.IsSupervised"
    );
    assert!(typed.is_faithful(), "{:?}", typed.parts[0].lost);
    let required = plist(
        "<key>Command</key><dict><key>RequestType</key><string>InstallProfile</string>
         <key>Payload</key><string>-</string></dict><key>CommandUUID</key><string>C</string>",
    );
    let typed = decode_as(Kind::Command, None, &required).unwrap();
    assert_eq!(typed.parts[0].findings[0].path, "Command.Payload");
    assert!(typed.is_faithful(), "{:?}", typed.parts[0].lost);
    let unknown = plist(
        "<key>Command</key><dict><key>RequestType</key><string>BeamUp</string></dict>
         <key>CommandUUID</key><string>C</string>",
    );
    let told = roundtrip(&unknown, &Options::default()).unwrap();
    assert!(!told.faithful);
    assert_eq!(told.parts[0].id, None);
}

#[test]
fn several_declarations_are_several_parts() {
    let declaration = |name: &str| {
        json!({"Type": format!("com.apple.configuration.{name}"), "Identifier": "I",
               "ServerToken": "S", "Payload": {}, "Novel": 1})
    };
    let both = json!([declaration("passcode.settings"), declaration("novel")]).to_string();
    let told = decode(both.as_bytes(), &Options::default()).unwrap();
    assert_eq!(told.kind, Kind::Declaration);
    assert_eq!(told.unknown_keys, ["[0].Novel", "[1].Novel"]);
}

#[test]
fn a_payload_of_certificates_by_itself_is_no_profile() {
    let root = plist(
        "<key>PayloadType</key><string>com.apple.security.root</string>
         <key>PayloadIdentifier</key><string>com.example.root</string>
         <key>PayloadUUID</key><string>1F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E</string>
         <key>PayloadVersion</key><integer>1</integer>
         <key>PayloadContent</key><data>AQI=</data>",
    );
    let typed = typed(&root, &Options::default()).unwrap();
    assert_eq!(
        typed.document.name.as_deref(),
        Some("com.apple.security.root")
    );
    assert_eq!(typed.parts.len(), 1);
    assert!(typed.is_faithful(), "{:?}", typed.parts[0].lost);
}

#[test]
fn a_result_of_a_command_that_failed_is_read_as_its_type() {
    for status in ["Error", "NotNow", "CommandFormatError"] {
        let failed = plist(&format!(
            "<key>CommandUUID</key><string>C</string>{UDID}
             <key>Status</key><string>{status}</string>"
        ));
        let typed = decode_as(Kind::Response, Some("ProfileList"), &failed).unwrap();
        assert!(typed.is_faithful(), "{status}");
        assert_eq!(typed.parts[0].id, Some("ProfileList"));
    }
}

#[test]
fn a_list_that_is_missing_is_named_and_nothing_is_lost() {
    for document in [
        json!({"StatusItems": {"passcode": {"is-present": true}}}),
        json!({"Declarations": {"Activations": []}, "DeclarationsToken": "T"}),
    ] {
        let typed = typed(document.to_string().as_bytes(), &Options::default()).unwrap();
        assert!(typed.is_faithful(), "{:?}", typed.parts[0].lost);
        assert!(!typed.parts[0].findings.is_empty());
    }
}

#[test]
fn broken_documents_are_refused_or_read_and_never_crash() {
    let documents = [
        report("<key>QueryResponses</key><dict><key>OSVersion</key><string>27</string></dict>"),
        plist(PROFILE),
        json!({"StatusItems": {"mdm": {"app": [{"identifier": "a"}]}}, "Errors": []})
            .to_string()
            .into_bytes(),
        json!({"Type": "com.apple.configuration.safari.bookmarks", "Identifier": "I",
            "ServerToken": "S", "Payload": {"ManagedBookmarks": [{"Bookmarks": [{"Folder": []}]}]}})
        .to_string()
        .into_bytes(),
    ];
    for document in documents {
        for end in 0..document.len() {
            let _ = roundtrip(&document[..end], &Options::default());
            let mut flipped = document.clone();
            flipped[end] ^= 0x15;
            let _ = roundtrip(&flipped, &Options::default());
        }
    }
    let deep = format!("{}1{}", "[".repeat(120), "]".repeat(120));
    let deep = format!(
        r#"{{"Type": "com.apple.configuration.safari.bookmarks", "Identifier": "I",
            "ServerToken": "S", "Payload": {{"ManagedBookmarks": {deep}}}}}"#
    );
    assert!(roundtrip(deep.as_bytes(), &Options::default()).is_ok());
    let folders = "{\"Bookmarks\":[{\"Folder\":[";
    let nested = format!("{folders}{}{}", "{\"Folder\":[".repeat(50), "]}".repeat(50)) + "]}]}";
    let nested = format!(
        r#"{{"Type": "com.apple.configuration.safari.bookmarks", "Identifier": "I",
            "ServerToken": "S", "Payload": {{"ManagedBookmarks": [{nested}]}}}}"#
    );
    assert!(roundtrip(nested.as_bytes(), &Options::default()).is_ok());
}
