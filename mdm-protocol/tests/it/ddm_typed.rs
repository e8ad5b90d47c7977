//! Typed payloads and status items, out of JSON and into it.

use mdm_protocol::{
    Error,
    ddm::{
        self, AnyDeclaration, Declaration, StatusReport,
        asset::AssetData,
        configuration::PasscodeSettings,
        credential::UserNameAndPasswordCredential,
        json,
        status_item::{AnyStatusItem, DeviceOperatingSystemVersion, ManagementDeclarations},
    },
    enroll::{AnyErrorBody, SoftwareUpdateRequired, software_update_required::*},
};
use mdm_schema::{Finding, Rule};
use serde_json::{Value, json};

fn paths(findings: &[Finding]) -> Vec<(&str, Rule)> {
    findings.iter().map(|f| (f.path.as_str(), f.rule)).collect()
}

fn decode<T: serde::de::DeserializeOwned>(json: &Value) -> T {
    ddm::decode(&serde_json::to_vec(json).unwrap()).unwrap()
}

fn passcode(payload: &Value) -> Declaration {
    decode(&json!({
        "Type": "com.apple.configuration.passcode.settings", "Identifier": "I", "ServerToken": "1",
        "Payload": payload,
    }))
}

#[test]
fn a_typed_payload_reads_back_from_its_declaration() {
    let settings = PasscodeSettings::new().with(|s| {
        s.require_passcode = Some(true);
        s.minimum_length = Some(8);
    });
    let declaration = Declaration::of("passcode", &settings).unwrap();
    let json = json!({"RequirePasscode": true, "MinimumLength": 8});
    assert_eq!(Value::Object(declaration.payload.clone()), json);
    let back: PasscodeSettings = declaration.payload_as().unwrap();
    assert_eq!(back, settings);
    let (any, findings) = declaration.any().unwrap();
    assert!(matches!(any, AnyDeclaration::PasscodeSettings(same) if *same == settings));
    assert_eq!(findings, []);
    assert!(matches!(
        declaration.payload_as::<AssetData>(),
        Err(Error::OtherType {
            wanted: "com.apple.asset.data",
            ..
        })
    ));
}

#[test]
fn a_payload_that_does_not_fit_is_read_as_far_as_it_does() {
    let declaration = passcode(&json!({"RequirePasscode": "yes", "MinimumLength": 8}));
    let expected = [("Payload.RequirePasscode", Rule::Type)];
    let Err(Error::Decode(error)) = declaration.payload_as::<PasscodeSettings>() else {
        panic!("read strictly");
    };
    assert_eq!(paths(&error.findings), expected);
    let (settings, findings) = declaration.payload_leniently::<PasscodeSettings>().unwrap();
    assert_eq!(
        (settings.require_passcode, settings.minimum_length),
        (None, Some(8))
    );
    assert_eq!(paths(&findings), expected);
}

#[test]
fn a_changed_payload_keeps_what_its_type_does_not_know() {
    let mut declaration = passcode(&json!({
        "Novel": {"a": [null, 1, null, [null, 2.5], u64::MAX, null], "b": null}, "MinimumLength": 8,
        "RequirePasscode": "yes", "MaximumInactivityInMinutes": null
    }));
    let (mut settings, _) = declaration.payload_leniently::<PasscodeSettings>().unwrap();
    settings.minimum_length = Some(10);
    declaration.set_payload(&settings).unwrap();
    assert_eq!(
        Value::Object(declaration.payload.clone()),
        json!({
            "Novel": {"a": [null, 1, null, [null, 2.5], u64::MAX, null], "b": null},
            "MinimumLength": 10, "RequirePasscode": "yes", "MaximumInactivityInMinutes": null
        })
    );
    let asset = AssetData::new(ddm::asset::asset_data::Reference::new(
        "https://example.com",
    ));
    assert!(matches!(
        declaration.set_payload(&asset),
        Err(Error::OtherType { .. })
    ));
}

#[test]
fn a_declaration_is_checked_against_its_schema_and_a_target() {
    let declaration = passcode(&json!({"MinimumLength": 99, "Novel": 1}));
    assert_eq!(
        paths(&declaration.validate(None)),
        [
            ("Payload.MinimumLength", Rule::Range),
            ("Payload.Novel", Rule::UnknownKey)
        ]
    );
    let target = "tvos:18.0".parse().unwrap();
    let findings = passcode(&json!({})).validate(Some(&target));
    assert_eq!(paths(&findings), [("Payload", Rule::NotAvailable)]);

    let unknown: Declaration = decode(&json!({
        "Type": "com.apple.configuration.novel", "Identifier": "I", "ServerToken": "1", "Payload": {}
    }));
    assert_eq!(paths(&unknown.validate(None)), [("Type", Rule::Enum)]);
    let (any, _) = unknown.any().unwrap();
    assert!(matches!(any, AnyDeclaration::Other(other) if other.name == unknown.declaration_type));
}

#[test]
fn a_payload_nested_too_deep_is_an_error() {
    let mut deep = json!(1);
    for _ in 0..200 {
        deep = Value::Array(vec![deep]);
    }
    let mut declaration = passcode(&json!({}));
    declaration.payload.insert("Novel".to_owned(), deep);
    assert!(matches!(declaration.any(), Err(Error::Invalid { .. })));
    assert_eq!(
        paths(&declaration.validate(None)),
        [("Payload", Rule::Unreadable)]
    );
}

fn report() -> StatusReport {
    decode(&json!({
        "StatusItems": {
            "device": {
                "operating-system": {"version": "18.2", "novel": 1},
                "novel": {"a": {"b": 1}}
            },
            "management": {"declarations": {
                "activations": [], "assets": [], "management": [],
                "configurations": [{
                    "identifier": "I", "server-token": "1", "active": false, "valid": "invalid",
                    "reasons": [{"code": "Error.Novel", "description": "d"}]
                }]
            }},
            "passcode": {"is-present": "perhaps"}
        },
        "Errors": [], "FullReport": true
    }))
}

#[test]
fn a_status_item_is_read_as_its_own_type() {
    let report = report();
    let version: DeviceOperatingSystemVersion = report.read().unwrap();
    assert_eq!(version.0, "18.2");
    let declarations: ManagementDeclarations = report.read().unwrap();
    let configuration = &declarations.configurations.unwrap()[0];
    assert_eq!(configuration.active, Some(false));
    let reason = &configuration.reasons.as_ref().unwrap()[0];
    assert_eq!(reason.code.as_deref(), Some("Error.Novel"));
    assert_eq!(report.read::<ddm::status_item::PasscodeIsPresent>(), None);
    assert_eq!(report.read::<ddm::status_item::DeviceModelFamily>(), None);
}

#[test]
fn every_item_of_a_report_is_listed_known_or_not() {
    let items = report().items();
    let names: Vec<&str> = items
        .iter()
        .map(|item| match item {
            AnyStatusItem::Other(other) => other.name.as_str(),
            known => known.schema().unwrap().name,
        })
        .collect();
    assert_eq!(
        names,
        [
            "device.novel",
            "device.operating-system.novel",
            "device.operating-system.version",
            "management.declarations",
            "passcode.is-present"
        ]
    );
    assert!(matches!(
        &items[2],
        AnyStatusItem::DeviceOperatingSystemVersion(version) if version.0 == "18.2"
    ));
    // Not of its type, so kept whole.
    assert!(matches!(&items[4], AnyStatusItem::Other(_)));
}

#[test]
fn a_report_is_checked_item_by_item() {
    assert_eq!(
        paths(&report().validate(None)),
        [
            ("StatusItems.device.novel", Rule::UnknownKey),
            (
                "StatusItems.device.operating-system.novel",
                Rule::UnknownKey
            ),
            ("StatusItems.passcode.is-present", Rule::Type),
        ]
    );
    let target = "ios:14.0".parse().unwrap();
    let findings = report().validate(Some(&target));
    let missing = (
        "StatusItems.device.operating-system.version",
        Rule::NotAvailable,
    );
    assert!(paths(&findings).contains(&missing), "{findings:?}");
}

#[test]
fn a_report_may_be_nothing_but_its_errors() {
    let json = json!({"Errors": [{"StatusItem": "a.b", "Reasons": [{"Code": "C"}]}]});
    let report: StatusReport = decode(&json);
    assert_eq!(report.errors[0].status_item, "a.b");
    assert!(report.status_items.is_empty() && report.items().is_empty());
    for neither in [json!({}), json!({"FullReport": true})] {
        let bytes = serde_json::to_vec(&neither).unwrap();
        assert!(matches!(
            ddm::decode::<StatusReport>(&bytes),
            Err(Error::Json(_))
        ));
    }
}

#[test]
fn a_credential_and_an_error_body_are_json_documents() {
    let credential: UserNameAndPasswordCredential =
        json::from_slice(br#"{"UserName": "anna", "Password": "hunter2"}"#).unwrap();
    assert_eq!(credential.user_name, "anna");
    assert!(!format!("{credential:?}").contains("hunter2"));
    assert!(matches!(
        json::from_slice::<UserNameAndPasswordCredential>(b"{}"),
        Err(Error::Decode(_))
    ));
    let (empty, findings) =
        json::from_slice_leniently::<UserNameAndPasswordCredential>(b"{}").unwrap();
    assert_eq!(
        (empty.user_name.as_str(), paths(&findings)),
        ("", vec![("UserName", Rule::Required)])
    );

    let body = SoftwareUpdateRequired::new(SoftwareUpdateRequiredDetails::new("26.1"));
    let json: Value = serde_json::from_slice(&json::to_vec(&body).unwrap()).unwrap();
    assert_eq!(
        json,
        json!({"code": "com.apple.softwareupdate.required", "details": {"OSVersion": "26.1"}})
    );
    let keys = json::to_dictionary(json.as_object().unwrap()).unwrap();
    let (any, findings) = AnyErrorBody::read("com.apple.softwareupdate.required", &keys);
    assert!(matches!(any, AnyErrorBody::SoftwareUpdateRequired(same) if *same == body));
    assert_eq!(findings, []);
}
