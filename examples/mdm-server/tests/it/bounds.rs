//! What strangers can make the server do, hold or tell, and what of it has an end.

use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::world::{PATIENCE, World, id};

/// A server behind a proxy speaks plain HTTP: what is written arrives as it is.
async fn plain(more: &str) -> World {
    let mut world = World::new().await;
    world.tls = false;
    world.more = more.to_owned();
    world
}

async fn connected(world: &World) -> TcpStream {
    let address = world.url().replace("https://", "");
    TcpStream::connect(address).await.unwrap()
}

fn head(path: &str, length: usize) -> String {
    format!("PUT {path} HTTP/1.1\r\nhost: mdm\r\ncontent-length: {length}\r\n\r\n")
}

/// What is answered until the connection pauses.
async fn answer(stream: &mut TcpStream) -> String {
    let mut read = vec![0; 4_096];
    let length = timeout(PATIENCE, stream.read(&mut read)).await;
    read.truncate(length.expect("an answer in time").unwrap());
    String::from_utf8(read).unwrap().to_ascii_lowercase()
}

#[tokio::test]
async fn large_bodies_have_a_budget_and_small_ones_pass_all_the_same() {
    let world = plain("listen.body_megabytes = 1").await;
    let _server = world.start("data");
    // Too large by its own word: nothing is read.
    let mut stream = connected(&world).await;
    let told = head("/mdm", 17 << 20);
    stream.write_all(told.as_bytes()).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("http/1.1 413"));

    let mut holding = connected(&world).await;
    holding
        .write_all(head("/mdm", 1 << 20).as_bytes())
        .await
        .unwrap();
    let most = vec![b'x'; (1 << 20) - 1];
    holding.write_all(&most).await.unwrap();
    let refused = async {
        loop {
            let mut stream = connected(&world).await;
            let told = head("/mdm", 1 << 20);
            stream.write_all(told.as_bytes()).await.unwrap();
            // Until the first has been read it may be let in.
            if let Ok(length) = timeout(Duration::from_millis(100), stream.readable()).await {
                length.unwrap();
                return answer(&mut stream).await;
            }
        }
    };
    let refused = timeout(PATIENCE, refused).await.expect("a refusal in time");
    assert!(refused.starts_with("http/1.1 503"), "{refused}");
    assert!(refused.contains("retry-after: "), "{refused}");

    let mut small = connected(&world).await;
    small
        .write_all(format!("{}x", head("/mdm", 1)).as_bytes())
        .await
        .unwrap();
    assert!(answer(&mut small).await.starts_with("http/1.1 400"));
    // Once the first is answered there is room again.
    holding.write_all(b"x").await.unwrap();
    assert!(answer(&mut holding).await.starts_with("http/1.1 400"));
    let mut large = connected(&world).await;
    let told = head("/mdm", 1 << 20);
    large.write_all(told.as_bytes()).await.unwrap();
    large.write_all(&most).await.unwrap();
    large.write_all(b"x").await.unwrap();
    assert!(answer(&mut large).await.starts_with("http/1.1 400"));
}

#[tokio::test]
async fn who_takes_too_long_is_told_to_come_again() {
    let world = plain("listen.request_seconds = 1").await;
    let _server = world.start("data");
    let mut stream = connected(&world).await;
    stream.write_all(head("/mdm", 2).as_bytes()).await.unwrap();
    let late = answer(&mut stream).await;
    assert!(late.starts_with("http/1.1 503"), "{late}");
    assert!(late.contains("retry-after: "), "{late}");
}

#[tokio::test]
async fn a_link_has_one_challenge_at_a_time_and_some_in_an_hour() {
    let world = World::new().await;
    let server = world.start("data");
    let link = server.post("/v1/invitations", &json!({})).await;
    let link = link["url"].as_str().unwrap();
    let (_, first) = world.get(link).await;
    let (_, again) = world.get(link).await;
    assert_eq!(first, again);
    let activation = world.activation("").await;
    let mut refused = None;
    for _ in 0..50 {
        let (status, profile) = world.get(link).await;
        if status != StatusCode::OK {
            refused = Some(status);
            break;
        }
        // Who spends each challenge gets some more, and not as many as they like.
        let mut device = world.device("C02MS0000001");
        device
            .install_enrollment_profile(&profile, &activation)
            .unwrap();
        device.obtain_identity().await.unwrap();
    }
    assert_eq!(refused, Some(StatusCode::SERVICE_UNAVAILABLE));
    let other = server.post("/v1/invitations", &json!({})).await;
    let (status, _) = world.get(other["url"].as_str().unwrap()).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn a_device_that_asks_again_gets_the_profile_that_it_has_not_used_yet() {
    let mut world = World::new().await;
    world.more = "enrollment.any_device = true".to_owned();
    let _server = world.start("data");
    let url = format!("{}/enroll/automated", world.url());
    let activation = world.activation(&url).await;
    let device = world.device("C02MS0000001");
    let first = device.ask_for_profile(&activation).await.unwrap();
    let again = device.ask_for_profile(&activation).await.unwrap();
    assert_eq!(first, again);
    let other = world.device("C02MS0000002");
    let other = other.ask_for_profile(&activation).await.unwrap();
    assert_ne!(first, other);
}

#[tokio::test]
async fn one_refusal_is_told_once_however_often_it_is_asked_for() {
    let mut world = World::new().await;
    world.file("hook-key", "a key that requests are signed with");
    // Nobody listens: what is told waits.
    world.more = format!(
        "webhooks.audit = {{ url = \"http://127.0.0.1:9/hook\", key_file = \"{}\" }}",
        world.path("hook-key").display()
    );
    let server = world.start("data");
    let url = format!("{}/enroll/automated", world.url());
    let activation = world.activation(&url).await;
    for serial in ["C02MS0000001", "C02MS0000002"] {
        let device = world.device(serial);
        for _ in 0..20 {
            device.ask_for_profile(&activation).await.unwrap_err();
        }
    }
    let (_, text) = server
        .ask(http::Method::GET, "/metrics", crate::world::TOKEN, None)
        .await;
    let text = String::from_utf8(text.to_vec()).unwrap();
    let sample = "mdm_events_waiting{subscriber=\"webhook/audit\"} 2";
    assert!(text.contains(sample), "{text}");
}

#[tokio::test]
async fn the_log_names_no_invitation() {
    let world = World::new().await;
    let server = world.start("data");
    let link = server.post("/v1/invitations", &json!({})).await;
    let link = link["url"].as_str().unwrap();
    let (_, invitation) = link.split_once("invitation=").unwrap();
    let (_, profile) = world.get(link).await;
    let mut device = world.device("C02MS0000001");
    let activation = world.activation("").await;
    device
        .install_enrollment_profile(&profile, &activation)
        .unwrap();
    device.obtain_identity().await.unwrap();
    device.authenticate().await.unwrap();
    device.update_token().await.unwrap();
    world.call(&mut device).await;
    let path = format!("/v1/enrollments/{}", id(&device));
    assert_eq!(server.get(&path).await["status"], "enrolled");
    let (_, log) = server.stop();
    assert!(log.contains("identity issued"), "{log}");
    assert!(!log.contains(invitation), "{log}");
}

#[tokio::test]
async fn an_error_in_the_settings_shows_none_of_them() {
    let mut world = World::new().await;
    for more in [
        "admin.token = hunter2hunter2",
        "admin.token = \"hunter2hunter2",
        "sealing.key = [\"hunter2hunter2\"]",
        "push = \"hunter2hunter2\"",
        "webhooks = \"hunter2hunter2\"",
        "webhooks.audit = \"hunter2hunter2\"",
    ] {
        world.more = more.to_owned();
        let done = world.task("data", &["check"]);
        assert!(!done.status.success(), "{more}");
        let told = String::from_utf8(done.stderr).unwrap();
        assert!(!told.contains("hunter2"), "{more}: {told}");
        assert!(!told.trim().is_empty(), "{more}");
    }
}

#[tokio::test]
async fn an_enrolment_that_does_not_open_keeps_nothing_else_from_being_done() {
    let mut world = World::new().await;
    world.more = "schedule.every_seconds = 1".to_owned();
    let server = world.start("data");
    let device = world.enroll(&server, "C02MS0000001").await;
    let other = world.enroll(&server, "C02MS0000002").await;
    let end = chrono::Utc::now() + chrono::TimeDelta::seconds(2);
    let command = json!({
        "enrollments": [id(&device)], "request_type": "ProfileList", "command_uuid": "C-1",
        "expires_at": end,
    });
    server.post("/v1/commands", &command).await;
    let (ended_well, log) = server.stop();
    assert!(ended_well, "{log}");
    let database = rusqlite::Connection::open(world.path("data").join("mdm.sqlite")).unwrap();
    let damaged = database.execute(
        "UPDATE enrollments SET unlock_token = x'00' WHERE id = ?1",
        [id(&other)],
    );
    assert_eq!(damaged.unwrap(), 1);
    drop(database);

    let server = world.start("data");
    let path = format!("/v1/enrollments/{}/commands/C-1", id(&device));
    let expired = async {
        while server.get(&path).await["state"] != "expired" {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, expired).await.expect("an end in time");
    assert!(server.log().contains("look at all devices"));
}

/// With ACME, for devices of nobody.
async fn with_acme(more: &str) -> World {
    let mut world = plain("").await;
    let roots = json!(world.path("factory.pem"));
    world.more = format!("acme.attestation_roots = {roots}\n{more}");
    world
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_to_come_later_by_each_server_on_its_own() {
    let world = with_acme("limits.requests_per_peer = 2").await;
    let _server = world.start("data");
    for path in ["/scep?operation=GetCACaps", "/acme/directory", "/ocsp/MAA"] {
        let mut statuses = Vec::new();
        for _ in 0..3 {
            let mut stream = connected(&world).await;
            let told = format!("GET {path} HTTP/1.1\r\nhost: mdm\r\n\r\n");
            stream.write_all(told.as_bytes()).await.unwrap();
            let answer = answer(&mut stream).await;
            statuses.push(answer.starts_with("http/1.1 429"));
        }
        assert_eq!(statuses, [false, false, true], "{path}");
    }
}

#[tokio::test]
async fn what_clients_of_acme_leave_behind_is_forgotten() {
    let world = with_acme("schedule.every_seconds = 1").await;
    let server = world.start("data");
    let (ended_well, log) = server.stop();
    assert!(ended_well, "{log}");
    let database = rusqlite::Connection::open(world.path("data").join("mdm.sqlite")).unwrap();
    let kept = "INSERT INTO acme_nonce (id, expires_at) VALUES (x'01', 1)";
    assert_eq!(database.execute(kept, []).unwrap(), 1);
    let server = world.start("data");
    let forgotten = async {
        let count = "SELECT count(*) FROM acme_nonce";
        while database.query_row(count, [], |row| row.get::<_, i64>(0)) != Ok(0) {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, forgotten).await.expect("an end in time");
    drop(server);
}
