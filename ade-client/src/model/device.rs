//! A device as the service knows it.
//!
//! <https://developer.apple.com/documentation/devicemanagement/device>

use mdm_core::{SerialNumber, open_enum};

use super::{
    loose::{loose, text_field},
    time::Time,
};

loose! {
    /// A device as the service knows it. Which keys come depends on the protocol version.
    pub struct Device {
        /// The serial number, the device's name in every request.
        serial_number: SerialNumber,
        /// The model's name.
        model: String,
        /// A description of the device.
        description: String,
        /// The color.
        color: String,
        /// The organization's asset tag.
        asset_tag: String,
        /// The product line.
        device_family: DeviceFamily,
        /// The operating system.
        os: OperatingSystem,
        /// Where the device stands with its profile.
        profile_status: ProfileStatus,
        /// The profile that is assigned.
        profile_uuid: String,
        /// When the profile was assigned.
        profile_assign_time: Time,
        /// When the device fetched it.
        profile_push_time: Time,
        /// The address of who assigned the device to this server; `-1` has been seen.
        device_assigned_by: String,
        /// When the device was assigned to this server.
        device_assigned_date: Time,
        /// What happened to the device; sync only.
        op_type: OpType,
        /// When it happened; sync only. Of several records for one serial number the latest counts.
        op_date: Time,
        /// Until when the device has to move to another server.
        mdm_migration_deadline: Time,
        /// The IMEIs, perhaps with spaces inside.
        imei: Vec<String>,
        /// The MEIDs.
        meid: Vec<String>,
        /// The identifier of the eSIM.
        eid: String,
        /// The Bluetooth address.
        bluetooth_mac_address: String,
        /// The Wi-Fi address.
        wifi_mac_address: String,
        /// The Ethernet address.
        ethernet_mac_address: String,
        /// Whether the device replaces another.
        is_replacement_device: bool,
        /// Whether the device left because another replaces it; on deleted records only.
        released_by_replacement: bool,
    }
}

open_enum! {
    /// A product line.
    pub enum DeviceFamily {
        /// iPad.
        IPad = "iPad",
        /// iPhone.
        IPhone = "iPhone",
        /// iPod touch.
        IPod = "iPod",
        /// Mac.
        Mac = "Mac",
        /// Apple TV.
        AppleTv = "AppleTV",
        /// Apple Vision Pro.
        Vision = "Vision",
    }
}

open_enum! {
    /// An operating system.
    pub enum OperatingSystem {
        /// iOS; below protocol version 7 also on iPads.
        Ios = "iOS",
        /// iPadOS.
        IpadOs = "iPadOS",
        /// macOS.
        Osx = "OSX",
        /// tvOS.
        TvOs = "tvOS",
        /// visionOS.
        VisionOs = "visionOS",
        /// watchOS; among beta programmes only.
        WatchOs = "watchOS",
        /// The HomePod's; among beta programmes only.
        HomePodOs = "homePodOS",
    }
}

open_enum! {
    /// Where a device stands with its profile.
    pub enum ProfileStatus {
        /// No profile is assigned.
        Empty = "empty",
        /// One is assigned and not fetched yet.
        Assigned = "assigned",
        /// The device has fetched it.
        Pushed = "pushed",
        /// It was taken away.
        Removed = "removed",
    }
}

open_enum! {
    /// What happened to a device.
    pub enum OpType {
        /// It was assigned to this server.
        Added = "added",
        /// Something about it changed, be it that it was assigned to this server again.
        Modified = "modified",
        /// It left this server.
        Deleted = "deleted",
    }
}

text_field!(DeviceFamily);
text_field!(OperatingSystem);
text_field!(ProfileStatus);
text_field!(OpType);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_keys_and_odd_values_are_kept_and_written_back() {
        let value = json!({
            "serial_number": "C02AAAAAAAAA",
            "profile_status": "",
            "profile_push_time": "",
            "op_type": "merged",
            "imei": ["35 123456 123456 1", null],
            "meid": "35123456123456",
            "wifi_mac_address": ["AA:BB"],
            "is_replacement_device": "no",
            "released_by_replacement": "true",
            "shiny": {"very": true},
        });
        let device: Device = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(device.profile_status, None);
        assert_eq!(device.profile_push_time, None);
        assert_eq!(device.op_type.as_ref().unwrap().as_str(), "merged");
        assert_eq!(device.is_replacement_device, None);
        assert_eq!(device.wifi_mac_address, None);
        assert_eq!(device.extra["shiny"], json!({"very": true}));
        assert_eq!(serde_json::to_value(&device).unwrap(), value);
    }

    #[test]
    fn what_is_meant_by_another_form_is_read_and_written_back_as_it_came_until_it_is_changed() {
        let value = json!({
            "imei": ["35 123456 123456 1", null, 7, "35 123456 123456 2"],
            "meid": "35123456123456",
            "released_by_replacement": "true",
        });
        let device: Device = serde_json::from_value(value.clone()).unwrap();
        let imei = device.imei.as_deref().unwrap();
        assert_eq!(imei, ["35 123456 123456 1", "35 123456 123456 2"]);
        assert_eq!(device.meid.as_deref().unwrap(), ["35123456123456"]);
        assert_eq!(device.released_by_replacement, Some(true));
        assert_eq!(serde_json::to_value(&device).unwrap(), value);
        let changed = device.with(|device| {
            device.meid = Some(vec!["A0".to_owned(), "A1".to_owned()]);
            device.released_by_replacement = Some(false);
        });
        let written = serde_json::to_value(&changed).unwrap();
        assert_eq!(written["imei"], value["imei"]);
        assert_eq!(written["meid"], json!(["A0", "A1"]));
        assert_eq!(written["released_by_replacement"], false);
    }

    #[test]
    fn a_deleted_record_may_hold_next_to_nothing() {
        let json = r#"{"serial_number":"C02A","op_type":"deleted","op_date":"2026-01-02T03:04:05Z",
            "color":null,"released_by_replacement":true}"#;
        let device: Device = serde_json::from_str(json).unwrap();
        assert_eq!(device.op_type, Some(OpType::Deleted));
        assert!(device.op_date.unwrap().instant().is_some());
        assert!(device.extra.is_empty() && device.color.is_none());
    }

    #[test]
    fn a_value_set_later_wins_over_the_odd_one_that_was_kept() {
        let device: Device = serde_json::from_str(r#"{"color":5}"#).unwrap();
        let device = device.with(|device| device.color = Some("SILVER".to_owned()));
        assert_eq!(
            serde_json::to_string(&device).unwrap(),
            r#"{"color":"SILVER"}"#
        );
    }

    #[test]
    fn escaped_keys_are_keys_too() {
        let device: Device = serde_json::from_str(r#"{"co\u006cor":"SILVER"}"#).unwrap();
        assert_eq!(device.color.as_deref(), Some("SILVER"));
    }
}
