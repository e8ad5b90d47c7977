//! The contract of [`AdeStore::commit`](crate::AdeStore::commit).

use std::{panic::AssertUnwindSafe, slice::from_ref};

use futures_util::{
    FutureExt,
    future::{join, join_all},
};

use super::{Make, fixture::*};
use crate::{
    AdeStore,
    record::AccountRecord,
    store::{Changes, Counts, DeviceFilter, Reads},
};

/// Neither on an account that is there nor on one that is not.
pub async fn a_step_that_decides_nothing_writes_nothing<S: AdeStore>(make: impl Make<S>) {
    let store = make().await;
    run(&store, &acme(), Reads::account(), |_| None).await;
    assert_eq!(store.account(&acme()).await.unwrap(), None);
    assert_eq!(store.accounts(None, 9).await.unwrap(), []);
    let store = with_devices(store, vec![device("A")]).await;
    run(&store, &acme(), Reads::devices(vec![serial("A")]), |_| None).await;
    run(&store, &acme(), Reads::account(), |_| {
        Some(Changes::default())
    })
    .await;
    assert_takes(&store, &DeviceFilter::All, &["A"]).await;
    let found = store.account(&acme()).await.unwrap();
    assert_eq!(found, Some(AccountRecord::new(acme())));
}

/// Account, devices, profiles and what is forgotten.
pub async fn a_step_writes_all_its_parts_together<S: AdeStore>(make: impl Make<S>) {
    let store = with_devices(make().await, vec![device("A"), device("B")]).await;
    let changes = Changes::default().with(|changes| changes.profiles = vec![profile("P1")]);
    write(&store, &acme(), changes).await;
    let mut account = AccountRecord::new(acme());
    account.sync.taken = 2;
    let changes = Changes::account(account.clone()).with(|changes| {
        changes.devices = vec![device("C"), device("D")];
        changes.profiles = vec![profile("P2"), profile("P3")];
        changes.forget_devices = vec![serial("A")];
        changes.forget_profiles = vec!["P1".to_owned()];
    });
    write(&store, &acme(), changes).await;
    assert_eq!(store.account(&acme()).await.unwrap(), Some(account));
    assert_takes(&store, &DeviceFilter::All, &["B", "C", "D"]).await;
    let profiles = store.profiles(&acme(), None, 9).await.unwrap();
    assert_eq!(profiles, [profile("P2"), profile("P3")]);
}

/// Of its own account alone; what is not there is missing.
pub async fn a_step_is_shown_what_it_names_and_nothing_else<S: AdeStore>(make: impl Make<S>) {
    let store = with_devices(make().await, vec![device("A"), device("B"), device("C")]).await;
    let changes = Changes::default().with(|changes| {
        changes.profiles = vec![profile("P1"), profile("P2")];
    });
    write(&store, &acme(), changes).await;
    let reads = Reads::devices(["C", "A", "nobody", "A"].map(serial).into())
        .with(|reads| reads.profiles = ["P2", "none"].map(str::to_owned).into());
    let loaded = load(&store, &acme(), reads.clone()).await;
    assert_eq!(loaded.account, Some(AccountRecord::new(acme())));
    let devices: Vec<_> = loaded.devices.into_iter().collect();
    assert_eq!(
        devices,
        [(serial("A"), device("A")), (serial("C"), device("C"))]
    );
    let profiles: Vec<_> = loaded.profiles.into_iter().collect();
    assert_eq!(profiles, [("P2".to_owned(), profile("P2"))]);
    assert_eq!(loaded.counts, Counts::default());

    let other = load(&store, &account("other"), reads).await;
    assert_eq!(other.account, None);
    assert!(other.devices.is_empty() && other.profiles.is_empty());
}

/// Present devices, profiles, and all devices that want a profile; zero where it did not ask.
pub async fn a_step_is_told_how_much_hangs_on_its_account<S: AdeStore>(make: impl Make<S>) {
    let wants = |text, uuid: &str| {
        device_with(text, |device| device.wanted_profile = Some(uuid.to_owned()))
    };
    let mut gone = released("C", at(0));
    gone.wanted_profile = Some("P1".to_owned());
    let devices = vec![device("A"), wants("B", "P1"), gone, wants("D", "P2")];
    let store = with_devices(make().await, devices).await;
    let changes = Changes::default().with(|changes| changes.profiles = vec![profile("P1")]);
    write(&store, &acme(), changes).await;
    write(
        &store,
        &account("other"),
        Changes::account(AccountRecord::new(account("other"))),
    )
    .await;
    let reads = Reads::account().with(|reads| reads.counts = true);
    let loaded = load(&store, &acme(), reads.clone()).await;
    let expected = Counts::default().with(|counts| {
        counts.present = 3;
        counts.profiles = 1;
    });
    assert_eq!(loaded.counts, expected);
    assert!(loaded.devices.is_empty() && loaded.profiles.is_empty());
    let wanting = Reads::account().with(|reads| reads.wanting = Some("P1".to_owned()));
    let loaded = load(&store, &acme(), wanting.clone()).await;
    assert_eq!(
        loaded.counts,
        Counts::default().with(|counts| counts.wanting = 2)
    );
    for reads in [reads, wanting] {
        let loaded = load(&store, &account("other"), reads).await;
        assert_eq!(loaded.counts, Counts::default());
    }
}

/// As do the readers.
pub async fn a_step_sees_what_the_step_before_it_wrote<S: AdeStore>(make: impl Make<S>) {
    let store = with_devices(make().await, vec![device("A")]).await;
    for sweep in 0..20 {
        run(
            &store,
            &acme(),
            Reads::devices(vec![serial("A")]),
            move |loaded| {
                let mut device = loaded.devices.into_values().next()?;
                assert_eq!(device.sweep, sweep);
                device.sweep += 1;
                Some(Changes::devices(vec![device]))
            },
        )
        .await;
        let found = store.device(&acme(), &serial("A")).await.unwrap();
        assert_eq!(found.unwrap().sweep, sweep + 1);
    }
}

/// Many add one to the same number, and to one of another account.
pub async fn steps_at_the_same_time_lose_nothing<S: AdeStore>(make: impl Make<S>) {
    const STEPS: u64 = 64;
    let store = make().await;
    let accounts = [acme(), account("other")];
    for id in &accounts {
        write(&store, id, Changes::account(AccountRecord::new(id.clone()))).await;
    }
    let steps = accounts.iter().flat_map(|id| {
        let store = &store;
        (0..STEPS).map(move |n| {
            run(store, id, Reads::account(), move |loaded| {
                let mut account = loaded.account?;
                account.sync.taken += 1;
                let changes = Changes::account(account);
                Some(changes.with(|changes| changes.devices = vec![device(&format!("{n:02}"))]))
            })
        })
    });
    join_all(steps).await;
    for id in &accounts {
        let found = store.account(id).await.unwrap().unwrap();
        assert_eq!(found.sync.taken, STEPS);
        assert_eq!(store.count(id, &DeviceFilter::All).await.unwrap(), STEPS);
    }
}

/// Both devices of every page were written by the same step.
pub async fn a_reader_never_sees_half_of_a_step<S: AdeStore>(make: impl Make<S>) {
    let store = with_devices(make().await, vec![device("A"), device("B")]).await;
    let steps = (0..50).map(async |sweep| {
        let pair = ["A", "B"].map(|text| device_with(text, |device| device.sweep = sweep));
        write(&store, &acme(), Changes::devices(pair.into())).await;
    });
    let reads = (0..50).map(|_| async {
        let page = store
            .devices(&acme(), &DeviceFilter::All, None, 9)
            .await
            .unwrap();
        assert_eq!(page[0].sweep, page[1].sweep);
    });
    join(join_all(steps), join_all(reads)).await;
}

/// Whatever the store makes of the panic.
pub async fn a_step_that_panics_writes_nothing_and_the_store_goes_on<S: AdeStore>(
    make: impl Make<S>,
) {
    let store = with_devices(make().await, vec![device("A")]).await;
    let id = acme();
    let step = try_run(&store, &id, Reads::account(), |_| panic!("on purpose"));
    if let Ok(answer) = AssertUnwindSafe(step).catch_unwind().await {
        answer.unwrap_err();
    }
    assert_takes(&store, &DeviceFilter::All, &["A"]).await;
    write(&store, &acme(), Changes::devices(vec![device("B")])).await;
    assert_takes(&store, &DeviceFilter::All, &["A", "B"]).await;
}

/// Also what the same step wrote. What is not there cannot be forgotten, which is no error.
pub async fn what_is_forgotten_is_gone_and_nothing_else<S: AdeStore>(make: impl Make<S>) {
    let store = with_devices(make().await, ["A", "B", "C"].map(device).into()).await;
    let changes = Changes::default().with(|changes| {
        changes.profiles = ["P1", "P2"].map(profile).into();
    });
    write(&store, &acme(), changes).await;
    let other = account("other");
    let changes = Changes::account(AccountRecord::new(other.clone())).with(|changes| {
        changes.devices = vec![device("B")];
        changes.profiles = vec![profile("P1")];
    });
    write(&store, &other, changes).await;

    let changes = Changes::default().with(|changes| {
        changes.devices = vec![device("D")];
        changes.forget_devices = ["B", "nobody", "D", "B"].map(serial).into();
        changes.forget_profiles = ["P1", "none"].map(str::to_owned).into();
    });
    write(&store, &acme(), changes).await;
    assert_takes(&store, &DeviceFilter::All, &["A", "C"]).await;
    assert_eq!(store.device(&acme(), &serial("B")).await.unwrap(), None);
    let profiles = store.profiles(&acme(), None, 9).await.unwrap();
    assert_eq!(profiles, [profile("P2")]);
    assert!(store.account(&acme()).await.unwrap().is_some());
    assert_eq!(
        store.accounts_of(&serial("B")).await.unwrap(),
        from_ref(&other)
    );
    assert_eq!(
        store.profiles(&other, None, 9).await.unwrap(),
        [profile("P1")]
    );
}

/// And nothing of the other accounts. One of the same name begins empty.
pub async fn a_forgotten_account_takes_along_what_hangs_on_it<S: AdeStore>(make: impl Make<S>) {
    let store = make().await;
    let other = account("other");
    for id in [acme(), other.clone()] {
        let changes = Changes::account(full_account(id.clone())).with(|changes| {
            changes.devices = vec![device("A"), released("B", at(0)), full_device("C")];
            changes.profiles = vec![profile("P1")];
        });
        write(&store, &id, changes).await;
    }
    let forget = Changes::default().with(|changes| {
        changes.devices = vec![device("late")];
        changes.forget_account = true;
    });
    // Once for good, and once more where nothing is left.
    for _ in 0..2 {
        write(&store, &acme(), forget.clone()).await;
        assert_eq!(store.account(&acme()).await.unwrap(), None);
        assert_takes(&store, &DeviceFilter::All, &[]).await;
        assert_eq!(store.profiles(&acme(), None, 9).await.unwrap(), []);
        assert_eq!(store.next_due(&acme()).await.unwrap(), None);
    }
    assert_eq!(
        store.accounts_of(&serial("A")).await.unwrap(),
        from_ref(&other)
    );
    assert_eq!(store.accounts(None, 9).await.unwrap(), from_ref(&other));
    let kept = store.account(&other).await.unwrap();
    assert_eq!(kept, Some(full_account(other.clone())));
    assert_eq!(store.count(&other, &DeviceFilter::All).await.unwrap(), 3);

    let store = with_devices(store, vec![device("Z")]).await;
    assert_takes(&store, &DeviceFilter::All, &["Z"]).await;
    assert_eq!(store.profiles(&acme(), None, 9).await.unwrap(), []);
}
