//! The contract of accounts and profiles.

use super::{Make, fixture::*};
use crate::{
    AdeStore,
    record::AccountRecord,
    store::{Changes, DeviceFilter},
};

/// Accounts, devices, profiles; in an empty store and beside others.
pub async fn what_is_unknown_is_missing_and_no_error<S: AdeStore>(make: impl Make<S>) {
    let store = make().await;
    for id in [account("nobody"), acme()] {
        assert_eq!(store.account(&id).await.unwrap(), None);
        assert_eq!(store.device(&id, &serial("X")).await.unwrap(), None);
        assert_eq!(store.accounts_of(&serial("X")).await.unwrap(), []);
        let devices = store.devices(&id, &DeviceFilter::All, None, 9).await;
        assert_eq!(devices.unwrap(), []);
        assert_eq!(store.count(&id, &DeviceFilter::All).await.unwrap(), 0);
        assert_eq!(store.next_due(&id).await.unwrap(), None);
        assert_eq!(store.profiles(&id, None, 9).await.unwrap(), []);
        // For the second time round.
        let known = AccountRecord::new(acme());
        write(&store, &acme(), Changes::account(known)).await;
        if id != acme() {
            write(
                &store,
                &acme(),
                Changes::default().with(|c| c.forget_account = true),
            )
            .await;
            write(
                &store,
                &account("other"),
                Changes::devices(vec![device("Y")]),
            )
            .await;
        }
    }
}

/// Each with a record of its own.
pub async fn two_accounts_may_have_the_same_device<S: AdeStore>(make: impl Make<S>) {
    let store = make().await;
    let names = ["beta", "alpha", "Gamma"].map(account);
    for (sweep, id) in names.iter().enumerate() {
        let shared = device_with("A", |device| device.sweep = sweep as u64);
        let changes = Changes::account(AccountRecord::new(id.clone())).with(|changes| {
            changes.devices = vec![shared, device(&format!("only {id}"))];
            changes.profiles = vec![profile("P")];
        });
        write(&store, id, changes).await;
    }
    for (sweep, id) in names.iter().enumerate() {
        let found = store.device(id, &serial("A")).await.unwrap().unwrap();
        assert_eq!(found.sweep, sweep as u64);
        assert_eq!(store.count(id, &DeviceFilter::All).await.unwrap(), 2);
        assert_eq!(store.profiles(id, None, 9).await.unwrap().len(), 1);
    }
    let accounts = store.accounts_of(&serial("A")).await.unwrap();
    assert_eq!(accounts, ["Gamma", "alpha", "beta"].map(account));
    let accounts = store.accounts_of(&serial("only beta")).await.unwrap();
    assert_eq!(accounts, [account("beta")]);
    let gone = Changes::devices(vec![released("A", at(5))]);
    write(&store, &account("beta"), gone).await;
    // Also a released one is a record.
    let accounts = store.accounts_of(&serial("A")).await.unwrap();
    assert_eq!(accounts.len(), 3);
}

/// By bytes; a name to come after need not be there.
pub async fn accounts_come_page_by_page_in_the_order_of_their_names<S: AdeStore>(
    make: impl Make<S>,
) {
    let store = make().await;
    let names = ["Z", "a", "a'b", "aa", "b", "Ä", "東京", "\u{1f34f}"];
    for name in names.iter().rev() {
        let id = account(name);
        write(
            &store,
            &id,
            Changes::account(AccountRecord::new(id.clone())),
        )
        .await;
    }
    let page = async |after: Option<&str>, limit| {
        let after = after.map(account);
        let page = store.accounts(after.as_ref(), limit).await.unwrap();
        page.into_iter()
            .map(|account| account.as_str().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(page(None, usize::MAX).await, names);
    assert_eq!(page(None, 0).await, [""; 0]);
    assert_eq!(page(None, 3).await, names[..3]);
    assert_eq!(page(Some("a'b"), 3).await, names[3..6]);
    assert_eq!(page(Some("a-nobody"), 1).await, names[3..4]);
    assert_eq!(page(Some(names[7]), 9).await, [""; 0]);
}

/// By bytes; an identifier to come after need not be there.
pub async fn profiles_come_page_by_page_in_the_order_of_their_identifiers<S: AdeStore>(
    make: impl Make<S>,
) {
    let store = make().await;
    let uuids = ["0", "00", "A", "a", "a'b", "ä", "\u{1f34f}"];
    let changes = Changes::account(AccountRecord::new(acme())).with(|changes| {
        changes.profiles = uuids.iter().rev().map(|uuid| profile(uuid)).collect();
    });
    write(&store, &acme(), changes).await;
    let page = async |after, limit| {
        let page = store.profiles(&acme(), after, limit).await.unwrap();
        page.into_iter()
            .map(|profile| profile.uuid)
            .collect::<Vec<_>>()
    };
    assert_eq!(page(None, usize::MAX).await, uuids);
    assert_eq!(page(None, 0).await, [""; 0]);
    assert_eq!(page(None, 2).await, uuids[..2]);
    assert_eq!(page(Some("00"), 2).await, uuids[2..4]);
    assert_eq!(page(Some("B"), 9).await, uuids[3..]);
    assert_eq!(page(Some(uuids[6]), 9).await, [""; 0]);
}
