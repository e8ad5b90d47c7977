//! Profiles written down.

use mdm_plist::Dictionary;
use mdm_profiles::Profile;

/// The four keys, with this end of the identifier and this last byte of the UUID.
pub(crate) fn frame(payload_type: &str, name: &str, uuid: u8) -> String {
    format!(
        "<key>PayloadIdentifier</key><string>com.example.{name}</string>
         <key>PayloadType</key><string>{payload_type}</string>
         <key>PayloadUUID</key><string>0F5A4D4E-3C5E-4C63-8F5E-0E6A9C1B2D{uuid:02X}</string>
         <key>PayloadVersion</key><integer>1</integer>"
    )
}

/// A payload with keys of its own.
pub(crate) fn payload(payload_type: &str, name: &str, uuid: u8, keys: &str) -> String {
    format!("<dict>{}{keys}</dict>", frame(payload_type, name, uuid))
}

/// A profile of these payloads, and with these keys at the top.
pub(crate) fn profile_with(keys: &str, payloads: &[String]) -> Profile {
    let payloads = payloads.concat();
    let frame = frame("Configuration", "profile", 0xFF);
    decode(&format!(
        "<key>PayloadContent</key><array>{payloads}</array>{frame}{keys}"
    ))
}

pub(crate) fn profile(payloads: &[String]) -> Profile {
    profile_with("", payloads)
}

pub(crate) fn decode(keys: &str) -> Profile {
    let bytes = format!("<plist version=\"1.0\"><dict>{keys}</dict></plist>");
    let keys: Dictionary = mdm_plist::from_slice(bytes.as_bytes()).unwrap();
    Profile::from_dictionary(keys).unwrap().0
}
