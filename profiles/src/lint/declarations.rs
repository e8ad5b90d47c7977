//! Payloads and keys that Apple has deprecated, and the declarations that say the same.

use mdm_schema::{Kind, Rule as Base, Target, find};

use super::{Finding, rule};
use crate::profile::Profile;

/// `PayloadType`, key (none for the payload as a whole), declaration, and where it says the same.
type Row = (&'static str, &'static str, &'static str, &'static str);

const RESTRICTIONS: &str = "com.apple.applicationaccess";
const APPS: &str = "com.apple.configuration.app.settings";
const EXTERNAL: &str = "com.apple.configuration.external-intelligence.settings";
const INTELLIGENCE: &str = "com.apple.configuration.intelligence.settings";
const KEYBOARD: &str = "com.apple.configuration.keyboard.settings";
const SIRI: &str = "com.apple.configuration.siri.settings";
const UPDATES: &str = "com.apple.configuration.softwareupdate.settings";
const CACHE: &str = "com.apple.configuration.content-cache.settings";

#[rustfmt::skip]
const ROWS: &[Row] = &[
    ("com.apple.AssetCache.managed", "", CACHE, ""),
    ("com.apple.SoftwareUpdate", "", UPDATES, ""),
    ("com.apple.applicationaccess.new", "", APPS, "Allowed"),
    (RESTRICTIONS, "allowAppleIntelligenceReport", INTELLIGENCE, "AllowAppleIntelligenceReport"),
    (RESTRICTIONS, "allowAssistant", SIRI, "Enabled"),
    (RESTRICTIONS, "allowAssistantUserGeneratedContent", SIRI, "AllowUserGeneratedContent"),
    (RESTRICTIONS, "allowAssistantWhileLocked", SIRI, "AllowWhileLocked"),
    (RESTRICTIONS, "allowAutoCorrection", KEYBOARD, "AllowAutoCorrection"),
    (RESTRICTIONS, "allowContinuousPathKeyboard", KEYBOARD, "AllowSlideToType"),
    (RESTRICTIONS, "allowDefinitionLookup", KEYBOARD, "AllowDefinitionLookup"),
    (RESTRICTIONS, "allowDictation", KEYBOARD, "AllowDictation"),
    (RESTRICTIONS, "allowExternalIntelligenceIntegrations", EXTERNAL, "Enabled"),
    (RESTRICTIONS, "allowExternalIntelligenceIntegrationsSignIn", EXTERNAL, "AllowSignIn"),
    (RESTRICTIONS, "allowGenmoji", INTELLIGENCE, "AllowGenmoji"),
    (RESTRICTIONS, "allowImagePlayground", INTELLIGENCE, "AllowImagePlayground"),
    (RESTRICTIONS, "allowImageWand", INTELLIGENCE, "AllowImageWand"),
    (RESTRICTIONS, "allowKeyboardShortcuts", KEYBOARD, "AllowTextReplacement"),
    (RESTRICTIONS, "allowListedAppBundleIDs", APPS, "Allowed/AllowedApps"),
    (RESTRICTIONS, "allowMailSmartReplies", INTELLIGENCE, "Apps/Mail/AllowSmartReplies"),
    (RESTRICTIONS, "allowMailSummary", INTELLIGENCE, "Apps/Mail/AllowSummary"),
    (RESTRICTIONS, "allowNotesTranscription", INTELLIGENCE, "Apps/Notes/AllowTranscription"),
    (RESTRICTIONS, "allowNotesTranscriptionSummary", INTELLIGENCE, "Apps/Notes/AllowTranscriptionSummary"),
    (RESTRICTIONS, "allowPersonalizedHandwritingResults", INTELLIGENCE, "AllowPersonalizedHandwritingResults"),
    (RESTRICTIONS, "allowPredictiveKeyboard", KEYBOARD, "AllowPredictiveText"),
    (RESTRICTIONS, "allowRapidSecurityResponseInstallation", UPDATES, "RapidSecurityResponse/Enable"),
    (RESTRICTIONS, "allowRapidSecurityResponseRemoval", UPDATES, "RapidSecurityResponse/EnableRollback"),
    (RESTRICTIONS, "allowSafariSummary", INTELLIGENCE, "Apps/Safari/AllowSummary"),
    (RESTRICTIONS, "allowSiriAI", SIRI, "AllowSiriAI"),
    (RESTRICTIONS, "allowSpellCheck", KEYBOARD, "AllowSpellCheck"),
    (RESTRICTIONS, "allowVisualIntelligenceSummary", INTELLIGENCE, "AllowVisualIntelligenceSummary"),
    (RESTRICTIONS, "allowWritingTools", INTELLIGENCE, "AllowWritingTools"),
    (RESTRICTIONS, "allowedExternalIntelligenceWorkspaceIDs", EXTERNAL, "AllowedWorkspaceIDs"),
    (RESTRICTIONS, "blockedAppBundleIDs", APPS, "Allowed/DeniedApps"),
    (RESTRICTIONS, "enforcedSoftwareUpdateDelay", UPDATES, "Deferrals"),
    (RESTRICTIONS, "enforcedSoftwareUpdateMajorOSDeferredInstallDelay", UPDATES, "Deferrals/MajorPeriodInDays"),
    (RESTRICTIONS, "enforcedSoftwareUpdateMinorOSDeferredInstallDelay", UPDATES, "Deferrals/MinorPeriodInDays"),
    (RESTRICTIONS, "enforcedSoftwareUpdateNonOSDeferredInstallDelay", UPDATES, "Deferrals/SystemPeriodInDays"),
    (RESTRICTIONS, "forceAssistantProfanityFilter", SIRI, "ForceProfanityFilter"),
    (RESTRICTIONS, "forceDelayedAppSoftwareUpdates", UPDATES, "Deferrals/SystemPeriodInDays"),
    (RESTRICTIONS, "forceDelayedMajorSoftwareUpdates", UPDATES, "Deferrals/MajorPeriodInDays"),
    (RESTRICTIONS, "forceDelayedSoftwareUpdates", UPDATES, "Deferrals"),
    (RESTRICTIONS, "forceOnDeviceOnlyDictation", INTELLIGENCE, "ForceOnDeviceOnlyDictation"),
    (RESTRICTIONS, "forceOnDeviceOnlyTranslation", INTELLIGENCE, "ForceOnDeviceOnlyTranslation"),
];

/// Makes of "deprecated" the word about the declaration, where there is one that the target takes.
pub(super) fn replace(finding: &mut Finding, profile: &Profile, target: &Target) {
    if finding.rule.id != Base::Deprecated.as_str() {
        return;
    }
    let Some((_, _, declaration, key)) = row(&finding.path, profile) else {
        return;
    };
    let takes = |schema: &mdm_schema::Schema| schema.availability(target).is_available();
    if !find(Kind::Configuration, declaration).is_some_and(takes) {
        return;
    }
    finding.rule = rule::named("use-declaration");
    finding.fix = match *key {
        "" => format!("send the declaration {declaration}").into(),
        key => format!(
            "set {} of the declaration {declaration}",
            key.replace('/', ".")
        )
        .into(),
    };
}

/// The row for what stands at `PayloadContent[1]` or `PayloadContent[1].allowGenmoji`.
fn row(path: &str, profile: &Profile) -> Option<&'static Row> {
    let (place, key) = path.strip_prefix("PayloadContent[")?.split_once(']')?;
    let place = place.parse::<usize>().ok()?;
    let payloads = profile.keys().get("PayloadContent")?.as_array()?;
    let payload = payloads.get(place)?.as_dictionary()?;
    let payload_type = payload.get("PayloadType")?.as_string()?;
    let key = key.strip_prefix('.').unwrap_or_default();
    ROWS.iter()
        .find(|row| row.0 == payload_type && row.1 == key)
}

#[cfg(test)]
mod tests {
    use mdm_schema::{Platform, Support};

    use super::*;

    #[test]
    fn every_row_leads_from_what_is_deprecated_to_what_there_is() {
        for (payload, key, declaration, there) in ROWS {
            let payload = find(Kind::Payload, payload).unwrap();
            let support = |platform: &Platform| -> Support {
                match *key {
                    "" => payload.support_on(*platform),
                    key => payload.key(key).unwrap().support_on(*platform),
                }
            };
            let deprecated = |platform: &&Platform| support(platform).deprecated.is_some();
            assert!(
                Platform::ALL.iter().any(|p| deprecated(&p)),
                "{} {key}",
                payload.id
            );
            let declaration = find(Kind::Configuration, declaration).unwrap();
            assert!(
                there.is_empty() || declaration.key(there).is_some(),
                "{there}"
            );
        }
    }

    #[test]
    fn no_restriction_that_a_declaration_repeats_is_left_out() {
        let restrictions = find(Kind::Payload, RESTRICTIONS).unwrap();
        let recent: mdm_schema::OsVersion = "26.0".parse().unwrap();
        for key in restrictions.walk() {
            let deprecated = Platform::ALL.iter().any(|platform| {
                let bound = key.support_on(*platform).deprecated;
                bound.is_some_and(|bound| bound.is_reached_by("99.0".parse().unwrap()))
                    && !bound.is_some_and(|bound| {
                        // Older ones were given up, or have another key in their place.
                        bound.is_reached_by("25.0".parse().unwrap()) && bound.is_reached_by(recent)
                    })
            });
            let name = key.path();
            let listed = ROWS
                .iter()
                .any(|row| row.0 == RESTRICTIONS && row.1 == name);
            // Elements of an array go with the array.
            assert!(listed || !deprecated || name.contains('/'), "{name}");
        }
    }
}
