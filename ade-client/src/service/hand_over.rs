//! Handing over to enrolment what was prepared for a device before.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;

use super::{AdeService, Refusal};
use crate::{
    Error,
    model::Device,
    record::{AccountId, DeviceRecord, DeviceState, ProfileRecord},
};

/// What was prepared for a device that enrols.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HandOver {
    /// The account that the device is in.
    pub account: AccountId,
    /// The serial number.
    pub serial_number: SerialNumber,
    /// The tags.
    pub tags: BTreeSet<String>,
    /// The user that it is meant for.
    pub user: Option<String>,
    /// The profile that it enrols with, as far as is known: the one that Apple has for it, else the
    /// one that it wants. With it comes the most users of a Shared iPad.
    pub profile: Option<ProfileRecord>,
    /// What Apple told about it.
    pub device: Device,
    /// When it was handed over first.
    pub first: DateTime<Utc>,
}

impl AdeService {
    /// What was prepared for a device that enrols now; none for one that is no account's. Asked
    /// again, as when a device enrols again, it gives the same, and what was changed since.
    ///
    /// Of several accounts that have the device, as while it moves from one to another, the one
    /// counts that it was assigned to last.
    ///
    /// # Errors
    /// [`Error::Store`] if the store fails.
    pub async fn hand_over(&self, device: &SerialNumber) -> Result<Option<HandOver>, Error> {
        let mut candidates = Vec::new();
        for account in self.store().accounts_of(device).await? {
            let record = self.store().device(&account, device).await?;
            if let Some(record) = record.filter(DeviceRecord::is_present) {
                candidates.push((assigned(&record), account));
            }
        }
        candidates.sort();
        for (_, account) in candidates.into_iter().rev() {
            let now = self.inner.clock.now();
            let taken = self
                .change(&account, device, move |record| {
                    if !record.is_present() {
                        return Err(Refusal::Released(record.serial_number.clone()));
                    }
                    let first = *record.handed_over.get_or_insert(now);
                    Ok((record.clone(), first))
                })
                .await;
            match taken {
                Ok((record, first)) => return self.handed(account, record, first).await.map(Some),
                // It left the account just now.
                Err(Error::Refused(_)) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    async fn handed(
        &self,
        account: AccountId,
        record: DeviceRecord,
        first: DateTime<Utc>,
    ) -> Result<HandOver, Error> {
        let has = matches!(record.state, DeviceState::Assigned | DeviceState::Pushed);
        let uuid = record
            .device
            .profile_uuid
            .clone()
            .filter(|_| has)
            .or(record.wanted_profile);
        let profile = match uuid {
            Some(uuid) => match self.profile(&account, &uuid).await {
                Ok(profile) => Some(profile),
                Err(Error::Refused(_)) => None,
                Err(error) => return Err(error),
            },
            None => None,
        };
        Ok(HandOver {
            account,
            serial_number: record.serial_number,
            tags: record.tags,
            user: record.user,
            profile,
            device: record.device,
            first,
        })
    }
}

/// When the device was assigned to the account's server, as far as is known.
fn assigned(
    record: &DeviceRecord,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>, DateTime<Utc>) {
    let date = record.device.device_assigned_date.as_ref();
    (
        date.and_then(|date| date.instant()),
        record.op_date,
        record.first_seen,
    )
}
