//! [`PendingStore`] on PostgreSQL: requests that wait for a person.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_scep::{
    pending::{PendingId, PendingRequest, PendingStore, Resolution},
    store::{RequestId, StoreError},
};

use super::{kept, rows};
use crate::postgres::PostgresStore;

macro_rules! pending {
    ($condition:literal) => {
        concat!(
            "SELECT id, request, csr, grant_kind, grant_by, label, since, approved, reason
             FROM scep_pending ",
            $condition
        )
    };
}

const HOLD: &str = "SELECT scep_hold($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const FIND: &str = pending!("WHERE id = $1");

const UNDECIDED: &str = pending!("WHERE approved IS NULL ORDER BY since, id LIMIT $1");

const RESOLVE: &str = "SELECT counts, because FROM scep_resolve($1, $2, $3, $4)";

const FORGET: &str = "SELECT scep_forget_pending($1)";

#[async_trait]
impl PendingStore for PostgresStore {
    async fn hold(&self, id: PendingId, pending: PendingRequest) -> Result<(), StoreError> {
        let limit = self.engine.limits().pending;
        let (grant_kind, grant_by, label) = rows::grant_columns(&pending.grant)?;
        let resolution = pending.resolution.as_ref();
        let resolution = resolution.map(rows::resolution_columns).transpose()?;
        let row = self
            .one(
                HOLD,
                &[
                    &id.as_bytes().as_slice(),
                    &pending.request.as_bytes().as_slice(),
                    &pending.csr.to_der(),
                    &grant_kind,
                    &grant_by,
                    &label,
                    &pending.since.timestamp_micros(),
                    &resolution.map(|(approved, _)| approved),
                    &resolution.and_then(|(_, reason)| reason),
                    &rows::number(limit),
                ],
            )
            .await?;
        kept(&row, limit)
    }

    async fn pending(&self, id: &PendingId) -> Result<Option<PendingRequest>, StoreError> {
        let found = self.first(FIND, &[&id.as_bytes().as_slice()]).await?;
        let found = found.as_ref().map(rows::pending).transpose()?;
        Ok(found.map(|(_, request)| request))
    }

    async fn resolve(
        &self,
        id: &PendingId,
        request: RequestId,
        resolution: Resolution,
    ) -> Result<Option<Resolution>, StoreError> {
        let (approved, reason) = rows::resolution_columns(&resolution)?;
        let id = id.as_bytes().as_slice();
        let request = request.as_bytes().as_slice();
        let row = self
            .first(RESOLVE, &[&id, &request, &approved, &reason])
            .await?;
        match row {
            Some(row) => rows::resolution(&row, 0),
            None => Ok(None),
        }
    }

    async fn unresolved(
        &self,
        limit: usize,
    ) -> Result<Vec<(PendingId, PendingRequest)>, StoreError> {
        let found = self.all(UNDECIDED, &[&rows::number(limit)]).await?;
        found.iter().map(rows::pending).collect()
    }

    async fn forget_pending(&self, before: DateTime<Utc>) -> Result<usize, StoreError> {
        self.forgotten(FORGET, before).await
    }
}
