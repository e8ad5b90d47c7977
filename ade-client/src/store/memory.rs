//! The store in memory, for tests and for programs that fetch everything anew when they start.

use std::{
    collections::BTreeMap,
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;

use super::{AdeStore, Changes, Counts, DeviceFilter, Loaded, Reads, Step, StoreError};
use crate::record::{AccountId, AccountRecord, DeviceRecord, ProfileRecord};

/// Keeps everything in memory; clones share it.
#[derive(Debug, Clone, Default)]
pub struct MemoryAdeStore {
    accounts: Arc<Mutex<BTreeMap<AccountId, Entry>>>,
}

#[derive(Debug, Default)]
struct Entry {
    account: Option<AccountRecord>,
    devices: BTreeMap<SerialNumber, DeviceRecord>,
    profiles: BTreeMap<String, ProfileRecord>,
}

impl MemoryAdeStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<AccountId, Entry>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn of<T: Default>(&self, account: &AccountId, read: impl FnOnce(&Entry) -> T) -> T {
        self.lock().get(account).map(read).unwrap_or_default()
    }
}

impl Entry {
    fn load(&self, reads: &Reads) -> Loaded {
        let devices = reads
            .devices
            .iter()
            .filter_map(|serial| self.devices.get_key_value(serial))
            .map(|(serial, device)| (serial.clone(), device.clone()));
        let profiles = reads
            .profiles
            .iter()
            .filter_map(|uuid| self.profiles.get_key_value(uuid))
            .map(|(uuid, profile)| (uuid.clone(), profile.clone()));
        Loaded {
            account: self.account.clone(),
            devices: devices.collect(),
            profiles: profiles.collect(),
            counts: self.counts(reads),
        }
    }

    fn counts(&self, reads: &Reads) -> Counts {
        let mut counts = Counts::default();
        if reads.counts {
            counts.present = self.count(&DeviceFilter::Present);
            counts.profiles = self.profiles.len() as u64;
        }
        if let Some(uuid) = &reads.wanting {
            counts.wanting = self.count(&DeviceFilter::Wanting(uuid.clone()));
        }
        counts
    }

    fn count(&self, filter: &DeviceFilter) -> u64 {
        self.devices.values().filter(|d| filter.takes(d)).count() as u64
    }

    fn apply(&mut self, changes: Changes) {
        if let Some(account) = changes.account {
            self.account = Some(account);
        }
        for device in changes.devices {
            self.devices.insert(device.serial_number.clone(), device);
        }
        for profile in changes.profiles {
            self.profiles.insert(profile.uuid.clone(), profile);
        }
        for serial in &changes.forget_devices {
            self.devices.remove(serial);
        }
        for uuid in &changes.forget_profiles {
            self.profiles.remove(uuid);
        }
    }
}

/// What comes after `after`, or all.
fn from<Q: ?Sized>(after: Option<&Q>) -> (Bound<&Q>, Bound<&Q>) {
    (
        after.map_or(Bound::Unbounded, Bound::Excluded),
        Bound::Unbounded,
    )
}

#[async_trait]
impl AdeStore for MemoryAdeStore {
    async fn commit(&self, account: &AccountId, step: Arc<dyn Step>) -> Result<(), StoreError> {
        let reads = step.reads();
        let mut accounts = self.lock();
        let nothing = Entry::default();
        let loaded = accounts.get(account).unwrap_or(&nothing).load(&reads);
        let Some(changes) = step.decide(loaded) else {
            return Ok(());
        };
        if changes.forget_account {
            accounts.remove(account);
        } else {
            accounts.entry(account.clone()).or_default().apply(changes);
        }
        Ok(())
    }

    async fn account(&self, account: &AccountId) -> Result<Option<AccountRecord>, StoreError> {
        Ok(self.of(account, |entry| entry.account.clone()))
    }

    async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountId>, StoreError> {
        Ok(self
            .lock()
            .range(from(after))
            .filter(|(_, entry)| entry.account.is_some())
            .map(|(id, _)| id.clone())
            .take(limit)
            .collect())
    }

    async fn device(
        &self,
        account: &AccountId,
        serial_number: &SerialNumber,
    ) -> Result<Option<DeviceRecord>, StoreError> {
        Ok(self.of(account, |entry| entry.devices.get(serial_number).cloned()))
    }

    async fn accounts_of(
        &self,
        serial_number: &SerialNumber,
    ) -> Result<Vec<AccountId>, StoreError> {
        Ok(self
            .lock()
            .iter()
            .filter(|(_, entry)| entry.devices.contains_key(serial_number))
            .map(|(id, _)| id.clone())
            .collect())
    }

    async fn devices(
        &self,
        account: &AccountId,
        filter: &DeviceFilter,
        after: Option<&SerialNumber>,
        limit: usize,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        Ok(self.of(account, |entry| {
            entry
                .devices
                .range(from(after))
                .map(|(_, device)| device)
                .filter(|device| filter.takes(device))
                .take(limit)
                .cloned()
                .collect()
        }))
    }

    async fn count(&self, account: &AccountId, filter: &DeviceFilter) -> Result<u64, StoreError> {
        Ok(self.of(account, |entry| entry.count(filter)))
    }

    async fn next_due(&self, account: &AccountId) -> Result<Option<DateTime<Utc>>, StoreError> {
        Ok(self.of(account, |entry| {
            entry.devices.values().filter_map(|device| device.due).min()
        }))
    }

    async fn profiles(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ProfileRecord>, StoreError> {
        Ok(self.of(account, |entry| {
            entry
                .profiles
                .range::<str, _>(from(after))
                .map(|(_, profile)| profile.clone())
                .take(limit)
                .collect()
        }))
    }
}
