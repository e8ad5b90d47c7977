//! MachineInfo: what a device says about itself when it asks for its enrolment profile.

use mdm_core::{Secret, SerialNumber, Udid};
use mdm_plist::Limits;
use serde::{Deserialize, Serialize};

use crate::{base64, error::Error, lenient, secret};

/// The longest `x-apple-aspen-deviceinfo` that is read, in bytes of text.
pub const MAX_DEVICE_INFO_BYTES: usize = 64 * 1024;

/// What a device says about itself when it asks for its enrolment profile.
///
/// Comes as a CMS message that the device's own certificate signed; unverified it proves nothing,
/// and verified it proves a device of Apple's, not which one. The keys are in capitals on the wire.
/// Source: the schema's `other/machineinfo.yaml`; Apple's "Over-the-Air Profile Delivery and
/// Configuration" for the device attributes that a `Profile Service` profile asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[non_exhaustive]
pub struct MachineInfo {
    /// `UDID`; absent in User Enrolment.
    #[serde(
        default,
        deserialize_with = "lenient::id",
        skip_serializing_if = "Option::is_none"
    )]
    pub udid: Option<Udid>,
    /// `SERIAL`; absent in User Enrolment.
    #[serde(
        default,
        deserialize_with = "lenient::id",
        skip_serializing_if = "Option::is_none"
    )]
    pub serial: Option<SerialNumber>,
    /// `PRODUCT`: such as `iPhone14,2`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub product: Option<String>,
    /// `VERSION`: the build, such as `20B101`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub version: Option<String>,
    /// `OS_VERSION`: such as `17.0`; from iOS 17 and macOS 14.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub os_version: Option<String>,
    /// `SUPPLEMENTAL_BUILD_VERSION`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub supplemental_build_version: Option<String>,
    /// `SUPPLEMENTAL_OS_VERSION_EXTRA`: such as `(a)`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub supplemental_os_version_extra: Option<String>,
    /// `IMEI`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub imei: Option<String>,
    /// `MEID`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub meid: Option<String>,
    /// `LANGUAGE`: such as `en`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub language: Option<String>,
    /// `MDM_CAN_REQUEST_SOFTWARE_UPDATE`: the server may demand an update first.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub mdm_can_request_software_update: Option<bool>,
    /// `PAIRING_TOKEN`: of a watch that enrols.
    #[serde(
        default,
        with = "secret::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub pairing_token: Option<Secret<Vec<u8>>>,
    /// `SOFTWARE_UPDATE_DEVICE_ID`: what Apple's list of updates calls the device.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub software_update_device_id: Option<String>,
    /// `MDM_CAN_REQUEST_PSSO_CONFIG`: the server may demand Platform SSO first; macOS 26.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub mdm_can_request_psso_config: Option<bool>,
    /// `MANDATORY_SOFTWARE_UPDATE_REQUIRED`: the device cannot go on without an update; macOS 26.1.
    #[serde(
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub mandatory_software_update_required: Option<bool>,
    /// `CHALLENGE`: what a `Profile Service` profile gave the device to show; text or data there,
    /// written as data here. This and what follows is of over-the-air enrolment by such a profile.
    #[serde(
        default,
        serialize_with = "secret::optional::serialize",
        deserialize_with = "secret::optional::deserialize_text_or_data",
        skip_serializing_if = "Option::is_none"
    )]
    pub challenge: Option<Secret<Vec<u8>>>,
    /// `DEVICE_NAME`: the name that the user gave the device.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub device_name: Option<String>,
    /// `ICCID`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub iccid: Option<String>,
    /// `MAC_ADDRESS_EN0`.
    #[serde(
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub mac_address_en0: Option<String>,
    /// `NotOnConsole`: the user of the Mac is logged in but not at the screen.
    #[serde(
        rename = "NotOnConsole",
        default,
        deserialize_with = "lenient::boolean",
        skip_serializing_if = "Option::is_none"
    )]
    pub not_on_console: Option<bool>,
    /// `UserID`: the user of the Mac.
    #[serde(
        rename = "UserID",
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub user_id: Option<String>,
    /// `UserLongName`: the user's full name.
    #[serde(
        rename = "UserLongName",
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub user_long_name: Option<String>,
    /// `UserShortName`: the user's account.
    #[serde(
        rename = "UserShortName",
        default,
        deserialize_with = "lenient::text",
        skip_serializing_if = "Option::is_none"
    )]
    pub user_short_name: Option<String>,
}

impl MachineInfo {
    /// Sets some keys of a new document.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }

    /// Decodes the property list that the CMS message carries, **unverified**.
    ///
    /// # Errors
    /// [`Error::Plist`] for what is no property list; [`Error::Missing`] for one that says nothing
    /// about a device.
    pub fn decode(plist: &[u8]) -> Result<Self, Error> {
        let limits = Limits::default().with(|limits| limits.bytes = MAX_DEVICE_INFO_BYTES);
        let info: Self = mdm_plist::from_slice_with(plist, &limits)?;
        if info.product.is_none() && info.udid.is_none() && info.serial.is_none() {
            return Err(Error::Missing("PRODUCT"));
        }
        Ok(info)
    }

    /// Writes the property list that a device would sign.
    ///
    /// # Errors
    /// [`Error::Plist`] for what a property list cannot hold.
    pub fn to_xml(&self) -> Result<Vec<u8>, Error> {
        Ok(mdm_plist::to_xml(self)?)
    }
}

/// The CMS message in a header `x-apple-aspen-deviceinfo`, or in a query parameter of that content.
///
/// Takes base64 in the standard or the URL alphabet, with padding or without, and the escapes of a
/// query string (Q5). At most [`MAX_DEVICE_INFO_BYTES`]. A body of type
/// `application/pkcs7-signature` is the message itself and needs no decoding.
///
/// # Errors
/// [`Error::TooLarge`] or [`Error::Base64`].
pub fn device_info(text: &str) -> Result<Vec<u8>, Error> {
    const WHAT: &str = "x-apple-aspen-deviceinfo";
    if !text.contains(['%', ' ']) {
        return base64::decode(WHAT, text, MAX_DEVICE_INFO_BYTES);
    }
    let mut plain = String::with_capacity(text.len().min(MAX_DEVICE_INFO_BYTES));
    let mut rest = text.trim();
    // Form encoding turns the plus sign of base64 into a space on the way.
    while let Some(at) = rest.find(['%', ' ']) {
        plain.push_str(&rest[..at]);
        if rest[at..].starts_with(' ') {
            plain.push('+');
            rest = &rest[at + 1..];
        } else {
            let byte = rest
                .get(at + 1..at + 3)
                .and_then(|hex| u8::from_str_radix(hex, 16).ok())
                .filter(u8::is_ascii)
                .ok_or(Error::Base64(WHAT))?;
            plain.push(char::from(byte));
            rest = &rest[at + 3..];
        }
        if plain.len() > MAX_DEVICE_INFO_BYTES {
            break;
        }
    }
    plain.push_str(rest);
    base64::decode(WHAT, &plain, MAX_DEVICE_INFO_BYTES)
}
