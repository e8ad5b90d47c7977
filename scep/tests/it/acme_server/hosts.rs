//! Host names, proven by `http-01` and `dns-01`.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use mdm_pki::{CertificateRequestBuilder, DigestAlgorithm, GeneralName, Name, PrivateKey, digest};
use mdm_scep::acme::{
    AddressLookup, HttpValidation, Limits, PinnedTransport, TxtLookup, validate::LookupError,
};
use mdm_transport::{TransportError, TransportErrorKind};
use serde_json::{Value, json};

use super::{
    raw::{Raw, b64, thumbprint},
    world::{World, answer, csr_names, device_identifiers, download, ec, finalize},
};

/// Where every host is, unless it is said to be somewhere else.
const PUBLIC: &str = "93.184.215.14";

/// What the world outside serves: files by URL, records by name. Nothing else answers.
#[derive(Debug, Default)]
pub(crate) struct Outside {
    elsewhere: Mutex<HashMap<String, &'static str>>,
    files: Mutex<HashMap<String, String>>,
    records: Mutex<HashMap<String, Vec<String>>>,
    asked: Mutex<usize>,
}

#[async_trait]
impl AddressLookup for Outside {
    async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        let address = self.elsewhere.lock().unwrap().get(host).copied();
        Ok(vec![address.unwrap_or(PUBLIC).parse().unwrap()])
    }
}

#[async_trait]
impl PinnedTransport for Outside {
    async fn send_to(
        &self,
        _addresses: &[IpAddr],
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, TransportError> {
        *self.asked.lock().unwrap() += 1;
        let file = self
            .files
            .lock()
            .unwrap()
            .get(&request.uri().to_string())
            .cloned();
        match file {
            Some(file) => Ok(Response::new(file.into())),
            None => Err(TransportErrorKind::Connect.into()),
        }
    }
}

#[async_trait]
impl TxtLookup for Outside {
    async fn txt(&self, name: &str) -> Result<Vec<String>, LookupError> {
        *self.asked.lock().unwrap() += 1;
        Ok(self
            .records
            .lock()
            .unwrap()
            .get(name)
            .cloned()
            .unwrap_or_default())
    }
}

impl Outside {
    pub(crate) fn validation(self: &Arc<Self>) -> HttpValidation {
        HttpValidation::new(self.clone(), self.clone())
    }

    fn asked(&self) -> usize {
        *self.asked.lock().unwrap()
    }

    /// Meets a challenge for a client.
    pub(crate) fn meet(&self, client: &Raw, host: &str, challenge: &Value) {
        let token = challenge["token"].as_str().unwrap();
        let authorization = format!("{token}.{}", thumbprint(&client.key));
        match challenge["type"].as_str().unwrap() {
            "http-01" => {
                let url = format!("http://{host}/.well-known/acme-challenge/{token}");
                self.files.lock().unwrap().insert(url, authorization);
            }
            _ => {
                let hash = digest(DigestAlgorithm::Sha256, authorization.as_bytes()).unwrap();
                let name = format!("_acme-challenge.{host}");
                let mut records = self.records.lock().unwrap();
                records.entry(name).or_default().push(b64(hash));
            }
        }
    }
}

fn world() -> (World, Arc<Outside>) {
    let outside = Arc::new(Outside::default());
    let http = outside.validation();
    let dns = outside.clone();
    (World::with(|builder| builder.http(http).dns(dns)), outside)
}

fn dns(names: &[&str]) -> Value {
    let names = names
        .iter()
        .map(|name| json!({"type": "dns", "value": name}));
    names.collect()
}

/// The order, and for each authorisation its host and its challenge of a kind.
pub(crate) async fn ordered(
    client: &Raw,
    names: &[&str],
    kind: &str,
) -> (Value, Vec<(String, Value)>) {
    let made = client.order(dns(names)).await.ok(201);
    let mut order = made.json();
    order["url"] = json!(made.header("location"));
    let mut challenges = Vec::new();
    for url in order["authorizations"].as_array().unwrap() {
        let authorization = client.fetch(url.as_str().unwrap()).await.ok(200).json();
        let all = authorization["challenges"].as_array().unwrap();
        let challenge = all.iter().find(|it| it["type"] == kind);
        let host = authorization["identifier"]["value"].as_str().unwrap();
        challenges.push((host.to_owned(), challenge.cloned().unwrap_or_default()));
    }
    (order, challenges)
}

async fn status(client: &Raw, url: &Value) -> Value {
    client.fetch(url.as_str().unwrap()).await.ok(200).json()
}

fn names(key: &PrivateKey, names: &[&str]) -> Value {
    let names: Vec<_> = names
        .iter()
        .map(|it| GeneralName::Dns((*it).to_owned()))
        .collect();
    csr_names(key, &names)
}

#[tokio::test]
async fn hosts_are_proven_by_file_and_by_record() {
    for kind in ["http-01", "dns-01"] {
        let (world, outside) = world();
        let client = world.client().await;
        let hosts = ["b.example.com", "a.example.com"];
        let (order, challenges) = ordered(&client, &hosts, kind).await;
        for (host, challenge) in &challenges {
            outside.meet(&client, host, challenge);
            let met = answer(&client, challenge, json!({})).await.ok(200).json();
            assert_eq!(met["status"], "valid", "{kind}");
        }
        let key = ec();
        for wrong in [
            &["a.example.com"][..],
            &["a.example.com", "b.example.com", "c.example.com"],
            &[],
        ] {
            finalize(&client, &order, names(&key, wrong))
                .await
                .problem(400, "badCSR");
        }
        let done = finalize(
            &client,
            &order,
            names(&key, &["A.example.com", "b.example.com"]),
        );
        let done = done.await.ok(200).json();
        let certificate = download(&client, &done).await;
        assert_eq!(
            certificate.subject_alt_names(),
            ["a.example.com", "b.example.com"].map(|it| GeneralName::Dns(it.to_owned()))
        );
        world.heard.has("issued: b.example.com, a.example.com");
    }
}

#[tokio::test]
async fn a_host_name_has_no_case() {
    let (world, outside) = world();
    let client = world.client().await;
    let (order, challenges) = ordered(&client, &["WWW.Example.COM"], "http-01").await;
    let (host, challenge) = &challenges[0];
    assert_eq!(host, "www.example.com");
    outside.meet(&client, host, challenge);
    answer(&client, challenge, json!({})).await.ok(200);
    let request = names(&ec(), &["www.EXAMPLE.com"]);
    let done = finalize(&client, &order, request).await.ok(200).json();
    let names = download(&client, &done).await.subject_alt_names();
    assert_eq!(names, [GeneralName::Dns("www.example.com".to_owned())]);

    let twice = dns(&["a.example.com", "A.example.com"]);
    client.order(twice).await.problem(400, "malformed");
    let refused = client.order(dns(&["-A.example.com"])).await;
    refused.problem(400, "malformed");
}

#[tokio::test]
async fn a_common_name_is_one_of_the_names_and_nothing_else_is_in_the_subject() {
    let (world, outside) = world();
    let client = world.client().await;
    let (order, challenges) = ordered(&client, &["a.example.com"], "http-01").await;
    outside.meet(&client, "a.example.com", &challenges[0].1);
    answer(&client, &challenges[0].1, json!({})).await.ok(200);
    let key = ec();
    let request = |subject: Name, san: Option<GeneralName>| {
        let mut builder = CertificateRequestBuilder::new(subject);
        if let Some(san) = san {
            builder = builder.san(san);
        }
        json!({"csr": b64(builder.sign(&key).unwrap().to_der())})
    };
    let host = GeneralName::Dns("a.example.com".to_owned());
    for (subject, san) in [
        (Name::from_common_name("b.example.com"), Some(host.clone())),
        (
            Name::builder()
                .common_name("a.example.com")
                .organization("Acme")
                .build(),
            Some(host),
        ),
        (
            Name::default(),
            Some(GeneralName::Email("a@example.com".to_owned())),
        ),
        (Name::default(), None),
    ] {
        finalize(&client, &order, request(subject, san))
            .await
            .problem(400, "badCSR");
    }
    let alone = request(Name::from_common_name("a.example.com"), None);
    let done = finalize(&client, &order, alone).await.ok(200).json();
    let names = download(&client, &done).await.subject_alt_names();
    assert_eq!(names, [GeneralName::Dns("a.example.com".to_owned())]);
}

#[tokio::test]
async fn wildcards_are_proven_by_records_alone() {
    let (world, outside) = world();
    let client = world.client().await;
    let (order, challenges) = ordered(&client, &["*.example.com"], "dns-01").await;
    assert_eq!(order["identifiers"], dns(&["*.example.com"]));
    let authorization = status(&client, &order["authorizations"][0]).await;
    assert_eq!(authorization["wildcard"], true);
    assert_eq!(authorization["identifier"]["value"], "example.com");
    assert_eq!(authorization["challenges"].as_array().unwrap().len(), 1);
    outside.meet(&client, "example.com", &challenges[0].1);
    answer(&client, &challenges[0].1, json!({})).await.ok(200);
    let key = ec();
    finalize(&client, &order, names(&key, &["example.com"]))
        .await
        .problem(400, "badCSR");
    let done = finalize(&client, &order, names(&key, &["*.example.com"])).await;
    let names = download(&client, &done.ok(200).json())
        .await
        .subject_alt_names();
    assert_eq!(names, [GeneralName::Dns("*.example.com".to_owned())]);

    let world = World::with(|builder| builder.http(outside.validation()));
    let client = world.client().await;
    client
        .order(dns(&["*.example.com"]))
        .await
        .problem(400, "rejectedIdentifier");
}

#[tokio::test]
async fn what_is_no_host_name_is_told_for_each() {
    let (world, _) = world();
    let client = world.client().await;
    for name in [
        "",
        "localhost",
        "-a.example.com",
        "a.example.com.",
        "127.0.0.1",
        "a b.example",
        "*",
        "*.*.example.com",
        "a.*.example.com",
        "a.example.com:80",
        "[::1]",
        "*.com",
    ] {
        client.order(dns(&[name])).await.problem(400, "malformed");
    }
    let two = client.order(dns(&["a.example.com", "b", "c"])).await;
    let two = two.problem(400, "compound").json();
    let problems = two["subproblems"].as_array().unwrap();
    let about: Vec<_> = problems
        .iter()
        .map(|it| &it["identifier"]["value"])
        .collect();
    assert_eq!(about, ["b", "c"]);
    let mixed = json!([device_identifiers()[0], {"type": "dns", "value": "a.example.com"}]);
    client.order(mixed).await.problem(400, "rejectedIdentifier");
}

#[tokio::test]
async fn the_answer_of_another_account_proves_nothing() {
    let (world, outside) = world();
    let (ada, bob) = (world.client().await, world.client().await);
    let (order, challenges) = ordered(&ada, &["a.example.com"], "http-01").await;
    // Bob has the host, and says there what would be right for himself.
    outside.meet(&bob, "a.example.com", &challenges[0].1);
    let failed = answer(&ada, &challenges[0].1, json!({})).await.ok(200);
    let failed = failed.json();
    assert_eq!(failed["status"], "invalid");
    assert_eq!(
        failed["error"]["type"],
        "urn:ietf:params:acme:error:unauthorized"
    );
    let order = status(&ada, &order["url"]).await;
    assert_eq!(order["status"], "invalid");
    assert_eq!(order["error"], failed["error"]);
}

#[tokio::test]
async fn silence_is_looked_at_again_when_the_client_asks_and_then_given_up() {
    let (world, outside) = world();
    let client = world.client().await;
    let (order, challenges) = ordered(&client, &["a.example.com"], "http-01").await;
    let challenge = &challenges[0].1;
    let url = &challenge["url"];
    let waits = answer(&client, challenge, json!({})).await.ok(200);
    assert_eq!(waits.header("retry-after"), "5");
    assert_eq!(waits.json()["status"], "processing");
    assert_eq!(
        waits.json()["error"]["type"],
        "urn:ietf:params:acme:error:connection"
    );
    assert_eq!(outside.asked(), 1);
    // Whoever asks at once changes nothing.
    assert_eq!(status(&client, url).await["status"], "processing");
    assert_eq!(outside.asked(), 1);
    world.pass(5);
    outside.meet(&client, "a.example.com", challenge);
    // Asking for the order moves it on as well.
    assert_eq!(status(&client, &order["url"]).await["status"], "ready");
    assert_eq!(outside.asked(), 2);

    let (order, challenges) = ordered(&client, &["b.example.com"], "dns-01").await;
    let url = &challenges[0].1["url"];
    answer(&client, &challenges[0].1, json!({})).await.ok(200);
    for attempt in 2..=5 {
        world.pass(60);
        let seen = status(&client, url).await;
        let expected = if attempt < 5 { "processing" } else { "invalid" };
        assert_eq!(seen["status"], expected, "attempt {attempt}");
    }
    let authorization = status(&client, &order["authorizations"][0]).await;
    assert_eq!(authorization["status"], "invalid");
    assert_eq!(authorization["challenges"].as_array().unwrap().len(), 1);
    let asked = outside.asked();
    world.pass(60);
    status(&client, url).await;
    assert_eq!(
        outside.asked(),
        asked,
        "what has failed is not looked at again"
    );
}

#[tokio::test]
async fn a_host_in_a_private_network_is_not_asked_until_that_network_is_allowed() {
    for (allowed, asked, status) in [(&[][..], 0, "processing"), (&["10.0.0.0/8"], 1, "valid")] {
        let outside = Arc::new(Outside::default());
        let host = "inside.example.com";
        outside
            .elsewhere
            .lock()
            .unwrap()
            .insert(host.to_owned(), "10.1.2.3");
        let http = outside.validation().with(|it| {
            it.allowed = allowed.iter().map(|it| it.parse().unwrap()).collect();
        });
        let world = World::with(|builder| builder.http(http));
        let client = world.client().await;
        let (_, challenges) = ordered(&client, &[host], "http-01").await;
        outside.meet(&client, host, &challenges[0].1);
        let seen = answer(&client, &challenges[0].1, json!({}))
            .await
            .ok(200)
            .json();
        assert_eq!(seen["status"], status);
        assert_eq!(outside.asked(), asked);
        if asked == 0 {
            // As of a name that leads nowhere.
            let dns = "urn:ietf:params:acme:error:dns";
            assert_eq!(seen["error"]["type"], dns);
            assert!(!seen.to_string().contains("10.1.2.3"));
        }
    }
}

#[tokio::test]
async fn one_request_looks_at_so_many_hosts_and_the_next_at_the_others() {
    let (world, outside) = world();
    let client = world.client().await;
    let hosts: Vec<_> = (0..25).map(|it| format!("h{it}.example.com")).collect();
    let hosts: Vec<_> = hosts.iter().map(String::as_str).collect();
    let (order, challenges) = ordered(&client, &hosts, "http-01").await;
    for (_, challenge) in &challenges {
        answer(&client, challenge, json!({})).await.ok(200);
    }
    assert_eq!(outside.asked(), 25);
    for (host, challenge) in &challenges {
        outside.meet(&client, host, challenge);
    }
    world.pass(5);
    for (asked, expected) in [(35, "pending"), (45, "pending"), (50, "ready")] {
        assert_eq!(status(&client, &order["url"]).await["status"], expected);
        assert_eq!(outside.asked(), asked);
    }
}

#[tokio::test]
async fn a_server_that_may_look_at_no_host_looks_at_one() {
    let outside = Arc::new(Outside::default());
    let http = outside.validation();
    let none = Limits::default().with(|limits| limits.looks = 0);
    let world = World::with(|builder| builder.http(http).limits(none));
    let client = world.client().await;
    let (order, challenges) = ordered(&client, &["a.example.com"], "http-01").await;
    let (host, challenge) = &challenges[0];
    outside.meet(&client, host, challenge);
    answer(&client, challenge, json!({})).await.ok(200);
    assert_eq!(status(&client, &order["url"]).await["status"], "ready");
}

#[tokio::test]
async fn fifty_who_ask_at_once_cost_one_look() {
    let (world, outside) = world();
    let client = world.client().await;
    let (_, challenges) = ordered(&client, &["a.example.com"], "http-01").await;
    let challenge = challenges[0].1.clone();
    let all = (0..50).map(|_| {
        let (client, challenge) = (client.clone(), challenge.clone());
        tokio::spawn(async move { answer(&client, &challenge, json!({})).await.ok(200) })
    });
    for seen in futures_util::future::join_all(all).await {
        assert_eq!(seen.unwrap().json()["status"], "processing");
    }
    assert_eq!(outside.asked(), 1);
}

#[tokio::test]
async fn an_answer_to_a_host_s_challenge_is_an_object() {
    let (world, outside) = world();
    let client = world.client().await;
    let (_, challenges) = ordered(&client, &["a.example.com"], "http-01").await;
    for payload in [json!([]), json!(7), json!(null)] {
        answer(&client, &challenges[0].1, payload)
            .await
            .problem(400, "malformed");
    }
    assert_eq!(outside.asked(), 0);
    let old = json!({"keyAuthorization": "x"});
    answer(&client, &challenges[0].1, old).await.ok(200);
}
