//! The contract of [`VaultStore`](crate::store::VaultStore) and [`ResealStore`](crate::store::ResealStore).

use futures_util::future::join_all;
use mdm_core::Secret;
use mdm_pki::seal::{SealingKey, SealingKeys};
use mdm_protocol::EnrollmentId;

use super::{Make, fixture::*};
use crate::{
    EscrowEntry, EscrowKind, Resealed, Sealed, Store, Vault,
    enrollment::decide::{Message, TokenUpdated},
    queue::CommandState,
    store::{
        CommandStore, EnrollmentStore, EscrowStore, ResealStore, SealedKind, SealedRow, SecretName,
        StoreErrorKind, VaultStore,
    },
};

fn name(name: &str) -> SecretName {
    SecretName::new(name).unwrap()
}

/// What was put there first stays; one who replaces has to know what lies there.
pub async fn a_secret_of_the_server_is_put_once_and_replaced_by_who_knows_it<S: VaultStore>(
    make: impl Make<S>,
) {
    let store = make().await;
    let (one, other) = (name("authority"), name("push"));
    assert_eq!(store.secret(&one).await.unwrap(), None);
    assert!(
        !store
            .replace_secret(&one, b"", b"x".to_vec())
            .await
            .unwrap()
    );
    assert_eq!(
        store.put_secret(&one, b"a\0".to_vec()).await.unwrap(),
        b"a\0"
    );
    assert_eq!(store.put_secret(&one, b"b".to_vec()).await.unwrap(), b"a\0");
    assert_eq!(store.put_secret(&other, Vec::new()).await.unwrap(), b"");
    assert!(
        !store
            .replace_secret(&one, b"b", b"c".to_vec())
            .await
            .unwrap()
    );
    assert_eq!(store.secret(&one).await.unwrap().unwrap(), b"a\0");
    assert!(
        store
            .replace_secret(&one, b"a\0", b"c".to_vec())
            .await
            .unwrap()
    );
    assert_eq!(store.secret(&one).await.unwrap().unwrap(), b"c");
    assert_eq!(store.secret(&other).await.unwrap().unwrap(), b"");
}

/// In the order of bytes, page by page.
pub async fn secrets_of_the_server_are_listed_by_their_names<S: VaultStore>(make: impl Make<S>) {
    let store = make().await;
    let names = [
        "b",
        "a",
        "a-1",
        "a.1",
        "a_1",
        "0",
        &"z".repeat(SecretName::MAX),
    ];
    for text in names {
        store.put_secret(&name(text), b"x".to_vec()).await.unwrap();
    }
    let mut expected = names.map(str::to_owned).to_vec();
    expected.sort_unstable();
    let mut listed: Vec<SecretName> = Vec::new();
    loop {
        let page = store.secret_names(listed.last(), 3).await.unwrap();
        if page.is_empty() {
            break;
        }
        assert!(page.len() <= 3);
        listed.extend(page);
    }
    let listed: Vec<_> = listed.iter().map(ToString::to_string).collect();
    assert_eq!(listed, expected);
}

/// Sixteen nodes make a secret of that name at the same time, and have the same one then.
pub async fn of_many_who_put_a_secret_at_once_one_is_kept<S: VaultStore>(make: impl Make<S>) {
    let store = make().await;
    for round in 0..3 {
        let name = name(&format!("authority-{round}"));
        let puts = (0..16_u8).map(|n| store.put_secret(&name, vec![n; 2_000]));
        let kept: Vec<_> = join_all(puts)
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let lies = store.secret(&name).await.unwrap().unwrap();
        assert!(kept.iter().all(|it| *it == lies), "{round}");
        // And of those who replace it, one does.
        let replaces = (0..16_u8).map(|n| store.replace_secret(&name, &lies, vec![n; 9]));
        let replaced = join_all(replaces).await.into_iter().map(Result::unwrap);
        assert_eq!(replaced.filter(|replaced| *replaced).count(), 1, "{round}");
    }
}

/// A vault over the store: nodes agree, a name does not open another's secret, a former key opens until what
/// it sealed is sealed anew.
pub async fn a_vault_is_sealed_bound_to_names_and_sealed_anew<S: VaultStore + Clone>(
    make: impl Make<S>,
) {
    let store = make().await;
    let (former, next) = (key(1), key(2));
    let vault = Vault::new(store.clone(), SealingKeys::new(former.clone()));
    let (one, other) = (name("authority"), name("push"));
    let nodes = (0..8_u8).map(|n| {
        let (vault, one) = (&vault, &one);
        async move { vault.put(one, &[n; 9]).await.unwrap() }
    });
    let agreed = join_all(nodes).await;
    assert!(agreed.iter().all(|it| *it == agreed[0]));
    let raw = store.secret(&one).await.unwrap().unwrap();
    assert!(
        !raw.windows(9)
            .any(|part| part == agreed[0].expose().as_slice())
    );
    store.put_secret(&other, raw).await.unwrap();
    let moved = vault.get(&other).await.unwrap_err();
    assert_eq!(moved.kind(), StoreErrorKind::Corrupt);

    let third = name("tickets");
    assert!(vault.replace(&third, b"t-1").await.unwrap());
    assert!(!vault.replace(&third, b"t-1").await.unwrap());
    assert!(vault.replace(&third, b"t-2").await.unwrap());

    let both = Vault::new(store.clone(), SealingKeys::new(next.clone()).former(former));
    for (which, outdated) in [(&one, true), (&third, true), (&one, false)] {
        assert_eq!(both.reseal(which).await.unwrap(), outdated);
    }
    assert!(!both.reseal(&name("nothing")).await.unwrap());
    let alone = Vault::new(store, SealingKeys::new(next));
    assert_eq!(alone.get(&one).await.unwrap().as_ref(), Some(&agreed[0]));
    assert_eq!(alone.get(&third).await.unwrap().unwrap().expose(), b"t-2");
}

/// Tokens, escrow, commands and results of devices and users: sealed anew page by page, by one who is killed
/// and begins again too, and readable by the new key alone then. No version moves.
pub async fn all_that_is_sealed_is_sealed_anew_and_the_former_key_can_go<
    S: Store + ResealStore + Clone,
>(
    make: impl Make<S>,
) {
    let store = make().await;
    let (former, next) = (key(1), key(2));
    let sealed = Sealed::new(store.clone(), SealingKeys::new(former.clone()));
    fill(&sealed).await;
    let version = sealed
        .load(&device(1), &certificate(1))
        .await
        .unwrap()
        .version;

    let both = Sealed::new(store.clone(), SealingKeys::new(next.clone()).former(former));
    // One who is killed after a step.
    both.reseal(SealedKind::Command, SealedRow::START, 2)
        .await
        .unwrap();
    let mut resealed = Vec::new();
    for kind in SealedKind::ALL {
        let (mut seen, mut done, mut after) = (0, 0, Some(SealedRow::START));
        while let Some(row) = after {
            let step = both.reseal(kind, row, 2).await.unwrap();
            assert!(
                step.seen <= 2 && step.left == 0 && step.unopened == 0,
                "{step:?}"
            );
            (seen, done, after) = (seen + step.seen, done + step.resealed, step.next);
        }
        resealed.push((seen, done));
    }
    // Two devices' unlock tokens and bootstrap tokens; in escrow these four and three more; of four commands two
    // were done before; one result, since what is cancelled has none.
    assert_eq!(resealed, [(2, 2), (2, 2), (7, 7), (4, 2), (1, 1)]);
    for kind in SealedKind::ALL {
        let again = both.reseal(kind, SealedRow::START, 100).await.unwrap();
        assert_eq!((again.resealed, again.left), (0, 0), "{again:?}");
    }

    let alone = Sealed::new(store, SealingKeys::new(next));
    assert_eq!(
        alone
            .load(&device(1), &certificate(1))
            .await
            .unwrap()
            .version,
        version
    );
    for n in [1, 2] {
        let found = alone.enrollment(&device(n)).await.unwrap().unwrap();
        assert_eq!(
            found.unlock_token.unwrap().expose(),
            format!("unlock-{n}").as_bytes()
        );
        assert_eq!(found.bootstrap_token.unwrap().token.expose(), b"bootstrap");
    }
    let escrow = alone.escrowed(&device(1), None, 9).await.unwrap();
    assert_eq!(escrow.len(), 5);
    assert_eq!(escrow[0].value.expose(), b"key-2");
    let record = alone.command(&device(1), "c-1").await.unwrap().unwrap();
    assert_eq!(record.command.body.as_ref(), body("c-1"));
    assert!(
        matches!(&record.state, CommandState::Settled { body, .. } if body.as_ref() == b"\xff not a plist")
    );
    assert_eq!(
        poll(&alone, &device(2), 2, answered(&device(2), "c-2"))
            .await
            .1,
        Some("c-3".to_owned())
    );
}

/// What was changed since it was read is left as it is, row by row, and what is no row is none.
pub async fn what_changed_meanwhile_is_not_replaced<S: Store + ResealStore + Clone>(
    make: impl Make<S>,
) {
    let store = make().await;
    let sealed = Sealed::new(store.clone(), SealingKeys::new(key(1)));
    fill(&sealed).await;
    for kind in SealedKind::ALL {
        let read = store
            .sealed_values(kind, SealedRow::START, 100)
            .await
            .unwrap();
        assert!(read.windows(2).all(|two| two[0].row < two[1].row));
        let mut changes: Vec<_> = read
            .iter()
            .map(|value| (value.clone(), [value.sealed.as_slice(), b"+"].concat()))
            .collect();
        changes[0].0.sealed.push(0);
        let replaced = store.replace_sealed(kind, changes).await.unwrap();
        assert_eq!(replaced, read.len() - 1, "{kind:?}");
        let now = store
            .sealed_values(kind, SealedRow::START, 100)
            .await
            .unwrap();
        for (n, (before, after)) in read.iter().zip(&now).enumerate() {
            assert_eq!((&before.holder, &before.name), (&after.holder, &after.name));
            assert_eq!(before.sealed == after.sealed, n == 0, "{kind:?} {n}");
        }
        let none = store.replace_sealed(kind, Vec::new()).await.unwrap();
        assert_eq!(none, 0);
        // Under none of the keys.
        let others = Sealed::new(store.clone(), SealingKeys::new(key(3)));
        let step = others.reseal(kind, SealedRow::START, 100).await.unwrap();
        let expected = Resealed {
            seen: read.len(),
            unopened: read.len(),
            next: now.last().map(|last| last.row),
            ..Resealed::default()
        };
        assert_eq!(step, expected);
    }
}

/// Sealed anew while devices report and commands are queued: nothing of that is lost, and after some passes
/// nothing is left.
pub async fn what_is_sealed_anew_while_devices_report_stays_right<
    S: Store + ResealStore + Clone,
>(
    make: impl Make<S>,
) {
    let store = make().await;
    let (former, next) = (key(1), key(2));
    let sealed = Sealed::new(store.clone(), SealingKeys::new(former.clone()));
    let ids = join_all((0..4).map(|n| enroll(&sealed, n))).await;
    for id in &ids {
        queue(&sealed, id, &["c-1", "c-2", "c-3"]).await;
    }
    let both = Sealed::new(store.clone(), SealingKeys::new(next.clone()).former(former));
    let devices = ids.iter().zip(0..).map(|(id, n)| {
        let both = &both;
        async move {
            for (uuid, following) in [("c-1", "c-2"), ("c-2", "c-3"), ("c-3", "d-1")] {
                let last = uuid == "c-3";
                if last {
                    queue(both, id, &["d-1"]).await;
                    let token = TokenUpdated::new(address(n))
                        .with(|it| it.unlock_token = Some(Secret::new(b"new".to_vec())));
                    take(both, &sender(id, n), token.into()).await;
                }
                let next = poll(both, id, n, answered(id, uuid)).await.1;
                assert_eq!(next.as_deref(), Some(following));
            }
        }
    });
    let passes = async {
        for _ in 0..3 {
            pass(&both).await;
        }
    };
    futures_util::future::join(join_all(devices), passes).await;
    while pass(&both).await > 0 {}
    let alone = Sealed::new(store, SealingKeys::new(next));
    for id in &ids {
        let found = alone.enrollment(id).await.unwrap().unwrap();
        assert_eq!(found.unlock_token.unwrap().expose(), b"new");
        for uuid in ["c-1", "c-2", "c-3"] {
            let record = alone.command(id, uuid).await.unwrap().unwrap();
            assert_eq!(record.command.body.as_ref(), body(uuid));
            assert!(matches!(record.state, CommandState::Settled { .. }));
        }
    }
}

/// A pass over everything; what it did, or left.
async fn pass<S: ResealStore>(sealed: &Sealed<S>) -> usize {
    let mut found = 0;
    for kind in SealedKind::ALL {
        let mut after = Some(SealedRow::START);
        while let Some(row) = after {
            let step = sealed.reseal(kind, row, 3).await.unwrap();
            assert_eq!(step.unopened, 0);
            found += step.resealed + step.left;
            after = step.next;
        }
    }
    found
}

/// Two devices with tokens, three more entries in escrow, four commands, one of them answered and one taken back.
async fn fill(store: &impl Store) {
    for n in [1, 2] {
        let id = enroll(store, n).await;
        let unlock = Secret::new(format!("unlock-{n}").into_bytes());
        let token = TokenUpdated::new(address(n)).with(|it| it.unlock_token = Some(unlock));
        take(store, &sender(&id, n), token.into()).await;
        let bootstrap = Secret::new(b"bootstrap".to_vec());
        take(
            store,
            &sender(&id, n),
            Message::set_bootstrap_token(Some(bootstrap)),
        )
        .await;
    }
    let (one, other) = (device(1), device(2));
    let entry = |kind: EscrowKind, value: &str| secret(&one, kind, value);
    let vendors = EscrowKind::from("vendors-own");
    let recovery = EscrowKind::FileVaultRecoveryKey;
    let entries = [
        entry(vendors, "code"),
        entry(recovery.clone(), "key-1"),
        entry(recovery, "key-2"),
    ];
    store.escrow(entries.to_vec()).await.unwrap();
    queue(store, &one, &["c-1", "c-2"]).await;
    poll(store, &one, 1, answered(&one, "c-1")).await;
    assert!(store.cancel(&one, "c-2", at(2)).await.unwrap());
    queue(store, &other, &["c-2", "c-3"]).await;
}

fn secret(id: &EnrollmentId, kind: EscrowKind, value: &str) -> EscrowEntry {
    EscrowEntry::new(
        id.clone(),
        kind,
        Secret::new(value.as_bytes().to_vec()),
        at(3),
    )
}

fn key(byte: u8) -> SealingKey {
    SealingKey::new(Secret::new(vec![byte; SealingKey::BYTES])).unwrap()
}
