//! `UserAuthenticate`: a user of a Mac logs in.

use mdm_core::{Secret, Udid};
use serde::{Deserialize, Serialize};

use crate::{id::has_ids, lenient};

/// A user of a Mac logs in and asks to be managed.
///
/// Answered with 410 to leave the user unmanaged this time, or with a
/// [`UserAuthenticateResponse`]; an empty challenge asks for none, and the second message, with the
/// response, is answered with an empty 200 (Q15). Apple: "UserAuthenticate".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserAuthenticate {
    /// `UDID` of the Mac.
    #[serde(
        rename = "UDID",
        default,
        deserialize_with = "lenient::id",
        skip_serializing_if = "Option::is_none"
    )]
    pub udid: Option<Udid>,
    /// `UserID` of the user.
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
    /// `DigestResponse`: the answer to the challenge; absent in the first message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest_response: Option<Secret<String>>,
}

impl UserAuthenticate {
    /// The first message of a user's login.
    pub fn new(udid: Udid, user_id: impl Into<String>) -> Self {
        Self {
            udid: Some(udid),
            user_id: Some(user_id.into()),
            user_short_name: None,
            user_long_name: None,
            digest_response: None,
        }
    }

    /// Sets optional keys.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

has_ids! { UserAuthenticate { udid, user_id, user_short_name } }

/// The server's answer: a challenge first, a token once the digest was right.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct UserAuthenticateResponse {
    /// `DigestChallenge`: for HTTP digest; empty asks for no digest (Q15).
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub digest_challenge: Option<String>,
    /// `AuthToken`: what the user's later messages shall carry; an empty one, as an empty body, asks
    /// for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_token: Option<Secret<String>>,
}

impl UserAuthenticateResponse {
    /// A challenge.
    pub fn new(digest_challenge: impl Into<String>) -> Self {
        Self {
            digest_challenge: Some(digest_challenge.into()),
            auth_token: None,
        }
    }
}

impl Default for UserAuthenticateResponse {
    /// The empty challenge.
    fn default() -> Self {
        Self::new("")
    }
}
