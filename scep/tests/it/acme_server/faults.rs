//! Stores and an authority that fail, or a process that ends, at any one step: nothing is lost, and nothing is issued twice.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use mdm_core::Clock as _;
use mdm_pki::{Certificate, Name, PrivateKey, RevocationList};
use mdm_scep::{
    Authorized, CertificateAuthority, Store,
    acme::{
        AccountId, AcmeStore, OrderId,
        jwk::Thumbprint,
        store::{
            AccountRecord, AccountWritten, Kept, NonceId, OrderCommitted, OrderInserted,
            OrderRecord, Version,
        },
    },
    ca::{IssueError, Issued, Signed},
    store::{
        CertificateRecord, ChallengeId, ChallengeRecord, Committed, Issuance, Revocation,
        StoreError,
    },
};
use serde_json::{Value, json};

use super::{
    raw::{Answer, Raw},
    world::{World, answer, apple, attests, csr, device_order, download, ec},
};

/// How a step goes wrong.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct How {
    /// It is done and its answer lost, rather than not done.
    done: bool,
    /// The process ends with it, rather than hear of it.
    ends: bool,
}

const LOST: How = How {
    done: true,
    ends: false,
};

const HOWS: [How; 4] = [
    How {
        done: false,
        ends: false,
    },
    LOST,
    How {
        done: false,
        ends: true,
    },
    How {
        done: true,
        ends: true,
    },
];

/// When a step goes wrong, and how.
#[derive(Debug, Default)]
struct Fault {
    steps: AtomicUsize,
    at: AtomicUsize,
    how: Mutex<How>,
}

impl Fault {
    fn arm(&self, step: usize, how: How) {
        self.steps.store(0, Ordering::SeqCst);
        self.at.store(step, Ordering::SeqCst);
        *self.how.lock().unwrap() = how;
    }

    fn disarm(&self) {
        self.at.store(0, Ordering::SeqCst);
    }

    /// The steps since it was armed.
    fn steps(&self) -> usize {
        self.steps.load(Ordering::SeqCst)
    }

    async fn step<T, E: From<StoreError>>(
        &self,
        step: impl Future<Output = Result<T, E>> + Send,
    ) -> Result<T, E> {
        let number = self.steps.fetch_add(1, Ordering::SeqCst) + 1;
        if number != self.at.load(Ordering::SeqCst) {
            return step.await;
        }
        let how = *self.how.lock().unwrap();
        if how.done {
            step.await?;
        }
        if how.ends {
            std::future::pending::<()>().await;
        }
        Err(StoreError::unavailable("a fault").into())
    }
}

#[derive(Debug)]
struct Faulty<T: ?Sized> {
    fault: Arc<Fault>,
    inner: Arc<T>,
}

/// The whole of the impl, since `async_trait` looks at it before macros inside are expanded.
macro_rules! forward {
    ($store:ident: $(async fn $name:ident(&self $(, $argument:ident: $kind:ty)*) -> $result:ty;)+) => {
        #[async_trait]
        impl $store for Faulty<dyn $store> {
            $(async fn $name(&self $(, $argument: $kind)*) -> $result {
                self.fault.step(self.inner.$name($($argument),*)).await
            })+
        }
    };
}

type R<T> = Result<T, StoreError>;

forward! { Store:
    async fn insert_challenge(&self, id: ChallengeId, record: ChallengeRecord) -> R<()>;
    async fn challenge(&self, id: &ChallengeId) -> R<Option<ChallengeRecord>>;
    async fn forget_challenges(&self, before: DateTime<Utc>) -> R<usize>;
    async fn commit(&self, issuance: Issuance) -> R<Committed>;
    async fn certificate(&self, serial: &[u8]) -> R<Option<CertificateRecord>>;
    async fn revoke(&self, serial: &[u8], revocation: Revocation) -> R<Option<Revocation>>;
    async fn revoked(&self, at: DateTime<Utc>, limit: usize) -> R<Vec<CertificateRecord>>;
    async fn next_crl_number(&self) -> R<u64>;
}

forward! { AcmeStore:
    async fn insert_account(&self, id: AccountId, record: AccountRecord) -> R<AccountWritten>;
    async fn account(&self, id: &AccountId) -> R<Option<Kept<AccountRecord>>>;
    async fn account_of_key(&self, key: &Thumbprint) -> R<Option<AccountId>>;
    async fn update_account(&self, id: &AccountId, version: Version, record: AccountRecord) -> R<AccountWritten>;
    async fn insert_order(&self, id: OrderId, record: OrderRecord, open: usize) -> R<OrderInserted>;
    async fn order(&self, id: &OrderId) -> R<Option<Kept<OrderRecord>>>;
    async fn commit_order(&self, id: &OrderId, version: Version, record: OrderRecord) -> R<OrderCommitted>;
    async fn orders(&self, account: &AccountId, before: Option<&OrderId>, limit: usize) -> R<Vec<(OrderId, OrderRecord)>>;
    async fn order_of_certificate(&self, serial: &[u8]) -> R<Option<OrderId>>;
    async fn spend_nonce(&self, nonce: NonceId, expires_at: DateTime<Utc>) -> R<bool>;
    async fn forget(&self, now: DateTime<Utc>) -> R<usize>;
}

#[async_trait]
impl CertificateAuthority for Faulty<dyn CertificateAuthority> {
    fn chain(&self) -> &[Certificate] {
        self.inner.chain()
    }

    async fn sign(&self, authorized: Authorized) -> Result<Signed, IssueError> {
        self.inner.sign(authorized).await
    }

    async fn store(&self, signed: &Signed) -> Result<Issued, IssueError> {
        self.fault.step(self.inner.store(signed)).await
    }

    async fn find(&self, serial: &[u8]) -> R<Option<CertificateRecord>> {
        self.fault.step(self.inner.find(serial)).await
    }

    async fn revoke(&self, serial: &[u8], revocation: Revocation) -> R<Option<Revocation>> {
        self.fault.step(self.inner.revoke(serial, revocation)).await
    }

    async fn crl(&self, now: DateTime<Utc>) -> Result<RevocationList, IssueError> {
        self.inner.crl(now).await
    }
}

fn world() -> (World, Arc<Fault>) {
    let fault = Arc::new(Fault::default());
    let (one, two, three) = (fault.clone(), fault.clone(), fault.clone());
    let world = World::over(
        |inner| Arc::new(Faulty { fault: one, inner }),
        |inner| Arc::new(Faulty { fault: two, inner }),
        |inner| {
            Arc::new(Faulty {
                fault: three,
                inner,
            })
        },
        |builder| builder,
    );
    (world, fault)
}

/// Asks until it is no server's failure, as clients do.
async fn again<F: Future<Output = Answer>>(mut ask: impl FnMut() -> F) -> Answer {
    for _ in 0..5 {
        let answer = ask().await;
        if !answer.status.is_server_error() {
            return answer;
        }
        if answer.status == 502 {
            continue;
        }
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(!answer.header("retry-after").is_empty());
    }
    panic!("it never ended");
}

/// From nothing to a certificate, with retries. Every request is the same when it is sent again.
async fn enrol(world: &World, key: &PrivateKey) -> (Raw, Value, Certificate) {
    let mut client = Raw::new(&world.server).await;
    client.impatient = true;
    let url = client.url("newAccount");
    let made = again(|| client.post(&url, json!({}))).await;
    assert!(made.status.is_success(), "{made:?}");
    client.kid = Some(made.header("location").to_owned());
    let made = again(|| client.order(super::world::device_identifiers())).await;
    let mut order = made.clone().ok(201).json();
    order["url"] = json!(made.header("location"));
    let url = order["authorizations"][0].as_str().unwrap().to_owned();
    let authorization = again(|| client.fetch(&url)).await.ok(200).json();
    let challenge = &authorization["challenges"][0];
    let token = challenge["token"].as_str().unwrap();
    let leaf = apple().leaf(key.public_key()).acme(token).healthy_mac();
    let payload = attests(&leaf);
    let met = again(|| answer(&client, challenge, payload.clone())).await;
    assert_eq!(met.ok(200).json()["status"], "valid");
    let url = order["finalize"].as_str().unwrap().to_owned();
    let payload = csr(key, Name::default());
    let mut done = again(|| client.post(&url, payload.clone()))
        .await
        .ok(200)
        .json();
    let url = order["url"].as_str().unwrap().to_owned();
    // Processing: the client asks how it stands.
    for _ in 0..5 {
        if done["status"] == "valid" {
            break;
        }
        assert_eq!(done["status"], "processing");
        done = again(|| client.fetch(&url)).await.ok(200).json();
    }
    done["url"] = order["url"].clone();
    let url = done["certificate"].as_str().unwrap().to_owned();
    let chain = again(|| client.fetch(&url)).await.ok(200);
    let certificate = Certificate::stack_from_pem(&chain.body).unwrap().remove(0);
    (client, done, certificate)
}

#[tokio::test]
async fn a_fault_at_any_step_loses_no_certificate_and_doubles_none() {
    let (world, fault) = world();
    let key = ec();
    fault.arm(0, How::default());
    enrol(&world, &key).await;
    let steps = fault.steps();
    assert!(steps > 25, "{steps}");
    for how in HOWS {
        for step in 1..=steps {
            let (world, fault) = self::world();
            let key = ec();
            fault.arm(step, how);
            let (client, order, certificate) = enrol(&world, &key).await;
            assert!(fault.steps() > steps, "step {step} went wrong");
            fault.disarm();
            let whole = format!("step {step}, {how:?}");
            assert_eq!(world.permits.issued(), 1, "{whole}");
            assert!(certificate.public_key().unwrap().same_key(key.public_key()));
            assert_eq!(download(&client, &order).await, certificate, "{whole}");
        }
    }
}

#[tokio::test]
async fn whoever_comes_back_after_the_process_ended_gets_the_certificate_that_was_issued() {
    let (world, fault) = world();
    let key = ec();
    let (client, order) = world.ready(&key).await;
    // The steps of a finalize: find the one that writes the order after its certificate is kept.
    let url = order["finalize"].as_str().unwrap();
    let payload = csr(&key, Name::default());
    let mut processing = 0;
    for step in 1..20 {
        if world.permits.issued() > 0 {
            break;
        }
        fault.arm(step, LOST);
        let answer = client.post(url, payload.clone()).await;
        fault.disarm();
        if answer.status == 200 && answer.json()["status"] == "processing" {
            assert_eq!(answer.header("retry-after"), "5");
            processing += 1;
        }
    }
    assert_eq!(world.permits.issued(), 1);
    assert!(processing > 0, "some fault fell between the two stores");
    let done = client.fetch(order["url"].as_str().unwrap()).await.ok(200);
    assert_eq!(done.json()["status"], "valid");
    let certificate = download(&client, &done.json()).await;
    assert_eq!(world.permits.issued(), 1);
    assert!(certificate.public_key().unwrap().same_key(key.public_key()));
}

#[tokio::test]
async fn a_permit_that_is_gone_does_not_come_back() {
    let (world, fault) = world();
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let url = order["finalize"].as_str().unwrap();
    let payload = csr(&key, Name::default());
    // The certificate is kept and its answer lost; then the store forgets what was spent.
    let mut step = 1;
    while world.permits.issued() == 0 {
        fault.arm(step, LOST);
        client.post(url, payload.clone()).await;
        fault.disarm();
        step += 1;
        assert!(step < 20);
    }
    let forgotten = world
        .permits
        .forget_challenges("2027-01-01T00:00:00Z".parse().unwrap())
        .await;
    assert_eq!(forgotten.unwrap(), 1);
    let answer = client.post(url, payload).await.ok(200).json();
    assert_eq!(answer["status"], "invalid");
    assert_eq!(world.permits.issued(), 1);
}

/// An authority during whose first signature a client does something at another node.
#[derive(Debug)]
struct Meanwhile {
    inner: Arc<dyn CertificateAuthority>,
    what: Arc<Mutex<Option<What>>>,
}

/// Who sends what: a POST-as-GET where there is no payload.
type What = (Raw, Vec<(String, Value)>);

#[async_trait]
impl CertificateAuthority for Meanwhile {
    fn chain(&self) -> &[Certificate] {
        self.inner.chain()
    }

    async fn sign(&self, authorized: Authorized) -> Result<Signed, IssueError> {
        let what = self.what.lock().unwrap().take();
        if let Some((client, requests)) = what {
            for (url, payload) in requests {
                match payload {
                    Value::Null => client.fetch(&url).await.ok(200),
                    payload => client.post(&url, payload).await.ok(200),
                };
            }
        }
        self.inner.sign(authorized).await
    }

    async fn store(&self, signed: &Signed) -> Result<Issued, IssueError> {
        self.inner.store(signed).await
    }

    async fn find(&self, serial: &[u8]) -> R<Option<CertificateRecord>> {
        self.inner.find(serial).await
    }

    async fn revoke(&self, serial: &[u8], revocation: Revocation) -> R<Option<Revocation>> {
        self.inner.revoke(serial, revocation).await
    }

    async fn crl(&self, now: DateTime<Utc>) -> Result<RevocationList, IssueError> {
        self.inner.crl(now).await
    }
}

#[tokio::test]
async fn what_is_given_up_at_another_node_while_a_certificate_is_issued_leaves_none_that_nobody_has()
 {
    let what = Arc::new(Mutex::new(None));
    let shared = what.clone();
    let world = World::over(
        |permits| permits,
        |store| store,
        |inner| {
            let what = shared;
            Arc::new(Meanwhile { inner, what })
        },
        |builder| builder,
    );
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let mut elsewhere = client.clone();
    elsewhere.server = world.node(|builder| builder);
    let url = |value: &Value| value.as_str().unwrap().to_owned();
    let authorization = url(&order["authorizations"][0]);
    let given_up = json!({"status": "deactivated"});
    let requests = vec![
        (authorization.clone(), given_up),
        (url(&order["url"]), Value::Null),
    ];
    *what.lock().unwrap() = Some((elsewhere, requests));
    let done = client
        .post(&url(&order["finalize"]), csr(&key, Name::default()))
        .await
        .ok(200);
    assert!(what.lock().unwrap().is_none(), "it was done meanwhile");
    assert_eq!(world.permits.issued(), 1);
    assert_eq!(done.json()["status"], "valid");
    download(&client, &done.json()).await;
    let authorization = client.fetch(&authorization).await.ok(200).json();
    assert_eq!(authorization["status"], "deactivated");
}

#[tokio::test]
async fn the_permit_of_an_order_that_waits_for_its_authority_is_kept_by_a_store_that_is_full() {
    let (world, fault) = world();
    let key = ec();
    let (client, order) = world.ready(&key).await;
    let expires: DateTime<Utc> = order["expires"].as_str().unwrap().parse().unwrap();
    world.pass((expires - super::world::start()).num_seconds() - 1);
    let payload = csr(&key, Name::default());
    // The authority is away when it is asked, after the permit and the CSR were kept.
    let url = order["finalize"].as_str().unwrap();
    let mut step = 1;
    loop {
        fault.arm(step, How::default());
        let answer = client.post(url, payload.clone()).await;
        fault.disarm();
        if answer.status == 200 && answer.json()["status"] == "processing" {
            break;
        }
        step += 1;
        assert!(step < 20 && world.permits.issued() == 0);
    }
    world.pass(3600);
    // What a store that is full is asked for.
    let forgotten = world.permits.forget_challenges(world.clock.now()).await;
    assert_eq!(forgotten.unwrap(), 0);
    let done = client.fetch(order["url"].as_str().unwrap()).await.ok(200);
    assert_eq!(done.json()["status"], "valid");
}

#[tokio::test]
async fn a_fault_while_a_device_is_looked_at_proves_nothing() {
    let (world, fault) = world();
    let client = world.client().await;
    let (order, challenge) = device_order(&client).await;
    for step in 1..10 {
        fault.arm(step, How::default());
        let refused = answer(&client, &challenge, json!({"attObj": "AAAA"})).await;
        fault.disarm();
        if refused.status == 200 {
            assert_eq!(refused.json()["status"], "invalid");
            break;
        }
    }
    let seen = client.fetch(order["url"].as_str().unwrap()).await.ok(200);
    assert_eq!(seen.json()["status"], "invalid");
}
