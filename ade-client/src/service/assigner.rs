//! Gives devices the profiles that they lack: driven by what is due, whatever made it so.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;

use super::{
    trouble::{self, retry_after},
    worker::Pass,
};
use crate::{
    Error,
    assign::{Batch, Batches, Verdicts, attempt, is_about_account, is_about_devices},
    endpoint::AssignProfile,
    model::ResponseStatus,
    record::{AttemptOutcome, KnownAccount, TroubleKind},
    store::{Changes, DeviceFilter, Reads},
    sync::later,
};

/// How many due devices are read at once.
const PAGE: usize = 1000;

/// How often one batch is split that Apple refuses as a whole: enough to find two devices among a
/// thousand.
const MOST_SPLITS: u32 = 20;

impl Pass<'_> {
    /// Sends what is due now, until the time is over or Apple does not let it.
    pub(super) async fn assign(&mut self, known: Option<&KnownAccount>) -> Result<(), Error> {
        let filter = DeviceFilter::Due(self.now());
        let mut batches = Batches::new(self.batch_size(known, "/profile/devices"));
        let mut unknown: BTreeMap<String, Error> = BTreeMap::new();
        let mut after: Option<SerialNumber> = None;
        loop {
            let due = self
                .service
                .store()
                .devices(&self.held.account, &filter, after.as_ref(), PAGE)
                .await?;
            let Some(last) = due.last() else {
                break;
            };
            after = Some(last.serial_number.clone());
            for device in &due {
                let Some(profile) = device.lacks() else {
                    continue;
                };
                if let Some(batch) = batches.push(profile, device.serial_number.clone())
                    && !self.send(batch, &mut unknown).await?
                {
                    return Ok(());
                }
            }
        }
        while let Some(batch) = batches.largest() {
            if !self.send(batch, &mut unknown).await? {
                return Ok(());
            }
        }
        match unknown.is_empty() {
            true => self.profiles_are_known().await,
            false => Ok(()),
        }
    }

    /// Whatever was due is done, and Apple knew its profile. A device that wants one which Apple did not
    /// know is due again by then, so nobody wants one any more.
    async fn profiles_are_known(&self) -> Result<(), Error> {
        let is_over = |kind: &TroubleKind| *kind == TroubleKind::ProfileNotFound;
        let account = self.service.account(&self.held.account).await?;
        let due = account
            .trouble
            .filter(|trouble| is_over(&trouble.kind))
            .map(|trouble| later(trouble.last, self.policy().cool_down));
        if due.is_none_or(|due| due > self.now()) {
            return Ok(());
        }
        self.service
            .held_step(&self.held, Reads::account(), move |record, _| {
                trouble::clear(record, is_over);
                Ok((Changes::default(), ()))
            })
            .await
    }

    /// Sends one batch, and tells whether to go on. Profiles that Apple does not know are asked for
    /// once.
    async fn send(
        &mut self,
        batch: Batch,
        unknown: &mut BTreeMap<String, Error>,
    ) -> Result<bool, Error> {
        if self.report.assigned.requests > 0 && self.is_over() {
            return Ok(false);
        }
        let sent = self.now();
        let devices = self.begin(&batch, sent).await?;
        if devices.is_empty() {
            return Ok(true);
        }
        let mut request = AssignProfile::new(batch.profile_uuid.as_str(), devices);
        request.method = self.policy().assign_method;
        if let Some(error) = unknown.get(&request.profile_uuid) {
            let verdicts = Verdicts::unknown(&request, sent);
            self.finish(verdicts, Some(error.clone())).await?;
            return Ok(true);
        }
        match self.send_parts(request, sent).await? {
            Some(error) if error.is_profile_not_found() => {
                unknown.insert(batch.profile_uuid, error);
                Ok(true)
            }
            failed => Ok(!failed.as_ref().is_some_and(is_about_account)),
        }
    }

    /// Sends one request, and gives the last error. One that Apple refuses as a whole is sent in halves:
    /// a device that it cannot stand keeps no other from its profile.
    async fn send_parts(
        &mut self,
        request: AssignProfile,
        sent: DateTime<Utc>,
    ) -> Result<Option<Error>, Error> {
        let mut parts = vec![request];
        let mut splits = 0;
        let mut failed: Option<Error> = None;
        while let Some(request) = parts.pop() {
            let answer = match &failed {
                Some(error) if is_about_account(error) || self.is_over() => Err(error.clone()),
                _ => {
                    self.report.assigned.requests += 1;
                    self.ask(&request).await
                }
            };
            match answer {
                Ok(answer) => {
                    let verdicts = Verdicts::answered(&request, sent, answer);
                    self.finish(verdicts, None).await?;
                }
                Err(error)
                    if is_about_devices(&error)
                        && request.devices.len() > 1
                        && splits < MOST_SPLITS
                        && !self.is_over() =>
                {
                    splits += 1;
                    parts.extend(halves(request));
                    failed = Some(error);
                }
                Err(error) => {
                    tracing::debug!(account = %self.held.account, %error, "assigning failed");
                    let asked = retry_after(&error, self.policy(), self.now());
                    let verdicts = Verdicts::failed(&request, sent, &error, asked);
                    self.error.get_or_insert_with(|| error.clone());
                    self.finish(verdicts, Some(error.clone())).await?;
                    failed = Some(error);
                }
            }
        }
        Ok(failed)
    }

    /// Writes the attempts, and gives the devices that are still due.
    async fn begin(&self, batch: &Batch, sent: DateTime<Utc>) -> Result<Vec<SerialNumber>, Error> {
        let reads = Reads::devices(batch.devices.clone());
        let profile = batch.profile_uuid.clone();
        let policy = self.policy().clone();
        self.service
            .held_step(&self.held, reads, move |_, loaded| {
                let mut due: Vec<_> = loaded.devices.into_values().collect();
                due.retain_mut(|device| attempt(device, &profile, sent, &policy));
                let serials = due.iter().map(|device| device.serial_number.clone());
                let serials = serials.collect();
                Ok((Changes::devices(due), serials))
            })
            .await
    }

    /// Writes what became of the attempts; a lease lost meanwhile does not make that untrue.
    async fn finish(&mut self, verdicts: Verdicts, error: Option<Error>) -> Result<(), Error> {
        for outcome in verdicts.devices.values() {
            let counts = &mut self.report.assigned;
            *match outcome {
                AttemptOutcome::Answered(ResponseStatus::Success) => &mut counts.assigned,
                AttemptOutcome::Answered(ResponseStatus::Throttled) => &mut counts.throttled,
                AttemptOutcome::Failed(_) | AttemptOutcome::NotSent => &mut counts.failed,
                _ => &mut counts.refused,
            } += 1;
        }
        let reads = Reads::devices(verdicts.devices.keys().cloned().collect());
        let (policy, now) = (self.policy().clone(), self.now());
        self.service
            .last_step(&self.held, reads, move |record, loaded, is_lost| {
                let mut devices: Vec<_> = loaded.devices.into_values().collect();
                devices.retain_mut(|device| verdicts.apply(device, is_lost, now, &policy));
                match &error {
                    None => trouble::clear(record, |kind| {
                        !matches!(
                            kind,
                            TroubleKind::ProfileNotFound
                                | TroubleKind::RepeatedCursor
                                | TroubleKind::AccessDenied
                                | TroubleKind::Unexpected
                        )
                    }),
                    Some(error) => {
                        trouble::meet(record, error, now);
                        if is_about_account(error) {
                            let wait = retry_after(error, &policy, now);
                            let wait = wait.unwrap_or(policy.wait_after_error);
                            record.sync.not_before = Some(later(now, wait));
                        }
                    }
                }
                Changes::devices(devices)
            })
            .await
    }
}

/// The same request for one half of the devices each.
fn halves(mut request: AssignProfile) -> [AssignProfile; 2] {
    let mut other = request.clone();
    other.devices = request.devices.split_off(request.devices.len() / 2);
    [other, request]
}
