use chrono::{TimeZone, Utc};
use mdm_protocol::{
    Error,
    ddm::{
        self, Declaration, DeclarationItem, DeclarationItemsResponse, DeclarationKind,
        Declarations, StatusReport, TokensResponse,
    },
};
use mdm_schema::Rule;
use serde_json::{Value, json};

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

#[test]
fn q23_timestamps_are_written_in_whole_seconds() {
    let time = Utc.timestamp_opt(1_762_333_200, 999_000_000).unwrap();
    let tokens = TokensResponse::new("T1", time);
    let json =
        json!({"SyncTokens": {"DeclarationsToken": "T1", "Timestamp": "2025-11-05T09:00:00Z"}});
    assert_eq!(serde_json::to_value(&tokens).unwrap(), json);
    assert_eq!(
        ddm::decode::<TokensResponse>(&bytes(&json)).unwrap(),
        tokens
    );
    let zone = json!({"SyncTokens": {"DeclarationsToken": "T1", "Timestamp": "2025-11-05T10:00:00+01:00"}});
    assert_eq!(
        ddm::decode::<TokensResponse>(&bytes(&zone)).unwrap(),
        tokens
    );
}

#[test]
fn q23_all_four_lists_of_a_manifest_are_written_even_where_empty() {
    let empty = DeclarationItemsResponse::new("T1", Declarations::default());
    assert_eq!(
        serde_json::to_value(&empty).unwrap(),
        json!({
            "Declarations": {"Activations": [], "Assets": [], "Configurations": [], "Management": []},
            "DeclarationsToken": "T1"
        })
    );
    let mut declarations = Declarations::default();
    for kind in DeclarationKind::ALL {
        declarations
            .of_mut(*kind)
            .push(DeclarationItem::new(kind.as_str(), "1"));
        assert_eq!(declarations.of(*kind)[0].identifier, kind.as_str());
    }
    let full = DeclarationItemsResponse::new("T1", declarations);
    let json = serde_json::to_vec(&full).unwrap();
    assert_eq!(
        ddm::decode::<DeclarationItemsResponse>(&json).unwrap(),
        full
    );
}

#[test]
fn a_declaration_of_any_type_reads_back_with_unknown_keys() {
    let json = json!({
        "Type": "com.apple.configuration.novel", "Identifier": "I", "ServerToken": "S",
        "Payload": {"a": [1, {"b": null}]}, "Later": true
    });
    let declaration: Declaration = ddm::decode(&bytes(&json)).unwrap();
    assert_eq!(declaration.kind(), Some(DeclarationKind::Configuration));
    assert_eq!(serde_json::to_value(&declaration).unwrap(), json);
    let findings = declaration.findings();
    assert_eq!(findings.len(), 1);
    assert_eq!(
        (findings[0].path.as_str(), findings[0].rule),
        ("Later", Rule::UnknownKey)
    );
}

#[test]
fn what_is_wrong_with_a_declarations_envelope_is_found() {
    let declaration = |declaration_type: &str, identifier: &str, token: Option<&str>| {
        let mut made = Declaration::new(declaration_type, identifier, serde_json::Map::new());
        made.server_token = token.map(str::to_owned);
        made.findings()
            .into_iter()
            .map(|f| (f.path, f.rule))
            .collect::<Vec<_>>()
    };
    let good = "com.apple.asset.data";
    let long = "x".repeat(65);
    assert_eq!(declaration(good, "I", Some("S")), []);
    for (kind, identifier, token, path, rule) in [
        ("com.example.data", "I", Some("S"), "Type", Rule::Enum),
        (good, "", Some("S"), "Identifier", Rule::Range),
        (good, &long, Some("S"), "Identifier", Rule::Range),
        (good, "I", None, "ServerToken", Rule::Required),
        (good, "I", Some(""), "ServerToken", Rule::Range),
        (good, "I", Some(&*long), "ServerToken", Rule::Range),
    ] {
        assert_eq!(
            declaration(kind, identifier, token),
            [(path.to_owned(), rule)]
        );
    }
}

#[test]
fn a_full_report_is_told_wherever_the_flag_stands() {
    let outside = json!({"StatusItems": {"device": {}}, "Errors": [], "FullReport": true});
    let inside = json!({"StatusItems": {"device": {}, "FullReport": true}, "Errors": []});
    let reports = [outside, inside].map(|json| ddm::decode::<StatusReport>(&bytes(&json)).unwrap());
    assert_eq!(reports[0], reports[1]);
    assert!(reports[0].full_report && !reports[0].status_items.contains_key("FullReport"));
    let partial = json!({"StatusItems": {}});
    assert!(
        !ddm::decode::<StatusReport>(&bytes(&partial))
            .unwrap()
            .full_report
    );
}

#[test]
fn a_report_reads_back_and_its_items_are_found_by_name() {
    let json = json!({
        "StatusItems": {"device": {"identifier": {"udid": "U"}}},
        "Errors": [
            {"StatusItem": "a.b", "Reasons": [{"Code": "C", "Details": {"x": 1}}]},
            {"StatusItem": "c"}
        ],
        "Novel": 1
    });
    let report: StatusReport = ddm::decode(&bytes(&json)).unwrap();
    assert_eq!(report.item("device.identifier.udid"), Some(&json!("U")));
    assert_eq!(report.item("device.nothing"), None);
    assert_eq!(report.errors[0].reasons[0].code, "C");
    assert_eq!(serde_json::to_value(&report).unwrap(), json);
}

#[test]
fn contents_never_reach_debug_output() {
    let items = json!({"mdm": {"push-magic": "m4gic"}});
    let report = StatusReport::new(items.as_object().unwrap().clone());
    let declaration = Declaration::new("T", "I", items.as_object().unwrap().clone());
    let shown = format!("{report:?} {declaration:?}");
    assert!(shown.contains("mdm") && !shown.contains("m4gic"), "{shown}");
}

#[test]
fn reasons_are_read_in_lower_case_too() {
    let json = json!({"StatusItems": {}, "Errors": [
        {"StatusItem": "a", "Reasons": [{"code": "C", "description": "D", "details": {}}]}]});
    let report: StatusReport = ddm::decode(&bytes(&json)).unwrap();
    assert_eq!(
        report.errors[0].reasons[0].description.as_deref(),
        Some("D")
    );
}

#[test]
fn json_over_the_limit_or_too_deep_is_refused() {
    let json = br#"{"StatusItems": {}}"#;
    assert!(ddm::decode_with::<StatusReport>(json, json.len()).is_ok());
    let error = ddm::decode_with::<StatusReport>(json, json.len() - 1).unwrap_err();
    assert!(
        matches!(error, Error::TooLarge { limit: 18, .. }),
        "{error:?}"
    );
    let deep = format!(r#"{{"StatusItems": {{"a": {}}}}}"#, "[".repeat(1_000_000));
    assert!(matches!(
        ddm::decode::<StatusReport>(deep.as_bytes()),
        Err(Error::Json(_))
    ));
    assert!(ddm::decode::<StatusReport>(b"\xEF\xBB\xBF{\"StatusItems\": {}}").is_ok());
}
