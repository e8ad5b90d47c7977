//! Our client at our server: host names by file and by record, and what comes after the certificate. Devices are in the
//! example of the module's documentation.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use chrono::TimeDelta;
use http::{Request, Response};
use mdm_core::{Clock as _, ManualClock, Secret};
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequest, CertificateRequestBuilder, GeneralName,
    KeySpec, Name, PrivateKey, RevocationReason,
};
use mdm_scep::{
    EmbeddedCa, MemoryStore,
    acme::{
        AddressLookup, Client, ExternalAccountRule, ExternalAccounts, HttpValidation,
        MemoryAcmeStore, Policy, Registration, Server, TxtLookup,
        ari::CertId,
        client::{ChallengeResponse, Error, Offer, Session, Solver, solver_fn},
        identifier::Identifier,
        jws::ExternalAccountKey,
        problem::ErrorType,
        resource::{AccountStatus, AccountUpdate, AuthorizationStatus, ChallengeType, NewOrder},
        server::ServerBuilder,
        validate::{ByAddress, LookupError},
    },
    ca::{RootUse, root},
    store::StoreError,
};
use mdm_transport::{HttpTransport, TransportError, transport_fn};

use super::fake::{key, seconds};

/// What the world outside shows: files by their path, records by their name.
#[derive(Debug, Default)]
struct Shown(Mutex<HashMap<String, String>>);

impl Shown {
    fn put(&self, at: String, what: String) {
        self.0.lock().unwrap().insert(at, what);
    }

    fn get(&self, at: &str) -> Option<String> {
        self.0.lock().unwrap().get(at).cloned()
    }
}

#[derive(Debug)]
struct Records(Arc<Shown>);

#[async_trait]
impl TxtLookup for Records {
    async fn txt(&self, name: &str) -> Result<Vec<String>, LookupError> {
        Ok(self.0.get(name).into_iter().collect())
    }
}

/// Every host has the same public address.
#[derive(Debug)]
struct Everywhere;

#[async_trait]
impl AddressLookup for Everywhere {
    async fn addresses(&self, _host: &str) -> Result<Vec<IpAddr>, LookupError> {
        Ok(vec!["93.184.215.14".parse().unwrap()])
    }
}

#[derive(Debug)]
struct OneCustomer;

fn customer() -> ExternalAccountKey {
    ExternalAccountKey::new("customer-7", Secret::new(vec![7; 32])).unwrap()
}

#[async_trait]
impl ExternalAccounts for OneCustomer {
    async fn key(&self, kid: &str) -> Result<Option<ExternalAccountKey>, StoreError> {
        Ok((kid == "customer-7").then(customer))
    }
}

struct World {
    clock: Arc<ManualClock>,
    shown: Arc<Shown>,
    server: Arc<Server>,
    root: Certificate,
}

impl World {
    fn new() -> Self {
        Self::with(|builder| builder)
    }

    fn with(change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let clock = Arc::new(ManualClock::new("2026-03-01T12:00:00Z".parse().unwrap()));
        let shown = Arc::new(Shown::default());
        let permits = Arc::new(MemoryStore::new());
        let ca_key = PrivateKey::generate(KeySpec::P256).unwrap();
        let name = Name::from_common_name("Example CA");
        let ten_years = seconds(10 * 365 * 24 * 3600);
        let root = root(name, &ca_key, RootUse::BehindRa, ten_years, clock.now()).unwrap();
        let old_key = PrivateKey::generate(KeySpec::P256).unwrap();
        let name = Name::from_common_name("Old Root");
        let old =
            mdm_scep::ca::root(name, &old_key, RootUse::BehindRa, ten_years, clock.now()).unwrap();
        let cross = CertificateBuilder::new(root.subject(), ca_key.public_key())
            .validity(clock.now(), clock.now() + TimeDelta::days(365))
            .ca(Some(0))
            .sign(&old, &old_key)
            .unwrap();
        let ca = EmbeddedCa::new(vec![root.clone()], Arc::new(ca_key), permits.clone()).unwrap();
        let ca = ca.alternate_chain(vec![cross, old]).unwrap();
        let files = shown.clone();
        let web = transport_fn(move |request: Request<Bytes>| {
            let file = files.get(request.uri().path()).unwrap_or_default();
            async move { Ok::<_, TransportError>(Response::new(Bytes::from(file))) }
        });
        let builder = Server::builder(
            Arc::new(ca),
            permits,
            Arc::new(MemoryAcmeStore::new()),
            clock.clone(),
            "https://ca.example.com/acme".parse().unwrap(),
        )
        .http(HttpValidation::new(
            Arc::new(Everywhere),
            Arc::new(ByAddress(web)),
        ))
        .dns(Arc::new(Records(shown.clone())));
        let server = Arc::new(change(builder).build().unwrap());
        Self {
            clock,
            shown,
            server,
            root,
        }
    }

    fn client(&self) -> Client<impl HttpTransport + use<>> {
        let server = self.server.clone();
        let transport = transport_fn(move |request| {
            let server = server.clone();
            async move { Ok::<_, TransportError>(server.handle(request).await) }
        });
        let url = self.server.directory_url().parse().unwrap();
        Client::new(transport, url, self.clock.clone())
    }

    async fn session(&self) -> Session<impl HttpTransport + use<>> {
        let registered = self.client().register(key(), &Registration::new()).await;
        registered.unwrap().session
    }

    /// Puts what is asked for in its place.
    fn solver(&self, kind: ChallengeType) -> impl Solver + use<> {
        let shown = self.shown.clone();
        solver_fn(move |offer: Offer| {
            let takes = offer.kind == kind;
            if takes && kind == ChallengeType::Http01 {
                shown.put(offer.http_path(), offer.key_authorization.clone());
            } else if takes {
                shown.put(offer.dns_name(), offer.dns_value());
            }
            async move { Ok(takes.then_some(ChallengeResponse::Ready)) }
        })
    }

    async fn obtain(
        &self,
        session: &Session<impl HttpTransport>,
        host: &str,
    ) -> (PrivateKey, Certificate) {
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let order = NewOrder::new([Identifier::dns(host)]);
        let solver = self.solver(ChallengeType::Http01);
        let chain = session.obtain(&order, &csr(&key, &[host]), &solver).await;
        (key, chain.unwrap().leaf)
    }
}

fn csr(key: &PrivateKey, hosts: &[&str]) -> CertificateRequest {
    let builder = CertificateRequestBuilder::new(Name::from_common_name(hosts[0]));
    hosts
        .iter()
        .fold(builder, |csr, host| {
            csr.san(GeneralName::Dns((*host).to_owned()))
        })
        .sign(key)
        .unwrap()
}

#[tokio::test]
async fn host_names_and_wildcards_are_proven_and_certified() {
    for (kind, hosts) in [
        (ChallengeType::Http01, ["a.example.com", "b.example.com"]),
        (ChallengeType::Dns01, ["*.example.com", "a.example.com"]),
    ] {
        let world = World::new();
        let session = world.session().await;
        let key = PrivateKey::generate(KeySpec::P256).unwrap();
        let order = session
            .new_order(&NewOrder::new(hosts.map(Identifier::dns)))
            .await;
        let order = order.unwrap();
        let (csr, solver) = (csr(&key, &hosts), world.solver(kind));
        let chain = session.complete(&order.url, &csr, &solver).await.unwrap();
        chain
            .leaf
            .verify_signed_by(&world.root.public_key().unwrap())
            .unwrap();
        let mut names = chain.leaf.subject_alt_names();
        names.sort_by_key(|name| format!("{name:?}"));
        assert_eq!(names, hosts.map(|host| GeneralName::Dns(host.to_owned())));
        let again = session.complete(&order.url, &csr, &solver).await.unwrap();
        assert_eq!(again.leaf, chain.leaf);
        assert_eq!(session.orders().await.unwrap(), [order.url]);
    }
}

#[tokio::test]
async fn what_is_not_proven_says_why() {
    let world = World::new();
    let session = world.session().await;
    let order = NewOrder::new([Identifier::dns("a.example.com")]);
    let csr = csr(
        &PrivateKey::generate(KeySpec::P256).unwrap(),
        &["a.example.com"],
    );
    let idle = solver_fn(|_: Offer| async { Ok(Some(ChallengeResponse::Ready)) });
    let error = session.obtain(&order, &csr, &idle).await.unwrap_err();
    assert!(matches!(error, Error::Authorization { .. }), "{error}");
    assert!(error.is_refused() && error.problem().is_some(), "{error}");
}

#[tokio::test]
async fn an_account_lives_from_its_binding_to_its_end() {
    let rule = ExternalAccountRule::Required(Arc::new(OneCustomer));
    let world = World::with(|builder| builder.external_accounts(rule));
    let client = world.client();
    let account_key = key();
    let refused = client
        .register(account_key.clone(), &Registration::new())
        .await;
    assert!(refused.unwrap_err().is(&ErrorType::ExternalAccountRequired));
    let registration = Registration::new().with(|it| it.external_account = Some(customer()));
    let made = client
        .register(account_key.clone(), &registration)
        .await
        .unwrap();
    assert!(made.created);
    let found = client
        .find_account(account_key.clone())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.session.url(), made.session.url());
    assert!(client.find_account(key()).await.unwrap().is_none());

    let contact = vec!["mailto:ada@example.com".to_owned()];
    let update = AccountUpdate::default().with(|it| it.contact = Some(contact.clone()));
    assert_eq!(made.session.update(&update).await.unwrap().contact, contact);
    let mut changed = made.session;
    for spec in [
        KeySpec::Rsa2048,
        KeySpec::Ed25519,
        KeySpec::P384,
        KeySpec::Ed25519,
    ] {
        let new_key = Arc::new(PrivateKey::generate(spec).unwrap());
        let before = changed;
        changed = before.change_key(new_key).await.unwrap();
        assert_eq!(changed.account().await.unwrap().contact, contact);
        assert!(before.account().await.unwrap_err().is_refused());
    }
    let gone = changed.deactivate().await.unwrap();
    assert_eq!(gone.status, AccountStatus::Deactivated);
    assert!(
        changed
            .account()
            .await
            .unwrap_err()
            .is(&ErrorType::Unauthorized)
    );
}

#[tokio::test]
async fn an_account_of_an_ed25519_key_gets_certificates_as_any_other() {
    let world = World::new();
    let account = Arc::new(PrivateKey::generate(KeySpec::Ed25519).unwrap());
    let client = world.client();
    let made = client.register(account.clone(), &Registration::new()).await;
    let session = made.unwrap().session;
    let (_, certificate) = world.obtain(&session, "a.example.com").await;
    session.revoke(&certificate, None).await.unwrap();
    let found = client.find_account(account).await.unwrap().unwrap();
    assert_eq!(found.session.url(), session.url());
}

#[tokio::test]
async fn a_chain_is_chosen_by_who_stands_above() {
    let world = World::new();
    let session = world.session().await;
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let order = NewOrder::new([Identifier::dns("a.example.com")]);
    let (csr, solver) = (
        csr(&key, &["a.example.com"]),
        world.solver(ChallengeType::Http01),
    );
    let chain = session.obtain(&order, &csr, &solver).await.unwrap();
    assert!(chain.leads_to("Example CA") && !chain.leads_to("Old Root"));
    let old = session
        .alternate(&chain, |it| it.leads_to("Old Root"))
        .await;
    let old = old.unwrap().unwrap();
    assert_eq!((&old.leaf, old.issuers.len()), (&chain.leaf, 2));
    assert!(old.leads_to("Old Root") && old.leads_to("Example CA"));
    let none = session
        .alternate(&chain, |it| it.leads_to("Other Root"))
        .await;
    assert!(none.unwrap().is_none());
    // From there the first one is an alternate.
    let back = session.alternate(&old, |it| !it.leads_to("Old Root")).await;
    assert_eq!(back.unwrap().unwrap().issuers, chain.issuers);
}

#[tokio::test]
async fn a_host_is_authorized_ahead_of_its_orders() {
    let policy = Policy::default().with(|policy| policy.pre_authorization = true);
    let world = World::with(|builder| builder.policy(policy));
    let session = world.session().await;
    let host = Identifier::dns("a.example.com");
    for kind in [ChallengeType::Http01, ChallengeType::Dns01] {
        let solver = world.solver(kind);
        let ahead = session.pre_authorize(&host, &solver).await.unwrap();
        assert_eq!(ahead.value.status, AuthorizationStatus::Valid);
    }
    // Nothing is left to solve.
    let solver = solver_fn(|offer: Offer| async move { Err(offer.token.into()) });
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let order = NewOrder::new([host]);
    let chain = session
        .obtain(&order, &csr(&key, &["a.example.com"]), &solver)
        .await;
    assert_eq!(chain.unwrap().leaf.public_key().unwrap(), *key.public_key());

    let wildcard = Identifier::dns("*.example.com");
    let refused = session.new_authorization(&wildcard).await.unwrap_err();
    assert!(refused.is(&ErrorType::RejectedIdentifier), "{refused}");
    let usual = World::new().session().await;
    let none = usual.new_authorization(&wildcard).await.unwrap_err();
    assert!(matches!(none, Error::NotOffered("newAuthz")), "{none}");
}

#[tokio::test]
async fn a_certificate_is_advised_on_replaced_and_revoked() {
    let world = World::new();
    let session = world.session().await;
    let client = world.client();
    let (_, first) = world.obtain(&session, "a.example.com").await;
    let advice = client.renewal_info(&first).await.unwrap();
    assert!(advice.value.suggested_window.start() < first.not_after());
    let replacing = NewOrder::new([Identifier::dns("a.example.com")])
        .with(|order| order.replaces = CertId::of(&first).ok());
    session.new_order(&replacing).await.unwrap();

    session
        .revoke(&first, Some(RevocationReason::Superseded))
        .await
        .unwrap();
    let twice = session.revoke(&first, None).await.unwrap_err();
    assert!(twice.is(&ErrorType::AlreadyRevoked), "{twice}");
    let (own, second) = world.obtain(&session, "b.example.com").await;
    let stranger = world.session().await.revoke(&second, None).await;
    assert!(stranger.unwrap_err().is(&ErrorType::Unauthorized));
    client.revoke_by_key(&second, &own, None).await.unwrap();
}

#[tokio::test]
async fn nonces_that_have_expired_are_replaced_without_the_caller_noticing() {
    let world = World::new();
    let session = world.session().await;
    let a_week = TimeDelta::days(7).to_std().unwrap();
    world.clock.advance(a_week);
    session.account().await.unwrap();
}
