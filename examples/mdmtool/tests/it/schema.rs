//! The vocabulary: listed, counted, dumped, explained.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{refusal, run};

fn told(arguments: &[&str]) -> String {
    let output = run(arguments, b"");
    assert!(output.status.success(), "{arguments:?}");
    assert!(output.stderr.is_empty());
    String::from_utf8(output.stdout).unwrap()
}

fn told_json(arguments: &[&str]) -> Value {
    serde_json::from_str(&told(arguments)).unwrap()
}

#[test]
fn the_counts_are_those_of_apples_repository() {
    let stats = told_json(&["schema", "stats"]);
    for (what, count) in [
        ("checkIn", 9),
        ("commands", 68),
        ("payloadFiles", 128),
        ("payloadTypes", 122),
        ("configurations", 48),
        ("assets", 7),
        ("management", 3),
        ("activations", 1),
        ("credentials", 4),
        ("statusItems", 62),
        ("errors", 5),
        ("skipKeys", 54),
        ("protocol", 3),
        ("keys", 4875),
    ] {
        assert_eq!(stats[what], count, "{what}");
    }
}

#[test]
fn documents_are_listed_by_kind() {
    let all = told_json(&["schema", "list", "--json"]);
    let commands = told_json(&["schema", "list", "commands", "--json"]);
    assert_eq!(commands.as_array().unwrap().len(), 68);
    assert!(all.as_array().unwrap().len() > 350);
    let lock = commands.as_array().unwrap().iter();
    let lock: Vec<_> = lock.filter(|entry| entry["id"] == "DeviceLock").collect();
    assert_eq!(lock[0]["kind"], "command");
    assert_eq!(lock[0]["systems"][0], "iOS 4.0");
    let text = told(&["schema", "list", "status-item"]);
    assert!(text.starts_with("statusItem:\n"), "{text}");
    assert_eq!(text.lines().count(), 63);
    assert!(told(&["schema", "list"]).contains("\n\npayload:\n"));
    refusal_of_usage(&["schema", "list", "nonsense"]);
}

fn refusal_of_usage(arguments: &[&str]) {
    assert_eq!(run(arguments, b"").status.code(), Some(2), "{arguments:?}");
}

#[test]
fn the_dump_holds_every_document_in_apples_words() {
    let dump = told_json(&["schema", "dump"]);
    let dump = dump.as_array().unwrap();
    let find = |kind: &str, id: &str| {
        let mut all = dump.iter();
        all.find(|schema| schema["kind"] == kind && schema["id"] == id)
            .unwrap()
    };
    let erase = find("command", "EraseDevice");
    assert_eq!(erase["file"], "mdm/commands/device.erase");
    assert_eq!(erase["support"][0]["platform"], "iOS");
    assert_eq!(erase["support"][0]["introduced"], "4.0");
    assert_eq!(erase["support"][0]["sharedipad"]["mode"], "allowed");
    let key = |name: &str| {
        let mut keys = erase["keys"].as_array().unwrap().iter();
        keys.find(|key| key["name"] == name).unwrap()
    };
    assert_eq!(key("PIN")["secret"], true);
    assert_eq!(key("PIN")["type"], "string");
    assert_eq!(key("PIN")["required"], false);
    let behaviors = key("ObliterationBehavior")["allowed"].as_array().unwrap();
    assert!(
        behaviors
            .iter()
            .any(|choice| choice["value"] == "DoNotObliterate")
    );
    // What leads back to itself is cut there.
    let layout = find("payload", "com.apple.homescreenlayout").to_string();
    assert!(layout.contains(r#"{"recursive":true}"#));
    let kinds: BTreeSet<_> = dump
        .iter()
        .map(|schema| schema["kind"].to_string())
        .collect();
    assert_eq!(kinds.len(), 14);
}

#[test]
fn a_document_is_explained_by_any_of_its_names() {
    for (name, heading) in [
        ("EraseDevice", "EraseDevice (command)"),
        ("erasedevice", "EraseDevice (command)"),
        ("com.apple.wifi.managed", "com.apple.wifi.managed (payload)"),
        ("wifi.managed", "com.apple.wifi.managed (payload)"),
        ("com.apple.MCX(WiFi)", "com.apple.MCX(WiFi) (payload)"),
        (
            "com.apple.preferences.users",
            "com.apple.preference.users (payload)",
        ),
        (
            "passcode.settings",
            "com.apple.configuration.passcode.settings (configuration)",
        ),
        (
            "passcode.is-compliant",
            "passcode.is-compliant (statusItem)",
        ),
        (
            "com.apple.psso.required",
            "com.apple.psso.required (errorBody)",
        ),
        ("TokenUpdate", "TokenUpdate (checkIn)"),
        ("AppleID", "SkipKeys.AppleID (document)"),
        ("Error.ActivationFailed", "DeclarationBase (protocol)"),
        ("DeviceLock.PIN", "DeviceLock.PIN (command)"),
        (
            "com.apple.wifi.managed.EncryptionType",
            "com.apple.wifi.managed.EncryptionType (payload)",
        ),
        (
            "Settings.Settings[0].Wallpaper.Where",
            "Settings.Settings.Wallpaper.Where (command)",
        ),
        (
            "Settings.Wallpaper.Where",
            "Settings.Settings.Wallpaper.Where (command)",
        ),
        (
            "allowCamera",
            "com.apple.applicationaccess.allowCamera (payload)",
        ),
        (
            "SecurityInfo.FDE_Enabled",
            "SecurityInfo.SecurityInfo.FDE_Enabled (response)",
        ),
        (
            "com.apple.security.scep.challenge",
            "com.apple.security.scep.PayloadContent.Challenge (payload)",
        ),
    ] {
        let text = told(&["explain", name]);
        assert!(text.starts_with(&format!("{heading}\n")), "{name}: {text}");
        assert!(text.contains("\nSystems\n"), "{text}");
    }
}

#[test]
fn keys_are_told_with_what_they_may_hold() {
    let text = told(&["explain", "EraseDevice"]);
    for part in [
        "access right AllowDeviceErase",
        "PIN                              string, optional, secret",
        "one of \"Default\", \"DoNotObliterate\"",
        "    Enabled                        boolean, required",
        "macOS: 12.0 and later",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let passcode = told(&["explain", "passcode.settings"]);
    assert!(passcode.contains("0 to 16, combined by number-max"));
    assert!(passcode.contains("enrolment: supervised, device, user, local; scope: system"));
    assert!(told(&["explain", "homescreenlayout"]).contains("and so on, within itself"));
}

#[test]
fn a_name_that_means_several_things_lists_them() {
    let text = told(&["explain", "com.apple.MCX"]);
    assert!(
        text.starts_with("com.apple.MCX means 6 things:\n"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 7);
    let both = told(&["explain", "DeviceInformation"]);
    assert!(both.contains("DeviceInformation (command)"));
    assert!(both.contains("DeviceInformation (response)"));
    let scep = told(&["explain", "scep"]);
    assert!(scep.contains("com.apple.security.scep (payload)"), "{scep}");
    assert!(scep.contains("com.apple.credential.scep (credential)"));
    let many = told(&["explain", "Identifier"]);
    assert!(many.lines().count() <= 42, "{many}");
}

#[test]
fn a_target_takes_it_or_says_why_not() {
    let with = |name: &str, target: &str| told(&["explain", name, "--target", target]);
    let phone = with("EraseDevice", "ios:18.2");
    assert!(phone.contains("On iOS:18.2: yes"), "{phone}");
    assert!(
        phone.contains("[not here: not available on iOS]"),
        "{phone}"
    );
    assert!(phone.contains("[not here: needs iOS 27.0]"), "{phone}");
    assert!(with("EraseDevice", "ios:18.2,user-enrollment").contains(": no\n"));
    let query = with("DeviceInformation", "ios:17");
    assert!(query.contains("[! deprecated since iOS 16.0]"), "{query}");
    let value = with("DeviceInformation.IMEI", "ios:26");
    assert!(value.starts_with("DeviceInformation.Queries.QueriesItem.IMEI (command)\n"));
    assert!(
        value.contains("On iOS:26: no\n  error: removed in iOS 26.0"),
        "{value}"
    );
    let behavior = with("EraseDevice.ObliterationBehavior.Always", "macos:15");
    assert!(behavior.contains("On macOS:15: yes"), "{behavior}");
    let passcode = with("passcode.settings", "macos:14");
    assert!(passcode.contains("error: needs supervision (supervision)"));
    refusal_of_usage(&["explain", "EraseDevice", "--target", "beos:5"]);
}

#[test]
fn an_explanation_is_given_as_json_too() {
    let told = told_json(&["explain", "EraseDevice", "--json", "--target", "ios:18.2"]);
    assert_eq!(told[0]["schema"]["name"], "EraseDevice");
    assert_eq!(told[0]["target"]["available"], true);
    let keys = told[0]["target"]["keys"].as_array().unwrap();
    let pin = keys
        .iter()
        .find(|key| key["key"] == "EraseDevice.PIN")
        .unwrap();
    assert_eq!(pin["available"], false);
    assert_eq!(pin["findings"][0]["rule"], "not-available");
    let key = told_json(&["explain", "DeviceLock.PIN", "--json"]);
    assert_eq!(key[0]["document"], "DeviceLock");
    assert_eq!(key[0]["key"]["name"], "PIN");
    assert_eq!(key[0].get("target"), None);
}

#[test]
fn an_unknown_name_is_answered_with_its_like() {
    for (name, like) in [
        ("EraseDevise", "EraseDevice"),
        ("Wfii", "com.apple.wifi.managed"),
        ("erase", "EraseDevice"),
        (
            "safari.bookmark",
            "com.apple.configuration.safari.bookmarks",
        ),
    ] {
        let line = refusal(&["explain", name], b"");
        assert!(
            line.contains("did you mean ") && line.contains(like),
            "{line}"
        );
    }
    let long = "DeviceLock.".repeat(1000);
    for name in [
        "",
        ".",
        "..",
        "Nothing.Like.It",
        "DeviceLock.Nothing",
        &long,
    ] {
        refusal(&["explain", name], b"");
    }
    let line = refusal(&["explain", "\u{1b}[31m"], b"");
    assert!(!line.contains('\u{1b}'));
}
