//! The contract of what is kept.

use std::slice::from_ref;

use super::{Make, fixture::*};
use crate::{
    AdeStore,
    record::AccountRecord,
    store::{Changes, DeviceFilter, Reads},
};

/// With every field set, unknown keys, text in many scripts, the longest cursor, and times from the
/// calendar's beginning to its end.
pub async fn records_come_back_as_they_were_written<S: AdeStore>(make: impl Make<S>) {
    let store = make().await;
    let id = account(&MUCH.to_string().repeat(128));
    let device = full_device("SÉRIAL \u{1f34f}");
    let other = other_device(&"9".repeat(256));
    let profile = full_profile("0123456789ABCDEF0123456789ABCDEF");
    let changes = Changes::account(full_account(id.clone())).with(|changes| {
        changes.devices = vec![device.clone(), other.clone()];
        changes.profiles = vec![profile.clone()];
    });
    write(&store, &id, changes).await;

    let record = full_account(id.clone());
    assert_eq!(store.account(&id).await.unwrap().as_ref(), Some(&record));
    assert_eq!(store.accounts(None, 9).await.unwrap(), from_ref(&id));
    for device in [&device, &other] {
        let found = store.device(&id, &device.serial_number).await.unwrap();
        assert_eq!(found.as_ref(), Some(device));
        let accounts = store.accounts_of(&device.serial_number).await.unwrap();
        assert_eq!(accounts, from_ref(&id));
    }
    let listed = store
        .devices(&id, &DeviceFilter::All, None, 9)
        .await
        .unwrap();
    assert_eq!(listed, [other.clone(), device.clone()]);
    let profiles = store.profiles(&id, None, 9).await.unwrap();
    assert_eq!(profiles, from_ref(&profile));
    assert_eq!(store.next_due(&id).await.unwrap(), device.due);

    let serials = vec![device.serial_number.clone(), other.serial_number.clone()];
    let reads = Reads::devices(serials).with(|reads| reads.profiles = vec![profile.uuid.clone()]);
    let loaded = load(&store, &id, reads).await;
    assert_eq!(loaded.account, Some(record));
    let devices: Vec<_> = loaded.devices.into_values().collect();
    assert_eq!(devices, [other, device]);
    assert_eq!(loaded.profiles.into_values().next(), Some(profile));
}

/// In all its fields.
pub async fn a_record_replaces_the_one_of_the_same_name<S: AdeStore>(make: impl Make<S>) {
    let store = make().await;
    let full = Changes::account(full_account(acme())).with(|changes| {
        changes.devices = vec![full_device("A")];
        changes.profiles = vec![full_profile("P1")];
    });
    let bare = Changes::account(AccountRecord::new(acme())).with(|changes| {
        changes.devices = vec![device("A")];
        changes.profiles = vec![profile("P1")];
    });
    for changes in [&full, &bare, &full] {
        write(&store, &acme(), changes.clone()).await;
        assert_eq!(store.account(&acme()).await.unwrap(), changes.account);
        let devices = store.devices(&acme(), &DeviceFilter::All, None, 9).await;
        assert_eq!(devices.unwrap(), changes.devices);
        let profiles = store.profiles(&acme(), None, 9).await.unwrap();
        assert_eq!(profiles, changes.profiles);
    }
    // Of two in one step the latter counts.
    let twice = vec![device("A"), full_device("A")];
    write(&store, &acme(), Changes::devices(twice)).await;
    let found = store.device(&acme(), &serial("A")).await.unwrap();
    assert_eq!(found, Some(full_device("A")));
    assert_eq!(store.count(&acme(), &DeviceFilter::All).await.unwrap(), 1);
}

/// Read and written: Apple's largest page.
pub async fn a_page_of_a_thousand_devices_is_one_step<S: AdeStore>(make: impl Make<S>) {
    let names: Vec<_> = (0..1000).map(|n| format!("C02{n:09}")).collect();
    let store = with_devices(
        make().await,
        names.iter().map(|name| device(name)).collect(),
    )
    .await;
    let reads = Reads::devices(names.iter().map(|name| serial(name)).collect());
    run(&store, &acme(), reads, |loaded| {
        let mut account = loaded.account?;
        account.sync.taken = loaded.devices.len() as u64;
        let mut devices: Vec<_> = loaded.devices.into_values().collect();
        devices.iter_mut().for_each(|device| device.sweep = 1);
        Some(Changes::account(account).with(|changes| changes.devices = devices))
    })
    .await;
    let account = store.account(&acme()).await.unwrap().unwrap();
    assert_eq!(account.sync.taken, 1000);
    let unseen = DeviceFilter::Unseen { sweep: 1 };
    assert_eq!(store.count(&acme(), &unseen).await.unwrap(), 0);
    let filter = DeviceFilter::Present;
    let after = serial(&names[499]);
    let page = store.devices(&acme(), &filter, Some(&after), 1000).await;
    assert_eq!(serials(&page.unwrap()), names[500..]);
}

/// Neither the store nor what it gives.
pub async fn a_store_shows_no_secret<S: AdeStore>(make: impl Make<S>) {
    let store = make().await;
    write(&store, &acme(), Changes::account(full_account(acme()))).await;
    let account = store.account(&acme()).await.unwrap();
    let loaded = load(&store, &acme(), Reads::account()).await;
    let shown = format!("{store:?} {account:?} {loaded:?}");
    assert!(!shown.contains("hunter2"), "{shown}");
    let token = account.unwrap().credentials.unwrap().token;
    assert_eq!(token.access_secret.expose(), "AS_hunter2");
}
