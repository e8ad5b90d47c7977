//! Why a device is not admitted, and what it is told.

use mdm_core::Secret;
use mdm_protocol::{
    ddm::json,
    enroll::{
        MachineInfo, PairingTokenMissing, PlatformSsoRequired, SoftwareUpdateRequired,
        UnrecognizedDevice, pairing_token_missing::PairingTokenMissingDetails,
        platform_sso_required::PlatformSsoRequiredDetails,
        software_update_required::SoftwareUpdateRequiredDetails,
    },
};
use serde_json::json;

/// A refusal, with words for the person at the device and for the log.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Denial {
    /// Why.
    pub reason: DenialReason,
    /// What the person is told: on the page, or by the device if it can (best effort). Without one, the
    /// reason in English.
    pub message: Option<String>,
    /// What the log, the event and the device's own log say. No secret.
    pub description: Option<String>,
}

/// Why a device is not admitted.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum DenialReason {
    /// No place is left in this pool.
    #[non_exhaustive]
    NoLicence {
        /// Which pool.
        pool: String,
    },
    /// The person has as many devices as they may have.
    DeviceLimit,
    /// The device, or the account, is another organisation's.
    WrongOrganization,
    /// Nobody assigned the device to this server.
    NotAssigned,
    /// The invitation is spent, expired, unknown, or another device's.
    Invitation,
    /// The device has to update first. One that can be told to does so by itself and asks again.
    UpdateFirst(SoftwareUpdateRequiredDetails),
    /// The Mac has to set up Platform SSO first. One that can be told to does so by itself.
    PlatformSsoFirst(PlatformSsoRequiredDetails),
    /// The watch has to fetch a pairing token through its phone, with this security token, and asks again.
    PairingTokenMissing(Secret<String>),
    /// Tells the device `com.apple.unrecognized.device`. A device that is enrolled *unenrols* on this, which
    /// is why nothing here does it by itself.
    Unrecognized,
    /// Another reason, by a name of the vendor's.
    Other(String),
}

impl DenialReason {
    /// No place is left.
    pub fn no_licence(pool: impl Into<String>) -> Self {
        Self::NoLicence { pool: pool.into() }
    }

    /// The reason's name: in the log, in events, and as the last part of `code` where Apple has none.
    pub fn as_str(&self) -> &str {
        match self {
            Self::NoLicence { .. } => "no-licence",
            Self::DeviceLimit => "device-limit",
            Self::WrongOrganization => "wrong-organization",
            Self::NotAssigned => "not-assigned",
            Self::Invitation => "invitation",
            Self::UpdateFirst(_) => "update-first",
            Self::PlatformSsoFirst(_) => "platform-sso-first",
            Self::PairingTokenMissing(_) => "pairing-token-missing",
            Self::Unrecognized => "unrecognized",
            Self::Other(name) => name,
        }
    }

    fn sentence(&self) -> &'static str {
        match self {
            Self::NoLicence { .. } => "No licence is left for this device.",
            Self::DeviceLimit => "You have reached the number of devices that you may enrol.",
            Self::WrongOrganization => "This device or account belongs to another organisation.",
            Self::NotAssigned => "This device is not assigned to this server.",
            Self::Invitation => "This invitation has expired or was used already.",
            Self::UpdateFirst(_) => "This device has to be updated before it can be enrolled.",
            Self::PlatformSsoFirst(_) => "Platform Single Sign-on has to be set up first.",
            Self::PairingTokenMissing(_) => "This watch has to be enrolled through its iPhone.",
            Self::Unrecognized | Self::Other(_) => "This device cannot be enrolled here.",
        }
    }
}

impl Denial {
    /// A refusal for this reason.
    pub fn new(reason: DenialReason) -> Self {
        Self {
            reason,
            message: None,
            description: None,
        }
    }

    /// The refusal after `edit`: sets several fields in one expression.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }

    /// What the person is told.
    pub fn message(&self) -> &str {
        match &self.message {
            Some(message) => message,
            None => self.reason.sentence(),
        }
    }

    /// Whether Apple has an answer of its own for it which this device acts on when it asks for its
    /// profile.
    pub(crate) fn is_acted_on(&self, by: &MachineInfo) -> bool {
        match self.reason {
            DenialReason::UpdateFirst(_) => by.mdm_can_request_software_update == Some(true),
            DenialReason::PlatformSsoFirst(_) => by.mdm_can_request_psso_config == Some(true),
            DenialReason::PairingTokenMissing(_) | DenialReason::Unrecognized => true,
            _ => false,
        }
    }

    /// The body of the error: Apple's where the device acts on it, else one of the same form with a code
    /// of ours, which no device knows.
    pub(crate) fn body(&self, is_acted_on: bool) -> Result<Vec<u8>, mdm_protocol::Error> {
        let message = Some(self.message().to_owned());
        let description = self.description.clone();
        match &self.reason {
            DenialReason::UpdateFirst(details) if is_acted_on => {
                let body = SoftwareUpdateRequired::new(details.clone());
                json::to_vec(&body.with(|body| {
                    (body.message, body.description) = (message, description);
                }))
            }
            DenialReason::PlatformSsoFirst(details) if is_acted_on => {
                let body = PlatformSsoRequired::new(details.clone());
                json::to_vec(&body.with(|body| {
                    (body.message, body.description) = (message, description);
                }))
            }
            DenialReason::PairingTokenMissing(token) if is_acted_on => {
                let details = PairingTokenMissingDetails::new(token.clone());
                json::to_vec(&PairingTokenMissing::new(details).with(|body| {
                    (body.message, body.description) = (message, description);
                }))
            }
            DenialReason::Unrecognized => json::to_vec(&UnrecognizedDevice::new().with(|body| {
                (body.message, body.description) = (message, description);
            })),
            other => {
                let body = json!({
                    "code": format!("enrollment.refused.{}", other.as_str()),
                    "description": description.unwrap_or_else(|| other.as_str().to_owned()),
                    "message": message,
                });
                Ok(body.to_string().into_bytes())
            }
        }
    }
}
