//! Queries, looked at as SQLite would run them.

use rusqlite::Connection;

use super::migrations::migrate;

/// A file with the newest schema, in memory.
pub(super) fn empty() -> Connection {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    connection
}

/// What `EXPLAIN QUERY PLAN` says, one line a step.
pub(super) fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let parameters = statement.parameter_count();
    let rows = statement
        .query_map(
            rusqlite::params_from_iter((0..parameters).map(|_| 1)),
            |row| row.get::<_, String>(3),
        )
        .unwrap();
    rows.map(Result::unwrap).collect()
}

/// Asserts that every query finds by an index what it looks for, and sorts nothing.
pub(super) fn assert_none_walks_or_sorts(queries: &[&str]) {
    let connection = empty();
    for sql in queries {
        let plan = plan(&connection, sql);
        assert!(
            plan.iter().any(|step| step.starts_with("SEARCH")),
            "{sql}: {plan:#?}"
        );
        let slow = |step: &&String| {
            let harmless = step.contains("subquery") || step.contains("CONSTANT ROW");
            let walks = step.starts_with("SCAN") && !harmless;
            walks || step.contains("TEMP B-TREE") || step.contains("AUTOMATIC")
        };
        assert_eq!(plan.iter().find(slow), None, "{sql}: {plan:#?}");
    }
}
