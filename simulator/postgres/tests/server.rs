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
