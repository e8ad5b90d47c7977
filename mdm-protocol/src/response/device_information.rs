//! The answer to `DeviceInformation`.

use chrono::{DateTime, Utc};
use mdm_core::Secret;
use mdm_schema::{Kind, Schema, item, record};

static DEVICE_INFORMATION: Schema = Schema::new(Kind::Response, "DeviceInformation", "");
item!(DeviceInformationResponse = DEVICE_INFORMATION);

record! {
    /// What a device says about itself.
    pub struct DeviceInformationResponse {
        required {}
        optional {
            /// `QueryResponses`.
            query_responses: QueryResponses = "QueryResponses",
        }
    }
}

record! {
    /// The answers.
    pub struct QueryResponses {
        required {}
        optional {

    /// The device's UDID.
            udid: String = "UDID",
    /// The identifier that provisioning profiles name a Mac by.
            provisioning_udid: String = "ProvisioningUDID",
    /// What `Settings` told the device about its organisation.
            organization_info: OrganizationInfo = "OrganizationInfo",
    /// The options that `Settings` set for device management.
            mdm_options: MdmOptions = "MDMOptions",
    /// When the device was last backed up to iCloud.
            last_cloud_backup_date: DateTime<Utc> = "LastCloudBackupDate",
    /// Whether the device waits in Setup Assistant for `DeviceConfigured`.
            awaiting_configuration: bool = "AwaitingConfiguration",
    /// Whether a store account is signed in.
            itunes_store_account_is_active: bool = "iTunesStoreAccountIsActive",
    /// A hash of the store account.
            itunes_store_account_hash: String = "iTunesStoreAccountHash",
    /// The name that the user gave the device.
            device_name: String = "DeviceName",
    /// The system's version.
            os_version: String = "OSVersion",
    /// The letter of a rapid security response, such as `(a)`.
            supplemental_os_version_extra: String = "SupplementalOSVersionExtra",
    /// The system's build.
            build_version: String = "BuildVersion",
    /// The build with a rapid security response.
            supplemental_build_version: String = "SupplementalBuildVersion",
    /// The model's name, such as `MacBook Pro`.
            model_name: String = "ModelName",
    /// The model, such as `MacBookPro18,3`.
            model: String = "Model",
    /// The model's order number with its region.
            model_number: String = "ModelNumber",
    /// Whether the Mac has Apple silicon.
            is_apple_silicon: bool = "IsAppleSilicon",
    /// The product, such as `iPhone14,2`.
            product_name: String = "ProductName",
    /// The serial number.
            serial_number: String = "SerialNumber",
    /// Total storage in GiB (1024-based).
            device_capacity: f64 = "DeviceCapacity",
    /// Free storage in GiB (1024-based).
            available_device_capacity: f64 = "AvailableDeviceCapacity",
    /// The IMEI of the first SIM; see `ServiceSubscriptions` for all.
            imei: String = "IMEI",
    /// The MEID of the first SIM; see `ServiceSubscriptions` for all.
            meid: String = "MEID",
    /// The firmware of the baseband.
            modem_firmware_version: String = "ModemFirmwareVersion",
    /// 0 none, 1 GSM, 2 CDMA, 3 both.
            cellular_technology: i64 = "CellularTechnology",
    /// The charge from 0.0 to 1.0, or -1.0 where it cannot be told.
            battery_level: f64 = "BatteryLevel",
    /// Whether the Mac has a battery.
            has_battery: bool = "HasBattery",
    /// Whether the device is supervised.
            is_supervised: bool = "IsSupervised",
    /// Whether this is a Shared iPad.
            is_multi_user: bool = "IsMultiUser",
    /// Whether Find My is on.
            is_device_locator_service_enabled: bool = "IsDeviceLocatorServiceEnabled",
    /// Whether Activation Lock is on.
            is_activation_lock_enabled: bool = "IsActivationLockEnabled",
    /// Whether the Mac can have Activation Lock.
            is_activation_lock_supported: bool = "IsActivationLockSupported",
    /// Whether Do Not Disturb is on.
            is_do_not_disturb_in_effect: bool = "IsDoNotDisturbInEffect",
    /// The identifier of an Apple TV.
            device_id: String = "DeviceID",
    /// The identifier that the device shows to Exchange ActiveSync.
            eas_device_identifier: String = "EASDeviceIdentifier",
    /// Whether backup to iCloud is on.
            is_cloud_backup_enabled: bool = "IsCloudBackupEnabled",
    /// The managed users that are logged in, as GUIDs.
            active_managed_users: Vec<String> = "ActiveManagedUsers",
    /// How the Mac updates itself.
            os_update_settings: OsUpdateSettings = "OSUpdateSettings",
    /// The Mac's name in the local network.
            local_host_name: String = "LocalHostName",
    /// The Mac's host name.
            host_name: String = "HostName",
    /// The administrators that automated enrolment made.
            auto_setup_admin_accounts: Vec<AdminAccount> = "AutoSetupAdminAccounts",
    /// Whether System Integrity Protection is on.
            system_integrity_protection_enabled: bool = "SystemIntegrityProtectionEnabled",
    /// Whether the Mac can be managed while it is off.
            supports_lom_device: bool = "SupportsLOMDevice",
    /// Whether Managed Lost Mode is on.
            is_mdm_lost_mode_enabled: bool = "IsMDMLostModeEnabled",
    /// How many users may keep data on a Shared iPad.
            maximum_resident_users: i64 = "MaximumResidentUsers",
    /// How many users' data a Shared iPad is expected to hold.
            estimated_resident_users: i64 = "EstimatedResidentUsers",
    /// The storage of each user of a Shared iPad, in MB.
            quota_size: i64 = "QuotaSize",
    /// How many users have data on a Shared iPad.
            resident_users: i64 = "ResidentUsers",
    /// When an idle session of a Shared iPad ends, in seconds; 0 never.
            user_session_timeout: i64 = "UserSessionTimeout",
    /// When an idle guest session ends, in seconds; 0 never.
            temporary_session_timeout: i64 = "TemporarySessionTimeout",
    /// Whether a Shared iPad takes guests only.
            temporary_session_only: bool = "TemporarySessionOnly",
    /// The domains that the login window offers.
            managed_apple_id_default_domains: Vec<String> = "ManagedAppleIDDefaultDomains",
    /// After how many days a user must log in online.
            online_authentication_grace_period: i64 = "OnlineAuthenticationGracePeriod",
    /// Whether new users are not asked for language and region.
            skip_language_and_locale_setup_for_new_users: bool = "SkipLanguageAndLocaleSetupForNewUsers",
    /// The push token of the device.
            push_token: Secret<Vec<u8>> = "PushToken",
    /// Whether diagnostics are sent to Apple.
            diagnostic_submission_enabled: bool = "DiagnosticSubmissionEnabled",
    /// Whether app analytics are shared.
            app_analytics_enabled: bool = "AppAnalyticsEnabled",
    /// The time zone, as in the IANA database.
            time_zone: String = "TimeZone",
    /// The ICCID of the first SIM.
            iccid: String = "ICCID",
    /// The Bluetooth address.
            bluetooth_mac: String = "BluetoothMAC",
    /// The Wi-Fi address.
            wifi_mac: String = "WiFiMAC",
    /// The Ethernet address.
            ethernet_mac: String = "EthernetMAC",
    /// The network that the phone is in.
            current_carrier_network: String = "CurrentCarrierNetwork",
    /// The network of the SIM; older name of `SubscriberCarrierNetwork`.
            sim_carrier_network: String = "SIMCarrierNetwork",
    /// The network of the SIM.
            subscriber_carrier_network: String = "SubscriberCarrierNetwork",
    /// The version of the carrier's settings.
            carrier_settings_version: String = "CarrierSettingsVersion",
    /// The phone number, formatted or not.
            phone_number: String = "PhoneNumber",
    /// Whether data roaming is on.
            data_roaming_enabled: bool = "DataRoamingEnabled",
    /// Whether voice roaming is on.
            voice_roaming_enabled: bool = "VoiceRoamingEnabled",
    /// Whether the personal hotspot is on.
            personal_hotspot_enabled: bool = "PersonalHotspotEnabled",
    /// Whether the network comes through a cable.
            is_network_tethered: bool = "IsNetworkTethered",
    /// Whether the phone is roaming.
            is_roaming: bool = "IsRoaming",
    /// The SIM's country code; only answered, never asked for.
            sim_mcc: String = "SIMMCC",
    /// The SIM's network code; only answered, never asked for.
            sim_mnc: String = "SIMMNC",
    /// The SIM's country code.
            subscriber_mcc: String = "SubscriberMCC",
    /// The SIM's network code.
            subscriber_mnc: String = "SubscriberMNC",
    /// The country code of the network that the phone is in.
            current_mcc: String = "CurrentMCC",
    /// The network code of the network that the phone is in.
            current_mnc: String = "CurrentMNC",
    /// Every SIM, physical or not.
            service_subscriptions: Vec<ServiceSubscription> = "ServiceSubscriptions",
    /// Whether `EraseDevice` needs a PIN.
            pin_required_for_erase_device: bool = "PINRequiredForEraseDevice",
    /// Whether `DeviceLock` needs a PIN.
            pin_required_for_device_lock: bool = "PINRequiredForDeviceLock",
    /// Whether the Mac runs iOS apps.
            supports_ios_app_installs: bool = "SupportsiOSAppInstalls",
    /// What Apple's list of updates calls the device.
            software_update_device_id: String = "SoftwareUpdateDeviceID",
    /// The settings of software update.
            software_update_settings: SoftwareUpdateSettings = "SoftwareUpdateSettings",
    /// The settings of accessibility.
            accessibility_settings: AccessibilitySettings = "AccessibilitySettings",
    /// Certificates, leaf first, by which Apple attests to the device.
            device_properties_attestation: Vec<Vec<u8>> = "DevicePropertiesAttestation",
    /// Whether Erase All Content and Settings would work, and why not.
            eacs_preflight: String = "EACSPreflight",
        }
    }
}

record! {
    /// The organisation, as a `Settings` command named it.
    pub struct OrganizationInfo {
        required {}
        optional {
        /// Its name.
            organization_name: String = "OrganizationName",
        /// Its address.
            organization_address: String = "OrganizationAddress",
        /// Its phone number.
            organization_phone: String = "OrganizationPhone",
        /// Its mail address.
            organization_email: String = "OrganizationEmail",
        /// Its identifier.
            organization_magic: String = "OrganizationMagic",
        }
    }
}

record! {
    /// The options of device management.
    pub struct MdmOptions {
        required {}
        optional {
        /// Whether the user may have Activation Lock on a supervised device.
            activation_lock_allowed_while_supervised: bool = "ActivationLockAllowedWhileSupervised",
        /// Whether the bootstrap token may authorise.
            bootstrap_token_allowed: bool = "BootstrapTokenAllowed",
        /// Whether the user is asked before it does.
            prompt_user_to_allow_bootstrap_token_for_authentication: bool = "PromptUserToAllowBootstrapTokenForAuthentication",
        }
    }
}

record! {
    /// How a Mac updates itself.
    pub struct OsUpdateSettings {
        required {}
        optional {
        /// Where updates come from.
            catalog_url: String = "CatalogURL",
        /// Whether that is Apple's own place.
            is_default_catalog: bool = "IsDefaultCatalog",
        /// When updates were last looked for.
            previous_scan_date: DateTime<Utc> = "PreviousScanDate",
        /// How that went: a text in the schema, a number on every Mac seen.
            previous_scan_result: String = "PreviousScanResult",
        /// Whether they are looked for regularly.
            perform_periodic_check: bool = "PerformPeriodicCheck",
        /// Whether they are looked for by themselves.
            auto_check_enabled: bool = "AutoCheckEnabled",
        /// Whether they are fetched beforehand.
            background_download_enabled: bool = "BackgroundDownloadEnabled",
        /// Whether apps are updated.
            automatic_app_installation_enabled: bool = "AutomaticAppInstallationEnabled",
        /// Whether the system is updated.
            automatic_os_installation_enabled: bool = "AutomaticOSInstallationEnabled",
        /// Whether security updates are installed.
            automatic_security_updates_enabled: bool = "AutomaticSecurityUpdatesEnabled",
        }
    }
}

record! {
    /// An administrator that automated enrolment made.
    pub struct AdminAccount {
        required {}
        optional {
        /// The account's GUID.
            guid: String = "GUID",
        /// The account's name.
            short_name: String = "shortName",
        }
    }
}

record! {
    /// One SIM.
    pub struct ServiceSubscription {
        required {}
        optional {
        /// The version of the carrier's settings.
            carrier_settings_version: String = "CarrierSettingsVersion",
        /// The network that the phone is in.
            current_carrier_network: String = "CurrentCarrierNetwork",
        /// Its country code.
            current_mcc: String = "CurrentMCC",
        /// Its network code.
            current_mnc: String = "CurrentMNC",
        /// The ICCID.
            iccid: String = "ICCID",
        /// The EID.
            eid: String = "EID",
        /// The IMEI.
            imei: String = "IMEI",
        /// Whether data goes through this one.
            is_data_preferred: bool = "IsDataPreferred",
        /// Whether it is roaming.
            is_roaming: bool = "IsRoaming",
        /// Whether calls go through this one.
            is_voice_preferred: bool = "IsVoicePreferred",
        /// The plan's name.
            label: String = "Label",
        /// The plan's identifier.
            label_id: String = "LabelID",
        /// The MEID.
            meid: String = "MEID",
        /// The phone number.
            phone_number: String = "PhoneNumber",
        /// The slot.
            slot: String = "Slot",
        /// The network of the SIM.
            subscriber_carrier_network: String = "SubscriberCarrierNetwork",
        }
    }
}

record! {
    /// The settings of software update.
    pub struct SoftwareUpdateSettings {
        required {}
        optional {
        /// Which updates are recommended: 0 all, 1 older, 2 newer.
            recommendation_cadence: i64 = "RecommendationCadence",
        }
    }
}

record! {
    /// The settings of accessibility.
    pub struct AccessibilitySettings {
        required {}
        optional {
        /// Bold text.
            bold_text_enabled: bool = "BoldTextEnabled",
        /// Increased contrast.
            increase_contrast_enabled: bool = "IncreaseContrastEnabled",
        /// Reduced motion.
            reduce_motion_enabled: bool = "ReduceMotionEnabled",
        /// Reduced transparency.
            reduce_transparency_enabled: bool = "ReduceTransparencyEnabled",
        /// Text size from 0 to 11, or -1 where it cannot be told.
            text_size: i64 = "TextSize",
        /// Touch accommodations.
            touch_accommodations_enabled: bool = "TouchAccommodationsEnabled",
        /// VoiceOver.
            voice_over_enabled: bool = "VoiceOverEnabled",
        /// Zoom.
            zoom_enabled: bool = "ZoomEnabled",
        /// Greyscale.
            grayscale_enabled: bool = "GrayscaleEnabled",
        }
    }
}
