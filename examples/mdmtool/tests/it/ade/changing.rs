//! What changes something at Apple: profiles, their assignment, giving devices up.

use std::{collections::HashSet, time::Duration};

use mdm_fake_apple::ade::{Config, Fault, Outcome, Trigger};
use serde_json::{Value, json};

use super::world::World;

const PROFILE: &str =
    r#"{"profile_name":"Office","url":"https://mdm.example.com/enrol","is_mandatory":true}"#;

fn devices(world: &World, count: usize) -> Vec<String> {
    let serials = world.apple.add_devices(count, 1);
    serials.iter().map(|serial| serial.to_string()).collect()
}

fn define(world: &World) -> String {
    world.write("profile.json", PROFILE);
    let told = world.ade(&["profile", "define", "profile.json"]);
    told.succeeded();
    told.stdout.trim().to_owned()
}

#[test]
fn a_profile_is_defined_shown_assigned_and_taken_away() {
    let world = World::new();
    let serials = devices(&world, 2);
    let uuid = define(&world);
    assert_eq!(uuid.len(), 32, "{uuid}");

    let shown = world.json(&["profile", "show", &uuid]);
    assert_eq!(shown["profile_name"], "Office");
    assert_eq!(shown["is_mandatory"], true);
    let text = world.ade(&["profile", "show", &uuid]);
    assert!(text.stdout.contains("profile_name"), "{text:?}");

    let told = world.ade(&["assign", &uuid, &serials[0], &serials[1]]);
    told.succeeded();
    assert_eq!(
        told.stdout,
        format!("{:<14} SUCCESS\n{:<14} SUCCESS\n", serials[0], serials[1])
    );
    let device = world.apple.device(&serials[1]).unwrap();
    assert_eq!(device["profile_uuid"], uuid.as_str());

    let told = world.json(&["profile", "remove", &serials[0]]);
    assert_eq!(
        told,
        json!({"devices": [{"serial_number": serials[0], "outcome": "SUCCESS"}],
               "succeeded": 1, "failed": 0})
    );
    let device = world.apple.device(&serials[0]).unwrap();
    assert_ne!(device["profile_status"], "assigned");
}

#[test]
fn what_was_shown_can_be_defined_again_as_another_profile() {
    let world = World::new();
    let uuid = define(&world);
    let shown = world.json(&["profile", "show", &uuid]);
    world.write("again.json", shown.to_string());
    let told = world.json(&["profile", "define", "again.json"]);
    assert_ne!(told["profile_uuid"], uuid.as_str());
    assert_eq!(told["unknown_keys"], json!([]));
}

#[test]
fn a_key_that_apple_does_not_have_is_remarked_on() {
    let world = World::new();
    world.write(
        "odd.json",
        r#"{"profile_name":"n","url":"https://m.example","supervised":true,"brand_new":1}"#,
    );
    let told = world.ade(&["profile", "define", "odd.json"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stderr.contains("\"supervised\"") && told.stderr.contains("is_supervised"));
    assert!(told.stderr.contains("\"brand_new\""), "{told:?}");
    let told = world.json(&["profile", "define", "odd.json"]);
    assert_eq!(told["unknown_keys"], json!(["brand_new", "supervised"]));

    world.write(
        "type.json",
        r#"{"profile_name":"n","url":"https://m.example","is_mandatory":"yes"}"#,
    );
    let told = world.ade(&["profile", "define", "type.json"]);
    assert_eq!(told.code, Some(1), "{told:?}");
    assert!(
        told.stderr
            .contains("\"is_mandatory\" is unknown, or its value"),
        "{told:?}"
    );
    assert!(told.stderr.contains("MALFORMED_REQUEST_BODY"), "{told:?}");
}

#[test]
fn what_apple_refuses_of_a_profile_comes_with_what_to_change() {
    let world = World::new();
    world.write(
        "flags.json",
        r#"{"profile_name":"n","url":"https://m.example","is_mdm_removable":false,"is_supervised":false}"#,
    );
    let told = world.ade(&["profile", "define", "flags.json"]);
    told.failed(1, &["FLAGS_INVALID", "needs is_supervised: true"]);
    let error = world
        .ade(&["profile", "define", "flags.json", "--json"])
        .error(1, "refused");
    assert_eq!(error["code"], "FLAGS_INVALID");
    assert_eq!(error["status"], 400);
    assert_eq!(error["endpoint"], "profile");
    assert_eq!(world.apple.profile_count(), 0);

    for text in ["", "[]", "7", "{", "{\"profile_name\":"] {
        world.write("bad.json", text);
        world
            .ade(&["profile", "define", "bad.json"])
            .failed(2, &["cannot be read"]);
    }
}

#[test]
fn a_profile_that_is_not_there_is_told_as_that() {
    let world = World::new();
    let serials = devices(&world, 1);
    let none = "0".repeat(32);
    let told = world.ade(&["assign", &none, &serials[0], "--json"]);
    told.error(1, "profile_not_found");
    assert_eq!(told.json()["devices"][0]["outcome"], "request_failed");
    world
        .ade(&["profile", "show", &none])
        .failed(1, &["profile define"]);
}

#[test]
fn every_device_has_its_verdict_also_where_some_fail() {
    let world = World::new();
    let serials = devices(&world, 4);
    let uuid = define(&world);
    world.apple.fault(Fault::Throttle {
        serials: HashSet::from([serials[1].clone()]),
        retry_after: Duration::from_secs(3600),
    });
    world
        .apple
        .fault(Fault::FailAssign(HashSet::from([serials[2].clone()])));
    world.write(
        "list.csv",
        format!(
            "Serial Number,Name\n{}\n{}\n{}\n{}\nC02ZZZZZZZZZ\n",
            serials[0], serials[1], serials[2], serials[3]
        ),
    );
    let told = world.ade(&["assign", &uuid, "--file", "list.csv", "--json"]);
    let error = told.error(1, "devices");
    assert_eq!(error["message"], "3 of 5 devices not assigned");
    let document = told.json();
    let outcomes: Vec<_> = document["devices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|d| d["outcome"].as_str().unwrap())
        .collect();
    assert_eq!(
        outcomes,
        [
            "SUCCESS",
            "THROTTLED",
            "FAILED",
            "SUCCESS",
            "NOT_ACCESSIBLE"
        ]
    );
    assert_eq!(document["succeeded"], 2);
    assert_eq!(document["failed"], 3);
    assert_eq!(document["retry_after_seconds"], 3600);
}

#[test]
fn a_request_that_fails_leaves_a_verdict_for_every_device() {
    let world = World::new();
    let serials = devices(&world, 2500);
    let uuid = define(&world);
    world.write("all.txt", serials.join("\n"));
    world.apple.arm(
        Trigger::path("/profile/devices", 2),
        Fault::Answer {
            times: 1,
            status: 403,
            body: "T_C_NOT_SIGNED".into(),
            retry_after: None,
        },
    );
    let told = world.ade(&["assign", &uuid, "--file", "all.txt", "--json"]);
    told.error(1, "terms_not_signed");
    let document = told.json();
    let outcomes = document["devices"].as_array().unwrap();
    let with = |word: &str| outcomes.iter().filter(|d| d["outcome"] == word).count();
    assert_eq!(outcomes.len(), 2500);
    assert_eq!(
        (with("SUCCESS"), with("request_failed"), with("not_sent")),
        (1000, 1000, 500)
    );
}

#[test]
fn nothing_is_disowned_without_saying_yes() {
    let world = World::with(Config::default().with(|config| config.disown_allowed = true));
    let serials = devices(&world, 3);
    let told = world.ade(&["disown", &serials[0], &serials[1]]);
    told.failed(2, &["2 devices would leave", "Say --yes"]);
    assert_eq!(world.apple.device_count(), 3);
    assert_eq!(world.apple.traffic().total.requests, 0);

    let told = world.ade(&["disown", &serials[0], "--yes"]);
    told.succeeded();
    assert!(told.stdout.contains("SUCCESS"));
    assert!(world.apple.device(&serials[0]).is_none());

    world.apple.fault(Fault::NextDevices {
        count: 1,
        outcome: Outcome::Failed,
    });
    let told = world.ade(&["disown", &serials[1], "--yes", "--json"]);
    told.error(1, "devices");
    assert_eq!(told.json()["devices"][0]["outcome"], "FAILED");

    world
        .apple
        .configure(|config| config.disown_allowed = false);
    world
        .ade(&["disown", &serials[1], "--yes"])
        .failed(1, &["ACCESS_DENIED", "allow it"]);
    assert_eq!(world.apple.device_count(), 2);
}

#[test]
fn serial_numbers_that_are_none_are_refused_before_anything_is_sent() {
    let world = World::new();
    for (arguments, words) in [
        (&["assign", "P"][..], "no serial number is given"),
        (&["profile", "remove"], "no serial number is given"),
        (&["disown", "--yes"], "no serial number is given"),
        (
            &["assign", "P", "C02 A"],
            "\"C02 A\" on the command line is no serial number",
        ),
        (
            &["assign", "P", "--file", "nowhere.txt"],
            "cannot read nowhere.txt",
        ),
        (&["devices", "--file", "binary"], "not text"),
        (&["devices", "--file", "empty"], "no serial number is given"),
    ] {
        world.write("binary", b"\xff\xfe\x00");
        world.write("empty", "# none\n\n");
        world.ade(arguments).failed(2, &[words]);
    }
    assert_eq!(world.apple.traffic().total.requests, 0);
    let value: Value = world.ade(&["assign", "P", "--json"]).error(2, "input");
    assert!(value["next"].as_str().unwrap().contains("--file"));
}
