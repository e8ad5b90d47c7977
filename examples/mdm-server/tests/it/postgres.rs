//! The same over PostgreSQL.

use mdm_scratch_postgres::Server as Postgres;
use serde_json::json;

use crate::world::{World, id};

/// A database server of the test's own, unless PostgreSQL is missing.
fn postgres() -> Option<Postgres> {
    let started = Postgres::builder().start().unwrap();
    if started.is_none() {
        let required = std::env::var("REQUIRE_PEERS").as_deref() == Ok("1");
        assert!(!required, "PostgreSQL is missing");
        eprintln!("skipped: PostgreSQL is missing");
    }
    started
}

async fn world_over(postgres: &Postgres) -> World {
    postgres.create("mdm").unwrap();
    let mut world = World::new().await;
    world.more = format!("database_url = {}", json!(postgres.address("mdm")));
    world
}

#[tokio::test]
async fn another_node_goes_on_where_one_on_the_same_postgresql_ended() {
    let Some(postgres) = postgres() else { return };
    let world = world_over(&postgres).await;
    let first = world.start("first");
    let mut device = world.enroll(&first, "C02MS0000001").await;
    world.call(&mut device).await;
    let name = id(&device);
    let command = json!({
        "enrollments": [name], "request_type": "ProfileList", "command_uuid": "C-1",
    });
    first.post("/v1/commands", &command).await;
    drop(first);

    // They share the database and nothing else.
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

#[tokio::test]
async fn fresh_nodes_that_start_at_once_on_an_empty_database_agree_on_one_authority() {
    let Some(postgres) = postgres() else { return };
    let world = world_over(&postgres).await;
    let nodes = world.start_all(&["first", "second", "third"]);
    let mut authorities = Vec::new();
    for node in &nodes {
        world.point_to(node);
        let ask = format!("{}/scep?operation=GetCACert", world.url());
        authorities.push(world.get(&ask).await.1);
    }
    assert!(authorities.iter().all(|it| *it == authorities[0]));

    // What one has begun another goes on with: tickets, challenges, signed profiles, identities.
    world.point_to(&nodes[0]);
    let mut device = world.enroll(&nodes[1], "C02MS0000001").await;
    world.call(&mut device).await;
    let path = format!("/v1/enrollments/{}", id(&device));
    assert_eq!(nodes[2].get(&path).await["status"], "enrolled");
}
