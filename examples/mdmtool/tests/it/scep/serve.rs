//! The server: TLS, revocation, restarts, the end.

use chrono::Utc;
use mdm_pki::{
    GeneralName, KeySpec, PrivateKey, RevocationList,
    ocsp::{CertId, CertStatus, OcspRequest, OcspResponse},
};
use mdm_transport::HttpTransport;
use mdm_transport_reqwest::ReqwestTransport;

use super::world::{World, certificate, enroll};

/// The status of the answer to a GET, and its body.
fn get(url: &str) -> (u16, Vec<u8>) {
    exchange(http::Request::get(url), Vec::new())
}

fn post(url: &str, body: Vec<u8>) -> (u16, Vec<u8>) {
    exchange(http::Request::post(url), body)
}

fn exchange(request: http::request::Builder, body: Vec<u8>) -> (u16, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let transport = ReqwestTransport::builder().no_proxy().build().unwrap();
        let answer = transport
            .send(request.body(body.into()).unwrap())
            .await
            .unwrap();
        (answer.status().as_u16(), answer.into_body().to_vec())
    })
}

#[test]
fn over_tls_the_same_and_a_server_of_an_unknown_authority_is_not_asked() {
    let world = World::new();
    let key = PrivateKey::generate(KeySpec::P256).unwrap();
    let web = certificate("web", &key)
        .san(GeneralName::Ip("127.0.0.1".parse().unwrap()))
        .self_signed(&key)
        .unwrap();
    world.write("web.pem", web.to_pem());
    world.write("web-key.pem", key.to_pkcs8_pem().unwrap().as_bytes());
    let server = world.serve("--tls-cert web.pem --tls-key web-key.pem");
    assert!(
        server.url.starts_with("https://127.0.0.1:"),
        "{}",
        server.url
    );
    world.challenge("challenge", "");
    let line = enroll(&server, "a");
    world.run(&line).failed(1, &["no connection", "--tls-ca"]);
    world.run(&format!("{line} --tls-ca web.pem")).succeeded();
    world
        .run(&format!("caps --url {} --tls-ca web.pem", server.url))
        .succeeded();
}

#[test]
fn what_is_revoked_is_listed_at_once_and_renews_no_more() {
    let world = World::new();
    let server = world.serve("--public-url http://ca.example.com/");
    world.challenge("challenge", "");
    world.run(&enroll(&server, "a")).succeeded();
    let certificate = world.certificate("a.pem");
    for (kind, url) in [
        ("2.5.29.31", "http://ca.example.com/crl"),
        ("1.3.6.1.5.5.7.1.1", "http://ca.example.com/ocsp"),
    ] {
        let points = certificate.extension(kind.parse().unwrap()).unwrap();
        assert!(String::from_utf8_lossy(points).contains(url), "{url}");
    }
    let list = |url: &str| {
        let (status, der) = get(&format!("{url}/crl"));
        assert_eq!(status, 200);
        RevocationList::from_der(&der, 100).unwrap()
    };
    assert!(list(server.origin()).is_empty());

    let listed = world.listed();
    assert_eq!(listed[0]["revoked"], serde_json::Value::Null);
    let serial = listed[0]["serial"].as_str().unwrap();
    let told = world.run(&format!(
        "revoke --store scep.db --serial {serial} --reason key-compromise"
    ));
    told.succeeded();
    assert!(told.stdout.contains("key-compromise"), "{told:?}");
    // Of several the first counts.
    let again = world.json(&format!("revoke --store scep.db --serial {serial}"));
    assert_eq!(again["revoked"]["reason"], "key-compromise");
    assert_eq!(world.listed()[0]["revoked"], again["revoked"]);
    let text = world.run("certs --store scep.db --label test").stdout;
    assert!(
        text.contains("revoked 2") && text.contains("CN=a"),
        "{text}"
    );
    assert!(
        world
            .run("certs --store scep.db --label other")
            .stdout
            .is_empty()
    );

    let id = CertId::new(&world.certificate("ca/ca.pem"), certificate.serial()).unwrap();
    let question = OcspRequest::new(vec![id.clone()]).to_der();
    let (status, answer) = post(&format!("{}/ocsp", server.origin()), question);
    assert_eq!(status, 200);
    let answer = OcspResponse::from_der(&answer, 1).unwrap();
    answer
        .verify(&world.certificate("ca/ca.pem"), Utc::now())
        .unwrap();
    let told = &answer.find(&id).unwrap().status;
    assert!(matches!(told, CertStatus::Revoked { .. }), "{told:?}");

    let list = list(server.origin());
    assert!(list.find(certificate.serial()).is_some());
    let ca = world.certificate("ca/ca.pem");
    assert!(list.verify_signed_by(&ca).is_ok());
    assert!(list.is_current_at(Utc::now()));
    assert_eq!(
        get(&format!("{}/ca.cer", server.origin())),
        (200, ca.to_der().to_vec())
    );

    world
        .run(&format!(
            "renew {} --cert a.pem --key a-key.pem --cert-out b.pem",
            server.trusted()
        ))
        .failed(1, &["refused"]);
    assert_eq!(world.listed().len(), 1);
    for (serial, code) in [("00", 1), ("zz", 2)] {
        world
            .run(&format!("revoke --store scep.db --serial {serial}"))
            .failed(code, &["mdmtool scep certs"]);
    }
}

#[test]
fn killed_behind_an_enrolment_it_has_the_certificate_when_it_comes_back() {
    let world = World::new();
    let server = world.serve("");
    world.challenge("challenge", "");
    let told = world.json(&enroll(&server, "a"));
    server.kill();
    assert_eq!(world.listed()[0]["serial"], told["serial"]);
    let server = world.start("");
    assert_eq!(world.listed()[0]["serial"], told["serial"]);
    world
        .run(&format!(
            "renew {} --cert a.pem --key a-key.pem --cert-out b.pem",
            server.trusted()
        ))
        .succeeded();
    // The challenge stays spent.
    world.run(&enroll(&server, "c")).failed(1, &["refused"]);
    assert_eq!(world.listed().len(), 2);
}

#[cfg(unix)]
#[test]
fn asked_to_end_it_ends_and_lets_go_of_port_and_store() {
    let world = World::new();
    let server = world.serve("");
    let listen = server.origin().replace("http://", "");
    let taken = world.run(&format!(
        "serve --listen {listen} --store s --ca-dir new --new-ca"
    ));
    taken.failed(1, &["cannot listen on", "a port that is free"]);
    assert!(!world.path("new").exists());
    assert_eq!(server.stop(), Some(0));
    assert_eq!(world.start_at(&listen, "").stop(), Some(0));
    assert!(
        !world.path("scep.db-wal").exists(),
        "the log is worked into the file"
    );
}

#[test]
fn a_challenge_for_all_devices_is_taken_only_from_a_file_that_is_named() {
    let world = World::new();
    world.write("challenge", "0123456789abcdef\n");
    world.write("short", "secret");
    world
        .run("serve --listen 127.0.0.1:0 --store s --ca-dir ca --new-ca --shared-challenge-file short")
        .failed(2, &["16 bytes"]);
    let server = world.start("--shared-challenge-file challenge");
    for name in ["a", "b"] {
        world.run(&enroll(&server, name)).succeeded();
    }
    assert_eq!(world.listed().len(), 2);
}

#[test]
fn what_the_rules_forbid_is_refused_and_not_offered() {
    let world = World::new();
    let server = world.serve("--no-renewal --min-rsa-bits 3072");
    world.challenge("challenge", "");
    world
        .run(&enroll(&server, "a"))
        .failed(1, &["the key is not allowed"]);
    let caps = world.json(&format!("caps --url {}", server.url));
    let listed = caps["capabilities"].as_array().unwrap();
    assert!(!listed.contains(&"Renewal".into()) && !listed.contains(&"SHA-1".into()));
}

#[test]
fn an_ec_key_is_certified_and_one_address_waits_where_it_asks_too_often() {
    let world = World::new();
    let server = world.serve("--max-per-minute 1");
    world.challenge("challenge", "");
    world
        .run(&format!("{} --key p256", enroll(&server, "a")))
        .succeeded();
    let key = world.certificate("a.pem").public_key().unwrap();
    assert_eq!(
        key.algorithm(),
        mdm_pki::KeyAlgorithm::Ec(mdm_pki::Curve::P256)
    );
    world.challenge("challenge", "");
    let told = world.run(&enroll(&server, "b"));
    told.failed(1, &["429", "Try again later"]);
    world.run(&format!("caps --url {}", server.url)).succeeded();
}
