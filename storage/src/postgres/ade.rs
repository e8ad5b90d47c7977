//! [`AdeStore`] of `ade-client`: documents, and columns to find them by.

mod commit;
mod time;

use std::sync::Arc;

use ade_client::{
    AdeStore, StoreError,
    record::{AccountId, AccountRecord, DeviceRecord, ProfileRecord},
    store::{DeviceFilter, Step},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::{SerialNumber, StoreErrorKind};
use serde::de::DeserializeOwned;
use tokio_postgres::{
    Row,
    types::{FromSql, ToSql},
};

use self::time::{time_key, time_of};
use super::{PostgresStore, error::unreadable};
use crate::document;

const ACCOUNT: &str = "SELECT document FROM ade_account WHERE id = $1 AND document IS NOT NULL";

const ACCOUNTS: &str = "SELECT id FROM ade_account
     WHERE id > coalesce($1, '') AND document IS NOT NULL ORDER BY id LIMIT $2";

const DEVICE: &str = "SELECT document FROM ade_device
     WHERE account = (SELECT key FROM ade_account WHERE id = $1) AND serial_number = $2";

const ACCOUNTS_OF: &str = "SELECT a.id FROM ade_device d JOIN ade_account a ON a.key = d.account
     WHERE d.serial_number = $1 ORDER BY a.id";

const NEXT_DUE: &str = "SELECT due FROM ade_device
     WHERE account = (SELECT key FROM ade_account WHERE id = $1) AND due IS NOT NULL
     ORDER BY due LIMIT 1";

const PROFILES: &str = "SELECT document FROM ade_profile
     WHERE account = (SELECT key FROM ade_account WHERE id = $1) AND uuid > coalesce($2, '')
     ORDER BY uuid LIMIT $3";

#[async_trait]
impl AdeStore for PostgresStore {
    async fn commit(&self, account: &AccountId, step: Arc<dyn Step>) -> Result<(), StoreError> {
        commit::commit(&self.engine, account, &*step).await
    }

    async fn account(&self, account: &AccountId) -> Result<Option<AccountRecord>, StoreError> {
        let found = self.engine.row(ACCOUNT, &[&account.as_str()]).await?;
        found.as_ref().map(parsed).transpose()
    }

    async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountId>, StoreError> {
        let after = after.map(AccountId::as_str);
        let found = self
            .engine
            .rows(ACCOUNTS, &[&after, &number(limit)])
            .await?;
        found.iter().map(account_id).collect()
    }

    async fn device(
        &self,
        account: &AccountId,
        serial_number: &SerialNumber,
    ) -> Result<Option<DeviceRecord>, StoreError> {
        let found = self
            .engine
            .row(DEVICE, &[&account.as_str(), &serial_number.as_str()])
            .await?;
        found.as_ref().map(parsed).transpose()
    }

    async fn accounts_of(
        &self,
        serial_number: &SerialNumber,
    ) -> Result<Vec<AccountId>, StoreError> {
        let found = self
            .engine
            .rows(ACCOUNTS_OF, &[&serial_number.as_str()])
            .await?;
        found.iter().map(account_id).collect()
    }

    async fn devices(
        &self,
        account: &AccountId,
        filter: &DeviceFilter,
        after: Option<&SerialNumber>,
        limit: usize,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        let condition = Condition::new(filter)?;
        let (account, after) = (account.as_str(), after.map(SerialNumber::as_str));
        let limit = number(limit);
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&account, &after, &limit];
        parameters.extend(
            condition
                .value
                .as_deref()
                .map(|value| value as &(dyn ToSql + Sync)),
        );
        let sql = format!(
            "SELECT document FROM ade_device
             WHERE account = (SELECT key FROM ade_account WHERE id = $1)
                 AND serial_number > coalesce($2, '') AND {}
             ORDER BY serial_number LIMIT $3",
            condition.sql.replace('?', "$4")
        );
        let found = self.engine.rows(&sql, &parameters).await?;
        found.iter().map(parsed).collect()
    }

    async fn count(&self, account: &AccountId, filter: &DeviceFilter) -> Result<u64, StoreError> {
        let condition = Condition::new(filter)?;
        let account = account.as_str();
        let mut parameters: Vec<&(dyn ToSql + Sync)> = vec![&account];
        parameters.extend(
            condition
                .value
                .as_deref()
                .map(|value| value as &(dyn ToSql + Sync)),
        );
        let row = self.engine.one(&condition.count(), &parameters).await?;
        Ok(get::<i64>(&row, 0)?.unsigned_abs())
    }

    async fn next_due(&self, account: &AccountId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let found = self.engine.row(NEXT_DUE, &[&account.as_str()]).await?;
        found.map(|row| time_of(get(&row, 0)?)).transpose()
    }

    async fn profiles(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ProfileRecord>, StoreError> {
        let found = self
            .engine
            .rows(PROFILES, &[&account.as_str(), &after, &number(limit)])
            .await?;
        found.iter().map(parsed).collect()
    }
}

/// A filter as SQL, in which `?` is its value.
struct Condition {
    sql: &'static str,
    value: Option<Box<dyn ToSql + Send + Sync>>,
}

impl Condition {
    fn new(filter: &DeviceFilter) -> Result<Self, StoreError> {
        let (sql, value): (_, Option<Box<dyn ToSql + Send + Sync>>) = match filter {
            DeviceFilter::All => ("TRUE", None),
            DeviceFilter::Present => ("released IS NULL", None),
            DeviceFilter::Unseen { sweep } => (
                "released IS NULL AND sweep < ?",
                Some(Box::new(number(*sweep))),
            ),
            DeviceFilter::Due(now) => ("due <= ?", Some(Box::new(time_key(*now)))),
            DeviceFilter::Wanting(uuid) => ("wanted_profile = ?", Some(Box::new(uuid.clone()))),
            DeviceFilter::State(state) => (
                "released IS NULL AND state = ?",
                Some(Box::new(state.as_str().to_owned())),
            ),
            DeviceFilter::ReleasedBefore(time) => ("released < ?", Some(Box::new(time_key(*time)))),
            DeviceFilter::Replacing => ("replacing", None),
            DeviceFilter::GivingUp => ("giving_up", None),
            _ => {
                let unknown = "a filter of devices that this version does not know";
                return Err(StoreError::with_source(StoreErrorKind::Other, unknown));
            }
        };
        Ok(Self { sql, value })
    }

    /// How many of the account's devices it takes.
    fn count(&self) -> String {
        format!(
            "SELECT count(*) FROM ade_device
             WHERE account = (SELECT key FROM ade_account WHERE id = $1) AND {}",
            self.sql.replace('?', "$2")
        )
    }
}

fn get<'a, T: FromSql<'a>>(row: &'a Row, column: usize) -> Result<T, StoreError> {
    row.try_get(column).map_err(unreadable)
}

/// The record whose document is the first column.
fn parsed<T: DeserializeOwned>(row: &Row) -> Result<T, StoreError> {
    document::parse(get(row, 0)?).map_err(unreadable)
}

/// The account named in the first column.
fn account_id(row: &Row) -> Result<AccountId, StoreError> {
    AccountId::new(get::<String>(row, 0)?).map_err(unreadable)
}

/// A number as PostgreSQL keeps it; beyond its range the largest that it can keep.
fn number(unsigned: impl TryInto<i64>) -> i64 {
    unsigned.try_into().unwrap_or(i64::MAX)
}
