//! What is known of a sender, also where its pin is of an older form, and what of a step is known already.

use mdm_pki::Certificate;
use mdm_protocol::EnrollmentId;

use super::{ATTEMPTS, Inner, answer::Refused};
use crate::{
    EscrowEntry, Fingerprint, IdentityError, StoreError, StoreErrorKind,
    enrollment::decide::{Loaded, Sender, Step, Version},
    store::CommitError,
};

/// With how many entries of its kind, the newest, a secret is compared before it is kept.
const COMPARED: usize = 16;

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

/// Commits a step without the secrets that are in escrow already: a device that deposits the same few tokens in turn fills no
/// database. Nothing in escrow is ever removed, so what was found there stays.
pub(super) async fn commit(
    service: &Inner,
    id: &EnrollmentId,
    version: Version,
    mut step: Step,
) -> Result<(), CommitError> {
    for entry in std::mem::take(&mut step.escrow) {
        if !is_kept(service, &entry, COMPARED).await? {
            step.escrow.push(entry);
        }
    }
    service.store.commit(id, version, step).await
}

/// Whether a secret is among so many of its kind, the newest. Where one of these cannot be opened it is not: to keep a secret
/// twice loses nothing.
pub(super) async fn is_kept(
    service: &Inner,
    entry: &EscrowEntry,
    among: usize,
) -> Result<bool, StoreError> {
    let (id, kind) = (&entry.device, Some(&entry.kind));
    match service.store.escrowed(id, kind, among).await {
        Ok(newest) => Ok(newest.iter().any(|kept| kept.value == entry.value)),
        Err(error) if error.kind() == StoreErrorKind::Corrupt => Ok(false),
        Err(error) => Err(error),
    }
}
