//! What opens a device when its user cannot: kept for good, and never overwritten.

use chrono::{DateTime, Utc};
use mdm_core::{Secret, open_enum};
use mdm_protocol::EnrollmentId;

/// One secret of a device, as it was handed over.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EscrowEntry {
    /// Whose it is: the device's, or one of its users'.
    pub device: EnrollmentId,
    /// What it opens.
    pub kind: EscrowKind,
    /// The secret.
    pub value: Secret<Vec<u8>>,
    /// When it was handed over.
    pub at: DateTime<Utc>,
    /// The `CommandUUID` of the command that it came with, if it came with one.
    pub source: Option<String>,
}

impl EscrowEntry {
    /// A secret of `device`.
    pub fn new(
        device: EnrollmentId,
        kind: EscrowKind,
        value: Secret<Vec<u8>>,
        at: DateTime<Utc>,
    ) -> Self {
        Self {
            device,
            kind,
            value,
            at,
            source: None,
        }
    }

    /// The entry after `edit`.
    #[must_use]
    pub fn with(mut self, edit: impl FnOnce(&mut Self)) -> Self {
        edit(&mut self);
        self
    }
}

open_enum! {
    /// What an escrowed secret opens.
    pub enum EscrowKind {
        /// The personal recovery key of FileVault.
        FileVaultRecoveryKey = "filevault-recovery-key",
        /// The same as the Mac deposited it, a CMS message that could not be opened here.
        EncryptedFileVaultRecoveryKey = "encrypted-filevault-recovery-key",
        /// The code that lifts an activation lock.
        ActivationLockBypassCode = "activation-lock-bypass-code",
        /// The password that opens recoveryOS on a Mac with Apple silicon.
        RecoveryLockPassword = "recovery-lock-password",
        /// The firmware password of a Mac with an Intel processor.
        FirmwarePassword = "firmware-password",
        /// The PIN that a locked or erased device was given.
        DeviceLockPin = "device-lock-pin",
        /// The password of an administrator account that the server made.
        AdminPassword = "admin-password",
        /// A bootstrap token.
        BootstrapToken = "bootstrap-token",
        /// An unlock token.
        UnlockToken = "unlock-token",
    }
}
