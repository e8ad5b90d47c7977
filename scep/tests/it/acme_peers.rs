//! Our ACME client at pebble, over real TLS. The program is the one that `cargo xtask peers` built, else that of Debian.
//!
//! | Step | pebble 2.10 | pebble 2.4 (Debian 12) |
//! |---|---|---|
//! | account: made, found, changed, given up; every kind of key | works | works |
//! | account with an Ed25519 key | refused: badSignatureAlgorithm | refused: badPublicKey |
//! | authorization ahead of orders | not offered | not offered |
//! | external account binding | works; without or with a wrong key refused | the same |
//! | order by `http-01`, chains and their alternates, list of orders | works | works |
//! | key change | works; the old key is refused then. To a key with an account: 200, and nothing is changed | works; 500, and nothing is changed |
//! | authorization given up | works | works |
//! | revocation by account and by the certificate's key | works | works |
//! | a third of all nonces refused | works | works |
//! | renewal information, `replaces` | works; replaced twice: alreadyReplaced | not offered |
//! | `permanent-identifier` and `device-attest-01` | refused: it knows host names and addresses | the same |

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use chrono::Utc;
use mdm_core::ManualClock;
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequest, CertificateRequestBuilder, GeneralName,
    KeySpec, Name, PrivateKey, RevocationReason,
};
use mdm_scep::acme::{
    AcmeUrl, Client, Registration,
    ari::CertId,
    client::{
        CertificateChain, ChallengeResponse, Error, Offer, Session, Settings, Solver, solver_fn,
    },
    identifier::Identifier,
    jws::ExternalAccountKey,
    problem::ErrorType,
    resource::{
        AccountStatus, AccountUpdate, AuthorizationStatus, ChallengeType, NewOrder, OrderStatus,
    },
};
use mdm_transport_reqwest::ReqwestTransport;
use serde_json::json;
use tempfile::TempDir;

use crate::peers::{free_ports, missing};

const MAC_KEY: &str = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W";

/// A pebble that ends with the test.
struct Pebble {
    process: Child,
    folder: TempDir,
    port: u16,
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn program() -> Option<PathBuf> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.peers/go/pebble");
    if built.is_file() {
        return Some(built);
    }
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join("pebble"))
        .find(|program| program.is_file())
}

impl Pebble {
    /// `None`, once said so, where there is no pebble.
    fn start(external_accounts: bool) -> Option<Self> {
        let Some(program) = program() else {
            missing("pebble");
            return None;
        };
        // A port that was free a moment ago may be taken: then another one.
        (0..5).find_map(|_| Self::try_start(&program, external_accounts))
    }

    fn try_start(program: &Path, external_accounts: bool) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| folder.path().join(name);
        let (ca, key, certificate) = tls();
        std::fs::write(file("ca.pem"), ca.to_pem()).unwrap();
        std::fs::write(file("cert.pem"), certificate.to_pem()).unwrap();
        std::fs::write(file("key.pem"), key.to_pkcs8_pem().unwrap().as_bytes()).unwrap();
        let [port, management_port] = free_ports();
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": format!("127.0.0.1:{management_port}"),
            "certificate": file("cert.pem"), "privateKey": file("key.pem"),
            "httpPort": 5002, "tlsPort": 5001, "ocspResponderURL": "",
            "externalAccountBindingRequired": external_accounts,
            "externalAccountMACKeys": {"kid-1": MAC_KEY},
        }});
        std::fs::write(file("config.json"), config.to_string()).unwrap();
        let process = Command::new(program)
            .arg("-config")
            .arg(file("config.json"))
            .arg("-strict")
            .env("PEBBLE_VA_ALWAYS_VALID", "1")
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "33")
            .env("PEBBLE_WFE_ORDERS_PER_PAGE", "1")
            .env("PEBBLE_AUTHZREUSE", "0")
            .env("PEBBLE_ALTERNATE_ROOTS", "2")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pebble = Self {
            process,
            folder,
            port,
        };
        let mut log = BufReader::new(pebble.process.stdout.take().unwrap());
        let mut line = String::new();
        while !line.contains(&format!("Listening on: 127.0.0.1:{port}")) {
            line.clear();
            if log.read_line(&mut line).unwrap() == 0 {
                return None;
            }
        }
        // It writes on, and would stop were nobody to read.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        // It says that it listens just before it does.
        for _ in 0..1_000_000 {
            if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return Some(pebble);
            }
            if pebble.process.try_wait().unwrap().is_some() {
                return None;
            }
            std::thread::yield_now();
        }
        None
    }

    fn client(&self) -> Client<ReqwestTransport> {
        let ca = std::fs::read(self.folder.path().join("ca.pem")).unwrap();
        let transport = ReqwestTransport::builder()
            .root(&ca)
            .only_roots(true)
            .no_proxy()
            .build()
            .unwrap();
        let url = format!("https://127.0.0.1:{}/dir", self.port);
        let settings = Settings::default().with(|settings| {
            settings.nonce_retries = 60;
            // On a clock whose sleeps take no time.
            settings.patience = Duration::from_secs(24 * 3600);
        });
        let clock = Arc::new(ManualClock::new(Utc::now()));
        Client::with_settings(transport, AcmeUrl::new(&url).unwrap(), clock, settings)
    }

    async fn session(&self) -> Session<ReqwestTransport> {
        let (client, registration) = (self.client(), agreeing());
        let registered = client.register(key(KeySpec::P256), &registration);
        registered.await.unwrap().session
    }
}

/// An authority, and a key with its certificate for 127.0.0.1.
fn tls() -> (Certificate, PrivateKey, Certificate) {
    let now = Utc::now();
    let validity = (
        now - Duration::from_secs(3600),
        now + Duration::from_secs(86_400),
    );
    let ca_key = PrivateKey::generate(KeySpec::P256).unwrap();
    let ca = CertificateBuilder::new(Name::from_common_name("test CA"), ca_key.public_key())
        .validity(validity.0, validity.1)
        .ca(Some(0))
        .self_signed(&ca_key)
        .unwrap();
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let certificate = CertificateBuilder::new(Name::from_common_name("pebble"), key.public_key())
        .validity(validity.0, validity.1)
        .san(GeneralName::Ip(Ipv4Addr::LOCALHOST.into()))
        .sign(&ca, &ca_key)
        .unwrap();
    (ca, key, certificate)
}

fn agreeing() -> Registration {
    Registration::new().with(|it| it.terms_of_service_agreed = true)
}

fn key(spec: KeySpec) -> Arc<PrivateKey> {
    Arc::new(PrivateKey::generate(spec).unwrap())
}

fn csr(key: &PrivateKey, host: &str) -> CertificateRequest {
    CertificateRequestBuilder::new(Name::from_common_name(host))
        .san(GeneralName::Dns(host.to_owned()))
        .sign(key)
        .unwrap()
}

/// Takes `http-01`, which pebble is told to find valid.
fn by_http() -> impl Solver {
    solver_fn(|offer: Offer| async move {
        let is_http = offer.kind == ChallengeType::Http01;
        Ok(is_http.then_some(ChallengeResponse::Ready))
    })
}

async fn obtain(session: &Session<ReqwestTransport>, host: &str) -> (PrivateKey, Certificate) {
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let order = NewOrder::new([Identifier::dns(host)]);
    let chain = session.obtain(&order, &csr(&key, host), &by_http()).await;
    (key, chain.unwrap().leaf)
}

#[tokio::test]
async fn accounts_with_every_kind_of_key_are_made_found_changed_and_given_up() {
    let Some(pebble) = Pebble::start(false) else {
        return;
    };
    let client = pebble.client();
    let registration = agreeing().with(|it| it.contact = vec!["mailto:ada@example.org".into()]);
    for spec in [
        KeySpec::P256,
        KeySpec::P384,
        KeySpec::P521,
        KeySpec::Rsa2048,
    ] {
        let key = key(spec);
        assert!(client.find_account(key.clone()).await.unwrap().is_none());
        let made = client.register(key.clone(), &registration).await.unwrap();
        assert!(made.created, "{spec:?}");
        assert_eq!(made.account.contact, registration.contact);
        let again = client.register(key.clone(), &registration).await.unwrap();
        assert!(!again.created);
        let found = client.find_account(key.clone()).await.unwrap().unwrap();
        assert_eq!(found.session.url(), made.session.url());

        let session = client.session(key, made.session.url()).unwrap();
        assert_eq!(
            session.account().await.unwrap().status,
            AccountStatus::Valid
        );
        let contact = vec!["mailto:grace@example.org".to_owned()];
        let update = AccountUpdate::default().with(|it| it.contact = Some(contact.clone()));
        assert_eq!(session.update(&update).await.unwrap().contact, contact);
        let gone = session.deactivate().await.unwrap();
        assert_eq!(gone.status, AccountStatus::Deactivated);
        let error = session.account().await.unwrap_err();
        assert!(error.is(&ErrorType::Unauthorized), "{error}");
    }
    let unwanted = Registration::new();
    let refused = client
        .register(key(KeySpec::P256), &unwanted)
        .await
        .unwrap_err();
    assert!(refused.is_refused(), "{refused}");
}

#[tokio::test]
async fn ed25519_is_refused_and_there_is_no_authorization_ahead_of_orders() {
    let Some(pebble) = Pebble::start(false) else {
        return;
    };
    let (client, registration) = (pebble.client(), agreeing());
    let refused = client.register(key(KeySpec::Ed25519), &registration);
    let refused = refused.await.unwrap_err();
    // The second is pebble 2.4.
    let kinds = [ErrorType::BadSignatureAlgorithm, ErrorType::BadPublicKey];
    assert!(kinds.iter().any(|kind| refused.is(kind)), "{refused:?}");
    let ahead = pebble.session().await;
    let ahead = ahead
        .new_authorization(&Identifier::dns("a.example.org"))
        .await;
    assert!(
        matches!(ahead, Err(Error::NotOffered("newAuthz"))),
        "{ahead:?}"
    );
}

#[tokio::test]
async fn an_external_account_is_bound_with_its_key_alone() {
    let Some(pebble) = Pebble::start(true) else {
        return;
    };
    let client = pebble.client();
    assert!(
        client
            .directory()
            .await
            .unwrap()
            .meta
            .external_account_required
    );
    let register = async |external: Option<ExternalAccountKey>| {
        let registration = agreeing().with(|it| it.external_account = external);
        let registered = client.register(key(KeySpec::P256), &registration).await;
        registered.map(|registered| registered.created)
    };
    let refused = register(None).await.unwrap_err();
    assert!(refused.is(&ErrorType::ExternalAccountRequired), "{refused}");
    let right = ExternalAccountKey::from_base64url("kid-1", MAC_KEY).unwrap();
    assert!(register(Some(right)).await.unwrap());
    for (kid, key) in [
        ("kid-1", MAC_KEY.replace('z', "y")),
        ("kid-9", MAC_KEY.to_owned()),
    ] {
        let wrong = ExternalAccountKey::from_base64url(kid, &key).unwrap();
        let refused = register(Some(wrong)).await.unwrap_err();
        assert!(refused.is_refused(), "{refused}");
    }
}

#[tokio::test]
async fn an_order_goes_from_its_beginning_to_a_certificate_and_can_be_taken_up() {
    let Some(pebble) = Pebble::start(false) else {
        return;
    };
    let session = pebble.session().await;
    // What was proven for a host is at times proven for its next order: pebble draws "0 % of 100" from 0 to 99, 0 included.
    for (spec, host) in [
        (KeySpec::P256, "a.example.org"),
        (KeySpec::Rsa2048, "b.example.org"),
    ] {
        let key = PrivateKey::generate(spec).unwrap();
        let csr = csr(&key, host);
        let order = NewOrder::new([Identifier::dns(host)]);
        let order = session.new_order(&order).await.unwrap();
        assert_eq!(order.value.status, OrderStatus::Pending);
        let chain = session
            .complete(&order.url, &csr, &by_http())
            .await
            .unwrap();
        assert_eq!(
            chain.leaf.subject_alt_names(),
            [GeneralName::Dns(host.to_owned())]
        );
        let issuer = chain.issuers[0].public_key().unwrap();
        chain.leaf.verify_signed_by(&issuer).unwrap();

        let again = session
            .complete(&order.url, &csr, &by_http())
            .await
            .unwrap();
        assert_eq!(again.leaf, chain.leaf);
        assert_eq!(chain.alternates.len(), 2, "{:?}", chain.alternates);
        let mut known = vec![top(&chain)];
        for _ in 0..2 {
            let other = session.alternate(&chain, |it| !known.contains(&top(it)));
            let other = other.await.unwrap().unwrap();
            known.push(top(&other));
            let named = |it: &CertificateChain| it.leads_to(known.last().unwrap());
            let again = session.alternate(&chain, named).await.unwrap().unwrap();
            assert_eq!((&again.leaf, again.issuers), (&chain.leaf, other.issuers));
        }
        let stranger = session.alternate(&chain, |it| it.leads_to("Old Root"));
        assert!(stranger.await.unwrap().is_none());

        let other = csr_of_another_key(host);
        let error = session
            .complete(&order.url, &other, &by_http())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Certificate(_)), "{error}");
    }
    assert_eq!(session.orders().await.unwrap().len(), 2, "one a page");
}

/// Who stands at the end of a chain.
fn top(chain: &CertificateChain) -> String {
    let last = chain.issuers.last().unwrap();
    last.issuer().common_name().unwrap()
}

fn csr_of_another_key(host: &str) -> CertificateRequest {
    csr(&PrivateKey::generate(KeySpec::P256).unwrap(), host)
}

#[tokio::test]
async fn an_account_changes_its_key() {
    let Some(pebble) = Pebble::start(false) else {
        return;
    };
    let session = pebble.session().await;
    let taken = key(KeySpec::P256);
    let client = pebble.client();
    client.register(taken.clone(), &agreeing()).await.unwrap();
    let refused = session.change_key(taken).await.unwrap_err();
    assert!(
        refused.is_refused() || refused.is(&ErrorType::ServerInternal),
        "{refused:?}"
    );
    for spec in [KeySpec::P384, KeySpec::Rsa2048] {
        let changed = session.change_key(key(spec)).await;
        let Ok(changed) = changed else {
            // The second time the old key is no longer the account's.
            assert_eq!(spec, KeySpec::Rsa2048);
            assert!(changed.unwrap_err().is_refused());
            continue;
        };
        assert_eq!(changed.url(), session.url());
        assert_eq!(
            changed.account().await.unwrap().status,
            AccountStatus::Valid
        );
        assert!(session.account().await.unwrap_err().is_refused());
    }
}

#[tokio::test]
async fn certificates_are_revoked_by_account_and_by_key() {
    let Some(pebble) = Pebble::start(false) else {
        return;
    };
    let session = pebble.session().await;
    let (_, certificate) = obtain(&session, "a.example.org").await;
    let reason = Some(RevocationReason::Superseded);
    let stranger = pebble.session().await;
    let refused = stranger.revoke(&certificate, reason).await.unwrap_err();
    assert!(refused.is(&ErrorType::Unauthorized), "{refused}");
    session.revoke(&certificate, reason).await.unwrap();
    let twice = session.revoke(&certificate, reason).await.unwrap_err();
    assert!(twice.is(&ErrorType::AlreadyRevoked), "{twice}");

    let (own, certificate) = obtain(&session, "b.example.org").await;
    let client = pebble.client();
    let other = PrivateKey::generate(KeySpec::P256).unwrap();
    let refused = client.revoke_by_key(&certificate, &other, None).await;
    assert!(refused.unwrap_err().is_refused());
    client
        .revoke_by_key(&certificate, &own, None)
        .await
        .unwrap();
}

#[tokio::test]
async fn an_authorization_is_given_up() {
    let Some(pebble) = Pebble::start(false) else {
        return;
    };
    let session = pebble.session().await;
    let order = NewOrder::new([Identifier::dns("a.example.org")]);
    let order = session.new_order(&order).await.unwrap();
    let url = &order.value.authorizations[0];
    let given_up = session.deactivate_authorization(url).await.unwrap();
    assert_eq!(given_up.value.status, AuthorizationStatus::Deactivated);
    let csr = csr_of_another_key("a.example.org");
    let error = session
        .complete(&order.url, &csr, &by_http())
        .await
        .unwrap_err();
    assert!(!error.is_temporary(), "{error}");
}

#[tokio::test]
async fn renewal_is_advised_and_a_certificate_replaced_once() {
    let Some(pebble) = Pebble::start(false) else {
        return;
    };
    let session = pebble.session().await;
    let (_, certificate) = obtain(&session, "a.example.org").await;
    let client = pebble.client();
    let advice = match client.renewal_info(&certificate).await {
        Err(Error::NotOffered("renewalInfo")) => return, // pebble 2.4
        advice => advice.unwrap(),
    };
    let window = advice.value.suggested_window;
    assert!(window.start() > certificate.not_before() && window.end() < certificate.not_after());
    assert!(advice.retry_after.is_some());

    let order = NewOrder::new([Identifier::dns("a.example.org")])
        .with(|order| order.replaces = CertId::of(&certificate).ok());
    let csr = csr_of_another_key("a.example.org");
    session.obtain(&order, &csr, &by_http()).await.unwrap();
    let twice = session.new_order(&order).await.unwrap_err();
    assert!(twice.is(&ErrorType::AlreadyReplaced), "{twice}");
}

#[tokio::test]
async fn a_device_is_refused_by_a_server_of_host_names() {
    let Some(pebble) = Pebble::start(false) else {
        return;
    };
    let session = pebble.session().await;
    let order = NewOrder::new([Identifier::permanent_identifier("C02XK0AAJGH5")]);
    let error = session.new_order(&order).await.unwrap_err();
    assert!(error.is_refused(), "{error}");
}
