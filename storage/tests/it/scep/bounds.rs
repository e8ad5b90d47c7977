//! How many challenges and requests are kept, and what is left of them when the store is opened anew.

use chrono::TimeDelta;
use mdm_scep::{
    Bound, Store,
    pending::{PendingStore, Resolution},
    store::{ChallengeRecord, Grant, StoreError},
};
use mdm_storage::{SqliteStore, sqlite::Options};

use super::{NOW, certificate, challenge, issue, key, request, spend, waiting};
use crate::scratch;

fn two() -> Options {
    Options::default().with(|options| {
        options.limits.challenges = 2;
        options.limits.pending = 2;
    })
}

#[tokio::test]
async fn no_more_challenges_are_kept_than_allowed_and_forgotten_ones_make_room() {
    let path = scratch::path();
    let store = SqliteStore::open_with(&path, two()).await.unwrap();
    issue(&store, 1).await.unwrap();
    issue(&store, 2).await.unwrap();
    for _ in 0..2 {
        let full = issue(&store, 3).await.unwrap_err();
        assert!(matches!(full, StoreError::Full { limit: 2 }), "{full:?}");
    }
    // One that is there is told apart from one too many.
    let exists = issue(&store, 1).await.unwrap_err();
    assert!(matches!(exists, StoreError::Exists), "{exists:?}");
    // A spent one counts until it is forgotten.
    spend(&store, 1, certificate(&key())).await.unwrap();
    assert!(issue(&store, 3).await.is_err());

    store.close().await;
    let store = SqliteStore::open_with(&path, two()).await.unwrap();
    assert!(issue(&store, 3).await.is_err());
    let forgotten = store.forget_challenges(NOW + TimeDelta::seconds(2)).await;
    assert_eq!(forgotten.unwrap(), 1);
    issue(&store, 3).await.unwrap();
    assert!(issue(&store, 4).await.is_err());
}

#[tokio::test]
async fn no_more_requests_wait_than_allowed_and_one_gives_way_to_another_of_its_own() {
    let store = SqliteStore::open_with(scratch::path(), two())
        .await
        .unwrap();
    let key = key();
    for n in 1..=2 {
        let (id, pending) = waiting(&key, n);
        store.hold(id, pending).await.unwrap();
    }
    let (third, pending) = waiting(&key, 3);
    let full = store.hold(third, pending.clone()).await.unwrap_err();
    assert!(matches!(full, StoreError::Full { limit: 2 }), "{full:?}");
    let (first, _) = waiting(&key, 1);
    store.hold(first, pending.clone()).await.unwrap();
    assert!(store.hold(third, pending.clone()).await.is_err());
    let forgotten = store.forget_pending(NOW + TimeDelta::seconds(3)).await;
    assert_eq!(forgotten.unwrap(), 1);
    store.hold(third, pending).await.unwrap();
}

#[tokio::test]
async fn everything_is_found_again_as_it_was_left() {
    let path = scratch::path();
    let store = SqliteStore::open(&path).await.unwrap();
    let mut record = ChallengeRecord::new("Ada's Mac", NOW, NOW + TimeDelta::minutes(15));
    record.bound = Bound::common_name("C02XK0AAJGH5");
    store
        .insert_challenge(challenge(1), record.clone())
        .await
        .unwrap();
    let key = key();
    let leaf = certificate(&key);
    spend(&store, 1, leaf.clone()).await.unwrap();
    let number = store.next_crl_number().await.unwrap();
    let (id, mut pending) = waiting(&key, 1);
    pending.grant = Grant::renewal(leaf.serial(), "Ada's Mac");
    store.hold(id, pending.clone()).await.unwrap();
    let denied = Resolution::denied("not hers");
    store
        .resolve(&id, pending.request, denied.clone())
        .await
        .unwrap();
    store.close().await;

    let store = SqliteStore::open(&path).await.unwrap();
    let found = store.challenge(&challenge(1)).await.unwrap().unwrap();
    assert_eq!(found.label, record.label);
    assert_eq!(found.bound, record.bound);
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
