//! The same over PostgreSQL.

use std::fs;

use serde_json::json;

use crate::world::{World, id};

#[tokio::test]
async fn another_node_goes_on_where_one_on_the_same_postgresql_ended() {
    let Some(postgres) = mdm_scratch_postgres::Server::builder().start().unwrap() else {
        let required = std::env::var("REQUIRE_PEERS").as_deref() == Ok("1");
        assert!(!required, "PostgreSQL is missing");
        eprintln!("skipped: PostgreSQL is missing");
        return;
    };
    postgres.create("mdm").unwrap();
    let mut world = World::new().await;
    world.more = format!("database_url = {}", json!(postgres.address("mdm")));
    let first = world.start("first");
    let mut device = world.enroll(&first, "C02MS0000001").await;
    world.call(&mut device).await;
    let name = id(&device);
    let command = json!({
        "enrollments": [name], "request_type": "ProfileList", "command_uuid": "C-1",
    });
    first.post("/v1/commands", &command).await;
    drop(first);

    // Each node has the sealed files of the first.
    fs::create_dir(world.path("second")).unwrap();
    for entry in fs::read_dir(world.path("first")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        assert_ne!(name, "mdm.sqlite");
        if name.to_str().unwrap().ends_with(".sealed") {
            fs::copy(entry.path(), world.path("second").join(name)).unwrap();
        }
    }
    let second = world.start("second");
    assert_eq!(device.poll().await.unwrap(), ["ProfileList"]);
    let answered = second
        .get(&format!("/v1/enrollments/{name}/commands/C-1"))
        .await;
    assert_eq!(answered["status"], "Acknowledged");
    let backup = world.path("backup").display().to_string();
    let refused = world.task("second", &["backup", &backup]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("pg_dump"));
}
