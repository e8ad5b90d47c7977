//! Payloads of a type that nobody knows.

use mdm_schema::{Platform, Severity, Target, path};

use super::{Finding, rule};
use crate::profile::Profile;

/// On a Mac any preference domain is a type of payload, so that only names of Apple's are looked at there.
pub(super) fn check(profile: &Profile, targets: &[Target], findings: &mut Vec<Finding>) {
    let elsewhere = |target: &&Target| target.platform != Platform::MacOs;
    let elsewhere: Vec<_> = targets.iter().filter(elsewhere).collect();
    for (place, payload) in profile.numbered() {
        let Some(name) = payload.payload_type() else {
            continue;
        };
        let of_apple = name.starts_with("com.apple.");
        // Said by the check already.
        let is_profile = name == "Configuration";
        let worth = of_apple || !elsewhere.is_empty();
        if payload.schema().is_some() || is_profile || name.is_empty() || !worth {
            continue;
        }
        let severity = match elsewhere.is_empty() {
            true => Severity::Info,
            false => Severity::Warning,
        };
        let at = path::join(&path::index("PayloadContent", place), "PayloadType");
        let rule = rule::named("unknown-payload");
        let mut finding = Finding::new(rule, at, severity, "is no payload of Apple's");
        finding.targets = elsewhere.iter().map(ToString::to_string).collect();
        findings.push(finding);
    }
}
