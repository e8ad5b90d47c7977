//! A store that sees secrets sealed keeps the contract, and shows none of them.

use chrono::{DateTime, Utc};
use mdm_core::Secret;
use mdm_pki::seal::{SealingKey, SealingKeys};
use mdm_protocol::EnrollmentId;
use mdm_service::{
    EscrowEntry, EscrowKind, MemoryStore, Sealed, Service, StoreErrorKind,
    queue::{CommandState, NewCommand},
    store::{CommandStore, EnrollmentStore, EscrowStore},
};

use crate::device::*;

async fn empty_store() -> Sealed<MemoryStore> {
    Sealed::new(MemoryStore::new(), keys())
}

mdm_service::contract_tests!(empty_store);

fn keys() -> SealingKeys {
    SealingKeys::new(SealingKey::new(Secret::new(vec![7; SealingKey::BYTES])).unwrap())
}

/// A service over a sealed store, whose inside a test can look at.
fn sealed() -> (Sealed<Shared>, Service) {
    let store = Sealed::new(Shared::default(), keys());
    let identity = mdm_service::MdmSignature::new(vec![AUTHORITY.certificate.clone()]).unwrap();
    let clock = mdm_core::ManualClock::new(now());
    let service = Service::builder(store.clone(), clock, identity).build();
    (store, service)
}

/// The store, and a device with a command settled.
async fn settled() -> (Sealed<Shared>, Device) {
    let (store, service) = sealed();
    let device = Device::new("D1");
    device.check_in(&service, &authenticate()).await;
    let unlock = "<key>UnlockToken</key><data>aHVudGVyMg==</data>";
    device.check_in(&service, &token_update(unlock)).await;
    let deposit = "<key>BootstrapToken</key><data>aHVudGVyMg==</data>";
    let deposit = message("SetBootstrapToken", deposit);
    device.check_in(&service, &deposit).await;
    enqueue(&service, &device.id(), "C-1").await;
    assert_eq!(device.idle(&service).await.as_deref(), Some("C-1"));
    assert_eq!(device.answer(&service, "C-1", "Acknowledged").await, None);
    (store, device)
}

#[tokio::test]
async fn the_database_holds_neither_tokens_nor_commands_nor_results_in_clear() {
    let (store, device) = settled().await;
    let id = device.id();
    store.escrow(vec![recovery_key(&id)]).await.unwrap();

    let shown = store.enrollment(&id).await.unwrap().unwrap();
    let kept = store.inner().enrollment(&id).await.unwrap().unwrap();
    assert_eq!(shown.unlock_token.unwrap().expose(), b"hunter2");
    assert_eq!(shown.bootstrap_token.unwrap().token.expose(), b"hunter2");
    let kept_tokens = [
        kept.unlock_token.unwrap(),
        kept.bootstrap_token.unwrap().token,
        store.inner().escrowed(&id, None, 1).await.unwrap()[0]
            .value
            .clone(),
    ];
    for token in kept_tokens {
        assert!(!token.expose().windows(7).any(|part| part == b"hunter2"));
    }
    let kept = store.inner().command(&id, "C-1").await.unwrap().unwrap();
    let CommandState::Settled { body, .. } = kept.state else {
        panic!("{:?}", kept.state);
    };
    for body in [kept.command.body, body] {
        assert!(!body.as_ref().windows(5).any(|part| part == b"plist"));
    }
}

#[tokio::test]
async fn a_row_that_is_moved_or_was_never_sealed_does_not_open() {
    let store = Sealed::new(Shared::default(), keys());
    let [one, other] = ["D1", "D2"].map(|udid| EnrollmentId::device(udid).unwrap());
    store.escrow(vec![recovery_key(&one)]).await.unwrap();
    let mut moved = store
        .inner()
        .escrowed(&one, None, 1)
        .await
        .unwrap()
        .remove(0);
    moved.device = other.clone();
    store.inner().escrow(vec![moved]).await.unwrap();
    let error = store.escrowed(&other, None, 1).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);

    let third = EnrollmentId::device("D3").unwrap();
    store
        .inner()
        .escrow(vec![recovery_key(&third)])
        .await
        .unwrap();
    let error = store.escrowed(&third, None, 1).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
    assert_eq!(store.escrowed(&one, None, 1).await.unwrap().len(), 1);
}

/// What its key is lost for is lost; the device, and what it has now, are not.
#[tokio::test]
async fn an_entry_that_does_not_open_keeps_no_other_out_of_escrow() {
    let (store, service) = sealed();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let code = "<key>ActivationLockBypassCode</key><string>hunter2</string>";
    let unlock = "<key>UnlockToken</key><data>aHVudGVyMg==</data>";
    let deposit = "<key>BootstrapToken</key><data>aHVudGVyMg==</data>";
    let kinds = [
        EscrowKind::UnlockToken,
        EscrowKind::BootstrapToken,
        EscrowKind::ActivationLockBypassCode,
    ];
    let never_sealed = kinds.clone().map(|kind| {
        let value = Secret::new(b"former".to_vec());
        EscrowEntry::new(device.id(), kind, value, now())
    });
    store.inner().escrow(never_sealed.to_vec()).await.unwrap();
    for keys in [token_update(unlock), message("SetBootstrapToken", deposit)] {
        let response = device.check_in(&service, &keys).await;
        assert_eq!(response.status(), http::StatusCode::OK, "{keys}");
    }
    enqueue(&service, &device.id(), "C-1").await;
    device.idle(&service).await;
    let answer = result("C-1", "Acknowledged") + code;
    device.report(&service, &answer).await;
    let command = store.command(&device.id(), "C-1").await.unwrap().unwrap();
    assert!(matches!(command.state, CommandState::Settled { .. }));
    for kind in kinds {
        let newest = store.escrowed(&device.id(), Some(&kind), 1).await.unwrap();
        assert_eq!(newest[0].value.expose(), b"hunter2", "{kind}");
    }
}

#[tokio::test]
async fn what_a_former_key_sealed_opens_under_the_next() {
    let (store, device) = settled().await;
    let next = SealingKeys::new(SealingKey::generate().unwrap()).former(keys().current().clone());
    let store = Sealed::new(store.inner().clone(), next);
    let id = device.id();
    let record = store.command(&id, "C-1").await.unwrap().unwrap();
    assert!(
        mdm_protocol::Command::decode(record.command.body.bytes()).is_ok(),
        "{record:?}"
    );
    // What is queued from now on is sealed by the next key alone.
    let at: DateTime<Utc> = now();
    let command = NewCommand::new(id.clone(), "C-2", "DeviceLock", &b"<plist/>"[..], at);
    store.enqueue(vec![command]).await.unwrap();
    let former = Sealed::new(store.inner().clone(), keys());
    let error = former.command(&id, "C-2").await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Corrupt);
}

fn recovery_key(device: &EnrollmentId) -> EscrowEntry {
    let key = Secret::new(b"hunter2".to_vec());
    EscrowEntry::new(device.clone(), EscrowKind::FileVaultRecoveryKey, key, now())
}
