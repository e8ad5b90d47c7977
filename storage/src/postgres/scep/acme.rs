//! [`AcmeStore`] of `mdm-scep`: documents, and columns to find them by.

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
use serde::de::DeserializeOwned;
use tokio_postgres::Row;

use super::rows::{self, Read, get, number};
use crate::{document, postgres::PostgresStore};

const INSERT_ACCOUNT: &str = "SELECT outcome, owner FROM acme_insert_account($1, $2, $3, $4, $5)";

const ACCOUNT: &str = "SELECT document, version FROM acme_account WHERE id = $1";

const ACCOUNT_OF_KEY: &str = "SELECT id FROM acme_account WHERE thumbprint = $1";

const UPDATE_ACCOUNT: &str = "SELECT outcome, owner FROM acme_update_account($1, $2, $3, $4, $5)";

const INSERT_ORDER: &str = "SELECT acme_insert_order($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const ORDER: &str = "SELECT document, version FROM acme_order WHERE id = $1";

const COMMIT_ORDER: &str = "SELECT acme_commit_order($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

/// None of an order that is not there: whoever names it has seen all that are newer.
const ORDERS: &str = "SELECT document, id FROM acme_order WHERE account = $1
     AND key < CASE WHEN $2::bytea IS NULL THEN 9223372036854775807
         ELSE (SELECT key FROM acme_order WHERE id = $2) END
     ORDER BY key DESC LIMIT $3";

const ORDER_OF_CERTIFICATE: &str =
    "SELECT id FROM acme_order WHERE serial = $1 ORDER BY key DESC LIMIT 1";

const SPEND_NONCE: &str = "SELECT acme_spend_nonce($1, $2, $3)";

const FORGET: &str = "SELECT acme_forget($1)";

#[async_trait]
impl AcmeStore for PostgresStore {
    async fn insert_account(
        &self,
        id: AccountId,
        record: AccountRecord,
    ) -> Result<AccountWritten, StoreError> {
        let limit = self.engine.limits().accounts;
        let row = self
            .one(
                INSERT_ACCOUNT,
                &[
                    &id.as_bytes().as_slice(),
                    &record.key.thumbprint().as_bytes().as_slice(),
                    &record.external,
                    &document::write(&record).read()?,
                    &number(limit),
                ],
            )
            .await?;
        account_written(&row, limit)
    }

    async fn account(&self, id: &AccountId) -> Result<Option<Kept<AccountRecord>>, StoreError> {
        let found = self.first(ACCOUNT, &[&id.as_bytes().as_slice()]).await?;
        found.as_ref().map(kept).transpose()
    }

    async fn account_of_key(&self, key: &Thumbprint) -> Result<Option<AccountId>, StoreError> {
        let key = key.as_bytes().as_slice();
        let found = self.first(ACCOUNT_OF_KEY, &[&key]).await?;
        found.map(|row| account_id(&row, 0)).transpose()
    }

    async fn update_account(
        &self,
        id: &AccountId,
        version: Version,
        record: AccountRecord,
    ) -> Result<AccountWritten, StoreError> {
        let row = self
            .one(
                UPDATE_ACCOUNT,
                &[
                    &id.as_bytes().as_slice(),
                    &number(version.0),
                    &record.key.thumbprint().as_bytes().as_slice(),
                    &record.external,
                    &document::write(&record).read()?,
                ],
            )
            .await?;
        account_written(&row, usize::MAX)
    }

    async fn insert_order(
        &self,
        id: OrderId,
        record: OrderRecord,
        open: usize,
    ) -> Result<OrderInserted, StoreError> {
        let limit = self.engine.limits().orders;
        let row = self
            .one(
                INSERT_ORDER,
                &[
                    &id.as_bytes().as_slice(),
                    &record.account.as_bytes().as_slice(),
                    &replaces(&record),
                    &record.serial(),
                    &open_until(&record),
                    &record.keep_until().timestamp_micros(),
                    &document::write(&record).read()?,
                    &record.created_at.timestamp_micros(),
                    &number(open),
                    &number(limit),
                ],
            )
            .await?;
        match get(&row, 0)? {
            "inserted" => Ok(OrderInserted::Inserted),
            "too_many_open" => Ok(OrderInserted::TooManyOpen),
            "replaced" => Ok(OrderInserted::Replaced),
            "exists" => Err(StoreError::Exists),
            "full" => Err(StoreError::Full { limit }),
            other => Err(rows::unknown(other)),
        }
    }

    async fn order(&self, id: &OrderId) -> Result<Option<Kept<OrderRecord>>, StoreError> {
        let found = self.first(ORDER, &[&id.as_bytes().as_slice()]).await?;
        found.as_ref().map(kept).transpose()
    }

    async fn commit_order(
        &self,
        id: &OrderId,
        version: Version,
        record: OrderRecord,
    ) -> Result<OrderCommitted, StoreError> {
        let limit = self.engine.limits().attested_keys;
        let keys: Vec<_> = record.attested_keys().collect();
        let keys: Vec<&[u8]> = keys.iter().map(<[u8; 32]>::as_slice).collect();
        let row = self
            .one(
                COMMIT_ORDER,
                &[
                    &id.as_bytes().as_slice(),
                    &number(version.0),
                    &record.account.as_bytes().as_slice(),
                    &replaces(&record),
                    &record.serial(),
                    &open_until(&record),
                    &record.keep_until().timestamp_micros(),
                    &document::write(&record).read()?,
                    &keys,
                    &number(limit),
                ],
            )
            .await?;
        match get(&row, 0)? {
            "committed" => Ok(OrderCommitted::Committed(Version(
                version.0.wrapping_add(1),
            ))),
            "conflict" => Ok(OrderCommitted::Conflict),
            "key_used" => Ok(OrderCommitted::KeyUsed),
            "full" => Err(StoreError::Full { limit }),
            other => Err(rows::unknown(other)),
        }
    }

    async fn orders(
        &self,
        account: &AccountId,
        before: Option<&OrderId>,
        limit: usize,
    ) -> Result<Vec<(OrderId, OrderRecord)>, StoreError> {
        let account = account.as_bytes().as_slice();
        let before = before.map(|id| id.as_bytes().as_slice());
        let found = self
            .all(ORDERS, &[&account, &before, &number(limit)])
            .await?;
        let order = |row: &Row| Ok((order_id(row, 1)?, record(row)?));
        found.iter().map(order).collect()
    }

    async fn order_of_certificate(&self, serial: &[u8]) -> Result<Option<OrderId>, StoreError> {
        let found = self.first(ORDER_OF_CERTIFICATE, &[&serial]).await?;
        found.map(|row| order_id(&row, 0)).transpose()
    }

    async fn spend_nonce(
        &self,
        nonce: NonceId,
        expires_at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let limit = self.engine.limits().nonces;
        let nonce = nonce.as_bytes().as_slice();
        let expires_at = expires_at.timestamp_micros();
        let row = self
            .one(SPEND_NONCE, &[&nonce, &expires_at, &number(limit)])
            .await?;
        match get(&row, 0)? {
            "first" => Ok(true),
            "spent" => Ok(false),
            "full" => Err(StoreError::Full { limit }),
            other => Err(rows::unknown(other)),
        }
    }

    async fn forget(&self, now: DateTime<Utc>) -> Result<usize, StoreError> {
        self.forgotten(FORGET, now).await
    }
}

fn account_written(row: &Row, limit: usize) -> Result<AccountWritten, StoreError> {
    match get(row, 0)? {
        "written" => Ok(AccountWritten::Written),
        "conflict" => Ok(AccountWritten::Conflict),
        "key_taken" => Ok(AccountWritten::KeyTaken(account_id(row, 1)?)),
        "external_taken" => Ok(AccountWritten::ExternalTaken),
        "full" => Err(StoreError::Full { limit }),
        other => Err(rows::unknown(other)),
    }
}

/// The record whose document is the first column.
fn record<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    document::parse(get(row, 0)?).read()
}

/// The same, with its version in the second.
fn kept<T: DeserializeOwned>(row: &Row) -> Result<Kept<T>, StoreError> {
    let version: i64 = get(row, 1)?;
    Ok(Kept::new(record(row)?, Version(version.unsigned_abs())))
}

fn account_id(row: &Row, column: usize) -> Result<AccountId, StoreError> {
    rows::bytes(row, column).map(AccountId::from_bytes)
}

fn order_id(row: &Row, column: usize) -> Result<OrderId, StoreError> {
    rows::bytes(row, column).map(OrderId::from_bytes)
}

fn replaces(record: &OrderRecord) -> Option<String> {
    record.replaces.as_ref().map(ToString::to_string)
}

fn open_until(record: &OrderRecord) -> Option<i64> {
    record.open_until().map(|until| until.timestamp_micros())
}
