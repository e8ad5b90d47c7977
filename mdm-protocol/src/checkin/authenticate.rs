//! `Authenticate`: the first message of an enrolment.

use mdm_core::{Secret, SerialNumber, Topic, Udid};
use serde::{Deserialize, Serialize};

use crate::{id::has_ids, lenient, secret};

/// A device asks to be enrolled.
///
/// Macs of old (OS X 10.11) send one on the channel of each user too, before the user's `TokenUpdate`; it enrols nobody.
///
/// Answered with 200 to go on. What makes a re-enrolment or a renewal of the identity differ from
/// a new device shows only in the `TokenUpdate` that follows. Apple: "Authenticate".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Authenticate {
    /// `Topic`: the push topic that the enrolment profile named.
    pub topic: Topic,
    /// `UDID`; absent in User Enrolment.
    #[serde(
        rename = "UDID",
        default,
        deserialize_with = "lenient::id",
        skip_serializing_if = "Option::is_none"
    )]
    pub udid: Option<Udid>,
    /// `EnrollmentID`; User Enrolment only.
    #[serde(
        rename = "EnrollmentID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub enrollment_id: Option<String>,
    /// `UserID`: on a user channel.
    #[serde(rename = "UserID", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `UserShortName`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_short_name: Option<String>,
    /// `UserLongName`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub user_long_name: Option<String>,
    /// `EnrollmentUserID`; the user channel of User Enrolment only.
    #[serde(
        rename = "EnrollmentUserID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub enrollment_user_id: Option<String>,
    /// `NotOnConsole`: the user is logged in but not at the screen.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub not_on_console: Option<bool>,
    /// `DeviceName`: the name that the device's user gave it.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub device_name: Option<String>,
    /// `Model`: such as `MacBookPro18,3`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub model: Option<String>,
    /// `ModelName`: such as `MacBook Pro`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub model_name: Option<String>,
    /// `ProductName`: such as `iPhone14,2`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub product_name: Option<String>,
    /// `OSVersion`.
    #[serde(
        rename = "OSVersion",
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    /// `BuildVersion`: such as `20B101`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub build_version: Option<String>,
    /// `SerialNumber`; absent in User Enrolment.
    #[serde(
        default,
        deserialize_with = "lenient::id",
        skip_serializing_if = "Option::is_none"
    )]
    pub serial_number: Option<SerialNumber>,
    /// `IMEI`.
    #[serde(
        rename = "IMEI",
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub imei: Option<String>,
    /// `MEID`.
    #[serde(
        rename = "MEID",
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub meid: Option<String>,
    /// `Challenge`: seen from Macs, documented nowhere.
    #[serde(
        default,
        with = "secret::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub challenge: Option<Secret<Vec<u8>>>,
}

impl Authenticate {
    /// A message without an identity yet: set `udid`, or `enrollment_id` in User Enrolment.
    pub fn new(topic: Topic) -> Self {
        Self {
            topic,
            udid: None,
            enrollment_id: None,
            user_id: None,
            user_short_name: None,
            user_long_name: None,
            enrollment_user_id: None,
            not_on_console: None,
            device_name: None,
            model: None,
            model_name: None,
            product_name: None,
            os_version: None,
            build_version: None,
            serial_number: None,
            imei: None,
            meid: None,
            challenge: None,
        }
    }

    /// Sets optional keys.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

has_ids! {
    Authenticate { udid, user_id, user_short_name, enrollment_id, enrollment_user_id }
}
