//! `SetBootstrapToken` and `GetBootstrapToken`: the Mac's token in escrow.
//!
//! Both come from any platform: the schema and Apple's pages disagree about iOS.

use mdm_core::{Secret, Udid};
use serde::{Deserialize, Serialize};

use crate::{id::has_ids, lenient, secret};

/// The device hands its bootstrap token over for safe keeping.
///
/// Apple: "SetBootstrapToken".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct SetBootstrapToken {
    /// `BootstrapToken`; empty or absent when the device takes a former token back.
    #[serde(
        default,
        with = "secret::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub bootstrap_token: Option<Secret<Vec<u8>>>,
    /// `UDID`.
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
    /// `AwaitingConfiguration`: the device is still in Setup Assistant.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub awaiting_configuration: Option<bool>,
}

impl SetBootstrapToken {
    /// A token from this device.
    pub fn new(udid: Udid, bootstrap_token: Secret<Vec<u8>>) -> Self {
        Self {
            bootstrap_token: Some(bootstrap_token),
            udid: Some(udid),
            ..Self::default()
        }
    }
}

/// The device asks for the bootstrap token it once handed over.
///
/// Where none is stored the answer is 200 without a token, not an error (Q11). Apple:
/// "GetBootstrapToken".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct GetBootstrapToken {
    /// `UDID`.
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
    /// `AwaitingConfiguration`: the device is still in Setup Assistant.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub awaiting_configuration: Option<bool>,
}

impl GetBootstrapToken {
    /// A question of this device.
    pub fn new(udid: Udid) -> Self {
        Self {
            udid: Some(udid),
            ..Self::default()
        }
    }
}

has_ids! {
    SetBootstrapToken { udid, enrollment_id }
    GetBootstrapToken { udid, enrollment_id }
}

/// The answer to [`GetBootstrapToken`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct GetBootstrapTokenResponse {
    /// `BootstrapToken`; absent where none is stored (Q11).
    #[serde(
        default,
        with = "secret::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub bootstrap_token: Option<Secret<Vec<u8>>>,
}

impl GetBootstrapTokenResponse {
    /// The stored token, if there is one.
    pub fn new(bootstrap_token: Option<Secret<Vec<u8>>>) -> Self {
        Self { bootstrap_token }
    }
}
