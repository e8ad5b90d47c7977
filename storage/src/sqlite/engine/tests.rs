use std::sync::mpsc::channel;

use super::*;
use crate::sqlite::Options;

const COUNT: &str = "SELECT count(*) FROM outbox";
const INSERT: &str = "INSERT INTO outbox (enrollment, at, event) VALUES ('device:A', 0, '{}')";

async fn engine(folder: &tempfile::TempDir, options: Options) -> Engine {
    let path = folder.path().join("mdm.sqlite");
    Engine::start(Target { path, options }).await.unwrap()
}

fn count(connection: &Connection) -> rusqlite::Result<i64> {
    connection.query_row(COUNT, [], |row| row.get(0))
}

fn insert(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute(INSERT, []).map(drop)
}

/// The first step holds the writer until all are queued, so all share its transaction.
#[tokio::test]
async fn steps_that_wait_share_a_transaction_and_a_failed_one_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, Options::default()).await;
    let path = engine.path().to_owned();
    let (queued, all_queued) = channel();
    let first = engine.write(move |connection| {
        all_queued.recv().unwrap();
        insert(connection)
    });
    let fails = engine.write(|connection| {
        insert(connection)?;
        connection.execute("INSERT INTO outbox (seq) VALUES (1)", [])
    });
    let last = engine.write(move |connection| {
        insert(connection)?;
        let outside = count(&Connection::open(path).unwrap())?;
        Ok((count(connection)?, outside))
    });
    let release = async { queued.send(()).unwrap() };
    let (first, failed, last, ()) = tokio::join!(first, fails, last, release);
    first.unwrap();
    assert_eq!(failed.unwrap_err().kind(), StoreErrorKind::Other);
    // Inside, the first and the last step; outside, nothing yet.
    assert_eq!(last.unwrap(), (2, 0));
    assert_eq!(engine.read(count).await.unwrap(), 2);
}

#[tokio::test]
async fn a_first_step_that_fails_takes_none_of_those_behind_it_along() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, Options::default()).await;
    let (queued, all_queued) = channel();
    let fails = engine.write(move |connection| {
        all_queued.recv().unwrap();
        insert(connection)?;
        connection.execute("INSERT INTO outbox (seq) VALUES (1)", [])
    });
    let next = engine.write(insert);
    let release = async { queued.send(()).unwrap() };
    let (failed, next, ()) = tokio::join!(fails, next, release);
    assert_eq!(failed.unwrap_err().kind(), StoreErrorKind::Other);
    next.unwrap();
    assert_eq!(engine.read(count).await.unwrap(), 1);
}

#[tokio::test]
async fn a_step_that_panics_leaves_no_trace_and_the_next_one_runs() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, Options::default()).await;
    let panicked = engine.write(|connection| -> rusqlite::Result<()> {
        insert(connection)?;
        panic!("on purpose")
    });
    assert_eq!(panicked.await.unwrap_err().kind(), StoreErrorKind::Other);
    engine.write(insert).await.unwrap();
    assert_eq!(engine.read(count).await.unwrap(), 1);
}

/// What SQLite does by itself on a full disk: the transaction is gone, and nobody is told
/// otherwise.
#[tokio::test]
async fn a_lost_transaction_is_lost_for_every_step_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, Options::default()).await;
    let (queued, all_queued) = channel();
    let first = engine.write(move |connection| {
        all_queued.recv().unwrap();
        insert(connection)
    });
    let loses = engine.write(|connection| {
        connection.execute_batch("ROLLBACK")?;
        Err::<(), _>(rusqlite::Error::InvalidQuery)
    });
    let release = async { queued.send(()).unwrap() };
    let (first, lost, ()) = tokio::join!(first, loses, release);
    assert_eq!(first.unwrap_err().kind(), StoreErrorKind::Other);
    assert_eq!(lost.unwrap_err().kind(), StoreErrorKind::Other);
    assert_eq!(engine.read(count).await.unwrap(), 0);
    engine.write(insert).await.unwrap();
    assert_eq!(engine.read(count).await.unwrap(), 1);
}

#[tokio::test]
async fn closing_finishes_what_is_queued_and_refuses_what_comes() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, Options::default()).await;
    let clone = engine.clone();
    let (queued, all_queued) = channel();
    let write = engine.write(move |connection| {
        all_queued.recv().unwrap();
        insert(connection)
    });
    let close = async {
        queued.send(()).unwrap();
        clone.close().await;
    };
    let (written, ()) = tokio::join!(write, close);
    written.unwrap();
    let refused = engine.write(insert).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Closed);
    let refused = engine.read(count).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::Closed);
    assert_eq!(count(&Connection::open(clone.path()).unwrap()).unwrap(), 1);
}

#[tokio::test]
async fn a_reader_cannot_write_and_a_commit_is_flushed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(&folder, Options::default()).await;
    let refused = engine.read(insert).await.unwrap_err();
    assert_eq!(refused.kind(), StoreErrorKind::ReadOnly);
    let settings = engine.write(|connection| {
        let text = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        let number = |name| connection.pragma_query_value(None, name, |row| row.get(0));
        Ok((text("journal_mode")?, number("synchronous")?))
    });
    let (journal, synchronous): (String, i64) = settings.await.unwrap();
    assert_eq!((journal.as_str(), synchronous), ("wal", 2));
}
