//! A certificate that is not pinned, and the question whether it is a renewed one.
//!
//! A device that renewed its identity by itself sends no `Authenticate`: its next message, whichever that is,
//! comes with the new certificate. One that was made to install its enrolment profile again does send it.

use chrono::{DateTime, Utc};
use mdm_pki::Certificate;

use super::{ATTEMPTS, Inner, answer::Refused, known};
use crate::{
    enrollment::decide::{self, Loaded, Refusal, Sender},
    queue::{CommandFilter, Sequence},
    store::CommitError,
};

/// Whether the vendor vouches for the certificate of an `Authenticate` as the renewed one of the device that is known.
pub(super) async fn is_vouched_for(
    service: &Inner,
    certificate: &Certificate,
    sender: &Sender,
    loaded: &Loaded,
) -> Result<bool, Refused> {
    Ok(match &loaded.device {
        Some(known) if decide::may_be_renewal(loaded, sender) => {
            service.pins.may_renew(certificate, known).await?
        }
        _ => false,
    })
}

/// Takes back each `EraseDevice` that was queued before the device began with `Authenticate`. It may be what erased the
/// device, its answer lost; offered again it would erase what enrols now. Before the device hears that its message was taken, so
/// that a failure has it come again.
pub(super) async fn take_back_erasures(
    service: &Inner,
    sender: &Sender,
    began: DateTime<Utc>,
) -> Result<(), Refused> {
    const PAGE: usize = 100;
    let filter = CommandFilter::new().with(|filter| {
        filter.waiting = Some(true);
        filter.request_type = Some("EraseDevice".to_owned());
    });
    let mut after = Sequence::START;
    loop {
        let id = &sender.id;
        let page = service.store.commands(id, &filter, after, PAGE).await?;
        for erasure in page.iter().filter(|erasure| erasure.command.at <= began) {
            let uuid = &erasure.command.command_uuid;
            service.store.cancel(id, uuid, sender.at).await?;
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = last.sequence,
            _ => return Ok(()),
        }
    }
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
