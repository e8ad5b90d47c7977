//! [`AcmeStore`] of `mdm-scep`: documents, and columns to find them by.

pub(super) mod accounts;
pub(super) mod nonces;
pub(super) mod orders;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_scep::{
    acme::{
        jwk::Thumbprint,
        store::{
            AccountId, AccountRecord, AccountWritten, AcmeStore, Kept, NonceId, OrderCommitted,
            OrderId, OrderInserted, OrderRecord, Version,
        },
    },
    store::StoreError,
};
use rusqlite::Row;
use serde::de::DeserializeOwned;

use crate::sqlite::{SqliteStore, document};

#[async_trait]
impl AcmeStore for SqliteStore {
    async fn insert_account(
        &self,
        id: AccountId,
        record: AccountRecord,
    ) -> Result<AccountWritten, StoreError> {
        let limit = self.engine.limits().accounts;
        self.scep_write(move |connection| accounts::insert(connection, &id, &record, limit))
            .await?
    }

    async fn account(&self, id: &AccountId) -> Result<Option<Kept<AccountRecord>>, StoreError> {
        let id = *id;
        self.scep_read(move |connection| accounts::find(connection, &id))
            .await
    }

    async fn account_of_key(&self, key: &Thumbprint) -> Result<Option<AccountId>, StoreError> {
        let key = *key;
        self.scep_read(move |connection| accounts::of_key(connection, &key))
            .await
    }

    async fn update_account(
        &self,
        id: &AccountId,
        version: Version,
        record: AccountRecord,
    ) -> Result<AccountWritten, StoreError> {
        let id = *id;
        self.scep_write(move |connection| accounts::update(connection, &id, version, &record))
            .await
    }

    async fn insert_order(
        &self,
        id: OrderId,
        record: OrderRecord,
        open: usize,
    ) -> Result<OrderInserted, StoreError> {
        let limit = self.engine.limits().orders;
        self.scep_write(move |connection| orders::insert(connection, &id, &record, open, limit))
            .await?
    }

    async fn order(&self, id: &OrderId) -> Result<Option<Kept<OrderRecord>>, StoreError> {
        let id = *id;
        self.scep_read(move |connection| orders::find(connection, &id))
            .await
    }

    async fn commit_order(
        &self,
        id: &OrderId,
        version: Version,
        record: OrderRecord,
    ) -> Result<OrderCommitted, StoreError> {
        let (id, keys) = (*id, self.engine.limits().attested_keys);
        self.scep_write(move |connection| orders::commit(connection, &id, version, &record, keys))
            .await?
    }

    async fn orders(
        &self,
        account: &AccountId,
        before: Option<&OrderId>,
        limit: usize,
    ) -> Result<Vec<(OrderId, OrderRecord)>, StoreError> {
        let (account, before) = (*account, before.copied());
        self.scep_read(move |connection| orders::list(connection, &account, before.as_ref(), limit))
            .await
    }

    async fn order_of_certificate(&self, serial: &[u8]) -> Result<Option<OrderId>, StoreError> {
        let serial = serial.to_vec();
        self.scep_read(move |connection| orders::of_certificate(connection, &serial))
            .await
    }

    async fn spend_nonce(
        &self,
        nonce: NonceId,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let limit = self.engine.limits().nonces;
        self.scep_write(move |connection| nonces::spend(connection, &nonce, expires_at, limit))
            .await?
    }

    async fn forget(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        self.scep_write(move |connection| {
            Ok(nonces::forget(connection, now)? + orders::forget(connection, now)?)
        })
        .await
    }
}

/// A record whose document is the first column and whose version the second.
fn kept<T: DeserializeOwned>(row: &Row<'_>) -> rusqlite::Result<Kept<T>> {
    let version: i64 = row.get(1)?;
    Ok(Kept::new(
        document::read(row)?,
        Version(version.unsigned_abs()),
    ))
}

/// The version that comes after this one.
fn next(version: Version) -> Version {
    Version(version.0.wrapping_add(1))
}

/// Of a record that was never changed.
const FIRST: Version = Version(1);
