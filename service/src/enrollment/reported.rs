//! What a device last said of itself: enough to tell which commands it takes.

use chrono::{DateTime, Utc};
use mdm_protocol::{EnrollmentId, checkin::Authenticate, id::Channel};
use mdm_schema::{Enrollment, Platform, Target};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// What a device last said of itself, from its `Authenticate` and its `DeviceInformation`.
///
/// Each field is the last one told; a message that leaves one out says nothing of it. As JSON, which
/// stores keep, a field that was never told is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub struct Reported {
    /// The system.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        serialize_with = "write_platform",
        deserialize_with = "read_platform"
    )]
    pub platform: Option<Platform>,
    /// `OSVersion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// `BuildVersion`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_version: Option<String>,
    /// `Model`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// `ProductName`, such as `iPhone14,2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// `DeviceName`: what its user calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// `IsSupervised`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_supervised: Option<bool>,
    /// When it said any of this last; what says nothing new moves it only [after a
    /// while](crate::queue::Report::seen_every).
    #[serde(serialize_with = "write_time", deserialize_with = "read_time")]
    pub at: DateTime<Utc>,
}

impl Reported {
    /// Nothing yet.
    pub fn new(at: DateTime<Utc>) -> Self {
        Self {
            platform: None,
            os_version: None,
            build_version: None,
            model: None,
            product_name: None,
            device_name: None,
            is_supervised: None,
            at,
        }
    }

    /// The system that one of these names of a product tells.
    pub(crate) fn of_product<'a>(
        names: impl IntoIterator<Item = &'a str>,
        at: DateTime<Utc>,
    ) -> Self {
        Self::new(at).with(|reported| {
            reported.platform = names.into_iter().find_map(platform);
        })
    }

    /// What an `Authenticate` tells.
    pub fn of_authenticate(message: &Authenticate, at: DateTime<Utc>) -> Self {
        let names = [&message.product_name, &message.model, &message.model_name];
        let names = names.into_iter().flatten().map(String::as_str);
        Self::of_product(names, at).with(|reported| {
            reported.os_version.clone_from(&message.os_version);
            reported.build_version.clone_from(&message.build_version);
            reported.model.clone_from(&message.model);
            reported.product_name.clone_from(&message.product_name);
            reported.device_name.clone_from(&message.device_name);
        })
    }

    /// What is told after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// What is known once `newer` is told too.
    #[must_use]
    pub fn merged(self, newer: Self) -> Self {
        Self {
            platform: newer.platform.or(self.platform),
            os_version: newer.os_version.or(self.os_version),
            build_version: newer.build_version.or(self.build_version),
            model: newer.model.or(self.model),
            product_name: newer.product_name.or(self.product_name),
            device_name: newer.device_name.or(self.device_name),
            is_supervised: newer.is_supervised.or(self.is_supervised),
            at: newer.at,
        }
    }

    /// What a command for `id` is checked against, a user's against what the device said. `None` where
    /// system or version is not known.
    pub fn target(&self, id: &EnrollmentId) -> Option<Target> {
        let version = self.os_version.as_deref()?.parse().ok()?;
        let channel = id.channel();
        Some(Target::new(self.platform?, version).with(|target| {
            target.supervised = self.is_supervised.unwrap_or(false);
            target.shared_ipad = channel == Channel::SharedIpadUser;
            if channel.is_user() {
                target.channel = mdm_schema::Channel::User;
            }
            if matches!(
                channel,
                Channel::UserEnrollmentDevice | Channel::UserEnrollmentUser
            ) {
                target.enrollment = Enrollment::User;
            }
        }))
    }
}

/// The system by the name of a product, such as `iPhone14,2` or `MacBook Pro`.
fn platform(product: &str) -> Option<Platform> {
    const FAMILIES: [(&str, Platform); 13] = [
        ("iPhone", Platform::Ios),
        ("iPad", Platform::Ios),
        ("iPod", Platform::Ios),
        ("Mac", Platform::MacOs),
        ("iMac", Platform::MacOs),
        ("VirtualMac", Platform::MacOs),
        ("Xserve", Platform::MacOs),
        // The first Macs with Apple silicon that developers were lent.
        ("ADP", Platform::MacOs),
        // No other system of Apple's runs in these.
        ("VMware", Platform::MacOs),
        ("Parallels", Platform::MacOs),
        ("AppleTV", Platform::TvOs),
        ("RealityDevice", Platform::VisionOs),
        ("Watch", Platform::WatchOs),
    ];
    let product = product.replace(' ', "");
    FAMILIES
        .iter()
        .find(|(family, _)| product.starts_with(family))
        .map(|(_, platform)| *platform)
}

fn write_platform<S: Serializer>(
    platform: &Option<Platform>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    platform.map(Platform::as_str).serialize(serializer)
}

/// A system that this version does not know counts as not told.
fn read_platform<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Platform>, D::Error> {
    let name = Option::<String>::deserialize(deserializer)?;
    Ok(name.and_then(|name| name.parse().ok()))
}

/// Microseconds since 1970: the time as stores keep it.
fn write_time<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_i64(time.timestamp_micros())
}

fn read_time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
    DateTime::from_timestamp_micros(i64::deserialize(deserializer)?)
        .ok_or_else(|| serde::de::Error::custom("a time out of range"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    #[test]
    fn the_system_is_known_by_the_product() {
        for (product, system) in [
            ("iPhone14,2", Some(Platform::Ios)),
            ("iPad13,4", Some(Platform::Ios)),
            ("Mac14,2", Some(Platform::MacOs)),
            ("MacBook Pro", Some(Platform::MacOs)),
            ("Macmini9,1", Some(Platform::MacOs)),
            ("iMac21,1", Some(Platform::MacOs)),
            ("VirtualMac2,1", Some(Platform::MacOs)),
            ("VMware7,1", Some(Platform::MacOs)),
            ("VMware Virtual Platform", Some(Platform::MacOs)),
            ("Parallels16,1", Some(Platform::MacOs)),
            ("Parallels ARM Virtual Machine", Some(Platform::MacOs)),
            ("ADP3,2", Some(Platform::MacOs)),
            ("Xserve3,1", Some(Platform::MacOs)),
            ("Apple TV", Some(Platform::TvOs)),
            ("AppleTV11,1", Some(Platform::TvOs)),
            ("RealityDevice14,1", Some(Platform::VisionOs)),
            ("Watch6,1", Some(Platform::WatchOs)),
            ("MNXX2LL/A", None),
        ] {
            assert_eq!(platform(product), system, "{product}");
        }
    }

    #[test]
    fn what_a_later_message_leaves_out_stays_known() {
        let first = Reported::new(NOW).with(|told| {
            told.platform = Some(Platform::MacOs);
            told.os_version = Some("15.1".to_owned());
        });
        let later = Reported::new(NOW + chrono::TimeDelta::hours(1)).with(|told| {
            told.os_version = Some("15.2".to_owned());
            told.is_supervised = Some(true);
        });
        let merged = first.merged(later.clone());
        assert_eq!(merged.platform, Some(Platform::MacOs));
        assert_eq!(merged.os_version.as_deref(), Some("15.2"));
        assert_eq!(merged.at, later.at);
    }

    #[test]
    fn what_is_reported_makes_a_target_for_the_device_and_its_users() {
        let told = Reported::new(NOW).with(|told| {
            told.platform = Some(Platform::Ios);
            told.os_version = Some("18.2".to_owned());
            told.is_supervised = Some(true);
        });
        let target = |id: &str| told.target(&id.parse().unwrap()).unwrap().to_string();
        assert_eq!(target("device:D1"), "iOS:18.2,supervised");
        assert_eq!(
            target("shared-ipad-user:D1:anna"),
            "iOS:18.2,supervised,user-channel,shared-ipad"
        );
        assert_eq!(
            target("enrollment:E1"),
            "iOS:18.2,supervised,user-enrollment"
        );
        assert_eq!(
            Reported::new(NOW).target(&"device:D1".parse().unwrap()),
            None
        );
    }

    #[test]
    fn json_holds_what_was_told_and_nothing_else() {
        let told = Reported::new(NOW).with(|told| told.platform = Some(Platform::TvOs));
        let json = serde_json::to_string(&told).unwrap();
        assert_eq!(json, r#"{"platform":"tvOS","at":0}"#);
        assert_eq!(serde_json::from_str::<Reported>(&json).unwrap(), told);
        let newer = serde_json::from_str::<Reported>(r#"{"platform":"carOS","at":0,"x":1}"#);
        assert_eq!(newer.unwrap(), Reported::new(NOW));
    }
}
