//! What a server shows, and what Apple's client makes of it.

use bytes::Bytes;
use http::{Request, Response, header};
use mdm_fake_apple::http::Server;
use mdm_pki::{Certificate, Identity, KeySpec, KeyUsage, PrivateKey, cms};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::world::{World, certificate};

#[test]
fn a_server_of_the_house_is_one_that_apples_client_takes() {
    let world = World::new();
    for kind in ["rsa2048", "p256"] {
        let folder = World::new();
        let server = folder.serve(&format!("--ca-key {kind}"));
        let told = world.json(&format!("caps --url {}", server.url));
        assert_eq!(told["findings"], serde_json::json!([]), "{told}");
        let certificates = told["certificates"].as_array().unwrap();
        assert!(
            certificates
                .iter()
                .any(|it| it["sha256"] == server.fingerprint.as_str())
        );
        assert_eq!(certificates[0]["sha1"].as_str().unwrap().len(), 40);
        assert!(
            told["capabilities"]
                .as_array()
                .unwrap()
                .contains(&"AES".into())
        );
        let text = world.run(&format!("caps --url {} --ca-identifier x", server.url));
        text.succeeded();
        assert!(text.stdout.contains(&server.fingerprint), "{text:?}");
    }
}

/// A server that shows and lists this, under these content types.
struct Odd {
    _runtime: Runtime,
    server: Server,
}

fn odd(ca_cert: (&'static str, Vec<u8>), caps: (&'static str, &'static str)) -> Odd {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let answer = move |request: Request<Bytes>| {
        let query = request.uri().query().unwrap_or_default();
        let (content_type, body) = match query.contains("GetCACert") {
            true => (ca_cert.0, Bytes::from(ca_cert.1.clone())),
            false => (caps.0, Bytes::from_static(caps.1.as_bytes())),
        };
        let status = if body == "none" { 404 } else { 200 };
        let answer = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, content_type)
            .body(body)
            .unwrap();
        async move { answer }
    };
    let server = runtime.block_on(Server::start(None, answer)).unwrap();
    Odd {
        _runtime: runtime,
        server,
    }
}

fn findings(code: i32, odd: &Odd) -> Vec<(String, String)> {
    let told = World::new().run(&format!("caps --url {} --json", odd.server.url()));
    assert_eq!(told.code, Some(code), "{told:?}");
    if code == 1 {
        told.error(1, "unsuitable");
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let document = told.json();
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .map(|it| (text(&it["severity"]), text(&it["message"])))
        .collect()
}

fn has(findings: &[(String, String)], severity: &str, words: &str) {
    let found = findings
        .iter()
        .any(|it| it.0 == severity && it.1.contains(words));
    assert!(found, "no {severity} with {words:?} in {findings:?}");
}

fn authority() -> Identity {
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let certificate = certificate("CA", &key)
        .ca(None)
        .key_usage(KeyUsage::KEY_CERT_SIGN)
        .self_signed(&key)
        .unwrap();
    Identity::new(certificate, Vec::new(), key).unwrap()
}

const ALL: &str = "AES\nPOSTPKIOperation\nSHA-256\n";

#[test]
fn content_types_with_parameters_and_keywords_in_another_spelling_are_found() {
    let ca = authority().certificate.to_der().to_vec();
    let right = ("application/x-x509-ca-cert", ca.clone());
    assert_eq!(findings(0, &odd(right.clone(), ("text/plain", ALL))), []);

    let odd_list = odd(
        right.clone(),
        ("text/plain; charset=utf-8", "aes\nSHA-256 \r\nSCEPStandard"),
    );
    let found = findings(1, &odd_list);
    has(
        &found,
        "error",
        "GetCACaps: the content type is \"text/plain; charset=utf-8\"",
    );
    has(&found, "warning", "\"aes\" is not AES");
    has(&found, "warning", "\"SHA-256 \" is not SHA-256");
    has(&found, "warning", "AES is not listed");
    has(&found, "warning", "POSTPKIOperation is not listed");

    let found = findings(0, &odd(right, ("text/html", "none")));
    has(&found, "warning", "GetCACaps is not answered");
    has(&found, "warning", "signs with SHA-1");

    let wrong = ("application/x-x509-ca-ra-cert", ca);
    let found = findings(1, &odd(wrong, ("text/plain", ALL)));
    has(&found, "error", "GetCACert: the content type is");
}

#[test]
fn certificates_whose_usages_say_no_role_and_what_has_ended_are_found() {
    let ca = authority();
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let ra = |usage| -> Certificate {
        certificate("RA", &key)
            .key_usage(usage)
            .sign(&ca.certificate, &ca.key)
            .unwrap()
    };
    let answer = |ra: Certificate| {
        let chain = [ra, ca.certificate.clone()];
        let body = cms::certs_only(&chain).unwrap();
        odd(("application/x-x509-ca-ra-cert", body), ("text/plain", ALL))
    };
    let both = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT;
    assert_eq!(findings(0, &answer(ra(both))), []);
    let found = findings(1, &answer(ra(KeyUsage::DIGITAL_SIGNATURE)));
    has(&found, "error", "by their key usages");

    let now = chrono::Utc::now();
    let ended = certificate("CA", &ca.key)
        .validity(
            now - chrono::TimeDelta::days(9),
            now - chrono::TimeDelta::days(1),
        )
        .ca(None)
        .self_signed(&ca.key)
        .unwrap();
    let ended = ("application/x-x509-ca-cert", ended.to_der().to_vec());
    let found = findings(1, &odd(ended, ("text/plain", ALL)));
    has(&found, "error", "CN=CA: not valid now");
}

#[test]
fn a_web_page_is_no_scep_server() {
    let page = odd(("text/html", b"<html>".to_vec()), ("text/html", "<html>"));
    World::new()
        .run(&format!("caps --url {}", page.server.url()))
        .failed(1, &["no CA certificate", "perhaps no SCEP server"]);
    World::new().run("caps --url ftp://x/").failed_usage();
}
