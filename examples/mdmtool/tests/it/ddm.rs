//! Documents of declarative management.

use serde_json::json;

use crate::{decode, findings, found, kind_and_type, refusal};

#[test]
fn documents_of_declarative_management_are_told() {
    let told = |json: serde_json::Value| decode(&[], json.to_string().as_bytes());
    let declaration = told(json!({
        "Type": "com.apple.configuration.novel", "Identifier": "I", "ServerToken": "S",
        "Payload": {}, "Novel": 1
    }));
    assert_eq!(
        kind_and_type(&declaration),
        ("declaration", "com.apple.configuration.novel")
    );
    assert_eq!(declaration["unknown_keys"], json!(["Novel"]));

    let empty = json!({
        "Type": "com.apple.configuration.novel", "Identifier": "I", "ServerToken": "S", "Novel": 1
    });
    let told_empty = told(empty.clone());
    assert_eq!(
        kind_and_type(&told_empty),
        ("declaration", "com.apple.configuration.novel")
    );
    assert_eq!(
        findings(&told_empty),
        [found("Payload", "required"), found("Novel", "unknown-key")]
    );
    assert_eq!(told_empty["body"], empty);
    assert_eq!(
        decode(&["--as", "declaration"], empty.to_string().as_bytes()),
        told_empty
    );

    let lacking = told(json!({"Type": "com.apple.asset.data", "Payload": {}}));
    assert_eq!(findings(&lacking), [found("", "type")]);

    let tokens =
        json!({"SyncTokens": {"DeclarationsToken": "T", "Timestamp": "2026-11-05T09:00:00Z"}});
    assert_eq!(
        kind_and_type(&told(tokens)),
        ("declaration", "TokensResponse")
    );
    let items = json!({"DeclarationsToken": "T", "Declarations": {}});
    assert_eq!(
        kind_and_type(&told(items)),
        ("declaration", "DeclarationItemsResponse")
    );

    for (credential, name) in [
        (
            json!({"DirectoryURL": "u", "ClientIdentifier": "c", "KeySize": 384}),
            "acme",
        ),
        (
            json!({"URL": "u", "Challenge": "c", "Key Type": "RSA"}),
            "scep",
        ),
        (json!({"UserName": "u"}), "usernameandpassword"),
        (json!({"Password": "p", "Identity": "MIA="}), "identity"),
    ] {
        let told = told(credential);
        assert_eq!(findings(&told), [found("", "required")]);
        let name = format!("com.apple.credential.{name}");
        assert_eq!(kind_and_type(&told), ("declaration", &*name));
    }
}

#[test]
fn status_reports_are_told_whole_and_in_fragments() {
    let told = |json: serde_json::Value| decode(&[], json.to_string().as_bytes());
    let whole = told(json!({"StatusItems": {"novel": 1}, "Errors": [], "Novel": 1}));
    assert_eq!(kind_and_type(&whole), ("status-report", "StatusReport"));
    assert_eq!(
        (findings(&whole), &whole["unknown_keys"]),
        (vec![], &json!(["Novel"]))
    );
    let fragment = told(json!({"passcode": {"is-present": true}, "mdm": {"app": "x"}}));
    assert_eq!(kind_and_type(&fragment), ("status-report", "StatusReport"));
    assert_eq!(findings(&fragment), [found("StatusItems", "required")]);
    refusal(&["decode", "-"], br#"{"app": null}"#);
    let nested = told(json!({"StatusItems": {"FullReport": true}}));
    assert_eq!(
        findings(&nested),
        [
            found("Errors", "required"),
            found("StatusItems.FullReport", "misplaced")
        ]
    );
}
