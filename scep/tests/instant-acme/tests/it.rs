//! instant-acme 0.8 at our ACME server, in one process.
//!
//! | Step | instant-acme 0.8.5 |
//! |---|---|
//! | account: made, found, contacts, key change, given up | works |
//! | external account binding | works; refused without and with another key |
//! | order by `http-01`, finalize, chain | works |
//! | `device-attest-01` with a fake Apple's chain | works |
//! | attestation of another token, of another device, none at all | refused: badAttestationStatement |
//! | authorization given up; revocation by the account | works |
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::{pin::Pin, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use instant_acme::{
    Account, AuthorizationStatus, BodyWrapper, BytesResponse, ChallengeStatus, ChallengeType,
    DeviceAttestation, Error, ExternalAccountKey, HttpClient, Identifier, NewAccount, NewOrder,
    Order, OrderStatus, RevocationRequest,
};
use mdm_core::{ManualClock, Secret, SerialNumber};
use mdm_fake_apple::attestation::{AttestationAuthority, Leaf};
use mdm_pki::{
    Certificate, CertificateRequestBuilder, GeneralName, KeySpec, Name, PrivateKey,
    attestation::Verifier,
};
use mdm_scep::{
    EmbeddedCa, MemoryStore,
    acme::{
        DeviceAuthorizer, DeviceIdentity, DeviceQuery, ExpectedDevice, ExternalAccountRule,
        ExternalAccounts, HttpValidation, MemoryAcmeStore, Server,
        jws::ExternalAccountKey as OurKey, server::ServerBuilder,
    },
    ca::{RootUse, root},
    store::StoreError,
};
use mdm_transport::{TransportError, transport_fn};

const CLIENT: &str = "client-7";
const SERIAL: &str = "C02AAAAAAAAA";
const HOST: &str = "device7.example.com";

/// The client's way to the server, and the server's to the client's files.
#[derive(Clone)]
struct World {
    server: Arc<Server>,
    apple: Arc<AttestationAuthority>,
    files: Arc<std::sync::Mutex<String>>,
}

impl HttpClient for World {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let server = self.server.clone();
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes();
            let response = server.handle(Request::from_parts(parts, body)).await;
            Ok(response.map(Full::new).into())
        })
    }
}

#[derive(Debug)]
struct OneMac;

#[async_trait]
impl DeviceAuthorizer for OneMac {
    async fn expect(&self, query: &DeviceQuery<'_>) -> Result<Option<ExpectedDevice>, StoreError> {
        let serial = SerialNumber::new(SERIAL).unwrap();
        let mac = ExpectedDevice::new("Ada's Mac", DeviceIdentity::SerialNumber(serial));
        Ok((query.identifier.value == CLIENT).then_some(mac))
    }
}

#[async_trait]
impl ExternalAccounts for OneMac {
    async fn key(&self, kid: &str) -> Result<Option<OurKey>, StoreError> {
        let key = OurKey::new(kid, Secret::new(vec![7; 32])).unwrap();
        Ok((kid == "kid-1").then_some(key))
    }
}

fn start() -> DateTime<Utc> {
    "2026-03-01T12:00:00Z".parse().unwrap()
}

impl World {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let permits = Arc::new(MemoryStore::new());
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let year = std::time::Duration::from_secs(365 * 24 * 3600);
        let name = Name::from_common_name("Example CA");
        let root = root(name, &key, RootUse::BehindRa, year, start()).unwrap();
        let ca = EmbeddedCa::new(vec![root], Arc::new(key), permits.clone()).unwrap();
        let apple = Arc::new(AttestationAuthority::new(start()).unwrap());
        let apple_root = Certificate::from_der(apple.root()).unwrap();
        let files = Arc::new(std::sync::Mutex::new(String::new()));
        let shown = files.clone();
        let web = transport_fn(move |_| {
            let file = shown.lock().unwrap().clone();
            async move { Ok::<_, TransportError>(Response::new(Bytes::from(file))) }
        });
        let builder = Server::builder(
            Arc::new(ca),
            permits,
            Arc::new(MemoryAcmeStore::new()),
            Arc::new(ManualClock::new(start())),
            "https://ca.example.com/acme".parse().unwrap(),
        )
        .devices(Arc::new(OneMac), Verifier::new(&[apple_root]).unwrap())
        .http(HttpValidation::new(Arc::new(web)));
        let server = Arc::new(change(builder).build().unwrap());
        Self {
            server,
            apple,
            files,
        }
    }

    async fn create(&self, external: Option<&ExternalAccountKey>) -> Result<Account, Error> {
        let account = NewAccount {
            contact: &["mailto:ada@example.com"],
            terms_of_service_agreed: true,
            only_return_existing: false,
        };
        let builder = Account::builder_with_http(Box::new(self.clone()));
        let url = self.server.directory_url();
        Ok(builder.create(&account, url, external).await?.0)
    }

    /// Answers the device's challenge with this chain.
    async fn attest<'a>(
        &self,
        order: &mut Order,
        leaf: impl Fn(&str) -> Leaf<'a> + Send,
    ) -> Result<ChallengeStatus, Error> {
        let mut authorizations = order.authorizations();
        let mut authorization = authorizations.next().await.unwrap()?;
        let kind = ChallengeType::DeviceAttest01;
        let mut challenge = authorization.challenge(kind).unwrap();
        let att_obj = leaf(&challenge.token).cbor().unwrap();
        let attestation = DeviceAttestation {
            att_obj: att_obj.into(),
        };
        challenge.send_device_attestation(&attestation).await
    }
}

fn kind(error: Error) -> String {
    match error {
        Error::Api(problem) => {
            let kind = problem.r#type.unwrap();
            kind.rsplit(':').next().unwrap().to_owned()
        }
        other => panic!("{other}"),
    }
}

fn csr(key: &PrivateKey, name: Option<GeneralName>) -> Vec<u8> {
    let mut builder = CertificateRequestBuilder::new(Name::default());
    if let Some(name) = name {
        builder = builder.san(name);
    }
    builder.sign(key).unwrap().to_der().to_vec()
}

#[tokio::test]
async fn a_device_attests_and_gets_its_certificate() {
    let world = World::new();
    let account = world.create(None).await.unwrap();
    let identifiers = [Identifier::PermanentIdentifier(CLIENT.to_owned())];
    let key = PrivateKey::generate(KeySpec::P384).unwrap();
    let leaf = |token: &str| world.apple.leaf(key.public_key()).acme(token);

    for wrong in [
        leaf("evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ").serial(SERIAL),
        leaf("x").serial(SERIAL),
    ] {
        let mut order = account
            .new_order(&NewOrder::new(&identifiers))
            .await
            .unwrap();
        let refused = world.attest(&mut order, |_| wrong.clone()).await;
        assert_eq!(kind(refused.unwrap_err()), "badAttestationStatement");
        assert_eq!(order.refresh().await.unwrap().status, OrderStatus::Invalid);
    }
    let mut order = account
        .new_order(&NewOrder::new(&identifiers))
        .await
        .unwrap();
    let other = world
        .attest(&mut order, |token| leaf(token).serial("C02BBBBBBBBB"))
        .await;
    assert_eq!(kind(other.unwrap_err()), "badAttestationStatement");

    let mut order = account
        .new_order(&NewOrder::new(&identifiers))
        .await
        .unwrap();
    assert_eq!(order.state().status, OrderStatus::Pending);
    let status = world
        .attest(&mut order, |token| leaf(token).serial(SERIAL))
        .await
        .unwrap();
    assert_eq!(status, ChallengeStatus::Valid);
    assert_eq!(order.refresh().await.unwrap().status, OrderStatus::Ready);
    let stranger = PrivateKey::generate(KeySpec::P384).unwrap();
    let refused = order.finalize_csr(&csr(&stranger, None)).await;
    assert_eq!(kind(refused.unwrap_err()), "badCSR");
    order.finalize_csr(&csr(&key, None)).await.unwrap();
    let pem = order.certificate().await.unwrap().unwrap();
    let chain = Certificate::stack_from_pem(pem.as_bytes()).unwrap();
    assert!(chain[0].public_key().unwrap().same_key(key.public_key()));
    assert_eq!(chain.len(), 2);
    let certificate = chain[0].to_der().to_vec().into();
    let revocation = RevocationRequest {
        certificate: &certificate,
        reason: None,
    };
    account.revoke(&revocation).await.unwrap();
    let again = account.revoke(&revocation).await.unwrap_err();
    assert_eq!(kind(again), "alreadyRevoked");

    let unknown = [Identifier::PermanentIdentifier("other".to_owned())];
    let refused = account.new_order(&NewOrder::new(&unknown)).await;
    assert_eq!(kind(refused.err().unwrap()), "rejectedIdentifier");
}

#[tokio::test]
async fn a_host_is_proven_by_file() {
    let world = World::new();
    let account = world.create(None).await.unwrap();
    let identifiers = [Identifier::Dns(HOST.to_owned())];
    let mut order = account
        .new_order(&NewOrder::new(&identifiers))
        .await
        .unwrap();
    let mut authorizations = order.authorizations();
    let mut authorization = authorizations.next().await.unwrap().unwrap();
    let mut challenge = authorization.challenge(ChallengeType::Http01).unwrap();
    let text = challenge.key_authorization().as_str().to_owned();
    *world.files.lock().unwrap() = text;
    challenge.set_ready().await.unwrap();
    assert_eq!(order.refresh().await.unwrap().status, OrderStatus::Ready);
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let name = GeneralName::Dns(HOST.to_owned());
    order.finalize_csr(&csr(&key, Some(name))).await.unwrap();
    assert!(order.certificate().await.unwrap().is_some());

    let mut order = account
        .new_order(&NewOrder::new(&identifiers))
        .await
        .unwrap();
    let mut authorizations = order.authorizations();
    let mut authorization = authorizations.next().await.unwrap().unwrap();
    let given_up = authorization.deactivate().await.unwrap();
    assert_eq!(given_up.status, AuthorizationStatus::Deactivated);
    assert_eq!(order.refresh().await.unwrap().status, OrderStatus::Invalid);
}

#[tokio::test]
async fn an_account_lives_from_its_binding_to_its_end() {
    let world = World::with(|builder| {
        builder.external_accounts(ExternalAccountRule::Required(Arc::new(OneMac)))
    });
    let refused = world.create(None).await.err().unwrap();
    assert_eq!(kind(refused), "externalAccountRequired");
    let other = ExternalAccountKey::new("kid-1".to_owned(), &[8; 32]);
    let refused = world.create(Some(&other)).await.err().unwrap();
    assert_eq!(kind(refused), "unauthorized");
    let right = ExternalAccountKey::new("kid-1".to_owned(), &[7; 32]);
    let mut account = world.create(Some(&right)).await.unwrap();
    account
        .update_contacts(&["mailto:bob@example.com"])
        .await
        .unwrap();
    let _ = account.update_key().await.unwrap();
    let identifiers = [Identifier::Dns(HOST.to_owned())];
    account
        .new_order(&NewOrder::new(&identifiers))
        .await
        .unwrap();
    account.deactivate().await.unwrap();
    let again = world.create(Some(&right)).await.err().unwrap();
    assert_eq!(kind(again), "unauthorized");
}
