//! A store in front of another one, for whoever watches what is written or holds it back.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;

use super::{AdeStore, DeviceFilter, Step, StoreError};
use crate::record::{AccountId, AccountRecord, DeviceRecord, ProfileRecord};

/// What stands before the commits of a store: counts them, tells of them, replicates them, fails them
/// in a test.
#[async_trait]
pub trait CommitLayer: std::fmt::Debug + Send + Sync {
    /// Commits the step to `store`, or does not.
    ///
    /// # Errors
    /// As [`AdeStore::commit`].
    async fn commit(
        &self,
        store: &dyn AdeStore,
        account: &AccountId,
        step: Arc<dyn Step>,
    ) -> Result<(), StoreError>;
}

/// A store whose commits go through a layer; what is read comes from the store itself.
#[derive(Debug, Clone)]
pub struct Layered<S, L> {
    store: S,
    layer: L,
}

impl<S, L> Layered<S, L> {
    /// Puts the layer before the store.
    pub fn new(store: S, layer: L) -> Self {
        Self { store, layer }
    }

    /// The layer.
    pub fn layer(&self) -> &L {
        &self.layer
    }
}

#[async_trait]
impl<S: AdeStore, L: CommitLayer> AdeStore for Layered<S, L> {
    async fn commit(&self, account: &AccountId, step: Arc<dyn Step>) -> Result<(), StoreError> {
        self.layer.commit(&self.store, account, step).await
    }

    async fn account(&self, account: &AccountId) -> Result<Option<AccountRecord>, StoreError> {
        self.store.account(account).await
    }

    async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountId>, StoreError> {
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
