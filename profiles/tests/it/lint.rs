//! What a lint finds: for each rule a profile that breaks just it.

mod cases;
#[cfg(feature = "crypto")]
mod certificates;
mod report;

use std::collections::BTreeSet;

use mdm_profiles::{
    Profile,
    lint::{LintOptions, Report, lint, rules},
    predict::Installer,
};

use self::cases::Case;
use crate::given::{payload, profile};

const WIFI: &str = "com.apple.wifi.managed";
const RESTRICTIONS: &str = "com.apple.applicationaccess";
const SCEP: &str = "com.apple.security.scep";
const SSID: &str = "<key>SSID_STR</key><string>Office</string>";

pub(crate) fn options() -> LintOptions {
    let now = "2026-11-05T09:00:00Z".parse().unwrap();
    LintOptions::new(now).with(|options| options.encrypted = true)
}

fn one(payload_type: &str, keys: &str) -> Profile {
    profile(&[payload(payload_type, "one", 1, keys)])
}

fn report(case: &Case) -> Report {
    let target = case.target.map(|target| target.parse().unwrap());
    let options = options().with(|options| {
        options.targets.extend(target);
        options.encrypted = !case.in_clear;
    });
    lint(&case.profile, &options)
}

/// A case for every rule; those of certificates need the feature that reads them.
fn all() -> impl Iterator<Item = Case> {
    let cases = cases::all();
    #[cfg(feature = "crypto")]
    let cases = cases.chain(certificates::cases());
    cases
}

#[test]
fn each_rule_is_found_exactly_once_where_just_it_is_broken() {
    let mut wrong = Vec::new();
    for case in all() {
        let found = report(&case);
        let told = found.findings.iter().map(|f| (f.rule.id, f.path.as_str()));
        if !told.eq([(case.rule, case.path.as_str())]) {
            wrong.push(format!(
                "{} at {}: {:#?}",
                case.rule, case.path, found.findings
            ));
            continue;
        }
        let finding = &found.findings[0];
        for text in [
            &*finding.message,
            finding.rule.reason,
            &*finding.fix,
            finding.rule.source,
        ] {
            assert!(!text.is_empty(), "{finding:?}");
        }
        if let (Some(target), [found]) = (case.target, &*finding.targets) {
            assert_eq!(target.parse(), found.parse::<mdm_schema::Target>());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_rule_is_without_a_case() {
    let tried: BTreeSet<_> = all().map(|case| case.rule).collect();
    let rules = rules().iter().map(|rule| rule.id);
    let told = |id: &&str| cfg!(feature = "crypto") || !id.starts_with("certificate-");
    assert_eq!(tried, rules.filter(told).collect());
}

#[test]
fn a_secret_in_clear_is_found_where_it_stands_and_never_shown() {
    let keys = |secret: &str| format!("{SSID}<key>Password</key><string>{secret}</string>");
    let in_clear = options().with(|options| options.encrypted = false);
    let by_hand = in_clear
        .clone()
        .with(|options| options.delivery = Installer::Manual);
    let found = lint(&one(WIFI, &keys("hunter2")), &by_hand);
    assert_eq!(found.findings.len(), 1);
    assert_eq!(found.findings[0].rule.id, "secret-in-clear");
    assert_eq!(found.findings[0].path, "PayloadContent[0].Password");
    let shown = format!(
        "{found:?} {} {}",
        found.findings[0],
        serde_json::to_string(&found).unwrap()
    );
    assert!(!shown.contains("hunter2"));

    let by_server = lint(&one(WIFI, &keys("hunter2")), &in_clear);
    assert!(by_server.findings[0].severity < found.findings[0].severity);
    assert!(lint(&one(WIFI, &keys("hunter2")), &options()).is_clean());
    assert!(lint(&one(WIFI, &keys("")), &by_hand).is_clean());
    let unknown = "<key>Server</key><string>a</string><key>ApiToken</key><string>hunter2</string>";
    assert_eq!(
        lint(&one("com.example.agent", unknown), &by_hand)
            .findings
            .len(),
        1
    );
}

#[test]
fn what_several_targets_share_is_told_once() {
    let restrictions = one(
        RESTRICTIONS,
        "<key>allowAutoCorrection</key><false/><key>Novel</key><true/>",
    );
    let targets = ["ios:18.2", "ios:18.3", "ios:18.2,supervised"];
    let options = options().with(|options| {
        options
            .targets
            .extend(targets.map(|target| target.parse().unwrap()));
    });
    let found = lint(&restrictions, &options);
    let told: Vec<_> = found
        .findings
        .iter()
        .map(|f| (f.rule.id, f.targets.len()))
        .collect();
    assert_eq!(told, [("supervision", 2), ("unknown-key", 3)]);
}

#[test]
fn installed_by_hand_a_profile_has_other_objections() {
    let extensions = one("com.apple.system-extension-policy", "");
    let by_server = options().target("macos:15.2".parse().unwrap());
    let by_hand = by_server
        .clone()
        .with(|options| options.delivery = Installer::Manual);
    let told = |options: &LintOptions| {
        let report = lint(&extensions, options);
        report
            .findings
            .iter()
            .map(|f| f.rule.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&by_server), [""; 0]);
    assert_eq!(told(&by_hand), ["enrollment"]);
}

#[test]
fn rules_can_be_left_out_and_the_worst_comes_first() {
    let both = one(
        WIFI,
        "<key>SSID_STR</key><string>a</string><key>EncryptionType</key><string>WEP</string><key>PayloadCertificateUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D77</string>",
    );
    let told = |options: &LintOptions| {
        lint(&both, options)
            .findings
            .iter()
            .map(|f| f.rule.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(told(&options()), ["reference", "weak-wifi"]);
    let without = options().with(|options| options.without.push("reference".into()));
    assert_eq!(told(&without), ["weak-wifi"]);
}

#[test]
fn what_is_equally_bad_is_told_payload_by_payload() {
    let wep = format!("{SSID}<key>EncryptionType</key><string>WEP</string><key>Novel</key><true/>");
    let payloads: Vec<_> = (0..12)
        .map(|n| payload(WIFI, &format!("wifi{n}"), n, &wep))
        .collect();
    let found = lint(&profile(&payloads), &options());
    let told = found.findings.iter().map(|finding| finding.path.as_str());
    let each = (0..12).flat_map(|n| [format!("[{n}].Novel"), format!("[{n}].EncryptionType")]);
    let each = each.map(|end| format!("PayloadContent{end}"));
    assert!(told.eq(each), "{:?}", found.findings);
}

#[test]
fn a_deprecated_key_names_the_declaration_only_to_a_device_that_takes_it() {
    let restrictions = one(RESTRICTIONS, "<key>forceOnDeviceOnlyDictation</key><true/>");
    let fix = |target: &str| {
        let found = lint(&restrictions, &options().target(target.parse().unwrap()));
        found.findings[0].fix.to_string()
    };
    let declaration = "set ForceOnDeviceOnlyDictation of the declaration com.apple.configuration.intelligence.settings";
    assert_eq!(fix("ios:26.4,supervised"), declaration);
    assert_ne!(fix("ios:26.4"), declaration);
    assert_ne!(fix("watchos:26.4"), declaration);
}
