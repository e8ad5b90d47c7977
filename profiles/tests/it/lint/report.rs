//! Reports as JSON and as SARIF.

use mdm_profiles::lint::{lint, sarif::Sarif};
use serde_json::{Value, json};

use super::{SSID, WIFI, one, options};

fn weak() -> mdm_profiles::Profile {
    one(
        WIFI,
        &format!("{SSID}<key>EncryptionType</key><string>WEP</string>"),
    )
}

#[test]
fn a_report_is_written_as_json() {
    let report = serde_json::to_value(lint(&weak(), &options())).unwrap();
    let wanted = json!({"findings": [{
        "path": "PayloadContent[0].EncryptionType",
        "severity": "warning",
        "message": "is an encryption that can be broken",
        "rule": "weak-wifi",
        "reason": "what goes over the air can be read or changed",
        "fix": "take WPA2 or WPA3",
        "source": "Apple, page WiFi: EncryptionType; Recommended settings for Wi-Fi routers and access points",
        "targets": [],
    }]});
    assert_eq!(report, wanted);
}

#[test]
fn a_report_is_written_as_sarif() {
    let weak = lint(&weak(), &options());
    let mut broken = super::one(WIFI, SSID);
    broken.keys_mut().remove("PayloadContent");
    let ios = options().target("ios:18.2".parse().unwrap());
    let broken = lint(&broken, &ios);
    let files = [
        ("profiles/a b.mobileconfig", &weak),
        ("c:\\d.mobileconfig", &broken),
    ];
    let log = serde_json::to_value(Sarif::new(files)).unwrap();
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "mdm-profiles");
    let ids: Vec<_> = driver["rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["required", "weak-wifi"]);

    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "weak-wifi");
    assert_eq!(result["ruleIndex"], 1);
    assert_eq!(result["level"], "warning");
    let place = &result["locations"][0];
    assert_eq!(
        place["physicalLocation"]["artifactLocation"]["uri"],
        "profiles/a%20b.mobileconfig"
    );
    assert_eq!(
        place["logicalLocations"][0]["fullyQualifiedName"],
        "PayloadContent[0].EncryptionType"
    );
    assert_eq!(place["logicalLocations"][0]["name"], "EncryptionType");
    let text = result["message"]["text"].as_str().unwrap();
    assert_eq!(
        text,
        "PayloadContent[0].EncryptionType: is an encryption that can be broken. Take WPA2 or WPA3."
    );

    let result = &run["results"][1];
    assert_eq!(result["level"], "error");
    assert_eq!(result["properties"]["targets"], json!(["iOS:18.2"]));
    let uri = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(uri, "./c:/d.mobileconfig");
}

/// Types that were made of the published schema read the log, and write it as it was: it holds what
/// the schema asks for, and nothing that it does not know.
#[test]
fn a_log_of_every_rule_is_as_the_schema_of_sarif_wants_it() {
    let reports: Vec<_> = super::all()
        .map(|case| {
            (
                format!("{} {}.mobileconfig", case.rule, case.path),
                super::report(&case),
            )
        })
        .collect();
    let files = reports.iter().map(|(file, report)| (file.as_str(), report));
    let log = serde_json::to_value(Sarif::new(files)).unwrap();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(results.len() >= reports.len());
    let typed: serde_sarif::sarif::Sarif = serde_json::from_value(log.clone()).unwrap();
    assert_eq!(serde_json::to_value(typed).unwrap(), log);
    // What types cannot say: indices lead to the rule, and URIs are such.
    let rules = log["runs"][0]["tool"]["driver"]["rules"]
        .as_array()
        .unwrap();
    for result in results {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        let place = &result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
        let uri = place.as_str().unwrap();
        assert!(uri.bytes().all(|byte| byte.is_ascii_graphic()), "{uri}");
    }
}

#[test]
fn a_log_without_findings_is_a_log() {
    let none: [(&str, &mdm_profiles::lint::Report); 0] = [];
    let log = serde_json::to_value(Sarif::new(none)).unwrap();
    assert_eq!(log["runs"][0]["results"], Value::Array(Vec::new()));
}
