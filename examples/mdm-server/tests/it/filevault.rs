//! Recovery keys of FileVault, deposited by Macs.

use std::sync::Arc;

use http::{Method, StatusCode};
use mdm_sdk::{
    pki::{Certificate, cms::EnvelopedDataBuilder},
    plist::{Dictionary, Value},
};
use mdm_simulator::{Answer, Responder};
use serde_json::json;

use crate::world::{TOKEN, World, id};

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
    let key = b"AAAA-BBBB-CCCC-DDDD-EEEE-FFFF";
    let cms = EnvelopedDataBuilder::new(key)
        .recipient(&certificate)
        .encrypt();

    let mut device = world.enroll(&server, "C02MS0000001").await;
    device.set_responder(Arc::new(Deposits(cms.unwrap())));
    world.call(&mut device).await;
    let name = id(&device);
    let command = json!({ "enrollments": [name], "request_type": "SecurityInfo" });
    server.post("/v1/commands", &command).await;
    assert_eq!(device.poll().await.unwrap(), ["SecurityInfo"]);
    let escrow = server.get(&format!("/v1/enrollments/{name}/escrow")).await;
    assert_eq!(
        escrow["entries"][0]["kind"], "filevault-recovery-key",
        "{escrow}"
    );
    assert_eq!(
        escrow["entries"][0]["value"],
        "AAAA-BBBB-CCCC-DDDD-EEEE-FFFF"
    );
}
