//! Accounts, each found by its name and by its key.

use mdm_scep::{
    acme::{
        jwk::Thumbprint,
        store::{AccountId, AccountRecord, AccountWritten, Kept, Version},
    },
    store::StoreError,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{FIRST, kept, next};
use crate::sqlite::{
    document,
    scep::counter::{self, ACCOUNTS},
    values::number,
};

pub(in crate::sqlite::scep) const FIND: &str =
    "SELECT document, version FROM acme_account WHERE id = ?1";

pub(in crate::sqlite::scep) const OF_KEY: &str =
    "SELECT id FROM acme_account WHERE thumbprint = ?1";

pub(in crate::sqlite::scep) const OF_EXTERNAL: &str =
    "SELECT id FROM acme_account WHERE external = ?1";

const INSERT: &str = "INSERT INTO acme_account (id, thumbprint, external, version, document)
     VALUES (?1, ?2, ?3, ?4, ?5)";

pub(in crate::sqlite::scep) const UPDATE: &str =
    "UPDATE acme_account SET thumbprint = ?3, external = ?4, version = ?5, document = ?6
     WHERE id = ?1 AND version = ?2";

pub(super) fn insert(
    connection: &Connection,
    id: &AccountId,
    record: &AccountRecord,
    limit: usize,
) -> rusqlite::Result<Result<AccountWritten, StoreError>> {
    if let Some(taken) = taken(connection, id, record)? {
        return Ok(Ok(taken));
    }
    if find(connection, id)?.is_some() {
        return Ok(Ok(AccountWritten::Conflict));
    }
    if !counter::admit(connection, ACCOUNTS, 1, limit)? {
        return Ok(Err(StoreError::Full { limit }));
    }
    connection.prepare_cached(INSERT)?.execute(params![
        id.as_bytes(),
        record.key.thumbprint().as_bytes(),
        record.external,
        number(FIRST.0),
        document::write(record)?,
    ])?;
    Ok(Ok(AccountWritten::Written))
}

pub(super) fn update(
    connection: &Connection,
    id: &AccountId,
    version: Version,
    record: &AccountRecord,
) -> rusqlite::Result<AccountWritten> {
    let kept = find(connection, id)?;
    if kept.is_none_or(|kept| kept.version != version) {
        return Ok(AccountWritten::Conflict);
    }
    if let Some(taken) = taken(connection, id, record)? {
        return Ok(taken);
    }
    connection.prepare_cached(UPDATE)?.execute(params![
        id.as_bytes(),
        number(version.0),
        record.key.thumbprint().as_bytes(),
        record.external,
        number(next(version).0),
        document::write(record)?,
    ])?;
    Ok(AccountWritten::Written)
}

/// Whether another account has what this one must have alone.
fn taken(
    connection: &Connection,
    id: &AccountId,
    record: &AccountRecord,
) -> rusqlite::Result<Option<AccountWritten>> {
    let owner = of_key(connection, &record.key.thumbprint())?;
    if let Some(owner) = owner.filter(|owner| owner != id) {
        return Ok(Some(AccountWritten::KeyTaken(owner)));
    }
    let bound = connection
        .prepare_cached(OF_EXTERNAL)?
        .query_row([&record.external], account_id)
        .optional()?;
    Ok(bound
        .filter(|bound| bound != id)
        .map(|_| AccountWritten::ExternalTaken))
}

pub(super) fn find(
    connection: &Connection,
    id: &AccountId,
) -> rusqlite::Result<Option<Kept<AccountRecord>>> {
    connection
        .prepare_cached(FIND)?
        .query_row([id.as_bytes()], kept)
        .optional()
}

pub(super) fn of_key(
    connection: &Connection,
    key: &Thumbprint,
) -> rusqlite::Result<Option<AccountId>> {
    connection
        .prepare_cached(OF_KEY)?
        .query_row([key.as_bytes()], account_id)
        .optional()
}

fn account_id(row: &Row<'_>) -> rusqlite::Result<AccountId> {
    row.get(0).map(AccountId::from_bytes)
}
