//! [`LeaseStore`] on SQLite.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_service::{StoreError, store::LeaseStore};
use rusqlite::params;

use crate::sqlite::SqliteStore;

const LEASE: &str = "INSERT INTO leases (name, holder, until) VALUES (?1, ?2, ?4)
     ON CONFLICT (name) DO UPDATE SET holder = ?2, until = ?4
     WHERE holder = ?2 OR until <= ?3";

pub(super) const RELEASE: &str = "DELETE FROM leases WHERE name = ?1 AND holder = ?2";

#[async_trait]
impl LeaseStore for SqliteStore {
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        let (now, until) = (now.timestamp_micros(), until.timestamp_micros());
        self.engine
            .write(move |connection| {
                let taken = connection
                    .prepare_cached(LEASE)?
                    .execute(params![name, holder, now, until])?;
                Ok(taken > 0)
            })
            .await
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        let (name, holder) = (name.to_owned(), holder.to_owned());
        self.engine
            .write(move |connection| {
                connection
                    .prepare_cached(RELEASE)?
                    .execute([name, holder])?;
                Ok(())
            })
            .await
    }
}
