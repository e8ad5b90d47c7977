//! Pushing through a vendor's pusher, and what is never shown.

use std::sync::Mutex;

use async_trait::async_trait;
use mdm_protocol::EnrollmentId;
use mdm_service::{PushOutcome, PushTarget, Pusher};

use crate::device::*;

/// Says that odd ones failed.
#[derive(Debug, Default)]
struct Recorder(Mutex<Vec<Vec<EnrollmentId>>>);

#[async_trait]
impl Pusher for Recorder {
    async fn push(&self, batch: &[PushTarget]) -> Vec<PushOutcome> {
        let ids = batch
            .iter()
            .map(|target| target.enrollment.clone())
            .collect();
        self.0.lock().unwrap().push(ids);
        let outcome = |n| match n % 2 {
            0 => PushOutcome::sent(None),
            _ => PushOutcome::failed("no route"),
        };
        (0..batch.len()).map(outcome).collect()
    }
}

#[tokio::test]
async fn every_enrollment_is_answered_in_order_and_only_the_enrolled_are_pushed() {
    let store = Shared::default();
    let recorder = std::sync::Arc::new(Recorder::default());
    let service = builder(&store).pusher(recorder.clone()).build();
    let [first, second, gone] = ["D1", "D2", "D3"].map(Device::new);
    for device in [&first, &second, &gone] {
        device.enroll(&service).await;
    }
    first.log_in(&service, "U1").await;
    gone.check_in(&service, &check_out("")).await;
    let unknown = EnrollmentId::device("D9").unwrap();
    let asked = [
        gone.id(),
        second.id(),
        unknown,
        first.user("U1"),
        first.id(),
    ];
    let outcomes = service.push(&asked).await.unwrap();
    assert_eq!(
        outcomes,
        [
            PushOutcome::NotPushable,
            PushOutcome::sent(None),
            PushOutcome::NotPushable,
            PushOutcome::failed("no route"),
            PushOutcome::sent(None),
        ]
    );
    assert_eq!(
        *recorder.0.lock().unwrap(),
        [[second.id(), first.user("U1"), first.id()]]
    );
    // Nobody to push: the pusher is not bothered.
    service.push(&[gone.id()]).await.unwrap();
    assert_eq!(recorder.0.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn without_a_pusher_nothing_is_pushed() {
    let (service, _) = service();
    let device = Device::new("D1");
    device.enroll(&service).await;
    let outcomes = service.push(&[device.id()]).await.unwrap();
    assert_eq!(outcomes, [PushOutcome::NotPushable]);
}

#[tokio::test]
async fn secrets_are_not_shown() {
    let (service, store) = service();
    listen(&store).await;
    let device = Device::new("D1");
    device.enroll(&service).await;
    let unlock = token_update("<key>UnlockToken</key><data>aHVudGVyMg==</data>");
    device.check_in(&service, &unlock).await;
    let set = message(
        "SetBootstrapToken",
        "<key>BootstrapToken</key><data>aHVudGVyMg==</data>",
    );
    device.check_in(&service, &set).await;
    enqueue(&service, &device.id(), "c-1").await;
    device
        .report(
            &service,
            &format!(
                "{}<key>Pin</key><string>hunter2</string>",
                result("c-1", "Acknowledged")
            ),
        )
        .await;
    let found = state(&store, &device.id()).await;
    let record = service.command(&device.id(), "c-1").await.unwrap();
    let events = told(&store).await;
    let shown = format!("{service:?} {found:?} {record:?} {events:?}");
    for secret in ["hunter2", "aHVudGVyMg", "104, 117, 110"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}
