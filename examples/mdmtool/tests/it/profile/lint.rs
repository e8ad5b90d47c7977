//! `lint`: findings as text, JSON and SARIF, and exit codes.

use std::collections::BTreeSet;

use super::Folder;
use crate::fixtures::{PROFILE, plist};

fn weak(folder: &Folder, file: &str) {
    let wifi = "<array><dict><key>EncryptionType</key><string>WEP</string>
        <key>PayloadIdentifier</key><string>com.example.wifi</string>
        <key>PayloadType</key><string>com.apple.wifi.managed</string>
        <key>PayloadUUID</key><string>1F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E</string>
        <key>PayloadVersion</key><integer>1</integer>
        <key>SSID_STR</key><string>Office</string>
        <key>Password</key><string>correct horse</string></dict></array>";
    folder
        .0
        .write(file, plist(&PROFILE.replace("<array/>", wifi)));
}

fn broken(folder: &Folder, file: &str) {
    let broken = PROFILE.replace("0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E", "");
    folder.0.write(file, plist(&broken));
}

#[test]
fn each_finding_says_where_why_and_what_to_do() {
    let folder = Folder::new();
    weak(&folder, "weak");
    let told = folder.run("lint weak");
    told.succeeded();
    told.holds_none_of(&["correct horse"]);
    for words in [
        "weak\n",
        "warning PayloadContent[0].EncryptionType is an encryption that can be broken (weak-wifi)",
        "why: what goes over the air can be read or changed",
        "fix: take WPA2 or WPA3",
        "info    PayloadContent[0].Password is a secret in clear (secret-in-clear)",
        "1 warning, 1 remark",
    ] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
    let told = folder.run("lint weak --encrypted --without weak-wifi");
    assert_eq!(told.stdout, "nothing found in 1 profile\n");
    let told = folder.run("lint weak --level warning");
    assert!(!told.stdout.contains("secret"));
    let told = folder.run("lint weak --manual --target ios:18.2,supervised");
    assert!(told.stdout.contains("2 warnings"), "{}", told.stdout);
    folder
        .run("lint weak --without no-such-rule")
        .failed(2, &["no-such-rule", "--rules"]);
}

#[test]
fn the_exit_code_tells_how_bad_it_is() {
    let folder = Folder::new();
    weak(&folder, "weak");
    broken(&folder, "broken");
    folder.wifi("fine", "");
    for (line, code) in [
        ("lint fine --encrypted", 0),
        ("lint weak", 0),
        ("lint weak --fail-on warning", 1),
        ("lint fine --fail-on info", 1),
        ("lint broken", 1),
        ("lint fine weak broken", 1),
        ("lint broken --fail-on never", 0),
        ("lint nowhere", 2),
        ("lint", 2),
    ] {
        assert_eq!(folder.run(line).code, Some(code), "{line}");
    }
}

#[test]
fn findings_are_a_document_of_json() {
    let folder = Folder::new();
    weak(&folder, "weak");
    broken(&folder, "broken");
    let told = folder.json("lint weak broken --target ios:18.2");
    assert_eq!(told["errors"], 1);
    assert_eq!(told["warnings"], 1);
    assert_eq!(told["infos"], 1);
    assert_eq!(told["files"][0]["file"], "weak");
    let finding = &told["files"][1]["findings"][0];
    assert_eq!(finding["path"], "PayloadUUID");
    assert_eq!(finding["rule"], "format");
    assert_eq!(finding["severity"], "error");
    for key in ["message", "reason", "fix", "source"] {
        assert!(!finding[key].as_str().unwrap().is_empty(), "{key}");
    }
    folder.run("lint nowhere --json").error(2, "input");
}

#[test]
fn findings_are_sarif_for_code_hosts() {
    let folder = Folder::new();
    weak(&folder, "weak");
    broken(&folder, "broken");
    let told = folder.run("lint weak broken --sarif");
    assert_eq!(told.code, Some(1));
    let log = told.json();
    assert_eq!(log["version"], "2.1.0");
    let results = log["runs"][0]["results"].as_array().unwrap();
    let rules: Vec<_> = results
        .iter()
        .map(|it| it["ruleId"].as_str().unwrap())
        .collect();
    assert_eq!(rules, ["weak-wifi", "secret-in-clear", "format"]);
    let place = &results[2]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"];
    assert_eq!(place, "broken");
}

#[test]
fn every_rule_is_listed_with_its_reason() {
    let folder = Folder::new();
    let rules = folder.json("lint --rules");
    let rules = rules.as_array().unwrap();
    let names: BTreeSet<_> = rules
        .iter()
        .map(|rule| rule["rule"].as_str().unwrap())
        .collect();
    assert_eq!(names.len(), rules.len());
    assert!(names.contains("certificate-weak-signature"));
    let text = folder.run("lint --rules");
    text.succeeded();
    for rule in rules {
        for key in ["rule", "reason", "fix", "source"] {
            assert!(text.stdout.contains(rule[key].as_str().unwrap()), "{rule}");
        }
    }
}
