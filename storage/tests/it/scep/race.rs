//! Many at once, on several threads and from two stores on one file.

use mdm_scep::{
    Store,
    store::{Committed, Grant, Issuance},
};
use mdm_storage::SqliteStore;

use super::{NOW, certificate, challenge, issue, key, request, spend};
use crate::scratch;

const RIVALS: usize = 32;

async fn both() -> [SqliteStore; 2] {
    let path = scratch::path();
    let first = SqliteStore::open(&path).await.unwrap();
    [first, SqliteStore::open(&path).await.unwrap()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_for_one_challenge_one_is_served() {
    let stores = both().await;
    issue(&stores[0], 1).await.unwrap();
    let key = key();
    let tasks: Vec<_> = (0..RIVALS)
        .map(|n| {
            let (store, leaf) = (stores[n % 2].clone(), certificate(&key));
            let grant = Grant::challenge(challenge(1), "device 1");
            // Two requests, each of them many times.
            let issuance = Issuance::new(leaf.clone(), grant, request(n % 2), NOW);
            tokio::spawn(async move { (n, leaf, store.commit(issuance).await.unwrap()) })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    let stored: Vec<_> = outcomes
        .iter()
        .filter(|(.., outcome)| matches!(outcome, Committed::Stored))
        .collect();
    let [(winner, leaf, _)] = stored.as_slice() else {
        panic!("{} were stored", stored.len());
    };
    for (n, _, outcome) in &outcomes {
        match outcome {
            Committed::Stored => {}
            Committed::Repeated(earlier) => {
                assert_eq!((n % 2, earlier), (winner % 2, leaf));
            }
            other => {
                assert!(matches!(other, Committed::Conflict));
                assert_ne!(n % 2, winner % 2);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_serial_number_is_taken_once() {
    let stores = both().await;
    let leaf = certificate(&key());
    for n in 0..RIVALS {
        issue(&stores[0], n).await.unwrap();
    }
    let tasks: Vec<_> = (0..RIVALS)
        .map(|n| {
            let (store, leaf) = (stores[n % 2].clone(), leaf.clone());
            tokio::spawn(async move { spend(&store, n, leaf).await.is_ok() })
        })
        .collect();
    let mut taken = 0;
    for task in tasks {
        taken += usize::from(task.await.unwrap());
    }
    assert_eq!(taken, 1);
    // Whoever lost has lost no challenge.
    let mut spent = 0;
    for n in 0..RIVALS {
        let found = stores[0].challenge(&challenge(n)).await.unwrap();
        spent += usize::from(found.unwrap().spent.is_some());
    }
    assert_eq!(spent, 1);
}
