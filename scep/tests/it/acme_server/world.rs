//! A server with everything around it: an authority, stores, a fake Apple, devices that are expected.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, OnceLock},
};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use mdm_core::{Clock as _, ManualClock, SerialNumber};
use mdm_fake_apple::attestation::{AttestationAuthority, Leaf};
use mdm_pki::{
    Certificate, CertificateRequestBuilder, GeneralName, KeySpec, Name, PrivateKey,
    attestation::Verifier,
};
use mdm_scep::{
    CertificateAuthority, EmbeddedCa, Event, MemoryStore, Observer, Store,
    acme::{
        AcmeEvent, AcmeStore, DeviceAuthorizer, DeviceIdentity, DeviceQuery, ExpectedDevice,
        MemoryAcmeStore, Server, server::ServerBuilder,
    },
    ca::{RootUse, root},
    store::StoreError,
};
use serde_json::{Value, json};

use super::raw::{Answer, Raw, b64};

pub(crate) const BASE: &str = "https://ca.example.com/acme";
pub(crate) const SERIAL: &str = "C02AAAAAAAAA";
pub(crate) const UDID: &str = "00008103-000A11223344001E";
pub(crate) const CLIENT: &str = "client-7";

pub(crate) fn start() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

/// Fake chains are valid around one moment, at which all tests begin.
pub(crate) fn apple() -> &'static AttestationAuthority {
    static APPLE: OnceLock<AttestationAuthority> = OnceLock::new();
    APPLE.get_or_init(|| AttestationAuthority::new(start()).unwrap())
}

pub(crate) fn ec() -> PrivateKey {
    PrivateKey::generate(KeySpec::P256).unwrap()
}

/// The devices that an operator expects, by identifier and by secret segment.
#[derive(Debug, Default)]
pub(crate) struct Expected(
    Mutex<HashMap<(String, Option<String>), ExpectedDevice>>,
    Mutex<HashSet<String>>,
);

impl Expected {
    pub(crate) fn add(&self, identifier: &str, path: Option<&str>, device: ExpectedDevice) {
        let key = (identifier.to_owned(), path.map(ToOwned::to_owned));
        self.0.lock().unwrap().insert(key, device);
    }

    /// From now on this device gets no certificate, ordered or not.
    pub(crate) fn block(&self, label: &str) {
        self.1.lock().unwrap().insert(label.to_owned());
    }
}

#[async_trait]
impl DeviceAuthorizer for Expected {
    async fn expect(&self, query: &DeviceQuery<'_>) -> Result<Option<ExpectedDevice>, StoreError> {
        let path = query.path.map(|path| path.expose().clone());
        let key = (query.identifier.value.clone(), path);
        Ok(self.0.lock().unwrap().get(&key).cloned())
    }

    async fn confirm(
        &self,
        query: &DeviceQuery<'_>,
        device: &ExpectedDevice,
    ) -> Result<bool, StoreError> {
        assert!(query.path.is_none() && query.ordered_at <= query.now);
        Ok(!self.1.lock().unwrap().contains(&device.label))
    }
}

/// Notes down what the operator hears.
#[derive(Debug, Default)]
pub(crate) struct Heard(Mutex<Vec<String>>);

impl Heard {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn count(&self, start: &str) -> usize {
        let lines = self.lines();
        lines.iter().filter(|line| line.starts_with(start)).count()
    }

    #[track_caller]
    pub(crate) fn has(&self, line: &str) {
        let lines = self.lines();
        assert!(lines.iter().any(|it| it == line), "{line}: {lines:#?}");
    }
}

impl Observer for Heard {
    fn observe(&self, event: &Event<'_>) {
        let line = match event {
            Event::Acme(event) => told(event),
            Event::Expiring { certificate, .. } => format!("expiring: {}", certificate.subject()),
            other => format!("{other:?}"),
        };
        self.0.lock().unwrap().push(line);
    }
}

fn told(event: &AcmeEvent<'_>) -> String {
    match event {
        AcmeEvent::Proven {
            label, attested, ..
        } => format!("proven: {label}, {attested}"),
        AcmeEvent::NotProven { label, cause, .. } => format!("not proven: {label}: {cause}"),
        AcmeEvent::Issued { label, .. } => format!("issued: {label}"),
        AcmeEvent::NotIssued { label, cause, .. } => format!("not issued: {label}: {cause}"),
        AcmeEvent::Revoked { reason, .. } => format!("revoked: {reason:?}"),
        AcmeEvent::Refused { problem, .. } => format!("refused: {problem}"),
        AcmeEvent::Unavailable { error, .. } => format!("unavailable: {error}"),
        other => format!("{other:?}"),
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) permits: Arc<MemoryStore>,
    pub(crate) ca: Arc<EmbeddedCa>,
    pub(crate) root: Certificate,
    pub(crate) expected: Arc<Expected>,
    pub(crate) heard: Arc<Heard>,
    pub(crate) server: Arc<Server>,
    parts: Parts,
}

/// What servers are made of.
struct Parts {
    ca: Arc<dyn CertificateAuthority>,
    permits: Arc<dyn Store>,
    store: Arc<dyn AcmeStore>,
    clock: Arc<ManualClock>,
    expected: Arc<Expected>,
    heard: Arc<Heard>,
}

impl Parts {
    fn server(&self, change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Arc<Server> {
        let apple_root = Certificate::from_der(apple().root()).unwrap();
        let builder = Server::builder(
            self.ca.clone(),
            self.permits.clone(),
            self.store.clone(),
            self.clock.clone(),
            BASE.parse().unwrap(),
        )
        .devices(self.expected.clone(), Verifier::new(&[apple_root]).unwrap())
        .observer(self.heard.clone());
        Arc::new(change(builder).build().unwrap())
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|builder| builder)
    }

    pub(crate) fn with(change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        Self::over(|permits| permits, |store| store, |ca| ca, change)
    }

    /// With something in front of its stores and its authority.
    pub(crate) fn over(
        permits_layer: impl FnOnce(Arc<dyn Store>) -> Arc<dyn Store>,
        store_layer: impl FnOnce(Arc<dyn AcmeStore>) -> Arc<dyn AcmeStore>,
        ca_layer: impl FnOnce(Arc<dyn CertificateAuthority>) -> Arc<dyn CertificateAuthority>,
        change: impl FnOnce(ServerBuilder) -> ServerBuilder,
    ) -> Self {
        let clock = Arc::new(ManualClock::new(start()));
        let permits = Arc::new(MemoryStore::new());
        let layered = permits_layer(permits.clone());
        let key = ec();
        let name = Name::from_common_name("Example CA");
        let ten_years = std::time::Duration::from_secs(10 * 365 * 24 * 3600);
        let root = root(name, &key, RootUse::BehindRa, ten_years, clock.now()).unwrap();
        let ca = EmbeddedCa::new(vec![root.clone()], Arc::new(key), layered.clone()).unwrap();
        let ca = Arc::new(ca);
        let expected = Arc::new(Expected::default());
        expected.add(CLIENT, None, mac());
        let heard = Arc::new(Heard::default());
        let store = store_layer(Arc::new(MemoryAcmeStore::new()));
        let parts = Parts {
            ca: ca_layer(ca.clone()),
            permits: layered,
            store,
            clock: clock.clone(),
            expected: expected.clone(),
            heard: heard.clone(),
        };
        Self {
            server: parts.server(change),
            clock,
            permits,
            ca,
            root,
            expected,
            heard,
            parts,
        }
    }

    /// Another server over the same stores.
    pub(crate) fn node(&self, change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Arc<Server> {
        self.parts.server(change)
    }

    pub(crate) fn pass(&self, seconds: i64) {
        let step = TimeDelta::seconds(seconds).to_std().unwrap();
        self.clock.advance(step);
    }

    pub(crate) async fn client(&self) -> Raw {
        Raw::registered(&self.server).await
    }

    /// A client whose device has attested this key: an order that is ready.
    pub(crate) async fn ready(&self, key: &PrivateKey) -> (Raw, Value) {
        let client = self.client().await;
        let order = ready_order(&client, key).await;
        (client, order)
    }
}

/// The device behind [`CLIENT`].
pub(crate) fn mac() -> ExpectedDevice {
    let serial = SerialNumber::new(SERIAL).unwrap();
    ExpectedDevice::new("Ada's Mac", DeviceIdentity::SerialNumber(serial))
}

pub(crate) fn device_identifiers() -> Value {
    json!([{"type": "permanent-identifier", "value": CLIENT}])
}

/// The order, and its one challenge.
pub(crate) async fn device_order(client: &Raw) -> (Value, Value) {
    let answer = client.order(device_identifiers()).await.ok(201);
    let mut order = answer.json();
    order["url"] = json!(answer.header("location"));
    let authorization = order["authorizations"][0].as_str().unwrap();
    let authorization = client.fetch(authorization).await.ok(200).json();
    (order, authorization["challenges"][0].clone())
}

/// What a device answers whose key Apple attests.
pub(crate) fn attests(leaf: &Leaf<'_>) -> Value {
    json!({"attObj": b64(leaf.cbor().unwrap())})
}

pub(crate) async fn answer(client: &Raw, challenge: &Value, payload: Value) -> Answer {
    client
        .post(challenge["url"].as_str().unwrap(), payload)
        .await
}

pub(crate) async fn ready_order(client: &Raw, key: &PrivateKey) -> Value {
    let (order, challenge) = device_order(client).await;
    let token = challenge["token"].as_str().unwrap();
    let leaf = apple().leaf(key.public_key()).acme(token).healthy_mac();
    let answer = answer(client, &challenge, attests(&leaf)).await.ok(200);
    assert_eq!(answer.json()["status"], "valid", "{answer:?}");
    order
}

pub(crate) fn csr(key: &PrivateKey, subject: Name) -> Value {
    let csr = CertificateRequestBuilder::new(subject).sign(key).unwrap();
    json!({"csr": b64(csr.to_der())})
}

pub(crate) fn csr_names(key: &PrivateKey, names: &[GeneralName]) -> Value {
    let mut builder = CertificateRequestBuilder::new(Name::default());
    for name in names {
        builder = builder.san(name.clone());
    }
    json!({"csr": b64(builder.sign(key).unwrap().to_der())})
}

pub(crate) async fn finalize(client: &Raw, order: &Value, csr: Value) -> Answer {
    client.post(order["finalize"].as_str().unwrap(), csr).await
}

/// The certificate of an order that is valid, first of its chain.
pub(crate) async fn download(client: &Raw, order: &Value) -> Certificate {
    let url = order["certificate"].as_str().unwrap();
    let answer = client.fetch(url).await.ok(200);
    assert_eq!(
        answer.header("content-type"),
        "application/pem-certificate-chain"
    );
    let chain = Certificate::stack_from_pem(&answer.body).unwrap();
    let issuer = chain[1].public_key().unwrap();
    chain[0].verify_signed_by(&issuer).unwrap();
    chain[0].clone()
}

/// From nothing to a certificate.
pub(crate) async fn enrol(world: &World, key: &PrivateKey) -> (Raw, Value, Certificate) {
    let (client, order) = world.ready(key).await;
    let done = finalize(&client, &order, csr(key, Name::default()))
        .await
        .ok(200);
    let mut done = done.json();
    done["url"] = order["url"].clone();
    let certificate = download(&client, &done).await;
    (client, done, certificate)
}
