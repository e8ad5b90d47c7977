//! `DeviceInformation`.

use mdm_schema::{Kind, Schema, choices, item, record};

static DEVICE_INFORMATION: Schema = Schema::new(Kind::Command, "DeviceInformation", "");
item!(DeviceInformation = DEVICE_INFORMATION);
use crate::response::DeviceInformationResponse;
super::command!(DeviceInformation -> DeviceInformationResponse);

record! {
    /// Asks a device about itself.
    pub struct DeviceInformation {
        required {
            /// `Queries`: what to answer.
            queries: Vec<Query> = "Queries",
        }
        optional {
            /// `DeviceAttestationNonce`.
            device_attestation_nonce: Vec<u8> = "DeviceAttestationNonce",
        }
    }
}

choices! {
    /// One thing to ask a device about itself.
    pub enum Query {
        /// The device's UDID.
        Udid = "UDID",
        /// The identifier that provisioning profiles name a Mac by.
        ProvisioningUdid = "ProvisioningUDID",
        /// What `Settings` told the device about its organisation.
        OrganizationInfo = "OrganizationInfo",
        /// The options that `Settings` set for device management.
        MdmOptions = "MDMOptions",
        /// When the device was last backed up to iCloud.
        LastCloudBackupDate = "LastCloudBackupDate",
        /// Whether the device waits in Setup Assistant for `DeviceConfigured`.
        AwaitingConfiguration = "AwaitingConfiguration",
        /// Whether a store account is signed in.
        ItunesStoreAccountIsActive = "iTunesStoreAccountIsActive",
        /// A hash of the store account.
        ItunesStoreAccountHash = "iTunesStoreAccountHash",
        /// The name that the user gave the device.
        DeviceName = "DeviceName",
        /// The system's version.
        OsVersion = "OSVersion",
        /// The letter of a rapid security response, such as `(a)`.
        SupplementalOsVersionExtra = "SupplementalOSVersionExtra",
        /// The system's build.
        BuildVersion = "BuildVersion",
        /// The build with a rapid security response.
        SupplementalBuildVersion = "SupplementalBuildVersion",
        /// The model's name, such as `MacBook Pro`.
        ModelName = "ModelName",
        /// The model, such as `MacBookPro18,3`.
        Model = "Model",
        /// The model's order number with its region.
        ModelNumber = "ModelNumber",
        /// Whether the Mac has Apple silicon.
        IsAppleSilicon = "IsAppleSilicon",
        /// The product, such as `iPhone14,2`.
        ProductName = "ProductName",
        /// The serial number.
        SerialNumber = "SerialNumber",
        /// Total storage in GiB (1024-based).
        DeviceCapacity = "DeviceCapacity",
        /// Free storage in GiB (1024-based).
        AvailableDeviceCapacity = "AvailableDeviceCapacity",
        /// The IMEI of the first SIM; see `ServiceSubscriptions` for all.
        Imei = "IMEI",
        /// The MEID of the first SIM; see `ServiceSubscriptions` for all.
        Meid = "MEID",
        /// The firmware of the baseband.
        ModemFirmwareVersion = "ModemFirmwareVersion",
        /// 0 none, 1 GSM, 2 CDMA, 3 both.
        CellularTechnology = "CellularTechnology",
        /// The charge from 0.0 to 1.0, or -1.0 where it cannot be told.
        BatteryLevel = "BatteryLevel",
        /// Whether the Mac has a battery.
        HasBattery = "HasBattery",
        /// Whether the device is supervised.
        IsSupervised = "IsSupervised",
        /// Whether this is a Shared iPad.
        IsMultiUser = "IsMultiUser",
        /// Whether Find My is on.
        IsDeviceLocatorServiceEnabled = "IsDeviceLocatorServiceEnabled",
        /// Whether Activation Lock is on.
        IsActivationLockEnabled = "IsActivationLockEnabled",
        /// Whether the Mac can have Activation Lock.
        IsActivationLockSupported = "IsActivationLockSupported",
        /// Whether Do Not Disturb is on.
        IsDoNotDisturbInEffect = "IsDoNotDisturbInEffect",
        /// The identifier of an Apple TV.
        DeviceId = "DeviceID",
        /// The identifier that the device shows to Exchange ActiveSync.
        EasDeviceIdentifier = "EASDeviceIdentifier",
        /// Whether backup to iCloud is on.
        IsCloudBackupEnabled = "IsCloudBackupEnabled",
        /// The managed users that are logged in, as GUIDs.
        ActiveManagedUsers = "ActiveManagedUsers",
        /// How the Mac updates itself.
        OsUpdateSettings = "OSUpdateSettings",
        /// The Mac's name in the local network.
        LocalHostName = "LocalHostName",
        /// The Mac's host name.
        HostName = "HostName",
        /// The administrators that automated enrolment made.
        AutoSetupAdminAccounts = "AutoSetupAdminAccounts",
        /// Whether System Integrity Protection is on.
        SystemIntegrityProtectionEnabled = "SystemIntegrityProtectionEnabled",
        /// Whether the Mac can be managed while it is off.
        SupportsLomDevice = "SupportsLOMDevice",
        /// Whether Managed Lost Mode is on.
        IsMdmLostModeEnabled = "IsMDMLostModeEnabled",
        /// How many users may keep data on a Shared iPad.
        MaximumResidentUsers = "MaximumResidentUsers",
        /// How many users' data a Shared iPad is expected to hold.
        EstimatedResidentUsers = "EstimatedResidentUsers",
        /// The storage of each user of a Shared iPad, in MB.
        QuotaSize = "QuotaSize",
        /// How many users have data on a Shared iPad.
        ResidentUsers = "ResidentUsers",
        /// When an idle session of a Shared iPad ends, in seconds; 0 never.
        UserSessionTimeout = "UserSessionTimeout",
        /// When an idle guest session ends, in seconds; 0 never.
        TemporarySessionTimeout = "TemporarySessionTimeout",
        /// Whether a Shared iPad takes guests only.
        TemporarySessionOnly = "TemporarySessionOnly",
        /// The domains that the login window offers.
        ManagedAppleIdDefaultDomains = "ManagedAppleIDDefaultDomains",
        /// After how many days a user must log in online.
        OnlineAuthenticationGracePeriod = "OnlineAuthenticationGracePeriod",
        /// Whether new users are not asked for language and region.
        SkipLanguageAndLocaleSetupForNewUsers = "SkipLanguageAndLocaleSetupForNewUsers",
        /// The push token of the device.
        PushToken = "PushToken",
        /// Whether diagnostics are sent to Apple.
        DiagnosticSubmissionEnabled = "DiagnosticSubmissionEnabled",
        /// Whether app analytics are shared.
        AppAnalyticsEnabled = "AppAnalyticsEnabled",
        /// The time zone, as in the IANA database.
        TimeZone = "TimeZone",
        /// The ICCID of the first SIM.
        Iccid = "ICCID",
        /// The Bluetooth address.
        BluetoothMac = "BluetoothMAC",
        /// The Wi-Fi address.
        WifiMac = "WiFiMAC",
        /// The Ethernet address.
        EthernetMac = "EthernetMAC",
        /// The network that the phone is in.
        CurrentCarrierNetwork = "CurrentCarrierNetwork",
        /// The network of the SIM; older name of `SubscriberCarrierNetwork`.
        SimCarrierNetwork = "SIMCarrierNetwork",
        /// The network of the SIM.
        SubscriberCarrierNetwork = "SubscriberCarrierNetwork",
        /// The version of the carrier's settings.
        CarrierSettingsVersion = "CarrierSettingsVersion",
        /// The phone number, formatted or not.
        PhoneNumber = "PhoneNumber",
        /// Whether data roaming is on.
        DataRoamingEnabled = "DataRoamingEnabled",
        /// Whether voice roaming is on.
        VoiceRoamingEnabled = "VoiceRoamingEnabled",
        /// Whether the personal hotspot is on.
        PersonalHotspotEnabled = "PersonalHotspotEnabled",
        /// Whether the network comes through a cable.
        IsNetworkTethered = "IsNetworkTethered",
        /// Whether the phone is roaming.
        IsRoaming = "IsRoaming",
        /// The SIM's country code.
        SubscriberMcc = "SubscriberMCC",
        /// The SIM's network code.
        SubscriberMnc = "SubscriberMNC",
        /// The country code of the network that the phone is in.
        CurrentMcc = "CurrentMCC",
        /// The network code of the network that the phone is in.
        CurrentMnc = "CurrentMNC",
        /// Every SIM, physical or not.
        ServiceSubscriptions = "ServiceSubscriptions",
        /// Whether `EraseDevice` needs a PIN.
        PinRequiredForEraseDevice = "PINRequiredForEraseDevice",
        /// Whether `DeviceLock` needs a PIN.
        PinRequiredForDeviceLock = "PINRequiredForDeviceLock",
        /// Whether the Mac runs iOS apps.
        SupportsIosAppInstalls = "SupportsiOSAppInstalls",
        /// What Apple's list of updates calls the device.
        SoftwareUpdateDeviceId = "SoftwareUpdateDeviceID",
        /// The settings of software update.
        SoftwareUpdateSettings = "SoftwareUpdateSettings",
        /// The settings of accessibility.
        AccessibilitySettings = "AccessibilitySettings",
        /// Certificates, leaf first, by which Apple attests to the device.
        DevicePropertiesAttestation = "DevicePropertiesAttestation",
        /// Whether Erase All Content and Settings would work, and why not.
        EacsPreflight = "EACSPreflight",
    }
}
