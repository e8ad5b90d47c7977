//! Devices that replace others: Apple is asked which, and they take over what those have.

use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;

use super::{AdeService, worker::Pass};
use crate::{
    Error,
    assign::is_about_all,
    endpoint::GetReplacementDetails,
    record::{AccountId, DeviceRecord, Replacement},
    store::{Changes, DeviceFilter, Reads},
    sync::later,
};

/// How many devices are read at once.
const PAGE: usize = 200;

/// How often Apple is asked before a device is taken for one that replaces none: until it is told
/// apart, it has no profile.
const MOST_FAILURES: u32 = 4;

impl Pass<'_> {
    /// Asks about the replacements that are due, and tells whether Apple may be asked for more.
    pub(super) async fn replacements(&mut self) -> Result<bool, Error> {
        let now = self.now();
        let mut after: Option<SerialNumber> = None;
        let mut asked = false;
        loop {
            let page = self
                .service
                .replacing(&self.held.account, after.as_ref())
                .await?;
            let Some(last) = page.last() else {
                return Ok(true);
            };
            after = Some(last.serial_number.clone());
            for device in page {
                if due(&device).is_none_or(|due| due > now) {
                    continue;
                }
                if asked && self.is_over() {
                    return Ok(true);
                }
                asked = true;
                if !self.replacement(device.serial_number).await? {
                    return Ok(false);
                }
            }
        }
    }

    async fn replacement(&mut self, serial: SerialNumber) -> Result<bool, Error> {
        let request = GetReplacementDetails::new(serial.clone());
        let (original, error) = match self.ask(&request).await {
            Ok(details) => (details.original_device_serial_number, None),
            Err(error) => (None, Some(error)),
        };
        let stops = error.as_ref().is_some_and(is_about_all);
        if let Some(error) = error.as_ref().filter(|_| stops) {
            self.error.get_or_insert_with(|| error.clone());
            self.service.met(&self.held, error).await?;
        }
        let is_answered = error.is_none() || error.as_ref().is_some_and(is_none);
        let reads = Reads::devices(
            [Some(serial.clone()), original.clone()]
                .into_iter()
                .flatten()
                .collect(),
        );
        let now = self.now();
        let again = later(now, self.policy().wait_after_error);
        self.report.replaced += u64::from(is_answered);
        self.service
            .held_step(&self.held, reads, move |record, mut loaded| {
                let Some(mut device) = loaded.devices.remove(&serial) else {
                    return Ok((Changes::default(), ()));
                };
                let Some(Replacement::Pending { failures, .. }) = device.replacement else {
                    return Ok((Changes::default(), ()));
                };
                let original = original.as_ref().filter(|original| **original != serial);
                device.replacement = Some(match original {
                    Some(original) => Replacement::TakenOver {
                        original: original.clone(),
                    },
                    None if is_answered || failures >= MOST_FAILURES => Replacement::None,
                    None => Replacement::Pending {
                        due: again,
                        failures: failures.saturating_add(u32::from(!stops)),
                    },
                });
                if let Some(original) = original.and_then(|serial| loaded.devices.get(serial)) {
                    take_over(&mut device, original, record.default_profile.as_deref());
                }
                device.settle(now);
                Ok((Changes::devices(vec![device]), ()))
            })
            .await?;
        Ok(!stops)
    }
}

impl AdeService {
    /// When the earliest question about a replacement is due.
    pub(super) async fn replacement_due(
        &self,
        account: &AccountId,
    ) -> Result<Option<DateTime<Utc>>, Error> {
        let mut earliest: Option<DateTime<Utc>> = None;
        let mut after: Option<SerialNumber> = None;
        loop {
            let page = self.replacing(account, after.as_ref()).await?;
            let Some(last) = page.last() else {
                return Ok(earliest);
            };
            after = Some(last.serial_number.clone());
            earliest = page.iter().filter_map(due).chain(earliest).min();
        }
    }

    async fn replacing(
        &self,
        account: &AccountId,
        after: Option<&SerialNumber>,
    ) -> Result<Vec<DeviceRecord>, Error> {
        let filter = DeviceFilter::Replacing;
        Ok(self.store().devices(account, &filter, after, PAGE).await?)
    }
}

fn due(device: &DeviceRecord) -> Option<DateTime<Utc>> {
    match device.replacement {
        Some(Replacement::Pending { due, .. }) if device.is_present() => Some(due),
        _ => None,
    }
}

/// What the new device was given already stays; the default profile is what every new one gets.
fn take_over(device: &mut DeviceRecord, original: &DeviceRecord, default_profile: Option<&str>) {
    let wanted = device.wanted_profile.as_deref();
    if original.wanted_profile.is_some() && (wanted.is_none() || wanted == default_profile) {
        device.wanted_profile.clone_from(&original.wanted_profile);
    }
    if device.tags.is_empty() {
        device.tags.clone_from(&original.tags);
    }
    if device.user.is_none() {
        device.user.clone_from(&original.user);
    }
}

/// Whether Apple says that the device replaces none: known as 404 and as 400.
fn is_none(error: &Error) -> bool {
    error
        .api()
        .is_some_and(|error| matches!(error.status.as_u16(), 400 | 404))
}
