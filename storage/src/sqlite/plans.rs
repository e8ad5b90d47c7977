//! The queries of the hot path, looked at as SQLite would run them.

use rusqlite::Connection;

use super::{commands, enrollments, migrations::migrate, outbox};

/// What `EXPLAIN QUERY PLAN` says, one line a step.
fn plan(connection: &Connection, sql: &str) -> Vec<String> {
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

#[test]
fn no_query_walks_a_table_or_sorts() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    for sql in [
        commands::SENDER,
        commands::SEQUENCE,
        commands::TAKE,
        commands::SET_ASIDE,
        commands::RELEASE,
        commands::NEXT,
        commands::NEXT_FRESH,
        commands::COMMAND,
        commands::COMMANDS,
        commands::FINISHED,
        enrollments::FIND,
        enrollments::KEY,
        enrollments::OWNER,
        enrollments::PINNED_TO,
        enrollments::FAMILY,
        enrollments::DISABLE_USERS,
        enrollments::CANCEL,
        enrollments::CLEAR,
        outbox::AFTER,
        outbox::ACKNOWLEDGE,
    ] {
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

#[test]
fn the_next_command_is_found_by_the_key_of_the_queue() {
    let mut connection = Connection::open_in_memory().unwrap();
    migrate(&mut connection).unwrap();
    let plan = plan(&connection, commands::NEXT);
    let searches = plan.iter().filter(|step| {
        step.contains("SEARCH queue USING") && step.contains("(enrollment=? AND phase=?)")
    });
    assert_eq!(searches.count(), 2, "{plan:#?}");
}
