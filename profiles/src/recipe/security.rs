//! Passcodes and FileVault.

use crate::{
    builder::{PayloadRef, ProfileBuilder},
    error::Error,
    payload::{
        FdeFileVault, FdeFileVaultOptions, FdeRecoveryKeyEscrow, Passcode, fde_filevault::Enable,
    },
};

/// Six characters and more, none as simple as 123456, ten tries, locked after five minutes.
pub fn passcode() -> Passcode {
    Passcode::new().with(|passcode| {
        passcode.force_pin = Some(true);
        passcode.allow_simple = Some(false);
        passcode.min_length = Some(6);
        passcode.max_failed_attempts = Some(10);
        passcode.max_inactivity = Some(5);
    })
}

/// FileVault, and where the recovery key goes.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FileVault {
    /// What the user is told about where the key is kept.
    pub location: String,
    /// Whether Setup Assistant turns it on already; macOS 14 and later.
    pub in_setup_assistant: bool,
    /// How often a user may put it off at login. Default: never.
    pub bypass_attempts: i64,
}

impl FileVault {
    /// Turned on at the next login.
    pub fn new(location: impl Into<String>) -> Self {
        Self {
            location: location.into(),
            in_setup_assistant: false,
            bypass_attempts: 0,
        }
    }

    /// Sets optional parts.
    #[must_use]
    pub fn with(mut self, set: impl FnOnce(&mut Self)) -> Self {
        set(&mut self);
        self
    }
}

/// Adds the three payloads that turn FileVault on, keep it on, and send the recovery key to the
/// server, encrypted to `certificate`.
///
/// # Errors
/// See [`ProfileBuilder::add`].
pub fn file_vault(
    profile: &mut ProfileBuilder,
    certificate: &PayloadRef,
    settings: &FileVault,
) -> Result<(), Error> {
    let escrow = FdeRecoveryKeyEscrow::new(settings.location.as_str(), certificate);
    profile.add("filevault.escrow", &escrow)?;
    let on = FdeFileVault::new(Enable::On).with(|on| {
        on.defer = Some(true);
        on.use_recovery_key = Some(true);
        on.show_recovery_key = Some(false);
        on.defer_force_at_user_login_max_bypass_attempts = Some(settings.bypass_attempts);
        on.force_enable_in_setup_assistant = settings.in_setup_assistant.then_some(true);
    });
    profile.add("filevault", &on)?;
    let stays =
        FdeFileVaultOptions::new().with(|options| options.dont_allow_fde_disable = Some(true));
    profile.add("filevault.options", &stays)?;
    Ok(())
}
