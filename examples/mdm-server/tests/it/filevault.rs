//! Recovery keys of FileVault, deposited by Macs.

use std::sync::Arc;

use chrono::{TimeDelta, Utc};
use http::{Method, StatusCode};
use mdm_sdk::{
    pki::{Certificate, CertificateBuilder, KeySpec, Name, PrivateKey, cms::EnvelopedDataBuilder},
    plist::{Dictionary, Value},
};
use mdm_simulator::{Answer, Device, Responder};
use serde_json::json;

use crate::world::{Server, TOKEN, World, id};

/// A Mac that deposits its recovery key with `SecurityInfo`.
#[derive(Debug)]
struct Deposits(Vec<u8>);

impl Responder for Deposits {
    fn answer(&self, request_type: &str, _command: &Dictionary) -> Option<Answer> {
        let mut told = Dictionary::new();
        told.insert(
            "FDE_PersonalRecoveryKeyCMS".to_owned(),
            Value::Data(self.0.clone()),
        );
        let mut keys = Dictionary::new();
        keys.insert("SecurityInfo".to_owned(), Value::Dictionary(told));
        (request_type == "SecurityInfo").then_some(Answer::Acknowledged(keys))
    }
}

#[tokio::test]
async fn a_recovery_key_is_decrypted_into_escrow_and_by_another_node_too() {
    let mut world = World::new().await;
    let server = world.start("data");
    let path = "/v1/filevault/certificate";
    let (status, _) = server.ask(Method::GET, path, TOKEN, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    drop(server);

    world.more = "filevault = {}".to_owned();
    let server = world.start("data");
    let told = server.get(path).await;
    drop(server);
    // It is in the vault: a restart makes no other.
    let server = world.start("data");
    assert_eq!(server.get(path).await, told);
    let pem = told["certificate"].as_str().unwrap();
    let certificate = Certificate::from_pem(pem.as_bytes()).unwrap();
    let mut device = world.enroll(&server, "C02MS0000001").await;
    world.call(&mut device).await;
    deposit(&server, &mut device, &certificate, "AAAA-BBBB-CCCC-DDDD").await;
}

/// Has the device deposit a recovery key, encrypted for this certificate, and the server open it.
async fn deposit(server: &Server, device: &mut Device, certificate: &Certificate, key: &str) {
    let cms = EnvelopedDataBuilder::new(key.as_bytes())
        .recipient(certificate)
        .encrypt();
    device.set_responder(Arc::new(Deposits(cms.unwrap())));
    let name = id(device);
    let command = json!({ "enrollments": [name], "request_type": "SecurityInfo" });
    server.post("/v1/commands", &command).await;
    assert_eq!(device.poll().await.unwrap(), ["SecurityInfo"]);
    let escrow = server.get(&format!("/v1/enrollments/{name}/escrow")).await;
    let newest = &escrow["entries"][0];
    assert_eq!(newest["kind"], "filevault-recovery-key", "{escrow}");
    assert_eq!(newest["value"], key);
}

/// Writes a certificate for recovery keys and its key into files, and has the settings name them.
fn settings(world: &mut World, name: &str, kind: KeySpec) -> Certificate {
    let key = PrivateKey::generate(kind).unwrap();
    let now = Utc::now();
    let certificate = CertificateBuilder::new(Name::from_common_name(name), key.public_key())
        .validity(now, now + TimeDelta::days(365))
        .self_signed(&key)
        .unwrap();
    world.file(&format!("{name}.pem"), &certificate.to_pem());
    world.file(&format!("{name}-key.pem"), &key.to_pkcs8_pem().unwrap());
    world.more = format!(
        "filevault = {{ certificate = {}, key = {} }}",
        json!(world.path(&format!("{name}.pem"))),
        json!(world.path(&format!("{name}-key.pem"))),
    );
    certificate
}

#[tokio::test]
async fn what_macs_encrypt_for_a_former_certificate_is_opened_for_good() {
    let mut world = World::new().await;
    world.more = "filevault = {}".to_owned();
    let server = world.start("data");
    let path = "/v1/filevault/certificate";
    let told = server.get(path).await;
    let pem = told["certificate"].as_str().unwrap();
    let own = Certificate::from_pem(pem.as_bytes()).unwrap();
    let mut device = world.enroll(&server, "C02MS0000001").await;
    world.call(&mut device).await;
    drop(server);

    // The only copies of the first two keys are in the vault then.
    let first = settings(&mut world, "first", KeySpec::Rsa2048);
    drop(world.start("data"));
    std::fs::remove_file(world.path("first-key.pem")).unwrap();
    let second = settings(&mut world, "second", KeySpec::Rsa2048);
    for _ in 0..2 {
        let server = world.start("data");
        let told = server.get(path).await;
        assert_eq!(told["certificate"], json!(second.to_pem()));
        for (certificate, key) in [(&own, "AAAA"), (&first, "BBBB"), (&second, "CCCC")] {
            deposit(&server, &mut device, certificate, key).await;
        }
    }
}

#[tokio::test]
async fn a_key_that_no_mac_encrypts_for_is_told_at_once() {
    let mut world = World::new().await;
    settings(&mut world, "curve", KeySpec::P256);
    for task in ["check", "serve"] {
        let done = world.task("data", &[task]);
        let told = String::from_utf8(done.stderr).unwrap();
        let is_told = !done.status.success() && told.contains("filevault.key");
        assert!(is_told, "{task}: {told}");
    }
}
