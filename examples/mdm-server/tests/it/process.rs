//! The program's command line.

use chrono::{TimeDelta, Utc};
use mdm_sdk::service::store::LeaseStore;
use mdm_storage::SqliteStore;

use crate::world::World;

#[tokio::test]
async fn settings_that_cannot_be_used_are_named_by_their_key() {
    let mut world = World::new().await;
    for (more, key) in [
        ("scep.validity_days = \"soon\"", "scep.validity_days"),
        ("schedule.inventory = 1", "inventory"),
        ("public_url = ", "data.toml"),
        ("admin.addres = \"x\"", "addres"),
    ] {
        world.more = more.to_owned();
        let done = world.task("data", &["check"]);
        assert!(!done.status.success(), "{more}");
        let told = String::from_utf8(done.stderr).unwrap();
        assert!(told.contains(key), "{more}: {told}");
    }
}

#[tokio::test]
async fn check_reads_every_file_and_names_the_key_of_each_that_cannot_be_used() {
    let mut world = World::new().await;
    let good = world.task("data", &["check"]);
    assert!(good.status.success(), "{good:?}");
    world.file("no-pem", "no certificate");
    let path = |name: &str| world.path(name).display().to_string();
    world.more = format!(
        r#"
enrollment.signer = {{ certificate = "{web}", key = "{push_key}" }}
webhooks.audit = {{ url = "https://audit.example.com", key_file = "{missing}", roots = "{no_pem}" }}
ade.roots = "{missing}"
filevault = {{ certificate = "{no_pem}", key = "{push_key}" }}
proxy.trusted = ["10.0.0.0/99"]
sealing.former_key_files = ["{no_pem}"]
"#,
        web = path("web.pem"),
        push_key = path("push-key.pem"),
        missing = path("missing"),
        no_pem = path("no-pem"),
    );
    std::fs::remove_file(world.path("factory.pem")).unwrap();
    let done = world.task("data", &["check"]);
    assert!(!done.status.success());
    let told = String::from_utf8(done.stderr).unwrap();
    for key in [
        "enrollment.signer.key: ",
        "enrollment.device_authorities: ",
        "webhooks.audit.key_file: ",
        "webhooks.audit.roots: ",
        "ade.roots: ",
        "filevault.certificate: ",
        "proxy.trusted: ",
        "sealing.former_key_files: ",
    ] {
        let named = format!("mdm-server: {key}");
        assert_eq!(told.matches(&named).count(), 1, "{key}: {told}");
    }
    assert_eq!(told.lines().count(), 8, "{told}");
    // Nothing was opened for that.
    assert!(!world.path("data").exists());
}

#[tokio::test]
async fn what_is_missing_is_told_before_anything_listens() {
    let mut world = World::new().await;
    world.more = "webhooks.audit.url = \"https://audit.example.com\"".to_owned();
    let done = world.task("data", &["serve"]);
    assert!(!done.status.success());
    let told = String::from_utf8(done.stderr).unwrap();
    assert!(told.contains("webhooks.audit.key"), "{told}");
}

#[tokio::test]
async fn a_new_key_is_its_owners_alone_and_never_written_over_another_file() {
    let world = World::new().await;
    let key = world.path("key");
    let before = std::fs::read(&key).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&key).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let done = world.run(&["new-key", &key.display().to_string()]);
    assert!(!done.status.success());
    assert_eq!(std::fs::read(&key).unwrap(), before);
}

#[tokio::test]
async fn what_a_server_that_is_told_to_stop_had_leased_another_takes_at_once() {
    let world = World::new().await;
    let server = world.start("data");
    world.enroll(&server, "C02MS0000001").await;
    let (ended_well, log) = server.stop();
    assert!(ended_well, "{log}");
    let database = world.path("data").join("mdm.sqlite");
    let store = SqliteStore::open(database).await.unwrap();
    for work in ["schedule", "events/inventory"] {
        let now = Utc::now();
        let until = now + TimeDelta::seconds(1);
        let taken = store.lease(work, "another", now, until).await.unwrap();
        assert!(taken, "{work}");
    }
}
