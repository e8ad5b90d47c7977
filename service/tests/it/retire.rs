//! Enrolments that the vendor takes back.

use async_trait::async_trait;
use http::StatusCode;
use mdm_service::{
    Admission, AdmissionPolicy, Applicant, Claim, EnrollmentStatus, EscrowEntry, EscrowKind,
    EventKind, Grant, StoreErrorKind, Unavailable,
    queue::CommandState,
    store::{CommandStore, EnrollmentStore, EscrowStore},
};

use crate::{device::*, faulty::Faulty};

#[derive(Debug)]
struct OneLicence;

#[async_trait]
impl AdmissionPolicy for OneLicence {
    async fn admit(&self, applicant: &Applicant) -> Result<Admission, Unavailable> {
        let claims = vec![Claim::new("licences", 1)];
        Ok(Grant::of(applicant).with(|it| it.claims = claims).into())
    }
}

#[tokio::test]
async fn a_retired_device_frees_its_licence_and_its_queue_and_keeps_what_is_escrowed() {
    let store = Shared::default();
    let service = builder(&store).admission(OneLicence).build();
    let (device, other) = (Device::new("D1"), Device::new("D2"));
    device.enroll(&service).await;
    device.log_in(&service, "anna").await;
    enqueue(&service, &device.id(), "C-1").await;
    enqueue(&service, &device.user("anna"), "C-2").await;
    let key = mdm_core::Secret::new(b"key".to_vec());
    let key = EscrowEntry::new(device.id(), EscrowKind::FileVaultRecoveryKey, key, now());
    store.escrow(vec![key]).await.unwrap();
    let full = other.check_in(&service, &authenticate()).await;
    assert_eq!(full.status(), StatusCode::FORBIDDEN);

    listen(&store).await;
    assert!(service.retire(&device.id()).await.unwrap());
    assert_eq!(store.places_taken("licences").await.unwrap(), 0);
    for (id, uuid) in [(device.id(), "C-1"), (device.user("anna"), "C-2")] {
        let found = state(&store, &id).await;
        assert_eq!(found.status, EnrollmentStatus::Disabled);
        assert!(found.licences.is_empty());
        let command = store.command(&id, uuid).await.unwrap().unwrap();
        assert!(matches!(command.state, CommandState::Cancelled { .. }));
    }
    assert_eq!(
        store.escrowed(&device.id(), None, 9).await.unwrap().len(),
        1
    );
    let events = told(&store).await;
    assert!(
        matches!(events.as_slice(), [event] if event.kind == EventKind::Retired),
        "{events:?}"
    );
    // Nothing is left to be done, and nothing was ever known of another.
    assert!(!service.retire(&device.id()).await.unwrap());
    assert!(!service.retire(&Device::new("D9").id()).await.unwrap());
    // The device goes on calling and hears of nothing; its place is another's.
    assert_eq!(device.idle(&service).await, None);
    let token = "<key>BootstrapToken</key><data>aHVudGVyMg==</data>";
    let deposit = message("SetBootstrapToken", token);
    let deposited = device.check_in(&service, &deposit).await;
    assert_eq!(deposited.status(), StatusCode::FORBIDDEN);
    other.enroll(&service).await;
    assert_eq!(store.places_taken("licences").await.unwrap(), 1);
}

#[tokio::test]
async fn an_enrolment_that_changes_meanwhile_is_retired_all_the_same() {
    let store = Shared::default();
    let faulty = Faulty::new(&store);
    let service = faulty.service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    faulty.conflict(100);
    let error = service.retire(&device.id()).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Locked);
    let found = state(&store, &device.id()).await;
    assert_eq!(found.status, EnrollmentStatus::Enrolled);
    faulty.conflict(3);
    assert!(service.retire(&device.id()).await.unwrap());
}
