//! The store of ACME: the contract, its bounds, and many at once.

use chrono::{DateTime, TimeDelta, Utc};
use mdm_pki::{KeySpec, PrivateKey};
use mdm_scep::{
    acme::{
        identifier::Identifier,
        jwk::Jwk,
        store::{
            AccountId, AccountRecord, AccountWritten, AcmeStore, AttestedProof,
            AuthorizationRecord, AuthorizationState, NonceId, OrderCommitted, OrderId,
            OrderInserted, OrderRecord, Proof, contract,
        },
    },
    store::{ChallengeId, StoreError},
};
use mdm_storage::{SqliteStore, sqlite::Options};

use super::NOW;
use crate::scratch;

async fn empty() -> SqliteStore {
    SqliteStore::open(scratch::path()).await.unwrap()
}

pub(crate) fn later() -> DateTime<Utc> {
    NOW + TimeDelta::hours(1)
}

pub(crate) fn account() -> AccountRecord {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    AccountRecord::new(Jwk::new(key.public_key()).unwrap(), NOW)
}

/// An order whose one identifier was proven with this key.
pub(crate) fn order(key: u8) -> OrderRecord {
    let name = Identifier::permanent_identifier("device");
    let mut authorization = AuthorizationRecord::new(name, later(), Vec::new());
    let mut proof = Proof::new(NOW);
    proof.attested = Some(AttestedProof::new([key], [key; 32]));
    authorization.state = AuthorizationState::Valid(proof);
    let account = AccountId::from_bytes([1; 16]);
    let permit = ChallengeId::from_bytes([7; 32]);
    OrderRecord::new(account, NOW, later(), vec![authorization], permit)
}

#[tokio::test]
async fn accounts_orders_and_nonces_are_kept_by_the_rules() {
    contract::check(&empty().await).await.unwrap();
}

#[tokio::test]
async fn no_more_is_kept_than_allowed_and_what_is_forgotten_makes_room() {
    let one = Options::default().with(|options| {
        options.limits.accounts = 1;
        options.limits.orders = 2;
        options.limits.nonces = 1;
        options.limits.attested_keys = 1;
    });
    let store = SqliteStore::open_with(scratch::path(), one).await.unwrap();
    let full = |error| matches!(error, StoreError::Full { .. });

    let id = || AccountId::random().unwrap();
    store.insert_account(id(), account()).await.unwrap();
    assert!(full(
        store.insert_account(id(), account()).await.unwrap_err()
    ));

    let nonce = |n| NonceId::from_bytes([n; 16]);
    assert!(store.spend_nonce(nonce(1), NOW).await.unwrap());
    assert!(!store.spend_nonce(nonce(1), NOW).await.unwrap());
    assert!(full(store.spend_nonce(nonce(2), NOW).await.unwrap_err()));
    assert_eq!(store.forget(later()).await.unwrap(), 1);
    assert!(store.spend_nonce(nonce(2), NOW).await.unwrap());

    let orders = [OrderId::random().unwrap(), OrderId::random().unwrap()];
    for (n, id) in orders.iter().enumerate() {
        let inserted = store.insert_order(*id, order(n as u8), 9).await.unwrap();
        assert_eq!(inserted, OrderInserted::Inserted);
    }
    let third = OrderId::random().unwrap();
    assert!(full(
        store.insert_order(third, order(3), 9).await.unwrap_err()
    ));
    let version = store.order(&orders[0]).await.unwrap().unwrap().version;
    let commit = |order: usize, key| store.commit_order(&orders[order], version, self::order(key));
    let committed = commit(0, 1).await.unwrap();
    assert!(matches!(committed, OrderCommitted::Committed(_)));
    // A bound that is reached changes nothing.
    assert!(full(commit(1, 2).await.unwrap_err()));
    let kept = store.order(&orders[1]).await.unwrap().unwrap();
    assert_eq!((kept.version, kept.record), (version, order(1)));
    // Orders and the last nonce.
    assert_eq!(store.forget(NOW + TimeDelta::days(9)).await.unwrap(), 3);
    store.insert_order(third, order(1), 9).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_orders_that_attest_one_key_one_gets_it() {
    let path = scratch::path();
    let stores = [
        SqliteStore::open(&path).await.unwrap(),
        SqliteStore::open(&path).await.unwrap(),
    ];
    let mut ids = Vec::new();
    for _ in 0..16 {
        let id = OrderId::random().unwrap();
        stores[0].insert_order(id, order(1), 99).await.unwrap();
        ids.push(id);
    }
    let version = stores[0].order(&ids[0]).await.unwrap().unwrap().version;
    let tasks: Vec<_> = ids
        .into_iter()
        .enumerate()
        .map(|(n, id)| {
            let store = stores[n % 2].clone();
            tokio::spawn(async move { store.commit_order(&id, version, order(1)).await.unwrap() })
        })
        .collect();
    let mut committed = 0;
    for task in tasks {
        match task.await.unwrap() {
            OrderCommitted::Committed(_) => committed += 1,
            other => assert_eq!(other, OrderCommitted::KeyUsed),
        }
    }
    assert_eq!(committed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_accounts_of_one_key_one_is_made_and_a_nonce_is_spent_once() {
    let store = empty().await;
    let record = account();
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let (store, record) = (store.clone(), record.clone());
            tokio::spawn(async move {
                let id = AccountId::random().unwrap();
                let written = store.insert_account(id, record).await.unwrap();
                let nonce = NonceId::from_bytes([5; 16]);
                let first = store.spend_nonce(nonce, later()).await.unwrap();
                (id, written, first)
            })
        })
        .collect();
    let mut outcomes = Vec::new();
    for task in tasks {
        outcomes.push(task.await.unwrap());
    }
    let owner = store.account_of_key(&record.key.thumbprint()).await;
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
