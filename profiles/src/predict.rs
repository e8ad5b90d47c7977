//! What a device does with a profile when it has one already: update, replace, add, refuse.
//!
//! The rules are those of Apple's `TopLevel`, `CommonPayloadKeys` and `MDM` pages and of its page on
//! signing; each prediction names its own.

mod mdm;
mod removal;

use std::{borrow::Cow, collections::HashSet, fmt};

use chrono::{DateTime, Utc};
use mdm_schema::{Severity, Target, path};
use serde::Serialize;

pub use self::removal::{ByUser, Removal};
use crate::{payload::RawPayload, profile::Profile};

/// How the update comes to the device.
///
/// ```
/// use mdm_profiles::predict::{Delivery, Signer};
///
/// let by_server = Delivery::mdm();
/// let by_hand = Delivery::manual(Signer::Other);
/// assert_eq!(by_hand.signer, Signer::Other);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// Who installs it.
    pub by: Installer,
    /// Who signed it, compared to what is installed.
    pub signer: Signer,
    /// The device; some rules of removal depend on it.
    pub target: Option<Target>,
    /// When it is installed: durations begin here.
    pub at: Option<DateTime<Utc>>,
}

impl Delivery {
    /// The server installs it, and signatures do not matter.
    pub fn mdm() -> Self {
        Self {
            by: Installer::Mdm,
            signer: Signer::Same,
            target: None,
            at: None,
        }
    }

    /// A person installs it.
    pub fn manual(signer: Signer) -> Self {
        Self {
            by: Installer::Manual,
            signer,
            ..Self::mdm()
        }
    }

    /// Sets optional parts.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

/// Who installs a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Installer {
    /// The MDM server, by a command or a declaration.
    Mdm,
    /// A person.
    Manual,
}

/// How the signature of the update relates to that of the installed profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Signer {
    /// The installed profile is not signed, or both are by the same certificate.
    Same,
    /// Another certificate for the same key and the same name: the certificate was renewed.
    ///
    /// Apple asks for the same identity and does not say whether this still is one. Vendors have
    /// updates installed where the key stayed, and devices that had to enrol anew where it did not.
    /// So the prediction warns, and does not refuse.
    Renewed,
    /// Another identity.
    Other,
    /// The installed profile is signed, the update is not.
    Lost,
}

#[cfg(feature = "crypto")]
impl Signer {
    /// Compares the certificates of the first signers whose signatures hold; whether anybody trusts
    /// them does not matter here. One with the same key and subject is [`Renewed`](Self::Renewed).
    pub fn of(installed: &crate::verify::Opened, update: &crate::verify::Opened) -> Self {
        let [installed, update] = [installed, update].map(|opened| {
            let holds = |layers: &&crate::verify::Layers| layers.signature.is_ok();
            opened.signers.iter().find(holds)?.signer.as_ref()
        });
        match (installed, update) {
            (None, _) => Self::Same,
            (Some(_), None) => Self::Lost,
            (Some(old), Some(new)) if old == new => Self::Same,
            (Some(old), Some(new)) if is_renewal(old, new) => Self::Renewed,
            (Some(_), Some(_)) => Self::Other,
        }
    }
}

/// Whether two certificates are of one name and one key.
#[cfg(feature = "crypto")]
fn is_renewal(old: &mdm_pki::Certificate, new: &mdm_pki::Certificate) -> bool {
    let keys = [old, new].map(|certificate| certificate.public_key());
    let same_key = matches!(keys, [Ok(old), Ok(new)] if old.same_key(&new));
    same_key && old.subject() == new.subject()
}

/// What a device is expected to do with an update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Prediction {
    /// What becomes of the profile.
    pub outcome: Outcome,
    /// The rule that decides it, then whatever else is to be known.
    pub reasons: Vec<Reason>,
    /// What becomes of each payload: those of the update in its order, then those that go. Of a
    /// refused update, what would have.
    pub payloads: Vec<PayloadPrediction>,
    /// How the update leaves the device again.
    pub removal: Removal,
}

impl Prediction {
    /// Whether the device refuses the update and keeps what it has.
    pub fn is_refused(&self) -> bool {
        self.outcome == Outcome::Refuses
    }
}

/// What becomes of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// It takes the place of the installed one.
    Replaces,
    /// It is installed beside that.
    Adds,
    /// The device does not take it.
    Refuses,
}

/// What becomes of a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PayloadPrediction {
    /// Where it stands, in the update; in the installed profile for one that goes.
    pub path: String,
    /// `PayloadType`; empty where there is none.
    pub payload_type: String,
    /// `PayloadIdentifier`.
    pub identifier: Option<String>,
    /// What becomes of it.
    pub fate: Fate,
    /// The rule that says so.
    pub rule: Rule,
}

/// What becomes of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Fate {
    /// It is changed in place: what it made, such as a key, may stay.
    Updates,
    /// The old one is taken away, and this one installed.
    Replaces,
    /// It is new.
    Adds,
    /// It is taken away.
    Removes,
}

/// Why, with the severity of the consequence: an error is a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Reason {
    /// The rule.
    pub rule: Rule,
    /// Where, in the update; empty for the profile as a whole.
    pub path: String,
    /// How bad it is: an error is a refusal.
    pub severity: Severity,
    /// What the rule means here, in a sentence without a full stop. Never a secret's value.
    pub message: Cow<'static, str>,
}

impl Reason {
    fn new(
        rule: Rule,
        path: impl Into<String>,
        severity: Severity,
        message: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            rule,
            path: path.into(),
            severity,
            message: message.into(),
        }
    }
}

/// The rules that decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rule {
    /// The identifier at the top level decides between replacing and adding.
    TopLevelIdentifier,
    /// A payload is updated where identifier and UUID are both those of an installed one.
    IdentifierAndUuid,
    /// A payload with an identifier that the installed profile does not have, or the other way.
    PayloadIdentifier,
    /// Content that changed under the same UUID, which who compares UUIDs does not notice.
    SameUuid,
    /// A signed profile is replaced by one of the same signer only, unless the server installs it.
    Signer,
    /// Two payloads with one UUID.
    DuplicateUuid,
    /// Two payloads with one identifier.
    DuplicateIdentifier,
    /// A key of the management payload that never changes.
    FrozenKey,
    /// An access right that the installed profile does not have.
    AddedAccessRight,
    /// The capability of connections per user, added or taken away.
    PerUserConnections,
    /// A second management payload.
    SecondMdm,
    /// The management payload is not in the update.
    LostMdm,
    /// What cannot be a profile is not installed.
    NoProfile,
    /// Payloads that are encrypted cannot be compared.
    Encrypted,
    /// The profile would be removed as soon as it is there.
    RemovalDate,
}

impl Rule {
    /// The name, as it is written in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TopLevelIdentifier => "top-level-identifier",
            Self::IdentifierAndUuid => "identifier-and-uuid",
            Self::PayloadIdentifier => "payload-identifier",
            Self::SameUuid => "same-uuid",
            Self::Signer => "signer",
            Self::DuplicateUuid => "duplicate-uuid",
            Self::DuplicateIdentifier => "duplicate-identifier",
            Self::FrozenKey => "frozen-key",
            Self::AddedAccessRight => "added-access-right",
            Self::PerUserConnections => "per-user-connections",
            Self::SecondMdm => "second-mdm",
            Self::LostMdm => "lost-mdm",
            Self::NoProfile => "no-profile",
            Self::Encrypted => "encrypted",
            Self::RemovalDate => "removal-date",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Predicts what a device that has `installed` does with `update`.
///
/// What other profiles the device has is not looked at.
///
#[cfg_attr(feature = "crypto", doc = "```")]
#[cfg_attr(not(feature = "crypto"), doc = "```ignore")]
/// use mdm_profiles::{EnrollmentProfile, MdmSettings, Namespace, payload::scep::ScepContent};
/// use mdm_profiles::predict::{Delivery, Rule, predict};
///
/// let enrolment = |server: &str| {
///     let mdm = MdmSettings::new(server, "com.apple.mgmt.External.a1".parse().unwrap());
///     let scep = ScepContent::rsa_2048("https://mdm.example.com/scep");
///     EnrollmentProfile::new("com.example.mdm", Namespace::new("example.com"), mdm, scep).build()
/// };
/// let installed = enrolment("https://mdm.example.com/mdm")?;
/// let update = enrolment("https://mdm.example.com/mdm?tenant=7")?;
///
/// let prediction = predict(&installed, &update, &Delivery::mdm());
/// assert!(prediction.is_refused());
/// assert_eq!(prediction.reasons[0].rule, Rule::FrozenKey);
/// assert_eq!(prediction.reasons[0].path, "PayloadContent[1].ServerURL");
/// # Ok::<(), mdm_profiles::Error>(())
/// ```
pub fn predict(installed: &Profile, update: &Profile, delivery: &Delivery) -> Prediction {
    let mut reasons = Vec::new();
    let same = update.identifier().is_some() && installed.identifier() == update.identifier();
    form(update, &mut reasons);
    if same {
        signature(delivery, &mut reasons);
        mdm::update(installed, update, &mut reasons);
    } else {
        mdm::second(installed, update, &mut reasons);
    }
    let payloads = if same {
        pairs(installed, update)
    } else {
        let added = |(place, payload)| told(place, &payload, Fate::Adds, Rule::TopLevelIdentifier);
        update.numbered().map(added).collect()
    };
    let removal = Removal::of(update, delivery);
    if let (Some(removed), Some(now)) = (removal.at, delivery.at)
        && removed <= now
    {
        let message = "has passed, so the device removes the profile at once";
        let rule = Rule::RemovalDate;
        reasons.push(Reason::new(
            rule,
            rule_key(update),
            Severity::Warning,
            message,
        ));
    }
    let refused = reasons.iter().any(|r| r.severity == Severity::Error);
    let (outcome, message) = match same {
        _ if refused => (Outcome::Refuses, ""),
        true => (
            Outcome::Replaces,
            "is that of the installed profile, which is replaced",
        ),
        false => (
            Outcome::Adds,
            "is not that of the installed profile, which stays",
        ),
    };
    if refused {
        reasons.sort_by_key(|reason| std::cmp::Reverse(reason.severity));
    } else {
        let rule = Rule::TopLevelIdentifier;
        let reason = Reason::new(rule, "PayloadIdentifier", Severity::Info, message);
        reasons.insert(0, reason);
        if same {
            same_uuid(installed, update, &mut reasons);
        }
    }
    Prediction {
        outcome,
        reasons,
        payloads,
        removal,
    }
}

/// The key that removes the profile.
fn rule_key(update: &Profile) -> &'static str {
    if update.removal_date().is_some() {
        "RemovalDate"
    } else {
        "DurationUntilRemoval"
    }
}

/// What no device installs, whatever it has.
fn form(update: &Profile, reasons: &mut Vec<Reason>) {
    for key in [
        "PayloadIdentifier",
        "PayloadUUID",
        "PayloadType",
        "PayloadVersion",
    ] {
        if !update.keys().contains_key(key) {
            let message = "is missing, and without it there is no profile";
            reasons.push(Reason::new(Rule::NoProfile, key, Severity::Error, message));
        }
    }
    if update.is_encrypted() {
        let message = "the payloads are encrypted: what becomes of each is not told";
        let reason = Reason::new(Rule::Encrypted, "", Severity::Info, message);
        reasons.push(reason);
    }
    let mut uuids = HashSet::new();
    let mut identifiers = HashSet::new();
    for (place, payload) in update.numbered() {
        let at = |key| path::join(&path::index("PayloadContent", place), key);
        let uuid = payload.uuid().map(str::to_ascii_uppercase);
        if uuid.is_some_and(|uuid| !uuids.insert(uuid)) {
            let message = "is that of another payload, so the profile does not install";
            let path = at("PayloadUUID");
            reasons.push(Reason::new(
                Rule::DuplicateUuid,
                path,
                Severity::Error,
                message,
            ));
        }
        if payload
            .identifier()
            .is_some_and(|one| !identifiers.insert(one))
        {
            let message = "is that of another payload, one of which the device drops silently";
            let path = at("PayloadIdentifier");
            let rule = Rule::DuplicateIdentifier;
            reasons.push(Reason::new(rule, path, Severity::Warning, message));
        }
    }
}

fn signature(delivery: &Delivery, reasons: &mut Vec<Reason>) {
    let (severity, message) = match delivery.signer {
        _ if delivery.by == Installer::Mdm => return,
        Signer::Same => return,
        Signer::Renewed => (
            Severity::Warning,
            "is signed by a renewed certificate of the same key: whether that is the same identity, no \
             source says",
        ),
        Signer::Other => (
            Severity::Error,
            "is signed by another identity than the installed profile",
        ),
        Signer::Lost => (
            Severity::Error,
            "is not signed, while the installed profile is",
        ),
    };
    reasons.push(Reason::new(Rule::Signer, "", severity, message));
}

/// Other content under the UUID that the installed profile has.
fn same_uuid(installed: &Profile, update: &Profile, reasons: &mut Vec<Reason>) {
    let [old, new] = [installed, update].map(|profile| profile.uuid().map(str::to_ascii_uppercase));
    if old.is_some() && old == new && installed != update {
        let message = "is that of the installed profile, though the content is not: who compares \
                       UUIDs, as some servers do, sends no update";
        let reason = Reason::new(Rule::SameUuid, "PayloadUUID", Severity::Warning, message);
        reasons.push(reason);
    }
}

/// What becomes of the payloads where the update replaces the profile.
fn pairs(installed: &Profile, update: &Profile) -> Vec<PayloadPrediction> {
    let identity = |payload: &RawPayload<'_>| {
        let identifier = payload.identifier()?.to_owned();
        Some((identifier, payload.uuid()?.to_ascii_uppercase()))
    };
    let identifiers = |profile| -> HashSet<String> {
        let payloads = Profile::payloads(profile);
        payloads
            .filter_map(|p| Some(p.identifier()?.to_owned()))
            .collect()
    };
    let known = |identifiers: &HashSet<String>, payload: &RawPayload<'_>| {
        payload
            .identifier()
            .is_some_and(|identifier| identifiers.contains(identifier))
    };
    let (old, new) = (identifiers(installed), identifiers(update));
    let same: HashSet<_> = installed.payloads().filter_map(|p| identity(&p)).collect();
    let mut all: Vec<_> = update
        .numbered()
        .map(|(place, payload)| {
            let (fate, rule) = if !known(&old, &payload) {
                (Fate::Adds, Rule::PayloadIdentifier)
            } else if identity(&payload).is_some_and(|identity| same.contains(&identity)) {
                (Fate::Updates, Rule::IdentifierAndUuid)
            } else {
                (Fate::Replaces, Rule::IdentifierAndUuid)
            };
            told(place, &payload, fate, rule)
        })
        .collect();
    let gone = installed
        .numbered()
        .filter(|(_, payload)| !known(&new, payload));
    all.extend(gone.map(|(place, old)| told(place, &old, Fate::Removes, Rule::PayloadIdentifier)));
    all
}

fn told(place: usize, payload: &RawPayload<'_>, fate: Fate, rule: Rule) -> PayloadPrediction {
    PayloadPrediction {
        path: path::index("PayloadContent", place),
        payload_type: payload.payload_type().unwrap_or_default().to_owned(),
        identifier: payload.identifier().map(str::to_owned),
        fate,
        rule,
    }
}
