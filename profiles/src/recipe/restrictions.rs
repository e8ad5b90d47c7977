//! Restrictions that hardly anybody objects to.

use crate::payload::Restrictions;

/// Encrypted backups, no certificates that a user accepts by hand, managed documents that stay with
/// managed apps, no fraud unwarned.
///
/// None of them needs supervision.
pub fn restrictions() -> Restrictions {
    Restrictions::new().with(|restrictions| {
        restrictions.force_encrypted_backup = Some(true);
        restrictions.allow_untrusted_tls_prompt = Some(false);
        restrictions.allow_open_from_managed_to_unmanaged = Some(false);
        restrictions.safari_force_fraud_warning = Some(true);
    })
}
