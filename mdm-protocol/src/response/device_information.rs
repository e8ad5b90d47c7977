//! The answer to `DeviceInformation`.

use chrono::{DateTime, Utc};
use mdm_core::PushToken;
use mdm_plist::{Data, Date, Value};
use serde::{Deserialize, Deserializer, Serialize, de};

use crate::{response::Body, secret};

/// What a device says about itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct DeviceInformationResponse {
    /// `QueryResponses`.
    pub query_responses: QueryResponses,
}

impl DeviceInformationResponse {
    /// An answer that holds these.
    pub fn new(query_responses: QueryResponses) -> Self {
        Self { query_responses }
    }
}

impl Body for DeviceInformationResponse {
    const REQUEST_TYPE: &'static str = "DeviceInformation";
}

/// The answers; a query that the device does not know, or may not answer, has none.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
#[non_exhaustive]
pub struct QueryResponses {
    /// The device's UDID.
    #[serde(rename = "UDID", default, skip_serializing_if = "Option::is_none")]
    pub udid: Option<String>,
    /// The identifier that provisioning profiles name a Mac by.
    #[serde(
        rename = "ProvisioningUDID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub provisioning_udid: Option<String>,
    /// What `Settings` told the device about its organisation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization_info: Option<OrganizationInfo>,
    /// The options that `Settings` set for device management.
    #[serde(
        rename = "MDMOptions",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub mdm_options: Option<MdmOptions>,
    /// When the device was last backed up to iCloud.
    #[serde(
        default,
        with = "mdm_plist::date::optional",
        skip_serializing_if = "Option::is_none"
    )]
    pub last_cloud_backup_date: Option<DateTime<Utc>>,
    /// Whether the device waits in Setup Assistant for `DeviceConfigured`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub awaiting_configuration: Option<bool>,
    /// Whether a store account is signed in.
    #[serde(
        rename = "iTunesStoreAccountIsActive",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub itunes_store_account_is_active: Option<bool>,
    /// A hash of the store account.
    #[serde(
        rename = "iTunesStoreAccountHash",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub itunes_store_account_hash: Option<String>,
    /// The name that the user gave the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// The system's version.
    #[serde(rename = "OSVersion", default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
    /// The letter of a rapid security response, such as `(a)`.
    #[serde(
        rename = "SupplementalOSVersionExtra",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub supplemental_os_version_extra: Option<String>,
    /// The system's build.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_version: Option<String>,
    /// The build with a rapid security response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplemental_build_version: Option<String>,
    /// The model's name, such as `MacBook Pro`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_name: Option<String>,
    /// The model, such as `MacBookPro18,3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The model's order number with its region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model_number: Option<String>,
    /// Whether the Mac has Apple silicon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_apple_silicon: Option<bool>,
    /// The product, such as `iPhone14,2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_name: Option<String>,
    /// The serial number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
    /// Total storage in GiB (1024-based).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_capacity: Option<f64>,
    /// Free storage in GiB (1024-based).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_device_capacity: Option<f64>,
    /// The IMEI of the first SIM; see `ServiceSubscriptions` for all.
    #[serde(rename = "IMEI", default, skip_serializing_if = "Option::is_none")]
    pub imei: Option<String>,
    /// The MEID of the first SIM; see `ServiceSubscriptions` for all.
    #[serde(rename = "MEID", default, skip_serializing_if = "Option::is_none")]
    pub meid: Option<String>,
    /// The firmware of the baseband.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modem_firmware_version: Option<String>,
    /// 0 none, 1 GSM, 2 CDMA, 3 both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cellular_technology: Option<i64>,
    /// The charge from 0.0 to 1.0, or -1.0 where it cannot be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub battery_level: Option<f64>,
    /// Whether the Mac has a battery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub has_battery: Option<bool>,
    /// Whether the device is supervised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_supervised: Option<bool>,
    /// Whether this is a Shared iPad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_multi_user: Option<bool>,
    /// Whether Find My is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_device_locator_service_enabled: Option<bool>,
    /// Whether Activation Lock is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_activation_lock_enabled: Option<bool>,
    /// Whether the Mac can have Activation Lock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_activation_lock_supported: Option<bool>,
    /// Whether Do Not Disturb is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_do_not_disturb_in_effect: Option<bool>,
    /// The identifier of an Apple TV.
    #[serde(rename = "DeviceID", default, skip_serializing_if = "Option::is_none")]
    pub device_id: Option<String>,
    /// The identifier that the device shows to Exchange ActiveSync.
    #[serde(
        rename = "EASDeviceIdentifier",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub eas_device_identifier: Option<String>,
    /// Whether backup to iCloud is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_cloud_backup_enabled: Option<bool>,
    /// The managed users that are logged in, as GUIDs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_managed_users: Option<Vec<String>>,
    /// How the Mac updates itself.
    #[serde(
        rename = "OSUpdateSettings",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub os_update_settings: Option<OsUpdateSettings>,
    /// The Mac's name in the local network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_host_name: Option<String>,
    /// The Mac's host name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_name: Option<String>,
    /// The administrators that automated enrolment made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auto_setup_admin_accounts: Option<Vec<AdminAccount>>,
    /// Whether System Integrity Protection is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system_integrity_protection_enabled: Option<bool>,
    /// Whether the Mac can be managed while it is off.
    #[serde(
        rename = "SupportsLOMDevice",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub supports_lom_device: Option<bool>,
    /// Whether Managed Lost Mode is on.
    #[serde(
        rename = "IsMDMLostModeEnabled",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub is_mdm_lost_mode_enabled: Option<bool>,
    /// How many users may keep data on a Shared iPad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_resident_users: Option<i64>,
    /// How many users' data a Shared iPad is expected to hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_resident_users: Option<i64>,
    /// The storage of each user of a Shared iPad, in MB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quota_size: Option<i64>,
    /// How many users have data on a Shared iPad.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_users: Option<i64>,
    /// When an idle session of a Shared iPad ends, in seconds; 0 never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_session_timeout: Option<i64>,
    /// When an idle guest session ends, in seconds; 0 never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_session_timeout: Option<i64>,
    /// Whether a Shared iPad takes guests only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temporary_session_only: Option<bool>,
    /// The domains that the login window offers.
    #[serde(
        rename = "ManagedAppleIDDefaultDomains",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub managed_apple_id_default_domains: Option<Vec<String>>,
    /// After how many days a user must log in online.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub online_authentication_grace_period: Option<i64>,
    /// Whether new users are not asked for language and region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub skip_language_and_locale_setup_for_new_users: Option<bool>,
    /// The push token of the device.
    #[serde(
        default,
        with = "secret::optional_push_token",
        skip_serializing_if = "Option::is_none"
    )]
    pub push_token: Option<PushToken>,
    /// Whether diagnostics are sent to Apple.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub diagnostic_submission_enabled: Option<bool>,
    /// Whether app analytics are shared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_analytics_enabled: Option<bool>,
    /// The time zone, as in the IANA database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// The ICCID of the first SIM.
    #[serde(rename = "ICCID", default, skip_serializing_if = "Option::is_none")]
    pub iccid: Option<String>,
    /// The Bluetooth address.
    #[serde(
        rename = "BluetoothMAC",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub bluetooth_mac: Option<String>,
    /// The Wi-Fi address.
    #[serde(rename = "WiFiMAC", default, skip_serializing_if = "Option::is_none")]
    pub wifi_mac: Option<String>,
    /// The Ethernet address.
    #[serde(
        rename = "EthernetMAC",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub ethernet_mac: Option<String>,
    /// The network that the phone is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current_carrier_network: Option<String>,
    /// The network of the SIM; older name of `SubscriberCarrierNetwork`.
    #[serde(
        rename = "SIMCarrierNetwork",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub sim_carrier_network: Option<String>,
    /// The network of the SIM.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subscriber_carrier_network: Option<String>,
    /// The version of the carrier's settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carrier_settings_version: Option<String>,
    /// The phone number, formatted or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// Whether data roaming is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_roaming_enabled: Option<bool>,
    /// Whether voice roaming is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice_roaming_enabled: Option<bool>,
    /// Whether the personal hotspot is on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub personal_hotspot_enabled: Option<bool>,
    /// Whether the network comes through a cable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_network_tethered: Option<bool>,
    /// Whether the phone is roaming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_roaming: Option<bool>,
    /// The SIM's country code; only answered, never asked for.
    #[serde(rename = "SIMMCC", default, skip_serializing_if = "Option::is_none")]
    pub sim_mcc: Option<String>,
    /// The SIM's network code; only answered, never asked for.
    #[serde(rename = "SIMMNC", default, skip_serializing_if = "Option::is_none")]
    pub sim_mnc: Option<String>,
    /// The SIM's country code.
    #[serde(
        rename = "SubscriberMCC",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub subscriber_mcc: Option<String>,
    /// The SIM's network code.
    #[serde(
        rename = "SubscriberMNC",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub subscriber_mnc: Option<String>,
    /// The country code of the network that the phone is in.
    #[serde(
        rename = "CurrentMCC",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub current_mcc: Option<String>,
    /// The network code of the network that the phone is in.
    #[serde(
        rename = "CurrentMNC",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub current_mnc: Option<String>,
    /// Every SIM, physical or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_subscriptions: Option<Vec<ServiceSubscription>>,
    /// Whether `EraseDevice` needs a PIN.
    #[serde(
        rename = "PINRequiredForEraseDevice",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub pin_required_for_erase_device: Option<bool>,
    /// Whether `DeviceLock` needs a PIN.
    #[serde(
        rename = "PINRequiredForDeviceLock",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub pin_required_for_device_lock: Option<bool>,
    /// Whether the Mac runs iOS apps.
    #[serde(
        rename = "SupportsiOSAppInstalls",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub supports_ios_app_installs: Option<bool>,
    /// What Apple's list of updates calls the device.
    #[serde(
        rename = "SoftwareUpdateDeviceID",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub software_update_device_id: Option<String>,
    /// The settings of software update.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub software_update_settings: Option<SoftwareUpdateSettings>,
    /// The settings of accessibility.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accessibility_settings: Option<AccessibilitySettings>,
    /// Certificates, leaf first, by which Apple attests to the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device_properties_attestation: Option<Vec<Data>>,
    /// Whether Erase All Content and Settings would work, and why not.
    #[serde(
        rename = "EACSPreflight",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub eacs_preflight: Option<String>,
}

impl QueryResponses {
    /// Sets some answers.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

macro_rules! optional_keys {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $ty:ty,)+ })+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "PascalCase")]
        #[non_exhaustive]
        pub struct $name {
            $($(#[$field_meta])* #[serde(default, skip_serializing_if = "Option::is_none")]
            pub $field: Option<$ty>,)+
        }

        impl $name {
            /// Sets some keys.
            #[must_use]
            pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
                set(&mut self);
                self
            }
        }
    )+ };
}

optional_keys! {
    /// The organisation, as a `Settings` command named it.
    OrganizationInfo {
        /// Its name.
        organization_name: String,
        /// Its address.
        organization_address: String,
        /// Its phone number.
        organization_phone: String,
        /// Its mail address.
        organization_email: String,
        /// Its identifier.
        organization_magic: String,
    }

    /// The options of device management.
    MdmOptions {
        /// Whether the user may have Activation Lock on a supervised device.
        activation_lock_allowed_while_supervised: bool,
        /// Whether the bootstrap token may authorise.
        bootstrap_token_allowed: bool,
        /// Whether the user is asked before it does.
        prompt_user_to_allow_bootstrap_token_for_authentication: bool,
    }

    /// How a Mac updates itself.
    OsUpdateSettings {
        /// Where updates come from.
        #[serde(rename = "CatalogURL")]
        catalog_url: String,
        /// Whether that is Apple's own place.
        is_default_catalog: bool,
        /// When updates were last looked for.
        previous_scan_date: Date,
        /// How that went: a text in the schema, a number on every Mac seen.
        #[serde(deserialize_with = "text_or_number")]
        previous_scan_result: String,
        /// Whether they are looked for regularly.
        perform_periodic_check: bool,
        /// Whether they are looked for by themselves.
        auto_check_enabled: bool,
        /// Whether they are fetched beforehand.
        background_download_enabled: bool,
        /// Whether apps are updated.
        automatic_app_installation_enabled: bool,
        /// Whether the system is updated.
        #[serde(rename = "AutomaticOSInstallationEnabled")]
        automatic_os_installation_enabled: bool,
        /// Whether security updates are installed.
        automatic_security_updates_enabled: bool,
    }

    /// An administrator that automated enrolment made.
    AdminAccount {
        /// The account's GUID.
        #[serde(rename = "GUID")]
        guid: String,
        /// The account's name.
        #[serde(rename = "shortName")]
        short_name: String,
    }

    /// One SIM.
    ServiceSubscription {
        /// The version of the carrier's settings.
        carrier_settings_version: String,
        /// The network that the phone is in.
        current_carrier_network: String,
        /// Its country code.
        #[serde(rename = "CurrentMCC")]
        current_mcc: String,
        /// Its network code.
        #[serde(rename = "CurrentMNC")]
        current_mnc: String,
        /// The ICCID.
        #[serde(rename = "ICCID")]
        iccid: String,
        /// The EID.
        #[serde(rename = "EID")]
        eid: String,
        /// The IMEI.
        #[serde(rename = "IMEI")]
        imei: String,
        /// Whether data goes through this one.
        is_data_preferred: bool,
        /// Whether it is roaming.
        is_roaming: bool,
        /// Whether calls go through this one.
        is_voice_preferred: bool,
        /// The plan's name.
        label: String,
        /// The plan's identifier.
        #[serde(rename = "LabelID")]
        label_id: String,
        /// The MEID.
        #[serde(rename = "MEID")]
        meid: String,
        /// The phone number.
        phone_number: String,
        /// The slot.
        slot: String,
        /// The network of the SIM.
        subscriber_carrier_network: String,
    }

    /// The settings of software update.
    SoftwareUpdateSettings {
        /// Which updates are recommended: 0 all, 1 older, 2 newer.
        recommendation_cadence: i64,
    }

    /// The settings of accessibility.
    AccessibilitySettings {
        /// Bold text.
        bold_text_enabled: bool,
        /// Increased contrast.
        increase_contrast_enabled: bool,
        /// Reduced motion.
        reduce_motion_enabled: bool,
        /// Reduced transparency.
        reduce_transparency_enabled: bool,
        /// Text size from 0 to 11, or -1 where it cannot be told.
        text_size: i64,
        /// Touch accommodations.
        touch_accommodations_enabled: bool,
        /// VoiceOver.
        voice_over_enabled: bool,
        /// Zoom.
        zoom_enabled: bool,
        /// Greyscale.
        grayscale_enabled: bool,
    }
}

fn text_or_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::String(text) => Ok(Some(text)),
        Value::Integer(number) => Ok(Some(number.to_string())),
        _ => Err(de::Error::custom("neither a string nor an integer")),
    }
}
