//! What PostgreSQL and its driver say as the kinds of [`StoreError`].

use std::{error::Error, fmt::Write as _};

use deadpool_postgres::{HookError, PoolError};
use mdm_core::{StoreError, StoreErrorKind};
use tokio_postgres::error::SqlState;

/// What the server said: its message names tables and constraints. Details and hints, which repeat values,
/// are left out.
#[derive(Debug, thiserror::Error)]
#[error("{code}: {message}")]
struct Refused {
    code: String,
    message: String,
}

/// The store's error for the driver's.
pub(super) fn store_error(error: tokio_postgres::Error) -> StoreError {
    match error.as_db_error() {
        Some(said) => {
            let refused = Refused {
                code: said.code().code().to_owned(),
                message: said.message().to_owned(),
            };
            StoreError::with_source(kind(said.code()), refused)
        }
        // The connection could not be made, broke, or brought what is no answer.
        None => StoreError::with_source(StoreErrorKind::Unreachable, chain(&error)),
    }
}

pub(super) fn pool_error(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => {
            store_error(error)
        }
        PoolError::Closed => StoreError::new(StoreErrorKind::Closed),
        PoolError::Timeout(_) => {
            StoreError::with_source(StoreErrorKind::Unreachable, "no connection in time")
        }
        other => StoreError::with_source(StoreErrorKind::Other, other.to_string()),
    }
}

/// A column that does not hold what this program writes there.
#[cfg(any(feature = "ade", feature = "scep", feature = "service"))]
pub(super) fn unreadable(error: impl Into<Box<dyn Error + Send + Sync>>) -> StoreError {
    StoreError::with_source(StoreErrorKind::Corrupt, error)
}

/// Whether the step was undone because of another one, so that it may succeed now or has become a
/// repetition.
pub(super) fn lost_a_race(error: &tokio_postgres::Error) -> bool {
    error.code().is_some_and(|code| {
        [
            SqlState::T_R_SERIALIZATION_FAILURE,
            SqlState::T_R_DEADLOCK_DETECTED,
            SqlState::UNIQUE_VIOLATION,
        ]
        .contains(code)
    })
}

fn kind(code: &SqlState) -> StoreErrorKind {
    match code.code() {
        "25006" => StoreErrorKind::ReadOnly,
        "40001" | "40P01" | "55P03" | "23505" => StoreErrorKind::Locked,
        // Damaged, or without our tables, columns and functions.
        "XX001" | "XX002" | "42P01" | "42703" | "42883" => StoreErrorKind::Corrupt,
        "53300" | "57P01" | "57P02" | "57P03" | "57P05" | "3D000" => StoreErrorKind::Unreachable,
        // No room: on the disk, in memory, within a limit that is set.
        other if other.starts_with("53") => StoreErrorKind::Full,
        // Connections, and who may have one.
        other if other.starts_with("08") || other.starts_with("28") => StoreErrorKind::Unreachable,
        _ => StoreErrorKind::Other,
    }
}

/// The driver's words, none of which are of values or of the address.
fn chain(error: &tokio_postgres::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let _ = write!(text, ": {cause}");
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_apart_by_what_to_do_about_them() {
        let kind = |code| super::kind(&SqlState::from_code(code));
        assert_eq!(kind("53100"), StoreErrorKind::Full);
        assert_eq!(kind("53400"), StoreErrorKind::Full);
        assert_eq!(kind("53300"), StoreErrorKind::Unreachable);
        assert_eq!(kind("25006"), StoreErrorKind::ReadOnly);
        assert_eq!(kind("28P01"), StoreErrorKind::Unreachable);
        assert_eq!(kind("57P01"), StoreErrorKind::Unreachable);
        assert_eq!(kind("42P01"), StoreErrorKind::Corrupt);
        assert_eq!(kind("57014"), StoreErrorKind::Other);
    }
}
