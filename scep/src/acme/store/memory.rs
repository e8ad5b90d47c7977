//! The store without a database: for tests, examples and a process that may forget.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{
    AccountId, AccountRecord, AccountWritten, AcmeStore, Kept, NonceId, OrderCommitted, OrderId,
    OrderInserted, OrderRecord, Version,
};
use crate::{
    acme::{ari::CertId, jwk::Thumbprint},
    store::StoreError,
};

/// How much a [`MemoryAcmeStore`] keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreLimits {
    /// The most accounts: 100,000 unless changed.
    pub accounts: usize,
    /// The most orders: 100,000 unless changed.
    pub orders: usize,
    /// The most nonces that were spent and have not expired: 100,000 unless changed.
    pub nonces: usize,
    /// The most attested keys, which are never forgotten: 1,000,000 unless changed.
    pub keys: usize,
}

impl StoreLimits {
    /// These limits with changes.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }
}

impl Default for StoreLimits {
    fn default() -> Self {
        Self {
            accounts: 100_000,
            orders: 100_000,
            nonces: 100_000,
            keys: 1_000_000,
        }
    }
}

/// Keeps everything in memory, within [`StoreLimits`].
#[derive(Debug, Default)]
pub struct MemoryAcmeStore {
    limits: StoreLimits,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    version: u64,
    accounts: HashMap<AccountId, Kept<AccountRecord>>,
    keys: HashMap<Thumbprint, AccountId>,
    externals: HashMap<String, AccountId>,
    orders: HashMap<OrderId, Kept<OrderRecord>>,
    /// The orders of each account, the oldest first.
    orders_of: HashMap<AccountId, Vec<OrderId>>,
    replacements: HashMap<CertId, OrderId>,
    certificates: HashMap<Vec<u8>, OrderId>,
    attested: HashMap<[u8; 32], OrderId>,
    nonces: HashMap<NonceId, DateTime<Utc>>,
}

impl MemoryAcmeStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty store of these limits.
    pub fn with_limits(limits: StoreLimits) -> Self {
        Self {
            limits,
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn room(kept: usize, limit: usize) -> Result<(), StoreError> {
    match kept < limit {
        true => Ok(()),
        false => Err(StoreError::Full { limit }),
    }
}

impl State {
    fn next_version(&mut self) -> Version {
        self.version += 1;
        Version(self.version)
    }

    /// Whether another account has what this one must have alone.
    fn taken(&self, id: &AccountId, record: &AccountRecord) -> Option<AccountWritten> {
        let other = |found: &&AccountId| *found != id;
        if let Some(owner) = self.keys.get(&record.key.thumbprint()).filter(other) {
            return Some(AccountWritten::KeyTaken(*owner));
        }
        let external = record.external.as_ref()?;
        self.externals
            .get(external)
            .filter(other)
            .map(|_| AccountWritten::ExternalTaken)
    }

    fn write_account(&mut self, id: AccountId, record: AccountRecord) {
        self.keys.insert(record.key.thumbprint(), id);
        if let Some(external) = &record.external {
            self.externals.insert(external.clone(), id);
        }
        let version = self.next_version();
        self.accounts.insert(id, Kept::new(record, version));
    }

    fn open_orders(&self, account: &AccountId, now: DateTime<Utc>) -> usize {
        let ids = self.orders_of.get(account).into_iter().flatten();
        ids.filter_map(|id| self.orders.get(id))
            .filter(|order| order.record.is_open(now))
            .count()
    }
}

#[async_trait]
impl AcmeStore for MemoryAcmeStore {
    async fn insert_account(
        &self,
        id: AccountId,
        record: AccountRecord,
    ) -> Result<AccountWritten, StoreError> {
        let mut state = self.state();
        if let Some(taken) = state.taken(&id, &record) {
            return Ok(taken);
        }
        if state.accounts.contains_key(&id) {
            return Ok(AccountWritten::Conflict);
        }
        room(state.accounts.len(), self.limits.accounts)?;
        state.write_account(id, record);
        Ok(AccountWritten::Written)
    }

    async fn account(&self, id: &AccountId) -> Result<Option<Kept<AccountRecord>>, StoreError> {
        Ok(self.state().accounts.get(id).cloned())
    }

    async fn account_of_key(&self, key: &Thumbprint) -> Result<Option<AccountId>, StoreError> {
        Ok(self.state().keys.get(key).copied())
    }

    async fn update_account(
        &self,
        id: &AccountId,
        version: Version,
        record: AccountRecord,
    ) -> Result<AccountWritten, StoreError> {
        let mut state = self.state();
        let Some(old) = state.accounts.get(id).filter(|old| old.version == version) else {
            return Ok(AccountWritten::Conflict);
        };
        let old_key = old.record.key.thumbprint();
        if let Some(taken) = state.taken(id, &record) {
            return Ok(taken);
        }
        state.keys.remove(&old_key);
        state.write_account(*id, record);
        Ok(AccountWritten::Written)
    }

    async fn insert_order(
        &self,
        id: OrderId,
        record: OrderRecord,
        open: usize,
    ) -> Result<OrderInserted, StoreError> {
        let mut state = self.state();
        let now = record.created_at;
        if state.open_orders(&record.account, now) >= open {
            return Ok(OrderInserted::TooManyOpen);
        }
        if let Some(replaces) = &record.replaces {
            let earlier = state.replacements.get(replaces);
            let earlier = earlier.and_then(|earlier| state.orders.get(earlier));
            if earlier.is_some_and(|earlier| !earlier.record.has_failed(now)) {
                return Ok(OrderInserted::Replaced);
            }
        }
        if state.orders.contains_key(&id) {
            return Err(StoreError::Exists);
        }
        room(state.orders.len(), self.limits.orders)?;
        if let Some(replaces) = &record.replaces {
            state.replacements.insert(replaces.clone(), id);
        }
        state.orders_of.entry(record.account).or_default().push(id);
        let version = state.next_version();
        state.orders.insert(id, Kept::new(record, version));
        Ok(OrderInserted::Inserted)
    }

    async fn order(&self, id: &OrderId) -> Result<Option<Kept<OrderRecord>>, StoreError> {
        Ok(self.state().orders.get(id).cloned())
    }

    async fn commit_order(
        &self,
        id: &OrderId,
        version: Version,
        record: OrderRecord,
    ) -> Result<OrderCommitted, StoreError> {
        let mut state = self.state();
        if !state
            .orders
            .get(id)
            .is_some_and(|old| old.version == version)
        {
            return Ok(OrderCommitted::Conflict);
        }
        let mut fresh = Vec::new();
        for key in record.attested_keys() {
            match state.attested.get(&key) {
                Some(owner) if owner != id => return Ok(OrderCommitted::KeyUsed),
                Some(_) => {}
                None => fresh.push(key),
            }
        }
        if !fresh.is_empty() {
            room(state.attested.len() + fresh.len() - 1, self.limits.keys)?;
        }
        state
            .attested
            .extend(fresh.into_iter().map(|key| (key, *id)));
        if let Some(serial) = record.serial() {
            state.certificates.insert(serial.to_vec(), *id);
        }
        let version = state.next_version();
        state.orders.insert(*id, Kept::new(record, version));
        Ok(OrderCommitted::Committed(version))
    }

    async fn orders(
        &self,
        account: &AccountId,
        before: Option<&OrderId>,
        limit: usize,
    ) -> Result<Vec<(OrderId, OrderRecord)>, StoreError> {
        let state = self.state();
        let Some(ids) = state.orders_of.get(account) else {
            return Ok(Vec::new());
        };
        let end = match before {
            None => ids.len(),
            // Whoever names an order that is gone has seen all that are newer.
            Some(before) => ids.iter().position(|id| id == before).unwrap_or(0),
        };
        let older = ids.iter().take(end).rev().take(limit);
        Ok(older
            .filter_map(|id| Some((*id, state.orders.get(id)?.record.clone())))
            .collect())
    }

    async fn order_of_certificate(&self, serial: &[u8]) -> Result<Option<OrderId>, StoreError> {
        Ok(self.state().certificates.get(serial).copied())
    }

    async fn spend_nonce(
        &self,
        nonce: NonceId,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.nonces.contains_key(&nonce) {
            return Ok(false);
        }
        room(state.nonces.len(), self.limits.nonces)?;
        state.nonces.insert(nonce, expires_at);
        Ok(true)
    }

    async fn forget(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut state = self.state();
        let State {
            orders,
            orders_of,
            replacements,
            certificates,
            nonces,
            ..
        } = &mut *state;
        let before = nonces.len() + orders.len();
        nonces.retain(|_, expires_at| *expires_at >= now);
        orders.retain(|_, order| order.record.keep_until() >= now);
        let forgotten = before - nonces.len() - orders.len();
        if forgotten > 0 {
            orders_of.retain(|_, ids| {
                ids.retain(|id| orders.contains_key(id));
                !ids.is_empty()
            });
            replacements.retain(|_, id| orders.contains_key(id));
            certificates.retain(|_, id| orders.contains_key(id));
        }
        Ok(forgotten)
    }
}
