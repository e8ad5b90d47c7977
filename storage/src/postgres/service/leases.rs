//! [`LeaseStore`] on PostgreSQL.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_service::{StoreError, store::LeaseStore};

use super::rows::text;
use crate::postgres::PostgresStore;

const LEASE: &str = "INSERT INTO mdm_lease AS l (name, holder, until) VALUES ($1, $2, $4)
     ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
     WHERE l.holder = excluded.holder OR l.until <= $3
     RETURNING name";

const RELEASE: &str = "DELETE FROM mdm_lease WHERE name = $1 AND holder = $2";

#[async_trait]
impl LeaseStore for PostgresStore {
    async fn lease(
        &self,
        name: &str,
        holder: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let (now, until) = (now.timestamp_micros(), until.timestamp_micros());
        let taken = self
            .engine
            .row(LEASE, &[&text(name), &text(holder), &now, &until])
            .await?;
        Ok(taken.is_some())
    }

    async fn release(&self, name: &str, holder: &str) -> Result<(), StoreError> {
        self.engine
            .rows(RELEASE, &[&text(name), &text(holder)])
            .await
            .map(drop)
    }
}
