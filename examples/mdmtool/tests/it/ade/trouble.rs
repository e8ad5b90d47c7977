//! What keeps a command from working, and what it then says: to a person in a line, to a program in JSON.

use std::time::Duration;

use mdm_fake_apple::ade::{Config, Fault, Trigger};
use serde_json::Value;

use super::world::{World, program};
use crate::told::Told;

#[test]
fn trouble_with_the_token_says_what_to_do() {
    for (fault, kind, words) in [
        (Fault::ExpireToken, "token_expired", "download a new one"),
        (
            Fault::RevokeToken,
            "token_revoked",
            "the administrator who downloaded it",
        ),
        (Fault::NewerToken, "token_superseded", "downloaded last"),
        (
            Fault::TermsNotSigned,
            "terms_not_signed",
            "accept the new terms",
        ),
    ] {
        let world = World::new();
        world.apple.fault(fault);
        let told = world.ade(&["account"]);
        assert!(told.stdout.is_empty());
        told.failed(1, &[words]);
        let error = world.ade(&["account", "--json"]).error(1, kind);
        assert!(error["next"].as_str().unwrap().contains(words), "{error}");
        assert!(error["status"].is_u64());
    }
}

#[test]
fn a_renewed_token_ends_the_trouble() {
    let world = World::new();
    world.apple.fault(Fault::ExpireToken);
    world.ade(&["account"]).failed(1, &["expired"]);
    world.new_token();
    world.ade(&["account"]).succeeded();
}

#[test]
fn an_apple_that_is_busy_says_when_to_come_again() {
    let world = World::new();
    world.apple.fault(Fault::Busy {
        times: 99,
        status: 503,
        wait: Duration::from_secs(7200),
        as_date: false,
    });
    world
        .ade(&["account"])
        .failed(1, &["503", "Try again in 7200 seconds"]);
    world.ade(&["account", "--json"]).error(1, "busy");
}

#[test]
fn a_server_that_nobody_vouches_for_or_that_is_not_there_is_not_talked_to() {
    let world = World::new();
    let without_ca = |url: &str| -> Told {
        program(world.folder.path())
            .args([
                "ade",
                "account",
                "--token",
                "token.p7m",
                "--key",
                "key.pem",
                "--url",
                url,
            ])
            .output()
            .unwrap()
            .into()
    };
    let told = without_ca(&world.apple.url());
    told.failed(1, &["no answer", "--ca"]);
    assert_eq!(world.apple.traffic().total.requests, 0);
    without_ca("not a url").failed(2, &["base URL"]);

    world.write("no-ca.pem", "hello");
    let told: Told = program(world.folder.path())
        .args(["ade", "account", "--token", "token.p7m", "--key", "key.pem"])
        .args(["--url", &world.apple.url(), "--ca", "no-ca.pem"])
        .output()
        .unwrap()
        .into();
    told.failed(2, &["root"]);
}

#[test]
fn an_answer_that_is_none_of_apples_ends_the_command_with_a_hint() {
    let long = "x".repeat(4 * 1024 * 1024);
    for (status, body, kind) in [
        (
            200,
            "<html>sign in to the wireless network</html>",
            "unreadable",
        ),
        (200, "[]", "unreadable"),
        (200, "{\"server_name\":", "unreadable"),
        (200, long.as_str(), "unreachable"),
        (302, "", "refused"),
        (404, "<html>\u{1b}[2Jnot here</html>", "refused"),
        (400, "SOMETHING_\u{1b}NEW", "refused"),
    ] {
        let world = World::new();
        world.apple.arm(
            Trigger::path("/account", 1),
            Fault::Answer {
                times: 1,
                status,
                body: body.to_owned(),
                retry_after: None,
            },
        );
        let told = world.ade(&["account", "--json"]);
        let error = told.error(1, kind);
        assert!(told.stdout.is_empty(), "{told:?}");
        assert!(!told.stderr.contains('\u{1b}') && told.stderr.len() < 2000);
        assert!(error["message"].as_str().unwrap().len() > 10);
    }
}

#[test]
fn odd_answers_are_told_and_not_obeyed() {
    let world = World::new();
    let body =
        r#"{"server_name":"a\u001b]0;x\u0007b","org_name":7,"urls":"none","new":{"deep":[1]}}"#;
    world.apple.arm(
        Trigger::path("/account", 1),
        Fault::Answer {
            times: 1,
            status: 200,
            body: body.to_owned(),
            retry_after: None,
        },
    );
    let told = world.ade(&["account"]);
    told.succeeded();
    assert!(told.stdout.contains("a ]0;x b"), "{told:?}");
    assert!(told.stdout.contains(r#"{"deep":[1]}"#), "{told:?}");
}

#[test]
fn a_token_that_cannot_be_used_is_told_apart() {
    let world = World::new();
    let other = World::new();
    world.write(
        "other.pem",
        other.pair.private_key_pem().unwrap().as_bytes(),
    );
    world.write("noise", [0x30, 0x80, 1, 2, 3]);
    world.write("text", "hello");
    let ade = |token: &str, key: &str| -> Told {
        program(world.folder.path())
            .args([
                "ade",
                "account",
                "--json",
                "--token",
                token,
                "--url",
                "https://localhost:1",
            ])
            .args(if key.is_empty() {
                vec![]
            } else {
                vec!["--key", key]
            })
            .output()
            .unwrap()
            .into()
    };
    for (token, key, words) in [
        ("token.p7m", "other.pem", "does not open with this key"),
        ("token.p7m", "", "no key to open it"),
        ("token.p7m", "text", "the key cannot be read"),
        ("token.p7m", "nowhere.pem", "cannot read nowhere.pem"),
        ("nowhere.p7m", "key.pem", "cannot read nowhere.p7m"),
        ("noise", "key.pem", "damaged"),
        ("text", "key.pem", "no server token"),
    ] {
        let error = ade(token, key).error(2, "input");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains(words), "{token} {key}: {message}");
    }
}

#[test]
fn a_decrypted_token_works_and_a_redacted_one_is_recognized() {
    let world = World::new();
    let run = |arguments: &[&str]| -> Told {
        program(world.folder.path())
            .arg("ade")
            .args(arguments)
            .output()
            .unwrap()
            .into()
    };
    let online = ["--url", &world.apple.url(), "--ca", "ca.pem"];
    let shown = run(&["token", "token.p7m", "--key", "key.pem", "--redact=false"]);
    world.write("token.json", &shown.stdout);
    run(&[&["account", "--token", "token.json"][..], &online].concat()).succeeded();
    let redacted = run(&["token", "token.json"]);
    redacted.succeeded();
    world.write("redacted.json", &redacted.stdout);
    let told = run(&[&["account", "--token", "redacted.json"][..], &online].concat());
    told.failed(2, &["printed without its secrets", "--redact=false"]);
}

#[test]
fn a_command_line_that_cannot_be_used_is_json_too_where_json_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| -> Told {
        program(folder.path())
            .args(arguments)
            .output()
            .unwrap()
            .into()
    };
    for arguments in [
        &["ade", "--json"][..],
        &["ade", "assign", "--json"],
        &["ade", "nothing", "--json"],
    ] {
        let error = run(arguments).error(2, "usage");
        assert!(!error["message"].as_str().unwrap().is_empty());
    }
    let error = run(&["ade", "account", "--json"]).error(2, "usage");
    assert!(
        error["message"].as_str().unwrap().contains("--token"),
        "{error}"
    );
    let told = run(&["ade", "assign"]);
    assert_eq!(told.code, Some(2));
    assert!(serde_json::from_str::<Value>(&told.stderr).is_err());
    let told = run(&["ade", "account", "--help", "--json"]);
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.contains("--token"));
}

#[test]
fn no_secret_is_printed_by_any_command_that_is_not_asked_to() {
    let world = World::with(Config::default().with(|config| config.disown_allowed = true));
    world.apple.add_devices(2, 1);
    let token: Told = program(world.folder.path())
        .args([
            "ade",
            "token",
            "token.p7m",
            "--key",
            "key.pem",
            "--redact=false",
        ])
        .output()
        .unwrap()
        .into();
    let token = token.json();
    let secrets = ["consumer_secret", "access_token", "access_secret"]
        .map(|key| token[key].as_str().unwrap().to_owned());
    let mut said = String::new();
    for json in [&[][..], &["--json"]] {
        for arguments in [
            &["account"][..],
            &["devices"],
            &["devices", "C02ZZZZZZZZZ"],
            &["beta-tokens"],
            &["assign", "P", "C02ZZZZZZZZZ"],
        ] {
            let told = world.ade(&[arguments, json].concat());
            said.push_str(&told.stdout);
            said.push_str(&told.stderr);
        }
    }
    world.apple.fault(Fault::ExpireToken);
    said.push_str(&world.ade(&["account", "--json"]).stderr);
    for secret in secrets {
        assert!(secret.len() > 5 && !said.contains(&secret));
    }
    assert!(!said.contains("PRIVATE KEY"));
}
