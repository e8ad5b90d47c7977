//! An account over the fake service without a socket and a store in memory, and a program that can
//! stop at any point.

use std::{
    future::pending,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use ade_client::service::AdeServiceBuilder;
use ade_client::{
    AdeService, AdeStore, MemoryAdeStore, Policy, StoreError,
    record::{AccountId, AccountRecord, DeviceRecord},
    service::Installing::SameServer,
    store::{Changes, CommitLayer, Layered, Loaded, Reads, Step, StoreErrorKind},
};
use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use mdm_core::{Clock, ManualClock, SerialNumber};
use mdm_fake_apple::ade::{AdeService as Apple, Answer, Config};
use mdm_transport::{HttpTransport, RetryPolicy, TransportError, TransportErrorKind};
use serde_json::json;

use super::{USER_AGENT, serials};

pub(crate) struct Office {
    pub(crate) apple: Apple,
    pub(crate) store: MemoryAdeStore,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) id: AccountId,
}

impl Office {
    /// An account without a token.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let office = Self {
            store: MemoryAdeStore::new(),
            ..Self::elsewhere(change)
        };
        office.service().add_account(&office.id).await.unwrap();
        office
    }

    /// Another server at Apple, and no account.
    pub(crate) fn elsewhere(change: impl FnOnce(&mut Config)) -> Self {
        let clock = Arc::new(ManualClock::new("2026-03-01T08:00:00Z".parse().unwrap()));
        let config = Config::default().with(|config| {
            config.clock = clock.clone();
            change(config);
        });
        Self {
            apple: Apple::new(config).unwrap(),
            store: MemoryAdeStore::new(),
            clock,
            id: AccountId::new("acme").unwrap(),
        }
    }

    /// An account with a token and so many devices, which are known and want nothing.
    pub(crate) async fn linked(devices: usize) -> Self {
        Self::linked_with(devices, |_| {}).await
    }

    pub(crate) async fn linked_with(devices: usize, change: impl FnOnce(&mut Config)) -> Self {
        let office = Self::with(change).await;
        // Without a key pair, which takes its time to make.
        let json = office.apple.new_server_token_json().to_string();
        let service = office.service();
        let installed = service.install_token_json(&office.id, json.as_bytes(), SameServer);
        installed.await.unwrap();
        office.add_devices(devices).await;
        office
    }

    /// Renews the token, with a key pair.
    pub(crate) async fn link(&self) -> AccountRecord {
        let service = self.service();
        let file = self.download(&service.stage_key(&self.id, "mdm").await.unwrap());
        service
            .install_token(&self.id, &file, SameServer)
            .await
            .unwrap()
    }

    pub(crate) async fn add_devices(&self, count: usize) {
        for serial in serials(count) {
            self.apple
                .add_device(json!({"serial_number": serial.as_str(), "model": "iPad"}));
        }
        let device = |serial| {
            let mut device = DeviceRecord::new(serial, self.clock.now());
            device.device.model = Some("iPad".into());
            device
        };
        let devices = serials(count).into_iter().map(device).collect();
        self.put(Changes::devices(devices)).await;
    }

    /// The token file that the portal gives for this certificate.
    pub(crate) fn download(&self, certificate: &str) -> Vec<u8> {
        self.apple.new_server_token(certificate.as_bytes()).unwrap()
    }

    /// The service as after a start of the program.
    pub(crate) fn service(&self) -> AdeService {
        self.service_at(Points::never())
    }

    /// One that stops at a point.
    pub(crate) fn service_at(&self, points: Points) -> AdeService {
        self.service_of(points, Policy::default())
    }

    pub(crate) fn service_of(&self, points: Points, policy: Policy) -> AdeService {
        self.builder(points, policy).build()
    }

    pub(crate) fn builder(&self, points: Points, policy: Policy) -> AdeServiceBuilder {
        let store = Layered::new(self.store.clone(), points.clone());
        let line = Line {
            apple: self.apple.clone(),
            points,
        };
        let clock: Arc<dyn Clock> = self.clock.clone();
        AdeService::builder(store, line, clock, USER_AGENT)
            .base_url("https://apple.example")
            .policy(policy)
            .retry(RetryPolicy::never())
    }

    pub(crate) async fn put(&self, changes: Changes) {
        self.store
            .commit(&self.id, Arc::new(Put(changes)))
            .await
            .unwrap();
    }

    pub(crate) async fn account(&self) -> AccountRecord {
        self.store.account(&self.id).await.unwrap().unwrap()
    }

    /// Changes the account's record behind the service's back.
    pub(crate) async fn edit(&self, change: impl FnOnce(&mut AccountRecord)) {
        let mut record = self.account().await;
        change(&mut record);
        self.put(Changes::account(record)).await;
    }

    pub(crate) async fn device(&self, serial: &SerialNumber) -> DeviceRecord {
        let device = self.store.device(&self.id, serial).await.unwrap();
        device.unwrap()
    }

    /// Changes a device's record behind the service's back.
    pub(crate) async fn edit_device(
        &self,
        serial: &SerialNumber,
        change: impl FnOnce(&mut DeviceRecord),
    ) {
        let mut record = self.device(serial).await;
        change(&mut record);
        self.put(Changes::devices(vec![record])).await;
    }
}

/// Writes what it is told.
#[derive(Debug)]
struct Put(Changes);

impl Step for Put {
    fn reads(&self) -> Reads {
        Reads::account()
    }

    fn decide(&self, _: Loaded) -> Option<Changes> {
        Some(self.0.clone())
    }
}

/// Where the program stops: before or after an exchange, a step of the store, or what else passes.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    left: Arc<AtomicUsize>,
    /// Steps of the store fail there, and nothing stops.
    fails: bool,
}

impl Points {
    pub(crate) fn never() -> Self {
        Self::after(usize::MAX)
    }

    /// Stops at the next point once so many were passed.
    pub(crate) fn after(count: usize) -> Self {
        Self {
            left: Arc::new(AtomicUsize::new(count)),
            fails: false,
        }
    }

    /// The store takes so many steps, and no more.
    pub(crate) fn full_after(count: usize) -> Self {
        Self {
            fails: true,
            ..Self::after(count)
        }
    }

    /// Never comes back from the point where the program stops.
    pub(crate) async fn pass(&self) {
        if !self.fails && !self.count() {
            pending().await
        }
    }

    fn is_full(&self) -> bool {
        self.fails && !self.count()
    }

    /// Whether there was one left.
    fn count(&self) -> bool {
        let left = self.left.load(Ordering::SeqCst).checked_sub(1);
        self.left.store(left.unwrap_or(0), Ordering::SeqCst);
        left.is_some()
    }
}

/// The line to Apple.
#[derive(Debug)]
struct Line {
    apple: Apple,
    points: Points,
}

#[async_trait]
impl HttpTransport for Line {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, TransportError> {
        self.points.pass().await;
        let answer = self.apple.answer(&request);
        self.points.pass().await;
        match answer {
            Answer::Answered(response) => Ok(response),
            Answer::HungUp { .. } => Err(TransportErrorKind::Interrupted.into()),
        }
    }
}

#[async_trait]
impl CommitLayer for Points {
    async fn commit(
        &self,
        store: &dyn AdeStore,
        account: &AccountId,
        step: Arc<dyn Step>,
    ) -> Result<(), StoreError> {
        if self.is_full() {
            return Err(StoreError::new(StoreErrorKind::Full));
        }
        self.pass().await;
        let result = store.commit(account, step).await;
        self.pass().await;
        result
    }
}
