//! A server that is killed while it commits: a challenge is spent where its certificate is kept, and what
//! was answered is there.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use mdm_core::StoreErrorKind;
use mdm_pki::Certificate;
use mdm_scep::{Store, store::Committed};
use mdm_storage::PostgresStore;

use super::{cause, cluster::Cluster};
use crate::scep::{certificate, challenge, issue, key, request, spend};

const TASKS: usize = 8;

/// What one task was answered, and the commit that it was not answered.
struct Told {
    stored: Vec<(usize, Certificate)>,
    unknown: Option<(usize, Certificate)>,
}

async fn issue_until_it_fails(store: PostgresStore, first: usize, done: Arc<AtomicUsize>) -> Told {
    let key = key();
    let mut stored = Vec::new();
    for n in (first..).step_by(TASKS) {
        if let Err(error) = issue(&store, n).await {
            assert_eq!(cause(&error), StoreErrorKind::Unreachable, "{error:?}");
            break;
        }
        let leaf = certificate(&key);
        match spend(&store, n, leaf.clone()).await {
            Ok(committed) => assert!(matches!(committed, Committed::Stored)),
            Err(error) => {
                assert_eq!(cause(&error), StoreErrorKind::Unreachable, "{error:?}");
                let unknown = Some((n, leaf));
                return Told { stored, unknown };
            }
        }
        stored.push((n, leaf));
        done.fetch_add(1, Ordering::SeqCst);
    }
    let unknown = None;
    Told { stored, unknown }
}

/// Several times, so that the kill falls into different places.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_outlives_the_server_and_the_rest_is_asked_again() {
    let Some(cluster) = Cluster::start() else {
        return;
    };
    let cluster: &'static Cluster = Box::leak(Box::new(cluster));
    let database = cluster.database().await;
    // Two nodes.
    let stores = [database.open().await, database.open().await];
    let (mut begin, mut certificates) = (0, 0);
    for enough in [1, 60, 250] {
        let done = Arc::new(AtomicUsize::new(0));
        let tasks: Vec<_> = (0..TASKS)
            .map(|n| {
                let store = stores[n % 2].clone();
                tokio::spawn(issue_until_it_fails(store, begin + n, done.clone()))
            })
            .collect();
        while done.load(Ordering::SeqCst) < enough {
            tokio::task::yield_now().await;
        }
        cluster.kill();
        let mut told = Vec::new();
        for task in tasks {
            told.push(task.await.unwrap());
        }
        assert!(cluster.run(), "{}", cluster.log());

        // The stores find their connections broken and make new ones.
        for Told { stored, unknown } in told {
            certificates += stored.len();
            for (n, leaf) in stored {
                let found = stores[0].challenge(&challenge(n)).await.unwrap().unwrap();
                let spent = found.spent.unwrap();
                assert_eq!((spent.request, &spent.certificate), (request(n), &leaf));
                let kept = stores[1].certificate(leaf.serial()).await.unwrap();
                assert_eq!(kept.unwrap().certificate, leaf);
            }
            if let Some((n, leaf)) = unknown {
                certificates += 1;
                let again = certificate(&key());
                match spend(&stores[n % 2], n, again).await.unwrap() {
                    Committed::Stored => {}
                    Committed::Repeated(kept) => assert_eq!(kept, leaf),
                    other => panic!("{other:?}"),
                }
            }
        }
        let halves = "SELECT (SELECT count(*) FROM scep_challenge h WHERE serial IS NOT NULL
                 AND NOT EXISTS (SELECT FROM scep_certificate c WHERE c.serial = h.serial))
             + (SELECT count(*) FROM scep_certificate c
                 WHERE NOT EXISTS (SELECT FROM scep_challenge h WHERE h.serial = c.serial))";
        assert_eq!(database.number(halves).await, 0);
        let kept = "SELECT count(*) FROM scep_certificate";
        assert_eq!(database.number(kept).await, certificates as i64);
        let miscounted = "SELECT (SELECT sum(value)::bigint FROM scep_counter
             WHERE name = 'challenges') - (SELECT count(*) FROM scep_challenge)";
        assert_eq!(database.number(miscounted).await, 0);
        begin += 1_000_000;
    }
}
