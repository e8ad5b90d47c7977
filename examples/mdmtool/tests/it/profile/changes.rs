//! `diff` and `predict`.

use mdm_pki::{KeySpec, PrivateKey};

use super::Folder;

const MDM: &str = "new enrollment --identifier com.example.mdm --topic com.apple.mgmt.External.a1 \
                   --scep-url https://mdm.example.com/scep --server-url https://mdm.example.com/mdm";

#[test]
fn what_is_different_is_told_without_secrets() {
    let folder = Folder::new();
    folder.wifi("old", "");
    folder.wifi("same", "");
    folder.wifi(
        "new",
        "--set AutoJoin=false --set Password=battery --name Office",
    );
    let told = folder.run("diff old same");
    told.succeeded();
    assert!(told.stdout.contains("say the same"));
    let told = folder.run("diff old new");
    told.failed_quietly();
    told.holds_none_of(&["correct horse", "battery"]);
    for words in [
        "+ PayloadDisplayName: \"Office\"",
        "~ com.apple.wifi.managed (com.example.office.wifi)",
        "  + PayloadContent[0].AutoJoin: false",
        "  ~ PayloadContent[0].Password: [secret] -> [secret]",
    ] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
    let document = folder.json("diff old new");
    assert_eq!(document["same"], false);
    let change = &document["payloads"][0]["changes"];
    assert!(
        change
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["change"] == "added")
    );
    let coloured = folder.run("diff old new --color always");
    assert!(
        coloured.stdout.contains("\u{1b}[32m+ "),
        "{}",
        coloured.stdout
    );
}

#[test]
fn what_a_device_does_with_an_update_is_told_with_the_rule() {
    let folder = Folder::new();
    let made = |file: &str, more: &str| {
        folder.run(&format!("{MDM}{more} --out {file}")).succeeded();
    };
    made("old", "");
    made("tenant", "?t=7");
    made("fewer", " --right inspect-profiles");
    let told = folder.run("predict old old");
    told.succeeded();
    assert!(
        told.stdout.contains("replaces the profile"),
        "{}",
        told.stdout
    );
    let told = folder.run("predict old tenant");
    told.failed_quietly();
    for words in [
        "the device refuses the update",
        "PayloadContent[1].ServerURL never changes in an update",
        "(frozen-key)",
        "were it not refused",
    ] {
        assert!(told.stdout.contains(words), "{words}: {}", told.stdout);
    }
    folder.run("predict old fewer").succeeded();
    folder.run("predict fewer old").failed_quietly();
    let document = folder.json("predict old tenant");
    assert_eq!(document["outcome"], "refuses");
    assert_eq!(document["refused"], true);
    assert_eq!(document["reasons"][0]["rule"], "frozen-key");
    assert_eq!(document["payloads"][0]["fate"], "updates");

    folder
        .run(&format!(
            "{} --out beside",
            MDM.replace("com.example.mdm", "com.example.two")
        ))
        .succeeded();
    let document = folder.json("predict old beside");
    assert_eq!(document["reasons"][0]["rule"], "second-mdm");
    let told = folder.run("predict old old --target macos:15.2");
    assert!(told.stdout.contains("cannot remove it"), "{}", told.stdout);
}

#[test]
fn the_signers_of_two_files_are_compared() {
    let folder = Folder::new();
    let key = PrivateKey::generate(KeySpec::Rsa2048).unwrap();
    let root = folder.identity("root", None);
    folder.identity_of("first", &key, Some(&root));
    folder.wifi("plain", "");
    let sign = |with: &str, out: &str| {
        let line = format!("sign plain --cert {with}.pem --key {with}-key.pem --out {out}");
        folder.run(&line).succeeded();
    };
    sign("first", "installed");
    sign("first", "same");
    // The same name and the same key, and another certificate.
    folder.identity_of("first", &key, Some(&root));
    sign("first", "renewed");
    folder.identity("second", Some(&root));
    sign("second", "other");
    for (update, signer, refused) in [
        ("same", "same", false),
        ("renewed", "renewed", false),
        ("other", "other", true),
        ("plain", "lost", true),
    ] {
        let document = folder.json(&format!("predict installed {update} --manual"));
        assert_eq!(document["signer"], signer);
        assert_eq!(document["refused"], refused, "{update}");
        let by_server = folder.run(&format!("predict installed {update}"));
        by_server.succeeded();
    }
    let told = folder.run("predict installed renewed --manual");
    assert!(told.stdout.contains("no source says"), "{}", told.stdout);
    let told = folder.json("predict plain plain --manual --signer other");
    assert_eq!(told["reasons"][0]["rule"], "signer");
}
