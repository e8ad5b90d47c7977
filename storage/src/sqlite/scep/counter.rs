//! Numbers that are kept rather than counted.

use rusqlite::{Connection, params};

use crate::sqlite::values;

pub(super) const CHALLENGES: &str = "challenges";
pub(super) const PENDING: &str = "pending";
pub(super) const CRL_NUMBER: &str = "crl_number";
pub(super) const ACCOUNTS: &str = "accounts";
pub(super) const ORDERS: &str = "orders";
pub(super) const NONCES: &str = "nonces";
pub(super) const ATTESTED_KEYS: &str = "attested_keys";

pub(super) const NEXT: &str =
    "UPDATE scep_counter SET value = value + 1 WHERE name = ?1 RETURNING value";

pub(super) const ADMIT: &str =
    "UPDATE scep_counter SET value = value + ?2 WHERE name = ?1 AND value + ?2 <= ?3";

pub(super) const RELEASE: &str = "UPDATE scep_counter SET value = value - ?2 WHERE name = ?1";

/// One more than before.
pub(super) fn next(connection: &Connection, name: &str) -> rusqlite::Result<u64> {
    let number: i64 = connection
        .prepare_cached(NEXT)?
        .query_row([name], |row| row.get(0))?;
    Ok(number.unsigned_abs())
}

/// Counts so many more, unless these were more than there may be.
pub(super) fn admit(
    connection: &Connection,
    name: &str,
    more: usize,
    limit: usize,
) -> rusqlite::Result<bool> {
    let counted = connection.prepare_cached(ADMIT)?.execute(params![
        name,
        values::limit(more),
        values::limit(limit)
    ])?;
    Ok(counted == 1)
}

/// Counts so many less.
pub(super) fn release(connection: &Connection, name: &str, gone: usize) -> rusqlite::Result<()> {
    connection
        .prepare_cached(RELEASE)?
        .execute(params![name, values::limit(gone)])?;
    Ok(())
}
