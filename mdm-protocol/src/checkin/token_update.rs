//! `TokenUpdate`: where to push.

use mdm_core::{PushMagic, PushToken, Secret, Topic, Udid};
use serde::{Deserialize, Serialize};

use crate::{id::has_ids, lenient, secret};

/// The push token of a device or of one of its users; sent after `Authenticate` and whenever it
/// changes.
///
/// A key that is absent says nothing about what was sent before: a missing `unlock_token` must not
/// erase a stored one, a missing `awaiting_configuration` must not reset the state (Q12). Apple:
/// "TokenUpdate".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct TokenUpdate {
    /// `Topic`: the push topic.
    pub topic: Topic,
    /// `Token`: the address at Apple's push service.
    #[serde(with = "secret::push_token")]
    pub token: PushToken,
    /// `PushMagic`: the word that every push must carry.
    pub push_magic: PushMagic,
    /// `UDID`; absent in User Enrolment.
    #[serde(
        rename = "UDID",
        default,
        deserialize_with = "lenient::id",
        skip_serializing_if = "Option::is_none"
    )]
    pub udid: Option<Udid>,
    /// `UserID`: on a user channel.
    #[serde(rename = "UserID", default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// `UserShortName`: the user's account; on a Shared iPad what tells users apart (Q8).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_short_name: Option<String>,
    /// `UserLongName`: the user's full name.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub user_long_name: Option<String>,
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
    /// `UnlockToken`: what `ClearPasscode` needs; iOS device channel, not in every message (Q12).
    #[serde(
        default,
        with = "secret::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub unlock_token: Option<Secret<Vec<u8>>>,
    /// `AwaitingConfiguration`: the device waits in Setup Assistant for `DeviceConfigured`; the one
    /// reliable sign of a device that is really new.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub awaiting_configuration: Option<bool>,
    /// `NotOnConsole`: the user is logged in but not at the screen.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub not_on_console: Option<bool>,
    /// `AuthToken`: what the answer to the user's `UserAuthenticate` gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<Secret<String>>,
    /// `NeedSyncResponse`: a network user waits at the login for the commands that are queued.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub need_sync_response: Option<bool>,
}

impl TokenUpdate {
    /// A message without an identity yet: set `udid`, or `enrollment_id` in User Enrolment.
    pub fn new(topic: Topic, token: PushToken, push_magic: PushMagic) -> Self {
        Self {
            topic,
            token,
            push_magic,
            udid: None,
            user_id: None,
            user_short_name: None,
            user_long_name: None,
            enrollment_id: None,
            enrollment_user_id: None,
            unlock_token: None,
            awaiting_configuration: None,
            not_on_console: None,
            auth_token: None,
            need_sync_response: None,
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
    TokenUpdate { udid, user_id, user_short_name, enrollment_id, enrollment_user_id }
}
