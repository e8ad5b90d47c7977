//! Which device takes what, and why not: the schema's `supportedOS` blocks applied to a [`Target`].
//!
//! What holds for a document holds for its keys and their values, field by field, unless they say
//! otherwise. A system that a document does not list does not take it; one that a key does not list
//! takes the key as it takes what holds it.

use std::fmt;

use crate::{
    finding::{Finding, Rule, Severity},
    model::{
        AllowedEnrollment, AllowedScope, Choice, Key, Kind, Mode, Schema, SharedIpad, Support,
    },
    target::{Channel, Enrollment, Platform, Target},
    version::{Bound, OsVersion},
};

/// Whether a target takes something, and what there is to say about it.
///
/// Its text lists the objections: `needs iOS 17.0, needs supervision`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Availability(Vec<Objection>);

impl Availability {
    /// Whether the target takes it. What is deprecated or ignored is taken.
    pub fn is_available(&self) -> bool {
        self.0.iter().all(|o| o.severity() < Severity::Error)
    }

    /// What there is to say; empty where it is available without restriction.
    pub fn objections(&self) -> &[Objection] {
        &self.0
    }

    /// The same as findings about what stands at `path`.
    pub fn findings(&self, path: &str) -> Vec<Finding> {
        let finding =
            |o: &Objection| Finding::new(path, o.rule(), o.severity(), Objection::to_string(o));
        self.0.iter().map(finding).collect()
    }
}

impl fmt::Display for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, objection) in self.0.iter().enumerate() {
            let separator = if index > 0 { ", " } else { "" };
            write!(f, "{separator}{objection}")?;
        }
        if self.0.is_empty() {
            f.write_str("available")?;
        }
        Ok(())
    }
}

/// Why a target does not take something, or what happens to it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Objection {
    /// No version of the system knows it.
    NotOn(Platform),
    /// Only a later version knows it.
    NeedsVersion(Platform, OsVersion),
    /// The version no longer knows it.
    Removed(Platform, OsVersion),
    /// The version advises against it.
    Deprecated(Platform, OsVersion),
    /// The device has to be supervised.
    NeedsSupervision,
    /// It does not come through this channel.
    NotThrough(Channel),
    /// It is not for devices that are enrolled in this way.
    NotEnrolledBy(Enrollment),
    /// It is only for devices that are enrolled in this way.
    OnlyEnrolledBy(Enrollment),
    /// The device has to be enrolled automatically.
    NeedsAutomatedEnrollment,
    /// The user has to have approved the enrolment.
    NeedsUserApproval,
    /// It is not for a Shared iPad.
    NotOnSharedIpad,
    /// It is only for a Shared iPad.
    OnlyOnSharedIpad,
    /// It has no effect on a Shared iPad.
    IgnoredOnSharedIpad,
    /// It has no effect in user enrolment.
    IgnoredInUserEnrollment,
}

impl Objection {
    /// The rule that a document breaks which holds it nevertheless.
    pub const fn rule(self) -> Rule {
        match self {
            Self::NotOn(_)
            | Self::NeedsVersion(..)
            | Self::NotOnSharedIpad
            | Self::OnlyOnSharedIpad
            | Self::IgnoredOnSharedIpad => Rule::NotAvailable,
            Self::Removed(..) => Rule::Removed,
            Self::Deprecated(..) => Rule::Deprecated,
            Self::NeedsSupervision => Rule::Supervision,
            Self::NotThrough(_) => Rule::Channel,
            Self::NotEnrolledBy(_)
            | Self::OnlyEnrolledBy(_)
            | Self::NeedsAutomatedEnrollment
            | Self::NeedsUserApproval
            | Self::IgnoredInUserEnrollment => Rule::Enrollment,
        }
    }

    /// How bad that is.
    pub const fn severity(self) -> Severity {
        match self {
            Self::Deprecated(..) => Severity::Warning,
            Self::IgnoredOnSharedIpad | Self::IgnoredInUserEnrollment => Severity::Info,
            _ => Severity::Error,
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotOn(platform) => return write!(f, "not available on {platform}"),
            Self::NeedsVersion(platform, version) => {
                return write!(f, "needs {platform} {version}");
            }
            Self::Removed(platform, version) if version.major() == 0 => {
                return write!(f, "removed in every {platform}");
            }
            Self::Removed(platform, version) => {
                return write!(f, "removed in {platform} {version}");
            }
            Self::Deprecated(platform, version) => {
                return write!(f, "deprecated since {platform} {version}");
            }
            Self::NeedsSupervision => "needs supervision",
            Self::NotThrough(Channel::Device) => "not through the device channel",
            Self::NotThrough(Channel::User) => "not through the user channel",
            Self::NotEnrolledBy(Enrollment::Device) => "not in device enrolment",
            Self::NotEnrolledBy(Enrollment::User) => "not in user enrolment",
            Self::NotEnrolledBy(Enrollment::Local) => "not installed by hand",
            Self::OnlyEnrolledBy(Enrollment::Device) => "only in device enrolment",
            Self::OnlyEnrolledBy(Enrollment::User) => "only in user enrolment",
            Self::OnlyEnrolledBy(Enrollment::Local) => "only installed by hand",
            Self::NeedsAutomatedEnrollment => "needs Automated Device Enrollment",
            Self::NeedsUserApproval => "needs an enrolment that the user approved",
            Self::NotOnSharedIpad => "not on a Shared iPad",
            Self::OnlyOnSharedIpad => "only on a Shared iPad",
            Self::IgnoredOnSharedIpad => "has no effect on a Shared iPad",
            Self::IgnoredInUserEnrollment => "has no effect in user enrolment",
        })
    }
}

impl Schema {
    /// On what terms a system takes the document: never, where the document lists other systems
    /// only. A document that lists none says nothing.
    pub fn support_on(&self, platform: Platform) -> Support {
        match on(self.support, platform) {
            Some(support) => *support,
            None if self.support.is_empty() => Support::on(platform),
            None => Support::never(platform),
        }
    }

    /// Whether a target takes the document, and why not.
    pub fn availability(&self, target: &Target) -> Availability {
        let mut availability = self.support_on(target.platform).availability(target);
        // The schema need not say that these come from a server, or go to one.
        let from_server = matches!(
            self.kind,
            Kind::CheckIn | Kind::CheckInResponse | Kind::Command | Kind::Response
        );
        let by_hand = Objection::NotEnrolledBy(Enrollment::Local);
        if from_server && target.enrollment == Enrollment::Local && availability.is_available() {
            availability.0.push(by_hand);
        }
        availability
    }
}

impl Key {
    /// On what terms a system takes the key, given on what terms it takes what holds it.
    pub fn support_under(&self, outer: Support) -> Support {
        under(self.support, outer)
    }

    /// What the key itself adds to what there is to say about what holds it.
    pub fn availability(&self, outer: Support, target: &Target) -> Availability {
        added(self.support, outer, target)
    }
}

impl Choice {
    /// On what terms a system takes the value, given on what terms it takes its key.
    pub fn support_under(&self, outer: Support) -> Support {
        under(self.support, outer)
    }

    /// What the value itself adds to what there is to say about its key.
    pub fn availability(&self, outer: Support, target: &Target) -> Availability {
        added(self.support, outer, target)
    }
}

pub(crate) fn on(list: &'static [Support], platform: Platform) -> Option<&'static Support> {
    list.iter().find(|support| support.platform == platform)
}

pub(crate) fn under(list: &'static [Support], outer: Support) -> Support {
    on(list, outer.platform).map_or(outer, |own| own.under(outer))
}

pub(crate) fn added(list: &'static [Support], outer: Support, target: &Target) -> Availability {
    match on(list, target.platform) {
        Some(own) => Availability(objections(&own.under(outer), own, target)),
        None => Availability(Vec::new()),
    }
}

impl Support {
    /// These terms where they are set, and those of `outer` where they are not.
    ///
    /// Nothing comes before what holds it, or outlives it.
    #[must_use]
    pub fn under(self, outer: Self) -> Self {
        let removed = [self.removed, outer.removed];
        Self {
            platform: self.platform,
            introduced: self.introduced.max(outer.introduced),
            deprecated: self.deprecated.or(outer.deprecated),
            removed: removed.into_iter().flatten().min(),
            access_rights: self.access_rights.or(outer.access_rights),
            multiple: self.multiple.or(outer.multiple),
            device_channel: self.device_channel.or(outer.device_channel),
            user_channel: self.user_channel.or(outer.user_channel),
            supervised: self.supervised.or(outer.supervised),
            requires_dep: self.requires_dep.or(outer.requires_dep),
            user_approved: self.user_approved.or(outer.user_approved),
            manual_install: self.manual_install.or(outer.manual_install),
            enrollments: self.enrollments.or(outer.enrollments),
            scopes: self.scopes.or(outer.scopes),
            shared_ipad: match (self.shared_ipad, outer.shared_ipad) {
                (Some(own), Some(outer)) => Some(SharedIpad {
                    mode: own.mode.or(outer.mode),
                    device_channel: own.device_channel.or(outer.device_channel),
                    user_channel: own.user_channel.or(outer.user_channel),
                    scopes: own.scopes.or(outer.scopes),
                }),
                (own, outer) => own.or(outer),
            },
            user_enrollment: self.user_enrollment.or(outer.user_enrollment),
            always_skippable: self.always_skippable.or(outer.always_skippable),
            beta: self.beta.or(outer.beta),
        }
    }

    /// Whether a target takes what is on these terms. One of another system does not.
    pub fn availability(&self, target: &Target) -> Availability {
        Availability(if self.platform == target.platform {
            objections(self, self, target)
        } else {
            vec![Objection::NotOn(target.platform)]
        })
    }

    /// The access right that the enrolment needs, if any: `AllowDeviceErase`.
    pub fn access_right(&self) -> Option<&'static str> {
        self.access_rights
            .filter(|right| !matches!(*right, "None" | "n/a"))
    }
}

/// What there is to say on the terms `all`, as far as `own` sets them.
fn objections(all: &Support, own: &Support, target: &Target) -> Vec<Objection> {
    let Target {
        platform, version, ..
    } = *target;
    // What the version does not know is not looked at further.
    match own.introduced.and(all.introduced) {
        Some(Bound::Never) => return vec![Objection::NotOn(platform)],
        Some(bound @ Bound::From(needed)) if !bound.is_reached_by(version) => {
            return vec![Objection::NeedsVersion(platform, needed)];
        }
        _ => {}
    }
    if let Some(since) = reached(own.removed, version) {
        return vec![Objection::Removed(platform, since)];
    }
    let deprecated =
        reached(own.deprecated, version).map(|since| Objection::Deprecated(platform, since));
    let supervision = own.supervised == Some(true) && !target.supervised;
    let automated = own.requires_dep == Some(true) && !target.automated;
    let approval = own.user_approved == Some(true) && !target.user_approved && !target.automated;
    let found = [
        deprecated,
        supervision.then_some(Objection::NeedsSupervision),
        own.enrollments.and_then(|list| enrollment(list, target)),
        own.user_enrollment
            .and_then(|mode| user_enrollment(mode, target)),
        (own.manual_install == Some(false) && target.enrollment == Enrollment::Local)
            .then_some(Objection::NotEnrolledBy(Enrollment::Local)),
        automated.then_some(Objection::NeedsAutomatedEnrollment),
        approval.then_some(Objection::NeedsUserApproval),
        own.shared_ipad
            .and_then(|shared| shared.mode)
            .and_then(|mode| shared_ipad(mode, target)),
        channel(all, own, target),
        scope(all, own, target),
    ];
    let mut objections = Vec::new();
    for objection in found.into_iter().flatten() {
        // Two fields may say the same: `supervised` and `allowed-enrollments`.
        if !objections.contains(&objection) {
            objections.push(objection);
        }
    }
    objections
}

fn reached(bound: Option<Bound>, version: OsVersion) -> Option<OsVersion> {
    match bound.filter(|bound| bound.is_reached_by(version))? {
        Bound::From(since) => Some(since),
        _ => Some(OsVersion::new(0, 0, 0)),
    }
}

fn enrollment(allowed: &[AllowedEnrollment], target: &Target) -> Option<Objection> {
    let fits = |allowed: &AllowedEnrollment| match allowed {
        AllowedEnrollment::Supervised => target.supervised,
        AllowedEnrollment::Device => target.enrollment == Enrollment::Device,
        AllowedEnrollment::User => target.enrollment == Enrollment::User,
        AllowedEnrollment::Local => target.enrollment == Enrollment::Local,
    };
    if allowed.iter().any(fits) {
        return None;
    }
    // Supervision is what a device in device enrolment can be given.
    let by_supervision = allowed == [AllowedEnrollment::Supervised]
        || target.enrollment == Enrollment::Device
            && allowed.contains(&AllowedEnrollment::Supervised);
    Some(if by_supervision {
        Objection::NeedsSupervision
    } else {
        Objection::NotEnrolledBy(target.enrollment)
    })
}

fn user_enrollment(mode: Mode, target: &Target) -> Option<Objection> {
    match (mode, target.enrollment == Enrollment::User) {
        (Mode::Forbidden, true) => Some(Objection::NotEnrolledBy(Enrollment::User)),
        (Mode::Required, false) => Some(Objection::OnlyEnrolledBy(Enrollment::User)),
        (Mode::Ignored, true) => Some(Objection::IgnoredInUserEnrollment),
        _ => None,
    }
}

fn shared_ipad(mode: Mode, target: &Target) -> Option<Objection> {
    match (mode, target.shared_ipad) {
        (Mode::Forbidden, true) => Some(Objection::NotOnSharedIpad),
        (Mode::Required, false) => Some(Objection::OnlyOnSharedIpad),
        (Mode::Ignored, true) => Some(Objection::IgnoredOnSharedIpad),
        _ => None,
    }
}

/// `devicechannel` and `userchannel`: on a Shared iPad its own where they are set.
fn channel(all: &Support, own: &Support, target: &Target) -> Option<Objection> {
    let read = |support: &Support| {
        let shared = support.shared_ipad.filter(|_| target.shared_ipad);
        let (shared, plain) = match target.channel {
            Channel::Device => (
                shared.and_then(|s| s.device_channel),
                support.device_channel,
            ),
            Channel::User => (shared.and_then(|s| s.user_channel), support.user_channel),
        };
        shared.or(plain)
    };
    let open = read(own).and_then(|_| read(all));
    (open == Some(false)).then_some(Objection::NotThrough(target.channel))
}

/// `allowed-scopes`: on a Shared iPad its own where they are set; none at all means not there.
fn scope(all: &Support, own: &Support, target: &Target) -> Option<Objection> {
    let read = |support: &Support| {
        let shared = support.shared_ipad.filter(|_| target.shared_ipad);
        shared.and_then(|s| s.scopes).or(support.scopes)
    };
    let allowed = read(own).and_then(|_| read(all))?;
    let local = target.enrollment == Enrollment::Local && allowed.contains(&AllowedScope::Local);
    let scope = match target.channel {
        Channel::Device => AllowedScope::System,
        Channel::User => AllowedScope::User,
    };
    if local || allowed.contains(&scope) {
        None
    } else if allowed.is_empty() && target.shared_ipad {
        Some(Objection::NotOnSharedIpad)
    } else {
        Some(Objection::NotThrough(target.channel))
    }
}

#[cfg(test)]
mod tests;
