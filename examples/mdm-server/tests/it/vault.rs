//! The server's own keys in the database, and a change of the key that seals everything.

use std::{fs, time::Duration};

use chrono::Utc;
use http::Method;
use mdm_sdk::{
    pki::{
        Identity, KeySpec, Name, PrivateKey,
        seal::{SealingKey, SealingKeys},
    },
    scep::ca::{RootUse, root},
};
use mdm_storage::SqliteStore;
use serde_json::json;

use crate::world::{TOKEN, World, id};

/// The file in which a server of a former version kept an authority.
fn former_authority(world: &World, name: &str) -> (Identity, Vec<u8>) {
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let name = Name::from_common_name(name);
    let year = Duration::from_secs(365 * 24 * 3_600);
    let certificate = root(name, &key, RootUse::Alone, year, Utc::now()).unwrap();
    let identity = Identity::new(certificate, Vec::new(), key).unwrap();
    let pem = [
        identity.chain_pem(),
        identity.key.to_pkcs8_pem().unwrap().to_string(),
    ];
    let sealing = fs::read_to_string(world.path("key")).unwrap();
    let keys = SealingKeys::new(SealingKey::from_base64(&sealing).unwrap());
    let sealed = keys.seal("mdm-server authority", pem.concat().as_bytes());
    (identity, sealed.unwrap())
}

#[tokio::test]
async fn sealed_files_of_a_former_version_are_taken_over_once_and_never_lost() {
    let world = World::new().await;
    let (authority, sealed) = former_authority(&world, "Authority of former days");
    let data = world.path("data");
    fs::create_dir(&data).unwrap();
    fs::write(data.join("authority.sealed"), &sealed).unwrap();
    let server = world.start("data");
    let ask = format!("{}/scep?operation=GetCACert", world.url());
    assert_eq!(world.get(&ask).await.1, authority.certificate.to_der());
    let mut device = world.enroll(&server, "C02MS0000001").await;
    world.call(&mut device).await;
    let (_, log) = server.stop();
    assert!(log.contains("taken over"), "{log}");
    assert!(!data.join("authority.sealed").exists());
    let kept = fs::read(data.join("authority.sealed.taken")).unwrap();
    assert_eq!(kept, sealed);

    // One who was killed before the file had its new name finds the same in both places.
    fs::write(data.join("authority.sealed"), &sealed).unwrap();
    let server = world.start("data");
    assert_eq!(world.get(&ask).await.1, authority.certificate.to_der());
    drop(server);

    // Another authority is nobody's to choose.
    let (_, other) = former_authority(&world, "Another authority");
    fs::write(data.join("authority.sealed"), &other).unwrap();
    let refused = world.task("data", &["serve"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        !refused.status.success() && told.contains("another authority"),
        "{told}"
    );
    assert_eq!(fs::read(data.join("authority.sealed")).unwrap(), other);
}

#[tokio::test]
async fn a_backup_of_a_former_version_is_restored_also_where_a_restore_was_cut_off() {
    let world = World::new().await;
    let (authority, sealed) = former_authority(&world, "Authority of former days");
    let backup = world.path("backup");
    fs::create_dir(&backup).unwrap();
    let database = SqliteStore::open(backup.join("mdm.sqlite")).await.unwrap();
    database.close().await;
    fs::write(backup.join("authority.sealed"), &sealed).unwrap();
    let half = world.path("restored").join("restoring");
    fs::create_dir_all(&half).unwrap();
    fs::write(half.join("mdm.sqlite"), "half of it").unwrap();

    let done = world.task("restored", &["restore", &backup.display().to_string()]);
    assert!(done.status.success(), "{done:?}");
    assert!(!half.exists());
    let _server = world.start("restored");
    let ask = format!("{}/scep?operation=GetCACert", world.url());
    assert_eq!(world.get(&ask).await.1, authority.certificate.to_der());
}

#[tokio::test]
async fn everything_is_sealed_anew_while_the_server_runs_and_the_former_key_can_go() {
    let mut world = World::new().await;
    let server = world.start("data");
    let mut device = world.enroll(&server, "C02MS0000001").await;
    world.call(&mut device).await;
    let name = id(&device);
    let lock = |uuid: &str, pin: &str| {
        json!({
            "enrollments": [name], "request_type": "DeviceLock", "keys": {"PIN": pin},
            "command_uuid": uuid,
        })
    };
    server.post("/v1/commands", &lock("C-1", "314159")).await;
    server
        .put("/v1/assignment/accounts/office", &json!({}))
        .await;
    drop(server);

    fs::rename(world.path("key"), world.path("former-key")).unwrap();
    let key = world.path("key").display().to_string();
    assert!(world.run(&["new-key", &key]).status.success());
    let refused = world.task("data", &["serve"]);
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(
        told.contains("authority") && told.contains("sealing keys"),
        "{told}"
    );

    let former = world.path("former-key").display().to_string();
    world.more = format!("sealing.former_key_files = [{}]", json!(former));
    let server = world.start("data");
    server.post("/v1/commands", &lock("C-2", "271828")).await;
    // One who is killed has done some of it or nothing.
    let mut killed = world.begin("data", &["reseal"]);
    killed.kill().unwrap();
    killed.wait().unwrap();
    let done = world.task("data", &["reseal"]);
    let told = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success(), "{done:?}");
    for kind in [
        "the server's own: 4",
        "accounts of device assignment: 1",
        "escrow: 2",
        "commands: 3",
        "results: 1",
    ] {
        assert!(told.contains(kind), "{told}");
    }
    assert!(told.contains("done: nothing is left"), "{told}");
    let again = world.task("data", &["reseal"]);
    let told = String::from_utf8_lossy(&again.stdout).into_owned();
    let lines: Vec<_> = told
        .lines()
        .filter(|line| line.contains("looked at"))
        .collect();
    assert_eq!(lines.len(), 7, "{told}");
    assert!(
        lines.iter().all(|line| line.ends_with(", 0 sealed anew")),
        "{told}"
    );
    drop(server);

    fs::remove_file(&former).unwrap();
    world.more = String::new();
    let server = world.start("data");
    assert_eq!(device.poll().await.unwrap(), ["DeviceLock", "DeviceLock"]);
    let escrow = server.get(&format!("/v1/enrollments/{name}/escrow")).await;
    let values: Vec<_> = escrow["entries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["value"].clone())
        .collect();
    assert_eq!(values, ["271828", "314159"]);
    let commands = server
        .get(&format!("/v1/enrollments/{name}/commands"))
        .await;
    assert_eq!(commands["commands"].as_array().unwrap().len(), 3);
    let accounts = "/v1/assignment/accounts";
    let (status, _) = server.ask(Method::GET, accounts, TOKEN, None).await;
    assert!(status.is_success());
    world.enroll(&server, "C02MS0000002").await;
}
