//! The keys of the profile itself: removal, expiry, consent, the device it is for.

use mdm_plist::{Value, date};
use mdm_schema::{Platform, Severity, Target};

use super::{Finding, LintOptions, rule};
use crate::profile::Profile;

pub(super) fn check(
    profile: &Profile,
    options: &LintOptions,
    targets: &[Target],
    findings: &mut Vec<Finding>,
) {
    let mut note = |id: &str, path: &str, severity, message: &'static str| {
        findings.push(Finding::new(rule::named(id), path, severity, message));
    };
    let keys = profile.keys();
    let asks = keys.get("HasRemovalPasscode").and_then(Value::as_boolean) == Some(true);
    let has = profile
        .payload("com.apple.profileRemovalPassword")
        .is_some();
    if asks && !has && !profile.is_encrypted() {
        let message = "asks for a password that the profile does not set";
        note(
            "removal-password-missing",
            "HasRemovalPasscode",
            Severity::Warning,
            message,
        );
    }
    let passed = |key: &str| {
        let date = keys.get(key).and_then(Value::as_date);
        date.is_some_and(|date| date::to_chrono(date) <= options.now)
    };
    if passed("RemovalDate") {
        note(
            "removal-date-passed",
            "RemovalDate",
            Severity::Error,
            "has passed",
        );
    }
    if passed("PayloadExpirationDate") {
        note(
            "expired",
            "PayloadExpirationDate",
            Severity::Warning,
            "has passed",
        );
    }
    if let Some(Value::Dictionary(texts)) = keys.get("ConsentText")
        && !texts.is_empty()
        && !texts.contains_key("default")
        && !texts.contains_key("en")
    {
        let message = "has no text for other languages";
        note("consent-default", "ConsentText", Severity::Info, message);
    }
    let device = keys
        .get("TargetDeviceType")
        .and_then(Value::as_signed_integer);
    for target in targets {
        if !device.is_none_or(|device| fits(device, target.platform)) {
            let rule = rule::named("target-device-type");
            let message = "is another kind of device";
            let path = "TargetDeviceType";
            let mut finding = Finding::new(rule, path, Severity::Error, message);
            finding.targets.push(target.to_string());
            findings.push(finding);
        }
    }
}

/// Whether a number, of those that Apple has defined, stands for devices of the platform.
fn fits(device: i64, platform: Platform) -> bool {
    match device {
        1 => platform == Platform::Ios,
        2 => platform == Platform::WatchOs,
        // HomePods run what the tables count as tvOS.
        3 | 4 => platform == Platform::TvOs,
        5 => platform == Platform::MacOs,
        6 => platform == Platform::VisionOs,
        _ => true,
    }
}
