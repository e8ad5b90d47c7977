//! SQLite's result codes as the kinds of [`StoreError`].

use mdm_core::{StoreError, StoreErrorKind};
use rusqlite::ErrorCode;

/// The store's error for SQLite's.
///
/// SQLite's own messages name tables and columns, never values, so the cause may be logged.
pub(super) fn store_error(error: rusqlite::Error) -> StoreError {
    StoreError::with_source(kind(&error), error)
}

fn kind(error: &rusqlite::Error) -> StoreErrorKind {
    match error {
        rusqlite::Error::SqliteFailure(failure, _) => match failure.code {
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => StoreErrorKind::Locked,
            ErrorCode::DiskFull => StoreErrorKind::Full,
            ErrorCode::ReadOnly => StoreErrorKind::ReadOnly,
            ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreErrorKind::Corrupt,
            ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::PermissionDenied => {
                StoreErrorKind::Unreachable
            }
            _ => StoreErrorKind::Other,
        },
        // A column that does not hold what this program writes there.
        rusqlite::Error::FromSqlConversionFailure(..)
        | rusqlite::Error::InvalidColumnType(..)
        | rusqlite::Error::IntegralValueOutOfRange(..) => StoreErrorKind::Corrupt,
        _ => StoreErrorKind::Other,
    }
}

/// Whether a connection that failed so shall be opened anew before it is used again. One that was opened while the file
/// could not be written to never writes, whatever becomes of the file.
pub(super) fn connection_is_spent(error: &StoreError) -> bool {
    matches!(
        error.kind(),
        StoreErrorKind::Unreachable
            | StoreErrorKind::ReadOnly
            | StoreErrorKind::Corrupt
            | StoreErrorKind::Other
    )
}
