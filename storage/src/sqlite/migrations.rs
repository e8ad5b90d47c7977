//! The schema and how older files get to it. A step is never edited once released; a change is a
//! new step at the end.

use mdm_service::{StoreError, StoreErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use super::error::store_error;

/// The newest schema version that this program knows.
pub const SCHEMA_VERSION: u32 = STEPS.len() as u32;

/// Marks a file as ours in its header (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = 0x4d44_4d53;

const STEPS: &[&str] = &[include_str!("migrations/0001_service.sql")];

/// Brings the file to [`SCHEMA_VERSION`], all steps in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    if check(connection)? == SCHEMA_VERSION {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(store_error)?;
    // Another process may have been faster.
    let found = check(&transaction)?;
    for step in STEPS.iter().skip(found as usize) {
        transaction.execute_batch(step).map_err(store_error)?;
    }
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .and_then(|()| transaction.pragma_update(None, "user_version", SCHEMA_VERSION))
        .map_err(store_error)?;
    transaction.commit().map_err(store_error)
}

/// The version of the file, if it is one that this program may write.
pub(super) fn check(connection: &Connection) -> Result<u32, StoreError> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = number("application_id").map_err(store_error)?;
    let version = number("user_version").map_err(store_error)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(store_error)?;
    let is_new = application == 0 && version == 0 && tables == 0;
    if !is_new && application != i64::from(APPLICATION_ID) {
        return Err(StoreError::with_source(
            StoreErrorKind::Corrupt,
            "the file belongs to another program",
        ));
    }
    let found = u32::try_from(version)
        .map_err(|error| StoreError::with_source(StoreErrorKind::Corrupt, error))?;
    if found > SCHEMA_VERSION {
        let known = SCHEMA_VERSION;
        return Err(StoreError::new(StoreErrorKind::SchemaTooNew {
            found,
            known,
        }));
    }
    Ok(found)
}
