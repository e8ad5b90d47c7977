//! Who is pushed to, when, and when again.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use mdm_core::ManualClock;
use mdm_service::{
    MdmSignature, PushOutcome, PushTarget, Pusher, Service,
    push::{PushPace, PushWorker},
    store::{EnrollmentStore, PushStore},
};

use crate::device::*;

/// Answers from a script, and with `Sent` when it is used up; remembers whom it pushed to.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<PushOutcome>>,
    pushed: Mutex<Vec<String>>,
}

impl Script {
    fn then(&self, outcome: PushOutcome) {
        self.answers.lock().unwrap().push_back(outcome);
    }

    fn pushed(&self) -> Vec<String> {
        std::mem::take(&mut self.pushed.lock().unwrap())
    }
}

#[async_trait]
impl Pusher for Script {
    async fn push(&self, batch: &[PushTarget]) -> Vec<PushOutcome> {
        let names = batch.iter().map(|target| target.enrollment.to_string());
        self.pushed.lock().unwrap().extend(names);
        let mut answers = self.answers.lock().unwrap();
        let answer = |_| {
            answers
                .pop_front()
                .unwrap_or_else(|| PushOutcome::sent(None))
        };
        batch.iter().map(answer).collect()
    }
}

struct Scene {
    service: Service,
    store: Shared,
    clock: Arc<ManualClock>,
    script: Arc<Script>,
    worker: PushWorker,
}

impl Scene {
    fn new() -> Self {
        let store = Shared::default();
        let clock = Arc::new(ManualClock::new(now()));
        let script = Arc::new(Script::default());
        let identity = MdmSignature::new(vec![AUTHORITY.certificate.clone()]).unwrap();
        let service = Service::builder(Arc::clone(&store), Arc::clone(&clock), identity)
            .pusher(Arc::clone(&script))
            .build();
        let worker = service.push_worker(PushPace::default()).unwrap();
        Self {
            service,
            store,
            clock,
            script,
            worker,
        }
    }

    /// Whom one round pushes to, after so many minutes.
    async fn pushed_after(&self, minutes: u64) -> Vec<String> {
        self.clock.advance(Duration::from_secs(60 * minutes));
        self.worker.round().await.unwrap();
        self.script.pushed()
    }
}

#[tokio::test]
async fn a_device_is_pushed_to_once_however_much_waits() {
    let scene = Scene::new();
    let device = Device::new("D1");
    device.enroll(&scene.service).await;
    assert!(scene.pushed_after(0).await.is_empty());
    for uuid in ["C-1", "C-2", "C-3"] {
        enqueue(&scene.service, &device.id(), uuid).await;
    }
    assert_eq!(scene.pushed_after(0).await, ["device:D1"]);
    enqueue(&scene.service, &device.id(), "C-4").await;
    // Something new for a device that was told and has not called: told again at once, for the first
    // push may be long ago, and then not until it is given up.
    scene.pushed_after(0).await;
    assert!(scene.pushed_after(60).await.is_empty());
    assert_eq!(scene.pushed_after(11 * 60).await, ["device:D1"]);
}

#[tokio::test]
async fn a_device_that_called_is_left_alone_and_one_that_said_not_now_is_told_again() {
    let scene = Scene::new();
    let [busy, done] = ["D1", "D2"].map(Device::new);
    for device in [&busy, &done] {
        device.enroll(&scene.service).await;
        enqueue(&scene.service, &device.id(), "C-1").await;
    }
    assert_eq!(scene.pushed_after(0).await.len(), 2);
    for device in [&busy, &done] {
        assert_eq!(device.idle(&scene.service).await.as_deref(), Some("C-1"));
    }
    busy.answer(&scene.service, "C-1", "NotNow").await;
    done.answer(&scene.service, "C-1", "Acknowledged").await;
    // Between half of the 15 minutes and all of them.
    assert!(scene.pushed_after(7).await.is_empty());
    assert_eq!(scene.pushed_after(8).await, ["device:D1"]);
    busy.idle(&scene.service).await;
    busy.answer(&scene.service, "C-1", "Acknowledged").await;
    assert!(scene.pushed_after(24 * 60).await.is_empty());
}

#[tokio::test]
async fn q24_a_dead_token_ends_the_pushes_to_one_device_and_a_new_token_begins_them_again() {
    let scene = Scene::new();
    let [dead, alive] = ["D1", "D2"].map(Device::new);
    for device in [&dead, &alive] {
        device.enroll(&scene.service).await;
        enqueue(&scene.service, &device.id(), "C-1").await;
    }
    scene.script.then(PushOutcome::unregistered(None));
    let round = scene.worker.round().await.unwrap();
    assert_eq!((round.sent, round.dead), (1, 1));
    let first = scene.script.pushed().remove(0);
    let (dead, other) = match first.as_str() {
        "device:D1" => (dead, "device:D2"),
        _ => (alive, "device:D1"),
    };
    let known = scene.store.enrollment(&dead.id()).await.unwrap().unwrap();
    assert_eq!(known.push_dead_at, Some(now()));
    enqueue(&scene.service, &dead.id(), "C-2").await;
    assert_eq!(scene.pushed_after(24 * 60).await, [other]);

    dead.check_in(&scene.service, &token_update("")).await;
    assert_eq!(scene.pushed_after(0).await, [dead.id().to_string()]);
}

#[tokio::test]
async fn a_push_that_did_not_get_through_is_tried_when_apple_says_and_else_in_a_minute() {
    let scene = Scene::new();
    let device = Device::new("D1");
    device.enroll(&scene.service).await;
    enqueue(&scene.service, &device.id(), "C-1").await;
    let five_minutes = Duration::from_secs(300);
    scene.script.then(PushOutcome::failed("no route"));
    scene
        .script
        .then(PushOutcome::put_off("later", five_minutes));
    scene.script.then(PushOutcome::refused("BadCertificate"));
    assert_eq!(scene.pushed_after(0).await.len(), 1);
    assert_eq!(scene.pushed_after(1).await.len(), 1);
    assert!(scene.pushed_after(4).await.is_empty());
    assert_eq!(scene.pushed_after(1).await.len(), 1);
    assert!(scene.pushed_after(59).await.is_empty());
    assert_eq!(scene.pushed_after(1).await.len(), 1);
}

#[tokio::test]
async fn a_worker_that_is_told_to_stop_finishes_its_batch_and_leaves_nothing_leased() {
    let scene = Scene::new();
    let device = Device::new("D1");
    device.enroll(&scene.service).await;
    enqueue(&scene.service, &device.id(), "C-1").await;
    let leased = now() + PushPace::default().lease;
    scene.worker.run_until(std::future::ready(())).await;
    assert_eq!(scene.script.pushed(), ["device:D1"]);
    // The next push is due when the device has not called, and not when a lease ends.
    let due = scene.store.due_pushes(leased, leased, 9).await.unwrap();
    assert!(due.is_empty(), "{due:?}");
}

#[tokio::test]
async fn of_two_workers_one_pushes_and_the_other_takes_over_what_it_left() {
    let scene = Scene::new();
    let device = Device::new("D1");
    device.enroll(&scene.service).await;
    enqueue(&scene.service, &device.id(), "C-1").await;
    // A node takes the push and dies over it.
    let never = NeverReturns;
    let died = Service::builder(
        Arc::clone(&scene.store),
        Arc::clone(&scene.clock),
        MdmSignature::new(vec![AUTHORITY.certificate.clone()]).unwrap(),
    )
    .pusher(never)
    .build()
    .push_worker(PushPace::default())
    .unwrap();
    tokio::select! {
        biased;
        _ = died.round() => panic!("it never returns"),
        () = tokio::task::yield_now() => {}
    }
    assert!(scene.pushed_after(1).await.is_empty());
    assert_eq!(scene.pushed_after(1).await, ["device:D1"]);
}

#[derive(Debug, Default)]
struct NeverReturns;

#[async_trait]
impl Pusher for NeverReturns {
    async fn push(&self, _: &[PushTarget]) -> Vec<PushOutcome> {
        std::future::pending().await
    }
}
