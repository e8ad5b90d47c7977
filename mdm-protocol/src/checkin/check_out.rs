//! `CheckOut`: the enrolment is gone.

use mdm_core::{Topic, Udid};
use serde::{Deserialize, Serialize};

use crate::{id::has_ids, lenient};

/// A device, or one user of it, has removed its enrolment.
///
/// Sent only where the enrolment profile set `CheckOutWhenRemoved`, once, and perhaps never: its
/// absence means nothing. A user's message does not unenrol the device (Q14). Apple: "CheckOut".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct CheckOut {
    /// `Topic`: the push topic.
    pub topic: Topic,
    /// `UDID`; absent in User Enrolment.
    #[serde(
        rename = "UDID",
        default,
        deserialize_with = "lenient::id",
        skip_serializing_if = "Option::is_none"
    )]
    pub udid: Option<Udid>,
    /// `UserID`: on a user channel. Not in Apple's schema, but sent.
    #[serde(rename = "UserID", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `UserShortName`: beside `UserID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_short_name: Option<String>,
    /// `EnrollmentID`; User Enrolment only.
    #[serde(
        rename = "EnrollmentID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub enrollment_id: Option<String>,
    /// `EnrollmentUserID`; the user channel of User Enrolment only.
    #[serde(
        rename = "EnrollmentUserID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub enrollment_user_id: Option<String>,
}

impl CheckOut {
    /// A message without an identity yet: set `udid`, or `enrollment_id` in User Enrolment.
    pub fn new(topic: Topic) -> Self {
        Self {
            topic,
            udid: None,
            user_id: None,
            user_short_name: None,
            enrollment_id: None,
            enrollment_user_id: None,
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
    CheckOut { udid, user_id, user_short_name, enrollment_id, enrollment_user_id }
}
