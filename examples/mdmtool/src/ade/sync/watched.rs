//! A store that tells what each step changed, once it is written.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use ade_client::{
    AdeStore, StoreError,
    record::{AccountId, AccountRecord, DeviceRecord, ProfileRecord},
    store::{Changes, DeviceFilter, Loaded, Reads, Step},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;
use mdm_storage::sqlite::SqliteStore;
use tokio::sync::{Mutex as AsyncMutex, MutexGuard, mpsc::UnboundedSender};

use super::changes::{self, Change};

#[derive(Debug)]
pub(super) struct Watched {
    store: SqliteStore,
    changes: UnboundedSender<Change>,
    /// Held by the step that runs.
    running: AsyncMutex<()>,
}

impl Watched {
    pub(super) fn new(store: SqliteStore, changes: UnboundedSender<Change>) -> Self {
        Self {
            store,
            changes,
            running: AsyncMutex::new(()),
        }
    }

    /// Waits until no step runs; as long as what comes back is held, none begins.
    pub(super) async fn idle(&self) -> MutexGuard<'_, ()> {
        self.running.lock().await
    }
}

/// A step, and what its last decision changes.
#[derive(Debug)]
struct Seen {
    step: Arc<dyn Step>,
    changes: Mutex<Vec<Change>>,
}

impl Seen {
    fn set(&self, changes: Vec<Change>) -> Vec<Change> {
        let mut seen = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut seen, changes)
    }
}

impl Step for Seen {
    fn reads(&self) -> Reads {
        self.step.reads()
    }

    fn decide(&self, loaded: Loaded) -> Option<Changes> {
        let before: BTreeMap<_, _> = loaded.devices.clone();
        let changes = self.step.decide(loaded);
        self.set(
            changes
                .as_ref()
                .map_or_else(Vec::new, |changes| changes::of(&before, changes)),
        );
        changes
    }
}

#[async_trait]
impl AdeStore for Watched {
    async fn commit(&self, account: &AccountId, step: Arc<dyn Step>) -> Result<(), StoreError> {
        let _running = self.running.lock().await;
        let seen = Arc::new(Seen {
            step,
            changes: Mutex::default(),
        });
        self.store
            .commit(account, Arc::clone(&seen) as Arc<dyn Step>)
            .await?;
        for change in seen.set(Vec::new()) {
            // Nobody listens any more once the command has ended.
            let _ = self.changes.send(change);
        }
        Ok(())
    }

    async fn account(&self, account: &AccountId) -> Result<Option<AccountRecord>, StoreError> {
        self.store.account(account).await
    }

    async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountRecord>, StoreError> {
        self.store.accounts(after, limit).await
    }

    async fn device(
        &self,
        account: &AccountId,
        serial_number: &SerialNumber,
    ) -> Result<Option<DeviceRecord>, StoreError> {
        self.store.device(account, serial_number).await
    }

    async fn accounts_of(
        &self,
        serial_number: &SerialNumber,
    ) -> Result<Vec<AccountId>, StoreError> {
        self.store.accounts_of(serial_number).await
    }

    async fn devices(
        &self,
        account: &AccountId,
        filter: &DeviceFilter,
        after: Option<&SerialNumber>,
        limit: usize,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        self.store.devices(account, filter, after, limit).await
    }

    async fn count(&self, account: &AccountId, filter: &DeviceFilter) -> Result<u64, StoreError> {
        self.store.count(account, filter).await
    }

    async fn next_due(&self, account: &AccountId) -> Result<Option<DateTime<Utc>>, StoreError> {
        self.store.next_due(account).await
    }

    async fn profiles(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ProfileRecord>, StoreError> {
        self.store.profiles(account, after, limit).await
    }
}
