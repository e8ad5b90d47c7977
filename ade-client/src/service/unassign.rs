//! Taking profiles away from devices.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;

use super::{
    AdeService, Refusal,
    wants::{CHUNK, own},
};
use crate::{
    BatchReport, Client, Error,
    model::{DeviceResult, Outcome, ProfileStatus},
    record::{
        AccountId, AttemptOutcome, DeviceRecord, DeviceState, GiveUpStep, Release, ReleaseAttempt,
    },
    store::{Changes, Reads},
};

impl AdeService {
    /// Takes their profile away from devices, whichever it is, with one result for each; named twice,
    /// a device has one. From then on they want none.
    ///
    /// What becomes of a device is recorded before the request and after it. The first request or step
    /// that fails is the last one, its error is in the report: the rest was
    /// [not sent](Outcome::NotSent). Devices of a failed request want no profile, and may have one
    /// still. So may one that is just being given a profile: what Apple has is known with the next
    /// sync.
    ///
    /// Refused, each for the up to 1000 devices that are sent together: [`Refusal::NoDevice`],
    /// [`Refusal::Released`], [`Refusal::GivingUp`].
    pub async fn unassign(&self, account: &AccountId, devices: &[SerialNumber]) -> BatchReport {
        let limit = usize::try_from(self.policy().batch_size).unwrap_or(CHUNK);
        let mut distinct = devices.to_vec();
        distinct.sort();
        distinct.dedup();
        let mut report = BatchReport::default();
        for chunk in distinct.chunks(limit.clamp(1, CHUNK)) {
            let chunk = match report.error {
                Some(_) => not_sent(chunk),
                None => self.unassign_chunk(account, chunk).await,
            };
            report.devices.extend(chunk.devices);
            report.error = report.error.or(chunk.error);
        }
        report
    }

    async fn unassign_chunk(&self, account: &AccountId, chunk: &[SerialNumber]) -> BatchReport {
        let sent = self.inner.clock.now();
        let client = match self.begin_unassign(account, chunk, sent).await {
            Ok(client) => client,
            Err(error) => {
                let mut report = not_sent(chunk);
                report.error = Some(error);
                return report;
            }
        };
        let mut report = client.remove_profile(chunk).await;
        if let Err(error) = self.end_unassign(account, &report.devices, sent).await {
            report.error.get_or_insert(error);
        }
        report
    }

    async fn begin_unassign(
        &self,
        account: &AccountId,
        chunk: &[SerialNumber],
        sent: DateTime<Utc>,
    ) -> Result<Client, Error> {
        let client = self.client(account).await?;
        let serials = chunk.to_vec();
        let reads = Reads::devices(chunk.to_vec());
        self.step(account, reads, move |_, mut loaded| {
            let mut devices = own(&mut loaded, &serials)?;
            for device in &mut devices {
                if let Some(give_up) = &device.give_up
                    && give_up.next != GiveUpStep::Done
                {
                    return Err(Refusal::GivingUp(device.serial_number.clone()));
                }
                device.wanted_profile = None;
                device.release = Some(ReleaseAttempt::new(Release::Unassign, sent));
                device.settle(sent);
            }
            Ok((Changes::devices(devices), ()))
        })
        .await?;
        Ok(client)
    }

    async fn end_unassign(
        &self,
        account: &AccountId,
        results: &[DeviceResult],
        sent: DateTime<Utc>,
    ) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let outcomes: BTreeMap<SerialNumber, AttemptOutcome> = results
            .iter()
            .map(|result| (result.serial_number.clone(), result.outcome.clone().into()))
            .collect();
        let reads = Reads::devices(outcomes.keys().cloned().collect());
        self.step(account, reads, move |_, loaded| {
            let mut devices: Vec<_> = loaded.devices.into_values().collect();
            for device in &mut devices {
                if let Some(outcome) = outcomes.get(&device.serial_number) {
                    record(device, sent, outcome, now);
                    device.settle(now);
                }
            }
            Ok((Changes::devices(devices), ()))
        })
        .await
    }
}

fn not_sent(devices: &[SerialNumber]) -> BatchReport {
    let result = |serial: &SerialNumber| DeviceResult::new(serial.clone(), Outcome::NotSent);
    BatchReport {
        devices: devices.iter().map(result).collect(),
        ..BatchReport::default()
    }
}

/// Writes what became of the request that was sent then, unless another was since.
pub(super) fn record(
    device: &mut DeviceRecord,
    sent: DateTime<Utc>,
    outcome: &AttemptOutcome,
    now: DateTime<Utc>,
) {
    let Some(attempt) = &mut device.release else {
        return;
    };
    if attempt.at != sent || attempt.outcome != AttemptOutcome::Sent {
        return;
    }
    attempt.outcome = outcome.clone();
    let had_profile = matches!(device.state, DeviceState::Assigned | DeviceState::Pushed);
    if attempt.release == Release::Unassign && outcome.is_success() && had_profile {
        device.state = DeviceState::Removed;
        device.device.profile_status = Some(ProfileStatus::Removed);
        device.times.removed = Some(now);
    }
}
