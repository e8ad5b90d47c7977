//! Which command a report answers, guessed from what it holds.

use mdm_plist::Dictionary;

/// The command that a report answers, judged by its keys alone.
///
/// For tools that see a report without its command; a server routes by `CommandUUID`. `None` where
/// the keys fit several commands, or none: most results are a bare status. A `RequestType` in the
/// report is not looked at: where there is one, nothing has to be guessed.
pub fn infer_request_type(report: &Dictionary) -> Option<&'static str> {
    TELLING
        .iter()
        .find(|(keys, _)| keys.iter().all(|key| report.contains_key(key)))
        .map(|(_, request_type)| *request_type)
        .or_else(|| extensions(report))
}

/// The list of active extensions, by keys that an item of `NSExtensionMappings` never has; without
/// them it may be either.
fn extensions(report: &Dictionary) -> Option<&'static str> {
    let first = report.get("Extensions")?.as_array()?.first()?;
    let first = first.as_dictionary()?;
    ["UserElection", "Path", "Version"]
        .iter()
        .any(|key| first.contains_key(key))
        .then_some("ActiveNSExtensions")
}

/// Keys that only the answer to one command has; the more telling ones first.
const TELLING: &[(&[&str], &str)] = &[
    (&["QueryResponses"], "DeviceInformation"),
    (&["SecurityInfo"], "SecurityInfo"),
    (&["InstalledApplicationList"], "InstalledApplicationList"),
    (&["ManagedApplicationList"], "ManagedApplicationList"),
    (&["ProfileList"], "ProfileList"),
    (&["CertificateList"], "CertificateList"),
    (&["ProvisioningProfileList"], "ProvisioningProfileList"),
    (&["AvailableOSUpdates"], "AvailableOSUpdates"),
    (&["OSUpdateStatus"], "OSUpdateStatus"),
    (&["UpdateResults"], "ScheduleOSUpdate"),
    (&["ScanInitiated"], "ScheduleOSUpdateScan"),
    (&["GlobalRestrictions"], "Restrictions"),
    (&["ProfileRestrictions"], "Restrictions"),
    (&["ApplicationAttributes"], "ManagedApplicationAttributes"),
    (
        &["ApplicationConfigurations"],
        "ManagedApplicationConfiguration",
    ),
    (
        &["ManagedApplicationFeedback"],
        "ManagedApplicationFeedback",
    ),
    (&["ActivationLockBypassCode"], "ActivationLockBypassCode"),
    (&["Latitude", "Longitude"], "DeviceLocation"),
    (&["Books"], "ManagedMediaList"),
    (&["MirroringResult"], "RequestMirroring"),
    (&["InvitationResult"], "InviteToProgram"),
    (&["RotateResult"], "RotateFileVaultKey"),
    (&["SetFirmwarePassword"], "SetFirmwarePassword"),
    (&["VerifyFirmwarePassword"], "VerifyFirmwarePassword"),
    (&["PasswordVerified"], "VerifyRecoveryLock"),
    (&["UnlockToken"], "RequestUnlockToken"),
    (&["LOMProtocolVersion"], "LOMSetupRequest"),
    (
        &["PrimaryIPv6AddressList", "SecondaryIPv6AddressList"],
        "LOMSetupRequest",
    ),
    (&["ResponseList"], "LOMDeviceRequest"),
    // The key as Apple's example spells it.
    (&["ResponseData"], "LOMDeviceRequest"),
    (&["StatusResponse"], "ContentCachingInformation"),
    (&["Users"], "UserList"),
    (&["Settings"], "Settings"),
    (&["MessageResult"], "DeviceLock"),
    (&["MediaType", "State"], "InstallMedia"),
    (&["Identifier", "State"], "InstallApplication"),
    (&["RejectionReason"], "InstallApplication"),
];
