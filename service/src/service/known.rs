//! What is known of a sender, also where its pin is of an older form.

use mdm_pki::Certificate;

use super::{ATTEMPTS, Inner, answer::Refused};
use crate::{
    Fingerprint, IdentityError,
    enrollment::decide::{Loaded, Sender, Step},
    store::CommitError,
};

/// Loads what is known of the sender and its certificate.
///
/// Pins were taken of the whole certificate once, with the issuer's signature. Such a pin goes on to work, and is brought up to
/// date where the device is met that has it.
pub(super) async fn load(
    service: &Inner,
    certificate: &Certificate,
    sender: &Sender,
) -> Result<Loaded, Refused> {
    let store = &service.store;
    for _ in 0..ATTEMPTS {
        let loaded = store.load(&sender.id, &sender.certificate).await?;
        if loaded.certificate_owner.is_some() {
            return Ok(loaded);
        }
        let former = Fingerprint::of_whole(certificate).map_err(IdentityError::unusable)?;
        let found = store.load(&sender.id, &former).await?;
        if found.certificate_owner.is_none() {
            return Ok(loaded);
        }
        let mut known = found.device.clone();
        let Some(device) = known
            .as_mut()
            .filter(|device| device.certificate == Some(former))
        else {
            return Ok(found);
        };
        device.certificate = Some(sender.certificate);
        if let Some(token) = &mut device.bootstrap_token
            && token.certificate == former
        {
            token.certificate = sender.certificate;
        }
        let mut step = Step::new(sender.at);
        step.device = known;
        // Any other error says that another message of the device was faster.
        if let Err(CommitError::Store(error)) = store.commit(&sender.id, found.version, step).await
        {
            return Err(error.into());
        }
    }
    Err(Refused::Contention)
}
