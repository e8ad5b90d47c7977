//! `com.apple.mdm`: puts the device under a server's management.

use mdm_core::Topic;
use serde::{Deserialize, Serialize};

use super::Payload;
use crate::mdm::{AccessRights, EnrollmentMode, ServerCapability};

/// The payload as it stands in a profile.
///
/// To write one, describe it with `enrollment::MdmSettings`: the references to other payloads are then
/// made from the payloads themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct Mdm {
    /// `IdentityCertificateUUID`: the payload that brings the device's identity.
    #[serde(rename = "IdentityCertificateUUID")]
    pub identity_certificate_uuid: String,
    /// `Topic`: what pushes are addressed to; never changes in an update.
    pub topic: Topic,
    /// `ServerURL`: where the device polls; never changes in an update, query included.
    #[serde(rename = "ServerURL")]
    pub server_url: String,
    /// `CheckInURL`: where it checks in; `ServerURL` where absent.
    #[serde(
        rename = "CheckInURL",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub check_in_url: Option<String>,
    /// `SignMessage`: every message carries `Mdm-Signature`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_message: Option<bool>,
    /// `AccessRights`; ignored in User Enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_rights: Option<AccessRights>,
    /// `UseDevelopmentAPNS`.
    #[serde(
        rename = "UseDevelopmentAPNS",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub use_development_apns: Option<bool>,
    /// `ManagedAppleID`: older form of `AssignedManagedAppleID`.
    #[serde(
        rename = "ManagedAppleID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub managed_apple_id: Option<String>,
    /// `AssignedManagedAppleID`: the account of an account-driven enrolment.
    #[serde(
        rename = "AssignedManagedAppleID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub assigned_managed_apple_id: Option<String>,
    /// `EnrollmentMode`: of an account-driven enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrollment_mode: Option<EnrollmentMode>,
    /// `ServerURLPinningCertificateUUIDs`: payloads whose certificates the server must chain to.
    #[serde(
        rename = "ServerURLPinningCertificateUUIDs",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub server_url_pinning_certificate_uuids: Vec<String>,
    /// `CheckInURLPinningCertificateUUIDs`: the same for `CheckInURL`.
    #[serde(
        rename = "CheckInURLPinningCertificateUUIDs",
        default,
        skip_serializing_if = "Vec::is_empty"
    )]
    pub check_in_url_pinning_certificate_uuids: Vec<String>,
    /// `PinningRevocationCheckRequired`: a pinned connection needs a positive revocation answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinning_revocation_check_required: Option<bool>,
    /// `ServerCapabilities`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub server_capabilities: Vec<ServerCapability>,
    /// `CheckOutWhenRemoved`: the device says goodbye when the profile is removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_out_when_removed: Option<bool>,
    /// `RequiredAppIDForMDM`: an app of the store that belongs to the enrolment.
    #[serde(
        rename = "RequiredAppIDForMDM",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub required_app_id_for_mdm: Option<u64>,
    /// `PromptUserToAllowBootstrapTokenForAuthentication`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_user_to_allow_bootstrap_token_for_authentication: Option<bool>,
}

impl Payload for Mdm {
    const PAYLOAD_TYPE: &'static str = "com.apple.mdm";
}
