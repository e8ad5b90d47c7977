//! A copy while the server runs, and a server that goes on from it.

use serde_json::json;

use crate::world::{World, id};

#[tokio::test]
async fn devices_go_on_from_a_restored_backup_without_enrolling_again() {
    let world = World::new().await;
    let server = world.start("data");
    let mut devices = Vec::new();
    for serial in ["C02MS0000001", "C02MS0000002", "C02MS0000003"] {
        let mut device = world.enroll(&server, serial).await;
        world.call(&mut device).await;
        devices.push(device);
    }
    let waiting = |uuid: &str| {
        let names: Vec<_> = devices.iter().map(id).collect();
        json!({"enrollments": names, "request_type": "ProfileList", "command_uuid": uuid})
    };
    server.post("/v1/commands", &waiting("C-1")).await;

    let backup = world.path("backup").display().to_string();
    let done = world.task("data", &["backup", &backup]);
    assert!(done.status.success(), "{done:?}");
    let again = world.task("data", &["backup", &backup]);
    assert!(!again.status.success(), "never over another one");
    // One file is all of it, as of one moment.
    let files = std::fs::read_dir(&backup).unwrap();
    let files: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["mdm.sqlite"]);
    // What happens after the backup is lost with the server.
    server.post("/v1/commands", &waiting("C-2")).await;
    drop(server);
    std::fs::remove_dir_all(world.path("data")).unwrap();

    let done = world.task("restored", &["restore", &backup]);
    assert!(done.status.success(), "{done:?}");
    let again = world.task("restored", &["restore", &backup]);
    assert!(!again.status.success(), "never over a data directory");
    let server = world.start("restored");
    for device in &mut devices {
        assert_eq!(device.poll().await.unwrap(), ["ProfileList"]);
        let name = id(device);
        let shown = server.get(&format!("/v1/enrollments/{name}")).await;
        assert_eq!(shown["status"], "enrolled");
        assert!(shown["decision"]["kind"].is_string() || shown["decision"].is_object());
    }
    // The authority is the same, so that a new device enrols beside them.
    world.enroll(&server, "C02MS0000004").await;
}

#[tokio::test]
async fn a_backup_is_worth_nothing_without_the_sealing_key() {
    let world = World::new().await;
    let server = world.start("data");
    let mut device = world.enroll(&server, "C02MS0000001").await;
    world.call(&mut device).await;
    let command = json!({
        "enrollments": [id(&device)], "request_type": "DeviceLock", "keys": {"PIN": "314159"},
    });
    server.post("/v1/commands", &command).await;
    let backup = world.path("backup");
    let done = world.task("data", &["backup", &backup.display().to_string()]);
    assert!(done.status.success(), "{done:?}");
    for entry in std::fs::read_dir(&backup).unwrap() {
        let content = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [&b"314159"[..], b"PRIVATE KEY"] {
            assert!(!content.windows(secret.len()).any(|it| it == secret));
        }
    }
    std::fs::remove_file(world.path("key")).unwrap();
    let made = world.run(&["new-key", &world.path("key").display().to_string()]);
    assert!(made.status.success());
    let refused = world.task("restored", &["restore", &backup.display().to_string()]);
    assert!(!refused.status.success());
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("sealing keys"), "{told}");
    assert!(!world.path("restored").exists());
}
