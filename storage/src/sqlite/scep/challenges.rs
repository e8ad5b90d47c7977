//! Challenges, by their hashes.

use chrono::{DateTime, Utc};
use mdm_scep::store::{ChallengeId, ChallengeRecord, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    counter::{self, CHALLENGES},
    rows,
};

pub(super) const EXISTS: &str = "SELECT EXISTS (SELECT 1 FROM scep_challenge WHERE id = ?1)";

const INSERT: &str =
    "INSERT INTO scep_challenge (id, label, bound, issued_at, expires_at, request, serial)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

pub(super) const FIND: &str = "SELECT h.request, c.der, h.label, h.bound, h.issued_at, h.expires_at
     FROM scep_challenge h LEFT JOIN scep_certificate c ON c.serial = h.serial WHERE h.id = ?1";

pub(super) const FORGET: &str = "DELETE FROM scep_challenge WHERE expires_at < ?1";

pub(super) fn insert(
    connection: &Connection,
    id: &ChallengeId,
    record: &ChallengeRecord,
    limit: usize,
) -> rusqlite::Result<Result<(), StoreError>> {
    let exists: bool = connection
        .prepare_cached(EXISTS)?
        .query_row([id.as_bytes()], |row| row.get(0))?;
    if exists {
        return Ok(Err(StoreError::Exists));
    }
    if !counter::admit(connection, CHALLENGES, 1, limit)? {
        return Ok(Err(StoreError::Full { limit }));
    }
    let spent = record.spent.as_ref();
    connection.prepare_cached(INSERT)?.execute(params![
        id.as_bytes(),
        record.label,
        record.bound.to_text(),
        record.issued_at.timestamp_micros(),
        record.expires_at.timestamp_micros(),
        spent.map(|spent| spent.request.as_bytes()),
        spent.map(|spent| spent.certificate.serial()),
    ])?;
    Ok(Ok(()))
}

pub(super) fn find(
    connection: &Connection,
    id: &ChallengeId,
) -> rusqlite::Result<Option<ChallengeRecord>> {
    connection
        .prepare_cached(FIND)?
        .query_row([id.as_bytes()], rows::challenge)
        .optional()
}

pub(super) fn forget(
    connection: &Connection,
    expired_before: DateTime<Utc>,
) -> rusqlite::Result<usize> {
    let gone = connection
        .prepare_cached(FORGET)?
        .execute([expired_before.timestamp_micros()])?;
    counter::release(connection, CHALLENGES, gone)?;
    Ok(gone)
}
