//! [`PendingStore`] on SQLite: requests that wait for a person.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_scep::{
    pending::{PendingId, PendingRequest, PendingStore, Resolution},
    store::{RequestId, StoreError},
};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    counter::{self, PENDING},
    rows,
};
use crate::sqlite::{SqliteStore, values};

macro_rules! pending {
    ($condition:literal) => {
        concat!(
            "SELECT id, request, csr, grant_kind, grant_by, label, since, approved, reason
             FROM scep_pending ",
            $condition
        )
    };
}

pub(super) const FIND: &str = pending!("WHERE id = ?1");

pub(super) const UNDECIDED: &str = pending!(
    "INDEXED BY scep_pending_undecided WHERE approved IS NULL ORDER BY since, id LIMIT ?1"
);

pub(super) const REQUEST: &str = "SELECT request FROM scep_pending WHERE id = ?1";

const HOLD: &str = "INSERT INTO scep_pending (id, request, csr, grant_kind, grant_by, label, since)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (id) DO UPDATE SET
         request = excluded.request, csr = excluded.csr, grant_kind = excluded.grant_kind,
         grant_by = excluded.grant_by, label = excluded.label, since = excluded.since,
         approved = NULL, reason = NULL";

pub(super) const RESOLVE: &str = "UPDATE scep_pending SET approved = ?3, reason = ?4
     WHERE id = ?1 AND request = ?2 AND approved IS NULL";

pub(super) const RESOLUTION: &str =
    "SELECT approved, reason FROM scep_pending WHERE id = ?1 AND request = ?2";

pub(super) const FORGET: &str = "DELETE FROM scep_pending WHERE since < ?1";

#[async_trait]
impl PendingStore for SqliteStore {
    async fn hold(&self, id: PendingId, request: PendingRequest) -> Result<(), StoreError> {
        let limit = self.engine.limits().pending;
        self.scep_write(move |connection| hold(connection, &id, &request, limit))
            .await?
    }

    async fn pending(&self, id: &PendingId) -> Result<Option<PendingRequest>, StoreError> {
        let id = *id;
        self.scep_read(move |connection| {
            let found = connection
                .prepare_cached(FIND)?
                .query_row([id.as_bytes()], rows::pending)
                .optional()?;
            Ok(found.map(|(_, request)| request))
        })
        .await
    }

    async fn resolve(
        &self,
        id: &PendingId,
        request: RequestId,
        resolution: Resolution,
    ) -> Result<Option<Resolution>, StoreError> {
        let id = *id;
        self.scep_write(move |connection| resolve(connection, &id, &request, &resolution))
            .await
    }

    async fn unresolved(
        &self,
        limit: usize,
    ) -> Result<Vec<(PendingId, PendingRequest)>, StoreError> {
        self.scep_read(move |connection| {
            connection
                .prepare_cached(UNDECIDED)?
                .query_map([values::limit(limit)], rows::pending)?
                .collect()
        })
        .await
    }

    async fn forget_pending(&self, before: DateTime<Utc>) -> Result<usize, StoreError> {
        self.scep_write(move |connection| {
            let gone = connection
                .prepare_cached(FORGET)?
                .execute([before.timestamp_micros()])?;
            counter::release(connection, PENDING, gone)?;
            Ok(gone)
        })
        .await
    }
}

fn hold(
    connection: &Connection,
    id: &PendingId,
    pending: &PendingRequest,
    limit: usize,
) -> rusqlite::Result<Result<(), StoreError>> {
    let kept = connection
        .prepare_cached(REQUEST)?
        .query_row([id.as_bytes()], |row| rows::request_id(row, 0))
        .optional()?;
    match kept {
        Some(kept) if kept == pending.request => return Ok(Err(StoreError::Exists)),
        Some(_) => {}
        None if counter::admit(connection, PENDING, 1, limit)? => {}
        None => return Ok(Err(StoreError::Full { limit })),
    }
    let (grant_kind, grant_by, label) = rows::grant_columns(&pending.grant)?;
    connection.prepare_cached(HOLD)?.execute(params![
        id.as_bytes(),
        pending.request.as_bytes(),
        pending.csr.to_der(),
        grant_kind,
        grant_by,
        label,
        pending.since.timestamp_micros(),
    ])?;
    if let Some(resolution) = &pending.resolution {
        decide(connection, id, &pending.request, resolution)?;
    }
    Ok(Ok(()))
}

fn resolve(
    connection: &Connection,
    id: &PendingId,
    request: &RequestId,
    resolution: &Resolution,
) -> rusqlite::Result<Option<Resolution>> {
    decide(connection, id, request, resolution)?;
    let decided = connection
        .prepare_cached(RESOLUTION)?
        .query_row(params![id.as_bytes(), request.as_bytes()], |row| {
            rows::resolution(row, 0)
        })
        .optional()?;
    Ok(decided.flatten())
}

/// Writes the decision, unless there is one.
fn decide(
    connection: &Connection,
    id: &PendingId,
    request: &RequestId,
    resolution: &Resolution,
) -> rusqlite::Result<()> {
    let (approved, reason) = rows::resolution_columns(resolution)?;
    connection.prepare_cached(RESOLVE)?.execute(params![
        id.as_bytes(),
        request.as_bytes(),
        approved,
        reason
    ])?;
    Ok(())
}
