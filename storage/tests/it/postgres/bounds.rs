//! How much is kept, and what is left of it when a store is opened anew.

use chrono::TimeDelta;
use mdm_scep::{
    Bound, Store,
    acme::store::{AccountId, AcmeStore, NonceId, OrderCommitted, OrderId},
    pending::{PendingStore, Resolution},
    store::{ChallengeRecord, Grant, StoreError},
};
use mdm_storage::postgres::Options;

use super::cluster::database;
use crate::scep::{
    NOW,
    acme::{account, later, order},
    certificate, challenge, issue, key, request, spend, waiting,
};

fn is_full<T>(outcome: &Result<T, StoreError>) -> bool {
    matches!(outcome, Err(StoreError::Full { .. }))
}

#[tokio::test]
async fn no_more_is_kept_than_allowed_and_what_is_forgotten_makes_room() {
    let Some(database) = database().await else {
        return;
    };
    let two = Options::default().with(|options| {
        options.limits.challenges = 2;
        options.limits.pending = 2;
    });
    let store = database.open_with(two.clone()).await;
    issue(&store, 1).await.unwrap();
    issue(&store, 2).await.unwrap();
    // From another connection, which counts elsewhere.
    let other = database.open_with(two).await;
    assert!(is_full(&issue(&other, 3).await));
    // One that is there is told apart from one too many.
    let exists = issue(&other, 1).await.unwrap_err();
    assert!(matches!(exists, StoreError::Exists), "{exists:?}");
    // A spent one counts until it is forgotten.
    spend(&store, 1, certificate(&key())).await.unwrap();
    assert!(is_full(&issue(&store, 3).await));
    let forgotten = other.forget_challenges(NOW + TimeDelta::seconds(2)).await;
    assert_eq!(forgotten.unwrap(), 1);
    issue(&store, 3).await.unwrap();
    assert!(is_full(&issue(&other, 4).await));

    let key = key();
    for n in 1..=2 {
        let (id, pending) = waiting(&key, n);
        store.hold(id, pending).await.unwrap();
    }
    let (third, pending) = waiting(&key, 3);
    assert!(is_full(&other.hold(third, pending.clone()).await));
    let (first, _) = waiting(&key, 1);
    other.hold(first, pending.clone()).await.unwrap();
    let forgotten = store.forget_pending(NOW + TimeDelta::seconds(3)).await;
    assert_eq!(forgotten.unwrap(), 1);
    store.hold(third, pending).await.unwrap();
}

#[tokio::test]
async fn the_bounds_of_acme_hold_and_a_bound_that_is_reached_changes_nothing() {
    let Some(database) = database().await else {
        return;
    };
    let one = Options::default().with(|options| {
        options.limits.accounts = 1;
        options.limits.orders = 2;
        options.limits.nonces = 1;
        options.limits.attested_keys = 1;
    });
    let store = database.open_with(one).await;
    let id = || AccountId::random().unwrap();
    store.insert_account(id(), account()).await.unwrap();
    assert!(is_full(&store.insert_account(id(), account()).await));

    let nonce = |n| NonceId::from_bytes([n; 16]);
    assert!(store.spend_nonce(nonce(1), NOW).await.unwrap());
    assert!(!store.spend_nonce(nonce(1), NOW).await.unwrap());
    assert!(is_full(&store.spend_nonce(nonce(2), NOW).await));
    assert_eq!(store.forget(later()).await.unwrap(), 1);
    assert!(store.spend_nonce(nonce(2), NOW).await.unwrap());

    let orders = [OrderId::random().unwrap(), OrderId::random().unwrap()];
    for (n, id) in orders.iter().enumerate() {
        store.insert_order(*id, order(n as u8), 9).await.unwrap();
    }
    let third = OrderId::random().unwrap();
    assert!(is_full(&store.insert_order(third, order(3), 9).await));
    let version = store.order(&orders[0]).await.unwrap().unwrap().version;
    let commit = |n: usize, key| store.commit_order(&orders[n], version, order(key));
    let committed = commit(0, 1).await.unwrap();
    assert!(matches!(committed, OrderCommitted::Committed(_)));
    assert!(is_full(&commit(1, 2).await));
    let kept = store.order(&orders[1]).await.unwrap().unwrap();
    assert_eq!((kept.version, kept.record), (version, order(1)));
    assert_eq!(store.forget(NOW + TimeDelta::days(9)).await.unwrap(), 3);
    store.insert_order(third, order(1), 9).await.unwrap();
}

#[tokio::test]
async fn everything_is_found_again_as_it_was_left() {
    let Some(database) = database().await else {
        return;
    };
    let store = database.open().await;
    let mut record = ChallengeRecord::new("Ada's Mac", NOW, NOW + TimeDelta::minutes(15));
    record.bound = Bound::common_name("C02XK0AAJGH5");
    let inserted = store.insert_challenge(challenge(1), record.clone()).await;
    inserted.unwrap();
    let key = key();
    let leaf = certificate(&key);
    spend(&store, 1, leaf.clone()).await.unwrap();
    let number = store.next_crl_number().await.unwrap();
    let (id, mut pending) = waiting(&key, 1);
    pending.grant = Grant::renewal(leaf.serial(), "Ada's Mac");
    store.hold(id, pending.clone()).await.unwrap();
    let denied = Resolution::denied("not hers");
    let resolved = store.resolve(&id, pending.request, denied.clone()).await;
    assert_eq!(resolved.unwrap(), Some(denied.clone()));
    store.close();

    let store = database.open().await;
    let found = store.challenge(&challenge(1)).await.unwrap().unwrap();
    assert_eq!((found.label, found.bound), (record.label, record.bound));
    assert_eq!(found.expires_at, record.expires_at);
    let spent = found.spent.unwrap();
    assert_eq!((spent.request, &spent.certificate), (request(1), &leaf));
    let kept = store.certificate(leaf.serial()).await.unwrap().unwrap();
    assert_eq!((kept.certificate, kept.revoked), (leaf.clone(), None));
    assert!(store.next_crl_number().await.unwrap() > number);
    let found = store.pending(&id).await.unwrap().unwrap();
    assert_eq!(found.resolution, Some(denied));
    assert!(matches!(found.grant, Grant::Renewal { of, .. } if of == leaf.serial()));
    assert!(store.unresolved(9).await.unwrap().is_empty());
}
