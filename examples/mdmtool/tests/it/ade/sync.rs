//! `sync`: what changed is told once, and the store goes on where it was left, whoever ended it.

use std::{
    io::{BufRead, BufReader},
    process::Child,
    sync::Arc,
    time::{Duration, Instant},
};

use ade_client::{AdeService, AdeStore, model::Profile, record::AccountId, store::DeviceFilter};
use mdm_core::{SerialNumber, SystemClock};
use mdm_fake_apple::ade::{Config, Fault, Trigger};
use mdm_storage::SqliteStore;
use mdm_transport_reqwest::ReqwestTransport;
use serde_json::{Value, json};

use super::world::World;
use crate::told::Told;

/// Asked for as often as a test likes.
const NOW: [&str; 4] = ["--store", "ade.db", "--manual-every", "0s"];

fn sync(world: &World, more: &[&str]) -> Told {
    world.ade(&[&["sync"], &NOW[..], more].concat())
}

fn sync_json(world: &World, more: &[&str]) -> Value {
    let told = sync(world, &[&["--json"], more].concat());
    told.succeeded();
    told.json()
}

fn list(document: &Value, key: &str) -> Vec<String> {
    let entries = document[key].as_array().unwrap().iter();
    entries
        .map(|entry| entry["serial_number"].as_str().unwrap().to_owned())
        .collect()
}

/// Whether the store has the devices that Apple has, and no other.
fn equals_apple(world: &World) -> bool {
    let account = AccountId::new("default").unwrap();
    let mut apples: Vec<String> = Vec::new();
    world
        .apple
        .for_each_device(|device| apples.push(device.serial_number.to_string()));
    let stored = world.wait(async {
        let store = SqliteStore::open(world.path("ade.db")).await.unwrap();
        let all = store
            .devices(&account, &DeviceFilter::Present, None, 100_000)
            .await
            .unwrap();
        store.close().await;
        all
    });
    let mut stored: Vec<String> = stored
        .iter()
        .map(|device| device.serial_number.as_str().to_owned())
        .collect();
    apples.sort();
    stored.sort();
    apples == stored
}

#[test]
fn what_changed_is_told_once() {
    let world = World::with(Config::default().with(|config| config.page_maximum = 4));
    let serials = world.apple.add_devices(10, 1);
    let told = sync_json(&world, &[]);
    assert_eq!(list(&told, "added").len(), 10);
    assert_eq!(told["round"], "full");
    assert_eq!(told["end"], "complete");
    assert!(told["next"].is_string());
    assert!(equals_apple(&world));
    let fetched = world.apple.count("/server/devices");

    let told = sync_json(&world, &[]);
    for key in [
        "added",
        "modified",
        "released",
        "assigned",
        "not_assigned",
        "warnings",
    ] {
        assert_eq!(told[key], json!([]), "{key}");
    }
    assert_eq!(
        world.apple.count("/server/devices"),
        fetched,
        "the store goes on by its cursor"
    );

    world
        .apple
        .add_device(json!({"serial_number": "C02NEW", "description": "MacBook\u{1b}[1m"}));
    world
        .apple
        .modify_device(&serials[0], json!({"asset_tag": "PO-1"}));
    world.apple.remove_device(&serials[1]);
    let told = sync_json(&world, &[]);
    assert_eq!(list(&told, "added"), ["C02NEW"]);
    assert_eq!(
        told["modified"],
        json!([{"serial_number": &*serials[0], "keys": ["asset_tag"]}])
    );
    assert_eq!(list(&told, "released"), [&*serials[1]]);
    assert!(equals_apple(&world));
}

#[test]
fn changes_are_lines_and_a_sum_behind_them() {
    let world = World::new();
    world
        .apple
        .add_device(json!({"serial_number": "C02NEW", "description": "Mac\u{1b}[1mBook"}));
    let told = sync(&world, &[]);
    told.succeeded();
    assert_eq!(
        told.stdout,
        "added        C02NEW         Mac [1mBook\n1 added; the store knows all that Apple knows\n"
    );
    world.apple.remove_device("C02NEW");
    let told = sync(&world, &[]);
    assert!(
        told.stdout.starts_with("released     C02NEW\n1 released;"),
        "{told:?}"
    );
    let told = sync(&world, &[]);
    assert_eq!(
        told.stdout,
        "nothing changed; the store knows all that Apple knows\n"
    );
}

#[test]
fn the_token_is_needed_once_and_its_store_is_its_owners_alone() {
    let world = World::new();
    world.apple.add_devices(1, 1);
    let without: Told = world
        .without_token(&["sync", "--store", "none.db"])
        .output()
        .unwrap()
        .into();
    without.failed(2, &["no server token", "--token"]);
    sync(&world, &[]).succeeded();
    let arguments = [&["sync"], &NOW[..]].concat();
    let without: Told = world.without_token(&arguments).output().unwrap().into();
    without.succeeded();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(world.path("ade.db"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }
}

#[test]
fn who_asks_too_often_is_told_when_to_come_again() {
    let world = World::new();
    let often = ["sync", "--store", "ade.db"];
    world.ade(&often).succeeded();
    // The first was due anyway; the second is the one that was asked for.
    world.ade(&often).succeeded();
    let requests = world.apple.traffic().total.requests;
    world
        .ade(&often)
        .failed(1, &["not before", "--manual-every"]);
    world
        .ade(&[&often[..], &["--json"]].concat())
        .error(1, "not_now");
    assert_eq!(world.apple.traffic().total.requests, requests);
}

#[test]
fn devices_in_the_store_get_the_profile_that_they_want() {
    let world = World::new();
    let serials = world.apple.add_devices(3, 1);
    sync(&world, &[]).succeeded();
    let uuid = world.wait(async {
        let store = SqliteStore::open(world.path("ade.db")).await.unwrap();
        let root = world.apple.root_certificate().to_pem();
        let transport = ReqwestTransport::builder()
            .no_proxy()
            .root(root.as_bytes())
            .build();
        let service = AdeService::builder(
            store.clone(),
            transport.unwrap(),
            Arc::new(SystemClock),
            "test/1",
        )
        .base_url(&world.apple.url())
        .build();
        let account = AccountId::new("default").unwrap();
        let profile = Profile::new("Office", "https://mdm.example.com/enrol");
        let defined = service
            .define_profile(&account, profile, None)
            .await
            .unwrap();
        let serials: Vec<SerialNumber> = serials.iter().map(|s| s.parse().unwrap()).collect();
        let uuid = defined.uuid.as_str();
        service
            .want_profile(&account, &serials, Some(uuid))
            .await
            .unwrap();
        store.close().await;
        defined.uuid
    });
    world
        .apple
        .fault(Fault::FailAssign([serials[1].to_string()].into()));
    let told = sync_json(&world, &[]);
    assert_eq!(list(&told, "assigned").len(), 2);
    assert_eq!(told["assigned"][0]["profile_uuid"], uuid.as_str());
    assert_eq!(
        told["not_assigned"],
        json!([{"serial_number": &*serials[1], "outcome": "FAILED"}])
    );
    let device = world.apple.device(&serials[0]).unwrap();
    assert_eq!(device["profile_uuid"], uuid.as_str());
    let told = sync_json(&world, &[]);
    assert_eq!(told["assigned"], json!([]));
    assert_eq!(told["not_assigned"], json!([]), "it cools down");
}

#[test]
fn a_full_fetch_finds_what_a_sync_does_not_tell() {
    let world = World::new();
    let serials = world.apple.add_devices(3, 1);
    sync(&world, &[]).succeeded();
    world.apple.remove_device(&serials[0]);
    world.apple.compact_log();
    let told = sync_json(&world, &["--full", "--full-every", "0s"]);
    assert_eq!(told["round"], "full");
    assert_eq!(list(&told, "released"), [&*serials[0]]);
    let told = sync_json(&world, &["--full"]);
    assert_eq!(
        told["round"], "delta",
        "another full fetch within a week is a delta"
    );
    assert!(equals_apple(&world));
}

#[test]
fn a_renewed_token_goes_on_and_another_servers_is_refused() {
    let world = World::new();
    world.apple.add_devices(2, 1);
    sync(&world, &[]).succeeded();
    world.new_token();
    let told = sync_json(&world, &[]);
    assert_eq!(told["added"], json!([]));
    let fetched = world.apple.count("/server/devices");
    assert_eq!(fetched, 1);

    let other = World::new();
    other.apple.add_devices(1, 7);
    let store = world.path("ade.db");
    let arguments = [
        "sync",
        "--manual-every",
        "0s",
        "--store",
        store.to_str().unwrap(),
    ];
    other
        .ade(&arguments)
        .failed(2, &["another server", "--force"]);
    assert!(equals_apple(&world));
    let told = other.json(&[&arguments[..], &["--force", "--account", "second"]].concat());
    assert_eq!(list(&told, "added").len(), 1);
    assert!(equals_apple(&world));
}

#[test]
fn trouble_ends_the_sync_and_loses_nothing() {
    let world = World::with(Config::default().with(|config| config.page_maximum = 5));
    world.apple.add_devices(40, 1);
    world.apple.arm(
        Trigger::path("/server/devices", 4),
        Fault::Answer {
            times: 1,
            status: 403,
            body: "T_C_NOT_SIGNED".into(),
            retry_after: None,
        },
    );
    let told = sync(&world, &["--json"]);
    told.error(1, "terms_not_signed");
    let document = told.json();
    assert_eq!(document["end"], "failed");
    assert_eq!(list(&document, "added").len(), 15);
    // Apple is left alone for a quarter of an hour then.
    sync(&world, &[]).failed(1, &["not before"]);
    world.new_token();
    let told = sync_json(&world, &[]);
    assert_eq!(list(&told, "added").len(), 25);
    assert!(equals_apple(&world));
}

#[test]
fn an_expired_token_and_a_file_that_is_no_store_are_told() {
    let world = World::new();
    world.write(
        "other.db",
        "hello, this is not a database, and it is long enough to look at".repeat(90),
    );
    let told = world.ade(&["sync", "--store", "other.db"]);
    told.failed(1, &["--store"]);
    let told = world.ade(&["sync", "--store", "nowhere/ade.db", "--json"]);
    told.error(1, "store");
    assert_eq!(world.apple.traffic().total.requests, 0);

    sync(&world, &[]).succeeded();
    world.apple.fault(Fault::ExpireToken);
    sync(&world, &[]).failed(1, &["expired", "download a new one"]);
    for (arguments, word) in [
        (["--manual-every", "soon"], "such as 15m"),
        (["--account", " "], "account's name"),
    ] {
        let told = world.ade(&[&["sync", "--store", "ade.db"], &arguments[..]].concat());
        assert_eq!(told.code, Some(2), "{told:?}");
        assert!(told.stderr.contains(word), "{told:?}");
    }
}

#[test]
fn killed_anywhere_it_goes_on_from_there() {
    let world = World::with(Config::default().with(|config| config.page_maximum = 10));
    world.apple.add_devices(1_000, 1);
    for pages in [1, 7, 30, 60] {
        let mut child = start(&world, &[]);
        until(|| world.apple.count("/server/devices") >= pages);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let before = world.apple.count("/server/devices");
    assert!(
        before < 100,
        "{before} of 100 pages: it was killed on the way"
    );
    let told = sync_json(&world, &[]);
    assert_eq!(told["end"], "complete");
    assert!(equals_apple(&world));
    let all = world.apple.count("/server/devices");
    assert!(
        all <= 100 + 4 + 1,
        "{all}: of each killed one at most a page is asked for again"
    );
}

#[cfg(unix)]
#[test]
fn an_interrupted_one_ends_behind_the_running_step() {
    let world = World::with(Config::default().with(|config| config.page_maximum = 10));
    world.apple.add_devices(2_000, 1);
    let child = start(&world, &[]);
    until(|| world.apple.count("/server/devices") >= 5);
    interrupt(&child);
    let told: Told = child.wait_with_output().unwrap().into();
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(told.stderr.contains("interrupted"), "{told:?}");
    let first = told
        .stdout
        .lines()
        .filter(|line| line.starts_with("added"))
        .count();
    assert!(first >= 30, "{first}");
    let told = sync_json(&world, &[]);
    assert_eq!(
        first + list(&told, "added").len(),
        2_000,
        "each is told once"
    );
    assert!(equals_apple(&world));
}

#[cfg(unix)]
#[test]
fn watching_goes_on_by_its_intervals_until_interrupted() {
    let world = World::new();
    world.apple.add_device(json!({"serial_number": "C02A"}));
    let mut child = start(&world, &["--watch", "--json", "--delta-every", "1s"]);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut next = || -> Value { serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap() };
    let first = next();
    assert_eq!(list(&first, "added"), ["C02A"]);
    world.apple.add_device(json!({"serial_number": "C02B"}));
    let second = loop {
        let document = next();
        if document["added"] != json!([]) {
            break document;
        }
    };
    assert_eq!(second["round"], "delta");
    assert_eq!(list(&second, "added"), ["C02B"]);
    interrupt(&child);
    for rest in lines {
        serde_json::from_str::<Value>(&rest.unwrap()).unwrap();
    }
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(0));
    assert!(equals_apple(&world));
}

#[cfg(unix)]
#[test]
fn trouble_is_told_while_watching_and_does_not_end_it() {
    let world = World::new();
    world.apple.fault(Fault::TermsNotSigned);
    sync(&world, &[]).failed(1, &["accept the new terms"]);
    world.apple.clear_faults();
    sync(&world, &[]).succeeded();
    world.apple.fault(Fault::TermsNotSigned);
    let mut child = start(&world, &["--watch", "--json", "--delta-every", "0s"]);
    let mut errors = BufReader::new(child.stderr.take().unwrap()).lines();
    let error: Value = serde_json::from_str(&errors.next().unwrap().unwrap()).unwrap();
    assert_eq!(error["error"]["kind"], "terms_not_signed");
    assert!(child.try_wait().unwrap().is_none(), "it waits");
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

fn start(world: &World, more: &[&str]) -> Child {
    world.start(&[&["sync"], &NOW[..], more].concat())
}

/// Waits for something that another process does.
fn until(mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(
            began.elapsed() < Duration::from_secs(120),
            "it does not happen"
        );
        std::thread::yield_now();
    }
}

#[cfg(unix)]
fn interrupt(child: &Child) {
    let status = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(status.unwrap().success());
}
