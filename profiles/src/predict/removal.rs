//! How a profile leaves the device again: by whose hand, and when by itself.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use mdm_plist::Value;
use mdm_schema::{OsVersion, Platform};
use serde::{Serialize, Serializer};

use super::{Delivery, Installer};
use crate::profile::Profile;

/// Since this macOS nobody but the server removes what it installed.
const MACOS_SERVER_ONLY: OsVersion = OsVersion::new(10, 15, 0);

/// How a profile leaves the device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Removal {
    /// What its user may do about it.
    pub by_user: ByUser,
    /// When the device removes it by itself: the earlier of `RemovalDate` and the end of
    /// `DurationUntilRemoval`, which needs [`Delivery::at`]. `PayloadExpirationDate` removes nothing.
    #[serde(serialize_with = "as_text")]
    pub at: Option<DateTime<Utc>>,
}

/// What a user may do about a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ByUser {
    /// Remove it.
    Free,
    /// Remove it with the password from `com.apple.profileRemovalPassword`.
    Password,
    /// Remove it as an administrator: on a Mac, where it was installed by hand.
    Administrator,
    /// Nothing.
    Never,
}

impl Removal {
    pub(super) fn of(profile: &Profile, delivery: &Delivery) -> Self {
        Self {
            by_user: by_user(profile, delivery),
            at: at(profile, delivery.at),
        }
    }
}

fn by_user(profile: &Profile, delivery: &Delivery) -> ByUser {
    let password = profile
        .payload("com.apple.profileRemovalPassword")
        .is_some();
    let target = delivery.target.as_ref();
    let mac = target.filter(|target| target.platform == Platform::MacOs);
    match mac {
        Some(mac) if delivery.by == Installer::Mdm && mac.version >= MACOS_SERVER_ONLY => {
            ByUser::Never
        }
        _ if password => ByUser::Password,
        _ if !profile.removal_disallowed() => ByUser::Free,
        Some(_) if delivery.by == Installer::Manual => ByUser::Administrator,
        Some(_) => ByUser::Never,
        // Elsewhere the key counts on supervised devices only.
        None if target.is_some_and(|target| !target.supervised) => ByUser::Free,
        None => ByUser::Never,
    }
}

fn at(profile: &Profile, installed: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    let seconds = match profile.keys().get("DurationUntilRemoval") {
        Some(Value::Real(seconds)) => Some(*seconds),
        Some(value) => value.as_signed_integer().map(|seconds| seconds as f64),
        None => None,
    };
    let after = seconds
        .filter(|seconds| *seconds >= 0.0)
        .and_then(|seconds| {
            TimeDelta::from_std(std::time::Duration::try_from_secs_f64(seconds).ok()?).ok()
        })
        .and_then(|duration| installed?.checked_add_signed(duration));
    [profile.removal_date(), after].into_iter().flatten().min()
}

#[allow(clippy::ref_option)] // So does serde call it.
fn as_text<S: Serializer>(at: &Option<DateTime<Utc>>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    at.map(text).serialize(serializer)
}
