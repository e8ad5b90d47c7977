//! [`AdeStore`] of `ade-client`: documents, and columns to find them by.

mod commit;
mod document;
mod filter;
#[cfg(test)]
mod plans;

use std::sync::Arc;

use ade_client::{
    AdeStore, StoreError,
    record::{AccountId, AccountRecord, DeviceRecord, ProfileRecord},
    store::{DeviceFilter, Step},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::SerialNumber;
use rusqlite::{OptionalExtension, params};

use super::{SqliteStore, values};

/// The key of the account's row, as part of a larger query.
macro_rules! account_key {
    () => {
        "(SELECT key FROM ade_account WHERE id = ?1)"
    };
}
use account_key;

pub(super) const ACCOUNT: &str = "SELECT document FROM ade_account WHERE id = ?1";

pub(super) const ACCOUNTS: &str = "SELECT id FROM ade_account
     WHERE id >= ifnull(?1, '') AND id IS NOT ?1 AND document IS NOT NULL
     ORDER BY id LIMIT ?2";

pub(super) const DEVICE: &str = concat!(
    "SELECT document FROM ade_device WHERE serial_number = ?2 AND account = ",
    account_key!()
);

/// Asks each account; a further index would cost every new device more than this costs an enrolment.
pub(super) const ACCOUNTS_OF: &str = "SELECT a.id FROM ade_account a CROSS JOIN ade_device d
     WHERE d.account = a.key AND d.serial_number = ?1 ORDER BY a.id";

pub(super) const NEXT_DUE: &str = concat!(
    "SELECT min(due) FROM ade_device INDEXED BY ade_device_by_due
     WHERE due IS NOT NULL AND account = ",
    account_key!()
);

pub(super) const PROFILES: &str = concat!(
    "SELECT document FROM ade_profile
     WHERE uuid >= ifnull(?2, '') AND uuid IS NOT ?2 AND account = ",
    account_key!(),
    " ORDER BY uuid LIMIT ?3"
);

#[async_trait]
impl AdeStore for SqliteStore {
    async fn commit(&self, account: &AccountId, step: Arc<dyn Step>) -> Result<(), StoreError> {
        let account = account.clone();
        self.engine
            .write(move |connection| commit::run(connection, &account, &*step))
            .await
    }

    async fn account(&self, account: &AccountId) -> Result<Option<AccountRecord>, StoreError> {
        let account = account.clone();
        self.engine
            .read(move |connection| {
                let found = connection
                    .prepare_cached(ACCOUNT)?
                    .query_row([account.as_str()], document::read_optional)
                    .optional()?;
                Ok(found.flatten())
            })
            .await
    }

    async fn accounts(
        &self,
        after: Option<&AccountId>,
        limit: usize,
    ) -> Result<Vec<AccountId>, StoreError> {
        let after = after.cloned();
        self.engine
            .read(move |connection| {
                let after = after.as_ref().map(AccountId::as_str);
                connection
                    .prepare_cached(ACCOUNTS)?
                    .query_map(params![after, values::limit(limit)], document::account_id)?
                    .collect()
            })
            .await
    }

    async fn device(
        &self,
        account: &AccountId,
        serial_number: &SerialNumber,
    ) -> Result<Option<DeviceRecord>, StoreError> {
        let (account, serial_number) = (account.clone(), serial_number.clone());
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(DEVICE)?
                    .query_row([account.as_str(), serial_number.as_str()], document::read)
                    .optional()
            })
            .await
    }

    async fn accounts_of(
        &self,
        serial_number: &SerialNumber,
    ) -> Result<Vec<AccountId>, StoreError> {
        let serial_number = serial_number.clone();
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(ACCOUNTS_OF)?
                    .query_map([serial_number.as_str()], document::account_id)?
                    .collect()
            })
            .await
    }

    async fn devices(
        &self,
        account: &AccountId,
        filter: &DeviceFilter,
        after: Option<&SerialNumber>,
        limit: usize,
    ) -> Result<Vec<DeviceRecord>, StoreError> {
        let (account, filter, after) = (account.clone(), filter.clone(), after.cloned());
        self.engine
            .read(move |connection| {
                let query = filter::Query::new(&filter)?;
                let mut statement = connection.prepare_cached(query.page)?;
                statement.raw_bind_parameter(1, account.as_str())?;
                statement.raw_bind_parameter(2, after.as_ref().map(SerialNumber::as_str))?;
                statement.raw_bind_parameter(3, values::limit(limit))?;
                if let Some(value) = query.value {
                    statement.raw_bind_parameter(4, value)?;
                }
                statement.raw_query().mapped(document::read).collect()
            })
            .await
    }

    async fn count(&self, account: &AccountId, filter: &DeviceFilter) -> Result<u64, StoreError> {
        let (account, filter) = (account.clone(), filter.clone());
        self.engine
            .read(move |connection| filter::count(connection, &account, &filter))
            .await
    }

    async fn next_due(&self, account: &AccountId) -> Result<Option<DateTime<Utc>>, StoreError> {
        let account = account.clone();
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(NEXT_DUE)?
                    .query_row([account.as_str()], document::optional_time)
            })
            .await
    }

    async fn profiles(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<ProfileRecord>, StoreError> {
        let (account, after) = (account.clone(), after.map(str::to_owned));
        self.engine
            .read(move |connection| {
                connection
                    .prepare_cached(PROFILES)?
                    .query_map(
                        params![account.as_str(), after, values::limit(limit)],
                        document::read,
                    )?
                    .collect()
            })
            .await
    }
}
