//! The contract of [`EscrowStore`](crate::store::EscrowStore) and [`LeaseStore`](crate::store::LeaseStore).

use futures_util::future::join_all;
use mdm_core::Secret;
use mdm_protocol::EnrollmentId;

use super::{Make, fixture::*};
use crate::{
    EscrowEntry, EscrowKind, Store,
    enrollment::decide::Version,
    queue::{Sequence, Settlement},
};

fn entry(id: &EnrollmentId, kind: EscrowKind, value: &str, seconds: i64) -> EscrowEntry {
    let value = Secret::new(value.as_bytes().to_vec());
    EscrowEntry::new(id.clone(), kind, value, at(seconds))
}

fn values(entries: &[EscrowEntry]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| std::str::from_utf8(entry.value.expose()).unwrap())
        .collect()
}

/// The newest first, by kind or all, whatever the clock says; the same value twice is two entries.
pub async fn secrets_are_added_and_never_replaced<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    let other = device(9);
    let key = EscrowKind::FileVaultRecoveryKey;
    let code = EscrowKind::from("vendors-own-kind");
    let with_source =
        entry(&id, key.clone(), "key-1", 5).with(|it| it.source = Some("c-1".to_owned()));
    let first = vec![with_source.clone(), entry(&id, code.clone(), "code", 4)];
    store.escrow(first).await.unwrap();
    let more = ["key-2", "key-2"].map(|value| entry(&id, key.clone(), value, 3));
    store.escrow(more.to_vec()).await.unwrap();
    // Of somebody whom nobody knows.
    store
        .escrow(vec![entry(&other, key.clone(), "other", 1)])
        .await
        .unwrap();
    store.escrow(Vec::new()).await.unwrap();

    let all = store.escrowed(&id, None, 9).await.unwrap();
    assert_eq!(values(&all), ["key-2", "key-2", "code", "key-1"]);
    assert_eq!(all[3], with_source);
    let keys = store.escrowed(&id, Some(&key), 2).await.unwrap();
    assert_eq!(values(&keys), ["key-2", "key-2"]);
    let codes = store.escrowed(&id, Some(&code), 9).await.unwrap();
    assert_eq!(values(&codes), ["code"]);
    let none = store.escrowed(&device(8), None, 9).await.unwrap();
    assert!(none.is_empty());
    assert_eq!(
        values(&store.escrowed(&other, None, 9).await.unwrap()),
        ["other"]
    );
}

/// For a backup: everything once, the oldest first.
pub async fn all_secrets_are_read_page_by_page<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let kinds = [EscrowKind::UnlockToken, EscrowKind::FirmwarePassword];
    for n in 0..5_u8 {
        let kind = kinds[usize::from(n % 2)].clone();
        let entry = entry(&device(n), kind, &format!("s-{n}"), 9 - i64::from(n));
        store.escrow(vec![entry]).await.unwrap();
    }
    let mut after = Sequence::START;
    let mut read = Vec::new();
    loop {
        let page = store.escrow_page(after, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some((last, _)) = page.last() else { break };
        assert!(*last > after);
        after = *last;
        read.extend(page.into_iter().map(|(_, entry)| entry));
    }
    assert_eq!(values(&read), ["s-0", "s-1", "s-2", "s-3", "s-4"]);
}

/// A step that is refused keeps none.
pub async fn a_step_keeps_its_secrets_with_it<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let mut step = claiming(&store, 1, &[]).await;
    let token = EscrowKind::BootstrapToken;
    step.escrow = vec![entry(&device(1), token, "token", 0)];
    let stale = store
        .commit(&device(1), Version::new(7), step.clone())
        .await;
    assert!(stale.is_err());
    assert!(
        store
            .escrow_page(Sequence::START, 9)
            .await
            .unwrap()
            .is_empty()
    );
    commit(&store, 1, step).await.unwrap();
    let kept = store.escrowed(&device(1), None, 9).await.unwrap();
    assert_eq!(values(&kept), ["token"]);
}

/// With the result, once, and not with an answer to a command that is unknown or settled.
pub async fn a_result_keeps_its_secrets_with_it<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let id = enroll(&store, 1).await;
    queue(&store, &id, &["c-1"]).await;
    let answer = |uuid: &str| {
        let key = entry(&id, EscrowKind::FileVaultRecoveryKey, "key", 1);
        answered(&id, uuid).telling(None, vec![key])
    };
    for (uuid, settlement) in [
        ("c-9", Settlement::Unknown),
        ("c-1", Settlement::Settled),
        ("c-1", Settlement::Before),
    ] {
        assert_eq!(poll(&store, &id, 1, answer(uuid)).await.0, settlement);
    }
    let kept = store.escrowed(&id, None, 9).await.unwrap();
    assert_eq!(values(&kept), ["key"]);
}

/// Taken, renewed, kept from others until it ends, and given back.
pub async fn a_lease_is_one_holders_until_it_ends<S: Store>(make: impl Make<S>) {
    let store = make().await;
    let lease = async |holder: &str, now: i64, until: i64| {
        store
            .lease("work", holder, at(now), at(until))
            .await
            .unwrap()
    };
    assert!(lease("a", 0, 10).await);
    assert!(!lease("b", 9, 19).await);
    assert!(lease("a", 9, 20).await);
    assert!(!lease("b", 10, 20).await);
    assert!(lease("b", 20, 30).await);
    assert!(!lease("a", 21, 31).await);
    // Work of another name is another's.
    assert!(store.lease("other", "a", at(21), at(31)).await.unwrap());
    // Who does not have it cannot give it back.
    store.release("work", "a").await.unwrap();
    assert!(!lease("a", 22, 32).await);
    store.release("work", "b").await.unwrap();
    store.release("never", "b").await.unwrap();
    assert!(lease("a", 22, 32).await);
}

/// Sixteen nodes want it at the same time.
pub async fn of_many_who_want_a_lease_at_once_one_gets_it<S: Store>(make: impl Make<S>) {
    let store = make().await;
    for round in 0..3 {
        let wants = (0..16).map(|n| {
            let (store, holder) = (&store, format!("node-{n}"));
            async move {
                let (now, until) = (at(round * 10), at(round * 10 + 10));
                store.lease("work", &holder, now, until).await.unwrap()
            }
        });
        let got = join_all(wants).await;
        assert_eq!(got.iter().filter(|got| **got).count(), 1, "{round}");
    }
}
