//! A process that is killed outright: what was answered stays, what was not leaves no trace.
//!
//! The victim is the test itself, run again in a process of its own with a file to work on.

use std::{
    env,
    ffi::OsString,
    io::{self, BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use mdm_storage::SqliteStore;
use rusqlite::Connection;

use crate::{fixture::*, scratch};

/// Names the file to the victim: a test that finds it set is one.
pub(crate) const FILE: &str = "MDM_STORAGE_VICTIM_FILE";

/// What a victim says when something was answered to it.
const SAYS: &str = "answered ";

pub(crate) fn say(what: &str) {
    // One write a line, so that a kill never leaves half of one.
    io::stdout()
        .write_all(format!("{SAYS}{what}\n").as_bytes())
        .unwrap();
}

/// Kills its process when dropped, also when a test fails.
pub(crate) struct Victim(Child);

impl Victim {
    pub(crate) fn start(test: &str, path: &Path) -> (Self, impl Iterator<Item = String>) {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture", "--test-threads=1"])
            .env(FILE, path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let said = lines.filter_map(|line| {
            let line = line.unwrap();
            line.find(SAYS).map(|at| line[at + SAYS.len()..].to_owned())
        });
        (Self(child), said)
    }

    pub(crate) fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn enqueue_for_ever(path: OsString) {
    let store = SqliteStore::open(path).await.unwrap();
    let mut tasks = Vec::new();
    for n in 0..4 {
        let id = enroll(&store, n).await;
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for c in 0.. {
                enqueue(&store, &id, &format!("c-{c}"), 2000).await.unwrap();
                say(&format!("{n} c-{c}"));
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

async fn stay_in_a_transaction(path: OsString) {
    let store = SqliteStore::open(&path).await.unwrap();
    let id = enroll(&store, 1).await;
    enqueue(&store, &id, "c-1", 10).await.unwrap();
    let connection = Connection::open(&path).unwrap();
    // Large enough to spill into the log before any commit.
    connection
        .execute_batch(
            "PRAGMA cache_size = 1; BEGIN IMMEDIATE;
             DELETE FROM queue;
             WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
             INSERT INTO commands (enrollment, uuid, request_type, at, body)
             SELECT 1, 'half-' || i, 'X', 0, zeroblob(2000) FROM n;",
        )
        .unwrap();
    say("in a transaction");
    loop {
        thread::park();
    }
}

/// Opens a file that was left behind and looks at all of it.
pub(crate) async fn whole(path: &Path) -> SqliteStore {
    let store = SqliteStore::open(path).await.unwrap();
    let connection = Connection::open(path).unwrap();
    let check: String = connection
        .pragma_query_value(None, "integrity_check", |row| row.get(0))
        .unwrap();
    assert_eq!(check, "ok");
    store
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_before_the_kill_is_there_after_it() {
    if let Some(path) = env::var_os(FILE) {
        return enqueue_for_ever(path).await;
    }
    let path = scratch::path();
    let test = "kill::what_was_answered_before_the_kill_is_there_after_it";
    let (mut victim, mut said) = Victim::start(test, &path);
    let mut answered: Vec<_> = said.by_ref().take(300).collect();
    assert_eq!(answered.len(), 300);
    victim.kill();
    // What it said between the last line read and its end counts too.
    answered.extend(said);

    let store = whole(&path).await;
    for n in 0..4 {
        let found = uuids(&store, &device(n)).await;
        // In order and without a gap; beyond what was answered at most what was on its way.
        let expected: Vec<_> = (0..found.len()).map(|c| format!("c-{c}")).collect();
        assert_eq!(found, expected);
        let prefix = format!("{n} ");
        let told = answered
            .iter()
            .filter(|line| line.starts_with(&prefix))
            .count();
        assert!(
            (told..=told + 1).contains(&found.len()),
            "{told} {}",
            found.len()
        );
    }
}

#[tokio::test]
async fn a_transaction_that_was_open_at_the_kill_leaves_no_trace_and_no_lock() {
    if let Some(path) = env::var_os(FILE) {
        return stay_in_a_transaction(path).await;
    }
    let path = scratch::path();
    let test = "kill::a_transaction_that_was_open_at_the_kill_leaves_no_trace_and_no_lock";
    let (mut victim, mut said) = Victim::start(test, &path);
    assert_eq!(said.next().as_deref(), Some("in a transaction"));
    victim.kill();

    let store = whole(&path).await;
    assert_eq!(uuids(&store, &device(1)).await, ["c-1"]);
    let polled = report(&store, 1, mdm_service::queue::ReportKind::Idle)
        .await
        .unwrap();
    assert_eq!(
        polled.next().map(|next| next.command_uuid.as_str()),
        Some("c-1")
    );
    enqueue(&store, &device(1), "c-2", 10).await.unwrap();
}
