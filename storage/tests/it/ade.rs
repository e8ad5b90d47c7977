//! The store of `ade-client`: pages of devices and the cursor behind them.

use std::{fmt, sync::Arc};

use ade_client::{
    AdeStore, StoreError,
    model::Cursor,
    record::{AccountId, AccountRecord, DeviceRecord},
    store::{Changes, Loaded, Reads, Step},
};
use chrono::DateTime;
use mdm_core::SerialNumber;
use mdm_storage::SqliteStore;

mod contract;
mod faults;
mod kill;
mod migration;

pub(crate) fn acme() -> AccountId {
    AccountId::new("acme").unwrap()
}

pub(crate) fn serial(page: usize, n: usize) -> SerialNumber {
    SerialNumber::new(format!("C02{page:05}{n:04}")).unwrap()
}

/// Takes page `page` and the cursor behind it.
struct TakePage {
    page: usize,
    devices: usize,
    /// What each device carries.
    tag: String,
}

impl fmt::Debug for TakePage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TakePage")
    }
}

impl Step for TakePage {
    fn reads(&self) -> Reads {
        Reads::devices((0..self.devices).map(|n| serial(self.page, n)).collect())
    }

    fn decide(&self, loaded: Loaded) -> Option<Changes> {
        let mut account = loaded.account.unwrap_or_else(|| AccountRecord::new(acme()));
        account.sync.taken += self.devices as u64;
        account.sync.cursor = Some(Cursor::new(format!("behind {}", self.page)));
        let devices = (0..self.devices).map(|n| {
            let mut device = DeviceRecord::new(serial(self.page, n), DateTime::UNIX_EPOCH);
            device.sweep = self.page as u64;
            device.tags.insert(self.tag.clone());
            device
        });
        Some(Changes::account(account).with(|changes| changes.devices = devices.collect()))
    }
}

pub(crate) async fn take_page(
    store: &SqliteStore,
    page: usize,
    devices: usize,
    tag: &str,
) -> Result<(), StoreError> {
    let step = TakePage {
        page,
        devices,
        tag: tag.to_owned(),
    };
    store.commit(&acme(), Arc::new(step)).await
}

/// The cursor, the number of devices that were counted, and that of devices that are there.
pub(crate) async fn stands(store: &SqliteStore) -> (Option<String>, u64, u64) {
    let filter = ade_client::store::DeviceFilter::All;
    let found = store.count(&acme(), &filter).await.unwrap();
    let account = store.account(&acme()).await.unwrap();
    let sync = account.map(|account| account.sync).unwrap_or_default();
    let cursor = sync.cursor.map(|cursor| cursor.as_str().to_owned());
    (cursor, sync.taken, found)
}
