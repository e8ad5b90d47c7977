//! Orders, with the keys that were attested in them.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use mdm_scep::{
    acme::store::{AccountId, Kept, OrderCommitted, OrderId, OrderInserted, OrderRecord, Version},
    store::StoreError,
};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{FIRST, kept, next};
use crate::sqlite::{
    document,
    scep::counter::{self, ATTESTED_KEYS, ORDERS},
    values::{self, number},
};

pub(in crate::sqlite::scep) const FIND: &str =
    "SELECT document, version FROM acme_order WHERE id = ?1";

/// Counts no further than it has to.
pub(in crate::sqlite::scep) const OPEN: &str = "SELECT count(*) FROM (
     SELECT 1 FROM acme_order INDEXED BY acme_order_open
     WHERE account = ?1 AND open_until > ?2 LIMIT ?3)";

pub(in crate::sqlite::scep) const REPLACING: &str =
    "SELECT document FROM acme_order WHERE replaces = ?1 ORDER BY key DESC LIMIT 1";

const INSERT: &str = "INSERT INTO acme_order
     (id, account, replaces, serial, open_until, keep_until, version, document)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";

pub(in crate::sqlite::scep) const UPDATE: &str =
    "UPDATE acme_order SET account = ?2, replaces = ?3, serial = ?4, open_until = ?5,
     keep_until = ?6, version = ?7, document = ?8 WHERE id = ?1";

pub(in crate::sqlite::scep) const OWNER: &str =
    "SELECT order_id FROM acme_attested_key WHERE fingerprint = ?1";

const ATTEST: &str = "INSERT INTO acme_attested_key (fingerprint, order_id) VALUES (?1, ?2)";

pub(in crate::sqlite::scep) const KEY: &str = "SELECT key FROM acme_order WHERE id = ?1";

pub(in crate::sqlite::scep) const LIST: &str =
    "SELECT document, id FROM acme_order INDEXED BY acme_order_of_account
     WHERE account = ?1 AND key < ?2 ORDER BY key DESC LIMIT ?3";

pub(in crate::sqlite::scep) const OF_CERTIFICATE: &str =
    "SELECT id FROM acme_order WHERE serial = ?1 ORDER BY key DESC LIMIT 1";

pub(in crate::sqlite::scep) const FORGET: &str = "DELETE FROM acme_order WHERE keep_until < ?1";

pub(super) fn insert(
    connection: &Connection,
    id: &OrderId,
    record: &OrderRecord,
    open: usize,
    limit: usize,
) -> rusqlite::Result<Result<OrderInserted, StoreError>> {
    let now = record.created_at;
    let found: i64 = connection.prepare_cached(OPEN)?.query_row(
        params![
            record.account.as_bytes(),
            now.timestamp_micros(),
            values::limit(open)
        ],
        |row| row.get(0),
    )?;
    if found >= values::limit(open) {
        return Ok(Ok(OrderInserted::TooManyOpen));
    }
    let earlier: Option<OrderRecord> = connection
        .prepare_cached(REPLACING)?
        .query_row([replaces(record)], document::read)
        .optional()?;
    if earlier.is_some_and(|earlier| !earlier.has_failed(now)) {
        return Ok(Ok(OrderInserted::Replaced));
    }
    if find(connection, id)?.is_some() {
        return Ok(Err(StoreError::Exists));
    }
    if !counter::admit(connection, ORDERS, 1, limit)? {
        return Ok(Err(StoreError::Full { limit }));
    }
    write(connection, INSERT, id, record, FIRST)?;
    Ok(Ok(OrderInserted::Inserted))
}

pub(super) fn find(
    connection: &Connection,
    id: &OrderId,
) -> rusqlite::Result<Option<Kept<OrderRecord>>> {
    connection
        .prepare_cached(FIND)?
        .query_row([id.as_bytes()], kept)
        .optional()
}

pub(super) fn commit(
    connection: &Connection,
    id: &OrderId,
    version: Version,
    record: &OrderRecord,
    limit: usize,
) -> rusqlite::Result<Result<OrderCommitted, StoreError>> {
    let kept = find(connection, id)?;
    if kept.is_none_or(|kept| kept.version != version) {
        return Ok(Ok(OrderCommitted::Conflict));
    }
    let mut fresh = BTreeSet::new();
    for key in record.attested_keys() {
        let owner = connection
            .prepare_cached(OWNER)?
            .query_row([key], order_id)
            .optional()?;
        match owner {
            Some(owner) if owner != *id => return Ok(Ok(OrderCommitted::KeyUsed)),
            Some(_) => {}
            None => drop(fresh.insert(key)),
        }
    }
    if !counter::admit(connection, ATTESTED_KEYS, fresh.len(), limit)? {
        return Ok(Err(StoreError::Full { limit }));
    }
    for key in fresh {
        connection
            .prepare_cached(ATTEST)?
            .execute(params![key, id.as_bytes()])?;
    }
    let version = next(version);
    write(connection, UPDATE, id, record, version)?;
    Ok(Ok(OrderCommitted::Committed(version)))
}

/// Writes the document and the columns that follow from it.
fn write(
    connection: &Connection,
    sql: &str,
    id: &OrderId,
    record: &OrderRecord,
    version: Version,
) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute(params![
        id.as_bytes(),
        record.account.as_bytes(),
        replaces(record),
        record.serial(),
        record.open_until().map(|until| until.timestamp_micros()),
        record.keep_until().timestamp_micros(),
        number(version.0),
        document::write(record)?,
    ])?;
    Ok(())
}

fn replaces(record: &OrderRecord) -> Option<String> {
    record.replaces.as_ref().map(ToString::to_string)
}

pub(super) fn list(
    connection: &Connection,
    account: &AccountId,
    before: Option<&OrderId>,
    limit: usize,
) -> rusqlite::Result<Vec<(OrderId, OrderRecord)>> {
    let end = match before {
        None => i64::MAX,
        Some(before) => {
            let key = connection
                .prepare_cached(KEY)?
                .query_row([before.as_bytes()], |row| row.get(0))
                .optional()?;
            // Whoever names an order that is gone has seen all that are newer.
            let Some(key) = key else {
                return Ok(Vec::new());
            };
            key
        }
    };
    connection
        .prepare_cached(LIST)?
        .query_map(
            params![account.as_bytes(), end, values::limit(limit)],
            |row| {
                let id = row.get(1).map(OrderId::from_bytes)?;
                Ok((id, document::read(row)?))
            },
        )?
        .collect()
}

pub(super) fn of_certificate(
    connection: &Connection,
    serial: &[u8],
) -> rusqlite::Result<Option<OrderId>> {
    connection
        .prepare_cached(OF_CERTIFICATE)?
        .query_row([serial], order_id)
        .optional()
}

pub(super) fn forget(connection: &Connection, now: DateTime<Utc>) -> rusqlite::Result<usize> {
    let gone = connection
        .prepare_cached(FORGET)?
        .execute([now.timestamp_micros()])?;
    counter::release(connection, ORDERS, gone)?;
    Ok(gone)
}

fn order_id(row: &Row<'_>) -> rusqlite::Result<OrderId> {
    row.get(0).map(OrderId::from_bytes)
}
