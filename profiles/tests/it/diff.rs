//! What is different between two profiles.

use mdm_profiles::{
    Profile,
    diff::{Matched, What, diff},
};

use crate::given::{decode, frame, payload, profile, profile_with};

const WIFI: &str = "com.apple.wifi.managed";

/// The lines that a person sees.
fn lines(old: &Profile, new: &Profile) -> Vec<String> {
    let text = diff(old, new).to_string();
    text.lines().map(|line| line.trim().to_owned()).collect()
}

/// The changes of the one payload there is.
fn changes(payload_type: &str, old: &str, new: &str) -> Vec<String> {
    let made = |keys: &str| profile(&[payload(payload_type, "one", 1, keys)]);
    let mut lines = lines(&made(old), &made(new));
    if !lines.is_empty() {
        let head = lines.remove(0);
        assert_eq!(head, format!("~ {payload_type} (com.example.one)"));
    }
    lines
}

#[test]
fn equal_profiles_differ_in_nothing_whatever_the_order_of_their_keys() {
    let one = profile(&[payload(
        WIFI,
        "one",
        1,
        "<key>A</key><true/><key>B</key><true/>",
    )]);
    let two = profile(&[payload(
        WIFI,
        "one",
        1,
        "<key>B</key><true/><key>A</key><true/>",
    )]);
    assert!(diff(&one, &two).is_empty());
    assert_eq!(lines(&one, &two), [""; 0]);
}

#[test]
fn keys_come_go_change_and_move_with_their_paths() {
    let found = changes(
        WIFI,
        "<key>AutoJoin</key><true/><key>SSID_STR</key><string>Old</string>
         <key>Nested</key><dict><key>Deep</key><string>here</string></dict>
         <key>DomainName</key><string>gone</string>",
        "<key>AutoJoin</key><true/><key>SSID_STR</key><string>New</string>
         <key>Other</key><dict><key>Deep</key><string>here</string><key>More</key><integer>1</integer></dict>",
    );
    assert_eq!(
        found,
        [
            "~ PayloadContent[0].SSID_STR: \"Old\" -> \"New\"",
            "- PayloadContent[0].DomainName: \"gone\"",
            "> PayloadContent[0].Other.Deep: was PayloadContent[0].Nested.Deep",
            "+ PayloadContent[0].Other.More: 1",
        ]
    );
}

#[test]
fn a_number_of_another_type_is_another_value() {
    let found = changes(
        WIFI,
        "<key>A</key><integer>1</integer>",
        "<key>A</key><real>1</real>",
    );
    assert_eq!(found, ["~ PayloadContent[0].A: 1 -> 1.0"]);
}

#[test]
fn an_element_inserted_moves_no_other_and_one_that_moved_is_told_once() {
    let list = |items: &str| {
        let items: String = items
            .chars()
            .map(|c| format!("<string>{c}</string>"))
            .collect();
        format!("<key>List</key><array>{items}</array>")
    };
    let at = "PayloadContent[0].List";
    let found = |old: &str, new: &str| changes("com.example.list", &list(old), &list(new));
    assert_eq!(found("abc", "xabc"), [format!("+ {at}[0]: \"x\"")]);
    assert_eq!(found("abc", "ac"), [format!("- {at}[1]: \"b\"")]);
    assert_eq!(found("abcd", "dabc"), [format!("> {at}[0]: was {at}[3]")]);
    assert_eq!(found("abc", "axc"), [format!("~ {at}[1]: \"b\" -> \"x\"")]);
    assert_eq!(found("aab", "ab"), [format!("- {at}[1]: \"a\"")]);
}

#[test]
fn secrets_are_told_to_have_changed_and_never_what_they_are() {
    for (payload_type, keys) in [
        (WIFI, "<key>Password</key><string>SECRET</string>"),
        (
            WIFI,
            "<key>EAPClientConfiguration</key><dict><key>UserPassword</key><string>SECRET</string></dict>",
        ),
        (
            "com.apple.security.scep",
            "<key>PayloadContent</key><dict><key>Challenge</key><string>SECRET</string></dict>",
        ),
        (
            "com.apple.relay.managed",
            "<key>Relays</key><array><dict><key>AdditionalHTTPHeaderFields</key><dict><key>X</key><string>SECRET</string></dict></dict></array>",
        ),
        (
            "com.example.unknown",
            "<key>api-token</key><array><dict><key>x</key><string>SECRET</string></dict></array>",
        ),
    ] {
        let made = |secret: &str| {
            let keys = keys.replace("SECRET", secret);
            profile(&[payload(payload_type, "one", 1, &keys)])
        };
        let none = profile(&[payload(payload_type, "one", 1, "")]);
        for (old, new) in [
            (made("hunter2"), made("hunter3")),
            (none.clone(), made("hunter2")),
            (made("hunter2"), none),
        ] {
            let diff = diff(&old, &new);
            let shown = format!("{diff} {diff:?} {}", serde_json::to_string(&diff).unwrap());
            assert!(!shown.contains("hunter"), "{shown}");
            assert_eq!(diff.payloads[0].changes.len(), 1, "{shown}");
        }
        let shown = diff(&made("hunter2"), &made("hunter3")).to_string();
        assert!(shown.contains("[secret] -> [secret]"), "{shown}");
    }
}

#[test]
fn payloads_are_matched_by_identifier_then_uuid_then_content() {
    let keys = "<key>SSID_STR</key><string>A</string>";
    let old = profile(&[
        payload(WIFI, "a", 1, keys),
        payload(WIFI, "b", 2, ""),
        payload("com.example.c", "c", 3, keys),
        payload("com.example.d", "d", 4, ""),
    ]);
    let new = profile(&[
        payload(WIFI, "a", 11, keys),
        payload(WIFI, "bb", 2, ""),
        payload("com.example.c", "cc", 13, keys),
        payload("com.example.e", "e", 5, ""),
    ]);
    let diff = diff(&old, &new);
    let matched: Vec<_> = diff
        .payloads
        .iter()
        .map(|p| (p.old, p.new, p.matched))
        .collect();
    assert_eq!(
        matched,
        [
            (Some(0), Some(0), Some(Matched::Identifier)),
            (Some(1), Some(1), Some(Matched::Uuid)),
            (Some(2), Some(2), Some(Matched::Content)),
            (None, Some(3), None),
            (Some(3), None, None),
        ]
    );
    assert!(diff.payloads[3].is_added() && diff.payloads[4].is_removed());
    assert!(diff.payloads.iter().all(|payload| !payload.moved));
}

#[test]
fn a_payload_that_changed_places_is_moved() {
    let [a, b, c] = [1, 2, 3].map(|n| payload(WIFI, &n.to_string(), n, ""));
    let old = profile(&[a.clone(), b.clone(), c.clone()]);
    let found = diff(&old, &profile(&[c, a, b]));
    assert_eq!(found.payloads.len(), 1);
    assert!(found.payloads[0].moved);
    assert_eq!(
        (found.payloads[0].old, found.payloads[0].new),
        (Some(2), Some(0))
    );
    assert_eq!(
        found.to_string(),
        "> com.apple.wifi.managed (com.example.3)\n"
    );
}

#[test]
fn a_reference_that_follows_its_payload_is_told_apart_from_another_one() {
    let made = |uuid: u8, refers: u8| {
        let uuid_of = format!("0f5a4d4e-3c5e-4c63-8f5e-0e6a9c1b2d{refers:02x}");
        let keys = format!("<key>PayloadCertificateUUID</key><string>{uuid_of}</string>");
        profile(&[
            payload("com.apple.security.scep", "scep", uuid, ""),
            payload("com.apple.security.scep", "other", 9, ""),
            payload(WIFI, "wifi", 7, &keys),
        ])
    };
    let what = |new: &Profile| {
        let diff = diff(&made(1, 1), new);
        diff.payloads.last().unwrap().changes[0].what.clone()
    };
    assert!(matches!(what(&made(2, 2)), What::Followed { .. }));
    assert!(matches!(what(&made(2, 9)), What::Changed { .. }));
}

#[test]
fn the_top_level_and_what_is_no_payload_are_compared() {
    let old = profile_with(
        "<key>ConsentText</key><dict><key>en</key><string>A</string></dict>",
        &[],
    );
    let new = profile_with(
        "<key>ConsentText</key><dict><key>de</key><string>B</string></dict>",
        &["<string>stray</string>".to_owned()],
    );
    assert_eq!(
        lines(&old, &new),
        [
            "+ PayloadContent[0]: \"stray\"",
            "- ConsentText.en: \"A\"",
            "+ ConsentText.de: \"B\"",
        ]
    );
    let service = |url: &str| {
        let frame = frame("Profile Service", "ota", 1);
        decode(&format!(
            "{frame}<key>PayloadContent</key><dict><key>URL</key><string>{url}</string>
             <key>Challenge</key><string>{url}</string></dict>"
        ))
    };
    assert_eq!(
        lines(&service("a"), &service("b")),
        [
            "~ PayloadContent.URL: \"a\" -> \"b\"",
            "~ PayloadContent.Challenge: [secret] -> [secret]",
        ]
    );
}

#[test]
fn long_values_are_cut_and_many_elements_compared_in_good_time() {
    let long = "ä".repeat(1000);
    let found = changes(
        "com.example",
        "",
        &format!("<key>A</key><string>{long}</string>"),
    );
    assert!(found[0].chars().count() < 200 && found[0].ends_with('…'));
    let many = |from: u32| {
        let items: String = (from..from + 20_000)
            .map(|n| format!("<integer>{n}</integer>"))
            .collect();
        profile(&[payload(
            "com.example",
            "one",
            1,
            &format!("<key>A</key><array>{items}</array>"),
        )])
    };
    assert_eq!(diff(&many(0), &many(1)).payloads[0].changes.len(), 1);
}

#[test]
fn a_diff_is_written_as_json() {
    let made = |name: &str| {
        profile(&[payload(
            WIFI,
            "one",
            1,
            &format!("<key>SSID_STR</key><string>{name}</string>"),
        )])
    };
    let json = serde_json::to_value(diff(&made("A"), &made("B"))).unwrap();
    assert_eq!(
        json["payloads"][0]["changes"][0],
        serde_json::json!({
            "path": "PayloadContent[0].SSID_STR", "change": "changed", "old": "\"A\"", "new": "\"B\""
        })
    );
    assert_eq!(json["payloads"][0]["matched"], "identifier");
}
