//! [`EscrowStore`] on SQLite.

use async_trait::async_trait;
use mdm_core::Secret;
use mdm_service::{
    EnrollmentId, EscrowEntry, EscrowKind, StoreError, queue::Sequence, store::EscrowStore,
};
use rusqlite::{Connection, Row, params};

use super::rows;
use crate::sqlite::{SqliteStore, values};

const WRITE: &str =
    "INSERT INTO escrow (holder, kind, at, source, value) VALUES (?1, ?2, ?3, ?4, ?5)";

pub(super) const OF_HOLDER: &str = "SELECT seq, holder, kind, at, source, value FROM escrow
     INDEXED BY escrow_in_order WHERE holder = ?1 ORDER BY seq DESC LIMIT ?2";

pub(super) const OF_KIND: &str = "SELECT seq, holder, kind, at, source, value FROM escrow
     WHERE holder = ?1 AND kind = ?3 ORDER BY seq DESC LIMIT ?2";

pub(super) const PAGE: &str = "SELECT seq, holder, kind, at, source, value FROM escrow
     WHERE seq > ?1 ORDER BY seq LIMIT ?2";

#[async_trait]
impl EscrowStore for SqliteStore {
    async fn escrow(&self, entries: Vec<EscrowEntry>) -> Result<(), StoreError> {
        self.engine
            .write(move |connection| write(connection, &entries))
            .await
    }

    async fn escrowed(
        &self,
        id: &EnrollmentId,
        kind: Option<&EscrowKind>,
        limit: usize,
    ) -> Result<Vec<EscrowEntry>, StoreError> {
        let (id, kind) = (id.to_string(), kind.map(ToString::to_string));
        self.engine
            .read(move |connection| {
                let limit = values::limit(limit);
                let entry = |row: &Row<'_>| Ok(entry(row)?.1);
                match kind {
                    None => connection
                        .prepare_cached(OF_HOLDER)?
                        .query_map(params![id, limit], entry)?
                        .collect(),
                    Some(kind) => connection
                        .prepare_cached(OF_KIND)?
                        .query_map(params![id, limit, kind], entry)?
                        .collect(),
                }
            })
            .await
    }

    async fn escrow_page(
        &self,
        after: Sequence,
        limit: usize,
    ) -> Result<Vec<(Sequence, EscrowEntry)>, StoreError> {
        self.engine
            .read(move |connection| {
                let after = values::number(after.number());
                connection
                    .prepare_cached(PAGE)?
                    .query_map(params![after, values::limit(limit)], entry)?
                    .collect()
            })
            .await
    }
}

/// Keeps entries, in the transaction of what they came with.
pub(super) fn write(connection: &Connection, entries: &[EscrowEntry]) -> rusqlite::Result<()> {
    for entry in entries {
        connection.prepare_cached(WRITE)?.execute(params![
            entry.device.to_string(),
            entry.kind.as_str(),
            entry.at.timestamp_micros(),
            entry.source,
            entry.value.expose(),
        ])?;
    }
    Ok(())
}

fn entry(row: &Row<'_>) -> rusqlite::Result<(Sequence, EscrowEntry)> {
    let kind = EscrowKind::from(row.get_ref(2)?.as_str()?);
    let value = Secret::new(row.get::<_, Vec<u8>>(5)?);
    let mut entry = EscrowEntry::new(rows::id(row, 1)?, kind, value, rows::time(row, 3)?);
    entry.source = row.get(4)?;
    Ok((rows::sequence(row, 0)?, entry))
}
