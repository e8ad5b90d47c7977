//! The store without a database: for tests, examples and a process that may forget.

use std::{
    collections::{BTreeSet, HashMap},
    ops::Bound,
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
    /// The most nonces that were spent and have not expired: 100,000 unless changed, which is enough for 23 requests a
    /// second. Beyond it those that expire first are forgotten, and what expires no later counts as spent from then on:
    /// nonces live less long, and clients whose nonce was refused for it come again with the fresh one that they got.
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
    /// Those of them that may be open, by the time at which they are so no longer.
    open_of: HashMap<AccountId, BTreeSet<(DateTime<Utc>, OrderId)>>,
    replacements: HashMap<CertId, OrderId>,
    certificates: HashMap<Vec<u8>, OrderId>,
    attested: HashMap<[u8; 32], OrderId>,
    nonces: SpentNonces,
}

#[derive(Debug, Default)]
struct SpentNonces {
    ids: HashMap<NonceId, DateTime<Utc>>,
    by_expiry: BTreeSet<(DateTime<Utc>, [u8; 16])>,
    /// What expires no later than this was forgotten before its time, for want of room.
    floor: Option<DateTime<Utc>>,
}

impl SpentNonces {
    fn spend(&mut self, nonce: NonceId, expires_at: DateTime<Utc>, limit: usize) -> bool {
        let forgotten = |floor: &Self| floor.floor.is_some_and(|floor| expires_at <= floor);
        if forgotten(self) || self.ids.contains_key(&nonce) {
            return false;
        }
        while self.ids.len() >= limit.max(1)
            && let Some((ended, id)) = self.by_expiry.pop_first()
        {
            self.ids.remove(&NonceId::from_bytes(id));
            self.floor = self.floor.max(Some(ended));
        }
        // It is among those that there was no room for.
        if forgotten(self) {
            return false;
        }
        self.ids.insert(nonce, expires_at);
        self.by_expiry.insert((expires_at, *nonce.as_bytes()));
        true
    }

    fn forget(&mut self, now: DateTime<Utc>) -> usize {
        let kept = self.by_expiry.split_off(&(now, [0; 16]));
        let gone = std::mem::replace(&mut self.by_expiry, kept);
        for (_, id) in &gone {
            self.ids.remove(&NonceId::from_bytes(*id));
        }
        gone.len()
    }
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

    /// Whether an account has so many open orders. Counts no further than it has to.
    fn has_open_orders(&self, account: &AccountId, now: DateTime<Utc>, most: usize) -> bool {
        let last = OrderId::from_bytes([0xff; 16]);
        let after_now = (Bound::Excluded((now, last)), Bound::Unbounded);
        let open = self.open_of.get(account).map(|open| open.range(after_now));
        open.into_iter().flatten().take(most).count() >= most
    }

    /// Takes an order out of those that may be open.
    fn close(&mut self, id: &OrderId) {
        let Some(Kept { record, .. }) = self.orders.get(id) else {
            return;
        };
        let open = self.open_of.get_mut(&record.account);
        if let (Some(open), Some(until)) = (open, record.open_until()) {
            open.remove(&(until, *id));
            if open.is_empty() {
                self.open_of.remove(&record.account);
            }
        }
    }

    fn write_order(&mut self, id: OrderId, record: OrderRecord) -> Version {
        self.close(&id);
        if let Some(until) = record.open_until() {
            let open = self.open_of.entry(record.account).or_default();
            open.insert((until, id));
        }
        let version = self.next_version();
        self.orders.insert(id, Kept::new(record, version));
        version
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
        if state.has_open_orders(&record.account, now, open) {
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
        state.write_order(id, record);
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
        Ok(OrderCommitted::Committed(state.write_order(*id, record)))
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
        let limit = self.limits.nonces;
        Ok(self.state().nonces.spend(nonce, expires_at, limit))
    }

    async fn forget(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        let mut state = self.state();
        let nonces = state.nonces.forget(now);
        let State {
            orders,
            orders_of,
            open_of,
            replacements,
            certificates,
            ..
        } = &mut *state;
        let before = orders.len();
        orders.retain(|_, order| order.record.keep_until() >= now);
        let forgotten = before - orders.len();
        if forgotten > 0 {
            open_of.retain(|_, open| {
                open.retain(|(_, id)| orders.contains_key(id));
                !open.is_empty()
            });
            orders_of.retain(|_, ids| {
                ids.retain(|id| orders.contains_key(id));
                !ids.is_empty()
            });
            replacements.retain(|_, id| orders.contains_key(id));
            certificates.retain(|_, id| orders.contains_key(id));
        }
        Ok(nonces + forgotten)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn nonces_beyond_the_bound_are_taken_and_no_spent_one_counts_again() {
        let start = DateTime::UNIX_EPOCH;
        let at = |second: u8| start + TimeDelta::seconds(second.into());
        let nonce = |n: u8| NonceId::from_bytes([n; 16]);
        let mut nonces = SpentNonces::default();
        let mut spend = |n: u8, second| nonces.spend(nonce(n), at(second), 3);
        for n in 1..=3 {
            assert!(spend(n, n));
        }
        // The first makes room, and has not become a fresh one by it; nor has any that ended as early.
        assert!(spend(4, 4));
        for (n, second) in [(1, 1), (2, 2), (3, 3), (4, 4), (9, 1)] {
            assert!(!spend(n, second), "{n}");
        }
        // One that ends before all that are kept finds no room.
        assert!(spend(5, 9) && !spend(6, 2) && spend(7, 9));
        assert!(!spend(5, 9) && !spend(7, 9));
        assert_eq!(nonces.ids.len(), 3);
        assert_eq!((nonces.forget(at(4)), nonces.forget(at(9))), (0, 1));
        assert_eq!((nonces.forget(at(10)), nonces.ids.len()), (2, 0));
    }
}
