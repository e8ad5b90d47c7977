//! Nonces that were spent, until they expire.

use chrono::{DateTime, Utc};
use mdm_scep::{acme::store::NonceId, store::StoreError};
use rusqlite::{Connection, params};

use crate::sqlite::scep::counter::{self, NONCES};

pub(in crate::sqlite::scep) const EXISTS: &str =
    "SELECT EXISTS (SELECT 1 FROM acme_nonce WHERE id = ?1)";

const INSERT: &str = "INSERT INTO acme_nonce (id, expires_at) VALUES (?1, ?2)";

pub(in crate::sqlite::scep) const FORGET: &str = "DELETE FROM acme_nonce WHERE expires_at < ?1";

pub(super) fn spend(
    connection: &Connection,
    nonce: &NonceId,
    expires_at: DateTime<Utc>,
    limit: usize,
) -> rusqlite::Result<Result<bool, StoreError>> {
    let spent: bool = connection
        .prepare_cached(EXISTS)?
        .query_row([nonce.as_bytes()], |row| row.get(0))?;
    if spent {
        return Ok(Ok(false));
    }
    if !counter::admit(connection, NONCES, 1, limit)? {
        return Ok(Err(StoreError::Full { limit }));
    }
    connection
        .prepare_cached(INSERT)?
        .execute(params![nonce.as_bytes(), expires_at.timestamp_micros()])?;
    Ok(Ok(true))
}

pub(super) fn forget(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<usize> {
    let gone = connection
        .prepare_cached(FORGET)?
        .execute([now.timestamp_micros()])?;
    counter::release(connection, NONCES, gone)?;
    Ok(gone)
}
