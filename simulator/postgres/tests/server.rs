//! A server through its life.

#![allow(clippy::print_stderr, clippy::unwrap_used)]

use std::path::Path;

use mdm_scratch_postgres::Server;

fn server() -> Option<Server> {
    let server = Server::builder().setting("work_mem", "'5MB'").start();
    let server = server.unwrap();
    if server.is_none() {
        let required = std::env::var("REQUIRE_PEERS").as_deref() == Ok("1");
        assert!(!required, "PostgreSQL is missing");
        eprintln!("skipped: PostgreSQL is missing");
    }
    server
}

#[test]
fn what_was_committed_outlives_a_kill() {
    let Some(server) = server() else { return };
    server.create("one").unwrap();
    let script = "CREATE TABLE t (n int); INSERT INTO t VALUES (1), (2);";
    server.run_script("one", script).unwrap();
    server.copy("two", "one").unwrap();
    assert!(server.processes().len() > 1);
    server.kill().unwrap();
    assert!(server.ask("one", "SELECT 1").is_err());
    server.run().unwrap();
    let sum = "SELECT sum(n), current_setting('work_mem') FROM t";
    assert_eq!(server.ask("two", sum).unwrap(), "3|5MB");
    assert!(server.socket().exists());
}

#[test]
fn a_statement_that_fails_is_told_with_its_reason() {
    let Some(server) = server() else { return };
    let error = server.ask("postgres", "SELECT 1/0").unwrap_err();
    assert!(error.to_string().contains("division by zero"), "{error}");
    assert!(server.create("postgres").is_err());
    assert!(Path::new(&server.socket()).exists());
}

/// Also what it keeps in memory: a kill is no power cut.
#[test]
fn a_server_in_memory_goes_on_after_a_kill() {
    let Some(server) = Server::builder().in_memory().start().unwrap() else {
        return;
    };
    let script = "CREATE TABLE t (n int); INSERT INTO t VALUES (1);";
    server.run_script("postgres", script).unwrap();
    server.kill().unwrap();
    server.run().unwrap();
    let count = "SELECT count(*), current_setting('fsync') FROM t";
    assert_eq!(server.ask("postgres", count).unwrap(), "1|off");
}

#[test]
fn a_standby_follows_and_takes_over() {
    let Some(server) = server() else { return };
    server.ask("postgres", "CREATE TABLE t (n int)").unwrap();
    let standby = server.standby().unwrap();
    let insert = "INSERT INTO t VALUES (1)";
    let refused = standby.ask("postgres", insert).unwrap_err();
    assert!(refused.to_string().contains("read-only"), "{refused}");
    // From now on the server answers when its standby has it.
    server
        .ask(
            "postgres",
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
        )
        .unwrap();
    server.ask("postgres", "SELECT pg_reload_conf()").unwrap();
    while server.ask("postgres", SYNCHRONOUS).unwrap() != "1" {}
    server.ask("postgres", insert).unwrap();
    server.kill().unwrap();
    standby.promote().unwrap();
    standby.ask("postgres", insert).unwrap();
    let sum = "SELECT sum(n), current_setting('work_mem') FROM t";
    assert_eq!(standby.ask("postgres", sum).unwrap(), "2|5MB");
}

const SYNCHRONOUS: &str = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
