//! `ReturnToService`: an erased device asks how to come back by itself.

use std::fmt;

use mdm_core::{Secret, Udid};
use mdm_plist::data;
use serde::{Deserialize, Serialize};

use crate::{id::has_ids, lenient, secret};

/// The device is about to erase itself and asks how to return to service.
///
/// Apple: "ReturnToService".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ReturnToService {
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
}

impl ReturnToService {
    /// A question of this device.
    pub fn new(udid: Udid) -> Self {
        Self {
            udid: Some(udid),
            enrollment_id: None,
        }
    }
}

has_ids! { ReturnToService { udid, enrollment_id } }

/// The answer to [`ReturnToService`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ReturnToServiceResponse {
    /// `PreserveDataPlan`: keep the eSIM's plan.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub preserve_data_plan: Option<bool>,
    /// `ReturnToService`.
    pub return_to_service: ReturnToServiceSettings,
}

impl ReturnToServiceResponse {
    /// An answer with these settings.
    pub fn new(return_to_service: ReturnToServiceSettings) -> Self {
        Self {
            preserve_data_plan: None,
            return_to_service,
        }
    }
}

/// How an erased device sets itself up again.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct ReturnToServiceSettings {
    /// `Enabled`: whether it tries to.
    pub enabled: bool,
    /// `WiFiProfileData`: a profile with the network to use.
    #[serde(
        rename = "WiFiProfileData",
        default,
        with = "data::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub wifi_profile_data: Option<Vec<u8>>,
    /// `MDMProfileData`: the enrolment profile.
    #[serde(
        rename = "MDMProfileData",
        default,
        with = "data::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub mdm_profile_data: Option<Vec<u8>>,
    /// `BootstrapToken`.
    #[serde(
        default,
        with = "secret::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub bootstrap_token: Option<Secret<Vec<u8>>>,
    /// `ShouldRetryEnrollment`.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub should_retry_enrollment: Option<bool>,
}

impl fmt::Debug for ReturnToServiceSettings {
    /// Shows the length of the profiles only: they may hold passwords.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReturnToServiceSettings")
            .field("enabled", &self.enabled)
            .field(
                "wifi_profile_bytes",
                &self.wifi_profile_data.as_ref().map(Vec::len),
            )
            .field(
                "mdm_profile_bytes",
                &self.mdm_profile_data.as_ref().map(Vec::len),
            )
            .field("bootstrap_token", &self.bootstrap_token)
            .field("should_retry_enrollment", &self.should_retry_enrollment)
            .finish()
    }
}

impl ReturnToServiceSettings {
    /// Settings that only switch it on or off.
    pub fn new(enabled: bool) -> Self {
        Self {
            enabled,
            ..Self::default()
        }
    }

    /// Sets optional keys.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}
