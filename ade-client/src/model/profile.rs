//! The settings that a device fetches from Apple on its way through Setup Assistant.
//!
//! <https://developer.apple.com/documentation/devicemanagement/profile>

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use super::{
    generated::SkipKey,
    loose::{Field, loose, text_field},
};

loose! {
    /// What a device is told at activation: where to enrol and how.
    ///
    /// A key that is not set is not sent, and Apple's default holds; an explicit `false` is sent.
    pub struct Profile {
        /// The name, 1 to 125 bytes of UTF-8. Required.
        profile_name: String,
        /// Where the device posts its signed machine information; at most 2000 bytes. Required.
        url: String,
        /// Whether the device may pair with computers. Default true; deprecated since iOS 13.
        allow_pairing: bool,
        /// Whether the device is supervised; since iOS 13 it always is.
        is_supervised: bool,
        /// Whether the user cannot skip enrolment.
        is_mandatory: bool,
        /// Whether the user may remove the MDM profile. Default true; false needs `is_supervised`.
        is_mdm_removable: bool,
        /// Whether the device is a Shared iPad.
        is_multi_user: bool,
        /// Whether Setup Assistant waits until the server says `DeviceConfigured`.
        await_device_configured: bool,
        /// Whether Setup Assistant runs through alone (tvOS, macOS 11).
        auto_advance_setup: bool,
        /// A language code of ISO 639, for `auto_advance_setup`.
        language: String,
        /// A country code of two capitals, for `auto_advance_setup`.
        region: String,
        /// A word of the server's own; at most 256 bytes.
        org_magic: String,
        /// The department shown to the user; at most 125 bytes.
        department: String,
        /// The number for help; at most 50 bytes.
        support_phone_number: String,
        /// The address for help; at most 250 bytes.
        support_email_address: String,
        /// Certificates trusted while the device fetches its MDM profile.
        anchor_certs: Vec<DerCertificate>,
        /// Certificates of the computers that the device pairs with even if it may not pair.
        supervising_host_certs: Vec<DerCertificate>,
        /// Where the device shows a web page before it enrols; https only.
        configuration_web_url: String,
        /// The panes of Setup Assistant to skip; [`SkipKey`] says which system has which. The same
        /// as a table is `document::SKIP_KEYS` of `mdm-schema`.
        skip_setup_items: Vec<SkipKey>,
        /// Serial numbers that get the profile at once. Their outcomes are in the answer.
        devices: Vec<String>,
        /// Whether MDM profiles in a backup are left out (iOS and visionOS 26).
        do_not_use_profile_from_backup: bool,
        /// Whether the device returns to service by itself after a wipe (iOS and visionOS 26).
        is_return_to_service: bool,
        /// The identifier, in Apple's answers only.
        profile_uuid: String,
    }
}

impl Profile {
    /// A profile with the two keys that the server requires.
    pub fn new(profile_name: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            profile_name: Some(profile_name.into()),
            url: Some(url.into()),
            ..Self::default()
        }
    }
}

text_field!(SkipKey);

/// A certificate as DER, base64 on the wire.
#[derive(Clone, PartialEq, Eq)]
pub struct DerCertificate(Vec<u8>);

impl DerCertificate {
    /// Takes the DER encoding.
    pub fn new(der: impl Into<Vec<u8>>) -> Self {
        Self(der.into())
    }

    /// The DER encoding.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for DerCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DerCertificate({} bytes)", self.0.len())
    }
}

impl Field for DerCertificate {
    fn from_text(text: &str) -> Option<Self> {
        let text: String = text.split_ascii_whitespace().collect();
        STANDARD.decode(text).ok().map(Self)
    }

    fn put<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl Serialize for DerCertificate {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.put(serializer)
    }
}

impl<'de> Deserialize<'de> for DerCertificate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_text(&String::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom("a certificate is base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explicit_false_is_sent_and_what_is_not_set_is_not() {
        let profile = Profile::new("Staff", "https://mdm.example/enrol").with(|profile| {
            profile.allow_pairing = Some(false);
            profile.anchor_certs = Some(vec![DerCertificate::new(*b"\x30\x00")]);
            profile.extra.insert("brand_new".into(), true.into());
        });
        assert_eq!(
            serde_json::to_string(&profile).unwrap(),
            r#"{"profile_name":"Staff","url":"https://mdm.example/enrol","allow_pairing":false,"anchor_certs":["MAA="],"brand_new":true}"#
        );
        let back: Profile =
            serde_json::from_value(serde_json::to_value(&profile).unwrap()).unwrap();
        assert_eq!(back, profile);
    }

    #[test]
    fn panes_to_skip_are_named_and_new_ones_survive() {
        let json = r#"{"skip_setup_items":["Siri","TOS","Hologram"]}"#;
        let profile: Profile = serde_json::from_str(json).unwrap();
        let panes = profile.skip_setup_items.as_deref().unwrap();
        assert_eq!(panes[..2], [SkipKey::Siri, SkipKey::Tos]);
        assert!(!panes[2].is_known() && panes[2].as_str() == "Hologram");
        assert_eq!(serde_json::to_string(&profile).unwrap(), json);
    }
}
