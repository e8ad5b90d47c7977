//! [`ResealStore`] on SQLite.

use async_trait::async_trait;
use mdm_service::{
    StoreError,
    store::{ResealStore, SealedKind, SealedRow, SealedValue},
};
use rusqlite::{Row, params};

use super::rows;
use crate::sqlite::{SqliteStore, values};

pub(super) const UNLOCK_TOKENS: &str = "SELECT key, id, '', unlock_token FROM enrollments
     WHERE key > ?1 AND unlock_token IS NOT NULL ORDER BY key LIMIT ?2";

pub(super) const BOOTSTRAP_TOKENS: &str = "SELECT key, id, '', bootstrap_token FROM enrollments
     WHERE key > ?1 AND bootstrap_token IS NOT NULL ORDER BY key LIMIT ?2";

pub(super) const ESCROW: &str = "SELECT seq, holder, kind, value FROM escrow
     WHERE seq > ?1 ORDER BY seq LIMIT ?2";

pub(super) const COMMANDS: &str = "SELECT seq, id, uuid, body
     FROM commands CROSS JOIN enrollments ON enrollments.key = enrollment
     WHERE seq > ?1 ORDER BY seq LIMIT ?2";

pub(super) const RESULTS: &str = "SELECT r.seq, id, uuid, r.body
     FROM results r CROSS JOIN commands c ON c.seq = r.seq
     CROSS JOIN enrollments ON enrollments.key = c.enrollment
     WHERE r.seq > ?1 AND r.body IS NOT NULL ORDER BY r.seq LIMIT ?2";

/// In the order of [`SealedKind::ALL`].
pub(super) const REPLACE: [&str; 5] = [
    "UPDATE enrollments SET unlock_token = ?3 WHERE key = ?1 AND unlock_token = ?2",
    "UPDATE enrollments SET bootstrap_token = ?3 WHERE key = ?1 AND bootstrap_token = ?2",
    "UPDATE escrow SET value = ?3 WHERE seq = ?1 AND value = ?2",
    "UPDATE commands SET body = ?3 WHERE seq = ?1 AND body = ?2",
    "UPDATE results SET body = ?3 WHERE seq = ?1 AND body = ?2",
];

#[async_trait]
impl ResealStore for SqliteStore {
    async fn sealed_values(
        &self,
        kind: SealedKind,
        after: SealedRow,
        limit: usize,
    ) -> Result<Vec<SealedValue>, StoreError> {
        let page = match kind {
            SealedKind::UnlockToken => UNLOCK_TOKENS,
            SealedKind::BootstrapToken => BOOTSTRAP_TOKENS,
            SealedKind::Escrow => ESCROW,
            SealedKind::Command => COMMANDS,
            SealedKind::CommandResult => RESULTS,
        };
        self.engine
            .read(move |connection| {
                let after = values::number(after.key().0);
                connection
                    .prepare_cached(page)?
                    .query_map(params![after, values::limit(limit)], value)?
                    .collect()
            })
            .await
    }

    async fn replace_sealed(
        &self,
        kind: SealedKind,
        changes: Vec<(SealedValue, Vec<u8>)>,
    ) -> Result<usize, StoreError> {
        self.engine
            .write(move |connection| {
                let [unlock_token, bootstrap_token, escrow, command, result] = REPLACE;
                let replace = match kind {
                    SealedKind::UnlockToken => unlock_token,
                    SealedKind::BootstrapToken => bootstrap_token,
                    SealedKind::Escrow => escrow,
                    SealedKind::Command => command,
                    SealedKind::CommandResult => result,
                };
                let mut replace = connection.prepare_cached(replace)?;
                let mut replaced = 0;
                for (former, sealed) in &changes {
                    let row = values::number(former.row.key().0);
                    replaced += replace.execute(params![row, former.sealed, sealed])?;
                }
                Ok(replaced)
            })
            .await
    }
}

fn value(row: &Row<'_>) -> rusqlite::Result<SealedValue> {
    let at = SealedRow::new(rows::sequence(row, 0)?.number(), 0);
    let (name, sealed): (String, Vec<u8>) = (row.get(2)?, row.get(3)?);
    Ok(SealedValue::new(at, rows::id(row, 1)?, name, sealed))
}
