//! Places in pools, and how many are taken.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension, params};

use super::rows;

pub(super) const TAKEN: &str = "SELECT taken FROM pools WHERE name = ?1";

const TAKE: &str = "INSERT INTO places (pool, holder) VALUES (?1, ?2)";

const ONE_MORE: &str = "INSERT INTO pools (name, taken) VALUES (?1, 1)
     ON CONFLICT (name) DO UPDATE SET taken = taken + 1";

pub(super) const FREE: &str = "DELETE FROM places WHERE pool = ?1 AND holder = ?2";

pub(super) const ONE_LESS: &str = "UPDATE pools SET taken = taken - 1 WHERE name = ?1";

pub(super) fn taken(connection: &Connection, pool: &str) -> rusqlite::Result<u64> {
    let taken = connection
        .prepare_cached(TAKEN)?
        .query_row([pool], |row| rows::unsigned(row, 0))
        .optional()?;
    Ok(taken.unwrap_or_default())
}

/// Frees the places that `holder` has no more and takes those that are new.
pub(super) fn exchange(
    connection: &Connection,
    holder: &str,
    former: &[String],
    now: &[String],
) -> rusqlite::Result<()> {
    let former: BTreeSet<_> = former.iter().collect();
    let now: BTreeSet<_> = now.iter().collect();
    for pool in former.difference(&now) {
        connection
            .prepare_cached(FREE)?
            .execute(params![pool, holder])?;
        connection.prepare_cached(ONE_LESS)?.execute([pool])?;
    }
    for pool in now.difference(&former) {
        connection
            .prepare_cached(TAKE)?
            .execute(params![pool, holder])?;
        connection.prepare_cached(ONE_MORE)?.execute([pool])?;
    }
    Ok(())
}
