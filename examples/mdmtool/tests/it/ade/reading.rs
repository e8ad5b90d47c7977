//! What only asks: the account, the devices, a profile, the beta programmes.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use mdm_fake_apple::{
    ade::{Config, Fault},
    http::Server,
};
use serde_json::{Value, json};

use super::world::{World, program};
use crate::told::Told;

const SERIAL: &str = "C02AAAAAAAAA";

#[test]
fn the_account_is_told_as_text_and_as_json() {
    let world = World::new();
    let told = world.ade(&["account"]);
    told.succeeded();
    for words in [
        "server_name",
        "Fake MDM",
        "/server/devices: at most 1000",
        "the token ends on ",
    ] {
        assert!(told.stdout.contains(words), "{words}: {told:?}");
    }
    let told = world.json(&["account"]);
    assert_eq!(told["account"]["org_name"], "Fake Organization");
    assert!(told["token"]["days_left"].as_i64().unwrap() > 360);
}

#[test]
fn apple_is_told_the_programs_name_and_version() {
    let world = World::new();
    let seen = Arc::new(Mutex::new(BTreeSet::new()));
    let names = Arc::clone(&seen);
    let server = Server::builder().start(move |request| {
        let name = request.headers()["user-agent"].to_str().unwrap().to_owned();
        names.lock().unwrap().insert(name);
        async { http::Response::new(Bytes::from_static(br#"{"auth_session_token":"s"}"#)) }
    });
    let server = world.wait(server).unwrap();
    let told: Told = program(world.folder.path())
        .args(["ade", "account", "--token", "token.p7m", "--key", "key.pem"])
        .args(["--url", &server.url()])
        .output()
        .unwrap()
        .into();
    told.succeeded();
    let name = concat!("mdmtool/", env!("CARGO_PKG_VERSION")).to_owned();
    assert_eq!(*seen.lock().unwrap(), BTreeSet::from([name]));
}

#[test]
fn devices_are_listed_page_by_page() {
    let world = World::with(Config::default().with(|config| config.page_maximum = 7));
    let mut serials: Vec<String> = world
        .apple
        .add_devices(30, 1)
        .iter()
        .map(|serial| serial.to_string())
        .collect();
    let told = world.json(&["devices"]);
    let mut listed: Vec<String> = told["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|device| device["serial_number"].as_str().unwrap().to_owned())
        .collect();
    listed.sort();
    serials.sort();
    assert_eq!(listed, serials);
    assert_eq!(told["complete"], true);
    assert_eq!(told["unreadable"], json!([]));
    assert!(world.apple.count("/server/devices") >= 5);

    let told = world.ade(&["devices"]);
    told.succeeded();
    assert_eq!(told.stdout.lines().count(), 31);
    assert!(told.stdout.starts_with("SERIAL"), "{told:?}");
}

#[test]
fn no_device_is_a_list_too() {
    let world = World::new();
    assert_eq!(
        world.json(&["devices"]),
        json!({"devices": [], "unreadable": [], "complete": true})
    );
}

#[test]
fn a_list_that_ends_early_is_a_document_that_says_so() {
    let world = World::with(Config::default().with(|config| config.page_maximum = 5));
    world.apple.add_devices(20, 1);
    world.apple.fault(Fault::RepeatCursor { times: 9 });
    let told = world.ade(&["devices", "--json"]);
    let error = told.error(1, "unreadable");
    assert!(error["next"].is_string());
    let list: Value = told.json();
    assert_eq!(list["complete"], false);
    assert!(!list["devices"].as_array().unwrap().is_empty());
}

#[test]
fn a_page_given_twice_lists_its_devices_once() {
    let world = World::with(Config::default().with(|config| config.page_maximum = 5));
    world.apple.add_devices(20, 1);
    world.apple.fault(Fault::DuplicatePage);
    let told = world.json(&["devices"]);
    assert_eq!(told["devices"].as_array().unwrap().len(), 20);
    assert_eq!(world.apple.fired().len(), 1);
}

#[test]
fn a_device_is_told_with_all_that_apple_knows() {
    let world = World::new();
    world.apple.add_device(json!({
        "serial_number": SERIAL, "device_family": "Mac", "os": "OSX",
        "description": "up\u{1b}[2Jper", "imei": ["35 1", "35 2"],
    }));
    let told = world.ade(&["devices", SERIAL]);
    told.succeeded();
    assert!(told.stdout.contains("35 1, 35 2"), "{told:?}");
    assert!(told.stdout.contains("up [2Jper"), "{told:?}");
    assert!(!told.stdout.contains('\u{1b}'));
    let listed = world.ade(&["devices"]);
    assert!(listed.stdout.contains(SERIAL) && !listed.stdout.contains('\u{1b}'));

    let told = world.ade(&["devices", SERIAL, "C02ZZZZZZZZZ", "--json"]);
    let error = told.error(1, "devices");
    assert_eq!(error["message"], "1 of 2 devices not known to the server");
    let devices = told.json()["devices"].clone();
    assert_eq!(devices[0]["outcome"], "SUCCESS");
    assert_eq!(devices[0]["device"]["os"], "OSX");
    assert_eq!(devices[1]["outcome"], "NOT_ACCESSIBLE");
    assert_eq!(devices[1]["device"], Value::Null);
}

#[test]
fn beta_tokens_are_shown_only_when_asked_for() {
    let world = World::new();
    let hidden = world.json(&["beta-tokens"]);
    let shown = world.json(&["beta-tokens", "--redact=false"]);
    let tokens = shown["tokens"].as_array().unwrap();
    assert!(!tokens.is_empty());
    for (hidden, shown) in hidden["tokens"].as_array().unwrap().iter().zip(tokens) {
        assert_eq!(hidden["token"], "[redacted]");
        assert_eq!(hidden["title"], shown["title"]);
        assert_ne!(shown["token"], "[redacted]");
        let secret = shown["token"].as_str().unwrap();
        assert!(!world.ade(&["beta-tokens"]).stdout.contains(secret));
    }
    world.apple.configure(|config| config.seed_for_it = false);
    world
        .ade(&["beta-tokens"])
        .failed(1, &["APPLE_SEED_FOR_IT_TURNED_OFF", "Switch AppleSeed"]);
}
