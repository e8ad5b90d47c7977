//! The schema and how older files get to it. A step is never edited once released; a change is a
//! new step at the end.

use mdm_core::{StoreError, StoreErrorKind};
use rusqlite::{Connection, TransactionBehavior};

use super::error::store_error;

/// The newest schema version that this program knows.
pub const SCHEMA_VERSION: u32 = STEPS.len() as u32;

/// Marks a file as ours in its header (`PRAGMA application_id`).
pub(super) const APPLICATION_ID: i32 = 0x4d44_4d53;

/// All of them whatever the features: one schema for every build.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_service.sql"),
    include_str!("migrations/0002_ade.sql"),
    include_str!("migrations/0003_scep.sql"),
    include_str!("migrations/0004_acme.sql"),
    include_str!("migrations/0005_service.sql"),
    include_str!("migrations/0006_grants.sql"),
    include_str!("migrations/0007_vault.sql"),
];

/// Brings the file to [`SCHEMA_VERSION`], all steps in one transaction.
pub(super) fn migrate(connection: &mut Connection) -> Result<(), StoreError> {
    migrate_to(connection, STEPS)
}

fn migrate_to(connection: &mut Connection, steps: &[&str]) -> Result<(), StoreError> {
    let newest = steps.len() as u32;
    if check_against(connection, newest)? == newest {
        return Ok(());
    }
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(store_error)?;
    // Another process may have been faster.
    let found = check_against(&transaction, newest)?;
    for step in steps.iter().skip(found as usize) {
        transaction.execute_batch(step).map_err(store_error)?;
    }
    transaction
        .pragma_update(None, "application_id", APPLICATION_ID)
        .and_then(|()| transaction.pragma_update(None, "user_version", newest))
        .map_err(store_error)?;
    transaction.commit().map_err(store_error)
}

/// The version of the file, if it is one that this program may write.
pub(super) fn check(connection: &Connection) -> Result<u32, StoreError> {
    check_against(connection, SCHEMA_VERSION)
}

fn check_against(connection: &Connection, known: u32) -> Result<u32, StoreError> {
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
    if found > known {
        return Err(StoreError::new(StoreErrorKind::SchemaTooNew {
            found,
            known,
        }));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(connection: &Connection) -> i64 {
        connection
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap()
    }

    fn tables(connection: &Connection) -> i64 {
        let count = "SELECT count(*) FROM sqlite_schema";
        connection.query_row(count, [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn steps_run_once_each_and_keep_what_is_there() {
        let mut connection = Connection::open_in_memory().unwrap();
        let first = "CREATE TABLE a (x); INSERT INTO a VALUES (7);";
        let second = "CREATE TABLE b AS SELECT x + 1 AS x FROM a;";
        migrate_to(&mut connection, &[first]).unwrap();
        assert_eq!(version(&connection), 1);
        for _ in 0..2 {
            migrate_to(&mut connection, &[first, second]).unwrap();
            assert_eq!(version(&connection), 2);
        }
        let sum = "SELECT (SELECT sum(x) FROM a) + (SELECT sum(x) FROM b)";
        let sum: i64 = connection.query_row(sum, [], |row| row.get(0)).unwrap();
        assert_eq!(sum, 15);
    }

    #[test]
    fn a_step_that_fails_leaves_the_file_as_it_was() {
        let mut connection = Connection::open_in_memory().unwrap();
        let broken = [
            "CREATE TABLE a (x);",
            "CREATE TABLE b (x); no such statement;",
        ];
        assert!(migrate_to(&mut connection, &broken).is_err());
        assert_eq!((version(&connection), tables(&connection)), (0, 0));
        migrate(&mut connection).unwrap();
        assert_eq!(version(&connection), i64::from(SCHEMA_VERSION));
    }
}
