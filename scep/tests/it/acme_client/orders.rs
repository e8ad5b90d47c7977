//! Orders: from the beginning, from the middle, and those that come to nothing.

use std::sync::Mutex;

use chrono::TimeDelta;
use mdm_pki::{
    Certificate, CertificateBuilder, CertificateRequest, CertificateRequestBuilder,
    DigestAlgorithm, KeySpec, Name, PrivateKey, digest,
};
use mdm_scep::acme::{
    client::{CertificateChain, ChallengeResponse, Error, Offer, Solver, solver_fn},
    identifier::Identifier,
    problem::ErrorType,
    resource::{ChallengeType, NewOrder, OrderStatus},
};
use serde_json::{Value, json};

use super::fake::{Answer, BASE, Fake, seconds};

const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ";
pub(crate) const ORDER: &str = "https://ca.example/order/1";

/// A certificate of a key, signed by itself.
pub(crate) fn certificate(key: &PrivateKey) -> Certificate {
    let now = Fake::new().now();
    CertificateBuilder::new(Name::from_common_name("device"), key.public_key())
        .validity(now, now + TimeDelta::days(90))
        .self_signed(key)
        .unwrap()
}

pub(crate) fn order(status: &str) -> Answer {
    let mut order = json!({
        "status": status, "identifiers": [{"type": "permanent-identifier", "value": "C02XK0AAJGH5"}],
        "authorizations": [format!("{BASE}/authz/1")], "finalize": format!("{BASE}/finalize/1"),
    });
    if status == "valid" {
        order["certificate"] = format!("{BASE}/certificate/1").into();
    }
    if status == "invalid" {
        order["error"] = json!({"type": "urn:ietf:params:acme:error:badCSR", "detail": "weak"});
    }
    Answer::json(order).header("location", ORDER)
}

fn challenge(kind: &str, status: &str) -> Value {
    let url = format!("{BASE}/challenge/{kind}");
    json!({"type": kind, "url": url, "status": status, "token": TOKEN})
}

fn authorization(status: &str, challenges: &[Value]) -> Answer {
    Answer::json(json!({
        "identifier": {"type": "permanent-identifier", "value": "C02XK0AAJGH5"},
        "status": status, "challenges": challenges,
    }))
}

pub(crate) struct Device {
    key: PrivateKey,
    csr: CertificateRequest,
}

impl Device {
    pub(crate) fn new() -> Self {
        let key = PrivateKey::generate(KeySpec::P384).unwrap();
        let csr = CertificateRequestBuilder::new(Name::from_common_name("device"));
        let csr = csr.sign(&key).unwrap();
        Self { key, csr }
    }

    pub(crate) fn chain(&self) -> Answer {
        let pem = certificate(&self.key).to_pem();
        let alternate = format!(r#"<{BASE}/certificate/1/2>;rel="alternate""#);
        Answer::new(200, "application/pem-certificate-chain", pem).header("link", alternate)
    }
}

/// Attests with what the closure makes of the freshness.
fn attesting(attest: fn(&[u8; 32]) -> Vec<u8>) -> impl Solver {
    solver_fn(move |offer: Offer| async move {
        let attests = offer.kind == ChallengeType::DeviceAttest01;
        Ok(attests.then(|| ChallengeResponse::Attestation(attest(offer.freshness()))))
    })
}

/// A solver that is not to be asked.
pub(crate) fn idle() -> impl Solver {
    solver_fn(|offer: Offer| async move { Err(format!("asked to solve {:?}", offer.kind).into()) })
}

pub(crate) async fn complete(
    fake: &std::sync::Arc<Fake>,
    device: &Device,
    solver: &dyn Solver,
) -> Result<CertificateChain, Error> {
    let session = fake.session().await;
    session.complete(ORDER, &device.csr, solver).await
}

#[tokio::test]
async fn a_device_attests_the_hash_of_the_token_and_gets_its_certificate() {
    let (fake, device) = (Fake::new(), Device::new());
    let session = fake.session().await;
    let http = challenge("http-01", "pending");
    let attest = challenge("device-attest-01", "pending");
    let challenges = [http, attest.clone()];
    fake.on("/new-order", [order("pending").status(201)]);
    fake.on(
        "/order/1",
        [
            order("pending"),
            order("ready"),
            order("processing").header("retry-after", "10"),
            order("valid"),
        ],
    );
    fake.on(
        "/authz/1",
        [
            authorization("pending", &challenges),
            authorization("pending", &challenges).header("retry-after", "20"),
            authorization("valid", &challenges),
        ],
    );
    fake.on("/challenge/device-attest-01", [Answer::json(attest)]);
    fake.on("/finalize/1", [order("processing")]);
    fake.on("/certificate/1", [device.chain()]);

    let before = fake.now();
    let request = NewOrder::new([Identifier::permanent_identifier("C02XK0AAJGH5")]);
    let solver = attesting(|freshness| freshness.to_vec());
    let obtain = session.obtain(&request, &device.csr, &solver);
    fn send<F: Future + Send>(future: F) -> F {
        future
    }
    let chain = send(obtain).await.unwrap();
    let leaf = chain.leaf.public_key().unwrap();
    assert_eq!(&leaf, device.key.public_key());
    assert_eq!(chain.alternates, ["https://ca.example/certificate/1/2"]);
    // 20 s as the authorization asked, 3 s for the finalized order that did not say, 10 s as the order asked.
    assert_eq!(fake.now() - before, TimeDelta::seconds(33));

    let posts = fake.posts();
    let find = |path: &str| posts.iter().find(|it| it.path == path).unwrap();
    let expected = digest(DigestAlgorithm::Sha256, TOKEN.as_bytes()).unwrap();
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let payload = &find("/challenge/device-attest-01").payload;
    assert_eq!(
        payload,
        &json!({"attObj": URL_SAFE_NO_PAD.encode(expected)})
    );
    let csr = URL_SAFE_NO_PAD.encode(device.csr.to_der());
    assert_eq!(find("/finalize/1").payload, json!({"csr": csr}));
    let accept = &find("/certificate/1").headers["accept"];
    assert_eq!(accept, "application/pem-certificate-chain");
    assert_eq!(
        posts.iter().filter(|it| it.path == "/finalize/1").count(),
        1
    );
}

#[tokio::test]
async fn an_order_is_taken_up_where_it_was_left() {
    for (answers, expected) in [
        (vec![order("valid")], vec!["/order/1", "/certificate/1"]),
        (
            vec![order("processing"), order("valid")],
            vec!["/order/1", "/order/1", "/certificate/1"],
        ),
        (
            vec![order("ready")],
            vec!["/order/1", "/finalize/1", "/certificate/1"],
        ),
    ] {
        let (fake, device) = (Fake::new(), Device::new());
        fake.on("/order/1", answers);
        fake.on("/finalize/1", [order("valid")]);
        fake.on("/certificate/1", [device.chain()]);
        complete(&fake, &device, &idle()).await.unwrap();
        let paths: Vec<_> = fake.posts().into_iter().map(|it| it.path).collect();
        assert_eq!(paths, expected);
    }
}

#[tokio::test]
async fn a_challenge_that_was_responded_to_is_only_waited_for() {
    let (fake, device) = (Fake::new(), Device::new());
    let challenges = [challenge("device-attest-01", "processing")];
    fake.on("/order/1", [order("pending"), order("valid")]);
    fake.on(
        "/authz/1",
        [
            authorization("pending", &challenges),
            authorization("valid", &challenges),
        ],
    );
    fake.on("/certificate/1", [device.chain()]);
    complete(&fake, &device, &idle()).await.unwrap();
}

#[tokio::test]
async fn an_order_that_another_run_finalized_goes_on() {
    let (fake, device) = (Fake::new(), Device::new());
    fake.on(
        "/order/1",
        [order("ready"), order("processing"), order("valid")],
    );
    fake.on("/finalize/1", [Answer::problem(403, "orderNotReady")]);
    fake.on("/certificate/1", [device.chain()]);
    complete(&fake, &device, &idle()).await.unwrap();
}

#[tokio::test]
async fn an_identifier_that_is_refused_says_why() {
    let (fake, device) = (Fake::new(), Device::new());
    let pending = challenge("device-attest-01", "pending");
    let mut invalid = challenge("device-attest-01", "invalid");
    invalid["error"] = json!({
        "type": "urn:ietf:params:acme:error:badAttestationStatement", "detail": "another token"});
    fake.on("/order/1", [order("pending")]);
    fake.on(
        "/authz/1",
        [
            authorization("pending", std::slice::from_ref(&pending)),
            authorization("invalid", std::slice::from_ref(&invalid)),
        ],
    );
    fake.on("/challenge/device-attest-01", [Answer::json(invalid)]);
    let error = complete(&fake, &device, &attesting(|_| vec![0xa0]))
        .await
        .unwrap_err();
    assert!(error.is(&ErrorType::BadAttestationStatement) && error.is_refused());
    assert_eq!(
        error.to_string(),
        r#"permanent-identifier "C02XK0AAJGH5" is invalid: badAttestationStatement: another token"#
    );

    let refused = Answer::problem(400, "badAttestationStatement");
    fake.on("/authz/1", [authorization("pending", &[pending])]);
    fake.on("/challenge/device-attest-01", [refused]);
    let error = complete(&fake, &device, &attesting(|_| vec![0xa0]))
        .await
        .unwrap_err();
    assert!(error.is(&ErrorType::BadAttestationStatement));
    for status in ["deactivated", "expired", "revoked", "sleeping"] {
        fake.on("/authz/1", [authorization(status, &[])]);
        let error = complete(&fake, &device, &idle()).await.unwrap_err();
        assert!(matches!(error, Error::Authorization { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_order_that_came_to_nothing_says_why() {
    let (fake, device) = (Fake::new(), Device::new());
    fake.on("/order/1", [order("invalid")]);
    let error = complete(&fake, &device, &idle()).await.unwrap_err();
    assert!(error.is(&ErrorType::BadCsr));
    assert!(matches!(
        error,
        Error::Order {
            status: OrderStatus::Invalid,
            ..
        }
    ));
    fake.on("/order/1", [order("ready")]);
    fake.on("/finalize/1", [Answer::problem(400, "badCSR")]);
    let error = complete(&fake, &device, &idle()).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }) && error.is(&ErrorType::BadCsr));
}

#[tokio::test]
async fn challenges_that_nobody_takes_are_named() {
    let (fake, device) = (Fake::new(), Device::new());
    let mut without_token = challenge("dns-persist-01", "pending");
    without_token.as_object_mut().unwrap().remove("token");
    let challenges = [challenge("dns-01", "pending"), without_token];
    fake.on("/order/1", [order("pending")]);
    fake.on("/authz/1", [authorization("pending", &challenges)]);
    let error = complete(&fake, &device, &attesting(|_| Vec::new()))
        .await
        .unwrap_err();
    let Error::Unsolved { offered, .. } = error else {
        panic!("{error}");
    };
    let offered: Vec<_> = offered.iter().map(|it| it.as_str().to_owned()).collect();
    assert_eq!(offered, ["dns-01", "dns-persist-01"]);

    let error = complete(&fake, &device, &idle()).await.unwrap_err();
    assert!(matches!(error, Error::Solver(_)), "{error}");
    let mut climbing = challenge("http-01", "pending");
    climbing["token"] = "../../etc/cron.d/x".into();
    fake.on("/authz/1", [authorization("pending", &[climbing])]);
    let error = complete(&fake, &device, &idle()).await.unwrap_err();
    assert!(matches!(error, Error::Content { .. }), "{error}");
}

#[tokio::test]
async fn a_host_name_is_proven_by_file_or_record() {
    let (fake, device) = (Fake::new(), Device::new());
    let challenges = [
        challenge("http-01", "pending"),
        challenge("dns-01", "pending"),
    ];
    let host = |status: &str| {
        Answer::json(json!({"identifier": {"type": "dns", "value": "a.example"},
            "status": status, "challenges": challenges}))
    };
    fake.on("/order/1", [order("pending"), order("valid")]);
    fake.on("/authz/1", [host("pending"), host("valid")]);
    fake.on(
        "/challenge/dns-01",
        [Answer::json(challenge("dns-01", "processing"))],
    );
    fake.on("/certificate/1", [device.chain()]);
    let offers = Mutex::new(Vec::new());
    let solver = solver_fn(|offer: Offer| {
        let takes = offer.kind == ChallengeType::Dns01;
        offers.lock().unwrap().push(offer);
        async move { Ok(takes.then_some(ChallengeResponse::Ready)) }
    });
    let session = fake.session().await;
    session.complete(ORDER, &device.csr, &solver).await.unwrap();
    let offers = offers.lock().unwrap();
    assert_eq!(
        offers[0].http_path(),
        format!("/.well-known/acme-challenge/{TOKEN}")
    );
    let authorization = format!("{TOKEN}.{}", session.jwk().thumbprint());
    assert_eq!(offers[0].key_authorization, authorization);
    assert_eq!(offers[1].dns_name(), "_acme-challenge.a.example");
    let response = fake
        .posts()
        .into_iter()
        .find(|it| it.path == "/challenge/dns-01");
    assert_eq!(response.unwrap().payload, json!({}));
}

#[tokio::test]
async fn patience_ends_and_the_order_stays() {
    let (fake, device) = (Fake::new(), Device::new());
    fake.on("/order/1", [order("processing")]);
    let before = fake.now();
    let error = complete(&fake, &device, &idle()).await.unwrap_err();
    assert!(matches!(error, Error::Pending { .. }) && error.is_temporary());
    assert_eq!(fake.now() - before, TimeDelta::minutes(5));

    // No use in waiting for what comes after the end; nor may a server be asked without a pause.
    let before = fake.now();
    fake.on(
        "/order/1",
        [order("processing").header("retry-after", "301")],
    );
    let error = complete(&fake, &device, &idle()).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(seconds(301)));
    assert_eq!(fake.now(), before);
    fake.forget();
    fake.on("/order/1", [order("processing").header("retry-after", "0")]);
    complete(&fake, &device, &idle()).await.unwrap_err();
    assert!(fake.posts().len() <= 1201);
}

#[tokio::test]
async fn servers_that_contradict_themselves_do_not_hold_the_client() {
    let device = Device::new();
    let proven = [challenge("device-attest-01", "valid")];
    for status in ["pending", "ready"] {
        let fake = Fake::new();
        fake.on("/order/1", [order(status)]);
        fake.on("/authz/1", [authorization("valid", &proven)]);
        fake.on("/finalize/1", [order(status)]);
        let error = complete(&fake, &device, &idle()).await.unwrap_err();
        assert!(matches!(error, Error::Pending { .. }), "{status}: {error}");
        assert!(
            fake.posts()
                .iter()
                .filter(|it| it.path == "/finalize/1")
                .count()
                <= 1
        );
    }
    let fake = Fake::new();
    fake.on("/order/1", [order("sleeping")]);
    let error = complete(&fake, &device, &idle()).await.unwrap_err();
    assert!(matches!(error, Error::Order { .. }));
}

#[tokio::test]
async fn failures_that_pass_are_borne_while_waiting() {
    let (fake, device) = (Fake::new(), Device::new());
    let down = Answer::new(503, "text/plain", "").header("retry-after", "30");
    let busy = Answer::problem(500, "serverInternal");
    fake.on(
        "/order/1",
        [down, busy, order("processing"), order("valid")],
    );
    fake.on(
        "/certificate/1",
        [Answer::new(502, "text/html", ""), device.chain()],
    );
    let before = fake.now();
    complete(&fake, &device, &idle()).await.unwrap();
    assert_eq!(fake.now() - before, TimeDelta::seconds(30 + 3 + 3 + 3));
}

#[tokio::test]
async fn an_authorization_is_given_up() {
    let fake = Fake::new();
    let session = fake.session().await;
    fake.on("/authz/1", [authorization("deactivated", &[])]);
    let url = format!("{BASE}/authz/1");
    session.deactivate_authorization(&url).await.unwrap();
    assert_eq!(fake.posts()[0].payload, json!({"status": "deactivated"}));
}
