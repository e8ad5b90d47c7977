//! A certificate that is not pinned, and the question whether it is a renewed one.
//!
//! A device that renewed its identity by itself sends no `Authenticate`: its next message, whichever that is,
//! comes with the new certificate. One that was made to install its enrolment profile again does send it.

use mdm_pki::Certificate;

use super::{ATTEMPTS, Inner, answer::Refused, check_in::Asked, known};
use crate::{
    enrollment::decide::{self, Loaded, Refusal, Sender},
    store::CommitError,
};

/// Whether the vendor vouches for the certificate of an `Authenticate` as the renewed one of the device that is known.
///
/// The URLs of an installed profile may not change, and so neither may the invitation in them: who names another than the
/// enrolment knows, or one where it knows none, or none where it knows one, has a profile of its own, as an erased device has.
pub(super) async fn is_vouched_for(
    service: &Inner,
    asked: &Asked<'_>,
    loaded: &Loaded,
) -> Result<bool, Refused> {
    Ok(match &loaded.device {
        Some(known)
            if asked.invitation == known.invitation.as_deref()
                && decide::may_be_renewal(loaded, asked.sender) =>
        {
            service.pins.may_renew(asked.certificate, known).await?
        }
        _ => false,
    })
}

/// Takes a sender whose certificate is pinned, and pins it in the place of the former one if the vendor vouches for it.
/// Afterwards the message is looked at again.
pub(super) async fn admit(
    service: &Inner,
    certificate: &Certificate,
    sender: &Sender,
) -> Result<(), Refused> {
    for _ in 0..ATTEMPTS {
        let loaded = known::load(service, certificate, sender).await?;
        if decide::authorize(&loaded, sender).is_ok() {
            // Another message of the same device was faster, or the pin was of an older form.
            return Ok(());
        }
        let step = decide::renew(&loaded, sender)?;
        let Some(known) = &loaded.device else {
            return Err(Refusal::NotPinned.into());
        };
        if !service.pins.may_renew(certificate, known).await? {
            return Err(Refusal::NotPinned.into());
        }
        match service.store.commit(&sender.id, loaded.version, step).await {
            Ok(()) => {
                tracing::info!(enrollment = %known.id, "identity renewed");
                return Ok(());
            }
            Err(CommitError::Store(error)) => return Err(error.into()),
            // A renewal takes no place and spends nothing: what is left is that somebody was faster.
            Err(_) => {}
        }
    }
    Err(Refused::Contention)
}
