//! Values as SQLite takes them.

use std::error::Error;
#[cfg(any(feature = "ade", feature = "scep", feature = "service"))]
use std::fmt::Debug;

#[cfg(any(feature = "scep", feature = "service"))]
use chrono::{DateTime, Utc};
use rusqlite::types::Type;

/// A number as SQLite keeps it; beyond its range the largest that it can keep.
#[cfg(any(feature = "ade", feature = "scep", feature = "service"))]
pub(super) fn number(unsigned: u64) -> i64 {
    i64::try_from(unsigned).unwrap_or(i64::MAX)
}

/// A time, kept as microseconds since 1970.
#[cfg(any(feature = "scep", feature = "service"))]
pub(super) fn time(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<DateTime<Utc>> {
    let micros: i64 = row.get(column)?;
    DateTime::from_timestamp_micros(micros)
        .ok_or(rusqlite::Error::IntegralValueOutOfRange(column, micros))
}

/// A column that does not hold what this program writes there.
pub(super) fn unreadable(
    column: usize,
    kind: Type,
    error: impl Error + Send + Sync + 'static,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, kind, Box::new(error))
}

/// What a newer version of the crate that keeps something here says, and this program has no column for.
#[cfg(any(feature = "ade", feature = "scep", feature = "service"))]
pub(super) fn unknown(value: impl Debug) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(format!("not known to this store: {value:?}").into())
}

/// A limit as SQLite takes it.
pub(super) fn limit(rows: usize) -> i64 {
    i64::try_from(rows).unwrap_or(i64::MAX)
}
