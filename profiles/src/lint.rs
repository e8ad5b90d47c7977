//! What is wrong, weak or worn out in a profile, each with a path, a reason and a fix.
//!
//! The base is [`Profile::validate`]: what a device refuses. Beside it stand rules of good sense:
//! certificates, secrets in clear, weak settings, keys that a declaration has replaced. Every rule is
//! in [`rules`].

#[cfg(feature = "crypto")]
mod certificates;
mod declarations;
mod rule;
pub mod sarif;
mod secrets;
mod top_level;
mod unknown;
mod weak;

use std::{borrow::Cow, cmp::Reverse, collections::HashMap, fmt};

use chrono::{DateTime, TimeDelta, Utc};
use mdm_schema::{Enrollment, Severity, Target, path};
use serde::Serialize;

#[cfg(feature = "crypto")]
pub use self::certificates::{unreadable_certificate, unreadable_certificates};
pub use self::rule::{Rule, rules};
use crate::{predict::Installer, profile::Profile};

/// For whom, how and when a profile is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LintOptions {
    /// The devices that it is for; none for what holds on any.
    pub targets: Vec<Target>,
    /// Who installs it. By hand, every target counts as enrolled locally.
    pub delivery: Installer,
    /// Whether it will be encrypted to the device, so that secrets are no longer in clear.
    pub encrypted: bool,
    /// The time at which certificates and dates are judged.
    pub now: DateTime<Utc>,
    /// How long before its end a certificate is worth a word. Default: 30 days.
    pub expires_within: TimeDelta,
    /// Rules that are left out, by their names.
    pub without: Vec<String>,
}

impl LintOptions {
    /// For any device, through MDM, in clear.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self {
            targets: Vec::new(),
            delivery: Installer::Mdm,
            encrypted: false,
            now,
            expires_within: TimeDelta::days(30),
            without: Vec::new(),
        }
    }

    /// Sets optional parts.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    /// Adds a device that the profile is for.
    #[must_use]
    pub fn target(self, target: Target) -> Self {
        self.with(|options| options.targets.push(target))
    }

    /// The targets as the delivery makes them.
    fn targets(&self) -> Vec<Target> {
        let by_hand = self.delivery == Installer::Manual;
        let targets = self.targets.iter().cloned();
        let set = |target: Target| {
            target.with(|target| {
                if by_hand {
                    target.enrollment = Enrollment::Local;
                }
            })
        };
        targets.map(set).collect()
    }
}

/// What was found, worst first, then the profile's own keys, then payload by payload.
///
/// Serialised, it is `{"findings": [...]}`; [`sarif::Sarif`] makes SARIF of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The findings.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong, weak or worn out.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// Where: `PayloadContent[0].PayloadType`; empty for the profile as a whole.
    pub path: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in a sentence without a full stop. Never a secret's value.
    pub message: Cow<'static, str>,
    /// The rule, with the reason why it is there.
    #[serde(flatten)]
    pub rule: &'static Rule,
    /// What to do about it.
    pub fix: Cow<'static, str>,
    /// The devices that it holds for; none where it holds for any.
    pub targets: Vec<String>,
}

impl Finding {
    fn new(
        rule: &'static Rule,
        path: impl Into<String>,
        severity: Severity,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            path: path.into(),
            severity,
            message: message.into(),
            rule,
            fix: Cow::Borrowed(rule.fix),
            targets: Vec::new(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            severity,
            message,
            rule,
            ..
        } = self;
        let separator = if path.is_empty() { "" } else { ": " };
        write!(f, "{severity}: {path}{separator}{message} ({})", rule.id)
    }
}

impl Report {
    /// Whether nothing was found.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// The worst of what was found.
    pub fn worst(&self) -> Option<Severity> {
        self.findings.iter().map(|finding| finding.severity).max()
    }

    /// The findings that are at least as bad as this.
    pub fn at_least(&self, severity: Severity) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(move |finding| finding.severity >= severity)
    }
}

/// Looks a profile over.
///
/// ```
/// use mdm_profiles::{Profile, lint::{LintOptions, lint}};
/// use mdm_schema::Severity;
///
/// let profile = Profile::decode(br#"<plist version="1.0"><dict>
///     <key>PayloadContent</key><array><dict>
///         <key>EncryptionType</key><string>WEP</string>
///         <key>PayloadIdentifier</key><string>com.example.wifi</string>
///         <key>PayloadType</key><string>com.apple.wifi.managed</string>
///         <key>PayloadUUID</key><string>CBB2A1A8-6F43-4D1C-8E5A-3B1C8B0C1B11</string>
///         <key>PayloadVersion</key><integer>1</integer>
///         <key>SSID_STR</key><string>Office</string>
///     </dict></array>
///     <key>PayloadIdentifier</key><string>com.example</string>
///     <key>PayloadType</key><string>Configuration</string>
///     <key>PayloadUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D3E</string>
///     <key>PayloadVersion</key><integer>1</integer>
/// </dict></plist>"#)?;
///
/// let options = LintOptions::new("2026-11-05T09:00:00Z".parse()?).target("ios:18.2".parse()?);
/// let report = lint(&profile, &options);
/// let finding = &report.findings[0];
/// assert_eq!(finding.rule.id, "weak-wifi");
/// assert_eq!(finding.path, "PayloadContent[0].EncryptionType");
/// assert_eq!(report.worst(), Some(Severity::Warning));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lint(profile: &Profile, options: &LintOptions) -> Report {
    let targets = options.targets();
    let mut findings = base(profile, &targets);
    let mut own = Vec::new();
    top_level::check(profile, options, &targets, &mut own);
    unknown::check(profile, &targets, &mut own);
    secrets::check(profile, options, &mut own);
    weak::check(profile, &mut own);
    #[cfg(feature = "crypto")]
    certificates::check(profile, options, &mut own);
    if let Some(at) = profile.wrapped_at() {
        for finding in &mut own {
            finding.path = path::join(&at, &finding.path);
        }
        let message = "holds the profile, which belongs at the top level";
        let rule = rule::named("misplaced");
        findings.push(Finding::new(rule, at, Severity::Error, message));
    }
    findings.append(&mut own);
    findings.retain(|finding| !options.without.iter().any(|id| id == finding.rule.id));
    // Stable, so that what is said of one payload stays together.
    findings.sort_by_key(|finding| (Reverse(finding.severity), payload(&finding.path)));
    Report { findings }
}

/// The place of the payload that a path leads into; none for the profile's own keys.
fn payload(path: &str) -> Option<usize> {
    let (_, inside) = path.split_once("PayloadContent[")?;
    inside.split_once(']')?.0.parse().ok()
}

/// What a device refuses or ignores; the same for several targets is told once.
fn base(profile: &Profile, targets: &[Target]) -> Vec<Finding> {
    let told = |found: mdm_schema::Finding| {
        let rule = rule::of(found.rule);
        Finding::new(rule, found.path, found.severity, found.message)
    };
    if targets.is_empty() {
        return profile.validate(None).into_iter().map(told).collect();
    }
    let mut findings: Vec<Finding> = Vec::new();
    // Where what was told of a target before stands, so that it is told once of all of them.
    let mut places = HashMap::new();
    for target in targets {
        let name = target.to_string();
        for found in profile.validate(Some(target)) {
            let mut finding = told(found);
            declarations::replace(&mut finding, profile, target);
            let key = (
                finding.path.clone(),
                finding.rule.id,
                finding.message.clone(),
            );
            let place = *places.entry(key).or_insert(findings.len());
            match findings.get_mut(place) {
                Some(other) if other.targets.last() != Some(&name) => {
                    other.targets.push(name.clone())
                }
                Some(_) => {}
                None => {
                    finding.targets.push(name.clone());
                    findings.push(finding);
                }
            }
        }
    }
    findings
}
