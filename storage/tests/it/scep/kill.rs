//! A process that is killed while it issues: a challenge is spent where its certificate is kept, and
//! only there.

use std::{env, path::Path};

use mdm_scep::{Store, store::Committed};
use mdm_storage::SqliteStore;
use rusqlite::Connection;

use super::{certificate, challenge, issue, key, request, spend};
use crate::{
    kill::{FILE, Victim, say, whole},
    scratch,
};

const TASKS: usize = 4;

async fn issue_for_ever(path: std::ffi::OsString) {
    let store = SqliteStore::open(path).await.unwrap();
    let key = key();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (store, key) = (store.clone(), key.clone());
            tokio::spawn(async move {
                for n in (task..).step_by(TASKS) {
                    issue(&store, n).await.unwrap();
                    let stored = spend(&store, n, certificate(&key)).await.unwrap();
                    assert!(matches!(stored, Committed::Stored));
                    say(&n.to_string());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

fn count(path: &Path, sql: &str) -> i64 {
    let connection = Connection::open(path).unwrap();
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// Several times, so that the kill falls into different places.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_challenge_is_spent_exactly_where_its_certificate_was_kept() {
    if let Some(path) = env::var_os(FILE) {
        return issue_for_ever(path).await;
    }
    let test = "scep::kill::a_challenge_is_spent_exactly_where_its_certificate_was_kept";
    for issued in [1, 40, 150] {
        let path = scratch::path();
        let (mut victim, mut said) = Victim::start(test, &path);
        let mut answered: Vec<_> = said.by_ref().take(issued).collect();
        assert_eq!(answered.len(), issued);
        victim.kill();
        // What it said between the last line read and its end counts too.
        answered.extend(said);

        let store = whole(&path).await;
        for n in &answered {
            let n = n.parse().unwrap();
            let found = store.challenge(&challenge(n)).await.unwrap().unwrap();
            let spent = found.spent.unwrap();
            assert_eq!(spent.request, request(n));
            let kept = store.certificate(spent.certificate.serial()).await.unwrap();
            assert_eq!(kept.unwrap().certificate, spent.certificate);
        }
        let halves = "SELECT (SELECT count(*) FROM scep_challenge WHERE serial NOT IN
                 (SELECT serial FROM scep_certificate))
             + (SELECT count(*) FROM scep_certificate WHERE serial NOT IN
                 (SELECT serial FROM scep_challenge WHERE serial IS NOT NULL))";
        assert_eq!(count(&path, halves), 0);
        let miscounted = "SELECT value - (SELECT count(*) FROM scep_challenge)
             FROM scep_counter WHERE name = 'challenges'";
        assert_eq!(count(&path, miscounted), 0);
        let certificates = count(&path, "SELECT count(*) FROM scep_certificate") as usize;
        assert!((answered.len()..=answered.len() + TASKS).contains(&certificates));
        // It goes on where it stopped.
        issue(&store, 1_000_000).await.unwrap();
        let stored = spend(&store, 1_000_000, certificate(&key())).await;
        assert!(matches!(stored.unwrap(), Committed::Stored));
    }
}
