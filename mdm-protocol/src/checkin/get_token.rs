//! `GetToken`: the device asks the server for a token of some service.

use std::fmt;

use mdm_core::{Secret, Udid, open_enum};
use mdm_plist::Dictionary;
use serde::{Deserialize, Serialize};

use crate::{
    id::{HasIds, has_ids},
    lenient, secret,
};

open_enum! {
    /// Whose token is asked for (Q13: an unknown one is answered 400).
    pub enum TokenServiceType {
        /// Managed Apple Account, for the account of an automated enrolment.
        Maid = "com.apple.maid",
        /// The pairing of an Apple Watch.
        WatchPairing = "com.apple.watch.pairing",
    }
}

/// A request for a token; sent where the enrolment profile lists `com.apple.mdm.token` among the
/// server's capabilities.
///
/// Apple: "GetToken".
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct GetToken {
    /// `TokenServiceType`.
    pub token_service_type: TokenServiceType,
    /// `TokenParameters`: what the service needs; for the watch a security token and the UDIDs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_parameters: Option<Dictionary>,
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
    /// `NotOnConsole`: the user is logged in but not at the screen.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub not_on_console: Option<bool>,
}

impl GetToken {
    /// A request for a token of this service; set the identity.
    pub fn new(token_service_type: TokenServiceType) -> Self {
        Self {
            token_service_type,
            token_parameters: None,
            udid: None,
            user_id: None,
            user_short_name: None,
            user_long_name: None,
            enrollment_id: None,
            enrollment_user_id: None,
            not_on_console: None,
        }
    }

    /// Sets optional keys.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

impl fmt::Debug for GetToken {
    /// Shows the names of the parameters only: one is a security token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters = self.token_parameters.as_ref();
        f.debug_struct("GetToken")
            .field("token_service_type", &self.token_service_type)
            .field(
                "token_parameters",
                &parameters.map(|p| p.keys().collect::<Vec<_>>()),
            )
            .field("ids", &self.ids())
            .finish_non_exhaustive()
    }
}

has_ids! {
    GetToken { udid, user_id, user_short_name, enrollment_id, enrollment_user_id }
}

/// The answer to [`GetToken`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct GetTokenResponse {
    /// `TokenData`: for `com.apple.maid` a JWT that the server's key signed.
    #[serde(with = "secret::required")]
    pub token_data: Secret<Vec<u8>>,
}

impl GetTokenResponse {
    /// A token.
    pub fn new(token_data: Secret<Vec<u8>>) -> Self {
        Self { token_data }
    }
}
