//! Many at once, from two nodes that share the database alone.

use std::future::Future;

use mdm_scep::{
    Store,
    acme::{
        ari::CertId,
        store::{
            AccountId, AccountWritten, AcmeStore, NonceId, OrderCommitted, OrderId, OrderInserted,
        },
    },
    store::{Committed, Grant, Issuance},
};
use mdm_storage::PostgresStore;

use super::cluster::{Database, database};
use crate::scep::{
    NOW,
    acme::{account, later, order},
    certificate, challenge, issue, key, request, spend,
};

const RIVALS: usize = 50;

async fn nodes(database: &Database) -> [PostgresStore; 2] {
    [database.open().await, database.open().await]
}

/// What each rival gets, half of them at either node.
async fn all<T, F>(stores: &[PostgresStore; 2], rival: impl Fn(usize, PostgresStore) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let tasks: Vec<_> = (0..RIVALS)
        .map(|n| tokio::spawn(rival(n, stores[n % 2].clone())))
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    outcomes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_requests_for_one_challenge_one_is_served() {
    let Some(database) = database().await else {
        return;
    };
    let stores = nodes(&database).await;
    issue(&stores[0], 1).await.unwrap();
    let key = key();
    let outcomes = all(&stores, |n, store| {
        let leaf = certificate(&key);
        let grant = Grant::challenge(challenge(1), "device 1");
        // Two requests, each of them many times.
        let issuance = Issuance::new(leaf.clone(), grant, request(n / 2 % 2), NOW);
        async move { (n / 2 % 2, leaf, store.commit(issuance).await.unwrap()) }
    })
    .await;
    let stored: Vec<_> = outcomes
        .iter()
        .filter(|(.., outcome)| matches!(outcome, Committed::Stored))
        .collect();
    let [(winner, leaf, _)] = stored.as_slice() else {
        panic!("{} were stored", stored.len());
    };
    for (request, _, outcome) in &outcomes {
        match outcome {
            Committed::Stored => {}
            Committed::Repeated(earlier) => assert_eq!((request, earlier), (winner, leaf)),
            other => {
                assert!(matches!(other, Committed::Conflict));
                assert_ne!(request, winner);
            }
        }
    }
    let certificates = "SELECT count(*) FROM scep_certificate";
    assert_eq!(database.number(certificates).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_renewals_by_one_request_one_is_served() {
    let Some(database) = database().await else {
        return;
    };
    let stores = nodes(&database).await;
    let key = key();
    let old = certificate(&key);
    issue(&stores[0], 1).await.unwrap();
    spend(&stores[0], 1, old.clone()).await.unwrap();
    let outcomes = all(&stores, |_, store| {
        let grant = Grant::renewal(old.serial(), "device 1");
        let issuance = Issuance::new(certificate(&key), grant, request(2), NOW);
        async move { store.commit(issuance).await.unwrap() }
    })
    .await;
    let repeated = |it: &&Committed| matches!(it, Committed::Repeated(_));
    let stored = |it: &&Committed| matches!(it, Committed::Stored);
    assert_eq!(outcomes.iter().filter(stored).count(), 1);
    assert_eq!(outcomes.iter().filter(repeated).count(), RIVALS - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_serial_number_is_taken_once_and_whoever_lost_has_lost_no_challenge() {
    let Some(database) = database().await else {
        return;
    };
    let stores = nodes(&database).await;
    for n in 0..RIVALS {
        issue(&stores[0], n).await.unwrap();
    }
    let leaf = certificate(&key());
    let outcomes = all(&stores, |n, store| {
        let leaf = leaf.clone();
        async move { spend(&store, n, leaf).await.is_ok() }
    })
    .await;
    assert_eq!(outcomes.into_iter().filter(|taken| *taken).count(), 1);
    let spent = "SELECT count(*) FROM scep_challenge WHERE request IS NOT NULL";
    assert_eq!(database.number(spent).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn numbers_of_revocation_lists_are_given_out_once() {
    let Some(database) = database().await else {
        return;
    };
    let stores = nodes(&database).await;
    let mut numbers = all(&stores, |_, store| async move {
        store.next_crl_number().await.unwrap()
    })
    .await;
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), RIVALS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_accounts_of_one_key_one_is_made_and_a_nonce_is_spent_once() {
    let Some(database) = database().await else {
        return;
    };
    let stores = nodes(&database).await;
    let record = account();
    let outcomes = all(&stores, |_, store| {
        let record = record.clone();
        async move {
            let id = AccountId::random().unwrap();
            let written = store.insert_account(id, record).await.unwrap();
            let nonce = NonceId::from_bytes([5; 16]);
            let first = store.spend_nonce(nonce, later()).await.unwrap();
            (id, written, first)
        }
    })
    .await;
    let owner = stores[0].account_of_key(&record.key.thumbprint()).await;
    let owner = owner.unwrap().unwrap();
    for (id, written, _) in &outcomes {
        let expected = match *id == owner {
            true => AccountWritten::Written,
            false => AccountWritten::KeyTaken(owner),
        };
        assert_eq!(*written, expected);
    }
    assert_eq!(outcomes.iter().filter(|(.., first)| *first).count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_orders_that_attest_one_key_one_gets_it() {
    let Some(database) = database().await else {
        return;
    };
    let stores = nodes(&database).await;
    let ids: Vec<_> = (0..RIVALS).map(|_| OrderId::random().unwrap()).collect();
    for id in &ids {
        stores[0].insert_order(*id, order(1), 99).await.unwrap();
    }
    let version = stores[0].order(&ids[0]).await.unwrap().unwrap().version;
    let outcomes = all(&stores, |n, store| {
        let id = ids[n];
        async move { store.commit_order(&id, version, order(1)).await.unwrap() }
    })
    .await;
    let used = |it: &&OrderCommitted| **it == OrderCommitted::KeyUsed;
    assert_eq!(outcomes.iter().filter(used).count(), RIVALS - 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_more_orders_are_open_and_replace_a_certificate_than_may() {
    let Some(database) = database().await else {
        return;
    };
    let stores = nodes(&database).await;
    let outcomes = all(&stores, |_, store| async move {
        let id = OrderId::random().unwrap();
        store.insert_order(id, order(1), 3).await.unwrap()
    })
    .await;
    let inserted = |it: &&OrderInserted| **it == OrderInserted::Inserted;
    assert_eq!(outcomes.iter().filter(inserted).count(), 3);

    let replaced = CertId::from_parts(b"authority", b"serial").unwrap();
    let outcomes = all(&stores, |n, store| {
        let mut record = order(1);
        record.account = AccountId::from_bytes([n as u8 + 2; 16]);
        record.replaces = Some(replaced.clone());
        async move {
            let id = OrderId::random().unwrap();
            store.insert_order(id, record, 3).await.unwrap()
        }
    })
    .await;
    assert_eq!(outcomes.iter().filter(inserted).count(), 1);
}
